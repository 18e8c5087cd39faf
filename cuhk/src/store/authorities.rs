//! The authorities: the first ones and those that took their place.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use rusqlite::{Connection, Row, params};
use rustls_pki_types::UnixTime;
use scb_certs::{Certificate, IssuerKind, Validities};
use serde::{Deserialize, Serialize};

use super::certificates::{Revocation, revocation};
use super::convert;
use crate::Error;
use crate::time::later;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What an authority is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AuthorityKind {
    /// Certifies the issuing authorities.
    Root,
    /// Issues students' certificates.
    Students,
    /// Issues services' certificates.
    Services,
}

impl AuthorityKind {
    const ALL: [Self; 3] = [Self::Root, Self::Students, Self::Services];

    /// The word in names and listings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Students => "students",
            Self::Services => "services",
        }
    }

    /// How long what it issued may live at most, for leaves with a day more.
    fn longest(self) -> Duration {
        match self {
            Self::Root => Validities::ROOT,
            Self::Students => Validities::STUDENT_LIFETIME + DAY,
            Self::Services => Validities::SERVICE_LIFETIME + DAY,
        }
    }
}

impl From<IssuerKind> for AuthorityKind {
    fn from(kind: IssuerKind) -> Self {
        match kind {
            IssuerKind::Students => Self::Students,
            IssuerKind::Services => Self::Services,
        }
    }
}

/// An authority: of a kind the first (`students`), the second (`students-2`) and so on. It signs
/// certificates and a revocation list of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct CrlSigner {
    kind: AuthorityKind,
    generation: u32,
}

impl CrlSigner {
    /// The first root.
    pub const ROOT: Self = Self::first(AuthorityKind::Root);
    /// The first issuer of students' certificates.
    pub const STUDENTS: Self = Self::first(AuthorityKind::Students);
    /// The first issuer of services' certificates.
    pub(crate) const SERVICES: Self = Self::first(AuthorityKind::Services);

    /// The first of a kind.
    pub const fn first(kind: AuthorityKind) -> Self {
        Self {
            kind,
            generation: 1,
        }
    }

    /// The one that comes after it.
    #[must_use]
    pub fn next(self) -> Self {
        Self {
            generation: self.generation.saturating_add(1),
            ..self
        }
    }

    /// What it is for.
    pub fn kind(self) -> AuthorityKind {
        self.kind
    }
}

impl fmt::Display for CrlSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.generation {
            1 => f.pad(self.kind.as_str()),
            later => f.pad(&format!("{}-{later}", self.kind.as_str())),
        }
    }
}

impl From<CrlSigner> for String {
    fn from(signer: CrlSigner) -> Self {
        signer.to_string()
    }
}

impl TryFrom<String> for CrlSigner {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl FromStr for CrlSigner {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let invalid = || Error::RecordInvalid { what: "authority" };
        let (word, generation) = match text.split_once('-') {
            Some((word, number)) => (word, number.parse().map_err(|_| invalid())?),
            None => (text, 1),
        };
        let kinds = AuthorityKind::ALL;
        let kind = kinds.into_iter().find(|kind| kind.as_str() == word);
        let signer = Self {
            kind: kind.ok_or_else(invalid)?,
            generation,
        };
        match signer.to_string() == text {
            true => Ok(signer),
            false => Err(invalid()),
        }
    }
}

/// What an authority does at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthorityState {
    /// It has a revocation list, and will issue once everybody has seen that.
    New,
    /// It issues.
    Active,
    /// It issues no more, but what it issued may still be in force.
    Retiring,
    /// What it issued has run out.
    Retired,
    /// It counts no more, and nothing that it issued, though not all of that has run out.
    Withdrawn,
}

/// An authority that was put to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuthorityRecord {
    /// Its name.
    pub signer: CrlSigner,
    /// From when on it issues; none as long as its revocation list was not published.
    pub active_from: Option<UnixTime>,
    /// Since when and why it counts no more, if that is so.
    pub withdrawn: Option<Revocation>,
}

impl AuthorityRecord {
    /// What it does now, beside all the others.
    pub fn state(&self, all: &[Self], now: UnixTime) -> AuthorityState {
        if self.withdrawn.is_some() {
            return match self.retires_at(all, now) {
                Some(end) if end <= now => AuthorityState::Retired,
                _ => AuthorityState::Withdrawn,
            };
        }
        if self.active_from.is_none_or(|from| from > now) {
            return AuthorityState::New;
        }
        match self.retires_at(all, now) {
            None => AuthorityState::Active,
            Some(end) if now < end => AuthorityState::Retiring,
            Some(_) => AuthorityState::Retired,
        }
    }

    /// When everything has run out that it has issued; none as long as no other issues in its place.
    pub(crate) fn retires_at(&self, all: &[Self], now: UnixTime) -> Option<UnixTime> {
        let begun = self.heirs(all).filter_map(|record| record.active_from);
        let ended = begun.chain(self.withdrawn.map(|revocation| revocation.at));
        let since = ended.filter(|from| *from <= now).min()?;
        Some(later(since, self.signer.kind.longest()))
    }

    /// Whether another that counts was put to use to take its place.
    pub(crate) fn has_heir(&self, all: &[Self]) -> bool {
        self.heirs(all).any(|heir| heir.withdrawn.is_none())
    }

    fn heirs<'a>(&self, all: &'a [Self]) -> impl Iterator<Item = &'a Self> {
        let own = self.signer;
        all.iter().filter(move |other| {
            other.signer.kind == own.kind && other.signer.generation > own.generation
        })
    }
}

/// The authorities.
#[derive(Debug)]
pub struct Authorities<'a> {
    connection: &'a Connection,
}

impl<'a> Authorities<'a> {
    pub(super) fn on(connection: &'a Connection) -> Self {
        Self { connection }
    }

    /// All that were ever put to use, each kind in its order.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::RecordInvalid`].
    pub fn all(&self) -> Result<Vec<AuthorityRecord>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT name, active_from, withdrawn_at, reason, invalid_since FROM authority",
        )?;
        let rows = statement.query_map([], Raw::read)?;
        let mut all = rows
            .map(|row| row?.record())
            .collect::<Result<Vec<_>, Error>>()?;
        all.sort_by_key(|record| record.signer);
        Ok(all)
    }

    /// Those of a kind that are not retired.
    ///
    /// # Errors
    ///
    /// As [`Authorities::all`].
    pub(crate) fn in_use(&self, now: UnixTime) -> Result<Vec<AuthorityRecord>, Error> {
        let all = self.all()?;
        let in_use = |record: &&AuthorityRecord| record.state(&all, now) != AuthorityState::Retired;
        Ok(all.iter().filter(in_use).copied().collect())
    }

    /// The name of the next one of a kind.
    ///
    /// # Errors
    ///
    /// As [`Authorities::all`].
    pub fn next(&self, kind: AuthorityKind) -> Result<CrlSigner, Error> {
        let all = self.all()?;
        let last = all.iter().rfind(|record| record.signer.kind == kind);
        Ok(last.map_or(CrlSigner::first(kind), |record| record.signer.next()))
    }

    /// Puts one to use. It does not issue yet.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], also if it was put to use before.
    pub fn add(&self, signer: CrlSigner) -> Result<(), Error> {
        self.connection
            .prepare_cached("INSERT INTO authority (name) VALUES (?1)")?
            .execute([signer.to_string()])?;
        Ok(())
    }

    /// Writes down that one counts no more, with everything that it issued; answers whether that
    /// changed anything: the first time and reason stand, unless its key turns out to be compromised.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::RecordInvalid`].
    pub fn withdraw(
        &self,
        (signer, certificate): (CrlSigner, &Certificate),
        revocation: &Revocation,
    ) -> Result<bool, Error> {
        let all = self.all()?;
        let record = all.iter().find(|record| record.signer == signer);
        let before = record.and_then(|record| record.withdrawn);
        if before.is_some_and(|before| before.stands(revocation)) {
            return Ok(false);
        }
        let changed = self
            .connection
            .prepare_cached(
                "UPDATE authority SET withdrawn_at = coalesce(withdrawn_at, ?2), reason = ?3,
                     invalid_since = coalesce(?4, invalid_since), key_id = ?5 WHERE name = ?1",
            )?
            .execute(params![
                signer.to_string(),
                convert::seconds(revocation.at),
                revocation.reason.as_str(),
                revocation.invalid_since.map(convert::seconds),
                certificate.subject_key_id(),
            ])?;
        Ok(changed == 1)
    }

    /// Whether one that was withdrawn issued this certificate.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn is_of_withdrawn(&self, certificate: &Certificate) -> Result<bool, Error> {
        Ok(self
            .connection
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM authority
                     WHERE withdrawn_at IS NOT NULL AND key_id = ?1)",
            )?
            .query_one([certificate.authority_key_id()], |row| row.get(0))?)
    }

    /// Lets one issue from this time on, unless it was said before.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub fn activate(&self, signer: CrlSigner, from: UnixTime) -> Result<(), Error> {
        self.connection
            .prepare_cached(
                "UPDATE authority SET active_from = ?2 WHERE name = ?1 AND active_from IS NULL",
            )?
            .execute(params![signer.to_string(), convert::seconds(from)])?;
        Ok(())
    }
}

struct Raw {
    name: String,
    active_from: Option<i64>,
    withdrawn_at: Option<i64>,
    reason: Option<String>,
    invalid_since: Option<i64>,
}

impl Raw {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            name: row.get(0)?,
            active_from: row.get(1)?,
            withdrawn_at: row.get(2)?,
            reason: row.get(3)?,
            invalid_since: row.get(4)?,
        })
    }

    fn record(self) -> Result<AuthorityRecord, Error> {
        let reason = self.reason.as_deref().unwrap_or_default();
        let withdrawn = self
            .withdrawn_at
            .map(|at| revocation(at, reason, self.invalid_since));
        Ok(AuthorityRecord {
            signer: self.name.parse()?,
            active_from: self.active_from.map(convert::time).transpose()?,
            withdrawn: withdrawn.transpose()?,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use scb_certs::RevocationReason;

    use super::*;
    use crate::store::{issuer, temporary};

    const NEXT: CrlSigner = CrlSigner {
        kind: AuthorityKind::Students,
        generation: 2,
    };

    #[test]
    fn reads_the_names_that_it_writes_and_no_others() {
        for signer in [CrlSigner::ROOT, CrlSigner::SERVICES, NEXT, NEXT.next()] {
            assert_eq!(signer.to_string().parse::<CrlSigner>().unwrap(), signer);
        }
        assert_eq!(NEXT.to_string(), "students-2");
        for wrong in [
            "",
            "teachers",
            "students-1",
            "students-02",
            "students-",
            "students-x",
        ] {
            assert!(wrong.parse::<CrlSigner>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_withdrawn_one_stays_so_with_all_that_it_issued_until_that_has_run_out() {
        use AuthorityState::{Active, Retired, Withdrawn};
        let (_dir, store) = temporary();
        let (own, other) = (
            issuer(IssuerKind::Students).certificate().clone(),
            issuer(IssuerKind::Students).certificate().clone(),
        );
        let withdrawn = |at, reason| Revocation {
            at: convert::time(at).unwrap(),
            reason,
            invalid_since: None,
        };
        store
            .write_blocking(move |records| {
                let authorities = records.authorities();
                let states = |seconds| {
                    let (all, now) = (authorities.all().unwrap(), convert::time(seconds).unwrap());
                    let students = all.iter().filter(|one| one.signer.kind() == NEXT.kind());
                    students.map(|one| one.state(&all, now)).collect::<Vec<_>>()
                };
                authorities.add(NEXT)?;
                authorities.activate(NEXT, convert::time(500)?)?;
                let lesser = withdrawn(1000, RevocationReason::Superseded);
                let meant = (CrlSigner::STUDENTS, &own);
                assert!(authorities.withdraw(meant, &lesser)?);
                assert!(!authorities.withdraw(meant, &lesser)?);
                let stolen = withdrawn(2000, RevocationReason::CaCompromise);
                assert!(authorities.withdraw(meant, &stolen)?);
                assert!(
                    !authorities.withdraw(meant, &lesser)?,
                    "it does not get better"
                );
                assert!(!authorities.withdraw((NEXT.next(), &other), &stolen)?);
                let told = authorities.all()?.into_iter().find_map(|one| one.withdrawn);
                assert_eq!(told, Some(withdrawn(1000, stolen.reason)));

                assert_eq!(states(3000), [Withdrawn, Active]);
                let end = 500 + i64::try_from(NEXT.kind().longest().as_secs()).unwrap();
                assert_eq!(states(end), [Retired, Active]);
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn a_successor_begins_when_it_is_told_and_the_first_retires_with_its_last_leaf() {
        let (_dir, store) = temporary();
        store
            .write_blocking(|records| {
                let authorities = records.authorities();
                let at = |seconds| convert::time(seconds).unwrap();
                let states = |now| {
                    let all = authorities.all().unwrap();
                    let students = all
                        .iter()
                        .filter(|record| record.signer.kind() == AuthorityKind::Students);
                    let states: Vec<_> = students.map(|record| record.state(&all, now)).collect();
                    states
                };
                use AuthorityState::{Active, New, Retired, Retiring};
                assert_eq!(states(at(1000)), [Active]);
                assert_eq!(authorities.next(AuthorityKind::Students)?, NEXT);
                authorities.add(NEXT)?;
                assert!(authorities.add(NEXT).is_err());
                assert_eq!(states(at(1000)), [Active, New]);
                authorities.activate(NEXT, at(1010))?;
                authorities.activate(NEXT, at(5000))?;
                assert_eq!(states(at(1009)), [Active, New]);
                assert_eq!(states(at(1010)), [Retiring, Active]);
                let end = later(at(1010), AuthorityKind::Students.longest());
                assert_eq!(states(end), [Retired, Active]);
                assert_eq!(authorities.in_use(end)?.len(), 3);
                Ok(())
            })
            .unwrap();
    }
}

//! The authorities: the first ones and those that took their place.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use rusqlite::{Connection, params};
use rustls_pki_types::UnixTime;
use scb_certs::{IssuerKind, Validities};
use serde::{Deserialize, Serialize};

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

    /// How long what it issued may live at most, and a day.
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
    pub const SERVICES: Self = Self::first(AuthorityKind::Services);

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
}

/// An authority that was put to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuthorityRecord {
    /// Its name.
    pub signer: CrlSigner,
    /// From when on it issues; none as long as its revocation list was not published.
    pub active_from: Option<UnixTime>,
}

impl AuthorityRecord {
    /// What it does now, beside all the others.
    pub fn state(&self, all: &[Self], now: UnixTime) -> AuthorityState {
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
    pub fn retires_at(&self, all: &[Self], now: UnixTime) -> Option<UnixTime> {
        let successors = all.iter().filter(|other| {
            other.signer.kind == self.signer.kind
                && other.signer.generation > self.signer.generation
        });
        let begun = successors.filter_map(|record| record.active_from);
        let since = begun.filter(|from| *from <= now).min()?;
        Some(later(since, self.signer.kind.longest()))
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
        let mut statement = self
            .connection
            .prepare_cached("SELECT name, active_from FROM authority")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut all = rows
            .map(|row| {
                let (name, from): (String, Option<i64>) = row?;
                Ok(AuthorityRecord {
                    signer: name.parse()?,
                    active_from: from.map(convert::time).transpose()?,
                })
            })
            .collect::<Result<Vec<_>, Error>>()?;
        all.sort_by_key(|record| record.signer);
        Ok(all)
    }

    /// Those of a kind that are not retired.
    ///
    /// # Errors
    ///
    /// As [`Authorities::all`].
    pub fn in_use(&self, now: UnixTime) -> Result<Vec<AuthorityRecord>, Error> {
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::store::temporary;

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

//! What CUHK said when the entry of the moment that counts was made, by its own clock. The entry has the
//! hash of it, so it was made later: Blackboard and members together cannot put it before that.

use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, SpiffeId, StudentId, TrustStore, VerifiedStudent};

use super::committed::CommittedEntry;
use super::{Check, Found, VerifiedReceipt, file};
use crate::assurance::{Mode, VerifiedTokens};
use crate::identity_token::UnverifiedToken;
use crate::jose::{Stamp, stamp};
use crate::log_leaf::{Entry, Leaf};
use crate::time::{CLOCK_SKEW, from_seconds, in_words, is_future, rfc3339};
use crate::verification::Verification;
use crate::{Refusal, Step};

/// By what it is judged, and about whom it is to be.
pub(super) struct Behind<'a> {
    pub(super) trust: &'a TrustStore,
    pub(super) service: &'a SpiffeId,
    /// The members, in the order of the statement, as they signed.
    pub(super) students: &'a [VerifiedStudent],
    /// SHA-256 of the statement.
    pub(super) statement: Fingerprint,
}

/// What an entry of the moment that counts says of it.
struct Then<'a> {
    mode: Mode,
    sha256: Fingerprint,
    /// Who signed over that connection.
    members: &'a [StudentId],
    /// Of which statement, if it says so.
    statement: Option<Fingerprint>,
}

impl<'a> Then<'a> {
    fn of(entry: &'a Entry) -> Option<Self> {
        let (mode, sha256, members, statement) = match entry {
            Entry::Committed(it) => {
                let statement = Some(it.statement_sha256);
                (it.mode, it.verification_sha256, &it.members, statement)
            }
            Entry::Signed(it) => (it.mode, it.verification_sha256, &it.members, None),
            _ => return None,
        };
        Some(Self {
            mode,
            sha256,
            members,
            statement,
        })
    }

    /// Whether CUHK's answer names no other statement.
    fn may_be_of(&self, told: &Verification) -> bool {
        self.statement
            .is_none_or(|statement| told.may_be_about(statement))
    }
}

/// Says what CUHK's clock shows of when the entry was made. Without what it said then, the time is
/// Blackboard's word alone.
///
/// # Errors
///
/// That it is not what the entry names, not CUHK's, about others, or of another time.
pub(super) fn check(
    leaf: &Leaf,
    assurance: Option<&str>,
    behind: &Behind<'_>,
) -> Result<Found, String> {
    let (Some(assurance), Some(then)) = (assurance, Then::of(&leaf.entry)) else {
        return Ok(Found::NotDated);
    };
    let found = match not_of_then(leaf, assurance) {
        Some(reason) => Err(reason),
        None if then.mode == Mode::Verified => behind.answer(&then, assurance, leaf.at),
        None => behind.tokens(&then, assurance, leaf.at),
    };
    found.map_err(|reason| format!("{}: {reason}", file::COMMITTED_ASSURANCE))
}

/// Why this cannot be what CUHK had said by the time of the entry; nothing if it can. No signature is
/// verified.
fn not_of_then(leaf: &Leaf, assurance: &str) -> Option<String> {
    let then = Then::of(&leaf.entry)?;
    if Fingerprint::of(assurance.as_bytes()) != then.sha256 {
        return Some("it is not what the entry names".to_owned());
    }
    let Some(last) = stamps(assurance).map(|stamp| stamp.iat).max() else {
        return Some("it says no time".to_owned());
    };
    is_future(last, leaf.at).then(|| {
        let (told, before) = (rfc3339(from_seconds(last)), last - leaf.at.as_secs());
        let (at, before) = (rfc3339(leaf.at), in_words(before));
        format!("CUHK gave it at {told}, and the entry that names it says {at}, {before} earlier")
    })
}

/// The earliest time of an entry behind which this can stand, as what CUHK had said by then: CUHK's clock may
/// be ahead by what is allowed, and no more. Nothing of what says no time. No signature is verified.
pub fn earliest_entry(assurance: &str) -> Option<UnixTime> {
    let last = stamps(assurance).map(|stamp| stamp.iat).max()?;
    Some(from_seconds(last.saturating_sub(CLOCK_SKEW)))
}

/// What each line of it says of itself.
fn stamps(assurance: &str) -> impl Iterator<Item = Stamp> {
    assurance.lines().filter_map(stamp)
}

/// Why an entry `committed` or `signed` cannot have been made when it says, by what is kept of what CUHK
/// had said by then; nothing if it can, or if it is no such entry. `statement` is the SHA-256 of the statement,
/// if it is known: an entry `signed` does not say it itself. Whether that is of long before is not asked: that
/// shows nothing.
pub fn contradicted(
    leaf: &Leaf,
    (assurance, statement): (&str, Option<Fingerprint>),
    trusts: &[TrustStore],
) -> Option<String> {
    let mut then = Then::of(&leaf.entry)?;
    then.statement = then.statement.or(statement);
    if let Some(reason) = not_of_then(leaf, assurance) {
        return Some(reason);
    }
    let is_cuhks = |(line, stamp): (&str, Stamp)| {
        let (at, to) = (from_seconds(stamp.iat), &stamp.aud);
        let mut trusts = trusts.iter();
        leaf.log.is_of(to)
            && trusts.any(|trust| match then.mode {
                Mode::Verified => Verification::verify_told(line, trust, to, at)
                    .is_ok_and(|told| then.may_be_of(&told)),
                Mode::Tokens => UnverifiedToken(line).claims(trust, at).is_ok(),
            })
    };
    let mut lines = assurance.lines().zip(stamps(assurance));
    let is_whole = stamps(assurance).count() == assurance.lines().count();
    (!is_whole || !lines.all(is_cuhks))
        .then(|| "it is not CUHK's word to this server about it".to_owned())
}

impl CommittedEntry {
    /// Whether what CUHK said then is of another entry, or of later than it.
    pub fn is_contradicted(&self) -> bool {
        let leaf = Leaf::parse(self.leaf.as_bytes());
        let kept = self.assurance.as_deref();
        matches!((leaf, kept), (Ok(leaf), Some(kept)) if not_of_then(&leaf, kept).is_some())
    }
}

impl Behind<'_> {
    /// CUHK's answer: about whoever signed then, and about nobody who did not; and about no other statement.
    fn answer(&self, then: &Then<'_>, answer: &str, at: UnixTime) -> Result<Found, String> {
        let told = Verification::verify_told(answer, self.trust, self.service, at);
        let told = told.map_err(|refusal| reason(&refusal))?;
        let is_member = |sid: &StudentId, sha256: Fingerprint| {
            let mut students = self.students.iter();
            students.any(|one| one.sid() == sid && one.certificate().fingerprint() == sha256)
        };
        let mut named = told.members().iter();
        let has = |sid: &StudentId| told.members().iter().any(|one| one.sid == *sid);
        let is_about = named.all(|one| is_member(&one.sid, one.cert_sha256));
        if !told.may_be_about(self.statement) {
            return Err("it speaks of another statement".to_owned());
        }
        match is_about && then.members.iter().all(has) {
            true => Ok(Found::Dated {
                at: told.issued_at(),
                statement: told.statement_sha256(),
            }),
            false => Err("it speaks of other members or certificates".to_owned()),
        }
    }

    /// One token of each who signed then, in their order.
    fn tokens(&self, then: &Then<'_>, tokens: &str, at: UnixTime) -> Result<Found, String> {
        let student = |sid: &StudentId| self.students.iter().find(|one| one.sid() == sid);
        let students: Option<Vec<_>> = then.members.iter().map(student).collect();
        let lines: Vec<_> = tokens.lines().collect();
        let students = students.filter(|students| students.len() == lines.len());
        let Some(students) = students else {
            return Err("not exactly one identity token per member".to_owned());
        };
        let shown = students.into_iter().zip(lines);
        let tokens = VerifiedTokens::verify(shown, self.trust, self.service, at, Step::Six);
        let tokens = tokens.map_err(|refusal| reason(&refusal))?;
        Ok(Found::TokensThen {
            last: tokens.last_issued().unwrap_or(at),
        })
    }
}

fn reason(refusal: &Refusal) -> String {
    refusal.to_string()
}

impl VerifiedReceipt {
    /// When CUHK, by its own clock, had answered about the members before the entry of the moment that
    /// counts was made: within two minutes of what that says.
    pub fn dated(&self) -> Option<UnixTime> {
        self.checks().iter().find_map(|check| match check.found {
            Found::Dated { at, .. } => Some(at),
            _ => None,
        })
    }

    /// Whether what CUHK answered then names this very statement: that there was such a one by then is
    /// CUHK's word.
    pub fn is_dated_by_name(&self) -> bool {
        let names = |check: &Check| {
            matches!(
                check.found,
                Found::Dated {
                    statement: Some(_),
                    ..
                }
            )
        };
        self.checks().iter().any(names)
    }

    /// Whether it has the proof, and that the statement had come by then is Blackboard's word alone all
    /// the same.
    pub fn is_word_alone(&self) -> bool {
        let is_word = |found: &Found| {
            use Found::{NotDated, NotEntered, TokensThen};
            matches!(found, NotDated | NotEntered { .. } | TokensThen { .. })
        };
        self.checks().iter().any(|check| is_word(&check.found))
    }
}

//! Verifying a commitment: as it comes, by what was sent and told, and from a file, years later.

use rustls_pki_types::UnixTime;
use scb_certs::{Certificate, Fingerprint, Signer, StudentId, TrustStore};

use super::archive::{Parts, build, open};
use crate::log_leaf::{Committed, Entry, Leaf, LogName, Signed};
use crate::receipt::roots::known_roots;
use crate::receipt::verify::invalid;
use crate::receipt::{Check, Found, SignedEntry, SignedLeaf, file};
use crate::server::{verify_signatures, verify_signers};
use crate::sole_signer::signing_blackboard;
use crate::statement::{StatedMember, Statement, SubmissionId};
use crate::time::{CLOCK_SKEW, in_words, rfc3339};
use crate::{Code, Refusal, Step};

/// Farther apart than two clocks that are each as right as the protocol wants.
const FAR: u64 = 2 * CLOCK_SKEW;

/// What the members sent.
#[derive(Debug, Clone, Copy)]
pub struct Stated<'a> {
    /// The statement's exact bytes.
    pub statement: &'a [u8],
    /// The members' detached CMS signatures of it, DER.
    pub signatures: &'a [u8],
}

/// Evidence: Blackboard recorded these members' signed statement, and entered that in the
/// assignment's log.
#[derive(Debug, Clone)]
pub struct VerifiedCommitment {
    pub(super) leaf: Leaf,
    pub(super) leaf_sha256: Fingerprint,
    pub(super) statement: Statement,
    pub(super) statement_sha256: Fingerprint,
    /// Whose signatures came then, by which it was recorded.
    named: Vec<StatedMember>,
    signers: Vec<Signer>,
    checks: Vec<Check>,
}

impl VerifiedCommitment {
    /// Verifies the entry with which Blackboard answers a statement: that it is about this very
    /// statement and its signatures, of the time that was `told`, of no time that it cannot be of, and
    /// signed by the service to which the statement goes. Returns the file to keep, too.
    ///
    /// # Errors
    ///
    /// `commitment_invalid`, with the reason.
    pub fn of(
        entry: &SignedEntry,
        told: UnixTime,
        sent: Stated<'_>,
        (trust, now): (&TrustStore, UnixTime),
    ) -> Result<(Vec<u8>, Self), Refusal> {
        Self::taken(entry, (false, Some(told)), sent, (trust, now))
    }

    /// The same of the entry with which Blackboard answers the last signatures of a proposal.
    ///
    /// # Errors
    ///
    /// As [`VerifiedCommitment::of`].
    pub fn of_signatures(
        entry: &SignedEntry,
        sent: Stated<'_>,
        by: (&TrustStore, UnixTime),
    ) -> Result<(Vec<u8>, Self), Refusal> {
        Self::taken(entry, (true, None), sent, by)
    }

    /// Whether it is of signatures alone is expected; and of when, if that was told.
    fn taken(
        entry: &SignedEntry,
        (of_signatures, told): (bool, Option<UnixTime>),
        sent: Stated<'_>,
        (trust, now): (&TrustStore, UnixTime),
    ) -> Result<(Vec<u8>, Self), Refusal> {
        let roots = trust.roots().iter().map(Certificate::to_pem);
        let parts = Parts {
            statement: sent.statement.to_vec(),
            signatures: sent.signatures.to_vec(),
            leaf: entry.to_leaf(),
            root: roots.collect(),
        };
        let verify = || {
            let commitment = Self::judge(&parts, trust)?;
            if commitment.is_of_signatures() != of_signatures {
                let name = commitment.leaf.entry.name();
                return Err(format!("{} says {name}", file::LEAF));
            }
            commitment.check_time(told.unwrap_or(commitment.leaf.at), now)?;
            let zip = build(&parts).map_err(|error| error.to_string())?;
            Ok((zip, commitment))
        };
        verify().map_err(wrong)
    }

    /// Verifies a commitment that was kept, by roots that are trusted.
    ///
    /// # Errors
    ///
    /// `receipt_invalid`, with the reason.
    pub fn verify(commitment: &[u8], roots: &[Fingerprint]) -> Result<Self, Refusal> {
        let verify = || {
            let parts = open(commitment)?;
            let (known, mut checks) = known_roots(&parts.root, roots)?;
            let trust = TrustStore::of_roots(known).map_err(|error| error.to_string())?;
            let mut commitment = Self::judge(&parts, &trust)?;
            commitment.judge_members(&trust)?;
            checks.append(&mut commitment.checks);
            commitment.checks = checks;
            Ok(commitment)
        };
        verify().map_err(invalid)
    }

    /// The submission.
    pub fn submission(&self) -> SubmissionId {
        self.statement.submission
    }

    /// Whether it is of the last signatures of a proposal, and not of what all signed at once.
    pub fn is_of_signatures(&self) -> bool {
        matches!(self.leaf.entry, Entry::Signed(_))
    }

    /// Whose signatures came then.
    pub fn signed_by(&self) -> impl Iterator<Item = &StudentId> {
        self.named.iter().map(|member| &member.sid)
    }

    /// When the signed statement had come, by Blackboard's clock: what counts for lateness.
    pub fn committed_at(&self) -> UnixTime {
        self.leaf.at
    }

    /// The log in which it is entered, and its number there, from 0.
    pub fn entry(&self) -> (&LogName, u64) {
        (&self.leaf.log, self.leaf.index)
    }

    /// What is entered there: SHA-256 of the leaf.
    pub fn leaf_sha256(&self) -> Fingerprint {
        self.leaf_sha256
    }

    /// What the members signed.
    pub fn statement(&self) -> &Statement {
        &self.statement
    }

    /// SHA-256 of the statement's exact bytes.
    pub fn statement_sha256(&self) -> Fingerprint {
        self.statement_sha256
    }

    /// Who signed it, in order.
    pub fn members(&self) -> impl Iterator<Item = &StudentId> {
        self.statement.members.iter().map(|member| &member.sid)
    }

    /// What was checked, in order.
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// Blackboard signed the entry, which is about this statement and these signatures of it.
    fn judge(parts: &Parts, trust: &TrustStore) -> Result<Self, String> {
        let leaf = Leaf::parse(&parts.leaf.leaf).map_err(text)?;
        let statement = statement(&parts.statement)?;
        let statement_sha256 = Fingerprint::of(&parts.statement);
        let named = match &leaf.entry {
            Entry::Committed(committed) => {
                check_about(committed, (&statement, statement_sha256), parts)?;
                statement.members.clone()
            }
            Entry::Signed(signed) => check_signed(signed, &statement, parts)?,
            other => {
                return Err(format!(
                    "{} says {}, not committed",
                    file::LEAF,
                    other.name()
                ));
            }
        };
        check_signer(&parts.leaf, &leaf, &statement, trust)?;
        let signers =
            verify_signatures(&parts.statement, &parts.signatures, &named).map_err(sentence)?;
        let mut commitment = Self {
            leaf_sha256: Fingerprint::of(&parts.leaf.leaf),
            leaf,
            statement,
            statement_sha256,
            named,
            signers,
            checks: Vec::new(),
        };
        commitment.checks = commitment.found();
        Ok(commitment)
    }

    /// The members' certificates were in force then. Whoever has just signed with them need not ask.
    fn judge_members(&self, trust: &TrustStore) -> Result<(), String> {
        let (signers, named) = (&self.signers, &self.named);
        let judged = verify_signers(signers, named, trust, self.leaf.at);
        judged.map(drop).map_err(sentence)
    }

    fn found(&self) -> Vec<Check> {
        let check = |what, found| Check { what, found };
        let (log, index) = self.entry();
        let (at, log) = (self.leaf.at, log.clone());
        let service = self.statement.service.clone();
        let recorded = match self.is_of_signatures() {
            true => Found::LastSigned {
                at,
                index,
                log,
                service,
            },
            false => Found::Recorded {
                at,
                index,
                log,
                service,
            },
        };
        let signed = self.named.iter().zip(&self.signers);
        let signed = signed.map(|(member, signer)| Found::Signed {
            sid: member.sid.clone(),
            certificate: signer.certificate.fingerprint(),
        });
        let files = self.statement.files.iter().cloned().map(Found::File);
        let signed = signed.map(|found| check("signed", found));
        let files = files.map(|found| check("file", found));
        let statement = Found::Statement(self.statement_sha256);
        let first = [("recorded", recorded), ("statement", statement)];
        let first = first.into_iter().map(|(what, found)| check(what, found));
        let last = [check("unproved", Found::WordAlone)];
        first.chain(signed).chain(files).chain(last).collect()
    }

    /// It is of the time that was told, which is neither to come nor before the members signed.
    fn check_time(&self, told: UnixTime, now: UnixTime) -> Result<(), String> {
        let (at, now) = (self.leaf.at.as_secs(), now.as_secs());
        if self.leaf.at != told {
            let (signed, told) = (rfc3339(self.leaf.at), rfc3339(told));
            return Err(format!("it says {signed}, and {told} was told"));
        }
        if at > now.saturating_add(FAR) {
            let ahead = in_words(at - now);
            return Err(format!("it says {}, {ahead} from now", rfc3339(told)));
        }
        // All of them are here, and signed by the clock by which this is judged.
        let signed = self
            .signers
            .iter()
            .map(|signer| signer.claimed_time.as_secs());
        let signed = signed.max().unwrap_or_default();
        match at.saturating_add(FAR) < signed {
            true => {
                let before = in_words(signed - at);
                Err(format!(
                    "it says {}, {before} before it was signed",
                    rfc3339(told)
                ))
            }
            false => Ok(()),
        }
    }
}

/// Verifies the entry with which Blackboard answers a statement whose work is stored already, and whose
/// files it wants once more: that it is an acceptance in the same log, committed when it was `told`, and
/// signed by the service. Answers whether it is that of this very statement.
///
/// # Errors
///
/// `commitment_invalid`, with the reason.
pub(crate) fn check_stored(
    entry: &SignedEntry,
    told: UnixTime,
    sent: &[u8],
    trust: &TrustStore,
) -> Result<bool, Refusal> {
    let verify = || {
        let signed = entry.to_leaf();
        let leaf = Leaf::parse(&signed.leaf).map_err(text)?;
        let statement = statement(sent)?;
        check_signer(&signed, &leaf, &statement, trust)?;
        let Entry::Accepted(accepted) = &leaf.entry else {
            return Err(format!("{} says {}", file::LEAF, leaf.entry.name()));
        };
        if accepted.committed_at != told || accepted.committed_at > leaf.at {
            return Err("it names another time".to_owned());
        }
        let hash = accepted.files.get(file::STATEMENT) == Some(&Fingerprint::of(sent));
        match (accepted.submission == statement.submission, hash) {
            (true, false) => Err("it is about another statement".to_owned()),
            (is_this, _) => Ok(is_this),
        }
    };
    verify().map_err(wrong)
}

/// Whether this entry says that the work is stored already.
pub(crate) fn is_of_stored(entry: &SignedEntry) -> bool {
    entry.to_leaf().accepted().is_some()
}

/// The service for which the statement is signed the entry, in the log of the statement's assignment.
fn check_signer(
    signed: &SignedLeaf,
    leaf: &Leaf,
    statement: &Statement,
    trust: &TrustStore,
) -> Result<(), String> {
    let service = signing_blackboard(&signed.leaf, &signed.signature, trust, leaf.at);
    let service = service.map_err(|error| format!("{}: {error}", file::LEAF_SIGNATURE))?;
    match service == statement.service && LogName::of(statement).map_err(text)? == leaf.log {
        true => Ok(()),
        false => Err("the log entry and the statement name different things".to_owned()),
    }
}

/// The entry names submission, statement, signatures and members as they are here.
fn check_about(
    committed: &Committed,
    (statement, sha256): (&Statement, Fingerprint),
    parts: &Parts,
) -> Result<(), String> {
    let members = statement.members.iter().map(|member| &member.sid);
    let differs = [
        (committed.submission != statement.submission, "submission"),
        (committed.statement_sha256 != sha256, "statement"),
        (
            committed.p7s_sha256 != Fingerprint::of(&parts.signatures),
            "signatures",
        ),
        (!members.eq(&committed.members), "members"),
    ];
    match differs.iter().find(|(differs, _)| *differs) {
        Some((_, what)) => Err(format!("the entry is about another {what}")),
        None => Ok(()),
    }
}

/// The entry names the submission, and these signatures, of members of it. Whose.
fn check_signed(
    signed: &Signed,
    statement: &Statement,
    parts: &Parts,
) -> Result<Vec<StatedMember>, String> {
    let is_of = signed.submission == statement.submission;
    if !is_of || signed.p7s_sha256 != Fingerprint::of(&parts.signatures) {
        let what = if is_of { "signatures" } else { "submission" };
        return Err(format!("the entry is about another {what}"));
    }
    let named = |sid: &StudentId| {
        statement
            .members
            .iter()
            .find(|one| one.sid == *sid)
            .cloned()
    };
    let named: Option<Vec<_>> = signed.members.iter().map(named).collect();
    named.ok_or_else(|| "the entry is about other members".to_owned())
}

fn statement(bytes: &[u8]) -> Result<Statement, String> {
    Statement::parse(bytes).map_err(sentence)
}

fn wrong(reason: String) -> Refusal {
    Refusal::new(Code::CommitmentInvalid, Step::Six).with("reason", reason)
}

fn text(error: crate::Error) -> String {
    error.to_string()
}

fn sentence(refusal: Refusal) -> String {
    refusal.to_string()
}

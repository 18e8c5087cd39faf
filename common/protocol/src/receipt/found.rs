//! What a verdict reads line by line: what was checked, and what was found.

mod told;

use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, SpiffeId, StudentId};
use scb_tlog::KeyName;

use crate::Code;
use crate::log_leaf::LogName;
use crate::message::proposal::Reason;
use crate::rules::{Extension, MemberStanding, Rules};
use crate::statement::{FileEntry, SubmissionNumber};

/// One thing that was found to be in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was checked.
    pub what: &'static str,
    /// What was found.
    pub found: Found,
}

/// What was found. Shown in English, with times in UTC; whoever tells it in another language finds here
/// what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// The root, by which everything else is judged.
    Root(Fingerprint),
    /// When the signed statement had come, and by which entry of the log.
    Committed {
        /// When: what counts for lateness.
        at: UnixTime,
        /// The number of the entry, if there is one of its own.
        index: Option<u64>,
    },
    /// That it was accepted.
    Accepted {
        /// Its number.
        number: SubmissionNumber,
        /// When.
        at: UnixTime,
        /// By whom.
        service: SpiffeId,
    },
    /// The rules that were in force.
    Rules {
        /// The number of their entry.
        index: u64,
        /// When they were in force.
        at: UnixTime,
        /// SHA-256 of the entry.
        sha256: Fingerprint,
    },
    /// The rules themselves, in the same tree.
    Judged {
        /// The number of their entry.
        index: u64,
        /// What they say.
        rules: Box<Rules>,
    },
    /// The receipt has no more of the rules than their hash.
    RulesNotIn {
        /// The number of their entry.
        index: u64,
    },
    /// The receipt lacks an extension that the acceptance names.
    ExtensionNotIn {
        /// The number of its entry.
        index: u64,
    },
    /// How a member stands by the rules and extensions of then.
    Stands(MemberStanding),
    /// Who signed.
    Signed {
        /// The member.
        sid: StudentId,
        /// SHA-256 of the certificate.
        certificate: Fingerprint,
    },
    /// CUHK confirmed the members.
    Confirmed {
        /// How many.
        members: usize,
        /// When.
        at: UnixTime,
    },
    /// CUHK was away, and these tokens were in force.
    Tokens {
        /// How many.
        tokens: usize,
        /// Until when the first of them was.
        until: UnixTime,
    },
    /// A file that was handed in.
    File(FileEntry),
    /// The log holds the entry.
    Logged {
        /// The number of the entry.
        index: u64,
        /// The log.
        log: LogName,
        /// How many entries the log had.
        size: u64,
    },
    /// The proof of that is still to come.
    Pending {
        /// The number of the entry.
        index: u64,
        /// The log.
        log: LogName,
    },
    /// The proof is here, and its service waits for cosignatures besides CUHK's: its word alone.
    Awaited {
        /// Whose.
        missing: Vec<KeyName>,
    },
    /// A witness has seen the log.
    Witnessed {
        /// Which.
        by: KeyName,
        /// When.
        at: UnixTime,
    },
    /// Until when the revocation lists were in force.
    Lists {
        /// Until when.
        until: UnixTime,
        /// Whether that is after CUHK's cosignature.
        cover: bool,
    },
    /// The log holds the entry of the moment that counts, too.
    Entered {
        /// The number of the entry.
        index: u64,
        /// What kind of entry it is.
        kind: &'static str,
        /// When it was made.
        at: UnixTime,
        /// SHA-256 of it.
        leaf_sha256: Fingerprint,
    },
    /// Blackboard recorded the signed statement, as it says under its signature.
    Recorded {
        /// When: what counts for lateness.
        at: UnixTime,
        /// The number of the entry.
        index: u64,
        /// The log.
        log: LogName,
        /// Who says so.
        service: SpiffeId,
    },
    /// Blackboard recorded the last signatures of a proposal, as it says under its signature.
    LastSigned {
        /// When: what counts for lateness.
        at: UnixTime,
        /// The number of the entry.
        index: u64,
        /// The log.
        log: LogName,
        /// Who says so.
        service: SpiffeId,
    },
    /// Which statement is meant: SHA-256 of its bytes.
    Statement(Fingerprint),
    /// What a commitment does not prove.
    WordAlone,
    /// Blackboard entered rules or extensions, as it says under its signature.
    Announced {
        /// The number of the entry.
        index: u64,
        /// The log.
        log: LogName,
        /// When.
        at: UnixTime,
        /// Who says so.
        service: SpiffeId,
        /// When that was signed, by its word.
        signed_at: UnixTime,
    },
    /// A value of rules.
    Rule {
        /// What it is called.
        field: &'static str,
        /// What it is.
        value: String,
    },
    /// More time of a student.
    Extended(Extension),
    /// What an announcement does not prove.
    AnnouncedAlone,
    /// The entry of the moment that counts has the hash of what CUHK answered: it was made later.
    Dated {
        /// When CUHK answered, by its clock.
        at: UnixTime,
        /// SHA-256 of the statement, if the answer names it.
        statement: Option<Fingerprint>,
    },
    /// CUHK was away when that entry was made, which has the hash of the members' tokens.
    TokensThen {
        /// When CUHK had given the last of them.
        last: UnixTime,
    },
    /// What CUHK said when that entry was made is not there.
    NotDated,
    /// Of which submissions of an archive no clock but Blackboard's shows when they were committed.
    Undated {
        /// Their numbers; none if CUHK had answered before each.
        numbers: Vec<SubmissionNumber>,
    },
    /// The receipt does not have the entry of the moment that counts.
    NotEntered {
        /// The number of the entry.
        index: u64,
    },
    /// The proof of the entry of the moment that counts is still to come.
    EnteredLater {
        /// The number of the entry.
        index: u64,
    },
    /// That it was refused.
    Refused {
        /// Why.
        code: Code,
        /// When.
        at: UnixTime,
        /// By whom.
        service: SpiffeId,
    },
    /// Who was refused.
    Members(Vec<StudentId>),
    /// An archive of an assignment was made.
    Exported {
        /// Of which log.
        log: LogName,
        /// When.
        at: UnixTime,
        /// By whom.
        service: SpiffeId,
    },
    /// An archive has every entry of its log.
    AllLogged {
        /// How many.
        entries: u64,
    },
    /// Of entries of an archive nothing is left.
    LostEntries {
        /// How many.
        lost: u64,
    },
    /// An entry of an archive says what lost ones said.
    StandsIn {
        /// Its number.
        index: u64,
        /// The submission that they were about.
        number: SubmissionNumber,
        /// Their numbers.
        lost: Vec<u64>,
    },
    /// The times of an archive's entries go back: Blackboard's clock was set back.
    WentBack {
        /// The number, from 0, of the first entry that is before an earlier one.
        index: u64,
        /// Its time.
        at: UnixTime,
        /// The latest one before it.
        before: UnixTime,
    },
    /// An archive's log was closed, nothing had opened it again, and something was accepted all the same.
    AcceptedAfter {
        /// The number, from 0, of the entry that accepted it.
        index: u64,
        /// What.
        number: SubmissionNumber,
        /// The number, from 0, of the entry that had closed the log.
        closed: u64,
    },
    /// In an archive each submission counts by its own entry.
    Moments {
        /// Of how many that entry is lost.
        unknown: u64,
    },
    /// In an archive a version does not count for one of those who signed it.
    Detached {
        /// The version.
        number: SubmissionNumber,
        /// For whom.
        sid: StudentId,
        /// Since when.
        at: UnixTime,
        /// Why, in the teacher's words.
        reason: Reason,
    },
    /// An archive has every submission.
    Complete {
        /// How many.
        submissions: u64,
        /// Entries that are lost.
        lost: u64,
    },
}

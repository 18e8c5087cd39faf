//! What a verdict reads line by line: what was checked, and what was found.

use std::fmt;

use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, SpiffeId, StudentId};
use scb_tlog::KeyName;

use crate::log_leaf::LogName;
use crate::message::proposal::Reason;
use crate::rules::Extension;
use crate::statement::{FileEntry, SubmissionNumber};
use crate::time::rfc3339;
use crate::{Code, counted};

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
    /// The times of an archive's entries go back: Blackboard's clock was set back.
    WentBack {
        /// The first entry that is before an earlier one.
        index: u64,
        /// Its time.
        at: UnixTime,
        /// The latest one before it.
        before: UnixTime,
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

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root(root) => write!(f, "SHA-256 {root}"),
            Self::Committed { at, index } => {
                write!(f, "at {}, which counts for lateness: ", rfc3339(*at))?;
                match index {
                    Some(index) => write!(f, "entry {index}"),
                    None => f.write_str("no entry of its own"),
                }
            }
            Self::Accepted {
                number,
                at,
                service,
            } => write!(f, "{number} at {} by {service}", rfc3339(*at)),
            Self::Rules { index, at, sha256 } => {
                let at = rfc3339(*at);
                write!(
                    f,
                    "entry {index} of the log, in force at {at}, SHA-256 {sha256}"
                )
            }
            Self::Signed { sid, certificate } => write!(f, "{sid} with certificate {certificate}"),
            Self::Confirmed { members, at } => {
                write!(
                    f,
                    "{} active at {}",
                    counted(*members, "member"),
                    rfc3339(*at)
                )
            }
            Self::Tokens { tokens, until } => {
                let in_force = match tokens {
                    1 => "was in force,",
                    _ => "were in force, the first",
                };
                let (tokens, until) = (counted(*tokens, "identity token"), rfc3339(*until));
                write!(f, "CUHK was away; {tokens} {in_force} until {until}")
            }
            Self::File(file) => {
                let (size, sha256) = (counted(file.size, "byte"), file.sha256);
                write!(f, "{}, {size}, SHA-256 {sha256}", file.name)
            }
            Self::Logged { index, log, size } => {
                write!(f, "entry {index} of {log}, in a tree of {size}")
            }
            Self::Pending { index, log } => write!(
                f,
                "the proof that entry {index} of {log} was witnessed is still to come: until then that \
                 it is in the log is Blackboard's word alone"
            ),
            Self::Awaited { missing } => {
                let names: Vec<_> = missing.iter().map(KeyName::as_str).collect();
                let names = names.join(", ");
                write!(f, "CUHK has seen it; Blackboard still waits for {names}")
            }
            Self::Witnessed { by, at } => write!(f, "by {by} at {}", rfc3339(*at)),
            Self::Lists { until, cover } => {
                let until = rfc3339(*until);
                match cover {
                    true => {
                        write!(
                            f,
                            "in force until {until}, past the time of CUHK's cosignature"
                        )
                    }
                    false => write!(
                        f,
                        "in force until {until} ONLY, before CUHK's cosignature: that the witness's \
                         key was still endorsed then is not shown"
                    ),
                }
            }
            Self::Entered {
                index, kind, at, ..
            } => {
                let at = rfc3339(*at);
                write!(f, "entry {index}, {kind} at {at}, in the same tree")
            }
            Self::Recorded {
                at,
                index,
                log,
                service,
            } => {
                let at = rfc3339(*at);
                write!(
                    f,
                    "at {at}, which counts for lateness: entry {index} of {log}, says {service}"
                )
            }
            Self::LastSigned {
                at,
                index,
                log,
                service,
            } => {
                let at = rfc3339(*at);
                write!(
                    f,
                    "at {at}, which counts for lateness, being the last: entry {index} of {log}, says \
                     {service}"
                )
            }
            Self::Statement(sha256) => write!(f, "SHA-256 {sha256}"),
            Self::WordAlone => f.write_str(
                "that the log still holds the entry, and that CUHK saw it there; that the files came: a \
                 receipt proves that",
            ),
            Self::Announced {
                index,
                log,
                at,
                service,
                signed_at,
            } => {
                let (at, signed) = (rfc3339(*at), rfc3339(*signed_at));
                write!(f, "entry {index} of {log}, of {at}, says {service}, which signed it at {signed}")
            }
            Self::Rule { value, .. } => f.write_str(value),
            Self::Extended(extension) => {
                write!(f, "{} until {}", extension.sid, rfc3339(extension.due))?;
                match extension.cutoff {
                    Some(cutoff) => write!(f, ", closed after {}", rfc3339(cutoff)),
                    None => Ok(()),
                }
            }
            Self::AnnouncedAlone => f.write_str(
                "that the log still holds the entry, and that no later one changed it: a receipt or an archive \
                 proves that",
            ),
            Self::Dated { at } => write!(
                f,
                "that entry was made after CUHK's answer of {} about these members, whose hash it has",
                rfc3339(*at)
            ),
            Self::TokensThen { last } => write!(
                f,
                "CUHK was away then: that it had come by then is Blackboard's word alone; the entry was \
                 made after {}, when CUHK gave the last of the tokens whose hash it has",
                rfc3339(*last)
            ),
            Self::NotDated => f.write_str(
                "what CUHK said then is NOT in it: that it had come by then is Blackboard's word alone",
            ),
            Self::Undated { numbers } if numbers.is_empty() => f.write_str(
                "each one's own entry was made after an answer of CUHK, whose hash it has",
            ),
            Self::Undated { numbers } => {
                let numbers: Vec<_> = numbers.iter().map(ToString::to_string).collect();
                let numbers = numbers.join(" ");
                write!(f, "that {numbers} had come by then is Blackboard's word alone")
            }
            Self::NotEntered { index } => write!(
                f,
                "entry {index} is NOT in it: the time that counts is Blackboard's word alone"
            ),
            Self::EnteredLater { index } => write!(
                f,
                "entry {index} is not in it yet, and comes with that proof: until then the time that \
                 counts is Blackboard's word alone"
            ),
            Self::Refused { code, at, service } => {
                write!(f, "{code} at {} by {service}", rfc3339(*at))
            }
            Self::Members(sids) => {
                let sids: Vec<_> = sids.iter().map(StudentId::as_str).collect();
                f.write_str(&sids.join(", "))
            }
            Self::Exported { log, at, service } => {
                write!(f, "{log} at {} by {service}", rfc3339(*at))
            }
            Self::AllLogged { entries } => {
                let all = counted(*entries, "entry");
                write!(f, "{all}, with the checkpoint's root")
            }
            Self::LostEntries { lost } => write!(
                f,
                "of {lost} of them nothing is left: what they said nobody knows"
            ),
            Self::WentBack { index, at, before } => write!(
                f,
                "entry {index} is of {}, after one of {}: Blackboard's clock was set back",
                rfc3339(*at),
                rfc3339(*before)
            ),
            Self::Moments { unknown } => {
                f.write_str("what counts for lateness is the time of each one's own entry")?;
                match unknown {
                    0 => Ok(()),
                    unknown => write!(f, "; but for {unknown}, whose entry is lost"),
                }
            }
            Self::Detached {
                number,
                sid,
                at,
                reason,
            } => {
                let at = rfc3339(*at);
                write!(f, "{number} does NOT count for {sid}, since {at}: {reason}")
            }
            Self::Complete { submissions, lost } => {
                let all = counted(*submissions, "submission");
                write!(f, "{all} with files and receipt, none left out")?;
                match lost {
                    0 => Ok(()),
                    lost => {
                        let lost = counted(*lost, "entry");
                        write!(f, " of what the entries still say; {lost} lost")
                    }
                }
            }
        }
    }
}

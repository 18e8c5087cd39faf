//! What was found, in words.

use std::fmt;

use scb_certs::StudentId;
use scb_tlog::KeyName;

use super::super::judged::{stands, terms};
use super::Found;
use crate::counted;
use crate::rules::MemberStanding;
use crate::time::rfc3339;

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
            Self::Judged { index, rules } => {
                write!(f, "entry {index}, in the same tree: {}", terms(rules))
            }
            Self::RulesNotIn { index } => write!(
                f,
                "entry {index} is NOT in it, its hash alone is: what is late by these rules it does not show"
            ),
            Self::ExtensionNotIn { index } => write!(
                f,
                "entry {index} is NOT in it: by how much a member was late it does not show"
            ),
            Self::Stands(MemberStanding { sid, standing }) => {
                write!(f, "{sid} {}, by these rules", stands(*standing))
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
            }
            | Self::LastSigned {
                at,
                index,
                log,
                service,
            } => {
                let (at, last) = match self {
                    Self::LastSigned { .. } => (rfc3339(*at), ", being the last"),
                    _ => (rfc3339(*at), ""),
                };
                write!(
                    f,
                    "at {at}, which counts for lateness{last}: entry {index} of {log}, says {service}"
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
            Self::Dated { at, statement } => {
                let at = rfc3339(*at);
                write!(f, "that entry was made after CUHK's answer of {at} about these members")?;
                f.write_str(match statement {
                    Some(_) => {
                        " and this very statement, whose hash it has: that there was such a one by then is \
                         CUHK's word"
                    }
                    None => ", whose hash it has",
                })
            }
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
            Self::StandsIn {
                index,
                number,
                lost,
            } => {
                let lost: Vec<_> = lost.iter().map(|lost| format!("entry {lost}")).collect();
                let lost = lost.join(" and ");
                write!(
                    f,
                    "entry {index} stands in for {lost}, by a receipt of {number}"
                )
            }
            Self::WentBack { index, at, before } => write!(
                f,
                "entry {index} is of {}, after one of {}: Blackboard's clock was set back",
                rfc3339(*at),
                rfc3339(*before)
            ),
            Self::AcceptedAfter {
                index,
                number,
                closed,
            } => write!(
                f,
                "entry {index} accepted {number}, though entry {closed} had closed the log and nothing had opened it \
                 again: what such an entry says is not believed"
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

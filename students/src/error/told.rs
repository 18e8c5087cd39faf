//! How what went wrong is told: its exit code, its stable code, and what to do about it.

use scb_cli::exit::Concern;
use scb_cli::{Failure, exit, with_causes};
use scb_explain::{Language, nothing_changed};
use scb_protocol::rules::MAX_GROUP;
use scb_protocol::{Code, Refusal};

use super::refused::{MEND_CLOCK, is_recorded, of_other_root, remedy_of};
use super::{Error, Unshown};
use crate::Recorded;
use crate::speech::{failure, unchanged};

impl Error {
    fn exit(&self) -> u8 {
        match self {
            Self::Unfinished { cause, .. } => cause.exit(),
            Self::Refused(refusal) | Self::ReceiptRefused(refusal) => refusal.exit_code(),
            Self::SeveralRefused(refusals) => {
                refusals.first().map_or(exit::REFUSED, Refusal::exit_code)
            }
            Self::Cli(error) => error.exit_code(),
            Self::ReceiptsRefused { .. }
            | Self::Unshown(Unshown::TooFew { .. })
            | Self::ArchiveRefused(_)
            | Self::OwnCertificate { .. }
            | Self::GroupTooLarge { .. }
            | Self::OtherFile { .. }
            | Self::OtherFolder { .. }
            | Self::NotProposed { .. }
            | Self::ReportChanged { .. }
            | Self::NothingOpen { .. }
            | Self::CostsMore { .. }
            | Self::AnewIsLate { .. }
            | Self::PrivateKeys { .. }
            | Self::OwnKeys { .. }
            | Self::ProposalChanged { .. }
            | Self::OtherEnding { .. }
            | Self::HandedIn { .. }
            | Self::GivenUp { .. }
            | Self::HandInWaits(_)
            | Self::Openssl(_) => exit::REFUSED,
            Self::HomeBusy { .. } | Self::OnItsWay { .. } => exit::RETRY,
            Self::Certs(_)
            | Self::Protocol(_)
            | Self::ClockOff(_)
            | Self::FaultUnnoticed(_)
            | Self::Report { .. }
            | Self::ReportKind { .. }
            | Self::PendingDamaged { .. }
            | Self::NoOpenssl
            | Self::LogMemoryDamaged { .. }
            | Self::ShownDamaged { .. }
            | Self::System { .. } => exit::FAULT,
            _ => exit::USAGE,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Unfinished { cause, .. } => cause.code(),
            Self::Refused(refusal) => refusal.code.as_str(),
            Self::ReceiptRefused(_) | Self::ReceiptsRefused { .. } => Code::ReceiptInvalid.as_str(),
            Self::ArchiveRefused(_) => "archive_invalid",
            Self::Unshown(unshown) => unshown.code(),
            Self::SeveralRefused(refusals) => refusals
                .first()
                .map_or("refused", |refusal| refusal.code.as_str()),
            Self::Cli(error) => error.code(),
            Self::Certs(scb_certs::Error::KeyFileReadable { .. }) => "key_file_readable",
            Self::Certs(_) => "key",
            Self::Protocol(_) => "protocol",
            Self::DuplicateId(_) => Code::DuplicateMember.as_str(),
            Self::GroupTooLarge { .. } => Code::MemberCount.as_str(),
            Self::NoKey { .. } => "no_key",
            Self::NoAddress { .. } => "no_address",
            Self::Environment { .. } => "environment",
            Self::NoRoot => "no_root",
            Self::OtherRoot { .. } => "other_root",
            Self::RootsDiffer { .. } => "roots_differ",
            Self::RootFile { .. } => "root_file",
            Self::CodeSheet { .. } => "code_sheet",
            Self::NoCode { .. } => "no_code",
            Self::NotEnrolled { .. } => Code::CertificateMissing.as_str(),
            Self::OwnCertificate { .. } => "own_certificate",
            Self::WrongPassphrase { .. } => "wrong_passphrase",
            Self::ClockOff(_) => "clock_off",
            Self::HomeInSandbox => "home_in_sandbox",
            Self::FaultOutsideSandbox => "fault_outside_sandbox",
            Self::FaultElsewhere | Self::FaultTakesTwo(_) => "fault",
            Self::FaultUnnoticed(_) => "fault_unnoticed",
            Self::Report { .. } | Self::ReportKind { .. } | Self::ReportName { .. } => "report",
            Self::NothingNamed => "report_missing",
            Self::ReportEmpty { .. } | Self::ReportNoFiles { .. } => Code::ReportEmpty.as_str(),
            Self::ReportLink { .. } => "report_link",
            Self::ReportHome { .. } => "report_home",
            Self::PrivateKeys { .. } => "private_keys",
            Self::OwnKeys { .. } => "own_private_key",
            Self::ReportTooMany { .. } => "report_too_many",
            Self::ReportFiles(_) | Self::ReportTwice { .. } => "report_names",
            Self::ReportChanged { .. }
            | Self::OtherFile { .. }
            | Self::OtherFolder { .. }
            | Self::NotProposed { .. } => Code::ContentAltered.as_str(),
            Self::PendingDamaged { .. } => "pending_damaged",
            Self::LogMemoryDamaged { .. } => "log_memory_damaged",
            Self::ProposalChanged { .. } => "proposal_changed",
            Self::ShownDamaged { .. } => "shown_damaged",
            Self::NothingOpen { .. } => "nothing_open",
            Self::SeveralOpen { .. } => "several_open",
            Self::CostsMore { .. } | Self::AnewIsLate { .. } => "costs_more",
            Self::OtherEnding { .. } => "other_ending",
            Self::HandedIn { .. } => "handed_in",
            Self::TargetTaken { .. } => "target_taken",
            Self::NoIds => "no_ids",
            Self::NoCommand => "no_command",
            Self::Openssl(_) => "openssl",
            Self::NoOpenssl => "no_openssl",
            Self::Quorum { .. } => "quorum",
            Self::HomeBusy { .. } => "home_busy",
            Self::OnItsWay { .. } => "on_its_way",
            Self::GivenUp { .. } => "given_up",
            Self::HandInWaits(_) => "hand_in_waits",
            Self::System { .. } => "system",
        }
    }

    /// What the person at the keyboard can do about it.
    fn remedy(&self) -> Option<String> {
        let text = match self {
            Self::Refused(refusal) | Self::ReceiptRefused(refusal) => remedy_of(refusal),
            Self::SeveralRefused(refusals) => remedy_of(refusals.first()?),
            Self::Cli(scb_cli::Error::Damaged { path, .. }) => format!(
                "restore this file from a backup; if there is none, move {} away and enrol with a \
                 new code",
                path.parent().unwrap_or(path).display()
            ),
            Self::Cli(error) => return error.remedy(),
            Self::ReceiptsRefused { .. } => Code::ReceiptInvalid.remedy().to_owned(),
            Self::Unshown(unshown) => unshown.remedy().into(),
            Self::ArchiveRefused(error) if error.other_root().is_some() => {
                let (root, _) = error.other_root()?;
                of_other_root(&root.to_string(), "archive")
            }
            Self::ArchiveRefused(_) => {
                "ask whoever gave you the archive for another copy, made by `blackboard submissions \
                 archive`; keep this one as evidence"
                    .into()
            }
            Self::NotProposed { .. } => {
                "ask who proposed it for the very file and compare that; if it is not what you want \
                 to hand in: student cosign --refuse ID"
                    .into()
            }
            Self::OtherFile { .. } => "find the file as it was when it was handed in".into(),
            Self::OtherFolder { .. } => {
                "find the files as they were when they were handed in, or compare one of them alone"
                    .into()
            }
            Self::DuplicateId(_) => "name every student once".into(),
            Self::GroupTooLarge { got, limit, .. } if *got > usize::from(MAX_GROUP) => format!(
                "hand in as a group of at most {limit}; no Blackboard takes more than {MAX_GROUP}"
            ),
            Self::GroupTooLarge { ids, limit, .. } => format!(
                "hand in as a group of at most {limit}; if you know that this Blackboard takes \
                 more, get the certificates first (student enrol --ids {ids}), then it is asked"
            ),
            Self::NoKey { sid } => format!("student enrol --ids {sid}"),
            Self::NoAddress { flag, .. } => format!("give it once with {flag} HOST:PORT"),
            Self::NoRoot => {
                "give --ca FILE, --ca-fingerprint HEX or a code sheet with the column ca_sha256"
                    .into()
            }
            Self::OtherRoot { .. } => {
                "check the fingerprint; for another CUHK use another --home. If CUHK has another root \
                 since this home was last used: --ca FILE with the old root and the new one (ca.pem, \
                 from CUHK), and --ca-fingerprint of the new one, as your department told you"
                    .into()
            }
            Self::RootsDiffer { .. } => {
                "--ca-fingerprint, --ca and the code sheet (ca_sha256) must name the same root: compare \
                 them, digit by digit, with what your department gave you"
                    .into()
            }
            Self::RootFile { .. } => "use the ca.pem that CUHK publishes".into(),
            Self::CodeSheet { .. } => {
                "use the file as your department sent it: sid,name,email,code,ca_sha256,expires"
                    .into()
            }
            Self::NoCode { .. } => "give the code sheet with --codes FILE".into(),
            Self::NotEnrolled { sid } => format!("student enrol --ids {sid}"),
            Self::OwnCertificate { sid, .. } => {
                format!("student enrol --ids {sid} --replace, with a new code")
            }
            Self::WrongPassphrase { sid } => format!(
                "try again, or check --passphrase-file; if it is forgotten, nobody can find it \
                 out: student enrol --ids {sid} --replace --protect, with a new code"
            ),
            Self::ClockOff(_) => MEND_CLOCK.into(),
            Self::HomeInSandbox => {
                "give --sandbox DIR alone: keys and receipts are in it; or, for another machine's \
                 student of that sandbox: --home HOME --cuhk ADDR --blackboard ADDR --ca DIR/ca.pem"
                    .into()
            }
            Self::FaultOutsideSandbox => "student --sandbox DIR --fault NAME".into(),
            Self::FaultElsewhere => "student --sandbox DIR --fault NAME submit".into(),
            Self::FaultTakesTwo(_) => "name two or three students with --ids".into(),
            Self::Report { .. } | Self::ReportKind { .. } => {
                "check what you named: files, or a folder of files; student IDs belong together, with \
                 commas between them"
                    .into()
            }
            Self::NothingNamed => "name what is handed in: files, or a folder of files".into(),
            Self::TargetTaken { .. } => "move it away, or name another folder with --to".into(),
            Self::ReportEmpty { .. } | Self::ReportNoFiles { .. } => {
                "check that you named the right one, and that it was saved".into()
            }
            Self::ReportLink { .. } => "put the file itself into the folder".into(),
            Self::ReportHome { .. } => {
                "keep what you hand in in a folder of its own, without keys and receipts, and name \
                 that"
                    .into()
            }
            Self::OwnKeys { .. } => {
                "leave it out: whoever reads it hands in under your name; --with-private-keys is for keys \
                 that are made for an exercise"
                    .into()
            }
            Self::PrivateKeys { .. } => {
                "leave them out: whoever reads a private key can sign with it; or, if it is made for \
                 this exercise: student submit … --with-private-keys"
                    .into()
            }
            Self::ReportTooMany { .. } => "pack them into one ZIP file and hand that in".into(),
            Self::ReportTwice { .. } => "name it once".into(),
            Self::ReportFiles(_) => "rename one of them, or pack them into one ZIP file".into(),
            Self::ReportName { .. } => "rename the file, then hand in again".into(),
            Self::ReportChanged { .. } => Code::ContentAltered.remedy().to_owned(),
            Self::PendingDamaged { path } => {
                format!("remove {} and hand in again", path.display())
            }
            Self::ProposalChanged { .. } => {
                "sign nothing of it: a proposal does not change. Tell who proposed it, and your \
                 teacher; refuse it with student cosign --refuse ID"
                    .into()
            }
            Self::ShownDamaged { path } => format!(
                "remove {}, and look at what waits before you sign it: student cosign",
                path.display()
            ),
            Self::LogMemoryDamaged { path } => format!(
                "put back {} from a backup; without it a log that was rewritten since the last \
                 look is not noticed: only if there is none, move it away and look again",
                path.display()
            ),
            Self::HomeBusy { .. } => {
                "wait until it is done, then try again; or end it there with Ctrl-C, which loses nothing: the \
                 same command goes on where it stopped"
                    .into()
            }
            Self::OnItsWay { .. } => {
                "wait for its receipt; or end it there with Ctrl-C, which loses nothing, then run the same \
                 command again: it goes on where it stopped"
                    .into()
            }
            Self::HandInWaits(_) => {
                "finish it first, with the same `student submit` again; the certificate is renewed by itself in time"
                    .into()
            }
            Self::GivenUp { .. } => {
                "nothing, if that was meant; to hand it in after all, run the same command again: it is a new \
                 submission, with the time of then"
                    .into()
            }
            Self::NothingOpen { .. } => {
                "`student assignments --all` shows what there is, and when it is open; ask your \
                 teacher about what is missing there"
                    .into()
            }
            Self::CostsMore { .. } => {
                "leave what counts as it is; or hand in all the same: student submit … --even-if-late"
                    .into()
            }
            Self::AnewIsLate { .. } => {
                "tell your teacher first: the log shows who had signed it, and when, and the same command goes on \
                 with it once Blackboard has mended it; or propose anew all the same: student submit … --even-if-late"
                    .into()
            }
            Self::OtherEnding { signed: true, .. } => "take it back: student withdraw ID".into(),
            Self::OtherEnding { signed: false, .. } => "say no: student cosign --refuse ID".into(),
            Self::HandedIn { .. } => {
                "hand in another version: `student assignments` says whether the latest counts, and \
                 until when; whoever is in a group by mistake asks the teacher to be taken out of it"
                    .into()
            }
            Self::SeveralOpen { .. } => {
                "say which: --course NAME --assignment NAME; `student assignments` shows them"
                    .into()
            }
            Self::NoIds => "name them: --ids 1155000001,1155000002".into(),
            Self::NoCommand => "see student --help".into(),
            Self::Quorum { .. } => {
                "give --quorum a number from 1 to as many as there are: CUHK and each --witness"
                    .into()
            }
            Self::NoOpenssl => "install openssl, or leave --openssl away".into(),
            _ => return None,
        };
        Some(text)
    }

    /// The step and the student that it is about.
    fn concern(&self) -> Concern {
        match self {
            Self::NoKey { sid }
            | Self::NoCode { sid }
            | Self::NotEnrolled { sid }
            | Self::OwnCertificate { sid, .. }
            | Self::WrongPassphrase { sid } => Concern {
                sid: Some(sid.to_string()),
                ..Concern::default()
            },
            Self::CostsMore { losses } => Concern {
                sid: losses.first().map(|loss| loss.sid.to_string()),
                ..Concern::default()
            },
            _ => self
                .refusals()
                .first()
                .map(Concern::from)
                .unwrap_or_default(),
        }
    }

    /// Whether the sentence should say that nothing was changed: not where a statement stands.
    fn of_a_step(&self) -> bool {
        match self {
            Self::Refused(refusal) => !is_recorded(refusal),
            Self::SeveralRefused(_) | Self::ReportChanged { .. } => true,
            _ => false,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        failure(error, Language::English)
    }
}

impl Error {
    /// In English. Where something that was recorded before stands, nobody is told that nothing was
    /// changed.
    pub(crate) fn in_english(&self, stands: Option<&Recorded>) -> Failure {
        let mut message = match self {
            Self::Cli(inner) => return with_chain(inner, self),
            other => with_causes(other),
        };
        if self.of_a_step() && stands.is_none() {
            message += match self.refusals() {
                [one, ..] => unchanged(one, Language::English),
                [] => nothing_changed(Language::English),
            };
        }
        Failure {
            exit: self.exit(),
            message,
            remedy: self.remedy(),
            code: Some(self.code()),
            concern: Box::new(self.concern()),
            others: Vec::new(),
        }
    }
}

/// The failure of each student on a line of its own; the first one's exit code counts.
pub(crate) fn one_below_the_other(
    refusals: Vec<Refusal>,
    tell: impl Fn(Error) -> Failure,
) -> Failure {
    let mut failures = refusals.into_iter().map(|refusal| tell(refusal.into()));
    // Nobody makes an empty list.
    let first = failures.next();
    let mut first = first.unwrap_or_else(|| Failure::refused("refused"));
    first.others = failures.collect();
    first
}

fn with_chain(inner: &scb_cli::Error, error: &Error) -> Failure {
    Failure {
        exit: error.exit(),
        message: with_causes(inner),
        remedy: error.remedy(),
        code: Some(error.code()),
        concern: Box::default(),
        others: Vec::new(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::path::PathBuf;

    use scb_certs::StudentId;
    use scb_protocol::Step;

    use super::*;

    #[test]
    fn a_refusal_says_step_student_reason_remedy_and_that_nothing_changed() {
        let sid: StudentId = "1155000002".parse().unwrap();
        let refusal = Refusal::new(Code::EnrolmentRefused, Step::Two).about(&sid);
        let failure = Failure::from(Error::from(refusal));
        assert!(
            failure.message.starts_with("step 2: 1155000002: "),
            "{failure}"
        );
        assert!(
            failure
                .message
                .ends_with("nothing was changed for this student"),
            "{failure}"
        );
        assert!(failure.remedy.unwrap().contains("code sheet"));
        assert_eq!(
            (failure.exit, failure.code),
            (exit::REFUSED, Some("enrolment_refused"))
        );
    }

    #[test]
    fn each_student_who_was_refused_is_told_alone() {
        let refusal = |sid: &str, code| Refusal::new(code, Step::Two).about(&sid.parse().unwrap());
        let error = Error::SeveralRefused(vec![
            refusal("A", Code::CodeUsed),
            refusal("B", Code::EnrolmentRefused),
        ]);
        let failure = Failure::from(error);
        assert!(failure.message.starts_with("step 2: A: "), "{failure}");
        let remedy = failure.remedy.as_deref().unwrap();
        assert!(remedy.contains("enrol --ids A --new-device"), "{remedy}");
        let [other] = &failure.others[..] else {
            panic!("{failure:?}");
        };
        assert!(other.message.starts_with("step 2: B: "), "{other}");
        assert_eq!(other.code, Some("enrolment_refused"));
        assert!(other.remedy.as_deref().unwrap().contains("code sheet"));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_a_local_fault_wherever_it_is_named() {
        let missing = std::path::Path::new("/none/such");
        for error in [
            crate::Report::open(&[missing.to_owned()]).unwrap_err(),
            crate::Report::open(&[PathBuf::from("/dev/null")]).unwrap_err(),
            crate::CodeSheet::read(missing).unwrap_err(),
            crate::home::read_roots(missing).unwrap_err(),
            crate::receipts::read(missing).unwrap_err(),
        ] {
            let told = format!("{error:?}");
            assert_eq!(Failure::from(error).exit, exit::FAULT, "{told}");
        }
    }

    #[test]
    fn the_same_id_twice_is_a_usage_error() {
        let error = Error::DuplicateId("A".parse().unwrap());
        assert_eq!(Failure::from(error).exit, exit::USAGE);
    }

    #[test]
    fn a_server_that_is_away_is_worth_another_try() {
        let refusal = Refusal::new(Code::ConnectionFailed, Step::Three);
        assert_eq!(Failure::from(Error::from(refusal)).exit, exit::RETRY);
    }

    #[test]
    fn a_readable_key_says_how_to_mend_it() {
        let error = scb_certs::Error::KeyFileReadable {
            path: "k.pem".into(),
            mode: 0o644,
        };
        let failure = Failure::from(Error::from(error));
        assert!(failure.message.contains("chmod 600 k.pem"), "{failure}");
    }

    #[test]
    fn a_missing_address_is_a_usage_error_that_names_the_flag() {
        let failure = Failure::from(Error::NoAddress {
            service: "CUHK",
            flag: "--cuhk",
        });
        assert_eq!(failure.exit, exit::USAGE);
        assert!(failure.remedy.unwrap().contains("--cuhk"));
    }
}

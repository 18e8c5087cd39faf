//! What the administrator can do about an error of the store.

use scb_protocol::rules::AmendError;

use super::Error;

impl Error {
    /// What the administrator can do about it, where there is something.
    pub(crate) fn remedy(&self) -> Option<String> {
        match self {
            Self::Storage(error) => error.remedy(),
            Self::Altered { .. } => Some(
                "stop the server and put a backup in the place of blackboard.db; \
                 `blackboard submissions list --verify` names every record that was altered"
                    .into(),
            ),
            Self::RecordMissing { .. } => Some(
                "nothing here deletes a record: somebody who can write to the database has. Keep this home as \
                 evidence, and put a backup of blackboard.db in its place in which `blackboard fsck` finds it; \
                 until then the group's receipt says what was handed in"
                    .into(),
            ),
            Self::CourseExists { .. } => Some(
                "`blackboard course list` shows all; `blackboard assignment add` adds to it".into(),
            ),
            Self::NoCourse { .. } => {
                Some("`blackboard course list` shows all; `blackboard course add` adds one".into())
            }
            Self::AssignmentExists { .. } => {
                Some("change it with `blackboard assignment change`, or give another --id".into())
            }
            Self::NoAssignment { .. } => Some("`blackboard assignment list` shows all".into()),
            Self::InUse { course, assignment } => Some(format!(
                "nothing was changed: what was handed in, signed or graded stays; \
                 `blackboard assignment close {assignment} --course {course}` takes nothing more, \
                 `blackboard assignment change` mends the rules"
            )),
            Self::NotInCourse { .. } => Some(
                "check the ID; `blackboard course members` shows and replaces the class list; if it \
                 comes later, give --not-listed-yet as well"
                    .into(),
            ),
            Self::Rules(_) => Some(
                "the times must follow each other: opens < due <= due + grace <= cutoff; see \
                 `blackboard assignment add --help`"
                    .into(),
            ),
            Self::Amend(AmendError::Backdated { .. }) => Some(
                "nothing was changed; name a time that is still to come, or end it now with \
                 `blackboard assignment close`"
                    .into(),
            ),
            Self::Backdated { .. } => Some(
                "nothing was changed; `blackboard extension add` with a --due that is still to come \
                 ends it then"
                    .into(),
            ),
            Self::Amend(AmendError::CountsSettled { .. }) => Some(
                "nothing was changed; `blackboard assignment add --counts` makes another \
                 assignment, for what is handed in from now on"
                    .into(),
            ),
            Self::CoursesAltered { .. } => {
                Some("stop the server and put a backup in the place of blackboard.db".into())
            }
            Self::GradeAltered { .. } => Some(
                "import the teacher's gradebook again (`blackboard grades import`): what was altered is signed and \
                 entered anew; a grade that could be seen before comes back only with a backup of blackboard.db"
                    .into(),
            ),
            Self::RulesAltered { .. } => Some(
                "nothing was done; `blackboard fsck` names what differs; then stop the server and put a \
                 backup in the place of blackboard.db"
                    .into(),
            ),
            Self::OtherRoot { .. } => Some(
                "if somebody replaced HOME/ca.pem, put the right one back; a receipt under a root \
                 that CUHK had before is verified with `student verify --ca-fingerprint`"
                    .into(),
            ),
            Self::LogBehind { .. } | Self::LogUnknown { .. } => Some(
                "put the newest backup of blackboard.db in its place, or back beside it the blackboard.db-wal that \
                 belongs to it: what was published once must not be numbered anew. If there is none, `blackboard \
                 recover` says what is lost, and how to go on"
                    .into(),
            ),
            Self::LogContradicted { .. } => Some(
                "keep both as evidence; put a backup of blackboard.db of the same server in its \
                 place"
                    .into(),
            ),
            Self::LogFiles { source, .. } | Self::Log(source) => Some(of_log(source).into()),
            Self::ClockSetBack { .. } => Some(
                "nothing was done; set the clock (`timedatectl` shows it) and do the same again; if it is \
                 right and was ahead before, start `blackboard serve` once with --clock-is-right"
                    .into(),
            ),
            Self::PutBack => Some(
                "nothing was changed; start `blackboard serve` while CUHK runs: it compares them, \
                 and says what to do if the backup is an old one; then do the same again"
                    .into(),
            ),
            Self::Mark { .. } if self.is_full() => {
                Some("make room on the disk, then do the same again".into())
            }
            Self::Mark { .. } => Some("let this user read and write that file".into()),
            _ => None,
        }
    }
}

/// What to do about the files of a log.
fn of_log(error: &scb_tlog::Error) -> &'static str {
    use scb_tlog::Error::{Damaged, Malformed, SignatureInvalid, SignatureMissing};
    match error {
        error if error.is_full() => "make room on the disk, then do the same again",
        SignatureInvalid { .. } | SignatureMissing { .. } => {
            "put back the key in HOME/logs/key.pem with which this server signed before"
        }
        Damaged { .. } | Malformed { .. } => {
            "stop the server, move the log's directory out of HOME/logs, as evidence (`mv`), and start \
             `blackboard serve`: the tiles are made anew from the database, and CUHK, the witness, \
             compares them"
        }
        _ => "let this user read and write HOME/logs",
    }
}

//! Which commands write into the home.

use super::{
    AssignmentCommand, Command, CourseCommand, ExtensionCommand, FaultChoice, GradesCommand, Serve,
    Submissions, WitnessCommand,
};

/// What a command does to the home.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// Nothing at all.
    Nothing,
    /// It reads, and makes what a home lacks that has never been served.
    Read,
    /// It writes.
    Write,
}

impl Command {
    /// What it does to the home.
    pub(crate) fn uses(&self) -> Use {
        match self {
            Self::Generate(_) | Self::Fsck(_) => Use::Nothing,
            Self::Serve(Serve {
                print_config: true, ..
            })
            | Self::Serve(Serve {
                sandbox: Some(_), ..
            })
            | Self::Serve(Serve {
                fault: Some(FaultChoice::List),
                ..
            }) => Use::Nothing,
            Self::Init(_) | Self::Serve(_) | Self::Recover(_) => Use::Write,
            Self::Course(
                CourseCommand::List { .. }
                | CourseCommand::Members {
                    list: None,
                    anybody: false,
                    ..
                },
            )
            | Self::Assignment(AssignmentCommand::List { .. })
            | Self::Extension(ExtensionCommand::List { .. })
            | Self::Grades(GradesCommand::List { .. } | GradesCommand::Export(_))
            | Self::Witness(WitnessCommand::Show(_))
            | Self::Logs(_) => Use::Read,
            Self::Submissions(Submissions::Detach(_) | Submissions::Archive(_)) => Use::Write,
            Self::Submissions(_) => Use::Read,
            Self::Course(_)
            | Self::Assignment(_)
            | Self::Extension(_)
            | Self::Grades(_)
            | Self::Witness(_) => Use::Write,
        }
    }
}

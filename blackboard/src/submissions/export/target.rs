//! What can be wrong with the directory into which is exported.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use scb_cli::Failure;

/// Something could not be written where it was wanted; what is stored is as it was.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}", path.display())]
pub(super) struct TargetError {
    pub(super) path: PathBuf,
    pub(super) source: Arc<io::Error>,
}

impl TargetError {
    /// For `map_err`.
    pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self {
            path: path.to_owned(),
            source: Arc::new(source),
        }
    }

    /// For `map_err` on what writes a file whole.
    pub(super) fn of_cli(path: &Path) -> impl FnOnce(scb_cli::Error) -> Self {
        move |error| match error {
            scb_cli::Error::File { source, .. } => Self::at(path)(source),
            other => Self::at(path)(io::Error::other(other)),
        }
    }

    /// Whether another name could be written there.
    pub(super) fn is_about_the_name(&self) -> bool {
        matches!(
            self.source.kind(),
            ErrorKind::InvalidFilename | ErrorKind::InvalidInput
        )
    }

    /// Whether something else lies where a submission's own folder would be.
    pub(super) fn is_about_the_folder(&self) -> bool {
        self.source.kind() == ErrorKind::NotADirectory
    }

    fn code_and_remedy(&self) -> (&'static str, &'static str) {
        match self.source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => (
                "target_full",
                "make room there and export again, or name a directory on another disk",
            ),
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => (
                "target_not_writable",
                "name a directory that this user may write to",
            ),
            ErrorKind::AlreadyExists | ErrorKind::NotADirectory | ErrorKind::IsADirectory => (
                "target_not_directory",
                "name a directory that is new, empty, or was exported to before",
            ),
            _ if self.is_about_the_name() => (
                "target_name",
                "the report's name is not possible there: export to a directory in another \
                 file system, one with names of 255 bytes",
            ),
            _ => ("target", "name another directory"),
        }
    }
}

impl From<TargetError> for Failure {
    fn from(error: TargetError) -> Self {
        let (code, remedy) = error.code_and_remedy();
        Self::fault(format!("{error}: {}", error.source))
            .with_remedy(remedy)
            .with_code(code)
    }
}

/// No link leads out of the folder of a submission, down to the folder of one of its files: what somebody
/// has put in the place of one is not followed.
///
/// # Errors
///
/// [`TargetError`]: one of them is there, and no folder.
pub(super) fn check(folder: &Path, below: &Path) -> Result<(), TargetError> {
    let mut parts: Vec<_> = below.ancestors().collect();
    parts.retain(|part| part.starts_with(folder));
    for part in parts.into_iter().rev() {
        let why = match fs::symlink_metadata(part) {
            Ok(found) if found.is_dir() => continue,
            Ok(found) if found.is_symlink() => "it is a link, which may lead anywhere",
            Ok(_) => "it is no directory",
            // It is made.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(TargetError::at(part)(error)),
        };
        let error = io::Error::new(ErrorKind::NotADirectory, why);
        return Err(TargetError::at(part)(error));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_is_wrong_with_the_target() {
        for (kind, code) in [
            (ErrorKind::StorageFull, "target_full"),
            (ErrorKind::QuotaExceeded, "target_full"),
            (ErrorKind::PermissionDenied, "target_not_writable"),
            (ErrorKind::ReadOnlyFilesystem, "target_not_writable"),
            (ErrorKind::InvalidFilename, "target_name"),
            (ErrorKind::AlreadyExists, "target_not_directory"),
            (ErrorKind::Other, "target"),
        ] {
            let error = TargetError::at(Path::new("/x"))(kind.into());
            assert_eq!(Failure::from(error).code, Some(code), "{kind}");
        }
    }
}

//! Lines for the journal of systemd, which takes for `info` whatever does not say otherwise.

use std::os::fd::AsFd;
use std::sync::OnceLock;

/// Where systemd says what it has connected to the journal: `DEVICE:INODE`.
const STREAM: &str = "JOURNAL_STREAM";

/// The priority of an error.
pub(crate) const ERROR: u8 = 3;

/// A text as it goes to standard error: as it is or, where that is the journal, each of its lines after its
/// priority, such as `<4>` (sd-daemon(3)): 3 error, 4 warning, 6 info, 7 debug.
pub fn for_stderr(priority: u8, text: String) -> String {
    static IS_JOURNAL: OnceLock<bool> = OnceLock::new();
    let look = || {
        let stream = std::env::var(STREAM).unwrap_or_default();
        is_stream(&stream, std::io::stderr())
    };
    match *IS_JOURNAL.get_or_init(look) {
        true => with_priority(priority, &text),
        false => text,
    }
}

/// Whether it is still this: somebody may have redirected it since systemd said so.
fn is_stream(stream: &str, file: impl AsFd) -> bool {
    let found = rustix::fs::fstat(file);
    found.is_ok_and(|found| format!("{}:{}", found.st_dev, found.st_ino) == stream)
}

fn with_priority(priority: u8, text: &str) -> String {
    let lines = text.lines();
    lines.map(|line| format!("<{priority}>{line}\n")).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn each_line_has_its_priority() {
        assert_eq!(with_priority(6, "one\n"), "<6>one\n");
        assert_eq!(
            with_priority(ERROR, "error: two\n  what to do: three\n"),
            "<3>error: two\n<3>  what to do: three\n"
        );
    }

    #[test]
    fn the_journal_is_what_was_said_to_be_it_and_nothing_else() {
        let (file, other) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        let found = file.metadata().unwrap();
        let stream = format!("{}:{}", found.dev(), found.ino());
        assert!(is_stream(&stream, &file));
        assert!(!is_stream(&stream, &other), "redirected");
        for none in ["", ":", "0:0", &format!("{stream} ")] {
            assert!(!is_stream(none, &file), "{none:?}");
        }
    }
}

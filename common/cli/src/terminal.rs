//! What may reach a terminal, and how it looks there.

use std::io::{self, IsTerminal, Write};

use crate::Error;

/// What standard output can show and whether somebody can answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term {
    /// Colours and weights are wanted on standard output.
    pub colour: bool,
    /// A person sees the output and can type: standard input and output are a terminal.
    pub interactive: bool,
}

impl Term {
    /// Asks the system. `NO_COLOR` (any value but the empty one) and `TERM=dumb` turn
    /// colours off.
    pub fn detect() -> Self {
        let seen = io::stdout().is_terminal();
        Self {
            colour: seen && colours_wanted(),
            interactive: seen && io::stdin().is_terminal(),
        }
    }

    /// No colours, nobody there.
    pub const fn plain() -> Self {
        Self {
            colour: false,
            interactive: false,
        }
    }

    /// For standard error.
    pub(crate) fn detect_stderr() -> Self {
        Self {
            colour: io::stderr().is_terminal() && colours_wanted(),
            ..Self::plain()
        }
    }

    /// What went well: green.
    pub fn ok(&self, text: &str) -> String {
        self.style("32", text)
    }

    /// What was refused: red.
    pub fn bad(&self, text: &str) -> String {
        self.style("31", text)
    }

    /// What matters more.
    pub fn bold(&self, text: &str) -> String {
        self.style("1", text)
    }

    fn style(&self, sgr: &str, text: &str) -> String {
        if self.colour {
            format!("\u{1b}[{sgr}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

/// Prints one result line on standard output. A reader that went away (`| head`) is no
/// error, so that work in progress is finished.
///
/// # Errors
/// [`Error::Output`], such as a full disk.
pub fn say(line: &str) -> Result<(), Error> {
    write_line(&mut io::stdout().lock(), line).map_err(Error::Output)
}

/// Prints one line on standard error: what is said beside the result, such as that there is none.
///
/// # Errors
/// [`Error::Output`].
pub fn note(line: &str) -> Result<(), Error> {
    write_line(&mut io::stderr().lock(), line).map_err(Error::Output)
}

/// `text` with everything escaped that could steer a terminal, forge a line or reorder
/// what is read: control characters (C0, DEL, C1), line separators, bidirectional and
/// invisible formatting. For all that a peer or a file said.
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if steers(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Whether a character would steer a terminal, forge a line, reorder or hide what is read:
/// what [`printable`] escapes.
pub fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}')
}

fn colours_wanted() -> bool {
    let unset = |name: &str| std::env::var_os(name).is_none_or(|value| value.is_empty());
    unset("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

fn write_line(out: &mut impl Write, line: &str) -> io::Result<()> {
    let written = writeln!(out, "{line}").and_then(|()| out.flush());
    match written {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_people_write() {
        for text in ["陳大文", "Zoë O’Neill-Ng", "a\\b \"c\"", "e\u{301}", "👍"] {
            assert_eq!(printable(text), text);
        }
    }

    #[test]
    fn escapes_what_steers_a_terminal() {
        assert_eq!(printable("\u{1b}[2J"), "\\u{1b}[2J");
        assert_eq!(printable("a\nb\r\tc"), "a\\nb\\r\\tc");
        assert_eq!(printable("\u{0}\u{7f}"), "\\u{0}\\u{7f}");
        assert_eq!(printable("\u{9b}31m"), "\\u{9b}31m");
        assert_eq!(printable("\u{2028}"), "\\u{2028}");
    }

    #[test]
    fn escapes_what_reorders_or_hides_text() {
        let marks = "\u{202a}\u{202e}\u{2066}\u{2069}\u{200e}\u{200f}\u{61c}\u{200b}\u{feff}";
        let shown = printable(marks);
        assert!(shown.is_ascii());
        assert!(shown.starts_with("\\u{202a}\\u{202e}"));
        assert_eq!(shown.matches("\\u{").count(), 9);
    }

    #[test]
    fn styles_only_where_colours_are_wanted() {
        let colourful = Term {
            colour: true,
            interactive: false,
        };
        assert_eq!(colourful.ok("yes"), "\u{1b}[32myes\u{1b}[0m");
        assert_eq!(Term::plain().ok("yes"), "yes");
    }

    struct Failing(io::ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_went_away_is_no_error() {
        write_line(&mut Failing(io::ErrorKind::BrokenPipe), "x").unwrap();
    }

    #[test]
    fn a_full_disk_is_an_error() {
        assert!(write_line(&mut Failing(io::ErrorKind::StorageFull), "x").is_err());
    }
}

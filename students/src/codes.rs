//! Where enrolment codes come from: the code sheet, or a hidden prompt.

use std::io::Write;
use std::path::{Path, PathBuf};

use scb_certs::StudentId;
use scb_cli::{Hidden, Sandbox, Term, printable, say};
use scb_protocol::EnrolmentCode;

use crate::cli::Common;
use crate::words::Words;
use crate::{CodeSheet, Error};

/// Gives each student's code.
#[derive(Debug)]
pub struct Codes {
    sheet: Option<CodeSheet>,
    interactive: bool,
    words: Words,
}

impl Codes {
    /// The sheet of `--codes`, else the sandbox's. Warns of one that others can read.
    ///
    /// # Errors
    ///
    /// As [`CodeSheet::read`].
    pub fn new(common: &Common, term: Term) -> Result<Self, Error> {
        let words = Words::of(common.explain.language.language());
        let path = common.codes.clone().or_else(|| sandbox_sheet(common));
        if let (Some(path), false) = (&path, common.json) {
            warn_if_readable(path, words);
        }
        Ok(Self {
            sheet: path.as_deref().map(CodeSheet::read).transpose()?,
            interactive: term.interactive,
            words,
        })
    }

    /// The sheet, if there is one.
    pub fn sheet(&self) -> Option<&CodeSheet> {
        self.sheet.as_ref()
    }

    /// A student's code. Somebody at a terminal is asked if the sheet does not have it, again
    /// and again until it has the form of one.
    ///
    /// # Errors
    ///
    /// [`Error::NoCode`], or [`Error::Cli`]: no sheet and no terminal, or cancelled.
    pub fn code(&self, sid: &StudentId) -> Result<EnrolmentCode, Error> {
        if let Some(sheet) = &self.sheet {
            if let Some(code) = sheet.code(sid) {
                return Ok(code.clone());
            }
            if !self.interactive {
                return Err(Error::NoCode { sid: sid.clone() });
            }
        }
        loop {
            let prompt = self.words.enrolment_code(sid);
            let question = Hidden {
                empty: self.words.empty(),
                ..Hidden::new(&prompt, "--codes")
            };
            let typed = question.once()?;
            match typed.parse() {
                Ok(code) => return Ok(code),
                Err(scb_protocol::Error::EnrolmentCode) => {
                    say(self.words.no_enrolment_code())?;
                }
                Err(other) => return Err(other.into()),
            }
        }
    }
}

/// The codes are used up in a moment, so that it is too late to refuse: whoever could read them
/// could have used them. What else stands there can still be kept.
#[cfg(unix)]
fn warn_if_readable(path: &Path, words: Words) {
    use std::os::unix::fs::PermissionsExt;
    let Ok(metadata) = std::fs::metadata(path) else {
        // Reading it says why.
        return;
    };
    let mode = metadata.permissions().mode() & 0o777;
    if metadata.is_file() && mode & 0o077 != 0 {
        let path = printable(&path.to_string_lossy());
        // A warning that cannot be shown stops nothing.
        let _ = writeln!(std::io::stderr(), "{}", words.readable_sheet(&path, mode));
    }
}

/// Elsewhere permissions are not known.
#[cfg(not(unix))]
fn warn_if_readable(_path: &Path, _words: Words) {}

fn sandbox_sheet(common: &Common) -> Option<PathBuf> {
    let sandbox = Sandbox::open(common.sandbox.as_deref()?).ok()?;
    Some(sandbox.codes()).filter(|path| path.exists())
}

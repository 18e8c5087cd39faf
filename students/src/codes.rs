//! Where enrolment codes come from: the code sheet, or a hidden prompt.

use std::path::PathBuf;

use scb_certs::StudentId;
use scb_cli::{Sandbox, Term, hidden, say};
use scb_protocol::EnrolmentCode;

use crate::cli::Common;
use crate::{CodeSheet, Error};

/// Gives each student's code.
#[derive(Debug)]
pub struct Codes {
    sheet: Option<CodeSheet>,
    interactive: bool,
}

impl Codes {
    /// The sheet of `--codes`, else the sandbox's.
    ///
    /// # Errors
    ///
    /// As [`CodeSheet::read`].
    pub fn new(common: &Common, term: Term) -> Result<Self, Error> {
        let path = common.codes.clone().or_else(|| sandbox_sheet(common));
        Ok(Self {
            sheet: path.as_deref().map(CodeSheet::read).transpose()?,
            interactive: term.interactive,
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
            let typed = hidden(&format!("Enrolment code of {sid} (not shown):"), "--codes")?;
            match typed.parse() {
                Ok(code) => return Ok(code),
                Err(scb_protocol::Error::EnrolmentCode) => {
                    say("That is no enrolment code: it has 25 letters and digits.")?;
                }
                Err(other) => return Err(other.into()),
            }
        }
    }
}

fn sandbox_sheet(common: &Common) -> Option<PathBuf> {
    let sandbox = Sandbox::open(common.sandbox.as_deref()?).ok()?;
    Some(sandbox.codes()).filter(|path| path.exists())
}

//! The registry's roster into the records: what differs, and what is done about it.

use std::path::{Path, PathBuf};

use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, StudentId};

use crate::admin::fresh_code;
use crate::code_sheet::{SheetRow, with_codes_at, write_sheet};
use crate::revocation::{restore, suspend};
use crate::roster_file::{Entry, Listed, RosterFault, RosterReader, is_formula};
use crate::store::{Records, Store, Student};
use crate::{Error, Subject};

/// Of how many active students one may be suspended without more ado: of each three.
const MANY: usize = 3;

/// What becomes of active students whom the roster does not list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// Nothing.
    Keep,
    /// They are suspended, if all rows are good. If that is more than a third of the active
    /// students, somebody must have said how many it is.
    Suspend {
        /// The number that somebody said.
        expected: Option<usize>,
    },
}

/// How a roster is imported.
#[derive(Debug, Clone)]
pub struct ImportOptions {
    /// Where codes go for those who need one, and the root that the sheet names.
    pub sheet: Option<(PathBuf, Fingerprint)>,
    /// What becomes of those who are not listed.
    pub missing: Missing,
    /// When it is.
    pub now: UnixTime,
}

/// What the roster says of one student, where that is not what the records say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Line in the file; none for those who are not listed.
    pub line: Option<u64>,
    /// The student ID, or what stands in its place.
    pub sid: String,
    /// What it is.
    pub difference: Difference,
}

/// A difference between a roster and the records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// The student is new.
    Added,
    /// Name, e-mail address or programme changed.
    Changed {
        /// As it was.
        before: Box<Student>,
        /// As it is now.
        after: Box<Student>,
    },
    /// The student was missing from an earlier roster, and is back.
    Restored,
    /// The student is listed, and stays suspended: somebody did that by hand.
    StaysSuspended,
    /// An active student is not listed, or listed as one who has left: in the words of the file.
    Missing {
        /// Such as `status: deleted`.
        says: Option<String>,
        /// What becomes of it.
        suspended: bool,
    },
    /// Somebody who has left and was not here.
    Left(String),
    /// The row is refused.
    Refused(String),
    /// A spreadsheet would compute the name, the address or the programme; what is stored is the
    /// text as it is.
    Formula(&'static str),
}

/// What an import does, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Import {
    /// How the header was understood.
    pub layout: String,
    /// All differences, in the file's order, then who is missing.
    pub findings: Vec<Finding>,
    /// How many there are.
    pub counts: Counts,
    /// How many active students there were.
    pub active: usize,
    /// How many codes were written, or would be.
    pub codes: usize,
}

/// How many rows or students of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Counts {
    /// Rows in the file.
    pub rows: usize,
    /// New students.
    pub added: usize,
    /// Students with another name, e-mail address or programme.
    pub changed: usize,
    /// Students listed as they were.
    pub unchanged: usize,
    /// Students who are back.
    pub restored: usize,
    /// Active students who are not listed.
    pub missing: usize,
    /// Those of them who are suspended.
    pub suspended: usize,
    /// Rows refused.
    pub refused: usize,
}

impl Import {
    /// Whether so many are missing that suspending them may be a mistake.
    pub fn many_missing(&self) -> bool {
        self.counts.missing * MANY > self.active
    }

    fn found(&mut self, line: Option<u64>, sid: impl ToString, difference: Difference) {
        let counter = match difference {
            Difference::Added => Some(&mut self.counts.added),
            Difference::Changed { .. } => Some(&mut self.counts.changed),
            Difference::Restored => Some(&mut self.counts.restored),
            Difference::Missing { .. } => Some(&mut self.counts.missing),
            Difference::Refused(_) => Some(&mut self.counts.refused),
            _ => None,
        };
        if let Some(counter) = counter {
            *counter += 1;
        }
        self.findings.push(Finding {
            line,
            sid: sid.to_string(),
            difference,
        });
    }
}

/// Imports all good rows in one transaction, with the codes and suspensions that belong to it.
/// Students who were suspended because an earlier roster did not list them are restored.
///
/// # Errors
///
/// [`Error::SheetExists`]; [`Error::ManyMissing`];
/// [`Error::RosterInvalid`], which may be found at the last row; [`Error::Storage`];
/// [`Error::Local`] if the sheet cannot be written. Nothing is imported then.
pub fn import_roster(
    store: &Store,
    path: PathBuf,
    reader: RosterReader,
    options: ImportOptions,
) -> Result<Import, Error> {
    let sheet = options.sheet.as_ref().map(|(path, _)| path.clone());
    with_codes_at(sheet.as_deref(), || {
        store.write_blocking(move |records| {
            let mut pass = Pass::new(records, options, Deed::Import);
            pass.run(reader).map_err(|fault| fault.into_error(&path))?;
            pass.write_codes()?;
            Ok(pass.import)
        })
    })
}

/// What [`import_roster`] would do, on one snapshot of the records. Nothing is changed and no
/// code is made.
///
/// # Errors
///
/// [`Error::RosterInvalid`], [`Error::Storage`].
pub fn rehearse_import(
    store: &Store,
    path: PathBuf,
    reader: RosterReader,
    options: ImportOptions,
) -> Result<Import, Error> {
    store.read_blocking(move |records| {
        let mut pass = Pass::new(records, options, Deed::Rehearse);
        pass.run(reader).map_err(|fault| fault.into_error(&path))?;
        Ok(pass.import)
    })
}

/// Whether anything is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Import,
    Rehearse,
}

/// One way through the file.
struct Pass<'a, 'r> {
    records: &'a Records<'r>,
    options: ImportOptions,
    deed: Deed,
    import: Import,
    /// Who is on the roster, active, and listed as one who has left.
    gone: Vec<(StudentId, String)>,
    sheet: Vec<SheetRow>,
}

/// Why a way through the file ended early.
enum Fault {
    Roster(RosterFault),
    Other(Error),
}

impl Fault {
    fn into_error(self, path: &Path) -> Error {
        match self {
            Self::Roster(reason) => Error::roster(path, reason),
            Self::Other(error) => error,
        }
    }
}

impl From<RosterFault> for Fault {
    fn from(fault: RosterFault) -> Self {
        Self::Roster(fault)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

impl<'a, 'r> Pass<'a, 'r> {
    fn new(records: &'a Records<'r>, options: ImportOptions, deed: Deed) -> Self {
        Self {
            records,
            options,
            deed,
            import: Import::default(),
            gone: Vec::new(),
            sheet: Vec::new(),
        }
    }

    fn run(&mut self, mut reader: RosterReader) -> Result<(), Fault> {
        self.import.layout = reader.layout();
        let active = self.records.roster().count_active()?;
        self.import.active = usize::try_from(active).unwrap_or(usize::MAX);
        while let Some(row) = reader.next_row()? {
            let line = Some(row.line);
            match row.entry {
                Entry::Listed(listed) => self.listed(line, &listed)?,
                Entry::Gone(sid, says) => self.left(line, sid, says)?,
                Entry::Refused(reason) => {
                    self.import
                        .found(line, row.sid, Difference::Refused(reason));
                }
            }
        }
        self.import.counts.rows = reader.rows();
        Ok(self.missing(&reader)?)
    }

    fn listed(&mut self, line: Option<u64>, listed: &Listed) -> Result<(), Error> {
        let sid = &listed.sid;
        let known = self.records.roster().find(sid)?;
        let after = listed.over(known.as_ref());
        self.warn_of_formulas(line, &after);
        let is_added = known.is_none();
        match &known {
            Some(known) if *known == after => self.import.counts.unchanged += 1,
            _ => self.correct(line, known.as_ref(), &after)?,
        }
        let mut active = after.active;
        if !active {
            active = self.records.roster().is_noted_missing(sid)?;
            self.back(line, sid, active)?;
        }
        match self.options.sheet {
            Some(_) if active => self.give_code(after, is_added),
            _ => Ok(()),
        }
    }

    fn correct(
        &mut self,
        line: Option<u64>,
        known: Option<&Student>,
        after: &Student,
    ) -> Result<(), Error> {
        let difference = match known {
            None => Difference::Added,
            Some(known) => Difference::Changed {
                before: Box::new(known.clone()),
                after: Box::new(after.clone()),
            },
        };
        self.import.found(line, &after.sid, difference);
        if self.deed == Deed::Import {
            self.records.roster().import(after, self.options.now)?;
        }
        Ok(())
    }

    /// A suspended student is listed: only what an import has done is undone by one.
    fn back(&mut self, line: Option<u64>, sid: &StudentId, by_import: bool) -> Result<(), Error> {
        if !by_import {
            self.import.found(line, sid, Difference::StaysSuspended);
            return Ok(());
        }
        self.import.found(line, sid, Difference::Restored);
        if self.deed == Deed::Import {
            restore(self.records, sid, self.options.now)?;
        }
        Ok(())
    }

    fn left(&mut self, line: Option<u64>, sid: StudentId, says: String) -> Result<(), Error> {
        match self.records.roster().find(&sid)? {
            Some(student) if student.active => self.gone.push((sid, says)),
            _ => self.import.found(line, sid, Difference::Left(says)),
        }
        Ok(())
    }

    fn warn_of_formulas(&mut self, line: Option<u64>, student: &Student) {
        for (what, text) in [
            ("name", &student.name),
            ("email", &student.email),
            ("programme", &student.programme),
        ] {
            if is_formula(text) {
                let difference = Difference::Formula(what);
                self.import.found(line, &student.sid, difference);
            }
        }
    }

    /// Who is active and not listed, and who is listed as one who has left.
    fn missing(&mut self, reader: &RosterReader) -> Result<(), Error> {
        let unlisted = self
            .records
            .roster()
            .active_except(|sid| reader.mentions(sid))?;
        let gone = std::mem::take(&mut self.gone);
        let gone = gone.into_iter().map(|(sid, says)| (sid, Some(says)));
        let all = gone.chain(unlisted.into_iter().map(|sid| (sid, None)));
        let mut missing: Vec<_> = all.collect();
        let suspended = self.may_suspend(missing.len())?;
        for (sid, says) in missing.drain(..) {
            if suspended {
                self.suspend(&sid)?;
            }
            let difference = Difference::Missing { says, suspended };
            self.import.found(None, &sid, difference);
        }
        Ok(())
    }

    /// Whether the missing are suspended. A row that is refused may be about one of them.
    fn may_suspend(&self, missing: usize) -> Result<bool, Error> {
        let active = self.import.active;
        match self.options.missing {
            Missing::Suspend { .. } if self.import.counts.refused > 0 => Ok(false),
            Missing::Suspend { expected }
                if self.deed == Deed::Import
                    && missing * MANY > active
                    && expected != Some(missing) =>
            {
                Err(Error::ManyMissing { missing, active })
            }
            Missing::Suspend { .. } => Ok(missing > 0),
            Missing::Keep => Ok(false),
        }
    }

    fn suspend(&mut self, sid: &StudentId) -> Result<(), Error> {
        self.import.counts.suspended += 1;
        if self.deed == Deed::Import {
            suspend(self.records, sid, self.options.now)?;
            self.records.roster().note_missing(sid, self.options.now)?;
        }
        Ok(())
    }

    fn give_code(&mut self, student: Student, is_new: bool) -> Result<(), Error> {
        let now = self.options.now;
        let Student {
            sid, name, email, ..
        } = student;
        let subject = Subject::Student(sid.clone());
        if !is_new && has_access(self.records, &subject, now)? {
            return Ok(());
        }
        self.import.codes += 1;
        if self.deed == Deed::Import {
            let issued = fresh_code(self.records, &subject, now)?;
            self.sheet.push(SheetRow {
                sid,
                name,
                email,
                code: issued.code,
                expires_at: issued.expires_at,
            });
        }
        Ok(())
    }

    /// Inside the transaction: if the file cannot be written, no code was issued.
    fn write_codes(&self) -> Result<(), Error> {
        match &self.options.sheet {
            Some((path, root)) if !self.sheet.is_empty() => write_sheet(path, &self.sheet, root),
            _ => Ok(()),
        }
    }
}

/// Whether somebody who is active has a certificate, or a code that leads to one. What is on
/// hold counts: it comes back with the student.
fn has_access(records: &Records<'_>, subject: &Subject, now: UnixTime) -> Result<bool, Error> {
    let certificates = records.certificates().of(subject)?;
    let counts = |record: &crate::store::CertificateRecord| {
        let ended = now.as_secs() > record.intent.validity.not_after.as_secs();
        !ended && (record.revocation.is_none() || record.is_on_hold())
    };
    Ok(certificates.iter().any(counts) || records.codes().has_open(subject, now)?)
}

//! What people do to the records by the command line, while `serve` runs or not.

use std::path::Path;
use std::time::Duration;

use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, RevocationReason, ServiceName};
use scb_protocol::EnrolmentCode;

use crate::code_sheet::{SheetRow, refuse_existing, with_codes_at, write_sheet};
use crate::revocation::revoke_all;
use crate::roster_file::RosterRow;
use crate::store::{Change, Records, Service, Store, Student};
use crate::time::later;
use crate::{Error, Subject};

/// How long an enrolment code is good for: 14 days.
pub const CODE_LIFETIME: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// A fresh code and when it ends.
#[derive(Debug)]
pub struct IssuedCode {
    /// The code. It cannot be shown again.
    pub code: EnrolmentCode,
    /// When it ends.
    pub expires_at: UnixTime,
}

/// What importing one row came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedRow {
    /// Line in the file.
    pub line: u64,
    /// What stands in the column `sid`.
    pub sid: String,
    /// What changed, or why the row was refused.
    pub outcome: Result<Change, String>,
}

/// What [`import_roster`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// Every row, in the file's order.
    pub rows: Vec<ImportedRow>,
    /// How many codes were written.
    pub codes: usize,
}

/// Imports all good rows in one transaction. With a path, writes codes there for those of
/// them who need one: active, without a live certificate and without an open code.
///
/// # Errors
///
/// [`Error::SheetExists`] before anything is changed; [`Error::Storage`]; [`Error::Local`] if
/// the sheet cannot be written, and then nothing is imported.
pub fn import_roster(
    store: &Store,
    rows: Vec<RosterRow>,
    sheet: Option<(&Path, Fingerprint)>,
    now: UnixTime,
) -> Result<Import, Error> {
    let path = sheet.map(|(path, _)| path);
    let sheet = sheet.map(|(path, root)| (path.to_owned(), root));
    let import = move |records: &Records<'_>| {
        let mut imported = Vec::with_capacity(rows.len());
        let mut students = Vec::with_capacity(rows.len());
        for row in rows {
            imported.push(import_row(records, row, &mut students, now)?);
        }
        let codes = match &sheet {
            Some((path, root)) => codes_for(records, students, path, root, now)?,
            None => 0,
        };
        Ok(Import {
            rows: imported,
            codes,
        })
    };
    with_codes_at(path, || store.write_blocking(import))
}

fn import_row(
    records: &Records<'_>,
    row: RosterRow,
    students: &mut Vec<Student>,
    now: UnixTime,
) -> Result<ImportedRow, Error> {
    let outcome = match row.student {
        Ok(student) => {
            let change = records.roster().import(&student, now)?;
            students.push(student);
            Ok(change)
        }
        Err(reason) => Err(reason),
    };
    Ok(ImportedRow {
        line: row.line,
        sid: row.sid,
        outcome,
    })
}

/// Issues codes for those who need one and writes them to `path`, inside the transaction: if
/// the file cannot be written, no code was issued.
fn codes_for(
    records: &Records<'_>,
    students: Vec<Student>,
    path: &Path,
    root: &Fingerprint,
    now: UnixTime,
) -> Result<usize, Error> {
    let mut sheet = Vec::new();
    for Student {
        sid, name, email, ..
    } in students
    {
        let subject = Subject::Student(sid.clone());
        if needs_code(records, &subject, now)? {
            let IssuedCode { code, expires_at } = fresh_code(records, &subject, now)?;
            sheet.push(SheetRow {
                sid,
                name,
                email,
                code,
                expires_at,
            });
        }
    }
    if !sheet.is_empty() {
        refuse_existing(path)?;
        write_sheet(path, &sheet, root)?;
    }
    Ok(sheet.len())
}

fn needs_code(records: &Records<'_>, subject: &Subject, now: UnixTime) -> Result<bool, Error> {
    let Subject::Student(sid) = subject else {
        return Ok(false);
    };
    let active = records
        .roster()
        .find(sid)?
        .is_some_and(|student| student.active);
    Ok(active
        && records.certificates().live(subject, now)?.is_empty()
        && !records.codes().has_open(subject, now)?)
}

/// Issues one code. With `replace`, revokes the subject's live certificates as superseded and
/// withdraws its unused codes.
///
/// # Errors
///
/// [`Error::StudentUnknown`], [`Error::StudentInactive`], [`Error::ServiceUnknown`].
pub fn issue_code(
    records: &Records<'_>,
    subject: &Subject,
    replace: bool,
    now: UnixTime,
) -> Result<IssuedCode, Error> {
    check_subject(records, subject)?;
    if replace {
        records.codes().withdraw(subject, now)?;
        revoke_all(records, subject, RevocationReason::Superseded.into(), now)?;
    }
    fresh_code(records, subject, now)
}

fn check_subject(records: &Records<'_>, subject: &Subject) -> Result<(), Error> {
    match subject {
        Subject::Student(sid) => match records.roster().find(sid)? {
            None => Err(Error::StudentUnknown(sid.clone())),
            Some(student) if !student.active => Err(Error::StudentInactive(sid.clone())),
            Some(_) => Ok(()),
        },
        Subject::Service(name) => match records.services().find(name)? {
            None => Err(Error::ServiceUnknown(name.clone())),
            Some(_) => Ok(()),
        },
    }
}

fn fresh_code(
    records: &Records<'_>,
    subject: &Subject,
    now: UnixTime,
) -> Result<IssuedCode, Error> {
    let code = EnrolmentCode::generate()?;
    let expires_at = later(now, CODE_LIFETIME);
    records
        .codes()
        .add(&code.digest(&subject.to_string()), subject, now, expires_at)?;
    Ok(IssuedCode { code, expires_at })
}

/// Adds a service and issues its first code.
///
/// # Errors
///
/// [`Error::ServiceReserved`] for CUHK's own name, [`Error::ServiceExists`].
pub fn add_service(
    records: &Records<'_>,
    service: &Service,
    now: UnixTime,
) -> Result<IssuedCode, Error> {
    if service.name == ServiceName::cuhk() {
        return Err(Error::ServiceReserved(service.name.clone()));
    }
    records.services().add(service, now)?;
    fresh_code(records, &Subject::Service(service.name.clone()), now)
}

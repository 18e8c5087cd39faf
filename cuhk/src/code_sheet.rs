//! Code sheets: the CSV files by which enrolment codes reach students.

use std::path::Path;

use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, StudentId};
use scb_cli::{inert, rfc3339, write_atomic};
use scb_protocol::EnrolmentCode;
use zeroize::Zeroizing;

use crate::Error;

const HEADER: [&str; 6] = ["sid", "name", "email", "code", "ca_sha256", "expires"];
/// Bytes to set aside for one row.
const ROW: usize = 768;

/// One student's line on a code sheet.
#[derive(Debug)]
pub(crate) struct SheetRow {
    /// The student ID.
    pub sid: StudentId,
    /// The name, from the roster.
    pub name: String,
    /// The e-mail address, from the roster.
    pub email: String,
    /// The code.
    pub code: EnrolmentCode,
    /// When the code ends.
    pub expires_at: UnixTime,
}

/// Writes a code sheet (mode 0600): `sid,name,email,code,ca_sha256,expires`. Names that a
/// spreadsheet would take for a formula are escaped.
///
/// # Errors
///
/// [`Error::SheetExists`]: nothing is overwritten; [`Error::Local`].
pub(crate) fn write_sheet(path: &Path, rows: &[SheetRow], root: &Fingerprint) -> Result<(), Error> {
    refuse_existing(path)?;
    let sheet = sheet(rows, root).map_err(|source| scb_cli::Error::File {
        action: "write",
        path: path.to_owned(),
        source: source.into(),
    })?;
    Ok(write_atomic(path, &sheet, 0o600)?)
}

/// Writes a single code on a line of its own (mode 0600), as services read it.
///
/// # Errors
///
/// [`Error::SheetExists`]: nothing is overwritten; [`Error::Local`].
pub(crate) fn write_code(path: &Path, code: &EnrolmentCode) -> Result<(), Error> {
    refuse_existing(path)?;
    let mut line = code.reveal();
    line.push('\n');
    Ok(write_atomic(path, line.as_bytes(), 0o600)?)
}

/// Codes cannot be read from the database again: a sheet is never overwritten.
///
/// # Errors
///
/// [`Error::SheetExists`].
pub(crate) fn refuse_existing(path: &Path) -> Result<(), Error> {
    match path.exists() {
        true => Err(Error::SheetExists {
            path: path.to_owned(),
        }),
        false => Ok(()),
    }
}

/// Runs a job that may write codes to `path`. If it fails after that, as when the database
/// cannot commit, the file goes again: its codes exist nowhere else.
///
/// # Errors
///
/// The job's.
pub(crate) fn with_codes_at<T>(
    path: Option<&Path>,
    job: impl FnOnce() -> Result<T, Error>,
) -> Result<T, Error> {
    let new = path.filter(|path| !path.exists());
    let done = job();
    if let (Err(_), Some(path)) = (&done, new) {
        // The job's own error is what matters.
        let _ = std::fs::remove_file(path);
    }
    done
}

fn sheet(rows: &[SheetRow], root: &Fingerprint) -> Result<Zeroizing<Vec<u8>>, csv::Error> {
    let mut sheet = Zeroizing::new(Vec::with_capacity(ROW * (rows.len() + 1)));
    {
        let mut writer = csv::Writer::from_writer(&mut *sheet);
        writer.write_record(HEADER)?;
        for row in rows {
            writer.write_record([
                row.sid.as_str(),
                inert(&row.name).as_ref(),
                inert(&row.email).as_ref(),
                row.code.reveal().as_str(),
                &root.to_string(),
                &rfc3339(row.expires_at),
            ])?;
        }
        writer.flush()?;
    }
    Ok(sheet)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn row(name: &str) -> SheetRow {
        SheetRow {
            sid: "1155000001".parse().unwrap(),
            name: name.to_owned(),
            email: "a@b.example".to_owned(),
            code: "01234-56789-ABCDE-FGHJK-MNPQR".parse().unwrap(),
            expires_at: UnixTime::since_unix_epoch(Duration::from_secs(1_788_255_000)),
        }
    }

    #[test]
    fn a_sheet_has_a_header_and_one_row_each() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("codes.csv");
        let root = Fingerprint::of(b"root");
        write_sheet(&path, &[row("陳大文")], &root).unwrap();
        let expected = format!(
            "sid,name,email,code,ca_sha256,expires\n\
             1155000001,陳大文,a@b.example,01234-56789-ABCDE-FGHJK-MNPQR,{root},\
             2026-09-01T09:30:00Z\n"
        );
        assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
    }

    #[cfg(unix)]
    #[test]
    fn only_its_owner_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let (sheet, code) = (dir.path().join("codes.csv"), dir.path().join("code"));
        write_sheet(&sheet, &[row("A")], &Fingerprint::of(b"")).unwrap();
        write_code(&code, &row("A").code).unwrap();
        for path in [sheet, code] {
            let mode = std::fs::metadata(path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn refuses_to_overwrite_codes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("codes.csv");
        std::fs::write(&path, "precious").unwrap();
        let refused = write_sheet(&path, &[row("A")], &Fingerprint::of(b""));
        assert!(matches!(refused, Err(Error::SheetExists { .. })));
        assert!(write_code(&path, &row("A").code).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    }

    #[test]
    fn codes_that_were_not_stored_do_not_stay_on_paper() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("code");
        let fail_after_writing = || {
            with_codes_at(Some(&path), || {
                write_code(&path, &row("A").code)?;
                Err::<(), _>(Error::RecordInvalid { what: "test" })
            })
        };
        assert!(fail_after_writing().is_err());
        assert!(!path.exists());
        std::fs::write(&path, "precious").unwrap();
        assert!(fail_after_writing().is_err());
        assert!(path.exists());
    }

    #[test]
    fn a_name_is_never_a_formula() {
        for name in ["=1+1", "+1", "-1", "@x", "＝1", "＋1", "－1", "＠x"] {
            assert_eq!(inert(name), format!("'{name}"));
        }
        assert_eq!(inert("O'Neill-Ng"), "O'Neill-Ng");
    }
}

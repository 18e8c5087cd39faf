//! The outside check of a receipt: `openssl` verifies it with the receipt's own files, and an
//! altered copy must be refused.

use std::io::{Cursor, Read};
use std::path::Path;
use std::process::{Command, Stdio};

use scb_certs::Fingerprint;
use scb_protocol::receipt::{MAX_RECEIPT, VerifiedReceipt, file};
use zip::ZipArchive;

use crate::Error;

/// What is signed, and the signature of it.
const SIGNED: [(&str, &str); 2] = [
    (file::STATEMENT, file::SIGNATURES),
    (file::LEAF, file::LEAF_SIGNATURE),
];
/// The root and the revocation lists in one file.
const TRUST: &str = "trust.pem";

/// Whether an `openssl` can be started here.
pub(crate) fn is_present() -> bool {
    let mut command = Command::new("openssl");
    let command = command.arg("version").stdin(Stdio::null());
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// `openssl cms -verify` of the members' signatures and of Blackboard's, against the receipt's
/// own root, whose fingerprint `receipt` was verified with; then the same with one byte of the
/// statement altered, which `openssl` must refuse.
///
/// # Errors
///
/// [`Error::Openssl`] with what it says, [`Error::System`].
pub(crate) fn verify(zip: &[u8], receipt: &VerifiedReceipt) -> Result<(), Error> {
    let dir = Unpacked::new(zip)?;
    let at = receipt.accepted_at().as_secs();
    for (content, signature) in SIGNED {
        dir.cms_verify(content, signature, at)?;
    }
    dir.alter(file::STATEMENT)?;
    match dir.cms_verify(file::STATEMENT, file::SIGNATURES, at) {
        Err(_) => Ok(()),
        Ok(()) => Err(Error::Openssl("it accepts an altered statement".into())),
    }
}

/// Checks that this program refuses the receipt once a byte of the statement is altered.
///
/// # Errors
///
/// [`Error::Openssl`] if it is accepted.
pub(crate) fn refuses_altered(
    zip: &[u8],
    receipt: &VerifiedReceipt,
    roots: &[Fingerprint],
) -> Result<(), Error> {
    let statement = receipt.statement_bytes();
    let place = zip
        .windows(statement.len())
        .position(|window| window == statement);
    let mut altered = zip.to_vec();
    altered[place.unwrap_or_default() + statement.len() / 2] ^= 1;
    match VerifiedReceipt::verify_under(&altered, roots) {
        Err(_) => Ok(()),
        Ok(_) => Err(Error::Openssl("an altered receipt is accepted".into())),
    }
}

/// A receipt's files in a directory of their own, which is removed at the end.
struct Unpacked {
    dir: tempfile::TempDir,
}

impl Unpacked {
    fn new(zip: &[u8]) -> Result<Self, Error> {
        let dir = tempfile::tempdir().map_err(|source| Error::System {
            action: "make a temporary directory",
            source,
        })?;
        let unpacked = Self { dir };
        let mut archive = ZipArchive::new(Cursor::new(zip)).map_err(unreadable)?;
        let mut trust = part(&mut archive, file::ROOT)?;
        trust.extend(part(&mut archive, file::CRLS)?);
        unpacked.write(TRUST, &trust)?;
        for name in SIGNED
            .into_iter()
            .flat_map(|(content, signature)| [content, signature])
        {
            unpacked.write(name, &part(&mut archive, name)?)?;
        }
        Ok(unpacked)
    }

    fn cms_verify(&self, content: &str, signature: &str, at: u64) -> Result<(), Error> {
        let mut command = Command::new("openssl");
        command.args([
            "cms", "-verify", "-binary", "-purpose", "any", "-inform", "DER",
        ]);
        command.args(["-in", signature, "-content", content, "-CAfile", TRUST]);
        command.args([
            "-crl_check_all",
            "-attime",
            &at.to_string(),
            "-out",
            "verified",
        ]);
        let command = command.current_dir(self.dir.path()).stdin(Stdio::null());
        let output = command.output().map_err(|source| Error::System {
            action: "start openssl",
            source,
        })?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().last().unwrap_or("it gives no reason");
        Err(Error::Openssl(format!("{content}: {said}")))
    }

    fn alter(&self, name: &str) -> Result<(), Error> {
        let path = self.dir.path().join(name);
        let mut bytes = std::fs::read(&path).map_err(Error::file("read", &path))?;
        let middle = bytes.len() / 2;
        if let Some(byte) = bytes.get_mut(middle) {
            *byte ^= 1;
        }
        self.write(name, &bytes)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let path: &Path = &self.dir.path().join(name);
        std::fs::write(path, bytes).map_err(Error::file("write", path))
    }
}

fn part(archive: &mut ZipArchive<Cursor<&[u8]>>, name: &str) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let file = archive.by_name(name).map_err(unreadable)?;
    file.take(MAX_RECEIPT as u64)
        .read_to_end(&mut bytes)
        .map_err(|source| Error::System {
            action: "read the receipt",
            source,
        })?;
    Ok(bytes)
}

fn unreadable(error: zip::result::ZipError) -> Error {
    Error::Openssl(format!("the receipt cannot be unpacked: {error}"))
}

//! The roots by which a home recognises CUHK, as the trust bundle keeps them up to date.
//!
//! ```text
//! HOME/ca.pem              the roots that count, PEM, the oldest first
//! HOME/ca-former.pem       roots that counted once: receipts of their time stay good
//! HOME/trust-bundle.json   the last bundle that was accepted, and its signature
//! HOME/trust-bundle.p7s
//! ```

use std::fs;
use std::time::Duration;

use scb_certs::{Certificate, all_from_pem};
use scb_protocol::{SignedBundle, VerifiedBundle};

use crate::{Error, Home, read_limited, write_atomic};

/// File of the roots that count.
pub const ROOTS: &str = "ca.pem";
const FORMER: &str = "ca-former.pem";
const BUNDLE: &str = "trust-bundle.json";
const SIGNATURE: &str = "trust-bundle.p7s";
/// Largest of these files, in bytes.
const LIMIT: u64 = 256 * 1024;

/// The number of the last bundle that was accepted here; 0 if there was none.
///
/// # Errors
/// [`Error::File`], [`Error::FileTooLarge`].
pub fn bundle_sequence(home: &Home) -> Result<u64, Error> {
    let path = home.path(BUNDLE);
    if !path.exists() {
        return Ok(0);
    }
    let kept = SignedBundle {
        bundle: String::from_utf8_lossy(&read_limited(&path, LIMIT)?).into_owned(),
        signatures: Vec::new(),
    };
    // One that was damaged is fetched again.
    Ok(kept.sequence().unwrap_or(0))
}

/// How long ago a bundle was accepted here last, by the clock of the file system.
pub fn bundle_age(home: &Home) -> Option<Duration> {
    let modified = fs::metadata(home.path(BUNDLE)).and_then(|found| found.modified());
    modified.ok()?.elapsed().ok()
}

/// Roots that counted once: by them receipts are judged, nothing else. What cannot be read of it
/// does not count.
pub fn former_roots(home: &Home) -> Vec<Certificate> {
    let pem = read_limited(&home.path(FORMER), LIMIT).unwrap_or_default();
    all_from_pem(&String::from_utf8_lossy(&pem)).unwrap_or_default()
}

/// Keeps a bundle that was accepted, and its roots in the place of `present`. The roots come last:
/// whatever interrupts it, the same bundle is accepted again.
///
/// # Errors
/// [`Error::File`].
pub fn keep_bundle(
    home: &Home,
    present: &[Certificate],
    signed: &SignedBundle,
    verified: &VerifiedBundle,
) -> Result<(), Error> {
    let roots = verified.trust().roots();
    keep_former(home, present, roots)?;
    if let Some(signature) = signed.signatures.first() {
        write_atomic(&home.path(SIGNATURE), signature, 0o644)?;
    }
    write_atomic(&home.path(BUNDLE), signed.bundle.as_bytes(), 0o644)?;
    write_atomic(&home.path(ROOTS), to_pem(roots).as_bytes(), 0o644)
}

/// Keeps a root by itself in the place of `present`: that of a CUHK which hands out no bundle.
///
/// # Errors
/// [`Error::File`].
pub fn keep_root(home: &Home, present: &[Certificate], root: &Certificate) -> Result<(), Error> {
    keep_former(home, present, std::slice::from_ref(root))?;
    write_atomic(&home.path(ROOTS), root.to_pem().as_bytes(), 0o644)
}

/// What counts no more is kept for the receipts of its time.
fn keep_former(home: &Home, present: &[Certificate], roots: &[Certificate]) -> Result<(), Error> {
    let mut former = former_roots(home);
    let dropped = present.iter().filter(|root| !roots.contains(root));
    for root in dropped {
        if !former.contains(root) {
            former.push(root.clone());
        }
    }
    match former.is_empty() {
        true => Ok(()),
        false => write_atomic(&home.path(FORMER), to_pem(&former).as_bytes(), 0o644),
    }
}

fn to_pem(roots: &[Certificate]) -> String {
    roots.iter().map(Certificate::to_pem).collect()
}

//! Keys, permissions, passphrases and the disk.

use std::fs;
use std::path::{Path, PathBuf};

use scb_certs::{Passphrase, SigningKey, read_private};
use scb_cli::{Access, Home, free_space, with_causes};

use super::authorities::Standing;
use super::{Finding, Passphrases, open_current};
use crate::Error;
use crate::config::path;
use crate::issuers::{in_file, is_there, open_key};
use crate::note_keys::Signed;
use crate::passphrase_change::{damage, is_pending};
use crate::store::AuthorityKind;

/// With less than this the disk is as good as full: 64 MiB.
const LEAST_SPACE: u64 = 64 << 20;
/// With less than this it is time to make room: 1 GiB.
const SCARCE_SPACE: u64 = 1 << 30;

pub(super) fn check(
    home: &Home,
    authorities: &[Standing],
    passphrases: &Passphrases,
) -> Vec<Finding> {
    let mut findings = vec![directories(home, authorities)];
    findings.extend(authorities.iter().map(|one| authority_key(home, one)));
    findings.extend(note_keys(home));
    findings.extend(own_keys(home));
    findings.push(database(home));
    findings.push(issuers_open(home, passphrases.issuers.as_ref()));
    findings.push(root_opens(home, passphrases.root.as_ref()));
    findings.push(disk(home));
    findings
}

fn directories(home: &Home, authorities: &[Standing]) -> Finding {
    let of_authorities = authorities.iter().map(|one| path::authority(one.signer));
    let others = [path::TLS, path::TOKENS, path::KEYS].map(str::to_owned);
    let below = of_authorities.chain(others).map(|dir| home.path(&dir));
    // Those of the server's own keys are made by `serve`; that of an authority is looked for with its
    // key.
    let below = below.filter(|dir| dir.exists());
    let all = std::iter::once(home.dir().to_owned()).chain(below);
    for dir in all {
        match Access::of(&dir) {
            Err(error) => return Finding::unseen("directories", error.into()),
            Ok(access) if access.is_shared() => return shared_directory(&dir, access),
            Ok(access) if !access.is_own => return not_own("directories", &dir),
            Ok(_) => {}
        }
    }
    Finding::ok("directories", "only their owner can enter them")
}

fn shared_directory(dir: &Path, access: Access) -> Finding {
    Finding::warn(
        "directories",
        format!(
            "others may enter {} (mode {:03o})",
            dir.display(),
            access.mode
        ),
        format!("chmod 700 {}", dir.display()),
    )
}

fn not_own(check: &'static str, path: &Path) -> Finding {
    Finding::warn(
        check,
        format!("{} belongs to another user", path.display()),
        "run cuhk as the user who owns its home, or give the whole home to the user who runs it \
         (chown -R)",
    )
}

/// The key of an authority: there, encrypted, for its owner only.
fn authority_key(home: &Home, authority: &Standing) -> Finding {
    const CHECK: &str = "authority-key";
    let dir = path::authority(authority.signer);
    let file = home.path(&dir).join(path::KEY);
    let there = match is_there(&file) {
        Ok(there) => there,
        Err(error) => return Finding::unseen(CHECK, error),
    };
    if !there {
        return match authority.signer.kind() {
            AuthorityKind::Root => Finding::ok(
                CHECK,
                format!(
                    "{dir}/{} is not here: kept elsewhere, as it may be",
                    path::KEY
                ),
            ),
            _ => Finding::unseen(
                CHECK,
                Error::AuthorityKeyGone {
                    signer: authority.signer,
                    path: file,
                },
            ),
        };
    }
    if let Some(finding) = unsafe_key(CHECK, &file) {
        return finding;
    }
    encrypted(
        CHECK,
        &file,
        &format!("{dir}/{}", path::KEY),
        "issue certificates",
    )
}

/// The keys that sign the issuance log's checkpoints and cosign the logs of services. A home from
/// before them has none yet.
fn note_keys(home: &Home) -> [Finding; 2] {
    [
        note_key(
            home,
            ("log-key", path::LOG_KEY, "sign checkpoints of the log"),
            |signed| signed.log,
        ),
        note_key(
            home,
            ("witness-key", path::WITNESS_KEY, "cosign logs in its name"),
            |signed| signed.witness,
        ),
    ]
}

fn note_key(
    home: &Home,
    (check, name, power): (&'static str, &str, &str),
    has_signed: impl FnOnce(Signed) -> bool,
) -> Finding {
    let file = home.path(name);
    if file.exists() {
        return unsafe_key(check, &file).unwrap_or_else(|| encrypted(check, &file, name, power));
    }
    // If the database cannot tell, then as if it had.
    match signed(home).is_none_or(has_signed) {
        true => Finding::unseen(check, Error::SigningKeyGone { path: file }),
        false => Finding::ok(check, format!("{name} will be made by `cuhk serve`")),
    }
}

fn signed(home: &Home) -> Option<Signed> {
    let store = open_current(home)?;
    let signed = Signed::of(home, &store);
    store.close_blocking();
    signed.ok()
}

fn encrypted(check: &'static str, file: &Path, name: &str, power: &str) -> Finding {
    match is_encrypted_key(file) {
        Err(error) => Finding::unseen(check, error),
        Ok(true) => Finding::ok(check, format!("{name} is encrypted, for its owner only")),
        Ok(false) => Finding::fail(
            check,
            format!("{} is not encrypted", file.display()),
            format!(
                "whoever reads it can {power}: put back the encrypted file that `cuhk init` wrote, \
                 from a backup"
            ),
        ),
    }
}

/// Whether a passphrase is needed for the key in this file, as far as it can be told without one.
fn is_encrypted_key(file: &Path) -> Result<bool, Error> {
    let read = read_private(file).and_then(|pem| SigningKey::from_pem(&pem, None));
    match read {
        Err(scb_certs::Error::PassphraseNeeded) => Ok(true),
        // That of a log lies open, too, if it is one at all.
        Ok(_) | Err(scb_certs::Error::KeyUnsupported) => Ok(false),
        Err(error) => Err(in_file(file)(error)),
    }
}

/// What is wrong with who may touch a key file.
fn unsafe_key(check: &'static str, file: &Path) -> Option<Finding> {
    match Access::of(file) {
        Err(error) => Some(Finding::unseen(check, error.into())),
        Ok(access) if access.is_shared() => Some(Finding::fail(
            check,
            format!(
                "others may use {} (mode {:03o})",
                file.display(),
                access.mode
            ),
            format!(
                "chmod 600 {}; if others use this machine, somebody may have copied it: replace \
                 the key (of an issuing authority: cuhk keys withdraw NAME --replace)",
                file.display()
            ),
        )),
        Ok(access) if !access.is_own => Some(not_own(check, file)),
        Ok(_) => None,
    }
}

/// The keys of the server's own certificates, which `serve` makes.
fn own_keys(home: &Home) -> Vec<Finding> {
    const CHECK: &str = "own-keys";
    let mut findings = Vec::new();
    for dir in [path::TLS, path::TOKENS] {
        match keys_in(&home.path(dir)) {
            Ok(keys) => findings.extend(keys.iter().filter_map(|key| own_key(CHECK, key))),
            Err(error) => findings.push(Finding::unseen(CHECK, error)),
        }
    }
    if findings.is_empty() {
        findings.push(Finding::ok(
            CHECK,
            "the server's own keys are for their owner only",
        ));
    }
    findings
}

/// What is wrong with one of them.
fn own_key(check: &'static str, file: &Path) -> Option<Finding> {
    let damaged = |error| made_anew(check, error, file);
    unsafe_key(check, file).or_else(|| is_encrypted_key(file).err().map(damaged))
}

/// What is damaged of the server's own needs no backup.
pub(super) fn made_anew(check: &'static str, error: Error, file: &Path) -> Finding {
    let mend = format!(
        "remove {}: the next start of `cuhk serve` makes another",
        file.display()
    );
    Finding::fail(check, with_causes(&error), mend)
}

fn keys_in(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |source| scb_cli::Error::File {
        action: "read",
        path: dir.to_owned(),
        source,
    };
    let mut keys = Vec::new();
    if !dir.exists() {
        return Ok(keys);
    }
    for entry in fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_name().to_string_lossy().starts_with("key-") {
            keys.push(entry.path());
        }
    }
    Ok(keys)
}

fn database(home: &Home) -> Finding {
    const CHECK: &str = "database-file";
    let file = home.path(path::DATABASE);
    match Access::of(&file) {
        Err(error) => Finding::unseen(CHECK, error.into()),
        Ok(access) if access.is_shared() => Finding::warn(
            CHECK,
            format!(
                "others may use {} (mode {:03o})",
                file.display(),
                access.mode
            ),
            format!(
                "it holds names and addresses of students: chmod 600 {}",
                file.display()
            ),
        ),
        Ok(access) if !access.is_own => not_own(CHECK, &file),
        Ok(_) => Finding::ok(CHECK, format!("{} is for its owner only", path::DATABASE)),
    }
}

fn issuers_open(home: &Home, passphrase: Option<&Passphrase>) -> Finding {
    const CHECK: &str = "passphrase";
    if let Some(error) = damage(home, passphrase) {
        return Finding::unseen(CHECK, error);
    }
    if is_pending(home.dir()) {
        return Finding::warn(
            CHECK,
            "the keys got another passphrase, and not all files are at their places yet",
            "start `cuhk serve` with the new passphrase, or type `cuhk keys passphrase` again: either finishes it",
        );
    }
    let Some(passphrase) = passphrase else {
        return Finding::ok(CHECK, "not tried: give --passphrase-file to try it");
    };
    match crate::Issuers::unlock(home, passphrase) {
        Ok(_) => Finding::ok(
            CHECK,
            "it opens every issuing authority's key, which is its own",
        ),
        Err(error) => Finding::unseen(CHECK, error),
    }
}

fn root_opens(home: &Home, passphrase: Option<&Passphrase>) -> Finding {
    const CHECK: &str = "root-passphrase";
    let Some(passphrase) = passphrase else {
        return Finding::ok(CHECK, "not tried: give --root-passphrase-file to try it");
    };
    let file = home.path(path::ROOT).join(path::KEY);
    match open_key(&file, passphrase) {
        Ok(_) => Finding::ok(CHECK, "it opens the root's key"),
        Err(error) => Finding::unseen(CHECK, error),
    }
}

fn disk(home: &Home) -> Finding {
    // Why the records cannot be read is told with them.
    if let Some(error) = scb_storage::frozen(&home.path(path::DATABASE)) {
        return Finding::unseen("disk", error.into());
    }
    match free_space(home.dir()) {
        Ok(free) => room(free, &home.path(path::DATABASE)),
        Err(error) => Finding::unseen("disk", error.into()),
    }
}

fn room(free: u64, database: &Path) -> Finding {
    let size = fs::metadata(database).map_or(0, |found| found.len());
    let seen = format!(
        "{} MiB free, the database has {} KiB",
        free >> 20,
        size >> 10
    );
    let mend = "make room on that disk, for example by moving old backups to another one; then `cuhk \
                prune` makes the database smaller, which takes as much room again for a moment";
    match free {
        ..LEAST_SPACE => Finding::fail("disk", seen, mend),
        LEAST_SPACE..SCARCE_SPACE => Finding::warn("disk", seen, mend),
        _ => Finding::ok("disk", seen),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Outcome;
    use super::*;

    #[test]
    fn little_room_is_a_warning_and_none_a_failure() {
        let database = Path::new("/none");
        for (free, outcome) in [
            (0, Outcome::Fail),
            (LEAST_SPACE - 1, Outcome::Fail),
            (LEAST_SPACE, Outcome::Warn),
            (SCARCE_SPACE - 1, Outcome::Warn),
            (SCARCE_SPACE, Outcome::Ok),
        ] {
            assert_eq!(room(free, database).outcome, outcome, "{free}");
        }
    }
}

//! What an archive says about itself.

use std::collections::BTreeSet;

use scb_certs::Fingerprint;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::config::path;

/// Its name in the archive, where it is the last file.
pub(super) const NAME: &str = "manifest.json";
const TYPE: &str = "cuhk-backup";
const VERSION: u32 = 1;
/// Most files in a backup: a log has two for each 256 entries, which are 256 million here.
pub(crate) const MAX_FILES: usize = 2_000_000;
/// What a backup must hold to be one.
const NEEDED: [&str; 3] = [path::DATABASE, "role", "root/cert.pem"];

/// The manifest of one backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    #[serde(rename = "type")]
    kind: String,
    v: u32,
    /// The version of the program that wrote it.
    pub(super) program: String,
    /// The schema of the database.
    pub(super) schema: i64,
    /// When it was made (RFC 3339).
    pub(super) made_at: String,
    /// SHA-256 of the root certificate.
    pub(super) root_sha256: Fingerprint,
    /// All files but the manifest.
    pub(super) files: Vec<Entry>,
}

/// One file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    /// Its path below the home, with slashes.
    pub(super) name: String,
    /// Bytes.
    pub(super) size: u64,
    /// SHA-256 of its content.
    pub(super) sha256: Fingerprint,
}

impl Manifest {
    pub(super) fn new(
        files: Vec<Entry>,
        schema: i64,
        made_at: String,
        root_sha256: Fingerprint,
    ) -> Self {
        Self {
            kind: TYPE.to_owned(),
            v: VERSION,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            schema,
            made_at,
            root_sha256,
            files,
        }
    }

    /// Reads a manifest whose every name stays below the home, none of them twice.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let manifest: Self =
            serde_json::from_slice(bytes).map_err(|error| format!("{NAME}: {error}"))?;
        if manifest.kind != TYPE {
            return Err("it is not a backup of cuhk".to_owned());
        }
        if manifest.v != VERSION {
            return Err(format!(
                "it is of version {}, this program reads {VERSION}",
                manifest.v
            ));
        }
        if manifest.schema < 1 {
            return Err("the database in it is empty".to_owned());
        }
        if manifest.files.len() > MAX_FILES {
            return Err(format!("it has more than {MAX_FILES} files"));
        }
        let mut names = BTreeSet::new();
        for entry in &manifest.files {
            if !is_plain(&entry.name) || !names.insert(entry.name.as_str()) {
                return Err(format!("{:?} is no name in a home", entry.name));
            }
        }
        match NEEDED.iter().find(|name| !names.contains(*name)) {
            Some(missing) => Err(format!("{missing} is missing")),
            None => Ok(manifest),
        }
    }
}

/// Before anything is written that nobody could read.
///
/// # Errors
///
/// [`Error::BackupTooLarge`].
pub(super) fn require_room(files: usize) -> Result<(), Error> {
    match files > MAX_FILES {
        true => Err(Error::BackupTooLarge {
            files,
            most: MAX_FILES,
        }),
        false => Ok(()),
    }
}

/// Whether it is a relative path of at most eight plain parts: letters, digits, `.`, `_`, `-`,
/// none of them beginning with a dot.
pub(super) fn is_plain(name: &str) -> bool {
    let plain = |part: &str| {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        !part.is_empty() && !part.starts_with('.') && part.bytes().all(known)
    };
    name.len() <= 255 && name.split('/').count() <= 8 && name.split('/').all(plain)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn manifest(names: &[&str]) -> Manifest {
        let entry = |name: &&str| Entry {
            name: (*name).to_owned(),
            size: 1,
            sha256: Fingerprint::of(b"x"),
        };
        let files = names.iter().map(entry).collect();
        Manifest::new(
            files,
            3,
            "2026-11-21T12:00:00Z".into(),
            Fingerprint::of(b"root"),
        )
    }

    fn parse(manifest: &Manifest) -> Result<Manifest, String> {
        Manifest::parse(&serde_json::to_vec(manifest).unwrap())
    }

    #[test]
    fn reads_what_it_writes() {
        let manifest = manifest(
            &[
                &NEEDED[..],
                &["issuers/students/key.pem", "log/tile/0/x001"],
            ]
            .concat(),
        );
        assert_eq!(parse(&manifest).unwrap(), manifest);
    }

    #[test]
    fn takes_the_log_of_decades_and_the_writer_says_when_there_is_no_more_room() {
        // 5 million entries each year, for five years.
        let names: Vec<_> = (0..200_000)
            .map(|nth| format!("log/tile/0/{nth}"))
            .collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let manifest = manifest(&[&NEEDED[..], &names].concat());
        assert_eq!(parse(&manifest).unwrap().files.len(), 200_003);
        assert!(require_room(MAX_FILES).is_ok());
        let refused = require_room(MAX_FILES + 1).unwrap_err().to_string();
        assert!(refused.contains("2000001 files"), "{refused}");
    }

    #[test]
    fn refuses_names_that_leave_the_home_or_come_twice() {
        for name in [
            "../x",
            "/etc/passwd",
            "a/../b",
            "a//b",
            "",
            ".",
            "..",
            "a/.hidden",
            "a\\b",
            "a b",
            "a\0b",
            "role",
            "1/2/3/4/5/6/7/8/9",
        ] {
            let manifest = manifest(&[&NEEDED[..], &[name]].concat());
            assert!(parse(&manifest).is_err(), "{name:?}");
        }
    }

    #[test]
    fn refuses_what_is_no_backup_or_half_of_one() {
        let whole = manifest(&NEEDED);
        let other = Manifest {
            kind: "receipt".into(),
            ..whole.clone()
        };
        let empty = Manifest {
            schema: 0,
            ..whole.clone()
        };
        let newer = Manifest { v: 2, ..whole };
        for manifest in [other, empty, newer, manifest(&NEEDED[1..])] {
            assert!(parse(&manifest).is_err(), "{manifest:?}");
        }
        assert!(Manifest::parse(b"{}").is_err());
    }
}

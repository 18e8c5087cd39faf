//! Which files of a home belong into a backup.

use std::fs::{self, DirEntry};
use std::path::{Path, PathBuf};

use scb_certs::is_encrypted;
use scb_cli::{Home, read_limited};

use super::manifest::is_plain;
use crate::Error;
use crate::config::path;
use crate::draft;
use crate::issuers::stored;
use crate::store::AuthorityKind;

/// Largest file that may be a key, in bytes.
const MAX_KEY: u64 = 64 * 1024;
/// Directories whose whole content is taken, besides those of roots: the issuing authorities, and
/// the log if there is one.
const TREES: [&str; 3] = ["issuers", path::KEYS, path::LOG];
const FILES: [&str; 3] = ["role", path::CONFIG, path::ROOT_CERTIFICATE_COPY];

/// A file to be taken.
#[derive(Debug)]
pub(super) struct Source {
    /// Its name in the archive.
    pub(super) name: String,
    /// Where its bytes are.
    pub(super) path: PathBuf,
}

/// All files to be taken, with `database` for the database, and the names of those that hold a
/// key in the clear and are left out.
pub(super) fn collect(home: &Home, database: PathBuf) -> Result<(Vec<Source>, Vec<String>), Error> {
    let mut sources = vec![Source {
        name: path::DATABASE.to_owned(),
        path: database,
    }];
    let mut left_out = Vec::new();
    for name in FILES {
        let path = home.path(name);
        if path.exists() {
            sources.push(Source {
                name: name.to_owned(),
                path,
            });
        }
    }
    let roots = stored(home, AuthorityKind::Root)?
        .into_iter()
        .map(path::authority);
    for tree in roots.chain(TREES.map(str::to_owned)) {
        for source in below(home, &tree)? {
            match is_key_in_the_clear(&source.path)? {
                false => sources.push(source),
                // A backup without an authority's key would be none.
                true if tree != path::LOG => {
                    return Err(Error::KeyInTheClear { path: source.path });
                }
                true => left_out.push(source.name),
            }
        }
    }
    Ok((sources, left_out))
}

/// The files below a directory of the home, if it is there, in the order of their names.
fn below(home: &Home, tree: &str) -> Result<Vec<Source>, Error> {
    let mut found = Vec::new();
    let mut waiting = vec![tree.to_owned()];
    while let Some(name) = waiting.pop() {
        let dir = home.path(&name);
        if !dir.exists() {
            continue;
        }
        for entry in fs::read_dir(&dir).map_err(draft::file("read", &dir))? {
            let entry = entry.map_err(draft::file("read", &dir))?;
            let Some(name) = plain_name(&name, &entry) else {
                // A temporary file of somebody who is writing.
                continue;
            };
            match entry.file_type().map_err(draft::file("read", &dir))? {
                kind if kind.is_dir() => waiting.push(name),
                kind if kind.is_file() => found.push(Source {
                    name,
                    path: entry.path(),
                }),
                _ => {}
            }
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

fn plain_name(parent: &str, entry: &DirEntry) -> Option<String> {
    let name = format!("{parent}/{}", entry.file_name().to_str()?);
    let is_temporary = name.ends_with(".tmp") || name.ends_with("/lock");
    (is_plain(&name) && !is_temporary).then_some(name)
}

fn is_key_in_the_clear(path: &Path) -> Result<bool, Error> {
    let size = fs::metadata(path).map_err(draft::file("read", path))?.len();
    if size > MAX_KEY {
        return Ok(false);
    }
    let bytes = zeroize::Zeroizing::new(read_limited(path, MAX_KEY)?);
    let text = String::from_utf8_lossy(&bytes);
    // PEM, or the format of the Go signed note.
    let is_key = text.contains("PRIVATE KEY-----") || text.starts_with("PRIVATE+KEY+");
    Ok(is_key && !is_encrypted(&text))
}

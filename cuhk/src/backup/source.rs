//! Which files of a home belong into a backup.

use std::fs::{self, DirEntry};
use std::path::{Path, PathBuf};

use scb_certs::is_encrypted;
use scb_cli::{Home, create_private_dir, read_limited};

use super::manifest::is_plain;
use crate::Error;
use crate::config::path;
use crate::draft;
use crate::issuers::stored;
use crate::store::AuthorityKind;

/// Largest file that may be a key, in bytes.
const MAX_KEY: u64 = 64 * 1024;
/// Directories whose whole content is taken, besides those of roots.
const TREES: [&str; 2] = ["issuers", path::KEYS];
/// What says how large the log is. The tree that it was signed for is written before it.
const LOG_HEADS: [&str; 2] = ["log/checkpoint", "log/head"];
/// A server that appends may take partial tiles away while they are copied, once in 256 entries.
const ATTEMPTS: usize = 20;
const FILES: [&str; 3] = ["role", path::CONFIG, path::ROOT_CERTIFICATE_COPY];

/// A file to be taken.
#[derive(Debug)]
pub(super) struct Source {
    /// Its name in the archive.
    pub(super) name: String,
    /// Where its bytes are.
    pub(super) path: PathBuf,
}

/// The files of the log, if there is one, of one moment, though a server may append to it: what says how large it is
/// first, and then every tile that this needs. Full tiles never change; what does is copied into `workshop`.
pub(super) fn log_of_one_moment(home: &Home, workshop: &Path) -> Result<Vec<Source>, Error> {
    let mut attempts = 1;
    loop {
        match log_now(home, &workshop.join(format!("log-{attempts}"))) {
            Err(error) if attempts < ATTEMPTS && is_gone(&error) => attempts += 1,
            copied => return copied,
        }
    }
}

fn log_now(home: &Home, copies: &Path) -> Result<Vec<Source>, Error> {
    create_private_dir(copies)?;
    let mut sources = Vec::new();
    let mut copied = |name: String, path: &Path| {
        let copy = copies.join(sources.len().to_string());
        fs::copy(path, &copy).map_err(draft::file("read", path))?;
        sources.push(Source { name, path: copy });
        Ok::<_, Error>(())
    };
    for name in LOG_HEADS {
        let path = home.path(name);
        if path.exists() {
            copied(name.to_owned(), &path)?;
        }
    }
    let is_head = |source: &Source| LOG_HEADS.contains(&source.name.as_str());
    // What goes while it is listed is full the second time.
    let mut others = below(home, path::LOG)?;
    others.extend(below(home, path::LOG)?);
    others.sort_by(|a, b| a.name.cmp(&b.name));
    others.dedup_by(|a, b| a.name == b.name);
    let (partial, full): (Vec<_>, Vec<_>) = others
        .into_iter()
        .filter(|source| !is_head(source))
        .partition(|source| source.name.contains(".p/"));
    for source in partial {
        copied(source.name, &source.path)?;
    }
    sources.extend(full);
    sources.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(sources)
}

fn is_gone(error: &Error) -> bool {
    matches!(error, Error::Local(scb_cli::Error::File { source, .. })
             if source.kind() == std::io::ErrorKind::NotFound)
}

/// All files to be taken, with `database` for the database and `log` for the issuance log, and the names of those
/// that hold a key in the clear and are left out.
pub(super) fn collect(
    home: &Home,
    database: PathBuf,
    log: Vec<Source>,
) -> Result<(Vec<Source>, Vec<String>), Error> {
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
            // A backup without an authority's key would be none.
            if is_key_in_the_clear(&source.path)? {
                return Err(Error::KeyInTheClear { path: source.path });
            }
            sources.push(source);
        }
    }
    for source in log {
        match is_key_in_the_clear(&source.path)? {
            true => left_out.push(source.name),
            false => sources.push(source),
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use scb_cli::Role;
    use scb_tlog::{Algorithm, NoteKey, TileLog};

    use super::*;

    /// What a server appends while a backup is written is not in it, neither in part.
    #[test]
    fn the_log_is_of_one_moment_though_it_grows() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::create(&dir.path().join("home"), Role::Cuhk).unwrap();
        let key =
            NoteKey::generate("cuhk.example/log".parse().unwrap(), Algorithm::Ed25519).unwrap();
        let mut log = TileLog::open(&home.path(path::LOG)).unwrap();
        let mut grow = |entries: std::ops::Range<u16>| {
            let entries: Vec<_> = entries.map(|number| number.to_be_bytes()).collect();
            let head = log.append(&entries).unwrap();
            let checkpoint = log.sign(&key).unwrap();
            log.publish(&checkpoint).unwrap();
            head
        };
        let head = grow(0..219);
        let workshop = dir.path().join("workshop");
        create_private_dir(&workshop).unwrap();
        let sources = log_of_one_moment(&home, &workshop).unwrap();
        // So far that the partial tiles of before are full, and gone.
        grow(219..700);
        let copy = dir.path().join("copy");
        for Source { name, path } in sources {
            let to = copy.join(name);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(path, to).unwrap();
        }
        assert_eq!(TileLog::open(&copy.join(path::LOG)).unwrap().head(), head);
    }
}

//! From what was named on the command line to the files that are handed in: a stable order, and a
//! clear word about whatever cannot be one of them.

use std::collections::HashSet;
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};

use scb_cli::{home_around, owner};
use scb_protocol::statement::{FilePath, MAX_FILES};

use crate::Error;

/// A file that was found, and what it is called in the hand-in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) name: FilePath,
    /// Its size in bytes when it was found.
    pub(super) size: u64,
}

/// What becomes of what lies in a home of one of our programs, with its keys and tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Homes {
    /// Nobody hands it in.
    Refused,
    /// It is a file as any other: it is looked at here, and goes nowhere.
    Looked,
}

/// Every file that was named, and every file in the folders that were named, by name. One folder
/// alone is not part of its files' names; beside others it is.
pub(super) fn find(paths: &[PathBuf], homes: Homes) -> Result<Vec<Found>, Error> {
    let found = Vec::new();
    let (mut walk, mut named) = (Walk { found, homes }, HashSet::new());
    for path in paths {
        // What is named outright may be a link: whoever names it means what it leads to.
        let metadata = fs::metadata(path).map_err(unreadable(path))?;
        if !named.insert(fs::canonicalize(path).map_err(unreadable(path))?) {
            return Err(Error::ReportTwice { path: path.clone() });
        }
        if let (Homes::Refused, Some(home)) = (homes, home_around(path)) {
            let path = path.clone();
            return Err(Error::ReportHome { path, home });
        }
        if metadata.is_dir() {
            let within = match paths.len() {
                1 => Vec::new(),
                _ => vec![name_of(path)?],
            };
            let before = walk.found.len();
            walk.folder(path, &within)?;
            if walk.found.len() == before {
                return Err(Error::ReportNoFiles { path: path.clone() });
            }
        } else if metadata.len() == 0 && metadata.is_file() {
            return Err(Error::ReportEmpty { path: path.clone() });
        } else {
            walk.file(path, &[], &metadata)?;
        }
    }
    if walk.found.iter().all(|file| file.size == 0) {
        let path = paths.first().cloned().unwrap_or_default();
        return Err(Error::ReportEmpty { path });
    }
    Ok(walk.found)
}

struct Walk {
    found: Vec<Found>,
    homes: Homes,
}

impl Walk {
    fn folder(&mut self, dir: &Path, within: &[String]) -> Result<(), Error> {
        if self.homes == Homes::Refused && owner(dir).is_some() {
            let (path, home) = (dir.to_owned(), dir.to_owned());
            return Err(Error::ReportHome { path, home });
        }
        let mut names = Vec::new();
        for entry in fs::read_dir(dir).map_err(unreadable(dir))? {
            names.push(entry.map_err(unreadable(dir))?.file_name());
            // Every entry is a file or has files: more names than files is too many already,
            // unless folders are empty. Nobody waits until 100,000 are sorted.
            if names.len() > 100 * MAX_FILES {
                return Err(Error::ReportTooMany { path: dir.into() });
            }
        }
        names.sort();
        for name in names {
            let path = dir.join(name);
            let metadata = fs::symlink_metadata(&path).map_err(unreadable(&path))?;
            if metadata.is_symlink() {
                return Err(Error::ReportLink { path });
            }
            if metadata.is_dir() {
                let mut within = within.to_vec();
                within.push(name_of(&path)?);
                self.folder(&path, &within)?;
            } else {
                self.file(&path, within, &metadata)?;
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, within: &[String], metadata: &Metadata) -> Result<(), Error> {
        if !metadata.is_file() {
            return Err(Error::ReportKind { path: path.into() });
        }
        if self.found.len() == MAX_FILES {
            return Err(Error::ReportTooMany { path: path.into() });
        }
        let mut parts = within.to_vec();
        parts.push(name_of(path)?);
        let name = parts.join("/").parse();
        let name: FilePath =
            name.map_err(|error: scb_protocol::Error| named(path, error.to_string()))?;
        if name.is_blank() {
            return Err(named(path, "it shows nothing".into()));
        }
        self.found.push(Found {
            path: path.into(),
            name,
            size: metadata.len(),
        });
        Ok(())
    }
}

/// The last part of a path, as it is called; `.` and `dir/..` are called what they are.
fn name_of(path: &Path) -> Result<String, Error> {
    let resolved;
    let name = match path.file_name() {
        Some(name) => name,
        None => {
            resolved = fs::canonicalize(path).map_err(unreadable(path))?;
            let name = resolved.file_name();
            name.ok_or_else(|| named(path, "it has no name".into()))?
        }
    };
    let name = name.to_str().map(ToOwned::to_owned);
    name.ok_or_else(|| named(path, "it is not UTF-8".into()))
}

fn named(path: &Path, reason: String) -> Error {
    Error::ReportName {
        path: path.to_owned(),
        reason,
    }
}

fn unreadable(path: &Path) -> impl FnOnce(std::io::Error) -> Error + '_ {
    move |source| Error::Report {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use scb_cli::{Home, Role};

    use super::*;

    fn find(paths: &[PathBuf]) -> Result<Vec<Found>, Error> {
        super::find(paths, Homes::Refused)
    }

    fn tree(files: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join("work").join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        dir
    }

    fn names(paths: &[PathBuf]) -> Vec<String> {
        let found = find(paths).unwrap().into_iter();
        found.map(|file| file.name.to_string()).collect()
    }

    #[test]
    fn a_folder_is_walked_in_one_order() {
        let dir = tree(&["b.txt", "a/z", "a/b/c", "報告.pdf", "B.txt2"]);
        let work = dir.path().join("work");
        let order = ["B.txt2", "a/b/c", "a/z", "b.txt", "報告.pdf"];
        assert_eq!(names(std::slice::from_ref(&work)), order);
        assert_eq!(names(&[work.join("a/..")]), order);
    }

    #[test]
    fn beside_others_a_folder_is_part_of_the_names() {
        let dir = tree(&["report.pdf", "src/main.c"]);
        let work = dir.path().join("work");
        let paths = [work.join("report.pdf"), work.join("src")];
        assert_eq!(names(&paths), ["report.pdf", "src/main.c"]);
        assert_eq!(names(&paths[1..]), ["main.c"]);
    }

    #[test]
    fn refuses_what_holds_nothing() {
        let dir = tree(&["full/x"]);
        let work = dir.path().join("work");
        fs::create_dir(work.join("hollow")).unwrap();
        fs::write(work.join("empty.pdf"), "").unwrap();
        let hollow = find(&[work.join("hollow")]).unwrap_err();
        assert!(matches!(hollow, Error::ReportNoFiles { .. }), "{hollow}");
        let empty = find(&[work.join("full"), work.join("empty.pdf")]).unwrap_err();
        assert!(matches!(empty, Error::ReportEmpty { .. }), "{empty}");
        // Beside others in a folder a file may be empty, as many are in source code.
        assert_eq!(names(&[work]), ["empty.pdf", "full/x"]);
    }

    #[cfg(unix)]
    #[test]
    fn refuses_links_in_a_folder_and_what_is_no_file() {
        let dir = tree(&["a", "b/c"]);
        let work = dir.path().join("work");
        std::os::unix::fs::symlink("/etc/passwd", work.join("b/link")).unwrap();
        let error = find(std::slice::from_ref(&work)).unwrap_err();
        assert!(matches!(error, Error::ReportLink { .. }), "{error}");
        // A link that is named outright is meant.
        assert_eq!(names(&[work.join("b/link")]), ["link"]);
        fs::remove_file(work.join("b/link")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(work.join("b/socket")).unwrap();
        let error = find(&[work]).unwrap_err();
        assert!(matches!(error, Error::ReportKind { .. }), "{error}");
    }

    #[test]
    fn refuses_a_home_whatever_way_it_comes() {
        let dir = tree(&["report.pdf", "src/main.c"]);
        let work = dir.path().join("work");
        for role in [Role::Student, Role::Blackboard, Role::Cuhk] {
            let home = work.join("src/.deep").join(role.as_str());
            Home::create(&home, role).unwrap();
            let key = home.join("students/A/key.pem");
            fs::create_dir_all(key.parent().unwrap()).unwrap();
            fs::write(&key, "a key").unwrap();
            let beside = work.join("report.pdf");
            for named in [
                &work,
                &work.join("src"),
                &home,
                &home.join("students"),
                &key,
            ] {
                for paths in [vec![named.clone()], vec![beside.clone(), named.clone()]] {
                    let error = find(&paths).unwrap_err();
                    assert!(matches!(error, Error::ReportHome { .. }), "{error}");
                    assert!(error.to_string().contains(role.as_str()), "{error}");
                    // To compare it with a receipt is harmless.
                    super::find(&paths, Homes::Looked).unwrap();
                }
            }
            fs::remove_dir_all(&home).unwrap();
        }
        assert_eq!(names(&[work]), ["report.pdf", "src/main.c"]);
    }

    #[test]
    fn refuses_more_than_a_hundred_files_and_names_that_could_do_harm() {
        let many: Vec<String> = (0..101).map(|n| format!("f{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let dir = tree(&many);
        let error = find(&[dir.path().join("work")]).unwrap_err();
        assert!(matches!(error, Error::ReportTooMany { .. }), "{error}");
        let told = error.to_string();
        assert!(
            told.contains("more than 100 files (counted as far as "),
            "{told}"
        );
        // The last of them in their order, which is no worse than the others.
        assert!(told.ends_with("work/f99)"), "{told}");
        fs::remove_file(dir.path().join("work/f7")).unwrap();
        assert_eq!(names(&[dir.path().join("work")]).len(), 100);
        for name in ["a\nb", "\u{3164}", "src/\u{a0}"] {
            let dir = tree(&[name]);
            let error = find(&[dir.path().join("work")]).unwrap_err();
            assert!(matches!(error, Error::ReportName { .. }), "{error}");
            assert!(!error.to_string().contains('\n'), "{error}");
        }
    }
}

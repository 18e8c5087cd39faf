//! A program's home: the directory with its keys, configuration and records.

use std::fmt;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;

use crate::{Error, create_private_dir, read_limited, write_atomic};

const ROLE_FILE: &str = "role";
const ROLE_LIMIT: u64 = 64;

/// Whose home it is. Roles never share one: their keys must not meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The certification authority.
    Cuhk,
    /// The learning platform.
    Blackboard,
    /// The students' program.
    Student,
}

impl Role {
    /// The name of the program and of its home directory.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cuhk => "cuhk",
            Self::Blackboard => "blackboard",
            Self::Student => "student",
        }
    }

    fn named(name: &str) -> Option<Self> {
        let mut all = [Self::Cuhk, Self::Blackboard, Self::Student].into_iter();
        all.find(|role| role.as_str() == name)
    }

    /// The environment variable that names this role's home.
    const fn variable(self) -> &'static str {
        match self {
            Self::Cuhk => "SCB_CUHK_HOME",
            Self::Blackboard => "SCB_BLACKBOARD_HOME",
            Self::Student => "SCB_STUDENT_HOME",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `--home DIR`, to be flattened into a program's arguments.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct HomeArgs {
    /// Directory with this program's keys and records [default: in the user's data directory]
    // Those of one command come before those of all.
    #[arg(long, value_name = "DIR", global = true, display_order = 900)]
    pub home: Option<PathBuf>,
}

impl HomeArgs {
    /// The flag, else `SCB_<ROLE>_HOME`, else the directory in the user's data.
    pub fn resolve(&self, role: Role) -> PathBuf {
        let variable = std::env::var_os(role.variable()).filter(|v| !v.is_empty());
        self.home
            .clone()
            .or_else(|| variable.map(PathBuf::from))
            .unwrap_or_else(|| default_home(role.as_str()))
    }
}

/// `$XDG_DATA_HOME/scb/<role>`, or what the system uses in its place. A user without a
/// home directory gets `scb/<role>` in the current one.
fn default_home(role: &str) -> PathBuf {
    let data = etcetera::choose_base_strategy().map(|base| base.data_dir());
    data.unwrap_or_default().join("scb").join(role)
}

/// A directory that was found to be, or made, the home of one role.
#[derive(Clone, Debug)]
pub struct Home {
    dir: PathBuf,
    role: Role,
}

impl Home {
    /// Opens an existing home.
    ///
    /// # Errors
    /// [`Error::NoHome`] when it was never created, [`Error::WrongRole`] when it belongs
    /// to another program.
    pub fn open(dir: &Path, role: Role) -> Result<Self, Error> {
        match role_of(dir)? {
            None => Err(Error::NoHome {
                path: dir.to_owned(),
                role,
            }),
            Some(found) if found != role.as_str() => Err(Error::WrongRole {
                path: dir.to_owned(),
                found,
                expected: role,
            }),
            Some(_) => Ok(Self {
                dir: dir.to_owned(),
                role,
            }),
        }
    }

    /// Opens the home, making it (mode 0700) when there is none yet.
    ///
    /// # Errors
    /// [`Error::WrongRole`]; [`Error::NotEmpty`] when the directory holds other things.
    pub fn create(dir: &Path, role: Role) -> Result<Self, Error> {
        if role_of(dir)?.is_none() {
            match create_private_dir(dir) {
                // Another program has just made it a home.
                Err(Error::NotEmpty { .. }) if role_of(dir)?.is_some() => {}
                made => made.and_then(|()| claim(dir, role))?,
            }
        }
        Self::open(dir, role)
    }

    /// The directory itself.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whose home it is.
    pub fn role(&self) -> Role {
        self.role
    }

    /// A file or directory in it. `name` is the program's own, never a peer's.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

/// Whose home this directory is, by the mark that every home has; none if it is no home.
pub fn owner(dir: &Path) -> Option<Role> {
    Role::named(&role_of(dir).ok().flatten()?)
}

/// The home in which this lies, or which it is, of whichever role; none if it lies in none. Links are
/// followed first.
pub fn home_around(path: &Path) -> Option<PathBuf> {
    let path = path.canonicalize().ok()?;
    let mut around = path.ancestors();
    around.find(|dir| owner(dir).is_some()).map(Path::to_owned)
}

fn claim(dir: &Path, role: Role) -> Result<(), Error> {
    write_atomic(&dir.join(ROLE_FILE), format!("{role}\n").as_bytes(), 0o600)
}

/// What the role file says; none when there is no such file.
fn role_of(dir: &Path) -> Result<Option<String>, Error> {
    match read_limited(&dir.join(ROLE_FILE), ROLE_LIMIT) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).trim().to_owned())),
        Err(Error::File { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_created_home_opens_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/home");
        Home::create(&path, Role::Cuhk).unwrap();
        std::fs::write(path.join("key.pem"), b"x").unwrap();
        Home::create(&path, Role::Cuhk).unwrap();
        let home = Home::open(&path, Role::Cuhk).unwrap();
        assert_eq!(home.path("key.pem"), path.join("key.pem"));
        assert_eq!(home.role(), Role::Cuhk);
    }

    #[test]
    fn refuses_the_home_of_another_role() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("home");
        Home::create(&path, Role::Cuhk).unwrap();
        for refused in [
            Home::open(&path, Role::Blackboard),
            Home::create(&path, Role::Blackboard),
        ] {
            let error = refused.unwrap_err();
            let said = error.to_string();
            assert!(said.ends_with("is the home of `cuhk`, not of `blackboard`"));
            assert!(error.remedy().unwrap().contains("--home"));
        }
        assert_eq!(role_of(&path).unwrap().unwrap(), "cuhk");
    }

    #[cfg(unix)]
    #[test]
    fn a_home_is_known_from_within_and_through_a_link_and_nothing_else_is_one() {
        let dir = tempfile::tempdir().unwrap();
        let outside = dir.path().canonicalize().unwrap();
        for role in [Role::Cuhk, Role::Blackboard, Role::Student] {
            let home = outside.join(role.as_str());
            Home::create(&home, role).unwrap();
            let key = home.join("students/A/key.pem");
            std::fs::create_dir_all(key.parent().unwrap()).unwrap();
            std::fs::write(&key, b"x").unwrap();
            assert_eq!(owner(&home), Some(role));
            assert_eq!(home_around(&home), Some(home.clone()));
            assert_eq!(home_around(&key), Some(home.clone()));
            let link = outside.join(format!("to-{role}"));
            std::os::unix::fs::symlink(&key, &link).unwrap();
            assert_eq!(home_around(&link), Some(home));
        }
        assert_eq!(home_around(&outside), None);
        for other in ["actor", "student's", &"student".repeat(100)] {
            std::fs::write(outside.join("role"), other).unwrap();
            assert_eq!(owner(&outside), None, "{other}");
        }
        assert_eq!(home_around(&outside.join("missing")), None);
    }

    #[test]
    fn refuses_to_open_what_was_never_created() {
        let dir = tempfile::tempdir().unwrap();
        let error = Home::open(dir.path(), Role::Cuhk).unwrap_err();
        assert!(matches!(error, Error::NoHome { .. }));
        assert!(error.remedy().unwrap().contains("`cuhk init`"));
        assert!(!dir.path().join(ROLE_FILE).exists());
    }

    #[test]
    fn refuses_to_settle_among_other_files() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("thesis.tex"), b"x").unwrap();
        let error = Home::create(dir.path(), Role::Student).unwrap_err();
        assert!(matches!(error, Error::NotEmpty { .. }));
    }

    #[test]
    fn the_flag_comes_first() {
        let args = HomeArgs {
            home: Some("/chosen".into()),
        };
        assert_eq!(args.resolve(Role::Student), Path::new("/chosen"));
    }

    /// Run by [`child_with`] in a process of its own, whose environment is known.
    #[test]
    fn child_sees_its_home() {
        if let Some(expected) = std::env::var_os("SCB_TEST_EXPECTED_HOME") {
            let found = HomeArgs::default().resolve(Role::Cuhk);
            assert_eq!(found, PathBuf::from(expected));
        }
    }

    fn child_with(variables: &[(&str, &str)], expected: &str) -> bool {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "home::tests::child_sees_its_home"])
            .env_remove("SCB_CUHK_HOME")
            .env_remove("XDG_DATA_HOME")
            .env("HOME", "/users/may")
            .envs(variables.iter().copied())
            .env("SCB_TEST_EXPECTED_HOME", expected)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap()
            .success()
    }

    #[cfg(unix)]
    #[test]
    fn default_honours_the_environment() {
        let xdg = ("XDG_DATA_HOME", "/data");
        let own = ("SCB_CUHK_HOME", "/own");
        assert!(child_with(&[], "/users/may/.local/share/scb/cuhk"));
        assert!(child_with(&[xdg], "/data/scb/cuhk"));
        assert!(child_with(&[xdg, own], "/own"));
        assert!(!child_with(&[xdg], "/users/may/.local/share/scb/cuhk"));
    }
}

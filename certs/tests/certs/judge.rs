//! Programs from elsewhere that say whether what we write is what the standards mean.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rustls_pki_types::UnixTime;
use tempfile::TempDir;

/// A program together with a directory for the files that it is to judge.
pub(crate) struct Judge {
    program: &'static str,
    directory: TempDir,
}

impl Judge {
    /// `openssl`; `None`, and a line that says so, if it is absent.
    pub(crate) fn openssl() -> Option<Self> {
        Self::new("openssl", &["version"], "openssl")
    }

    /// `python3` with the package `cryptography`.
    pub(crate) fn python() -> Option<Self> {
        Self::new(
            "python3",
            &["-c", "import cryptography"],
            "python3 with cryptography",
        )
    }

    #[allow(clippy::print_stderr)]
    fn new(program: &'static str, probe: &[&str], name: &str) -> Option<Self> {
        let mut command = Command::new(program);
        command
            .args(probe)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if command.status().is_ok_and(|status| status.success()) {
            return Some(Self {
                program,
                directory: tempfile::tempdir().unwrap(),
            });
        }
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "no {name}");
        eprintln!("skipped: no {name}");
        None
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.directory().join(name), content).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.directory().join(name)).unwrap()
    }

    pub(crate) fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Output {
        Command::new(self.program)
            .args(arguments)
            .current_dir(self.directory())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// Runs it with a command line that is split at spaces; panics unless it succeeds.
    pub(crate) fn accepts(&self, line: &str) -> String {
        let output = self.run(line.split_whitespace());
        assert!(output.status.success(), "{line}\n{}", everything(&output));
        everything(&output)
    }

    /// Runs it; panics if it succeeds.
    pub(crate) fn refuses(&self, line: &str) -> String {
        let output = self.run(line.split_whitespace());
        assert!(!output.status.success(), "{line}\n{}", everything(&output));
        everything(&output)
    }
}

pub(crate) fn everything(output: &Output) -> String {
    let (out, error) = (&output.stdout, &output.stderr);
    format!(
        "{}{}",
        String::from_utf8_lossy(out),
        String::from_utf8_lossy(error)
    )
}

pub(crate) fn attime(time: UnixTime) -> String {
    format!("-attime {}", time.as_secs())
}

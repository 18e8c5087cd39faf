//! A campus of real processes: `cuhk` and `blackboard` on ports of their own, in a directory
//! of their own, and the commands that people type.

// Each test binary uses a part of it.
#![allow(dead_code, unused_imports)]

mod by_hand;
mod faults;
mod judge;
mod monitored;
mod patience;
mod port;
mod pythons;
mod server;
mod small_disk;

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

pub use by_hand::ByHand;
pub use faults::{FaultTable, KnownFault};
pub use judge::{judge, python, python_with, refuses_altered, script};
pub use monitored::{get, monitor, wait_for};
pub use patience::{LONG, PROMISED, usual};
pub use port::Port;
pub use pythons::pythons;
pub use server::Server;
pub use small_disk::{can_mount, on_small_disk};

/// The sample IDs of a sandbox.
pub const SAMPLE: &str = "1155000001,1155000002,1155000003";

/// A sandbox with both servers running.
pub struct Campus {
    pub cuhk: Server,
    pub blackboard: Server,
    sandbox: PathBuf,
    dir: TempDir,
}

impl Campus {
    /// The first two of the three sandbox commands, in order.
    pub fn sandbox() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let sandbox = dir.path().join("sandbox");
        let cuhk = Server::start("cuhk", &serve(&sandbox));
        let blackboard = Server::start("blackboard", &serve(&sandbox));
        Self {
            cuhk,
            blackboard,
            sandbox,
            dir,
        }
    }

    /// A sandbox whose servers were started by other means.
    pub fn of(sandbox: PathBuf, cuhk: Server, blackboard: Server) -> Self {
        Self {
            cuhk,
            blackboard,
            sandbox,
            dir: tempfile::tempdir().unwrap(),
        }
    }

    /// The sandbox's directory.
    pub fn path(&self) -> PathBuf {
        self.sandbox.clone()
    }

    /// A directory beside the sandbox, for whatever a test needs.
    pub fn outside(&self) -> &Path {
        self.dir.path()
    }

    /// `student --sandbox DIR`, with more arguments.
    pub fn student<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Ran {
        Ran::of(
            program("student")
                .arg("--sandbox")
                .arg(self.path())
                .args(arguments),
        )
    }

    /// A student on another machine: a home of its own, told where everything is.
    pub fn student_elsewhere(&self, home: &Path, arguments: &[&str]) -> Ran {
        Ran::of(&mut self.command_elsewhere(home, arguments))
    }

    /// A file beside the sandbox that anybody may hand in.
    pub fn report(&self) -> String {
        let report = self.outside().join("report.txt");
        std::fs::write(&report, "what is handed in").unwrap();
        report.to_str().unwrap().to_owned()
    }

    /// The command of [`Campus::student_elsewhere`], not yet run.
    pub fn command_elsewhere(&self, home: &Path, arguments: &[&str]) -> Command {
        let mut command = program("student");
        command.arg("--home").arg(home);
        command.arg("--cuhk").arg(self.cuhk.address());
        command.arg("--blackboard").arg(self.blackboard.address());
        command.arg("--ca").arg(self.path().join("ca.pem"));
        command.args(arguments);
        command
    }

    /// `cuhk` on the sandbox's home, as its administrator types it.
    pub fn administer_cuhk(&self, arguments: &[&str]) -> Ran {
        let mut command = self.cuhk.beside("cuhk");
        command.arg("--home").arg(self.path().join("cuhk"));
        Ran::of(command.args(arguments))
    }

    /// `blackboard` on the sandbox's home.
    pub fn administer_blackboard(&self, arguments: &[&str]) -> Ran {
        Ran::of(&mut self.administering_blackboard(arguments))
    }

    /// The same, not yet run.
    pub fn administering_blackboard(&self, arguments: &[&str]) -> Command {
        let mut command = self.blackboard.beside("blackboard");
        command.arg("--home").arg(self.path().join("blackboard"));
        command.args(arguments);
        command
    }

    /// Stops `cuhk` and starts it again on the same port.
    pub fn restart_cuhk(&mut self) {
        self.cuhk.stop();
        let arguments = serve_at(&self.path(), &self.cuhk.address());
        self.cuhk = Server::start("cuhk", &arguments);
    }

    /// Stops `blackboard` and starts it again on the same port.
    pub fn restart_blackboard(&mut self) {
        self.blackboard.stop();
        self.start_blackboard_again();
    }

    /// Starts `blackboard`, which has ended, on the same port.
    pub fn start_blackboard_again(&mut self) {
        let arguments = serve_at(&self.path(), &self.blackboard.address());
        self.blackboard = Server::start("blackboard", &arguments);
    }

    /// Starts `cuhk`, which has ended, on the same port.
    pub fn start_cuhk_again(&mut self) {
        let arguments = serve_at(&self.path(), &self.cuhk.address());
        self.cuhk = Server::start("cuhk", &arguments);
    }

    /// Waits until Blackboard keeps some of the content that this program, which has not ended, hands in.
    #[track_caller]
    pub fn until_an_upload_has_begun(&self, student: &mut Child) {
        let uploads = self.path().join("blackboard/content/uploads");
        let began = Instant::now();
        // No command is so quick as to see it before it is over on every machine.
        while !std::fs::read_dir(&uploads).is_ok_and(|mut found| found.next().is_some()) {
            let ended = student.try_wait().unwrap();
            assert!(ended.is_none(), "it was too quick: {ended:?}");
            assert!(began.elapsed() < LONG, "nothing has come");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// The submissions as Blackboard lists them.
    pub fn submissions(&self) -> Vec<Value> {
        let listed = self.administer_blackboard(&["submissions", "list", "--json"]);
        listed.succeeded().json().as_array().unwrap().clone()
    }
}

/// Asks with `student`, on whichever machine, until this receipt has CUHK's cosignature.
#[track_caller]
pub fn until_complete(student: impl Fn(&[&str]) -> Ran, receipt: &str) {
    let began = Instant::now();
    while student(&["verify", receipt, "--json"]).succeeded().json()["pending"] == true {
        assert!(began.elapsed() < LONG, "{receipt} is pending");
        student(&["receipts"]).succeeded();
    }
}

/// A report in this folder that nobody has handed in before: the same again would change nothing.
pub fn version(folder: &Path) -> String {
    static VERSIONS: AtomicUsize = AtomicUsize::new(0);
    let number = VERSIONS.fetch_add(1, Ordering::Relaxed);
    let path = folder.join(format!("version-{number}.txt"));
    std::fs::write(&path, number.to_string()).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Writes a file that only its owner can read, as those with passphrases must be.
pub fn write_secret(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// Copies a directory with all that is in it.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        match path.is_dir() {
            true => copy(&path, &target),
            false => drop(std::fs::copy(path, target).unwrap()),
        }
    }
}

/// Arguments of `serve --sandbox` on a free port.
pub fn serve(sandbox: &Path) -> Vec<std::ffi::OsString> {
    serve_at(sandbox, "127.0.0.1:0")
}

/// Arguments of `serve --sandbox` at an address.
pub fn serve_at(sandbox: &Path, address: &str) -> Vec<std::ffi::OsString> {
    [
        "serve".into(),
        "--sandbox".into(),
        sandbox.into(),
        "--listen".into(),
        address.into(),
    ]
    .into()
}

/// The environment variables that one of them reads.
const READ: [&str; 22] = [
    "NO_COLOR",
    "JOURNAL_STREAM",
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "SUDO_USER",
    "SCB_LOG",
    "CREDENTIALS_DIRECTORY",
    "XDG_DATA_HOME",
    "LC_ALL",
    "LC_MESSAGES",
    "LANG",
    "SCB_STUDENT_HOME",
    "SCB_STUDENT_CUHK",
    "SCB_STUDENT_BLACKBOARD",
    "SCB_CUHK_HOME",
    "SCB_CUHK_LISTEN",
    "SCB_CUHK_HTTP",
    "SCB_CUHK_METRICS",
    "SCB_BLACKBOARD_HOME",
    "SCB_BLACKBOARD_LISTEN",
    "SCB_BLACKBOARD_METRICS",
];

/// One of the three programs, without anything of this process's environment that it reads; a terminal, if
/// it gets one, is of an ordinary kind.
pub fn program(name: &str) -> Command {
    let path = match name {
        "student" => env!("CARGO_BIN_EXE_student"),
        "cuhk" => env!("CARGO_BIN_EXE_cuhk"),
        "blackboard" => env!("CARGO_BIN_EXE_blackboard"),
        other => panic!("no program {other}"),
    };
    let mut command = Command::new(path);
    for variable in READ {
        command.env_remove(variable);
    }
    command.env("TERM", "xterm");
    command
}

/// A line in a shell, in this folder; a part that fails makes it fail.
pub fn shell(folder: &Path, line: &str) -> Ran {
    let mut shell = Command::new("bash");
    // What others' programs print is compared: in no language but this.
    shell.env("LC_ALL", "C");
    shell.args(["-o", "pipefail", "-ec", line]);
    Ran::of(shell.current_dir(folder))
}

/// A command that has ended.
#[derive(Debug)]
pub struct Ran {
    pub exit: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            exit: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    /// Runs a command to its end.
    pub fn of(command: &mut Command) -> Self {
        command.stdin(Stdio::null()).output().unwrap().into()
    }

    /// Runs a command with this on its standard input.
    pub fn fed(command: &mut Command, input: &str) -> Self {
        command.stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // One that reads nothing has ended by now.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap().into()
    }

    /// It must have exited with 0.
    #[track_caller]
    pub fn succeeded(self) -> Self {
        assert_eq!(self.exit, Some(0), "{self:#?}");
        self
    }

    /// It must have been refused with this exit code and refusal code (its output is JSON).
    #[track_caller]
    pub fn refused(self, exit: i32, code: &str) -> Value {
        assert_eq!(self.exit, Some(exit), "{self:#?}");
        let error: Value = serde_json::from_str(&self.stderr)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {self:#?}"));
        assert_eq!(error["error"]["code"], code, "{error:#}");
        error["error"].clone()
    }

    /// Its standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {self:#?}"))
    }
}

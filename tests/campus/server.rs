//! A server process: started, known to be ready, stopped.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use scb_protocol::{Code, Teller};
use tempfile::NamedTempFile;

use super::{Port, program};

/// A running server. Killed when dropped.
pub struct Server {
    child: Child,
    teller: Option<Teller>,
    address: String,
    said: String,
    log: NamedTempFile,
    is_apart: bool,
    /// Its port, once it has ended: it may be started there again.
    held: Option<Port>,
}

impl Server {
    /// Starts `name` and waits until it says where it listens.
    pub fn start(name: &str, arguments: &[OsString]) -> Self {
        Self::start_command(program(name).args(arguments))
    }

    /// Starts a server's command and waits until it says where it listens.
    pub fn start_command(command: &mut Command) -> Self {
        let log = NamedTempFile::new().unwrap();
        let stderr: File = log.reopen().unwrap();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut said = String::new();
        let address = loop {
            let before = said.len();
            if stdout.read_line(&mut said).unwrap() == 0 {
                let status = child.wait().unwrap();
                let log = std::fs::read_to_string(log.path()).unwrap();
                panic!("{command:?} ended with {status}:\n{said}{log}");
            }
            if let Some((_, address)) = said[before..].split_once("listening on ") {
                break address.trim().to_owned();
            }
        };
        // Whatever it says later is read away, so that it never blocks on a full pipe.
        std::thread::spawn(move || stdout.read_to_string(&mut String::new()));
        Self {
            child,
            teller: teller(command),
            address,
            said,
            log,
            is_apart: false,
            held: None,
        }
    }

    /// For a server that was started in file systems of its own: what is to look at its files
    /// must be there, too.
    pub fn apart(mut self) -> Self {
        self.is_apart = true;
        self
    }

    /// A program that sees the same files as this server.
    pub fn beside(&self, name: &str) -> Command {
        if !self.is_apart {
            return program(name);
        }
        let mut command = Command::new("nsenter");
        command.args(["--user", "--mount", "--preserve-credentials"]);
        command.args(["--target", &self.id().to_string()]);
        command.arg(program(name).get_program());
        command
    }

    /// A file of this server, as this process reaches it.
    pub fn sees(&self, path: &Path) -> PathBuf {
        let below_root = path.strip_prefix("/").unwrap();
        match self.is_apart {
            true => Path::new(&format!("/proc/{}/root", self.id())).join(below_root),
            false => path.to_owned(),
        }
    }

    /// Where it listens, `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        self.address.clone()
    }

    /// What it has said on standard output until it was ready.
    pub fn said(&self) -> &str {
        &self.said
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log.path()).unwrap()
    }

    /// Whatever it has refused, `/metrics` had shown as a number before.
    fn refused_as_expected(&self) {
        let (Some(teller), Ok(log)) = (self.teller, std::fs::read_to_string(self.log.path()))
        else {
            return;
        };
        let expected = |code: &Code| code.is_told_by(teller);
        for refusal in log.lines().filter_map(|line| line.split_once(" refused ")) {
            let code = refusal.1.split(':').next();
            let mut known = Code::ALL
                .iter()
                .filter(|known| Some(known.as_str()) == code);
            let is_expected = known.all(expected);
            assert!(
                is_expected,
                "{teller:?} is not expected to refuse so: {refusal:?}"
            );
        }
    }

    /// Its process ID.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.unwrap().success());
    }

    /// Stops it gracefully (SIGTERM) and returns how it ended.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.wait()
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        let ended = self.child.wait().unwrap();
        if self.held.is_none() {
            self.held = Port::of(&self.address);
        }
        ended
    }

    /// Kills it as a power cut would (SIGKILL).
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.wait();
    }
}

impl Drop for Server {
    /// A test that fails says what its servers had to say.
    #[allow(clippy::print_stderr)]
    fn drop(&mut self) {
        if std::thread::panicking() {
            let ended = self.child.try_wait();
            eprintln!("{}: ended {ended:?}:\n{}", self.address, self.log());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !std::thread::panicking() {
            self.refused_as_expected();
        }
    }
}

/// Whose server it is; nobody's where another program runs it.
fn teller(command: &Command) -> Option<Teller> {
    match Path::new(command.get_program()).file_stem()?.to_str()? {
        "cuhk" => Some(Teller::Cuhk),
        "blackboard" => Some(Teller::Blackboard),
        _ => None,
    }
}

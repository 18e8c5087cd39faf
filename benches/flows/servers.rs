//! Real servers in a sandbox of their own, and students whom CUHK has certified.

// Each benchmark uses a part of it.
#![allow(dead_code)]

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use scb_certs::{Certificate, ServiceName, SigningKey, TrustStore, create_request};
use scb_protocol::Step;
use scb_protocol::client::Member;
use scb_protocol::message::cuhk::{Reply, Request};
use scb_protocol::values::Der;
use scb_transport::{ClientTls, Connection, ServerTrust, connect};
use tempfile::TempDir;

/// For whatever a server may take.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Both servers, stopped when dropped.
pub struct Servers {
    dir: TempDir,
    pub cuhk: Server,
    pub blackboard: Server,
}

impl Servers {
    /// Starts both, with `students` on the roster; returns their enrolment codes, too.
    pub fn start(students: usize) -> (Self, Vec<(String, String)>) {
        Self::start_in(students, [&[], &[]])
    }

    /// Likewise, each with something more in its environment.
    pub fn start_in(
        students: usize,
        [cuhk, blackboard]: [Environment<'_>; 2],
    ) -> (Self, Vec<(String, String)>) {
        let dir = tempfile::tempdir().unwrap();
        let sandbox = dir.path().join("sandbox");
        let cuhk = Server::start_in(env!("CARGO_BIN_EXE_cuhk"), &sandbox, cuhk);
        let codes = match students {
            // Those of the sandbox are there anyway.
            0 => Vec::new(),
            _ => import(dir.path(), &sandbox, students),
        };
        let program = env!("CARGO_BIN_EXE_blackboard");
        let blackboard = Server::start_in(program, &sandbox, blackboard);
        let servers = Self {
            dir,
            cuhk,
            blackboard,
        };
        (servers, codes)
    }

    /// Stops it and starts it again, on another port.
    pub fn restart_blackboard(&mut self) {
        self.blackboard.stop();
        self.blackboard = Server::start(env!("CARGO_BIN_EXE_blackboard"), &self.sandbox());
    }

    /// The directory that both have made.
    pub fn sandbox(&self) -> PathBuf {
        self.dir.path().join("sandbox")
    }

    /// The root, without revocation lists, as a student's program trusts it.
    pub fn trust(&self) -> Arc<TrustStore> {
        let pem = std::fs::read_to_string(self.sandbox().join("ca.pem")).unwrap();
        let root = Certificate::from_pem(&pem).unwrap();
        Arc::new(TrustStore::new(root).unwrap())
    }

    /// CPU time that both have used, in seconds.
    pub fn cpu(&self) -> (f64, f64) {
        (self.cuhk.cpu(), self.blackboard.cpu())
    }

    /// Enrols everybody, a few connections after one another, many students on each.
    pub async fn enrol(&self, codes: Vec<(String, String)>) -> Vec<Member> {
        let trust = ServerTrust::Pinned(self.trust());
        let tls = ClientTls::new(trust, ServiceName::cuhk(), None).unwrap();
        let mut members = Vec::with_capacity(codes.len());
        for some in codes.chunks(100) {
            let mut connection = connect(&self.cuhk.address, &tls, Step::One, PATIENCE)
                .await
                .unwrap();
            let _greeting: Reply = connection.receive(Step::One, PATIENCE).await.unwrap();
            for (sid, code) in some {
                members.push(enrol(&mut connection, sid, code).await);
            }
            connection.close().await;
        }
        members
    }
}

/// One enrolment on a connection that was greeted.
pub async fn enrol(connection: &mut Connection, sid: &str, code: &str) -> Member {
    let key = SigningKey::generate().unwrap();
    let request = Request::Enrol {
        sid: sid.parse().unwrap(),
        code: code.parse().unwrap(),
        request: Der::new(create_request(&key).unwrap()),
    };
    connection.send(&request).await.unwrap();
    match connection.receive_reply(Step::Two, PATIENCE).await.unwrap() {
        Reply::Enrolled { chain, token } => Member {
            sid: sid.parse().unwrap(),
            chain,
            key,
            token,
        },
        other => panic!("{other:?}"),
    }
}

/// Puts students on the roster, as an administrator does; returns IDs and codes.
pub fn import(dir: &Path, sandbox: &Path, students: usize) -> Vec<(String, String)> {
    let (roster, sheet) = (dir.join("roster.csv"), dir.join("codes.csv"));
    let row = |n| format!("{},Student {n},{n}@link.example,BSc\n", 1_155_100_000 + n);
    let rows: String = (0..students).map(row).collect();
    std::fs::write(&roster, format!("sid,name,email,programme\n{rows}")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_cuhk"));
    command.arg("--home").arg(sandbox.join("cuhk"));
    command.args(["roster", "import"]).arg(&roster);
    command.arg("--codes-out").arg(&sheet);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let pick = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        (fields[0].to_owned(), fields[3].to_owned())
    };
    let sheet = std::fs::read_to_string(&sheet).unwrap();
    sheet.lines().skip(1).map(pick).collect()
}

/// Variables and their values.
pub type Environment<'a> = &'a [(&'static str, &'a Path)];

/// One server process.
pub struct Server {
    child: Child,
    pub address: String,
}

impl Server {
    /// Starts a program in a sandbox, on a free port.
    pub fn start(program: &str, sandbox: &Path) -> Self {
        Self::start_in(program, sandbox, &[])
    }

    /// Likewise, with something more in its environment.
    pub fn start_in(program: &str, sandbox: &Path, environment: Environment<'_>) -> Self {
        let mut child = Command::new(program)
            .envs(environment.iter().copied())
            .args(["serve", "--listen", "127.0.0.1:0", "--sandbox"])
            .arg(sandbox)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        let address = loop {
            line.clear();
            assert_ne!(stdout.read_line(&mut line).unwrap(), 0, "{program} ended");
            if let Some((_, address)) = line.split_once("listening on ") {
                break address.trim().to_owned();
            }
        };
        std::thread::spawn(move || stdout.read_to_end(&mut Vec::new()));
        Self { child, address }
    }

    /// CPU time used, in seconds.
    pub fn cpu(&self) -> f64 {
        cpu_of(self.child.id())
    }

    fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `utime` and `stime` of `/proc/PID/stat` (proc_pid_stat(5)), in hundredths of a second.
pub fn cpu_of(process: u32) -> f64 {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{process}/stat")) else {
        return 0.0;
    };
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let fields: Vec<&str> = fields.split(' ').collect();
    let ticks = |index: usize| fields[index].parse::<f64>().unwrap();
    (ticks(11) + ticks(12)) / 100.0
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

//! A campus that is set up by hand, as campus IT does it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use tempfile::TempDir;

use super::{Ran, Server, program};

/// A campus set up by hand, in homes of its own.
pub struct ByHand {
    dir: TempDir,
}

impl ByHand {
    pub fn new() -> Self {
        let by_hand = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        fs::write(by_hand.path("report.pdf"), "what is handed in").unwrap();
        for (file, passphrase) in [
            ("issuers.pass", "correct horse"),
            ("root.pass", "battery staple"),
        ] {
            fs::write(by_hand.path(file), format!("{passphrase}\n")).unwrap();
            fs::set_permissions(by_hand.path(file), fs::Permissions::from_mode(0o600)).unwrap();
        }
        by_hand
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// `cuhk --home …`, from the directory where its files are.
    pub fn cuhk(&self, arguments: &[&str]) -> Ran {
        Ran::of(&mut self.command("cuhk", arguments))
    }

    pub fn blackboard(&self, arguments: &[&str]) -> Ran {
        Ran::of(&mut self.command("blackboard", arguments))
    }

    pub fn student(&self, arguments: &[&str]) -> Ran {
        Ran::of(&mut self.command("student", arguments))
    }

    pub fn command(&self, name: &str, arguments: &[&str]) -> std::process::Command {
        let mut command = program(name);
        command.current_dir(self.dir.path());
        command
            .args(["--home", &format!("{name}.home")])
            .args(arguments);
        command
    }

    pub fn init(&self) -> Ran {
        self.init_with(&[])
    }

    pub fn init_with(&self, more: &[&str]) -> Ran {
        let passphrases = [
            "--passphrase-file",
            "issuers.pass",
            "--root-passphrase-file",
            "root.pass",
        ];
        self.cuhk(
            &[
                &["init", "--trust-domain", "cuhk.example"],
                &passphrases[..],
                more,
            ]
            .concat(),
        )
    }

    /// The root's key goes to the directory `safe`, as if to another machine; its certificate stays.
    pub fn move_root_to_a_safe(&self) {
        let here = self.path("cuhk.home/root");
        fs::rename(&here, self.path("safe")).unwrap();
        fs::create_dir(&here).unwrap();
        fs::copy(self.path("safe/cert.pem"), here.join("cert.pem")).unwrap();
    }

    pub fn roster(&self, text: &str) -> Ran {
        fs::write(self.path("students.csv"), text).unwrap();
        self.cuhk(&[
            "roster",
            "import",
            "students.csv",
            "--codes-out",
            "codes.csv",
        ])
    }

    pub fn serve_cuhk(&self) -> Server {
        self.serve_cuhk_with(&[])
    }

    pub fn serve_cuhk_with(&self, more: &[&str]) -> Server {
        let arguments = [
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--ready-file",
            "cuhk.ready",
            "--passphrase-file",
            "issuers.pass",
        ];
        Server::start_command(&mut self.command("cuhk", &[&arguments, more].concat()))
    }

    /// With its port for plain HTTP, whose address [`ByHand::http_address`] knows.
    pub fn serve_cuhk_publicly(&self) -> Server {
        self.serve_cuhk_with(&["--http", "127.0.0.1:0", "--http-ready-file", "http.ready"])
    }

    /// Where CUHK listens for plain HTTP.
    pub fn http_address(&self) -> String {
        let listens = fs::read_to_string(self.path("http.ready")).unwrap();
        listens.trim().to_owned()
    }

    /// Certified, with a course and something to hand in.
    pub fn serve_blackboard(&self, cuhk: &Server) -> Server {
        self.certify_blackboard(cuhk);
        self.add_course();
        self.start_blackboard()
    }

    /// A course for everybody and its one assignment.
    pub fn add_course(&self) {
        for words in [
            "course add CSCI3150 --title OS",
            "assignment add --course CSCI3150 --title Lab-1 --due 2099-12-01T12:00:00Z --groups free",
        ] {
            let words: Vec<_> = words.split(' ').collect();
            self.blackboard(&words).succeeded();
        }
    }

    /// As CUHK's administrator and Blackboard's type it, once.
    pub fn certify_blackboard(&self, cuhk: &Server) {
        self.add_blackboard();
        self.init_blackboard(cuhk, &[]);
    }

    /// Known to CUHK, with a code.
    pub fn add_blackboard(&self) {
        self.cuhk(&[
            "service",
            "add",
            "blackboard",
            "--dns",
            "localhost",
            "--ip",
            "127.0.0.1",
            "--code-out",
            "blackboard.code",
        ])
        .succeeded();
    }

    /// Gets a certificate for the code.
    pub fn init_blackboard(&self, cuhk: &Server, more: &[&str]) {
        let address = cuhk.address();
        let arguments = [
            "init",
            "--cuhk",
            &address,
            "--ca",
            "cuhk.home/ca.pem",
            "--code-file",
            "blackboard.code",
            "--dns",
            "localhost",
            "--ip",
            "127.0.0.1",
        ];
        self.blackboard(&[&arguments, more].concat()).succeeded();
    }

    pub fn start_blackboard(&self) -> Server {
        self.start_blackboard_with(&[])
    }

    pub fn start_blackboard_with(&self, more: &[&str]) -> Server {
        let arguments = [
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--ready-file",
            "blackboard.ready",
        ];
        Server::start_command(&mut self.command("blackboard", &[&arguments, more].concat()))
    }

    pub fn mode(&self, name: &str) -> u32 {
        fs::metadata(self.path(name)).unwrap().permissions().mode() & 0o777
    }
}

//! What holds for the tables of faults of all three programs: help lists exactly what a test
//! commits, the handbook says it, and nobody commits one outside a sandbox.

use std::ffi::OsString;

use super::{Campus, Ran, Server, program, serve, serve_at};

/// The faults of one program that a test knows, in their order.
pub struct FaultTable {
    pub program: &'static str,
    /// The heading in the handbook over its table.
    pub heading: &'static str,
    pub faults: Vec<KnownFault>,
}

/// A row of it.
pub struct KnownFault {
    pub name: &'static str,
    pub refused_by: &'static str,
    pub code: &'static str,
}

impl FaultTable {
    /// `--fault help` lists these and no others; a server's `--help` names them.
    #[track_caller]
    pub fn is_what_help_lists(&self) {
        let listed = Ran::of(&mut self.with_fault("help")).succeeded().stdout;
        let lines = listed.lines().filter(|line| !line.starts_with(' '));
        let known = self.faults.iter();
        let known: Vec<_> = known
            .map(|fault| format!("{} [{}]", fault.name, fault.code))
            .collect();
        assert_eq!(lines.collect::<Vec<_>>(), known);
        for fault in &self.faults {
            let title = format!("{} [", fault.name);
            let mut lines = listed.lines().skip_while(|line| !line.starts_with(&title));
            let by = format!("  refused by {}: ", fault.refused_by);
            assert!(lines.nth(2).unwrap().starts_with(&by), "{listed}");
        }
    }

    /// `serve --help` names each.
    #[track_caller]
    pub fn is_named_by_help_of_serve(&self) {
        let help = Ran::of(program(self.program).args(["serve", "--help"])).succeeded();
        for fault in &self.faults {
            let line = format!("\n  {}", fault.name);
            assert!(help.stdout.contains(&line), "{}", help.stdout);
        }
    }

    /// The handbook has a row for each of these and no others.
    #[track_caller]
    pub fn is_what_the_handbook_says(&self) {
        let handbook = include_str!("../../docs/TEACHING.md");
        let section = handbook.split(&format!("\n{}\n", self.heading)).nth(1);
        let section = section.unwrap().split("\n##").next().unwrap();
        let rows: Vec<_> = section.lines().filter(|l| l.starts_with("| `")).collect();
        let says_who = section.contains("| refused by |");
        assert_eq!(rows.len(), self.faults.len(), "{section}");
        for (row, fault) in rows.iter().zip(&self.faults) {
            assert!(row.starts_with(&format!("| `{}` |", fault.name)), "{row}");
            assert!(row.ends_with(&format!("| `{}` |", fault.code)), "{row}");
            let by = format!("| {} |", fault.refused_by);
            assert!(!says_who || row.contains(&by), "{row}");
        }
    }

    /// A server refuses a fault outside a sandbox, and one of an unknown name, and makes
    /// nothing.
    #[track_caller]
    pub fn is_for_sandboxes_and_known_names(&self) {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join("home");
        let mut command = self.with_fault("silent");
        let outside = Ran::of(command.arg("--home").arg(&home));
        assert_eq!(outside.exit, Some(2), "{outside:#?}");
        assert!(outside.stderr.contains("--sandbox"), "{outside:#?}");
        assert!(!home.exists());
        let sandbox = dir.path().join("sandbox");
        let mut command = program(self.program);
        command.args(serve(&sandbox)).args(["--fault", "none-such"]);
        let unknown = Ran::of(&mut command);
        assert_eq!(unknown.exit, Some(2), "{unknown:#?}");
        assert!(unknown.stderr.contains("--fault help"), "{unknown:#?}");
        assert!(!sandbox.exists());
    }

    fn with_fault(&self, name: &str) -> std::process::Command {
        let mut command = program(self.program);
        if self.program != "student" {
            command.arg("serve");
        }
        command.args(["--fault", name]);
        command
    }
}

impl Campus {
    /// Stops `cuhk` and starts it again on the same port, with a fault.
    pub fn restart_cuhk_with(&mut self, fault: &str) {
        restart_with(&mut self.cuhk, "cuhk", &self.sandbox, fault);
    }

    /// Stops `blackboard` and starts it again on the same port, with a fault.
    pub fn restart_blackboard_with(&mut self, fault: &str) {
        restart_with(&mut self.blackboard, "blackboard", &self.sandbox, fault);
    }
}

fn restart_with(server: &mut Server, name: &str, sandbox: &std::path::Path, fault: &str) {
    server.stop();
    let mut arguments = serve_at(sandbox, &server.address());
    arguments.extend([OsString::from("--fault"), fault.into()]);
    *server = Server::start(name, &arguments);
    let line = format!("FAULT {fault}: ");
    assert!(server.said().contains(&line), "{}", server.said());
}

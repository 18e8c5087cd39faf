//! The student's program on a terminal, driven through a pseudo-terminal.

mod ceremonies;
mod choosing;
mod losses;
mod passphrases;
mod private_keys;
mod renewal;
mod replacement;
mod restoring;
mod signing;

use std::path::PathBuf;
use std::process::Command;

use expectrl::session::{OsSession, Session};
use expectrl::{Eof, Expect};

use crate::campus::{Campus, LONG, Ran, program};

/// A terminal on which the student's program runs.
fn terminal(command: Command) -> OsSession {
    let mut session = Session::spawn(command).unwrap();
    session.set_expect_timeout(Some(LONG));
    session
}

fn sandboxed(campus: &Campus) -> Command {
    let mut command = program("student");
    command.arg("--sandbox").arg(campus.path());
    command
}

#[test]
fn enter_three_times_hands_in_for_the_sample_students() {
    let campus = Campus::sandbox();
    let mut terminal = terminal(sandboxed(&campus));
    for question in [
        "Student ID 1 [1155000001]:",
        "Student ID 2 [1155000002]:",
        "Student ID 3 [1155000003]:",
    ] {
        terminal.expect(question).unwrap();
        terminal.send_line("").unwrap();
    }
    for line in [
        "3 keys made here",
        "1155000003 sign finished",
        "session key confirmed",
        "S-000001.zip",
    ] {
        terminal.expect(line).unwrap();
    }
    terminal.expect(Eof).unwrap();
    assert_eq!(campus.submissions().len(), 1);
}

#[test]
fn a_bad_or_repeated_id_is_asked_for_again() {
    let campus = Campus::sandbox();
    let mut terminal = terminal(sandboxed(&campus));
    terminal.expect("Student ID 1").unwrap();
    terminal.send_line("../etc").unwrap();
    terminal.expect("Student ID 1").unwrap();
    terminal.send_line("1155000007").unwrap();
    terminal.expect("Student ID 2").unwrap();
    terminal.send_line("1155000007").unwrap();
    terminal.expect("Student ID 2").unwrap();
    terminal.send_line("1155000008").unwrap();
    terminal.expect("Student ID 3").unwrap();
    terminal.send_line("1155000009").unwrap();
    terminal.expect("S-000001.zip").unwrap();
    terminal.expect(Eof).unwrap();
    let members = &campus.submissions()[0]["members"];
    assert_eq!(
        *members,
        serde_json::json!(["1155000007", "1155000008", "1155000009"])
    );
}

/// What a student on a machine of their own knows.
struct Newcomer {
    campus: Campus,
    home: PathBuf,
    codes: String,
    root: String,
}

impl Newcomer {
    fn new() -> Self {
        let campus = Campus::sandbox();
        let read = |name| std::fs::read_to_string(campus.path().join(name)).unwrap();
        Self {
            home: campus.outside().join("home"),
            codes: read("codes.csv"),
            root: fingerprint(&read("ca.pem")),
            campus,
        }
    }

    fn code(&self, sid: &str) -> String {
        let mut rows = self.codes.lines();
        let row = rows.find(|row| row.starts_with(sid)).unwrap();
        let mut cells = row.split(',');
        cells.find(|cell| cell.len() == 29).unwrap().to_owned()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program("student");
        command.arg("--home").arg(&self.home).args(arguments);
        command
    }

    /// Nothing but the directory itself.
    fn remembers_nothing(&self) {
        for name in ["ca.pem", "config.toml", "students"] {
            assert!(!self.home.join(name).exists(), "{name}");
        }
    }
}

/// Shown and not a question.
pub(crate) const SEEN: &str = "\0";

/// Answers questions in turn.
pub(crate) fn answer(terminal: &mut OsSession, dialogue: &[(&str, &str)]) {
    for (question, answer) in dialogue {
        if let Err(error) = terminal.expect(*question) {
            panic!("never asked {question}: {error}");
        }
        if *answer != SEEN {
            terminal.send_line(answer).unwrap();
        }
    }
}

#[test]
fn a_student_on_a_new_machine_is_asked_for_everything_once() {
    let newcomer = Newcomer::new();
    let (cuhk, blackboard) = (
        newcomer.campus.cuhk.address(),
        newcomer.campus.blackboard.address(),
    );
    let code = newcomer.code("1155000010");
    let mut terminal = terminal(newcomer.command(&[]));
    answer(
        &mut terminal,
        &[
            ("CUHK's address", &cuhk),
            ("SHA-256 of CUHK's root", &newcomer.root),
            ("CUHK is there and has proved itself", SEEN),
            ("Student ID 1", "1155000010"),
            ("Student ID 2", ""),
            ("Q quit", "1"),
            (
                "Enrolment code of 1155000010",
                "00000-00000-00000-00000-00000",
            ),
            ("New passphrase for 1155000010's key (Enter: none):", ""),
            ("Refused [enrolment_refused]: step 2: 1155000010:", SEEN),
            ("Q quit", "1"),
            ("Enrolment code of 1155000010", &code),
            ("1155000010 sign finished", SEEN),
            ("Q quit", "2"),
            ("Blackboard's address", &blackboard),
            ("File or folder: ", ""),
            ("no file was named", SEEN),
            ("File or folder: ", &newcomer.campus.report()),
            ("S-000001.zip", SEEN),
            ("Q quit", "q"),
        ],
    );
    terminal.expect(Eof).unwrap();
}

#[test]
fn a_wrong_fingerprint_or_address_is_asked_for_again_before_any_code() {
    let newcomer = Newcomer::new();
    let (cuhk, blackboard) = (
        newcomer.campus.cuhk.address(),
        newcomer.campus.blackboard.address(),
    );
    let nobody = "127.0.0.1:1";
    let mut terminal = terminal(newcomer.command(&[]));
    answer(
        &mut terminal,
        &[
            ("CUHK's address [127.0.0.1:8011]:", &cuhk),
            ("SHA-256 of CUHK's root", &"ab".repeat(32)),
            ("Refused [server_identity]", SEEN),
        ],
    );
    terminal.expect("Nothing was sent or remembered.").unwrap();
    newcomer.remembers_nothing();
    answer(
        &mut terminal,
        &[
            ("CUHK's address", ""),
            (
                "SHA-256 of CUHK's root (64 digits; Enter: the same again):",
                "12",
            ),
            ("64 hexadecimal digits", SEEN),
            ("SHA-256 of CUHK's root", &newcomer.root),
            ("CUHK is there and has proved itself", SEEN),
            ("Student ID 1", "1155000010"),
            ("Student ID 2", ""),
            ("Q quit", "2"),
            ("Blackboard's address [127.0.0.1:8002]:", nobody),
            ("Refused [connection_failed]", SEEN),
            ("Blackboard's address", &cuhk),
            ("Refused [server_identity]", SEEN),
            ("Blackboard's address", &blackboard),
            ("Blackboard is there and has proved itself", SEEN),
            ("File or folder", "/none/such"),
            ("cannot read the report /none/such", SEEN),
            ("File or folder", &newcomer.campus.report()),
            ("1155000010 needs a certificate first", SEEN),
            ("Enrolment code", &newcomer.code("1155000010")),
            ("New passphrase for 1155000010's key", ""),
            ("S-000001.zip", SEEN),
            ("Q quit", "q"),
        ],
    );
    terminal.expect(Eof).unwrap();
}

#[test]
fn nobody_at_cuhks_address_is_said_and_asked_again() {
    let newcomer = Newcomer::new();
    let cuhk = newcomer.campus.cuhk.address();
    let mut terminal = terminal(newcomer.command(&[]));
    answer(
        &mut terminal,
        &[
            ("CUHK's address", "127.0.0.1:1"),
            ("SHA-256 of CUHK's root", &newcomer.root),
            ("Refused [connection_failed]", SEEN),
            ("CUHK's address [127.0.0.1:1]:", ""),
            ("SHA-256 of CUHK's root", ""),
            ("Refused [connection_failed]", SEEN),
            ("CUHK's address", &cuhk),
        ],
    );
    newcomer.remembers_nothing();
    terminal.expect("SHA-256 of CUHK's root").unwrap();
    terminal.send_line("").unwrap();
    terminal
        .expect("CUHK is there and has proved itself")
        .unwrap();
    assert!(newcomer.home.join("ca.pem").exists());
}

#[test]
fn ids_and_servers_can_be_changed_in_the_menu() {
    let newcomer = Newcomer::new();
    let (cuhk, blackboard) = (
        newcomer.campus.cuhk.address(),
        newcomer.campus.blackboard.address(),
    );
    let mut terminal = terminal(newcomer.command(&[
        "--cuhk",
        &cuhk,
        "--blackboard",
        "127.0.0.1:1",
        "--ca-fingerprint",
        &newcomer.root,
    ]));
    answer(
        &mut terminal,
        &[
            ("Student ID 1", "1155000011"),
            ("Student ID 2", "1155000012"),
            ("Student ID 3", ""),
            ("3 Change IDs or servers", "3"),
            ("1 Student IDs  1155000011, 1155000012", SEEN),
            ("Change which?", "1"),
            ("Student ID 1", "1155000010"),
            ("Student ID 2", "1155000010"),
            ("1155000010 is in the group already", SEEN),
            ("Student ID 2", ""),
            ("3 Change IDs or servers", "3"),
            ("1 Student IDs  1155000010\r", SEEN),
            ("Change which?", "3"),
            ("Blackboard's address [127.0.0.1:1]:", &cuhk),
            ("Refused [server_identity]", SEEN),
            ("Blackboard's address", &blackboard),
            ("Blackboard is there and has proved itself", SEEN),
            ("Q quit", "3"),
            ("Change which?", "2"),
            ("CUHK's address", "127.0.0.1:1"),
            ("Refused [connection_failed]", SEEN),
            ("CUHK's address", ""),
            ("3 Change IDs or servers", "1"),
            ("Enrolment code of 1155000010", &newcomer.code("1155000010")),
            (
                "New passphrase for 1155000010's key (Enter: none):",
                "correct horse",
            ),
            ("the same again:", "correct horse"),
            ("1155000010 sign finished", SEEN),
            ("Q quit", "2"),
            ("File or folder", &newcomer.campus.report()),
            ("S-000001.zip", SEEN),
            ("Q quit", "q"),
        ],
    );
    terminal.expect(Eof).unwrap();
    let status = Ran::of(&mut newcomer.command(&["status", "--json"])).json();
    assert_eq!(status["students"][0]["passphrase"], true);
    assert_eq!(status["blackboard"], blackboard.as_str());
}

#[test]
fn in_chinese_the_whole_session_is_chinese_and_its_columns_stand() {
    let newcomer = Newcomer::new();
    let (cuhk, blackboard) = (
        newcomer.campus.cuhk.address(),
        newcomer.campus.blackboard.address(),
    );
    let mut command = newcomer.command(&[]);
    command.env("LANG", "zh_HK.UTF-8");
    let mut terminal = terminal(command);
    answer(
        &mut terminal,
        &[
            ("中大的位址 [127.0.0.1:8011]：", &cuhk),
            ("中大根證書的 SHA-256", &newcomer.root),
            ("已證明身分。", SEEN),
            ("學生編號 1：", "../etc"),
            ("../etc 不是學生編號", SEEN),
            ("學生編號 1：", "1155000010"),
            ("學生編號 2（Enter：完成）：", ""),
            ("1 中大：領取證書  2 Blackboard：提交  Q 離開", "x"),
            ("請輸入 1、2、3、4 或 Q。", SEEN),
            ("Q 離開", "1"),
            (
                "1155000010 的註冊碼（不顯示）：",
                &newcomer.code("1155000010"),
            ),
            ("通行密碼（Enter：不設）：", ""),
            ("步驟 1  在本機產生 1 把金鑰，送出 1 份請求", SEEN),
            ("步驟 2  1155000010 簽發完成 (sign finished)", SEEN),
            ("Q 離開", "2"),
            ("Blackboard 的位址", &blackboard),
            ("檔案或資料夾", "/none/such"),
            ("無法讀取報告 /none/such", SEEN),
            ("檔案或資料夾", &newcomer.campus.report()),
            ("步驟 3  中大確認全部 1 位組員", SEEN),
            ("收據     S-000001.zip", SEEN),
            ("存於     ", SEEN),
            ("Q 離開", "q"),
        ],
    );
    terminal.expect(Eof).unwrap();
}

#[test]
fn with_no_color_or_without_a_terminal_no_byte_is_an_escape() {
    let campus = Campus::sandbox();
    let mut command = sandboxed(&campus);
    command.env("NO_COLOR", "1");
    let mut terminal = terminal(command);
    for _ in 0..3 {
        terminal.expect("Student ID").unwrap();
        terminal.send_line("").unwrap();
    }
    let shown = terminal.expect(Eof).unwrap().as_bytes().to_vec();
    assert!(String::from_utf8_lossy(&shown).contains("S-000001.zip"));
    assert!(
        !shown.contains(&0x1b),
        "{}",
        String::from_utf8_lossy(&shown)
    );

    let mut command = sandboxed(&campus);
    command.args(["verify", "/none/such"]).env("NO_COLOR", "1");
    let mut refusing = self::terminal(command);
    let shown = refusing.expect(Eof).unwrap().as_bytes().to_vec();
    assert!(
        !shown.contains(&0x1b),
        "{}",
        String::from_utf8_lossy(&shown)
    );
    let mut command = sandboxed(&campus);
    command.args(["verify", "/none/such"]).env("TERM", "xterm");
    let mut refusing = self::terminal(command);
    let shown = refusing.expect(Eof).unwrap().as_bytes().to_vec();
    assert!(shown.contains(&0x1b), "{}", String::from_utf8_lossy(&shown));

    let piped = campus
        .student(&["submit", "--ids", "1155000001"])
        .succeeded();
    let refused = campus.student(&["verify", "/none/such"]);
    for text in [piped.stdout, piped.stderr, refused.stdout, refused.stderr] {
        assert!(!text.contains('\u{1b}'), "{text}");
    }
}

#[test]
fn four_use_no_code_up_until_blackboard_takes_four() {
    let campus = Campus::sandbox();
    let four = "1155000001, 1155000002, 1155000003, 1155000004";
    let error = campus
        .student(&["submit", "--ids", four, "--json"])
        .refused(3, "member_count");
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("nobody was enrolled")
    );
    let status = campus.student(&["status", "--json"]).json();
    assert_eq!(status["students"], serde_json::json!([]));

    // Certificates are for any number; then Blackboard itself is asked, and refuses.
    campus.student(&["enrol", "--ids", four]).succeeded();
    campus
        .student(&["submit", "--ids", four, "--json"])
        .refused(3, "member_count");
    assert!(campus.submissions().is_empty());
    // What it said is remembered.
    let five = format!("{four},1155000005");
    let error = campus
        .student(&["submit", "--ids", &five, "--json"])
        .refused(3, "member_count");
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("as it said last"),
        "{error}"
    );
}

/// SHA-256 of a certificate, from its PEM.
fn fingerprint(pem: &str) -> String {
    scb_certs::Certificate::from_pem(pem)
        .unwrap()
        .fingerprint()
        .to_string()
}

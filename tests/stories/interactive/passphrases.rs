//! Passphrases of students' keys, typed on a terminal.

use expectrl::{Eof, Expect};

use super::{SEEN, answer, sandboxed, terminal};
use crate::campus::{Campus, copy, write_secret};

#[test]
fn a_key_gets_another_passphrase_and_loses_it_without_a_code() {
    let campus = Campus::sandbox();
    let sid = "1155000004";
    campus.student(&["enrol", "--ids", sid]).succeeded();
    let key = campus
        .path()
        .join("student/students")
        .join(sid)
        .join("key.pem");
    let before = std::fs::read_to_string(&key).unwrap();
    let status = campus.student(&["status"]).succeeded().stdout;
    assert!(
        status.contains("student passphrase --ids 1155000004"),
        "{status}"
    );

    let mut command = sandboxed(&campus);
    command.args(["passphrase", "--ids", sid]);
    let mut giving = terminal(command);
    answer(
        &mut giving,
        &[
            ("New passphrase for 1155000004's key:", "correct horse"),
            ("the same again:", "battery staple"),
            ("these two differ", SEEN),
            ("New passphrase for 1155000004's key:", "correct horse"),
            ("the same again:", "correct horse"),
        ],
    );
    giving
        .expect("1155000004  the key has a new passphrase")
        .unwrap();
    giving.expect(Eof).unwrap();
    let encrypted = std::fs::read_to_string(&key).unwrap();
    assert!(encrypted.contains("ENCRYPTED PRIVATE KEY"));

    let file = |name: &str, passphrase: &str| {
        let path = campus.outside().join(name);
        write_secret(&path, passphrase);
        path.to_str().unwrap().to_owned()
    };
    let (right, wrong, new) = (
        file("right", "correct horse\n"),
        file("wrong", "a guess\n"),
        file("new", "battery staple\n"),
    );
    let mut arguments = vec![
        "passphrase",
        "--ids",
        sid,
        "--new-passphrase-file",
        &new,
        "--json",
    ];
    arguments.extend(["--passphrase-file", &wrong]);
    campus.student(&arguments).refused(2, "wrong_passphrase");
    assert_eq!(std::fs::read_to_string(&key).unwrap(), encrypted);
    *arguments.last_mut().unwrap() = &right;
    let told = campus.student(&arguments).succeeded().json();
    assert_eq!(told["students"][0]["passphrase"], true);
    let both = ["submit", "--ids", sid, "--passphrase-file", &new];
    campus.student(&both).succeeded();

    let remove = [
        "passphrase",
        "--ids",
        sid,
        "--remove",
        "--passphrase-file",
        &new,
    ];
    campus.student(&remove).succeeded();
    assert_eq!(std::fs::read_to_string(&key).unwrap(), before);
    campus.student(&["submit", "--ids", sid]).succeeded();
    campus
        .student(&["passphrase", "--ids", "1155000009", "--remove", "--json"])
        .refused(2, "no_key");
}

#[test]
fn a_key_gets_a_passphrase_and_a_wrong_one_is_asked_for_again() {
    let campus = Campus::sandbox();
    let sid = "1155000004";
    let mut command = sandboxed(&campus);
    command.args(["enrol", "--protect", "--ids", sid]);
    let mut enrolling = terminal(command);
    enrolling
        .expect("New passphrase for 1155000004's key:")
        .unwrap();
    enrolling.send_line("correct horse").unwrap();
    enrolling.expect("gain").unwrap();
    enrolling.send_line("correct horse").unwrap();
    enrolling.expect("1155000004 sign finished").unwrap();
    enrolling.expect(Eof).unwrap();

    let mut command = sandboxed(&campus);
    command.args(["submit", "--ids", sid]);
    let mut handing_in = terminal(command);
    handing_in
        .expect("Passphrase of 1155000004's key:")
        .unwrap();
    handing_in.send_line("wrong horse").unwrap();
    handing_in.expect("That does not open it.").unwrap();
    handing_in.send_line("correct horse").unwrap();
    handing_in.expect("S-000001.zip").unwrap();
    handing_in.expect(Eof).unwrap();

    let mut command = sandboxed(&campus);
    command.args(["submit", "--ids", sid]);
    let mut guessing = terminal(command);
    for _ in 0..3 {
        guessing.expect("assphrase of 1155000004's key:").unwrap();
        guessing.send_line("a guess").unwrap();
    }
    guessing.expect("wrong_passphrase").unwrap();
    guessing.expect(Eof).unwrap();
    assert_eq!(campus.submissions().len(), 1);
}

#[test]
fn who_enrols_after_an_old_backup_was_put_back_is_asked_for_the_passphrase_once() {
    let mut campus = Campus::sandbox();
    campus.cuhk.stop();
    let (home, old) = (campus.path().join("cuhk"), campus.outside().join("old"));
    copy(&home, &old);
    campus.start_cuhk_again();
    let passphrase = campus.outside().join("passphrase");
    write_secret(&passphrase, "correct horse\n");
    let enrol = ["enrol", "--ids", "1155000004"];
    let given = ["--passphrase-file", passphrase.to_str().unwrap()];
    let enrolled = campus.student(&[&enrol[..], &given].concat());
    enrolled.succeeded();
    campus.cuhk.stop();
    std::fs::remove_dir_all(&home).unwrap();
    copy(&old, &home);
    campus.start_cuhk_again();

    let mut command = sandboxed(&campus);
    command.args(enrol);
    let mut enrolling = terminal(command);
    enrolling.expect("Passphrase of 1155000004's key:").unwrap();
    enrolling.send_line("correct horse").unwrap();
    let told = "1155000004 CUHK has no record of the certificate here";
    enrolling.expect(told).unwrap();
    enrolling.expect("1155000004 sign finished").unwrap();
    enrolling.expect(Eof).unwrap();
    let submit = ["submit", "--ids", "1155000004"];
    let submitted = campus.student(&[&submit[..], &given].concat());
    submitted.succeeded();
}

#[test]
fn a_new_cuhk_asks_again_for_a_passphrase_that_is_short_or_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = crate::campus::program("cuhk");
    command
        .arg("--home")
        .arg(dir.path().join("cuhk"))
        .arg("init");
    let mut terminal = terminal(command);
    let dialogue = [
        ("Passphrase for the issuing authorities:", "short"),
        ("the same again:", "short"),
        ("shorter than 8 characters, or blank. Once more:", SEEN),
        ("Passphrase for the issuing authorities:", "long enough"),
        ("the same again:", "long enough"),
        ("Passphrase for the root", "long enough"),
        ("the same again:", "long enough"),
        ("have the same passphrase", SEEN),
        ("Passphrase for the root", "another one"),
        ("the same again:", "another one"),
        ("the certification authority is ready", SEEN),
    ];
    answer(&mut terminal, &dialogue);
    terminal.expect(Eof).unwrap();
}

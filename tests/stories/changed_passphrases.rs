//! The passphrases of CUHK's keys are changed when somebody leaves who knows them.

use std::fs;
use std::path::Path;
use std::process::Command;

use expectrl::{Eof, Expect, Session};

use crate::campus::{ByHand, LONG, Ran, Server, program, write_secret};

const CHANGE: [&str; 6] = [
    "keys",
    "passphrase",
    "--passphrase-file",
    "issuers.pass",
    "--new-passphrase-file",
    "new.pass",
];
const ROSTER: &str = "sid,name\n1155000001,A\n1155000002,B\n1155000003,C\n";
const KEYS: [&str; 4] = [
    "issuers/students/key.pem",
    "issuers/services/key.pem",
    "issuers/students-2/key.pem",
    "keys/log.pem",
];

struct Office(ByHand);

impl Office {
    /// With a key that was requested and not certified yet.
    fn open() -> Self {
        let campus = ByHand::new();
        campus.init().succeeded();
        campus.roster(ROSTER).succeeded();
        for (file, text) in [
            ("new.pass", "another horse\n"),
            ("short.pass", "horse\n"),
            ("wrong.pass", "wrong horse\n"),
        ] {
            write_secret(&campus.path(file), text);
        }
        let request = ["keys", "request", "students", "--out", "request.json"];
        let passphrase = ["--passphrase-file", "issuers.pass"];
        campus
            .cuhk(&[&request[..], &passphrase].concat())
            .succeeded();
        Self(campus)
    }

    fn keys(&self) -> Vec<Vec<u8>> {
        let read = |name| fs::read(self.0.path("cuhk.home").join(name)).unwrap();
        KEYS.map(read).to_vec()
    }

    #[track_caller]
    fn refuses(&self, arguments: &[&str], exit: i32, code: &str) -> Ran {
        let ran = self.0.cuhk(arguments);
        assert_eq!(ran.exit, Some(exit), "{arguments:?}: {ran:#?}");
        assert!(ran.stderr.contains(&format!("[{code}]")), "{ran:#?}");
        assert!(ran.stderr.contains("what to do: "), "{ran:#?}");
        ran
    }

    fn serve(&self, home: &str, passphrase: &str) -> Server {
        let mut command = program("cuhk");
        command.current_dir(self.0.path(".")).args(["--home", home]);
        let serve = ["serve", "--listen", "127.0.0.1:0", "--passphrase-file"];
        Server::start_command(command.args(serve).arg(passphrase))
    }

    fn enrols(&self, cuhk: &Server, sid: &str) {
        let enrol = ["enrol", "--ids", sid, "--codes", "codes.csv"];
        let to = ["--ca", "cuhk.home/ca.pem", "--cuhk", &cuhk.address()];
        self.0.student(&[&enrol[..], &to].concat()).succeeded();
    }

    /// Whether a passphrase opens a home, without starting anything there.
    fn opens(&self, home: &str, passphrase: &str) -> bool {
        let mut command = program("cuhk");
        command.current_dir(self.0.path(".")).args(["--home", home]);
        let told = Ran::of(command.args(["doctor", "--passphrase-file", passphrase])).stdout;
        assert!(told.contains("opens"), "{told}");
        told.contains("it opens every issuing authority's key")
    }

    fn restores(&self, backup: &str, home: &str) {
        let mut command = program("cuhk");
        command.current_dir(self.0.path(".")).args(["--home", home]);
        Ran::of(command.args(["restore", backup])).succeeded();
    }
}

#[test]
fn whoever_knew_the_passphrase_opens_no_key_and_no_later_backup_with_it() {
    let office = Office::open();
    let campus = &office.0;
    campus.cuhk(&["backup", "before.zip"]).succeeded();
    let before = office.keys();
    let mut cuhk = office.serve("cuhk.home", "issuers.pass");
    office.enrols(&cuhk, "1155000001");

    // All or none.
    let with = |old: &'static str, new: &'static str| {
        let mut arguments = CHANGE;
        (arguments[3], arguments[5]) = (old, new);
        arguments
    };
    office.refuses(&with("wrong.pass", "new.pass"), 2, "wrong_passphrase");
    office.refuses(&with("issuers.pass", "short.pass"), 2, "passphrase_short");
    office.refuses(&with("issuers.pass", "root.pass"), 2, "passphrases_same");
    office.refuses(
        &with("issuers.pass", "issuers.pass"),
        2,
        "passphrase_unchanged",
    );
    assert_eq!(office.keys(), before);

    let told = campus.cuhk(&CHANGE).succeeded();
    let told = told.stdout.clone() + &told.stderr;
    for expected in [
        "log",
        "services",
        "students-2, students",
        "LoadCredential=cuhk.passphrase",
    ] {
        assert!(told.contains(expected), "{told}");
    }
    assert!(
        !told.contains("another horse") && !told.contains("correct horse"),
        "{told}"
    );
    let after = office.keys();
    assert!(after.iter().zip(&before).all(|(new, old)| new != old));
    for name in KEYS {
        assert_eq!(campus.mode(&format!("cuhk.home/{name}")), 0o600);
    }
    let again = campus.cuhk(&CHANGE).succeeded().stdout;
    assert!(again.contains("nothing changed"), "{again}");
    assert_eq!(office.keys(), after);
    let noted = campus.cuhk(&["operations", "list"]).succeeded().stdout;
    assert_eq!(noted.matches("keys passphrase").count(), 1, "{noted}");

    // The server goes on, and is given no key that it could not open.
    office.enrols(&cuhk, "1155000002");
    let rotate = [
        &[
            "keys",
            "rotate",
            "services",
            "--passphrase-file",
            "new.pass",
        ][..],
        &["--root-passphrase-file", "root.pass"],
    ]
    .concat();
    let code = "server_of_earlier_passphrase";
    office.refuses(&rotate, 3, code);
    let sign = ["keys", "sign-request", "request.json", "--root-dir"];
    let out = ["cuhk.home/root", "--out", "answer.json"];
    let passphrase = ["--root-passphrase-file", "root.pass"];
    campus
        .cuhk(&[&sign[..], &out, &passphrase].concat())
        .succeeded();
    let import = [
        "keys",
        "import",
        "answer.json",
        "--passphrase-file",
        "new.pass",
    ];
    office.refuses(&import, 3, code);
    let mut withdraw = rotate.clone();
    withdraw[1] = "withdraw";
    withdraw.push("--replace");
    office.refuses(&withdraw, 3, code);
    let listed = campus.cuhk(&["keys", "list"]).succeeded().stdout;
    assert!(
        !listed.contains("students-2") && !listed.contains("services-2"),
        "{listed}"
    );
    assert!(cuhk.stop().success());

    let mut command = campus.command("cuhk", &["serve", "--listen", "127.0.0.1:0"]);
    let old = Ran::of(command.args(["--passphrase-file", "issuers.pass"]));
    assert_eq!(old.exit, Some(2), "{old:#?}");
    assert!(old.stderr.contains("[wrong_passphrase]"), "{old:#?}");
    let cuhk = office.serve("cuhk.home", "new.pass");
    campus.cuhk(&import).succeeded();
    campus.cuhk(&rotate).succeeded();
    office.enrols(&cuhk, "1155000003");

    campus.cuhk(&["backup", "after.zip"]).succeeded();
    office.restores("before.zip", "before.home");
    office.restores("after.zip", "after.home");
    let opened = ["before.home", "after.home"].map(|home| {
        let by = |passphrase| office.opens(home, passphrase);
        (by("issuers.pass"), by("new.pass"))
    });
    assert_eq!(opened, [(true, false), (false, true)]);
}

/// Runs a program to whom a directory is of a disk that cannot be written.
const FROZEN: &str = r#"mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@""#;

fn on_frozen(dir: &Path, command: &Command) -> Ran {
    let mut frozen = Command::new("unshare");
    frozen.args(["-rm", "sh", "-c", FROZEN]).arg(dir);
    frozen.arg(command.get_program()).args(command.get_args());
    frozen.envs(
        command
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    Ran::of(frozen.current_dir(command.get_current_dir().unwrap_or(dir)))
}

#[test]
fn a_change_that_could_not_be_finished_counts_and_the_server_that_finishes_it_knows_the_keys() {
    let office = Office::open();
    let campus = &office.0;
    let services = campus.path("cuhk.home/issuers/services");
    let mut probe = Command::new("true");
    if on_frozen(&services, probe.current_dir(campus.path("."))).exit != Some(0) {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"));
        return;
    }
    let told = on_frozen(&services, &campus.command("cuhk", &CHANGE));
    for words in [
        "the new passphrase counts from now on",
        "keep the new passphrase",
    ] {
        assert!(told.stderr.contains(words), "{told:#?}");
    }
    assert!(campus.path("cuhk.home/passphrase-change.json").exists());

    let mut cuhk = office.serve("cuhk.home", "new.pass");
    assert!(!campus.path("cuhk.home/passphrase-change.json").exists());
    let again = campus.cuhk(&CHANGE).succeeded().stdout;
    assert!(again.contains("nothing changed"), "{again}");
    let passphrases = [
        "--passphrase-file",
        "new.pass",
        "--root-passphrase-file",
        "root.pass",
    ];
    let rotate = ["keys", "rotate", "services"];
    campus
        .cuhk(&[&rotate[..], &passphrases].concat())
        .succeeded();
    office.enrols(&cuhk, "1155000001");
    assert!(cuhk.stop().success());
}

/// `cuhk root passphrase`
fn change<'a>(old: &'a str, new: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let change = ["root", "passphrase", "--root-passphrase-file", old];
    let new = ["--new-root-passphrase-file", new];
    [&change[..], &new, more].concat()
}

#[test]
fn the_root_gets_another_passphrase_here_and_on_another_machine() {
    let office = Office::open();
    let campus = &office.0;
    write_secret(&campus.path("staple.pass"), "another staple\n");
    office.refuses(
        &change("wrong.pass", "staple.pass", &[]),
        2,
        "wrong_passphrase",
    );
    office.refuses(
        &change("root.pass", "issuers.pass", &[]),
        2,
        "passphrases_same",
    );
    office.refuses(
        &change("root.pass", "root.pass", &[]),
        2,
        "passphrase_unchanged",
    );
    let sign = |passphrase| ["root", "sign-crl", "--root-passphrase-file", passphrase];
    campus.cuhk(&sign("root.pass")).succeeded();
    let root = [
        "keys",
        "rotate",
        "root",
        "--root-passphrase-file",
        "root.pass",
    ];
    campus.cuhk(&root).succeeded();

    // Both roots have it.
    let first = change("root.pass", "staple.pass", &[]);
    let told = campus.cuhk(&first).succeeded().stdout;
    assert_eq!(told.matches("has the new passphrase").count(), 2, "{told}");
    let again = campus.cuhk(&first).succeeded().stdout;
    assert!(again.contains("nothing changed"), "{again}");
    office.refuses(&sign("root.pass"), 2, "wrong_passphrase");
    campus.cuhk(&sign("staple.pass")).succeeded();
    let noted = campus.cuhk(&["operations", "list"]).succeeded().stdout;
    assert_eq!(noted.matches("root passphrase").count(), 1, "{noted}");

    // Where there is no CUHK.
    let safe = campus.path("safe");
    fs::create_dir(&safe).unwrap();
    fs::rename(campus.path("cuhk.home/root/key.pem"), safe.join("key.pem")).unwrap();
    let elsewhere = |old, new, dir: &str| {
        let mut command = program("cuhk");
        command
            .current_dir(campus.path("."))
            .args(["--home", "nowhere"]);
        Ran::of(command.args(change(old, new, &["--root-dir", dir])))
    };
    let absent = elsewhere("staple.pass", "root.pass", "cuhk.home/root");
    assert_eq!(absent.exit, Some(2), "{absent:#?}");
    elsewhere("staple.pass", "root.pass", "safe").succeeded();
    fs::rename(safe.join("key.pem"), campus.path("cuhk.home/root/key.pem")).unwrap();
    // One of the two is left: as after a crash.
    let told = campus.cuhk(&change("staple.pass", "root.pass", &[]));
    told.succeeded();
    campus.cuhk(&sign("root.pass")).succeeded();
}

#[test]
fn a_new_passphrase_is_asked_for_twice_at_a_terminal() {
    let office = Office::open();
    let command = office.0.command("cuhk", &["keys", "passphrase"]);
    let mut typing = Session::spawn(command).unwrap();
    typing.set_expect_timeout(Some(LONG));
    let new = "New passphrase for the issuing authorities:";
    for (question, answer) in [
        ("Passphrase of the issuing authorities:", "correct horse"),
        (new, "short"),
        ("the same again:", "short"),
    ] {
        typing.expect(question).unwrap();
        typing.send_line(answer).unwrap();
    }
    typing.expect("shorter than 8 characters").unwrap();
    for question in [new, "the same again:"] {
        typing.expect(question).unwrap();
        typing.send_line("another horse").unwrap();
    }
    typing.expect("have the new passphrase").unwrap();
    typing.expect(Eof).unwrap();
    assert!(office.opens("cuhk.home", "new.pass"));
}

/// By a damaged disk: what holds the keys under the new passphrase cannot be read.
#[test]
fn a_damaged_file_of_a_change_is_told_with_what_to_do_where_one_passphrase_opens_all_and_where_none_does()
 {
    let office = Office::open();
    let campus = &office.0;
    let pending = campus.path("cuhk.home/passphrase-change.json");
    let doctor = |passphrase: &str| {
        let told = campus.cuhk(&["doctor", "--passphrase-file", passphrase]);
        told.stdout
    };
    let code = "passphrase_change_damaged";
    let serve = ["serve", "--listen", "127.0.0.1:0", "--passphrase-file"];
    for torn in ["", "{\"type\":\"scb-pass"] {
        write_secret(&pending, torn);
        let backup = office.refuses(&["backup", "none.zip"], 5, code);
        assert!(backup.stderr.contains("cuhk doctor"), "{backup:#?}");
        for arguments in [&CHANGE[..], &[&serve[..], &["issuers.pass"]].concat()] {
            let told = office.refuses(arguments, 5, code).stderr;
            assert!(told.contains("opens every key as it is"), "{told}");
            assert!(told.contains("passphrase-change.json; then"), "{told}");
        }
        let told = office.refuses(&[&serve[..], &["wrong.pass"]].concat(), 5, code);
        assert!(told.stderr.contains("try the other one"), "{told:#?}");
        assert!(doctor("issuers.pass").contains("opens every key as it is"));
        assert!(doctor("wrong.pass").contains("does not open every key"));
    }
    assert!(doctor("issuers.pass").contains("Remove it: rm "));

    // Some keys have the one and some the other: as the text says, from a backup.
    fs::remove_file(&pending).unwrap();
    campus.cuhk(&["backup", "night.zip"]).succeeded();
    let of_before = fs::read(campus.path("cuhk.home/keys/log.pem")).unwrap();
    campus.cuhk(&CHANGE).succeeded();
    fs::write(campus.path("cuhk.home/keys/log.pem"), of_before).unwrap();
    write_secret(&pending, "{");
    for passphrase in ["issuers.pass", "new.pass"] {
        let told = doctor(passphrase);
        assert!(told.contains("does not open every key"), "{told}");
        assert!(told.contains("NEW/keys/log.pem"), "{told}");
    }
    office.restores("night.zip", "restored.home");
    for name in KEYS {
        let [from, to] = ["restored.home", "cuhk.home"].map(|home| campus.path(home).join(name));
        fs::copy(from, to).unwrap();
    }
    fs::remove_file(&pending).unwrap();
    assert!(office.opens("cuhk.home", "issuers.pass"));
    assert!(office.serve("cuhk.home", "issuers.pass").stop().success());
}

/// At the moment at which the new passphrase counts and few files have it, if it can be caught.
#[test]
fn a_change_that_is_killed_leaves_one_passphrase_that_opens_all() {
    let office = Office::open();
    let campus = &office.0;
    let mut command = campus.command("cuhk", &CHANGE);
    let mut changing = command.stdout(std::process::Stdio::null()).spawn().unwrap();
    let pending = campus.path("cuhk.home/passphrase-change.json");
    while !pending.exists() && changing.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    let _ = changing.kill();
    changing.wait().unwrap();
    assert!(office.serve("cuhk.home", "new.pass").stop().success());
    assert!(!pending.exists());
    assert!(office.opens("cuhk.home", "new.pass"));
    assert!(!office.opens("cuhk.home", "issuers.pass"));
    let again = campus.cuhk(&CHANGE).succeeded().stdout;
    assert!(again.contains("nothing changed"), "{again}");
}

//! The real thing beside the sandbox: set up by hand, as campus IT does it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls_pki_types::UnixTime;

use crate::campus::{ByHand, Ran, judge, program, write_secret};

const ROSTER: &str = "\u{feff}Email,SID,Programme,Name\n\
    chan@link.example,1155000001,CSCI,陳大文\n\
    lee@link.example,1155000002,CSCI,\"Lee, Siu Ming\"\n\
    wong@link.example,1155000003,IERG,黃小明\n";

#[test]
fn a_campus_set_up_by_hand_does_the_main_job() {
    let campus = ByHand::new();
    campus.init().succeeded();
    campus.roster(ROSTER).succeeded();
    assert_eq!(campus.mode("codes.csv"), 0o600);
    let cuhk = campus.serve_cuhk();
    let ready = fs::read_to_string(campus.path("cuhk.ready")).unwrap();
    assert_eq!(ready.trim(), cuhk.address());
    let blackboard = campus.serve_blackboard(&cuhk);

    fs::write(campus.path("report.pdf"), "%PDF-1.7 …").unwrap();
    let (cuhk_address, blackboard_address) = (cuhk.address(), blackboard.address());
    let told = campus.student(&[
        "submit",
        "--ids",
        "1155000001,1155000002,1155000003",
        "--codes",
        "codes.csv",
        "--report",
        "report.pdf",
        "--cuhk",
        &cuhk_address,
        "--blackboard",
        &blackboard_address,
        "--ca",
        "cuhk.home/ca.pem",
        "--json",
    ]);
    let receipt = told.succeeded().json()["receipt"]
        .as_str()
        .unwrap()
        .to_owned();

    // Addresses and root are remembered.
    campus
        .student(&["submit", "--ids", "1155000001", "--report", "report.pdf"])
        .succeeded();
    campus
        .student(&["verify", &receipt, "report.pdf"])
        .succeeded();

    let listed = campus.cuhk(&["certs", "list", "--json"]).succeeded().json();
    let text = listed.to_string();
    for sid in ["1155000001", "1155000002", "1155000003"] {
        assert!(text.contains(sid), "{text}");
    }
    let listed = campus
        .blackboard(&["submissions", "list"])
        .succeeded()
        .stdout;
    assert!(
        listed.contains("S-000001") && listed.contains("S-000002"),
        "{listed}"
    );
    assert!(listed.contains("CSCI3150/lab-1"), "{listed}");
    let shown = campus
        .blackboard(&["submissions", "show", "S-000001", "--json"])
        .succeeded()
        .json();
    assert_eq!(shown["files"][0]["name"], "report.pdf");
    let moments = ["committed_at", "accepted_at"].map(|name| shown[name].as_str().unwrap());
    assert!(
        moments[0] <= moments[1],
        "what counts is never later: {moments:?}"
    );
    campus
        .blackboard(&["submissions", "show", "S-000009"])
        .exit
        .filter(|code| *code == 3)
        .unwrap();
    campus
        .blackboard(&["submissions", "export", "out"])
        .succeeded();
    assert_eq!(
        fs::read_to_string(campus.path("out/S-000001/report.pdf")).unwrap(),
        "%PDF-1.7 …"
    );
}

#[test]
fn a_server_without_a_course_takes_nothing_and_says_what_adds_one() {
    let campus = ByHand::new();
    campus.init().succeeded();
    campus.roster(ROSTER).succeeded();
    let cuhk = campus.serve_cuhk();
    campus.certify_blackboard(&cuhk);
    let mut blackboard = campus.start_blackboard();
    let log = blackboard.log();
    for words in ["there is no course yet", "`blackboard course add`"] {
        assert!(log.contains(words), "{words} is missing:\n{log}");
    }
    let listed = campus.blackboard(&["course", "list"]).succeeded().stdout;
    assert!(listed.contains("`blackboard course add`"), "{listed}");

    let (cuhk_address, address) = (cuhk.address(), blackboard.address());
    let to = ["--cuhk", &cuhk_address, "--blackboard", &address];
    let known = ["--codes", "codes.csv", "--ca", "cuhk.home/ca.pem"];
    let submit = ["submit", "--ids", "1155000001", "--json", "report.pdf"];
    let submit = [&submit[..], &to, &known].concat();
    let refused = campus.student(&submit).refused(3, "nothing_open");
    let remedy = refused["remedy"].as_str().unwrap();
    assert!(remedy.contains("your teacher"), "{remedy}");
    let named = [&submit[..], &["--course", "SANDBOX", "--assignment", "lab"]].concat();
    campus.student(&named).refused(3, "course_unknown");

    // It is added while the server runs, which no longer says that there is none.
    campus.add_course();
    let told = campus.student(&submit).succeeded().json();
    assert_eq!(told["assignment"], "lab-1");
    blackboard.stop();
    let again = campus.start_blackboard();
    assert!(!again.log().contains("yet"), "{}", again.log());
}

#[test]
fn a_receipt_is_checked_elsewhere_with_the_fingerprint_alone() {
    let campus = ByHand::new();
    let told = campus.init().succeeded().stdout;
    campus.roster(ROSTER).succeeded();
    let cuhk = campus.serve_cuhk();
    let blackboard = campus.serve_blackboard(&cuhk);
    let (cuhk_address, blackboard_address) = (cuhk.address(), blackboard.address());
    let submit = [
        "submit",
        "--ids",
        "1155000001",
        "--codes",
        "codes.csv",
        "--cuhk",
        &cuhk_address,
        "--blackboard",
        &blackboard_address,
        "--ca",
        "cuhk.home/ca.pem",
        "--json",
        "report.pdf",
    ];
    let receipt = campus.student(&submit).succeeded().json()["receipt"]
        .as_str()
        .unwrap()
        .to_owned();
    drop((cuhk, blackboard));

    let fingerprint = root_fingerprint(&campus.path("cuhk.home/ca.pem"));
    assert!(
        told.replace(':', "").to_lowercase().contains(&fingerprint),
        "{told}"
    );
    let elsewhere = |fingerprint: &str| {
        let mut command = program("student");
        command.current_dir(campus.path("."));
        command.args([
            "--home",
            "elsewhere",
            "verify",
            &receipt,
            "--ca-fingerprint",
            fingerprint,
        ]);
        Ran::of(&mut command)
    };
    elsewhere(&fingerprint).succeeded();
    assert_eq!(elsewhere(&"0".repeat(64)).exit, Some(3));
}

#[test]
fn init_again_changes_nothing_and_says_so() {
    let campus = ByHand::new();
    let first = campus.init().succeeded().stdout;
    let root = fs::read(campus.path("cuhk.home/ca.pem")).unwrap();
    let second = campus.init().succeeded().stdout;
    assert_eq!(fs::read(campus.path("cuhk.home/ca.pem")).unwrap(), root);
    let fingerprint = root_fingerprint(&campus.path("cuhk.home/ca.pem"));
    for said in [first, second.clone()] {
        assert!(
            said.replace(':', "").to_lowercase().contains(&fingerprint),
            "{said}"
        );
    }
    assert!(
        second.contains("nothing") || second.contains("already"),
        "{second}"
    );
}

#[test]
fn init_again_with_other_names_is_told_and_changes_nothing() {
    let campus = ByHand::new();
    campus.init().succeeded();
    let config = campus.path("cuhk.home/config.toml");
    let before = fs::read_to_string(&config).unwrap();
    for (other, wanted) in [
        (
            ["--trust-domain", "other.example"],
            "trust domain other.example",
        ),
        (["--dns", "ca.other.example"], "names ca.other.example"),
        (["--ip", "192.0.2.1"], "names 192.0.2.1"),
        (
            ["--public-url", "http://x.example"],
            "public URL http://x.example",
        ),
    ] {
        let refused = campus.cuhk(&[&["init"], &other[..]].concat());
        assert_eq!(refused.exit, Some(2), "{refused:#?}");
        for said in [
            wanted,
            "nothing was changed",
            "error[initialised_otherwise]",
        ] {
            assert!(refused.stderr.contains(said), "{said}: {refused:#?}");
        }
        assert!(refused.stdout.is_empty(), "{refused:#?}");
    }
    assert_eq!(fs::read_to_string(&config).unwrap(), before);
    let same = ["init", "--ip", "::1,127.0.0.1", "--dns", "localhost"];
    campus.cuhk(&same).succeeded();
    campus.cuhk(&["init"]).succeeded();
}

#[test]
fn passphrases_that_are_short_or_the_same_or_in_the_open_are_refused() {
    let campus = ByHand::new();
    let open = |file: &str, text: &str| {
        fs::write(campus.path(file), text).unwrap();
        let shared = fs::Permissions::from_mode(0o644);
        fs::set_permissions(campus.path(file), shared).unwrap();
    };
    open("open.pass", "long enough\n");
    write_secret(&campus.path("short.pass"), "aaa\n");
    for (issuers, root, exit, said) in [
        (
            "short.pass",
            "root.pass",
            2,
            "given by --passphrase-file is shorter than 8",
        ),
        (
            "issuers.pass",
            "short.pass",
            2,
            "given by --root-passphrase-file is shorter than 8",
        ),
        ("root.pass", "root.pass", 2, "have the same passphrase"),
        ("open.pass", "root.pass", 5, "run chmod 600 open.pass"),
        ("none.pass", "root.pass", 5, "cannot read none.pass"),
    ] {
        let refused = campus.cuhk(&[
            "init",
            "--passphrase-file",
            issuers,
            "--root-passphrase-file",
            root,
        ]);
        assert_eq!(refused.exit, Some(exit), "{refused:#?}");
        assert!(refused.stderr.contains(said), "{refused:#?}");
        assert!(!campus.path("cuhk.home").exists());
    }
    campus.init().succeeded();
    let arguments = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--passphrase-file",
        "open.pass",
    ];
    let refused = campus.cuhk(&arguments);
    assert_eq!(refused.exit, Some(5), "{refused:#?}");
    assert!(
        refused.stderr.contains("chmod 600 open.pass"),
        "{refused:#?}"
    );
}

#[test]
fn a_file_that_cannot_be_read_is_a_local_fault_whoever_is_asked() {
    let campus = ByHand::new();
    campus.init().succeeded();
    fs::create_dir(campus.path("dir")).unwrap();
    let serve = ["serve", "--listen", "127.0.0.1:0", "--passphrase-file"];
    for file in ["none", "dir"] {
        for arguments in [
            &["roster", "import", file][..],
            &[&serve[..], &[file]].concat(),
            &["root", "sign-crl", "--root-passphrase-file", file],
        ] {
            let ran = campus.cuhk(arguments);
            assert_eq!(ran.exit, Some(5), "{ran:#?}");
            assert!(
                ran.stderr.contains(&format!("cannot read {file}")),
                "{ran:#?}"
            );
        }
    }
}

#[test]
fn ca_keys_are_encrypted_and_read_by_openssl() {
    let campus = ByHand::new();
    campus.init().succeeded();
    let Some(mut openssl) = judge("openssl") else {
        return;
    };
    let key = campus.path("cuhk.home/root/key.pem");
    let text = fs::read_to_string(&key).unwrap();
    assert!(text.contains("ENCRYPTED PRIVATE KEY"));
    openssl
        .args(["pkey", "-noout", "-passin", "pass:battery staple", "-in"])
        .arg(&key);
    Ran::of(&mut openssl).succeeded();
    let mut wrong = std::process::Command::new("openssl");
    wrong
        .args(["pkey", "-noout", "-passin", "pass:correct horse", "-in"])
        .arg(&key);
    assert_ne!(Ran::of(&mut wrong).exit, Some(0));
}

#[test]
fn a_wrong_passphrase_or_none_is_told() {
    let campus = ByHand::new();
    campus.init().succeeded();
    let wrong = campus.cuhk(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--passphrase-file",
        "root.pass",
    ]);
    assert_ne!(wrong.exit, Some(0));
    assert!(wrong.stderr.contains("passphrase"), "{wrong:#?}");
    let none = campus.cuhk(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(none.exit, Some(2), "{none:#?}");
    assert!(none.stderr.contains("--passphrase-file"), "{none:#?}");
}

#[test]
fn a_roster_import_is_idempotent_and_tells_each_row() {
    let campus = ByHand::new();
    campus.init().succeeded();
    campus.roster(ROSTER).succeeded();
    let codes = fs::read_to_string(campus.path("codes.csv")).unwrap();
    assert_eq!(codes.lines().count(), 4, "{codes}");
    assert!(
        codes.starts_with("sid,name,email,code,ca_sha256,expires"),
        "{codes}"
    );

    fs::remove_file(campus.path("codes.csv")).unwrap();
    let again = campus.roster(ROSTER).succeeded();
    let codes = fs::read_to_string(campus.path("codes.csv")).unwrap_or_default();
    assert!(
        codes.lines().count() <= 1,
        "codes only for those who need one: {codes}"
    );
    assert!(
        again.stdout.contains("unchanged") || again.stdout.contains("3"),
        "{}",
        again.stdout
    );

    let bad = campus.roster("sid,name,email,programme\n1155000009,A,a@b,CSCI\n../etc,B,b@c,CSCI\n");
    let said = format!("{}{}", bad.stdout, bad.stderr);
    assert!(said.contains('3') || said.contains("line"), "{said}");
    let bad = campus.roster("name,email\nA,a@b\n");
    assert_ne!(bad.exit, Some(0));
    assert!(bad.stderr.contains("sid"), "{bad:#?}");
}

#[test]
fn a_new_code_replaces_a_lost_laptop() {
    let campus = ByHand::new();
    campus.init().succeeded();
    campus.roster(ROSTER).succeeded();
    let cuhk = campus.serve_cuhk();
    let address = cuhk.address();
    let enrol = |home: &str, codes: &str| {
        let mut command = program("student");
        command.current_dir(campus.path("."));
        command.args([
            "--home",
            home,
            "--cuhk",
            &address,
            "--ca",
            "cuhk.home/ca.pem",
            "--json",
        ]);
        command.args(["enrol", "--ids", "1155000001", "--codes", codes]);
        Ran::of(&mut command)
    };
    enrol("laptop", "codes.csv").succeeded();
    let issued = campus
        .cuhk(&["code", "issue", "1155000001", "--replace"])
        .succeeded()
        .stdout;
    let code = issued
        .split_whitespace()
        .find(|word| word.len() == 29 && word.matches('-').count() == 4)
        .unwrap_or_else(|| panic!("no code in {issued}"));
    fs::write(
        campus.path("new.csv"),
        format!("sid,code\n1155000001,{code}\n"),
    )
    .unwrap();
    enrol("new-laptop", "new.csv").succeeded();
    let listed = campus.cuhk(&["certs", "list"]).succeeded().stdout;
    assert!(listed.contains("revoked"), "{listed}");
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let campus = ByHand::new();
    campus.init().succeeded();
    let key = campus.path("cuhk.home/issuers/students/key.pem");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let arguments = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--passphrase-file",
        "issuers.pass",
    ];
    let refused = campus.cuhk(&arguments);
    assert_eq!(refused.exit, Some(5), "{refused:#?}");
    assert!(refused.stderr.contains("chmod 600"), "{refused:#?}");
}

/// SHA-256 of a certificate file, lower-case hexadecimal.
fn root_fingerprint(path: &Path) -> String {
    let pem = fs::read_to_string(path).unwrap();
    let root = scb_certs::Certificate::from_pem(&pem).unwrap();
    root.fingerprint().to_string()
}

#[test]
fn a_code_is_good_for_as_many_days_as_somebody_says() {
    let campus = ByHand::new();
    campus.init().succeeded();
    let in_days = |days: u64| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let then = now + Duration::from_secs(days * 24 * 60 * 60);
        scb_protocol::rfc3339(UnixTime::since_unix_epoch(then))
    };
    let before = [3, 14, 60].map(in_days);
    campus.roster("sid,name\n1155000001,A\n").succeeded();
    fs::write(campus.path("more.csv"), "sid,name\n1155000002,B\n").unwrap();
    let import = |days: &str| {
        let import = ["roster", "import", "more.csv", "--codes-out", "more.codes"];
        campus.cuhk(&[&import[..], &["--valid-days", days]].concat())
    };
    for wrong in ["0", "181", "x"] {
        assert_eq!(import(wrong).exit, Some(2), "{wrong}");
    }
    import("60").succeeded();
    campus
        .cuhk(&["code", "issue", "1155000001", "--valid-days", "3"])
        .succeeded();
    let after = [3, 14, 60].map(in_days);

    // The second is the one of the roster, of which nobody has said anything.
    let listed = campus.cuhk(&["code", "list", "--json"]).succeeded().json();
    let listed = listed.as_array().unwrap();
    assert_eq!(listed.len(), 3, "{listed:?}");
    for (code, (before, after)) in listed.iter().zip(before.into_iter().zip(after)) {
        let ends = code["expires_at"].as_str().unwrap();
        assert!((&*before..=&*after).contains(&ends), "{code}");
    }
}

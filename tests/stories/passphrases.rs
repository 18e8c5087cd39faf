//! Passphrases are given in the same ways wherever one is read: by a file, on standard input, by the
//! service manager, or at a terminal (`interactive.rs`).

use std::fs;

use crate::campus::{ByHand, Campus, Ran, program, write_secret};

fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

/// Every command of `cuhk` that reads a passphrase, in an order in which all of them can be done.
const COMMANDS: [&str; 9] = [
    "keys rotate students --passphrase-file - --root-passphrase-file -",
    "keys request services --out asked.json --passphrase-file -",
    "keys sign-request asked.json --root-dir cuhk.home/root --out told.json --root-passphrase-file -",
    "keys import told.json --passphrase-file -",
    "keys rotate root --root-passphrase-file -",
    "keys withdraw students-2 --replace --passphrase-file - --root-passphrase-file -",
    "root sign-crl --root-passphrase-file -",
    "witness new-key --passphrase-file -",
    "doctor --passphrase-file - --root-passphrase-file -",
];

/// A line for each option that the command has, that of the issuing authorities first.
fn lines(command: &str, [issuers, root]: [&str; 2]) -> String {
    let both = [
        (" --passphrase-file", issuers),
        (" --root-passphrase-file", root),
    ];
    let given = both.iter().filter(|(flag, _)| command.contains(flag));
    given
        .map(|(_, passphrase)| format!("{passphrase}\n"))
        .collect()
}

/// A campus whose passphrases are those of its files, set up with both on standard input.
fn campus() -> ByHand {
    let campus = ByHand::new();
    let init = "init --trust-domain cuhk.example --passphrase-file - --root-passphrase-file -";
    let mut command = campus.command("cuhk", &words(init));
    Ran::fed(&mut command, "correct horse\nbattery staple\n").succeeded();
    // As after a loss: `witness new-key` has something to make.
    fs::remove_file(campus.path("cuhk.home/keys/witness.pem")).unwrap();
    campus
}

#[test]
fn on_standard_input_each_takes_the_next_line() {
    let campus = campus();
    for line in COMMANDS {
        let mut command = campus.command("cuhk", &words(line));
        let wrong = Ran::fed(&mut command, &lines(line, ["wrong horse", "wrong staple"]));
        assert!(matches!(wrong.exit, Some(2 | 5)), "{line}: {wrong:#?}");
        let told = wrong.stdout.clone() + &wrong.stderr;
        assert!(told.contains("does not open"), "{line}: {wrong:#?}");
        for secret in ["wrong horse", "wrong staple"] {
            assert!(!told.contains(secret), "{line}: {wrong:#?}");
        }
        let nothing = Ran::fed(&mut command, "");
        assert!(!matches!(nothing.exit, Some(0)), "{line}: {nothing:#?}");
        assert!(
            nothing.stderr.contains("[no_passphrase]"),
            "{line}: {nothing:#?}"
        );
        let right = lines(line, ["correct horse", "battery staple"]);
        let done = Ran::fed(&mut command, &right);
        match line.starts_with("doctor") {
            // It has more to say than that.
            true => assert!(!done.stdout.contains("does not open"), "{done:#?}"),
            false => drop(done.succeeded()),
        }
    }
    // A file behind it is as private as one that is named.
    let open = campus.path("open.pass");
    fs::write(&open, "battery staple\n").unwrap();
    let mut command = campus.command("cuhk", &words("root sign-crl --root-passphrase-file -"));
    command.stdin(fs::File::open(&open).unwrap());
    let refused = Ran::from(command.output().unwrap());
    assert_eq!(refused.exit, Some(5), "{refused:#?}");
    assert!(refused.stderr.contains("open.pass"), "{refused:#?}");
}

#[test]
fn the_service_manager_may_hand_them_to_every_command() {
    let campus = campus();
    let credentials = campus.path("credentials");
    fs::create_dir(&credentials).unwrap();
    let given = |line: &str| {
        let plain = line.replace(" --passphrase-file -", "");
        let plain = plain.replace(" --root-passphrase-file -", "");
        let mut command = campus.command("cuhk", &words(&plain));
        Ran::of(command.env("CREDENTIALS_DIRECTORY", &credentials))
    };
    let asked = given("root sign-crl --root-passphrase-file -");
    assert_eq!(asked.exit, Some(2), "{asked:#?}");
    assert!(
        asked.stderr.contains("--root-passphrase-file"),
        "{asked:#?}"
    );
    write_secret(&credentials.join("cuhk.passphrase"), "correct horse\n");
    write_secret(
        &credentials.join("cuhk.root.passphrase"),
        "battery staple\n",
    );
    for line in COMMANDS {
        let done = given(line);
        match line.starts_with("doctor") {
            true => assert!(!done.stdout.contains("not tried"), "{done:#?}"),
            false => drop(done.succeeded()),
        }
    }
    let words = ["serve", "--listen", "127.0.0.1:0"];
    let mut serve = campus.command("cuhk", &words);
    serve.env("CREDENTIALS_DIRECTORY", &credentials);
    assert!(
        crate::campus::Server::start_command(&mut serve)
            .stop()
            .success()
    );
}

#[test]
fn an_answer_is_not_put_to_use_with_a_passphrase_that_does_not_open_its_key() {
    let campus = campus();
    let run = |line: &str| campus.cuhk(&words(line));
    run("keys request students --out asked.json --passphrase-file issuers.pass").succeeded();
    run(
        "keys sign-request asked.json --root-dir cuhk.home/root --out told.json \
         --root-passphrase-file root.pass",
    )
    .succeeded();
    let refused = run("keys import told.json --passphrase-file root.pass");
    assert_eq!(refused.exit, Some(2), "{refused:#?}");
    assert!(
        refused.stderr.contains("[wrong_passphrase]"),
        "{refused:#?}"
    );
    let listed = || run("keys list").succeeded().stdout;
    assert!(!listed().contains("students-2"), "{}", listed());
    run("keys import told.json --passphrase-file issuers.pass").succeeded();
    assert!(listed().contains("students-2"), "{}", listed());
}

#[test]
fn a_student_gives_one_for_all_keys_or_a_line_for_each() {
    let campus = Campus::sandbox();
    let student = |line: &str, input: &str| {
        let mut command = program("student");
        command.arg("--sandbox").arg(campus.path());
        Ran::fed(command.args(words(line)), input)
    };
    let ids = "--ids 1155000001,1155000002";
    let all = format!("{ids} --passphrase-file -");
    student(&format!("enrol {all} --protect"), "one for all\n").succeeded();
    let wrong = student(&format!("submit {all}"), "another one\n");
    assert_ne!(wrong.exit, Some(0), "{wrong:#?}");
    assert!(!(wrong.stdout + &wrong.stderr).contains("another one"));
    student(&format!("submit {all}"), "one for all\n").succeeded();
    let each = "--passphrase-file 1155000001=- --passphrase-file 1155000002=-";
    student(
        &format!("submit {ids} {each}"),
        "one for all\none for all\n",
    )
    .succeeded();
    let short = student(&format!("submit {ids} {each}"), "one for all\n");
    assert_ne!(short.exit, Some(0), "{short:#?}");
}

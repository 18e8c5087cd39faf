//! Students who enrolled, or renewed, after the backup that CUHK was put back from.

use std::fs;
use std::time::Instant;

use crate::campus::{ByHand, LONG, Ran, Server, version};
use crate::monitoring::{Watched, on, put_back, watched};
use crate::operations::indented;

const ROSTER: &str = "sid,name\n1155000001,A\n1155000002,B\n1155000003,C\n";
/// As docs/OPERATIONS.md has it, where the files are CUHK's.
const AGAIN: &str = "roster import students.csv --codes-out again.csv --replace-codes";
const CERTIFIED: &str =
    "roster import students.csv --codes-out certified.csv --replace-codes --also-certified";

fn is_on_the_page(command: &str) {
    let page = indented().into_iter();
    let mut typed = page.map(|line| line.replace("/var/lib/cuhk/", ""));
    assert!(
        typed.any(|line| line == format!("cuhk {command}")),
        "{command}"
    );
}

fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

fn enrol(campus: &ByHand, cuhk: &Server, (sid, sheet): (&str, &str)) -> Ran {
    let enrol = ["enrol", "--ids", sid, "--codes", sheet];
    let to = ["--ca", "cuhk.home/ca.pem", "--cuhk", &cuhk.address()];
    campus.student(&[&enrol[..], &to].concat())
}

#[test]
fn after_a_restoration_the_command_of_the_page_gives_codes_that_end_those_of_before() {
    is_on_the_page(AGAIN);
    let campus = ByHand::new();
    campus.init().succeeded();
    campus.roster(ROSTER).succeeded();
    let mut cuhk = campus.serve_cuhk();
    enrol(&campus, &cuhk, ("1155000003", "codes.csv")).succeeded();
    campus.cuhk(&["backup", "night.zip"]).succeeded();
    enrol(&campus, &cuhk, ("1155000001", "codes.csv")).succeeded();
    assert!(cuhk.stop().success());
    let (home, lost) = (campus.path("cuhk.home"), campus.path("lost.home"));
    fs::rename(&home, &lost).unwrap();
    let told = campus.cuhk(&["restore", "night.zip"]).succeeded().stdout;
    assert!(told.contains("--codes-out OUT --replace-codes"), "{told}");
    fs::remove_dir_all(home.join("log")).unwrap();
    fs::rename(lost.join("log"), home.join("log")).unwrap();
    let sign = "root sign-crl --root-passphrase-file root.pass";
    campus.cuhk(&words(sign)).succeeded();
    let cuhk = campus.serve_cuhk();
    let renew = campus.student(&["renew", "--ids", "1155000001", "--cuhk", &cuhk.address()]);
    assert_eq!(renew.exit, Some(3), "{renew:#?}");
    for told in ["the code of your sheet", "enrol --ids 1155000001 --replace"] {
        assert!(renew.stderr.contains(told), "{told}: {renew:#?}");
    }

    // What it says where nothing is to be replaced.
    let plain = AGAIN.replace(" --replace-codes", "");
    let told = campus.cuhk(&words(&plain)).succeeded().stdout;
    for expected in [
        "no file was written",
        "2 students without",
        "--replace-codes",
    ] {
        assert!(told.contains(expected), "{told}");
    }
    let json = campus
        .cuhk(&words(&format!("{plain} --json")))
        .succeeded()
        .json();
    assert_eq!(
        (&json["codes"], &json["open_codes"]),
        (&0.into(), &2.into())
    );
    let nowhere = "roster import students.csv --replace-codes";
    assert_eq!(campus.cuhk(&words(nowhere)).exit, Some(2));
    let told = campus
        .cuhk(&words(&format!("{AGAIN} --dry-run")))
        .succeeded()
        .stdout;
    assert!(told.contains("2 codes would be written"), "{told}");
    assert!(!campus.path("again.csv").exists());

    let told = campus.cuhk(&words(AGAIN)).succeeded().stdout;
    for expected in [
        "2 codes written to again.csv",
        "2 unused codes of the same students ended",
    ] {
        assert!(told.contains(expected), "{told}");
    }
    let sheet = fs::read_to_string(campus.path("again.csv")).unwrap();
    assert!(
        !sheet.contains("1155000003"),
        "who has a certificate needs none"
    );
    let noted = campus.cuhk(&["operations", "list"]).succeeded().stdout;
    assert!(noted.contains("2 codes, 2 replaced"), "{noted}");
    // Whoever kept the old one.
    for sid in ["1155000001", "1155000002"] {
        let old = enrol(&campus, &cuhk, (sid, "codes.csv"));
        assert_eq!(old.exit, Some(3), "{old:#?}");
        enrol(&campus, &cuhk, (sid, "again.csv")).succeeded();
    }
    let told = campus
        .cuhk(&words(&plain.replace("again", "third")))
        .succeeded();
    assert!(!told.stdout.contains("--replace-codes"), "{told:#?}");
}

#[test]
fn who_renewed_since_the_backup_gets_a_code_once_that_was_seen_and_all_who_may_have_do_if_wanted() {
    is_on_the_page(CERTIFIED);
    let Watched {
        mut campus, dir, ..
    } = watched();
    let home = campus.path().join("cuhk");
    let passphrase = campus.path().join("cuhk.passphrase");
    let [shown, kept, renewed] = ["1155000001", "1155000002", "1155000003"];
    let enrol = ["enrol", "--ids", "1155000001,1155000002,1155000003"];
    campus.student(&enrol).succeeded();
    let night = dir.path().join("night.zip");
    on(&home, &["backup", night.to_str().unwrap()]).succeeded();
    for sid in [shown, renewed] {
        campus.student(&["renew", "--ids", sid]).succeeded();
    }
    let next = dir.path().join("next");
    let place = campus.path().join("cuhk.addr");
    let address = fs::read(&place).unwrap();
    put_back(&mut campus, &night, &home, &next);
    fs::write(&place, address).unwrap();
    let sign = ["root", "sign-crl", "--root-passphrase-file"];
    on(
        &next,
        &[&sign[..], &[passphrase.to_str().unwrap()]].concat(),
    )
    .succeeded();

    // Who hands in shows which certificate he has.
    let report = version(campus.outside());
    let submit = |sid| campus.student(&["submit", "--ids", sid, "--wait", "60", &report]);
    submit(kept).succeeded();
    let begun = Instant::now();
    while !submit(shown).stderr.contains("student_inactive") {
        assert!(begun.elapsed() < LONG);
    }
    // The code was used before the backup.
    let refused = campus.student(&["enrol", "--ids", shown, "--replace"]);
    assert!(refused.stderr.contains("code_used"), "{refused:#?}");
    let told = "--replace instead of --new-device";
    assert!(refused.stderr.contains(told), "{refused:#?}");

    let roster = dir.path().join("students.csv");
    let list = on(&next, &["roster", "list", "--csv"]).succeeded().stdout;
    let head = list.lines().next().unwrap().to_owned();
    let ours = list.lines().filter(|line| line.contains("115500000"));
    let ours: Vec<_> = ours
        .filter(|line| [shown, kept, renewed].iter().any(|sid| line.contains(sid)))
        .collect();
    fs::write(&roster, format!("{head}\n{}\n", ours.join("\n"))).unwrap();
    let import = |line: &str| {
        let mut command = crate::campus::program("cuhk");
        command.arg("--home").arg(&next).current_dir(dir.path());
        Ran::of(command.args(line.split(' '))).succeeded()
    };
    let sheet = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
    let told = import(AGAIN).stdout;
    for expected in [
        "1 code written to again.csv",
        "1 of these students has shown a certificate",
        "1 student with a certificate of before CUHK was restored",
        "--also-certified",
    ] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
    let codes = sheet("again.csv");
    assert!(codes.contains(shown), "{codes}");
    assert!(!codes.contains(kept) && !codes.contains(renewed), "{codes}");
    let told = import(CERTIFIED).stdout;
    assert!(told.contains("2 codes written to certified.csv"), "{told}");
    let codes = sheet("certified.csv");
    assert!(codes.contains(renewed) && !codes.contains(kept), "{codes}");

    let file = dir.path().join("certified.csv");
    for sid in [shown, renewed] {
        let enrol = ["enrol", "--ids", sid, "--replace", "--codes"];
        campus
            .student(&[&enrol[..], &[file.to_str().unwrap()]].concat())
            .succeeded();
        submit(sid).succeeded();
    }
    let told = import(&CERTIFIED.replace("certified.csv", "third.csv")).stdout;
    assert!(told.contains("nobody needs a code"), "{told}");
}

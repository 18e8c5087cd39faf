//! Students who enrolled after the backup that CUHK was put back from.

use std::fs;
use std::path::Path;

use crate::campus::{ByHand, Ran, Server};

const ROSTER: &str = "sid,name\n1155000001,A\n1155000002,B\n1155000003,C\n";
/// As docs/OPERATIONS.md has it.
const AGAIN: &str = "roster import students.csv --codes-out again.csv --replace-codes";

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
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/OPERATIONS.md");
    let page = fs::read_to_string(page).unwrap();
    assert!(page.contains(&format!("    cuhk {AGAIN}\n")), "{AGAIN}");
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

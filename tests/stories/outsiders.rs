//! What programs that we did not write make of what we emit.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::campus::{Campus, Ran, SAMPLE, judge, python, until_complete};

#[test]
fn openssl_confirms_the_receipt_and_refuses_an_altered_one() {
    let Some(_) = judge("openssl") else { return };
    let campus = Campus::sandbox();
    let unpacked = unpacked_receipt(&campus);
    let verify = |file: &str| {
        let mut command = Command::new("openssl");
        command
            .current_dir(&unpacked)
            .args(["cms", "-verify", "-binary", "-purpose", "any"]);
        command.args(["-inform", "DER", "-in", &format!("{file}.p7s")]);
        command.args(["-content", &format!("{file}.json"), "-CAfile", "trust.pem"]);
        command.args(["-crl_check_all", "-out", "/dev/null"]);
        Ran::of(&mut command)
    };
    for file in ["leaf", "statement"] {
        let said = verify(file).succeeded().stderr;
        assert!(said.contains("Verification successful"), "{said}");
        let path = unpacked.join(format!("{file}.json"));
        let mut bytes = fs::read(&path).unwrap();
        bytes[40] ^= 1;
        fs::write(&path, bytes).unwrap();
        assert_ne!(verify(file).exit, Some(0));
    }
}

#[test]
fn the_script_in_docs_comes_to_the_same_verdict() {
    let Some(mut python) = python() else { return };
    let campus = Campus::sandbox();
    let told = campus
        .student(&["submit", "--ids", SAMPLE, "--json"])
        .succeeded()
        .json();
    let receipt = told["receipt"].as_str().unwrap();
    revoke_one(&campus);
    let ours = campus.student(&["verify", receipt]).succeeded().stdout;
    let root = ours
        .lines()
        .find_map(|line| line.strip_prefix("root       SHA-256 "));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/verify_receipt.py");
    python.arg(script).arg(receipt).arg(root.unwrap());
    let theirs = Ran::of(&mut python).succeeded().stdout;
    assert!(
        theirs.contains("\nverdict    it verifies: committed at 2"),
        "{theirs}"
    );
    // Line by line the same, as far as both say it in the same words.
    for what in [
        "committed ",
        "accepted ",
        "signed ",
        "file ",
        "logged ",
        "entered ",
        "dated ",
        "witnessed ",
    ] {
        let lines = |text: &str| text.lines().filter(|line| line.starts_with(what)).count();
        assert_eq!(lines(&theirs), lines(&ours), "{what}: {ours}{theirs}");
    }
}

#[test]
fn openssl_reads_keys_and_certificates() {
    let Some(_) = judge("openssl") else { return };
    let campus = Campus::sandbox();
    campus
        .student(&["enrol", "--ids", "1155000001"])
        .succeeded();
    let own = campus.path().join("student/students/1155000001");
    let openssl = |arguments: &[&str]| {
        Ran::of(Command::new("openssl").current_dir(&own).args(arguments))
            .succeeded()
            .stdout
    };
    assert!(openssl(&["pkey", "-in", "key.pem", "-noout", "-text"]).contains("P-256"));
    let leaf = openssl(&["x509", "-in", "chain.pem", "-noout", "-text"]);
    for expected in [
        "/student/1155000001",
        "Digital Signature",
        "CA:FALSE",
        "TLS Web Client Authentication",
    ] {
        assert!(leaf.contains(expected), "{leaf}");
    }
    let root = campus.path().join("ca.pem");
    let root = root.to_str().unwrap();
    let chain = [
        "verify",
        "-x509_strict",
        "-CAfile",
        root,
        "-untrusted",
        "chain.pem",
        "chain.pem",
    ];
    assert!(openssl(&chain).contains("OK"));
}

#[test]
fn openssl_gets_no_further_than_it_should() {
    let Some(_) = judge("openssl") else { return };
    let campus = Campus::sandbox();
    let connect = |address: &str, more: &[&str]| {
        let mut command = Command::new("openssl");
        command
            .args(["s_client", "-connect", address, "-verify_quiet", "-ign_eof"])
            .args(more);
        command.stdin(std::process::Stdio::null());
        let ran = Ran::of(&mut command);
        format!("{}{}", ran.stdout, ran.stderr)
    };
    for address in [campus.cuhk.address(), campus.blackboard.address()] {
        let old = connect(&address, &["-tls1_2", "-alpn", "scb/1"]);
        assert!(old.contains("alert protocol version"), "{old}");
    }
    let http = connect(&campus.blackboard.address(), &["-alpn", "h2"]);
    assert!(http.contains("no application protocol"), "{http}");
    let unknown = connect(&campus.cuhk.address(), &["-alpn", "scb/2"]);
    assert!(unknown.contains("no application protocol"), "{unknown}");
    let nobody = connect(&campus.blackboard.address(), &["-alpn", "scb/1"]);
    assert!(nobody.contains("certificate required"), "{nobody}");
    assert!(campus.submissions().is_empty());
}

#[test]
fn the_commands_of_the_receipts_own_page_confirm_it() {
    let (Some(_), Some(_)) = (judge("openssl"), python()) else {
        return;
    };
    let campus = Campus::sandbox();
    let unpacked = unpacked_receipt(&campus);
    revoke_one(&campus);
    let page = fs::read_to_string(unpacked.join("VERIFY.md")).unwrap();
    let report = campus.outside().join("submission.txt");
    let text = SAMPLE
        .split(',')
        .map(|sid| format!("This is submission from {sid}\n").repeat(10));
    fs::write(&report, text.collect::<String>()).unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let commands = commands(&page)
        .replace("SECONDS", &now.unwrap().as_secs().to_string())
        .replace("YOUR-REPORT", report.to_str().unwrap());
    let run = |commands: &str| {
        let mut shell = Command::new("bash");
        shell.current_dir(&unpacked);
        Ran::of(shell.args(["-euc", commands]))
    };
    let ran = run(&commands).succeeded();
    assert!(
        ran.stdout
            .contains("signers are the members, by name: True"),
        "{ran:#?}"
    );
    let said = |text| ran.stderr.matches(text).count() + ran.stdout.matches(text).count();
    assert_eq!(said("CMS Verification successful"), 3, "{ran:#?}");
    assert_eq!(said("Signature Verified Successfully"), 2, "{ran:#?}");
    let held = [
        "CUHK endorsed the keys of this log and of its witness: True",
        "the log holds the entry: True",
        "when it was committed: True",
    ];
    assert_eq!(held.map(said), [1, 1, 1], "{ran:#?}");
    let statement = fs::read_to_string(unpacked.join("statement.json")).unwrap();
    for sid in SAMPLE.split(',') {
        assert!(
            ran.stdout.contains(&format!("/student/{sid}\n")),
            "{ran:#?}"
        );
    }
    let report = report.to_str().unwrap();
    let mut hashed = ran.stdout.lines().filter(|line| line.ends_with(report));
    let (sha256, _) = hashed.next().unwrap().split_once(' ').unwrap();
    assert!(statement.contains(sha256), "{ran:#?}");

    // Somebody else's ID beside the hash of a member's certificate.
    let (_, compare) = commands.split_once("python3 - <<'END'").unwrap();
    let (compare, _) = compare.split_once("\nEND\n").unwrap();
    let compare = format!("python3 - <<'END'{compare}\nEND\n");
    assert!(run(&compare).succeeded().stdout.contains("by name: True"));
    let forged = statement.replace("1155000002", "1155000009");
    assert_ne!(forged, statement);
    fs::write(unpacked.join("statement.json"), forged).unwrap();
    assert!(run(&compare).succeeded().stdout.contains("by name: False"));
}

/// A laptop is lost after the hand-in: what was signed before stays signed.
fn revoke_one(campus: &Campus) {
    let revoke = ["revoke", "1155000002", "--reason", "key_compromise"];
    campus.administer_cuhk(&revoke).succeeded();
}

/// What stands between fences, in order, as somebody would copy it.
fn commands(page: &str) -> String {
    let fenced = page.split("```").skip(1).step_by(2);
    fenced
        .map(|block| block.strip_prefix("sh\n").unwrap())
        .collect()
}

/// Hands in for the sample students and unpacks the receipt, once it is complete, with Python's zipfile.
fn unpacked_receipt(campus: &Campus) -> PathBuf {
    let told = campus
        .student(&["submit", "--ids", SAMPLE, "--json"])
        .succeeded()
        .json();
    let receipt = told["receipt"].as_str().unwrap();
    until_complete(|words| campus.student(words), receipt);
    let unpacked = campus.outside().join("receipt");
    unpack(Path::new(receipt), &unpacked);
    let trust =
        ["cuhk-ca.pem", "crl.pem"].map(|name| fs::read_to_string(unpacked.join(name)).unwrap());
    fs::write(unpacked.join("trust.pem"), trust.concat()).unwrap();
    unpacked
}

fn unpack(receipt: &Path, into: &Path) {
    let mut command = Command::new("python3");
    command.args(["-m", "zipfile", "-e"]).arg(receipt).arg(into);
    Ran::of(&mut command).succeeded();
}

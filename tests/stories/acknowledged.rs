//! What a student has in hand between signing and the receipt: Blackboard signed that it had recorded it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::campus::{
    Campus, LONG, Ran, SAMPLE, copy, judge, program, refuses_altered, script, version,
};
use crate::witness::{home, put_back, until_seen};

/// So large that it is on its way for a while.
const SIZE: u64 = 96 << 20;

/// A group that has a certificate, and a report that takes its time.
pub(crate) fn campus() -> (Campus, String) {
    let campus = Campus::sandbox();
    campus.student(&["enrol", "--ids", SAMPLE]).succeeded();
    let report = campus.outside().join("large.bin");
    File::create(&report).unwrap().set_len(SIZE).unwrap();
    (campus, report.to_str().unwrap().to_owned())
}

/// The acknowledgements that are kept.
fn kept(campus: &Campus) -> Vec<PathBuf> {
    let Ok(found) = fs::read_dir(campus.path().join("receipts/committed")) else {
        return Vec::new();
    };
    let paths = found.map(|file| file.unwrap().path());
    let mut paths: Vec<_> = paths
        .filter(|path| path.extension() == Some("zip".as_ref()))
        .collect();
    paths.sort();
    paths
}

/// Hands in until the acknowledgement is there, and is killed then. Where it is.
pub(crate) fn killed(campus: &Campus, report: &str) -> PathBuf {
    let mut command = program("student");
    command.arg("--sandbox").arg(campus.path());
    command.args(["submit", "--ids", SAMPLE, report]);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    let began = Instant::now();
    while kept(campus).is_empty() {
        assert!(child.try_wait().unwrap().is_none(), "it was too quick");
        assert!(began.elapsed() < LONG);
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let kept = kept(campus);
    assert_eq!(kept.len(), 1, "{kept:?}");
    kept[0].clone()
}

fn verify(campus: &Campus, file: &Path, more: &[&str]) -> Ran {
    campus.student(&[&["verify", file.to_str().unwrap()][..], more].concat())
}

fn history(campus: &Campus) -> Value {
    campus.student(&["history", "--json"]).succeeded().json()
}

#[test]
fn what_was_altered_of_it_meanwhile_stops_nobody_and_history_says_what_helps() {
    let (campus, report) = campus();
    let file = killed(&campus, &report);
    let recorded = verify(&campus, &file, &["--json"]).succeeded().json();
    let database = campus.path().join("blackboard/blackboard.db");
    let database = rusqlite::Connection::open(database).unwrap();
    let write = |sql: &str| assert_eq!(database.execute(sql, []).unwrap(), 1, "{sql}");
    let leaf = "SELECT leaf FROM log_entries WHERE kind = 'committed'";
    let leaf: Vec<u8> = database.query_row(leaf, [], |row| row.get(0)).unwrap();

    // The entry itself: nothing here knows any more when that was, but the file that is kept.
    write(
        "UPDATE log_entries SET leaf = \
         CAST(replace(CAST(leaf AS TEXT), 'verified', 'tokens') AS BLOB) WHERE kind = 'committed'",
    );
    for (lang, helps) in [
        ("en", "hand in a copy under another file name now"),
        ("zh-Hant", "以另一檔名的副本提交"),
    ] {
        let shown = campus.student(&["history", "--lang", lang]).succeeded();
        let shown = shown.stdout;
        assert!(shown.contains(helps), "{shown}");
        assert!(shown.contains(file.to_str().unwrap()), "{shown}");
    }
    assert_eq!(history(&campus)["unfinished"][0]["damaged"], true);
    let same = ["submit", "--ids", SAMPLE, &report, "--json"];
    campus.student(&same).refused(5, "stored_damaged");
    let copy = version(campus.outside());
    campus
        .student(&["submit", "--ids", SAMPLE, &copy])
        .succeeded();
    let back = "UPDATE log_entries SET leaf = ? WHERE kind = 'committed' AND number = 1";
    assert_eq!(database.execute(back, [leaf]).unwrap(), 1);

    // What a row beside it says: it goes on, as of then.
    write(
        "UPDATE commitments SET upload_until = 0, committed_at = 0, log_index = 0 WHERE log_index = 1",
    );
    let told = history(&campus);
    assert_eq!(told["unfinished"][0]["damaged"], false, "{told:#}");
    let told = campus.student(&same).succeeded().json();
    let receipt = told["receipt"].as_str().unwrap().to_owned();
    let receipt = verify(&campus, Path::new(&receipt), &["--json"]);
    let receipt = receipt.succeeded().json();
    assert_eq!(receipt["committed_at"], recorded["committed_at"]);
}

/// It is called neither a receipt nor bad where something is asked that is not in it.
fn is_asked_no_more_than_it_has(campus: &Campus, file: &Path, report: &str) {
    let key = "library.example/witness+8fd8a4f5+BOpKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs";
    for (more, code) in [
        (&[report][..], "archive_alone"),
        (&["--openssl"], "archive_alone"),
        (&["--witness", key], "no_witness"),
        (&["--witness", key, "--quorum", "2"], "no_witness"),
    ] {
        let told = verify(campus, file, more);
        assert_eq!(told.exit, Some(2), "{told:#?}");
        assert!(told.stdout.contains("it was not judged"), "{told:#?}");
        let what = "this is Blackboard's word that it recorded a statement";
        assert!(told.stderr.contains(what), "{told:#?}");
        assert!(told.stderr.contains(&format!("[{code}]")), "{told:#?}");
        assert!(!told.stderr.contains("archive of"), "{told:#?}");
    }
}

#[test]
fn who_is_killed_before_the_files_go_out_has_blackboards_signed_word() {
    let (campus, report) = campus();
    let file = killed(&campus, &report);
    let told = history(&campus);
    let [one] = &told["unfinished"].as_array().unwrap()[..] else {
        panic!("{told:#}");
    };
    assert_eq!(one["signed"], file.to_str().unwrap());
    assert_eq!(told["acknowledged"], Value::Array(Vec::new()));
    let shown = campus.student(&["history"]).succeeded().stdout;
    assert!(shown.contains(file.to_str().unwrap()), "{shown}");
    let listed = campus.student(&["receipts"]).succeeded().stdout;
    let name = file.file_name().unwrap().to_string_lossy();
    let line = listed.lines().find(|line| line.starts_with("committed/"));
    let line = line.unwrap_or_else(|| panic!("{listed}"));
    assert!(
        line.contains(&*name) && line.ends_with("recorded; no receipt has come"),
        "{line}"
    );

    let verdict = verify(&campus, &file, &[]).succeeded().stdout;
    for told in [
        "recorded   at ",
        "says spiffe://",
        "unproved   that the log still holds the entry",
        "verdict    it verifies: Blackboard signed that it recorded on ",
        "it is NO receipt",
    ] {
        assert!(verdict.contains(told), "{told}: {verdict}");
    }
    let chinese = verify(&campus, &file, &["--lang", "zh-Hant"]);
    let chinese = chinese.succeeded().stdout;
    assert!(chinese.contains("\n未證明     日誌"), "{chinese}");
    let json = verify(&campus, &file, &["--json"]).succeeded().json();
    assert_eq!(json["committed_at"], one["committed_at"]);
    is_asked_no_more_than_it_has(&campus, &file, &report);
    assert_eq!(json["submission_id"], one["submission_id"]);

    let mut bytes = fs::read(&file).unwrap();
    let place = bytes.windows(9).position(|at| at == b"committed");
    bytes[place.unwrap()] ^= 1;
    let altered = campus.outside().join("altered.zip");
    fs::write(&altered, &bytes).unwrap();
    verify(&campus, &altered, &["--json"]).refused(3, "receipt_invalid");
    by_openssl(&campus, &file);
    by_script(&campus, &file);

    // The same command sends the files, and the receipt takes its place.
    let submit = ["submit", "--ids", SAMPLE, &report, "--json"];
    let receipt = campus.student(&submit).succeeded().json();
    let receipt = Path::new(receipt["receipt"].as_str().unwrap()).to_owned();
    let began = Instant::now();
    while !kept(&campus).is_empty() {
        assert!(began.elapsed() < LONG, "{:?}", kept(&campus));
        campus.student(&["receipts"]).succeeded();
    }
    let proved = verify(&campus, &receipt, &["--json"]).succeeded().json();
    assert_eq!(proved["committed_at"], json["committed_at"]);
    assert_eq!(proved["committed_index"], json["index"]);
}

/// The script comes to the same verdict, line by line, and refuses whatever is altered.
fn by_script(campus: &Campus, file: &Path) {
    let Some(theirs) = script(campus, file) else {
        return;
    };
    let theirs = theirs.succeeded().stdout;
    let json = verify(campus, file, &["--json"]).succeeded().json();
    let verdict = format!(
        "verdict    it verifies: Blackboard signed that it recorded at {}, as entry {} of the log of \
         SANDBOX/lab, what {}",
        json["committed_at"].as_str().unwrap(),
        json["index"],
        SAMPLE.replace(',', ", ")
    );
    assert!(theirs.contains(&verdict), "{verdict}: {theirs}");
    let ours = verify(campus, file, &[]).succeeded().stdout;
    let lines = |text: &str| {
        text.lines()
            .filter(|line| !line.starts_with("verdict"))
            .count()
    };
    assert_eq!(lines(&theirs), lines(&ours), "{ours}{theirs}");
    let parts = ["\"submission\"", "\"index\":", "-----BEGIN", "1155000002"];
    refuses_altered(campus, file, &parts);
}

/// What is kept, for `openssl`; nothing where there is none, or no Python.
pub(crate) fn unpacked(campus: &Campus, file: &Path) -> Option<PathBuf> {
    let (_, mut python) = (judge("openssl")?, judge("python3")?);
    let dir = campus.outside().join("unpacked");
    let unpack = ["-m", "zipfile", "-e", file.to_str().unwrap()];
    assert!(python.args(unpack).arg(&dir).status().unwrap().success());
    Some(dir)
}

/// Whether `openssl` says that one of its services signed this.
pub(crate) fn is_signed(dir: &Path, signature: &str, content: &str) -> bool {
    let verify = format!(
        "cms -verify -binary -purpose any -inform DER -in {signature} -content {content} \
         -CAfile cuhk-ca.pem -out out"
    );
    let mut openssl = judge("openssl").unwrap();
    let openssl = openssl.args(verify.split_whitespace()).current_dir(dir);
    openssl.output().unwrap().status.success()
}

/// `openssl` comes to the same verdict on both signatures, and refuses an entry that was altered.
fn by_openssl(campus: &Campus, file: &Path) {
    let Some(dir) = unpacked(campus, file) else {
        return;
    };
    assert!(is_signed(&dir, "leaf.p7s", "leaf.json"));
    assert!(is_signed(&dir, "statement.p7s", "statement.json"));
    let leaf = fs::read_to_string(dir.join("leaf.json")).unwrap();
    let earlier = leaf.replacen("\"at\":\"20", "\"at\":\"19", 1);
    assert_ne!(earlier, leaf);
    fs::write(dir.join("leaf.json"), earlier).unwrap();
    assert!(!is_signed(&dir, "leaf.p7s", "leaf.json"));
}

#[test]
fn what_blackboard_has_lost_with_an_old_backup_the_student_still_has() {
    let (mut campus, report) = campus();
    let first = ["submit", "--ids", SAMPLE, &version(campus.outside())];
    campus.student(&first).succeeded();
    let before = until_seen(&campus);
    campus.blackboard.stop();
    let backup = campus.outside().join("backup");
    copy(&home(&campus), &backup);
    let backed_up = Instant::now();
    campus.start_blackboard_again();
    let file = killed(&campus, &report);
    let lost = (until_seen(&campus) - before).to_string();
    campus.blackboard.stop();
    // What is put back within two seconds of its last write is not told from what was never away.
    while backed_up.elapsed() < Duration::from_secs(3) {
        std::thread::yield_now();
    }
    put_back(&campus, &backup);
    campus
        .administer_blackboard(&["recover", "--lose", &lost])
        .succeeded();
    campus.start_blackboard_again();

    let told = history(&campus);
    assert_eq!(told["unfinished"], Value::Array(Vec::new()), "{told:#}");
    assert_eq!(told["acknowledged"][0]["file"], file.to_str().unwrap());
    let shown = campus.student(&["history"]).succeeded().stdout;
    for told in ["RECORDED  ", "it was LOST there", file.to_str().unwrap()] {
        assert!(shown.contains(told), "{told}: {shown}");
    }
    verify(&campus, &file, &[]).succeeded();

    // It is handed in now, at a later time; what was signed before stays as evidence.
    let submit = ["submit", "--ids", SAMPLE, &report, "--json"];
    let refused = campus.student(&submit);
    refused.refused(3, "commitment_broken");
    assert_eq!(campus.submissions().len(), 2);
    assert!(kept(&campus).contains(&file), "{:?}", kept(&campus));
    let listed = campus.student(&["receipts"]);
    assert_eq!(listed.exit, Some(3), "{listed:#?}");
    assert!(
        listed.stdout.contains("recorded, and CONTRADICTED by S-"),
        "{listed:#?}"
    );
    let shown = campus.student(&["history"]).succeeded().stdout;
    assert!(shown.contains(" CONTRADICTS it: keep both"), "{shown}");
}

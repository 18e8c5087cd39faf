//! What `docs/TEACHING.md` has a class type, and `docs/RECEIPTS.md` whoever has something from Blackboard to judge.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::acknowledged;
use crate::campus::{Campus, SAMPLE, judge, python, version};
use crate::operations::{Typist, indented_of};
use crate::readme::{Terminal, answered, asked};

const REPOSITORY: &str = env!("CARGO_MANIFEST_DIR");

/// What lies in every receipt.
const INSTRUCTIONS: &str = include_str!("../../common/protocol/src/receipt/VERIFY.md");

fn page(name: &str) -> String {
    fs::read_to_string(Path::new(REPOSITORY).join("docs").join(name)).unwrap()
}

/// The lines of the page's boxes that begin with one of the programs.
fn boxed(page: &str) -> Vec<String> {
    let boxes = page.split("```").skip(1).step_by(2);
    let programs = ["cuhk ", "blackboard ", "student "];
    let is_typed = |line: &&str| programs.iter().any(|program| line.starts_with(program));
    let lines = boxes.flat_map(|one| one.lines().filter(is_typed));
    lines.map(str::to_owned).collect()
}

#[test]
fn a_class_types_what_the_page_for_teachers_has() {
    let mut class = Typist::of(boxed(&page("TEACHING.md")));
    assert!(class.left.len() > 9, "{:#?}", class.left);
    class.installs();
    let (dir, scb) = (("DIR", "/var/lib/scb"), ("/tmp/scb", "/var/lib/scb"));
    let mut explains = |part| {
        let command = class.next(part, &[scb]);
        Terminal::with(&class, &command)
    };
    let (cuhk, blackboard) = (explains("cuhk       serve"), explains("blackboard serve"));
    let explained = class.next("student ", &[scb]);
    let shown = asked(&class, &explained, &[]);
    assert!(shown.contains("session key"), "{shown}");
    assert!(class.reads("work/run.html").contains("<html"));

    for (part, code) in [
        ("replayed-proof", "proof_invalid"),
        ("two-signatures", "signature_missing"),
    ] {
        let command = class.next(part, &[dir]);
        let (shown, ended) = answered(&class, &command, &[]);
        assert_eq!(ended, Some(3), "{shown}");
        assert!(shown.contains(code), "{shown}");
    }
    for program in ["student", "cuhk", "blackboard"] {
        let shown = class.types(&format!("{program} {}--fault help", serve(program)), &[]);
        assert!(shown.lines().count() > 10, "{shown}");
    }
    drop((cuhk, blackboard));

    let dishonest = class.next("replayed-verification", &[dir]);
    let cuhk = Terminal::with(&class, &dishonest);
    let honest = Terminal::with(&class, "blackboard serve --sandbox /var/lib/scb");
    is_noticed(&class, "verification_invalid");
    drop((cuhk, honest));
    let _cuhk = Terminal::with(&class, "cuhk serve --sandbox /var/lib/scb");
    let dishonest = class.next("altered-share", &[dir]);
    let _blackboard = Terminal::with(&class, &dishonest);
    is_noticed(&class, "share_invalid");
    assert!(class.left.is_empty(), "nobody types {:#?}", class.left);
}

fn serve(program: &str) -> &'static str {
    match program {
        "student" => "",
        _ => "serve ",
    }
}

/// Two members hand in, and nothing comes of it.
fn is_noticed(class: &Typist, code: &str) {
    let submit = "student --sandbox /var/lib/scb submit --ids 1155000001,1155000002 run.html";
    class.is_refused(submit, code);
}

/// Somebody with what a student was given, and the page.
struct Board {
    typist: Typist,
    campus: Campus,
    root: String,
}

impl Board {
    fn meets(campus: Campus) -> Self {
        let typist = Typist::of(indented_of(&page("RECEIPTS.md")));
        typist.installs();
        let work = typist.machine.path("work");
        symlink(campus.path().join("receipts"), work.join("receipts")).unwrap();
        for script in fs::read_dir(Path::new(REPOSITORY).join("docs")).unwrap() {
            let name = script.unwrap().file_name();
            let script = Path::new(REPOSITORY).join("docs").join(&name);
            symlink(script, work.join(name)).unwrap();
        }
        let root = campus.path().join("ca.pem");
        // As a home has it outside a sandbox.
        fs::copy(&root, campus.path().join("student/ca.pem")).unwrap();
        let told = typist.does(&format!(
            "openssl x509 -in {} -outform DER | sha256sum",
            root.to_str().unwrap()
        ));
        let root = told[..64].to_owned();
        Self {
            typist,
            campus,
            root,
        }
    }

    /// Types it where the student's program has its home, in this folder of the work.
    #[track_caller]
    fn types(&mut self, part: &str, folder: &str, given: &[(&str, &str)]) -> String {
        let command = self.next(part, folder, given);
        self.typist.does(&command)
    }

    fn next(&mut self, part: &str, folder: &str, given: &[(&str, &str)]) -> String {
        let home = self.campus.path().join("student");
        let command = self.typist.next(part, given);
        format!(
            "export SCB_STUDENT_HOME={} PYTHONDONTWRITEBYTECODE=1; cd ./{folder}; {command}",
            home.to_str().unwrap()
        )
    }

    /// The one file of the kind, and what is in it, unpacked in a folder of the work by this name.
    fn unpacks(&self, kind: &str) -> (String, Value) {
        let found = fs::read_dir(self.campus.path().join("receipts").join(kind)).unwrap();
        let files: Vec<PathBuf> = found.map(|file| file.unwrap().path()).collect();
        let file = files
            .iter()
            .find(|file| file.extension() == Some("zip".as_ref()));
        let file = file
            .unwrap_or_else(|| panic!("{files:?}"))
            .to_str()
            .unwrap();
        self.typist
            .does(&format!("cp {file} .; python3 -m zipfile -e {file} {kind}"));
        let leaf = self.typist.reads(&format!("work/{kind}/leaf.json"));
        let stem = Path::new(file).file_stem().unwrap().to_str().unwrap();
        (stem.to_owned(), serde_json::from_str(&leaf).unwrap())
    }

    /// The seconds since 1970, as the page has them counted. Of the command for macOS, whose `date` is another one,
    /// only the format is tried, by what else reads such formats; it is the same one in every receipt.
    fn counts(&self, at: &str) -> String {
        let (count, form) = ("date -d AT +%s", "%Y-%m-%dT%H:%M:%SZ");
        let elsewhere = format!("date -juf {form} AT +%s");
        let told = format!("counted by `{count}` (macOS: `{elsewhere}`)");
        assert!(page("RECEIPTS.md").contains(&told), "{told}");
        let [here, there] =
            [count, &elsewhere].map(|one| one.replace("AT", "2026-11-21T12:00:01Z"));
        let told = format!("(`{here}`; on macOS `{there}`)");
        let words: Vec<_> = INSTRUCTIONS.split_whitespace().collect();
        assert!(words.join(" ").contains(&told), "{told}");
        let seconds = self.typist.does(&count.replace("AT", at));
        let read = format!("calendar.timegm(time.strptime(\"{at}\", \"{form}\"))");
        let same = format!("python3 -c 'import calendar, time; print({read})'");
        assert_eq!(self.typist.does(&same), seconds);
        seconds
    }

    /// Blackboard's signature on the entry, at the time that is there. How that is judged.
    fn is_signed(&mut self, kind: &str, leaf: &Value) -> String {
        let at = leaf["at"].as_str().unwrap();
        let seconds = self.counts(at);
        let verify = "-in leaf.p7s -content leaf.json";
        let verify = self.next(verify, kind, &[("SECONDS", seconds.trim())]);
        let named = self.next("-in signer.pem", kind, &[]);
        let judges = format!("({verify})\n({named})");
        let signer = self.typist.does(&judges);
        let service = format!("URI:spiffe://{}/service/blackboard", domain_of(leaf));
        assert!(signer.contains(&service), "{signer}");
        judges
    }

    /// A student's signature verifies as well, and the page has looked whose it is.
    fn is_seen_to_be_forged(&self, kind: &str, leaf: &Value, judges: &str) {
        let sid = SAMPLE.split(',').next().unwrap();
        self.is_signed_by(sid, kind);
        let signer = self.typist.does(judges);
        assert!(!signer.contains("/service/"), "{signer}");
        let student = format!("URI:spiffe://{}/student/{sid}", domain_of(leaf));
        assert!(signer.contains(&student), "{signer}");
    }

    /// This student signs the entry, as if he were Blackboard.
    fn is_signed_by(&self, sid: &str, kind: &str) {
        let own = self.campus.path().join("student/students").join(sid);
        let own = own.to_str().unwrap();
        self.typist.does(&format!(
            "cd {kind}; sed '1,/END/d' {own}/chain.pem > issuer.pem; rm leaf.p7s signer.pem; openssl cms -sign \
             -binary -in leaf.json -signer {own}/chain.pem -inkey {own}/key.pem -certfile issuer.pem -md sha256 \
             -outform DER -out leaf.p7s; rm issuer.pem"
        ));
    }

    /// Every root that comes with it is the one that the board has brought.
    fn has_only_its_root(&mut self, kind: &str) {
        let split = self.next("awk", kind, &[]);
        let told = self.next("-fingerprint -sha256", kind, &[]);
        let shows = format!("({split})\n({told})");
        let roots = |board: &Self| -> Vec<String> {
            let shown = board.typist.does(&shows);
            let each = shown.lines().filter_map(|line| line.split_once('='));
            each.map(|(_, root)| root.replace(':', "").to_lowercase())
                .collect()
        };
        assert_eq!(roots(self), [self.root.as_str()]);
        // One more that somebody put there is shown as well.
        let more =
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=other";
        self.typist.does(&format!(
            "cd {kind}; cp cuhk-ca.pem ours; {more} -keyout key.pem >> cuhk-ca.pem"
        ));
        assert_eq!(roots(self).len(), 2);
        self.typist
            .does(&format!("cd {kind}; mv ours cuhk-ca.pem; rm key.pem"));
    }
}

/// Whose log the entry is in.
fn domain_of(leaf: &Value) -> &str {
    leaf["log"].as_str().unwrap().split('/').next().unwrap()
}

/// What the page calls a file that is kept besides receipts.
const KEPT: &str = "CSCI3150-lab-1-8-5f2b6c0e";

/// Blackboard's signed word that it had recorded a statement.
fn judges_what_was_recorded(board: &mut Board, fingerprint: (&str, &str)) {
    let (stem, leaf) = board.unpacks("committed");
    board.types("verify receipts/committed/", "", &[(KEPT, &stem)]);
    board.types(
        "python3 verify_receipt.py CSCI",
        "",
        &[(KEPT, &stem), fingerprint],
    );
    board.has_only_its_root("committed");
    let seconds = board.counts(leaf["at"].as_str().unwrap());
    let seconds = ("SECONDS", seconds.trim());
    board.types("-content statement.json", "committed", &[seconds]);
    let told = board.types(
        "sha256sum statement.json statement.p7s leaf.json",
        "committed",
        &[],
    );
    let hashes: Vec<_> = told.lines().map(|line| &line[..64]).collect();
    let entry = leaf.to_string();
    assert!(
        hashes[..2].iter().all(|hash| entry.contains(hash)),
        "{hashes:?}: {entry}"
    );
    let judges = board.is_signed("committed", &leaf);
    board.is_seen_to_be_forged("committed", &leaf, &judges);
}

/// The rules that it told, and that it refused.
fn judges_what_was_told(board: &mut Board) {
    let (stem, leaf) = board.unpacks("rules");
    board.types(
        "verify receipts/rules/",
        "",
        &[("CSCI3150-lab-1-0-5f2b6c0e", &stem)],
    );
    board.is_signed("rules", &leaf);
    let (stem, leaf) = board.unpacks("refused");
    board.types("verify receipts/refused/", "", &[(KEPT, &stem)]);
    let judges = board.is_signed("refused", &leaf);
    let told = board.types("sha256sum statement.json", "refused", &[]);
    assert!(leaf.to_string().contains(&told[..64]), "{told}: {leaf}");
    board.is_seen_to_be_forged("refused", &leaf, &judges);
}

#[test]
fn whoever_judges_what_blackboard_signed_types_what_the_page_about_receipts_has() {
    if judge("openssl").is_none() || python().is_none() {
        return;
    }
    let (campus, report) = acknowledged::campus();
    let first = version(campus.outside());
    campus
        .student(&["submit", "--ids", SAMPLE, &first])
        .succeeded();
    acknowledged::killed(&campus, &report);
    let close = ["assignment", "close", "lab", "--course", "SANDBOX", "--yes"];
    campus.administer_blackboard(&close).succeeded();
    let late = version(campus.outside());
    let refused = campus.student(&[
        "submit",
        "--ids",
        SAMPLE,
        "--course",
        "SANDBOX",
        "--assignment",
        "lab",
        &late,
    ]);
    assert_eq!(refused.exit, Some(3), "{refused:#?}");

    let mut board = Board::meets(campus);
    let root = board.root.clone();
    let fingerprint = ("FINGERPRINT", root.as_str());
    judges_what_was_recorded(&mut board, fingerprint);
    judges_what_was_told(&mut board);

    board.typist.does(&format!(
        "cp receipts/S-000001.zip .; cp {first} report.pdf"
    ));
    board.types("student verify S-000001.zip report.pdf", "", &[fingerprint]);
    board.types(
        "python3 verify_receipt.py S-000001.zip FINGERPRINT report.pdf",
        "",
        &[fingerprint],
    );
    // A witness who has not signed it; tests/stories/outside_witness.rs has one who has.
    let key = "library.example/witness+8fd8a4f5+BOpKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs";
    let example = "library.example/witness+1f2e3d4c+BA…";
    let ours = board.next("--quorum 2", "", &[(example, key)]);
    board.typist.is_refused(&ours, "witness");
    let theirs = board.next("--quorum 2", "", &[("…", key), fingerprint]);
    let theirs = board.typist.machine.runs(&theirs);
    assert_ne!(theirs.exit, Some(0), "{theirs:#?}");
    let archive = board.typist.machine.path("work/lab-1.zip");
    let archive = ["submissions", "archive", archive.to_str().unwrap()];
    let of = ["--course", "SANDBOX", "--assignment", "lab"];
    let archived = board
        .campus
        .administer_blackboard(&[&archive[..], &of].concat());
    archived.succeeded();
    board.types("python3 verify_export.py", "", &[fingerprint]);
    let left = &board.typist.left;
    assert!(left.is_empty(), "nobody types {left:#?}");
}

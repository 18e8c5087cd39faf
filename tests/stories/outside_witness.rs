//! A witness besides CUHK, which is a program that has nothing of ours: what it takes to have it
//! cosign, and what becomes of receipts when it is away or says what is not so.

mod with_less;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::campus::{Campus, LONG, Ran, SAMPLE, Server, python, version};

/// A campus whose receipts need the cosignatures of CUHK and of a witness elsewhere.
struct Witnessed {
    campus: Campus,
    witness: Server,
    key: String,
}

/// The witness that is told of the logs in `logs`.
fn witness(python: &mut Command, logs: &Path, more: &[&str]) -> Server {
    let program = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/stories/judge_witness.py"
    );
    let logs = logs.to_str().unwrap();
    Server::start_command(python.arg(program).args(["--logs", logs]).args(more))
}

/// The key that a witness has said to be its own.
fn key_of(witness: &Server) -> String {
    let key = witness
        .said()
        .lines()
        .find_map(|line| line.strip_prefix("key "));
    key.unwrap().to_owned()
}

fn logs_of(campus: &Campus) -> PathBuf {
    let listed = campus.administer_blackboard(&["logs", "--json"]);
    let listed = listed.succeeded().json();
    let key = |log: &serde_json::Value| format!("{}\n", log["key"].as_str().unwrap());
    let keys: String = listed.as_array().unwrap().iter().map(key).collect();
    assert!(keys.contains("/SANDBOX/lab+"), "{keys}");
    let file = campus.outside().join("logs.txt");
    fs::write(&file, keys).unwrap();
    file
}

/// Changes a line of Blackboard's configuration.
fn configure(campus: &Campus, from: &str, to: &str) {
    let file = campus.path().join("blackboard/config.toml");
    let config = fs::read_to_string(&file).unwrap();
    let with = config.replace(from, to);
    assert_ne!(with, config, "{from}");
    fs::write(file, with).unwrap();
}

impl Witnessed {
    /// None where there is no Python with `cryptography`.
    fn campus() -> Option<Self> {
        Self::after(|_| {})
    }

    fn after(before: impl FnOnce(&Campus)) -> Option<Self> {
        let mut python = python()?;
        let mut campus = Campus::sandbox();
        before(&campus);
        let witness = witness(&mut python, &logs_of(&campus), &[]);
        let (key, address) = (key_of(&witness), witness.address());
        let named = format!("witnesses = [{{ key = \"{key}\", url = \"http://{address}\" }}]");
        configure(&campus, "witnesses = []", &named);
        configure(&campus, "quorum = 1", "quorum = 2");
        campus.restart_blackboard();
        Some(Self {
            campus,
            witness,
            key,
        })
    }

    /// The same, to which something had been handed in before the witness joined.
    fn joining() -> Option<Self> {
        Self::after(|campus| {
            campus
                .student(&["submit", "--ids", SAMPLE, &version(campus.outside())])
                .succeeded();
        })
    }

    /// Another one in its place, at the same address.
    fn exchange(&mut self, more: &[&str]) {
        self.witness.kill();
        let address = self.witness.address();
        let logs = self.campus.outside().join("logs.txt");
        let more = [&["--listen", &address], more].concat();
        self.witness = witness(&mut python().unwrap(), &logs, &more);
    }

    fn hand_in(&self) {
        let report = version(self.campus.outside());
        self.campus
            .student(&["submit", "--ids", SAMPLE, &report])
            .succeeded();
    }

    fn receipt(&self, number: u64) -> PathBuf {
        let name = format!("receipts/S-{number:06}.zip");
        self.campus.path().join(name)
    }

    /// Whether the receipt that came at once has no cosignatures yet.
    fn is_pending(&self, number: u64) -> bool {
        let receipt = self.receipt(number);
        let verdict = ["verify", receipt.to_str().unwrap(), "--json"];
        self.campus.student(&verdict).succeeded().json()["pending"] == true
    }

    /// What `student verify` says with this witness's key and two that must have cosigned.
    fn verify(&self, number: u64, key: &str) -> Ran {
        let receipt = self.receipt(number);
        let receipt = receipt.to_str().unwrap();
        self.campus
            .student(&["verify", receipt, "--witness", key, "--quorum", "2"])
    }

    /// Fetches what is pending until nothing is.
    fn until_complete(&self, number: u64) {
        let began = Instant::now();
        loop {
            self.campus.student(&["receipts"]);
            let is_verified = self.verify(number, &self.key).exit == Some(0);
            if is_verified && !self.is_pending(number) {
                return;
            }
            assert!(began.elapsed() < LONG, "{}", self.campus.blackboard.log());
        }
    }

    fn until_logged(&self, what: &str) {
        let began = Instant::now();
        while !self.campus.blackboard.log().contains(what) {
            assert!(
                began.elapsed() < LONG,
                "{what}: {}",
                self.campus.blackboard.log()
            );
        }
    }
}

/// The script in `docs/`, which has nothing of ours either.
fn by_python(of: &Witnessed, number: u64, more: &[&str]) -> Ran {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/verify_receipt.py");
    let receipt = of.receipt(number);
    let ours = of.campus.student(&["verify", receipt.to_str().unwrap()]);
    let ours = ours.succeeded().stdout;
    let root = ours
        .lines()
        .find_map(|line| line.strip_prefix("root       SHA-256 "));
    let mut python = python().unwrap();
    python.args([Path::new(script), &receipt]);
    Ran::of(python.arg(root.unwrap()).args(more))
}

#[test]
fn a_receipt_has_the_cosignature_of_an_outside_witness_and_who_knows_its_key_counts_it() {
    let Some(of) = Witnessed::campus() else {
        return;
    };
    of.hand_in();
    of.until_complete(1);
    let verified = of.verify(1, &of.key).succeeded();
    assert!(
        verified.stdout.contains("library.example/witness"),
        "{verified:#?}"
    );
    let quorum = ["--witness", &of.key, "--quorum", "2"];
    let by_script = by_python(&of, 1, &quorum).succeeded();
    assert!(by_script.stdout.contains("by library.example/witness at"));
    // Whoever does not know it passes it over.
    let by_script = by_python(&of, 1, &[]).succeeded();
    assert!(
        !by_script.stdout.contains("library.example"),
        "{by_script:#?}"
    );

    let stranger = witness(
        &mut python().unwrap(),
        &of.campus.outside().join("logs.txt"),
        &["--seed", "08"],
    );
    let unknown = key_of(&stranger);
    let refused = of.verify(1, &unknown);
    assert_eq!(refused.exit, Some(3), "{refused:#?}");
    let told = "1 of its witnesses cosigned, 2 must";
    assert!(refused.stderr.contains(told), "{refused:#?}");
    assert!(refused.stderr.contains("/witness/cuhk; "), "{refused:#?}");
    let verdict = "it verifies, but NOT with as many witnesses as are wanted";
    assert!(refused.stdout.contains(verdict), "{refused:#?}");
    let quorum = ["--witness", &unknown, "--quorum", "2"];
    assert_ne!(by_python(&of, 1, &quorum).exit, Some(0));
}

#[test]
fn a_receipt_is_pending_while_the_witness_is_away_and_complete_when_it_is_back() {
    let Some(mut of) = Witnessed::campus() else {
        return;
    };
    of.witness.kill();
    let report = version(of.campus.outside());
    let told = of.campus.student(&["submit", "--ids", SAMPLE, &report]);
    let told = told.succeeded().stdout;
    let words = "CUHK has cosigned it; library.example/witness has not yet";
    assert!(told.contains(words), "{told}");
    assert!(of.is_pending(1));
    let history = || of.campus.student(&["history"]).succeeded().stdout;
    let told = history();
    let words = "pending: CUHK has cosigned it, library.example/witness has not yet";
    assert!(told.contains(words), "{told}");
    let verified = of.verify(1, &of.key).succeeded().stdout;
    let words = "PENDING: CUHK has seen it in the log, library.example/witness not yet";
    assert!(verified.contains(words), "{verified}");
    assert!(verified.contains("/witness/cuhk at "), "{verified}");
    let by_script = by_python(&of, 1, &[]).succeeded().stdout;
    let words = "PENDING: CUHK has seen the log entry, not library.example/witness";
    assert!(by_script.contains(words), "{by_script}");
    of.until_logged("the witness library.example/witness at http://");
    of.hand_in();
    // It has lost what it knew: it cosigns the log from the start.
    of.exchange(&[]);
    // Where the proof comes in the very call, it does not say that it is still to come.
    let began = Instant::now();
    while of.is_pending(1) {
        let told = of.campus.student(&["history"]).succeeded().stdout;
        let pending = usize::from(of.is_pending(1)) + usize::from(of.is_pending(2));
        assert_eq!(
            told.matches("receipt   pending: ").count(),
            pending,
            "{told}"
        );
        assert!(began.elapsed() < LONG, "{}", of.campus.blackboard.log());
    }
    of.until_complete(1);
    of.until_complete(2);
    of.until_logged("answers again");
}

#[test]
fn a_signed_refusal_names_the_witness_that_is_missing_until_it_is_back() {
    let Some(mut of) = Witnessed::campus() else {
        return;
    };
    let close = "assignment close lab --course SANDBOX --yes";
    let close: Vec<_> = close.split(' ').collect();
    of.campus.administer_blackboard(&close).succeeded();
    of.witness.kill();
    let report = version(of.campus.outside());
    let submit = ["submit", "--ids", SAMPLE, &report, "--json"];
    let place = ["--course", "SANDBOX", "--assignment", "lab"];
    let submit = [&submit[..], &place].concat();
    of.campus.student(&submit).refused(3, "assignment_closed");
    let began = Instant::now();
    let told = loop {
        let told = of.campus.student(&["receipts"]).succeeded().stdout;
        if told.contains("CUHK has cosigned it") {
            break told;
        }
        assert!(began.elapsed() < LONG, "{told}");
    };
    let words = "pending: CUHK has cosigned it, library.example/witness has not yet";
    assert!(told.contains(words), "{told}");
    let listed = of
        .campus
        .student(&["receipts", "--json"])
        .succeeded()
        .json();
    let refusal = &listed["refusals"][0];
    assert_eq!(refusal["awaited"][0], "library.example/witness");
    assert_eq!(refusal["pending"], true);
    let file = refusal["file"].as_str().unwrap();
    let verify = |language: &str| {
        let arguments = ["verify", file, "--lang", language];
        of.campus.student(&arguments).succeeded().stdout
    };
    let words = "PENDING: CUHK has seen it in the log, library.example/witness not yet";
    let verdict = verify("en");
    assert!(verdict.contains(words), "{verdict}");
    assert!(verdict.contains("/witness/cuhk at "), "{verdict}");
    let words = "待完成：中大已在日誌中見到它，library.example/witness 尚未";
    assert!(verify("zh-Hant").contains(words));

    of.exchange(&[]);
    let began = Instant::now();
    while of.campus.student(&["receipts", "--json"]).json()["refusals"][0]["pending"] == true {
        assert!(began.elapsed() < LONG, "{}", of.campus.blackboard.log());
    }
    let arguments = ["verify", file, "--witness", &of.key, "--quorum", "2"];
    let verdict = of.campus.student(&arguments).succeeded().stdout;
    assert!(verdict.contains("library.example/witness at "), "{verdict}");
}

#[test]
fn what_a_witness_says_that_is_not_so_is_named_and_no_receipt_has_it() {
    let Some(mut of) = Witnessed::campus() else {
        return;
    };
    for (number, (lie, told)) in (1..).zip([
        ("other", "the signature by library.example/witness is wrong"),
        ("name", "no signature by library.example/witness"),
        ("garbage", "not a list of cosignatures"),
        ("bytes", "its answer is not text"),
        ("long", "answers with more than 16384 bytes"),
        ("clock", "its clock is wrong"),
        ("silent", "did not answer within 10 s"),
        (
            "ahead",
            "it says that it has cosigned 1099511627776 entries",
        ),
        ("forked", "does not extend what it has cosigned of it (409)"),
        ("409", "does not extend what it has cosigned of it (409)"),
        ("422", "does not extend what it has cosigned of it (422)"),
        ("403", "it knows this log under another key (403)"),
        ("404", "it does not know this log (404)"),
        ("500", "is away: it answers 500"),
    ]) {
        of.exchange(&["--lie", lie]);
        // It does not remember what it said to be wrong.
        of.campus.restart_blackboard();
        of.hand_in();
        assert!(of.is_pending(number), "{lie}");
        of.until_logged(told);
        if lie == "ahead" {
            let listed = of.campus.administer_blackboard(&["logs", "--json"]);
            let state = &listed.succeeded().json()[0]["witnesses"][0];
            assert_eq!(state["state"], "ahead", "{state}");
            assert_eq!(state["cosigned"], 1_099_511_627_776_u64);
            assert!(state["remedy"].as_str().unwrap().contains("put back"));
        }
    }
    let listed = of.campus.administer_blackboard(&["logs"]).succeeded();
    let state = "library.example/witness ";
    assert!(listed.stdout.contains(state), "{listed:#?}");
    assert!(listed.stderr.contains("see whether it runs"), "{listed:#?}");
    // One that nobody has told of the log.
    fs::write(of.campus.outside().join("logs.txt"), "").unwrap();
    of.exchange(&[]);
    of.campus.restart_blackboard();
    of.until_logged("it does not know this log (404)");
    logs_of(&of.campus);
    of.campus.restart_blackboard();
    for number in 1..=14 {
        of.until_complete(number);
    }
}

#[test]
fn an_archive_has_the_cosignatures_that_its_receipts_need() {
    let Some(mut of) = Witnessed::campus() else {
        return;
    };
    of.hand_in();
    let file = of.campus.outside().join("lab.zip");
    let archive = |of: &Witnessed, patience: &str| {
        let arguments = ["submissions", "archive", file.to_str().unwrap()];
        let of_lab = ["--course", "SANDBOX", "--assignment", "lab"];
        let rest = ["--wait", patience, "--replace"];
        let arguments = [&arguments[..], &of_lab, &rest].concat();
        of.campus.administer_blackboard(&arguments)
    };
    let verify = |key: &str| {
        let arguments = ["verify", file.to_str().unwrap(), "--witness", key];
        of.campus
            .student(&[&arguments[..], &["--quorum", "2"]].concat())
    };
    of.until_complete(1);
    archive(&of, "60s").succeeded();
    let said = verify(&of.key).succeeded().stdout;
    assert!(
        said.contains("\nwitnessed  by library.example/witness at "),
        "{said}"
    );
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/verify_export.py");
    let root = said
        .lines()
        .find_map(|line| line.strip_prefix("root       SHA-256 "));
    let by_script = |key: &str| {
        let mut python = python().unwrap();
        python.env("PYTHONDONTWRITEBYTECODE", "1");
        python.args([script, file.to_str().unwrap(), root.unwrap()]);
        Ran::of(python.args(["--witness", key, "--quorum", "2"]))
    };
    let said = by_script(&of.key).succeeded().stdout;
    assert!(said.contains("by library.example/witness at "), "{said}");
    let logs = of.campus.outside().join("logs.txt");
    let stranger = witness(&mut python().unwrap(), &logs, &["--seed", "08"]);
    let unknown = key_of(&stranger);
    assert_eq!(verify(&unknown).exit, Some(3));
    assert_ne!(by_script(&unknown).exit, Some(0));

    // Without the witness there is none of what came since.
    of.witness.kill();
    of.hand_in();
    let refused = archive(&of, "1s");
    assert_eq!(refused.exit, Some(4), "{refused:#?}");
    of.exchange(&[]);
    of.until_complete(2);
    archive(&of, "60s").succeeded();
}

#[test]
fn in_an_archive_a_witness_that_joined_later_has_seen_what_was_complete_before() {
    let Some(of) = Witnessed::joining() else {
        return;
    };
    of.hand_in();
    of.until_complete(2);
    let file = of.campus.outside().join("lab.zip");
    let arguments = ["submissions", "archive", file.to_str().unwrap()];
    let of_lab = ["--course", "SANDBOX", "--assignment", "lab"];
    of.campus
        .administer_blackboard(&[&arguments[..], &of_lab].concat())
        .succeeded();
    let by = ["--witness", &of.key, "--quorum", "2"];
    let ours = |file: &Path| {
        let arguments = [&["verify", file.to_str().unwrap()][..], &by].concat();
        of.campus.student(&arguments)
    };
    let said = ours(&file).succeeded().stdout;
    let root = said
        .lines()
        .find_map(|line| line.strip_prefix("root       SHA-256 "))
        .unwrap();
    let script = |name: &str, file: &Path| {
        let mut python = python().unwrap();
        python.env("PYTHONDONTWRITEBYTECODE", "1");
        let script = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("docs")
            .join(name);
        python.arg(script).arg(file).arg(root).args(by);
        Ran::of(&mut python)
    };
    let theirs = script("verify_export.py", &file).succeeded().stdout;
    for said in [&said, &theirs] {
        let seen = said.contains("by library.example/witness at ");
        assert!(seen && said.contains("it verifies"), "{said}");
    }
    // By itself it has what it had when it became complete: of the two that are wanted, one.
    let before = of.campus.path().join("receipts/S-000001.zip");
    let ours = ours(&before);
    assert_eq!(ours.exit, Some(3));
    let told = "library.example/witness has not cosigned it";
    assert!(ours.stderr.contains(told), "{ours:#?}");
    assert!(!ours.stderr.contains("proves nothing"), "{ours:#?}");
    assert_ne!(script("verify_receipt.py", &before).exit, Some(0));
}

#[test]
fn blackboard_does_not_start_with_witnesses_that_cannot_be_enough() {
    let Some(mut of) = Witnessed::campus() else {
        return;
    };
    of.campus.blackboard.stop();
    configure(&of.campus, "quorum = 2", "quorum = 3");
    let arguments = crate::campus::serve(&of.campus.path());
    let refused = Ran::of(crate::campus::program("blackboard").args(arguments));
    assert_eq!(refused.exit, Some(2), "{refused:#?}");
    let told = "quorum = 3, but with CUHK there are 2 witnesses";
    assert!(refused.stderr.contains(told), "{refused:#?}");
}

#[test]
fn over_https_a_witness_is_known_by_the_authorities_that_are_named_for_it() {
    let Some(mut of) = Witnessed::campus() else {
        return;
    };
    let file = of.campus.outside().join("witness.pem");
    of.exchange(&["--tls", file.to_str().unwrap()]);
    let address = of.witness.address();
    let plain = format!("url = \"http://{address}\"");
    let by = |ca: &str| format!("url = \"https://{address}\", ca = \"{ca}\"");
    // Relative to Blackboard's home, where CUHK's root is, which has not certified it.
    configure(&of.campus, &plain, &by("ca.pem"));
    of.campus.restart_blackboard();
    of.hand_in();
    assert!(of.is_pending(1));
    of.until_logged("cannot be reached: invalid peer certificate: UnknownIssuer");
    configure(&of.campus, &by("ca.pem"), &by(file.to_str().unwrap()));
    of.campus.restart_blackboard();
    of.until_complete(1);
    of.hand_in();
    of.until_complete(2);
    of.verify(2, &of.key).succeeded();
}

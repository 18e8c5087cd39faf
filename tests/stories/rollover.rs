//! Every key takes the place of another while groups hand in, and no flow fails.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use serde_json::Value;

use crate::campus::{
    ByHand, Campus as Sandbox, LONG, Ran, Server, judge, program, python, script, version,
};

/// The groups; the last of each is a member who gets a new certificate in the end.
const GROUPS: [&str; 3] = [
    "1155000001,1155000002,1155000003",
    "1155000004,1155000005",
    "1155000006",
];

struct Campus {
    by_hand: ByHand,
    cuhk: Server,
    blackboard: Server,
}

impl Campus {
    fn open() -> Self {
        let by_hand = ByHand::new();
        by_hand.init().succeeded();
        let students = (1..=6).map(|number| format!("115500000{number},Student {number},,CSCI\n"));
        let roster: String = students.collect();
        by_hand
            .roster(&format!("sid,name,email,programme\n{roster}"))
            .succeeded();
        let cuhk = by_hand.serve_cuhk_publicly();
        let blackboard = by_hand.serve_blackboard(&cuhk);
        Self {
            by_hand,
            cuhk,
            blackboard,
        }
    }

    /// `student` in the home of a group.
    fn student(&self, group: usize, arguments: &[&str]) -> Ran {
        let mut command = program("student");
        command
            .current_dir(self.by_hand.path(""))
            .args(["--home", &format!("group-{group}.home")])
            .args(arguments);
        Ran::of(&mut command)
    }

    fn first_hand_in(&self, group: usize) -> Ran {
        let (cuhk, blackboard) = (self.cuhk.address(), self.blackboard.address());
        let to = ["--cuhk", &cuhk, "--blackboard", &blackboard];
        let known = ["--codes", "codes.csv", "--ca", "cuhk.home/ca.pem"];
        let who = ["submit", "report.pdf", "--ids", GROUPS[group]];
        self.student(group, &[&who[..], &known, &to].concat())
    }

    /// `cuhk keys …` with both passphrases.
    fn keys(&self, arguments: &[&str]) -> Ran {
        let files = [
            "--passphrase-file",
            "issuers.pass",
            "--root-passphrase-file",
            "root.pass",
        ];
        self.by_hand.cuhk(&[&["keys"], arguments, &files].concat())
    }

    fn listed(&self) -> Vec<Value> {
        let listed = self.by_hand.cuhk(&["keys", "list", "--json"]);
        listed.succeeded().json().as_array().unwrap().clone()
    }

    fn is(&self, kind: &str, state: &str) -> bool {
        let is_it = |key: &Value| key["kind"] == kind && key["state"] == state;
        self.listed().iter().any(is_it)
    }

    fn active_token_key(&self) -> String {
        let keys = self.listed();
        let is_active = |key: &&Value| key["kind"] == "tokens" && key["state"] == "active";
        let active = keys.iter().find(is_active).unwrap();
        active["sha256"].as_str().unwrap().to_owned()
    }
}

/// Hand-ins of all groups, one after another in each, until they are told to stop.
#[derive(Default)]
struct Flows {
    done: [AtomicUsize; GROUPS.len()],
    stop: AtomicBool,
}

impl Flows {
    fn run(&self, campus: &Campus, group: usize) {
        while !self.stop.load(Ordering::SeqCst) {
            let report = version(&campus.by_hand.path(""));
            let ran = campus.student(group, &["submit", "--ids", GROUPS[group], &report]);
            if ran.exit != Some(0) {
                self.stop.store(true, Ordering::SeqCst);
            }
            ran.succeeded();
            self.done[group].fetch_add(1, Ordering::SeqCst);
        }
    }

    fn counts(&self) -> [usize; GROUPS.len()] {
        std::array::from_fn(|group| self.done[group].load(Ordering::SeqCst))
    }

    /// Waits for this, and then until every group has handed in at least once more.
    fn until(&self, what: &str, so: impl Fn() -> bool) {
        let deadline = Instant::now() + LONG;
        let wait = |so: &dyn Fn() -> bool| {
            while !so() {
                assert!(
                    !self.stop.load(Ordering::SeqCst),
                    "{what}: a flow has failed"
                );
                assert!(Instant::now() < deadline, "{what}: it takes too long");
                std::thread::yield_now();
            }
        };
        wait(&so);
        let before = self.counts();
        wait(&|| {
            let now = self.counts();
            now.iter()
                .zip(before)
                .all(|(now, before)| *now > before + 1)
        });
        println!("{what}: {:?} hand-ins", self.counts());
    }
}

/// Ends the flows whatever happens, so that a failed check does not wait for them for ever.
struct Stopping<'a>(&'a Flows);

impl Drop for Stopping<'_> {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::SeqCst);
    }
}

/// Every key once, each in the place of its forerunner: the roots, for one, become `root-2`.
fn roll_everything(campus: &Campus, flows: &Flows, generation: usize) {
    let next = |kind: &str| format!("{kind}-{generation}");
    let first = campus.active_token_key();
    campus.keys_tokens();
    flows.until("tokens rotated", || campus.active_token_key() != first);
    let second = campus.active_token_key();
    campus
        .by_hand
        .cuhk(&["keys", "withdraw", &second])
        .succeeded();
    flows.until("tokens withdrawn", || campus.active_token_key() != second);
    campus.keys(&["rotate", "root"]).succeeded();
    flows.until("root rotated", || campus.is(&next("root"), "active"));
    for kind in ["services", "students"] {
        campus.keys(&["rotate", kind]).succeeded();
    }
    flows.until("services rotated", || {
        campus.is(&next("services"), "active")
    });
    flows.until("students rotated", || {
        campus.is(&next("students"), "active")
    });
}

impl Campus {
    fn keys_tokens(&self) {
        self.by_hand.cuhk(&["keys", "rotate", "tokens"]).succeeded();
    }

    /// The members of a group, each with a new certificate.
    fn enrol_anew(&self, group: usize) {
        for sid in GROUPS[group].split(',') {
            let code = format!("{sid}.code");
            self.by_hand
                .cuhk(&["code", "issue", sid, "--replace", "--out", &code])
                .succeeded();
            self.student(
                group,
                &["enrol", "--ids", sid, "--replace", "--codes", &code],
            )
            .succeeded();
        }
    }
}

/// Bounded for every day; with SCB_ROLL_ROUNDS=N, at most 7, all keys roll N times.
#[test]
fn every_key_rolls_while_groups_hand_in_and_no_flow_fails() {
    let rounds = std::env::var("SCB_ROLL_ROUNDS").ok();
    let rounds: usize = rounds.map_or(1, |rounds| rounds.parse().unwrap());
    let campus = Campus::open();
    for group in 0..GROUPS.len() {
        campus.first_hand_in(group).succeeded();
    }
    let flows = Flows::default();
    std::thread::scope(|scope| {
        let _stopping = Stopping(&flows);
        for group in 0..GROUPS.len() {
            let (flows, campus) = (&flows, &campus);
            scope.spawn(move || flows.run(campus, group));
        }
        for round in 0..rounds {
            roll_everything(&campus, &flows, round + 2);
        }
    });
    for kind in ["root", "students", "services"] {
        assert!(campus.is(kind, "retiring"), "{:#?}", campus.listed());
    }

    // Students under the new root beside others under the old one, and all receipts verify.
    campus.enrol_anew(1);
    let report = version(&campus.by_hand.path(""));
    let fresh = campus.student(1, &["submit", "--ids", GROUPS[1], "--json", &report]);
    let fresh = fresh.succeeded().json()["receipt"]
        .as_str()
        .unwrap()
        .to_owned();
    for group in 0..GROUPS.len() {
        let listed = campus.student(group, &["receipts"]).succeeded().stdout;
        assert!(!listed.contains("does NOT verify"), "{listed}");
    }
    let told = campus.student(1, &["verify", &fresh]).succeeded().stdout;
    assert_eq!(told.matches("root ").count(), 2, "{told}");
    if judge("openssl").is_some() {
        campus
            .student(1, &["verify", &fresh, "--openssl"])
            .succeeded();
    }
    // Who brings the first root alone is told that this receipt needs the other.
    let ca = fs::read_to_string(campus.by_hand.path("cuhk.home/root/cert.pem")).unwrap();
    fs::write(campus.by_hand.path("first.pem"), ca).unwrap();
    let alone = campus.student(1, &["verify", &fresh, "--ca", "first.pem"]);
    assert_eq!(alone.exit, Some(3), "{alone:#?}");
    let verified = |more: &[&str]| {
        let words = [&["submissions", "list", "--verify"][..], more].concat();
        campus.by_hand.blackboard(&words).succeeded()
    };
    let all = verified(&["--json"]).json();
    let all = all.as_array().unwrap();
    assert!(all.iter().all(|one| one["verified"] == true), "{all:?}");
    let told = verified(&[]).stdout;
    let last = format!(
        "verified: {} receipts by the root of this home: ",
        all.len()
    );
    assert!(told.lines().last().unwrap().starts_with(&last), "{told}");
}

/// Each home has asked for the trust bundle today, and asks again by itself where it must.
#[test]
fn two_roots_in_a_row_strand_nobody_who_missed_the_first() {
    let campus = Campus::open();
    for group in 0..GROUPS.len() {
        campus.first_hand_in(group).succeeded();
    }
    for generation in 2..4 {
        campus.keys(&["rotate", "root"]).succeeded();
        campus.keys(&["rotate", "students"]).succeeded();
        let students = format!("students-{generation}");
        let deadline = Instant::now() + LONG;
        while !campus.is(&students, "active") {
            assert!(Instant::now() < deadline, "{:#?}", campus.listed());
        }
    }
    // Under the third root, of which these homes have never heard.
    campus.student(0, &["renew"]).succeeded();
    campus.enrol_anew(1);
    let known = fs::read_to_string(campus.by_hand.path("group-0.home/ca.pem")).unwrap();
    assert_eq!(known.matches("BEGIN CERTIFICATE").count(), 3);
    for (group, members) in GROUPS.iter().enumerate() {
        let report = version(&campus.by_hand.path(""));
        let submit = ["submit", "--ids", members, &report, "--json"];
        let receipt = campus.student(group, &submit).succeeded().json()["receipt"].clone();
        // The first group's certificates are under another root than Blackboard's.
        if group == 0 {
            verifies_by_all_of_its_roots(&campus, receipt.as_str().unwrap());
        }
    }
}

/// Whoever knows one of several roots is told which other to bring.
fn verifies_by_all_of_its_roots(campus: &Campus, receipt: &str) {
    let verify = |fingerprints: &str| {
        let mut command = program("student");
        command.current_dir(campus.by_hand.path(""));
        Ran::of(command.args(["verify", receipt, "--ca-fingerprint", fingerprints]))
    };
    let roots = fs::read_to_string(campus.by_hand.path("group-0.home/ca.pem")).unwrap();
    let roots = scb_certs::all_from_pem(&roots).unwrap();
    let roots: Vec<String> = roots
        .iter()
        .map(|root| root.fingerprint().to_string())
        .collect();
    verify(&roots.join(",")).succeeded();
    let one = verify(&roots[0]);
    assert_eq!(one.exit, Some(3), "{one:#?}");
    let names = |other: &&String| one.stderr.contains(other.as_str());
    assert!(roots[1..].iter().any(|other| names(&other)), "{one:#?}");
    assert!(one.stderr.contains("as well"), "{one:#?}");
}

#[test]
fn openssl_checks_the_trust_bundle_and_refuses_an_altered_one() {
    let (Some(_), Some(_)) = (judge("openssl"), judge("curl")) else {
        return;
    };
    let campus = Campus::open();
    fs::copy(
        campus.by_hand.path("cuhk.home/ca.pem"),
        campus.by_hand.path("first.pem"),
    )
    .unwrap();
    campus.keys(&["rotate", "root"]).succeeded();
    let listens = campus.by_hand.http_address();
    let run = |command: &[&str]| {
        let mut ran = std::process::Command::new(command[0]);
        Ran::of(ran.current_dir(campus.by_hand.path("")).args(&command[1..]))
    };
    for file in ["trust-bundle.json", "trust-bundle.p7s"] {
        let url = format!("http://{listens}/{file}");
        run(&["curl", "-sSf", "-o", file, &url]).succeeded();
    }
    let verify = || {
        let command = "openssl cms -verify -binary -purpose any -inform DER -in trust-bundle.p7s \
                       -content trust-bundle.json -CAfile first.pem -out /dev/null";
        run(&command.split_whitespace().collect::<Vec<_>>())
    };
    verify().succeeded();
    let bundle = fs::read_to_string(campus.by_hand.path("trust-bundle.json")).unwrap();
    let read: Value = serde_json::from_str(&bundle).unwrap();
    assert_eq!(
        (&read["sequence"], read["roots"].as_array().unwrap().len()),
        (&2.into(), 2)
    );
    let altered = bundle.replace("\"sequence\":2", "\"sequence\":3");
    fs::write(campus.by_hand.path("trust-bundle.json"), altered).unwrap();
    assert_ne!(verify().exit, Some(0));
}

impl Campus {
    /// The number of the SPIFFE bundle, and how many roots it names.
    fn spiffe_bundle(&self) -> (u64, usize) {
        let address = self.cuhk.address();
        let (_, port) = address.rsplit_once(':').unwrap();
        let mut curl = std::process::Command::new("curl");
        curl.current_dir(self.by_hand.path(""));
        curl.args(["-sSf", "--cacert", "cuhk.home/ca.pem"]);
        curl.arg(format!("https://localhost:{port}/spiffe/bundle.json"));
        let bundle = Ran::of(&mut curl).succeeded().json();
        let keys = bundle["keys"].as_array().unwrap().iter();
        let roots = keys.filter(|key| key["use"] == "x509-svid").count();
        (bundle["spiffe_sequence"].as_u64().unwrap(), roots)
    }
}

#[test]
fn another_root_is_in_the_spiffe_bundle_under_a_later_number() {
    if judge("curl").is_none() {
        return;
    }
    let campus = Campus::open();
    let (before, roots) = campus.spiffe_bundle();
    assert_eq!(roots, 1);
    campus.keys(&["rotate", "root"]).succeeded();
    let deadline = Instant::now() + LONG;
    let (after, roots) = loop {
        match campus.spiffe_bundle() {
            found if found.0 != before || Instant::now() > deadline => break found,
            _ => std::thread::yield_now(),
        }
    };
    assert!(after > before, "{after} after {before}");
    assert_eq!(roots, 2);
}

#[test]
fn blackboard_is_certified_anew_while_a_root_follows_another() {
    let mut campus = Campus::open();
    campus.keys(&["rotate", "root"]).succeeded();
    campus.keys(&["rotate", "services"]).succeeded();
    let deadline = Instant::now() + LONG;
    while !campus.is("services-2", "active") {
        assert!(Instant::now() < deadline, "{:#?}", campus.listed());
    }
    // Its machine is gone: CUHK still proves itself under the first root.
    campus.blackboard.stop();
    fs::remove_dir_all(campus.by_hand.path("blackboard.home")).unwrap();
    let code = [
        "code",
        "issue",
        "service/blackboard",
        "--replace",
        "--out",
        "new.code",
    ];
    campus.by_hand.cuhk(&code).succeeded();
    let address = campus.cuhk.address();
    let init = [
        "init",
        "--cuhk",
        &address,
        "--code-file",
        "new.code",
        "--dns",
        "localhost",
    ];
    let first = ["--ca", "cuhk.home/root/cert.pem"];
    campus
        .by_hand
        .blackboard(&[&init[..], &first].concat())
        .succeeded();
    campus.by_hand.add_course();
    let known = fs::read_to_string(campus.by_hand.path("blackboard.home/ca.pem")).unwrap();
    assert_eq!(known.matches("BEGIN CERTIFICATE").count(), 2);
    let serve = ["serve", "--listen", "127.0.0.1:0"];
    campus.blackboard = Server::start_command(&mut campus.by_hand.command("blackboard", &serve));
    campus.first_hand_in(0).succeeded();
}

/// The key by which CUHK has cosigned what a receipt proves; nothing while the receipt is pending.
fn witness_of(receipt: &Path) -> Option<String> {
    let read = "import sys, zipfile; \
                print(zipfile.ZipFile(sys.argv[1]).read('witness.vkey').decode())";
    let ran = Ran::of(python()?.args(["-c", read]).arg(receipt));
    (ran.exit == Some(0)).then_some(ran.stdout)
}

/// A hand-in with its complete receipt, and the key that cosigned it.
fn proved(campus: &Sandbox) -> (String, String) {
    let report = version(campus.outside());
    let submit = ["submit", "--ids", "1155000001", "--wait", "60", "--json"];
    let handed_in = campus.student(&[&submit[..], &[&report]].concat());
    let receipt = handed_in.succeeded().json()["receipt"].clone();
    let receipt = receipt.as_str().unwrap().to_owned();
    let deadline = Instant::now() + LONG;
    loop {
        if let Some(key) = witness_of(Path::new(&receipt)) {
            return (receipt, key);
        }
        assert!(Instant::now() < deadline, "{receipt} is pending");
        campus.student(&["receipts"]).succeeded();
    }
}

/// For cosignatures there is no rotation: whoever wants another key takes the one that there is away.
#[test]
fn cuhk_cosigns_with_another_key_and_what_the_first_has_proved_stays_proved() {
    if python().is_none() {
        return;
    }
    let mut campus = Sandbox::sandbox();
    let (first, old) = proved(&campus);
    campus.cuhk.stop();
    let key = campus.path().join("cuhk/keys/witness.pem");
    fs::rename(key, campus.outside().join("witness.pem")).unwrap();
    let passphrase = campus.path().join("cuhk.passphrase");
    let file = ["--passphrase-file", passphrase.to_str().unwrap()];
    campus
        .administer_cuhk(&[&["witness", "new-key"][..], &file].concat())
        .succeeded();
    campus.start_cuhk_again();
    let (second, new) = proved(&campus);
    assert_ne!(old, new);
    for receipt in [first, second] {
        campus.student(&["verify", &receipt]).succeeded();
        let theirs = script(&campus, Path::new(&receipt)).unwrap().succeeded();
        assert!(theirs.stdout.contains("it verifies"), "{theirs:#?}");
        if judge("openssl").is_some() {
            let again = ["verify", &receipt, "--openssl"];
            campus.student(&again).succeeded();
        }
    }
    let logs = campus.administer_blackboard(&["logs", "--json"]);
    assert!(logs.succeeded().json()[0]["unseen_since"].is_null());
}

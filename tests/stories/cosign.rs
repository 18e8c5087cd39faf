//! Three students with a machine each: one proposes, the others see what they sign, and sign it.

mod altered_rules;
mod anew;
mod connections;
mod last;
mod offered;
mod refused;
mod shown;

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::assignments::{DAY, HOUR, at};
use crate::campus::{Campus, Ran, python, until_complete};

const SIDS: [&str; 3] = ["1155000001", "1155000002", "1155000003"];

/// A sandbox, and homes of their own for three students.
struct Machines {
    campus: Campus,
}

impl Machines {
    fn new() -> Self {
        let machines = Self {
            campus: Campus::sandbox(),
        };
        let codes = machines.campus.path().join("codes.csv");
        for sid in SIDS {
            let enrol = ["enrol", "--ids", sid, "--codes", codes.to_str().unwrap()];
            machines.on(sid, &enrol).succeeded();
        }
        machines
    }

    fn home(&self, sid: &str) -> PathBuf {
        self.campus.outside().join(format!("home-{sid}"))
    }

    /// The program on this student's machine.
    fn on(&self, sid: &str, arguments: &[&str]) -> Ran {
        self.campus.student_elsewhere(&self.home(sid), arguments)
    }

    fn report(&self, text: &str) -> String {
        let path = self.campus.outside().join("report.pdf");
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// The first student proposes for all three.
    fn propose(&self, text: &str) -> Value {
        let report = self.report(text);
        let with = SIDS[1..].join(",");
        let submit = [
            "submit", "--ids", SIDS[0], "--with", &with, &report, "--json",
        ];
        self.on(SIDS[0], &submit).succeeded().json()
    }

    fn listed(&self, sid: &str) -> Value {
        self.on(sid, &["cosign", "--json"]).succeeded().json()
    }
}

fn id(proposal: &Value) -> String {
    proposal["submission_id"].as_str().unwrap().to_owned()
}

#[test]
fn three_machines_sign_one_report_and_all_get_the_same_receipt() {
    let machines = Machines::new();
    let proposal = machines.propose("our report");
    assert_eq!(proposal["state"], "waiting");
    let id = id(&proposal);

    let shown = machines.on(
        SIDS[1],
        &["cosign", "--file", &machines.report("our report")],
    );
    let shown = shown.succeeded().stdout;
    for part in [
        id.as_str(),
        "waits for 1155000002, 1155000003",
        "SANDBOX / lab",
        "report.pdf, 10 bytes",
        "SHA-256 ",
        "is one of these files",
        "1155000001  signed ",
        "1155000003  has not signed",
        "what counts is when the last member signs",
        "1155000002 on time",
        "student cosign --yes ",
    ] {
        assert!(shown.contains(part), "{part} is missing:\n{shown}");
    }
    // Without a terminal and without the ID nothing is signed.
    let listed = machines.listed(SIDS[1]);
    assert_eq!(listed["proposals"][0]["to_sign"][0], SIDS[1]);

    let waits = machines.on(SIDS[1], &["cosign", "--yes", &id, "--json"]);
    let waits = waits.succeeded().json();
    assert_eq!(
        (&waits["state"], &waits["members"][1]["said"]),
        (&"waiting".into(), &"signed".into())
    );
    let told = machines
        .on(SIDS[2], &["cosign", "--yes", &id])
        .succeeded()
        .stdout;
    assert!(
        told.contains("Receipt") && told.contains("S-000001.zip"),
        "{told}"
    );

    // The others get it: by looking, or by the command with which it was proposed.
    machines.on(SIDS[1], &["cosign"]).succeeded();
    let again = machines.propose("our report");
    assert_eq!(again["submission"], "S-000001");
    let receipts = SIDS.map(|sid| machines.home(sid).join("receipts/S-000001.zip"));
    for (sid, receipt) in SIDS.iter().zip(&receipts) {
        until_complete(|words| machines.on(sid, words), receipt.to_str().unwrap());
    }
    let receipts = receipts.map(|receipt| fs::read(receipt).unwrap());
    assert!(receipts.iter().all(|one| *one == receipts[0]));
    assert_eq!(machines.campus.submissions().len(), 1);

    let receipt = machines.home(SIDS[2]).join("receipts/S-000001.zip");
    let receipt = receipt.to_str().unwrap();
    let report = machines.report("our report");
    let ours = machines.on(SIDS[2], &["verify", receipt, &report, "--openssl"]);
    let ours = ours.succeeded().stdout;
    for sid in SIDS {
        assert!(ours.contains(&format!("{sid} with certificate")), "{ours}");
    }
    let theirs = machines.on(SIDS[2], &["verify", receipt, &report, "--lang", "zh-Hant"]);
    let theirs = theirs.succeeded().stdout;
    for part in [
        "結論       驗證通過：1155000001、1155000002、1155000003 為 SANDBOX/lab 提交了此檔案",
        "比對       ",
        "自稱       1155000001 自稱於 2",
        "根證書     SHA-256 ",
        "簽署       1155000002，證書 ",
        "檔案       report.pdf，10 位元組，SHA-256 ",
        "入冊時間   ",
    ] {
        assert!(theirs.contains(part), "{part} is missing:\n{theirs}");
    }
    let other = machines.report("another report");
    let refused = machines.on(SIDS[2], &["verify", receipt, &other, "--lang", "zh-Hant"]);
    assert!(
        refused
            .stdout
            .contains("結論       收據驗證通過，但並非此檔案的收據"),
        "{refused:#?}"
    );
    assert!(
        refused.stderr.contains("並非以此名提交的檔案"),
        "{refused:#?}"
    );
    let report = machines.report("our report");
    // What counts is the entry of the last signature; the log holds it, too.
    assert!(!ours.contains("is NOT in it"), "{ours}");
    let entered = ours.lines().find(|line| line.starts_with("entered "));
    assert!(entered.unwrap().contains(", signed at "), "{ours}");
    let told = machines.on(SIDS[2], &["verify", receipt, "--json"]);
    let told = told.succeeded().json();
    assert_eq!(told["entered"]["entry"], "signed");
    assert_eq!(told["entered"]["index"], told["committed_index"]);
    assert_eq!(told["entered"]["at"], told["committed_at"]);
    let Some(mut python) = python() else { return };
    let root = ours
        .lines()
        .find_map(|line| line.strip_prefix("root       SHA-256 "));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/verify_receipt.py");
    python
        .arg(script)
        .arg(receipt)
        .arg(root.unwrap())
        .arg(&report);
    let theirs = Ran::of(&mut python).succeeded().stdout;
    assert!(
        theirs.contains("\nverdict    it verifies: committed at 2"),
        "{theirs}"
    );
}

/// What the teacher sees.
fn overview(machines: &Machines, form: &[&str]) -> Ran {
    let of = ["--course", "SANDBOX", "--assignment", "lab"];
    let arguments = [&["submissions", "overview"][..], &of, form].concat();
    let told = machines.campus.administer_blackboard(&arguments);
    told.succeeded()
}

#[test]
fn what_holds_and_what_lateness_costs_is_shown_before_anybody_signs() {
    let machines = Machines::new();
    let campus = &machines.campus;
    let administer = |words: &str| {
        let words: Vec<_> = words.split(' ').collect();
        campus.administer_blackboard(&words).succeeded();
    };
    let (due, cutoff) = (at(-25 * HOUR), at(7 * DAY));
    administer(&format!(
        "assignment add --course SANDBOX --title Essay --due {due} --grace 10min \
         --late-rule 10%/day --cutoff {cutoff}"
    ));
    administer(&format!(
        "extension add essay --course SANDBOX --student {} --due {cutoff}",
        SIDS[1]
    ));
    let (report, with) = (machines.report("our report"), SIDS[1..].join(","));
    let submit = ["submit", "--ids", SIDS[0], "--with", &with, &report];
    let place = ["--course", "SANDBOX", "--assignment", "essay"];
    let submit = [&submit[..], &place].concat();
    machines.on(SIDS[0], &submit).succeeded();
    let shown = |language: &str| {
        let mut command =
            campus.command_elsewhere(&machines.home(SIDS[1]), &["cosign", "--lang", language]);
        Ran::of(command.env("TZ", "HKT-8")).succeeded().stdout
    };
    let told = shown("en");
    for part in [
        " +08:00, then 10 min of grace",
        "late work   costs 10% of the full mark for each day begun, until 2",
        "versions    the latest version counts",
        "1155000002  has an extension: due 2",
        "1155000001 late by 25 h 0 min, which costs 20 %",
        "1155000002 on time",
    ] {
        assert!(told.contains(part), "{part} is missing:\n{told}");
    }
    // What others were given is not told.
    assert!(told.contains("1155000003 late by 25 h 0 min, which costs 20 % (by the common"));
    let told = shown("zh-Hant");
    for part in ["另有 10 分鐘 寬限", "每天扣滿分的 10%", "以最後一版為準"] {
        assert!(told.contains(part), "{part} is missing:\n{told}");
    }
}

#[test]
fn who_refuses_ends_it_and_the_others_see_why() {
    let machines = Machines::new();
    let id = id(&machines.propose("our report"));
    let refuse = ["cosign", "--refuse", &id, "--reason", "page 3 is not mine"];
    let told = machines.on(SIDS[1], &refuse).succeeded().stdout;
    assert!(told.contains("declined: not handed in"), "{told}");
    let shown = machines.on(SIDS[0], &["cosign"]).succeeded().stdout;
    assert!(shown.contains("page 3 is not mine"), "{shown}");
    // So does the history of who had signed it; not of who was only named.
    let history = |sid, more: &[&str]| machines.on(sid, &[&["history"], more].concat()).succeeded();
    let told = history(SIDS[0], &[]).stdout;
    for part in [
        "declined: not handed in\n  1155000002 declined 2",
        ": page 3 is not mine",
    ] {
        assert!(told.contains(part), "{part} is missing:\n{told}");
    }
    let told = history(SIDS[0], &["--json"]).json();
    assert_eq!(
        told["ended_proposals"][0]["submission_id"],
        id.as_str(),
        "{told:#}"
    );
    assert_eq!(told["ended_proposals"][0]["state"], "declined");
    assert_eq!(told["proposals"], serde_json::json!([]));
    let told = history(SIDS[2], &[]).stdout;
    assert!(told.starts_with("Nothing of these students"), "{told}");
    let refused = machines.on(SIDS[2], &["cosign", "--yes", &id, "--json"]);
    refused.refused(3, "proposal_ended");
    assert_eq!(machines.campus.submissions().len(), 0);
    let seen = overview(&machines, &[]).stdout;
    let seen = seen.lines().find(|line| line.starts_with(SIDS[0])).unwrap();
    assert!(seen.contains("1155000002 declined to sign on "), "{seen}");
    // The same again is a new proposal.
    assert_ne!(self::id(&machines.propose("our report")), id);
}

#[test]
fn who_has_signed_takes_it_back_and_nobody_signs_another_file() {
    let machines = Machines::new();
    let id = id(&machines.propose("our report"));
    let other = machines.campus.outside().join("other.pdf");
    fs::write(&other, "another report").unwrap();
    let other = other.to_str().unwrap();
    let sign = ["cosign", "--yes", &id, "--file", other, "--json"];
    let refused = machines.on(SIDS[1], &sign).refused(3, "content_altered");
    let message = refused["message"].as_str().unwrap();
    for told in [
        "other.pdf is not what you would sign: its SHA-256 is 3e468cbc",
        "but that of report.pdf is ",
        "nothing was signed",
    ] {
        assert!(message.contains(told), "{told}: {message}");
    }
    let shown = machines.on(SIDS[1], &["cosign", "--file", other]);
    let shown = shown.succeeded().stdout;
    assert!(
        shown.contains("other.pdf is NONE of these files: its SHA-256 is 3e468cbc"),
        "{shown}"
    );
    assert!(
        shown.contains("do not sign yet: ask who proposed it"),
        "{shown}"
    );
    machines
        .on(SIDS[1], &["withdraw", &id, "--json"])
        .refused(3, "other_ending");
    let told = machines.on(SIDS[0], &["withdraw", &id]).succeeded().stdout;
    assert!(told.contains("taken back: not handed in"), "{told}");
    let again = machines.on(SIDS[0], &["withdraw", &id]).succeeded().stdout;
    assert!(again.starts_with("Nothing to do: "), "{again}");
    let seen = &overview(&machines, &["--json"]).json()["students"][0]["setback"];
    assert_eq!(
        (&seen["kind"], &seen["by"][0]),
        (&"withdrawn".into(), &SIDS[0].into())
    );
    machines
        .on(SIDS[1], &["cosign", "--yes", &id, "--json"])
        .refused(3, "proposal_ended");
    let nobody = "00".repeat(16);
    machines
        .on(SIDS[1], &["cosign", "--yes", &nobody, "--json"])
        .refused(3, "submission_unknown");
}

#[test]
fn a_signature_that_blackboard_acknowledged_survives_its_kill() {
    let mut machines = Machines::new();
    let id = id(&machines.propose("our report"));
    machines.on(SIDS[1], &["cosign", "--yes", &id]).succeeded();
    machines.campus.blackboard.kill();
    machines.campus.start_blackboard_again();
    let listed = machines.listed(SIDS[2]);
    let members = listed["proposals"][0]["members"]
        .as_array()
        .unwrap()
        .clone();
    let said: Vec<_> = members
        .iter()
        .map(|member| member["said"].clone())
        .collect();
    assert_eq!(said, ["signed", "signed", "nothing"]);
    machines.on(SIDS[2], &["cosign", "--yes", &id]).succeeded();
    assert_eq!(machines.campus.submissions().len(), 1);
}

#[test]
fn the_teacher_sees_whose_signature_is_waited_for() {
    let machines = Machines::new();
    let overview = |form: &[&str]| overview(&machines, form);
    let proposal = machines.propose("our report");
    let waits = overview(&["--json"]).json();
    // Who was merely named has nothing of his own there yet.
    let states = ["waiting", "nothing_yet", "nothing_yet"];
    let expected = SIDS.iter().zip(states);
    for (student, (sid, state)) in waits["students"].as_array().unwrap().iter().zip(expected) {
        assert_eq!(
            (&student["sid"], &student["state"]),
            (&json!(sid), &json!(state))
        );
        assert_eq!(
            student["named_by_others"] == true,
            *sid != SIDS[0],
            "{student}"
        );
    }
    assert_eq!(waits["students"][0]["waiting_for"], json!(SIDS[1..]));
    assert_eq!(waits["totals"]["waiting"], 1);
    let sign = |sid: &str| {
        let arguments = ["cosign", "--yes", &id(&proposal)];
        machines.on(sid, &arguments).succeeded();
    };
    sign(SIDS[1]);
    let shown = overview(&[]).stdout;
    assert!(shown.contains("1155000001  not signed by all"), "{shown}");
    let waits = "waiting for the signature of 1155000003 until ";
    assert!(shown.contains(waits), "{shown}");
    let csv = overview(&["--csv"]).stdout;
    assert!(csv.contains(",1155000003,,"), "{csv}");
    sign(SIDS[2]);
    let told = overview(&["--json"]).json();
    assert_eq!(told["totals"]["handed_in"], 3);
    assert_eq!(told["totals"]["waiting"], 0);
}

#[test]
fn who_signs_is_told_which_version_counts_and_which_would() {
    let machines = Machines::new();
    let mine = machines.report("my own report");
    let alone = ["submit", "--ids", SIDS[1], &mine];
    machines.on(SIDS[1], &alone).succeeded();
    machines.propose("our report");
    let shown = machines.on(SIDS[1], &["cosign"]).succeeded().stdout;
    for part in [
        "counts now  1155000002 S-000001, recorded 2",
        ": on time",
        "then        1155000002 this one, IN THE PLACE of S-000001",
    ] {
        assert!(shown.contains(part), "{part} is missing:\n{shown}");
    }
    let chinese = machines.on(SIDS[1], &["cosign", "--lang", "zh-Hant"]);
    let chinese = chinese.succeeded().stdout;
    assert!(chinese.contains("此版本，取代 S-000001"), "{chinese}");
    let counting = &machines.listed(SIDS[1])["proposals"][0]["counting"][0];
    assert_eq!(counting["counts_now"], "S-000001");
    assert_eq!(counting["would_count"], true);
    // Who has handed in nothing has nothing to lose.
    let shown = machines.on(SIDS[2], &["cosign"]).succeeded().stdout;
    assert!(
        shown.contains("1155000003 nothing is handed in yet"),
        "{shown}"
    );
    assert!(!shown.contains("IN THE PLACE"), "{shown}");
}

#[test]
fn where_the_first_version_counts_nobody_is_told_that_another_would() {
    let machines = Machines::new();
    let first = "assignment change lab --course SANDBOX --counts first";
    let first: Vec<_> = first.split(' ').collect();
    machines.campus.administer_blackboard(&first).succeeded();
    let mine = machines.report("my own report");
    let alone = ["submit", "--ids", SIDS[1], &mine];
    machines.on(SIDS[1], &alone).succeeded();
    machines.propose("our report");
    let shown = machines.on(SIDS[1], &["cosign"]).succeeded().stdout;
    let told = "then        1155000002 still S-000001, as the first version counts";
    assert!(shown.contains(told), "{shown}");
    let counting = &machines.listed(SIDS[1])["proposals"][0]["counting"][0];
    assert_eq!(counting["would_count"], false);
}

#[test]
fn what_is_handed_in_is_not_taken_back_and_others_learn_nothing_of_it() {
    let campus = Campus::sandbox();
    let ids = SIDS[..2].join(",");
    let told = campus.student(&["submit", "--ids", &ids, "--json"]);
    let id = id(&told.succeeded().json());
    for (ids, language) in [(ids.as_str(), "en"), (SIDS[1], "en"), (SIDS[0], "zh-Hant")] {
        let withdraw = ["withdraw", &id, "--ids", ids, "--json", "--lang", language];
        let refused = campus.student(&withdraw).refused(3, "proposal_ended");
        let remedy = refused["remedy"].as_str().unwrap();
        let told = match language {
            "en" => "hand in another version",
            _ => "請提交另一版本",
        };
        assert!(remedy.contains(told), "{refused:#}");
    }
    campus.student(&["enrol", "--ids", SIDS[2]]).succeeded();
    let others = ["withdraw", &id, "--ids", SIDS[2], "--json"];
    campus.student(&others).refused(3, "submission_unknown");
    let nobody = ["withdraw", &"00".repeat(16), "--ids", SIDS[0], "--json"];
    campus.student(&nobody).refused(3, "submission_unknown");
}

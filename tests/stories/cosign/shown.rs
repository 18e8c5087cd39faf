//! Whoever signs has seen what he signs: an ID alone is nothing.

use std::fs;

use rusqlite::Connection;

use super::{Machines, SIDS, id};

#[test]
fn whoever_signs_by_the_id_alone_sees_first_what_it_is() {
    let machines = Machines::new();
    let id = id(&machines.propose("our report"));
    let yes = ["cosign", "--yes", &id];
    let told = machines.on(SIDS[1], &yes).succeeded().stdout;
    let place = |part: &str| {
        told.find(part)
            .unwrap_or_else(|| panic!("{part} is missing:\n{told}"))
    };
    let (file, hash) = (place("report.pdf, 10 bytes"), place("SHA-256 "));
    let member = place("1155000001  signed ");
    let signed = place("waits for 1155000003; NOT handed in yet");
    assert!(file < hash && hash < member && member < signed, "{told}");
    // What was signed is in the object that a script gets.
    let json = machines.on(SIDS[2], &["cosign", "--yes", &id, "--json"]);
    let json = json.succeeded().json();
    assert_eq!(json["files"][0]["name"], "report.pdf");
}

#[test]
fn by_what_rules_it_is_judged_is_signed_before_anybody_signs() {
    let machines = Machines::new();
    let id = id(&machines.propose("our report"));
    for (lang, told) in [
        (
            "en",
            "rules       as Blackboard signed them: entry 0 of the log, of 2",
        ),
        ("zh-Hant", "規則        經 Blackboard 簽署：日誌第 0 項，2"),
    ] {
        let shown = machines
            .on(SIDS[1], &["cosign", "--lang", lang])
            .succeeded();
        assert!(shown.stdout.contains(told), "{}", shown.stdout);
    }
    let one = &machines.listed(SIDS[1])["proposals"][0];
    assert_eq!(one["signed"][0]["entry"], 0);
    // It is kept, and a rule that is another one later is held against it.
    let kept = machines.home(SIDS[1]).join("receipts/rules");
    let kept: Vec<_> = fs::read_dir(kept).unwrap().map(Result::unwrap).collect();
    assert_eq!(kept.len(), 1);
    let path = kept[0].path();
    let verify = ["verify", path.to_str().unwrap(), "--json"];
    let verified = machines.on(SIDS[1], &verify).succeeded().json();
    assert_eq!(verified["leaf_sha256"], one["signed"][0]["leaf_sha256"]);
    for sid in &SIDS[1..] {
        machines.on(sid, &["cosign", "--yes", &id]).succeeded();
    }
}

#[test]
fn what_is_another_statement_than_was_shown_is_not_signed() {
    let machines = Machines::new();
    let id = id(&machines.propose("our report"));
    let listed = machines.listed(SIDS[1]);
    let one = &listed["proposals"][0];
    assert_eq!(one["changed_since_shown"], false);
    assert_eq!(one["members"][0]["signature_verified"], true);
    assert_eq!(one["members"][1]["signature_verified"], false);
    let statement = one["statement_sha256"].as_str().unwrap();

    // As if Blackboard had shown another one then.
    let memory = machines.home(SIDS[1]).join("shown.json");
    let shown = fs::read_to_string(&memory).unwrap();
    assert!(shown.contains(&id) && shown.contains(statement), "{shown}");
    let before = "0".repeat(64);
    fs::write(&memory, shown.replace(statement, &before)).unwrap();
    let yes = ["cosign", "--yes", &id, "--json"];
    let refused = machines.on(SIDS[1], &yes).refused(3, "proposal_changed");
    let message = refused["message"].as_str().unwrap();
    assert!(
        message.contains(statement) && message.contains(&before),
        "{message}"
    );
    let chinese = ["cosign", "--yes", &id, "--lang", "zh-Hant"];
    let chinese = machines.on(SIDS[1], &chinese).stderr;
    assert!(chinese.contains("與先前所示不同"), "{chinese}");
    for (lang, told) in [("en", "CHANGED"), ("zh-Hant", "已被更改")] {
        let told_now = machines.on(SIDS[1], &["cosign", "--lang", lang]);
        let told_now = told_now.succeeded().stdout;
        assert!(told_now.contains(told), "{told_now}");
        assert!(!told_now.contains("--yes"), "{told_now}");
    }
    let one = &machines.listed(SIDS[1])["proposals"][0];
    assert_eq!(one["changed_since_shown"], true);
    assert_eq!(one["to_sign"], serde_json::json!([]));
    assert_eq!(one["members"][1]["said"], "nothing");

    fs::write(&memory, "{").unwrap();
    machines.on(SIDS[1], &yes).refused(5, "shown_damaged");
    fs::write(&memory, shown).unwrap();
    machines.on(SIDS[1], &yes).succeeded();
}

#[test]
fn one_proposal_that_was_altered_keeps_nobody_from_the_others() {
    let machines = Machines::new();
    let [altered, other, third] =
        ["our report", "another", "the third"].map(|text| id(&machines.propose(text)));
    let database = machines.campus.path().join("blackboard/blackboard.db");
    let hex = altered.replace('-', "");
    let sql = "UPDATE proposals SET statement = CAST(replace(statement, 'report.pdf', 'repo.t.pdf') AS BLOB) \
               WHERE lower(hex(submission)) = ?";
    let database = Connection::open(database).unwrap();
    assert_eq!(database.execute(sql, [hex]).unwrap(), 1);

    let told = machines.on(SIDS[1], &["cosign"]).succeeded();
    let named = format!("{altered}: NOT SHOWN");
    assert!(told.stderr.contains(&named), "{told:#?}");
    assert!(!told.stdout.contains(&altered), "{told:#?}");
    assert!(told.stdout.contains(&other) && told.stdout.contains(&third));
    let history = machines.on(SIDS[1], &["history", "--lang", "zh-Hant"]);
    assert!(history.succeeded().stderr.contains(&altered));
    assert_eq!(machines.listed(SIDS[2])["left_out"][0], altered.as_str());
    let yes = ["cosign", "--yes", &altered, "--json"];
    let refused = machines.on(SIDS[1], &yes).refused(5, "stored_damaged");
    let advice = refused["remedy"].as_str().unwrap();
    assert!(!advice.contains("your receipt still proves"), "{refused}");
    let withdraw = |id| machines.on(SIDS[0], &["withdraw", id, "--json"]);
    withdraw(&altered).refused(5, "stored_damaged");

    // The others are signed, refused and taken back as ever.
    let refuse = ["cosign", "--refuse", &third, "--reason", "an old draft"];
    machines.on(SIDS[1], &refuse).succeeded();
    for sid in &SIDS[1..] {
        machines.on(sid, &["cosign", "--yes", &other]).succeeded();
    }
    let fourth = id(&machines.propose("the fourth"));
    withdraw(&fourth).succeeded();
    // The very same is proposed anew, and not asked for in vain for ever.
    let anew = id(&machines.propose("our report"));
    assert_ne!(anew, altered);
    let told = machines.on(SIDS[1], &["cosign"]).succeeded().stdout;
    assert!(told.contains(&anew), "{told}");
    for sid in &SIDS[1..] {
        machines.on(sid, &["cosign", "--yes", &anew]).succeeded();
    }
    machines.on(SIDS[2], &["history"]).succeeded();
    let damage = machines.campus.administer_blackboard(&["fsck"]);
    assert_eq!(damage.exit, Some(5), "{damage:#?}");
    assert!(damage.stdout.contains(&altered), "{damage:#?}");
}

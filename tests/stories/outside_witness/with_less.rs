//! A pending receipt that has more in it than the complete one which comes.

use std::fs;
use std::path::Path;
use std::time::Instant;

use serde_json::Value;

use super::Witnessed;
use crate::campus::LONG;
use crate::witness::until_seen;

/// As after an old backup: what CUHK had said when the statement came is not in Blackboard's database any more.
#[test]
fn a_pending_receipt_that_has_more_in_it_stays_beside_the_complete_one() {
    let Some(mut of) = Witnessed::campus() else {
        return;
    };
    of.witness.kill();
    of.hand_in();
    assert!(of.is_pending(1));
    let receipt = of.receipt(1);
    let verdict = |of: &Witnessed| {
        let verify = ["verify", receipt.to_str().unwrap()];
        of.campus.student(&verify).succeeded().stdout
    };
    // Blackboard waits some seconds for CUHK, and then gives one without what it has to say.
    until(&of, |told| !told[0]["awaited"].is_null());
    let (before, said) = (fs::read(&receipt).unwrap(), verdict(&of));
    assert!(!said.contains("what CUHK said then is NOT in it"), "{said}");
    of.campus.blackboard.stop();
    let path = of.campus.path().join("blackboard/blackboard.db");
    let whole = of.campus.outside().join("whole.db");
    fs::copy(&path, &whole).unwrap();
    let database = rusqlite::Connection::open(&path).unwrap();
    let deleted = database.execute("DELETE FROM commitments", []).unwrap();
    assert_eq!(deleted, 1);
    drop(database);
    of.exchange(&[]);
    of.campus.start_blackboard_again();

    let told = until(&of, |told| told.as_array().unwrap().len() == 2);
    let [less, more] = [&told[0], &told[1]];
    assert_eq!(more["receipt"], receipt.to_str().unwrap());
    assert_eq!(
        (&more["pending"], &less["pending"]),
        (&true.into(), &false.into())
    );
    assert_eq!(less["less_than"], more["receipt"]);
    assert_eq!(more["less_than"], Value::Null);
    assert_eq!(less["superseded_by"], Value::Null);
    assert_eq!(
        fs::read(&receipt).unwrap(),
        before,
        "nothing took its place"
    );
    assert_eq!(verdict(&of), said);
    let name = less["receipt"].as_str().unwrap();
    assert!(name.contains("S-000001-with-less-"), "{name}");
    let verdict = of.campus.student(&["verify", name]).succeeded().stdout;
    assert!(
        verdict.contains("what CUHK said then is NOT in it"),
        "{verdict}"
    );
    // Asked again it gives the same, which is kept once; and who looks is told.
    assert_eq!(listed(&of), told);
    let text = of.campus.student(&["receipts"]).succeeded().stdout;
    let words = "has less in it (of the time, rules or extensions) than S-000001.zip: keep both";
    assert_eq!(text.matches(words).count(), 1, "{text}");
    has_it_again(&mut of, &whole);
    let told = until(&of, |told| told[1]["pending"] == false);
    assert_eq!(told.as_array().unwrap().len(), 2);
    let [less, more] = [&told[0], &told[1]];
    assert_eq!(less["receipt"], name);
    assert_eq!(less["less_than"], Value::Null);
    assert_eq!(less["superseded_by"], more["receipt"]);
    assert_eq!(more["superseded_by"], Value::Null);
    let text = of.campus.student(&["receipts"]).succeeded().stdout;
    let words = "superseded by S-000001.zip: that is complete and has more in it";
    assert_eq!(text.matches(words).count(), 1, "{text}");
    assert!(!text.contains("keep both"), "{text}");
}

/// What `student receipts` lists.
fn listed(of: &Witnessed) -> Value {
    let told = of.campus.student(&["receipts", "--json"]);
    told.succeeded().json()["receipts"].clone()
}

/// The same once it is so.
fn until(of: &Witnessed, is_so: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let told = listed(of);
        if is_so(&told) {
            return told;
        }
        assert!(began.elapsed() < LONG, "{}", of.campus.blackboard.log());
    }
}

/// What CUHK had said comes back into Blackboard's database, and no receipt is complete there yet.
fn has_it_again(of: &mut Witnessed, whole: &Path) {
    of.campus.blackboard.stop();
    let database = of.campus.path().join("blackboard/blackboard.db");
    let database = rusqlite::Connection::open(database).unwrap();
    let whole = whole.to_str().unwrap();
    database
        .execute("ATTACH DATABASE ? AS whole", [whole])
        .unwrap();
    let again = "INSERT INTO commitments SELECT * FROM whole.commitments; DELETE FROM proofs";
    database.execute_batch(again).unwrap();
    drop(database);
    of.campus.start_blackboard_again();
}

/// A receipt that still waited for a witness brings back what it proves, and nothing is made up besides.
#[test]
fn how_the_signatures_of_what_came_back_had_come_is_not_known_any_more() {
    let Some(mut of) = Witnessed::campus() else {
        return;
    };
    of.hand_in();
    let kept = until_seen(&of.campus);
    of.campus.blackboard.stop();
    let database = of.campus.path().join("blackboard/blackboard.db");
    let old = of.campus.outside().join("old.db");
    fs::copy(&database, &old).unwrap();
    of.campus.start_blackboard_again();
    of.witness.kill();
    of.hand_in();
    assert!(of.is_pending(2));
    let had = until_seen(&of.campus);
    of.campus.blackboard.stop();
    fs::copy(&old, &database).unwrap();
    let lose = (had - kept).to_string();
    of.campus
        .administer_blackboard(&["recover", "--lose", &lose])
        .succeeded();
    of.campus.start_blackboard_again();
    let receipt = of.receipt(2);
    let receipt = ["recover", "--receipt", receipt.to_str().unwrap()];
    of.campus.administer_blackboard(&receipt).succeeded();

    let show = |number: &str| {
        let show = ["submissions", "show", number];
        of.campus.administer_blackboard(&show).succeeded().stdout
    };
    let told = show("S-000002");
    let words = "  signed      when, and over which connection, is not known any more";
    assert!(told.contains(words), "{told}");
    assert!(!told.contains("over one connection"), "{told}");
    let told = show("S-000001");
    assert!(told.contains("over one connection that 1155"), "{told}");
    let show = ["submissions", "show", "S-000002", "--json"];
    let told = of.campus.administer_blackboard(&show).succeeded().json();
    assert_eq!(told["signatures"], serde_json::json!([]));
}

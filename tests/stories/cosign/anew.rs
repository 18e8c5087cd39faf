//! What was proposed was altered in Blackboard's tables: the same files are proposed anew, and that is told; where that
//! makes it late it is not done by itself.

use std::fs;

use rusqlite::Connection;

use super::{Machines, SIDS, id};
use crate::assignments::{HOUR, at, teacher};
use crate::campus::Ran;

/// The first student's program, with this report for all.
fn submit(machines: &Machines, assignment: &str, more: &[&str]) -> Ran {
    let (report, with) = (machines.report("our report"), SIDS[1..].join(","));
    let place = ["--course", "SANDBOX", "--assignment", assignment];
    let submit = ["submit", "--ids", SIDS[0], "--with", &with, &report];
    machines.on(SIDS[0], &[&submit[..], &place, more].concat())
}

/// Nobody's signature of this one is what the log says.
fn alter(machines: &Machines, submission: &str) {
    let database = machines.campus.path().join("blackboard/blackboard.db");
    let sql = "UPDATE cosigners SET certificate = NULL \
               WHERE certificate IS NOT NULL AND lower(hex(submission)) = ?";
    let database = Connection::open(database).unwrap();
    let altered = database.execute(sql, [submission.replace('-', "")]);
    assert_eq!(altered.unwrap(), 1);
}

fn pending(machines: &Machines) -> usize {
    fs::read_dir(machines.home(SIDS[0]).join("pending")).map_or(0, Iterator::count)
}

#[test]
fn what_is_proposed_anew_is_told_and_why() {
    let machines = Machines::new();
    let before = id(&submit(&machines, "lab", &["--json"]).succeeded().json());
    alter(&machines, &before);
    let anew = submit(&machines, "lab", &[]).succeeded();
    for part in [
        &before[..],
        "(stored_damaged)",
        "proposed anew",
        "signs again",
    ] {
        assert!(anew.stdout.contains(part), "{part}: {anew:#?}");
    }
    let now = id(&submit(&machines, "lab", &["--json"]).succeeded().json());
    assert_ne!(now, before);
    alter(&machines, &now);
    let chinese = submit(&machines, "lab", &["--lang", "zh-Hant"]).succeeded();
    assert!(chinese.stdout.contains("重新提出"), "{chinese:#?}");
}

#[test]
fn nothing_is_proposed_anew_by_itself_where_that_is_late_or_refused() {
    let machines = Machines::new();
    let due = at(-HOUR);
    let add = format!(
        "assignment add --course SANDBOX --title Lab-2 --group-size 1..3 --late-rule 10%/day --due {due}"
    );
    teacher(&machines.campus, &add).succeeded();
    let before = id(&submit(&machines, "lab-2", &["--json"]).succeeded().json());
    alter(&machines, &before);
    for _ in 0..2 {
        let refused = submit(&machines, "lab-2", &["--json"]).refused(3, "costs_more");
        let message = refused["message"].as_str().unwrap();
        for part in [&before[..], "LATE", "late by 1 h 0 min, which costs 10 %"] {
            assert!(message.contains(part), "{part}: {message}");
        }
        let remedy = refused["remedy"].as_str().unwrap();
        assert!(remedy.contains("--even-if-late"), "{remedy}");
        assert_eq!(pending(&machines), 1, "it may go on once it is mended");
    }
    let chinese = submit(&machines, "lab-2", &["--lang", "zh-Hant"]);
    assert!(chinese.stderr.contains("重新提出則屬遲交"), "{chinese:#?}");
    let agreed = submit(&machines, "lab-2", &["--even-if-late", "--json"]);
    let now = id(&agreed.succeeded().json());
    assert_ne!(now, before);

    // What would be refused is not sent: nothing is signed about anybody.
    alter(&machines, &now);
    let close = "assignment close lab-2 --course SANDBOX --yes";
    teacher(&machines.campus, close).succeeded();
    let more = ["--even-if-late", "--json"];
    submit(&machines, "lab-2", &more).refused(5, "stored_damaged");
    let refused = machines.home(SIDS[0]).join("receipts/refused");
    assert!(!refused.exists(), "no refusal was signed");
    assert_eq!(pending(&machines), 1);
}

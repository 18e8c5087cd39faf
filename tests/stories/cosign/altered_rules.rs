//! The rules of one assignment were altered in Blackboard's tables: nothing else is held back, and whoever does not
//! sign needs no rules.

use rusqlite::Connection;

use super::{Machines, SIDS, id};
use crate::assignments::{DAY, at, teacher};
use crate::campus::Ran;

/// The first student's program, with a report, for this assignment.
fn submit(machines: &Machines, assignment: &str, more: &[&str], text: &str) -> Ran {
    let report = machines.report(text);
    let place = ["--course", "SANDBOX", "--assignment", assignment];
    let submit = ["submit", "--ids", SIDS[0], &report, "--json"];
    machines.on(SIDS[0], &[&submit[..], &place, more].concat())
}

fn with_lab_2() -> Machines {
    let machines = Machines::new();
    let due = at(DAY);
    let add =
        format!("assignment add --course SANDBOX --title Lab-2 --group-size 1..3 --due {due}");
    teacher(&machines.campus, &add).succeeded();
    machines
}

/// Writes another due time into the row of this assignment's rules.
fn alter(machines: &Machines, assignment: &str) {
    let database = machines.campus.path().join("blackboard/blackboard.db");
    let sql = "UPDATE rules SET rules = json_set(rules, '$.due', '2026-01-01T00:00:00Z') \
               WHERE assignment = ?";
    let database = Connection::open(database).unwrap();
    assert_eq!(database.execute(sql, [assignment]).unwrap(), 1);
}

#[test]
fn rules_that_were_altered_hold_back_nothing_of_another_assignment() {
    let machines = with_lab_2();
    let with = ["--with", &SIDS[1..].join(",")];
    let propose = |assignment: &str, text: &str| {
        let proposed = submit(&machines, assignment, &with, text);
        id(&proposed.succeeded().json())
    };
    let (sound, altered) = (propose("lab", "ours"), propose("lab-2", "ours too"));
    for assignment in ["lab", "lab-2"] {
        submit(&machines, assignment, &[], "mine").succeeded();
    }
    alter(&machines, "lab-2");

    // What waits: the other one is shown, with what counts now.
    let told = machines.on(SIDS[1], &["cosign"]).succeeded();
    let refuse = format!("`student cosign --refuse {altered}`");
    for part in [&format!("{altered}: NOT SHOWN"), "(rules_altered)", &refuse] {
        assert!(told.stderr.contains(part), "{part}: {told:#?}");
    }
    assert!(told.stdout.contains(&sound) && !told.stdout.contains(&altered));
    // Who has signed it already is told what he can do.
    let withdraw = format!("`student withdraw {altered}`");
    for command in ["cosign", "history"] {
        let own = machines.on(SIDS[0], &[command]).succeeded().stderr;
        assert!(own.contains(&withdraw) && !own.contains(&refuse), "{own}");
    }
    assert!(!told.stderr.contains(&withdraw), "{told:#?}");
    let json = machines.listed(SIDS[2]);
    assert_eq!(json["left_out"][0], altered.as_str());
    let hidden = &json["held_back"][0];
    assert_eq!(
        (&hidden["code"], &hidden["assignment"], &hidden["state"]),
        (
            &"rules_altered".into(),
            &"SANDBOX/lab-2".into(),
            &"waiting".into()
        )
    );
    let chinese = machines.on(SIDS[1], &["cosign", "--lang", "zh-Hant"]);
    let named = format!("{altered}：不予顯示，現時無人可簽署");
    assert!(chinese.succeeded().stderr.contains(&named));

    // What was handed in: whether it counts is told of the other one.
    let history = machines.on(SIDS[0], &["history"]).succeeded();
    assert!(history.stderr.contains(&altered), "{history:#?}");
    let said = &history.stdout;
    let (first, second) = said.split_once("S-000002").unwrap();
    assert!(first.contains("counts; on time"), "{said}");
    assert!(
        second.contains("rules     NOT SHOWN: what Blackboard"),
        "{said}"
    );
    assert!(
        second.contains("report.pdf") && !second.contains("counts;"),
        "{said}"
    );
    let json = machines.on(SIDS[0], &["history", "--json"]);
    let json = json.succeeded().json();
    let version = |place: usize| &json["versions"][place];
    assert_eq!(version(0)["unjudged"], false);
    assert_eq!(version(1)["unjudged"], true);
    assert_eq!(version(1)["standings"], serde_json::json!([]));

    // Nobody signs by such rules; whoever does not want to says so.
    let yes = ["cosign", "--yes", &altered, "--json"];
    machines.on(SIDS[1], &yes).refused(4, "rules_altered");
    let no = ["cosign", "--refuse", &altered, "--json"];
    let ended = machines.on(SIDS[1], &no).succeeded().json();
    assert_eq!(ended["state"], "declined");
    let again = machines.on(SIDS[2], &["cosign"]).succeeded();
    assert!(!again.stderr.contains(&refuse), "{again:#?}");
    for sid in &SIDS[1..] {
        machines.on(sid, &["cosign", "--yes", &sound]).succeeded();
    }
}

#[test]
fn whoever_names_no_assignment_does_not_sign_for_another_one_than_the_one_that_is_held_back() {
    let machines = with_lab_2();
    alter(&machines, "lab-2");
    let report = machines.report("mine");
    let submit = ["submit", "--ids", SIDS[0], &report];
    let json = ["--json"];
    let refused = machines.on(SIDS[0], &[&submit[..], &json].concat());
    let message = refused.refused(2, "several_open")["message"].clone();
    for part in ["SANDBOX/lab;", "held back", "assignment: SANDBOX/lab-2"] {
        assert!(message.as_str().unwrap().contains(part), "{message}");
    }
    let chinese = machines.on(SIDS[0], &[&submit[..], &["--lang", "zh-Hant"]].concat());
    assert!(chinese.stderr.contains("不予顯示的另一份"), "{chinese:#?}");
    let named = ["--assignment", "lab-2", "--json"];
    machines
        .on(SIDS[0], &[&submit[..], &named].concat())
        .refused(4, "rules_altered");
    assert!(machines.campus.submissions().is_empty());
    let named = ["--assignment", "lab", "--json"];
    let told = machines.on(SIDS[0], &[&submit[..], &named].concat());
    assert_eq!(told.succeeded().json()["assignment"], "lab");

    // Where all are held back, nothing else is said than that.
    alter(&machines, "lab");
    machines
        .on(SIDS[0], &[&submit[..], &json].concat())
        .refused(4, "rules_altered");
    let told = machines.on(SIDS[0], &["assignments"]).succeeded().stdout;
    for place in ["SANDBOX/lab is not shown", "SANDBOX/lab-2 is not shown"] {
        assert!(told.contains(place), "{told}");
    }
    assert!(
        !told.contains("nothing that these") && !told.contains("closed"),
        "{told}"
    );
}

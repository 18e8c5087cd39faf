//! More time for one student, and a common deadline that is moved beyond it and back again.

use std::time::Instant;

use serde_json::Value;

use crate::assignments::{DAY, add, at, campus, student, teacher};
use crate::campus::{Campus, LONG};

const GIVEN: &str = "1155000001";

/// Moves the common deadline. What is remarked of extensions, to whoever reads and to programs.
fn move_due(campus: &Campus, due: &str, json: bool) -> (String, Value) {
    let words = format!("assignment change lab-1 --course CSCI3150 --due {due}");
    let told = match json {
        true => teacher(campus, &format!("{words} --json")),
        false => teacher(campus, &words),
    };
    let told = told.succeeded();
    let value = serde_json::from_str(&told.stdout).unwrap_or_default();
    (told.stderr, value)
}

/// Until when the student himself is told that he is on time.
fn told_due(campus: &Campus) -> Value {
    let listed = student(campus, &format!("assignments --ids {GIVEN} --json"));
    listed.succeeded().json()["assignments"][0]["members"][0]["due"].clone()
}

fn lines(campus: &Campus) -> String {
    let words = format!("assignments --ids {GIVEN}");
    student(campus, &words).succeeded().stdout
}

#[test]
fn an_extension_that_the_common_deadline_overtakes_is_told_as_what_it_is_to_everybody() {
    let campus = campus();
    add(&campus, "Lab-1", DAY, "");
    student(&campus, &format!("enrol --ids {GIVEN}")).succeeded();
    let (own, later, earlier) = (at(3 * DAY), at(5 * DAY), at(2 * DAY));
    let words =
        format!("extension add lab-1 --course CSCI3150 --student {GIVEN} --due {own} --json");
    let given = teacher(&campus, &words).succeeded().json();
    assert_eq!(given["extensions"][0]["gives_time"], true);
    assert_eq!(told_due(&campus), own.as_str());
    assert!(lines(&campus).contains(&format!("{GIVEN}  has an extension: due ")));

    // The better of both counts, and nobody is told otherwise.
    let (remark, _) = move_due(&campus, &later, false);
    let told = format!("CHECK EXTENSIONS: {GIVEN} may hand in no longer than everybody else");
    assert!(remark.contains(&told), "{remark}");
    assert_eq!(told_due(&campus), later.as_str());
    let shown = lines(&campus);
    assert!(
        shown.contains("the common deadline is no earlier now, and counts"),
        "{shown}"
    );
    assert!(!shown.contains("has an extension"), "{shown}");
    let chinese = student(
        &campus,
        &format!("assignments --ids {GIVEN} --lang zh-Hant"),
    );
    let chinese = chinese.succeeded().stdout;
    assert!(chinese.contains("以共同限期為準"), "{chinese}");
    for words in ["extension list lab-1", "assignment show lab-1"] {
        let words = format!("{words} --course CSCI3150");
        let told = teacher(&campus, &words).succeeded().stdout;
        assert!(
            told.contains("; the common deadline is no earlier, and counts"),
            "{told}"
        );
        let told = teacher(&campus, &format!("{words} --json"))
            .succeeded()
            .json();
        assert_eq!(told["extensions"][0]["gives_time"], false, "{told:#}");
    }
    let overview = "submissions overview --course CSCI3150 --assignment lab-1 --json";
    student(&campus, &format!("submit --ids {GIVEN} --assignment lab-1")).succeeded();
    let told = teacher(&campus, overview).succeeded().json();
    assert_eq!(told["students"][0]["extended_to"], Value::Null, "{told:#}");

    // It was never taken back: it counts again where it is the better one.
    let (_, changed) = move_due(&campus, &earlier, true);
    assert_eq!(changed["extensions_in_effect_again"][0], GIVEN);
    assert_eq!(
        changed["extensions_without_effect"],
        Value::Array(Vec::new())
    );
    assert_eq!(told_due(&campus), own.as_str());
    let told = teacher(&campus, overview).succeeded().json();
    assert_eq!(told["students"][0]["extended_to"], own.as_str());

    // None that gives nothing from the first is given.
    let words =
        format!("extension add lab-1 --course CSCI3150 --student {GIVEN} --due {earlier} --json");
    teacher(&campus, &words).refused(3, "rules_invalid");
}

#[test]
fn whose_extension_is_changed_or_taken_back_is_told_so_with_the_entry_of_the_log() {
    let campus = campus();
    add(&campus, "Lab-1", DAY, "");
    student(&campus, &format!("enrol --ids {GIVEN},1155000002")).succeeded();
    let (first, later) = (at(3 * DAY), at(4 * DAY));
    let of_him = format!("lab-1 --course CSCI3150 --student {GIVEN}");
    let give = |due: &str| {
        teacher(&campus, &format!("extension add {of_him} --due {due}")).succeeded();
        lines(&campus)
    };
    let told = give(&first);
    let row = told
        .lines()
        .find(|line| line.contains("has an extension: due "));
    assert!(row.unwrap().ends_with(" (entry 1 of the log)"), "{told}");
    assert!(!told.contains("changed"), "{told}");
    let told = give(&later);
    let changed = format!(": the extension of {GIVEN} was ");
    assert!(told.contains(&changed), "{told}");
    assert_eq!(told.matches("(entry 2 of the log)").count(), 2, "{told}");

    teacher(&campus, &format!("extension remove {of_him} --yes")).succeeded();
    let taken_back = ", is none (entry 3 of the log)";
    let show = "assignment show lab-1 --course CSCI3150";
    let shown = teacher(&campus, show).succeeded().stdout;
    for told in [lines(&campus), shown] {
        assert_eq!(told.matches(&changed).count(), 2, "{told}");
        assert!(told.contains(taken_back), "{told}");
    }
    let chinese = format!("assignments --ids {GIVEN} --lang zh-Hant");
    let chinese = student(&campus, &chinese).succeeded().stdout;
    assert!(chinese.contains("改為 無（日誌第 3 項）"), "{chinese}");

    let of = |sid: &str| {
        let listed = student(&campus, &format!("assignments --ids {sid} --json"));
        listed.succeeded().json()["assignments"][0]["extension_changes"].clone()
    };
    let shown = teacher(&campus, &format!("{show} --json")).succeeded();
    for told in [of(GIVEN), shown.json()["extension_changes"].clone()] {
        assert_eq!(told.as_array().unwrap().len(), 2, "{told:#}");
        assert_eq!(told[0]["was"]["due"], later.as_str());
        assert_eq!(
            (&told[0]["is"], &told[0]["entry"]),
            (&Value::Null, &3.into())
        );
        assert_eq!(told[1]["was"]["due"], first.as_str());
        assert_eq!(told[1]["is"]["due"], later.as_str());
    }
    let others = of("1155000002");
    assert_eq!(others, Value::Array(Vec::new()), "nobody else is told");
}

#[test]
fn who_may_still_hand_in_after_the_close_is_named_and_ended_if_that_is_wanted() {
    let campus = campus();
    add(&campus, "Lab-1", DAY, "--grace 1s");
    student(&campus, &format!("enrol --ids {GIVEN}")).succeeded();
    let own = at(3 * DAY);
    let words = format!("extension add lab-1 --course CSCI3150 --student {GIVEN} --due {own}");
    teacher(&campus, &words).succeeded();
    let close = "assignment close lab-1 --course CSCI3150";
    let told = teacher(&campus, &format!("{close} --yes"))
        .succeeded()
        .stderr;
    for part in [
        format!("STILL OPEN for {GIVEN}, until "),
        format!("`blackboard {close} --with-extensions` ends these as well"),
    ] {
        assert!(told.contains(&part), "{part} is missing:\n{told}");
    }
    let told = teacher(&campus, &format!("{close} --yes --json"))
        .succeeded()
        .json();
    assert_eq!(told["still_open"][0]["sid"], GIVEN);
    assert_eq!(told["still_open"].as_array().unwrap().len(), 1);
    let state = || {
        let listed = student(&campus, &format!("assignments --all --ids {GIVEN} --json"));
        let listed = listed.succeeded().json();
        let listed = listed["assignments"].as_array().unwrap();
        let found = listed.iter().find(|one| one["assignment"] == "lab-1");
        found.unwrap()["members"][0]["state"].clone()
    };
    assert_eq!(state(), "on_time");

    let told = teacher(&campus, &format!("{close} --yes --with-extensions")).succeeded();
    let again = teacher(&campus, &format!("{close} --yes --with-extensions --json"));
    let begun = Instant::now();
    while state() != "closed" {
        assert!(begun.elapsed() < LONG, "{told:#?}");
    }
    assert_eq!(again.succeeded().json()["changes"], Value::Array(vec![]));
    let told = teacher(&campus, &format!("{close} --yes --json")).succeeded();
    assert_eq!(told.json()["still_open"], Value::Array(vec![]));
}

#[test]
fn who_gives_more_time_after_a_final_archive_is_told_that_it_is_final_no_more() {
    let campus = campus();
    add(&campus, "Lab-1", DAY, "");
    let due = at(2 * DAY);
    let more = format!("extension add lab-1 --course CSCI3150 --student {GIVEN} --due {due}");
    let given = teacher(&campus, &more).succeeded();
    assert!(!given.stderr.contains("NOT FINAL"), "{given:#?}");
    let back = format!("extension remove lab-1 --course CSCI3150 --student {GIVEN} --yes");
    teacher(&campus, &back).succeeded();
    teacher(&campus, "assignment close lab-1 --course CSCI3150 --yes").succeeded();

    let path = campus.outside().join("lab.zip");
    let archive = format!(
        "submissions archive {} --course CSCI3150 --assignment lab-1 --replace --json",
        path.display()
    );
    let told = teacher(&campus, &archive).succeeded().json();
    assert_eq!(told["final"], true);
    let given = teacher(&campus, &more).succeeded();
    let closed = format!("was closed by entry {} of its log", told["closed"]);
    for part in [closed.as_str(), "NOT FINAL any more"] {
        assert!(given.stderr.contains(part), "{part}: {given:#?}");
    }
    let told = teacher(&campus, &archive).succeeded().json();
    assert_eq!(told["final"], false);
}

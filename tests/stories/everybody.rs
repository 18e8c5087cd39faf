//! A home with more students than a group takes.

use crate::assignments::{DAY, add, at, campus, student, teacher};

#[test]
fn more_students_than_a_group_takes_are_each_told_what_they_can_hand_in() {
    let campus = campus();
    add(&campus, "Lab-1", DAY, "--group-size 1..2");
    let ids = ["1155000001", "1155000002", "1155000003", "1155000004"];
    for sid in ids {
        campus.student(&["enrol", "--ids", sid]).succeeded();
    }
    let due = at(2 * DAY);
    let words = format!(
        "extension add lab-1 --course CSCI3150 --student {} --due {due}",
        ids[3]
    );
    teacher(&campus, &words).succeeded();
    let told = student(&campus, "assignments").succeeded().stdout;
    assert_eq!(told.matches("CSCI3150 / lab-1").count(), 1, "{told}");
    assert!(
        told.contains("1 to 2 members") && !told.contains("these are"),
        "{told}"
    );
    assert!(told.contains("1155000004  has an extension"), "{told}");
    let told = student(&campus, "assignments --json").succeeded().json();
    assert_eq!(told["together"], false);
    let members = told["assignments"][0]["members"].as_array().unwrap();
    let sids: Vec<_> = members.iter().map(|member| &member["sid"]).collect();
    assert_eq!(sids, ids);
    // As one group they are too many, and two are one.
    let four = format!("assignments --ids {} --json", ids.join(","));
    student(&campus, &four).refused(3, "member_count");
    let two = format!("assignments --ids {} --json", ids[..2].join(","));
    let told = student(&campus, &two).succeeded().json();
    assert_eq!(told["together"], true);
}

#[test]
fn who_is_revoked_does_not_silence_the_others_on_the_machine() {
    let campus = campus();
    add(&campus, "Lab-1", DAY, "--group-size 1..2");
    let ids = ["1155000001", "1155000002"];
    for sid in ids {
        campus.student(&["enrol", "--ids", sid]).succeeded();
    }
    campus
        .student(&["submit", "--ids", ids[1], "--course", "CSCI3150"])
        .succeeded();
    let revoke = ["revoke", ids[0], "--reason", "key_compromise"];
    campus.administer_cuhk(&revoke).succeeded();
    let told = student(&campus, "assignments").succeeded().stdout;
    let left_out = format!("{} is left out: ", ids[0]);
    assert!(told.contains(&left_out), "{told}");
    assert!(told.contains("CSCI3150 / lab-1"), "{told}");
    let told = student(&campus, "assignments --json").succeeded().json();
    assert_eq!(told["members"], serde_json::json!([ids[1]]));
    let told = student(&campus, "history --json").succeeded().json();
    assert_eq!(told["versions"][0]["members"], serde_json::json!([ids[1]]));
    student(&campus, "grades").succeeded();
    let again = campus.outside().join("again");
    let download = format!("download S-000001 --to {}", again.display());
    student(&campus, &download).succeeded();
    // Who is named is not left out.
    let named = format!("history --ids {} --json", ids.join(","));
    let refused = student(&campus, &named);
    assert_eq!(refused.exit, Some(3), "{refused:#?}");
    assert!(refused.stderr.contains(ids[0]), "{refused:#?}");
}

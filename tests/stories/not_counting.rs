//! What is handed in, and is not what counts.

use serde_json::json;

use crate::assignments::{DAY, add, campus, student};
use crate::campus::{Campus, version};

const ONE: &str = "1155000001";
const OTHER: &str = "1155000002";

#[test]
fn whoever_hands_in_what_does_not_count_is_told_so_at_once() {
    let campus = campus();
    add(&campus, "Lab-1", DAY, "--counts first --groups free");
    let submit = |ids: &str, more: &str| {
        let report = version(campus.outside());
        student(&campus, &format!("submit --ids {ids} {report}{more}")).succeeded()
    };
    let first = submit(ONE, " --json").json();
    assert_eq!(first["does_not_count_for"], json!([]), "{first:#}");
    // For the other one it is the first.
    let both = submit(&format!("{ONE},{OTHER}"), "").stdout;
    let told = format!("counts   it does NOT count for {ONE}: S-000001 does\n");
    assert!(both.contains(&told), "{both}");
    assert!(!both.contains(&format!("count for {OTHER}")), "{both}");
    let third = submit(OTHER, " --json").json();
    let expected = json!([{"sid": OTHER, "counts": "S-000002"}]);
    assert_eq!(third["does_not_count_for"], expected);
    let fourth = submit(OTHER, " --lang zh-Hant").stdout;
    assert!(
        fourth.contains(&format!("不計入 {OTHER}：以 S-000002 為準")),
        "{fourth}"
    );
}

#[test]
fn where_the_latest_counts_nothing_is_said_but_of_what_another_has_replaced() {
    let campus = campus();
    add(&campus, "Lab-1", DAY, "--groups free");
    let report = version(campus.outside());
    let again = format!("submit --ids {ONE} {report} --json");
    for _ in 0..2 {
        let told = student(&campus, &again).succeeded().json();
        assert_eq!(told["does_not_count_for"], json!([]), "{told:#}");
        assert_eq!(told["submission"], "S-000001");
    }
    let other = version(campus.outside());
    student(&campus, &format!("submit --ids {ONE} {other}")).succeeded();
    // The first files again are a version of their own, which counts.
    let told = student(&campus, &again).succeeded().json();
    assert_eq!(told["submission"], "S-000003");
    assert_eq!(told["does_not_count_for"], json!([]));
}

#[test]
fn what_is_handed_in_is_not_taken_back_and_what_can_be_done_is_said() {
    let campus = Campus::sandbox();
    let report = campus.report();
    campus
        .student(&["submit", "--ids", ONE, &report])
        .succeeded();
    for number in ["S-000001", "1"] {
        let words = ["withdraw", number, "--json"];
        let refused = campus.student(&words).refused(3, "handed_in");
        let message = refused["message"].as_str().unwrap();
        assert_eq!(
            message,
            "S-000001 is handed in, and what is handed in cannot be taken back"
        );
        let remedy = refused["remedy"].as_str().unwrap();
        assert!(remedy.starts_with("hand in another version"), "{remedy}");
    }
    let chinese = campus.student(&["withdraw", "S-000001", "--lang", "zh-Hant"]);
    assert!(chinese.stderr.contains("提交了的不能撤回"), "{chinese:#?}");
    let odd = campus.student(&["withdraw", "5f2b"]);
    assert_eq!(odd.exit, Some(2), "{odd:#?}");
    assert!(odd.stderr.contains("32 hexadecimal digits"), "{odd:#?}");
}

//! Many groups at the same time.

use std::thread;

use crate::campus::Campus;

#[test]
fn twenty_groups_hand_in_at_once() {
    let campus = Campus::sandbox();
    // Codes serve once, so that all enrol first; then pairs of them hand in.
    let ids: Vec<String> = (1..=12).map(|n| format!("11550000{n:02}")).collect();
    for some in ids.chunks(6) {
        let enrolled = campus.student(&["enrol", "--ids", &some.join(",")]);
        enrolled.succeeded();
    }
    let groups: Vec<String> = (0..20)
        .map(|n| format!("{},{}", ids[n % 12], ids[(n + 1 + n / 12) % 12]))
        .collect();
    let numbers: Vec<String> = thread::scope(|scope| {
        let running: Vec<_> = groups
            .iter()
            .map(|group| {
                let campus = &campus;
                scope.spawn(move || {
                    let ran = campus.student(&["submit", "--ids", group, "--json"]);
                    ran.succeeded().json()["submission"]
                        .as_str()
                        .unwrap()
                        .to_owned()
                })
            })
            .collect();
        running.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let mut distinct = numbers.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), 20, "{numbers:?}");
    assert_eq!(campus.submissions().len(), 20);
}

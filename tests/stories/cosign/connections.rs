//! Over which connection which signature came is recorded, and shown to the teacher and to the group.

use super::{Machines, SIDS, id};
use crate::campus::Campus;

#[test]
fn over_which_connection_each_signature_came_is_shown_to_the_teacher_and_the_group() {
    let machines = Machines::new();
    let proposal = id(&machines.propose("our report"));
    for sid in &SIDS[1..] {
        machines
            .on(sid, &["cosign", "--yes", &proposal])
            .succeeded();
    }
    let show = |with: &[&str]| {
        let arguments = [&["submissions", "show", "S-000001"], with].concat();
        machines
            .campus
            .administer_blackboard(&arguments)
            .succeeded()
    };
    let shown = show(&["--json"]).json();
    let signatures = shown["signatures"].as_array().unwrap();
    let connections: Vec<_> = signatures
        .iter()
        .map(|one| one["connection"].as_str().unwrap())
        .collect();
    for (nth, (one, sid)) in signatures.iter().zip(SIDS).enumerate() {
        assert_eq!((&one["sid"], &one["opened_by"]), (&sid.into(), &sid.into()));
        assert_eq!(one["opened_with_cert_sha256"], one["cert_sha256"]);
        assert_eq!(one["verified_on_it"], serde_json::json!([sid]));
        assert!(
            one["entry"].is_u64() && one["signed_at"].is_string(),
            "{one:#}"
        );
        assert!(!connections[..nth].contains(&connections[nth]));
    }
    assert_eq!(signatures[2]["signed_at"], shown["committed_at"]);
    let text = show(&[]).stdout;
    for (connection, sid) in connections.iter().zip(SIDS) {
        let told = format!(" of the log, over the connection {connection} that {sid} opened");
        assert!(text.contains(&told), "{text}");
    }

    // Every member sees when each of them signed, and with whom.
    let history = machines
        .on(SIDS[0], &["history", "--json"])
        .succeeded()
        .json();
    let told = history["versions"][0]["signatures"].as_array().unwrap();
    for (one, theirs) in told.iter().zip(signatures) {
        assert_eq!(one["sid"], theirs["sid"]);
        assert_eq!(one["at"], theirs["signed_at"]);
        assert_eq!(one["with"], theirs["verified_on_it"]);
    }
    let text = machines.on(SIDS[2], &["history"]).succeeded().stdout;
    assert!(text.contains("  signature 1155000002 signed 2"), "{text}");
    let chinese = machines.on(SIDS[2], &["history", "--lang", "zh-Hant"]);
    assert!(chinese.succeeded().stdout.contains("1155000002 已於 2"));
}

#[test]
fn what_all_signed_on_one_machine_came_over_one_connection() {
    let campus = Campus::sandbox();
    let ids = SIDS[..2].join(",");
    campus.student(&["submit", "--ids", &ids]).succeeded();
    let show = |with: &[&str]| {
        let arguments = [&["submissions", "show", "1"], with].concat();
        campus.administer_blackboard(&arguments).succeeded()
    };
    let shown = show(&["--json"]).json();
    for (one, sid) in shown["signatures"].as_array().unwrap().iter().zip(SIDS) {
        assert_eq!(
            (&one["sid"], &one["opened_by"]),
            (&sid.into(), &SIDS[0].into())
        );
        assert_eq!(one["verified_on_it"], serde_json::json!(SIDS[..2]));
        assert_eq!(one["signed_at"], shown["committed_at"]);
        assert_eq!(one["connection"], serde_json::Value::Null);
    }
    let text = show(&[]).stdout;
    let told = "over one connection that 1155000001 opened, with 1155000002";
    assert_eq!(text.matches(told).count(), 2, "{text}");
    let history = campus.student(&["history", "--ids", SIDS[0], "--json"]);
    let told = &history.succeeded().json()["versions"][0]["signatures"];
    assert_eq!(told, &serde_json::json!([]));
}

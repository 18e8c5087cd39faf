//! What a teacher shows: each fault on purpose is refused for its own reason, and nothing is
//! stored.

use crate::campus::{Campus, FaultTable, KnownFault, SAMPLE};

/// Every fault of the student's program, the exit code and the refusal.
const FAULTS: [(&str, i32, &str); 20] = [
    ("expired-certificate", 3, "certificate_expired"),
    ("expired-token", 3, "token_expired"),
    ("replayed-proof", 3, "proof_invalid"),
    ("stale-challenge", 3, "proof_invalid"),
    ("proof-of-another-member", 3, "proof_invalid"),
    ("duplicate-member", 3, "duplicate_member"),
    ("out-of-order", 3, "unexpected_message"),
    ("unknown-field", 3, "malformed_message"),
    ("huge-frame", 3, "frame_too_large"),
    ("deep-json", 3, "malformed_message"),
    ("swapped-shares", 3, "share_invalid"),
    ("silent", 4, "timeout"),
    ("altered-confirmation", 3, "confirmation_failed"),
    ("altered-mac", 3, "mac_invalid"),
    ("altered-statement", 3, "mac_invalid"),
    ("altered-signature", 3, "signature_invalid"),
    ("two-signatures", 3, "signature_missing"),
    ("altered-content", 3, "content_altered"),
    ("short-content", 3, "content_short"),
    ("long-content", 3, "content_long"),
];

#[test]
fn every_fault_is_refused_for_its_own_reason_and_nothing_is_stored() {
    let campus = Campus::sandbox();
    campus.student(&["enrol", "--ids", SAMPLE]).succeeded();
    for (fault, exit, code) in FAULTS {
        let ran = campus.student(&["submit", "--ids", SAMPLE, "--fault", fault]);
        assert_eq!(ran.exit, Some(exit), "{fault}: {ran:#?}");
        let refused = format!("Refused [{code}]: step ");
        assert!(ran.stdout.contains(&refused), "{fault}: {ran:#?}");
        let line = format!("FAULT {fault}: ");
        assert!(ran.stdout.starts_with(&line), "{fault}: {ran:#?}");
        assert!(
            ran.stdout.contains("This is what should happen"),
            "{fault}: {ran:#?}"
        );
        assert!(campus.submissions().is_empty(), "{fault}");
    }
    // The servers are as they were: honest work is the first submission.
    let honest = campus.student(&["submit", "--ids", SAMPLE, "--json"]);
    assert_eq!(honest.succeeded().json()["submission"], "S-000001");
    assert_eq!(campus.submissions().len(), 1);
}

#[test]
fn the_table_holds_every_fault_that_there_is_and_so_does_the_handbook() {
    let known = FAULTS.iter().map(|&(name, _, code)| KnownFault {
        name,
        refused_by: match name {
            "swapped-shares" => "student",
            _ => "blackboard",
        },
        code,
    });
    let table = FaultTable {
        program: "student",
        heading: "## Faults",
        faults: known.collect(),
    };
    table.is_what_help_lists();
    table.is_what_the_handbook_says();
}

#[test]
fn alone_it_enrols_and_hands_in_for_the_sample_students() {
    let campus = Campus::sandbox();
    let ran = campus.student(&["--fault", "altered-mac"]);
    assert_eq!(ran.exit, Some(3), "{ran:#?}");
    assert!(ran.stdout.contains("Refused [mac_invalid]"), "{ran:#?}");
    campus
        .student(&["--fault", "two-signatures", "--json"])
        .refused(3, "signature_missing");
    assert!(campus.submissions().is_empty());
}

#[test]
fn outside_a_sandbox_no_fault_is_put() {
    let campus = Campus::sandbox();
    let home = campus.outside().join("home");
    let arguments = [
        "submit",
        "--ids",
        SAMPLE,
        "--fault",
        "altered-mac",
        "--json",
    ];
    let error = campus
        .student_elsewhere(&home, &arguments)
        .refused(2, "fault_outside_sandbox");
    assert!(error["remedy"].as_str().unwrap().contains("--sandbox"));
    assert!(!home.exists(), "nothing was made");
}

#[test]
fn a_fault_acts_on_hand_ins_only_and_may_take_two() {
    let campus = Campus::sandbox();
    let arguments = ["status", "--fault", "altered-mac", "--json"];
    campus.student(&arguments).refused(2, "fault");
    let alone = ["submit", "--ids", "1155000001", "--json", "--fault"];
    for fault in ["two-signatures", "swapped-shares"] {
        let arguments = [&alone[..], &[fault]].concat();
        campus.student(&arguments).refused(2, "fault");
    }
    let arguments = [&alone[..], &["duplicate-member"]].concat();
    campus.student(&arguments).refused(3, "duplicate_member");
    let unknown = campus.student(&["--fault", "no-such-fault"]);
    assert_eq!(unknown.exit, Some(2));
    assert!(unknown.stderr.contains("--fault help"), "{unknown:#?}");
    assert!(campus.submissions().is_empty());
}

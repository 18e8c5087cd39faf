//! The log entry in a receipt, which Blackboard signed.

use scb_certs::{Chain, Fingerprint, sign_detached};
use scb_protocol::from_seconds;
use scb_protocol::receipt::file;
use scb_testkit::{TestCampus, TestIdentity};
use serde_json::{Value, json};

use crate::support::{Given, Group, THREE, listed, part, with_part};

#[test]
fn refuses_the_entry_of_anybody_but_blackboard() {
    let (campus, impostor) = (TestCampus::new(), TestCampus::new());
    let group = Group::of(&campus, &THREE);
    let given = Given::to(&group);
    let evidence = given.evidence();
    let leaf_only = TestIdentity {
        chain: Chain::new(vec![group.blackboard.leaf().clone()]).unwrap(),
        key: group.blackboard.key.clone(),
    };
    for (what, service) in [
        ("another service", campus.service("grader")),
        ("CUHK", campus.service("cuhk")),
        ("CUHK's token signer", group.cuhk.clone()),
        ("a student", campus.student(THREE[0])),
        ("an impostor", impostor.service("blackboard")),
        ("without its issuer", leaf_only),
        (
            "an expired one",
            campus.service_valid("blackboard", &campus.expired()),
        ),
        (
            "a future one",
            campus.service_valid("blackboard", &campus.future()),
        ),
    ] {
        given.refuses(what, &given.accepted_by(&evidence, &service));
    }
    let renewed = campus.service("blackboard");
    given
        .verify(&given.accepted_by(&evidence, &renewed))
        .unwrap();

    let twice = {
        let files = given.files();
        let leaf = part(&files, file::LEAF);
        let both: Vec<_> = [&group.blackboard, &renewed]
            .map(|service| (&service.key, &service.chain))
            .into();
        let signature = sign_detached(&leaf, &both, campus.now()).unwrap();
        with_part(&files, file::LEAF_SIGNATURE, signature)
    };
    given.refuses("two signatures", &twice);
}

#[test]
fn refuses_an_entry_that_says_something_else() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..1]);
    let given = Given::to(&group);
    let hour = 3600;
    let hash = json!(Fingerprint::of(b"x"));
    type Alter<'a> = &'a dyn Fn(&mut Value);
    let cases: [(&str, Alter<'_>); 27] = [
        ("type", &|a| a["type"] = json!("scb-statement")),
        ("version", &|a| a["v"] = json!(2)),
        ("unknown field", &|a| a["note"] = json!("")),
        ("another log", &|a| {
            a["log"] = json!("campus.test/blackboard/SANDBOX/other");
        }),
        ("another trust domain's log", &|a| {
            a["log"] = json!("other.test/blackboard/SANDBOX/lab");
        }),
        ("another index than is waited for", &|a| {
            a["index"] = json!(8)
        }),
        ("before it was committed", &|a| a["index"] = json!(6)),
        ("no salt", &|a| a["salt"] = json!("")),
        ("another kind of entry", &|a| {
            let accepted = a["entry"]["accepted"].take();
            a["entry"] = json!({ "refused": accepted });
        }),
        ("refused", &|a| {
            a["entry"] = json!({"refused": {"code": "content_too_large", "members": []}});
        }),
        ("two entries", &|a| a["entry"]["rules"] = json!({})),
        ("submission", &|a| {
            accepted(a)["submission"] = json!("ff".repeat(16));
        }),
        ("number 0", &|a| accepted(a)["number"] = json!("S-000000")),
        ("number as number", &|a| accepted(a)["number"] = json!(1)),
        ("one file fewer", &|a| {
            accepted(a)["files"]
                .as_object_mut()
                .unwrap()
                .remove(file::CRLS);
        }),
        ("one file more", &|a| {
            accepted(a)["files"]["x"] = hash.clone()
        }),
        ("another hash", &|a| {
            accepted(a)["files"][file::CRLS] = hash.clone();
        }),
        ("committed later", &|a| {
            accepted(a)["committed_at"] = time(&campus, |now| now + 1);
        }),
        ("rules since it was committed", &|a| {
            accepted(a)["rules"] = json!({ "index": 6, "leaf_sha256": hash });
        }),
        ("rules without a hash", &|a| {
            accepted(a)["rules"] = json!({ "index": 5 });
        }),
        ("no time", &|a| {
            a.as_object_mut().unwrap().remove("at");
        }),
        ("time in seconds", &|a| {
            a["at"] = json!(campus.now().as_secs())
        }),
        ("time in another zone", &|a| {
            a["at"] = json!("2026-03-02T12:00:00+08:00");
        }),
        ("time with fractions", &|a| {
            a["at"] = json!("2026-03-02T04:00:00.5Z");
        }),
        ("before the certificates", &|a| {
            let early = time(&campus, |now| now - hour);
            accepted(a)["committed_at"] = early.clone();
            a["at"] = early;
        }),
        ("before CUHK confirmed", &|a| {
            let early = time(&campus, |now| now - 61);
            accepted(a)["committed_at"] = early.clone();
            a["at"] = early;
        }),
        ("long after CUHK confirmed", &|a| {
            a["at"] = time(&campus, |now| now + 121);
        }),
    ];
    for (what, alter) in cases {
        given.refuses(what, &given.with_leaf(alter));
    }
    let twice = part(&given.files(), file::LEAF);
    let twice = String::from_utf8(twice)
        .unwrap()
        .replacen('{', "{\"v\":1,", 1);
    given.refuses("field twice", &given.with_leaf_bytes(twice.into()));
    given.verify(&given.with_leaf(|_| {})).unwrap();
}

#[test]
fn refuses_lists_where_objects_belong() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..1]);
    let given = Given::to(&group);
    let right = String::from_utf8(part(&given.files(), file::LEAF)).unwrap();
    for pointer in ["", "/entry", "/entry/accepted", "/entry/accepted/files"] {
        let list = listed(pointer, &right).into_bytes();
        given.refuses(pointer, &given.with_leaf_bytes(list));
    }
    let pairs = given.with_leaf(|leaf| {
        let files = accepted(leaf)["files"].as_object().unwrap().clone();
        let pairs = files.into_iter().map(|(name, hash)| json!([name, hash]));
        accepted(leaf)["files"] = pairs.collect();
    });
    given.refuses("files as pairs", &pairs);
    given
        .verify(&given.with_leaf_bytes(right.into_bytes()))
        .unwrap();
}

#[test]
fn says_which_rules_were_in_force() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..1]);
    let given = Given::to(&group);
    let hash = Fingerprint::of(b"rules");
    let pinned = given.with_leaf(|leaf| {
        accepted(leaf)["rules"] = json!({ "index": 5, "leaf_sha256": hash });
    });
    let receipt = given.verify(&pinned).unwrap();
    assert_eq!(receipt.rules().unwrap().leaf_sha256, hash);
    let told = receipt.checks().iter().find(|check| check.what == "rules");
    assert!(
        told.unwrap()
            .found
            .to_string()
            .starts_with("entry 5 of the log")
    );
}

fn accepted(leaf: &mut Value) -> &mut Value {
    &mut leaf["entry"]["accepted"]
}

fn time(campus: &TestCampus, of: impl FnOnce(u64) -> u64) -> Value {
    let now = campus.now().as_secs();
    json!(scb_protocol::rfc3339(from_seconds(of(now))))
}

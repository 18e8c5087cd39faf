//! What the service believes of its witness's answers.

use super::*;

fn ask(log: &TestLog, reply: Reply) -> Result<SeenByWitness, Refusal> {
    let (expect, request) = ExpectSeen::new(log.key().clone());
    let asked = Request::Witnessed {
        log: LOG.to_owned(),
    };
    assert_eq!(request, asked);
    expect.handle(reply)
}

#[test]
fn a_log_is_compared_with_what_its_witness_has_seen() {
    let log = TestLog::of(LOG, 9);
    let compare = |own: &TestLog, seen: u64| {
        let seen = ask(&log, shown(&log, seen)).unwrap();
        let then = root(&own.tiles(), seen.head().size).ok();
        seen.compare(own.size(), then)
    };
    for seen in [0, 6, 9] {
        assert_eq!(compare(&log, seen), Standing::Extends, "{seen}");
    }
    let old = TestLog::of(LOG, 4);
    assert_eq!(compare(&old, 6), Standing::Behind { has: 4, seen: 6 });
    let mut fork = TestLog::of(LOG, 4);
    fork.push([7; 32]);
    fork.grow(4);
    assert_eq!(compare(&fork, 6), Standing::Forked { has: 9, seen: 6 });
    assert_eq!(compare(&fork, 4), Standing::Extends);
}

#[test]
fn what_the_witness_says_to_have_seen_must_be_signed_by_the_log() {
    let log = TestLog::of(LOG, 9);
    let mut other = TestLog::with_key(LOG, 2);
    other.grow(6);
    let altered = |alter: fn(&mut u64, &mut String)| {
        let mut reply = shown(&log, 6);
        if let Reply::Witnessed { size, root, .. } = &mut reply {
            alter(size, root);
        }
        reply
    };
    for (what, reply, code) in [
        ("another key", shown(&other, 6), Code::LogKeyChanged),
        (
            "another size",
            altered(|size, _| *size = 7),
            Code::ServerMisbehaved,
        ),
        (
            "no root",
            altered(|_, root| root.clear()),
            Code::ServerMisbehaved,
        ),
    ] {
        refused(what, ask(&log, reply), code);
    }
    refused(
        "something else",
        ask(&log, Reply::Cosigned {}),
        Code::UnexpectedMessage,
    );
    // Under a key that was accepted since, it is CUHK's word alone.
    let head = log.checkpoint(6).head();
    let unsigned = Reply::Witnessed {
        size: 6,
        root: head.root.to_string(),
        signed: None,
    };
    let seen = ask(&log, unsigned).unwrap();
    assert_eq!((seen.head(), seen.checkpoint()), (head, None));
    assert_eq!(ask(&log, shown(&log, 0)).unwrap().head(), TreeHead::empty());
}

#[test]
fn a_cosignature_of_another_key_or_checkpoint_is_not_believed() {
    let campus = Campus::new();
    let log = TestLog::of(LOG, 9);
    let keys = campus.keys(&log);
    let cosigned = |size: u64, witness: Cosigner| {
        let known = TreeHead::empty();
        let growth = scb_tlog::verify_growth(&known, log.checkpoint(size), &log.growth(0, size));
        let line = witness.cosign(&growth.unwrap(), 1234);
        let cosignature = line.to_string();
        let (expect, _) = ExpectCosignature::new(&keys, offer(&log, 0));
        expect.handle(Reply::Cosignature { cosignature })
    };
    cosigned(9, cosigner(1)).unwrap();
    for (what, verdict) in [
        ("another key", cosigned(9, cosigner(2))),
        ("another checkpoint", cosigned(8, cosigner(1))),
    ] {
        refused(what, verdict, Code::ServerMisbehaved);
    }
    let (expect, _) = ExpectCosignature::new(&keys, offer(&log, 0));
    let none = expect.handle(Reply::Cosignature {
        cosignature: String::new(),
    });
    refused("no line", none, Code::ServerMisbehaved);
    let stored = log.checkpoint(9).to_string();
    let unsigned = CosignedCheckpoint::read(&stored, log.key(), cosigner(1).verifier());
    assert!(matches!(unsigned, Err(LogError::SignatureMissing { .. })));
}

#[test]
fn entries_come_page_by_page_and_neither_more_nor_fewer() {
    let log = TestLog::of(LOG, 9);
    let reply = |from, end| Reply::WitnessedEntries {
        entries: fingerprints(&log, from, end),
    };
    let (expect, request) = ExpectEntries::new(log.key(), 2, 9);
    let asked = |from| Request::WitnessedEntries {
        log: LOG.to_owned(),
        from,
        end: 9,
    };
    assert_eq!(request, asked(2));
    let (first, more) = expect.handle(reply(2, 5)).unwrap();
    let (expect, request) = more.unwrap();
    assert_eq!(request, asked(5));
    let (rest, more) = expect.handle(reply(5, 9)).unwrap();
    assert!(more.is_none());
    assert_eq!([first, rest].concat(), fingerprints(&log, 2, 9));

    for (what, reply) in [("none", reply(2, 2)), ("too many", reply(1, 9))] {
        let (expect, _) = ExpectEntries::new(log.key(), 2, 9);
        let verdict = expect.handle(reply).map(|(page, _)| page);
        refused(what, verdict, Code::ServerMisbehaved);
    }
    let large = TestCampus::new().root_fingerprint();
    let flood = Reply::WitnessedEntries {
        entries: vec![large; MAX_ENTRIES + 1],
    };
    let (expect, _) = ExpectEntries::new(log.key(), 0, u64::MAX);
    let verdict = expect.handle(flood).map(|(page, _)| page);
    refused("a flood", verdict, Code::ServerMisbehaved);
}

#[test]
fn names_of_logs_come_in_order_and_are_the_services_own() {
    let asked = |after: &str| Request::WitnessedLogs {
        after: after.to_owned(),
    };
    let reply = |names: &[&str]| Reply::WitnessedLogs {
        logs: names.iter().map(ToString::to_string).collect(),
    };
    let (a, b) = ("campus.test/blackboard/c/a", "campus.test/blackboard/c/b");
    let (expect, request) = ExpectLogs::new(service());
    assert_eq!(request, asked(""));
    let (first, more) = expect.handle(reply(&[a, b])).unwrap();
    assert_eq!(first, [a, b]);
    let (expect, request) = more.unwrap();
    assert_eq!(request, asked(b));
    let (last, more) = expect.handle(reply(&[])).unwrap();
    assert!(last.is_empty() && more.is_none());
    for names in [
        &[b, a][..],
        &[a, a],
        &["campus.test/library/c/a"],
        &[a; 200],
    ] {
        let (expect, _) = ExpectLogs::new(service());
        let verdict = expect.handle(reply(names)).map(|(page, _)| page);
        refused(&format!("{names:?}"), verdict, Code::ServerMisbehaved);
    }
}

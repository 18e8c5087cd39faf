//! CUHK as witness of a service's log: what it endorses and cosigns, and what the service believes.

use std::time::Duration;

use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, SpiffeId, TrustStore, sign_detached};
use scb_protocol::audit::KnownLog;
use scb_protocol::authority::{Admitted, Caller, ExpectRequest};
use scb_protocol::message::cuhk::{Reply, Request};
use scb_protocol::values::Der;
use scb_protocol::witness::{
    CosignedCheckpoint, ExpectCosignature, ExpectEndorsement, ExpectEntries, ExpectLogs,
    ExpectSeen, GrownServiceLog, Judgement, MAX_ENTRIES, Offer, SeenByWitness, Standing,
    WitnessAnswer, witness_name,
};
use scb_protocol::{Code, LogKeysError, Refusal, SignedLogKeys, VerifiedLogKeys};
use scb_testkit::{TestCampus, TestIdentity, TestLog};
use scb_tlog::{
    Algorithm, Cosigner, Error as LogError, KeyName, NoteKey, TreeHead, VerifierKey, root,
};

use crate::support::{THREE, name, refused};

const LOG: &str = "campus.test/blackboard/CSCI-3150/asg1";

fn cosigner(seed: u8) -> Cosigner {
    let name: KeyName = witness_name(&"campus.test".parse().unwrap())
        .parse()
        .unwrap();
    let key = NoteKey::from_seed(name, Algorithm::CosignatureV1, &[seed; 32]);
    Cosigner::new(key.unwrap()).unwrap()
}

fn service() -> SpiffeId {
    name("service/blackboard")
}

fn fingerprints(log: &TestLog, from: u64, end: u64) -> Vec<Fingerprint> {
    let entries = log.entries(from, end).into_iter();
    entries.map(Fingerprint::from_bytes).collect()
}

fn offer(log: &TestLog, old: u64) -> Offer {
    let new = log.size();
    Offer {
        checkpoint: log.checkpoint(new),
        old,
        growth: log.growth(old, new),
        entries: fingerprints(log, old, new),
    }
}

/// As CUHK remembers it.
fn seen(log: &TestLog, size: u64) -> KnownLog {
    KnownLog {
        key: log.key().clone(),
        head: log.checkpoint(size).head(),
    }
}

struct Campus {
    campus: TestCampus,
    signer: TestIdentity,
}

impl Campus {
    fn new() -> Self {
        let campus = TestCampus::new();
        let signer = campus.token_signer();
        Self { campus, signer }
    }

    fn trust(&self) -> std::sync::Arc<TrustStore> {
        self.campus.trust()
    }

    fn now(&self) -> UnixTime {
        self.campus.now()
    }

    fn endorsement(&self, log: &VerifierKey) -> SignedLogKeys {
        self.endorsed(log, cosigner(1).verifier())
    }

    fn endorsed(&self, log: &VerifierKey, witness: &VerifierKey) -> SignedLogKeys {
        let signer = (&self.signer.key, &self.signer.chain);
        SignedLogKeys::sign(&service(), log, witness, signer, self.now()).unwrap()
    }

    fn verify(&self, signed: &SignedLogKeys) -> Result<VerifiedLogKeys, LogKeysError> {
        let (keys, signature) = (signed.keys.as_bytes(), &signed.signature);
        VerifiedLogKeys::verify(keys, signature, &self.trust(), &service(), self.now())
    }

    fn keys(&self, log: &TestLog) -> VerifiedLogKeys {
        self.verify(&self.endorsement(log.key())).unwrap()
    }

    /// As CUHK admits it from the service of this name.
    fn admit(&self, who: &str, request: Request) -> Result<Admitted, Refusal> {
        let chain = self.campus.service(who).chain;
        let caller = Caller::from_chain(Some(&chain), &self.trust(), self.now()).unwrap();
        ExpectRequest::new().handle(request, &caller)
    }

    /// As CUHK judges it, by what it has seen.
    fn judge(
        &self,
        log: &TestLog,
        offer: Offer,
        seen: &KnownLog,
    ) -> Result<GrownServiceLog, Refusal> {
        let (_, request) = ExpectCosignature::new(&self.keys(log), offer);
        let Admitted::Witness { offered, .. } = self.admit("blackboard", request)? else {
            panic!("something else was admitted");
        };
        match offered.judge(seen)? {
            Judgement::Grown(grown) => Ok(grown),
            Judgement::Stale => panic!("stale"),
        }
    }
}

#[test]
fn keys_that_cuhk_endorsed_are_believed() {
    let campus = Campus::new();
    let log = TestLog::of(LOG, 1);
    let keys = campus.keys(&log);
    assert_eq!(keys.log(), log.key());
    assert_eq!(keys.witness(), cosigner(1).verifier());
    assert_eq!(*keys.service(), service());
    assert_eq!(keys.issued_at(), campus.now());
}

#[test]
fn keys_that_somebody_else_endorsed_are_not() {
    let campus = Campus::new();
    let log = TestLog::of(LOG, 1);
    let good = campus.endorsement(log.key());
    let signed_by = |who: &TestIdentity| SignedLogKeys {
        signature: sign_detached(
            good.keys.as_bytes(),
            &[(&who.key, &who.chain)],
            campus.now(),
        )
        .unwrap(),
        ..good.clone()
    };
    let blackboard = campus.campus.service("blackboard");
    let both = [
        (&campus.signer.key, &campus.signer.chain),
        (&blackboard.key, &blackboard.chain),
    ];
    let mut cases = vec![
        (
            "a TLS key of CUHK",
            signed_by(&campus.campus.service("cuhk")),
        ),
        ("the service itself", signed_by(&blackboard)),
        ("a student", signed_by(&campus.campus.student(THREE[0]))),
        ("another CUHK", signed_by(&TestCampus::new().token_signer())),
    ];
    cases.push((
        "somebody beside CUHK",
        SignedLogKeys {
            signature: sign_detached(good.keys.as_bytes(), &both, campus.now()).unwrap(),
            ..good.clone()
        },
    ));
    cases.push((
        "altered bytes",
        SignedLogKeys {
            keys: good.keys.replace("asg1", "asg2"),
            ..good.clone()
        },
    ));
    for (what, wrong) in cases {
        let verdict = campus.verify(&wrong);
        assert!(
            matches!(verdict, Err(LogKeysError::Untrusted(_))),
            "{what}: {verdict:?}"
        );
    }
    campus.verify(&good).unwrap();
}

#[test]
fn an_endorsement_counts_while_its_signer_does_and_for_its_service() {
    let campus = Campus::new();
    let good = campus.endorsement(TestLog::of(LOG, 1).key());
    let (keys, signature) = (good.keys.as_bytes(), &good.signature);
    let verify = |trust: &TrustStore, service: &str, at| {
        VerifiedLogKeys::verify(keys, signature, trust, &name(service), at)
    };
    let (trust, now) = (campus.trust(), campus.now());
    verify(&trust, "service/blackboard", now).unwrap();
    let other = verify(&trust, "service/library", now);
    assert_eq!(other, Err(LogKeysError::OtherService(service())));
    let ended = campus.signer.leaf().not_after().as_secs() + 1;
    let ended = UnixTime::since_unix_epoch(Duration::from_secs(ended));
    let revoked = campus.campus.trust_revoking(&[campus.signer.leaf()]);
    for verdict in [
        verify(&trust, "service/blackboard", ended),
        verify(&revoked, "service/blackboard", now),
    ] {
        assert!(
            matches!(verdict, Err(LogKeysError::Untrusted(_))),
            "{verdict:?}"
        );
    }
}

#[test]
fn keys_under_other_names_or_for_other_purposes_are_not_believed() {
    let campus = Campus::new();
    let (log, witness) = (TestLog::of(LOG, 1), cosigner(1));
    let other = |name: &str| TestLog::of(name, 1).key().clone();
    let as_log = VerifierKey::new(
        witness.verifier().name().clone(),
        Algorithm::Ed25519,
        *witness.verifier().public_key(),
    );
    let as_witness = VerifierKey::new(
        log.key().name().clone(),
        Algorithm::CosignatureV1,
        *log.key().public_key(),
    );
    for (log, witness) in [
        (other("campus.test/library/c/a"), witness.verifier().clone()),
        (
            other("other.test/blackboard/c/a"),
            witness.verifier().clone(),
        ),
        (other("campus.test/issuance"), witness.verifier().clone()),
        (as_witness.clone(), witness.verifier().clone()),
        (log.key().clone(), log.key().clone()),
        (log.key().clone(), as_log),
        (log.key().clone(), as_witness),
    ] {
        let verdict = campus.verify(&campus.endorsed(&log, &witness));
        assert!(
            matches!(verdict, Err(LogKeysError::OtherKey(_))),
            "{verdict:?}"
        );
    }
}

#[test]
fn an_endorsement_in_another_form_is_refused() {
    let campus = Campus::new();
    let good = campus.endorsement(TestLog::of(LOG, 1).key());
    let with = |from: &str, to: &str| {
        let keys = good.keys.replacen(from, to, 1);
        assert_ne!(keys, good.keys, "{from}");
        let by = [(&campus.signer.key, &campus.signer.chain)];
        let signature = sign_detached(keys.as_bytes(), &by, campus.now()).unwrap();
        campus.verify(&SignedLogKeys { keys, signature })
    };
    for (from, to) in [
        ("scb-log-keys", "scb-trust-bundle"),
        ("\"v\":1", "\"v\":2"),
        ("\"v\":1", "\"v\":1,\"v\":1"),
        ("\"v\":1", "\"v\":1,\"more\":1"),
        ("\"log\"", "\"lag\""),
        ("+", "-"),
        ("Z\"", "+00:00\""),
    ] {
        let verdict = with(from, to);
        assert!(
            matches!(verdict, Err(LogKeysError::Malformed(_))),
            "{from}: {verdict:?}"
        );
    }
    let early = with(&scb_protocol::rfc3339(campus.now()), "2001-01-01T00:00:00Z");
    assert!(
        matches!(early, Err(LogKeysError::OtherTime(_))),
        "{early:?}"
    );
}

#[test]
fn a_service_asks_about_its_own_logs_only() {
    let campus = Campus::new();
    let requests = |name: &str| {
        let log = TestLog::of(name, 1);
        [
            Request::Endorse {
                log: log.key().to_string(),
            },
            Request::Witness {
                checkpoint: log.checkpoint(1).to_string(),
                old: 0,
                growth: Vec::new(),
                entries: fingerprints(&log, 0, 1),
            },
            Request::Witnessed {
                log: name.to_owned(),
            },
            Request::WitnessedEntries {
                log: name.to_owned(),
                from: 0,
                end: 1,
            },
        ]
    };
    for request in requests(LOG) {
        campus.admit("blackboard", request).unwrap();
    }
    for (who, log) in [
        ("library", LOG),
        ("black", LOG),
        ("blackboard", "other.test/blackboard/c/a"),
        ("blackboard", "campus.test/blackboardx/c/a"),
        ("blackboard", "campus.test/blackboard"),
        ("blackboard", "campus.test/blackboard/"),
        ("blackboard", "campus.test/issuance"),
        ("witness", "campus.test/witness/cuhk"),
    ] {
        for request in requests(log) {
            let what = format!("{who}: {request:?}");
            refused(&what, campus.admit(who, request), Code::NotPermitted);
        }
    }
}

#[test]
fn what_is_no_checkpoint_or_no_key_for_one_is_refused() {
    let campus = Campus::new();
    let log = TestLog::of(LOG, 1);
    let for_cosignatures = VerifierKey::new(
        log.key().name().clone(),
        Algorithm::CosignatureV1,
        *log.key().public_key(),
    );
    let endorse = |log: String| Request::Endorse { log };
    let witness = |checkpoint: String, growth: &[&str]| Request::Witness {
        checkpoint,
        old: 0,
        growth: growth.iter().map(ToString::to_string).collect(),
        entries: Vec::new(),
    };
    let checkpoint = log.checkpoint(1).to_string();
    for request in [
        endorse(for_cosignatures.to_string()),
        endorse(log.key().to_string()[1..].to_owned()),
        endorse(LOG.to_owned()),
        witness(checkpoint.replace("\n1\n", "\n01\n"), &[]),
        witness(String::new(), &[]),
        witness(checkpoint, &["no hash"]),
        Request::Witnessed {
            log: "campus.test/blackboard/c a".to_owned(),
        },
    ] {
        let what = format!("{request:?}");
        refused(
            &what,
            campus.admit("blackboard", request),
            Code::CheckpointInvalid,
        );
    }
}

#[test]
fn growth_is_cosigned_and_the_service_believes_it() {
    let campus = Campus::new();
    let mut log = TestLog::of(LOG, 0);
    let (keys, witness) = (campus.keys(&log), cosigner(1));
    let mut known = seen(&log, 0);
    for grown in [3, 2, 0, 300] {
        let old = log.size();
        log.grow(grown);
        let (expect, _) = ExpectCosignature::new(&keys, offer(&log, old));
        let judged = campus.judge(&log, offer(&log, old), &known).unwrap();
        assert_eq!(judged.old(), old);
        assert_eq!(judged.entries(), fingerprints(&log, old, log.size()));
        let line = witness.cosign(judged.growth(), 1234);
        let cosignature = line.to_string();
        let answer = expect.handle(Reply::Cosignature { cosignature }).unwrap();
        let WitnessAnswer::Cosigned(cosigned) = answer else {
            panic!("{answer:?}");
        };
        assert_eq!(
            (cosigned.size(), cosigned.time().as_secs()),
            (log.size(), 1234)
        );
        let note = cosigned.note().to_string();
        let read = CosignedCheckpoint::read(&note, log.key(), witness.verifier());
        assert_eq!(read.unwrap(), cosigned);
        known.head = log.checkpoint(log.size()).head();
    }
}

#[test]
fn a_log_that_shrank_forked_or_has_another_key_is_not_cosigned() {
    let campus = Campus::new();
    let log = TestLog::of(LOG, 9);
    let known = seen(&log, 6);
    campus.judge(&log, offer(&log, 6), &known).unwrap();

    let mut fork = TestLog::of(LOG, 5);
    fork.push([7; 32]);
    fork.grow(3);
    let refusal = campus.judge(&fork, offer(&fork, 6), &known);
    let refusal = refused("a fork", refusal, Code::LogInconsistent);
    assert_eq!(
        (&*refusal.params["seen"], &*refusal.params["got"]),
        ("6", "9")
    );
    let mut same_size = TestLog::of(LOG, 5);
    same_size.push([7; 32]);
    let refusal = campus.judge(&same_size, offer(&same_size, 6), &known);
    refused("a fork of the same size", refusal, Code::LogInconsistent);

    let shorter = TestLog::of(LOG, 4);
    let shrunk = Offer {
        old: 6,
        ..offer(&shorter, 4)
    };
    let refusal = campus.judge(&shorter, shrunk, &known);
    refused("an old copy", refusal, Code::LogInconsistent);

    let mut other_key = TestLog::with_key(LOG, 2);
    other_key.grow(9);
    let refusal = campus.judge(&other_key, offer(&other_key, 6), &known);
    refused("another key", refusal, Code::CheckpointInvalid);
}

#[test]
fn growth_without_a_proof_or_with_other_entries_is_not_cosigned() {
    let campus = Campus::new();
    let log = TestLog::of(LOG, 9);
    let known = seen(&log, 6);
    let good = offer(&log, 6);
    let unproved = Offer {
        growth: log.growth(5, 9),
        ..good.clone()
    };
    refused(
        "another proof",
        campus.judge(&log, unproved, &known),
        Code::LogInconsistent,
    );
    for (what, entries) in [
        ("fewer", fingerprints(&log, 7, 9)),
        ("more", fingerprints(&log, 5, 9)),
    ] {
        let wrong = Offer {
            entries,
            ..good.clone()
        };
        refused(
            what,
            campus.judge(&log, wrong, &known),
            Code::CheckpointInvalid,
        );
    }
}

#[test]
fn whoever_thinks_of_another_size_is_told_what_was_seen() {
    let campus = Campus::new();
    let log = TestLog::of(LOG, 9);
    let keys = campus.keys(&log);
    for old in [4, 7] {
        let (expect, request) = ExpectCosignature::new(&keys, offer(&log, old));
        let Ok(Admitted::Witness { offered, .. }) = campus.admit("blackboard", request) else {
            panic!("not admitted");
        };
        let judged = offered.judge(&seen(&log, 6)).unwrap();
        assert!(matches!(judged, Judgement::Stale), "{judged:?}");
        let told = expect.handle(shown(&log, 6)).unwrap();
        let WitnessAnswer::Seen(told) = told else {
            panic!("{told:?}");
        };
        assert_eq!(told.head(), log.checkpoint(6).head());
    }
}

/// What CUHK answers that has seen so many entries.
fn shown(log: &TestLog, size: u64) -> Reply {
    let checkpoint = log.checkpoint(size);
    Reply::Witnessed {
        size,
        root: checkpoint.head().root.to_string(),
        signed: (size > 0).then(|| checkpoint.to_string()),
    }
}

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
    for (what, reply) in [
        ("another key", shown(&other, 6)),
        ("another size", altered(|size, _| *size = 7)),
        ("no root", altered(|_, root| root.clear())),
    ] {
        refused(what, ask(&log, reply), Code::ServerMisbehaved);
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
fn an_endorsement_is_believed_for_the_key_that_was_asked_about() {
    let campus = Campus::new();
    let (log, mut other) = (TestLog::of(LOG, 1), TestLog::with_key(LOG, 2));
    other.grow(1);
    let ask = |about: &VerifierKey| {
        let signed = campus.endorsement(about);
        let reply = Reply::Endorsed {
            keys: signed.keys,
            signature: Der::new(signed.signature),
        };
        let (expect, _) = ExpectEndorsement::new(service(), log.key().clone());
        expect.handle(reply, &campus.trust(), campus.now())
    };
    let (signed, verified) = ask(log.key()).unwrap();
    assert_eq!(campus.verify(&signed).unwrap(), verified);
    refused("another key", ask(other.key()), Code::ServerMisbehaved);
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

#[test]
fn the_largest_messages_fit_a_frame() {
    let hash = TestCampus::new().root_fingerprint();
    let log = TestLog::of(LOG, 1);
    let request = Request::Witness {
        checkpoint: log.checkpoint(1).to_string(),
        old: 0,
        growth: vec![log.checkpoint(1).head().root.to_string(); 120],
        entries: vec![hash; MAX_ENTRIES],
    };
    scb_protocol::encode(&request, scb_protocol::Step::Six).unwrap();
}

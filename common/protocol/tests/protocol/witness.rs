//! CUHK as witness of a service's log: what it endorses and cosigns, and what the service believes.

mod belief;
mod endorsement;

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

fn shown(log: &TestLog, size: u64) -> Reply {
    let checkpoint = log.checkpoint(size);
    Reply::Witnessed {
        size,
        root: checkpoint.head().root.to_string(),
        signed: (size > 0).then(|| checkpoint.to_string()),
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

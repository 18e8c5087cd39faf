//! Keys of logs and of their witness: which endorsement is believed.

use super::*;

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

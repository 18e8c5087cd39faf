//! Complete receipts: the log holds the entry, and witnesses whom the verifier wants have seen it.

use scb_protocol::receipt::{LogProof, VerifiedReceipt, WitnessPolicy, file};
use scb_protocol::{Code, Refusal, SignedLogKeys};
use scb_testkit::{TestCampus, TestLog};
use scb_tlog::VerifierKey;

use crate::support::{
    Given, Group, THREE, Witnessing, part, refused, repack, unpack, with_part, witness,
};

#[test]
fn has_its_files_and_says_who_has_seen_the_entry() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let given = Given::to(&group);
    let witnessing = Witnessing::of(&given);
    let zip = witnessing.zip();
    let names: Vec<String> = unpack(&zip).into_iter().map(|(name, _)| name).collect();
    let expected = [
        "statement.json",
        "statement.p7s",
        "verification.jwt",
        "chains.pem",
        "crl.pem",
        "cuhk-ca.pem",
        "leaf.json",
        "leaf.p7s",
        "receipt.tlog-proof",
        "log.vkey",
        "witness.vkey",
        "keys.json",
        "keys.p7s",
        "committed.json",
        "committed.tlog-proof",
        "committed.jwt",
        "VERIFY.md",
    ];
    assert_eq!(names, expected);
    let receipt = given.verify(&zip).unwrap();
    let witnessed = receipt.witnessed().unwrap();
    assert_eq!(witnessed.size, 10);
    let [(name, time)] = witnessed.by.as_slice() else {
        panic!("{witnessed:?}");
    };
    assert_eq!(name.as_str(), "campus.test/witness/cuhk");
    assert_eq!(time.as_secs(), campus.now().as_secs() + 2);
    let said = receipt.checks().iter().map(|check| check.what);
    assert!(
        said.clone().any(|what| what == "logged") && !said.clone().any(|what| what == "pending")
    );
    assert!(said.clone().any(|what| what == "witnessed"));
    assert_eq!(given.verify(&given.zip).unwrap().witnessed(), None);
}

#[test]
fn refuses_every_file_of_the_proof_altered_in_any_byte() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..1]);
    let given = Given::to(&group);
    let files = unpack(&Witnessing::of(&given).zip());
    for name in [
        file::PROOF,
        file::LOG_KEY,
        file::WITNESS_KEY,
        file::KEYS,
        file::KEYS_SIGNATURE,
        file::COMMITTED,
        file::COMMITTED_PROOF,
        file::LEAF,
    ] {
        let bytes = part(&files, name);
        for index in (0..bytes.len()).step_by((bytes.len() / 60).max(1)) {
            let mut altered = bytes.clone();
            altered[index] ^= 1;
            let what = format!("byte {index} of {name}");
            given.refuses(&what, &with_part(&files, name, altered));
        }
        for other in [
            bytes[..bytes.len() - 1].to_vec(),
            [&bytes[..], b"\n"].concat(),
            Vec::new(),
        ] {
            given.refuses(name, &with_part(&files, name, other));
        }
        let fewer = files.iter().filter(|(found, _)| found != name);
        given.refuses(name, &repack(&fewer.cloned().collect()));
    }
    let mut both = files;
    both.push((
        file::PENDING.to_owned(),
        part(&given.files(), file::PENDING),
    ));
    given.refuses("proved and pending", &repack(&both));
}

/// What a dishonest Blackboard, or somebody with its receipt, could put there.
#[test]
fn refuses_a_proof_that_does_not_prove_it() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..2]);
    let given = Given::to(&group);
    let right = Witnessing::of(&given);
    let with_log = |log: TestLog| Witnessing {
        log,
        committed: right.committed.clone(),
        ..Witnessing::of(&given)
    };
    let name = right.log.key().name().to_string();
    let mut other_key = TestLog::with_key(&name, 5);
    other_key.grow(6);
    right
        .log
        .entries(6, 8)
        .into_iter()
        .for_each(|entry| other_key.push(entry));
    let other_key = with_log(other_key);
    let without = with_log(TestLog::of(&name, 10));
    let mut elsewhere = TestLog::of("campus.test/blackboard/SANDBOX/other", 7);
    elsewhere.push(right.log.entries(7, 8)[0]);
    let elsewhere = with_log(elsewhere);
    let impostor = Witnessing {
        witness: witness("campus.test/witness/cuhk", 4),
        ..Witnessing::of(&given)
    };
    let early = {
        let checkpoint = right.checkpoint();
        let line = right.cosign(&right.witness, checkpoint.clone(), -61);
        right.proof_of(&checkpoint.with(line))
    };
    let proof = right.proof();
    let of = |keys: SignedLogKeys| LogProof {
        keys,
        ..proof.clone()
    };
    for (what, expected, proof) in [
        (
            "nobody cosigned",
            "0 of its witnesses",
            right.proof_of(&right.checkpoint()),
        ),
        (
            "cosigned before it was entered",
            "before it was entered",
            early,
        ),
        (
            "an impostor cosigned",
            "0 of its witnesses",
            LogProof {
                keys: right.keys(),
                witness_key: proof.witness_key.clone(),
                ..impostor.proof()
            },
        ),
        (
            "a witness whom nobody endorsed",
            "not the key that CUHK endorsed",
            LogProof {
                keys: right.keys(),
                ..impostor.proof()
            },
        ),
        (
            "another log key",
            "not the key that CUHK endorsed",
            LogProof {
                keys: right.keys(),
                ..other_key.proof()
            },
        ),
        (
            "another log key, without its file",
            "signature",
            LogProof {
                keys: right.keys(),
                log_key: proof.log_key.clone(),
                ..other_key.proof()
            },
        ),
        ("a log without the entry", "not proved", without.proof()),
        ("another log", "another log", elsewhere.proof()),
        (
            "of another index",
            "another entry",
            LogProof {
                proof: proof.proof.replacen("index 7", "index 6", 1),
                ..proof.clone()
            },
        ),
        (
            "with extra data",
            "another entry",
            LogProof {
                proof: proof.proof.replacen("index", "extra AAAA\nindex", 1),
                ..proof.clone()
            },
        ),
        (
            "endorsed by Blackboard",
            "CUHK did not sign",
            of(right.keys_by(&group.blackboard)),
        ),
        (
            "endorsed by a student",
            "CUHK did not sign",
            of(right.keys_by(&campus.student(THREE[0]))),
        ),
        (
            "endorsed by another CUHK",
            "CUHK did not sign",
            of(right.keys_by(&TestCampus::new().token_signer())),
        ),
    ] {
        let reason = given.refuses(what, &right.with(&proof));
        assert!(reason.contains(expected), "{what}: {reason}");
    }
    given.verify(&right.with(&proof)).unwrap();
    given.verify(&other_key.zip()).unwrap();
}

#[test]
fn counts_the_witnesses_that_the_verifier_wants() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..1]);
    let given = Given::to(&group);
    let right = Witnessing::of(&given);
    let library = witness("library.example/witness", 2);
    let press = witness("press.example/witness", 3);
    let checkpoint = right.cosigned();
    let line = right.cosign(&library, right.checkpoint(), 5);
    let zip = right.with(&right.proof_of(&checkpoint.with(line)));
    let judged = |quorum, outside: &[&VerifierKey]| -> Result<usize, Refusal> {
        let outside = outside.iter().map(|key| (*key).clone()).collect();
        let policy = WitnessPolicy::new(quorum, outside).unwrap();
        let root = campus.root_fingerprint();
        let receipt = VerifiedReceipt::verify_witnessed(&zip, &[root], &policy)?;
        Ok(receipt.witnessed().unwrap().by.len())
    };
    let (library, press) = (library.verifier(), press.verifier());
    assert_eq!(judged(1, &[]), Ok(1));
    assert_eq!(judged(2, &[library]), Ok(2));
    assert_eq!(judged(2, &[library, press]), Ok(2));
    refused(
        "one too few",
        judged(3, &[library, press]),
        Code::ReceiptInvalid,
    );
    refused(
        "who did not cosign",
        judged(2, &[press]),
        Code::ReceiptInvalid,
    );
    // One witness is one, by however many names its key is called.
    refused("twice", judged(2, &[press, press]), Code::ReceiptInvalid);
    let renamed = VerifierKey::new(
        "other.example/witness".parse().unwrap(),
        library.algorithm(),
        *library.public_key(),
    );
    refused(
        "renamed",
        judged(3, &[library, &renamed]),
        Code::ReceiptInvalid,
    );
    for (quorum, outside) in [(0, vec![]), (2, vec![]), (3, vec![library.clone()])] {
        assert_eq!(WitnessPolicy::new(quorum, outside), None);
    }
}

#[test]
fn what_waits_for_others_than_cuhk_shows_its_cosignature_and_who_is_missing() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..1]);
    let given = Given::to(&group);
    let right = Witnessing::of(&given);
    let root = campus.root_fingerprint();
    let awaiting = |proof: LogProof| {
        let missing = vec!["library.example/witness".parse().unwrap()];
        let proof = LogProof { missing, ..proof };
        VerifiedReceipt::complete(&given.zip, &proof, &[root])
    };
    let proof = right.proof();
    let (zip, receipt) = awaiting(proof.clone()).unwrap();
    assert_eq!(receipt.witnessed(), None, "it is pending");
    assert_eq!(
        receipt.awaited().unwrap()[0].as_str(),
        "library.example/witness"
    );
    let said: Vec<_> = receipt.checks().iter().map(|check| check.what).collect();
    assert!(
        said.ends_with(&[
            "logged",
            "witnessed",
            "lists",
            "pending",
            "entered",
            "dated"
        ]),
        "{said:?}"
    );
    // Whoever wants two waits as well, and is told so.
    let library = witness("library.example/witness", 2).verifier().clone();
    let two = WitnessPolicy::new(2, vec![library]).unwrap();
    let pending = VerifiedReceipt::verify_witnessed(&zip, &[root], &two).unwrap();
    assert_eq!(pending.witnessed(), None);
    let (complete, receipt) = VerifiedReceipt::complete(&zip, &proof, &[root]).unwrap();
    assert!(complete == right.with(&proof), "nothing of that is left");
    assert!(receipt.witnessed().is_some() && receipt.awaited().is_none());

    let files = unpack(&zip);
    let text = part(&files, file::PENDING);
    for (what, text) in [
        (
            "another entry",
            String::from_utf8(text).unwrap().replace(":7", ":6"),
        ),
        (
            "nobody",
            String::from_utf8(part(&given.files(), file::PENDING)).unwrap(),
        ),
        ("no text", String::new()),
    ] {
        given.refuses(what, &with_part(&files, file::PENDING, text.into_bytes()));
    }
    let nobody = awaiting(right.proof_of(&right.checkpoint()));
    refused("no cosignature", nobody, Code::ReceiptInvalid);
}

#[test]
fn says_whether_its_revocation_lists_cover_the_cosignature() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..1]);
    let given = Given::to(&group);
    let right = Witnessing::of(&given);
    let trust = campus.trust();
    let ends = trust.crls().iter().map(|list| list.next_update().as_secs());
    let ends = i64::try_from(ends.min().unwrap() - campus.now().as_secs()).unwrap();
    for (later, covered) in [(2, true), (ends - 1, true), (ends, false)] {
        let checkpoint = right.checkpoint();
        let line = right.cosign(&right.witness, checkpoint.clone(), later);
        let zip = right.with(&right.proof_of(&checkpoint.with(line)));
        let receipt = given.verify(&zip).unwrap();
        assert_eq!(receipt.witnessed().unwrap().outlives_lists(), !covered);
        let mut checks = receipt.checks().iter();
        let told = checks.find(|check| check.what == "lists").unwrap();
        let told = told.found.to_string();
        assert_eq!(told.contains("ONLY"), !covered, "{told}");
    }
}

//! Signed refusals as a client takes them, keeps them, and shows them years later.

use std::time::Duration;

use scb_certs::{Crl, Fingerprint, StudentId};
use scb_protocol::log_leaf::{Entry, Leaf, LogName, Refused as RefusedEntry, leaf_commitment};
use scb_protocol::receipt::{LogProof, SignedEntry, WitnessPolicy, file};
use scb_protocol::rejection::{Refused, VerifiedRejection, is_rejection};
use scb_protocol::{Code, Refusal, Step, from_seconds};
use scb_testkit::{TestCampus, TestIdentity, TestLog};

use crate::support::{Given, Group, THREE, Witnessing, part, refused, repack, unpack, with_part};

const LOG: &str = "campus.test/blackboard/SANDBOX/lab";

/// What Blackboard says when it refuses a group, and what may be wrong with it.
struct Said {
    statement: Vec<u8>,
    members: Vec<StudentId>,
    code: Code,
    entry: RefusedEntry,
    log: LogName,
    /// Seconds before now.
    ago: u64,
    signer: TestIdentity,
}

impl Said {
    fn to(group: &Group<'_>) -> Self {
        let statement = group.statement().to_bytes().unwrap();
        let members: Vec<_> = THREE.map(|sid| sid.parse().unwrap()).into();
        let entry = RefusedEntry {
            code: Code::AssignmentClosed,
            members: members.clone(),
            statement_sha256: Some(Fingerprint::of(&statement)),
        };
        Self {
            statement,
            members,
            code: Code::AssignmentClosed,
            entry,
            log: LOG.parse().unwrap(),
            ago: 0,
            signer: group.blackboard.clone(),
        }
    }

    fn refusal(&self, campus: &TestCampus) -> Refusal {
        let at = from_seconds(campus.now().as_secs() - self.ago);
        let entry = Entry::Refused(self.entry.clone());
        let leaf = Leaf::new(self.log.clone(), 7, at, entry).unwrap();
        let by = (&self.signer.key, &self.signer.chain);
        let signed = SignedEntry::sign(leaf.to_bytes().unwrap(), by, at).unwrap();
        let refusal = Refusal::new(self.code, Step::Six);
        let refusal = refusal.with("log", LOG).with("entry", 7);
        refusal.signed(signed)
    }

    /// What the members make of it.
    fn taken(&self, group: &Group<'_>) -> Result<(Vec<u8>, VerifiedRejection), Refusal> {
        self.taken_as(&self.refusal(group.campus), group)
    }

    fn taken_as(
        &self,
        refusal: &Refusal,
        group: &Group<'_>,
    ) -> Result<(Vec<u8>, VerifiedRejection), Refusal> {
        let sent = Refused {
            statement: &self.statement,
            members: &self.members,
        };
        let by = (&*group.campus.trust_without_crls(), &group.policy.service);
        VerifiedRejection::of(refusal, sent, by, group.campus.now())
    }
}

fn verify(zip: &[u8], campus: &TestCampus) -> Result<VerifiedRejection, Refusal> {
    let roots = [campus.root_fingerprint()];
    VerifiedRejection::verify(zip, &roots, &WitnessPolicy::default())
}

#[test]
fn a_signed_refusal_is_kept_and_verifies_offline() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let said = Said::to(&group);
    let (zip, taken) = said.taken(&group).unwrap();
    assert!(is_rejection(&zip));
    assert!(!is_rejection(&Given::to(&group).zip), "a receipt is none");
    let kept = verify(&zip, &campus).unwrap();
    for rejection in [&taken, &kept] {
        assert_eq!(rejection.code(), Code::AssignmentClosed);
        assert_eq!(rejection.members(), said.members);
        assert_eq!(rejection.refused_at(), campus.now());
        assert_eq!(rejection.entry(), (&said.log, 7));
        assert!(rejection.witnessed().is_none());
    }
    let years = std::time::Duration::from_secs(5 * 365 * 86_400);
    campus.clock().advance(years);
    assert!(verify(&zip, &campus).is_ok(), "judged at its own time");
}

#[test]
fn the_same_refusal_within_the_hour_may_name_the_earlier_entry_and_no_older_one() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let mut said = Said::to(&group);
    for (ago, accepted) in [(550, true), (4000, false)] {
        said.ago = ago;
        assert_eq!(said.taken(&group).is_ok(), accepted, "{ago}");
    }
}

#[test]
fn what_is_not_about_this_very_refusal_is_the_servers_misbehaviour() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    type Alter = fn(&mut Said, &TestCampus);
    let wrong: [(&str, Alter); 7] = [
        ("another reason", |said, _| {
            said.entry.code = Code::GroupSize;
        }),
        ("fewer members", |said, _| {
            said.entry.members.pop();
        }),
        ("another statement", |said, _| {
            said.entry.statement_sha256 = Some(Fingerprint::of(b"x"));
        }),
        ("no statement", |said, _| said.entry.statement_sha256 = None),
        ("another log", |said, _| {
            said.log = "campus.test/blackboard/SANDBOX/lab-2".parse().unwrap();
        }),
        ("signed by CUHK", |said, campus| {
            said.signer = campus.token_signer();
        }),
        ("signed by another campus", |said, _| {
            said.signer = TestCampus::new().service("blackboard");
        }),
    ];
    for (what, alter) in wrong {
        let mut said = Said::to(&group);
        alter(&mut said, &campus);
        refused(what, said.taken(&group), Code::ServerMisbehaved);
    }
    let said = Said::to(&group);
    for (name, value) in [("entry", "8"), ("log", "campus.test/blackboard/c/a")] {
        let told = said.refusal(&campus).with(name, value);
        refused(name, said.taken_as(&told, &group), Code::ServerMisbehaved);
    }
    let mut bare = said.refusal(&campus);
    bare.rejection = None;
    let taken = said.taken_as(&bare, &group);
    refused("not signed at all", taken, Code::ServerMisbehaved);
}

#[test]
fn an_altered_one_does_not_verify() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let (zip, _) = Said::to(&group).taken(&group).unwrap();
    let files = unpack(&zip);
    let leaf = String::from_utf8(part(&files, file::LEAF)).unwrap();
    for (from, to) in [
        ("assignment_closed", "group_size"),
        ("\"index\":7", "\"index\":8"),
        (THREE[1], "1155000009"),
    ] {
        let altered = leaf.replacen(from, to, 1).into_bytes();
        let zip = with_part(&files, file::LEAF, altered);
        refused(from, verify(&zip, &campus), Code::ReceiptInvalid);
    }
    for name in [file::STATEMENT, file::LEAF_SIGNATURE, file::PENDING] {
        let mut bytes = part(&files, name);
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        let zip = with_part(&files, name, bytes);
        refused(name, verify(&zip, &campus), Code::ReceiptInvalid);
    }
    let without = repack(&files[..files.len() - 1].to_vec());
    refused(
        "one missing",
        verify(&without, &campus),
        Code::ReceiptInvalid,
    );
    let mut more = files.clone();
    more.push(("more".to_owned(), Vec::new()));
    refused(
        "one more",
        verify(&repack(&more), &campus),
        Code::ReceiptInvalid,
    );
    let other = TestCampus::new();
    refused("another root", verify(&zip, &other), Code::ReceiptInvalid);
}

#[test]
fn its_proof_completes_it_and_another_does_not() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let (zip, taken) = Said::to(&group).taken(&group).unwrap();
    let given = Given::to(&group);
    let of_receipt = Witnessing::of(&given);
    let witnessing = of_rejection(&zip, &given);
    let roots = [campus.root_fingerprint()];
    let completed = VerifiedRejection::complete(&zip, &witnessing.proof(), &roots);
    let (complete, verified) = completed.unwrap();
    assert_eq!(verified.commitment(), taken.commitment());
    assert_eq!(verified.witnessed().unwrap().by.len(), 1);
    assert!(verify(&complete, &campus).unwrap().witnessed().is_some());
    let other = VerifiedRejection::complete(&zip, &of_receipt.proof(), &roots);
    refused("the proof of another entry", other, Code::ReceiptInvalid);
    let two = WitnessPolicy::new(2, vec![of_receipt.log.key().clone()]).unwrap();
    let judged = VerifiedRejection::verify(&complete, &roots, &two);
    refused("one of two witnesses", judged, Code::ReceiptInvalid);
}

#[test]
fn while_others_than_cuhk_are_waited_for_it_says_whose_cosignature_is_missing() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let (zip, _) = Said::to(&group).taken(&group).unwrap();
    let given = Given::to(&group);
    let witnessing = of_rejection(&zip, &given);
    let roots = [campus.root_fingerprint()];
    let proof = witnessing.proof();
    let awaiting = LogProof {
        missing: vec!["library.example/witness".parse().unwrap()],
        ..proof.clone()
    };
    let (partly, rejection) = VerifiedRejection::complete(&zip, &awaiting, &roots).unwrap();
    for rejection in [rejection, verify(&partly, &campus).unwrap()] {
        assert!(rejection.witnessed().is_none(), "it is pending");
        let missing = rejection.awaited().unwrap();
        assert_eq!(missing[0].as_str(), "library.example/witness");
    }
    let (complete, rejection) = VerifiedRejection::complete(&partly, &proof, &roots).unwrap();
    assert!(rejection.witnessed().is_some() && rejection.awaited().is_none());
    assert!(
        unpack(&complete)
            .iter()
            .all(|(name, _)| name != file::PENDING)
    );

    let files = unpack(&partly);
    let text = String::from_utf8(part(&files, file::PENDING)).unwrap();
    for (what, text) in [
        ("another entry", text.replace(":7", ":6")),
        (
            "nobody",
            String::from_utf8(part(&unpack(&zip), file::PENDING)).unwrap(),
        ),
    ] {
        let altered = with_part(&files, file::PENDING, text.into_bytes());
        refused(what, verify(&altered, &campus), Code::ReceiptInvalid);
    }
    let nobody = LogProof {
        missing: awaiting.missing,
        ..witnessing.proof_of(&witnessing.checkpoint())
    };
    let nobody = VerifiedRejection::complete(&zip, &nobody, &roots);
    refused("no cosignature", nobody, Code::ReceiptInvalid);
}

/// The log that holds this rejection's entry.
fn of_rejection<'a>(zip: &[u8], given: &'a Given<'a>) -> Witnessing<'a> {
    let mut log = TestLog::of(LOG, 7);
    log.push(leaf_commitment(&part(&unpack(zip), file::LEAF)));
    log.grow(2);
    Witnessing {
        log,
        committed: None,
        ..Witnessing::of(given)
    }
}

#[test]
fn its_proof_brings_the_lists_that_were_in_force_then() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let (zip, _) = Said::to(&group).taken(&group).unwrap();
    let given = Given::to(&group);
    let witnessing = of_rejection(&zip, &given);
    campus.clock().advance(Duration::from_secs(2 * 24 * 3600));
    let roots = [campus.root_fingerprint()];
    let complete = |lists: &[Crl]| {
        let proof = witnessing.proof();
        let proof = proof.for_refusal(&campus.trust(), (lists, campus.now()));
        VerifiedRejection::complete(&zip, &proof.unwrap(), &roots)
    };
    let lists = campus.crls(5, &[]);
    let revoking = campus.crls(6, &[group.cuhk.chain.leaf()]);
    let (with_lists, rejection) = complete(&lists).unwrap();
    let crls = part(&unpack(&with_lists), file::CRLS);
    assert!(crls == [lists[0].to_pem(), lists[2].to_pem()].concat().into_bytes());
    let told = |rejection: &VerifiedRejection| {
        let mut checks = rejection.checks().iter();
        checks
            .any(|check| check.what == "lists" && check.found.to_string().contains("past the time"))
    };
    assert!(told(&rejection));
    campus
        .clock()
        .advance(Duration::from_secs(3600 * 24 * 3600));
    assert!(told(&verify(&with_lists, &campus).unwrap()));
    // CUHK's signer was revoked by then; or the lists are those of another time.
    for lists in [revoking, campus.crls(5, &[])] {
        let (zip, files) = (&with_lists, unpack(&with_lists));
        let crls = [lists[0].to_pem(), lists[2].to_pem()].concat();
        let altered = with_part(&files, file::CRLS, crls.into_bytes());
        assert!(altered != *zip);
        refused(
            "other lists",
            verify(&altered, &campus),
            Code::ReceiptInvalid,
        );
    }
}

//! Step 3: who may present themselves, and with what.

use scb_certs::Chain;
use scb_protocol::message::blackboard::{Presented, Reply, Request};
use scb_protocol::server::Policy;
use scb_protocol::values::{Challenge, SessionPublicKey};
use scb_protocol::{Channel, Code, Step, Transcript1};
use scb_testkit::{TestCampus, TestIdentity};
use serde_json::json;

use crate::support::{
    Group, Hand, Jws, Run, Side, THREE, forgery, name, other_fingerprint, proof, refused_in, token,
};

type Alter<'a> = &'a dyn Fn(&mut Vec<Presented>);

/// Runs the group with altered presentations; the server must refuse each.
fn check(group: &Group<'_>, cases: &[(&str, Code, Alter<'_>)]) {
    for (what, code, alter) in cases {
        let run = group.run().requests(|request| {
            if let Request::Present { members } = request {
                alter(members);
            }
        });
        run.refused(what).is(what, Side::Server, Step::Three, *code);
    }
}

/// The outsider as a member would present him: with everything his own but the connection.
fn shown(group: &Group<'_>) -> Presented {
    let outsider = group.outsider();
    let other = Channel {
        exporter: [9; 32],
        service: name("service/blackboard"),
        client_certificate: outsider.chain.leaf().fingerprint(),
    };
    let t1 = Transcript1::new(&other, &Challenge::from_bytes([9; 32]), &[]);
    Presented {
        proof: proof(&outsider, &t1).sign(&outsider.key),
        sid: outsider.sid,
        chain: outsider.chain,
        token: outsider.token,
        session_key: SessionPublicKey::from_bytes([9; 32]),
    }
}

#[test]
fn refuses_members_missing_added_repeated_or_in_another_order() {
    let campus = TestCampus::new();
    let three = Group::of(&campus, &THREE);
    check(
        &three,
        &[
            ("nobody", Code::MemberCount, &Vec::clear),
            ("four", Code::MemberCount, &|members| {
                members.push(shown(&three));
            }),
            ("last missing", Code::ProofInvalid, &|members| {
                members.truncate(2);
            }),
            ("first missing", Code::FirstMember, &|members| {
                drop(members.remove(0));
            }),
            ("one twice", Code::DuplicateMember, &|members| {
                members[2] = members[1].clone();
            }),
            ("first twice", Code::DuplicateMember, &|members| {
                members[2].sid = members[0].sid.clone();
            }),
            ("reversed", Code::FirstMember, &|members| members.reverse()),
            ("last two swapped", Code::ProofInvalid, &|members| {
                members.swap(1, 2);
            }),
        ],
    );
    let two = Group::of(&campus, &THREE[..2]);
    check(
        &two,
        &[("one added", Code::ProofInvalid, &|members| {
            members.push(shown(&two));
        })],
    );
}

#[test]
fn refuses_more_members_than_it_allows() {
    let campus = TestCampus::new();
    let mut group = Group::of(&campus, &THREE);
    group.policy = Policy {
        max_members: 2,
        ..(*group.policy).clone()
    }
    .into();
    // The client would notice by itself.
    let run = group.run().replies(|reply| {
        if let Reply::Greeting { max_members, .. } = reply {
            *max_members = 3;
        }
    });
    let refused = run.refused("three of two");
    refused.is("three of two", Side::Server, Step::Three, Code::MemberCount);
}

#[test]
fn refuses_what_belongs_to_another_member() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    // T1 names IDs, certificates and session keys, so that no proof of anybody fits any more.
    check(
        &group,
        &[
            ("another ID", Code::ProofInvalid, &|members| {
                members[1].sid = "1155000099".parse().unwrap();
            }),
            ("chains swapped", Code::ProofInvalid, &|members| {
                swap(members, |member| &mut member.chain);
            }),
            ("tokens swapped", Code::TokenMismatch, &|members| {
                swap(members, |member| &mut member.token);
            }),
            ("proofs swapped", Code::ProofInvalid, &|members| {
                swap(members, |member| &mut member.proof);
            }),
            ("session keys swapped", Code::ProofInvalid, &|members| {
                swap(members, |member| &mut member.session_key);
            }),
            ("another session key", Code::ProofInvalid, &|members| {
                members[1].session_key = SessionPublicKey::from_bytes([9; 32]);
            }),
            ("signed by another member", Code::ProofInvalid, &|members| {
                members[1].proof = Jws::read(&members[1].proof).sign(&group.members[0].key);
            }),
            ("another's certificate", Code::ProofInvalid, &|members| {
                let theirs = &group.members[0].chain;
                let proof = Jws::read(&members[1].proof).with_chain(theirs);
                members[1].proof = proof.sign(&group.members[1].key);
            }),
            ("made by another member", Code::ProofInvalid, &|members| {
                let mine = &group.members[0].chain;
                let proof = Jws::read(&members[1].proof).with_chain(mine);
                members[1].proof = proof.sign(&group.members[0].key);
            }),
            ("no proof", Code::ProofInvalid, &|members| {
                members[1].proof.clear();
            }),
            ("token as proof", Code::ProofInvalid, &|members| {
                members[1].proof = members[1].token.clone();
            }),
            ("proof as token", Code::TokenInvalid, &|members| {
                members[1].token = members[1].proof.clone();
            }),
        ],
    );
}

fn swap<T>(members: &mut [Presented], field: fn(&mut Presented) -> &mut T) {
    let (first, rest) = members.split_at_mut(2);
    std::mem::swap(field(&mut first[1]), field(&mut rest[0]));
}

#[test]
fn refuses_a_proof_over_another_connection_challenge_or_client_certificate() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let proof = |what, run: Run<'_>| {
        let refused = run.refused(what);
        refused.is(what, Side::Server, Step::Three, Code::ProofInvalid);
    };
    let mut elsewhere = group.run();
    elsewhere.exporter = [8; 32];
    proof("another connection", elsewhere);
    let challenged = group.run().replies(|reply| {
        if let Reply::Greeting { challenge, .. } = reply {
            *challenge = Challenge::from_bytes([0; 32]);
        }
    });
    proof("another challenge", challenged);

    let mut hand = Hand::of(&group);
    let (server, challenge) = hand.server();
    hand.channel.client_certificate = other_fingerprint();
    let members = hand.present(&challenge).members;
    let verdict = server.handle(Request::Present { members }, &group.trust, campus.now());
    let what = "another client certificate";
    refused_in(Step::Three, what, verdict, Code::ProofInvalid);
    let mut hand = Hand::of(&group);
    let (server, challenge) = hand.server();
    hand.channel.service = name("service/grader");
    let members = hand.present(&challenge).members;
    let verdict = server.handle(Request::Present { members }, &group.trust, campus.now());
    refused_in(Step::Three, "another service", verdict, Code::ProofInvalid);
}

#[test]
fn refuses_a_chain_with_the_root_at_its_end() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let root = campus.root().certificate().clone();
    for index in [0, 2] {
        let run = group.run().requests(|request| {
            if let Request::Present { members } = request {
                let own = members[index].chain.certificates();
                let longer = own.iter().cloned().chain([root.clone()]).collect();
                members[index].chain = Chain::new(longer).unwrap();
            }
        });
        let refused = run.refused("with the root");
        let code = Code::MalformedMessage;
        let refusal = refused.is("with the root", Side::Server, Step::Three, code);
        assert_eq!(refusal.params["field"], format!("members[{index}].chain"));
    }
    group.run().go().unwrap();
}

#[test]
fn refuses_a_presentation_from_an_earlier_connection() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let mut recorded = None;
    let record = group.run().requests(|request| {
        if matches!(request, Request::Present { .. }) {
            recorded = Some(request.clone());
        }
    });
    record.go().unwrap();
    let replay = group.run().requests(|request| {
        if matches!(request, Request::Present { .. }) {
            *request = recorded.clone().unwrap();
        }
    });
    let refused = replay.refused("replayed");
    refused.is("replayed", Side::Server, Step::Three, Code::ProofInvalid);
}

#[test]
fn refuses_a_client_that_is_not_the_first_member() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let others = [
        group.members[1].chain.leaf().fingerprint(),
        campus.student(THREE[0]).leaf().fingerprint(),
    ];
    for other in others {
        let mut run = group.run();
        run.client_certificate = other;
        let refused = run.refused("another client");
        refused.is("here", Side::Server, Step::Three, Code::FirstMember);
    }
}

#[test]
fn refuses_every_other_form_of_proof() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..1]);
    let member = &group.members[0];
    let hand = Hand::of(&group);
    let verdict = |spoil: &dyn Fn(Jws) -> Option<(String, String)>| {
        let (server, challenge) = hand.server();
        let mut members = hand.present(&challenge).members;
        let (what, spoilt) = spoil(Jws::read(&members[0].proof))?;
        members[0].proof = spoilt;
        let verdict = server.handle(Request::Present { members }, &group.trust, campus.now());
        refused_in(Step::Three, &what, verdict, Code::ProofInvalid);
        Some(())
    };
    type Forgeries = fn(&Jws, &scb_certs::SigningKey) -> Vec<forgery::Forgery>;
    for forgeries in [forgery::of_form_and_header as Forgeries, forgery::of_claims] {
        let mut count = 0;
        while verdict(&|proof| forgeries(&proof, &member.key).get(count).cloned()).is_some() {
            count += 1;
        }
        assert!(count > 10, "only {count} forgeries");
    }
    for (claim, value) in [
        ("v", json!(2)),
        ("sub", json!(name("student/1155000002"))),
        ("sub", json!(name("service/blackboard"))),
        ("t1", json!("AAAA")),
    ] {
        let what = format!("{claim} {value}");
        verdict(&|proof| {
            let proof = proof.claim(claim, value.clone());
            Some((what.clone(), proof.sign(&member.key)))
        });
    }
}

#[test]
fn accepts_what_a_client_by_hand_presents() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let hand = Hand::of(&group);
    let (server, challenge) = hand.server();
    let members = hand.present(&challenge).members;
    let server = server.handle(Request::Present { members }, &group.trust, campus.now());
    let server = server.unwrap();
    assert_eq!(server.question().members, group.named());
    assert!(server.sids().map(|sid| sid.as_str()).eq(THREE));
}

#[test]
fn refuses_a_token_from_another_campus_or_for_another_member() {
    let campus = TestCampus::new();
    let impostor = TestCampus::new().token_signer();
    let mut group = Group::of(&campus, &THREE);
    let student = TestIdentity {
        chain: group.members[1].chain.clone(),
        key: group.members[1].key.clone(),
    };
    group.members[1].token = token(&campus, &impostor, &student);
    let refused = group.run().refused("impostor");
    refused.is("impostor", Side::Server, Step::Three, Code::TokenInvalid);
}

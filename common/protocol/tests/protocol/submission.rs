//! Step 6: the MAC and the content.

use std::sync::Arc;

use scb_certs::Fingerprint;
use scb_protocol::message::blackboard::{Received, Request};
use scb_protocol::server::{AcceptedStatement, AwaitReverification, Policy, ReceivingContent};
use scb_protocol::session::SessionKey;
use scb_protocol::values::{Der, Mac};
use scb_protocol::{Code, Refusal, Step};
use scb_testkit::TestCampus;

use crate::support::{
    Group, Hand, REPORT, Side, THREE, committed, refused, refused_in, state, submit, text,
};

#[test]
fn refuses_every_other_mac() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..2]);
    let statement = text(&group);
    let (_, of_another_session) = Hand::of(&group).open();
    let with = |mac: &dyn Fn(&SessionKey) -> Mac| {
        submit(&group, |hand, key| {
            let signatures = Der::new(hand.group.sign(statement.as_bytes()));
            Request::Submit {
                statement: statement.clone(),
                mac: mac(key),
                signatures,
            }
        })
    };
    let right = |key: &SessionKey| key.statement_mac(statement.as_bytes());
    with(&right).unwrap();
    let of_another_statement = |key: &SessionKey| key.statement_mac(b"{}");
    let cases: [(&str, &dyn Fn(&SessionKey) -> Mac); 5] = [
        ("zero", &|_| Mac::from_bytes([0; 32])),
        ("of another statement", &of_another_statement),
        ("of another session", &|_| right(&of_another_session)),
        (
            "the client's confirmation",
            &SessionKey::client_confirmation,
        ),
        (
            "the server's confirmation",
            &SessionKey::server_confirmation,
        ),
    ];
    for (what, mac) in cases {
        refused_in(Step::Six, what, with(mac), Code::MacInvalid);
    }
    for index in 0..32 {
        let wrong = with(&|key| {
            let mut bytes = *right(key).as_bytes();
            bytes[index] ^= 0x80;
            Mac::from_bytes(bytes)
        });
        refused_in(Step::Six, &format!("byte {index}"), wrong, Code::MacInvalid);
    }
}

#[test]
fn refuses_a_statement_altered_on_the_way_in_any_byte() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..1]);
    let length = text(&group).len();
    for index in 0..length {
        let run = group.run().requests(|request| {
            if let Request::Submit { statement, .. } = request {
                let mut bytes = std::mem::take(statement).into_bytes();
                // The eighth bit would make it other text than UTF-8, which no message can hold.
                bytes[index] ^= 1 << (index % 7);
                *statement = String::from_utf8(bytes).unwrap();
            }
        });
        let refused = run.refused("altered");
        refused.is("altered", Side::Server, Step::Six, Code::MacInvalid);
    }
}

#[test]
fn refuses_content_that_is_short_long_or_altered() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let mut altered = REPORT.to_vec();
    *altered.last_mut().unwrap() ^= 1;
    let cases = [
        ("none", Vec::new(), Code::ContentShort),
        ("a byte short", REPORT[1..].to_vec(), Code::ContentShort),
        ("a byte long", [REPORT, b"x"].concat(), Code::ContentLong),
        ("twice", [REPORT, REPORT].concat(), Code::ContentLong),
        ("altered", altered, Code::ContentAltered),
    ];
    for (what, content, code) in cases {
        let mut run = group.run();
        run.content = content;
        run.refused(what).is(what, Side::Server, Step::Six, code);
    }
}

/// The server when it waits for the content, nothing of which is there.
fn uploading(group: &Group<'_>, accepted: AcceptedStatement) -> ReceivingContent {
    let files = accepted.statement().files.len();
    let have = vec![Received::nothing(); files];
    let (commitment, entry) = committed(&accepted, group);
    let (server, _) = accepted.committed(commitment, entry, have);
    let from = vec![0; files];
    server.handle(Request::Upload { from }).unwrap()
}

/// The server after these chunks and `end`.
fn receive(
    group: &Group<'_>,
    statement: &str,
    chunks: &[&[u8]],
) -> Result<AwaitReverification, Refusal> {
    let mut server = uploading(group, state(group, statement)?);
    for chunk in chunks {
        server.chunk(chunk.len())?;
    }
    server.handle(Request::End {}, &[Fingerprint::of(&chunks.concat())])
}

#[test]
fn accepts_content_of_any_chunks_up_to_its_limit() {
    let campus = TestCampus::new();
    let mut group = Group::of(&campus, &THREE[..1]);
    receive(&group, &text(&group), &[&REPORT[..1], b"", &REPORT[1..]]).unwrap();

    let about = |report: &[u8]| {
        let statement = group.statement_about(report).to_bytes().unwrap();
        String::from_utf8(statement).unwrap()
    };
    refused("none", receive(&group, &about(b""), &[]), Code::ReportEmpty);
    let short = about(b"x");
    receive(&group, &short, &[b"x"]).unwrap();
    refused(
        "one",
        receive(&group, &short, &[b"x", b"y"]),
        Code::ContentLong,
    );

    let size = REPORT.len() as u64;
    for (max_bytes, code) in [(size, None), (size - 1, Some(Code::ContentTooLarge))] {
        group.policy = Arc::new(Policy {
            max_bytes,
            ..(*group.policy).clone()
        });
        let verdict = receive(&group, &text(&group), &[REPORT]).map(drop);
        assert_eq!(verdict.map_err(|refusal| refusal.code).err(), code);
    }
}

#[test]
fn a_chunk_too_many_is_noticed_at_its_first_byte() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..1]);
    let mut server = uploading(&group, state(&group, &text(&group)).unwrap());
    server.chunk(REPORT.len()).unwrap();
    for bytes in [1, usize::MAX, usize::MAX] {
        refused_in(Step::Six, "long", server.chunk(bytes), Code::ContentLong);
    }
}

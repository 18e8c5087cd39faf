//! A server that misbehaves, and the client that notices.

use scb_certs::Fingerprint;
use scb_protocol::client::{ExpectGreeting, state};
use scb_protocol::message::blackboard::Reply;
use scb_protocol::receipt::MAX_RECEIPT;
use scb_protocol::statement::{FileEntry, SubmissionNumber};
use scb_protocol::{Code, Step, from_seconds};
use scb_testkit::TestCampus;

use crate::commitment::resigned;
use crate::support::{Group, REPORT, Side, Stored, THREE, name, refused};

#[test]
fn refuses_a_greeting_of_another_server_or_version_or_for_smaller_groups() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let misbehaved = Code::ServerMisbehaved;
    let cases: [(&str, Code, &dyn Fn(&mut Reply)); 4] = [
        ("another version", misbehaved, &|reply| {
            if let Reply::Greeting { v, .. } = reply {
                *v = 2;
            }
        }),
        ("another service", misbehaved, &|reply| {
            if let Reply::Greeting { service, .. } = reply {
                *service = name("service/grader");
            }
        }),
        ("another campus", misbehaved, &|reply| {
            if let Reply::Greeting { service, .. } = reply {
                *service = "spiffe://other.test/service/blackboard".parse().unwrap();
            }
        }),
        ("smaller groups", Code::MemberCount, &|reply| {
            if let Reply::Greeting { max_members, .. } = reply {
                *max_members = 2;
            }
        }),
    ];
    for (what, code, alter) in cases {
        let refused = group.run().replies(alter).refused(what);
        refused.is(what, Side::Client, Step::Three, code);
    }
}

#[test]
fn sends_no_statement_that_is_none() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..1]);
    let mut run = group.run();
    let session = run.session();
    refused(
        "none",
        session.submit(b"{}", vec![]),
        Code::StatementInvalid,
    );
}

#[test]
fn states_what_its_members_hand_in() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let expected = group.statement();
    let file: FileEntry = expected.files[0].clone();
    let assignment = (expected.course.clone(), expected.assignment.clone());
    let (members, service) = (&group.members, &group.policy.service);
    let bytes = state(members, service, assignment, file, expected.submission).unwrap();
    assert_eq!(bytes, expected.to_bytes().unwrap());
}

/// An honest hand-in, to be shown in another one's place.
fn stored(group: &Group<'_>) -> Stored {
    group.run().go().unwrap()
}

#[test]
fn accepts_the_receipt_of_what_is_stored_already_and_no_other() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let first = stored(&group);
    let again = group.run().again(&first.zip).unwrap();
    assert_eq!(again.number(), first.receipt.number());
    assert_eq!(again.statement_bytes(), first.receipt.statement_bytes());

    let others = Group::of(&campus, &["1155000011", "1155000012"]);
    let refused = group.run().again(&stored(&others).zip).err().unwrap();
    let code = Code::ServerMisbehaved;
    refused.is("of others", Side::Client, Step::Six, code);
}

#[test]
fn refuses_a_receipt_of_another_time_than_it_was_told_before() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let another: &dyn Fn(&mut Reply) = &|reply| {
        if let Reply::Committed {
            committed_at,
            entry,
            ..
        } = reply
        {
            *committed_at -= 60;
            let at = from_seconds(*committed_at);
            *entry = resigned(&group, entry, |leaf| leaf.at = at);
        }
    };
    let refused = group.run().replies(another).refused("another time");
    let code = Code::ServerMisbehaved;
    refused.is("another time", Side::Client, Step::Six, code);
}

#[test]
fn refuses_a_receipt_that_is_not_the_one_announced() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let cases: [(&str, &dyn Fn(&mut Vec<u8>)); 4] = [
        ("a byte more", &|zip| zip.push(0)),
        ("a byte less", &|zip| zip.truncate(zip.len() - 1)),
        ("nothing", &Vec::clear),
        ("altered", &|zip| {
            let middle = zip.len() / 2;
            zip[middle] ^= 1;
        }),
    ];
    for (what, alter) in cases {
        let refused = group.run().receipts(alter).refused(what);
        refused.is(what, Side::Client, Step::Six, Code::ServerMisbehaved);
    }
}

#[test]
fn refuses_an_announcement_that_does_not_fit_the_receipt() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    type Alter<'a> = &'a dyn Fn(&mut SubmissionNumber, &mut u64, &mut Fingerprint);
    let cases: [(&str, Alter<'_>); 6] = [
        ("another number", &|number, _, _| {
            *number = SubmissionNumber::new(2).unwrap();
        }),
        ("smaller", &|_, size, _| *size -= 1),
        ("larger", &|_, size, _| *size += 1),
        ("over the limit", &|_, size, _| {
            *size = MAX_RECEIPT as u64 + 1;
        }),
        ("without end", &|_, size, _| *size = u64::MAX),
        ("another hash", &|_, _, sha256| {
            *sha256 = Fingerprint::of(REPORT);
        }),
    ];
    for (what, alter) in cases {
        let run = group.run().replies(|reply| {
            if let Reply::Receipt {
                number,
                size,
                sha256,
            } = reply
            {
                alter(number, size, sha256);
            }
        });
        let refused = run.refused(what);
        refused.is(what, Side::Client, Step::Six, Code::ServerMisbehaved);
    }
}

/// Announces and delivers `zip` instead of the group's own receipt.
fn substituted(group: &Group<'_>, zip: &[u8], what: &str, code: Code) {
    let run = group.run().replies(|reply| {
        if let Reply::Receipt { size, sha256, .. } = reply {
            *size = zip.len() as u64;
            *sha256 = Fingerprint::of(zip);
        }
    });
    let run = run.receipts(|receipt| *receipt = zip.to_vec());
    run.refused(what).is(what, Side::Client, Step::Six, code);
}

#[test]
fn refuses_a_right_receipt_of_something_else() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let others = Group::of(&campus, &THREE[..2]);
    let theirs = stored(&others).zip;
    substituted(&group, &theirs, "others'", Code::ServerMisbehaved);

    let impostor = TestCampus::new();
    let forged = stored(&Group::of(&impostor, &THREE)).zip;
    substituted(&group, &forged, "an impostor's", Code::ReceiptInvalid);
    substituted(&group, b"PK", "no ZIP", Code::ReceiptInvalid);
    substituted(&group, &[], "empty", Code::ReceiptInvalid);
}

#[test]
fn refuses_to_begin_without_members() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let trust = campus.trust_without_crls();
    let client = ExpectGreeting::new(trust, name("service/blackboard"), [0; 32], vec![]);
    let mut greeting = None;
    let run = group.run().replies(|reply| {
        greeting.get_or_insert_with(|| reply.clone());
    });
    run.go().unwrap();
    let verdict = client.handle(greeting.unwrap());
    refused("nobody", verdict, Code::MemberCount);
}

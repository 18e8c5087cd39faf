//! Messages out of order, on both sides, in every state.

use scb_protocol::message::blackboard::{Received, Reply, Request};
use scb_protocol::message::{Message, Reply as _};
use scb_protocol::values::{Challenge, Der, Mac};
use scb_protocol::{Code, Mode, Refusal, Step};
use scb_testkit::TestCampus;

use crate::support::messages::signed_entry;
use crate::support::{Group, Side, THREE, name, other_fingerprint};

/// What the client sends in a run without questions, in order.
fn requests() -> [Request; 5] {
    let mac = Mac::from_bytes([0; 32]);
    [
        Request::Present { members: vec![] },
        Request::Confirm { mac },
        Request::Submit {
            statement: String::new(),
            mac,
            signatures: Der::new(vec![]),
        },
        Request::Upload { from: vec![0] },
        Request::End {},
    ]
}

fn replies() -> [Reply; 5] {
    [
        Reply::Greeting {
            v: 1,
            service: name("service/blackboard"),
            time: 0,
            challenge: Challenge::from_bytes([0; 32]),
            max_members: 3,
            max_bytes: 1,
        },
        Reply::Shares {
            mode: Mode::Verified,
            verification: Some(String::new()),
            shares: vec![],
        },
        Reply::Confirmed {
            mac: Mac::from_bytes([0; 32]),
        },
        Reply::Committed {
            committed_at: 0,
            upload_until: 0,
            entry: signed_entry(),
            have: vec![Received::nothing()],
        },
        Reply::Receipt {
            number: "S-000001".parse().unwrap(),
            size: 1,
            sha256: other_fingerprint(),
        },
    ]
}

/// Puts `other` in the place of the `turn`-th message.
fn instead<T: Clone>(turn: usize, other: &T) -> impl FnMut(&mut T) {
    let mut count = 0;
    move |message| {
        if count == turn {
            *message = other.clone();
        }
        count += 1;
    }
}

#[test]
fn the_server_refuses_every_request_out_of_order_and_says_what_it_expected() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..1]);
    let steps = [Step::Three, Step::Five, Step::Six, Step::Six, Step::Six];
    for (turn, expected) in requests().iter().enumerate() {
        let question = Request::Assignments {
            course: None,
            from: 0,
        };
        let others = requests().into_iter().chain([question]);
        for got in &others.collect::<Vec<_>>() {
            let answered = (expected.name(), got.name()) == ("submit", "assignments");
            if got.name() == expected.name() || answered {
                continue;
            }
            let what = format!("{} for {}", got.name(), expected.name());
            let refused = group.run().requests(instead(turn, got)).refused(&what);
            let code = Code::UnexpectedMessage;
            let refusal = refused.is(&what, Side::Server, steps[turn], code);
            assert_eq!(refusal.params["expected"], expected.name());
            assert_eq!(refusal.params["got"], got.name());
        }
    }
}

#[test]
fn the_client_refuses_every_reply_out_of_order_and_says_what_it_expected() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..1]);
    let steps = [Step::Three, Step::Four, Step::Five, Step::Six, Step::Six];
    for (turn, expected) in replies().iter().enumerate() {
        for got in replies().iter().filter(|got| got.name() != expected.name()) {
            // A receipt at once is right for what is stored already.
            if (expected.name(), got.name()) == ("committed", "receipt") {
                continue;
            }
            let what = format!("{} for {}", got.name(), expected.name());
            let refused = group.run().replies(instead(turn, got)).refused(&what);
            let code = Code::UnexpectedMessage;
            let refusal = refused.is(&what, Side::Client, steps[turn], code);
            assert_eq!(refusal.params["expected"], expected.name());
            assert_eq!(refusal.params["got"], got.name());
        }
    }
}

#[test]
fn the_client_ends_with_the_servers_refusal_in_every_state() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..1]);
    let refusal = Refusal::new(Code::Busy, Step::Six)
        .about(&THREE[0].parse().unwrap())
        .with("why", "full")
        .retry_after(7);
    for turn in 0..replies().len() {
        let reply = Reply::refusal(refusal.clone());
        let refused = group.run().replies(instead(turn, &reply)).refused("busy");
        assert_eq!((refused.by, &refused.refusal), (Side::Client, &refusal));
    }
}

//! The wire: how every message looks, and which way it goes.

use scb_protocol::message::{Message, Reply as _, blackboard, cuhk};
use scb_protocol::values::Mac;
use scb_protocol::{Code, MAX_PAYLOAD, Refusal, Step, decode, encode};

use crate::malformed::code;
use crate::support::{messages, refused};

/// Every message of a direction on a line of its own; each comes back as it went.
fn lines<M: Message + PartialEq + std::fmt::Debug>(messages: &[M]) -> String {
    let names: Vec<_> = messages.iter().map(Message::name).collect();
    assert_eq!(names, M::NAMES, "one of each");
    let lines: Vec<_> = messages.iter().map(messages::json).collect();
    for (line, message) in lines.iter().zip(messages) {
        let back: M = decode(line.as_bytes(), Step::Three).unwrap();
        assert_eq!(back, *message);
    }
    lines.join("\n")
}

#[test]
fn cuhk_messages_look_like_this() {
    insta::assert_snapshot!("cuhk_requests", lines(&messages::cuhk_requests()));
    insta::assert_snapshot!("cuhk_replies", lines(&messages::cuhk_replies()));
}

#[test]
fn blackboard_messages_look_like_this() {
    insta::assert_snapshot!(
        "blackboard_requests",
        lines(&messages::blackboard_requests())
    );
    insta::assert_snapshot!("blackboard_replies", lines(&messages::blackboard_replies()));
}

#[test]
fn every_code_looks_like_this() {
    let lines: Vec<_> = Code::ALL
        .iter()
        .map(|code| {
            format!(
                "{code} exit={} http={}",
                code.exit_code(),
                code.http_status()
            )
        })
        .collect();
    insta::assert_snapshot!("codes", lines.join("\n"));
}

#[test]
fn a_refusal_says_no_more_than_it_must_and_comes_back_whole() {
    let bare = Refusal::new(Code::Busy, Step::Zero);
    let line = messages::json(&cuhk::Reply::refusal(bare.clone()));
    assert_eq!(line, r#"{"type":"refusal","code":"busy","step":0}"#);
    for refusal in [bare, messages::refusal()] {
        let reply = blackboard::Reply::refusal(refusal.clone());
        let back: blackboard::Reply = decode(messages::json(&reply).as_bytes(), Step::Six).unwrap();
        assert_eq!(back.accepted(), Err(refusal));
    }
    let confirmed = blackboard::Reply::Confirmed {
        mac: Mac::from_bytes([0; 32]),
    };
    assert_eq!(confirmed.clone().accepted(), Ok(confirmed));
}

#[test]
fn a_code_of_a_later_version_is_told_as_such_and_accepts_nothing() {
    let known = r#"{"type":"refusal","code":"busy","step":6}"#;
    assert!(decode::<blackboard::Reply>(known.as_bytes(), Step::Six).is_ok());
    let later = known.replace("busy", "code_of_tomorrow");
    let refusal = decode::<blackboard::Reply>(later.as_bytes(), Step::Six).unwrap_err();
    let told = (refusal.code, refusal.params["message"].as_str());
    assert_eq!(told, (Code::MalformedMessage, "refusal"));
    assert_eq!(refusal.params["field"], "code");
    assert_eq!(refusal.remedy(), "update this program");
}

/// Messages of one direction, sent in another.
fn sent_back<M: Message, N: Message>(messages: &[M]) {
    for message in messages {
        let verdict = code::<N>(messages::json(message));
        // Some are asked and answered under one name, with other fields.
        let what = message.name();
        let both_ways = matches!(
            what,
            "status"
                | "crls"
                | "checkpoint"
                | "audit"
                | "trust_bundle"
                | "assignments"
                | "grades"
                | "proof"
                | "proposals"
                | "history"
                | "download"
                | "witnessed"
                | "witnessed_entries"
                | "witnessed_logs"
        );
        let is_known = both_ways && N::NAMES.contains(&what);
        let expected = match is_known {
            true => Code::MalformedMessage,
            false => Code::UnknownMessage,
        };
        assert_eq!(verdict, Some(expected), "{what}");
    }
}

#[test]
fn refuses_a_message_sent_in_the_wrong_direction() {
    sent_back::<_, cuhk::Request>(&messages::cuhk_replies());
    sent_back::<_, cuhk::Reply>(&messages::cuhk_requests());
    sent_back::<_, blackboard::Request>(&messages::blackboard_replies());
    sent_back::<_, blackboard::Reply>(&messages::blackboard_requests());
    sent_back::<_, cuhk::Request>(&messages::blackboard_requests());
    sent_back::<_, blackboard::Request>(&messages::cuhk_requests());
}

#[test]
fn refuses_to_send_a_message_over_64_kib() {
    let token = |size: usize| cuhk::Reply::Token {
        token: "x".repeat(size),
    };
    let empty = messages::json(&token(0)).len();
    assert!(encode(&token(MAX_PAYLOAD - empty), Step::Two).is_ok());
    let verdict = encode(&token(MAX_PAYLOAD - empty + 1), Step::Two);
    let refusal = refused("too large", verdict, Code::FrameTooLarge);
    assert_eq!(refusal.step, Step::Two);
}

//! Payloads that are not understood, each refused with its code.

use scb_protocol::message::{Message, blackboard, cuhk};
use scb_protocol::values::Der;
use scb_protocol::{Code, Step, decode};
use serde_json::{Value, json};

use crate::support::messages;
use crate::support::refused;

/// The code with which `M` refuses a payload.
pub(crate) fn code<M: Message>(payload: impl AsRef<[u8]>) -> Option<Code> {
    let verdict = decode::<M>(payload.as_ref(), Step::Three);
    verdict.err().map(|refusal| {
        assert_eq!(refusal.step, Step::Three);
        refusal.code
    })
}

/// Everything that a spoilt message may be; `spoil` adds its ways.
fn spoilt<M: Message>(messages: &[M], optional: &[&str]) {
    for message in messages {
        let line = messages::json(message);
        let value: Value = serde_json::from_str(&line).unwrap();
        let fields = value.as_object().unwrap();
        let refuses = |what: String, payload: String| {
            let expected = Some(Code::MalformedMessage);
            assert_eq!(code::<M>(&payload), expected, "{what}: {payload:.200}");
        };
        for (field, value) in fields {
            let mut without = fields.clone();
            without.remove(field);
            if !optional.contains(&field.as_str()) {
                refuses(format!("no {field}"), json!(without).to_string());
            }
            for wrong in [
                json!(null),
                json!([[]]),
                json!({"a": 1}),
                json!(-1),
                json!(1.5),
            ] {
                if wrong.is_null() && optional.contains(&field.as_str()) {
                    continue;
                }
                let mut other = fields.clone();
                other.insert(field.clone(), wrong.clone());
                refuses(format!("{field} is {wrong}"), json!(other).to_string());
            }
            let twice = line.replacen('{', &format!("{{\"{field}\":{value},"), 1);
            refuses(format!("{field} twice"), twice);
        }
        let unknown = line.replacen('{', "{\"extra\":0,", 1);
        refuses("unknown field".to_owned(), unknown);
        refuses("two".to_owned(), format!("{line}{line}"));
        refuses("in a list".to_owned(), format!("[{line}]"));
        refuses("byte order mark".to_owned(), format!("\u{feff}{line}"));
        for cut in 0..line.len() {
            refuses(format!("cut at {cut}"), line[..cut].to_owned());
        }
    }
}

#[test]
fn refuses_fields_missing_repeated_unknown_or_of_another_type() {
    let optional = ["sid", "params", "retry_after"];
    spoilt(&messages::cuhk_requests(), &[]);
    spoilt(&messages::cuhk_replies()[..7], &[]);
    spoilt(&messages::cuhk_replies()[7..], &optional);
    spoilt(&messages::blackboard_requests(), &[]);
    spoilt(&messages::blackboard_replies()[..5], &[]);
    spoilt(&messages::blackboard_replies()[5..], &optional);
}

#[test]
fn refuses_unknown_fields_further_inside() {
    let refuses = |pointer: &str, message: String, malformed: fn(String) -> Option<Code>| {
        let mut value: Value = serde_json::from_str(&message).unwrap();
        value.pointer_mut(pointer).unwrap()["extra"] = json!(0);
        assert_eq!(malformed(value.to_string()), Some(Code::MalformedMessage));
    };
    let present = messages::json(&messages::blackboard_requests()[0]);
    refuses("/members/0", present, code::<blackboard::Request>);
    let shares = messages::json(&messages::blackboard_replies()[1]);
    refuses("/shares/0", shares, code::<blackboard::Reply>);
    let verify = messages::json(&messages::cuhk_requests()[4]);
    refuses("/members/0", verify, code::<cuhk::Request>);
}

#[test]
fn refuses_values_out_of_form_or_range() {
    let status = |epoch: &str| format!("{{\"type\":\"status\",\"epoch\":{epoch}}}");
    assert_eq!(code::<cuhk::Reply>(status("18446744073709551615")), None);
    for epoch in [
        "18446744073709551616",
        "1e3",
        "007",
        "0x1",
        "NaN",
        "Infinity",
        "\"7\"",
        "+7",
    ] {
        let verdict = code::<cuhk::Reply>(status(epoch));
        assert_eq!(verdict, Some(Code::MalformedMessage), "{epoch}");
    }
    let confirm = |mac: &str| format!("{{\"type\":\"confirm\",\"mac\":{mac:?}}}");
    assert_eq!(code::<blackboard::Request>(confirm(&"0a".repeat(32))), None);
    for mac in [
        "",
        &"0a".repeat(31),
        &"0a".repeat(33),
        &"0A".repeat(32),
        &"0g".repeat(32),
    ] {
        let verdict = code::<blackboard::Request>(confirm(mac));
        assert_eq!(verdict, Some(Code::MalformedMessage), "{mac}");
    }
    let step = |step: &str| format!("{{\"type\":\"refusal\",\"code\":\"busy\",\"step\":{step}}}");
    assert_eq!(code::<cuhk::Reply>(step("6")), None);
    assert_eq!(code::<cuhk::Reply>(step("7")), Some(Code::MalformedMessage));
    let large = Der::new(vec![0; Der::LIMIT + 1]);
    let large = messages::json(&cuhk::Request::RenewService { request: large });
    assert_eq!(code::<cuhk::Request>(large), Some(Code::MalformedMessage));
}

#[test]
fn refuses_what_is_not_json_or_too_deep() {
    let deep = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    let with = |field: String| format!("{{\"type\":\"crls\",\"x\":{field}}}");
    let cases = [
        ("nothing", Vec::new()),
        ("not JSON", b"hello".to_vec()),
        ("not UTF-8", b"{\"type\":\"crls\xff\"}".to_vec()),
        ("NUL after", b"{\"type\":\"crls\"}\0".to_vec()),
        ("NaN", with("NaN".to_owned()).into()),
        ("a comma more", b"{\"type\":\"crls\",}".to_vec()),
        ("a comment", b"{\"type\":\"crls\"/**/}".to_vec()),
        ("single quotes", b"{'type':'crls'}".to_vec()),
        ("lone surrogate", with("\"\\ud800\"".to_owned()).into()),
        (
            "surrogates swapped",
            with("\"\\udc00\\ud800\"".to_owned()).into(),
        ),
        ("surrogate in the type", b"{\"type\":\"\\ud800\"}".to_vec()),
        ("raw control character", b"{\"type\":\"cr\nls\"}".to_vec()),
        ("a thousand deep", with(deep(1000)).into()),
        ("30,000 deep", with(deep(30_000)).into()),
        ("30,000 deep, cut", "[".repeat(30_000).into()),
        ("30,000 objects deep", "{\"type\":".repeat(7_000).into()),
        ("type is a list", b"{\"type\":[\"crls\"]}".to_vec()),
        ("no type", b"{}".to_vec()),
        ("null", b"null".to_vec()),
    ];
    for (what, payload) in cases {
        let verdict = code::<cuhk::Request>(&payload);
        assert_eq!(verdict, Some(Code::MalformedMessage), "{what}");
    }
}

#[test]
fn refuses_a_message_of_an_unknown_type() {
    for unknown in ["", "Enrol", "enrol ", "greeting", "admin", "present\\u0000"] {
        let payload = format!("{{\"type\":\"{unknown}\"}}");
        assert_eq!(
            code::<cuhk::Request>(&payload),
            Some(Code::UnknownMessage),
            "{unknown}"
        );
    }
    let long = format!("{{\"type\":\"{}\\u001b[2J\"}}", "x".repeat(60_000));
    let refusal = decode::<cuhk::Request>(long.as_bytes(), Step::One);
    let refusal = refused("long", refusal, Code::UnknownMessage);
    assert!(refusal.to_string().len() < 400, "no flood in the log");
}

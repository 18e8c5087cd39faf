//! Payloads that are not understood, each refused with its code.

use std::collections::BTreeSet;

use scb_protocol::message::{Message, blackboard, cuhk};
use scb_protocol::values::Der;
use scb_protocol::{Code, Step, decode};
use serde_json::{Value, json};

use crate::support::messages;
use crate::support::{listed, refused};

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
        for (cut, _) in line.char_indices() {
            refuses(format!("cut at {cut}"), line[..cut].to_owned());
        }
    }
}

#[test]
fn refuses_fields_missing_repeated_unknown_or_of_another_type() {
    let optional = [
        "sid",
        "params",
        "retry_after",
        "rejection",
        "signed",
        "proof",
        "removed_before",
        "more_unfinished",
        "altered",
    ];
    spoilt(&messages::cuhk_requests(), &["statement_sha256"]);
    spoilt(&messages::cuhk_replies()[..7], &[]);
    spoilt(&messages::cuhk_replies()[7..], &optional);
    spoilt(
        &messages::blackboard_requests(),
        &["after", "course", "reason", "file"],
    );
    spoilt(&messages::blackboard_replies()[..5], &["altered"]);
    spoilt(&messages::blackboard_replies()[5..], &optional);
}

/// Where and why `M` refuses a payload: field, reason, place.
fn why<M: Message>(payload: &str) -> [String; 3] {
    let refusal = decode::<M>(payload.as_bytes(), Step::Three).err();
    let mut params = refusal.expect(payload).params;
    ["field", "reason", "at"].map(|name| params.remove(name).unwrap_or_default())
}

#[test]
fn says_which_field_was_wrong_where_and_why() {
    let present = messages::json(&messages::blackboard_requests()[0]);
    let altered = |pointer: &str, to: Value| {
        let mut value: Value = serde_json::from_str(&present).unwrap();
        *value.pointer_mut(pointer).unwrap() = to;
        value.to_string()
    };
    let mut without: Value = serde_json::from_str(&present).unwrap();
    without["members"][0].as_object_mut().unwrap().remove("sid");
    let twice = present.replacen("{\"sid\":", "{\"sid\":\"1\",\"sid\":", 1);
    let cases = [
        (
            altered("/members", json!("all")),
            "members",
            "expected a sequence",
        ),
        (
            altered("/members/0/token", json!(7)),
            "members[0].token",
            "expected a string",
        ),
        (
            altered("/members/0/session_key", json!("00")),
            "members[0].session_key",
            "wrong length, expected 32 bytes",
        ),
        (
            altered("/members/0/chain/0", json!("****")),
            "members[0].chain",
            "certificate cannot be decoded: not in base64",
        ),
        (without.to_string(), "members[0].sid", "missing"),
        (twice, "members[0].sid", "repeated"),
        ("{\"type\":\"present\"}".into(), "members", "missing"),
        ("{\"members\":[]}".into(), "type", "missing"),
        (
            "[]".into(),
            "",
            "expected a message, which is one JSON object",
        ),
    ];
    for (payload, field, reason) in cases {
        let [found_field, found_reason, at] = why::<blackboard::Request>(&payload);
        assert_eq!(
            (&*found_field, &*found_reason),
            (field, reason),
            "{payload:.200}"
        );
        assert!(at.starts_with("line 1, column "), "{at}");
    }
    let extra = present.replacen("{\"sid\":", "{\"sidd\":\"1\",\"sid\":", 1);
    let [field, reason, _] = why::<blackboard::Request>(&extra);
    assert_eq!(field, "members[0]");
    assert!(reason.starts_with("an unknown field, known: one of `sid`, `chain`"));
}

#[test]
fn says_what_is_no_json_and_at_which_byte() {
    let with = |value: &str| format!("{{\"type\":\"confirm\",\"mac\":{value}}}");
    let mut reasons = BTreeSet::new();
    for value in ["NaN", "\"\\ud800\"", "\"\\udc00\"", "\"\\q\""] {
        let [_, found, at] = why::<blackboard::Request>(&with(value));
        assert!(found.starts_with("not JSON: "), "{value}: {found}");
        assert!(reasons.insert(found), "{value}: each is told apart");
        let column: usize = at.rsplit_once(' ').unwrap().1.parse().unwrap();
        assert!((25..=34).contains(&column), "{value}: {at}");
    }
    let bytes = b"{\"type\":\"confirm\",\"mac\":\"\xff\"}";
    let refusal = decode::<blackboard::Request>(bytes, Step::Five).unwrap_err();
    assert_eq!(
        refusal.params["reason"],
        "not JSON: invalid unicode code point"
    );
}

#[test]
fn says_inside_of_what_a_message_is_cut_off() {
    for (cut, inside) in [
        ("{\"type\":\"crls\"", "inside an object: its } is missing"),
        (
            "{\"type\":\"verify\",\"members\":[",
            "inside a list: its ] is missing",
        ),
        ("{\"type\":\"cr", "inside a string: its \" is missing"),
        ("{\"type\":", "where a value should stand"),
        ("", "where a value should stand"),
    ] {
        let refusal = decode::<cuhk::Request>(cut.as_bytes(), Step::One).unwrap_err();
        assert_eq!(refusal.params["reason"], format!("cut off {inside}"));
        let field = refusal.params.get("field").map_or("", String::as_str);
        assert!(!field.contains('?'), "{cut}: {refusal}");
    }
}

/// serde would read a struct from the list of its fields as well.
#[test]
fn refuses_lists_where_objects_belong() {
    let shares = messages::json(&messages::blackboard_replies()[1]);
    let is_verify = |request: &cuhk::Request| matches!(request, cuhk::Request::Verify { .. });
    let mut requests = messages::cuhk_requests().into_iter();
    let verify = messages::json(&requests.find(is_verify).unwrap());
    let confirm = format!("[\"confirm\",\"{}\"]", "00".repeat(32));
    for verdict in [
        code::<blackboard::Reply>(listed("/shares/0", &shares)),
        code::<cuhk::Request>(listed("/members/0", &verify)),
        code::<blackboard::Request>(confirm),
        code::<cuhk::Request>("[\"crls\"]"),
    ] {
        assert_eq!(verdict, Some(Code::MalformedMessage));
    }
}

#[test]
fn refuses_answers_whose_chain_is_not_leaf_and_issuer() {
    let enrolled = messages::json(&messages::cuhk_replies()[1]);
    let service = messages::json(&messages::cuhk_replies()[3]);
    for right in [enrolled, service] {
        assert_eq!(code::<cuhk::Reply>(&right), None, "{right:.80}");
        for length in [1, 3] {
            let mut value: Value = serde_json::from_str(&right).unwrap();
            let chain = value["chain"].as_array_mut().unwrap();
            let first = chain[0].clone();
            chain.resize(length, first);
            let [field, reason, _] = why::<cuhk::Reply>(&value.to_string());
            assert_eq!(field, "chain");
            assert_eq!(reason, "expected 2 certificates: leaf and issuing CA");
        }
    }
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
    let is_verify = |request: &cuhk::Request| matches!(request, cuhk::Request::Verify { .. });
    let mut requests = messages::cuhk_requests().into_iter();
    let verify = messages::json(&requests.find(is_verify).unwrap());
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

//! The page of a run shows what travelled, and no secret of it.

use bytes::Bytes;
use data_encoding::BASE64URL_NOPAD;
use scb_explain::Language;
use scb_protocol::{Code, Refusal, from_seconds};
use serde_json::{Value, json};

use super::*;

const CODE: &str = "7K3QX-M9D2V-HT4PB-6WZ8C-1NRGA";

fn frame(message: &Value) -> Frame {
    Frame::Message(Bytes::from(message.to_string()))
}

fn jwt(typ: &str, claims: &Value) -> String {
    let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let header = json!({ "alg": "ES256", "typ": typ });
    format!("{}.{}.c2lnbmF0dXJlLWJ5dGVz", part(&header), part(claims))
}

fn page_of(frames: &[(Direction, Frame)]) -> String {
    let recorder = Recorder::new();
    for (direction, frame) in frames {
        recorder.frame(Lane::Blackboard, Step::Three, *direction, frame);
    }
    recorder.page(Language::English, from_seconds(1_788_000_000))
}

fn sent(message: &Value) -> String {
    page_of(&[(Direction::Sent, frame(message))])
}

/// What is left of a message on the page without tags and previews.
fn shown(page: &str) -> Value {
    let start = page.find("<div class=\"json\">").unwrap();
    let end = start + page[start..].find("</div>").unwrap();
    let mut text = String::new();
    let mut rest = &page[start..end];
    while let Some(tag) = rest.find('<') {
        text.push_str(&rest[..tag]);
        rest = &rest[tag..];
        let until = match rest.starts_with("<summary") {
            true => rest.find("</summary>").unwrap() + "</summary>".len(),
            false => rest.find('>').unwrap() + 1,
        };
        rest = &rest[until..];
    }
    let text = (text + rest)
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&amp;", "&");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn a_message_is_shown_as_it_was_sent() {
    let message = json!({
        "type": "confirm", "mac": "0a".repeat(48), "n": [1, -2, 0.5, null, true], "o": {}, "l": [],
    });
    let page = sent(&message);
    assert_eq!(shown(&page), message);
    assert!(page.contains("data-message=\"confirm\""));
    assert!(page.contains("96 characters"), "long text is folded");
}

#[test]
fn an_enrolment_code_is_not_kept() {
    let page =
        sent(&json!({ "type": "enrol", "sid": "1155000001", "code": CODE, "request": "AA==" }));
    assert!(!page.contains(&CODE[..5]), "{page}");
    assert!(page.contains("an enrolment code; never shown"));
    let refusal = json!({ "type": "refusal", "code": "code_used", "step": 2 });
    let page = page_of(&[(Direction::Received, frame(&refusal))]);
    assert_eq!(
        shown(&page)["code"],
        "code_used",
        "a stable code is no secret"
    );
}

#[test]
fn tokens_are_taken_apart_and_cannot_be_put_together() {
    let token = jwt(
        "scb-identity+jwt",
        &json!({ "sub": "spiffe://x/student/A", "exp": 9 }),
    );
    let page = sent(&json!({ "type": "present", "members": [{ "token": token }] }));
    assert!(!page.contains("c2lnbmF0dXJl"), "{page}");
    let shown = shown(&page);
    let token = &shown["members"][0]["token"];
    assert_eq!(token["claims"]["sub"], "spiffe://x/student/A");
    assert_eq!(token["header"]["alg"], "ES256");
}

#[test]
fn what_blackboard_asked_is_told_by_the_answer() {
    let thumbprint = BASE64URL_NOPAD.encode(&[7; 32]);
    let claims = json!({ "nonce": "aa", "members": [
        { "sub": "spiffe://x/student/A", "active": true, "x5t#S256": thumbprint },
    ]});
    let verification = jwt("scb-verification+jwt", &claims);
    let shares = json!({ "type": "shares", "verification": verification, "shares": [] });
    let page = page_of(&[(Direction::Received, frame(&shares))]);
    let rows: Vec<_> = page.split("data-message=\"").skip(1).collect();
    let names: Vec<_> = rows
        .iter()
        .map(|row| &row[..row.find('"').unwrap()])
        .collect();
    assert_eq!(names, ["verify", "verification", "shares"]);
    let question = shown(rows[0]);
    assert_eq!(question["members"][0]["sid"], "A");
    assert_eq!(question["members"][0]["cert_sha256"], "07".repeat(32));
    assert_eq!(question["nonce"], "aa");
    let none = json!({ "type": "shares", "verification": null, "shares": [] });
    let page = page_of(&[(Direction::Received, frame(&none))]);
    assert!(
        !page.contains("data-message=\"verify\""),
        "nothing is made up"
    );
}

#[test]
fn a_hostile_name_stays_text() {
    let name = "<script>alert(1)<b onclick='x' \"y\">&amp;\u{202e}";
    let statement = json!({ "files": [{ "name": name }] }).to_string();
    let page = sent(&json!({ "type": "submit", "statement": statement, name: name }));
    assert_eq!(page.matches("<script>").count(), 1, "only the page's own");
    assert!(!page.contains("<b onclick") && !page.contains('\u{202e}'));
    let hostile = json!({ "type": name });
    assert_eq!(sent(&hostile).matches("<script>").count(), 1);
    let refusal = Refusal::new(Code::StatementInvalid, Step::Six).with("name", name);
    let recorder = Recorder::new();
    recorder.event(&StepEvent::refused(&refusal));
    let page = recorder.page(Language::Chinese, from_seconds(0));
    assert_eq!(page.matches("<script>").count(), 1);
    assert!(page.contains("statement_invalid") && page.contains("已拒絕"));
}

#[test]
fn the_page_needs_nothing_from_elsewhere_and_allows_nothing_else() {
    for language in [Language::English, Language::Chinese] {
        let page = Recorder::new().page(language, from_seconds(0));
        for outside in [
            "src=", "href=", "url(", "@import", "http:", "https:", "style=", "onclick",
        ] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(page.contains("default-src 'none'"));
        let policy = |of: &str| {
            let start = page.find(&format!("<{of}>")).unwrap() + of.len() + 2;
            let end = page.find(&format!("</{of}>")).unwrap();
            let hash = ring::digest::digest(&ring::digest::SHA256, &page.as_bytes()[start..end]);
            format!("sha256-{}", data_encoding::BASE64.encode(hash.as_ref()))
        };
        assert!(page.contains(&policy("style")) && page.contains(&policy("script")));
        assert!(page.contains(&format!("<html lang=\"{}\">", language.tag())));
    }
}

#[test]
fn chunks_one_after_another_are_one_row() {
    let chunk = |size| Frame::Chunk(Bytes::from(vec![0; size]));
    let page = page_of(&[
        (Direction::Sent, chunk(1000)),
        (Direction::Sent, chunk(234)),
        (Direction::Received, chunk(5)),
    ]);
    assert_eq!(page.matches("data-message=\"chunks\"").count(), 2);
    assert!(page.contains("2 frames · 1,234 bytes"), "{page}");
}

#[test]
fn what_is_no_json_is_not_shown() {
    let page = page_of(&[(Direction::Received, Frame::Message("<oops".into()))]);
    assert!(page.contains("(not JSON)") && !page.contains("oops"));
}

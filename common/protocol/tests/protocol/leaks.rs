//! Canary secrets: none of them shows in any state, message, event or refusal.

use std::cell::RefCell;
use std::fmt::Debug;

use bytes::BytesMut;
use data_encoding::{BASE64, HEXLOWER};
use scb_certs::SigningKey;
use scb_protocol::message::cuhk::{Reply, Request};
use scb_protocol::message::{blackboard, decode, encode};
use scb_protocol::session::SessionSecret;
use scb_protocol::values::Der;
use scb_protocol::{
    EnrolmentCode, Frame, Refusal, Step, StepEvent, TokenRequest, UnverifiedToken, issue_token,
};
use scb_testkit::TestCampus;

use crate::support::{Group, Hand, THREE, name};

const CODE: &str = "4TRWQ-8ZC6H-FGHJK-MNPQR-STVWX";

/// Texts that must appear nowhere.
struct Canaries(Vec<String>);

impl Canaries {
    fn of_group(group: &Group<'_>) -> Self {
        let mut canaries = Vec::new();
        for member in &group.members {
            canaries.push(member.token.clone());
            canaries.push(member.token.rsplit('.').next().unwrap().to_owned());
            canaries.extend(spellings(&private_scalar(&member.key)));
        }
        Self(canaries)
    }

    fn of_code() -> Self {
        Self(vec![
            CODE.to_owned(),
            CODE.replace('-', ""),
            CODE[..11].to_owned(),
        ])
    }

    #[track_caller]
    fn absent_from(&self, text: &str) {
        for canary in &self.0 {
            assert!(!text.contains(canary), "{canary:.20}… in {text:.300}");
            let lower = canary.to_lowercase();
            assert!(!text.contains(&lower), "{lower:.20}… in {text:.300}");
        }
    }

    #[track_caller]
    fn absent_from_refusal(&self, refusal: &Refusal) {
        self.absent_from(&refusal.to_string());
        self.absent_from(&format!("{refusal:?}"));
        self.absent_from(&serde_json::to_string(refusal).unwrap());
        let event = StepEvent::refused(refusal);
        self.absent_from(&format!("{event} {event:?}"));
    }
}

/// How bytes would look in a log.
fn spellings(bytes: &[u8]) -> [String; 3] {
    let list = format!("{bytes:?}");
    let inner = list.trim_matches(['[', ']']).to_owned();
    [HEXLOWER.encode(bytes), BASE64.encode(bytes), inner]
}

/// The 32 secret bytes of a P-256 key: what follows `04 20` in PKCS#8 (RFC 5915).
fn private_scalar(key: &SigningKey) -> Vec<u8> {
    let der = key.to_pkcs8_der();
    let der = der.secret_der();
    let start = der.windows(2).position(|window| window == [0x04, 0x20]);
    der[start.unwrap() + 2..][..32].to_vec()
}

#[test]
fn no_state_and_no_message_of_a_whole_session_shows_a_secret() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let canaries = Canaries::of_group(&group);
    let seen = RefCell::new(Vec::new());
    let run = group.run().watch(|state| {
        seen.borrow_mut().push(format!("{state:?} {state:#?}"));
    });
    run.go().unwrap();
    let seen = seen.into_inner();
    assert!(seen.len() > 20, "only {} states and messages", seen.len());
    for text in &seen {
        canaries.absent_from(text);
    }
    // The canaries are alive: what the states hold does contain them.
    let shown = serde_json::to_string(&Hand::of(&group).shown()).unwrap();
    assert!(shown.contains(&group.members[0].token));
}

#[test]
fn members_tokens_and_session_secrets_do_not_print() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..1]);
    let canaries = Canaries::of_group(&group);
    let member = &group.members[0];
    let token = member.token.clone();
    let chain = member.chain.clone();
    let request = TokenRequest {
        issuer: &name("service/cuhk"),
        audience: &name("service/blackboard"),
        subject: &name("student/1155000001"),
        certificate: chain.leaf(),
        now: campus.now(),
    };
    issue_token(&request, &group.cuhk.key, &group.cuhk.chain).unwrap();
    let shown: [&dyn Debug; 6] = [
        member,
        &UnverifiedToken(&token),
        &request,
        &Reply::Token {
            token: token.clone(),
        },
        &Reply::Enrolled {
            chain: chain.clone(),
            token: token.clone(),
        },
        &Hand::of(&group).shown(),
    ];
    for shown in shown {
        canaries.absent_from(&format!("{shown:?} {shown:#?}"));
    }
    let text = format!("{:?}", Reply::Token { token });
    assert_eq!(text, "token { token: .. }");

    let secret = SessionSecret::generate().unwrap();
    let text = format!("{secret:?}");
    assert_eq!(text, format!("SessionSecret({}..)", secret.public_key()));
    let (server, key) = Hand::of(&group).open();
    assert_eq!(format!("{key:?}"), "SessionKey(..)");
    let macs = [
        key.client_confirmation(),
        key.server_confirmation(),
        key.statement_mac(b"{}"),
    ];
    let text = format!("{server:?}");
    for mac in macs {
        assert!(!text.contains(&mac.to_string()), "{text}");
    }
}

#[test]
fn frames_show_kind_and_size_only() {
    let canaries = Canaries::of_code();
    let frame = encode(&enrol(), Step::One).unwrap();
    let mut buffer = BytesMut::new();
    frame.encode(&mut buffer, Step::One).unwrap();
    assert!(String::from_utf8_lossy(&buffer).contains(CODE));
    let decoded = Frame::decode(&mut buffer, Step::One).unwrap();
    for shown in [format!("{frame:?}"), format!("{decoded:?}")] {
        canaries.absent_from(&shown);
        assert!(shown.contains("Message("), "{shown}");
    }
    let chunk = Frame::Chunk(bytes::Bytes::from_static(b"report"));
    assert_eq!(format!("{chunk:?}"), "Chunk(6 bytes)");
}

fn enrol() -> Request {
    Request::Enrol {
        sid: THREE[0].parse().unwrap(),
        code: CODE.parse().unwrap(),
        request: Der::new(vec![1, 2, 3]),
    }
}

#[test]
fn an_enrolment_code_shows_nowhere_but_on_the_wire() {
    let canaries = Canaries::of_code();
    let code: EnrolmentCode = CODE.parse().unwrap();
    let request = enrol();
    canaries.absent_from(&format!("{code:?} {request:?} {request:#?}"));
    let digest = code.digest(THREE[0]);
    canaries.absent_from(&HEXLOWER.encode(&digest));
    assert!(serde_json::to_string(&request).unwrap().contains(CODE));
    assert_eq!(code.reveal().as_str(), CODE);
    // Refused for one letter too many; the error does not repeat the rest.
    let error = format!("{CODE}Z").parse::<EnrolmentCode>().unwrap_err();
    canaries.absent_from(&format!("{error} {error:?}"));
}

#[test]
fn refusals_of_malformed_enrolments_do_not_repeat_the_code() {
    let canaries = Canaries::of_code();
    let right = serde_json::to_string(&enrol()).unwrap();
    let long = format!("{CODE}-{CODE}");
    let mut malformed = vec![
        right.replace(CODE, &long),
        right.replace(CODE, &format!("{CODE}Z")),
        right.replace(CODE, &format!("{CODE}\\u0000")),
        right.replace(CODE, &format!("{CODE}\\ud800")),
        right.replace(&format!("\"{CODE}\""), &format!("[\"{CODE}\"]")),
        right.replace(&format!("\"{CODE}\""), &format!("{{\"{CODE}\":1}}")),
        right.replace("\"code\"", &format!("\"{CODE}\"")),
        right.replace("\"code\"", "\"Code\""),
        right.replace(THREE[0], CODE),
        right.replace(THREE[0], &format!("{CODE}/")),
        right.replace("AQID", CODE),
        right.replace("}", &format!(",\"code\":\"{CODE}\"}}")),
        right.replace("}", &format!(",\"{CODE}\":\"{CODE}\"}}")),
        right.replace("\"enrol\"", "\"refresh_token\""),
        right.replace("\"enrol\"", "\"enrol_service\""),
        right.replace("\"enrol\"", &format!("\"enrol\",\"type\":\"{CODE}\"")),
        right.replace("\"enrol\"", &format!("[\"{CODE}\"]")),
        format!("[{right}]"),
        format!("{right}{right}"),
        format!("\"{CODE}\""),
    ];
    // A student ID may look like a code; that alone is no fault of the message.
    malformed.retain(|message| decode::<Request>(message.as_bytes(), Step::One).is_err());
    malformed.extend((1..right.len()).map(|cut| right[..cut].to_owned()));
    assert!(malformed.len() > 100);
    for message in &malformed {
        let refusal = decode::<Request>(message.as_bytes(), Step::One).unwrap_err();
        canaries.absent_from_refusal(&refusal);
        let refusal = decode::<blackboard::Request>(message.as_bytes(), Step::One).unwrap_err();
        canaries.absent_from_refusal(&refusal);
    }
}

#[test]
fn refusals_of_tokens_and_proofs_do_not_repeat_them() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let canaries = Canaries::of_group(&group);
    let first = &group.members[0].token;
    let cases: [(&str, &dyn Fn(&mut blackboard::Presented)); 4] = [
        ("token and more", &|shown| shown.token.push('x')),
        ("token as proof", &|shown| shown.proof.clone_from(first)),
        ("token twice", &|shown| {
            shown.token = format!("{first}{first}")
        }),
        ("another's token", &|shown| {
            shown.token.clone_from(&group.members[2].token)
        }),
    ];
    for (what, alter) in cases {
        let run = group.run().requests(|request| {
            if let blackboard::Request::Present { members } = request {
                alter(&mut members[1]);
            }
        });
        canaries.absent_from_refusal(&run.refused(what).refusal);
    }
}

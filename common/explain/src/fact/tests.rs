//! Every fact is told in both languages, with its values in it.

use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, Serial, StudentId};
use scb_protocol::message::cuhk::MemberQuestion;
use scb_protocol::message::proposal::ProposalState;
use scb_protocol::statement::{FileEntry, Files, SubmissionId, SubmissionNumber};
use scb_protocol::values::{Challenge, Mac, Nonce, SessionPublicKey};
use scb_protocol::{
    CertificateRequest, CertificateSummary, Channel, Code, Fact, InactiveReason, MemberAnswer,
    PresentedMember, Proved, Refusal, SignedStatement, Step, StepEvent, Transcript1, Transcript2,
    from_seconds,
};

use super::*;
use crate::lines;

const NOW: u64 = 1_788_000_000;
const LATER: u64 = 1_790_000_000;

fn sid() -> StudentId {
    "1155000001".parse().unwrap()
}

fn hash(of: &str) -> Fingerprint {
    Fingerprint::of(of.as_bytes())
}

fn time(seconds: u64) -> UnixTime {
    from_seconds(seconds)
}

fn serial() -> Serial {
    Serial::from_bytes(&[0x5a; 16]).unwrap()
}

fn submission() -> SubmissionId {
    serde_json::from_str(&format!("\"{}\"", "c1".repeat(16))).unwrap()
}

fn t1() -> Transcript1 {
    let channel = Channel {
        exporter: [1; 32],
        service: "spiffe://example.edu/service/blackboard".parse().unwrap(),
        client_certificate: hash("certificate"),
    };
    Transcript1::new(&channel, &Challenge::from_bytes([2; 32]), &[])
}

fn t2() -> Transcript2 {
    Transcript2::new(&t1(), [], [], None)
}

fn nonce() -> Nonce {
    Nonce::from_bytes([3; 16])
}

fn member() -> MemberQuestion {
    MemberQuestion {
        sid: sid(),
        cert_sha256: hash("certificate"),
    }
}

fn certificate() -> CertificateSummary {
    CertificateSummary {
        serial: serial(),
        sha256: hash("certificate"),
        not_after: time(LATER),
    }
}

fn statement() -> SignedStatement {
    SignedStatement {
        submission: submission(),
        course: "CSCI3150".parse().unwrap(),
        assignment: "lab-1".parse().unwrap(),
        files: files(),
        signatures: 3,
        mac: Mac::from_bytes([4; 32]),
    }
}

fn files() -> Files {
    let file = FileEntry {
        name: "report.pdf".parse().unwrap(),
        size: 1050,
        sha256: hash("content"),
    };
    file.into()
}

fn number() -> SubmissionNumber {
    SubmissionNumber::new(7).unwrap()
}

/// One of every variant: a new one does not compile until it stands in `explain`, and
/// [`every_variant_is_here`] fails until it stands here.
fn all() -> Vec<Fact> {
    let blackboard: scb_certs::ServiceName = "blackboard".parse().unwrap();
    let (t1, t2, nonce) = (t1(), t2(), nonce());
    vec![
        Fact::Listening {
            address: "127.0.0.1:8011".parse().unwrap(),
            root: hash("root"),
        },
        Fact::AlreadyCertified { certificates: 3 },
        Fact::NotRenewedYet { until: time(LATER) },
        Fact::RequestsSent {
            to: "spiffe://example.edu/service/cuhk".parse().unwrap(),
            root: hash("root"),
            fresh: 1,
            requests: vec![CertificateRequest {
                sid: sid(),
                key: hash("key"),
                size: 271,
            }],
        },
        Fact::RequestVerified { key: hash("key") },
        Fact::StudentCertified {
            certificate: certificate(),
            token_expires: time(NOW),
            before: false,
        },
        Fact::StudentCertified {
            certificate: certificate(),
            token_expires: time(NOW),
            before: true,
        },
        Fact::ServiceCertified {
            name: blackboard.clone(),
            certificate: certificate(),
            before: false,
        },
        Fact::ServiceCertified {
            name: blackboard.clone(),
            certificate: certificate(),
            before: true,
        },
        Fact::ServiceRenewed {
            name: blackboard.clone(),
            certificate: certificate(),
        },
        Fact::TokenIssued {
            certificate: hash("certificate"),
            expires: time(NOW),
        },
        Fact::StudentRenewed {
            certificate: certificate(),
            token_expires: time(LATER),
            before: false,
        },
        Fact::StudentRenewed {
            certificate: certificate(),
            token_expires: time(LATER),
            before: true,
        },
        Fact::CertificateRenewed {
            certificate: certificate(),
            token_expires: time(LATER),
        },
        Fact::CertificateKept {
            certificate: certificate(),
            token_expires: time(NOW),
        },
        Fact::TokenRefreshed {
            certificate: hash("certificate"),
            expires: time(NOW),
        },
        Fact::Presented {
            challenge: Challenge::from_bytes([2; 32]),
            t1,
            members: vec![PresentedMember {
                sid: sid(),
                certificate: hash("certificate"),
                session_key: SessionPublicKey::from_bytes([5; 32]),
            }],
        },
        Fact::GroupVerified {
            t1,
            nonce,
            members: vec![member()],
        },
        Fact::TokenIntrospected {
            asker: blackboard.clone(),
            inactive: None,
        },
        Fact::TokenIntrospected {
            asker: blackboard.clone(),
            inactive: Some(Code::TokenAudience),
        },
        Fact::MembersAnswered {
            asker: blackboard,
            nonce,
            answers: vec![MemberAnswer {
                sid: sid(),
                cert_sha256: hash("certificate"),
                inactive: Some(InactiveReason::Revoked),
                checked_at: time(NOW),
            }],
        },
        Fact::AnswerVerified {
            nonce,
            issued_at: time(NOW),
            members: vec![member()],
        },
        Fact::TokensCount {
            members: 3,
            until: time(NOW),
        },
        Fact::SharesSealed { shares: 3, t2 },
        Fact::SharesOpened { shares: 3, t2 },
        Fact::KeyConfirmed {
            client: Mac::from_bytes([6; 32]),
            server: Mac::from_bytes([7; 32]),
        },
        Fact::AssignmentsTold { assignments: 2 },
        Fact::GradesTold { grades: 2 },
        Fact::AssignmentChosen {
            course: "CSCI3150".parse().unwrap(),
            assignment: "lab-1".parse().unwrap(),
            due: Some(time(LATER)),
            left: Some(60),
        },
        Fact::ProposalsTold { proposals: 2 },
        Fact::ProposalRecorded {
            submission: submission(),
            state: ProposalState::Waiting,
            missing: 1,
        },
        Fact::ReceiptTold { number: number() },
        Fact::HistoryTold { versions: 2 },
        Fact::Downloaded {
            number: "S-000007".parse().unwrap(),
            bytes: 1050,
        },
        Fact::ProofTold {
            submission: statement().submission,
            proved: Proved::Yes,
        },
        Fact::RefusalProofTold {
            log: "cuhk.example/blackboard/CSCI3150/lab-1".parse().unwrap(),
            entry: 8,
            proved: Proved::NotYet,
        },
        Fact::StatementSent(statement()),
        Fact::StatementAccepted(statement()),
        Fact::Committed {
            submission: submission(),
            at: time(NOW),
            until: time(LATER),
            have: 271,
            size: 1050,
        },
        Fact::VerifiedAgain {
            nonce,
            files: files(),
        },
        Fact::Stored {
            number: number(),
            submission: submission(),
            size: 1050,
            receipt: hash("receipt"),
        },
        Fact::ReceiptKept {
            number: number(),
            files: files(),
            receipt: hash("receipt"),
            signatures: 3,
            before: true,
        },
        Fact::Refused(Refusal::new(Code::ContentShort, Step::Six).with("expected", 1050)),
    ]
}

/// The values of a fact as its `Debug` shows them: hashes, times, numbers and names.
fn values_in(fact: &Fact) -> Vec<String> {
    let debug = format!("{fact:?}");
    let mut found = Vec::new();
    for (debugged, shown) in [
        (format!("{:?}", hash("root")), hash("root").to_string()),
        (format!("{:?}", hash("key")), hash("key").to_string()),
        (
            format!("{:?}", hash("certificate")),
            hash("certificate").to_string(),
        ),
        (
            format!("{:?}", hash("content")),
            hash("content").to_string(),
        ),
        (
            format!("{:?}", hash("receipt")),
            hash("receipt").to_string(),
        ),
        (format!("{:?}", serial()), serial().to_string()),
        (format!("{:?}", submission()), submission().to_string()),
        (format!("{:?}", nonce()), nonce().to_string()),
        (format!("{:?}", t1()), t1().to_string()),
        (format!("{:?}", t2()), t2().to_string()),
        (format!("{:?}", time(NOW)), "2026-08-29T".to_owned()),
        (format!("{:?}", time(LATER)), "2026-09-21T".to_owned()),
        (format!("{:?}", number()), number().to_string()),
        (format!("{:?}", sid()), sid().to_string()),
        ("1050".to_owned(), "1,050".to_owned()),
        ("271".to_owned(), "271".to_owned()),
        ("report.pdf".to_owned(), "report.pdf".to_owned()),
        ("127.0.0.1:8011".to_owned(), "127.0.0.1:8011".to_owned()),
        ("Mac(0404".to_owned(), "04".repeat(32)),
        ("Mac(0606".to_owned(), "06".repeat(32)),
        ("Mac(0707".to_owned(), "07".repeat(32)),
        ("Challenge(".to_owned(), "02".repeat(32)),
        ("SessionPublicKey(".to_owned(), "05".repeat(32)),
        ("shares: 3".to_owned(), "3".to_owned()),
        ("certificates: 3".to_owned(), "3".to_owned()),
        ("signatures: 3".to_owned(), "3".to_owned()),
    ] {
        if debug.contains(&debugged) {
            found.push(shown);
        }
    }
    found
}

#[test]
fn every_fact_is_explained_in_both_languages_with_its_values() {
    for fact in all() {
        let event = StepEvent::new(Step::Three, fact.clone()).about(&sid());
        for language in [Language::English, Language::Chinese] {
            let explanation = explain(&event, language);
            let told = lines(&event, language).join("\n");
            assert!(explanation.text.chars().count() > 20, "{explanation:?}");
            for value in values_in(&fact) {
                let refused = matches!(fact, Fact::Refused(_)) && value == "1,050";
                assert!(
                    refused || told.contains(&value),
                    "{value} is not in\n{told}"
                );
            }
        }
    }
}

#[test]
fn the_languages_differ_and_the_values_do_not() {
    for fact in all() {
        let event = StepEvent::new(Step::Three, fact);
        let english = explain(&event, Language::English);
        let chinese = explain(&event, Language::Chinese);
        assert_ne!(english.text, chinese.text);
        assert!(english.text.is_ascii(), "{}", english.text);
        assert!(!chinese.text.is_ascii(), "{}", chinese.text);
        assert_eq!(english.values.len(), chinese.values.len());
    }
}

#[test]
fn every_variant_is_here() {
    let mut outcomes: Vec<String> = all()
        .iter()
        .map(|fact| {
            let debug = format!("{fact:?}");
            let end = debug.find([' ', '(']).unwrap();
            debug[..end].to_owned()
        })
        .collect();
    outcomes.sort();
    outcomes.dedup();
    let repeated = 4; // what was certified before
    assert_eq!(outcomes.len() + repeated, all().len());
    let source = include_str!("english.rs");
    for word in source.split("Fact::").skip(1) {
        let variant: String = word
            .chars()
            .take_while(char::is_ascii_alphanumeric)
            .collect();
        assert!(outcomes.contains(&variant), "{variant} is not tried");
    }
}

#[test]
fn a_refusal_keeps_its_stable_code_and_its_details() {
    let refusal = Refusal::new(Code::ContentShort, Step::Six)
        .with("expected", 1050)
        .with("name", "a\nb");
    let event = StepEvent::refused(&refusal);
    let chinese = lines(&event, Language::Chinese);
    assert!(chinese[0].starts_with("已拒絕：收到的位元組比聲明所載的少。"));
    let told = chinese.join("\n");
    assert!(
        told.contains("content_short") && told.contains("1050"),
        "{told}"
    );
    assert!(
        told.contains("a\\u{a}b"),
        "a value stays on its line: {told}"
    );
}

//! One of every message, with values that never change.

use scb_certs::{Chain, Fingerprint};
use scb_protocol::message::blackboard::{
    self, ListedAssignment, ListedDetached, ListedFile, ListedUnfinished, ListedVersion,
    OwnStanding, Presented, SealedShare,
};
use scb_protocol::message::cuhk::{self, MemberQuestion};
use scb_protocol::message::proposal::{ListedProposal, ProposalStanding, ProposalState};
use scb_protocol::message::{Message, Reply as _};
use scb_protocol::receipt::{SignedEntry, SignedLeaf};
use scb_protocol::rules::{Change, Counts, Extension, Groups, Terms};
use scb_protocol::statement::SubmissionId;
use scb_protocol::values::{
    Challenge, Ciphertext, Der, Encapsulation, Mac, Nonce, Salt, SessionPublicKey,
};
use scb_protocol::{Code, Frame, InactiveReason, Mode, Refusal, Step, encode, from_seconds};

use super::standings::{refused, standing};
use super::witnessing::carried;
use super::{THREE, name};

/// A certificate that never changes; nobody verifies it here.
const CERTIFICATE: &str = include_str!("wire_certificate.pem");

/// Of the form only: nobody verifies it here.
pub(crate) fn signed_entry() -> SignedEntry {
    let leaf = b"{\"type\":\"scb-entry\"}".to_vec();
    let signature = vec![0x30, 0x00];
    SignedEntry::try_from(SignedLeaf { leaf, signature }).unwrap()
}

/// As long as a chain in a message is.
fn chain() -> Chain {
    Chain::from_pem(&CERTIFICATE.repeat(2)).unwrap()
}

fn hash(byte: u8) -> Fingerprint {
    Fingerprint::from_bytes([byte; 32])
}

pub(crate) fn refusal() -> Refusal {
    Refusal::new(Code::StudentInactive, Step::Three)
        .about(&THREE[1].parse().unwrap())
        .with("reason", "revoked")
        .retry_after(30)
}

/// With the log entry that says so.
fn signed_refusal() -> Refusal {
    let signed = r#"{"leaf":"{\"type\":\"scb-entry\"}","signature":"MAA="}"#;
    refusal().signed(serde_json::from_str(signed).unwrap())
}

pub(crate) fn cuhk_requests() -> Vec<cuhk::Request> {
    use cuhk::Request::*;
    let code = || "01234-56789-ABCDE-FGHJK-MNPQR".parse().unwrap();
    let request = || Der::new(vec![0x30, 0x03, 1, 2, 3]);
    vec![
        Enrol {
            sid: THREE[0].parse().unwrap(),
            code: code(),
            request: request(),
        },
        RefreshToken {},
        Renew { request: request() },
        RenewExpired {
            sid: THREE[0].parse().unwrap(),
            request: request(),
            proof: "header.claims.signature".to_owned(),
        },
        EnrolService {
            name: "blackboard".parse().unwrap(),
            code: code(),
            request: request(),
        },
        RenewService { request: request() },
        Verify {
            nonce: Nonce::from_bytes([1; 16]),
            members: vec![MemberQuestion {
                sid: THREE[0].parse().unwrap(),
                cert_sha256: hash(2),
            }],
            statement_sha256: Some(hash(3)),
        },
        Status {},
        Crls {},
        Checkpoint { old: 5 },
        Audit { size: 7, from: 1 },
        Cosign {
            verifier_key: "blackboard.example/witness+00000000+BA==".to_owned(),
            checkpoint: "cuhk.example/issuance\n5\n".to_owned(),
        },
        TrustBundle { sequence: 2 },
        Endorse {
            log: "cuhk.example/blackboard/c/a+00000000+AQ==".to_owned(),
        },
        Witness {
            checkpoint: "cuhk.example/blackboard/c/a\n6\n".to_owned(),
            old: 5,
            growth: vec!["AAAA".to_owned()],
            entries: vec![hash(6)],
        },
        Witnessed {
            log: "cuhk.example/blackboard/c/a".to_owned(),
        },
        WitnessedEntries {
            log: "cuhk.example/blackboard/c/a".to_owned(),
            from: 4,
            end: 6,
        },
        WitnessedLogs {
            after: "cuhk.example/blackboard/c/a".to_owned(),
        },
    ]
}

pub(crate) fn cuhk_replies() -> Vec<cuhk::Reply> {
    use cuhk::Reply::*;
    let token = || "header.claims.signature".to_owned();
    vec![
        Greeting {
            v: 1,
            service: name("service/cuhk"),
            time: 1_772_424_000,
        },
        Enrolled {
            chain: chain(),
            token: token(),
        },
        Token { token: token() },
        ServiceEnrolled { chain: chain() },
        Verification {
            verification: token(),
        },
        Status { epoch: 7 },
        Crls {
            epoch: 7,
            sizes: vec![300, 301, 302],
        },
        Checkpoint {
            verifier_key: "cuhk.example/issuance+00000000+AQ==".to_owned(),
            checkpoint: "cuhk.example/issuance\n7\n".to_owned(),
            growth: vec!["AAAA".to_owned()],
            witnessed: vec![cuhk::Witnessed {
                service: "blackboard".parse().unwrap(),
                verifier_key: "blackboard.example/witness+00000000+BA==".to_owned(),
                checkpoint: "cuhk.example/issuance\n5\n".to_owned(),
                growth: Vec::new(),
            }],
        },
        Audit {
            count: 1,
            removed_before: Some(1_760_000_000),
            entries: vec![cuhk::AuditedEntry {
                index: 6,
                salt: Salt::from_bytes([6; 32]),
                content: "{\"type\":\"certificate\"}".to_owned(),
                path: vec!["AAAA".to_owned()],
                inactive: Some(InactiveReason::Revoked),
            }],
        },
        Cosigned {},
        TrustBundle {
            bundle: "{\"type\":\"scb-trust-bundle\"}".to_owned(),
            signatures: vec![Der::new(vec![48, 0])],
        },
        Endorsed {
            keys: "{\"type\":\"scb-log-keys\"}".to_owned(),
            signature: Der::new(vec![48, 0]),
        },
        Cosignature {
            cosignature: "— cuhk.example/witness/cuhk AAAA".to_owned(),
        },
        Witnessed {
            size: 5,
            root: "AAAA".to_owned(),
            signed: Some("cuhk.example/blackboard/c/a\n5\n".to_owned()),
        },
        WitnessedEntries {
            entries: vec![hash(4), hash(5)],
        },
        WitnessedLogs {
            logs: vec!["cuhk.example/blackboard/c/b".to_owned()],
        },
        cuhk::Reply::refusal(refusal()),
    ]
}

pub(crate) fn blackboard_requests() -> Vec<blackboard::Request> {
    use blackboard::Request::*;
    vec![
        Present {
            members: vec![Presented {
                sid: THREE[0].parse().unwrap(),
                chain: chain(),
                token: "header.claims.signature".to_owned(),
                session_key: SessionPublicKey::from_bytes([3; 32]),
                proof: "header.claims.signature".to_owned(),
            }],
        },
        Confirm {
            mac: Mac::from_bytes([4; 32]),
        },
        Assignments {
            course: Some("CSCI3150".parse().unwrap()),
            from: 16,
        },
        Grades {
            course: None,
            from: 0,
        },
        Proof {
            submission: "0b".repeat(16).parse().unwrap(),
        },
        RefusalProof {
            log: "cuhk.example/blackboard/CSCI3150/lab-1".parse().unwrap(),
            entry: 8,
        },
        Proposals { from: 3 },
        Fetch {
            submission: "0b".repeat(16).parse().unwrap(),
        },
        Propose {
            statement: "{\"type\":\"scb-statement\"}".to_owned(),
            mac: Mac::from_bytes([5; 32]),
            signatures: Der::new(vec![0x30, 0x00]),
        },
        Sign {
            statement: "{\"type\":\"scb-statement\"}".to_owned(),
            mac: Mac::from_bytes([5; 32]),
            signatures: Der::new(vec![0x30, 0x00]),
        },
        EndProposal {
            submission: "0b".repeat(16).parse().unwrap(),
            reason: Some("page 3 is not mine".parse().unwrap()),
        },
        Submit {
            statement: "{\"type\":\"scb-statement\"}".to_owned(),
            mac: Mac::from_bytes([5; 32]),
            signatures: Der::new(vec![0x30, 0x00]),
        },
        Upload {
            from: vec![65_536, 0],
        },
        End {},
        History {
            course: Some("CSCI3150".parse().unwrap()),
            assignment: None,
            after: Some("S-000016".parse().unwrap()),
        },
        Download {
            number: "S-000001".parse().unwrap(),
            file: Some(2),
            from: 65_536,
        },
    ]
}

/// An assignment, as members are told of it.
pub(crate) fn listed() -> ListedAssignment {
    let terms = Terms {
        title: "Lab 1 實驗".parse().unwrap(),
        opens: Some(from_seconds(1_772_000_000)),
        due: Some(from_seconds(1_772_600_000)),
        grace: 600,
        cutoff: Some(from_seconds(1_773_000_000)),
        late: "10%/day to 50%".parse().unwrap(),
        counts: Counts::Latest,
        group: "1..3".parse().unwrap(),
        max_bytes: 1 << 29,
        groups: Groups::Kept,
        accept: vec!["pdf".parse().unwrap(), "zip".parse().unwrap()],
    };
    ListedAssignment {
        course: "CSCI3150".parse().unwrap(),
        course_title: "Operating Systems".parse().unwrap(),
        assignment: "lab-1".parse().unwrap(),
        rules: terms.check().unwrap(),
        entry: signed_entry(),
        extensions: vec![Extension {
            sid: THREE[0].parse().unwrap(),
            due: from_seconds(1_772_700_000),
            cutoff: None,
        }],
        extended: vec![signed_entry()],
        changes: vec![Change {
            at: 1_772_100_000,
            field: "due".to_owned(),
            was: "2026-03-03T04:53:20Z".to_owned(),
            is: "2026-03-04T04:53:20Z".to_owned(),
            entry: Some(7),
        }],
        extension_changes: Vec::new(),
    }
}

/// A version, as its members are told of it.
fn unfinished() -> ListedUnfinished {
    let version = version();
    ListedUnfinished {
        submission: SubmissionId::from_bytes([7; 16]),
        course: version.course,
        assignment: version.assignment,
        committed_at: 1_772_424_000,
        until: 1_772_510_400,
        damaged: false,
        members: version.members,
        file_count: version.file_count,
        size: version.size,
        files: version.files,
    }
}

pub(crate) fn version() -> ListedVersion {
    ListedVersion {
        number: "S-000001".parse().unwrap(),
        course: "CSCI3150".parse().unwrap(),
        assignment: "lab-1".parse().unwrap(),
        committed_at: 1_772_424_001,
        accepted_at: 1_772_424_011,
        members: THREE.map(|sid| sid.parse().unwrap()).into(),
        file_count: 2,
        size: 1050,
        files: vec![ListedFile {
            name: "src/報告.pdf".parse().unwrap(),
            size: 1000,
        }],
        standings: vec![OwnStanding {
            closed_since: None,
            sid: THREE[0].parse().unwrap(),
            counts: true,
            late: 3600,
            costs: 10,
            within_grace: false,
        }],
        unjudged: false,
        detached: vec![ListedDetached {
            sid: THREE[1].parse().unwrap(),
            at: 1_772_430_000,
            reason: "named by mistake".parse().unwrap(),
        }],
        proved: true,
        signatures: standing().members.drain(..1).collect(),
    }
}

pub(crate) fn blackboard_replies() -> Vec<blackboard::Reply> {
    use blackboard::Reply::*;
    vec![
        Greeting {
            v: 1,
            service: name("service/blackboard"),
            time: 1_772_424_000,
            challenge: Challenge::from_bytes([6; 32]),
            max_members: 3,
            max_bytes: 536_870_912,
        },
        Shares {
            mode: Mode::Verified,
            verification: Some("header.claims.signature".to_owned()),
            shares: vec![SealedShare {
                encapsulation: Encapsulation::from_bytes([7; 32]),
                ciphertext: Ciphertext::from_bytes([8; 48]),
            }],
        },
        Confirmed {
            mac: Mac::from_bytes([9; 32]),
        },
        Assignments {
            time: 1_772_424_000,
            count: 17,
            assignments: vec![listed()],
            altered: vec![blackboard::AlteredAssignment {
                course: "CSCI3150".parse().unwrap(),
                assignment: "lab-2".parse().unwrap(),
            }],
        },
        Grades {
            count: 1,
            grades: vec![blackboard::CarriedGrade {
                grade: "{\"type\":\"scb-grade\"}".to_owned(),
                signature: Der::new(vec![0x30, 0x00]),
                leaf: "{\"type\":\"scb-entry\"}".to_owned(),
                proof: None,
                released: blackboard::CarriedRelease {
                    leaf: "{\"type\":\"scb-entry\"}".to_owned(),
                    signature: Der::new(vec![0x30, 0x00]),
                    proof: None,
                },
            }],
        },
        Committed {
            committed_at: 1_772_424_001,
            upload_until: 1_772_510_401,
            entry: signed_entry(),
            have: vec![blackboard::Received {
                received: 65_536,
                sha256: hash(11),
            }],
        },
        Proposals {
            time: 1_772_424_000,
            count: 1,
            proposals: vec![ListedProposal {
                statement: "{\"type\":\"scb-statement\"}".to_owned(),
                standing: refused(standing()),
                course_title: "Operating Systems".parse().unwrap(),
                rules: listed().rules,
                entry: Some(listed().entry),
                extensions: listed().extensions,
                extended: listed().extended,
                refused: Some(Box::new(
                    scb_protocol::Refusal::new(Code::GroupSize, Step::Six)
                        .with("expected", "1..2")
                        .with("got", 3),
                )),
                signatures: Some(Der::new(vec![0x30, 0])),
            }],
            left_out: Vec::new(),
            unjudged: Vec::new(),
        },
        Proposed {
            proposal: standing(),
            have: vec![blackboard::Received {
                received: 65_536,
                sha256: hash(11),
            }],
        },
        Signed {
            entry: signed_entry(),
        },
        Proposal {
            proposal: ProposalStanding {
                state: ProposalState::Accepted,
                number: Some("S-000001".parse().unwrap()),
                files_at: Some(from_seconds(1_772_424_000)),
                ..standing()
            },
        },
        Proof {
            proof: Some(carried()),
            lists: 1_234,
        },
        Receipt {
            number: "S-000001".parse().unwrap(),
            size: 12_345,
            sha256: hash(10),
        },
        History {
            time: 1_772_424_000,
            more: true,
            versions: vec![version()],
            unfinished: vec![unfinished()],
            more_unfinished: 3,
        },
        Download {
            size: 12_345,
            sha256: hash(12),
        },
        blackboard::Reply::refusal(signed_refusal()),
    ]
}

pub(crate) fn json(message: &impl Message) -> String {
    let Frame::Message(payload) = encode(message, Step::Three).unwrap() else {
        panic!("a message travels as a message");
    };
    String::from_utf8(payload.to_vec()).unwrap()
}

//! The values of facts, the same in every language but for a few words.

use rustls_pki_types::UnixTime;
use scb_protocol::message::cuhk::MemberQuestion;
use scb_protocol::statement::{FileEntry, Files};
use scb_protocol::{
    CertificateRequest, CertificateSummary, Fact, MemberAnswer, PresentedMember, Refusal,
    SignedStatement, counted, grouped, rfc3339,
};

use super::Label;
use crate::Language;

type Values = Vec<(Label, String)>;

/// How many files are shown one by one.
const LISTED: usize = 3;

/// Every value of the fact, in the order in which it is explained.
pub(super) fn values(fact: &Fact, language: Language) -> Values {
    match fact {
        Fact::Listening { address, root } => vec![
            (Label::Address, address.to_string()),
            (Label::Root, root.to_string()),
        ],
        Fact::AlreadyCertified { .. }
        | Fact::NotRenewedYet { .. }
        | Fact::AssignmentsTold { .. }
        | Fact::GradesTold { .. }
        | Fact::HistoryTold { .. }
        | Fact::RefusalProofTold { .. }
        | Fact::ProposalsTold { .. } => Vec::new(),
        Fact::ReceiptTold { number } => vec![(Label::Submission, number.to_string())],
        Fact::Downloaded { number, .. } => vec![(Label::Number, number.to_string())],
        Fact::ProofTold { submission, .. } | Fact::ProposalRecorded { submission, .. } => {
            vec![(Label::Submission, submission.to_string())]
        }
        Fact::RequestsSent {
            to, root, requests, ..
        } => {
            let mut values = vec![
                (Label::Server, to.to_string()),
                (Label::Root, root.to_string()),
            ];
            values.extend(requests.iter().map(|one| request(one, language)));
            values
        }
        Fact::RequestVerified { key } => vec![(Label::PublicKey, key.to_string())],
        Fact::StudentCertified {
            certificate,
            token_expires,
            ..
        }
        | Fact::StudentRenewed {
            certificate,
            token_expires,
            ..
        }
        | Fact::CertificateKept {
            certificate,
            token_expires,
        }
        | Fact::CertificateRenewed {
            certificate,
            token_expires,
        } => {
            let mut values = summary(certificate);
            values.push((Label::TokenUntil, rfc3339(*token_expires)));
            values
        }
        Fact::ServiceCertified { certificate, .. } | Fact::ServiceRenewed { certificate, .. } => {
            summary(certificate)
        }
        Fact::TokenIssued {
            certificate,
            expires,
        }
        | Fact::TokenRefreshed {
            certificate,
            expires,
        } => vec![
            (Label::Certificate, certificate.to_string()),
            (Label::TokenUntil, rfc3339(*expires)),
        ],
        Fact::Presented {
            challenge,
            t1,
            members,
        } => {
            let mut values = vec![
                (Label::Challenge, challenge.to_string()),
                (Label::T1, t1.to_string()),
            ];
            values.extend(members.iter().flat_map(|one| presented(one, language)));
            values
        }
        Fact::GroupVerified { t1, nonce, members } => {
            let mut values = vec![
                (Label::T1, t1.to_string()),
                (Label::Nonce, nonce.to_string()),
            ];
            values.extend(members.iter().map(|one| member(one, language)));
            values
        }
        Fact::MembersAnswered {
            asker,
            nonce,
            answers,
        } => {
            let mut values = vec![
                (Label::Asker, asker.to_string()),
                (Label::Nonce, nonce.to_string()),
            ];
            values.extend(answers.iter().flat_map(|one| answer(one, language)));
            values
        }
        Fact::TokenIntrospected { asker, inactive } => {
            let code = inactive.map(|code| (Label::Code, code.to_string()));
            let asker = (Label::Asker, asker.to_string());
            std::iter::once(asker).chain(code).collect()
        }
        Fact::AnswerVerified {
            nonce,
            issued_at,
            members,
        } => {
            let mut values = vec![
                (Label::Nonce, nonce.to_string()),
                (Label::SignedAt, rfc3339(*issued_at)),
            ];
            values.extend(members.iter().map(|one| member(one, language)));
            values
        }
        Fact::TokensCount { until, .. } => vec![(Label::TokenUntil, rfc3339(*until))],
        Fact::SharesSealed { t2, .. } | Fact::SharesOpened { t2, .. } => {
            vec![(Label::T2, t2.to_string())]
        }
        Fact::KeyConfirmed { client, server } => vec![
            (Label::ClientMac, client.to_string()),
            (Label::ServerMac, server.to_string()),
        ],
        Fact::AssignmentChosen {
            course,
            assignment,
            due,
            ..
        } => {
            let place = (Label::Assignment, format!("{course}/{assignment}"));
            let due = due.map(|due| (Label::Due, rfc3339(due)));
            std::iter::once(place).chain(due).collect()
        }
        Fact::StatementSent(statement) | Fact::StatementAccepted(statement) => {
            signed(statement, language)
        }
        Fact::Committed {
            submission,
            at,
            until,
            have,
            size,
        } => vec![
            (Label::Submission, submission.to_string()),
            (Label::CommittedAt, rfc3339(*at)),
            (Label::UploadUntil, rfc3339(*until)),
            (Label::Received, bytes(*have, language)),
            (Label::Size, bytes(*size, language)),
        ],
        Fact::VerifiedAgain { nonce, files } => {
            let nonce = (Label::Nonce, nonce.to_string());
            std::iter::once(nonce)
                .chain(contents(files, language))
                .collect()
        }
        Fact::Stored {
            number,
            submission,
            size,
            receipt,
        } => vec![
            (Label::Number, number.to_string()),
            (Label::Submission, submission.to_string()),
            (Label::Size, bytes(*size, language)),
            (Label::Receipt, receipt.to_string()),
        ],
        Fact::ReceiptKept {
            number,
            files,
            receipt,
            ..
        } => {
            let mut values = vec![(Label::Number, number.to_string())];
            values.extend(contents(files, language));
            values.push((Label::Receipt, receipt.to_string()));
            values
        }
        Fact::Refused(refusal) => refused(refusal),
    }
}

fn summary(certificate: &CertificateSummary) -> Values {
    vec![
        (Label::Serial, certificate.serial.to_string()),
        (Label::Certificate, certificate.sha256.to_string()),
        (Label::ValidUntil, rfc3339(certificate.not_after)),
    ]
}

fn request(request: &CertificateRequest, language: Language) -> (Label, String) {
    let size = bytes(request.size as u64, language);
    let value = match language {
        Language::English => format!("public key {}, request of {size}", request.key),
        Language::Chinese => format!("公鑰 {}，請求 {size}", request.key),
    };
    (Label::Member(request.sid.clone()), value)
}

fn member(member: &MemberQuestion, language: Language) -> (Label, String) {
    let value = match language {
        Language::English => format!("certificate {}", member.cert_sha256),
        Language::Chinese => format!("證書 {}", member.cert_sha256),
    };
    (Label::Member(member.sid.clone()), value)
}

fn presented(member: &PresentedMember, language: Language) -> Values {
    let (certificate, key) = match language {
        Language::English => ("certificate", "session public key"),
        Language::Chinese => ("證書", "會話公鑰"),
    };
    let label = || Label::Member(member.sid.clone());
    vec![
        (label(), format!("{certificate} {}", member.certificate)),
        (label(), format!("{key} {}", member.session_key)),
    ]
}

fn answer(answer: &MemberAnswer, language: Language) -> Values {
    let state = match (&answer.inactive, language) {
        (None, Language::English) => "active".to_owned(),
        (None, Language::Chinese) => "有效".to_owned(),
        (Some(reason), Language::English) => format!("not active: {reason}"),
        (Some(reason), Language::Chinese) => format!("並非有效（{reason}）"),
    };
    let at = at(answer.checked_at, language);
    let (label, certificate) = member(
        &MemberQuestion {
            sid: answer.sid.clone(),
            cert_sha256: answer.cert_sha256,
        },
        language,
    );
    vec![
        (label.clone(), certificate),
        (label, format!("{state}{at}")),
    ]
}

fn at(time: UnixTime, language: Language) -> String {
    let time = rfc3339(time);
    match language {
        Language::English => format!(", looked up at {time}"),
        Language::Chinese => format!("，查核時間 {time}"),
    }
}

fn signed(statement: &SignedStatement, language: Language) -> Values {
    let place = format!("{}/{}", statement.course, statement.assignment);
    let mut values = vec![
        (Label::Submission, statement.submission.to_string()),
        (Label::Assignment, place),
    ];
    values.extend(contents(&statement.files, language));
    values.push((Label::Mac, statement.mac.to_string()));
    values
}

/// The first few files, each with size and hash, and how many more there are.
fn contents(files: &Files, language: Language) -> Values {
    let one = |file: &FileEntry| {
        [
            (Label::FileName, file.name.to_string()),
            (Label::Size, bytes(file.size, language)),
            (Label::Content, file.sha256.to_string()),
        ]
    };
    let mut values: Values = files.iter().take(LISTED).flat_map(one).collect();
    let more = files.len().saturating_sub(LISTED);
    if more > 0 {
        values.push((Label::MoreFiles, more.to_string()));
    }
    values
}

fn refused(refusal: &Refusal) -> Values {
    let details = refusal.params.iter();
    std::iter::once((Label::Code, refusal.code.to_string()))
        .chain(details.map(|(name, value)| (Label::Detail(name.clone()), value.clone())))
        .collect()
}

/// `1,050 bytes`.
fn bytes(number: u64, language: Language) -> String {
    match language {
        Language::English => counted(number, "byte"),
        Language::Chinese => format!("{} 位元組", grouped(number)),
    }
}

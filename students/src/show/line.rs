//! The line of a step: the few facts that somebody who only wants to hand in is told.

use scb_certs::StudentId;
use scb_cli::local_time;
use scb_explain::{Language, length};
use scb_protocol::{Fact, StepEvent, counted, grouped, in_words};

/// From this size on, in bytes, files may take long enough for somebody to worry.
const SLOW: u64 = 1024 * 1024;

/// The text of a fact that has a line.
pub(super) fn line(event: &StepEvent, language: Language) -> Option<String> {
    let sid = event.sid.as_ref().map(StudentId::as_str).unwrap_or("");
    match language {
        Language::English => english(&event.fact, sid),
        Language::Chinese => chinese(&event.fact, sid),
    }
}

fn english(fact: &Fact, sid: &str) -> Option<String> {
    Some(match fact {
        Fact::AlreadyCertified { certificates } => {
            format!("{} here already", counted(*certificates, "certificate"))
        }
        Fact::NotRenewedYet { until } => format!(
            "{sid} not renewed: the certificate, until {}, is in the first half of its life; later, \
             or with a new key: student renew",
            local_time(*until)
        ),
        Fact::RequestsSent {
            fresh, requests, ..
        } => {
            let before = requests.len().saturating_sub(*fresh);
            let keys = match (fresh, before) {
                (0, kept) => format!("{} of before", counted(kept, "key")),
                (made, 0) => format!("{} made here", counted(*made, "key")),
                (made, kept) => format!("{} made here, {kept} of before", counted(*made, "key")),
            };
            format!("{keys}, {} sent", counted(requests.len(), "request"))
        }
        Fact::CertificateKept { .. } => format!("{sid} sign finished"),
        Fact::CertificateRenewed { certificate, .. } => {
            let until = local_time(certificate.not_after);
            format!("{sid} certificate renewed, until {until}")
        }
        Fact::TokenRefreshed { .. } => format!("{sid} token refreshed"),
        Fact::AnswerVerified { members, .. } => match members.len() {
            1 => "CUHK confirms the member (signed, verified)".to_owned(),
            2 => "CUHK confirms both members (signed, verified)".to_owned(),
            count => format!("CUHK confirms all {count} (signed, verified)"),
        },
        Fact::TokensCount { members, until } => {
            let (tokens, until) = (counted(*members, "identity token"), local_time(*until));
            format!("CUHK is away: not asked; {tokens} accepted instead, until {until}")
        }
        Fact::SharesOpened { shares, .. } => {
            format!("{} received, one per member", counted(*shares, "share"))
        }
        Fact::KeyConfirmed { .. } => "session key confirmed".to_owned(),
        Fact::AssignmentChosen {
            course,
            assignment,
            due: Some(due),
            left: Some(left),
        } => {
            let (due, left) = (local_time(*due), in_words(*left));
            format!("for {course} / {assignment}, the one that is open: due {due}, {left} left")
        }
        Fact::StatementSent(statement) => {
            format!("signed for {} / {}", statement.course, statement.assignment)
        }
        Fact::ReceiptKept {
            files,
            signatures,
            before,
            ..
        } => {
            let size = match files.len() {
                1 => counted(files.size(), "byte"),
                count => format!("{count} files, {}", counted(files.size(), "byte")),
            };
            let signatures = counted(*signatures, "signature");
            let stored = if *before {
                "stored before, the same receipt"
            } else {
                "stored"
            };
            format!("{size}, MAC, {signatures}: {stored}")
        }
        Fact::Committed {
            at, until, size, ..
        } if *size >= SLOW => format!(
            "signed and recorded at {}: that counts, if the files are here by {}",
            local_time(*at),
            local_time(*until)
        ),
        _ => return None,
    })
}

fn chinese(fact: &Fact, sid: &str) -> Option<String> {
    Some(match fact {
        Fact::AlreadyCertified { certificates } => format!("{certificates} 張證書已在本機"),
        Fact::NotRenewedYet { until } => format!(
            "{sid} 未續期：證書有效至 {}，有效期未過半；可稍後再試，或換新金鑰：student renew",
            local_time(*until)
        ),
        Fact::RequestsSent {
            fresh, requests, ..
        } => {
            let requests = requests.len();
            match requests.saturating_sub(*fresh) {
                0 => format!("在本機產生 {fresh} 把金鑰，送出 {requests} 份請求"),
                kept => format!(
                    "在本機產生 {fresh} 把金鑰，沿用先前的 {kept} 把，送出 {requests} 份請求"
                ),
            }
        }
        // What CUHK's part is called everywhere, so that it can be looked for.
        Fact::CertificateKept { .. } => format!("{sid} 簽發完成 (sign finished)"),
        Fact::CertificateRenewed { certificate, .. } => {
            format!(
                "{sid} 的證書已續期，至 {}",
                local_time(certificate.not_after)
            )
        }
        Fact::TokenRefreshed { .. } => format!("{sid} 的權杖已更新"),
        Fact::AnswerVerified { members, .. } => {
            format!("中大確認全部 {} 位組員（已簽署，已驗證）", members.len())
        }
        Fact::TokensCount { members, until } => {
            let until = local_time(*until);
            format!("未能聯絡中大，沒有查詢；改以 {members} 個身分權杖為準，至 {until}")
        }
        Fact::SharesOpened { shares, .. } => format!("收到 {shares} 個份額，每位組員一個"),
        Fact::KeyConfirmed { .. } => "會話金鑰已確認".to_owned(),
        Fact::AssignmentChosen {
            course,
            assignment,
            due: Some(due),
            left: Some(left),
        } => {
            let left = length(*left, Language::Chinese);
            let due = local_time(*due);
            format!(
                "提交至 {course} / {assignment}，現正開放的只有這份作業：限期 {due}，尚餘 {left}"
            )
        }
        Fact::StatementSent(statement) => {
            format!("已為 {} / {} 簽署", statement.course, statement.assignment)
        }
        Fact::ReceiptKept {
            files,
            signatures,
            before,
            ..
        } => {
            let size = match files.len() {
                1 => grouped(files.size()),
                count => format!("{count} 個檔案，{}", grouped(files.size())),
            };
            let stored = if *before {
                "先前已存妥，收據相同"
            } else {
                "已存妥"
            };
            format!("{size} 位元組，MAC，{signatures} 個簽署：{stored}")
        }
        Fact::Committed {
            at, until, size, ..
        } if *size >= SLOW => format!(
            "已簽署並於 {} 登記：檔案如在 {} 前送達，以此時間為準",
            local_time(*at),
            local_time(*until)
        ),
        _ => return None,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use scb_certs::Fingerprint;
    use scb_protocol::Step;
    use scb_protocol::statement::{FileEntry, Files};

    use super::*;

    fn text(fact: Fact, language: Language) -> String {
        line(&StepEvent::new(Step::One, fact), language).unwrap()
    }

    fn kept(size: u64) -> Fact {
        Fact::ReceiptKept {
            number: "S-000001".parse().unwrap(),
            files: Files::from(FileEntry {
                name: "report.pdf".parse().unwrap(),
                size,
                sha256: Fingerprint::of(b""),
            }),
            receipt: Fingerprint::of(b""),
            signatures: 1,
            before: false,
        }
    }

    #[test]
    fn one_is_not_many() {
        let already = |certificates| {
            let fact = Fact::AlreadyCertified { certificates };
            text(fact, Language::English)
        };
        assert_eq!(already(1), "1 certificate here already");
        assert_eq!(already(3), "3 certificates here already");
        let kept = |size| text(kept(size), Language::English);
        assert_eq!(kept(1), "1 byte, MAC, 1 signature: stored");
        assert!(kept(0).starts_with("0 bytes, "));
    }

    #[test]
    fn what_has_a_line_has_one_in_both_languages() {
        let chinese = text(kept(1050), Language::Chinese);
        assert_eq!(chinese, "1,050 位元組，MAC，1 個簽署：已存妥");
        let silent = Fact::Listening {
            address: "127.0.0.1:1".parse().unwrap(),
            root: Fingerprint::of(b""),
        };
        let event = StepEvent::new(Step::Zero, silent);
        assert_eq!(line(&event, Language::English), None);
        assert_eq!(line(&event, Language::Chinese), None);
    }
}

//! The details of a refusal in Chinese: those that students meet. What is technical stays as it is, for
//! whoever is asked for help.

use scb_protocol::Refusal;

/// In brackets, each with its name; nothing if there are none.
pub(crate) fn details_in_chinese(refusal: &Refusal) -> String {
    let details: Vec<_> = refusal
        .details()
        .map(|(name, value)| one(&name, &value))
        .collect();
    match details.is_empty() {
        true => String::new(),
        false => format!("（{}）", details.join("，")),
    }
}

fn one(name: &str, value: &str) -> String {
    let told = match name {
        "reason" | "unsigned" => reason(value),
        "state" => state(value),
        _ => None,
    };
    format!("{}：{}", label(name).unwrap_or(name), told.unwrap_or(value))
}

/// What a detail is called; none where it is technical.
fn label(name: &str) -> Option<&'static str> {
    Some(match name {
        "address" => "位址",
        "assignment" => "作業",
        "at" => "時間",
        "attempts" => "嘗試次數",
        "by" => "其後的提交",
        "bytes" => "位元組",
        "certificate" => "證書",
        "clock" => "時鐘相差",
        "closed" => "截止",
        "course" => "課程",
        "ended" => "結束於",
        "entry" => "條目",
        "expected" => "應為",
        "expired" => "過期於",
        "file" => "檔案",
        "file_bytes" => "該檔案的位元組",
        "files" => "檔案數目",
        "found" => "發現",
        "given_up" => "已放棄",
        "got" => "實為",
        "groups" => "其他組別",
        "in_all" => "全體合共",
        "issued" => "簽發於",
        "known" => "已知",
        "last" => "最後的原因",
        "limit" => "上限",
        "log" => "日誌",
        "missing" => "欠缺",
        "not_after" => "有效至",
        "not_before" => "生效於",
        "not_kept" => "未能保存",
        "now" => "現在",
        "opens" => "開放",
        "reason" => "原因",
        "receipt_entry" => "收據的條目",
        "receipt_recorded" => "收據所載的登記時間",
        "recorded" => "登記於",
        "refused" => "被拒絕",
        "renewable_until" => "可續期至",
        "room_at" => "有空位於",
        "root" => "根證書",
        "server_time" => "伺服器時間",
        "seen" => "所見",
        "service" => "服務",
        "since" => "自",
        "state" => "狀態",
        "submission" => "提交",
        "term" => "學期",
        "time_here" => "本機時間",
        "unfinished" => "尚未送達",
        "unsigned" => "未經簽署",
        "until" => "至",
        "with" => "與",
        "wrong_codes_per_minute" => "每分鐘可錯次數",
        _ => return None,
    })
}

/// Of a student or certificate that is not active, and of what somebody else is in the way of.
fn reason(value: &str) -> Option<&'static str> {
    Some(match value {
        "unknown" => "不在名冊",
        "revoked" => "已撤銷",
        "expired" => "已過期",
        "suspended" => "已停用",
        "another connection brings these files" => "另一連線正在上載這些檔案",
        "too many refusals within an hour" => "一小時內被拒絕的次數過多",
        "too much has not come whole" => "尚未送達完整的檔案過多",
        "not of the form host:port" => "並非 host:port 的形式",
        "it waits for nobody" => "並不等待任何人",
        _ => return None,
    })
}

/// What has become of a proposal.
fn state(value: &str) -> Option<&'static str> {
    Some(match value {
        "waiting" => "等待簽署",
        "signed" => "全組已簽署",
        "accepted" => "已提交",
        "declined" => "已被拒絕",
        "withdrawn" => "已撤回",
        "lapsed" => "已過期",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};

    use scb_protocol::message::proposal::ProposalState;
    use scb_protocol::{Code, InactiveReason, Step};

    use super::*;

    /// What says more to whoever is asked for help than to a student, and stays as it is.
    const TECHNICAL: [&str; 9] = [
        "field",
        "key",
        "kind",
        "lists",
        "message",
        "peer",
        "revocation_lists",
        "role",
        "verification_age",
    ];

    /// The names of details in a source file, its tests apart.
    fn named_in(source: &str) -> impl Iterator<Item = &str> {
        let (code, _) = source.split_once("#[cfg(test)]").unwrap_or((source, ""));
        code.split(".with(").skip(1).filter_map(|rest| {
            let (name, _) = rest.trim_start().strip_prefix('"')?.split_once('"')?;
            Some(name)
        })
    }

    fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            let path = entry.path();
            let is_of_tests = path.file_stem().is_some_and(|name| name == "tests");
            match path.is_dir() {
                _ if is_of_tests => {}
                true => sources(&path, found),
                false if path.extension().is_some_and(|it| it == "rs") => found.push(path),
                false => {}
            }
        }
    }

    #[test]
    fn every_detail_that_a_refusal_carries_has_its_name_or_is_technical() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut found = Vec::new();
        for part in ["blackboard", "certs", "common", "cuhk", "students"] {
            sources(&root.join(part), &mut found);
        }
        let mut names = BTreeSet::new();
        for path in found {
            let source = std::fs::read_to_string(&path).unwrap_or_default();
            names.extend(named_in(&source).map(str::to_owned));
        }
        assert!(names.len() > 40 && names.contains("with"), "{names:?}");
        let known = |name: &str| label(name).is_some() || TECHNICAL.contains(&name);
        let unknown: Vec<_> = names.iter().filter(|name| !known(name)).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
        let both: Vec<_> = TECHNICAL
            .iter()
            .filter(|name| label(name).is_some() || !names.contains(**name))
            .collect();
        assert!(both.is_empty(), "{both:?}");
    }

    #[test]
    fn whom_somebody_is_in_a_group_with_is_told_in_chinese() {
        let refusal = Refusal::new(Code::OtherGroup, Step::Six)
            .with("submission", "S-000008")
            .with("with", "1155000005");
        let told = "（提交：S-000008，與：1155000005）";
        assert_eq!(details_in_chinese(&refusal), told);
    }

    #[test]
    fn what_students_meet_is_told_in_chinese_and_what_is_technical_as_it_is() {
        let refusal = Refusal::new(Code::StudentInactive, Step::Three)
            .with("reason", "revoked")
            .with("course", "CSCI3150");
        assert_eq!(
            details_in_chinese(&refusal),
            "（課程：CSCI3150，原因：已撤銷）"
        );
        let refusal = Refusal::new(Code::MalformedMessage, Step::Three)
            .with("field", "members[0].chain")
            .with("reason", "expected a list");
        let told = "（field：members[0].chain，原因：expected a list）";
        assert_eq!(details_in_chinese(&refusal), told);
        assert_eq!(details_in_chinese(&Refusal::new(Code::Busy, Step::One)), "");
    }

    #[test]
    fn every_state_of_a_proposal_and_every_reason_of_cuhk_has_its_word() {
        use ProposalState::{Accepted, Declined, Lapsed, Signed, Waiting, Withdrawn};
        for one in [Waiting, Signed, Accepted, Declined, Withdrawn, Lapsed] {
            assert!(state(one.as_str()).is_some(), "{one}");
        }
        use InactiveReason::{Expired, Revoked, Suspended, Unknown};
        for one in [Unknown, Revoked, Expired, Suspended] {
            assert!(reason(&one.to_string()).is_some(), "{one}");
        }
    }

    #[test]
    fn nothing_that_a_peer_sent_controls_a_terminal() {
        let wire = r#"{"code":"busy","step":3,"params":{"a\u001b":"\u001b[2J"}}"#;
        let refusal: Refusal = serde_json::from_str(wire).unwrap_or_else(|error| panic!("{error}"));
        assert!(!details_in_chinese(&refusal).contains('\u{1b}'));
    }
}

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
    format!("{}：{}", label(name), told.unwrap_or(value))
}

/// What a detail is called.
fn label(name: &str) -> &str {
    match name {
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
        "recorded" => "登記於",
        "refused" => "被拒絕",
        "renewable_until" => "可續期至",
        "room_at" => "有空位於",
        "server_time" => "伺服器時間",
        "service" => "服務",
        "since" => "自",
        "state" => "狀態",
        "submission" => "提交",
        "term" => "學期",
        "time_here" => "本機時間",
        "unfinished" => "尚未送達",
        "unsigned" => "未經簽署",
        "until" => "至",
        "wrong_codes_per_minute" => "每分鐘可錯次數",
        technical => technical,
    }
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
    use scb_protocol::message::proposal::ProposalState;
    use scb_protocol::{Code, InactiveReason, Step};

    use super::*;

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

//! What steps and messages are called.

use scb_protocol::{Step, in_words};

use crate::Language;

/// A length of time as people say it: `23 h 59 min`, `23 小時 59 分鐘`. Rounded down.
pub fn length(seconds: u64, language: Language) -> String {
    let english = in_words(seconds);
    let unit = |word| match word {
        "d" => "日",
        "h" => "小時",
        "min" => "分鐘",
        "s" => "秒",
        number => number,
    };
    match language {
        Language::English => english,
        Language::Chinese => english.split(' ').map(unit).collect::<Vec<_>>().join(" "),
    }
}

/// What a step is about, as a heading.
pub fn step_title(step: Step, language: Language) -> &'static str {
    let (english, chinese) = match step {
        Step::Zero => ("The servers are ready", "伺服器就緒"),
        Step::One => (
            "Keys are made, certificates are asked for",
            "產生金鑰，申請證書",
        ),
        Step::Two => ("CUHK certifies each student", "中大為每位學生簽發證書"),
        Step::Three => ("The members prove who they are", "組員證明身分"),
        Step::Four => (
            "Each member gets a sealed share",
            "每位組員收到一個封存的份額",
        ),
        Step::Five => ("Both sides confirm the session key", "雙方確認會話金鑰"),
        Step::Six => ("The report is handed in", "提交報告"),
    };
    language.pick(english, chinese)
}

/// What a message says, by its `type` on the wire; `None` for a type that is not known.
pub fn message_title(name: &str, language: Language) -> Option<&'static str> {
    let (english, chinese) = match name {
        "greeting" => (
            "I am this service, this is my time",
            "我是這項服務，這是我的時間",
        ),
        "enrol" => (
            "please certify this key, here is the code",
            "請認證這把金鑰，附上註冊碼",
        ),
        "refresh_token" => (
            "please give me a fresh identity token",
            "請發出新的身分權杖",
        ),
        "renew" => (
            "please certify my next key, over the present one",
            "請認證下一把金鑰，本連線以現有金鑰建立",
        ),
        "renew_expired" => (
            "please certify my next key; the old one signed this",
            "請認證下一把金鑰，由舊金鑰簽署為證",
        ),
        "enrol_service" => ("please certify this service", "請認證這項服務"),
        "renew_service" => (
            "please renew this service's certificate",
            "請更新這項服務的證書",
        ),
        "verify" => ("are these members active?", "這些組員是否有效？"),
        "status" => ("has anything changed?", "狀態有沒有改變？"),
        "crls" => ("the certificate revocation lists", "證書撤銷清單"),
        "checkpoint" => (
            "your log as it is now, and how it grew",
            "日誌現狀及其增長的證明",
        ),
        "audit" => (
            "what the log holds about one student",
            "日誌中關於一位學生的全部記錄",
        ),
        "cosign" => ("I have seen the log up to here", "我已見證日誌至此"),
        "cosigned" => ("noted", "已記下"),
        "trust_bundle" => ("which roots count", "哪些根證書有效"),
        "endorse" => ("vouch for the key of my log", "為我的日誌金鑰作證"),
        "endorsed" => ("my word for the log's keys", "對日誌金鑰的認可"),
        "witness" => ("cosign how my log grew", "為我的日誌增長加簽"),
        "cosignature" => ("my cosignature, with my time", "我的加簽及時間"),
        "witnessed" => ("how much of the log you have seen", "已見證至日誌何處"),
        "witnessed_logs" => ("which of my logs you know", "你所知我的日誌"),
        "witnessed_entries" => ("entries of the log that you keep", "代為保存的日誌條目"),
        "enrolled" => ("certificate and identity token", "證書及身分權杖"),
        "token" => ("a fresh identity token", "新的身分權杖"),
        "service_enrolled" => ("the service's certificate", "服務的證書"),
        "verification" => ("my signed answer", "已簽署的答覆"),
        "present" => ("these are the members, with proofs", "這是各組員及其證明"),
        "confirm" => ("I have the session key", "我已有會話金鑰"),
        "proof" => ("the proof that completes a receipt", "令收據完整的證明"),
        "refusal_proof" => ("the proof of a refusal", "拒絕的證明"),
        "grades" => ("the grades of these members", "這些組員的評分"),
        "assignments" => ("what these members can hand in", "這些組員可提交的作業"),
        "proposals" => (
            "what waits for these members' signatures",
            "等待這些組員簽署的提案",
        ),
        "propose" => (
            "a statement for others to sign as well",
            "提出聲明，待其他組員簽署",
        ),
        "sign" => ("we sign what was proposed", "我們簽署此提案"),
        "end_proposal" => (
            "we do not sign this, or not any more",
            "我們不簽署，或撤回此提案",
        ),
        "fetch" => ("the receipt of this, please", "請給予此提交的收據"),
        "proposed" => (
            "recorded; this is what I have of the files",
            "已登記提案；檔案已收到這些",
        ),
        "proposal" => ("recorded; it stands like this", "已登記；提案現況如此"),
        "submit" => ("the statement, signed by all", "全組簽署的聲明"),
        "upload" => ("this is what will come", "以下是將送出的內容"),
        "end" => ("that was all of it", "內容已全部送出"),
        "shares" => (
            "verified; here are the sealed shares",
            "核實無誤；這是封存的份額",
        ),
        "confirmed" => ("I have the same key", "我有相同的金鑰"),
        "signed" => ("your signature is recorded", "簽署已登記"),
        "committed" => (
            "recorded; this is what I have of the files",
            "已登記；檔案已收到這些",
        ),
        "history" => ("what these members handed in", "這些組員所提交的各個版本"),
        "download" => ("what was handed in, back again", "取回所提交的內容"),
        "receipt" => ("stored; this is your receipt", "已存妥；這是收據"),
        "refusal" => ("refused", "已拒絕"),
        _ => return None,
    };
    Some(language.pick(english, chinese))
}

/// In front of a remedy.
pub fn what_to_do(language: Language) -> &'static str {
    language.pick("what to do", "處理方法")
}

/// After the sentence of a refusal.
pub fn nothing_changed(language: Language) -> &'static str {
    language.pick(
        "; nothing was changed by this step",
        "；此步驟沒有更改任何資料",
    )
}

#[cfg(test)]
mod tests {
    use scb_protocol::Message;
    use scb_protocol::message::{blackboard, cuhk};

    use super::*;

    #[test]
    fn a_length_of_time_is_told_in_both_languages() {
        for (seconds, english, chinese) in [
            (95, "95 s", "95 秒"),
            (840, "14 min", "14 分鐘"),
            (86_340, "23 h 59 min", "23 小時 59 分鐘"),
            (3_463_200, "40 d 2 h", "40 日 2 小時"),
        ] {
            assert_eq!(length(seconds, Language::English), english);
            assert_eq!(length(seconds, Language::Chinese), chinese);
        }
    }

    #[test]
    fn every_message_has_a_title_in_both_languages() {
        let all = [
            cuhk::Request::NAMES,
            cuhk::Reply::NAMES,
            blackboard::Request::NAMES,
            blackboard::Reply::NAMES,
        ];
        for name in all.concat() {
            for language in [Language::English, Language::Chinese] {
                assert!(message_title(name, language).is_some(), "{name}");
            }
        }
        assert_eq!(message_title("gossip", Language::English), None);
    }
}

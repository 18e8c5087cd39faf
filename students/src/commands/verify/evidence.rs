//! What was found in order, line by line, in two languages.

use scb_certs::StudentId;
use scb_cli::{local_moments, local_time};
use scb_explain::Language;
use scb_protocol::grouped;
use scb_protocol::receipt::{Check, Found};

use super::words::VerdictWords;

impl VerdictWords {
    /// What was checked, and what was found. Times are those of this machine's zone.
    pub(super) fn evidence(self, check: &Check) -> (&'static str, String) {
        let chinese = chinese(&check.found).filter(|_| self.language() == Language::Chinese);
        chinese.unwrap_or_else(|| (check.what, local_moments(&check.found.to_string())))
    }
}

/// What only archives say is told in English.
fn chinese(found: &Found) -> Option<(&'static str, String)> {
    Some(match found {
        Found::Root(root) => ("根證書", format!("SHA-256 {root}")),
        Found::Committed { at, index } => {
            let entry = match index {
                Some(index) => format!("日誌第 {index} 項"),
                None => "沒有自己的日誌項目".to_owned(),
            };
            let at = local_time(*at);
            ("登記", format!("於 {at}，遲交與否以此為準：{entry}"))
        }
        Found::Accepted {
            number,
            at,
            service,
        } => {
            let at = local_time(*at);
            ("接受", format!("{service} 於 {at} 接受 {number}"))
        }
        Found::Rules { index, at, sha256 } => {
            let at = local_time(*at);
            let told = format!("日誌第 {index} 項，於 {at} 生效，SHA-256 {sha256}");
            ("規則", told)
        }
        Found::Signed { sid, certificate } => ("簽署", format!("{sid}，證書 {certificate}")),
        Found::Confirmed { members, at } => {
            let at = local_time(*at);
            ("確認", format!("中大於 {at} 確認 {members} 位組員有效"))
        }
        Found::Tokens { tokens, until } => {
            let until = local_time(*until);
            let told = format!("未能聯絡中大；{tokens} 個身分權杖當時有效，最早至 {until}");
            ("權杖", told)
        }
        Found::File(file) => {
            let (name, size) = (&file.name, grouped(file.size));
            let told = format!("{name}，{size} 位元組，SHA-256 {}", file.sha256);
            ("檔案", told)
        }
        Found::Logged { index, log, size } => {
            ("入冊", format!("{log} 第 {index} 項，樹有 {size} 項"))
        }
        Found::Pending { index, log } => {
            let told = format!(
                "{log} 第 {index} 項獲見證的證明尚未送達；在此之前，它是否在日誌中只憑 Blackboard 之言"
            );
            ("待完成", told)
        }
        Found::Witnessed { by, at } => ("見證", format!("{by} 於 {}", local_time(*at))),
        Found::Lists { until, cover: true } => {
            let until = local_time(*until);
            ("撤銷清單", format!("有效至 {until}，晚於中大加簽之時"))
        }
        Found::Lists { until, .. } => {
            let until = local_time(*until);
            let told = format!("僅有效至 {until}，早於中大加簽：未能顯示見證者的金鑰其時仍獲確認");
            ("撤銷清單", told)
        }
        Found::Entered { index, kind, at } => {
            let at = local_time(*at);
            let told = format!("第 {index} 項（{kind}），於 {at}，在同一棵樹中");
            ("入冊時間", told)
        }
        Found::NotEntered { index } => {
            let told = format!("收據沒有第 {index} 項：所計時間只憑 Blackboard 之言");
            ("入冊時間", told)
        }
        Found::EnteredLater { index } => {
            let told = format!(
                "尚未載有第 {index} 項，將隨證明送達：在此之前，所計時間只憑 Blackboard 之言"
            );
            ("入冊時間", told)
        }
        Found::Refused { code, at, service } => {
            let at = local_time(*at);
            ("拒絕", format!("{service} 於 {at} 拒絕：{code}"))
        }
        Found::Members(sids) => {
            let sids: Vec<_> = sids.iter().map(StudentId::as_str).collect();
            ("組員", sids.join("、"))
        }
        Found::Text(_) => return None,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use scb_protocol::from_seconds;

    use super::*;

    fn told(found: Found, language: Language) -> (&'static str, String) {
        let what = "entered";
        VerdictWords::of(language).evidence(&Check { what, found })
    }

    #[test]
    fn evidence_is_told_in_the_language_that_was_asked_for() {
        let found = || Found::Entered {
            index: 7,
            kind: "committed",
            at: from_seconds(1_795_262_401),
        };
        let at = local_time(from_seconds(1_795_262_401));
        let (what, english) = told(found(), Language::English);
        let expected = format!("entry 7, committed at {at}, in the same tree");
        assert_eq!((what, english), ("entered", expected));
        let (what, chinese) = told(found(), Language::Chinese);
        assert_eq!(what, "入冊時間");
        assert!(
            chinese.contains(&at) && chinese.contains("第 7 項"),
            "{chinese}"
        );
    }

    #[test]
    fn what_has_no_other_words_is_told_as_it_is() {
        let found = Found::from("of one submission".to_owned());
        let (what, told) = told(found, Language::Chinese);
        assert_eq!((what, told.as_str()), ("entered", "of one submission"));
    }
}

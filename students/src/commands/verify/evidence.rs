//! What was found in order, line by line, in two languages.

use scb_certs::StudentId;
use scb_cli::{local_moments, local_time};
use scb_explain::Language;
use scb_protocol::grouped;
use scb_protocol::receipt::{Check, Found};

use super::words::VerdictWords;
use crate::commands::assignments::in_chinese;
use crate::words::Words;

impl VerdictWords {
    /// What was checked, and what was found. Times are those of this machine's zone.
    pub(super) fn evidence(self, check: &Check) -> (&'static str, String) {
        match self.language() {
            Language::English => (check.what, local_moments(&check.found.to_string())),
            Language::Chinese => chinese(&check.found),
        }
    }
}

fn chinese(found: &Found) -> (&'static str, String) {
    match found {
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
        Found::Judged { index, rules } => {
            let late = format!("逾期規則 {}", rules.late);
            let due = rules
                .due
                .map(|due| format!("限期 {}，{late}", local_time(due)));
            let due = due.unwrap_or_else(|| "不設限期".to_owned());
            ("依據", format!("第 {index} 項，在同一棵樹中：{due}"))
        }
        Found::RulesNotIn { index } => {
            let told = format!("收據沒有第 {index} 項，只有其雜湊值：未能據此顯示是否逾期");
            ("依據", told)
        }
        Found::ExtensionNotIn { index } => {
            let told = format!("收據沒有第 {index} 項：未能顯示組員逾期多久");
            ("延期", told)
        }
        Found::Stands(one) => {
            let standing = Words::of(Language::Chinese).standing(one.standing);
            ("準時與否", format!("{}：{standing}", one.sid))
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
        Found::Awaited { missing } => {
            let names: Vec<_> = missing.iter().map(ToString::to_string).collect();
            let names = names.join("、");
            let told = format!("中大已見到它；Blackboard 仍在等待 {names}");
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
        Found::Entered {
            index, kind, at, ..
        } => {
            let at = local_time(*at);
            let told = format!("第 {index} 項（{kind}），於 {at}，在同一棵樹中");
            ("入冊時間", told)
        }
        Found::Recorded {
            at,
            index,
            log,
            service,
        } => {
            let at = local_time(*at);
            let told = format!("{service} 表示於 {at} 記入 {log} 第 {index} 項，遲交與否以此為準");
            ("登記", told)
        }
        Found::LastSigned {
            at,
            index,
            log,
            service,
        } => {
            let at = local_time(*at);
            let told = format!(
                "{service} 表示於 {at} 把最後的簽署記入 {log} 第 {index} 項，遲交與否以此為準"
            );
            ("登記", told)
        }
        Found::Statement(sha256) => ("聲明", format!("SHA-256 {sha256}")),
        Found::WordAlone => {
            let told = "日誌是否仍載有此項、中大是否見過它、檔案是否送達：這些由收據證明";
            ("未證明", told.to_owned())
        }
        Found::Announced {
            index,
            log,
            at,
            service,
            signed_at,
        } => {
            let (at, signed) = (local_time(*at), local_time(*signed_at));
            let told = format!("{service} 表示 {at} 記入 {log} 第 {index} 項，並於 {signed} 簽署");
            ("公布", told)
        }
        Found::Rule { field, value } => (in_chinese(field), local_moments(value)),
        Found::Extended(extension) => {
            let due = local_time(extension.due);
            ("延期", format!("{} 延至 {due}", extension.sid))
        }
        Found::AnnouncedAlone => {
            let told = "日誌是否仍載有此項、其後有否更改：這些由收據或封存檔證明";
            ("未證明", told.to_owned())
        }
        Found::Dated { .. } | Found::TokensThen { .. } | Found::NotDated => dated(found),
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
        Found::Exported { .. }
        | Found::AllLogged { .. }
        | Found::LostEntries { .. }
        | Found::StandsIn { .. }
        | Found::WentBack { .. }
        | Found::AcceptedAfter { .. }
        | Found::Moments { .. }
        | Found::Detached { .. }
        | Found::Undated { .. }
        | Found::Complete { .. } => of_archive(found),
    }
}

/// What CUHK's clock shows of when the statement had come.
fn dated(found: &Found) -> (&'static str, String) {
    let told = match found {
        Found::Dated { at, statement } => {
            let (of, word) = match statement {
                Some(_) => ("及此聲明", "；其時已有此聲明，是中大之言"),
                None => ("", ""),
            };
            let at = local_time(*at);
            format!(
                "該項是在中大於 {at} 就這些組員{of}的答覆之後記入的：它載有該答覆的雜湊值{word}"
            )
        }
        Found::TokensThen { last } => format!(
            "當時未能聯絡中大：其時已送達只憑 Blackboard 之言；該項載有權杖的雜湊值，最後一個由中大於 {} \
             發出，故在其後記入",
            local_time(*last)
        ),
        _ => "沒有中大當時的答覆：其時已送達只憑 Blackboard 之言".to_owned(),
    };
    ("時間依據", told)
}

/// What only archives say.
fn of_archive(found: &Found) -> (&'static str, String) {
    match found {
        Found::Exported { log, at, service } => {
            let at = local_time(*at);
            ("匯出", format!("{service} 於 {at} 匯出 {log}"))
        }
        Found::AllLogged { entries } => ("入冊", format!("{entries} 項，與檢查點的樹根相符")),
        Found::LostEntries { lost } => {
            let told = format!("其中 {lost} 項已無內容：所載何事，無人知曉");
            ("遺失", told)
        }
        Found::StandsIn {
            index,
            number,
            lost,
        } => {
            let lost: Vec<_> = lost.iter().map(|lost| format!("第 {lost} 項")).collect();
            let lost = lost.join("及");
            let told = format!("第 {index} 項代替{lost}，據 {number} 的收據");
            ("重新登記", told)
        }
        Found::WentBack { index, at, before } => {
            let (at, before) = (local_time(*at), local_time(*before));
            let told = format!(
                "第 {index} 項的時間為 {at}，先前一項卻為 {before}：Blackboard 的時鐘曾被撥回"
            );
            ("時間倒退", told)
        }
        Found::AcceptedAfter {
            index,
            number,
            closed,
        } => {
            let told = format!(
                "第 {closed} 項已關閉日誌，其後未再開放，第 {index} 項卻接受了 {number}：關閉之言不可信"
            );
            ("關閉後接受", told)
        }
        Found::Moments { unknown: 0 } => ("登記", "遲交與否以各自的日誌項目時間為準".to_owned()),
        Found::Moments { unknown } => {
            let told = format!("遲交與否以各自的日誌項目時間為準；另有 {unknown} 份的項目已遺失");
            ("登記", told)
        }
        Found::Detached {
            number,
            sid,
            at,
            reason,
        } => {
            let at = local_time(*at);
            let told = format!("{number} 自 {at} 起不計入 {sid}：{reason}");
            ("不計", told)
        }
        Found::Undated { numbers } if numbers.is_empty() => {
            let told = "每份自己的日誌項目均在中大答覆之後記入，並載有該答覆的雜湊值";
            ("時間依據", told.to_owned())
        }
        Found::Undated { numbers } => {
            let numbers: Vec<_> = numbers.iter().map(ToString::to_string).collect();
            let told = format!("{} 其時已送達只憑 Blackboard 之言", numbers.join("、"));
            ("時間依據", told)
        }
        Found::Complete {
            submissions,
            lost: 0,
        } => {
            let told = format!("{submissions} 份提交，檔案及收據齊備，沒有遺漏");
            ("齊全", told)
        }
        Found::Complete { submissions, lost } => {
            let told = format!(
                "{submissions} 份提交，檔案及收據齊備，就日誌尚存的項目沒有遺漏；遺失 {lost} 項"
            );
            ("齊全", told)
        }
        other => ("其他", local_moments(&other.to_string())),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use scb_certs::Fingerprint;
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
            leaf_sha256: Fingerprint::of(b"leaf"),
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
    fn what_archives_say_is_told_in_the_language_that_was_asked_for() {
        let whole = || Found::Complete {
            submissions: 3,
            lost: 0,
        };
        let (_, english) = told(whole(), Language::English);
        assert_eq!(
            english,
            "3 submissions with files and receipt, none left out"
        );
        let (what, chinese) = told(whole(), Language::Chinese);
        assert_eq!(
            (what, chinese.as_str()),
            ("齊全", "3 份提交，檔案及收據齊備，沒有遺漏")
        );
    }
}

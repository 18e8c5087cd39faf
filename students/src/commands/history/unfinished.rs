//! What was signed and recorded, and is not handed in because its files have not all come.

use rustls_pki_types::UnixTime;
use scb_cli::{local_time, rfc3339, say};
use scb_explain::Language;
use scb_protocol::from_seconds;
use scb_protocol::message::blackboard::ListedUnfinished;
use serde_json::{Value, json};

use super::{Words, acknowledged, say_files};
use crate::Error;
use crate::engine::ToldHistory;

/// How it stands at this moment, by Blackboard's clock.
fn is_over(one: &ListedUnfinished, now: UnixTime) -> bool {
    one.until < now.as_secs()
}

pub(super) fn say_one(one: &ListedUnfinished, now: UnixTime, words: Words) -> Result<(), Error> {
    let members: Vec<_> = one.members.iter().map(ToString::to_string).collect();
    let until = local_time(from_seconds(one.until));
    say(&format!(
        "{}  {}  {}/{}  {}",
        words.not_handed_in(),
        local_time(from_seconds(one.committed_at)),
        one.course,
        one.assignment,
        members.join(",")
    ))?;
    say_files(&one.files, (one.file_count, one.size), words)?;
    if is_over(one, now) {
        return Ok(say(&words.line(words.state(), &words.over(&until)))?);
    }
    if one.damaged {
        return Ok(say(&words.line(words.state(), words.damaged()))?);
    }
    say(&words.line(words.state(), &words.files_missing(&until)))?;
    let withdraw = format!("student withdraw {}", one.submission);
    Ok(say(&words.line(words.to_end(), &withdraw))?)
}

pub(super) fn all_as_json(told: &ToldHistory) -> Vec<Value> {
    let one = |one: &ListedUnfinished| {
        json!({
            "submission_id": one.submission,
            "state": if is_over(one, told.time) { "expired" } else { "files_missing" },
            "course": one.course,
            "assignment": one.assignment,
            "committed_at": rfc3339(from_seconds(one.committed_at)),
            "until": rfc3339(from_seconds(one.until)),
            "damaged": one.damaged,
            "members": one.members,
            "file_count": one.file_count,
            "size": one.size,
            "files": one.files,
            "signed": acknowledged::of(told, one).map(|signed| signed.path.to_string_lossy()),
        })
    };
    told.unfinished.iter().map(one).collect()
}

impl Words {
    pub(super) fn not_handed_in(self) -> &'static str {
        self.0.pick("NOT handed in", "尚未提交")
    }

    pub(super) fn state(self) -> &'static str {
        self.0.pick("state", "狀態")
    }

    fn to_end(self) -> &'static str {
        self.0.pick("give up", "放棄")
    }

    fn files_missing(self, until: &str) -> String {
        match self.0 {
            Language::English => format!(
                "signed and recorded, which counts if its files come until {until}: the same \
                 `student submit` again sends the rest"
            ),
            Language::Chinese => format!(
                "已簽署並記錄，檔案如在 {until} 前送達即以此為準：再執行同一 `student submit` 指令，送出餘下部分"
            ),
        }
    }

    /// What helps, and what to say to whom.
    fn damaged(self) -> &'static str {
        self.0.pick(
            "signed and recorded, but what Blackboard has stored of it was altered since. Type the same \
             `student submit` again; if that is refused (stored_damaged), hand in a copy under another file name now, \
             and tell your teacher: the log still says when this was recorded",
            "已簽署並記錄，但 Blackboard 所儲存的內容其後被改動。請再執行同一 `student submit` 指令；如被拒絕\
             （stored_damaged），請立即以另一檔名的副本提交，並告知老師：日誌仍載有此份的登記時間",
        )
    }

    /// Of those that are not told.
    pub(super) fn more_unfinished(self, more: u32) -> String {
        let what = self.not_handed_in();
        match self.0 {
            Language::English => format!(
                "{what}  {more} more, signed earlier, of which nothing is shown here: --course and \
                 --assignment show those of one"
            ),
            Language::Chinese => format!(
                "{what}  另有 {more} 份較早簽署的，這裡不列出：可用 --course 及 --assignment 列出某份作業的"
            ),
        }
    }

    fn over(self, until: &str) -> String {
        match self.0 {
            Language::English => format!(
                "signed, but its files did not all come until {until}: it counts for nothing; hand \
                 in again"
            ),
            Language::Chinese => {
                format!("已簽署，但檔案未有在 {until} 前全部送達：不算提交；請再提交一次")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_shown_is_said_in_both_languages() {
        for (language, part) in [
            (Language::English, "NOT handed in  3 more, signed earlier"),
            (Language::Chinese, "尚未提交  另有 3 份較早簽署的"),
        ] {
            let told = Words(language).more_unfinished(3);
            assert!(told.starts_with(part), "{told}");
        }
    }
}

//! What the dialogue asks and tells, in the language of the person at the keyboard.

mod lateness;
mod questions;
mod results;

use rustls_pki_types::UnixTime;
use scb_certs::StudentId;
use scb_cli::local_time;
use scb_explain::{Language, length, width};
use scb_protocol::grouped;
use scb_protocol::rules::Counts;
use scb_protocol::statement::SubmissionId;

use crate::ClockOffset;

/// The dialogue's words in one language.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Words(Language);

impl Words {
    pub(crate) fn of(language: Language) -> Self {
        Self(language)
    }

    pub(crate) fn language(self) -> Language {
        self.0
    }

    fn pick(self, english: &'static str, chinese: &'static str) -> &'static str {
        self.0.pick(english, chinese)
    }

    /// The two lines of the menu.
    pub(crate) fn menu(self) -> [&'static str; 2] {
        [
            self.pick(
                "1 CUHK: get certificates  2 Blackboard: hand in  Q quit",
                "1 中大：領取證書  2 Blackboard：提交  Q 離開",
            ),
            self.pick(
                "3 Change IDs or servers  4 Sign what others have proposed",
                "3 更改學生編號或伺服器  4 簽署組員的提案",
            ),
        ]
    }

    /// The clock here is off, and no server's word is taken for the time.
    pub(crate) fn clock_off(self, offset: ClockOffset) -> String {
        let side = if offset.behind() > 0 { "慢" } else { "快" };
        match self.0 {
            Language::English => offset.to_string(),
            Language::Chinese => {
                format!("本機時鐘比伺服器{side} {}", length(offset.length(), self.0))
            }
        }
    }

    /// The clock here is off, and what this run goes by.
    pub(crate) fn goes_by_server(self, offset: ClockOffset) -> String {
        let length = length(offset.length(), self.0);
        let is_behind = offset.behind() > 0;
        match self.0 {
            Language::English => format!(
                "warning: this machine's clock is {length} {} the server's, whose time is used; set it, \
                 as more than an hour is refused (clock_off)",
                if is_behind { "behind" } else { "ahead of" }
            ),
            Language::Chinese => format!(
                "警告：本機時鐘比伺服器{} {length}，現以伺服器的時間為準；請校正，相差超過一小時會被拒絕\
                 （clock_off）",
                if is_behind { "慢" } else { "快" }
            ),
        }
    }

    /// A certificate was to be renewed, and could not be.
    pub(crate) fn not_renewed(self, sid: &StudentId, why: &str, until: Option<&str>) -> String {
        match (self.0, until) {
            (Language::English, Some(until)) => {
                format!("{sid} certificate not renewed, good until {until}: {why}")
            }
            (Language::English, None) => {
                format!("{sid} certificate has ended and was not renewed: {why}")
            }
            (Language::Chinese, Some(until)) => {
                format!("{sid} 的證書未能續期，有效至 {until}：{why}")
            }
            (Language::Chinese, None) => format!("{sid} 的證書已到期，未能續期：{why}"),
        }
    }

    /// Questions about a student that CUHK's log no longer holds.
    pub(crate) fn questions_removed(self, count: u64, before: &str) -> String {
        match (self.0, count) {
            (Language::English, 1) => {
                format!("1 older question, from before {before}, is no longer kept")
            }
            (Language::English, _) => {
                format!("{count} older questions, from before {before}, are no longer kept")
            }
            (Language::Chinese, _) => format!("{before} 前的 {count} 次查詢記錄已不再保存"),
        }
    }

    pub(crate) fn refused(self) -> &'static str {
        self.pick("Refused", "已拒絕")
    }

    pub(crate) fn not_done(self) -> &'static str {
        self.pick("Not done", "未完成")
    }

    pub(crate) fn going_on(self, have: u64, total: u64) -> String {
        let (have, total) = (grouped(have), grouped(total));
        match self.0 {
            Language::English => {
                format!("{have} of {total} bytes are there already: going on from there")
            }
            Language::Chinese => format!("{total} 位元組中已有 {have} 送達：由該處繼續"),
        }
    }

    pub(crate) fn sent_anew(self, file: &str) -> String {
        match self.0 {
            Language::English => {
                format!("what is there of {file} is something else: it is sent from its beginning")
            }
            Language::Chinese => format!("已送達的 {file} 內容不符：由頭再送"),
        }
    }

    pub(crate) fn left_out(self, sid: &StudentId, why: &str) -> String {
        match self.0 {
            Language::English => format!("{sid} is left out: {why}"),
            Language::Chinese => format!("不包括 {sid}：{why}"),
        }
    }

    pub(crate) fn given_up(self, submission: &SubmissionId) -> String {
        match self.0 {
            Language::English => format!(
                "what was signed of these files before ({submission}) is given up: this version \
                 takes its place"
            ),
            Language::Chinese => {
                format!("先前就這些檔案簽署的（{submission}）已放棄，以此版本代替")
            }
        }
    }

    pub(crate) fn proposed_anew(self, submission: &SubmissionId) -> String {
        match self.0 {
            Language::English => format!(
                "what Blackboard has stored of your proposal {submission} is not what was proposed \
                 (stored_damaged): nobody can sign it any more, and nobody is to blame for that. The same \
                 files are proposed anew: everybody signs again, and what counts is when the last one does. \
                 Tell your teacher: the log shows who had signed {submission}, and when"
            ),
            Language::Chinese => format!(
                "Blackboard 所存的提案 {submission} 與所提出的不符（stored_damaged），無人可再簽署，亦非組員之過；\
                 現就同一檔案重新提出：各人須再簽署，以最後一人簽署的時間為準。請告知老師：日誌載明誰於何時簽署了 \
                 {submission}"
            ),
        }
    }

    /// `counts`: which of both, once both are handed in.
    pub(crate) fn still_stands(
        self,
        submission: &SubmissionId,
        (at, until): (UnixTime, UnixTime),
        counts: Counts,
    ) -> String {
        let (at, until) = (local_time(at), local_time(until));
        let counts = match counts {
            Counts::Latest => self.pick(
                "the latest version counts, which is this one",
                "以最後一版為準，即此版本",
            ),
            Counts::First => self.pick(
                "the first version counts, which would be that one",
                "以第一版為準，即該版本",
            ),
        };
        match self.0 {
            Language::English => format!(
                "this version is LATE; what was signed of these files before ({submission}), recorded \
                 {at}, still stands: with the files as they were, the same command hands that in, \
                 too, until {until} ({counts}); or give it up: student withdraw {submission}"
            ),
            Language::Chinese => format!(
                "此版本屬遲交；先前就這些檔案簽署並於 {at} 登記的（{submission}）仍然有效：還原檔案後，在 \
                 {until} 前再執行同一指令亦可提交它（{counts}）；或放棄它：student withdraw {submission}"
            ),
        }
    }

    pub(crate) fn connecting_again(self) -> &'static str {
        self.pick(
            "connecting again, to go on where it stopped",
            "正重新連線，由中斷處繼續",
        )
    }

    pub(crate) fn home_busy(self, dir: &str) -> String {
        match self.0 {
            Language::English => format!(
                "another `student` is still at work in {dir}: waiting for it, up to ten minutes"
            ),
            Language::Chinese => format!("另一個 `student` 仍在使用 {dir}：等候它完成，最多十分鐘"),
        }
    }

    pub(crate) fn trying_again(self, seconds: u32) -> String {
        match self.0 {
            Language::English => format!("trying again in {seconds} s"),
            Language::Chinese => format!("{seconds} 秒後再試"),
        }
    }

    /// In front of the number of a step; as wide in every language.
    pub(crate) fn step(self) -> &'static str {
        self.pick("step", "步驟")
    }

    pub(crate) fn fault_outcome(self) -> &'static str {
        self.pick(
            "This is what should happen. What stopped it:",
            "理應如此。阻止它的是：",
        )
    }

    pub(crate) fn other_refusal(self, code: &str) -> String {
        match self.0 {
            Language::English => {
                format!("This is not the refusal that shows the fault ({code}).")
            }
            Language::Chinese => format!("這並非顯示此錯誤的拒絕（{code}）。"),
        }
    }
}

/// The text and blanks up to that many columns; Chinese characters take two.
pub(crate) fn padded(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::Group;

    const BOTH: [Words; 2] = [Words(Language::English), Words(Language::Chinese)];

    fn sid(text: &str) -> StudentId {
        text.parse().unwrap()
    }

    #[test]
    fn what_can_be_changed_stands_in_one_column() {
        let group = Group::new(vec![sid("A"), sid("B")]).unwrap();
        for words in BOTH {
            let rows = words.changes(&group, Some("A, B".into()), Some("A, B".into()));
            for row in rows {
                let (label, _) = row.split_once("A, B").unwrap();
                assert_eq!(width(label), 17, "{row}");
            }
        }
    }

    #[test]
    fn the_menu_fits_a_narrow_terminal_or_breaks_between_words() {
        for words in BOTH {
            assert!(words.menu().iter().all(|line| width(line) < 60));
        }
    }

    #[test]
    fn questions_name_number_and_sample() {
        let [english, chinese] = BOTH;
        let sample = sid("1155000001");
        assert_eq!(
            english.student_id(1, Some(&sample)),
            "Student ID 1 [1155000001]: "
        );
        assert_eq!(english.student_id(1, None), "Student ID 1: ");
        assert_eq!(
            english.student_id(3, None),
            "Student ID 3 (Enter when done): "
        );
        assert_eq!(chinese.student_id(2, None), "學生編號 2（Enter：完成）：");
    }
}

//! What the dialogue asks and tells, in the language of the person at the keyboard.

mod lateness;
mod results;

use rustls_pki_types::UnixTime;
use scb_certs::StudentId;
use scb_cli::local_time;
use scb_explain::{Language, length, width};
use scb_protocol::grouped;
use scb_protocol::rules::Counts;
use scb_protocol::statement::SubmissionId;

use crate::{ClockOffset, Group};

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

    pub(crate) fn which_assignment(self) -> &'static str {
        self.pick(
            "Several assignments are open. Which one? ",
            "現正接受提交的作業不止一份。提交哪一份？",
        )
    }

    pub(crate) fn no_such_number(self, most: usize) -> String {
        match self.0 {
            Language::English => format!("Type a number from 1 to {most}."),
            Language::Chinese => format!("請輸入 1 至 {most}。"),
        }
    }

    pub(crate) fn choose_one(self) -> &'static str {
        self.pick("Type 1, 2, 3, 4 or Q.", "請輸入 1、2、3、4 或 Q。")
    }

    pub(crate) fn cuhk_address(self) -> &'static str {
        self.pick("CUHK's address", "中大的位址")
    }

    pub(crate) fn blackboard_address(self) -> &'static str {
        self.pick("Blackboard's address", "Blackboard 的位址")
    }

    /// A question with what Enter stands for.
    pub(crate) fn with_default(self, what: &str, default: &str) -> String {
        match self.0 {
            Language::English => format!("{what} [{default}]: "),
            Language::Chinese => format!("{what} [{default}]："),
        }
    }

    pub(crate) fn no_address(self) -> &'static str {
        self.pick(
            "That is no address: expected HOST:PORT, such as 127.0.0.1:8011.",
            "這不是位址：格式為 主機:埠，例如 127.0.0.1:8011。",
        )
    }

    /// `typed_before`: Enter keeps what was typed at the last attempt.
    pub(crate) fn fingerprint(self, typed_before: bool) -> &'static str {
        match typed_before {
            false => self.pick(
                "SHA-256 of CUHK's root, from your code sheet (64 digits): ",
                "中大根證書的 SHA-256，見註冊碼單（64 個數字）：",
            ),
            true => self.pick(
                "SHA-256 of CUHK's root (64 digits; Enter: the same again): ",
                "中大根證書的 SHA-256（64 個數字；Enter：不變）：",
            ),
        }
    }

    pub(crate) fn no_fingerprint(self) -> &'static str {
        self.pick(
            "That is no SHA-256 fingerprint: it has 64 hexadecimal digits.",
            "這不是 SHA-256 指紋：應為 64 個十六進位數字。",
        )
    }

    pub(crate) fn cuhk_proved(self) -> &'static str {
        self.pick(
            "CUHK is there and has proved itself.",
            "中大在此位址，並已證明身分。",
        )
    }

    pub(crate) fn blackboard_proved(self) -> &'static str {
        self.pick(
            "Blackboard is there and has proved itself.",
            "Blackboard 在此位址，並已證明身分。",
        )
    }

    /// Certificates are here, and the address of `--blackboard` did not prove to be right.
    pub(crate) fn not_remembered(self) -> &'static str {
        self.pick(
            "The certificates are here; the address of --blackboard is not remembered:",
            "證書已在本機；沒有記住 --blackboard 的位址：",
        )
    }

    /// What is asked for first and refused comes back as a question.
    pub(crate) fn ask_again(self) -> &'static str {
        self.pick(
            "Nothing was sent or remembered. Once more:",
            "沒有送出或記住任何資料。請再輸入：",
        )
    }

    pub(crate) fn student_id(self, number: usize, sample: Option<&StudentId>) -> String {
        match (self.0, sample, number) {
            (Language::English, Some(sample), _) => format!("Student ID {number} [{sample}]: "),
            (Language::English, None, 1) => "Student ID 1: ".to_owned(),
            (Language::English, None, _) => format!("Student ID {number} (Enter when done): "),
            (Language::Chinese, Some(sample), _) => format!("學生編號 {number} [{sample}]："),
            (Language::Chinese, None, 1) => "學生編號 1：".to_owned(),
            (Language::Chinese, None, _) => format!("學生編號 {number}（Enter：完成）："),
        }
    }

    pub(crate) fn no_student_id(self, typed: &str) -> String {
        match self.0 {
            Language::English => format!(
                "{typed} is not a student ID: 1 to 32 letters, digits, '.', '_' or '-', starting \
                 with a letter or digit."
            ),
            Language::Chinese => format!(
                "{typed} 不是學生編號：應為 1 至 32 個字母、數字、'.'、'_' 或 '-'，以字母或數字開始。"
            ),
        }
    }

    /// Where the IDs are asked for one by one.
    pub(crate) fn one_at_a_time(self) -> &'static str {
        self.pick(
            "One student ID at a time: the next one is asked for.",
            "每次輸入一個學生編號：下一個會再詢問。",
        )
    }

    /// What the menu would understand.
    pub(crate) fn menu_comes_later(self) -> &'static str {
        self.pick(
            "The menu comes after the student IDs. Q quits.",
            "輸入學生編號後才顯示選單。Q 離開。",
        )
    }

    /// A secret that was typed where it can be read.
    pub(crate) fn code_comes_later(self) -> &'static str {
        self.pick(
            "That is an enrolment code: it is asked for later, and not shown then.",
            "這是註冊碼：稍後才會詢問，屆時不顯示。",
        )
    }

    /// Who can be named without a code.
    pub(crate) fn enrolled_here(self, here: &[StudentId]) -> String {
        let here: Vec<_> = here.iter().map(StudentId::as_str).collect();
        match self.0 {
            Language::English => format!("With a certificate here: {}", here.join(", ")),
            Language::Chinese => format!("本機有證書：{}", here.join("、")),
        }
    }

    pub(crate) fn at_least_one(self) -> &'static str {
        self.pick("Type at least one student ID.", "請輸入至少一個學生編號。")
    }

    pub(crate) fn in_the_group(self, sid: &StudentId) -> String {
        match self.0 {
            Language::English => format!("{sid} is in the group already."),
            Language::Chinese => format!("{sid} 已在組內。"),
        }
    }

    pub(crate) fn not_in_the_group(self, typed: &str) -> String {
        match self.0 {
            Language::English => format!("{typed} is not in the group."),
            Language::Chinese => format!("{typed} 不在組內。"),
        }
    }

    /// Asked when everybody has a certificate.
    pub(crate) fn replace_whose(self) -> &'static str {
        self.pick(
            "Replace whose, with a new code? Student ID (Enter: nobody's): ",
            "以新的註冊碼更換誰的證書？學生編號（Enter：不更換）：",
        )
    }

    /// After a refusal that only a new certificate mends.
    pub(crate) fn replaced_here(self, sid: &StudentId) -> String {
        match self.0 {
            Language::English => {
                format!("With a new code, 1 in this menu replaces the certificate of {sid}.")
            }
            Language::Chinese => format!("取得新的註冊碼後，選 1 即可更換 {sid} 的證書。"),
        }
    }

    pub(crate) fn needs_certificate(self, sid: &StudentId) -> String {
        match self.0 {
            Language::English => format!("{sid} needs a certificate first."),
            Language::Chinese => format!("{sid} 需先領取證書。"),
        }
    }

    pub(crate) fn report_file(self) -> &'static str {
        self.pick(
            "File or folder (Enter: submission.txt, made from the IDs): ",
            "檔案或資料夾（Enter：由編號產生的 submission.txt）：",
        )
    }

    /// What can be changed, a line each, and the question.
    pub(crate) fn changes(
        self,
        group: &Group,
        cuhk: Option<String>,
        blackboard: Option<String>,
    ) -> [String; 3] {
        let unknown = || self.pick("not known yet", "尚未知道").to_owned();
        let ids = self.pick("Student IDs", "學生編號");
        let cuhk = (self.pick("CUHK", "中大"), cuhk.unwrap_or_else(unknown));
        let blackboard = ("Blackboard", blackboard.unwrap_or_else(unknown));
        let row = |number: u8, (label, value): (&str, String)| {
            format!("  {number} {}  {value}", padded(label, 11))
        };
        [
            row(1, (ids, group.listed())),
            row(2, cuhk),
            row(3, blackboard),
        ]
    }

    pub(crate) fn change_which(self) -> &'static str {
        self.pick(
            "Change which? (Enter: nothing) ",
            "更改哪一項？（Enter：不改）",
        )
    }

    pub(crate) fn enrolment_code(self, sid: &StudentId) -> String {
        match self.0 {
            Language::English => format!("Enrolment code of {sid} (not shown):"),
            Language::Chinese => format!("{sid} 的註冊碼（不顯示）："),
        }
    }

    /// Who has no certificate here, and who has: before somebody types a code for a mistyped ID.
    pub(crate) fn not_enrolled_here(self, missing: &[&StudentId], here: &[StudentId]) -> String {
        let missing: Vec<_> = missing.iter().map(|sid| sid.as_str()).collect();
        let here: Vec<_> = here.iter().map(StudentId::as_str).collect();
        let (missing, here) = (missing.join(", "), here.join(", "));
        match self.0 {
            Language::English => format!(
                "Not enrolled here: {missing}; enrolled here: {here}. If an ID is mistyped, stop now \
                 (Ctrl-C); else the enrolment code is needed."
            ),
            Language::Chinese => format!(
                "本機沒有 {missing} 的證書；本機有：{here}。如編號輸入有誤，請即停止（Ctrl-C）；否則需要註冊碼。"
            ),
        }
    }

    pub(crate) fn no_enrolment_code(self) -> &'static str {
        self.pick(
            "That is no enrolment code: it has 25 letters and digits.",
            "這不是註冊碼：註冊碼有 25 個字母及數字。",
        )
    }

    pub(crate) fn readable_sheet(self, path: &str, mode: u32) -> String {
        match self.0 {
            Language::English => format!(
                "warning: others on this machine can read the codes in {path} (mode {mode:03o}); \
                 keep them to yourself: chmod 600 {path}"
            ),
            Language::Chinese => format!(
                "警告：這部電腦的其他使用者可讀取 {path} 內的註冊碼（權限 {mode:03o}）；請執行：\
                 chmod 600 {path}"
            ),
        }
    }

    pub(crate) fn passphrase(self, sid: &StudentId) -> String {
        match self.0 {
            Language::English => format!("Passphrase of {sid}'s key:"),
            Language::Chinese => format!("{sid} 的通行密碼："),
        }
    }

    pub(crate) fn another_passphrase(self, sid: &StudentId) -> String {
        match self.0 {
            Language::English => format!("That does not open it. Passphrase of {sid}'s key:"),
            Language::Chinese => format!("未能開啟。{sid} 的通行密碼："),
        }
    }

    pub(crate) fn new_passphrase(self, sid: &StudentId) -> String {
        match self.0 {
            Language::English => format!("New passphrase for {sid}'s key:"),
            Language::Chinese => format!("{sid} 的新通行密碼："),
        }
    }

    pub(crate) fn optional_passphrase(self, sid: &StudentId) -> String {
        match self.0 {
            Language::English => format!("New passphrase for {sid}'s key (Enter: none):"),
            Language::Chinese => format!("{sid} 的新通行密碼（Enter：不設）："),
        }
    }

    pub(crate) fn again(self) -> &'static str {
        self.pick("the same again:", "再輸入一次：")
    }

    pub(crate) fn differ(self) -> &'static str {
        self.pick("these two differ", "兩次輸入不同")
    }

    pub(crate) fn empty(self) -> &'static str {
        self.pick("type something, or Esc to stop", "請輸入，或按 Esc 取消")
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

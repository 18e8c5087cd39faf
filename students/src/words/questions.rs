//! What the dialogue asks, and what it says of an answer that it cannot take.

use scb_certs::StudentId;
use scb_cli::printable;
use scb_explain::{Language, told};
use scb_protocol::Refusal;
use scb_protocol::statement::FilePath;

use super::{Words, padded};
use crate::Group;

impl Words {
    /// Which of the files hold a private key: at most three by name.
    pub(crate) fn private_keys(self, files: &[FilePath]) -> String {
        const MOST: usize = 3;
        let named = files.iter().take(MOST);
        let named: Vec<_> = named.map(|file| printable(file.as_ref())).collect();
        let named = named.join(self.pick(", ", "、"));
        match (self.0, files.len().saturating_sub(MOST)) {
            (Language::English, 0) if files.len() == 1 => format!("{named} holds a private key"),
            (Language::English, 0) => format!("{named} hold private keys"),
            (Language::English, more) => format!("{named} and {more} more hold private keys"),
            (Language::Chinese, 0) => format!("{named} 載有私人金鑰"),
            (Language::Chinese, more) => format!("{named} 及另外 {more} 個檔案載有私人金鑰"),
        }
    }

    pub(crate) fn with_private_keys(self) -> &'static str {
        self.pick(
            "Whoever reads it can sign with it. Hand it in all the same? (y)es, Enter: no: ",
            "任何人取得它便能以它簽署。仍要提交？(y) 是，Enter：否：",
        )
    }

    pub(crate) fn which_assignment(self, open: usize) -> &'static str {
        match open {
            1 => self.pick(
                "One assignment is shown, and another may be meant. Which one? ",
                "只列出一份作業，但所指的可能是另一份。提交哪一份？",
            ),
            _ => self.pick(
                "Several assignments are open. Which one? ",
                "現正接受提交的作業不止一份。提交哪一份？",
            ),
        }
    }

    /// One that may be meant and cannot be chosen.
    pub(crate) fn held_back(self, why: &Refusal) -> String {
        let told = told(why, self.0);
        match self.0 {
            Language::English => format!("NOT SHOWN: {told}"),
            Language::Chinese => format!("不予顯示：{told}"),
        }
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

    /// A file in the place of a student ID.
    pub(crate) fn file_comes_later(self, name: &str) -> String {
        match self.language() {
            Language::English => {
                format!("{name} is a file here, no student ID: the report is asked for later.")
            }
            Language::Chinese => {
                format!("{name} 是這裡的檔案，不是學生編號：稍後才會詢問報告檔案。")
            }
        }
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

    pub(crate) fn report_file(self, sandboxed: bool) -> &'static str {
        match sandboxed {
            true => self.pick(
                "File or folder (Enter: submission.txt, made from the IDs): ",
                "檔案或資料夾（Enter：由編號產生的 submission.txt）：",
            ),
            false => self.pick("File or folder: ", "檔案或資料夾："),
        }
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

    /// Whose certificate has ended, or counts no more, and who is asked for a code for that.
    pub(crate) fn certificate_over(self, over: &[&StudentId]) -> String {
        let over: Vec<_> = over.iter().map(|sid| sid.as_str()).collect();
        let over = over.join(", ");
        match self.0 {
            Language::English => format!(
                "The certificate here of {over} counts no more and cannot be renewed: a new \
                 enrolment code is needed, from your department."
            ),
            Language::Chinese => {
                format!("本機上 {over} 的證書已失效，且不能再續期：需要向學系索取新的註冊碼。")
            }
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
}

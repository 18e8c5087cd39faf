//! What the verdict says, in two languages.

use scb_cli::{counted, local_time};
use scb_explain::Language;
use scb_protocol::export::{Head, VerifiedExport};
use scb_protocol::receipt::{VerifiedReceipt, Witnessed};
use scb_tlog::KeyName;

use super::compare::Compared;
use crate::{Error, Unshown};

/// The words in one language.
#[derive(Clone, Copy)]
pub(super) struct VerdictWords(Language);

impl VerdictWords {
    pub(super) fn of(language: Language) -> Self {
        Self(language)
    }

    pub(super) fn language(self) -> Language {
        self.0
    }

    fn pick(self, english: &'static str, chinese: &'static str) -> &'static str {
        self.0.pick(english, chinese)
    }

    pub(super) fn label(self) -> &'static str {
        self.pick("verdict", "結論")
    }

    pub(super) fn compared(self) -> &'static str {
        self.pick("compared", "比對")
    }

    pub(super) fn claimed(self) -> &'static str {
        self.pick("claimed", "自稱")
    }

    pub(super) fn says_it_signed(self, sid: &str, at: &str) -> String {
        match self.0 {
            Language::English => format!("{sid} says it signed at {at}"),
            Language::Chinese => format!("{sid} 自稱於 {at} 簽署"),
        }
    }

    pub(super) fn folder_is_it(self, path: &str, files: usize) -> String {
        match self.0 {
            Language::English => format!("{path} has every file that was handed in ({files})"),
            Language::Chinese => format!("{path} 載有提交的全部 {files} 個檔案"),
        }
    }

    pub(super) fn folder_is_part(self, path: &str, files: usize) -> String {
        match self.0 {
            Language::English => {
                format!(
                    "{path} has every file that was handed in of a folder of this name ({files})"
                )
            }
            Language::Chinese => format!("{path} 載有以此資料夾之名提交的全部 {files} 個檔案"),
        }
    }

    /// `name`: where it is one of several.
    pub(super) fn file_is_it(self, path: &str, name: Option<&str>) -> String {
        match (self.0, name) {
            (Language::English, None) => format!("{path} is the file that was handed in"),
            (Language::English, Some(name)) => {
                format!("{path} is the file {name} that was handed in")
            }
            (Language::Chinese, None) => format!("{path} 就是提交的檔案"),
            (Language::Chinese, Some(name)) => format!("{path} 就是提交的檔案 {name}"),
        }
    }

    pub(super) fn does_not_verify(self) -> &'static str {
        self.pick("it does NOT verify", "驗證不通過")
    }

    /// What is known of the receipt although the command fails: what this machine could not do says
    /// nothing against it.
    pub(super) fn without_success(self, error: &Error) -> &'static str {
        match error {
            Error::ReceiptRefused(_) => self.does_not_verify(),
            Error::Unshown(Unshown::TooFew { .. }) => self.pick(
                "it verifies, but NOT with as many witnesses as are wanted",
                "驗證通過，但見證者不足所需的數目",
            ),
            Error::Unshown(_) => self.pick("it was not judged", "未作判定"),
            Error::OtherFile { .. } => self.pick(
                "the receipt verifies, but NOT for this file",
                "收據驗證通過，但並非此檔案的收據",
            ),
            Error::OtherFolder { .. } => self.pick(
                "the receipt verifies, but NOT for this folder",
                "收據驗證通過，但並非此資料夾的收據",
            ),
            Error::Openssl(_) => self.pick(
                "this program verifies it, but openssl does NOT",
                "本程式驗證通過，但 openssl 驗證不通過",
            ),
            Error::NoOpenssl => self.pick(
                "the receipt verifies; openssl could not be asked",
                "收據驗證通過；未能以 openssl 驗證",
            ),
            _ => self.pick(
                "the receipt verifies; the rest could not be checked here",
                "收據驗證通過；其餘未能在此核對",
            ),
        }
    }

    pub(super) fn verdict(self, receipt: &VerifiedReceipt, compared: Compared) -> String {
        let statement = receipt.statement();
        let ids = statement.members.iter().map(|one| one.sid.to_string());
        let ids = ids.collect::<Vec<_>>();
        let place = format!("{}/{}", statement.course, statement.assignment);
        let what = self.what(compared, statement.files.len());
        let [committed, accepted] = [receipt.committed_at(), receipt.accepted_at()].map(local_time);
        let pending = match receipt.awaited() {
            Some(missing) => self.awaited(missing),
            None => self.pending(receipt.witnessed()).to_owned(),
        };
        let word = self.word_alone(receipt);
        match self.0 {
            Language::English => format!(
                "it verifies: {} handed in {what} for {place}, committed on {committed}, which \
                 counts for lateness, and complete on {accepted}{pending}{word}",
                ids.join(", ")
            ),
            Language::Chinese => format!(
                "驗證通過：{} 為 {place} 提交了{what}，於 {committed} 簽署入冊（遲交與否以此為準），於 \
                 {accepted} 收齊{pending}{word}",
                ids.join("、")
            ),
        }
    }

    /// What follows where no clock but Blackboard's shows when the statement had come.
    fn word_alone(self, receipt: &VerifiedReceipt) -> &'static str {
        match receipt.is_word_alone() {
            true => self.pick(
                "; that it had come by then is Blackboard's word alone",
                "；其時已送達只憑 Blackboard 之言",
            ),
            false => "",
        }
    }

    fn what(self, compared: Compared, files: usize) -> String {
        match (self.0, compared, files) {
            (_, Compared::Folder, _) => self.pick("this folder", "此資料夾").to_owned(),
            (_, Compared::File, 1) => self.pick("this file", "此檔案").to_owned(),
            (_, Compared::Nothing, 1) => {
                let told = self.pick("the file with this SHA-256", "具有此 SHA-256 的檔案");
                told.to_owned()
            }
            (Language::English, Compared::File, more) => format!("this file, one of {more},"),
            (Language::Chinese, Compared::File, more) => format!("此檔案（{more} 個之一）"),
            (Language::English, Compared::Several { files }, more) if files == more => {
                format!("these files, all {more},")
            }
            (Language::English, Compared::Several { files }, more) => {
                format!("these files, {files} of {more},")
            }
            (Language::Chinese, Compared::Several { files }, more) if files == more => {
                format!("這些檔案（全部 {more} 個）")
            }
            (Language::Chinese, Compared::Several { files }, more) => {
                format!("這些檔案（{more} 個中的 {files} 個）")
            }
            (Language::English, Compared::Nothing, more) => {
                format!("the {more} files with these SHA-256")
            }
            (Language::Chinese, Compared::Nothing, more) => {
                format!("具有這些 SHA-256 的 {more} 個檔案")
            }
        }
    }

    /// What follows on a verdict for want of a witness, or of lists that last.
    pub(super) fn pending(self, witnessed: Option<&Witnessed>) -> &'static str {
        match witnessed {
            Some(witnessed) if witnessed.outlives_lists() => self.pick(
                "; its revocation lists ended BEFORE a witness saw it in the log",
                "；其撤銷清單在見證者見到日誌之前已到期",
            ),
            Some(_) => "",
            None => self.pick(
                "; PENDING: as many witnesses as are wanted have not seen it in the log yet",
                "；待完成：所需的見證者尚未（或尚未全部）在日誌中見到它",
            ),
        }
    }

    /// CUHK has seen it, and Blackboard waits for others.
    pub(super) fn awaited(self, missing: &[KeyName]) -> String {
        let names: Vec<_> = missing.iter().map(KeyName::as_str).collect();
        let names = names.join(", ");
        match self.0 {
            Language::English => {
                format!("; PENDING: CUHK has seen it in the log, {names} not yet")
            }
            Language::Chinese => format!("；待完成：中大已在日誌中見到它，{names} 尚未"),
        }
    }

    /// `why`: the sentence of the code, in the same language.
    pub(super) fn refused(
        self,
        (members, at): (&[String], &str),
        place: &str,
        why: &str,
    ) -> String {
        match self.0 {
            Language::English => format!(
                "it verifies: {} refused at {at} for {place} because {why}",
                members.join(", ")
            ),
            Language::Chinese => format!(
                "驗證通過：{} 為 {place} 的提交於 {at} 遭拒絕，因為{why}",
                members.join("、")
            ),
        }
    }

    /// Of what is recorded, and no more.
    pub(super) fn recorded(
        self,
        (members, at): (&[String], &str),
        place: &str,
        index: u64,
    ) -> String {
        match self.0 {
            Language::English => format!(
                "it verifies: Blackboard signed that it recorded on {at}, as entry {index} of the log of \
                 {place}, what {} had signed; it is NO receipt: that the files came is not in it",
                members.join(", ")
            ),
            Language::Chinese => format!(
                "驗證通過：Blackboard 簽署表示已於 {at} 把 {} 所簽署的記入 {place} 日誌第 {index} 項；這並非\
                 收據：檔案是否送達不在其中",
                members.join("、")
            ),
        }
    }

    /// Of rules or extensions that Blackboard has told.
    pub(super) fn announced(self, place: &str, index: u64, at: &str) -> String {
        match self.0 {
            Language::English => format!(
                "it verifies: Blackboard signed that this is entry {index} of the log of {place}, of {at}; a later \
                 entry may have changed it"
            ),
            Language::Chinese => format!(
                "驗證通過：Blackboard 簽署表示這是 {place} 日誌第 {index} 項，{at}；其後的項目可能已更改"
            ),
        }
    }

    pub(super) fn archive(self, export: &VerifiedExport) -> String {
        let (head, lost) = (export.head(), export.unknown_entries());
        let until = local_time(head.exported_at);
        match self.0 {
            Language::English => english_archive(head, lost, &until),
            Language::Chinese => chinese_archive(head, lost, &until),
        }
    }
}

fn english_archive(head: &Head, lost: u64, until: &str) -> String {
    let all = counted(head.accepted, "submission");
    match head.closed {
        _ if lost > 0 => format!(
            "it verifies, and is NOT final, and never can be unless receipts bring it back: {all} until \
             {until}; what {} said is LOST, and more may have been handed in",
            counted(lost, "further entry")
        ),
        Some(index) => {
            format!("it verifies, and is FINAL: {all}, and nothing came after entry {index}")
        }
        None => {
            format!("it verifies, and is NOT final: {all} until {until}; more may have come later")
        }
    }
}

fn chinese_archive(head: &Head, lost: u64, until: &str) -> String {
    let all = head.accepted;
    match head.closed {
        _ if lost > 0 => format!(
            "驗證通過，但並非最終；除非以收據補回，否則永不會是：截至 {until} 有 {all} 份提交；另有 {} 項紀錄的內容已遺失，\
             可能還有其他提交",
            lost
        ),
        Some(index) => format!("驗證通過，並為最終：{all} 份提交，第 {index} 項之後再無其他"),
        None => format!("驗證通過，但並非最終：截至 {until} 有 {all} 份提交；其後可能還有"),
    }
}

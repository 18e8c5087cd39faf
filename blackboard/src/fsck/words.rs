//! What `fsck` prints, in two languages. JSON has the English words.

use indicatif::HumanBytes;
use scb_cli::{counted, printable};
use scb_explain::Language;

use super::chinese::chinese;
use super::report::{Counts, Finding};

/// The words in one language.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Words(pub(crate) Language);

impl Words {
    /// A finding: its word and what it is about, what was found, what to do.
    pub(super) fn finding(self, finding: &Finding) -> [String; 3] {
        let Finding {
            code,
            about,
            found,
            remedy,
            ..
        } = finding;
        let (about, found) = (printable(about), printable(found));
        let head = format!("{code}  {about}");
        match (self.0, chinese(code)) {
            (Language::English, _) => [
                head,
                format!("  found  {found}"),
                format!("  do     {}", printable(remedy)),
            ],
            (Language::Chinese, Some((kind, what_to_do))) => [
                head,
                format!("  發現  {kind}（{found}）"),
                format!("  該做  {what_to_do}"),
            ],
            (Language::Chinese, None) => [
                head,
                format!("  發現  {found}"),
                format!("  該做  {}", printable(remedy)),
            ],
        }
    }

    /// How much was looked at, and what came of it.
    pub(super) fn summary(self, counts: &Counts, damages: u64, leftovers: u64) -> String {
        match self.0 {
            Language::English => english(counts, damages, leftovers),
            Language::Chinese => in_chinese(counts, damages, leftovers),
        }
    }

    /// How many things are not as they were stored.
    pub(super) fn damaged(self, damages: u64) -> String {
        match self.0 {
            Language::English => format!("{damages} not as stored"),
            Language::Chinese => format!("{damages} 項與儲存時不符"),
        }
    }

    /// Of a home that was put back and not compared since, after all of it.
    pub(super) fn perhaps_old(self) -> &'static str {
        self.0.pick(
            "That is what is HERE: this home was put back, and until `blackboard serve` has compared it with what \
             CUHK has seen, nobody knows whether what came later is missing",
            "以上僅指此處所存：此主目錄曾被還原，在 `blackboard serve` 與中大所見的比對之前，無人知道其後的內容有否遺失",
        )
    }

    /// What to do after all of it.
    pub(super) fn next(self) -> &'static str {
        self.0.pick(
            "do what each finding says, then run `blackboard fsck` again",
            "按每項發現所述處理，然後再次執行 `blackboard fsck`",
        )
    }
}

fn english(counts: &Counts, damages: u64, leftovers: u64) -> String {
    let looked_at = [
        counted(counts.submissions, "submission"),
        format!(
            "{} ({})",
            counted(counts.files, "file"),
            HumanBytes(counts.bytes)
        ),
        format!(
            "{} with {}",
            counted(counts.logs, "log"),
            plural(counts.entries, "entry", "entries")
        ),
    ];
    let found = match (damages, leftovers) {
        (0, 0) => "everything is as it was stored".to_owned(),
        (0, leftovers) => format!(
            "everything is as it was stored; {} over",
            plural(leftovers, "thing left", "things left")
        ),
        (damages, _) => format!("{damages} not as stored"),
    };
    format!("looked at {}: {found}", looked_at.join(", "))
}

fn in_chinese(counts: &Counts, damages: u64, leftovers: u64) -> String {
    let Counts {
        submissions,
        files,
        bytes,
        logs,
        entries,
    } = counts;
    let bytes = HumanBytes(*bytes);
    let found = match (damages, leftovers) {
        (0, 0) => "一切與儲存時相同".to_owned(),
        (0, leftovers) => format!("一切與儲存時相同；另有 {leftovers} 項殘留"),
        (damages, _) => format!("{damages} 項與儲存時不符"),
    };
    format!(
        "已檢查 {submissions} 次提交、{files} 個檔案（{bytes}）、{logs} 份日誌共 {entries} 個條目：{found}"
    )
}

fn plural(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

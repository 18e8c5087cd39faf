//! What is said of what came out: the receipt, its place, and what an outsider found.

use scb_cli::printable;
use scb_explain::Language;
use scb_protocol::statement::Files;
use scb_tlog::KeyName;

use super::{Words, padded};
use crate::engine::Uncounted;

/// Names of files that are told.
const NAMES: usize = 5;
/// Columns of the labels in front of results.
const LABEL: usize = 9;

impl Words {
    /// `Receipt  S-000001.zip`.
    pub(crate) fn receipt(self, name: &str) -> String {
        self.result(self.pick("Receipt", "收據"), name)
    }

    pub(crate) fn kept_in(self, path: &str) -> String {
        self.result(self.pick("kept in", "存於"), path)
    }

    /// What was handed in, so that a wrong file is noticed at once: names, not all of very many. What
    /// a folder hides is told, too.
    pub(crate) fn handed_in(self, files: &Files) -> String {
        let names = files.iter().map(|file| printable(file.name.as_ref()));
        let names: Vec<_> = names.take(NAMES).collect();
        let mut told = names.join(self.pick(", ", "、"));
        let more = files.len() - names.len();
        if more > 0 {
            told += &match self.0 {
                Language::English => format!(" and {more} more"),
                Language::Chinese => format!("及另外 {more} 個"),
            };
        }
        let is_hidden = |name: &str| name.split('/').any(|part| part.starts_with('.'));
        let hidden = files.iter().filter(|file| is_hidden(file.name.as_ref()));
        match (hidden.count(), self.0) {
            (0, _) => {}
            (count, Language::English) => {
                told += &format!(" ({count} hidden, with a dot in front)")
            }
            (count, Language::Chinese) => {
                told += &format!("（其中 {count} 個為隱藏檔案，名稱以點開頭）")
            }
        }
        self.result(self.pick("files", "檔案"), &told)
    }

    /// Of a member for whom what was handed in is not what counts.
    pub(crate) fn uncounted(self, one: &Uncounted) -> String {
        let sid = &one.sid;
        let told = match (self.0, one.number) {
            (Language::English, Some(number)) => {
                format!("it does NOT count for {sid}: {number} does")
            }
            (Language::English, None) => {
                format!("it does NOT count for {sid}, and nothing else does (`student history`)")
            }
            (Language::Chinese, Some(number)) => format!("不計入 {sid}：以 {number} 為準"),
            (Language::Chinese, None) => {
                format!("不計入 {sid}，亦沒有其他版本計算在內（`student history`）")
            }
        };
        self.result(self.pick("counts", "計算"), &told)
    }

    /// Of a receipt without CUHK's cosignature: what that means, and what comes next.
    pub(crate) fn pending(self) -> String {
        let told = self.pick(
            "accepted and signed by Blackboard; CUHK's cosignature has not come yet. Nothing is left to do: \
             the next `student` command that asks Blackboard completes it, such as `student receipts`",
            "Blackboard 已接受並簽署；中大的加簽尚未送達。毋須再做什麼：下一個連接 Blackboard 的 `student` 指令\
             （例如 `student receipts`）會自動補全收據",
        );
        self.result(self.pick("pending", "待完成"), told)
    }

    /// The same of one that CUHK has cosigned, and for which Blackboard waits for others.
    pub(crate) fn awaited(self, missing: &[KeyName]) -> String {
        let names: Vec<_> = missing.iter().map(KeyName::as_str).collect();
        let names = names.join(", ");
        let told = match self.0 {
            Language::English => format!(
                "accepted and signed by Blackboard, and CUHK has cosigned it; {names} has not yet. Nothing \
                 is left to do: the next `student` command that asks Blackboard completes it, such as \
                 `student receipts`"
            ),
            Language::Chinese => format!(
                "Blackboard 已接受並簽署，中大亦已加簽；{names} 尚未加簽。毋須再做什麼：下一個連接 Blackboard 的 \
                 `student` 指令（例如 `student receipts`）會自動補全收據"
            ),
        };
        self.result(self.pick("pending", "待完成"), &told)
    }

    /// Where the evidence that it was refused is.
    pub(crate) fn rejection_in(self, path: &str) -> String {
        match self.0 {
            Language::English => format!("refused; Blackboard signed that, kept in {path}"),
            Language::Chinese => format!("遭拒絕；Blackboard 已就此簽署，存於 {path}"),
        }
    }

    /// Where two signed words are that contradict each other: of when it was recorded, and the receipt.
    pub(crate) fn contradicts(self, [recorded, receipt]: &[String; 2]) -> String {
        match self.0 {
            Language::English => format!(
                "the receipt CONTRADICTS what Blackboard had signed; kept in {receipt} and {recorded}"
            ),
            Language::Chinese => {
                format!("收據與 Blackboard 先前所簽署的互相矛盾；存於 {receipt} 及 {recorded}")
            }
        }
    }

    /// Where two receipts of the same entry are, of which the later one has less in it.
    pub(crate) fn kept_beside(self, [before, now]: &[String; 2]) -> String {
        match self.0 {
            Language::English => format!(
                "the receipt that came has less in it (of the time, rules or extensions) than {before}: both are kept, \
                 it in {now}"
            ),
            Language::Chinese => format!(
                "收到的收據比 {before} 少了內容（時間、規則或延期）；兩份均已保留，新的一份存於 {now}"
            ),
        }
    }

    /// Where two signed words are of which rules are in force, and of which only one can be.
    pub(crate) fn rules_contradicted(self, [before, now]: &[String; 2]) -> String {
        match self.0 {
            Language::English => format!(
                "Blackboard CONTRADICTS what it had signed of the rules; kept in {before} and {now}"
            ),
            Language::Chinese => {
                format!("Blackboard 所說的作業規則與它先前所簽署的互相矛盾；存於 {before} 及 {now}")
            }
        }
    }

    pub(crate) fn trace_in(self, path: &str) -> String {
        self.result(self.pick("trace in", "記錄於"), path)
    }

    pub(crate) fn openssl_confirms(self) -> String {
        let english = "Verification successful";
        self.result(
            "openssl",
            self.pick(english, "驗證成功 (Verification successful)"),
        )
    }

    pub(crate) fn no_openssl(self) -> String {
        let found = self.pick("skipped: no openssl", "略過：沒有 openssl");
        self.result("openssl", found)
    }

    pub(crate) fn altered_is_refused(self) -> String {
        self.result(
            self.pick("altered", "經改動"),
            self.pick("refused, as it must be", "被拒絕，理應如此"),
        )
    }

    /// A label, and what stands behind it.
    pub(super) fn result(self, label: &str, value: &str) -> String {
        format!("{}{value}", padded(label, LABEL))
    }
}

#[cfg(test)]
mod tests {
    use scb_explain::width;

    use super::*;

    #[test]
    fn results_begin_in_the_same_column_in_both_languages() {
        for words in [Language::English, Language::Chinese].map(Words::of) {
            for line in [
                words.receipt("|"),
                words.kept_in("|"),
                words.trace_in("|"),
                words.altered_is_refused().replace(
                    words.pick("refused, as it must be", "被拒絕，理應如此"),
                    "|",
                ),
            ] {
                let (label, _) = line.split_once('|').expect("it was given");
                assert_eq!(width(label), LABEL, "{line}");
            }
            assert_eq!(width(words.step()), 4);
        }
    }
}

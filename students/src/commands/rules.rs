//! What the rules of an assignment say of time, in two languages.

use scb_cli::local_time;
use scb_explain::{Language, length};
use scb_protocol::rules::{Counts, Extension, LateRule, Per, Rules, Standing};

/// By how many seconds work is late, and what that costs in percent; null in JSON for what is not.
pub(super) fn lateness(standing: Standing) -> (Option<u64>, Option<u8>) {
    match standing {
        Standing::Late { by, costs } => (Some(by), Some(costs)),
        _ => (None, None),
    }
}

/// The words in one language.
#[derive(Clone, Copy, Debug)]
pub(super) struct RuleWords(Language);

impl RuleWords {
    pub(super) fn of(language: Language) -> Self {
        Self(language)
    }

    fn pick(self, english: &'static str, chinese: &'static str) -> String {
        self.0.pick(english, chinese).to_owned()
    }

    pub(super) fn due(self) -> String {
        self.pick("due", "限期")
    }

    pub(super) fn late(self) -> String {
        self.pick("late work", "逾期")
    }

    /// Due time and grace.
    pub(super) fn deadline(self, rules: &Rules) -> String {
        let Some(due) = rules.due else {
            return self.pick("no deadline", "不設限期");
        };
        let (due, grace) = (local_time(due), length(rules.grace, self.0));
        match (self.0, rules.grace) {
            (_, 0) => due,
            (Language::English, _) => format!("{due}, then {grace} of grace"),
            (Language::Chinese, _) => format!("{due}，另有 {grace} 寬限"),
        }
    }

    pub(super) fn late_work(self, rules: &Rules) -> String {
        let rule = match (self.0, rules.late) {
            (_, LateRule::None) if rules.due.is_none() => {
                return self.pick("nothing is ever late", "不會逾期");
            }
            (Language::English, LateRule::None) => return "is refused".to_owned(),
            (Language::Chinese, LateRule::None) => return "不接受".to_owned(),
            (Language::English, LateRule::Mark) => "is taken and marked as late".to_owned(),
            (Language::Chinese, LateRule::Mark) => "接受，並註明逾期".to_owned(),
            (language, LateRule::Penalty { percent, per, most }) => {
                penalty(language, percent, per, most)
            }
        };
        match (self.0, rules.cutoff.map(local_time)) {
            (_, None) => rule,
            (Language::English, Some(cutoff)) => format!("{rule}, until {cutoff}"),
            (Language::Chinese, Some(cutoff)) => format!("{rule}，至 {cutoff} 止"),
        }
    }

    /// Which of several versions counts.
    pub(super) fn counts(self, rules: &Rules) -> String {
        match rules.counts {
            Counts::Latest => self.pick("the latest version counts", "以最後一版為準"),
            Counts::First => self.pick("the first version counts", "以第一版為準"),
        }
    }

    /// What a student's own extension comes to under these rules.
    pub(super) fn extension(self, rules: &Rules, own: &Extension) -> String {
        if !rules.gives_time(own) {
            return self.no_more_time(&local_time(own.due));
        }
        let due = rules.due_for(Some(own)).unwrap_or(own.due);
        let due = local_time(due);
        match (self.0, rules.closes_for(Some(own)).map(local_time)) {
            (Language::English, None) => format!("has an extension: due {due}"),
            (Language::Chinese, None) => format!("獲延期至 {due}"),
            (Language::English, Some(closes)) => {
                format!("has an extension: due {due}, closes {closes}")
            }
            (Language::Chinese, Some(closes)) => format!("獲延期至 {due}，{closes} 截止"),
        }
    }

    /// What Blackboard says and has not signed.
    pub(super) fn unsigned(self, text: &str) -> String {
        match self.0 {
            Language::English => format!("{text} (NOT signed: Blackboard's word alone)"),
            Language::Chinese => format!("{text}（未經簽署：只憑 Blackboard 之言）"),
        }
    }

    /// By which entry of the log, as Blackboard has signed it.
    pub(super) fn announced(self, entry: u64, at: &str) -> String {
        match self.0 {
            Language::English => {
                format!("as Blackboard signed them: entry {entry} of the log, of {at}")
            }
            Language::Chinese => format!("經 Blackboard 簽署：日誌第 {entry} 項，{at}"),
        }
    }

    /// What is told of rules that came unsigned.
    pub(super) fn nothing_signed(self) -> String {
        self.pick(
            "NOT signed: Blackboard's word alone; `student assignments` shows what it signs",
            "未經簽署：只憑 Blackboard 之言；`student assignments` 顯示其所簽署的",
        )
    }

    pub(super) fn label(self) -> String {
        self.pick("rules", "規則")
    }

    /// The common deadline was moved beyond what he was given.
    fn no_more_time(self, due: &str) -> String {
        match self.0 {
            Language::English => {
                format!(
                    "had an extension to {due}: the common deadline is no earlier now, and counts"
                )
            }
            Language::Chinese => format!("曾獲延期至 {due}：共同限期現已不早於此，以共同限期為準"),
        }
    }
}

fn penalty(language: Language, percent: u8, per: Per, most: u8) -> String {
    let (per_english, per_chinese) = match per {
        Per::Day => ("day", "天"),
        Per::Hour => ("hour", "小時"),
    };
    match (language, most) {
        (Language::English, 100) => {
            format!("costs {percent}% of the full mark for each {per_english} begun")
        }
        (Language::English, most) => {
            format!(
                "costs {percent}% of the full mark for each {per_english} begun, {most}% at most"
            )
        }
        (Language::Chinese, 100) => format!("每{per_chinese}扣滿分的 {percent}%，不足亦計"),
        (Language::Chinese, most) => {
            format!("每{per_chinese}扣滿分的 {percent}%，不足亦計，最多 {most}%")
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rustls_pki_types::UnixTime;
    use scb_protocol::rules::{GroupSize, Terms};

    use super::*;

    #[test]
    fn what_is_never_due_is_never_late_and_has_no_deadline() {
        let group = GroupSize::new(1, 3).unwrap();
        let open = Terms::always_open("Lab".parse().unwrap(), group, 1);
        let open = open.check().unwrap();
        let words = RuleWords(Language::English);
        assert_eq!(words.deadline(&open), "no deadline");
        assert_eq!(words.late_work(&open), "nothing is ever late");
        let mut due = Terms::from(open);
        due.due = Some(UnixTime::since_unix_epoch(std::time::Duration::from_secs(
            1,
        )));
        let due = due.check().unwrap();
        assert_eq!(words.late_work(&due), "is refused");
    }
}

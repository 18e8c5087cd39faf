//! What the list of assignments says, in two languages.

use rustls_pki_types::UnixTime;
use scb_cli::{local_time, printable};
use scb_explain::{Language, length, width};
use scb_protocol::Refusal;
use scb_protocol::message::blackboard::{AlteredAssignment, ListedAssignment};
use scb_protocol::rules::{Extension, ExtensionChange, Groups, Rules, Standing};
use scb_protocol::{counted, from_seconds, grouped};

use crate::ClockOffset;
use crate::commands::rules::RuleWords;

/// Columns of the labels.
const LABEL: usize = 11;
/// An offset that is not worth a word, in seconds.
const NEGLIGIBLE: i64 = 2;

/// The words in one language.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words(Language);

impl Words {
    pub(super) fn of(language: Language) -> Self {
        Self(language)
    }

    fn pick(self, english: &'static str, chinese: &'static str) -> String {
        self.0.pick(english, chinese).to_owned()
    }

    /// What is said of rules.
    pub(super) fn of_rules(self) -> RuleWords {
        RuleWords::of(self.0)
    }

    /// A label and what stands behind it.
    pub(super) fn row(self, label: &str, text: &str) -> String {
        let pad = " ".repeat(LABEL.saturating_sub(width(label)));
        format!("  {label}{pad} {text}")
    }

    pub(super) fn length(self, seconds: u64) -> String {
        length(seconds, self.0)
    }

    /// Whose clock counts, and how far the one here is off.
    pub(super) fn clock(self, time: &str, offset: Option<ClockOffset>) -> String {
        let off = offset.map(ClockOffset::behind);
        let off = off.filter(|seconds| seconds.abs() > NEGLIGIBLE);
        let length = self.length(off.unwrap_or(0).unsigned_abs());
        match (self.0, off) {
            (Language::English, None) => {
                format!("It is {time} by Blackboard's clock, which counts.")
            }
            (Language::English, Some(behind)) => {
                let side = if behind > 0 { "behind" } else { "ahead" };
                format!(
                    "It is {time} by Blackboard's clock, which counts; the one here is {length} \
                     {side}."
                )
            }
            (Language::Chinese, None) => format!("以 Blackboard 的時鐘為準，現在是 {time}。"),
            (Language::Chinese, Some(behind)) => {
                let side = if behind > 0 { "慢" } else { "快" };
                format!("以 Blackboard 的時鐘為準，現在是 {time}；本機的{side}了 {length}。")
            }
        }
    }

    /// Where nothing is shown: whether there is something that has closed, and something that is held back, of
    /// which is told already.
    pub(super) fn nothing(self, closed: bool, held_back: bool) -> Option<&'static str> {
        match (closed, held_back) {
            (false, true) => None,
            (false, false) => Some(self.0.pick(
                "There is nothing that these students could hand in together.",
                "這些學生沒有可以一起提交的作業。",
            )),
            (true, false) => Some(self.0.pick(
                "Everything has closed; --all shows it.",
                "所有作業均已截止；--all 列出它們。",
            )),
            (true, true) => Some(self.0.pick(
                "Everything else has closed; --all shows it.",
                "其他作業均已截止；--all 列出它們。",
            )),
        }
    }

    /// What is not told, and why.
    pub(super) fn altered(self, one: &AlteredAssignment) -> String {
        let place = format!("{}/{}", one.course, one.assignment);
        match self.0 {
            Language::English => format!(
                "{place} is not shown: what Blackboard has stored of its rules is not what its log says, and \
                 nothing is judged by it. Tell your teacher at once. (rules_altered)"
            ),
            Language::Chinese => format!(
                "{place} 未有列出：Blackboard 所儲存的作業規則與其日誌所載不符，不會據此作出任何判定。\
                 請立即通知老師。（rules_altered）"
            ),
        }
    }

    /// What is told by rules that were not signed.
    pub(super) fn unsigned(self, why: &Refusal) -> String {
        let place = why.params.get("assignment");
        let place = printable(place.map_or("", String::as_str));
        match self.0 {
            Language::English => format!(
                "{place} is not shown: the rules that Blackboard tells are not those that it has signed. Believe no \
                 deadline that is shown elsewhere, and tell your IT service. (rules_unsigned)"
            ),
            Language::Chinese => format!(
                "{place} 未有列出：Blackboard 所說的規則與它所簽署的不符。勿信別處所示的限期，並通知資訊科技部門。\
                 （rules_unsigned）"
            ),
        }
    }

    pub(super) fn signed(self) -> String {
        self.pick("signed", "簽署")
    }

    /// By which entry of the log, and where Blackboard's signed word for that is kept.
    pub(super) fn announced(self, entry: u64, at: &str, path: &str) -> String {
        match self.0 {
            Language::English => format!("entry {entry} of the log, of {at}; kept in {path}"),
            Language::Chinese => format!("日誌第 {entry} 項，{at}；存於 {path}"),
        }
    }

    pub(super) fn state(self) -> String {
        self.pick("now", "現在")
    }

    pub(super) fn group(self) -> String {
        self.pick("group", "組員")
    }

    pub(super) fn files(self) -> String {
        self.pick("files", "檔案")
    }

    pub(super) fn changed(self) -> String {
        self.pick("changed", "曾更改")
    }

    pub(super) fn none(self) -> &'static str {
        self.0.pick("none", "無")
    }

    /// How it stands, and how long that lasts.
    pub(super) fn standing(
        self,
        standing: Standing,
        one: &ListedAssignment,
        now: UnixTime,
    ) -> String {
        let until = |moment: UnixTime| self.length(moment.as_secs().saturating_sub(now.as_secs()));
        let due = latest(one);
        match (self.0, standing) {
            (Language::English, Standing::NotYetOpen { opens }) => {
                format!("not yet open: in {}, {}", until(opens), local_time(opens))
            }
            (Language::Chinese, Standing::NotYetOpen { opens }) => {
                format!("尚未開放：{} 後，{}", until(opens), local_time(opens))
            }
            (Language::English, Standing::OnTime) => match due {
                Some(due) => format!("open, {} left", until(due)),
                None => "open, no deadline".to_owned(),
            },
            (Language::Chinese, Standing::OnTime) => match due {
                Some(due) => format!("接受提交，尚餘 {}", until(due)),
                None => "接受提交，不設限期".to_owned(),
            },
            (Language::English, Standing::Closed { since }) => {
                format!("closed since {}", local_time(since))
            }
            (Language::Chinese, Standing::Closed { since }) => {
                format!("已於 {} 截止", local_time(since))
            }
            (_, standing) => {
                let left = self.left(&one.rules, with_most_time(one, now), now);
                format!("{}{left}", self.member(standing))
            }
        }
    }

    /// How long what is past its due time is not late yet, or costs no more, and is taken at all; nothing of
    /// what is on time or closed.
    pub(super) fn left(self, rules: &Rules, own: Option<&Extension>, now: UnixTime) -> String {
        let until = |end: UnixTime| self.length(end.as_secs().saturating_sub(now.as_secs()));
        match (self.0, rules.judge(now, own)) {
            (language, Standing::WithinGrace) => {
                let left = rules.grace_ends_for(own).map(until).unwrap_or_default();
                match language {
                    Language::English => format!("; {left} of it left"),
                    Language::Chinese => format!("；寬限期尚餘 {left}"),
                }
            }
            (language, Standing::Late { .. }) => {
                let (dearer, closes) = (rules.dearer_for(now, own), rules.closes_for(own));
                let dearer = dearer.map(|(last, costs)| (until(last), costs));
                let mut told = match (language, dearer) {
                    (_, None) => String::new(),
                    (Language::English, Some((left, costs))) => {
                        format!("; in {left} it costs {costs} %")
                    }
                    (Language::Chinese, Some((left, costs))) => {
                        format!("；{left} 後扣 {costs} %")
                    }
                };
                told += &match (language, closes.map(until)) {
                    (Language::English, Some(left)) => format!("; taken for another {left}"),
                    (Language::English, None) => "; there is no cut-off".to_owned(),
                    (Language::Chinese, Some(left)) => format!("；尚可提交 {left}"),
                    (Language::Chinese, None) => "；不設截止時間".to_owned(),
                };
                told
            }
            _ => String::new(),
        }
    }

    /// How one student stands.
    pub(super) fn member(self, standing: Standing) -> String {
        crate::words::Words::of(self.0).standing(standing)
    }

    /// For how many it is, and which version counts. `here`: how many ask as one group.
    pub(super) fn members(self, rules: &Rules, here: Option<usize>) -> String {
        let (least, most) = (rules.group.least(), rules.group.most());
        let size = match (self.0, least == most) {
            (Language::English, true) => counted(most, "member"),
            (Language::English, false) => format!("{least} to {most} members"),
            (Language::Chinese, true) => format!("{most} 人"),
            (Language::Chinese, false) => format!("{least} 至 {most} 人"),
        };
        let counts = self.of_rules().counts(rules);
        let groups = match rules.groups {
            Groups::Kept if most > 1 => self.pick(", groups stay together", "，組別不變"),
            _ => String::new(),
        };
        let fits = match (self.0, here.filter(|here| !rules.group.allows(*here))) {
            (_, None) => String::new(),
            (Language::English, Some(here)) => format!("; these are {here}"),
            (Language::Chinese, Some(here)) => format!("；現為 {here} 人"),
        };
        match self.0 {
            Language::English => format!("{size}{groups}, {counts}{fits}"),
            Language::Chinese => format!("{size}{groups}，{counts}{fits}"),
        }
    }

    pub(super) fn kinds(self, rules: &Rules) -> String {
        let kinds: Vec<_> = rules.accept.iter().map(ToString::to_string).collect();
        let kinds = match kinds.is_empty() {
            true => self.pick("of every kind", "不限種類"),
            false => kinds.join(", "),
        };
        match self.0 {
            Language::English => format!("{kinds}; at most {}", counted(rules.max_bytes, "byte")),
            Language::Chinese => format!("{kinds}；最多 {} 位元組", grouped(rules.max_bytes)),
        }
    }

    /// Of a server that takes less than the rules allow.
    pub(super) fn takes_less(self, most: u64) -> String {
        match self.0 {
            Language::English => format!(
                "BUT this Blackboard takes {} at most now, and refuses more: tell your teacher",
                counted(most, "byte")
            ),
            Language::Chinese => format!(
                "但此 Blackboard 目前最多只接受 {} 位元組，超過即拒絕：請告知老師",
                grouped(most)
            ),
        }
    }

    /// What was said, by this entry of the log.
    pub(super) fn by_entry(self, text: &str, entry: u64) -> String {
        match self.0 {
            Language::English => format!("{text} (entry {entry} of the log)"),
            Language::Chinese => format!("{text}（日誌第 {entry} 項）"),
        }
    }

    /// What became of a student's extension, and by which entry of the log.
    pub(super) fn extension_change(self, change: &ExtensionChange) -> String {
        let told = |one: Option<&Extension>| {
            let Some(one) = one else {
                return self.none().to_owned();
            };
            let due = local_time(one.due);
            match (self.0, one.cutoff.map(local_time)) {
                (_, None) => due,
                (Language::English, Some(closes)) => format!("{due}, closes {closes}"),
                (Language::Chinese, Some(closes)) => format!("{due}，{closes} 截止"),
            }
        };
        let (was, is) = (told(change.was.as_ref()), told(change.is.as_ref()));
        let whose = match self.0 {
            Language::English => format!("the extension of {}", change.sid),
            Language::Chinese => format!(" {} 的延期", change.sid),
        };
        let at = local_time(from_seconds(change.at));
        self.change((&at, Some(change.entry)), &whose, &was, &is)
    }

    /// `entry`: the number under which the assignment's log holds it.
    pub(super) fn change(
        self,
        (at, entry): (&str, Option<u64>),
        field: &str,
        was: &str,
        is: &str,
    ) -> String {
        let entry = entry.map(|entry| self.by_entry("", entry));
        let entry = entry.unwrap_or_default();
        match self.0 {
            Language::English => format!("{at}: {field} was {was}, is {is}{entry}"),
            Language::Chinese => format!("{at}：{}由 {was} 改為 {is}{entry}", in_chinese(field)),
        }
    }
}

/// What a field of the rules is called.
pub(crate) fn in_chinese(field: &str) -> &str {
    match field {
        "title" => "名稱",
        "opens" => "開放時間",
        "due" => "限期",
        "grace" => "寬限期",
        "cutoff" => "截止時間",
        "late" => "逾期規則",
        "counts" => "計分版本",
        "group" => "人數",
        "groups" => "組別",
        "max_bytes" => "檔案上限",
        "accept" => "檔案種類",
        other => other,
    }
}

/// By whose extension the group stands as it does; `None` if by nobody's.
fn with_most_time(one: &ListedAssignment, now: UnixTime) -> Option<&Extension> {
    let group = one.rules.judge_group(now, &one.extensions);
    let mut own = one.extensions.iter();
    own.find(|own| one.rules.judge(now, Some(own)) == group)
}

/// The due time of the member with the most time.
pub(super) fn latest(one: &ListedAssignment) -> Option<UnixTime> {
    let own = one.extensions.iter();
    let own = own.filter_map(|own| one.rules.due_for(Some(own)));
    own.chain(one.rules.due).max()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use scb_protocol::rules::{GroupSize, Terms};
    use scb_protocol::{Code, Step, from_seconds};

    use super::*;

    #[test]
    fn what_is_left_of_grace_and_of_the_time_until_the_cut_off_is_told() {
        let at = from_seconds;
        let (day, group) = (86_400, GroupSize::new(1, 3).unwrap());
        let rules = |late: &str, cutoff: Option<u64>| {
            let terms = Terms {
                due: Some(at(1000)),
                grace: 600,
                late: late.parse().unwrap(),
                cutoff: cutoff.map(at),
                ..Terms::always_open("Lab".parse().unwrap(), group, 1)
            };
            terms.check().unwrap()
        };
        let (english, chinese) = (Words(Language::English), Words(Language::Chinese));
        let daily = rules("10%/day to 30%", Some(1000 + 3 * day));
        for (now, told) in [
            (1000, ""),
            (1300, "; 5 min of it left"),
            (1600, "; 0 s of it left"),
            (
                1000 + 3600,
                "; in 23 h 0 min it costs 20 %; taken for another 2 d 23 h",
            ),
            (
                1000 + day,
                "; in 0 s it costs 20 %; taken for another 2 d 0 h",
            ),
            (1001 + 2 * day, "; taken for another 23 h 59 min"),
            (1001 + 3 * day, ""),
        ] {
            assert_eq!(english.left(&daily, None, at(now)), told, "{now}");
        }
        assert_eq!(chinese.left(&daily, None, at(1300)), "；寬限期尚餘 5 分鐘");
        let late = chinese.left(&daily, None, at(1000 + 3600));
        assert_eq!(late, "；23 小時 0 分鐘 後扣 20 %；尚可提交 2 日 23 小時");
        let marked = rules("mark", None);
        let told = english.left(&marked, None, at(5000));
        assert_eq!(told, "; there is no cut-off");
        // Whoever has more time is told his own.
        let own = Extension {
            sid: "1155000001".parse().unwrap(),
            due: at(1500),
            cutoff: None,
        };
        let told = english.left(&daily, Some(&own), at(1600));
        assert_eq!(told, "; 8 min of it left");
    }

    #[test]
    fn what_is_not_shown_is_told_in_one_line() {
        let why = Refusal::new(Code::RulesUnsigned, Step::Six).with("assignment", "CSCI3150/lab-1");
        for (language, told) in [
            (Language::English, "Believe no deadline that"),
            (Language::Chinese, "資訊科技部門。（rules_unsigned）"),
        ] {
            let line = Words(language).unsigned(&why);
            assert!(
                line.starts_with("CSCI3150/lab-1 ") && line.contains(told),
                "{line}"
            );
            assert!(!line.contains("  ") && !line.contains('\n'), "{line}");
        }
    }

    #[test]
    fn a_change_is_told_in_one_language() {
        let told = |language| {
            let at = |entry| ("10:00", entry);
            let words = Words(language);
            [None, Some(7)].map(|entry| words.change(at(entry), "due", "11:00", "12:00"))
        };
        assert_eq!(
            told(Language::Chinese),
            [
                "10:00：限期由 11:00 改為 12:00",
                "10:00：限期由 11:00 改為 12:00（日誌第 7 項）"
            ]
        );
        assert_eq!(
            told(Language::English),
            [
                "10:00: due was 11:00, is 12:00",
                "10:00: due was 11:00, is 12:00 (entry 7 of the log)"
            ]
        );
    }
}

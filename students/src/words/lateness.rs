//! How work stands towards its deadline: in the same words wherever it is told.

use rustls_pki_types::UnixTime;
use scb_cli::local_time;
use scb_explain::{Language, length};
use scb_protocol::rules::{MemberStanding, Standing};
use scb_protocol::statement::{Label, SubmissionId};

use super::Words;
use crate::Loss;

impl Words {
    /// How one student stands.
    pub(crate) fn standing(self, standing: Standing) -> String {
        match (self.0, standing) {
            (_, Standing::NotYetOpen { .. }) => self.pick("not yet open", "尚未開放").to_owned(),
            (_, Standing::OnTime) => self.pick("on time", "準時").to_owned(),
            (_, Standing::WithinGrace) => {
                let told = self.pick("within the grace: not late", "寬限期內，不算遲交");
                told.to_owned()
            }
            (Language::English, Standing::Late { by, costs: 0 }) => {
                format!("late by {}", length(by, self.0))
            }
            (Language::Chinese, Standing::Late { by, costs: 0 }) => {
                format!("遲交 {}", length(by, self.0))
            }
            (Language::English, Standing::Late { by, costs }) => {
                format!("late by {}, which costs {costs} %", length(by, self.0))
            }
            (Language::Chinese, Standing::Late { by, costs }) => {
                format!("遲交 {}，扣 {costs} %", length(by, self.0))
            }
            (Language::English, Standing::Closed { since }) => {
                let since = local_time(since);
                format!("closed since {since}: does not count for this student")
            }
            (Language::Chinese, Standing::Closed { since }) => {
                format!("已於 {} 截止：不計入此學生", local_time(since))
            }
        }
    }

    /// How each of a group stands; what holds for all of them is told once.
    pub(crate) fn standings(self, each: &[MemberStanding]) -> String {
        let Some((first, others)) = each.split_first() else {
            return String::new();
        };
        if others.iter().all(|one| one.standing == first.standing) {
            return self.standing(first.standing);
        }
        let one = |one: &MemberStanding| format!("{} {}", one.sid, self.standing(one.standing));
        let each: Vec<_> = each.iter().map(one).collect();
        each.join(self.pick("; ", "；"))
    }

    /// What a member would lose by a version that takes the place of a better one.
    pub(crate) fn loss(self, loss: &Loss) -> String {
        let Loss { sid, number, .. } = loss;
        let [now, then] = [loss.now, loss.then].map(|standing| self.standing(standing));
        match self.0 {
            Language::English => format!(
                "{sid}: {number} counts now ({now}); this version would take its place ({then})"
            ),
            Language::Chinese => {
                format!("{sid}：現以 {number} 為準（{now}）；此版本會取代它（{then}）")
            }
        }
    }

    /// What was proposed cannot go on, and another proposal would be late.
    pub(crate) fn anew_is_late(
        self,
        submission: &SubmissionId,
        standings: &[MemberStanding],
    ) -> String {
        let then = self.standings(standings);
        match self.0 {
            Language::English => format!(
                "what Blackboard has stored of your proposal {submission} is not what was proposed \
                 (stored_damaged), so nobody can sign it any more; proposed anew it would be LATE ({then})"
            ),
            Language::Chinese => format!(
                "Blackboard 所存的提案 {submission} 與所提出的不符（stored_damaged），無人可再簽署；重新提出則屬遲交\
                 （{then}）"
            ),
        }
    }

    pub(crate) fn even_if_late(self) -> &'static str {
        self.pick(
            "Hand it in all the same? (y)es, Enter: no: ",
            "仍要提交？(y) 是，Enter：否：",
        )
    }

    /// Of what was recorded at this moment, which is the one that counts.
    pub(crate) fn recorded(self, each: &[MemberStanding], at: UnixTime) -> String {
        let (told, at) = (self.standings(each), local_time(at));
        let told = match self.0 {
            Language::English => format!("{told}; what counts is {at}, when it was recorded"),
            Language::Chinese => format!("{told}；以登記時間 {at} 為準"),
        };
        self.result(self.pick("lateness", "遲交"), &told)
    }

    /// Before it is sent. Blackboard takes it for a repetition of the version that counts alone, not of any that came
    /// before that.
    pub(crate) fn will_be_late(self, each: &[MemberStanding]) -> String {
        let told = self.standings(each);
        match self.0 {
            Language::English => format!(
                "this is LATE by Blackboard's clock: {told}; it keeps an earlier time only if it is the very same, \
                 files and members, as the version that counts for all of them now"
            ),
            Language::Chinese => format!(
                "按 Blackboard 的時鐘，此為遲交：{told}；只有與現時對全體組員計算在內的版本完全相同（檔案及組員），\
                 才以該版本的時間為準"
            ),
        }
    }

    /// What is signed without knowing its rules.
    pub(crate) fn not_listed(self, course: &Label, assignment: &Label) -> String {
        match self.0 {
            Language::English => format!(
                "Blackboard tells these students no rules of {course}/{assignment}: it takes nothing of them there. \
                 It is sent all the same, so that Blackboard says why"
            ),
            Language::Chinese => format!(
                "Blackboard 沒有告知這些學生 {course}/{assignment} 的規則：不會接受他們提交至此。現仍送出，由 Blackboard 說明原因"
            ),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use scb_protocol::from_seconds;

    use super::*;

    const LATE: Standing = Standing::Late { by: 1, costs: 50 };

    fn each(standings: &[Standing]) -> Vec<MemberStanding> {
        let sids = ["A", "B", "C"].iter().zip(standings);
        sids.map(|(sid, standing)| MemberStanding {
            sid: sid.parse().unwrap(),
            standing: *standing,
        })
        .collect()
    }

    #[test]
    fn what_it_costs_is_told_where_it_costs_something() {
        let [english, chinese] = [Language::English, Language::Chinese].map(Words::of);
        let marked = Standing::Late { by: 1, costs: 0 };
        assert_eq!(english.standing(LATE), "late by 1 s, which costs 50 %");
        assert_eq!(chinese.standing(LATE), "遲交 1 秒，扣 50 %");
        assert_eq!(english.standing(marked), "late by 1 s");
        assert_eq!(chinese.standing(marked), "遲交 1 秒");
    }

    #[test]
    fn an_earlier_time_is_promised_for_what_counts_alone() {
        for (language, only) in [
            (
                Language::English,
                "only if it is the very same, files and members, as the version that counts for all of them now",
            ),
            (
                Language::Chinese,
                "只有與現時對全體組員計算在內的版本完全相同（檔案及組員），才以該版本的時間為準",
            ),
        ] {
            let told = Words::of(language).will_be_late(&each(&[LATE]));
            assert!(told.ends_with(only), "{told}");
        }
    }

    #[test]
    fn what_holds_for_all_is_told_once_and_else_of_whom() {
        let words = Words::of(Language::English);
        let told = words.recorded(&each(&[LATE, LATE]), from_seconds(1_795_262_401));
        assert!(told.starts_with("lateness late by 1 s, which costs 50 %; "));
        let told = words.will_be_late(&each(&[LATE, Standing::OnTime]));
        assert!(
            told.contains("A late by 1 s, which costs 50 %; B on time; it keeps"),
            "{told}"
        );
    }
}

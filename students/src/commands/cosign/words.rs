//! What is said about proposals, in two languages.

use scb_certs::StudentId;
use scb_cli::{local_time, printable};
use scb_explain::{Language, width};
use scb_protocol::message::proposal::{
    CosignerStanding, ProposalStanding, ProposalState, RefusedSignature, Said,
};
use scb_protocol::rules::MemberStanding;
use scb_protocol::statement::SubmissionId;
use scb_protocol::{counted, grouped};

use super::OwnFile;
use crate::commands::rules::RuleWords;

/// Columns of the labels.
const LABEL: usize = 11;

/// The words in one language.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words(Language);

impl Words {
    pub(crate) fn of(language: Language) -> Self {
        Self(language)
    }

    /// The language.
    pub(super) fn language(self) -> Language {
        self.0
    }

    fn pick(self, english: &'static str, chinese: &'static str) -> &'static str {
        self.0.pick(english, chinese)
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

    pub(super) fn clock(self, time: &str) -> String {
        match self.0 {
            Language::English => format!("It is {time} by Blackboard's clock, which counts."),
            Language::Chinese => format!("以 Blackboard 的時鐘為準，現在是 {time}。"),
        }
    }

    pub(super) fn nothing(self) -> &'static str {
        self.pick(
            "Nothing waits for these students' signatures.",
            "沒有等待這些學生簽署的提案。",
        )
    }

    pub(super) fn work(self) -> &'static str {
        self.pick("for", "作業")
    }

    pub(super) fn file(self) -> &'static str {
        self.pick("file", "檔案")
    }

    pub(super) fn yours(self) -> &'static str {
        self.pick("your file", "你的檔案")
    }

    pub(super) fn versions(self) -> &'static str {
        self.pick("versions", "版本")
    }

    pub(super) fn counts(self) -> &'static str {
        self.pick("lateness", "遲交")
    }

    pub(super) fn files(self) -> &'static str {
        self.pick("files", "檔案")
    }

    pub(super) fn until(self) -> &'static str {
        self.pick("waits until", "等候至")
    }

    pub(super) fn to_sign(self) -> &'static str {
        self.pick("to sign", "簽署")
    }

    pub(super) fn to_finish(self) -> &'static str {
        self.pick("to finish", "完成")
    }

    pub(super) fn to_refuse(self) -> &'static str {
        self.pick("to refuse", "拒絕")
    }

    pub(super) fn later(self) -> &'static str {
        self.pick(
            "Not now: nothing was signed.",
            "暫不簽署：沒有簽署任何東西。",
        )
    }

    pub(super) fn size(self, name: &str, size: u64) -> String {
        match self.0 {
            Language::English => format!("{name}, {}", counted(size, "byte")),
            Language::Chinese => format!("{name}，{} 位元組", grouped(size)),
        }
    }

    /// How a file here compares with those that are to be signed.
    pub(super) fn compared(self, own: &OwnFile, is_one: bool) -> String {
        let name = printable(&own.path.to_string_lossy());
        match (self.0, is_one) {
            (Language::English, true) => format!("{name} is one of these files"),
            (Language::Chinese, true) => format!("{name} 與其中一個檔案相同"),
            (Language::English, false) => format!(
                "{name} is NONE of these files: its SHA-256 is {}",
                own.sha256
            ),
            (Language::Chinese, false) => {
                format!("{name} 與這些檔案都不相同：其 SHA-256 為 {}", own.sha256)
            }
        }
    }

    /// What to do where it is none of them.
    pub(super) fn other_file(self) -> &'static str {
        self.pick(
            "do not sign yet: ask who proposed it for the very file, and compare that",
            "暫勿簽署：請向提出者索取同一檔案，再作比較",
        )
    }

    pub(super) fn skipped(self, submission: &SubmissionId) -> String {
        match self.0 {
            Language::English => {
                format!(
                    "{submission}: your file is none of its files; you are not asked to sign it"
                )
            }
            Language::Chinese => format!("{submission}：你的檔案不在其中，不會請你簽署"),
        }
    }

    /// Whose turn it is where files have not come.
    pub(super) fn without_files(self, standing: &ProposalStanding) -> String {
        let proposers: Vec<_> = standing.proposers().iter().map(StudentId::as_str).collect();
        match self.0 {
            Language::English => format!(
                "they have not all come: the same `student submit` again, by {}, sends the rest",
                proposers.join(", ")
            ),
            Language::Chinese => format!(
                "尚未全部送達：{} 須再執行同一 `student submit` 指令，送出餘下部分",
                proposers.join("、")
            ),
        }
    }

    /// What has become of it, in one line.
    pub(crate) fn state(self, standing: &ProposalStanding) -> String {
        let silent = standing.members.iter();
        let silent = silent.filter(|member| member.said == Said::Nothing);
        let missing = silent.map(|member| {
            let refused = member.refused.as_ref().map(|it| self.was_refused(it));
            let refused =
                refused.map(|it| self.pick(" (", "（").to_owned() + &it + self.pick(")", "）"));
            format!("{}{}", member.sid, refused.unwrap_or_default())
        });
        let missing = missing.collect::<Vec<_>>().join(", ");
        let number = standing.number.map(|number| number.to_string());
        let number = number.unwrap_or_default();
        match (self.0, standing.state) {
            (Language::English, ProposalState::Waiting) => format!("waits for {missing}"),
            (Language::Chinese, ProposalState::Waiting) => format!("等待 {missing} 簽署"),
            (Language::English, ProposalState::Signed) => match standing.files_at {
                Some(_) => "signed by all; Blackboard has still to complete it".to_owned(),
                None => "signed by all; its files have not come yet".to_owned(),
            },
            (Language::Chinese, ProposalState::Signed) => match standing.files_at {
                Some(_) => "全組已簽署；Blackboard 尚未完成".to_owned(),
                None => "全組已簽署；檔案尚未送達".to_owned(),
            },
            (Language::English, ProposalState::Accepted) => format!("handed in as {number}"),
            (Language::Chinese, ProposalState::Accepted) => format!("已提交，編號 {number}"),
            (Language::English, ProposalState::Declined) => "declined: not handed in".to_owned(),
            (Language::Chinese, ProposalState::Declined) => "已被拒絕：沒有提交".to_owned(),
            (Language::English, ProposalState::Withdrawn) => "taken back: not handed in".to_owned(),
            (Language::Chinese, ProposalState::Withdrawn) => "已撤回：沒有提交".to_owned(),
            (Language::English, ProposalState::Lapsed) if missing.is_empty() => {
                match standing.files_at {
                    Some(_) => "signed by all, and not completed in time: not handed in",
                    None => "signed by all; its files did not come in time: not handed in",
                }
                .to_owned()
            }
            (Language::Chinese, ProposalState::Lapsed) if missing.is_empty() => {
                match standing.files_at {
                    Some(_) => "全組已簽署，但未能如期完成：沒有提交",
                    None => "全組已簽署，但檔案未能如期送達：沒有提交",
                }
                .to_owned()
            }
            (Language::English, ProposalState::Lapsed) => {
                "not signed by everybody in time, or before another version was handed in: not \
                 handed in"
                    .to_owned()
            }
            (Language::Chinese, ProposalState::Lapsed) => {
                "未能如期或在另一版本提交之前集齊簽署：沒有提交".to_owned()
            }
        }
    }

    /// What a member has said, when, and over whose connection.
    pub(crate) fn said(self, member: &CosignerStanding) -> String {
        let at = member.at.map(local_time).unwrap_or_default();
        let others = member.with.iter().filter(|sid| **sid != member.sid);
        let others: Vec<_> = others.map(StudentId::as_str).collect();
        let said = match (self.0, member.said) {
            (Language::English, Said::Nothing) => "has not signed".to_owned(),
            (Language::Chinese, Said::Nothing) => "尚未簽署".to_owned(),
            (Language::English, Said::Signed) => format!("signed {at}"),
            (Language::Chinese, Said::Signed) => format!("已於 {at} 簽署"),
            (Language::English, Said::Declined) => format!("declined {at}"),
            (Language::Chinese, Said::Declined) => format!("已於 {at} 拒絕"),
            (Language::English, Said::Withdrawn) => format!("took it back {at}"),
            (Language::Chinese, Said::Withdrawn) => format!("已於 {at} 撤回"),
        };
        let with = match (self.0, others.as_slice()) {
            (_, []) => String::new(),
            (Language::English, others) => {
                format!(", over one connection with {}", others.join(", "))
            }
            (Language::Chinese, others) => format!("，與 {} 同一連線", others.join("、")),
        };
        let reason = member
            .reason
            .as_ref()
            .map(|reason| printable(&reason.to_string()));
        let reason = reason
            .map(|reason| format!(": {reason}"))
            .unwrap_or_default();
        let refused = member.refused.as_ref().map(|it| self.was_refused(it));
        let refused = refused.map(|it| self.pick("; ", "；").to_owned() + &it);
        format!("{said}{with}{reason}{}", refused.unwrap_or_default())
    }

    /// He wanted to sign.
    fn was_refused(self, refused: &RefusedSignature) -> String {
        let (at, code) = (local_time(refused.at), refused.code);
        let whose = match code.is_of_somebody() {
            true => self.pick(
                ", for him or for somebody who has signed it",
                "，屬其本人或已簽署的組員",
            ),
            false => "",
        };
        match self.0 {
            Language::English => format!("tried on {at}: refused, {code}{whose}"),
            Language::Chinese => format!("曾於 {at} 簽署，遭拒：{code}{whose}"),
        }
    }

    pub(super) fn last_signature(self) -> String {
        self.pick(
            "what counts is when the last member signs; if that were now:",
            "以最後一位組員簽署的時刻為準；若為此刻：",
        )
        .to_owned()
    }

    /// What lateness would cost this member.
    pub(super) fn would_be(self, member: &MemberStanding, is_known: bool) -> String {
        let lateness = crate::words::Words::of(self.0).standing(member.standing);
        let text = format!("{} {lateness}", member.sid);
        match (self.0, is_known) {
            (_, true) => text,
            (Language::English, false) => {
                format!("{text} (by the common deadline; an extension is not shown to others)")
            }
            (Language::Chinese, false) => format!("{text}（按共同限期；個人延期不向他人顯示）"),
        }
    }

    pub(super) fn question(self, submission: &SubmissionId, sids: &str) -> String {
        match self.0 {
            Language::English => {
                format!("\n{submission}: sign it as {sids}? (y)es, (r)efuse, Enter for not now: ")
            }
            Language::Chinese => {
                format!("\n{submission}：以 {sids} 簽署？(y) 簽署，(r) 拒絕，Enter 暫不：")
            }
        }
    }

    /// After somebody has said no.
    pub(super) fn ended(self, sids: &[StudentId], standing: &ProposalStanding) -> String {
        let (state, id) = (self.state(standing), standing.submission);
        let sids: Vec<_> = sids.iter().map(StudentId::as_str).collect();
        match self.0 {
            Language::English => format!("Recorded for {}: {id}  {state}", sids.join(", ")),
            Language::Chinese => format!("已為 {} 記錄：{id}  {state}", sids.join("、")),
        }
    }

    /// Of what somebody wants to end that has ended.
    pub(super) fn over(self, standing: &ProposalStanding) -> String {
        let (state, id) = (self.state(standing), standing.submission);
        match self.0 {
            Language::English => format!("Nothing to do: {id}  {state}"),
            Language::Chinese => format!("毋須再做什麼：{id}  {state}"),
        }
    }

    /// After a signature with which it was not handed in: how it stands, and whose turn it is.
    pub(crate) fn recorded(self, standing: &ProposalStanding) -> Vec<String> {
        let (id, state) = (standing.submission, self.state(standing));
        let waits = standing.state == ProposalState::Waiting;
        let lines = match (waits, standing.files_at) {
            (false, Some(_)) => vec![self.completes_itself()],
            (false, None) => vec![self.proposer_goes_on(standing)],
            (true, Some(_)) => vec![self.others_sign(standing)],
            (true, None) => vec![self.others_sign(standing), self.proposer_goes_on(standing)],
        };
        let first = match (self.0, waits || standing.files_at.is_none()) {
            (Language::English, true) => format!("Proposal {id}  {state}; NOT handed in yet."),
            (Language::English, false) => format!("Proposal {id}  {state}."),
            (Language::Chinese, true) => format!("提案 {id}  {state}；尚未提交。"),
            (Language::Chinese, false) => format!("提案 {id}  {state}。"),
        };
        std::iter::once(first).chain(lines).collect()
    }

    /// Nothing but Blackboard's last word is missing.
    fn completes_itself(self) -> String {
        self.pick(
            "It does so by itself, and the time of the last signature counts. The same command \
             again gets the receipt.",
            "它會自行完成，並以最後一位簽署的時刻為準。其後再執行同一指令即可取得收據。",
        )
        .to_owned()
    }

    fn others_sign(self, standing: &ProposalStanding) -> String {
        let until = local_time(standing.until);
        match self.0 {
            Language::English => format!(
                "They run `student cosign` until {until}. What counts for lateness is when the last \
                 one signs. The same command again gets the receipt."
            ),
            Language::Chinese => format!(
                "他們須在 {until} 前執行 `student cosign`。遲交與否以最後一位簽署的時刻為準。其後再執行\
                 同一指令即可取得收據。"
            ),
        }
    }

    /// Its files were cut off: nobody's signature brings them.
    fn proposer_goes_on(self, standing: &ProposalStanding) -> String {
        let (until, files) = (local_time(standing.until), self.without_files(standing));
        match self.0 {
            Language::English => format!("Its files: {files}, until {until}."),
            Language::Chinese => format!("檔案{files}，限 {until} 前。"),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use scb_protocol::from_seconds;

    use super::*;

    const BOTH: [Words; 2] = [Words(Language::English), Words(Language::Chinese)];

    /// Signed by `A`, who proposed it, and by `B` where nobody is missing.
    fn standing(state: ProposalState, files_at: Option<u64>) -> ProposalStanding {
        let member = |sid: &str, at: u64| {
            let has_signed = state == ProposalState::Signed || sid == "A";
            let sid: StudentId = sid.parse().unwrap();
            CosignerStanding {
                said: if has_signed {
                    Said::Signed
                } else {
                    Said::Nothing
                },
                at: has_signed.then(|| from_seconds(at)),
                with: has_signed.then(|| sid.clone()).into_iter().collect(),
                reason: None,
                refused: None,
                sid,
            }
        };
        ProposalStanding {
            submission: "5f2b6c0e9d8a4b7c8e1f0a2b3c4d5e6f".parse().unwrap(),
            state,
            proposed_at: from_seconds(1_795_262_401),
            until: from_seconds(1_795_262_999),
            files_at: files_at.map(from_seconds),
            number: None,
            members: vec![member("A", 1_795_262_401), member("B", 1_795_262_500)],
        }
    }

    fn told(words: Words, state: ProposalState, files_at: Option<u64>) -> String {
        words.recorded(&standing(state, files_at)).join("\n")
    }

    #[test]
    fn who_has_signed_in_time_is_not_told_that_it_was_not_signed() {
        for words in BOTH {
            let state = |standing: &ProposalStanding| words.state(standing);
            let mut lapsed = standing(ProposalState::Signed, None);
            lapsed.state = ProposalState::Lapsed;
            let without_files = state(&lapsed);
            lapsed.files_at = Some(from_seconds(1_795_262_402));
            let with_files = state(&lapsed);
            lapsed.members[1].said = Said::Nothing;
            let unsigned = state(&lapsed);
            assert_ne!(without_files, with_files);
            for told in [&without_files, &with_files] {
                assert_ne!(*told, unsigned);
                assert!(told.contains("signed by all") || told.contains("全組已簽署"));
            }
        }
    }

    #[test]
    fn whose_turn_it_is_is_told_as_it_is() {
        let came = Some(1_795_262_402);
        for words in BOTH {
            let waits = told(words, ProposalState::Waiting, came);
            assert!(waits.contains("student cosign") && !waits.contains("student submit"));
            let cut_off = told(words, ProposalState::Signed, None);
            assert!(cut_off.contains("student submit") && !cut_off.contains("student cosign"));
            assert!(cut_off.contains('A') && !cut_off.contains('B'), "{cut_off}");
            let both = told(words, ProposalState::Waiting, None);
            assert!(both.contains("student cosign") && both.contains("student submit"));
            let complete = told(words, ProposalState::Signed, came);
            assert!(!complete.contains("student cosign") && !complete.contains("student submit"));
        }
    }
}

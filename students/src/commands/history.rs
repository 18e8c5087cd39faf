//! `student history`: every version of what these students have handed in, and which one counts.

mod acknowledged;
mod lost;
mod unfinished;
mod waiting;

use scb_cli::{Term, local_time, printable, rfc3339, say};
use scb_explain::Language;
use scb_protocol::message::blackboard::{ListedDetached, ListedFile, ListedVersion, OwnStanding};
use scb_protocol::message::proposal::CosignerStanding;
use scb_protocol::{counted, from_seconds, grouped};
use serde_json::{Value, json};

use super::cosign::{ProposalWords, add_not_shown_to};
use super::verify::names;
use super::{Prepared, quiet, say_json};
use crate::Error;
use crate::cli::{Common, Own};
use crate::engine::Missing;
use crate::show::Show;
use crate::words::padded;

pub(super) fn run(common: &Common, arguments: &Own, term: Term) -> Result<(), Error> {
    let mut prepared = Prepared::to_look(common, term)?;
    prepared.engine.setup.blackboard()?;
    let mut show = Show::new(common);
    let mut observer = quiet(common, &mut show);
    let only = (common.course.clone(), common.assignment.clone());
    let (group, (told, (waiting, left_out))) =
        prepared.ask(&arguments.ids, &mut observer, |engine, group, observer| {
            let told = engine.history(group, only.clone(), observer)?;
            Ok((told, waiting::ask(engine, group, &only, observer)?))
        })?;
    // By what has come in these very sessions, too.
    let missing = prepared.engine.missing(&told.versions)?;
    let versions = told.versions.iter();
    let mut versions = versions.map(|version| (version, missing.get(&version.number)));
    if common.json {
        let versions: Vec<Value> = versions.map(as_json).collect();
        let unfinished = unfinished::all_as_json(&told);
        let (open, ended) = waiting::all_as_json(&waiting);
        let mut json = json!({
            "time": rfc3339(told.time),
            "versions": versions,
            "unfinished": unfinished,
            "more_unfinished": told.more_unfinished,
            "proposals": open,
            "ended_proposals": ended,
            "lost": lost::all_as_json(&told.lost),
            "acknowledged": acknowledged::all_as_json(&told),
        });
        add_not_shown_to(&mut json, left_out.iter());
        return say_json(&json);
    }
    let words = Words(common.explain.language.language());
    waiting::say_left_out(&left_out, &group, words)?;
    let is_nothing = told.versions.is_empty() && told.unfinished.is_empty() && told.lost.is_empty();
    if is_nothing && told.acknowledged.is_empty() && waiting.is_empty() {
        return Ok(say(words.nothing())?);
    }
    versions.try_for_each(|version| say_version(version, words))?;
    let mut lost = told.lost.iter();
    lost.try_for_each(|one| lost::say_one(one, words))?;
    acknowledged::untold(&told).try_for_each(|one| acknowledged::say_one(one, words))?;
    let mut unfinished = told.unfinished.iter();
    unfinished.try_for_each(|one| {
        unfinished::say_one(one, told.time, words)?;
        let signed = acknowledged::of(&told, one);
        signed.map_or(Ok(()), |signed| acknowledged::say_path(signed, words))
    })?;
    if let more @ 1.. = told.more_unfinished {
        say(&words.more_unfinished(more))?;
    }
    let mut waiting = waiting.iter();
    waiting.try_for_each(|one| waiting::say_one(one, words))
}

/// A version, and what is missing of its receipt.
type Told<'a> = (&'a ListedVersion, Option<&'a Missing>);

fn say_version((version, missing): Told<'_>, words: Words) -> Result<(), Error> {
    let members: Vec<_> = version.members.iter().map(ToString::to_string).collect();
    say(&format!(
        "{}  {}  {}/{}  {}",
        version.number,
        local_time(from_seconds(version.committed_at)),
        version.course,
        version.assignment,
        members.join(",")
    ))?;
    say_files(&version.files, (version.file_count, version.size), words)?;
    for one in &version.signatures {
        let said = ProposalWords::of(words.0).said(one);
        say(&words.line(words.signature(), &format!("{} {said}", one.sid)))?;
    }
    let is_out = |own: &OwnStanding| version.detached.iter().any(|out| out.sid == own.sid);
    for own in version.standings.iter().filter(|own| !is_out(own)) {
        say(&format!("  {:<9} {}", own.sid, words.standing(own)))?;
    }
    if version.unjudged {
        say(&words.line(words.rules(), words.unjudged()))?;
    }
    for out in &version.detached {
        say(&format!("  {:<9} {}", out.sid, words.detached(out)))?;
    }
    let receipt = words.line(words.receipt(), &words.missing(missing));
    Ok(say(&receipt)?)
}

/// Those that were told, and how many more there are.
fn say_files(files: &[ListedFile], (count, size): (u32, u64), words: Words) -> Result<(), Error> {
    for file in files {
        let name = printable(file.name.as_ref());
        say(&words.line(words.file(), &format!("{name}, {}", words.bytes(file.size))))?;
    }
    let listed = u32::try_from(files.len()).unwrap_or(u32::MAX);
    if let more @ 1.. = count.saturating_sub(listed) {
        say(&words.line(words.file(), &words.more(more, size)))?;
    }
    Ok(())
}

fn as_json((version, missing): Told<'_>) -> Value {
    let standing = |own: &OwnStanding| {
        json!({
            "sid": own.sid,
            "counts": own.counts,
            "state": own.standing().as_str(),
            "late_seconds": own.late,
            "costs_percent": own.costs,
            "closed_since": own.closed_since.map(|since| rfc3339(from_seconds(since))),
        })
    };
    json!({
        "submission": version.number,
        "course": version.course,
        "assignment": version.assignment,
        "committed_at": rfc3339(from_seconds(version.committed_at)),
        "accepted_at": rfc3339(from_seconds(version.accepted_at)),
        "members": version.members,
        "file_count": version.file_count,
        "size": version.size,
        "files": version.files,
        "standings": version.standings.iter().map(standing).collect::<Vec<_>>(),
        "unjudged": version.unjudged,
        "detached": version.detached.iter().map(detached_as_json).collect::<Vec<_>>(),
        "receipt_pending": missing.is_some(),
        "awaited": match missing {
            Some(Missing::Others(others)) => Some(names(others)),
            _ => None,
        },
        "signatures": version.signatures.iter().map(signature_as_json).collect::<Vec<_>>(),
    })
}

/// A member for whom it does not count any more.
fn detached_as_json(out: &ListedDetached) -> Value {
    json!({"sid": out.sid, "at": rfc3339(from_seconds(out.at)), "reason": out.reason})
}

/// Of a group on several machines: when a member signed, and who was verified on his connection, the one
/// who opened it first.
fn signature_as_json(one: &CosignerStanding) -> Value {
    json!({"sid": one.sid, "at": one.at.map(rfc3339), "with": one.with})
}

/// What is said, in one language.
#[derive(Clone, Copy)]
struct Words(Language);

impl Words {
    fn nothing(self) -> &'static str {
        self.0.pick(
            "Nothing of these students has been handed in. What waits for signatures: `student cosign`",
            "這些學生尚未提交任何作業。等待簽署的提案：`student cosign`",
        )
    }

    /// A line below a version: what it is, in as many columns in either language, and what it says.
    fn line(self, label: &str, text: &str) -> String {
        format!("  {} {text}", padded(label, 9))
    }

    fn file(self) -> &'static str {
        self.0.pick("file", "檔案")
    }

    fn signature(self) -> &'static str {
        self.0.pick("signature", "簽署")
    }

    fn receipt(self) -> &'static str {
        self.0.pick("receipt", "收據")
    }

    fn rules(self) -> &'static str {
        self.0.pick("rules", "規則")
    }

    /// In the place of how late it was, and whether it counts.
    fn unjudged(self) -> &'static str {
        self.0.pick(
            "NOT SHOWN: what Blackboard has stored of them is not what its log says. Whether this counts and how late it \
             was is judged by nothing until that is mended; it stays handed in, with its time. Tell your teacher at \
             once (rules_altered)",
            "不予顯示：Blackboard 所儲存的規則與其日誌所載不符。修正前不會判定此版本是否計算在內或遲交多久；\
             提交及其時間不受影響。請立即通知老師（rules_altered）",
        )
    }

    fn bytes(self, bytes: u64) -> String {
        match self.0 {
            Language::English => counted(bytes, "byte"),
            Language::Chinese => format!("{} 位元組", grouped(bytes)),
        }
    }

    fn more(self, more: u32, size: u64) -> String {
        let size = self.bytes(size);
        match self.0 {
            Language::English => format!("and {more} more; all together {size}"),
            Language::Chinese => format!("另有 {more} 個；合共 {size}"),
        }
    }

    /// How the receipt stands.
    fn missing(self, missing: Option<&Missing>) -> String {
        let told = match missing {
            None => self.0.pick("complete", "完整"),
            Some(Missing::Receipt) => self.0.pick(
                "pending, and not kept here: `student receipts --fetch` shows who is awaited",
                "待完成，此處沒有收據：`student receipts --fetch` 會顯示尚欠哪位見證者",
            ),
            Some(Missing::Cuhk) => self.0.pick(
                "pending: CUHK's cosignature has not come yet",
                "待完成：中大的加簽尚未送達",
            ),
            Some(Missing::Others(others)) => {
                let others = names(others).join(", ");
                return match self.0 {
                    Language::English => {
                        format!("pending: CUHK has cosigned it, {others} has not yet")
                    }
                    Language::Chinese => format!("待完成：中大已加簽，{others} 尚未加簽"),
                };
            }
        };
        told.to_owned()
    }

    fn detached(self, out: &ListedDetached) -> String {
        let (at, reason) = (local_time(from_seconds(out.at)), &out.reason);
        let reason = printable(&reason.to_string());
        match self.0 {
            Language::English => {
                format!("does not count since {at}, by the teacher's word: {reason}")
            }
            Language::Chinese => format!("自 {at} 起由教師定為不計算：{reason}"),
        }
    }

    fn standing(self, own: &OwnStanding) -> String {
        let lateness = crate::words::Words::of(self.0).standing(own.standing());
        if own.closed_since.is_some() {
            // That it does not count, and why.
            return lateness;
        }
        let counts = match own.counts {
            true => self.0.pick("counts", "計算在內"),
            false => self.0.pick(
                "does not count: another version does",
                "不計算：以另一版本為準",
            ),
        };
        format!("{counts}{}{lateness}", self.0.pick("; ", "；"))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn who_is_awaited_is_named_and_nobody_who_has_signed_is_said_not_to_have() {
        let others = Missing::Others(vec!["library.example/witness".parse().unwrap()]);
        let told = [Language::English, Language::Chinese]
            .map(|language| Words(language).missing(Some(&others)));
        let expected = [
            "pending: CUHK has cosigned it, library.example/witness has not yet",
            "待完成：中大已加簽，library.example/witness 尚未加簽",
        ];
        assert_eq!(told, expected);
        let words = Words(Language::English);
        assert_eq!(words.missing(None), "complete");
        let cuhk = words.missing(Some(&Missing::Cuhk));
        assert_eq!(cuhk, "pending: CUHK's cosignature has not come yet");
    }

    #[test]
    fn what_came_within_the_grace_is_told_in_the_words_of_a_hand_in() {
        let mut own = OwnStanding {
            sid: "1155000001".parse().unwrap(),
            counts: true,
            late: 0,
            costs: 0,
            within_grace: true,
            closed_since: None,
        };
        let words = [Language::English, Language::Chinese].map(Words);
        let told = words.map(|words| words.standing(&own));
        let expected = [
            "counts; within the grace: not late",
            "計算在內；寬限期內，不算遲交",
        ];
        assert_eq!(told, expected);
        own.within_grace = false;
        let told = words.map(|words| words.standing(&own));
        assert_eq!(told, ["counts; on time", "計算在內；準時"]);
    }
}

//! What Blackboard signed to have recorded, and of which it does not tell any more, or tells something
//! else.

use scb_cli::{local_time, printable, rfc3339, say};
use scb_explain::Language;
use scb_protocol::message::blackboard::ListedUnfinished;
use serde_json::{Value, json};

use super::Words;
use crate::Error;
use crate::engine::{Acknowledged, Since, ToldHistory};

/// The evidence of what is told as unfinished.
pub(super) fn of<'a>(told: &'a ToldHistory, one: &ListedUnfinished) -> Option<&'a Acknowledged> {
    let mut all = told.acknowledged.iter();
    all.find(|kept| is_of(kept, one) && kept.since == Since::Nothing)
}

/// The same entry: one that was recorded anew is another one.
fn is_of(kept: &Acknowledged, one: &ListedUnfinished) -> bool {
    kept.commitment.submission() == one.submission
        && kept.commitment.committed_at().as_secs() == one.committed_at
}

/// Those that are told of as nothing, or as something else.
pub(super) fn untold(told: &ToldHistory) -> impl Iterator<Item = &Acknowledged> {
    let is_told = |kept: &Acknowledged| {
        let mut unfinished = told.unfinished.iter();
        kept.since == Since::Nothing && unfinished.any(|one| is_of(kept, one))
    };
    told.acknowledged.iter().filter(move |kept| !is_told(kept))
}

pub(super) fn say_one(one: &Acknowledged, words: Words) -> Result<(), Error> {
    let statement = one.commitment.statement();
    let members: Vec<_> = one.commitment.members().map(ToString::to_string).collect();
    say(&format!(
        "{}  {}  {}/{}  {}",
        words.recorded(),
        local_time(one.commitment.committed_at()),
        statement.course,
        statement.assignment,
        members.join(",")
    ))?;
    let state = match &one.since {
        Since::Contradicted { receipt, .. } => {
            words.contradicted(&printable(&receipt.to_string_lossy()))
        }
        _ => words.untold().to_owned(),
    };
    say(&words.line(words.state(), &state))?;
    say_path(one, words)
}

/// Where the evidence is.
pub(super) fn say_path(one: &Acknowledged, words: Words) -> Result<(), Error> {
    let path = printable(&one.path.to_string_lossy());
    Ok(say(&words.line(words.signed(), &path))?)
}

pub(super) fn all_as_json(told: &ToldHistory) -> Vec<Value> {
    let one = |one: &Acknowledged| {
        let statement = one.commitment.statement();
        let contradicted_by = match &one.since {
            Since::Contradicted { receipt, .. } => Some(receipt.to_string_lossy()),
            _ => None,
        };
        json!({
            "submission_id": one.commitment.submission(),
            "course": statement.course,
            "assignment": statement.assignment,
            "committed_at": rfc3339(one.commitment.committed_at()),
            "index": one.commitment.entry().1,
            "members": one.commitment.members().collect::<Vec<_>>(),
            "file": one.path.to_string_lossy(),
            "contradicted_by": contradicted_by,
        })
    };
    untold(told).map(one).collect()
}

impl Words {
    fn recorded(self) -> &'static str {
        self.0.pick("RECORDED", "已登記")
    }

    fn signed(self) -> &'static str {
        self.0.pick("signed", "簽署")
    }

    fn untold(self) -> &'static str {
        self.0.pick(
            "Blackboard signed that it recorded this, and tells nothing of it now: if its time was not over \
             and none of you gave it up, it was LOST there. The file kept here proves that it was recorded: \
             show it, and your files, to your teacher",
            "Blackboard 曾簽署表示已記錄這份內容，現在卻沒有提及：如當時仍未逾期，而你們亦無人放棄，即已在該處遺失。\
             這裡的檔案證明它曾被記錄：請連同檔案交給老師",
        )
    }

    fn contradicted(self, receipt: &str) -> String {
        match self.0 {
            Language::English => format!(
                "the receipt {receipt} CONTRADICTS it: keep both, each is Blackboard's own signed word, and \
                 show them to your teacher"
            ),
            Language::Chinese => format!(
                "收據 {receipt} 與它互相矛盾：兩者都是 Blackboard 親自簽署，請一併保留並交給老師看"
            ),
        }
    }
}

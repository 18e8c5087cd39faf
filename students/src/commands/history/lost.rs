//! What receipts that are kept here prove, and Blackboard does not have any more.

use scb_cli::{local_time, printable, rfc3339, say};
use scb_explain::Language;
use serde_json::{Value, json};

use super::Words;
use crate::{Error, Lost};

pub(super) fn say_one(one: &Lost, words: Words) -> Result<(), Error> {
    let members: Vec<_> = one.members.iter().map(ToString::to_string).collect();
    say(&format!(
        "{}  {}  {}/{}  {}",
        one.number,
        local_time(one.committed_at),
        one.course,
        one.assignment,
        members.join(",")
    ))?;
    say(&words.line(words.is_lost(), words.what_proves_it()))?;
    let path = printable(&one.receipt.to_string_lossy());
    Ok(say(&words.line(words.receipt(), &path))?)
}

pub(super) fn all_as_json(lost: &[Lost]) -> Vec<Value> {
    let one = |one: &Lost| {
        json!({
            "submission": one.number,
            "course": one.course,
            "assignment": one.assignment,
            "committed_at": rfc3339(one.committed_at),
            "accepted_at": rfc3339(one.accepted_at),
            "members": one.members,
            "receipt": one.receipt.to_string_lossy(),
        })
    };
    lost.iter().map(one).collect()
}

impl Words {
    fn is_lost(self) -> &'static str {
        match self.0 {
            Language::English => "LOST",
            Language::Chinese => "遺失",
        }
    }

    fn what_proves_it(self) -> &'static str {
        self.0.pick(
            "Blackboard does not have it any more; the receipt kept here proves that it was handed \
             in: show it, and your files, to your teacher",
            "Blackboard 已沒有這份提交；這裡的收據證明曾經提交：請連同檔案交給老師",
        )
    }
}

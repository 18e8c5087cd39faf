//! Whose signature is bound to be refused, and why: nobody is asked for one in vain.

use scb_certs::StudentId;
use scb_explain::{remedy, told};
use scb_protocol::Refusal;
use serde_json::{Value, json};

use super::Waiting;
use super::words::Words;

impl Waiting {
    pub(super) fn is_refused(&self, sid: &StudentId) -> bool {
        self.refused.iter().any(|(refused, _)| refused == sid)
    }
}

/// What is shown in the place of how to sign it.
pub(super) fn rows(one: &Waiting, words: Words) -> Vec<(&'static str, String)> {
    let language = words.language();
    let mut rows = Vec::new();
    for (sid, why) in &one.refused {
        let text = format!("{sid} {}", words.would_be_refused(&told(why, language)));
        rows.push((words.in_vain(), text));
        rows.push(("", remedy(why.code, language).to_owned()));
    }
    rows
}

pub(super) fn as_json(one: &Waiting, words: Words) -> Value {
    let language = words.language();
    let refused = |(sid, why): &(StudentId, Refusal)| {
        json!({
            "sid": sid,
            "code": why.code,
            "about": why.sid,
            "message": told(why, language),
            "remedy": remedy(why.code, language),
        })
    };
    one.refused.iter().map(refused).collect()
}

impl Words {
    fn in_vain(self) -> &'static str {
        self.language().pick("not to sign", "不能簽署")
    }

    fn would_be_refused(self, why: &str) -> String {
        self.language()
            .pick("would be refused: ", "的簽署會被拒絕：")
            .to_owned()
            + why
    }
}

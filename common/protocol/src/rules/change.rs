//! What was changed in rules, told value by value.

use rustls_pki_types::UnixTime;
use scb_certs::StudentId;
use serde::{Deserialize, Serialize};

use super::{Extension, Rules};
use crate::object::objects;
use crate::time::rfc3339;

/// One value of an assignment's rules that became another. Values are written as in the rules;
/// one that is not there is empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
pub struct Change {
    /// When it was changed: seconds since 1970 by Blackboard's clock.
    pub at: u64,
    /// What was changed, by its name in the rules.
    pub field: String,
    /// What it was.
    pub was: String,
    /// What it is since.
    pub is: String,
    /// The number of the entry of the assignment's log that says so; absent where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<u64>,
}

/// A student's extension that took the place of another, or was taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
pub struct ExtensionChange {
    /// When: seconds since 1970 by Blackboard's clock.
    pub at: u64,
    /// Whose it is.
    pub sid: StudentId,
    /// What he had; absent for none any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<Extension>,
    /// What he has since; absent for none any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is: Option<Extension>,
    /// The number of the entry of the assignment's log that says so.
    pub entry: u64,
}

objects!(Change, ExtensionChange);

impl Change {
    /// Whether lateness, and what it costs, is judged by what was changed.
    pub fn judges(&self) -> bool {
        ["opens", "due", "grace", "cutoff", "late"].contains(&self.field.as_str())
    }
}

/// Each value that differs between rules and those in whose place they came at that moment.
pub fn changes(before: &Rules, now: &Rules, at: UnixTime) -> Vec<Change> {
    let values = values(before).into_iter().zip(values(now));
    values
        .filter(|((_, was), (_, is))| was != is)
        .map(|((field, was), (_, is))| Change {
            at: at.as_secs(),
            field: field.to_owned(),
            was,
            is,
            entry: None,
        })
        .collect()
}

/// Each value of these rules, as changes name and write it; one that is not there is empty.
pub(crate) fn values(rules: &Rules) -> [(&'static str, String); 11] {
    let moment = |moment: Option<UnixTime>| moment.map(rfc3339).unwrap_or_default();
    let accept: Vec<_> = rules.accept.iter().map(ToString::to_string).collect();
    [
        ("title", rules.title.to_string()),
        ("opens", moment(rules.opens)),
        ("due", moment(rules.due)),
        ("grace", rules.grace.to_string()),
        ("cutoff", moment(rules.cutoff)),
        ("late", rules.late.to_string()),
        ("counts", rules.counts.to_string()),
        ("group", rules.group.to_string()),
        ("groups", rules.groups.to_string()),
        ("max_bytes", rules.max_bytes.to_string()),
        ("accept", accept.join(",")),
    ]
}

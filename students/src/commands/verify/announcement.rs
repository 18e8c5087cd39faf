//! Blackboard's signed word which rules are in force, or who has more time: what it says, since when, and
//! where that is entered.

use scb_certs::Fingerprint;
use scb_cli::{local_time, rfc3339};
use scb_protocol::announcement::{Said, VerifiedAnnouncement};
use serde_json::json;

use super::{line, say_all, words_of};
use crate::Error;
use crate::cli::{Common, Verify};
use crate::commands::say_json;

pub(super) fn run(
    common: &Common,
    arguments: &Verify,
    zip: &[u8],
    roots: &[Fingerprint],
) -> Result<(), Error> {
    if !arguments.files.is_empty() || arguments.openssl {
        return Err(Error::ArchiveAlone);
    }
    let announcement = VerifiedAnnouncement::verify(zip, roots).map_err(Error::ReceiptRefused)?;
    if common.json {
        return say_json(&as_json(&announcement));
    }
    say_all(announcement.checks(), words_of(common))?;
    line(words_of(common).label(), &verdict(&announcement, common))
}

fn verdict(announcement: &VerifiedAnnouncement, common: &Common) -> String {
    let (log, index) = announcement.entry();
    let place = format!("{}/{}", log.course(), log.assignment());
    let at = local_time(announcement.at());
    words_of(common).announced(&place, index, &at)
}

fn as_json(announcement: &VerifiedAnnouncement) -> serde_json::Value {
    let (log, index) = announcement.entry();
    let (rules, extensions) = match announcement.said() {
        Said::Rules(rules) => (Some(rules), None),
        Said::Extended(extended) => (None, Some(extended)),
    };
    json!({
        "verified": true,
        "log": log,
        "index": index,
        "leaf_sha256": announcement.leaf_sha256(),
        "at": rfc3339(announcement.at()),
        "signed_at": rfc3339(announcement.signed_at()),
        "service": announcement.service(),
        "course": log.course(),
        "assignment": log.assignment(),
        "rules": rules,
        "extensions": extensions,
    })
}

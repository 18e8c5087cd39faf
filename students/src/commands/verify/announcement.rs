//! Blackboard's signed word which rules are in force, or who has more time: what it says, since when, and
//! where that is entered.

use scb_certs::Fingerprint;
use scb_cli::{local_time, rfc3339};
use scb_protocol::announcement::{Said, VerifiedAnnouncement};
use serde_json::json;

use super::{require_unwitnessed, tell_alone, words_of};
use crate::cli::{Common, Verify};
use crate::{Error, Kept};

pub(super) fn run(
    common: &Common,
    arguments: &Verify,
    zip: &[u8],
    roots: &[Fingerprint],
) -> Result<(), Error> {
    require_unwitnessed(arguments, Kept::Rules)?;
    let announcement = VerifiedAnnouncement::verify(zip, roots).map_err(Error::ReceiptRefused)?;
    let told = (&*verdict(&announcement, common), &as_json(&announcement));
    tell_alone(common, announcement.checks(), told)
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

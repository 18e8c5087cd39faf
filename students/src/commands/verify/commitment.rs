//! Blackboard's signed word that it recorded a statement: whose, of which files, when, and where that is
//! entered.

use scb_certs::Fingerprint;
use scb_cli::{local_time, rfc3339};
use scb_protocol::commitment::VerifiedCommitment;
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
    require_unwitnessed(arguments, Kept::Recorded)?;
    let commitment = VerifiedCommitment::verify(zip, roots).map_err(Error::ReceiptRefused)?;
    let told = (&*verdict(&commitment, common), &as_json(&commitment));
    tell_alone(common, commitment.checks(), told)
}

fn verdict(commitment: &VerifiedCommitment, common: &Common) -> String {
    let members: Vec<_> = commitment.signed_by().map(ToString::to_string).collect();
    let (log, index) = commitment.entry();
    let place = format!("{}/{}", log.course(), log.assignment());
    let at = local_time(commitment.committed_at());
    words_of(common).recorded((&members, &at), &place, index)
}

fn as_json(commitment: &VerifiedCommitment) -> serde_json::Value {
    let statement = commitment.statement();
    json!({
        "verified": true,
        "committed_at": rfc3339(commitment.committed_at()),
        "log": commitment.entry().0,
        "index": commitment.entry().1,
        "leaf_sha256": commitment.leaf_sha256(),
        "statement_sha256": commitment.statement_sha256(),
        "submission_id": commitment.submission(),
        "service": statement.service,
        "course": statement.course,
        "assignment": statement.assignment,
        "members": commitment.members().collect::<Vec<_>>(),
        "signed_by": commitment.signed_by().collect::<Vec<_>>(),
        "files": statement.files,
    })
}

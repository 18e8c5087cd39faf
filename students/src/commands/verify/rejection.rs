//! Blackboard's signed word that it refused: for whom, what, when and why.

use scb_certs::{Fingerprint, StudentId};
use scb_cli::{local_time, rfc3339};
use scb_explain::sentence;
use scb_protocol::receipt::{WitnessPolicy, Witnessed};
use scb_protocol::rejection::VerifiedRejection;
use serde_json::json;

use super::{by_witnesses, names, require_alone, tell_alone, witnesses, words_of};
use crate::cli::{Common, Verify};
use crate::{Error, Kept};

pub(super) fn run(
    common: &Common,
    arguments: &Verify,
    zip: &[u8],
    (roots, policy): (&[Fingerprint], &WitnessPolicy),
) -> Result<(), Error> {
    require_alone(arguments, Kept::Refused)?;
    let verify = |policy: &_| VerifiedRejection::verify(zip, roots, policy);
    let rejection = by_witnesses(policy, verify, VerifiedRejection::witnessed)?;
    let told = (&*verdict(&rejection, common), &as_json(&rejection));
    tell_alone(common, rejection.checks(), told)
}

fn verdict(rejection: &VerifiedRejection, common: &Common) -> String {
    let words = words_of(common);
    let members = rejection.members().iter().map(StudentId::to_string);
    let members = members.collect::<Vec<_>>();
    let (code, log) = (rejection.code(), rejection.entry().0);
    let place = format!("{}/{}", log.course(), log.assignment());
    let why = sentence(code, common.explain.language.language());
    let at = local_time(rejection.refused_at());
    let told = words.refused((&members, &at), &place, why);
    let pending = match rejection.awaited() {
        Some(missing) => words.awaited(missing),
        None => words.pending(rejection.witnessed()).to_owned(),
    };
    format!("{told} [{code}]{pending}")
}

fn as_json(rejection: &VerifiedRejection) -> serde_json::Value {
    let statement = rejection.statement();
    json!({
        "verified": true,
        "refused": rejection.code(),
        "refused_at": rfc3339(rejection.refused_at()),
        "log": rejection.entry().0,
        "index": rejection.entry().1,
        "pending": rejection.witnessed().is_none(),
        "awaited": rejection.awaited().map(names),
        "lists_ended_before_witness": rejection.witnessed().map(Witnessed::outlives_lists),
        "witnesses": rejection.witnessed().map(|witnessed| witnesses(&witnessed.by)),
        "service": statement.service,
        "course": statement.course,
        "assignment": statement.assignment,
        "members": rejection.members(),
        "files": statement.files,
    })
}

//! `student enrol`: steps 1 and 2.

use std::collections::BTreeSet;

use scb_certs::StudentId;
use scb_cli::{Term, local_time, rfc3339, say};
use serde_json::json;

use super::{Prepared, say_failure, say_json};
use crate::cli::{Common, Enrol};
use crate::engine::{EnrolOptions, Revoked, already_certified};
use crate::show::Show;
use crate::words::Words;
use crate::{Codes, Engine, Error, Group, Observer, Protection, identity};

pub(super) fn run(common: &Common, arguments: &Enrol, term: Term) -> Result<(), Error> {
    let mut prepared = Prepared::new(common, term)?;
    let group = prepared.group(&arguments.ids)?;
    let mut options = EnrolOptions {
        replace: match arguments.replace {
            true => group.ids().iter().cloned().collect(),
            false => BTreeSet::new(),
        },
        protection: match arguments.protect {
            true => Protection::Required,
            false => Protection::FilesOnly,
        },
    };
    let mut show = Show::new(common);
    let Prepared { codes, engine } = &mut prepared;
    if !arguments.replace {
        let revoked = revoked(engine, &group);
        if !common.json {
            revoked.iter().try_for_each(|one| say(&told(one)))?;
        }
        options.replace = revoked.into_iter().map(|(sid, _)| sid).collect();
        for sid in unrecorded(engine, codes, &group, &options.replace) {
            if !common.json {
                say(&format!(
                    "{sid} CUHK has no record of the certificate here, as after a backup was put \
                     back: a new key takes its place, with the code"
                ))?;
            }
            options.replace.insert(sid);
        }
    }
    enrol_missing(engine, codes, &group, &options, &mut |event| {
        show.event(event)
    })?;
    let met = meet_blackboard(common, engine);
    if common.json {
        let mut told = certified(engine, group.ids())?;
        told["blackboard"] = json!(met.as_ref().map(Result::is_ok));
        say_json(&told)?;
    } else if arguments.new_device {
        say("This machine has certificates of its own now; those of other machines stay good.")?;
        say("A machine that is lost: ask your department to revoke its certificate.")?;
    }
    match met {
        Some(Err(error)) if !common.json => {
            let words = Words::of(common.explain.language.language());
            say(words.not_remembered())?;
            say_failure(error, words.language())
        }
        _ => Ok(()),
    }
}

/// The address of `--blackboard` is remembered for the hand-ins to come, once Blackboard has proved
/// itself there. Nobody is left without a certificate for that.
fn meet_blackboard(common: &Common, engine: &mut Engine) -> Option<Result<(), Error>> {
    let address = common.blackboard.clone()?;
    let is_new = engine.setup.sandbox.is_none();
    is_new.then(|| engine.meet_blackboard(address))
}

/// Those whose certificate here was revoked for good: a certificate that is no use to them is in
/// the place of none. Where CUHK cannot be asked, what is here counts as it did.
fn revoked(engine: &mut Engine, group: &Group) -> Vec<(StudentId, Revoked)> {
    let mut revoked = engine.revoked(group).unwrap_or_default();
    revoked.retain(|(_, revoked)| !revoked.is_on_hold());
    revoked
}

/// Those with a code on the sheet and a certificate here of which CUHK has no record. Where it cannot be
/// asked, what is here counts as it did.
fn unrecorded(
    engine: &mut Engine,
    codes: &Codes,
    group: &Group,
    revoked: &BTreeSet<StudentId>,
) -> Vec<StudentId> {
    let has_code = |sid: &&StudentId| codes.sheet().is_some_and(|sheet| sheet.code(sid).is_some());
    let asked = group.ids().iter().filter(|sid| !revoked.contains(*sid));
    let asked: Vec<_> = asked.filter(has_code).cloned().collect();
    engine.unrecorded(&asked).unwrap_or_default()
}

fn told((sid, revoked): &(StudentId, Revoked)) -> String {
    let Revoked { serial, at, reason } = revoked;
    format!(
        "{sid} certificate {serial} was revoked at {} ({reason}): a new key takes its place, with a \
         new code",
        local_time(*at)
    )
}

/// Enrols those of the group who need it: all codes first, then one connection.
pub(crate) fn enrol_missing(
    engine: &mut Engine,
    codes: &Codes,
    group: &Group,
    options: &EnrolOptions,
    observer: &mut Observer<'_>,
) -> Result<(), Error> {
    if options.replace.is_empty() {
        engine.renew_due(group, observer)?;
    }
    let missing = engine.without_certificate(group, options)?;
    if missing.is_empty() {
        observer(&already_certified(group.ids().len()));
        return Ok(());
    }
    // Before anybody types a code.
    engine.setup.cuhk()?;
    engine.setup.server_trust()?;
    let mut students = Vec::new();
    for sid in missing {
        let code = codes.code(&sid)?;
        students.push((sid, code));
    }
    engine.enrol(students, options, observer)
}

/// The certificates that are here now.
pub(super) fn certified(engine: &Engine, ids: &[StudentId]) -> Result<serde_json::Value, Error> {
    let mut students = Vec::new();
    for sid in ids {
        if let Some(chain) = identity::chain(&engine.setup.home, sid)? {
            students.push(json!({
                "sid": sid,
                "cert_sha256": chain.leaf().fingerprint(),
                "expires": rfc3339(chain.leaf().not_after()),
            }));
        }
    }
    Ok(json!({ "students": students }))
}

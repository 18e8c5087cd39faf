//! `student submit`: steps 1 to 6.

use std::path::{Path, PathBuf};

use rustls_pki_types::UnixTime;
use scb_certs::StudentId;
use scb_cli::{Term, printable, rfc3339, say, write_atomic};
use scb_protocol::rules::MemberStanding;
use scb_protocol::{Fact, StepEvent};
use scb_transport::{Clock, SystemClock};
use serde_json::json;

use super::cosign::{ProposalWords, proposal_as_json};
use super::enrol::enrol_missing;
use super::loss::IfDearer;
use super::rules::lateness;
use super::{IfPrivateKeys, Prepared, enrolled_here, say_json};
use crate::cli::{Common, Submit};
use crate::engine::{EnrolOptions, HandIn, HandedIn, KeptReceipt, Uncounted};
use crate::interactive::Place;
use crate::show::Show;
use crate::trace::Recorder;
use crate::words::Words;
use crate::{Codes, Engine, Error, Event, Group, Selection};

pub(super) fn run(common: &Common, arguments: &Submit, term: Term) -> Result<(), Error> {
    let words = Words::of(common.explain.language.language());
    let mut prepared = Prepared::new(common, term)?;
    let group = prepared.group(&arguments.ids)?;
    let trace = arguments.trace.as_deref().map(Trace::new);
    prepared.engine.setup.recorder = trace.as_ref().map(|trace| trace.recorder.clone());
    let paths = match arguments.files.as_slice() {
        [] => common.report.as_slice(),
        files => files,
    };
    let elsewhere = elsewhere(&group, &arguments.with)?;
    let place = (common.course.clone(), common.assignment.clone());
    let if_dearer = match arguments.even_if_late {
        true => IfDearer::HandIn,
        false => IfDearer::asks(term.interactive && !common.json),
    };
    let if_keys = match arguments.with_private_keys {
        true => IfPrivateKeys::HandIn,
        false => IfPrivateKeys::asks(term.interactive && !common.json),
    };
    let who = (&group, elsewhere.as_slice());
    let asked = (if_dearer, if_keys);
    let result = job(&mut prepared, common, who, (paths, &place), asked);
    let traced = trace.map(|trace| trace.write(&result, common)).transpose();
    say_handed_in(&result?, common)?;
    if let (Some(path), false) = (traced?, common.json) {
        say_place(path, |path| words.trace_in(path))?;
    }
    Ok(())
}

/// Members who sign elsewhere: none of them here, each once.
fn elsewhere(group: &Group, with: &[StudentId]) -> Result<Vec<StudentId>, Error> {
    let whole = group.ids().iter().chain(with).cloned().collect();
    Group::new(whole)?;
    Ok(with.to_vec())
}

/// What has come of it: the receipt, or who has still to sign.
pub(super) fn say_handed_in(handed_in: &HandedIn, common: &Common) -> Result<(), Error> {
    let language = common.explain.language.language();
    match (handed_in, common.json) {
        (HandedIn::Kept(kept), true) => say_json(&as_json(kept)),
        (HandedIn::Waits(standing), true) => say_json(&proposal_as_json(standing)),
        (HandedIn::Kept(kept), false) => {
            let words = Words::of(language);
            say("")?;
            say_kept(kept, words)
        }
        (HandedIn::Waits(standing), false) => {
            say("")?;
            let lines = ProposalWords::of(language).recorded(standing);
            lines.iter().try_for_each(|line| Ok(say(line)?))
        }
    }
}

/// The receipt, where it is, and whether anything is still to come of it.
pub(crate) fn say_kept(kept: &KeptReceipt, words: Words) -> Result<(), Error> {
    say_receipt(kept, words)?;
    say_place(&kept.path, |path| words.kept_in(path))?;
    say(&words.handed_in(&kept.receipt.statement().files))?;
    if !kept.standings.is_empty() {
        let at = kept.receipt.committed_at();
        say(&words.recorded(&kept.standings, at))?;
    }
    for one in &kept.uncounted {
        say(&words.uncounted(one))?;
    }
    say_pending(kept, words)
}

/// Says that its witnesses have not signed yet, if so.
pub(super) fn say_pending(kept: &KeptReceipt, words: Words) -> Result<(), Error> {
    match (kept.receipt.witnessed(), kept.receipt.awaited()) {
        (None, Some(missing)) => Ok(say(&words.awaited(missing))?),
        (None, None) => Ok(say(&words.pending())?),
        (Some(_), _) => Ok(()),
    }
}

fn say_place(path: &Path, line: impl Fn(&str) -> String) -> Result<(), Error> {
    Ok(say(&line(&printable(&path.to_string_lossy())))?)
}

/// `--trace FILE`. What was refused is traced as well.
struct Trace<'a> {
    path: &'a Path,
    recorder: Recorder,
    began: UnixTime,
}

impl<'a> Trace<'a> {
    fn new(path: &'a Path) -> Self {
        Self {
            path,
            recorder: Recorder::new(),
            began: SystemClock.now(),
        }
    }

    fn write(self, result: &Result<HandedIn, Error>, common: &Common) -> Result<&'a Path, Error> {
        match result {
            Ok(HandedIn::Kept(kept)) => self.recorder.receipt(&kept.bytes),
            Ok(HandedIn::Waits(_)) => {}
            Err(error) => {
                for refusal in error.refusals() {
                    self.recorder.event(&StepEvent::refused(refusal));
                }
            }
        }
        let language = common.explain.language.language();
        let page = self.recorder.page(language, self.began);
        write_atomic(self.path, page.as_bytes(), 0o644)?;
        Ok(self.path)
    }
}

/// Enrols who needs it, hashes the files, hands in.
pub(super) fn whole_job(
    prepared: &mut Prepared,
    common: &Common,
    group: &Group,
    place: &Place,
    asked: (IfDearer, IfPrivateKeys),
) -> Result<KeptReceipt, Error> {
    let paths = common.report.as_slice();
    job(prepared, common, (group, &[]), (paths, place), asked)?.kept()
}

/// The same for a group of which some sign elsewhere.
fn job(
    prepared: &mut Prepared,
    common: &Common,
    (group, elsewhere): (&Group, &[StudentId]),
    (paths, (course, assignment)): (&[PathBuf], &Place),
    (if_dearer, if_keys): (IfDearer, IfPrivateKeys),
) -> Result<HandedIn, Error> {
    // Before anything is changed: an address that is missing is missing later as well.
    prepared.engine.setup.blackboard()?;
    let chosen = Selection::choose(paths, prepared.sandboxed(group))?;
    let words = Words::of(common.explain.language.language());
    let chosen = if_keys.check(chosen, (&prepared.engine.setup.home, words))?;
    let mut show = Show::new(common);
    let Prepared { codes, engine } = prepared;
    let recorder = engine.setup.recorder.clone();
    let mut observer = watch(&mut show, recorder.as_ref());
    let options = EnrolOptions::default();
    engine.renew_due(group, &mut observer)?;
    let missing = engine.without_certificate(group, &options)?;
    if !missing.is_empty() {
        engine.setup.check_size(group)?;
        say_who_is_here(engine, codes, &missing, common)?;
    }
    enrol_missing(engine, codes, group, &options, &mut observer)?;
    engine.ask_whether_taken(group, &chosen, (course.as_ref(), assignment.as_ref()))?;
    drop(observer);
    let mut report = chosen.hash()?;
    if_dearer.hand_in(words, |consent| {
        let hand_in = HandIn::new(&mut report, course.clone(), assignment.clone());
        let hand_in = hand_in.with(elsewhere).by(consent);
        if if_dearer.was_asked(consent) {
            show.goes_again();
        }
        let mut observer = watch(&mut show, recorder.as_ref());
        engine.hand_in_or_propose(group, hand_in, &mut observer)
    })
}

/// Shows each event, and records it where somebody wants a trace. What is done once the receipt is here, such as giving
/// up what this version replaces, goes over connections whose steps are those that were shown.
fn watch<'a>(show: &'a mut Show, recorder: Option<&'a Recorder>) -> impl FnMut(&Event) + 'a {
    move |event| {
        show.event(event);
        let Some(event) = event.step_event() else {
            return;
        };
        if matches!(event.fact, Fact::ReceiptKept { .. }) {
            show.goes_again();
        }
        if let Some(recorder) = recorder {
            recorder.event(event);
        }
    }
}

/// Before a code is asked for: where others are enrolled, an ID that is not may be mistyped.
fn say_who_is_here(
    engine: &Engine,
    codes: &Codes,
    missing: &[StudentId],
    common: &Common,
) -> Result<(), Error> {
    let has_code = |sid: &&StudentId| codes.sheet().is_some_and(|sheet| sheet.code(sid).is_some());
    let here = enrolled_here(&engine.setup.home)?;
    let asked = missing.iter().filter(|sid| !has_code(sid));
    let (over, unknown): (Vec<_>, Vec<_>) = asked.partition(|sid| here.contains(sid));
    let words = Words::of(common.explain.language.language());
    if common.json {
        return Ok(());
    }
    if !over.is_empty() {
        say(&words.certificate_over(&over))?;
    }
    let others: Vec<_> = here
        .into_iter()
        .filter(|sid| !over.contains(&sid))
        .collect();
    if !others.is_empty() && !unknown.is_empty() {
        say(&words.not_enrolled_here(&unknown, &others))?;
    }
    Ok(())
}

/// `Receipt  S-000001.zip`.
pub(super) fn say_receipt(kept: &KeptReceipt, words: Words) -> Result<(), Error> {
    let name = kept.path.file_name().unwrap_or_default();
    Ok(say(&words.receipt(&name.to_string_lossy()))?)
}

pub(super) fn as_json(kept: &KeptReceipt) -> serde_json::Value {
    let statement = kept.receipt.statement();
    let members: Vec<_> = statement.members.iter().map(|member| &member.sid).collect();
    json!({
        "submission": kept.receipt.number(),
        "submission_id": statement.submission,
        "course": statement.course,
        "assignment": statement.assignment,
        "members": members,
        "files": statement.files,
        "committed_at": rfc3339(kept.receipt.committed_at()),
        "accepted_at": rfc3339(kept.receipt.accepted_at()),
        "standings": kept.standings.iter().map(standing_as_json).collect::<Vec<_>>(),
        "does_not_count_for": kept.uncounted.iter().map(uncounted_as_json).collect::<Vec<_>>(),
        "receipt": kept.path.to_string_lossy(),
        "pending": kept.receipt.witnessed().is_none(),
    })
}

/// A member for whom another version counts, or none.
fn uncounted_as_json(one: &Uncounted) -> serde_json::Value {
    json!({"sid": one.sid, "counts": one.number})
}

/// How a member stands, and what that costs if it is late.
fn standing_as_json(member: &MemberStanding) -> serde_json::Value {
    let (late, costs) = lateness(member.standing);
    json!({
        "sid": member.sid,
        "state": member.standing.as_str(),
        "late_seconds": late,
        "costs_percent": costs,
    })
}

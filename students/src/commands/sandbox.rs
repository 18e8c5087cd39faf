//! `student --sandbox DIR`: the whole job, and then the outside check of its receipt.

use scb_cli::{Sandbox, Term, say};

use super::submit::{say_pending, say_receipt, whole_job};
use super::verify::say_outside_check;
use super::{IfDearer, IfPrivateKeys, Prepared};
use crate::cli::Common;
use crate::group::USUAL_MEMBERS;
use crate::words::Words;
use crate::{Error, Group, code_sheet, interactive};

pub(super) fn run(common: &Common, term: Term) -> Result<(), Error> {
    let words = Words::of(common.explain.language.language());
    let mut prepared = Prepared::new(common, term)?;
    let most = prepared.engine.setup.max_members();
    let sandbox = prepared.engine.setup.sandbox.clone();
    let sample = match &sandbox {
        Some(sandbox) => sample_group(sandbox)?,
        None => return Err(Error::NoCommand),
    };
    let asks = term.interactive && !common.json;
    let group = if asks {
        let Some(group) = interactive::ask_group(sample.ids(), most, words)? else {
            return Ok(());
        };
        say("")?;
        group
    } else {
        sample
    };
    let place = (common.course.clone(), common.assignment.clone());
    let asked = (IfDearer::asks(asks), IfPrivateKeys::asks(asks));
    let kept = match whole_job(&mut prepared, common, &group, &place, asked) {
        Err(Error::SeveralOpen { open, held_back }) if asks => {
            let among = (&open[..], &held_back[..]);
            let Some((course, assignment)) = interactive::ask_assignment(among, words)? else {
                return Ok(());
            };
            let place = (Some(course), Some(assignment));
            whole_job(&mut prepared, common, &group, &place, asked)?
        }
        kept => kept?,
    };
    let trust = prepared.engine.setup.require_trust()?;
    let roots = trust
        .roots()
        .iter()
        .map(scb_certs::Certificate::fingerprint);
    let roots: Vec<_> = roots.collect();
    if common.json {
        return super::say_json(&super::submit::as_json(&kept));
    }
    say("")?;
    say_receipt(&kept, words)?;
    say_pending(&kept, words)?;
    say_outside_check(&kept.bytes, &kept.receipt, &roots, words)
}

/// The first students of the sandbox's roster.
pub(super) fn sample_group(sandbox: &Sandbox) -> Result<Group, Error> {
    Group::new(code_sheet::first_ids(
        &sandbox.roster(),
        usize::from(USUAL_MEMBERS),
    )?)
}

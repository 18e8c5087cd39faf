//! `student verify`: a receipt, what Blackboard signed when it refused or had recorded a statement or told
//! the rules, or an archive of an assignment, is checked with no server and no account.

mod announcement;
mod archive;
mod commitment;
mod compare;
mod evidence;
mod rejection;
mod words;

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use rustls_pki_types::UnixTime;
use scb_certs::Fingerprint;
use scb_cli::{local_time, printable, rfc3339, say};
use scb_protocol::Refusal;
use scb_protocol::announcement::is_announcement;
use scb_protocol::commitment::is_commitment;
use scb_protocol::export::is_export;
use scb_protocol::receipt::{Check, Found, VerifiedReceipt, WitnessPolicy, Witnessed};
use scb_protocol::rejection::is_rejection;
use scb_tlog::KeyName;
use serde_json::json;

use self::compare::compare;
use self::words::VerdictWords;
use super::say_json;
use crate::cli::{Common, Verify};
use crate::setup::verification_roots;
use crate::words::{Words, padded};
use crate::{Error, Kept, Unshown, openssl, receipts};

pub(super) fn run(common: &Common, arguments: &Verify) -> Result<(), Error> {
    let roots = verification_roots(common)?;
    let policy = WitnessPolicy::new(arguments.quorum, arguments.witness.clone());
    let policy = policy.ok_or(Error::Quorum {
        quorum: arguments.quorum,
        witnesses: arguments.witness.len() + 1,
    })?;
    if is_archive(&arguments.receipt)? {
        return archive::run(common, arguments, (&roots, &policy));
    }
    let zip = receipts::read(&arguments.receipt)?;
    let judged = match () {
        () if is_rejection(&zip) => rejection::run(common, arguments, &zip, (&roots, &policy)),
        () if is_commitment(&zip) => commitment::run(common, arguments, &zip, &roots),
        () if is_announcement(&zip) => announcement::run(common, arguments, &zip, &roots),
        () => judge(common, arguments, &zip, (&roots, &policy)),
    };
    if let (Err(error), false) = (&judged, common.json) {
        let words = words_of(common);
        line(words.label(), words.without_success(error))?;
    }
    judged
}

/// Whether it is an archive of an assignment, whatever its size.
fn is_archive(path: &Path) -> Result<bool, Error> {
    let file = File::open(path).map_err(Error::file("read", path))?;
    Ok(is_export(BufReader::new(file)))
}

fn judge(
    common: &Common,
    arguments: &Verify,
    zip: &[u8],
    (roots, policy): (&[Fingerprint], &WitnessPolicy),
) -> Result<(), Error> {
    let verify = |policy: &_| VerifiedReceipt::verify_witnessed(zip, roots, policy);
    let receipt = by_witnesses(policy, verify, VerifiedReceipt::witnessed)?;
    if !common.json {
        say_checks(&receipt, words_of(common))?;
    }
    let compared = compare(&receipt, &arguments.files, common)?;
    if arguments.openssl {
        let words = Words::of(common.explain.language.language());
        outside_check(zip, &receipt, roots, common.json, words)?;
    }
    if common.json {
        return say_json(&as_json(&receipt, arguments));
    }
    let words = words_of(common);
    line(words.label(), &words.verdict(&receipt, compared))
}

fn say_checks(receipt: &VerifiedReceipt, words: VerdictWords) -> Result<(), Error> {
    say_all(receipt.checks(), words)?;
    for member in receipt.members() {
        let claimed = local_time(member.claimed_time);
        let told = words.says_it_signed(member.sid.as_str(), &claimed);
        line(words.claimed(), &told)?;
    }
    Ok(())
}

/// By the witnesses that are wanted. What verifies but for too few of them is told as that.
fn by_witnesses<T>(
    policy: &WitnessPolicy,
    verify: impl Fn(&WitnessPolicy) -> Result<T, Refusal>,
    witnessed: impl Fn(&T) -> Option<&Witnessed>,
) -> Result<T, Error> {
    verify(policy).map_err(|refusal| {
        let one = WitnessPolicy::new(1, policy.outside().to_vec());
        let found = one.and_then(|one| verify(&one).ok());
        match found.as_ref().and_then(&witnessed) {
            Some(seen) => Unshown::too_few(policy, seen).into(),
            None => Error::ReceiptRefused(refusal),
        }
    })
}

/// What stands alone is compared with no file here, and no other program looks at it.
fn require_alone(arguments: &Verify, kept: Kept) -> Result<(), Error> {
    match arguments.files.is_empty() && !arguments.openssl {
        true => Ok(()),
        false => Err(Unshown::NoReceipt(kept).into()),
    }
}

/// The same of what no witness has signed, either.
fn require_unwitnessed(arguments: &Verify, kept: Kept) -> Result<(), Error> {
    require_alone(arguments, kept)?;
    match arguments.witness.is_empty() && arguments.quorum == 1 {
        true => Ok(()),
        false => Err(Unshown::NoWitness(kept).into()),
    }
}

/// Of what stands alone: each check, and what it comes to; or all of it as JSON.
fn tell_alone(
    common: &Common,
    checks: &[Check],
    (verdict, json): (&str, &serde_json::Value),
) -> Result<(), Error> {
    if common.json {
        return say_json(json);
    }
    say_all(checks, words_of(common))?;
    line(words_of(common).label(), verdict)
}

fn say_all(checks: &[Check], words: VerdictWords) -> Result<(), Error> {
    let mut told = checks.iter().map(|check| words.evidence(check));
    told.try_for_each(|(what, found)| line(what, &found))
}

fn outside_check(
    zip: &[u8],
    receipt: &VerifiedReceipt,
    roots: &[Fingerprint],
    quiet: bool,
    words: Words,
) -> Result<(), Error> {
    if !openssl::is_present() {
        return Err(Error::NoOpenssl);
    }
    if !quiet {
        return say_outside_check(zip, receipt, roots, words);
    }
    openssl::verify(zip, receipt)?;
    openssl::refuses_altered(zip, receipt, roots)
}

/// The two lines of the outside check; without `openssl` the first says so.
pub(super) fn say_outside_check(
    zip: &[u8],
    receipt: &VerifiedReceipt,
    roots: &[Fingerprint],
    words: Words,
) -> Result<(), Error> {
    if openssl::is_present() {
        openssl::verify(zip, receipt)?;
        say(&words.openssl_confirms())?;
    } else {
        say(&words.no_openssl())?;
    }
    openssl::refuses_altered(zip, receipt, roots)?;
    Ok(say(&words.altered_is_refused())?)
}

fn as_json(receipt: &VerifiedReceipt, arguments: &Verify) -> serde_json::Value {
    let statement = receipt.statement();
    let members: Vec<_> = statement.members.iter().map(|member| &member.sid).collect();
    json!({
        "verified": true,
        "submission": receipt.number(),
        "accepted_at": rfc3339(receipt.accepted_at()),
        "mode": receipt.mode(),
        "committed_at": rfc3339(receipt.committed_at()),
        "committed_index": receipt.committed_index(),
        "entered": entered(receipt),
        "dated": receipt.dated().map(rfc3339),
        "dated_statement": receipt.is_dated_by_name(),
        "rules": receipt.rules(),
        "lateness": lateness(receipt),
        "log": receipt.entry().0,
        "index": receipt.entry().1,
        "pending": receipt.witnessed().is_none(),
        "awaited": receipt.awaited().map(names),
        "lists_ended_before_witness": receipt.witnessed().map(Witnessed::outlives_lists),
        "witnesses": receipt.witnessed().map(|witnessed| witnesses(&witnessed.by)),
        "service": receipt.service(),
        "course": statement.course,
        "assignment": statement.assignment,
        "members": members,
        "files": statement.files,
        "file_compared": !arguments.files.is_empty(),
        "openssl": arguments.openssl,
    })
}

/// The entry of the moment that counts, if the log is proved to hold it.
fn entered(receipt: &VerifiedReceipt) -> Option<serde_json::Value> {
    receipt
        .checks()
        .iter()
        .find_map(|check| match &check.found {
            Found::Entered {
                index, kind, at, ..
            } => Some(json!({ "index": index, "entry": kind, "at": rfc3339(*at) })),
            _ => None,
        })
}

/// How each member stands, by the rules that are in it.
fn lateness(receipt: &VerifiedReceipt) -> Vec<serde_json::Value> {
    let each = receipt.standings().map(|one| {
        let (late, costs) = super::rules::lateness(one.standing);
        json!({
            "sid": one.sid,
            "state": one.standing.as_str(),
            "late_seconds": late,
            "costs_percent": costs,
        })
    });
    each.collect()
}

/// Witnesses by their names.
pub(super) fn names(names: &[KeyName]) -> Vec<&str> {
    names.iter().map(KeyName::as_str).collect()
}

fn witnesses(by: &[(KeyName, UnixTime)]) -> Vec<serde_json::Value> {
    let one =
        |(name, time): &(KeyName, UnixTime)| json!({ "name": name.as_str(), "at": rfc3339(*time) });
    by.iter().map(one).collect()
}

fn line(what: &str, found: &str) -> Result<(), Error> {
    Ok(say(&format!("{}  {}", padded(what, 9), printable(found)))?)
}

fn words_of(common: &Common) -> VerdictWords {
    VerdictWords::of(common.explain.language.language())
}

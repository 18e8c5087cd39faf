//! `student audit`: what CUHK's log says about oneself.

use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, StudentId};
use scb_cli::{Term, counted, local_time, printable, rfc3339, say};
use scb_protocol::audit::{VerifiedEntry, VerifiedWitness};
use scb_protocol::{InactiveReason, LogEntry, from_seconds};
use serde_json::{Value, json};

use super::{Prepared, everybody_here, say_json};
use crate::cli::{Audit, Common};
use crate::engine::{Audits, Looked};
use crate::log_memory::WitnessKey;
use crate::show::Show;
use crate::words::Words;
use crate::{Error, Group};

pub(super) fn run(common: &Common, arguments: &Audit, term: Term) -> Result<(), Error> {
    let mut prepared = Prepared::new(common, term)?;
    let group = match arguments.ids.is_empty() {
        true => everybody_here(&prepared)?,
        false => Group::new(arguments.ids.clone())?,
    };
    let mut show = Show::new(common);
    prepared
        .engine
        .renew_due(&group, &mut |event| show.event(event))?;
    let Audits { looked, revoked } = prepared.engine.audit(&group)?;
    let now = prepared.engine.now();
    match (looked.last(), common.json) {
        (None, _) => {}
        (Some(_), true) => say_json(&as_json(&looked, now))?,
        (Some((_, last)), false) => {
            let words = Words::of(common.explain.language.language());
            for (sid, looked) in &looked {
                say_student(sid, looked, now, words)?;
            }
            say_log(last)?;
        }
    }
    match revoked.len() {
        0 => Ok(()),
        _ => Err(Error::SeveralRefused(revoked)),
    }
}

fn say_student(sid: &StudentId, looked: &Looked, now: UnixTime, words: Words) -> Result<(), Error> {
    let entries = looked.audited.entries();
    let certificates: Vec<_> = entries.iter().filter_map(Issued::of).collect();
    let questions: Vec<_> = entries.iter().filter_map(Asked::of).collect();
    say(&format!(
        "{sid}  {}, asked about {}",
        counted(certificates.len(), "certificate"),
        counted(questions.len(), "time")
    ))?;
    for certificate in &certificates {
        say(&format!("  {}", certificate.line(&looked.own, now)))?;
    }
    if let Some(removed) = looked.audited.removed() {
        let before = local_time(removed.before);
        say(&format!(
            "  {}",
            words.questions_removed(removed.count, &before)
        ))?;
    }
    for question in &questions {
        say(&format!("  {}", question.line()))?;
    }
    Ok(())
}

/// About the log as it was seen last.
fn say_log(looked: &Looked) -> Result<(), Error> {
    let log = looked.audited.log();
    let head = log.checkpoint().head();
    let (origin, size) = (log.checkpoint().origin(), head.size);
    let before = match &looked.before {
        None => "seen here for the first time: remembered from now on".to_owned(),
        Some(before) => format!("grew out of the {} seen before", before.head.size),
    };
    let origin = printable(origin.as_str());
    say(&format!(
        "log  {origin}: {}, every line above proved to be in it",
        entries(size)
    ))?;
    say(&format!("     {before}"))?;
    let witnesses = log.witnesses();
    for (witness, key) in witnesses.iter().zip(&looked.witness_keys) {
        say(&format!("     {}", witness_line(witness, *key, size)))?;
    }
    if witnesses.is_empty() {
        say("     not cosigned by any witness yet")?;
    }
    Ok(say(
        "Not yours? Tell your department, who revokes it: cuhk revoke SERIAL",
    )?)
}

fn entries(count: u64) -> String {
    match count {
        1 => "1 entry".to_owned(),
        _ => format!("{count} entries"),
    }
}

fn witness_line(witness: &VerifiedWitness, key: WitnessKey, size: u64) -> String {
    let how_much = match witness.size() {
        all if all == size => "all of it".to_owned(),
        seen => format!("the first {seen}"),
    };
    let note = match key {
        WitnessKey::New | WitnessKey::Known => "",
        WitnessKey::Other => {
            " with ANOTHER KEY than before: ask your IT service whether it changed"
        }
    };
    let at = local_time(from_seconds(witness.time()));
    let service = printable(witness.service().as_str());
    format!("cosigned by {service}: {how_much}, at {at}{note}")
}

/// A certificate in the log.
struct Issued<'a> {
    index: u64,
    serial: String,
    sha256: &'a Fingerprint,
    from: UnixTime,
    until: UnixTime,
    inactive: Option<InactiveReason>,
}

impl<'a> Issued<'a> {
    fn of(entry: &'a VerifiedEntry) -> Option<Self> {
        let LogEntry::Certificate {
            serial,
            cert_sha256,
            not_before,
            not_after,
            ..
        } = entry.entry()
        else {
            return None;
        };
        Some(Self {
            index: entry.index(),
            serial: serial.to_string(),
            sha256: cert_sha256,
            from: from_seconds(*not_before),
            until: from_seconds(*not_after),
            inactive: entry.inactive(),
        })
    }

    /// What has ended has expired, also if CUHK has forgotten it.
    fn status(&self, now: UnixTime) -> String {
        match self.inactive {
            _ if self.until < now => InactiveReason::Expired.to_string(),
            None => "active".to_owned(),
            Some(reason) => reason.to_string(),
        }
    }

    fn line(&self, own: &Fingerprint, now: UnixTime) -> String {
        let here = match self.sha256 == own {
            true => "here",
            false => "not here",
        };
        format!(
            "certificate {:>32}  {} to {}  {}, {here}",
            self.serial,
            local_time(self.from),
            local_time(self.until),
            self.status(now)
        )
    }

    fn as_json(&self, own: &Fingerprint, now: UnixTime) -> Value {
        json!({
            "index": self.index,
            "serial": self.serial,
            "cert_sha256": self.sha256,
            "not_before": rfc3339(self.from),
            "not_after": rfc3339(self.until),
            "status": self.status(now),
            "here": self.sha256 == own,
        })
    }
}

/// A question of a service, answered by CUHK.
struct Asked<'a> {
    index: u64,
    asker: &'a str,
    sha256: &'a Fingerprint,
    at: UnixTime,
    inactive: Option<InactiveReason>,
}

impl<'a> Asked<'a> {
    fn of(entry: &'a VerifiedEntry) -> Option<Self> {
        let LogEntry::Verification {
            asker,
            cert_sha256,
            inactive,
            at,
            ..
        } = entry.entry()
        else {
            return None;
        };
        Some(Self {
            index: entry.index(),
            asker: asker.as_str(),
            sha256: cert_sha256,
            at: from_seconds(*at),
            inactive: *inactive,
        })
    }

    fn line(&self) -> String {
        let asker = printable(self.asker);
        format!(
            "asked by {asker}  {}  told: {}",
            local_time(self.at),
            self.told()
        )
    }

    fn told(&self) -> String {
        self.inactive
            .map_or_else(|| "active".to_owned(), |reason| reason.to_string())
    }

    fn as_json(&self) -> Value {
        json!({
            "index": self.index,
            "service": self.asker,
            "at": rfc3339(self.at),
            "cert_sha256": self.sha256,
            "told": self.told(),
        })
    }
}

fn as_json(all: &[(StudentId, Looked)], now: UnixTime) -> Value {
    let student = |(sid, looked): &(StudentId, Looked)| {
        let entries = looked.audited.entries();
        let certificates = entries.iter().filter_map(Issued::of);
        let certificates: Vec<_> = certificates
            .map(|one| one.as_json(&looked.own, now))
            .collect();
        let asked = entries.iter().filter_map(Asked::of);
        let asked: Vec<_> = asked.map(|one| one.as_json()).collect();
        let removed = looked
            .audited
            .removed()
            .map(|removed| json!({ "count": removed.count, "before": rfc3339(removed.before) }));
        json!({ "sid": sid, "certificates": certificates, "asked": asked, "removed": removed })
    };
    let students: Vec<_> = all.iter().map(student).collect();
    let log = all.last().map(|(_, looked)| log_as_json(looked));
    json!({ "students": students, "log": log })
}

fn log_as_json(looked: &Looked) -> Value {
    let log = looked.audited.log();
    let checkpoint = log.checkpoint();
    let witnesses = log.witnesses().iter().zip(&looked.witness_keys);
    let witnesses = witnesses.map(|(witness, key)| {
        json!({
            "service": witness.service(),
            "key": witness.key().to_string(),
            "key_changed": *key == WitnessKey::Other,
            "size": witness.size(),
            "at": rfc3339(from_seconds(witness.time())),
        })
    });
    json!({
        "origin": checkpoint.origin().as_str(),
        "key": log.known().key.to_string(),
        "size": checkpoint.head().size,
        "root": checkpoint.head().root.to_string(),
        "checkpoint": checkpoint.to_string(),
        "size_before": looked.before.as_ref().map(|before| before.head.size),
        "witnesses": witnesses.collect::<Vec<_>>(),
    })
}

//! `student audit`: what CUHK's log says about oneself.

mod words;

use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, StudentId};
use scb_cli::{Term, local_time, printable, rfc3339, say};
use scb_protocol::audit::VerifiedEntry;
use scb_protocol::{InactiveReason, LogEntry, from_seconds};
use serde_json::{Value, json};

use self::words::AuditWords;
use super::{Prepared, everybody_here, say_json};
use crate::cli::{Audit, Common};
use crate::engine::{Audits, Looked};
use crate::log_memory::WitnessKey;
use crate::show::Show;
use crate::{Error, Group};

pub(super) fn run(common: &Common, arguments: &Audit, term: Term) -> Result<(), Error> {
    let mut prepared = Prepared::to_look(common, term)?;
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
            let words = AuditWords::of(common.explain.language.language());
            for (sid, looked) in &looked {
                say_student(sid, looked, now, words)?;
            }
            say_log(last, words)?;
            if looked.iter().any(|(_, looked)| has_others(looked)) {
                say(words.not_yours())?;
            }
        }
    }
    match revoked.len() {
        0 => Ok(()),
        _ => Err(Error::SeveralRefused(revoked)),
    }
}

fn say_student(
    sid: &StudentId,
    looked: &Looked,
    now: UnixTime,
    words: AuditWords,
) -> Result<(), Error> {
    let entries = looked.audited.entries();
    let certificates: Vec<_> = entries.iter().filter_map(Issued::of).collect();
    let questions: Vec<_> = entries.iter().filter_map(Asked::of).collect();
    say(&words.student(sid, certificates.len(), questions.len()))?;
    for certificate in &certificates {
        say(&format!("  {}", certificate.line(looked, now, words)))?;
    }
    if let Some(removed) = looked.audited.removed() {
        let before = local_time(removed.before);
        let told = words.common().questions_removed(removed.count, &before);
        say(&format!("  {told}"))?;
    }
    for question in &questions {
        say(&format!("  {}", question.line(words)))?;
    }
    Ok(())
}

/// About the log as it was seen last.
fn say_log(looked: &Looked, words: AuditWords) -> Result<(), Error> {
    let log = looked.audited.log();
    let head = log.checkpoint().head();
    let origin = printable(log.checkpoint().origin().as_str());
    let before = looked.before.as_ref().map(|before| before.head.size);
    say(&words.log(&origin, head.size))?;
    say(&format!("     {}", words.before(before)))?;
    let witnesses = log.witnesses();
    for (witness, key) in witnesses.iter().zip(&looked.witness_keys) {
        say(&format!("     {}", words.witness(witness, *key, head.size)))?;
    }
    if witnesses.is_empty() {
        say(&format!("     {}", words.no_witness()))?;
    }
    Ok(())
}

/// Whether the log has a certificate that this home never had.
fn has_others(looked: &Looked) -> bool {
    let entries = looked.audited.entries();
    let mut issued = entries.iter().filter_map(Issued::of);
    issued.any(|one| one.whose(looked) == Whose::NotHere)
}

/// A stable word for it.
fn told(inactive: Option<InactiveReason>) -> String {
    inactive.map_or_else(|| "active".to_owned(), |reason| reason.to_string())
}

/// Where the key of a certificate is, as far as this home knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    /// The present one of this home.
    Here,
    /// One that this home has replaced itself.
    Earlier,
    /// Another machine's, or somebody's.
    NotHere,
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
    fn inactive_at(&self, now: UnixTime) -> Option<InactiveReason> {
        match self.inactive {
            _ if self.until < now => Some(InactiveReason::Expired),
            inactive => inactive,
        }
    }

    fn whose(&self, looked: &Looked) -> Whose {
        match self.sha256 {
            own if *own == looked.own => Whose::Here,
            earlier if looked.earlier.contains(earlier) => Whose::Earlier,
            _ => Whose::NotHere,
        }
    }

    fn line(&self, looked: &Looked, now: UnixTime, words: AuditWords) -> String {
        let times = (local_time(self.from), local_time(self.until));
        let status = words.status(self.inactive_at(now));
        words.certificate(&self.serial, times, (status, self.whose(looked)))
    }

    fn as_json(&self, looked: &Looked, now: UnixTime) -> Value {
        let whose = self.whose(looked);
        json!({
            "index": self.index,
            "serial": self.serial,
            "cert_sha256": self.sha256,
            "not_before": rfc3339(self.from),
            "not_after": rfc3339(self.until),
            "status": told(self.inactive_at(now)),
            "here": whose == Whose::Here,
            "earlier": whose == Whose::Earlier,
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

    fn line(&self, words: AuditWords) -> String {
        let (asker, at) = (printable(self.asker), local_time(self.at));
        words.asked(&asker, &at, self.inactive)
    }

    fn as_json(&self) -> Value {
        json!({
            "index": self.index,
            "service": self.asker,
            "at": rfc3339(self.at),
            "cert_sha256": self.sha256,
            "told": told(self.inactive),
        })
    }
}

fn as_json(all: &[(StudentId, Looked)], now: UnixTime) -> Value {
    let student = |(sid, looked): &(StudentId, Looked)| {
        let entries = looked.audited.entries();
        let certificates = entries.iter().filter_map(Issued::of);
        let certificates: Vec<_> = certificates.map(|one| one.as_json(looked, now)).collect();
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

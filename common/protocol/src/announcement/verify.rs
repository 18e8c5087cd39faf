//! Verifying announcements: as they come with a list of assignments, and from a file, years later.

use rustls_pki_types::UnixTime;
use scb_certs::{Certificate, Fingerprint, ServiceName, ServiceUsage, SpiffeId, TrustStore};

use super::archive::{Parts, build, open};
use crate::log_leaf::{Entry, Leaf, LogName};
use crate::message::blackboard::ListedAssignment;
use crate::message::proposal::ListedProposal;
use crate::receipt::roots::known_roots;
use crate::receipt::verify::invalid;
use crate::receipt::{Check, Found, SignedEntry, file};
use crate::rules::{Extended, Extension, Rules, values};
use crate::sole_signer::sole_signature;
use crate::statement::{Label, Statement};
use crate::time::{CLOCK_SKEW, rfc3339};
use crate::{Code, Refusal, Step};

/// Farther apart than two clocks that are each as right as the protocol wants.
const FAR: u64 = 2 * CLOCK_SKEW;

/// What Blackboard says of an assignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// The rules from then on.
    Rules(Box<Rules>),
    /// More time for some, or none any more.
    Extended(Extended),
}

/// Evidence: Blackboard signed that it has entered this in the assignment's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedAnnouncement {
    leaf: Leaf,
    leaf_sha256: Fingerprint,
    said: Said,
    service: SpiffeId,
    signed_at: UnixTime,
    checks: Vec<Check>,
}

/// An announcement, with the file to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedAnnouncement {
    /// A ZIP file.
    pub zip: Vec<u8>,
    /// What it proves.
    pub announcement: VerifiedAnnouncement,
}

impl VerifiedAnnouncement {
    /// Verifies an announcement that was kept, by roots that are trusted. The signer's certificate is
    /// judged at the time that the signature names.
    ///
    /// # Errors
    ///
    /// `receipt_invalid`, with the reason.
    pub fn verify(announcement: &[u8], roots: &[Fingerprint]) -> Result<Self, Refusal> {
        let verify = || {
            let parts = open(announcement)?;
            let (known, mut checks) = known_roots(&parts.root, roots)?;
            let trust = TrustStore::of_roots(known).map_err(text)?;
            let mut announcement = Self::judge(&parts, &trust, None)?;
            checks.append(&mut announcement.checks);
            announcement.checks = checks;
            Ok(announcement)
        };
        verify().map_err(invalid)
    }

    /// The log in which it is entered, and its number there, from 0.
    pub fn entry(&self) -> (&LogName, u64) {
        (&self.leaf.log, self.leaf.index)
    }

    /// What is entered there: SHA-256 of the leaf.
    pub fn leaf_sha256(&self) -> Fingerprint {
        self.leaf_sha256
    }

    /// When it was entered, by Blackboard's clock.
    pub fn at(&self) -> UnixTime {
        self.leaf.at
    }

    /// When Blackboard signed that, by its own clock.
    pub fn signed_at(&self) -> UnixTime {
        self.signed_at
    }

    /// Who says so.
    pub fn service(&self) -> &SpiffeId {
        &self.service
    }

    /// What it says.
    pub fn said(&self) -> &Said {
        &self.said
    }

    /// What was checked, in order.
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// Blackboard signed the entry, with a certificate in force now or, of what was kept, when it signed.
    fn judge(parts: &Parts, trust: &TrustStore, now: Option<UnixTime>) -> Result<Self, String> {
        let leaf = Leaf::parse(&parts.leaf.leaf).map_err(text)?;
        let said = said(&leaf.entry)?;
        let signed = |error| format!("{}: {error}", file::LEAF_SIGNATURE);
        let signer = sole_signature(&parts.leaf.leaf, &parts.leaf.signature).map_err(signed)?;
        let (signed_at, name) = (signer.claimed_time, ServiceName::blackboard());
        let at = now.unwrap_or(signed_at);
        let service = trust.verify_service(&signer.chain, &name, ServiceUsage::Signature, at);
        let service = service.map_err(|error| signed(error.to_string()))?;
        let service = service.spiffe_id().clone();
        if !leaf.log.is_of(&service) {
            return Err("the log is another service's than signed".to_owned());
        }
        check_time(leaf.at, signed_at, now)?;
        let mut announcement = Self {
            leaf_sha256: Fingerprint::of(&parts.leaf.leaf),
            leaf,
            said,
            service,
            signed_at,
            checks: Vec::new(),
        };
        announcement.checks = announcement.found();
        Ok(announcement)
    }

    fn found(&self) -> Vec<Check> {
        let check = |what, found| Check { what, found };
        let announced = Found::Announced {
            index: self.leaf.index,
            log: self.leaf.log.clone(),
            at: self.leaf.at,
            service: self.service.clone(),
            signed_at: self.signed_at,
        };
        let mut checks = vec![check("announced", announced)];
        match &self.said {
            Said::Rules(rules) => {
                let values = values(rules)
                    .into_iter()
                    .filter(|(_, value)| !value.is_empty());
                checks.extend(
                    values.map(|(field, value)| check(field, Found::Rule { field, value })),
                );
            }
            Said::Extended(extended) => {
                let given = extended.given.iter().cloned().map(Found::Extended);
                checks.extend(given.map(|found| check("extension", found)));
            }
        }
        checks.push(check("unproved", Found::AnnouncedAlone));
        checks
    }
}

fn said(entry: &Entry) -> Result<Said, String> {
    let unread = |error| format!("{}: {error}", file::LEAF);
    match entry {
        Entry::Rules(rules) => {
            let rules = serde_json::from_value(rules.clone().into());
            Ok(Said::Rules(rules.map_err(|error| unread(text(error)))?))
        }
        Entry::Extension(extended) => {
            let extended = serde_json::from_value(extended.clone().into());
            Ok(Said::Extended(
                extended.map_err(|error| unread(text(error)))?,
            ))
        }
        other => Err(unread(format!("it says {}, not rules", other.name()))),
    }
}

/// It was signed neither before it was entered nor at a time that is still to come.
fn check_time(at: UnixTime, signed_at: UnixTime, now: Option<UnixTime>) -> Result<(), String> {
    let is_after = |one: UnixTime, other: UnixTime| one.as_secs() > other.as_secs() + FAR;
    if is_after(at, signed_at) {
        let (at, signed) = (rfc3339(at), rfc3339(signed_at));
        return Err(format!(
            "it was entered at {at}, and signed before, at {signed}"
        ));
    }
    match now.filter(|now| is_after(signed_at, *now)) {
        Some(_) => Err(format!(
            "it was signed at {}, which is to come",
            rfc3339(signed_at)
        )),
        None => Ok(()),
    }
}

/// Verifies what is told of an assignment: that the service, signed now or before by a certificate that
/// counts now, has entered these very rules in its log, and each extension that comes with an entry; and
/// that what is said of changes ends in them. Answers what is to be kept.
///
/// # Errors
///
/// `rules_unsigned`, with the reason.
pub(crate) fn check_listed(
    listed: &ListedAssignment,
    (trust, service): (&TrustStore, &SpiffeId),
    now: UnixTime,
) -> Result<Vec<SignedAnnouncement>, Refusal> {
    let told = Told {
        place: (&listed.course, &listed.assignment),
        rules: &listed.rules,
        entry: &listed.entry,
        extensions: &listed.extensions,
        extended: &listed.extended,
    };
    let taken = told.take((trust, service), now);
    let checked = taken.and_then(|taken| {
        check_changes(&taken[0].announcement, listed)?;
        check_extension_changes(listed, &taken)?;
        Ok(taken)
    });
    checked.map_err(|reason| told.refusal(reason))
}

/// The same of the rules and extensions that are told of a proposal of this statement. Answers nothing where
/// nothing was signed.
///
/// # Errors
///
/// `rules_unsigned`, with the reason.
pub(crate) fn check_proposed(
    listed: &ListedProposal,
    statement: &Statement,
    by: (&TrustStore, &SpiffeId),
    now: UnixTime,
) -> Result<Vec<SignedAnnouncement>, Refusal> {
    let Some(entry) = &listed.entry else {
        return Ok(Vec::new());
    };
    let told = Told {
        place: (&statement.course, &statement.assignment),
        rules: &listed.rules,
        entry,
        extensions: &listed.extensions,
        extended: &listed.extended,
    };
    let taken = told.take(by, now);
    taken.map_err(|reason| told.refusal(reason))
}

/// Rules and extensions, and the entries that come with them.
struct Told<'a> {
    place: (&'a Label, &'a Label),
    rules: &'a Rules,
    entry: &'a SignedEntry,
    extensions: &'a [Extension],
    extended: &'a [SignedEntry],
}

impl Told<'_> {
    /// The rules first.
    fn take(
        &self,
        (trust, service): (&TrustStore, &SpiffeId),
        now: UnixTime,
    ) -> Result<Vec<SignedAnnouncement>, String> {
        let log = LogName::new(service.trust_domain(), self.place.0, self.place.1);
        let by = By {
            trust,
            service,
            log: log.map_err(text)?,
            now,
        };
        let rules = by.take(self.entry)?;
        check_rules(&rules.announcement, self.rules)?;
        let mut taken = vec![rules];
        for entry in self.extended {
            let extended = by.take(entry)?;
            check_extended(&extended.announcement, self.extensions)?;
            taken.push(extended);
        }
        Ok(taken)
    }

    fn refusal(&self, reason: String) -> Refusal {
        let (course, assignment) = self.place;
        Refusal::new(Code::RulesUnsigned, Step::Six)
            .with("assignment", format!("{course}/{assignment}"))
            .with("reason", reason)
    }
}

/// By what announcements are judged that come over a connection.
struct By<'a> {
    trust: &'a TrustStore,
    service: &'a SpiffeId,
    log: LogName,
    now: UnixTime,
}

impl By<'_> {
    fn take(&self, entry: &SignedEntry) -> Result<SignedAnnouncement, String> {
        let roots = self.trust.roots().iter().map(Certificate::to_pem);
        let parts = Parts {
            leaf: entry.to_leaf(),
            root: roots.collect(),
        };
        let announcement = VerifiedAnnouncement::judge(&parts, self.trust, Some(self.now))?;
        if announcement.service != *self.service || announcement.leaf.log != self.log {
            return Err("what was signed is of another assignment or service".to_owned());
        }
        let zip = build(&parts).map_err(text)?;
        Ok(SignedAnnouncement { zip, announcement })
    }
}

/// What is shown is what was signed.
fn check_rules(announced: &VerifiedAnnouncement, told: &Rules) -> Result<(), String> {
    let Said::Rules(rules) = &announced.said else {
        return Err("what was signed are no rules".to_owned());
    };
    match **rules == *told {
        true => Ok(()),
        false => Err("the rules that were told are not those that were signed".to_owned()),
    }
}

/// The last change of each value leads to what was signed.
fn check_changes(
    announced: &VerifiedAnnouncement,
    listed: &ListedAssignment,
) -> Result<(), String> {
    for (field, value) in values(&listed.rules) {
        let mut changes = listed.changes.iter();
        if let Some(last) = changes.find(|change| change.field == field)
            && last.is != value
        {
            return Err(format!(
                "the last change of {field} does not lead to what was signed"
            ));
        }
    }
    let index = announced.leaf.index;
    let mut entries = listed.changes.iter().filter_map(|change| change.entry);
    match entries.all(|entry| entry <= index) {
        true => Ok(()),
        false => Err("the rules were changed later than what was signed".to_owned()),
    }
}

/// The last change of each student's extension leads to what he is told that he has, no later than by the entry that
/// is signed for it; those before are of earlier entries. That one was taken back, no signature says.
fn check_extension_changes(
    listed: &ListedAssignment,
    taken: &[SignedAnnouncement],
) -> Result<(), String> {
    let changes = &listed.extension_changes;
    let gives = |one: &VerifiedAnnouncement, extension: &Extension| match &one.said {
        Said::Extended(extended) => extended.given.contains(extension),
        _ => false,
    };
    for (place, change) in changes.iter().enumerate() {
        let mut later = changes[..place]
            .iter()
            .filter(|later| later.sid == change.sid);
        let is_last = later.clone().next().is_none();
        let signed = change.is.as_ref().filter(|_| is_last).and_then(|is| {
            let mut signed = taken.iter().map(|one| &one.announcement);
            signed.find(|one| gives(one, is))
        });
        if later.any(|later| later.entry <= change.entry)
            || signed.is_some_and(|signed| signed.leaf.index < change.entry)
        {
            let sid = &change.sid;
            return Err(format!(
                "the changes of the extension of {sid} are not of the entries that they are said to be of"
            ));
        }
        let own = listed.extensions.iter().find(|own| own.sid == change.sid);
        if is_last && change.is.as_ref() != own {
            let sid = &change.sid;
            return Err(format!(
                "the last change of the extension of {sid} does not lead to what was told"
            ));
        }
    }
    Ok(())
}

/// It gives an extension that was told, and not another one to that student.
fn check_extended(announced: &VerifiedAnnouncement, told: &[Extension]) -> Result<(), String> {
    let Said::Extended(extended) = &announced.said else {
        return Err("what was signed is no extension".to_owned());
    };
    match extended.given.iter().any(|one| told.contains(one)) {
        true => Ok(()),
        false => Err("the extension that was signed is not one that was told".to_owned()),
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

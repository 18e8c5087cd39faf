//! What students have signed, and how it ended: every row of it against the entries of its log.

use std::collections::{BTreeMap, BTreeSet};

use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, StudentId, TrustStore};
use scb_protocol::log_leaf::{Committed, Ended, Endings, Entry, Leaf, LogName, Proposed, Signed};
use scb_protocol::message::proposal::Said;
use scb_protocol::receipt::contradicted;
use scb_protocol::statement::SubmissionId;
use scb_protocol::{rfc3339, signing_blackboard};

use super::report::Report;
use crate::store::{CommittedRow, DeliveryRow, Inspector, ProposedRow, SignedRow, Window};

/// Something that is found at the end of a log: its word, what it is about, and what is wrong.
pub(super) type Difference = (&'static str, String, String);

/// Goes through a log from its beginning. It keeps an ID for each commitment, and how each proposal
/// stands.
pub(super) struct Signing<'a> {
    database: &'a Inspector,
    log: &'a LogName,
    trust: &'a [TrustStore],
    now: UnixTime,
    endings: Endings,
    committed: BTreeSet<SubmissionId>,
    withdrawn: BTreeSet<SubmissionId>,
    proposals: BTreeMap<SubmissionId, ProposedRow>,
    /// SHA-256 of the statement of each proposal.
    statements: BTreeMap<SubmissionId, Fingerprint>,
    /// The entries by which something came of a proposal over a connection.
    delivered: BTreeSet<u64>,
}

impl<'a> Signing<'a> {
    pub(super) fn new(
        database: &'a Inspector,
        log: &'a LogName,
        (trust, now): (&'a [TrustStore], UnixTime),
    ) -> Self {
        Self {
            database,
            log,
            trust,
            now,
            endings: Endings::default(),
            committed: BTreeSet::new(),
            withdrawn: BTreeSet::new(),
            proposals: BTreeMap::new(),
            statements: BTreeMap::new(),
            delivered: BTreeSet::new(),
        }
    }

    /// The submissions whose commitment was entered.
    pub(super) fn committed_ones(&self) -> &BTreeSet<SubmissionId> {
        &self.committed
    }

    /// Looks at the entry that comes next; what it says of the tables that never change is there.
    pub(super) fn look(
        &mut self,
        about: &str,
        (leaf, bytes): (&Leaf, &[u8]),
        report: &mut Report,
    ) -> anyhow::Result<()> {
        if let Err(found) = self.endings.read(leaf.index, &leaf.entry) {
            report.damage("entry_after_end", about, found)?;
        }
        let found = match &leaf.entry {
            Entry::Committed(committed) => self.committed(leaf, committed)?,
            Entry::Proposed(proposed) => self.proposed(leaf, proposed)?,
            Entry::Signed(signed) => self.signed(leaf, signed)?,
            Entry::Declined(ended) => self.ended(leaf, (ended, Said::Declined))?,
            Entry::Withdrawn(ended) if self.committed.contains(&ended.submission) => {
                self.given_up(leaf, ended.submission)?
            }
            Entry::Withdrawn(ended) => self.ended(leaf, (ended, Said::Withdrawn))?,
            Entry::Lapsed(lapsed) => {
                self.end_proposal(lapsed.submission, leaf);
                None
            }
            _ => None,
        };
        let found = match found {
            None => self.moment(leaf, bytes)?,
            found => found,
        };
        match found {
            Some((code, found)) => report.damage(code, about, found),
            None => Ok(()),
        }
    }

    /// What CUHK had said by an entry of a moment that counts does not contradict its time, nor is it about
    /// another statement; and what its members were given of it was signed by this Blackboard.
    fn moment(&self, leaf: &Leaf, bytes: &[u8]) -> anyhow::Result<Found> {
        let (id, given) = match &leaf.entry {
            Entry::Committed(committed) => (committed.submission, "commitment"),
            Entry::Signed(signed) => (signed.submission, "signature of proposal"),
            _ => return Ok(None),
        };
        let kept = self.database.moment(id, leaf)?;
        let statement = self.statements.get(&id).copied();
        let reason = |said: String| contradicted(leaf, (&said, statement), self.trust);
        if let Some(reason) = kept.said.and_then(reason) {
            let found = format!("what CUHK had said then of {id}: {reason}");
            return Ok(Some(("moment_contradicted", found)));
        }
        let is_signed = |signature: &Vec<u8>| {
            let by = |trust| signing_blackboard(bytes, signature, trust, leaf.at);
            let mut signers = self.trust.iter().filter_map(|trust| by(trust).ok());
            signers.any(|signer| self.log.is_of(&signer))
        };
        // Those of before entries were signed have none until somebody asks.
        Ok(match kept.signature.as_ref().is_none_or(is_signed) {
            true => None,
            false => {
                let found = format!("the signature of the {given} {id} is not Blackboard's");
                Some(("commitment_unsigned", found))
            }
        })
    }

    fn committed(&mut self, leaf: &Leaf, committed: &Committed) -> anyhow::Result<Found> {
        let id = committed.submission;
        self.committed.insert(id);
        let expected = CommittedRow {
            statement: committed.statement_sha256,
            signatures: committed.p7s_sha256,
            mode: committed.mode.as_str().to_owned(),
            assurance: committed.verification_sha256,
            index: leaf.index,
            at: leaf.at.as_secs(),
        };
        let row = self.database.committed(id)?;
        match compared(row, &expected, &format!("the statement of submission {id}")) {
            None => self.window(id, &committed.members),
            found => Ok(found),
        }
    }

    /// The log does not say how long files may come; two tables do, and agree as long as that counts.
    fn window(&self, id: SubmissionId, members: &[StudentId]) -> anyhow::Result<Found> {
        let Some(window) = self.database.upload_window(id)? else {
            return Ok(None);
        };
        let counts = !window.is_settled && window.until >= self.now.as_secs();
        let agree = window
            .of_members
            .values()
            .all(|until| *until == window.until);
        let is_there = |sid: &StudentId| window.of_members.contains_key(sid.as_str());
        let found = format!("until when the files of submission {id} may come was altered");
        match agree && (!counts || members.iter().all(is_there)) {
            true => Ok(None),
            false => Ok(Some(("window_altered", found))),
        }
    }

    /// Who gave it up did so by this very entry.
    fn given_up(&mut self, leaf: &Leaf, id: SubmissionId) -> anyhow::Result<Found> {
        self.withdrawn.insert(id);
        let found = match self.database.withdrawn(id)? {
            Some(row) if row == (leaf.at.as_secs(), leaf.index) => return Ok(None),
            Some(_) => "by another entry, or at another time",
            None => "not at all",
        };
        let found = format!("submission {id} was given up by it, and {found} by the records");
        Ok(Some(("withdrawal_altered", found)))
    }

    fn proposed(&mut self, leaf: &Leaf, proposed: &Proposed) -> anyhow::Result<Found> {
        let id = proposed.submission;
        let nothing = |sid: &StudentId| (sid.to_string(), Said::Nothing.as_str().to_owned(), None);
        let begun = ProposedRow {
            proposed_at: leaf.at.as_secs(),
            waits_until: proposed.waits_until.as_secs(),
            signed: None,
            upload_until: None,
            kept_until: None,
            files_agree: true,
            ended: None,
            cosigners: proposed.members.iter().map(nothing).collect(),
        };
        self.proposals.insert(id, begun);
        self.statements.insert(id, proposed.statement_sha256);
        let row = self.database.proposed(id)?;
        let what = format!("the statement of proposal {id}");
        Ok(compared(row, &proposed.statement_sha256, &what))
    }

    fn signed(&mut self, leaf: &Leaf, signed: &Signed) -> anyhow::Result<Found> {
        if let Some(proposal) = self.proposals.get_mut(&signed.submission) {
            // Whoever has signed before keeps that signature.
            let is_new = |sid: &str, said: &str| {
                said == Said::Nothing.as_str()
                    && signed.members.iter().any(|one| one.as_str() == sid)
            };
            say(proposal, Said::Signed, leaf.index, is_new);
            let mut cosigners = proposal.cosigners.iter();
            if cosigners.all(|(_, said, _)| said == Said::Signed.as_str()) {
                proposal.signed = Some((leaf.at.as_secs(), leaf.index));
            }
        }
        let expected = DeliveryRow {
            at: leaf.at.as_secs(),
            connection: signed.connection.as_bytes().to_vec(),
            members: joined(&signed.members),
            reason: None,
            signed: Some(SignedRow {
                signatures: signed.p7s_sha256,
                mode: Some(signed.mode.as_str().to_owned()),
                assurance: Some(signed.verification_sha256),
            }),
        };
        self.delivered(leaf.index, signed.submission, &expected)
    }

    /// Members declined a proposal, or took back what they had signed.
    fn ended(&mut self, leaf: &Leaf, (ended, said): (&Ended, Said)) -> anyhow::Result<Found> {
        if let Some(proposal) = self.proposals.get_mut(&ended.submission) {
            let is_one = |sid: &str, _: &str| ended.members.iter().any(|one| one.as_str() == sid);
            say(proposal, said, leaf.index, is_one);
        }
        self.end_proposal(ended.submission, leaf);
        let expected = DeliveryRow {
            at: leaf.at.as_secs(),
            connection: ended.connection.as_bytes().to_vec(),
            members: joined(&ended.members),
            reason: ended.reason.as_ref().map(ToString::to_string),
            signed: None,
        };
        self.delivered(leaf.index, ended.submission, &expected)
    }

    fn end_proposal(&mut self, id: SubmissionId, leaf: &Leaf) {
        if let Some(proposal) = self.proposals.get_mut(&id) {
            proposal.ended = Some((leaf.entry.name().to_owned(), leaf.at.as_secs()));
        }
    }

    fn delivered(
        &mut self,
        index: u64,
        id: SubmissionId,
        expected: &DeliveryRow,
    ) -> anyhow::Result<Found> {
        self.delivered.insert(index);
        let row = self.database.delivered(id, index)?;
        let what = format!("what {} said of proposal {id}", expected.members);
        Ok(compared(row, expected, &what))
    }

    /// At the end of the log, what changes stands as it says, and there is no more than it says.
    pub(super) fn end(&self) -> anyhow::Result<Vec<Difference>> {
        let place = (self.log.course(), self.log.assignment());
        let here = self.database.standing(place)?;
        let about = |id: &SubmissionId| format!("{} proposal {id}", self.log);
        let mut found = Vec::new();
        for (id, row) in &here.proposals {
            let expected = self.proposals.get(id);
            found.extend(differs(row, expected).map(|(code, what)| (code, about(id), what)));
        }
        for index in here.delivered.difference(&self.delivered) {
            let what = format!("what came of a proposal by entry {index} was never entered");
            found.push(("not_entered", self.log.to_string(), what));
        }
        for id in here.withdrawn.intersection(&self.committed) {
            if !self.withdrawn.contains(id) {
                let what = format!("submission {id} is given up here, and not by the log");
                found.push(("withdrawal_altered", self.log.to_string(), what));
            }
        }
        Ok(found)
    }
}

/// The word of what is found, and what is wrong.
type Found = Option<(&'static str, String)>;

/// A row that never changes is there as it was entered.
fn compared<T: PartialEq>(row: Option<T>, expected: &T, what: &str) -> Found {
    match row {
        Some(row) if row == *expected => None,
        Some(_) => Some((
            "commitment_altered",
            format!("{what} is not what was entered"),
        )),
        None => Some(("commitment_missing", format!("{what} is not there"))),
    }
}

/// Of each member whom `is_one` names, this is what he said last.
fn say(proposal: &mut ProposedRow, said: Said, entry: u64, is_one: impl Fn(&str, &str) -> bool) {
    for one in &mut proposal.cosigners {
        if is_one(&one.0, &one.1) {
            (one.1, one.2) = (said.as_str().to_owned(), Some(entry));
        }
    }
}

/// What of a proposal is not as the log says it stands.
fn differs(row: &ProposedRow, expected: Option<&ProposedRow>) -> Found {
    let Some(expected) = expected else {
        return Some(("not_entered", "it was never entered".to_owned()));
    };
    let altered = |what: String| Some(("proposal_altered", what));
    let mut members = row.cosigners.iter().zip(&expected.cosigners);
    if let Some((here, entered)) = members.find(|(here, entered)| here != entered) {
        return altered(format!("here {}; by the log {}", word(here), word(entered)));
    }
    if row.cosigners.len() != expected.cosigners.len() {
        return altered("its members are not those who were entered".to_owned());
    }
    if row.ended != expected.ended {
        let [here, entered] = [row, expected].map(end_of);
        return altered(format!("here {here}; by the log {entered}"));
    }
    if row.proposed_at != expected.proposed_at || row.signed != expected.signed {
        return altered("when it was proposed, or complete, is not what was entered".to_owned());
    }
    let window = Window {
        proposed: expected.waits_until,
        signed: expected.signed.map(|(at, _)| at),
        with_signatures: row.upload_until,
        again: row.kept_until,
    };
    match window.is(row.waits_until) && row.files_agree {
        true => None,
        false => Some((
            "window_altered",
            "until when signatures or files may come, or that the files have come, is not what was entered, signed or \
             kept"
                .to_owned(),
        )),
    }
}

fn word((sid, said, entry): &(String, String, Option<u64>)) -> String {
    match (said == Said::Nothing.as_str(), entry) {
        (true, _) => format!("{sid} has said nothing"),
        (false, Some(entry)) => format!("{sid} has {said} by entry {entry}"),
        (false, None) => format!("{sid} has {said} by no entry"),
    }
}

fn end_of(proposal: &ProposedRow) -> String {
    match &proposal.ended {
        Some((how, at)) => {
            let at = rfc3339(scb_protocol::from_seconds(*at));
            format!("it has ended ({how}, {at})")
        }
        None => "it has not ended".to_owned(),
    }
}

/// As the record has them.
fn joined(members: &[StudentId]) -> String {
    let sids: Vec<_> = members.iter().map(StudentId::as_str).collect();
    sids.join(",")
}

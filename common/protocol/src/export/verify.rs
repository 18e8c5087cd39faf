//! Verifying an archive offline: everything in it is what was handed in, and nothing is missing.

mod contents;

use std::io::{BufRead, BufReader, Read, Seek};

use scb_certs::{Crl, Fingerprint, TrustStore, all_from_pem};
use scb_tlog::{UnverifiedCheckpoint, VerifiedCheckpoint};
use zip::ZipArchive;

use super::file;
use super::head::{Head, SignedHead};
use super::leaves::{AcceptedAfter, LogLine, Reading, StandIn, WentBack};
use crate::log_keys::VerifiedLogKeys;
use crate::log_leaf::MAX_LEAF;
use crate::receipt::archive::check_form;
use crate::receipt::lists;
use crate::receipt::log_proof::{seen, witnesses};
use crate::receipt::roots::{check_roots, other_root};
use crate::receipt::{Found, MAX_RECEIPT, WitnessPolicy, Witnessed};
use crate::time::is_future;

pub use crate::receipt::Check;

/// Why an archive does not verify.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ExportError(String);

impl From<String> for ExportError {
    fn from(reason: String) -> Self {
        Self(reason)
    }
}

impl ExportError {
    /// The root with which it might verify, if that it is another than those that were named is why it does not; and what
    /// was expected.
    pub fn other_root(&self) -> Option<(Fingerprint, &str)> {
        other_root(&self.0)
    }
}

/// Whether this is meant to be an archive of an assignment.
pub fn is_export(archive: impl Read + Seek) -> bool {
    ZipArchive::new(archive).is_ok_and(|archive| archive.index_for_name(file::HEAD).is_some())
}

/// Evidence: the archive holds every submission that the assignment's log accepts, each as it was
/// handed in.
#[derive(Debug, Clone)]
pub struct VerifiedExport {
    head: Head,
    unknown: u64,
    witnessed: Witnessed,
    checks: Vec<Check>,
}

impl VerifiedExport {
    /// Verifies an archive by these roots and witnesses. Reads all of it, and holds one file of a
    /// receipt's size at a time.
    ///
    /// # Errors
    ///
    /// [`ExportError`]: the first thing that is not in order.
    pub fn verify(
        archive: impl Read + Seek,
        roots: &[Fingerprint],
        policy: &WitnessPolicy,
    ) -> Result<Self, ExportError> {
        let archive =
            ZipArchive::new(archive).map_err(|error| format!("not a ZIP file: {error}"))?;
        let mut verifier = Verifier {
            archive,
            checks: Vec::new(),
        };
        Ok(verifier.run(roots, policy)?)
    }

    /// What it is.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Of how many of its entries nobody knows what they said.
    pub fn unknown_entries(&self) -> u64 {
        self.unknown
    }

    /// Whether nothing can come any more, and everything that came is known.
    pub fn is_final(&self) -> bool {
        self.head.is_final(self.unknown)
    }

    /// Who had seen all entries of it, and when.
    pub fn witnessed(&self) -> &Witnessed {
        &self.witnessed
    }

    /// What was checked, in order.
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }
}

struct Verifier<R> {
    archive: ZipArchive<R>,
    checks: Vec<Check>,
}

impl<R: Read + Seek> Verifier<R> {
    fn run(
        &mut self,
        roots: &[Fingerprint],
        policy: &WitnessPolicy,
    ) -> Result<VerifiedExport, String> {
        check_form(&mut self.archive)?;
        let (mut head, trust) = self.head(roots)?;
        let (checkpoint, witnessed) = self.checkpoint(&head, &trust, policy)?;
        let reading = self.entries(&head, &checkpoint)?;
        self.bound(&head)?;
        self.submissions(&head, &reading, (roots, policy))?;
        head.closed = reading.closed();
        Ok(VerifiedExport {
            head,
            unknown: reading.unknown_entries(),
            witnessed,
            checks: std::mem::take(&mut self.checks),
        })
    }

    fn passed(&mut self, what: &'static str, found: Found) {
        self.checks.push(Check { what, found });
    }

    /// What it is, and by what it is judged.
    fn head(&mut self, roots: &[Fingerprint]) -> Result<(Head, TrustStore), String> {
        let signed = SignedHead {
            head: self.part(file::HEAD)?,
            signature: self.part(file::HEAD_SIGNATURE)?,
        };
        let head = signed.read().map_err(in_file(file::HEAD))?;
        let own = all_from_pem(&self.text(file::ROOT)?).map_err(|error| error.to_string())?;
        self.checks.extend(check_roots(&own, roots)?);
        let lists =
            Crl::all_from_pem(&self.text(file::CRLS)?).map_err(|error| error.to_string())?;
        let mut later = lists.iter().map(Crl::this_update);
        if later.any(|update| is_future(update.as_secs(), head.exported_at)) {
            return Err("a revocation list is of later than the archive".to_owned());
        }
        let trust = TrustStore::of_roots(own)
            .and_then(|trust| trust.with_crls(lists))
            .map_err(|error| error.to_string())?;
        let signed_by = signed.verify(&head, &trust);
        signed_by.map_err(in_file(file::HEAD_SIGNATURE))?;
        let found = Found::Exported {
            log: head.log.clone(),
            at: head.exported_at,
            service: head.service.clone(),
        };
        self.passed("exported", found);
        Ok((head, trust))
    }

    /// The checkpoint, by keys that CUHK endorsed.
    fn checkpoint(
        &mut self,
        head: &Head,
        trust: &TrustStore,
        policy: &WitnessPolicy,
    ) -> Result<(VerifiedCheckpoint, Witnessed), String> {
        let signed = (self.part(file::KEYS)?, self.part(file::KEYS_SIGNATURE)?);
        let endorsed = |at| {
            let keys = VerifiedLogKeys::verify(&signed.0, &signed.1, trust, &head.service, at);
            keys.map_err(|error| error.to_string())
        };
        let keys = endorsed(head.exported_at)?;
        if keys.log().name().as_str() != head.log.to_string() {
            return Err(format!("{} is about another log", file::KEYS));
        }
        let in_checkpoint = |error: scb_tlog::Error| format!("{}: {error}", file::CHECKPOINT);
        let note: UnverifiedCheckpoint = self
            .text(file::CHECKPOINT)?
            .parse()
            .map_err(in_checkpoint)?;
        let checkpoint = note.verify(keys.log()).map_err(in_checkpoint)?;
        let by = witnesses(&checkpoint, keys.witness(), policy).map_err(in_checkpoint)?;
        if by.len() < policy.quorum() {
            let (seen, wanted) = (by.len(), policy.quorum());
            return Err(format!("{seen} of its witnesses cosigned, {wanted} must"));
        }
        let witnessed = Witnessed {
            size: checkpoint.head().size,
            seen: seen(&by, keys.witness()).unwrap_or(head.exported_at),
            by,
            lists_until: lists::end_of(trust.crls()),
        };
        if !witnessed.outlives_lists() {
            endorsed(witnessed.seen)?;
        }
        self.checks.extend(witnessed.checks());
        Ok((checkpoint, witnessed))
    }

    /// The entries are those of the checkpoint, all of them.
    fn entries(&mut self, head: &Head, checkpoint: &VerifiedCheckpoint) -> Result<Reading, String> {
        let mut reading = Reading::of(head.log.clone());
        let leaves = self.archive.by_name(file::LEAVES);
        let leaves = leaves.map_err(|error| format!("{}: {error}", file::LEAVES))?;
        let mut leaves = BufReader::new(leaves);
        while let Some(line) = next_line(&mut leaves)? {
            reading.line(&line)?;
        }
        drop(leaves);
        counted_right(head, checkpoint, &reading)?;
        let entries = reading.head().size;
        self.passed("logged", Found::AllLogged { entries });
        self.oddities(&reading);
        let unknown = reading.moments().unknown();
        self.passed("committed", Found::Moments { unknown });
        Ok(reading)
    }

    /// What is true of the log and should not have happened to it.
    fn oddities(&mut self, reading: &Reading) {
        match reading.unknown_entries() {
            0 => {}
            lost => self.passed("LOST", Found::LostEntries { lost }),
        }
        for StandIn {
            index,
            number,
            lost,
        } in reading.stand_ins()
        {
            let (index, number, lost) = (*index, *number, lost.clone());
            let found = Found::StandsIn {
                index,
                number,
                lost,
            };
            self.passed("restored", found);
        }
        if let Some(back) = reading.went_back() {
            let WentBack { index, at, before } = back;
            self.passed("TIMES", Found::WentBack { index, at, before });
        }
        if let Some(after) = reading.accepted_after() {
            let AcceptedAfter {
                index,
                number,
                closed,
            } = after;
            let found = Found::AcceptedAfter {
                index,
                number,
                closed,
            };
            self.passed("AFTER", found);
        }
    }

    fn text(&mut self, name: &str) -> Result<String, String> {
        String::from_utf8(self.part(name)?).map_err(|_| format!("{name} is not UTF-8"))
    }

    fn part(&mut self, name: &str) -> Result<Vec<u8>, String> {
        let file = self.archive.by_name(name);
        let file = file.map_err(|error| format!("{name}: {error}"))?;
        if file.size() > MAX_RECEIPT as u64 {
            return Err(format!("{name} is larger than 16 MiB"));
        }
        let mut bytes = Vec::new();
        file.take(MAX_RECEIPT as u64)
            .read_to_end(&mut bytes)
            .map_err(|error| format!("{name}: {error}"))?;
        Ok(bytes)
    }
}

/// The entries are those that the checkpoint commits to and the archive's head counts.
fn counted_right(
    head: &Head,
    checkpoint: &VerifiedCheckpoint,
    reading: &Reading,
) -> Result<(), String> {
    let tree = reading.head();
    if tree != checkpoint.head() {
        let (size, root) = (tree.size, tree.root);
        return Err(format!(
            "its {size} entries with the root {root} are not those of the checkpoint"
        ));
    }
    let told = (head.entries, head.accepted, head.lost);
    let counted = (tree.size, reading.accepted(), reading.lost_entries());
    if told != counted || !reading.may_name_as_end(head.closed) {
        return Err(format!(
            "{} says other numbers than the entries",
            file::HEAD
        ));
    }
    Ok(())
}

/// The next line; an entry is never longer than a leaf.
fn next_line(leaves: &mut impl BufRead) -> Result<Option<LogLine>, String> {
    let mut line = Vec::new();
    let limited = leaves
        .take(MAX_LEAF as u64 + 1)
        .read_until(b'\n', &mut line);
    limited.map_err(|error| format!("{}: {error}", file::LEAVES))?;
    match line.pop() {
        None => Ok(None),
        Some(b'\n') => Ok(Some(LogLine(line))),
        Some(_) => Err(format!("{}: a line is too long or cut off", file::LEAVES)),
    }
}

fn in_file(name: &'static str) -> impl Fn(String) -> String {
    move |error| format!("{name}: {error}")
}

//! The proof that the assignment's log holds the entry, that witnesses have seen it, and that CUHK
//! endorsed the keys of both.

use rustls_pki_types::UnixTime;
use scb_certs::{SpiffeId, TrustStore, all_from_pem};
use scb_tlog::{Error as LogError, KeyName, TlogProof, VerifiedCheckpoint, VerifierKey};

use super::archive::UnverifiedProof;
use super::committed::CommittedEntry;
use super::judged::JudgedBy;
use super::pending::pending;
use super::{Check, Found, file, lists};
use crate::log_keys::{SignedLogKeys, VerifiedLogKeys};
use crate::log_leaf::{Leaf, leaf_commitment};
use crate::rfc3339;
use crate::time::{from_seconds, is_future};

/// The files of a receipt that are the proof; nothing of it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogProof {
    /// C2SP tlog-proof, with a checkpoint that witnesses cosigned.
    pub proof: String,
    /// CUHK's endorsement of the log's key and of its own as a witness.
    pub keys: SignedLogKeys,
    /// The log's verifier key (C2SP signed-note) and a line feed.
    pub log_key: String,
    /// The verifier key of CUHK as a witness and a line feed.
    pub witness_key: String,
    /// The entry of the moment that counts, of a receipt whose acceptance names one, if it is not lost.
    pub committed: Option<CommittedEntry>,
    /// The rules by which lateness is judged, of a receipt whose acceptance names them, and extensions.
    pub judged: JudgedBy,
    /// The revocation lists that were in force when CUHK cosigned (PEM), if those that were accepted
    /// with the submission, or that there are without them, do not tell: the end of `crl.pem`.
    pub lists: String,
    /// Of the witnesses besides CUHK those whose cosignatures its service still waits for: its word
    /// alone. With any, what has the proof is pending.
    pub missing: Vec<KeyName>,
}

impl LogProof {
    /// The proof, with the keys that CUHK endorsed.
    pub fn new(proof: &TlogProof, keys: SignedLogKeys, endorsed: &VerifiedLogKeys) -> Self {
        Self {
            proof: proof.to_string(),
            keys,
            log_key: line(endorsed.log()),
            witness_key: line(endorsed.witness()),
            committed: None,
            judged: JudgedBy::default(),
            lists: String::new(),
            missing: Vec::new(),
        }
    }

    /// Name and bytes of each file of its own, in the order of the archive.
    pub(crate) fn files(&self) -> Vec<(&'static str, &[u8])> {
        let mut files = vec![
            (file::PROOF, self.proof.as_bytes()),
            (file::LOG_KEY, self.log_key.as_bytes()),
            (file::WITNESS_KEY, self.witness_key.as_bytes()),
            (file::KEYS, self.keys.keys.as_bytes()),
            (file::KEYS_SIGNATURE, self.keys.signature.as_slice()),
        ];
        files.extend(self.committed.iter().flat_map(CommittedEntry::files));
        files.extend(self.judged.files());
        files
    }

    /// The very tree in which the acceptance is proved holds this leaf at this place, too, by the proof in
    /// the file of this name.
    pub(super) fn holds(
        &self,
        (index, leaf): (u64, &[u8]),
        (name, proof): (&str, &str),
    ) -> Result<(), String> {
        let in_proof = |error: LogError| format!("{name}: {error}");
        let proof: TlogProof = proof.parse().map_err(in_proof)?;
        let same: TlogProof = self.proof.parse().map_err(in_proof)?;
        let is_its = proof.extra.is_none() && proof.index == index;
        if !is_its || proof.checkpoint != same.checkpoint {
            return Err(format!("{name} is about another entry or tree"));
        }
        let verified = proof.verify(&leaf_commitment(leaf), &self.log()?);
        verified.map(drop).map_err(in_proof)
    }

    /// The log's key, as it stands there.
    pub(super) fn log(&self) -> Result<VerifierKey, String> {
        key(&self.log_key, file::LOG_KEY)
    }
}

/// Whose cosignatures a verifier wants to see: so many of CUHK's, which CUHK itself endorsed, and
/// of those whose keys the verifier brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessPolicy {
    quorum: usize,
    outside: Vec<VerifierKey>,
}

impl WitnessPolicy {
    /// At least `quorum` of CUHK and these; `None` if there are not that many, or none at all
    /// would do.
    pub fn new(quorum: usize, outside: Vec<VerifierKey>) -> Option<Self> {
        let possible = (1..=outside.len() + 1).contains(&quorum);
        possible.then_some(Self { quorum, outside })
    }

    /// Whether enough of them cosigned this checkpoint, CUHK with its key `own`, and nobody wrongly.
    pub fn is_met_by(&self, checkpoint: &VerifiedCheckpoint, own: &VerifierKey) -> bool {
        witnesses(checkpoint, own, self).is_ok_and(|seen| seen.len() >= self.quorum)
    }

    /// One of them is enough: of what all that are needed have seen in another place, or are waited for.
    pub(crate) fn any(&self) -> Self {
        Self {
            quorum: 1,
            outside: self.outside.clone(),
        }
    }

    /// How many must have cosigned.
    pub fn quorum(&self) -> usize {
        self.quorum
    }

    /// The witnesses besides CUHK.
    pub fn outside(&self) -> &[VerifierKey] {
        &self.outside
    }
}

/// CUHK's cosignature.
impl Default for WitnessPolicy {
    fn default() -> Self {
        Self {
            quorum: 1,
            outside: Vec::new(),
        }
    }
}

/// Evidence: the log holds the entry, and these have seen it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witnessed {
    /// Entries of the tree that was seen.
    pub size: u64,
    /// Who has seen it and when, by its own clock. CUHK first, if it did.
    pub by: Vec<(KeyName, UnixTime)>,
    /// When CUHK cosigned; if it did not, the last who did.
    pub seen: UnixTime,
    /// Until when the revocation lists were in force by which it was judged what endorses its key;
    /// nothing if there are none.
    pub lists_until: Option<UnixTime>,
}

impl Witnessed {
    /// Whether the cosignature is of later than the lists were in force: then they do not show that
    /// what endorses the witness's key had not been revoked by then.
    pub fn outlives_lists(&self) -> bool {
        self.lists_until.is_some_and(|until| self.seen >= until)
    }

    /// Who has seen it, and whether the lists cover that, line by line.
    pub(crate) fn checks(&self) -> Vec<Check> {
        let by = self.by.iter().map(|(name, time)| Check {
            what: "witnessed",
            found: Found::Witnessed {
                by: name.clone(),
                at: *time,
            },
        });
        let lists = self.lists_until.map(|until| Check {
            what: "lists",
            found: Found::Lists {
                until,
                cover: !self.outlives_lists(),
            },
        });
        by.chain(lists).collect()
    }
}

/// What is proved, and about what.
pub(crate) struct Entered<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) leaf: &'a Leaf,
    pub(crate) service: &'a SpiffeId,
    /// The certificates that come with it besides the roots and those in signatures, PEM.
    pub(crate) chains: &'a str,
}

/// Verifies all of it. The chain of whoever endorsed the keys is judged at the time of CUHK's
/// cosignature, as far as there are revocation lists of that time.
pub(crate) fn verify(
    proof: &LogProof,
    entered: &Entered<'_>,
    trust: &TrustStore,
    policy: &WitnessPolicy,
) -> Result<Witnessed, String> {
    let log = proof.log()?;
    let own = key(&proof.witness_key, file::WITNESS_KEY)?;
    let in_proof = |error: LogError| format!("{}: {error}", file::PROOF);
    let parsed: TlogProof = proof.proof.parse().map_err(in_proof)?;
    if parsed.extra.is_some() || parsed.index != entered.leaf.index {
        return Err(format!("{} is about another entry", file::PROOF));
    }
    let commitment = leaf_commitment(entered.bytes);
    let included = parsed.verify(&commitment, &log).map_err(in_proof)?;
    let checkpoint = included.checkpoint();
    let by = witnesses(checkpoint, &own, policy).map_err(in_proof)?;
    if let Some((name, time)) = by.iter().find(|(_, time)| is_early(entered.leaf, *time)) {
        return Err(format!(
            "{name} saw it at {}, before it was entered",
            rfc3339(*time)
        ));
    }
    if by.len() < policy.quorum() {
        let (seen, wanted) = (by.len(), policy.quorum);
        let reason = format!("{seen} of its witnesses cosigned, {wanted} must");
        return Err(format!("{}: {reason}", file::PROOF));
    }
    let seen = seen(&by, &own).unwrap_or(entered.leaf.at);
    let trust = match proof.lists.is_empty() {
        true => trust.clone(),
        false => later_trust(proof, entered, trust, seen)?,
    };
    let witnessed = Witnessed {
        size: checkpoint.head().size,
        by,
        seen,
        lists_until: lists::end_of(trust.crls()),
    };
    check_endorsed(proof, entered, &trust, &witnessed)?;
    Ok(witnessed)
}

/// When CUHK cosigned, or else the last who did.
pub(crate) fn seen(by: &[(KeyName, UnixTime)], own: &VerifierKey) -> Option<UnixTime> {
    let cuhk = by.iter().find(|(name, _)| name == own.name());
    let last = || by.iter().map(|(_, time)| *time).max();
    cuhk.map(|(_, time)| *time).or_else(last)
}

/// What judges the endorsement of a receipt that was completed late.
fn later_trust(
    proof: &LogProof,
    entered: &Entered<'_>,
    trust: &TrustStore,
    seen: UnixTime,
) -> Result<TrustStore, String> {
    let mut issuers = all_from_pem(entered.chains).map_err(|error| error.to_string())?;
    issuers.extend_from_slice(trust.roots());
    issuers.extend(proof.endorser()?);
    lists::store((trust, &proof.lists), seen, &issuers)
}

/// CUHK endorsed both keys, for the log of the entry.
fn check_endorsed(
    proof: &LogProof,
    entered: &Entered<'_>,
    trust: &TrustStore,
    witnessed: &Witnessed,
) -> Result<(), String> {
    let Entered { leaf, service, .. } = entered;
    let SignedLogKeys { keys, signature } = &proof.keys;
    // Lists that had ended by then say at least that all was well when it was entered.
    let at = match witnessed.outlives_lists() {
        true => leaf.at,
        false => witnessed.seen,
    };
    let verified = VerifiedLogKeys::verify(keys.as_bytes(), signature, trust, service, at)
        .map_err(|error| error.to_string())?;
    if verified.log().name().as_str() != leaf.log.to_string() {
        return Err(format!("{} is about another log", file::KEYS));
    }
    for (name, found, key) in [
        (file::LOG_KEY, &proof.log_key, verified.log()),
        (file::WITNESS_KEY, &proof.witness_key, verified.witness()),
    ] {
        if *found != line(key) {
            return Err(format!("{name} is not the key that CUHK endorsed"));
        }
    }
    Ok(())
}

fn key(text: &str, name: &str) -> Result<VerifierKey, String> {
    let key = text.trim_end().parse();
    key.map_err(|error: LogError| format!("{name}: {error}"))
}

/// Who cosigned, of those that count; each once. A cosignature that does not verify is never
/// passed over.
pub(crate) fn witnesses(
    checkpoint: &VerifiedCheckpoint,
    own: &VerifierKey,
    policy: &WitnessPolicy,
) -> Result<Vec<(KeyName, UnixTime)>, LogError> {
    let mut counted: Vec<&VerifierKey> = Vec::new();
    let mut seen = Vec::new();
    for key in std::iter::once(own).chain(&policy.outside) {
        if counted
            .iter()
            .any(|known| known.public_key() == key.public_key())
        {
            continue;
        }
        counted.push(key);
        match checkpoint.cosignature(key) {
            Ok(cosignature) => seen.push((key.name().clone(), from_seconds(cosignature.time()))),
            Err(LogError::SignatureMissing { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(seen)
}

/// What a receipt, or whatever is kept like one, has of the log: the proof, or what says that it is
/// still to come.
///
/// # Errors
///
/// As [`verify`]; a text that says so of another entry.
pub(crate) fn judge(
    proof: &UnverifiedProof,
    entered: &Entered<'_>,
    trust: &TrustStore,
    policy: &WitnessPolicy,
) -> Result<(Option<Witnessed>, Vec<Check>), String> {
    let Leaf { log, index, .. } = entered.leaf;
    let check = |what, found| Check { what, found };
    let proof = match proof {
        UnverifiedProof::Here(proof) => proof,
        UnverifiedProof::Pending(text) => {
            if *text != pending(entered.leaf, &[]).map_err(|error| error.to_string())? {
                return Err(format!("{} is about another entry", file::PENDING));
            }
            let (index, log) = (*index, log.clone());
            let found = Found::Pending { index, log };
            return Ok((None, vec![check("pending", found)]));
        }
    };
    // Who wants more than CUHK's cosignature waits as well.
    let policy = match proof.missing.is_empty() {
        true => policy.clone(),
        false => policy.any(),
    };
    let witnessed = verify(proof, entered, trust, &policy)?;
    let logged = Found::Logged {
        index: *index,
        log: log.clone(),
        size: witnessed.size,
    };
    let mut checks = vec![check("logged", logged)];
    checks.extend(witnessed.checks());
    if proof.missing.is_empty() {
        return Ok((Some(witnessed), checks));
    }
    let missing = proof.missing.clone();
    checks.push(check("pending", Found::Awaited { missing }));
    Ok((None, checks))
}

/// For whose cosignatures Blackboard still waits by its word, if CUHK's is there.
pub(crate) fn awaited(checks: &[Check]) -> Option<&[KeyName]> {
    checks.iter().find_map(|check| match &check.found {
        Found::Awaited { missing } => Some(missing.as_slice()),
        _ => None,
    })
}

/// Whether that was before the entry was made, by more than two clocks may differ.
fn is_early(leaf: &Leaf, time: UnixTime) -> bool {
    is_future(leaf.at.as_secs(), time)
}

fn line(key: &VerifierKey) -> String {
    format!("{key}\n")
}

//! Verifying a receipt offline. All that the verifier brings is the root's fingerprint; the
//! fingerprints of two roots, if it is of the time in which one took the place of the other.

mod told;

use rustls_pki_types::UnixTime;
use scb_certs::{
    Certificate, Crl, Fingerprint, StudentId, TrustStore, VerifiedStudent, all_from_pem,
};

use super::archive::{UnverifiedReceipt, complete, open};
use super::committed;
use super::dating::Behind;
use super::file;
use super::found::{Check, Found};
use super::judged;
use super::log_proof::{self, Entered, LogProof, WitnessPolicy, Witnessed};
use super::roots::{check_roots, other_root};
use super::signed_leaf::{SignedLeaf, accepted, hashes};
use crate::assurance::{Mode, VerifiedTokens};
use crate::log_leaf::{Accepted, Leaf, LogName, RulesEntry, leaf_commitment};
use crate::server::{questions, verify_signatures, verify_signers};
use crate::sole_signer::signing_blackboard;
use crate::statement::{FileEntry, Statement};
use crate::time::{is_future, rfc3339};
use crate::verification::Verification;
use crate::{COMMITMENT_SIZE, Code, Refusal, Step};

/// A member as the receipt proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptMember {
    /// The student ID.
    pub sid: StudentId,
    /// SHA-256 of the certificate with which the statement was signed.
    pub cert_sha256: Fingerprint,
    /// When the member's own clock said it was signed: a claim, never evidence.
    pub claimed_time: UnixTime,
}

/// Evidence: Blackboard accepted this statement, signed by all its members, at this time.
#[derive(Debug, Clone)]
pub struct VerifiedReceipt {
    leaf: Leaf,
    commitment: [u8; COMMITMENT_SIZE],
    accepted: Accepted,
    statement: Statement,
    bytes: Vec<u8>,
    members: Vec<ReceiptMember>,
    witnessed: Option<Witnessed>,
    checks: Vec<Check>,
}

impl VerifiedReceipt {
    /// Verifies a receipt against the fingerprint of CUHK's root.
    ///
    /// # Errors
    ///
    /// `receipt_invalid`, with the reason.
    pub fn verify(receipt: &[u8], root: &Fingerprint) -> Result<Self, Refusal> {
        Self::verify_under(receipt, std::slice::from_ref(root))
    }

    /// As [`VerifiedReceipt::verify`], by several roots that are trusted.
    ///
    /// # Errors
    ///
    /// As [`VerifiedReceipt::verify`].
    pub fn verify_under(receipt: &[u8], roots: &[Fingerprint]) -> Result<Self, Refusal> {
        Self::verify_witnessed(receipt, roots, &WitnessPolicy::default())
    }

    /// As [`VerifiedReceipt::verify_under`], by the witnesses that this verifier wants. A receipt
    /// whose proof is still to come is verified as that: then [`VerifiedReceipt::witnessed`] has
    /// nothing to say.
    ///
    /// # Errors
    ///
    /// As [`VerifiedReceipt::verify`].
    pub fn verify_witnessed(
        receipt: &[u8],
        roots: &[Fingerprint],
        policy: &WitnessPolicy,
    ) -> Result<Self, Refusal> {
        open(receipt)
            .and_then(|parts| Verifier::new(parts, roots, None)?.run(policy))
            .map_err(invalid)
    }

    /// Completes a receipt with its proof and verifies what comes of it. Returns its bytes, too.
    ///
    /// # Errors
    ///
    /// As [`VerifiedReceipt::verify`].
    pub fn complete(
        receipt: &[u8],
        proof: &LogProof,
        roots: &[Fingerprint],
    ) -> Result<(Vec<u8>, Self), Refusal> {
        let completed = complete(receipt, proof).map_err(invalid)?;
        let verified = Self::verify_under(&completed, roots)?;
        Ok((completed, verified))
    }

    /// Verifies a receipt by a trust store in use. If it carries the very revocation lists of
    /// the store, what the store has verified need not be verified again; any other is verified
    /// by the lists that it carries.
    ///
    /// # Errors
    ///
    /// As [`VerifiedReceipt::verify`].
    pub fn verify_by(receipt: &[u8], trust: &TrustStore) -> Result<Self, Refusal> {
        let roots: Vec<_> = trust.roots().iter().map(Certificate::fingerprint).collect();
        open(receipt)
            .and_then(|parts| {
                Verifier::new(parts, &roots, Some(trust))?.run(&WitnessPolicy::default())
            })
            .map_err(invalid)
    }

    /// Checks that a file is one of those that were handed in, and says which; by its content,
    /// whatever it is called now.
    ///
    /// # Errors
    ///
    /// `content_altered`.
    pub fn verify_file(&self, size: u64, sha256: Fingerprint) -> Result<&FileEntry, Refusal> {
        let mut files = self.statement.files.iter();
        let found = files.find(|file| file.size == size && file.sha256 == sha256);
        found.ok_or_else(|| {
            let refusal = Refusal::new(Code::ContentAltered, Step::Six).with("got", sha256);
            match self.statement.files.single() {
                Some(file) => refusal.with("expected", file.sha256),
                None => refusal.with("files", self.statement.files.len()),
            }
        })
    }
}

struct Verifier {
    parts: UnverifiedReceipt,
    trust: TrustStore,
    leaf: Leaf,
    accepted: Accepted,
    statement: Statement,
    /// The members, once their chains are judged.
    students: Vec<VerifiedStudent>,
    checks: Vec<Check>,
}

impl Verifier {
    fn new(
        parts: UnverifiedReceipt,
        trusted: &[Fingerprint],
        in_use: Option<&TrustStore>,
    ) -> Result<Self, String> {
        let roots = all_from_pem(&parts.evidence.root).map_err(text)?;
        let checks = check_roots(&roots, trusted)?;
        let crls = Crl::all_from_pem(&parts.evidence.crls).map_err(text)?;
        let (leaf, accepted) =
            accepted(&parts.leaf.leaf).map_err(|error| format!("{}: {error}", file::LEAF))?;
        if let Some(crl) = crls
            .iter()
            .find(|crl| is_future(crl.this_update().as_secs(), leaf.at))
        {
            return Err(format!(
                "a revocation list is of later, {}",
                rfc3339(crl.this_update())
            ));
        }
        let is_same = |store: &&TrustStore| store.roots() == roots && has_lists(store, &crls);
        let trust = match in_use.filter(is_same) {
            Some(store) => store.clone(),
            None => TrustStore::of_roots(roots)
                .and_then(|trust| trust.with_crls(crls))
                .map_err(text)?,
        };
        let statement = Statement::parse(&parts.evidence.statement).map_err(text)?;
        Ok(Self {
            parts,
            trust,
            leaf,
            accepted,
            statement,
            students: Vec::new(),
            checks,
        })
    }

    fn run(mut self, policy: &WitnessPolicy) -> Result<VerifiedReceipt, String> {
        self.check_accepted()?;
        let members = self.check_members()?;
        self.check_assurance()?;
        let witnessed = self.check_log(policy)?;
        Ok(VerifiedReceipt {
            witnessed,
            commitment: leaf_commitment(&self.parts.leaf.leaf),
            leaf: self.leaf,
            accepted: self.accepted,
            statement: self.statement,
            bytes: self.parts.evidence.statement,
            members,
            checks: self.checks,
        })
    }

    fn passed(&mut self, what: &'static str, found: Found) {
        self.checks.push(Check { what, found });
    }

    /// Blackboard signed number, times and the hash of every other file.
    fn check_accepted(&mut self) -> Result<(), String> {
        self.check_signer()?;
        let expected = LogName::of(&self.statement).map_err(text)?;
        if self.leaf.log != expected || self.statement.submission != self.accepted.submission {
            return Err("the log entry and the statement name different things".to_owned());
        }
        if self.accepted.committed_at > self.leaf.at {
            return Err("accepted before the statement had come".to_owned());
        }
        if self.accepted.committed_index >= Some(self.leaf.index) {
            return Err("accepted before the statement was entered".to_owned());
        }
        self.check_hashes()?;
        let Accepted {
            committed_at,
            committed_index,
            number,
            ..
        } = self.accepted;
        let committed = Found::Committed {
            at: committed_at,
            index: committed_index,
        };
        self.passed("committed", committed);
        let accepted = Found::Accepted {
            number,
            at: self.leaf.at,
            service: self.statement.service.clone(),
        };
        self.passed("accepted", accepted);
        self.check_rules()
    }

    /// The rules that it pins were entered before the statement was.
    fn check_rules(&mut self) -> Result<(), String> {
        let Some(RulesEntry { index, leaf_sha256 }) = self.accepted.rules else {
            return Ok(());
        };
        if index >= self.accepted.committed_index.unwrap_or(self.leaf.index) {
            return Err("the rules were entered after the statement".to_owned());
        }
        let found = Found::Rules {
            index,
            at: self.accepted.committed_at,
            sha256: leaf_sha256,
        };
        self.passed("rules", found);
        Ok(())
    }

    /// The service to which it was handed in signed the entry, and nobody else.
    fn check_signer(&self) -> Result<(), String> {
        let SignedLeaf { leaf, signature } = &self.parts.leaf;
        let service = signing_blackboard(leaf, signature, &self.trust, self.leaf.at)
            .map_err(|reason| format!("{}: {reason}", file::LEAF_SIGNATURE))?;
        match service == self.statement.service {
            true => Ok(()),
            false => Err("it was handed in to another service than accepted it".to_owned()),
        }
    }

    /// The files are those that were accepted.
    fn check_hashes(&self) -> Result<(), String> {
        if self.accepted.mode != self.parts.evidence.mode {
            return Err("the log entry names another mode".to_owned());
        }
        let found = hashes(&self.parts.evidence);
        let mut differing = found
            .iter()
            .filter(|(name, hash)| self.accepted.files.get(*name) != Some(*hash));
        if let Some((name, _)) = differing.next() {
            return Err(format!("{name} is not what was accepted"));
        }
        match found.len() == self.accepted.files.len() {
            true => Ok(()),
            false => Err("the log entry names other files".to_owned()),
        }
    }

    /// The log holds the entry, and witnesses have seen it; or the proof is still to come.
    fn check_log(&mut self, policy: &WitnessPolicy) -> Result<Option<Witnessed>, String> {
        let entered = Entered {
            bytes: &self.parts.leaf.leaf,
            leaf: &self.leaf,
            service: &self.statement.service,
            chains: &self.parts.evidence.chains,
        };
        let (witnessed, checks) =
            log_proof::judge(&self.parts.proof, &entered, &self.trust, policy)?;
        self.checks.extend(checks);
        let behind = Behind {
            trust: &self.trust,
            service: &self.statement.service,
            students: &self.students,
            statement: Fingerprint::of(&self.parts.evidence.statement),
        };
        let by = (&entered, &behind);
        let committed = committed::check(&self.parts.proof, &self.accepted, by)?;
        self.checks.extend(committed);
        let named = self.statement.members.iter();
        let members = named.map(|member| member.sid.clone());
        let judged = judged::check(&self.parts.proof, &self.accepted, &entered, members)?;
        self.checks.extend(judged);
        Ok(witnessed)
    }

    /// Exactly the members signed the statement, with certificates in force at that time.
    fn check_members(&mut self) -> Result<Vec<ReceiptMember>, String> {
        let (evidence, named) = (&self.parts.evidence, &self.statement.members);
        let signers =
            verify_signatures(&evidence.statement, &evidence.signatures, named).map_err(text)?;
        let at = self.leaf.at;
        let students = verify_signers(&signers, named, &self.trust, at).map_err(text)?;
        let members: Vec<_> = named
            .iter()
            .zip(&signers)
            .map(|(named, signer)| ReceiptMember {
                sid: named.sid.clone(),
                cert_sha256: signer.certificate.fingerprint(),
                claimed_time: signer.claimed_time,
            })
            .collect();
        self.students = students;
        for member in &members {
            let found = Found::Signed {
                sid: member.sid.clone(),
                certificate: member.cert_sha256,
            };
            self.checks.push(Check {
                what: "signed",
                found,
            });
        }
        Ok(members)
    }

    /// What stood behind the members, and what they handed in.
    fn check_assurance(&mut self) -> Result<(), String> {
        let (what, found) = match self.accepted.mode {
            Mode::Verified => ("confirmed", self.verification()?),
            Mode::Tokens => ("tokens", self.tokens()?),
        };
        self.passed(what, found);
        for file in &self.statement.files {
            let found = Found::File(file.clone());
            self.checks.push(Check {
                what: "file",
                found,
            });
        }
        Ok(())
    }
}

impl Verifier {
    /// CUHK confirmed exactly these members to this service at that time.
    fn verification(&self) -> Result<Found, String> {
        let verification = Verification::verify_for(
            &self.parts.evidence.assurance,
            &self.trust,
            &self.statement.service,
            &questions(&self.students),
            self.leaf.at,
        )
        .map_err(text)?;
        if !verification.may_be_about(Fingerprint::of(&self.parts.evidence.statement)) {
            return Err("CUHK was asked about another statement".to_owned());
        }
        Ok(Found::Confirmed {
            members: verification.members().len(),
            at: verification.issued_at(),
        })
    }

    /// CUHK was away. Each member had an identity token of CUHK, for this service and this
    /// certificate, that was in force at that time.
    fn tokens(&self) -> Result<Found, String> {
        let lines: Vec<&str> = self.parts.evidence.assurance.lines().collect();
        if lines.len() != self.students.len() {
            return Err("not exactly one identity token per member".to_owned());
        }
        let tokens = VerifiedTokens::verify(
            self.students.iter().zip(lines),
            &self.trust,
            &self.statement.service,
            self.leaf.at,
            Step::Six,
        )
        .map_err(text)?;
        Ok(Found::Tokens {
            tokens: tokens.members(),
            until: tokens.until(),
        })
    }
}

/// Whether these are the lists of the store, byte by byte. A store without any judges otherwise.
fn has_lists(store: &TrustStore, crls: &[Crl]) -> bool {
    let own = store.crls().iter().map(Crl::der);
    !crls.is_empty() && own.eq(crls.iter().map(Crl::der))
}

pub(crate) fn invalid(reason: String) -> Refusal {
    let refusal = Refusal::new(Code::ReceiptInvalid, Step::Six);
    match other_root(&reason) {
        Some((root, rest)) => {
            let reason = format!("it is under another root: {rest}");
            refusal.with("reason", reason).with("root", root)
        }
        None => refusal.with("reason", reason),
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

//! Verifying a rejection: as it comes, against the refusal with which it came, and years later.

use std::time::Duration;

use rustls_pki_types::UnixTime;
use scb_certs::{Certificate, Fingerprint, SpiffeId, StudentId, TrustStore};
use scb_tlog::KeyName;

use super::archive::{Parts, build, open};
use crate::log_leaf::{self, Entry, Leaf, LogName};
use crate::receipt::log_proof::{self, Entered};
use crate::receipt::roots::known_roots;
use crate::receipt::verify::invalid;
use crate::receipt::{Check, Found, LogProof, SignedLeaf, WitnessPolicy, Witnessed, file};
use crate::sole_signer::signing_blackboard;
use crate::statement::Statement;
use crate::time::CLOCK_SKEW;
use crate::{Code, Refusal, Step};

/// For so long the same refusal is entered once, and told with the earlier entry.
pub const ENTERED_ONCE: Duration = Duration::from_secs(60 * 60);

/// What the members had sent when they were refused.
#[derive(Debug, Clone, Copy)]
pub struct Refused<'a> {
    /// The statement's exact bytes.
    pub statement: &'a [u8],
    /// The members of the connection, in order.
    pub members: &'a [StudentId],
}

/// Evidence: Blackboard refused these members' statement, and entered that in the assignment's log.
#[derive(Debug, Clone)]
pub struct VerifiedRejection {
    leaf: Leaf,
    commitment: Fingerprint,
    refused: log_leaf::Refused,
    statement: Statement,
    witnessed: Option<Witnessed>,
    checks: Vec<Check>,
}

impl VerifiedRejection {
    /// Verifies what came with a refusal: that it is about this very refusal, log, statement and
    /// members, of now, and signed by this service. Returns the file to keep, too.
    ///
    /// # Errors
    ///
    /// `server_misbehaved`, with the reason; also if nothing came.
    pub fn of(
        refusal: &Refusal,
        sent: Refused<'_>,
        (trust, service): (&TrustStore, &SpiffeId),
        now: UnixTime,
    ) -> Result<(Vec<u8>, Self), Refusal> {
        let verify = || {
            let signed = refusal.rejection.as_ref().ok_or("it was not signed")?;
            let leaf = signed.to_leaf();
            let rejection = Self::judge(&leaf, sent.statement, trust)?;
            rejection.is_of(refusal, sent.members, service, now)?;
            let roots = trust.roots().iter().map(Certificate::to_pem);
            let zip = build(sent.statement, &leaf, &roots.collect::<String>(), None)
                .map_err(|error| error.to_string())?;
            Ok((zip, rejection))
        };
        verify().map_err(|reason: String| {
            let misbehaved = Refusal::new(Code::ServerMisbehaved, Step::Six);
            misbehaved
                .with("reason", format!("its signed refusal: {reason}"))
                .with("refused", refusal.code)
        })
    }

    /// Verifies a rejection that was kept, by roots that are trusted and the witnesses that this
    /// verifier wants.
    ///
    /// # Errors
    ///
    /// `receipt_invalid`, with the reason.
    pub fn verify(
        rejection: &[u8],
        roots: &[Fingerprint],
        policy: &WitnessPolicy,
    ) -> Result<Self, Refusal> {
        open(rejection)
            .and_then(|parts| Self::verify_parts(&parts, roots, policy))
            .map_err(invalid)
    }

    /// Completes a rejection with its proof and verifies what comes of it. Returns its bytes, too.
    ///
    /// # Errors
    ///
    /// As [`VerifiedRejection::verify`].
    pub fn complete(
        rejection: &[u8],
        proof: &LogProof,
        roots: &[Fingerprint],
    ) -> Result<(Vec<u8>, Self), Refusal> {
        let parts = open(rejection).map_err(invalid)?;
        let completed = build(&parts.statement, &parts.leaf, &parts.root, Some(proof))
            .map_err(|error| invalid(error.to_string()))?;
        let verified = Self::verify(&completed, roots, &WitnessPolicy::default())?;
        Ok((completed, verified))
    }

    /// Why they were refused.
    pub fn code(&self) -> Code {
        self.refused.code
    }

    /// Who was refused, in order.
    pub fn members(&self) -> &[StudentId] {
        &self.refused.members
    }

    /// When, by Blackboard's clock.
    pub fn refused_at(&self) -> UnixTime {
        self.leaf.at
    }

    /// The log in which it is entered, and its number there, from 0.
    pub fn entry(&self) -> (&LogName, u64) {
        (&self.leaf.log, self.leaf.index)
    }

    /// What is entered there: SHA-256 of the leaf.
    pub fn commitment(&self) -> Fingerprint {
        self.commitment
    }

    /// What was refused.
    pub fn statement(&self) -> &Statement {
        &self.statement
    }

    /// Who has seen the entry in the log; nobody yet if the proof is still to come.
    pub fn witnessed(&self) -> Option<&Witnessed> {
        self.witnessed.as_ref()
    }

    /// While it is pending though CUHK has seen the entry: for whose cosignatures Blackboard still waits,
    /// by its word.
    pub fn awaited(&self) -> Option<&[KeyName]> {
        log_proof::awaited(&self.checks)
    }

    /// What was checked, in order.
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    fn verify_parts(
        parts: &Parts,
        trusted: &[Fingerprint],
        policy: &WitnessPolicy,
    ) -> Result<Self, String> {
        let (known, mut checks) = known_roots(&parts.root, trusted)?;
        let trust = TrustStore::of_roots(known).map_err(|error| error.to_string())?;
        let mut rejection = Self::judge(&parts.leaf, &parts.statement, &trust)?;
        checks.append(&mut rejection.checks);
        rejection.checks = checks;
        rejection.check_log(parts, &trust, policy)?;
        Ok(rejection)
    }

    /// Blackboard signed the entry, which is about this statement.
    fn judge(signed: &SignedLeaf, statement: &[u8], trust: &TrustStore) -> Result<Self, String> {
        let text = |error: crate::Error| error.to_string();
        let leaf = Leaf::parse(&signed.leaf).map_err(text)?;
        let Entry::Refused(refused) = leaf.entry.clone() else {
            return Err(format!(
                "{} says {}, not refused",
                file::LEAF,
                leaf.entry.name()
            ));
        };
        if refused.statement_sha256 != Some(Fingerprint::of(statement)) {
            return Err("it is about another statement".to_owned());
        }
        let statement = Statement::parse(statement).map_err(|refusal| refusal.sentence())?;
        let service = signing_blackboard(&signed.leaf, &signed.signature, trust, leaf.at);
        let service = service.map_err(|error| format!("{}: {error}", file::LEAF_SIGNATURE))?;
        if service != statement.service || LogName::of(&statement).map_err(text)? != leaf.log {
            return Err("the log entry and the statement name different things".to_owned());
        }
        let found = Found::Refused {
            code: refused.code,
            at: leaf.at,
            service,
        };
        let members = Found::Members(refused.members.clone());
        let checks = [("refused", found), ("members", members)];
        let checks = checks.map(|(what, found)| Check { what, found });
        let checks = checks.to_vec();
        Ok(Self {
            leaf,
            commitment: Fingerprint::of(&signed.leaf),
            refused,
            statement,
            witnessed: None,
            checks,
        })
    }

    /// It says what the refusal says, of now.
    fn is_of(
        &self,
        refusal: &Refusal,
        members: &[StudentId],
        service: &SpiffeId,
        now: UnixTime,
    ) -> Result<(), String> {
        let told = |name: &str| refusal.params.get(name).cloned().unwrap_or_default();
        let (log, index) = self.entry();
        let differs = [
            (refusal.code != self.refused.code, "another reason"),
            (self.refused.members != members, "other members"),
            (*service != self.statement.service, "another service"),
            (told("log") != log.to_string(), "another log"),
            (told("entry") != index.to_string(), "another entry"),
            (!is_of_now(self.leaf.at, now), "another time"),
        ];
        match differs.iter().find(|(differs, _)| *differs) {
            Some((_, what)) => Err(format!("it names {what}")),
            None => Ok(()),
        }
    }

    /// The log holds the entry, and witnesses have seen it; or the proof is still to come.
    fn check_log(
        &mut self,
        parts: &Parts,
        trust: &TrustStore,
        policy: &WitnessPolicy,
    ) -> Result<(), String> {
        let entered = Entered {
            bytes: &parts.leaf.leaf,
            leaf: &self.leaf,
            service: &self.statement.service,
            chains: "",
        };
        let (witnessed, checks) = log_proof::judge(&parts.proof, &entered, trust, policy)?;
        self.checks.extend(checks);
        self.witnessed = witnessed;
        Ok(())
    }
}

/// Whether it was entered when this refusal may have been: for [`ENTERED_ONCE`] the same is told with
/// the earlier entry. A client talks to servers whose clock differs by less than twice the skew.
fn is_of_now(at: UnixTime, now: UnixTime) -> bool {
    let (at, now, skew) = (at.as_secs(), now.as_secs(), 2 * CLOCK_SKEW);
    at <= now.saturating_add(skew) && now <= at.saturating_add(ENTERED_ONCE.as_secs() + skew)
}

//! The trust bundle: which roots are CUHK's, said by a root that is trusted already.
//!
//! JSON whose exact bytes are signed with a root's key (detached CMS). Its sequence number only
//! grows; whoever has seen one takes no older one.

use rustls_pki_types::UnixTime;
use scb_certs::{
    Certificate, Chain, DetachedSignature, MAX_ROOTS, Root, TrustDomain, TrustStore, sign_detached,
};
use serde::{Deserialize, Serialize};

use crate::message::cuhk::Reply;
use crate::object::objects;
use crate::time::{as_rfc3339, is_future, is_past, rfc3339};
use crate::values::Der;
use crate::{Code, Error, Message as _, Refusal, Step};

/// How many bundles somebody may have missed and still catch up with.
const MAX_MISSED: u64 = 64;

/// The bundle's `type`.
const TYPE: &str = "scb-trust-bundle";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
struct Contents {
    #[serde(rename = "type")]
    kind: String,
    v: u8,
    trust_domain: TrustDomain,
    sequence: u64,
    #[serde(with = "as_rfc3339")]
    not_before: UnixTime,
    #[serde(with = "as_rfc3339")]
    not_after: UnixTime,
    /// The oldest first.
    roots: Vec<Der>,
}

objects!(Contents);

/// Why a bundle does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// It is not in the required form; says what.
    #[error("it is malformed: {0}")]
    Malformed(String),
    /// No root that is trusted signed it.
    #[error("no root that is trusted here has signed it")]
    Untrusted,
    /// It is of another trust domain.
    #[error("it is of the trust domain {0}")]
    OtherDomain(TrustDomain),
    /// It is older than one that was seen before.
    #[error("it went back from number {known} to {found}")]
    WentBack {
        /// The highest number seen.
        known: u64,
        /// The number offered.
        found: u64,
    },
    /// It is not in force.
    #[error("it is in force from {} to {}", rfc3339(*not_before), rfc3339(*not_after))]
    NotInForce {
        /// From when on it counts.
        not_before: UnixTime,
        /// Until when it counts.
        not_after: UnixTime,
    },
}

/// A bundle as it is stored and sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedBundle {
    /// Its exact bytes (JSON).
    pub bundle: String,
    /// Detached CMS SignedData (RFC 5652), DER, each by one root: whoever trusts any of them can
    /// tell.
    pub signatures: Vec<Vec<u8>>,
}

/// The way from one bundle to a later one. Numbers may be left out on it: for each number comes the
/// bundle of that number, or the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissedBundles {
    next: u64,
    latest: u64,
    left: u64,
}

impl MissedBundles {
    /// Which number to ask for; none at the end, and after 64 bundles.
    pub fn number(&self) -> Option<u64> {
        (self.next < self.latest && self.left > 0).then_some(self.next)
    }

    /// How the way goes on after what came for [`MissedBundles::number`], whether it counts or not.
    #[must_use]
    pub fn after(self, bundle: &SignedBundle) -> Self {
        let came = bundle.sequence().unwrap_or(self.next).max(self.next);
        Self {
            next: came.saturating_add(1),
            left: self.left.saturating_sub(1),
            ..self
        }
    }
}

impl SignedBundle {
    /// Signs a bundle with each of these roots' keys. `roots` are all that count from now on, the
    /// oldest first.
    ///
    /// # Errors
    ///
    /// [`Error::Sign`], [`Error::Encode`].
    pub fn sign(
        by: &[&Root],
        roots: &[Certificate],
        sequence: u64,
        (not_before, not_after): (UnixTime, UnixTime),
    ) -> Result<Self, Error> {
        let first = by.first().ok_or(Error::Sign)?;
        let trust_domain = first
            .certificate()
            .authority_trust_domain()
            .map_err(|_| Error::Sign)?;
        let contents = Contents {
            kind: TYPE.to_owned(),
            v: 1,
            trust_domain,
            sequence,
            not_before,
            not_after,
            roots: roots
                .iter()
                .map(|root| Der::new(root.der().to_vec()))
                .collect(),
        };
        let bundle =
            serde_json::to_string(&contents).map_err(|error| Error::Encode(error.to_string()))?;
        let sign = |root: &&Root| {
            let chain = Chain::new(vec![root.certificate().clone()])?;
            sign_detached(bundle.as_bytes(), &[(root.key(), &chain)], not_before)
        };
        let signatures = by.iter().map(sign).collect::<Result<_, _>>();
        let signatures = signatures.map_err(|_| Error::Sign)?;
        Ok(Self { bundle, signatures })
    }

    /// Verifies a bundle by the roots that are trusted so far. `known` is the highest number seen.
    ///
    /// # Errors
    ///
    /// [`BundleError`].
    pub fn verify(
        &self,
        trusted: &TrustStore,
        known: u64,
        now: UnixTime,
    ) -> Result<VerifiedBundle, BundleError> {
        self.check_signature(trusted.roots())?;
        let contents = self.contents()?;
        let Contents {
            trust_domain,
            sequence,
            not_before,
            not_after,
            roots,
            ..
        } = contents;
        if trust_domain != *trusted.trust_domain() {
            return Err(BundleError::OtherDomain(trust_domain));
        }
        if sequence < known {
            return Err(BundleError::WentBack {
                known,
                found: sequence,
            });
        }
        if is_future(not_before.as_secs(), now) || is_past(not_after.as_secs(), now) {
            return Err(BundleError::NotInForce {
                not_before,
                not_after,
            });
        }
        Ok(VerifiedBundle {
            trust: store_of(&roots, &trust_domain)?,
            sequence,
        })
    }

    /// What CUHK answered to the question for a bundle, not judged yet; none where it has none: its root has
    /// not signed one yet.
    ///
    /// # Errors
    ///
    /// What CUHK refused it with; [`Code::ServerMisbehaved`] if it answered something else.
    pub fn in_answer(answer: Result<Reply, Refusal>, step: Step) -> Result<Option<Self>, Refusal> {
        match answer {
            Ok(Reply::TrustBundle { bundle, signatures }) => {
                let signatures = signatures.iter().map(|der| der.as_bytes().to_vec());
                let signatures = signatures.collect();
                Ok(Some(Self { bundle, signatures }))
            }
            Ok(other) => Err(Refusal::new(Code::ServerMisbehaved, step)
                .with("expected", "trust_bundle")
                .with("got", other.name())),
            Err(none) if none.code == Code::NotFound => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }

    /// The way to this bundle from the one accepted last, `known`, by those between them, which may
    /// lead from the roots that are trusted to those that signed it; there is none if one that is
    /// trusted has signed it.
    pub fn missed(&self, trusted: &TrustStore, known: u64) -> MissedBundles {
        let latest = match self.leads_on(trusted) {
            true => known,
            false => self.sequence().unwrap_or(known),
        };
        MissedBundles {
            next: known.saturating_add(1),
            latest,
            left: MAX_MISSED,
        }
    }

    /// Whether a root that is trusted has signed it: worth to be verified.
    pub fn leads_on(&self, trusted: &TrustStore) -> bool {
        self.check_signature(trusted.roots()).is_ok()
    }

    /// The number that it gives itself: for whoever verified it before it was stored.
    ///
    /// # Errors
    ///
    /// [`BundleError::Malformed`].
    pub fn sequence(&self) -> Result<u64, BundleError> {
        self.contents().map(|contents| contents.sequence)
    }

    fn contents(&self) -> Result<Contents, BundleError> {
        let malformed = |reason: String| BundleError::Malformed(reason);
        let contents: Contents =
            serde_json::from_str(&self.bundle).map_err(|error| malformed(error.to_string()))?;
        match contents.kind == TYPE && contents.v == 1 {
            true => Ok(contents),
            false => Err(malformed("another type or version".to_owned())),
        }
    }

    /// One of at most eight is made with the key of one of these roots; all of them verify.
    fn check_signature(&self, trusted: &[Certificate]) -> Result<(), BundleError> {
        let malformed = |error: scb_certs::Error| BundleError::Malformed(error.to_string());
        let mut found = Err(BundleError::Untrusted);
        for signature in self.signatures.iter().take(MAX_ROOTS) {
            let signature = DetachedSignature::parse(signature).map_err(malformed)?;
            let signers = signature.verify(self.bundle.as_bytes());
            match signers.map_err(malformed)?.as_slice() {
                [signer] if trusted.contains(&signer.certificate) => found = Ok(()),
                _ => {}
            }
        }
        found
    }
}

fn store_of(roots: &[Der], trust_domain: &TrustDomain) -> Result<TrustStore, BundleError> {
    let malformed = |error: scb_certs::Error| BundleError::Malformed(error.to_string());
    if roots.len() > MAX_ROOTS {
        return Err(BundleError::Malformed("too many roots".to_owned()));
    }
    let roots = roots
        .iter()
        .map(|der| Certificate::from_der(der.as_bytes()));
    let roots = roots.collect::<Result<_, _>>().map_err(malformed)?;
    let store = TrustStore::of_roots(roots).map_err(malformed)?;
    match store.trust_domain() == trust_domain {
        true => Ok(store),
        false => Err(BundleError::OtherDomain(store.trust_domain().clone())),
    }
}

/// Evidence: a root that was trusted said that these are the roots.
#[derive(Debug, Clone)]
pub struct VerifiedBundle {
    trust: TrustStore,
    sequence: u64,
}

impl VerifiedBundle {
    /// The roots, without revocation lists.
    pub fn trust(&self) -> &TrustStore {
        &self.trust
    }

    /// Its number.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }
}

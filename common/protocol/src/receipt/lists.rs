//! The revocation lists of a receipt that was completed late. `crl.pem` begins with those that were in
//! force when the submission was accepted, whose SHA-256 is in the log's entry. If they had ended when
//! CUHK cosigned the log, those that were in force then follow.

use rustls_pki_types::UnixTime;
use scb_certs::{Certificate, Crl, Fingerprint, TrustStore, all_from_pem};

use super::{Evidence, LogProof, SignedLeaf, file};
use crate::revocation_lists::LISTS;
use crate::sole_signer::sole_signer;
use crate::time::is_future;

/// How a list ends in PEM.
const END: &str = "-----END X509 CRL-----\n";

/// How many bytes of `crl.pem` are the lists that were accepted with the submission: all of it, if no
/// part is. That shows where the hashes are compared.
pub(super) fn accepted(crls: &str, leaf: &SignedLeaf) -> usize {
    let accepted = leaf.accepted();
    let accepted = accepted.as_ref().and_then(|it| it.files.get(file::CRLS));
    let ends = crls
        .match_indices(END)
        .map(|(place, end)| place + end.len());
    let is_accepted = |end: &usize| Some(&Fingerprint::of(&crls.as_bytes()[..*end])) == accepted;
    // No more lists are accepted than CUHK may publish: nobody makes this take long.
    let mut ends = ends.take(*LISTS.end());
    ends.find(is_accepted).unwrap_or(crls.len())
}

/// Until when all of these are in force; nothing if there are none.
pub(crate) fn end_of(lists: &[Crl]) -> Option<UnixTime> {
    lists.iter().map(Crl::next_update).min()
}

/// Whether a list was in force then.
fn covers(list: &Crl, time: UnixTime) -> bool {
    !is_future(list.this_update().as_secs(), time) && time < list.next_update()
}

/// The trust store by which is judged what endorses the keys, if there are lists for the time of the
/// cosignature: each was in force then, and signed by one of `issuers`. Nothing else is among them.
pub(super) fn store(
    (trust, pem): (&TrustStore, &str),
    seen: UnixTime,
    issuers: &[Certificate],
) -> Result<TrustStore, String> {
    let wrong = |what: &str| format!("{}: what follows the accepted lists {what}", file::CRLS);
    let lists = Crl::all_from_pem(pem).map_err(text)?;
    if lists.iter().map(Crl::to_pem).collect::<String>() != pem {
        return Err(wrong("is not only lists"));
    }
    if !lists.iter().all(|list| covers(list, seen)) {
        return Err(wrong("was not in force when CUHK saw it"));
    }
    if !lists.iter().all(|list| is_signed(list, issuers)) {
        return Err(wrong("was not signed by an issuer in it"));
    }
    let store = TrustStore::of_roots(trust.roots().to_vec()).map_err(text)?;
    store.with_crls(lists).map_err(text)
}

fn is_signed(list: &Crl, issuers: &[Certificate]) -> bool {
    issuers.iter().any(|issuer| list.verify(issuer).is_ok())
}

impl LogProof {
    /// With the revocation lists that belong into the receipt of this evidence: if its own had ended when
    /// CUHK cosigned, at `seen`, those of `lists` that were in force then.
    ///
    /// # Errors
    ///
    /// What of the evidence cannot be read.
    pub fn for_receipt(
        self,
        evidence: &Evidence,
        (lists, seen): (&[Crl], UnixTime),
    ) -> Result<Self, String> {
        let own = Crl::all_from_pem(&evidence.crls).map_err(text)?;
        if end_of(&own).is_some_and(|until| seen < until) {
            return Ok(self);
        }
        let mut issuers = all_from_pem(&evidence.root).map_err(text)?;
        issuers.extend(all_from_pem(&evidence.chains).map_err(text)?);
        self.with_lists(issuers, (lists, seen))
    }

    /// With the revocation lists that belong to a refusal, which has none of its own: those of `lists`
    /// that were in force when CUHK cosigned, at `seen`.
    ///
    /// # Errors
    ///
    /// What of the endorsement cannot be read.
    pub fn for_refusal(
        self,
        trust: &TrustStore,
        (lists, seen): (&[Crl], UnixTime),
    ) -> Result<Self, String> {
        self.with_lists(trust.roots().to_vec(), (lists, seen))
    }

    fn with_lists(
        mut self,
        mut issuers: Vec<Certificate>,
        (lists, seen): (&[Crl], UnixTime),
    ) -> Result<Self, String> {
        issuers.extend(self.endorser()?);
        let fitting = lists
            .iter()
            .filter(|list| covers(list, seen) && is_signed(list, &issuers));
        self.lists = fitting.map(Crl::to_pem).collect();
        Ok(self)
    }

    /// The certificates of whoever endorsed the keys; nobody has judged them.
    pub(super) fn endorser(&self) -> Result<Vec<Certificate>, String> {
        let chain = sole_signer(self.keys.keys.as_bytes(), &self.keys.signature)?;
        Ok(chain.certificates().to_vec())
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

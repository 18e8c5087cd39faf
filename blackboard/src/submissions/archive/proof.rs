//! What proves an archive: the checkpoint that CUHK and the other witnesses cosigned over all entries, and what endorses
//! the keys.

use std::thread::sleep;
use std::time::{Duration, Instant};

use scb_certs::{Certificate, Crl, SpiffeId, TrustStore};
use scb_cli::Home;
use scb_protocol::log_leaf::LogName;
use scb_protocol::witness::CosignedCheckpoint;
use scb_protocol::{SignedLogKeys, VerifiedLogKeys};

use super::not_yet;
use crate::courses::Desk;
use crate::enrol::stored_roots;
use crate::identity::IdentityFiles;
use crate::serve::{not_certified, unusable_witness};
use crate::store::{Error, Place};

/// How often to look whether CUHK has cosigned.
const LOOK: Duration = Duration::from_millis(200);

/// All of it, verified.
pub(super) struct Proof {
    pub(super) name: LogName,
    pub(super) service: SpiffeId,
    pub(super) at: rustls_pki_types::UnixTime,
    pub(super) keys: SignedLogKeys,
    pub(super) checkpoint: CosignedCheckpoint,
    pub(super) roots: Vec<Certificate>,
    pub(super) crls: Vec<Crl>,
}

impl Proof {
    /// Waits so many seconds until CUHK has cosigned all that the log has now.
    pub(super) fn obtain(
        desk: &Desk,
        home: &Home,
        place: &Place,
        seconds: u64,
    ) -> anyhow::Result<Self> {
        let name = LogName::new(&place.domain, &place.course, &place.assignment);
        let name = name.map_err(Error::Leaf)?;
        let entries = desk.store.log_size_blocking(&name)?;
        let deadline = Instant::now() + Duration::from_secs(seconds);
        loop {
            let found = Self::look(desk, home, &name)?;
            match found {
                Some(proof) if proof.checkpoint.size() >= entries => return Ok(proof),
                _ if Instant::now() >= deadline => {
                    return Err(not_yet(&format!(
                        "CUHK, or another witness that is needed, has not cosigned all {entries} \
                         entries of {name} yet"
                    ))
                    .into());
                }
                _ => sleep(LOOK),
            }
        }
    }

    /// What is there by now. It is verified as whoever gets the archive will verify it.
    fn look(desk: &Desk, home: &Home, name: &LogName) -> anyhow::Result<Option<Self>> {
        let (Some(keys), Some(note)) = desk.store.said_by_cuhk(name)? else {
            return Ok(None);
        };
        let (roots, crls) = (stored_roots(home)?, desk.store.remembered_crls()?);
        let trust = TrustStore::of_roots(roots.clone())?.with_crls(crls.clone())?;
        let identity = IdentityFiles::open(home)?.current()?;
        let identity = identity.ok_or_else(not_certified)?;
        let service = identity.chain.leaf().spiffe_id()?;
        let (bytes, signature) = (keys.keys.as_bytes(), &keys.signature);
        let verified = VerifiedLogKeys::verify(bytes, signature, &trust, &service, desk.now);
        let verified = verified.map_err(|error| not_yet(&error.to_string()))?;
        let checkpoint = CosignedCheckpoint::read(&note, verified.log(), verified.witness());
        let checkpoint = checkpoint.map_err(|error| Error::from(error).in_log(name))?;
        let policy = desk.config.witness_policy().map_err(unusable_witness)?;
        if !policy.is_met_by(checkpoint.checkpoint(), verified.witness()) {
            return Ok(None);
        }
        Ok(Some(Self {
            name: name.clone(),
            service,
            at: desk.now,
            checkpoint,
            keys,
            roots,
            crls,
        }))
    }
}

//! CUHK as witness of the logs that services keep.
//!
//! What a log has grown to is durable before it is cosigned, so that no answer that was lost and no
//! crash leads to a second history of it.

use rustls_pki_types::UnixTime;
use scb_certs::VerifiedService;
use scb_protocol::log_leaf::is_set_back;
use scb_protocol::message::cuhk::Reply;
use scb_protocol::values::Der;
use scb_protocol::witness::{
    GrownServiceLog, Judgement, MAX_NAMES, OfferedCheckpoint, STEP, ServiceLog, witness_name,
};
use scb_protocol::{Code, Refusal, SignedLogKeys, rfc3339};
use scb_tlog::{Algorithm, Cosigner, NoteKey, TreeHead, VerifierKey};

use super::{Authority, live_service};
use crate::Error;
use crate::issuers::Issuers;
use crate::own_identity::OwnIdentity;
use crate::store::WitnessedLog;

impl Authority {
    /// CUHK's word that this is the key of the service's log, beside its own for cosignatures.
    /// From then on the log is known under it.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] with `log_key_changed` or `too_many_logs`.
    pub(crate) async fn endorse(
        &self,
        asker: &VerifiedService,
        log: ServiceLog,
        key: VerifierKey,
    ) -> Result<Reply, Error> {
        let now = self.now();
        let live = live_service(asker, now, STEP);
        let most = self.signing.config.witnessed_logs.get();
        let (known, name) = (key.clone(), log.name().clone());
        let is_new = self.store().write(move |records| {
            live(records)?;
            records.witnessed().register(&log, &known, most, now)
        });
        if is_new.await? {
            tracing::info!("witness of the log {name} from now on, with the key {key}");
        }
        let current = self.current();
        let OwnIdentity { key: own, chain } = &current.tokens;
        let witness = self.cosigner.verifier();
        let signed = SignedLogKeys::sign(asker.spiffe_id(), &key, witness, (own, chain), now)?;
        Ok(Reply::Endorsed {
            keys: signed.keys,
            signature: Der::new(signed.signature),
        })
    }

    /// A cosignature, if the log grew out of what was seen of it; what was seen, if the service
    /// thinks of something else.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] with `not_found` for a log that was never endorsed, and as
    /// [`OfferedCheckpoint::judge`].
    pub(crate) async fn witness(
        &self,
        asker: &VerifiedService,
        offered: OfferedCheckpoint,
    ) -> Result<Reply, Error> {
        let live = live_service(asker, self.now(), STEP);
        let name = offered.log().name().clone();
        let seen = self.store().read(move |records| {
            live(records)?;
            records.witnessed().find(&name)
        });
        let Some(seen) = seen.await? else {
            return Err(unknown(offered.log()).into());
        };
        let log = offered.log().clone();
        match offered.judge(&seen.known)? {
            Judgement::Stale => Ok(shown(Some(seen))),
            Judgement::Grown(grown) => self.remember_and_cosign(&log, seen, grown).await,
        }
    }

    /// Durable first, signed second.
    async fn remember_and_cosign(
        &self,
        log: &ServiceLog,
        seen: WitnessedLog,
        grown: GrownServiceLog,
    ) -> Result<Reply, Error> {
        let (now, growth) = (not_before(&seen, self.now())?, grown.growth().clone());
        let remembered = self
            .store()
            .write(move |records| records.witnessed().remember(&seen, &grown, now));
        if !remembered.await? {
            return self.what_was_seen(log).await;
        }
        let line = self.cosigner.cosign(&growth, now.as_secs());
        Ok(Reply::Cosignature {
            cosignature: line.to_string(),
        })
    }

    /// What was seen of a log; nothing of one that was never endorsed.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) async fn witnessed(
        &self,
        asker: &VerifiedService,
        log: &ServiceLog,
    ) -> Result<Reply, Error> {
        let live = live_service(asker, self.now(), STEP);
        self.store().read(live).await?;
        self.what_was_seen(log).await
    }

    /// A page of the entries that were kept of a log.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) async fn witnessed_entries(
        &self,
        asker: &VerifiedService,
        log: &ServiceLog,
        (from, count): (u64, usize),
    ) -> Result<Reply, Error> {
        let live = live_service(asker, self.now(), STEP);
        let name = log.name().clone();
        let entries = self.store().read(move |records| {
            live(records)?;
            records.witnessed().entries(&name, from, count)
        });
        let entries = entries.await?;
        Ok(Reply::WitnessedEntries { entries })
    }

    /// A page of the names of the service's logs.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) async fn witnessed_logs(
        &self,
        asker: &VerifiedService,
        after: String,
    ) -> Result<Reply, Error> {
        let (live, service) = (live_service(asker, self.now(), STEP), asker.name().clone());
        let logs = self.store().read(move |records| {
            live(records)?;
            records.witnessed().names(&service, &after, MAX_NAMES)
        });
        let logs = logs.await?;
        Ok(Reply::WitnessedLogs { logs })
    }

    async fn what_was_seen(&self, log: &ServiceLog) -> Result<Reply, Error> {
        let name = log.name().clone();
        let seen = self
            .store()
            .read(move |records| records.witnessed().find(&name))
            .await?;
        Ok(shown(seen))
    }
}

/// CUHK's key for cosignatures of services' logs.
pub(crate) fn cosigner(issuers: &Issuers) -> Result<Cosigner, Error> {
    let name = witness_name(&issuers.trust_domain).parse()?;
    let algorithm = Algorithm::CosignatureV1;
    let key = NoteKey::from_seed(name, algorithm, issuers.witness.expose())?;
    Ok(Cosigner::new(key)?)
}

fn shown(seen: Option<WitnessedLog>) -> Reply {
    let head = seen
        .as_ref()
        .map_or(TreeHead::empty(), |seen| seen.known.head);
    Reply::Witnessed {
        size: head.size,
        root: head.root.to_string(),
        signed: seen.and_then(|seen| seen.checkpoint),
    }
}

/// The time of a cosignature: never before that of the last one of this log. Whoever believes the witness's
/// time would believe that a later entry came earlier.
///
/// # Errors
///
/// [`Error::Refused`] with `clock_set_back` under a clock that is behind by more than clocks are set.
fn not_before(seen: &WitnessedLog, now: UnixTime) -> Result<UnixTime, Error> {
    if seen.checkpoint.is_none() {
        return Ok(now);
    }
    let last = seen.seen_at;
    if !is_set_back(last, now) {
        return Ok(last.max(now));
    }
    tracing::error!("a log is not cosigned: this machine's clock was set back");
    let refusal = Refusal::new(Code::ClockSetBack, STEP).with("now", rfc3339(now));
    let refusal = refusal.with("last", rfc3339(last));
    Err(refusal.with("log", &seen.name).into())
}

fn unknown(log: &ServiceLog) -> Refusal {
    Refusal::new(Code::NotFound, STEP).with("log", log.name())
}

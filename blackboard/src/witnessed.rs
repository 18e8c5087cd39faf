//! What the witnesses of this server's logs, CUHK first, have cosigned of them so far.
//!
//! A checkpoint that CUHK has cosigned is offered to the other witnesses until enough of them have
//! cosigned this very one; only then the next one is. So witnesses of different speed, one of which
//! may have been away, always come together.

pub(crate) mod tally;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use scb_protocol::log_leaf::LogName;
use scb_protocol::receipt::WitnessPolicy;
use scb_protocol::witness::CosignedCheckpoint;
use scb_protocol::{SignedLogKeys, VerifiedLogKeys};
use scb_tlog::{Error as LogError, KeyName, SignatureLine, VerifierKey};
use tokio::sync::watch;
use tokio::time::timeout;

use self::tally::{CUHK, Tally};
use crate::authority::ListsThen;

/// A checkpoint of a log that CUHK cosigned, with what proves both keys, and with the cosignatures of
/// other witnesses that have come.
#[derive(Debug, Clone)]
pub(crate) struct Cosigned {
    /// The checkpoint with its signatures.
    pub(crate) checkpoint: CosignedCheckpoint,
    /// CUHK's endorsement as it was signed.
    pub(crate) endorsement: SignedLogKeys,
    /// The keys in it.
    pub(crate) keys: VerifiedLogKeys,
    /// The revocation lists that were in force when CUHK cosigned.
    pub(crate) lists: Arc<ListsThen>,
}

/// What was cosigned of one log; often the same three times.
#[derive(Debug)]
struct Seen {
    /// The newest one that CUHK cosigned.
    newest: Arc<Cosigned>,
    /// The one that is offered to the other witnesses.
    offered: Arc<Cosigned>,
    /// The newest one that enough have cosigned.
    complete: Option<Arc<Cosigned>>,
}

/// Whoever makes receipts asks here; the tasks that talk to the witnesses tell. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Witnessed {
    policy: Arc<WitnessPolicy>,
    logs: watch::Sender<BTreeMap<LogName, Seen>>,
    tally: Tally,
    /// The public keys of those besides CUHK that do not answer.
    away: watch::Sender<BTreeSet<[u8; 32]>>,
}

impl Witnessed {
    /// Nothing yet; so many of these must have cosigned, CUHK always among them.
    pub(crate) fn by(policy: WitnessPolicy) -> Self {
        Self {
            policy: Arc::new(policy),
            ..Self::default()
        }
    }

    /// What came of asking the witnesses.
    pub(crate) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// How many entries of each log enough have cosigned.
    pub(crate) fn complete_sizes(&self) -> BTreeMap<LogName, u64> {
        let logs = self.logs.borrow();
        let complete = logs.iter().filter_map(|(name, seen)| {
            let size = seen.complete.as_ref()?.checkpoint.size();
            Some((name.clone(), size))
        });
        complete.collect()
    }

    /// The newest checkpoint of a log that enough have cosigned, if it covers entry number `index`;
    /// if there is none yet, it waits for one as long as `patience`. Nobody waits while so many witnesses
    /// are away that there cannot be one.
    pub(crate) async fn covering_within(
        &self,
        log: &LogName,
        index: u64,
        patience: Duration,
    ) -> Option<Arc<Cosigned>> {
        let patience = match self.may_be_complete() {
            true => patience,
            false => Duration::ZERO,
        };
        let mut changes = self.logs.subscribe();
        let covered = changes.wait_for(|all| covering(all, log, index).is_some());
        match timeout(patience, covered).await {
            Ok(Ok(all)) => covering(&all, log, index),
            _ => None,
        }
    }

    /// The newest checkpoint of a log that CUHK has cosigned, if it covers entry number `index`; if it
    /// does not yet, it waits for one as long as `patience`.
    async fn seen_by_cuhk_within(
        &self,
        log: &LogName,
        index: u64,
        patience: Duration,
    ) -> Option<Arc<Cosigned>> {
        let newest = |all: &BTreeMap<LogName, Seen>| {
            let newest = Arc::clone(&all.get(log)?.newest);
            (index < newest.checkpoint.size()).then_some(newest)
        };
        let mut changes = self.logs.subscribe();
        let covered = changes.wait_for(|all| newest(all).is_some());
        match timeout(patience, covered).await {
            Ok(Ok(all)) => newest(&all),
            _ => None,
        }
    }

    /// What there is to show of entry number `index`: by as many as must cosign, or else by CUHK; if
    /// there is nothing yet, it waits for each as long as `patience`.
    pub(crate) async fn seen_of(
        &self,
        log: &LogName,
        index: u64,
        patience: Duration,
    ) -> Option<Arc<Cosigned>> {
        match self.covering_within(log, index, patience).await {
            Some(cosigned) => Some(cosigned),
            None => self.seen_by_cuhk_within(log, index, patience).await,
        }
    }

    /// Who besides CUHK has not cosigned this; nobody if as many have as must.
    pub(crate) fn awaited_in(&self, cosigned: &Cosigned) -> Vec<KeyName> {
        if is_enough(&self.policy, cosigned) {
            return Vec::new();
        }
        let outside = self.policy.outside().iter();
        let missing = outside.filter(|key| !cosigned.checkpoint.has_line_of(key));
        missing.map(|key| key.name().clone()).collect()
    }

    /// A witness besides CUHK does not answer.
    pub(crate) fn is_away(&self, witness: &VerifierKey) {
        let key = *witness.public_key();
        self.away.send_if_modified(|away| away.insert(key));
    }

    /// It answers, whatever it says.
    pub(crate) fn answers(&self, witness: &VerifierKey) {
        let key = witness.public_key();
        self.away.send_if_modified(|away| away.remove(key));
    }

    /// Whether those who answer are enough.
    fn may_be_complete(&self) -> bool {
        let answering = self.policy.outside().len() + 1 - self.away.borrow().len();
        answering >= self.policy.quorum()
    }

    /// The newest one of a log that CUHK cosigned.
    pub(crate) fn newest(&self, log: &LogName) -> Option<Arc<Cosigned>> {
        let logs = self.logs.borrow();
        logs.get(log).map(|seen| Arc::clone(&seen.newest))
    }

    /// There is a newer one by CUHK.
    pub(crate) fn set(&self, log: &LogName, cosigned: Cosigned) {
        let newest = Arc::new(cosigned);
        let time = newest.checkpoint.time().as_secs();
        self.tally.cosigned(CUHK, time);
        self.logs.send_modify(|all| {
            let seen = all.entry(log.clone()).or_insert_with(|| Seen {
                newest: Arc::clone(&newest),
                offered: Arc::clone(&newest),
                complete: None,
            });
            seen.newest = newest;
            seen.go_on(&self.policy);
        });
    }

    /// What is offered, and this witness has not cosigned.
    pub(crate) fn offered_to(&self, witness: &VerifierKey) -> Vec<(LogName, Arc<Cosigned>)> {
        let logs = self.logs.borrow();
        let open = logs
            .iter()
            .filter(|(_, seen)| !seen.offered.checkpoint.has_line_of(witness));
        open.map(|(name, seen)| (name.clone(), Arc::clone(&seen.offered)))
            .collect()
    }

    /// A witness besides CUHK has cosigned the checkpoint that was offered.
    ///
    /// # Errors
    ///
    /// As for [`CosignedCheckpoint::with_outside`].
    pub(crate) fn add(
        &self,
        log: &LogName,
        offered: &Cosigned,
        (line, witness): (SignatureLine, &VerifierKey),
    ) -> Result<(), LogError> {
        // Evidence before anybody is told.
        offered.checkpoint.with_outside(line.clone(), witness)?;
        self.logs.send_modify(|all| {
            if let Some(seen) = all.get_mut(log) {
                seen.add(offered, &line, witness);
                seen.go_on(&self.policy);
            }
        });
        Ok(())
    }

    /// A witness has seen more than is offered: the newest is offered in its place.
    pub(crate) fn offer_newest(&self, log: &LogName) {
        self.logs.send_modify(|all| {
            if let Some(seen) = all.get_mut(log) {
                seen.offered = Arc::clone(&seen.newest);
            }
        });
    }

    /// Changes whenever anything was cosigned.
    pub(crate) fn changes(&self) -> Changes {
        Changes(self.logs.subscribe())
    }
}

/// Tells that something was cosigned.
pub(crate) struct Changes(watch::Receiver<BTreeMap<LogName, Seen>>);

impl Changes {
    /// What was until now is known.
    pub(crate) fn mark_known(&mut self) {
        self.0.borrow_and_update();
    }

    /// Until the next one, or for as long as `patience`.
    pub(crate) async fn next_within(&mut self, patience: Duration) {
        let _ = timeout(patience, self.0.changed()).await;
    }
}

impl Seen {
    /// Wherever it stands, and with what others have added meanwhile.
    fn add(&mut self, offered: &Cosigned, line: &SignatureLine, witness: &VerifierKey) {
        let text = offered.checkpoint.note().text();
        for place in [&mut self.newest, &mut self.offered]
            .into_iter()
            .chain(&mut self.complete)
            .filter(|place| place.checkpoint.note().text() == text)
        {
            if let Ok(checkpoint) = place.checkpoint.with_outside(line.clone(), witness) {
                *place = Arc::new(Cosigned {
                    checkpoint,
                    ..Cosigned::clone(place)
                });
            }
        }
    }

    /// What enough have cosigned is complete; then the newest is offered.
    fn go_on(&mut self, policy: &WitnessPolicy) {
        if is_enough(policy, &self.offered) {
            self.complete = Some(Arc::clone(&self.offered));
            self.offered = Arc::clone(&self.newest);
        }
        if is_enough(policy, &self.offered) {
            self.complete = Some(Arc::clone(&self.offered));
        }
    }
}

fn is_enough(policy: &WitnessPolicy, cosigned: &Cosigned) -> bool {
    let (checkpoint, keys) = (cosigned.checkpoint.checkpoint(), &cosigned.keys);
    policy.is_met_by(checkpoint, keys.witness())
}

fn covering(all: &BTreeMap<LogName, Seen>, log: &LogName, index: u64) -> Option<Arc<Cosigned>> {
    let complete = all.get(log)?.complete.as_ref()?;
    (index < complete.checkpoint.size()).then(|| Arc::clone(complete))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use scb_protocol::witness::witness_name;
    use scb_testkit::{TestCampus, TestLog};
    use scb_tlog::{Algorithm, Cosigner, NoteKey, TreeHead, verify_growth};

    use super::*;

    const LOG: &str = "campus.test/blackboard/c/a";
    const SOON: Duration = Duration::from_millis(20);

    fn cosigned(size: u64) -> Cosigned {
        let (campus, log) = (TestCampus::new(), TestLog::of(LOG, size));
        let name = witness_name(campus.trust().trust_domain()).parse().unwrap();
        let key = NoteKey::from_seed(name, Algorithm::CosignatureV1, &[3; 32]).unwrap();
        let cosigner = Cosigner::new(key).unwrap();
        let (signer, now) = (campus.token_signer(), campus.now());
        let by = (&signer.key, &signer.chain);
        let service = campus.service("blackboard").leaf().spiffe_id().unwrap();
        let endorsement =
            SignedLogKeys::sign(&service, log.key(), cosigner.verifier(), by, now).unwrap();
        let (bytes, signature) = (endorsement.keys.as_bytes(), &endorsement.signature);
        let keys = VerifiedLogKeys::verify(bytes, signature, &campus.trust(), &service, now);
        let growth = verify_growth(
            &TreeHead::empty(),
            log.checkpoint(size),
            &Default::default(),
        );
        let line = cosigner.cosign(&growth.unwrap(), now.as_secs());
        let note = log.checkpoint(size).with(line).to_string();
        let checkpoint = CosignedCheckpoint::read(&note, log.key(), cosigner.verifier()).unwrap();
        Cosigned {
            checkpoint,
            endorsement,
            keys: keys.unwrap(),
            lists: Arc::default(),
        }
    }

    /// A witness besides CUHK.
    fn outside(seed: u8) -> Cosigner {
        let name = format!("library.example/w{seed}").parse().unwrap();
        let key = NoteKey::from_seed(name, Algorithm::CosignatureV1, &[seed; 32]).unwrap();
        Cosigner::new(key).unwrap()
    }

    fn adds(witnessed: &Witnessed, witness: &Cosigner, offered: &Cosigned) {
        let checkpoint = offered.checkpoint.checkpoint().clone();
        let growth = verify_growth(&TreeHead::empty(), checkpoint, &Default::default());
        let line = witness.cosign(&growth.unwrap(), 1000);
        let name = LOG.parse().unwrap();
        let added = witnessed.add(&name, offered, (line, witness.verifier()));
        added.unwrap();
    }

    fn offered_size(witnessed: &Witnessed, to: &Cosigner) -> Option<u64> {
        let offered = witnessed.offered_to(to.verifier());
        offered
            .first()
            .map(|(_, offered)| offered.checkpoint.size())
    }

    #[test]
    fn the_same_is_offered_until_enough_have_cosigned_it_and_then_the_newest() {
        let (fast, slow, name) = (outside(5), outside(6), LOG.parse().unwrap());
        let keys = [&fast, &slow].map(|witness| witness.verifier().clone());
        let policy = WitnessPolicy::new(3, keys.to_vec()).unwrap();
        let witnessed = Witnessed::by(policy);
        let covers = |index| covering(&witnessed.logs.borrow(), &name, index);
        let (first, second) = (cosigned(3), cosigned(5));
        witnessed.set(&name, first.clone());
        adds(&witnessed, &fast, &first);
        witnessed.set(&name, second);
        assert_eq!(
            offered_size(&witnessed, &fast),
            None,
            "it waits for the other"
        );
        assert_eq!(offered_size(&witnessed, &slow), Some(3));
        assert!(covers(0).is_none(), "two of three are not enough");
        adds(&witnessed, &slow, &first);
        let complete = covers(2).unwrap();
        assert!(keys.iter().all(|key| complete.checkpoint.has_line_of(key)));
        assert!(covers(3).is_none());
        assert_eq!(offered_size(&witnessed, &fast), Some(5));
        assert_eq!(witnessed.newest(&name).unwrap().checkpoint.size(), 5);
    }

    #[test]
    fn a_cosignature_of_another_checkpoint_or_by_another_key_is_not_added() {
        let (witness, name) = (outside(5), LOG.parse().unwrap());
        let policy = WitnessPolicy::new(2, vec![witness.verifier().clone()]).unwrap();
        let witnessed = Witnessed::by(policy);
        let offered = cosigned(3);
        witnessed.set(&name, offered.clone());
        let other = cosigned(4).checkpoint.checkpoint().clone();
        let growth = verify_growth(&TreeHead::empty(), other, &Default::default()).unwrap();
        let line = witness.cosign(&growth, 1000);
        for by in [&witness, &outside(6)] {
            let added = witnessed.add(&name, &offered, (line.clone(), by.verifier()));
            assert!(added.is_err());
        }
        assert!(covering(&witnessed.logs.borrow(), &name, 0).is_none());
        assert_eq!(offered_size(&witnessed, &witness), Some(3));
    }

    #[test]
    fn a_checkpoint_covers_what_came_before_it_in_its_log() {
        let (witnessed, name) = (Witnessed::default(), LOG.parse().unwrap());
        assert!(covering(&witnessed.logs.borrow(), &name, 0).is_none());
        witnessed.set(&name, cosigned(3));
        assert_eq!(
            covering(&witnessed.logs.borrow(), &name, 2)
                .unwrap()
                .checkpoint
                .size(),
            3
        );
        assert!(covering(&witnessed.logs.borrow(), &name, 3).is_none());
        let other = "campus.test/blackboard/c/b".parse().unwrap();
        assert!(covering(&witnessed.logs.borrow(), &other, 0).is_none());
    }

    #[tokio::test]
    async fn whoever_waits_gets_it_as_soon_as_it_is_there_and_nothing_if_it_is_not() {
        let (witnessed, name) = (Witnessed::default(), LOG.parse().unwrap());
        witnessed.set(&name, cosigned(3));
        assert!(witnessed.covering_within(&name, 3, SOON).await.is_none());
        let patience = Duration::from_secs(10);
        let (covered, ()) = tokio::join!(witnessed.covering_within(&name, 3, patience), async {
            witnessed.set(&name, cosigned(4));
        });
        assert_eq!(covered.unwrap().checkpoint.size(), 4);
    }

    #[tokio::test]
    async fn nobody_waits_for_a_witness_that_is_away() {
        let (witness, name) = (outside(5), LOG.parse().unwrap());
        let policy = WitnessPolicy::new(2, vec![witness.verifier().clone()]).unwrap();
        let witnessed = Witnessed::by(policy);
        witnessed.set(&name, cosigned(3));
        witnessed.is_away(witness.verifier());
        // Longer than any test may take.
        let patience = Duration::from_secs(24 * 3600);
        assert!(
            witnessed
                .covering_within(&name, 0, patience)
                .await
                .is_none()
        );
        witnessed.answers(witness.verifier());
        let (covered, ()) = tokio::join!(witnessed.covering_within(&name, 0, patience), async {
            adds(&witnessed, &witness, &cosigned(3));
        });
        assert_eq!(covered.unwrap().checkpoint.size(), 3);
        // Where it is not needed, its absence changes nothing.
        let one = WitnessPolicy::new(1, vec![witness.verifier().clone()]).unwrap();
        let witnessed = Witnessed::by(one);
        witnessed.is_away(witness.verifier());
        let (covered, ()) = tokio::join!(witnessed.covering_within(&name, 0, patience), async {
            witnessed.set(&name, cosigned(3));
        });
        assert!(covered.is_some());
    }
}

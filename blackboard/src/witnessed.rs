//! What CUHK, the witness of this server's logs, has cosigned of them so far.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use scb_protocol::log_leaf::LogName;
use scb_protocol::witness::CosignedCheckpoint;
use scb_protocol::{SignedLogKeys, VerifiedLogKeys};
use tokio::sync::watch;
use tokio::time::timeout;

/// The newest checkpoint of a log that CUHK cosigned, with what proves both keys.
#[derive(Debug)]
pub(crate) struct Cosigned {
    /// The checkpoint with both signatures.
    pub(crate) checkpoint: CosignedCheckpoint,
    /// CUHK's endorsement as it was signed.
    pub(crate) endorsement: SignedLogKeys,
    /// The keys in it.
    pub(crate) keys: VerifiedLogKeys,
}

/// Whoever makes receipts asks here; the task that talks to CUHK tells. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Witnessed(watch::Sender<BTreeMap<LogName, Arc<Cosigned>>>);

impl Witnessed {
    /// The newest cosigned checkpoint of a log if it covers entry number `index`; if there is none
    /// yet, it waits for one as long as `patience`.
    pub(crate) async fn covering_within(
        &self,
        log: &LogName,
        index: u64,
        patience: Duration,
    ) -> Option<Arc<Cosigned>> {
        let mut changes = self.0.subscribe();
        let covered = changes.wait_for(|all| covering(all, log, index).is_some());
        match timeout(patience, covered).await {
            Ok(Ok(all)) => covering(&all, log, index),
            _ => None,
        }
    }

    /// The newest one of a log.
    pub(crate) fn newest(&self, log: &LogName) -> Option<Arc<Cosigned>> {
        self.0.borrow().get(log).cloned()
    }

    /// There is a newer one.
    pub(crate) fn set(&self, log: &LogName, cosigned: Cosigned) {
        self.0.send_modify(|all| {
            all.insert(log.clone(), Arc::new(cosigned));
        });
    }
}

fn covering(
    all: &BTreeMap<LogName, Arc<Cosigned>>,
    log: &LogName,
    index: u64,
) -> Option<Arc<Cosigned>> {
    let newest = all.get(log)?;
    (index < newest.checkpoint.size()).then(|| Arc::clone(newest))
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
        }
    }

    #[test]
    fn a_checkpoint_covers_what_came_before_it_in_its_log() {
        let (witnessed, name) = (Witnessed::default(), LOG.parse().unwrap());
        assert!(covering(&witnessed.0.borrow(), &name, 0).is_none());
        witnessed.set(&name, cosigned(3));
        assert_eq!(
            covering(&witnessed.0.borrow(), &name, 2)
                .unwrap()
                .checkpoint
                .size(),
            3
        );
        assert!(covering(&witnessed.0.borrow(), &name, 3).is_none());
        let other = "campus.test/blackboard/c/b".parse().unwrap();
        assert!(covering(&witnessed.0.borrow(), &other, 0).is_none());
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
}

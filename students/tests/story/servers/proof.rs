//! What makes a receipt complete: the log as CUHK has seen it, with the two entries of one submission in it.

use std::sync::atomic::Ordering;

use scb_protocol::SignedLogKeys;
use scb_protocol::log_leaf::leaf_commitment;
use scb_protocol::message::blackboard::CarriedProof;
use scb_protocol::receipt::{CommittedEntry, JudgedBy, LogProof, VerifiedReceipt};
use scb_protocol::statement::SubmissionId;
use scb_protocol::witness::witness_name;
use scb_testkit::TestLog;
use scb_tlog::{
    Algorithm, ConsistencyProof, Cosigner, NoteKey, TlogProof, TreeHead, VerifiedCheckpoint,
    inclusion_proof, verify_growth,
};

use super::Desk;

impl Desk {
    /// What is told to whoever asks; that he did is noted.
    pub(super) fn told_proof(&self, submission: SubmissionId) -> Option<CarriedProof> {
        let mut sessions = self.asked.lock().unwrap();
        let session = sessions.last_mut().expect("whoever asks has a session");
        session.push(submission);
        let is_witnessed = self.witnessed.load(Ordering::SeqCst);
        is_witnessed.then(|| CarriedProof::from(&self.proof(submission)))
    }

    /// The proof of a submission, with the entry that it was recorded with.
    pub(crate) fn proof(&self, submission: SubmissionId) -> LogProof {
        let receipt = self.stored.lock().unwrap()[&submission].receipt.clone();
        let root = self.campus.root_fingerprint();
        let receipt = VerifiedReceipt::verify(&receipt, &root).unwrap();
        let (name, accepted) = receipt.entry();
        let (commitment, entry) = self.recorded.lock().unwrap()[&submission].clone();
        let entry = serde_json::to_value(&entry).unwrap();
        let leaf = entry["leaf"].as_str().unwrap().to_owned();
        let mut log = TestLog::of(&name.to_string(), commitment.index);
        log.push(leaf_commitment(leaf.as_bytes()));
        log.push(receipt.commitment());
        let witness = self.witness();
        let checkpoint = self.cosigned(&log, &witness);
        let proof = |index| TlogProof {
            index,
            inclusion: inclusion_proof(&log.tiles(), index, log.size()).unwrap(),
            checkpoint: checkpoint.to_string().parse().unwrap(),
            extra: None,
        };
        let committed = CommittedEntry {
            leaf,
            proof: proof(commitment.index).to_string(),
            assurance: None,
        };
        LogProof {
            proof: proof(accepted).to_string(),
            keys: self.keys(&log, &witness),
            log_key: format!("{}\n", log.key()),
            witness_key: format!("{}\n", witness.verifier()),
            committed: Some(committed),
            judged: JudgedBy::default(),
            lists: String::new(),
            missing: Vec::new(),
        }
    }

    /// CUHK as it cosigns.
    fn witness(&self) -> Cosigner {
        let name = witness_name(self.trust.trust_domain()).parse().unwrap();
        let key = NoteKey::from_seed(name, Algorithm::CosignatureV1, &[9; 32]);
        Cosigner::new(key.unwrap()).unwrap()
    }

    fn cosigned(&self, log: &TestLog, witness: &Cosigner) -> VerifiedCheckpoint {
        let checkpoint = log.checkpoint(log.size());
        let (nothing, no_proof) = (TreeHead::empty(), ConsistencyProof::default());
        let growth = verify_growth(&nothing, checkpoint.clone(), &no_proof).unwrap();
        checkpoint.with(witness.cosign(&growth, self.now().as_secs()))
    }

    fn keys(&self, log: &TestLog, witness: &Cosigner) -> SignedLogKeys {
        let service = self.service("blackboard");
        let by = (&self.signer.key, &self.signer.chain);
        SignedLogKeys::sign(&service, log.key(), witness.verifier(), by, self.now()).unwrap()
    }
}

//! The log that holds a receipt's entry, CUHK as its witness, and the endorsement of both keys.

use scb_certs::{Crl, Fingerprint};
use scb_protocol::SignedLogKeys;
use scb_protocol::log_leaf::{Committed, Entry, Leaf, leaf_commitment};
use scb_protocol::message::blackboard::CarriedProof;
use scb_protocol::receipt::{
    CommittedEntry, JudgedBy, LogProof, ProvedEntry, VerifiedReceipt, file,
};
use scb_protocol::values::Der;
use scb_protocol::witness::witness_name;
use scb_testkit::{TestIdentity, TestLog};
use scb_tlog::{
    Algorithm, ConsistencyProof, Cosigner, NoteKey, SignatureLine, TlogProof, TreeHead,
    VerifiedCheckpoint, inclusion_proof, verify_growth,
};

use super::{Given, part, pem};

/// A log of ten entries, of which number 7 is that of the receipt.
pub(crate) struct Witnessing<'a> {
    pub(crate) given: &'a Given<'a>,
    pub(crate) log: TestLog,
    pub(crate) witness: Cosigner,
    /// The leaf of entry 6, by which the submission was committed.
    pub(crate) committed: Option<Vec<u8>>,
    /// What CUHK said when it was: by default what it said when it was accepted, too.
    pub(crate) said: Option<String>,
}

/// A witness of this name.
pub(crate) fn witness(name: &str, seed: u8) -> Cosigner {
    let name = name.parse().unwrap();
    let key = NoteKey::from_seed(name, Algorithm::CosignatureV1, &[seed; 32]);
    Cosigner::new(key.unwrap()).unwrap()
}

/// The entry that was made of it when its statement had come, and CUHK had said this.
fn committed(given: &Given<'_>, receipt: &VerifiedReceipt, said: &str) -> Vec<u8> {
    let statement = receipt.statement();
    let entry = Entry::Committed(Committed {
        submission: statement.submission,
        statement_sha256: Fingerprint::of(receipt.statement_bytes()),
        p7s_sha256: Fingerprint::of(&part(&given.files(), file::SIGNATURES)),
        mode: receipt.mode(),
        verification_sha256: Fingerprint::of(said.as_bytes()),
        members: statement
            .members
            .iter()
            .map(|one| one.sid.clone())
            .collect(),
    });
    let log = receipt.entry().0.clone();
    let leaf = Leaf::new(log, 6, receipt.committed_at(), entry).unwrap();
    leaf.to_bytes().unwrap()
}

impl<'a> Witnessing<'a> {
    pub(crate) fn of(given: &'a Given<'a>) -> Self {
        let receipt = given.verify(&given.zip).unwrap();
        let mut log = TestLog::of(&receipt.entry().0.to_string(), 6);
        let said = given.evidence().assurance;
        let committed = committed(given, &receipt, &said);
        log.push(leaf_commitment(&committed));
        log.push(leaf_commitment(&part(&given.files(), file::LEAF)));
        log.grow(2);
        let name = witness_name(&"campus.test".parse().unwrap());
        Self {
            given,
            log,
            witness: witness(&name, 9),
            committed: Some(committed),
            said: Some(said),
        }
    }

    /// What CUHK endorses.
    pub(crate) fn keys(&self) -> SignedLogKeys {
        self.keys_by(&self.given.group.cuhk)
    }

    /// The same, endorsed by this one.
    pub(crate) fn keys_by(&self, signer: &TestIdentity) -> SignedLogKeys {
        let group = self.given.group;
        let (service, now) = (&group.policy.service, group.campus.now());
        let signer = (&signer.key, &signer.chain);
        let (log, witness) = (self.log.key(), self.witness.verifier());
        SignedLogKeys::sign(service, log, witness, signer, now).unwrap()
    }

    /// The whole log, as it signs it.
    pub(crate) fn checkpoint(&self) -> VerifiedCheckpoint {
        self.log.checkpoint(self.log.size())
    }

    /// What a witness says of a checkpoint so many seconds from now.
    pub(crate) fn cosign(
        &self,
        by: &Cosigner,
        checkpoint: VerifiedCheckpoint,
        later: i64,
    ) -> SignatureLine {
        let nothing = (TreeHead::empty(), ConsistencyProof::default());
        let growth = verify_growth(&nothing.0, checkpoint, &nothing.1).unwrap();
        let now = self.given.group.campus.now().as_secs();
        by.cosign(&growth, now.saturating_add_signed(later))
    }

    /// The checkpoint, cosigned.
    pub(crate) fn cosigned(&self) -> VerifiedCheckpoint {
        let checkpoint = self.checkpoint();
        let line = self.cosign(&self.witness, checkpoint.clone(), 2);
        checkpoint.with(line)
    }

    /// The proof of entry 7 under this checkpoint.
    pub(crate) fn proof_of(&self, checkpoint: &VerifiedCheckpoint) -> LogProof {
        let (tiles, size) = (self.log.tiles(), checkpoint.head().size);
        let proof = |index| TlogProof {
            index,
            inclusion: inclusion_proof(&tiles, index, size).unwrap(),
            checkpoint: checkpoint.to_string().parse().unwrap(),
            extra: None,
        };
        let committed = self.committed.as_ref().map(|leaf| CommittedEntry {
            leaf: String::from_utf8(leaf.clone()).unwrap(),
            proof: proof(6).to_string(),
            assurance: self.said.clone(),
        });
        LogProof {
            proof: proof(7).to_string(),
            committed,
            judged: JudgedBy::default(),
            keys: self.keys(),
            log_key: format!("{}\n", self.log.key()),
            witness_key: format!("{}\n", self.witness.verifier()),
            lists: String::new(),
            missing: Vec::new(),
        }
    }

    pub(crate) fn proof(&self) -> LogProof {
        self.proof_of(&self.cosigned())
    }

    /// The receipt with this proof, whatever it is worth.
    pub(crate) fn with(&self, proof: &LogProof) -> Vec<u8> {
        super::completed(&self.given.files(), proof)
    }

    /// The proof, made two days after the hand-in: CUHK was away, and has another key for tokens since.
    /// With these lists.
    pub(crate) fn late_proof(&self, lists: &[Crl]) -> LogProof {
        LogProof {
            keys: self.keys_by(&self.given.group.campus.token_signer()),
            lists: pem(lists),
            ..self.proof()
        }
    }

    /// The complete receipt.
    pub(crate) fn zip(&self) -> Vec<u8> {
        let root = self.given.group.campus.root_fingerprint();
        let proof = self.proof();
        let (zip, _) = VerifiedReceipt::complete(&self.given.zip, &proof, &[root]).unwrap();
        assert!(zip == self.with(&proof), "the same files in the same order");
        zip
    }
}

/// A proof as Blackboard tells it, of which nothing verifies.
pub(super) fn carried() -> CarriedProof {
    let leaf = || "{\"type\":\"scb-entry\"}".to_owned();
    let proof = || "c2sp.org/tlog-proof@v1\n".to_owned();
    let proved = || ProvedEntry {
        leaf: leaf(),
        proof: proof(),
    };
    CarriedProof {
        proof: proof(),
        log_key: "log\n".to_owned(),
        witness_key: "witness\n".to_owned(),
        keys: "{\"type\":\"scb-log-keys\"}".to_owned(),
        signature: Der::new(vec![0x30, 0x00]),
        committed: Some(CommittedEntry {
            leaf: leaf(),
            proof: proof(),
            assurance: Some("eyJ0eXAi.eyJhdWQi.c2lnbmF0".to_owned()),
        }),
        judged: JudgedBy {
            rules: Some(proved()),
            extensions: vec![proved()],
        },
        missing: vec!["library.example/witness".parse().unwrap()],
    }
}

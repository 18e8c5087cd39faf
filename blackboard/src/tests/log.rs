//! The issuance log of the CUHK that exists only at its socket.

use scb_protocol::message::cuhk::Reply;
use scb_protocol::{Code, Refusal, Reply as _, Step};
use scb_tlog::{
    Algorithm, Hash, HashReader as _, NoteKey, TileLog, UnverifiedCheckpoint, VerifierKey,
    consistency_proof, root,
};
use tempfile::TempDir;

/// A log that is real, and can be replaced by another one under the same key.
pub(super) struct FakeLog {
    _dir: TempDir,
    log: TileLog,
    key: NoteKey,
    /// How often it was looked at.
    pub(super) looks: usize,
    /// Sizes that were cosigned.
    pub(super) cosigned: Vec<u64>,
    /// Sizes of what its key has signed, as was shown to it, and it does not have.
    pub(super) held_against: Vec<u64>,
}

impl FakeLog {
    /// With these entries.
    pub(super) fn of(entries: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut log = TileLog::open(dir.path()).unwrap();
        log.append(entries).unwrap();
        let name = "campus.test/issuance".parse().unwrap();
        Self {
            _dir: dir,
            log,
            key: NoteKey::from_seed(name, Algorithm::Ed25519, &[1; 32]).unwrap(),
            looks: 0,
            cosigned: Vec::new(),
            held_against: Vec::new(),
        }
    }

    pub(super) fn grow(&mut self, entries: &[&str]) {
        self.log.append(entries).unwrap();
    }

    pub(super) fn checkpoint(&mut self, old: u64) -> Result<Reply, Refusal> {
        self.looks += 1;
        let size = self.log.head().size;
        let proof = consistency_proof(&self.log.tiles(), old, size)
            .map_err(|_| Refusal::new(Code::LogForked, Step::Two))?;
        Ok(Reply::Checkpoint {
            verifier_key: self.key.verifier().to_string(),
            checkpoint: self.log.sign(&self.key).unwrap().to_string(),
            growth: proof.hashes().iter().map(Hash::to_string).collect(),
            witnessed: Vec::new(),
        })
    }

    pub(super) fn cosign(&mut self, witness: &str, checkpoint: &str) -> Reply {
        let witness: VerifierKey = witness.parse().unwrap();
        let checkpoint: UnverifiedCheckpoint = checkpoint.parse().unwrap();
        let checkpoint = checkpoint.verify(self.key.verifier()).unwrap();
        checkpoint.cosignature(&witness).unwrap();
        let head = checkpoint.head();
        let tiles = self.log.tiles();
        if head.size > tiles.size() || root(&tiles, head.size).unwrap() != head.root {
            self.held_against.push(head.size);
            return Reply::refusal(Refusal::new(Code::LogForked, Step::Two));
        }
        self.cosigned.push(head.size);
        Reply::Cosigned {}
    }
}

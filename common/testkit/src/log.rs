//! A log to test with, whoever reads it: real tiles and real checkpoints, in a directory that goes with it.

use scb_tlog::{
    Algorithm, Checkpoint, ConsistencyProof, HashReader, NoteKey, TileLog, Tiles, TreeHead,
    VerifiedCheckpoint, VerifierKey, consistency_proof, root,
};
use tempfile::TempDir;

/// A log of entries of 32 bytes, on disk as a service keeps it.
#[derive(Debug)]
pub struct TestLog {
    key: NoteKey,
    log: TileLog,
    _dir: TempDir,
}

impl TestLog {
    /// A log of so many entries. Logs of one name have one key and begin with the same entries.
    pub fn of(name: &str, size: u64) -> Self {
        let mut log = Self::with_key(name, 1);
        log.grow(size);
        log
    }

    /// An empty log with a key of its own.
    pub fn with_key(name: &str, seed: u8) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let name = name.parse().expect("a name");
        Self {
            key: NoteKey::from_seed(name, Algorithm::Ed25519, &[seed; 32]).expect("a seed"),
            log: TileLog::open(dir.path()).expect("a new log"),
            _dir: dir,
        }
    }

    /// Appends so many entries, each its own number.
    pub fn grow(&mut self, count: u64) {
        let size = self.size();
        for number in size..size + count {
            let mut entry = [0; 32];
            entry[..8].copy_from_slice(&number.to_be_bytes());
            self.push(entry);
        }
    }

    /// Appends this entry.
    pub fn push(&mut self, entry: [u8; 32]) {
        self.log.append(&[entry]).expect("space on the disk");
    }

    /// Entries.
    pub fn size(&self) -> u64 {
        self.log.head().size
    }

    /// The key that signs checkpoints; its name is the log's.
    pub fn key(&self) -> &VerifierKey {
        self.key.verifier()
    }

    /// The files.
    pub fn tiles(&self) -> Tiles {
        self.log.tiles()
    }

    /// The signed checkpoint of the first `size` entries.
    pub fn checkpoint(&self, size: u64) -> VerifiedCheckpoint {
        let root = root(&self.tiles(), size).expect("so many entries");
        let (origin, head) = (self.key().name().clone(), TreeHead { size, root });
        let signed = Checkpoint { origin, head }.sign(&self.key);
        signed.expect("a key of the log's name")
    }

    /// The proof that the first `new` entries begin with the first `old`.
    pub fn growth(&self, old: u64, new: u64) -> ConsistencyProof {
        consistency_proof(&self.tiles(), old, new).expect("so many entries")
    }

    /// The entries `from..end`.
    pub fn entries(&self, from: u64, end: u64) -> Vec<[u8; 32]> {
        assert!(end <= self.tiles().size());
        let entry = |number| self.tiles().entry(number).expect("an entry");
        (from..end)
            .map(|number| entry(number).try_into().expect("32 bytes"))
            .collect()
    }
}

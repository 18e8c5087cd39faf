//! What a student and a witness believe of CUHK's log.

mod removed;

use scb_certs::{Fingerprint, ServiceName};
use scb_protocol::audit::{
    Audit, Audited, ExpectCheckpoint, ExpectEntries, GrownLog, KnownLog, SeenEntries,
};
use scb_protocol::message::cuhk::{AuditedEntry, Reply, Request, Witnessed};
use scb_protocol::values::{Nonce, Salt};
use scb_protocol::{Code, LogEntry, Refusal, commitment, from_seconds};
use scb_tlog::{
    Algorithm, Checkpoint, Cosigner, Error, Hash, HashReader, NoteKey, TreeHead,
    VerifiedCheckpoint, consistency_proof, inclusion_proof, root, verify_growth,
};

use crate::support::THREE;

/// When a student looks.
const NOW: u64 = 1_800_000_000;

fn hash(byte: u8) -> Fingerprint {
    Fingerprint::from_bytes([byte; 32])
}

/// A log of fewer than 256 entries, in memory.
struct Log {
    key: NoteKey,
    leaves: Vec<Hash>,
    entries: Vec<(Salt, String)>,
}

impl HashReader for Log {
    fn size(&self) -> u64 {
        self.leaves.len() as u64
    }

    fn hashes(&self, level: u8, first: u64, count: usize) -> Result<Vec<Hash>, Error> {
        assert_eq!(level, 0);
        Ok(self.leaves[first as usize..][..count].to_vec())
    }
}

fn asked(sid: &str, nth: u64) -> LogEntry {
    LogEntry::Verification {
        v: 1,
        subject: sid.to_owned(),
        nth,
        certificates: 0,
        asker: ServiceName::blackboard(),
        nonce: Nonce::from_bytes([nth as u8; 16]),
        cert_sha256: hash(2),
        inactive: None,
        at: 1000 + nth,
    }
}

impl Log {
    /// Two students, in turn.
    fn of(entries: u64) -> Self {
        let mut log = Self {
            key: key("cuhk.example/issuance", Algorithm::Ed25519, 1),
            leaves: Vec::new(),
            entries: Vec::new(),
        };
        for number in 0..entries {
            log.push(&asked(THREE[number as usize % 2], number / 2 + 1));
        }
        log
    }

    fn push(&mut self, entry: &LogEntry) {
        let salt = Salt::from_bytes([self.leaves.len() as u8; 32]);
        let content = entry.to_content().unwrap();
        self.leaves
            .push(Hash::of_entry(&commitment(&salt, &content)));
        self.entries.push((salt, content));
    }

    fn checkpoint(&self, size: u64) -> VerifiedCheckpoint {
        let origin = self.key.verifier().name().clone();
        let root = root(self, size).unwrap();
        let head = TreeHead { size, root };
        Checkpoint { origin, head }.sign(&self.key).unwrap()
    }

    fn growth(&self, old: u64) -> Vec<String> {
        let proof = consistency_proof(self, old, self.size()).unwrap();
        proof.hashes().iter().map(Hash::to_string).collect()
    }

    fn shows(&self, old: u64) -> Reply {
        Reply::Checkpoint {
            verifier_key: self.key.verifier().to_string(),
            checkpoint: self.checkpoint(self.size()).to_string(),
            growth: self.growth(old),
            witnessed: Vec::new(),
        }
    }

    fn entry(&self, index: u64) -> AuditedEntry {
        let proof = inclusion_proof(self, index, self.size()).unwrap();
        let (salt, content) = self.entries[index as usize].clone();
        AuditedEntry {
            index,
            salt,
            content,
            path: proof.hashes().iter().map(Hash::to_string).collect(),
            inactive: None,
        }
    }
}

fn key(name: &str, algorithm: Algorithm, seed: u8) -> NoteKey {
    NoteKey::from_seed(name.parse().unwrap(), algorithm, &[seed; 32]).unwrap()
}

fn look(known: Option<KnownLog>, reply: Reply) -> Result<GrownLog, Refusal> {
    let (expect, _) = ExpectCheckpoint::new(known);
    expect.handle(reply)
}

fn audit(log: &Log, pages: Vec<Reply>) -> Result<Audited, Refusal> {
    let grown = look(None, log.shows(0)).unwrap();
    let sid = THREE[0].parse().unwrap();
    let (mut expect, _) = ExpectEntries::new(grown, sid, from_seconds(NOW));
    for page in pages {
        match expect.handle(page)? {
            Audit::Done(audited) => return Ok(audited),
            Audit::More(next, _) => expect = next,
        }
    }
    panic!("more pages are wanted");
}

fn page(count: u64, entries: Vec<AuditedEntry>) -> Reply {
    Reply::Audit {
        count,
        removed_before: None,
        entries,
    }
}

#[test]
fn a_log_that_grew_is_believed() {
    let first = look(None, Log::of(5).shows(0)).unwrap();
    assert_eq!(first.known().head.size, 5);
    let (expect, request) = ExpectCheckpoint::new(Some(first.known()));
    assert_eq!(request, Request::Checkpoint { old: 5 });
    let second = expect.handle(Log::of(9).shows(5)).unwrap();
    assert_eq!(second.known().head.size, 9);
    let same = look(Some(second.known()), Log::of(9).shows(9)).unwrap();
    assert_eq!(same.known(), second.known());
}

#[test]
fn a_fork_is_refused() {
    let known = look(None, Log::of(5).shows(0)).unwrap().known();
    let mut other = Log::of(3);
    for nth in 10..16 {
        other.push(&asked(THREE[0], nth));
    }
    let mut another_key = Log::of(9);
    another_key.key = key("cuhk.example/issuance", Algorithm::Ed25519, 2);
    for (what, reply) in [
        ("another history", other.shows(5)),
        ("a shorter one", Log::of(4).shows(4)),
        ("another key", another_key.shows(5)),
    ] {
        let refused = look(Some(known.clone()), reply).unwrap_err();
        assert_eq!(refused.code, Code::LogForked, "{what}");
    }
}

#[test]
fn a_checkpoint_that_does_not_verify_is_refused() {
    let altered = |alter: fn(&mut String, &mut String, &mut Vec<String>)| {
        let mut reply = Log::of(5).shows(0);
        if let Reply::Checkpoint {
            verifier_key,
            checkpoint,
            growth,
            ..
        } = &mut reply
        {
            alter(verifier_key, checkpoint, growth);
        }
        look(None, reply).unwrap_err().code
    };
    assert_eq!(
        altered(|_, checkpoint, _| *checkpoint = checkpoint.replace("\n5\n", "\n6\n")),
        Code::LogInvalid
    );
    assert_eq!(altered(|key, _, _| key.push('A')), Code::LogInvalid);
    assert_eq!(
        altered(|_, _, growth| growth.push("no hash".into())),
        Code::LogInvalid
    );
    assert_eq!(
        altered(|_, checkpoint, _| checkpoint.clear()),
        Code::LogInvalid
    );
    let other = look(None, Reply::Cosigned {}).unwrap_err();
    assert_eq!(other.code, Code::UnexpectedMessage);
}

fn witnessed(log: &Log, seen: &Log, cosigner: &Cosigner) -> Reply {
    let checkpoint = seen.checkpoint(seen.size());
    let growth = verify_growth(&TreeHead::empty(), checkpoint.clone(), &Default::default());
    let line = cosigner.cosign(&growth.unwrap(), 1234);
    let word = Witnessed {
        service: ServiceName::blackboard(),
        verifier_key: cosigner.verifier().to_string(),
        checkpoint: checkpoint.with(line).to_string(),
        growth: log.growth(seen.size()),
    };
    let mut reply = log.shows(0);
    if let Reply::Checkpoint { witnessed, .. } = &mut reply {
        witnessed.push(word);
    }
    reply
}

#[test]
fn a_witness_s_word_counts_for_what_grew_out_of_it() {
    let secret = key("blackboard.example/witness", Algorithm::CosignatureV1, 3);
    let cosigner = Cosigner::new(secret).unwrap();
    let log = Log::of(9);
    let grown = look(None, witnessed(&log, &Log::of(6), &cosigner)).unwrap();
    let [word] = grown.witnesses() else { panic!() };
    assert_eq!((word.size(), word.time()), (6, 1234));
    assert_eq!(word.service(), &ServiceName::blackboard());

    let mut fork = Log::of(4);
    fork.push(&asked(THREE[1], 9));
    let forked = look(None, witnessed(&log, &fork, &cosigner)).unwrap_err();
    assert_eq!(forked.code, Code::LogForked);

    let mut reply = witnessed(&log, &Log::of(6), &cosigner);
    if let Reply::Checkpoint { witnessed, .. } = &mut reply {
        let other = key("blackboard.example/witness", Algorithm::CosignatureV1, 4);
        witnessed[0].verifier_key = other.verifier().to_string();
    }
    assert_eq!(look(None, reply).unwrap_err().code, Code::LogInvalid);
}

#[test]
fn all_entries_are_collected_page_by_page() {
    let log = Log::of(9);
    let pages = vec![
        page(5, vec![log.entry(0), log.entry(2)]),
        page(5, vec![log.entry(4), log.entry(6), log.entry(8)]),
    ];
    let audited = audit(&log, pages).unwrap();
    let indexes: Vec<_> = audited
        .entries()
        .iter()
        .map(|entry| entry.index())
        .collect();
    assert_eq!(indexes, [0, 2, 4, 6, 8]);
    let sid = THREE[0].parse().unwrap();
    let missing = audited.require(&sid, &hash(2)).unwrap_err();
    assert_eq!(missing.code, Code::LogIncomplete, "asked about, not issued");
}

#[test]
fn what_was_shown_once_must_be_shown_again() {
    let log = Log::of(9);
    let pages = vec![page(
        5,
        [0, 2, 4, 6, 8].map(|index| log.entry(index)).to_vec(),
    )];
    let audited = audit(&log, pages).unwrap();
    let sid = THREE[0].parse().unwrap();
    let seen = |count, last| SeenEntries {
        count,
        last,
        last_at: 1000 + count,
        looked_at: NOW,
    };
    assert_eq!(audited.seen(), seen(5, 8));
    for (count, last) in [(0, 0), (1, 0), (3, 4), (5, 8)] {
        audited.require_seen(&sid, seen(count, last)).unwrap();
    }
    for (count, last) in [(6, 10), (3, 6), (u64::MAX - 1000, 8)] {
        let withheld = audited.require_seen(&sid, seen(count, last));
        assert_eq!(withheld.unwrap_err().code, Code::LogIncomplete);
    }
}

#[test]
fn what_was_kept_of_a_log_is_read_again_or_refused() {
    let log = Log::of(9);
    let known = look(None, log.shows(0)).unwrap();
    let (key, note) = (
        known.known().key.to_string(),
        known.checkpoint().to_string(),
    );
    assert_eq!(KnownLog::read(&key, &note).unwrap(), known.known());
    let other = self::key("cuhk.example/issuance", Algorithm::Ed25519, 2);
    let other = other.verifier().to_string();
    for (key, note) in [
        (&other, &note),
        (&key, &note.replace("\n9\n", "\n8\n")),
        (&key[1..].to_owned(), &note),
        (&key, &String::new()),
    ] {
        assert!(KnownLog::read(key, note).is_err());
    }
}

#[test]
fn entries_that_are_not_proved_or_out_of_line_are_refused() {
    let log = Log::of(9);
    let mut content = log.entry(0);
    content.content = content.content.replace("1001", "1002");
    let mut salt = log.entry(0);
    salt.salt = Salt::from_bytes([9; 32]);
    let mut index = log.entry(0);
    index.index = 2;
    let mut path = log.entry(0);
    path.path.pop();
    for entry in [content, salt, index, path, log.entry(1)] {
        let shown = format!("{entry:?}");
        let refused = audit(&log, vec![page(5, vec![entry])]).unwrap_err();
        assert_eq!(refused.code, Code::LogInvalid, "{shown}");
    }
    let twice = audit(&log, vec![page(5, vec![log.entry(0), log.entry(0)])]);
    assert_eq!(twice.unwrap_err().code, Code::LogInvalid);
    let later = audit(&log, vec![page(5, vec![log.entry(2)])]);
    assert_eq!(later.unwrap_err().code, Code::LogIncomplete);
    let fewer = audit(&log, vec![page(5, vec![log.entry(0)]), page(5, Vec::new())]);
    assert_eq!(fewer.unwrap_err().code, Code::LogIncomplete);
}

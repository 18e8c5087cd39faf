//! What this home has shown of proposals: `HOME/shown.json`. An ID is nothing by which a statement is
//! known; what was shown under it is signed, and nothing else.

use scb_certs::Fingerprint;
use scb_cli::{read_limited, write_atomic};
use scb_protocol::statement::SubmissionId;
use serde::{Deserialize, Serialize};

use crate::{Error, StudentHome};

/// Largest file that is read, in bytes.
const LIMIT: u64 = 1 << 20;
/// How many are remembered; those that were shown first are forgotten first.
const MOST: usize = 2_000;

/// The statements that were shown, the latest last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShownMemory {
    v: u8,
    shown: Vec<ShownStatement>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ShownStatement {
    submission: SubmissionId,
    statement_sha256: Fingerprint,
}

impl ShownMemory {
    /// What this home has shown; nothing in a new one.
    pub(crate) fn read(home: &StudentHome) -> Result<Self, Error> {
        let path = home.shown_file();
        if !path.exists() {
            let shown = Vec::new();
            return Ok(Self { v: 1, shown });
        }
        let bytes = read_limited(&path, LIMIT)?;
        let memory: Option<Self> = serde_json::from_slice(&bytes).ok();
        let sound = memory.filter(|memory| memory.v == 1);
        sound.ok_or(Error::ShownDamaged { path })
    }

    /// SHA-256 of the statement that was shown under this ID.
    pub(crate) fn statement(&self, submission: &SubmissionId) -> Option<Fingerprint> {
        let mut shown = self.shown.iter();
        let found = shown.find(|one| one.submission == *submission);
        found.map(|one| one.statement_sha256)
    }

    /// Remembers what was shown, durably. What was shown first under an ID stays.
    pub(crate) fn note(
        home: &StudentHome,
        shown: impl IntoIterator<Item = (SubmissionId, Fingerprint)>,
    ) -> Result<(), Error> {
        let _lock = home.lock()?;
        let mut memory = Self::read(home)?;
        let before = memory.shown.len();
        for (submission, statement_sha256) in shown {
            if memory.statement(&submission).is_none() {
                memory.shown.push(ShownStatement {
                    submission,
                    statement_sha256,
                });
            }
        }
        if memory.shown.len() == before {
            return Ok(());
        }
        let over = memory.shown.len().saturating_sub(MOST);
        memory.shown.drain(..over);
        memory.save(home)
    }

    fn save(&self, home: &StudentHome) -> Result<(), Error> {
        let json = serde_json::to_vec_pretty(self).map_err(|error| Error::System {
            action: "write down what was shown",
            source: error.into(),
        })?;
        Ok(write_atomic(&home.shown_file(), &json, 0o600)?)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn home() -> (tempfile::TempDir, StudentHome) {
        let dir = tempfile::tempdir().unwrap();
        let home = StudentHome::create(&dir.path().join("home")).unwrap();
        (dir, home)
    }

    fn id(n: u16) -> SubmissionId {
        format!("{n:032x}").parse().unwrap()
    }

    #[test]
    fn what_was_shown_first_under_an_id_stays() {
        let (_dir, home) = home();
        let [first, second] = ["first", "second"].map(|text| Fingerprint::of(text.as_bytes()));
        ShownMemory::note(&home, [(id(1), first)]).unwrap();
        ShownMemory::note(&home, [(id(1), second), (id(2), second)]).unwrap();
        let memory = ShownMemory::read(&home).unwrap();
        assert_eq!(memory.statement(&id(1)), Some(first));
        assert_eq!(memory.statement(&id(2)), Some(second));
        assert_eq!(memory.statement(&id(3)), None);
    }

    #[test]
    fn it_has_an_end_and_can_be_read_there() {
        let (_dir, home) = home();
        let sha256 = Fingerprint::of(b"x");
        let most = u16::try_from(MOST).unwrap();
        ShownMemory::note(&home, (0..=most).map(|n| (id(n), sha256))).unwrap();
        let memory = ShownMemory::read(&home).unwrap();
        assert_eq!(memory.statement(&id(0)), None);
        assert_eq!(memory.statement(&id(most)), Some(sha256));
    }

    #[test]
    fn a_damaged_memory_forgets_nothing_in_silence() {
        let (_dir, home) = home();
        for text in ["", "{\"v\":2,\"shown\":[]}", "{\"v\":1,\"shown\":[{}]}"] {
            std::fs::write(home.shown_file(), text).unwrap();
            let error = ShownMemory::note(&home, [(id(1), Fingerprint::of(b"x"))]).unwrap_err();
            assert!(matches!(error, Error::ShownDamaged { .. }), "{error}");
        }
    }
}

//! What is carried between a home and its root, written where it takes the place of nothing else: a name
//! that was mistyped would end a key.

use std::fs;
use std::path::Path;

use scb_cli::{Failure, printable, read_limited, say, write_atomic};

use crate::ceremony::{RootAnswer, RootRequest, SigningAnswer, SigningRequest};

/// Largest request or answer that is read, in bytes.
pub(super) const CEREMONY_FILE: u64 = 256 * 1024;

/// Which way it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carried {
    /// To the root.
    Request,
    /// Back from it.
    Answer,
}

impl Carried {
    /// Nothing is there, or an earlier one. For before anything is done; [`Self::write`] looks again, as
    /// a key may have been made there since.
    pub(super) fn require_place(self, out: &Path) -> Result<(), Failure> {
        if fs::symlink_metadata(out).is_err() || self.is_at(out) {
            return Ok(());
        }
        let path = out.display().to_string();
        let what = match self {
            Self::Request => "request to a root",
            Self::Answer => "answer of a root",
        };
        Err(Failure::usage(format!(
            "{} exists already and is no {what}: nothing else is overwritten",
            printable(&path)
        ))
        .with_remedy("name a file that does not exist yet: --out FILE")
        .with_code("file_exists"))
    }

    /// Writes it and says where it is.
    pub(super) fn write(self, out: &Path, bytes: &[u8], told: &str) -> Result<(), Failure> {
        self.require_place(out)?;
        write_atomic(out, bytes, 0o644)?;
        let out = out.display().to_string();
        Ok(say(&format!("{told} {}", printable(&out)))?)
    }

    /// A pipe is not read: nobody may ever write to it.
    fn is_at(self, path: &Path) -> bool {
        fs::metadata(path).is_ok_and(|found| found.is_file())
            && read_limited(path, CEREMONY_FILE).is_ok_and(|bytes| self.is_in(&bytes))
    }

    fn is_in(self, bytes: &[u8]) -> bool {
        match self {
            Self::Request => {
                RootRequest::from_json(bytes).is_ok() || SigningRequest::from_json(bytes).is_ok()
            }
            Self::Answer => {
                RootAnswer::from_json(bytes).is_ok() || SigningAnswer::from_json(bytes).is_ok()
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const REQUEST: &str = r#"{"type": "scb-root-request", "v": 1, "trust_domain": "cuhk.example",
        "roots": [], "sequence": 2, "number": 2}"#;
    const ANSWER: &str = r#"{"type": "scb-signing-answer", "v": 1, "authority": "students-2",
        "certificate": ""}"#;

    #[test]
    fn one_takes_the_place_of_an_earlier_one_and_of_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        let kinds = [(Carried::Request, REQUEST), (Carried::Answer, ANSWER)];
        for (carried, own) in kinds {
            for there in [
                REQUEST,
                ANSWER,
                "-----BEGIN ENCRYPTED PRIVATE KEY-----\n",
                "",
            ] {
                fs::write(&out, there).unwrap();
                let written = carried.write(&out, b"new", "it is in");
                let expected = if there == own { "new" } else { there };
                assert_eq!(fs::read_to_string(&out).unwrap(), expected, "{carried:?}");
                let Err(refused) = written else {
                    assert_eq!(there, own, "{carried:?}");
                    continue;
                };
                assert_eq!(refused.code, Some("file_exists"));
                assert!(refused.message.contains("out exists already"));
            }
            fs::remove_file(&out).unwrap();
            carried.write(&out, b"first", "it is in").unwrap();
            assert_eq!(fs::read_to_string(&out).unwrap(), "first");
        }
    }

    #[test]
    fn no_directory_is_a_place() {
        let dir = tempfile::tempdir().unwrap();
        let refused = Carried::Answer.require_place(dir.path()).unwrap_err();
        assert_eq!(refused.code, Some("file_exists"));
    }
}

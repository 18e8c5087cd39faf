//! Hand-ins that were signed and not yet acknowledged.
//!
//! A statement and its signatures are saved before they are sent. The same hand-in after an
//! interruption finds them again, so that Blackboard sees the same submission ID and the same
//! bytes, stores nothing twice and gives the same receipt. The file is locked while that goes on: others use the
//! home meanwhile, and none of them sends the same.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use data_encoding::{BASE64, HEXLOWER};
use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, SpiffeId, StudentId};
use scb_cli::{read_limited, write_atomic};
use scb_protocol::client::{self, Member};
use scb_protocol::statement::{Files, Label, StatedMember, Statement, SubmissionId};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::home::{StudentHome, ensure_dir, entries, sync_dir};

/// Largest pending file, in bytes: a statement of 16 KiB and signatures of 64 KiB in base64.
const LIMIT: u64 = 256 * 1024;

/// What is to be handed in, by whom, to what. The same draft is the same hand-in.
pub struct Draft<'a> {
    /// The service to which it goes.
    pub service: &'a SpiffeId,
    /// Course and assignment.
    pub assignment: (Label, Label),
    /// Who hands it in, in order: those whose keys are here.
    pub members: &'a [Member],
    /// And those who sign elsewhere, after them.
    pub elsewhere: &'a [StudentId],
    /// What is handed in.
    pub files: &'a Files,
}

/// A statement with its signatures, safe on disk.
#[derive(Debug)]
pub(crate) struct Pending {
    path: PathBuf,
    /// The exact bytes that were signed.
    pub(crate) statement: Vec<u8>,
    /// Detached CMS, DER.
    pub(crate) signatures: Vec<u8>,
    /// It was found from an attempt before, not made now.
    pub(crate) resumed: bool,
    /// Nobody else sends it.
    claim: Option<File>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    v: u8,
    statement: String,
    signatures: String,
}

impl Pending {
    /// Finds the hand-in that was interrupted, or signs a new one and saves it. What Blackboard has `recorded` is
    /// never signed anew: whoever has removed it meanwhile has given it up.
    ///
    /// # Errors
    ///
    /// [`Error::GivenUp`]; [`Error::OnItsWay`] if another `student` sends it, [`Error::PendingDamaged`],
    /// [`Error::Protocol`] (signing, randomness), [`Error::Cli`].
    pub(crate) fn prepare(
        home: &StudentHome,
        draft: &Draft<'_>,
        recorded: Option<SubmissionId>,
        now: UnixTime,
    ) -> Result<Self, Error> {
        let path = home.pending_dir().join(draft.file_name());
        let is_there = path.exists();
        if let Some(submission) = recorded
            && (!is_there || statement_in(&path)?.submission != submission)
        {
            return Err(Error::GivenUp { submission });
        }
        if is_there {
            return Self::read(path, draft);
        }
        let statement = draft.statement(SubmissionId::random()?)?;
        let signatures = client::sign(&statement, draft.members, now)?;
        ensure_dir(&home.pending_dir())?;
        let mut pending = Self {
            path,
            statement,
            signatures,
            resumed: false,
            claim: None,
        };
        pending.save()?;
        pending.claim = claim(&pending.path)?;
        Ok(pending)
    }

    /// It was acknowledged, or will never be: forgets it, if nobody else has meanwhile. What somebody has signed anew
    /// under its name stays.
    ///
    /// # Errors
    ///
    /// [`Error::Cli`].
    pub(crate) fn remove(self) -> Result<(), Error> {
        let removed = match self.is_still_there() {
            Ok(true) => std::fs::remove_file(&self.path),
            Ok(false) => return Ok(()),
            Err(error) => Err(error),
        };
        match removed {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            removed => {
                removed.map_err(Error::file("remove", &self.path))?;
                sync_dir(self.path.parent().unwrap_or(&self.path))
            }
        }
    }

    /// Whether its name is still that of the file that is claimed.
    #[cfg(unix)]
    fn is_still_there(&self) -> std::io::Result<bool> {
        use std::os::unix::fs::MetadataExt;
        let Some(claim) = &self.claim else {
            return Ok(true);
        };
        let [claimed, there] = [claim.metadata()?, std::fs::symlink_metadata(&self.path)?];
        Ok((claimed.dev(), claimed.ino()) == (there.dev(), there.ino()))
    }

    /// What is open there can be neither removed nor replaced.
    #[cfg(not(unix))]
    fn is_still_there(&self) -> std::io::Result<bool> {
        Ok(true)
    }

    fn save(&self) -> Result<(), Error> {
        let stored = Stored {
            v: 1,
            statement: BASE64.encode(&self.statement),
            signatures: BASE64.encode(&self.signatures),
        };
        // A struct of text and numbers always has a JSON form.
        let json = serde_json::to_vec(&stored).expect("plain data");
        Ok(write_atomic(&self.path, &json, 0o600)?)
    }

    fn read(path: PathBuf, draft: &Draft<'_>) -> Result<Self, Error> {
        let claim = claim(&path)?;
        let found = parse(&read_limited(&path, LIMIT)?, draft);
        let (statement, signatures) =
            found.ok_or_else(|| Error::PendingDamaged { path: path.clone() })?;
        Ok(Self {
            path,
            statement,
            signatures,
            resumed: true,
            claim,
        })
    }
}

/// Keeps others from sending it too; the system lets go of it whatever happens. Elsewhere than here nobody could
/// read a file that is locked, and Blackboard alone sees to it.
fn claim(path: &Path) -> Result<Option<File>, Error> {
    if !cfg!(unix) {
        return Ok(None);
    }
    let file = File::options().read(true).write(true).open(path);
    let file = file.map_err(Error::file("open", path))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(Error::OnItsWay {
            pending: path.to_owned(),
        }),
        Err(TryLockError::Error(error)) => Err(Error::file("lock", path)(error)),
    }
}

impl Draft<'_> {
    fn statement(&self, submission: SubmissionId) -> Result<Vec<u8>, Error> {
        let (members, files) = (self.stated(), self.files.clone());
        let (service, assignment) = (self.service.clone(), self.assignment.clone());
        Ok(Statement::new(service, assignment, members, files, submission).to_bytes()?)
    }

    /// The whole group, with the certificates of those who are here.
    fn stated(&self) -> Vec<StatedMember> {
        let here = self.members.iter().map(|member| &member.sid);
        client::stated(here.chain(self.elsewhere), self.members)
    }

    /// Whether the statement is this draft's.
    pub(crate) fn is_that_of(&self, statement: &Statement) -> bool {
        let (members, files) = (self.stated(), self.files.clone());
        let assignment = self.assignment.clone();
        let service = self.service.clone();
        *statement == Statement::new(service, assignment, members, files, statement.submission)
    }

    /// Whether the statement is of the same files by the same students, so that another one of them
    /// changes nothing.
    pub(crate) fn is_same_version(&self, statement: &Statement) -> bool {
        let (members, files) = (self.stated(), self.files.clone());
        let (service, assignment) = (self.service.clone(), self.assignment.clone());
        let own = Statement::new(service, assignment, members, files, statement.submission);
        own.is_same_version(statement)
    }

    /// A hash over everything that makes two hand-ins the same, the members' certificates too.
    fn file_name(&self) -> String {
        let (course, assignment) = &self.assignment;
        let members = self.stated();
        let same = (self.service, course, assignment, members, self.files);
        // Names, numbers and hashes always have a JSON form.
        let json = serde_json::to_vec(&same).expect("plain data");
        let hash = Fingerprint::of(&json);
        format!("{}.json", HEXLOWER.encode(&hash.as_bytes()[..16]))
    }
}

/// The statement and its signatures, if the file holds those of this draft.
fn parse(bytes: &[u8], draft: &Draft<'_>) -> Option<(Vec<u8>, Vec<u8>)> {
    let stored: Stored = serde_json::from_slice(bytes).ok()?;
    let statement = BASE64.decode(stored.statement.as_bytes()).ok()?;
    let signatures = BASE64.decode(stored.signatures.as_bytes()).ok()?;
    let same = draft.is_that_of(&Statement::parse(&statement).ok()?);
    (stored.v == 1 && same && are_good(&statement, &signatures)).then_some((statement, signatures))
}

fn are_good(statement: &[u8], signatures: &[u8]) -> bool {
    let parsed = scb_certs::DetachedSignature::parse(signatures);
    parsed.is_ok_and(|signature| signature.verify(statement).is_ok())
}

/// Whether another `student` sends what is kept here.
pub fn is_on_its_way(path: &Path) -> bool {
    matches!(claim(path), Err(Error::OnItsWay { .. }))
}

/// The statements of the hand-ins that wait to be acknowledged.
///
/// # Errors
///
/// [`Error::PendingDamaged`], [`Error::Cli`].
pub fn list(home: &StudentHome) -> Result<Vec<Statement>, Error> {
    kept(home)?.map(|path| statement_in(&path)).collect()
}

/// Those of them whose files another `student` sends now.
///
/// # Errors
///
/// [`Error::PendingDamaged`], [`Error::Cli`].
pub fn on_their_way(home: &StudentHome) -> Result<Vec<Statement>, Error> {
    let claimed = kept(home)?.filter(|path| is_on_its_way(path));
    claimed.map(|path| statement_in(&path)).collect()
}

/// Forgets those that are over, but for what another `student` sends: it learns so itself.
///
/// # Errors
///
/// [`Error::PendingDamaged`], [`Error::Cli`].
pub fn forget(home: &StudentHome, is_over: impl Fn(&Statement) -> bool) -> Result<(), Error> {
    remove_all(home, |path, statement| {
        is_over(statement) && !is_on_its_way(path)
    })
}

/// Forgets those that somebody has given up; whoever sends one of them sends no more of it.
///
/// # Errors
///
/// [`Error::PendingDamaged`], [`Error::Cli`].
pub fn give_up(home: &StudentHome, is_given_up: impl Fn(&Statement) -> bool) -> Result<(), Error> {
    remove_all(home, |_, statement| is_given_up(statement))
}

fn remove_all(
    home: &StudentHome,
    is_meant: impl Fn(&Path, &Statement) -> bool,
) -> Result<(), Error> {
    for path in kept(home)? {
        if is_meant(&path, &statement_in(&path)?) {
            std::fs::remove_file(&path).map_err(Error::file("remove", &path))?;
            sync_dir(&home.pending_dir())?;
        }
    }
    Ok(())
}

/// The files of what waits.
fn kept(home: &StudentHome) -> Result<impl Iterator<Item = PathBuf> + use<>, Error> {
    let dir = home.pending_dir();
    let paths = entries(&dir)?.into_iter().map(move |name| dir.join(name));
    Ok(paths.filter(|path| path.extension() == Some("json".as_ref())))
}

fn statement_in(path: &Path) -> Result<Statement, Error> {
    let bytes = read_limited(path, LIMIT)?;
    let statement = || {
        let stored: Stored = serde_json::from_slice(&bytes).ok()?;
        let statement = BASE64.decode(stored.statement.as_bytes()).ok()?;
        Statement::parse(&statement).ok()
    };
    statement().ok_or_else(|| Error::PendingDamaged {
        path: path.to_owned(),
    })
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)]
mod tests {
    use scb_certs::{ServiceName, TrustDomain};
    use scb_protocol::statement::FileEntry;

    use super::*;

    /// Something that was signed, as far as a list looks.
    fn keep(home: &StudentHome) -> PathBuf {
        let domain: TrustDomain = "cuhk.example".parse().unwrap();
        let service = SpiffeId::new_service(&domain, &ServiceName::blackboard());
        let place = ("SANDBOX".parse().unwrap(), "lab".parse().unwrap());
        let members = vec![StatedMember::elsewhere("1155000001".parse().unwrap())];
        let files = Files::from(FileEntry {
            name: "report.pdf".parse().unwrap(),
            size: 1,
            sha256: Fingerprint::of(b""),
        });
        let id = SubmissionId::random().unwrap();
        let statement = Statement::new(service, place, members, files, id);
        let pending = Pending {
            path: home.pending_dir().join("x.json"),
            statement: statement.to_bytes().unwrap(),
            signatures: Vec::new(),
            resumed: false,
            claim: None,
        };
        ensure_dir(&home.pending_dir()).unwrap();
        pending.save().unwrap();
        pending.path
    }

    fn claimed(path: &Path) -> Pending {
        Pending {
            path: path.to_owned(),
            statement: Vec::new(),
            signatures: Vec::new(),
            resumed: true,
            claim: claim(path).unwrap(),
        }
    }

    fn home() -> (tempfile::TempDir, StudentHome) {
        let dir = tempfile::tempdir().unwrap();
        let home = StudentHome::create(&dir.path().join("home")).unwrap();
        (dir, home)
    }

    #[test]
    fn removes_its_own_and_not_what_was_signed_since() {
        let (_dir, home) = home();
        let pending = claimed(&keep(&home));
        keep(&home);
        let path = pending.path.clone();
        pending.remove().unwrap();
        assert!(path.exists(), "it is another's");
        claimed(&path).remove().unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn what_is_on_its_way_is_forgotten_only_if_it_was_given_up() {
        let (_dir, home) = home();
        let path = keep(&home);
        let sending = claimed(&path);
        forget(&home, |_| true).unwrap();
        assert!(path.exists());
        give_up(&home, |_| true).unwrap();
        assert!(!path.exists());
        sending.remove().unwrap();
        keep(&home);
        forget(&home, |_| true).unwrap();
        assert!(!path.exists());
    }
}

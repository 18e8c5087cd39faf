//! Reading what was handed in before: which versions there are, and their bytes.

use rustls_pki_types::UnixTime;
use scb_certs::Fingerprint;

use super::Session;
use super::receipt::misbehaved;
use crate::message::blackboard::{ListedUnfinished, ListedVersion, Reply, Request};
use crate::message::{Reply as _, unexpected};
use crate::receipt::MAX_RECEIPT;
use crate::statement::{FileEntry, Label, SubmissionNumber};
use crate::{Code, Refusal, Step, from_seconds};

impl Session {
    /// Asks for the versions in which all members of this session have a part: of one course and
    /// assignment only, if they are named, and only those after this one.
    pub fn ask_history(
        self,
        (course, assignment): (Option<Label>, Option<Label>),
        after: Option<SubmissionNumber>,
    ) -> (ExpectHistory, Request) {
        let request = Request::History {
            course,
            assignment,
            after,
        };
        let session = self;
        (ExpectHistory { session, after }, request)
    }

    /// Asks for the receipt of a submission of these members.
    pub fn ask_receipt_of(self, number: SubmissionNumber) -> (ExpectDownload, Request) {
        let (file, from) = (None, 0);
        let next = ExpectDownload {
            session: self,
            wanted: Wanted::Receipt,
        };
        (next, Request::Download { number, file, from })
    }

    /// Asks for a file of a submission of these members, of which the first `from` bytes are here:
    /// the `index`th of its statement, from 0.
    pub fn ask_file(
        self,
        number: SubmissionNumber,
        (index, file): (u32, &FileEntry),
        from: u64,
    ) -> (ExpectDownload, Request) {
        let next = ExpectDownload {
            session: self,
            wanted: Wanted::File(file.clone(), from),
        };
        let file = Some(index);
        (next, Request::Download { number, file, from })
    }
}

/// Waits for `history`.
#[derive(Debug)]
pub struct ExpectHistory {
    session: Session,
    after: Option<SubmissionNumber>,
}

/// Some of the versions, as Blackboard tells of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// The time by Blackboard's clock.
    pub time: UnixTime,
    /// Those after the one that was named.
    pub versions: Vec<ListedVersion>,
    /// What was signed and has not all come; told with the first versions.
    pub unfinished: Vec<ListedUnfinished>,
    /// How many more of that there are than were told.
    pub more_unfinished: u32,
    /// After which one to ask on; `None` if these were the last.
    pub next: Option<SubmissionNumber>,
}

impl ExpectHistory {
    /// The session goes on.
    ///
    /// # Errors
    ///
    /// The server's refusal, `unexpected_message`, or `server_misbehaved`: there are more, but
    /// none was told after the one that was named.
    pub fn handle(self, reply: Reply) -> Result<(Session, History), Refusal> {
        let reply = reply.accepted()?;
        let Reply::History {
            time,
            more,
            versions,
            unfinished,
            more_unfinished,
        } = reply
        else {
            return Err(unexpected("history", &reply, Step::Six));
        };
        let last = versions.last().map(|version| version.number);
        if more && last <= self.after {
            let got = last.map_or("none".to_owned(), |last| last.to_string());
            return Err(Refusal::new(Code::ServerMisbehaved, Step::Six)
                .with("expected", "a later version")
                .with("got", got));
        }
        let answer = History {
            time: from_seconds(time),
            versions,
            unfinished,
            more_unfinished,
            next: last.filter(|_| more),
        };
        Ok((self.session, answer))
    }
}

#[derive(Debug)]
enum Wanted {
    Receipt,
    File(FileEntry, u64),
}

/// Waits for `download`.
#[derive(Debug)]
pub struct ExpectDownload {
    session: Session,
    wanted: Wanted,
}

impl ExpectDownload {
    /// What follows comes in chunk frames.
    ///
    /// # Errors
    ///
    /// The server's refusal, `unexpected_message`, or `server_misbehaved`: a file other than the
    /// one that was signed is announced, or a receipt that is too large.
    pub fn handle(self, reply: Reply) -> Result<Downloading, Refusal> {
        let reply = reply.accepted()?;
        let Reply::Download { size, sha256 } = reply else {
            return Err(unexpected("download", &reply, Step::Six));
        };
        let from = match &self.wanted {
            Wanted::Receipt if size > MAX_RECEIPT as u64 => {
                return Err(misbehaved("the receipt is too large"));
            }
            Wanted::Receipt => 0,
            Wanted::File(file, from) if (file.size, file.sha256) == (size, sha256) => *from,
            Wanted::File(..) => return Err(misbehaved("this is not the file that was signed")),
        };
        Ok(Downloading {
            session: self.session,
            left: size.saturating_sub(from),
            sha256,
        })
    }
}

/// Takes the bytes that were announced.
#[derive(Debug)]
pub struct Downloading {
    session: Session,
    left: u64,
    sha256: Fingerprint,
}

impl Downloading {
    /// How many bytes are still to come.
    pub fn left(&self) -> u64 {
        self.left
    }

    /// SHA-256 of the whole, which whoever keeps the bytes compares.
    pub fn sha256(&self) -> Fingerprint {
        self.sha256
    }

    /// Counts a chunk that came.
    ///
    /// # Errors
    ///
    /// `server_misbehaved` at the first byte too many.
    pub fn chunk(&mut self, chunk: &[u8]) -> Result<(), Refusal> {
        let left = self.left.checked_sub(chunk.len() as u64);
        self.left = left.ok_or_else(|| misbehaved("more came than was announced"))?;
        Ok(())
    }

    /// The session goes on once all has come.
    ///
    /// # Errors
    ///
    /// `content_short`.
    pub fn end(self) -> Result<Session, Refusal> {
        match self.left {
            0 => Ok(self.session),
            left => Err(Refusal::new(Code::ContentShort, Step::Six).with("missing", left)),
        }
    }
}

//! The content of a submission.

use scb_certs::Fingerprint;

use super::{CommittedStatement, WithFiles};
use crate::message::blackboard::Request;
use crate::message::unexpected;
use crate::statement::Statement;
use crate::{Code, Refusal, Step};

/// Waits for chunks of content, file after file, and then `end`.
#[derive(Debug)]
pub struct ReceivingContent<S = CommittedStatement> {
    stated: S,
    from: Vec<u64>,
    received: Vec<u64>,
}

impl<S: WithFiles> ReceivingContent<S> {
    pub(super) fn new(stated: S, from: Vec<u64>) -> Self {
        Self {
            stated,
            received: from.clone(),
            from,
        }
    }

    /// The statement.
    pub fn statement(&self) -> &Statement {
        self.stated.statement()
    }

    /// From where each file comes: 0, or as much of it as was there.
    pub fn from(&self) -> &[u64] {
        &self.from
    }

    /// Counts a chunk of `bytes` bytes, and says of which file they are. No chunk holds bytes of
    /// two.
    ///
    /// # Errors
    ///
    /// `content_long` at the first byte too many.
    pub fn chunk(&mut self, bytes: usize) -> Result<usize, Refusal> {
        let files = &self.stated.statement().files;
        let mut unfinished = files.iter().zip(&self.received);
        let index = unfinished.position(|(file, received)| *received < file.size);
        // With nothing missing, whatever comes is too much of the last file.
        let index = index.unwrap_or(files.len() - 1);
        let (file, received) = (&files[index], &mut self.received[index]);
        *received = received.saturating_add(bytes as u64);
        if *received > file.size {
            return Err(self
                .about(Code::ContentLong, index)
                .with("expected", file.size));
        }
        Ok(index)
    }

    /// Takes `end`, with the SHA-256 of each file, computed while it streamed in.
    ///
    /// # Errors
    ///
    /// `unexpected_message`, `content_short` or `content_altered`.
    pub fn handle(self, request: Request, received: &[Fingerprint]) -> Result<S::Next, Refusal> {
        let Request::End {} = request else {
            return Err(unexpected("end", &request, Step::Six));
        };
        for (index, file) in self.statement().files.iter().enumerate() {
            if self.received[index] != file.size {
                return Err(self
                    .about(Code::ContentShort, index)
                    .with("expected", file.size)
                    .with("got", self.received[index]));
            }
            if received.get(index) != Some(&file.sha256) {
                let refusal = self.about(Code::ContentAltered, index);
                let refusal = refusal.with("expected", file.sha256);
                return Err(match received.get(index) {
                    Some(got) => refusal.with("got", got),
                    None => refusal,
                });
            }
        }
        self.stated.received()
    }

    /// A refusal about one file, named where there are several.
    fn about(&self, code: Code, index: usize) -> Refusal {
        let refusal = Refusal::new(code, Step::Six);
        match self.statement().files.single() {
            Some(_) => refusal,
            None => refusal.with("file", &self.statement().files[index].name),
        }
    }
}

//! The files on their way in: counted, hashed and written as they come. What has come stays when
//! the connection does not.

use std::time::Duration;

use rustls_pki_types::UnixTime;
use scb_certs::Fingerprint;
use scb_protocol::message::blackboard::{Received, Request};
use scb_protocol::server::{ExpectUpload, ReceivingContent, WithFiles};
use scb_protocol::{Code, Frame, Refusal, Step, decode};
use scb_storage::{ContentWriter, Error, Upload};
use scb_transport::Connection;
use tokio::time::Instant;

use super::Shared;
use super::completion::is_whole;
use super::vigil::Vigil;
use crate::uploads::Lease;

/// Reads from the connection until the files are there.
pub(super) struct Receiver<'a> {
    pub(super) connection: &'a mut Connection,
    pub(super) vigil: &'a mut Vigil,
    pub(super) lease: &'a Lease,
    pub(super) shared: &'a Shared,
    /// Until when they may come, if that is known: bytes of after that are none of them. Of a proposal it may be said
    /// while they come.
    pub(super) until: Option<UnixTime>,
    /// Once the last has come there is nothing for which it could be too late.
    pub(super) is_bounded: bool,
}

/// The files of one submission, one of them open.
struct Incoming {
    upload: Upload,
    open: Option<(usize, ContentWriter)>,
}

impl Receiver<'_> {
    /// Receives `upload`, chunks and then `end`. Everything has come, with the hashes that the members
    /// signed, when this returns, and is durable once it is stored or settled; otherwise what has come
    /// is kept. Told with it is when the last byte came, if any did on this connection.
    pub(super) async fn receive<S: WithFiles>(
        mut self,
        state: ExpectUpload<S>,
        upload: Upload,
    ) -> Result<(S::Next, Upload, Option<UnixTime>), Refusal> {
        let is_bounded = self.is_bounded;
        if is_whole(&upload, state.statement()) {
            self.is_bounded = false;
        }
        // The client reads what it sent before, to compare: that may take a while.
        let deadline = Instant::now() + self.shared.limits.idle;
        let Frame::Message(payload) = self.frame(deadline).await? else {
            return Err(Refusal::new(Code::UnexpectedMessage, Step::Six)
                .with("expected", "upload")
                .with("got", "chunk"));
        };
        let state = state.handle(decode(&payload, Step::Six)?)?;
        // Whoever sends again what was here has as long as with anything else.
        self.is_bounded = is_bounded;
        let mut incoming = Incoming { upload, open: None };
        match self.chunks(state, &mut incoming).await {
            Ok((state, whole_at)) => Ok((state, incoming.upload, whole_at)),
            Err(refusal) => {
                incoming.interrupted(&refusal).await;
                Err(refusal)
            }
        }
    }

    async fn chunks<S: WithFiles>(
        &mut self,
        mut state: ReceivingContent<S>,
        incoming: &mut Incoming,
    ) -> Result<(S::Next, Option<UnixTime>), Refusal> {
        let deadline = Instant::now() + self.shared.limits.content;
        let from: u64 = state.from().iter().sum();
        let mut missing = state.statement().files.size().saturating_sub(from);
        let mut whole_at = None;
        loop {
            if missing == 0 {
                self.is_bounded = false;
            }
            let next = deadline.min(Instant::now() + self.shared.limits.message);
            match self.frame(next).await? {
                Frame::Chunk(chunk) => {
                    let index = state.chunk(chunk.len())?;
                    let from_beginning = state.from()[index] == 0;
                    let size = state.statement().files[index].size;
                    missing = missing.saturating_sub(chunk.len() as u64);
                    // It came in time, if there is one, though it may be over by now.
                    let now = self.shared.clock.now();
                    whole_at = Some(self.until().map_or(now, |until| until.min(now)));
                    incoming.open(index, from_beginning, size).await?;
                    incoming.write(&chunk).await?;
                }
                Frame::Message(payload) => {
                    let request: Request = decode(&payload, Step::Six)?;
                    #[cfg(test)]
                    crate::tests::panics::if_wanted(state.statement());
                    incoming.close().await?;
                    let statement = state.statement().clone();
                    let received = incoming.hashes();
                    let ended = state.handle(request, &received);
                    if matches!(&ended, Err(refusal) if refusal.code == Code::ContentAltered) {
                        let signed = statement.files.iter().map(|file| file.sha256);
                        incoming.forget_others(signed).await?;
                    }
                    return ended.map(|next| (next, whole_at));
                }
            }
        }
    }

    /// One frame; meanwhile a revocation ends the connection at once, and so does another one
    /// that brings the same files, or the end of the time in which they may come, which may begin only now.
    async fn frame(&mut self, deadline: Instant) -> Result<Frame, Refusal> {
        loop {
            let mut bound = self.lease.until();
            let left = self.left();
            let end = left.map_or(deadline, |left| deadline.min(Instant::now() + left));
            tokio::select! {
                biased;
                () = self.vigil.alarm() => self.vigil.look(Step::Six).await?,
                superseded = self.lease.superseded() => return Err(superseded),
                Ok(()) = bound.changed() => {}
                frame = self.connection.receive_frame_until(Step::Six, end) => {
                    let is_over = self.is_over();
                    match frame {
                        Err(refusal) if refusal.code != Code::Timeout => return Err(refusal),
                        Ok(frame) if !is_over => return Ok(frame),
                        Err(late) if end == deadline => return Err(late),
                        _ if is_over => {
                            return Err(Refusal::new(Code::UploadExpired, Step::Six));
                        }
                        // The clock was set back meanwhile: there is time again.
                        _ => {}
                    }
                }
            }
        }
    }

    /// For how long bytes may still come: all of the last second counts.
    fn left(&self) -> Option<Duration> {
        let now = self.shared.clock.now().as_secs();
        let left = |until: UnixTime| until.as_secs().saturating_add(1).saturating_sub(now);
        Some(Duration::from_secs(left(self.until()?)))
    }

    fn until(&self) -> Option<UnixTime> {
        let until = || self.until.or_else(|| *self.lease.until().borrow());
        self.is_bounded.then(until).flatten()
    }

    fn is_over(&self) -> bool {
        self.until()
            .is_some_and(|until| until < self.shared.clock.now())
    }
}

impl Incoming {
    /// The next bytes are of this file; one before it has come to its end.
    async fn open(&mut self, index: usize, from_beginning: bool, size: u64) -> Result<(), Refusal> {
        if self.open.as_ref().is_some_and(|(open, _)| *open == index) {
            return Ok(());
        }
        self.close().await?;
        let writer = self.upload.writer(index, from_beginning, size).await;
        self.open = Some((index, writer.map_err(refusal)?));
        Ok(())
    }

    async fn write(&mut self, chunk: &[u8]) -> Result<(), Refusal> {
        match &mut self.open {
            Some((_, writer)) => writer.write(chunk).await.map_err(refusal),
            None => Ok(()),
        }
    }

    /// Nothing more comes of the open file. It is durable once it is stored.
    async fn close(&mut self) -> Result<(), Refusal> {
        if let Some((index, writer)) = self.open.take() {
            self.upload.end(index, writer).await.map_err(refusal)?;
        }
        Ok(())
    }

    /// What came of all files is durable.
    async fn settle(&mut self) -> Result<(), Refusal> {
        self.close().await?;
        self.upload.settle().await.map_err(refusal)
    }

    fn hashes(&self) -> Vec<Fingerprint> {
        let hashes = self.upload.received();
        hashes
            .map(|(_, sha256)| Fingerprint::from_bytes(sha256))
            .collect()
    }

    /// Files whose bytes are others than were signed are no beginning of anything.
    async fn forget_others(
        &mut self,
        signed: impl Iterator<Item = Fingerprint>,
    ) -> Result<(), Refusal> {
        let others: Vec<usize> = signed
            .zip(self.hashes())
            .enumerate()
            .filter(|(_, (signed, received))| signed != received)
            .map(|(index, _)| index)
            .collect();
        for index in others {
            self.upload.forget(index).await.map_err(refusal)?;
        }
        Ok(())
    }

    /// Keeps what came, for the next time; where there is no room, room is made.
    async fn interrupted(mut self, why: &Refusal) {
        let kept = self.settle().await;
        if why.code == Code::StorageFull || kept.is_err() {
            let discarded = self.upload.discard().await;
            if let Err(error) = discarded {
                tracing::error!("a part of an upload was not removed: {error}");
            }
        }
    }
}

/// What is here of each file.
pub(super) fn received(upload: &Upload) -> Vec<Received> {
    let told = |(received, sha256)| Received {
        received,
        sha256: Fingerprint::from_bytes(sha256),
    };
    upload.received().map(told).collect()
}

pub(super) fn refusal(error: Error) -> Refusal {
    crate::store::Error::Storage(error).into()
}

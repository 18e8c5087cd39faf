//! What one run said on the wire, for a page on which it can be looked at.
//!
//! Secrets are taken out before anything is kept: enrolment codes, and the signatures without
//! which identity tokens are only text. Private keys, shares and the session key never pass
//! here.

mod decode;
mod html;
mod json;
mod page;
mod receipt;
mod words;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustls_pki_types::UnixTime;
use scb_certs::Chain;
use scb_protocol::{Frame, Step, StepEvent};
use scb_transport::{Connection, Direction};

use self::json::Json;

/// Who takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lane {
    Student,
    Blackboard,
    Cuhk,
}

/// The server at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    Blackboard,
    Cuhk,
}

impl From<Server> for Lane {
    fn from(server: Server) -> Self {
        match server {
            Server::Blackboard => Self::Blackboard,
            Server::Cuhk => Self::Cuhk,
        }
    }
}

/// One thing that happened.
#[derive(Clone, Debug)]
struct Entry {
    step: Step,
    /// Since the beginning.
    at: Duration,
    what: What,
}

impl Entry {
    fn is_receipt(&self) -> bool {
        matches!(&self.what, What::Message { name, .. } if name == "receipt")
    }
}

#[derive(Clone, Debug)]
enum What {
    /// A connection was opened; names and fingerprints of both sides.
    Handshake {
        server: Lane,
        details: Json,
        mutual: bool,
    },
    Message {
        from: Lane,
        to: Lane,
        name: String,
        /// Bytes of JSON on the wire; none if it was not seen there.
        size: Option<usize>,
        body: Json,
    },
    /// Content, as so many chunk frames.
    Chunks {
        from: Lane,
        to: Lane,
        frames: usize,
        bytes: usize,
    },
    /// What the student's program made of it.
    Event(StepEvent),
}

#[derive(Debug)]
struct Trace {
    began: Instant,
    entries: Vec<Entry>,
}

/// Looks on while one run talks to both servers.
#[derive(Clone, Debug)]
pub(crate) struct Recorder(Arc<Mutex<Trace>>);

impl Recorder {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Trace {
            began: Instant::now(),
            entries: Vec::new(),
        })))
    }

    /// Records a connection that was just opened, as `client` or as nobody, and from now on
    /// everything on it.
    pub(crate) fn watch(
        &self,
        connection: &mut Connection,
        server: Server,
        client: Option<&Chain>,
        step: Step,
    ) {
        self.push(
            step,
            What::Handshake {
                server: server.into(),
                details: decode::handshake(connection, client),
                mutual: client.is_some(),
            },
        );
        let recorder = self.clone();
        connection.show_to(Box::new(move |direction, frame| {
            recorder.frame(server.into(), step, direction, frame);
        }));
    }

    /// Records what a step came to.
    pub(crate) fn event(&self, event: &StepEvent) {
        self.push(event.step, What::Event(event.clone()));
    }

    /// Records what the receipt says that Blackboard and CUHK said to each other in step 6.
    pub(crate) fn receipt(&self, zip: &[u8]) {
        let Some(verification) = receipt::verification(zip) else {
            return;
        };
        let mut trace = self.lock();
        let place = trace.entries.iter().position(Entry::is_receipt);
        let place = place.unwrap_or(trace.entries.len());
        let later = trace.entries.split_off(place);
        drop(trace);
        self.inferred(Step::Six, &verification);
        self.lock().entries.extend(later);
    }

    /// The page that shows all of it.
    pub(crate) fn page(&self, language: scb_explain::Language, began: UnixTime) -> String {
        let trace = self.lock();
        page::page(&trace.entries, language, began)
    }

    fn frame(&self, server: Lane, first_step: Step, direction: Direction, frame: &Frame) {
        let (from, to) = match direction {
            Direction::Sent => (Lane::Student, server),
            Direction::Received => (server, Lane::Student),
        };
        match frame {
            Frame::Chunk(chunk) => self.chunk(from, to, chunk.len()),
            Frame::Message(payload) => {
                let (name, body) = decode::message(payload);
                let step = decode::step(&name, &body, first_step);
                if let Some(verification) = body.get("verification") {
                    self.inferred(Step::Three, verification);
                }
                let size = Some(payload.len());
                self.push(
                    step,
                    What::Message {
                        from,
                        to,
                        name,
                        size,
                        body,
                    },
                );
            }
        }
    }

    /// What Blackboard asked CUHK, and what CUHK answered, as far as the answer itself says.
    fn inferred(&self, step: Step, verification: &Json) {
        let Some((question, answer)) = decode::conversation(verification) else {
            return;
        };
        let (blackboard, cuhk) = (Lane::Blackboard, Lane::Cuhk);
        for (from, to, name, body) in [
            (blackboard, cuhk, "verify", question),
            (cuhk, blackboard, "verification", answer),
        ] {
            let name = name.to_owned();
            let size = None;
            self.push(
                step,
                What::Message {
                    from,
                    to,
                    name,
                    size,
                    body,
                },
            );
        }
    }

    /// Chunks that follow each other are one row.
    fn chunk(&self, from: Lane, to: Lane, size: usize) {
        let mut trace = self.lock();
        if let Some(Entry {
            what:
                What::Chunks {
                    from: earlier,
                    frames,
                    bytes,
                    ..
                },
            ..
        }) = trace.entries.last_mut()
            && *earlier == from
        {
            *frames += 1;
            *bytes += size;
            return;
        }
        drop(trace);
        self.push(
            Step::Six,
            What::Chunks {
                from,
                to,
                frames: 1,
                bytes: size,
            },
        );
    }

    fn lock(&self) -> MutexGuard<'_, Trace> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, step: Step, what: What) {
        let mut trace = self.lock();
        let at = trace.began.elapsed();
        trace.entries.push(Entry { step, at, what });
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

//! What the engine tells while it works; whoever shows it decides how.

use scb_certs::StudentId;
use scb_protocol::{Step, StepEvent};

/// Something that happened in a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Step 1: nobody needs a certificate; so many are here.
    AlreadyCertified(usize),
    /// Step 1: the requests have left.
    RequestsSent {
        /// Keys that were made now.
        keys: usize,
        /// Requests that were sent.
        requests: usize,
    },
    /// Step 2: a student's certificate and token were verified and saved.
    Certified(StudentId),
    /// Step 2: an identity token was about to expire; there is a fresh one.
    TokenRefreshed(StudentId),
    /// Step 3: CUHK confirmed so many members, and the answer was verified here too.
    Verified(usize),
    /// Step 4: so many shares were opened.
    SharesOpened(usize),
    /// Step 5: both sides have the same session key.
    KeyConfirmed,
    /// Step 6: content is on its way.
    Sending {
        /// Bytes sent so far.
        sent: u64,
        /// Bytes in all.
        total: u64,
    },
    /// Step 6: stored, and the receipt was verified.
    Stored {
        /// Size of the content in bytes.
        size: u64,
        /// How many members signed.
        signatures: usize,
        /// It had been stored by an attempt before; this is the same receipt.
        before: bool,
    },
}

impl Event {
    /// The event as a log line; none for mere progress.
    pub fn step_event(&self) -> Option<StepEvent> {
        let with = |step, outcome, count: usize| Some(StepEvent::with(step, outcome, count));
        match self {
            Self::AlreadyCertified(count) => with(Step::One, "already certified", *count),
            Self::RequestsSent { requests, .. } => with(Step::One, "requests sent", *requests),
            Self::Certified(sid) => Some(StepEvent::done(Step::Two, "certified").about(sid)),
            Self::TokenRefreshed(sid) => {
                Some(StepEvent::done(Step::Two, "token refreshed").about(sid))
            }
            Self::Verified(count) => with(Step::Three, "members verified", *count),
            Self::SharesOpened(count) => with(Step::Four, "shares opened", *count),
            Self::KeyConfirmed => Some(StepEvent::done(Step::Five, "session key confirmed")),
            Self::Sending { .. } => None,
            Self::Stored { size, .. } => Some(StepEvent::with(Step::Six, "stored bytes", size)),
        }
    }
}

/// Whoever watches.
pub type Observer<'a> = dyn FnMut(&Event) + 'a;

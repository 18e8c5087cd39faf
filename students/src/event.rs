//! What the engine tells while it works; whoever shows it decides how.

use scb_certs::StudentId;
use scb_protocol::{Code, Fact, Step, StepEvent};

/// Something that happened in a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A step came to something.
    Step(StepEvent),
    /// Step 6: content is on its way.
    Sending {
        /// Bytes sent so far.
        sent: u64,
        /// Bytes in all.
        total: u64,
    },
    /// A server has no time now; the same request goes out again after a while. Told every
    /// second.
    Waiting {
        /// The step that was refused.
        step: Step,
        /// Why.
        code: Code,
        /// Seconds that are left.
        left: u32,
        /// Seconds in all.
        asked: u32,
    },
}

impl Event {
    /// A fact about the group.
    pub fn new(step: Step, fact: Fact) -> Self {
        Self::Step(StepEvent::new(step, fact))
    }

    /// A fact about one student.
    pub fn about(sid: &StudentId, step: Step, fact: Fact) -> Self {
        Self::Step(StepEvent::new(step, fact).about(sid))
    }

    /// The event of the step; none for mere progress.
    pub fn step_event(&self) -> Option<&StepEvent> {
        match self {
            Self::Step(event) => Some(event),
            Self::Sending { .. } | Self::Waiting { .. } => None,
        }
    }
}

/// Whoever watches.
pub type Observer<'a> = dyn FnMut(&Event) + 'a;

//! What the engine tells while it works; whoever shows it decides how.

use std::path::PathBuf;

use rustls_pki_types::UnixTime;
use scb_certs::StudentId;
use scb_protocol::rules::{Counts, MemberStanding};
use scb_protocol::statement::{FilePath, Label, SubmissionId};
use scb_protocol::{Code, Fact, Step, StepEvent};

use crate::Error;
use crate::error::room_at;

/// Something that happened in a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A step came to something.
    Step(StepEvent),
    /// Step 6: Blackboard has the beginning of what is handed in, from an attempt before.
    GoingOn {
        /// Bytes that it has, compared by their hash and not sent again.
        have: u64,
        /// Bytes in all.
        total: u64,
        /// Files of which it has something else, which are sent from their beginning.
        anew: Vec<FilePath>,
    },
    /// Step 6: content is on its way, to Blackboard or back.
    Sending {
        /// Bytes that are there so far, those of an attempt before included.
        sent: u64,
        /// Bytes in all.
        total: u64,
    },
    /// Step 6: the connection broke while content was on its way. Another one goes on with it, and
    /// goes through the steps before once more.
    Interrupted {
        /// What it broke of.
        code: Code,
    },
    /// The files are there, and another program is still at work in the home: it is waited for.
    HomeBusy {
        /// The home.
        dir: PathBuf,
    },
    /// Step 2: a certificate was to be renewed, and could not be.
    NotRenewed {
        /// Whose.
        sid: StudentId,
        /// Why, if there is a code for it.
        code: Option<Code>,
        /// Why, in English.
        reason: String,
        /// Until when the present one is good; `None` if it has ended.
        until: Option<UnixTime>,
    },
    /// A server lets this one of all students here in no longer: the others ask without.
    LeftOut {
        /// Who.
        sid: StudentId,
        /// Why.
        code: Code,
    },
    /// Step 6: what is about to be sent will be late.
    WillBeLate {
        /// How each member will stand.
        standings: Vec<MemberStanding>,
    },
    /// Step 6: Blackboard tells these members nothing of this assignment: no rules, and that it takes nothing.
    NotListed {
        /// The course.
        course: Label,
        /// The assignment.
        assignment: Label,
    },
    /// Step 6: what was signed of other bytes under the same names, and had not come, still stands: the
    /// version that was handed in now is late, and costs more.
    StillStands {
        /// Its submission ID.
        submission: SubmissionId,
        /// When it was recorded.
        at: UnixTime,
        /// Until when its files may come.
        until: UnixTime,
        /// Which of both counts, once it is handed in as well.
        counts: Counts,
    },
    /// Step 6: Blackboard has stored something else of what was proposed: nobody can sign it, and the same files are
    /// proposed again.
    ProposedAnew {
        /// The submission ID that it had.
        submission: SubmissionId,
    },
    /// Step 6: what was signed of other bytes under the same names, and had not come, is given up.
    GivenUp {
        /// Its submission ID.
        submission: SubmissionId,
    },
    /// Step 6: Blackboard's signed word that it refused was verified, and is kept.
    RejectionKept {
        /// Where.
        path: PathBuf,
    },
    /// Step 6: a receipt contradicts what Blackboard had signed when it recorded the statement; both are
    /// kept.
    CommitmentBroken {
        /// Where what it had signed is.
        commitment: PathBuf,
        /// Where the receipt is.
        receipt: PathBuf,
    },
    /// Step 6: a receipt that came lacks something that one of the same entry has: both are kept.
    KeptBeside {
        /// Where the one is that was there before.
        before: PathBuf,
        /// Where the one is that came.
        now: PathBuf,
    },
    /// Step 6: what Blackboard has signed of an assignment's rules contradicts what it had signed before;
    /// both are kept.
    RulesContradicted {
        /// Where what it had signed before is.
        before: PathBuf,
        /// Where what it signs now is.
        now: PathBuf,
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

    /// What to tell of a renewal that failed: nothing where the present certificate lasts as long
    /// as a new one would, or until there is room for another.
    pub(crate) fn not_renewed(
        sid: &StudentId,
        error: &Error,
        until: UnixTime,
        now: UnixTime,
    ) -> Option<Self> {
        let refusal = error.refusals().first();
        let room_at = refusal.and_then(room_at);
        let code = refusal.map(|refusal| refusal.code);
        if code == Some(Code::RenewalNotLonger) || room_at.is_some_and(|at| at < until) {
            return None;
        }
        Some(Self::NotRenewed {
            sid: sid.clone(),
            code,
            reason: error.to_string(),
            until: (until >= now).then_some(until),
        })
    }

    /// The event of the step; none for mere progress.
    pub fn step_event(&self) -> Option<&StepEvent> {
        match self {
            Self::Step(event) => Some(event),
            Self::GoingOn { .. }
            | Self::Sending { .. }
            | Self::Interrupted { .. }
            | Self::HomeBusy { .. }
            | Self::NotRenewed { .. }
            | Self::RejectionKept { .. }
            | Self::CommitmentBroken { .. }
            | Self::KeptBeside { .. }
            | Self::RulesContradicted { .. }
            | Self::GivenUp { .. }
            | Self::ProposedAnew { .. }
            | Self::LeftOut { .. }
            | Self::WillBeLate { .. }
            | Self::NotListed { .. }
            | Self::StillStands { .. }
            | Self::Waiting { .. } => None,
        }
    }
}

/// Whoever watches.
pub type Observer<'a> = dyn FnMut(&Event) + 'a;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use scb_protocol::{Refusal, from_seconds, rfc3339};

    use super::*;

    #[test]
    fn that_there_is_room_for_a_renewal_in_time_is_not_worth_a_line() {
        let sid: StudentId = "1155000001".parse().unwrap();
        let base = 1_795_000_000;
        let [now, until] = [base + 1000, base + 2000].map(from_seconds);
        let told = |room_at: u64| {
            let refusal = Refusal::new(Code::TooManyDevices, Step::Two).about(&sid);
            let refusal = refusal.with("room_at", rfc3339(from_seconds(base + room_at)));
            Event::not_renewed(&sid, &refusal.into(), until, now).is_some()
        };
        assert!(!told(1999), "the present certificate is still good then");
        assert!(told(2000));
        // A machine too many is told at once.
        let many = Refusal::new(Code::TooManyDevices, Step::Two).about(&sid);
        assert!(Event::not_renewed(&sid, &many.into(), until, now).is_some());
    }
}

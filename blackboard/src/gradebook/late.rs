//! What lateness costs whom, by the rules that count for the version and each student's own extension.

use rustls_pki_types::UnixTime;
use scb_protocol::grade::{Given, Grade, Lateness};
use scb_protocol::rules::{Rulebook, Standing};

use crate::courses::Desk;
use crate::store::{Error, Place};

/// By what lateness is judged, and whether it is taken off.
pub(super) struct Late {
    book: Rulebook,
    apply: bool,
}

impl Late {
    pub(super) fn of(desk: &Desk, place: &Place, apply: bool) -> Result<Self, Error> {
        Ok(Self {
            book: desk.store.rulebook(place)?,
            apply,
        })
    }

    /// By what is judged.
    pub(super) fn book(&self) -> &Rulebook {
        &self.book
    }

    /// What it costs that the work of this student came at this moment, with this entry of the log.
    pub(super) fn lateness(
        &self,
        given: &Given,
        (at, index): (UnixTime, Option<u64>),
    ) -> Option<Lateness> {
        match self.book.judge_by(at, index, &given.sid) {
            (Standing::Late { by, .. }, rule) => Lateness::of(given.points, by, rule),
            (Standing::Closed { .. }, rule) => {
                let by = self.book.after_due(at, &given.sid);
                Some(Lateness::closed(given.points, by, rule))
            }
            _ => None,
        }
    }

    /// Takes it off, unless these points are what it left before: a gradebook that was exported holds
    /// those. Answers whether they are.
    pub(super) fn apply(
        &self,
        given: &mut Given,
        lateness: Option<Lateness>,
        there: Option<&Grade>,
    ) -> bool {
        let before =
            there.filter(|there| there.points == given.points && there.maximum == given.maximum);
        if let Some(before) = before.filter(|there| there.lateness.is_some()) {
            // What the lateness of another version cost is not said of this one.
            let same = before.submission == given.submission;
            given.lateness = before.lateness.filter(|_| same);
            return true;
        }
        if let Some(lateness) = lateness.filter(|_| self.apply) {
            given.points = lateness.left(given.maximum);
            given.lateness = Some(lateness);
        }
        false
    }
}

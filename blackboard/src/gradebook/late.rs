//! What lateness costs whom, by the late rule of the assignment and each student's own extension.

use rustls_pki_types::UnixTime;
use scb_protocol::grade::{Given, Grade, Lateness};
use scb_protocol::rules::{Extension, Rules, Standing};

use crate::courses::Desk;
use crate::store::{Error, Place};

/// By what lateness is judged, and whether it is taken off.
pub(super) struct Late {
    rules: Rules,
    extensions: Vec<Extension>,
    apply: bool,
}

impl Late {
    pub(super) fn of(desk: &Desk, place: &Place, apply: bool) -> Result<Self, Error> {
        let given = desk.store.extensions(place.clone())?.into_iter();
        Ok(Self {
            rules: desk.store.assignment(place)?.rules().clone(),
            extensions: given.map(|given| given.extension).collect(),
            apply,
        })
    }

    /// What it costs that the work of this student came at this moment.
    pub(super) fn lateness(&self, given: &Given, at: UnixTime) -> Option<Lateness> {
        let mut extensions = self.extensions.iter();
        let own = extensions.find(|extension| extension.sid == given.sid);
        match self.rules.judge(at, own) {
            Standing::Late { by, .. } => Lateness::of(given.points, by, self.rules.late),
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
        if let Some(before) = before.and_then(|there| there.lateness) {
            given.lateness = Some(before);
            return true;
        }
        if let Some(lateness) = lateness.filter(|_| self.apply) {
            given.points = lateness.left(given.maximum);
            given.lateness = Some(lateness);
        }
        false
    }
}

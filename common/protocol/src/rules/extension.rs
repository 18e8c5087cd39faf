//! More time for one student.

use rustls_pki_types::UnixTime;
use scb_certs::StudentId;
use serde::{Deserialize, Serialize};

use super::{LateRule, Rules, RulesError, Standing, after};
use crate::object::objects;
use crate::time::{as_rfc3339, as_rfc3339_if_any};

/// Another due time for one student. It is his alone, also in a group: the others keep theirs.
/// It never takes time away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
pub struct Extension {
    /// The student.
    pub sid: StudentId,
    /// Until when his work is on time.
    #[serde(with = "as_rfc3339")]
    pub due: UnixTime,
    /// Until when it is taken. Absent: at least until his time of grace is over.
    #[serde(default, with = "as_rfc3339_if_any")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cutoff: Option<UnixTime>,
}

objects!(Extension);

/// The moments that count for one student.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moments {
    /// Until here it is on time.
    pub(super) due: UnixTime,
    /// Until here it is not late.
    pub(super) grace_ends: UnixTime,
    /// Until here it is taken; `None`: always.
    pub(super) last: Option<UnixTime>,
}

impl Rules {
    /// Checks that an extension is one of these rules.
    ///
    /// # Errors
    ///
    /// [`RulesError::NoExtension`], [`RulesError::ExtensionCutoff`].
    pub fn check_extension(&self, extension: &Extension) -> Result<(), RulesError> {
        if self.due.is_none_or(|due| extension.due <= due) {
            return Err(RulesError::NoExtension);
        }
        let grace_ends = after(extension.due, self.grace);
        match extension.cutoff {
            Some(cutoff) if cutoff < grace_ends => Err(RulesError::ExtensionCutoff),
            Some(cutoff) if self.late == LateRule::None && cutoff != grace_ends => {
                Err(RulesError::CutoffWithoutLateWork)
            }
            _ => Ok(()),
        }
    }

    /// The moments that count for a student with this extension; `None` if nothing is ever due.
    pub(super) fn moments(&self, extension: Option<&Extension>) -> Option<Moments> {
        let common = self.due?;
        let due = extension.map_or(common, |extension| extension.due.max(common));
        let grace_ends = after(due, self.grace);
        let last = match self.late {
            LateRule::None => Some(grace_ends),
            _ => self.cutoff.map(|cutoff| {
                let own = extension.and_then(|extension| extension.cutoff);
                own.unwrap_or(cutoff).max(cutoff).max(grace_ends)
            }),
        };
        Some(Moments {
            due,
            grace_ends,
            last,
        })
    }

    /// Whether a student with this extension has more time than one without. When it was given it did:
    /// the common times may have been moved beyond it since.
    pub fn gives_time(&self, extension: &Extension) -> bool {
        self.moments(Some(extension)) != self.moments(None)
    }

    /// Until when work of a student with this extension is on time; `None`: always.
    pub fn due_for(&self, extension: Option<&Extension>) -> Option<UnixTime> {
        self.moments(extension).map(|moments| moments.due)
    }

    /// Until when work of a student with this extension is not late; `None`: always.
    pub fn grace_ends_for(&self, extension: Option<&Extension>) -> Option<UnixTime> {
        self.moments(extension).map(|moments| moments.grace_ends)
    }

    /// Of what a student with this extension would hand in late at this moment: the last moment at which that
    /// costs no more, and what it costs afterwards. `None` if it is not late, or closes before it costs more.
    pub fn dearer_for(
        &self,
        at: UnixTime,
        extension: Option<&Extension>,
    ) -> Option<(UnixTime, u8)> {
        let Standing::Late { by, .. } = self.judge(at, extension) else {
            return None;
        };
        let moments = self.moments(extension)?;
        let (last, costs) = self.late.dearer_after(by)?;
        let last = after(moments.due, last);
        moments
            .last
            .is_none_or(|closes| last < closes)
            .then_some((last, costs))
    }

    /// Until when work of a student with this extension is taken; `None`: always.
    pub fn closes_for(&self, extension: Option<&Extension>) -> Option<UnixTime> {
        self.moments(extension).and_then(|moments| moments.last)
    }

    /// Until when work is taken of anybody at all, or of somebody with one of these extensions;
    /// `None`: always.
    pub fn closes_for_all<'a>(
        &self,
        extensions: impl IntoIterator<Item = &'a Extension>,
    ) -> Option<UnixTime> {
        let common = self.closes_for(None)?;
        let own = extensions.into_iter();
        let own = own.filter_map(|extension| self.closes_for(Some(extension)));
        Some(own.fold(common, UnixTime::max))
    }
}

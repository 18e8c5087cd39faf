//! The rules of an assignment: when and how work is handed in, and what lateness costs.
//!
//! Pure: no clock and no store. The time, the members and their extensions are arguments, so that
//! the same rules and the same moment give the same judgement, years later as well.

mod admission;
mod amend;
mod change;
mod detachments;
mod extension;
mod late;
mod parts;
mod rulebook;
mod standing;

use std::ops::Deref;

use rustls_pki_types::UnixTime;
use serde::{Deserialize, Serialize};

pub use admission::{Assigned, Found, Gone, Part, Work, admit, check_size, within};
pub use amend::{AmendError, HandedIn};
pub(crate) use change::values;
pub use change::{Change, ExtensionChange, changes};
pub use detachments::{Detachment, Detachments};
pub use extension::Extension;
pub use late::{LateRule, Per};
pub use parts::{Counts, FileKind, GroupSize, Groups, MAX_GROUP, Title};
pub use rulebook::{Extended, Rulebook};
pub use standing::{MemberStanding, Price, Standing};

use crate::object::objects;
use crate::time::{as_rfc3339_if_any, from_seconds};

/// Longest time of grace, in seconds: a year.
pub(crate) const MAX_GRACE: u64 = 366 * 24 * 60 * 60;
/// Latest moment that rules may name: the end of the year 9999.
const LATEST: u64 = 253_402_300_799;
/// Most kinds of files that rules may name.
const MAX_KINDS: usize = 32;

/// What rules say, not yet checked. As JSON, this is what the log of the assignment holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
pub struct Terms {
    /// What the assignment is called.
    pub title: Title,
    /// From when on work is taken; absent: at any time before.
    #[serde(default, with = "as_rfc3339_if_any")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opens: Option<UnixTime>,
    /// Until when work is on time, this second included; absent: always.
    #[serde(default, with = "as_rfc3339_if_any")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due: Option<UnixTime>,
    /// For so many seconds after `due` nothing is late yet.
    pub grace: u64,
    /// Until when late work is taken, this second included; absent: always.
    #[serde(default, with = "as_rfc3339_if_any")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cutoff: Option<UnixTime>,
    /// What becomes of late work.
    pub late: LateRule,
    /// Which version counts, of several.
    pub counts: Counts,
    /// How many hand in together.
    pub group: GroupSize,
    /// Whether they stay together; absent in rules from before there was a choice: free.
    #[serde(default)]
    pub groups: Groups,
    /// Most bytes of all files together.
    pub max_bytes: u64,
    /// Which kinds of files, by the end of their names; empty: every kind.
    pub accept: Vec<FileKind>,
}

objects!(Terms);

/// Rules that contradict themselves nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Terms", into = "Terms")]
pub struct Rules(Terms);

/// Why terms are no rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RulesError {
    /// It would be due before anything can be handed in.
    #[error("it opens at or after the time when it is due")]
    OpensTooLate,
    /// Late work would be refused before it is late.
    #[error("the cut-off is before the end of the time of grace")]
    CutoffTooEarly,
    /// A cut-off where nothing late is taken.
    #[error(
        "with the late rule `none` nothing is taken after the time of grace: there is no cut-off \
         besides"
    )]
    CutoffWithoutLateWork,
    /// Something follows from a due time that is not there.
    #[error("without a due time there is no grace, no cut-off and no late rule")]
    NothingIsDue,
    /// More grace than anybody means.
    #[error("the time of grace is longer than a year")]
    GraceTooLong,
    /// A moment that no calendar shows.
    #[error("a time is after the year 9999")]
    TooFarOff,
    /// Room for nothing.
    #[error("the files may have no byte")]
    NoBytes,
    /// Kinds named twice, or too many of them.
    #[error("the kinds of files are more than 32, or one of them is named twice")]
    Kinds,
    /// An extension that takes time away.
    #[error("an extension is after the time when the assignment is due, and only where one is")]
    NoExtension,
    /// An extension that ends before its own time of grace.
    #[error("the extension's cut-off is before the end of its time of grace")]
    ExtensionCutoff,
}

impl Terms {
    /// Always open, for everything: for groups of up to `most` members and files of up to
    /// `max_bytes` bytes.
    pub fn always_open(title: Title, group: GroupSize, max_bytes: u64) -> Self {
        Self {
            title,
            opens: None,
            due: None,
            grace: 0,
            cutoff: None,
            late: LateRule::None,
            counts: Counts::Latest,
            group,
            groups: Groups::Free,
            max_bytes,
            accept: Vec::new(),
        }
    }

    /// Checks that nothing contradicts anything: `opens < due <= due + grace <= cutoff`.
    ///
    /// # Errors
    ///
    /// [`RulesError`].
    pub fn check(self) -> Result<Rules, RulesError> {
        let moments = [self.opens, self.due, self.cutoff].into_iter().flatten();
        if moments.map(|moment| moment.as_secs()).any(|at| at > LATEST) {
            return Err(RulesError::TooFarOff);
        }
        if self.grace > MAX_GRACE {
            return Err(RulesError::GraceTooLong);
        }
        match self.due {
            None => self.check_without_due()?,
            Some(due) => self.check_due(due)?,
        }
        if self.max_bytes == 0 {
            return Err(RulesError::NoBytes);
        }
        let repeated = |(index, kind)| self.accept[..index].contains(kind);
        if self.accept.len() > MAX_KINDS || self.accept.iter().enumerate().any(repeated) {
            return Err(RulesError::Kinds);
        }
        Ok(Rules(self))
    }

    fn check_without_due(&self) -> Result<(), RulesError> {
        match (self.grace, self.cutoff, self.late) {
            (0, None, LateRule::None) => Ok(()),
            _ => Err(RulesError::NothingIsDue),
        }
    }

    fn check_due(&self, due: UnixTime) -> Result<(), RulesError> {
        if self.opens.is_some_and(|opens| opens >= due) {
            return Err(RulesError::OpensTooLate);
        }
        let grace_ends = after(due, self.grace);
        match self.cutoff {
            Some(cutoff) if cutoff < grace_ends => Err(RulesError::CutoffTooEarly),
            Some(cutoff) if self.late == LateRule::None && cutoff != grace_ends => {
                Err(RulesError::CutoffWithoutLateWork)
            }
            _ => Ok(()),
        }
    }
}

impl Deref for Rules {
    type Target = Terms;

    fn deref(&self) -> &Terms {
        &self.0
    }
}

impl TryFrom<Terms> for Rules {
    type Error = RulesError;

    fn try_from(terms: Terms) -> Result<Self, RulesError> {
        terms.check()
    }
}

impl From<Rules> for Terms {
    fn from(Rules(terms): Rules) -> Self {
        terms
    }
}

/// `seconds` later.
fn after(moment: UnixTime, seconds: u64) -> UnixTime {
    from_seconds(moment.as_secs().saturating_add(seconds))
}

#[cfg(test)]
mod tests;

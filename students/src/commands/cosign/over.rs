//! Which proposals are shown: what is open first, and of what has come to an end what somebody here has
//! signed. Anybody may name anybody in one.

use scb_explain::Language;
use scb_protocol::message::proposal::Said;

use super::Waiting;
use super::words::Words;

/// What is shown, and how many have ended that are not.
pub(super) struct Shown {
    pub(super) listed: Vec<Waiting>,
    pub(super) over: usize,
}

impl Shown {
    /// With `all` those that have ended without anybody here, too.
    pub(super) fn of(mut listed: Vec<Waiting>, all: bool) -> Self {
        let before = listed.len();
        listed.retain(|one| all || one.is_open() || one.was_signed_here());
        listed.sort_by_key(|one| !one.is_open());
        Self {
            over: before - listed.len(),
            listed,
        }
    }
}

impl Waiting {
    fn is_open(&self) -> bool {
        self.told.listed.standing.state.is_open()
    }

    /// Whether somebody here signed it, whatever he said then.
    fn was_signed_here(&self) -> bool {
        let standing = &self.told.listed.standing;
        let mut said = self.here.iter().map(|sid| standing.said_by(sid));
        said.any(|said| matches!(said, Some(Said::Signed | Said::Withdrawn)))
    }
}

impl Words {
    pub(super) fn over_without_us(self, over: usize) -> String {
        match (self.language(), over) {
            (Language::English, 1) => {
                "1 more has ended, and nobody here had signed it: `student cosign --all`".to_owned()
            }
            (Language::English, _) => {
                format!(
                    "{over} more have ended, and nobody here had signed them: `student cosign --all`"
                )
            }
            (Language::Chinese, _) => {
                format!("另有 {over} 份提案已結束，這裡沒有人簽署過：`student cosign --all`")
            }
        }
    }
}

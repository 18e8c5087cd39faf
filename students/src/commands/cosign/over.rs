//! Which proposals are shown: what is open first, and of what has come to an end what somebody here has
//! signed. Anybody may name anybody in one.

use scb_certs::Fingerprint;
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
    pub(super) fn changed(self) -> &'static str {
        self.language().pick("CHANGED", "已被更改")
    }

    pub(super) fn changed_since(self, shown: &Fingerprint, now: &Fingerprint) -> String {
        match self.language() {
            Language::English => format!(
                "this is not what was shown before under this ID: sign nothing of it, and tell your \
                 teacher (statement {shown} then, {now} now)"
            ),
            Language::Chinese => format!(
                "與先前以此編號所示的不同：切勿簽署，並告知老師（當時陳述 {shown}，現為 {now}）"
            ),
        }
    }

    /// Of a signature that Blackboard tells of and does not show.
    pub(super) fn unproved(self) -> &'static str {
        self.language().pick(
            " (Blackboard says so; no signature that verifies here was shown)",
            "（僅為 Blackboard 所述；未見可在此驗證的簽署）",
        )
    }

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

//! Which of two receipts of the same entry proves more.

use super::{Found, VerifiedReceipt};

impl VerifiedReceipt {
    /// Whether it is of the same entry as the other one, and shows all that the other one does of the moment
    /// that counts, of rules, and of extensions. Who has seen the entry is not compared.
    pub fn shows_all_of(&self, other: &Self) -> bool {
        let mut shown = other.checks().iter().filter(|check| can_lack(&check.found));
        self.is_of_the_entry_of(other) && shown.all(|check| self.checks().contains(check))
    }

    /// Whether it proves all that the other one does.
    pub fn proves_all_of(&self, other: &Self) -> bool {
        self.is_as_witnessed_as(other) && self.shows_all_of(other)
    }

    /// Whether it is complete and proves all that the other one does, and more: that one need not be kept besides.
    pub fn supersedes(&self, other: &Self) -> bool {
        let proves_all = self.witnessed().is_some() && self.proves_all_of(other);
        proves_all && !other.proves_all_of(self)
    }

    /// Whether both are of the same entry.
    pub fn is_of_the_entry_of(&self, other: &Self) -> bool {
        self.commitment() == other.commitment()
    }

    /// Whether as many have seen the entry as of the other one: nobody, CUHK, or all for whom Blackboard waits.
    pub fn is_as_witnessed_as(&self, other: &Self) -> bool {
        cosigned(self) >= cosigned(other)
    }
}

/// Whether a receipt of the same entry can be good without it. All of it is bound to that entry: two that have
/// it have the same.
fn can_lack(found: &Found) -> bool {
    matches!(
        found,
        Found::Entered { .. }
            | Found::Dated { .. }
            | Found::TokensThen { .. }
            | Found::Judged { .. }
            | Found::Extended(_)
            | Found::Stands(_)
    )
}

/// By whom: nobody, CUHK, or as many as Blackboard waits for.
fn cosigned(receipt: &VerifiedReceipt) -> u8 {
    match (receipt.witnessed(), receipt.awaited()) {
        (Some(_), _) => 2,
        (None, Some(_)) => 1,
        (None, None) => 0,
    }
}

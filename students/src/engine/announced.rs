//! Blackboard's signed word which rules are in force: kept as it is told, and held against what it signed
//! before.

use std::path::{Path, PathBuf};

use scb_protocol::announcement::{Said, SignedAnnouncement, VerifiedAnnouncement};

use super::completion::roots;
use super::hand_in::Talk;
use crate::{Error, Event, receipts};

/// An announcement that is kept here.
#[derive(Debug, Clone)]
pub struct KeptAnnouncement {
    /// Where.
    pub path: PathBuf,
    /// What it proves.
    pub announcement: VerifiedAnnouncement,
}

impl KeptAnnouncement {
    /// Whether both cannot be: another entry in the same place, or older rules where newer ones had come.
    fn contradicts(&self, before: &VerifiedAnnouncement) -> bool {
        let now = &self.announcement;
        let (of_now, of_before) = (now.entry(), before.entry());
        if of_now.0 != of_before.0 {
            return false;
        }
        let both_rules = [now.said(), before.said()]
            .iter()
            .all(|said| matches!(said, Said::Rules(_)));
        match of_now.1 == of_before.1 {
            true => now.leaf_sha256() != before.leaf_sha256(),
            false => both_rules && of_before.1 > of_now.1,
        }
    }
}

impl Talk<'_, '_> {
    /// Keeps what Blackboard has signed, and tells the observer of what it had signed before and what
    /// cannot be beside it.
    pub(super) fn keep_announced(
        &mut self,
        announced: Vec<SignedAnnouncement>,
    ) -> Result<Vec<KeptAnnouncement>, Error> {
        let (dir, roots) = (self.setup.receipts.clone(), roots(self.setup));
        let mut kept = Vec::new();
        for SignedAnnouncement { zip, announcement } in announced {
            let path = receipts::save_announcement(&dir, &announcement, &zip)?;
            kept.push(KeptAnnouncement { path, announcement });
        }
        for path in receipts::list_announcements(&dir)? {
            let mut same_place = kept.iter().filter(|one| is_beside(&one.path, &path));
            if same_place.next().is_none() {
                continue;
            }
            let zip = receipts::read(&path)?;
            let Ok(before) = VerifiedAnnouncement::verify(&zip, &roots) else {
                continue;
            };
            if let Some(now) = kept.iter().find(|one| one.contradicts(&before)) {
                (self.observer)(&Event::RulesContradicted {
                    before: path,
                    now: now.path.clone(),
                });
            }
        }
        Ok(kept)
    }
}

/// Whether two files are different entries, and by their names of the same assignment.
fn is_beside(one: &Path, other: &Path) -> bool {
    let place = |path: &Path| {
        let name = path.file_name()?.to_string_lossy().into_owned();
        let mut parts = name.rsplitn(3, '-');
        parts.nth(2).map(str::to_owned)
    };
    one != other && place(one) == place(other)
}

//! What has become of statements that Blackboard signed to have recorded, by what is kept here and by what
//! it tells now.

use std::path::{Path, PathBuf};

use scb_certs::{Fingerprint, ServiceName, StudentId};
use scb_protocol::Refusal;
use scb_protocol::commitment::{Followed, VerifiedCommitment};
use scb_protocol::message::blackboard::ListedVersion;
use scb_protocol::receipt::{VerifiedReceipt, WitnessPolicy};
use scb_protocol::rejection::VerifiedRejection;
use scb_protocol::statement::{Label, SubmissionId};

use super::commitment::{self, Kept};
use super::completion::roots;
use super::reading::{Only, ToldHistory};
use crate::setup::service_id;
use crate::{Error, Group, Setup, receipts};

/// A commitment that is kept here, and how it stands.
#[derive(Debug, Clone)]
pub(crate) struct Acknowledged {
    /// Where it is kept.
    pub(crate) path: PathBuf,
    /// What Blackboard has signed.
    pub(crate) commitment: VerifiedCommitment,
    /// What has come of it.
    pub(crate) since: Since,
}

/// What has come of a statement that is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Since {
    /// A receipt that is kept here names it.
    HandedIn,
    /// Blackboard refused it later, and signed that.
    Refused,
    /// A receipt that is kept here contradicts it.
    Contradicted {
        /// Where the receipt is.
        receipt: PathBuf,
        /// In what it does.
        refusal: Box<Refusal>,
    },
    /// By what is kept here nothing.
    Nothing,
}

/// Every commitment in this directory of receipts that verifies, by what else is there.
pub(crate) fn kept(dir: &Path, roots: &[Fingerprint]) -> Result<Vec<Acknowledged>, Error> {
    let kept = commitment::kept(dir, roots)?.into_iter();
    let mut found: Vec<_> = kept.map(Acknowledged::from).collect();
    if found.is_empty() {
        return Ok(found);
    }
    let refused = refused(dir, roots)?;
    for one in &mut found {
        if refused.contains(&one.commitment.submission()) {
            one.since = Since::Refused;
        }
    }
    for path in receipts::list(dir)? {
        let zip = receipts::read(&path).ok();
        let receipt = zip.and_then(|zip| VerifiedReceipt::verify_under(&zip, roots).ok());
        for one in &mut found {
            if let Some(receipt) = &receipt {
                one.look_at(receipt, &path);
            }
        }
    }
    Ok(found)
}

/// The submissions of which refusals are kept.
fn refused(dir: &Path, roots: &[Fingerprint]) -> Result<Vec<SubmissionId>, Error> {
    let submission = |path: PathBuf| {
        let (zip, policy) = (receipts::read(&path).ok()?, WitnessPolicy::default());
        let rejection = VerifiedRejection::verify(&zip, roots, &policy).ok()?;
        Some(rejection.statement().submission)
    };
    let paths = receipts::list_rejections(dir)?.into_iter();
    Ok(paths.filter_map(submission).collect())
}

impl From<Kept> for Acknowledged {
    fn from(kept: Kept) -> Self {
        Self {
            path: kept.path,
            commitment: kept.commitment,
            since: Since::Nothing,
        }
    }
}

impl Acknowledged {
    /// A contradiction is never mended by another receipt.
    fn look_at(&mut self, receipt: &VerifiedReceipt, path: &Path) {
        match (self.commitment.followed_by(receipt), &self.since) {
            (Err(refusal), _) => {
                self.since = Since::Contradicted {
                    receipt: path.to_owned(),
                    refusal: Box::new(refusal),
                }
            }
            (Ok(Followed::Not), _) | (_, Since::Contradicted { .. }) => {}
            (Ok(Followed::Named | Followed::Proved), _) => self.since = Since::HandedIn,
        }
    }

    /// Whether Blackboard tells of it among these versions. Two may have been recorded in one second: they
    /// are told by their files.
    fn is_told(&self, versions: &[ListedVersion]) -> bool {
        let statement = self.commitment.statement();
        let files = &statement.files;
        versions.iter().any(|version| {
            let listed = version.files.iter().map(|file| (&file.name, file.size));
            let same = files.iter().map(|file| (&file.name, file.size));
            version.committed_at == self.commitment.committed_at().as_secs()
                && (&version.course, &version.assignment)
                    == (&statement.course, &statement.assignment)
                && version.members.iter().eq(self.commitment.members())
                && version.size == files.size()
                && listed.eq(same.take(version.files.len()))
        })
    }
}

/// Of these students' commitments those of which nothing has come: what Blackboard tells of as
/// unfinished, and what it has lost or contradicts.
pub(super) fn of(
    setup: &Setup,
    group: &Group,
    (course, assignment): &Only,
    told: &ToldHistory,
) -> Result<Vec<Acknowledged>, Error> {
    let trust = setup.require_trust()?;
    let service = service_id(&trust, &ServiceName::blackboard());
    let wanted = |wanted: &Option<Label>, name: &Label| wanted.as_ref().is_none_or(|it| it == name);
    let is_meant = |one: &Acknowledged| {
        let statement = one.commitment.statement();
        let is_own = |sid: &StudentId| group.ids().contains(sid);
        statement.service == service
            && wanted(course, &statement.course)
            && wanted(assignment, &statement.assignment)
            && one.commitment.members().any(is_own)
    };
    let is_open = |one: &Acknowledged| match one.since {
        Since::Contradicted { .. } => true,
        // What waits for files or for CUHK is told among the proposals.
        Since::Nothing if one.commitment.is_of_signatures() => false,
        Since::Nothing => !one.is_told(&told.versions),
        Since::HandedIn | Since::Refused => false,
    };
    let kept = kept(&setup.receipts, &roots(setup))?.into_iter();
    Ok(kept.filter(is_meant).filter(is_open).collect())
}

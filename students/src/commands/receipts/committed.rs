//! What Blackboard signed when it had recorded a statement, as it is listed.

use std::path::{Path, PathBuf};

use scb_certs::Fingerprint;
use scb_cli::{local_time, printable, rfc3339};
use scb_protocol::Refusal;
use scb_protocol::commitment::VerifiedCommitment;
use serde_json::json;

use super::name;
use crate::engine::{Acknowledged, Since, acknowledged};
use crate::{Error, receipts};

/// A commitment file, verified anew each time.
pub(super) struct Committed {
    path: PathBuf,
    verified: Result<Acknowledged, Refusal>,
}

/// All that are kept, in the order of their names.
pub(super) fn all(dir: &Path, roots: &[Fingerprint]) -> Result<Vec<Committed>, Error> {
    let good = acknowledged(dir, roots)?;
    let listed = receipts::list_commitments(dir)?.into_iter();
    let read = |path: PathBuf| {
        if let Some(one) = good.iter().find(|one| one.path == path) {
            let verified = Ok(one.clone());
            return Ok(Some(Committed { path, verified }));
        }
        match VerifiedCommitment::verify(&receipts::read(&path)?, roots) {
            // One that has come meanwhile: it is listed the next time.
            Ok(_) => Ok(None),
            Err(refusal) => {
                let verified = Err(refusal);
                Ok(Some(Committed { path, verified }))
            }
        }
    };
    listed.filter_map(|path| read(path).transpose()).collect()
}

impl Committed {
    pub(super) fn line(&self) -> String {
        let name = name(&self.path);
        let one = match &self.verified {
            Ok(one) => one,
            Err(refusal) => {
                let reason = printable(&refusal.sentence());
                return format!("committed/{name}  does NOT verify: {reason}");
            }
        };
        let (log, members) = (one.commitment.entry().0, one.commitment.members());
        let members: Vec<_> = members.map(ToString::to_string).collect();
        format!(
            "committed/{name}  {}  {}/{}  {}  {}",
            local_time(one.commitment.committed_at()),
            log.course(),
            log.assignment(),
            members.join(","),
            standing(&one.since),
        )
    }

    pub(super) fn as_json(&self) -> serde_json::Value {
        let path = self.path.to_string_lossy();
        let one = match &self.verified {
            Ok(one) => one,
            Err(refusal) => {
                let reason = refusal.sentence();
                return json!({ "file": path, "verified": false, "reason": reason });
            }
        };
        let (log, index) = one.commitment.entry();
        let contradicted_by = match &one.since {
            Since::Contradicted { receipt, .. } => Some(receipt.to_string_lossy()),
            _ => None,
        };
        json!({
            "file": path,
            "verified": true,
            "submission_id": one.commitment.submission(),
            "committed_at": rfc3339(one.commitment.committed_at()),
            "index": index,
            "course": log.course(),
            "assignment": log.assignment(),
            "members": one.commitment.members().collect::<Vec<_>>(),
            "handed_in": one.since == Since::HandedIn,
            "refused": one.since == Since::Refused,
            "contradicted_by": contradicted_by,
        })
    }
}

fn standing(since: &Since) -> String {
    match since {
        Since::HandedIn => "recorded; a receipt of it is here".to_owned(),
        Since::Refused => "recorded, and refused later".to_owned(),
        Since::Contradicted { receipt, .. } => {
            format!("recorded, and CONTRADICTED by {}", name(receipt))
        }
        Since::Nothing => "recorded; no receipt has come".to_owned(),
    }
}

/// One that does not verify is no success, and neither is one that is contradicted.
pub(super) fn conclusion(committed: &[Committed]) -> Result<(), Error> {
    let bad = committed.iter().filter(|one| one.verified.is_err()).count();
    if bad > 0 {
        let all = committed.len();
        return Err(Error::ReceiptsRefused { bad, all });
    }
    let broken = committed.iter().find_map(|one| match &one.verified {
        Ok(Acknowledged {
            since: Since::Contradicted { refusal, .. },
            ..
        }) => Some(Refusal::clone(refusal)),
        _ => None,
    });
    broken.map_or(Ok(()), |refusal| Err(refusal.into()))
}

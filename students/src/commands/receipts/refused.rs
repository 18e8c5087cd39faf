//! What Blackboard signed when it refused, as it is listed.

use std::path::{Path, PathBuf};

use scb_certs::{Fingerprint, StudentId};
use scb_cli::{local_time, printable, rfc3339};
use scb_protocol::Refusal;
use scb_protocol::receipt::WitnessPolicy;
use scb_protocol::rejection::VerifiedRejection;
use serde_json::json;

use super::{name, pending};
use crate::commands::verify::names;
use crate::{Error, receipts};

/// A rejection file, verified anew each time.
pub(super) struct Refused {
    path: PathBuf,
    verified: Result<VerifiedRejection, Refusal>,
}

impl Refused {
    pub(super) fn read(path: &Path, roots: &[Fingerprint]) -> Result<Self, Error> {
        let zip = receipts::read(path)?;
        let verified = VerifiedRejection::verify(&zip, roots, &WitnessPolicy::default());
        let path = path.to_path_buf();
        Ok(Self { path, verified })
    }

    pub(super) fn is_pending(&self) -> bool {
        let witnessed = self.verified.as_ref().map(VerifiedRejection::witnessed);
        matches!(witnessed, Ok(None))
    }

    pub(super) fn line(&self) -> String {
        let name = name(&self.path);
        let rejection = match &self.verified {
            Ok(rejection) => rejection,
            Err(refusal) => {
                let reason = printable(&refusal.sentence());
                return format!("refused/{name}  does NOT verify: {reason}");
            }
        };
        let members = rejection.members().iter().map(StudentId::to_string);
        let log = rejection.entry().0;
        let pending = pending(self.is_pending(), rejection.awaited());
        format!(
            "refused/{name}  {}  {}/{}  {}  refused: {}{pending}",
            local_time(rejection.refused_at()),
            log.course(),
            log.assignment(),
            members.collect::<Vec<_>>().join(","),
            rejection.code(),
        )
    }

    pub(super) fn as_json(&self) -> serde_json::Value {
        let path = self.path.to_string_lossy();
        match &self.verified {
            Err(refusal) => {
                json!({ "file": path, "verified": false, "reason": refusal.sentence() })
            }
            Ok(rejection) => json!({
                "file": path,
                "verified": true,
                "pending": self.is_pending(),
                "awaited": rejection.awaited().map(names),
                "refused": rejection.code(),
                "refused_at": rfc3339(rejection.refused_at()),
                "course": rejection.entry().0.course(),
                "assignment": rejection.entry().0.assignment(),
                "members": rejection.members(),
            }),
        }
    }
}

/// One that does not verify is no success.
pub(super) fn conclusion(refusals: &[Refused]) -> Result<(), Error> {
    let bad = refusals.iter().filter(|one| one.verified.is_err()).count();
    match bad {
        0 => Ok(()),
        _ => Err(Error::ReceiptsRefused {
            bad,
            all: refusals.len(),
        }),
    }
}

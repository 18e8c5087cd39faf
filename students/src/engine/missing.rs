//! What is still missing of a receipt by what is kept here: it may have been completed since Blackboard
//! told of its version.

use std::collections::BTreeMap;

use scb_certs::ServiceName;
use scb_protocol::message::blackboard::ListedVersion;
use scb_protocol::receipt::VerifiedReceipt;
use scb_protocol::statement::SubmissionNumber;
use scb_tlog::KeyName;

use super::completion::good_receipts;
use super::{Engine, Lost};
use crate::Error;
use crate::setup::service_id;

/// What is missing of a receipt that is not complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Missing {
    /// It is not kept here: whose cosignatures it waits for is not known.
    Receipt,
    /// CUHK's cosignature.
    Cuhk,
    /// Those of others, by Blackboard's word: CUHK has cosigned it.
    Others(Vec<KeyName>),
}

impl Missing {
    /// Of several of the same entry the one counts that has most in it.
    fn of<'a>(kept: impl Iterator<Item = &'a VerifiedReceipt>) -> Option<Self> {
        let mut missing = Self::Receipt;
        for receipt in kept {
            missing = match (receipt.witnessed(), receipt.awaited()) {
                (Some(_), _) => return None,
                (None, Some(others)) => Self::Others(others.to_vec()),
                (None, None) if missing == Self::Receipt => Self::Cuhk,
                (None, None) => missing,
            };
        }
        Some(missing)
    }
}

impl Engine {
    /// What is missing of the receipts of these versions; nothing of one that is complete here, or by
    /// Blackboard's word.
    ///
    /// # Errors
    ///
    /// What failed here.
    pub(crate) fn missing(
        &self,
        told: &[ListedVersion],
    ) -> Result<BTreeMap<SubmissionNumber, Missing>, Error> {
        if told.iter().all(|version| version.proved) {
            return Ok(BTreeMap::new());
        }
        let trust = self.setup.require_trust()?;
        let service = service_id(&trust, &ServiceName::blackboard());
        let good = good_receipts(&self.setup)?;
        let good: Vec<_> = good
            .filter(|(_, _, receipt)| *receipt.service() == service)
            .map(|(path, _, receipt)| (Lost::of(&receipt, path), receipt))
            .collect();
        let pending = told.iter().filter(|version| !version.proved);
        let missing = pending.filter_map(|version| {
            let kept = good.iter().filter(|(one, _)| one.is(version));
            let missing = Missing::of(kept.map(|(_, receipt)| receipt));
            missing.map(|missing| (version.number, missing))
        });
        Ok(missing.collect())
    }
}

//! What was stored is answered with its receipt.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use scb_certs::Fingerprint;
use scb_protocol::message::blackboard::Reply;
use scb_protocol::{Code, Fact, Mode, Refusal, Step};
use tokio::time::timeout;

use super::Handler;
use crate::store::Record;

/// How long a receipt waits for CUHK's cosignature of the log.
const COSIGNATURE: Duration = Duration::from_secs(3);

impl Handler {
    /// The receipt goes back.
    pub(super) async fn step_6_receipt(&mut self, record: Record) -> Result<(), Refusal> {
        let (submission, size) = (
            record.statement().submission,
            record.statement().files.size(),
        );
        let (announcement, receipt) = self.receipt_of(record).await?;
        if let Reply::Receipt { number, sha256, .. } = &announcement {
            let stored = Fact::Stored {
                number: *number,
                submission,
                size,
                receipt: *sha256,
            };
            self.done(Step::Six, stored);
        }
        self.send_receipt(announcement, receipt).await
    }

    /// What announces a receipt, and the receipt.
    pub(super) async fn receipt_of(&mut self, record: Record) -> Result<(Reply, Bytes), Refusal> {
        let (shared, trust) = (Arc::clone(&self.shared), self.trust());
        // While CUHK is away nobody waits for it.
        let patience = match record.summary().mode {
            Mode::Verified => COSIGNATURE,
            Mode::Tokens => Duration::ZERO,
        };
        let proved = shared
            .logs
            .proved(record, &shared.witnessed, &trust, patience);
        let record = proved.await?;
        let receipt = record.receipt_by(&trust)?;
        let receipt = self
            .shared
            .faults
            .receipt(receipt, record.statement_bytes());
        let receipt = Bytes::from(receipt);
        let announcement = Reply::Receipt {
            number: record.number(),
            size: receipt.len() as u64,
            sha256: Fingerprint::of(&receipt),
        };
        Ok((announcement, receipt))
    }

    pub(super) async fn send_receipt(
        &mut self,
        announcement: Reply,
        receipt: Bytes,
    ) -> Result<(), Refusal> {
        self.connection.at_step(Step::Six);
        let limit = self.shared.limits.content;
        let sending = async {
            self.send(announcement).await?;
            self.connection.send_chunk(receipt).await
        };
        timeout(limit, sending)
            .await
            .unwrap_or_else(|_| Err(Refusal::new(Code::Timeout, Step::Six)))
    }
}

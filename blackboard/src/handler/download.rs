//! What members have handed in, sent back to themselves: the receipt and the files, each checked
//! whole before its first byte goes out.

use std::time::Duration;

use bytes::Bytes;
use scb_certs::{Certificate, Fingerprint, StudentId};
use scb_protocol::message::blackboard::Reply;
use scb_protocol::server::ExpectRequest;
use scb_protocol::statement::SubmissionNumber;
use scb_protocol::{Code, Fact, MAX_PAYLOAD, Refusal, Step};
use scb_storage::Error as StorageError;
use tokio::time::timeout;

use super::Handler;
use super::history::sids;
use crate::store::{Error, Record};

impl Handler {
    /// Sends the receipt, or the `file`th file without its first `from` bytes. Of what is not
    /// theirs members learn no more than of what is not there.
    pub(super) async fn download(
        &mut self,
        (number, file): (SubmissionNumber, Option<u32>),
        from: u64,
        state: &ExpectRequest,
    ) -> Result<Fact, Refusal> {
        let (store, asking) = (self.shared.register.store(), sids(state));
        let record = store.own_record(number, asking.clone()).await;
        let record = record.map_err(damaged)?.ok_or_else(unknown)?;
        let limit = self.shared.limits.content;
        let sending = async {
            match file {
                None => self.send_kept_receipt(record, from).await,
                Some(index) => self.send_file(&record, (index, from), &asking).await,
            }
        };
        let sent = timeout(limit, sending).await;
        let bytes = sent.unwrap_or_else(|_| Err(Refusal::new(Code::Timeout, Step::Six)))?;
        Ok(Fact::Downloaded { number, bytes })
    }

    /// The receipt as it is now, verified; with its proof, if that is there by now.
    async fn send_kept_receipt(&mut self, record: Record, from: u64) -> Result<u64, Refusal> {
        let (logs, witnessed, trust) = (&self.shared.logs, &self.shared.witnessed, self.trust());
        let proved = logs.proved(record, witnessed, &trust, Duration::ZERO);
        let own = trust.roots().iter().map(Certificate::fingerprint);
        let former = self.shared.receipt_roots.iter().copied();
        let roots: Vec<_> = own.chain(former).collect();
        let receipt = proved.await.and_then(|record| record.receipt(&roots));
        let receipt = Bytes::from(receipt.map_err(damaged)?);
        self.send(Reply::Download {
            size: receipt.len() as u64,
            sha256: Fingerprint::of(&receipt),
        })
        .await?;
        let from = usize::try_from(from).map_or(receipt.len(), |from| from.min(receipt.len()));
        let rest = receipt.slice(from..);
        let sent = rest.len() as u64;
        if sent > 0 {
            self.connection.send_chunk(rest).await?;
        }
        Ok(sent)
    }

    async fn send_file(
        &mut self,
        record: &Record,
        (index, from): (u32, u64),
        sids: &[StudentId],
    ) -> Result<u64, Refusal> {
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        let file = record.statement().files.get(index);
        let file = file.ok_or_else(unknown)?;
        let turn = self.shared.turn(sids).await?;
        let reader = self.shared.content.reader(file.sha256.as_bytes(), from);
        let mut reader = reader.await.map_err(|error| damaged(Error::from(error)))?;
        drop(turn);
        let sent = reader.left();
        let (size, sha256) = (file.size, file.sha256);
        self.send(Reply::Download { size, sha256 }).await?;
        while let Some(piece) = reader.next_piece(MAX_PAYLOAD).await.map_err(Error::from)? {
            self.connection.send_chunk(piece.into()).await?;
        }
        Ok(sent)
    }
}

/// One answer, byte for byte, whether it is somebody else's or nobody's.
fn unknown() -> Refusal {
    Refusal::new(Code::SubmissionUnknown, Step::Six)
}

/// What is stored is not what was handed in: it is logged here, and never given out.
fn damaged(error: Error) -> Refusal {
    let is_damaged = match &error {
        Error::Altered { .. } => true,
        Error::Storage(error) => {
            error.is_damaged() || matches!(error, StorageError::Missing { .. })
        }
        _ => false,
    };
    match is_damaged {
        true => {
            tracing::error!("not given out: {error}; see `blackboard fsck`");
            Refusal::new(Code::StoredDamaged, Step::Six)
        }
        false => error.into(),
    }
}

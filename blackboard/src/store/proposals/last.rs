//! What whoever brings the last signature of a proposal is given: the entry that says so, signed.

use rusqlite::{OptionalExtension, Transaction, params};
use scb_protocol::log_leaf::LogName;
use scb_protocol::receipt::{SignedEntry, SignedLeaf};
use scb_protocol::statement::SubmissionId;

use super::known;
use crate::store::commitment::{carried, is_of};
use crate::store::{Error, Register, as_integer, log};

impl Register {
    /// The entry by which a proposal was complete, if it was by these very signatures: signed once, and
    /// the same for as long as they are brought.
    ///
    /// # Errors
    ///
    /// [`Error::NoProposal`], [`Error::ProposalAltered`], [`Error::Storage`].
    pub(crate) async fn last_signed(
        &self,
        submission: SubmissionId,
        signatures: Vec<u8>,
        sign: impl FnOnce(Vec<u8>) -> Result<SignedLeaf, scb_protocol::Error> + Send + 'static,
    ) -> Result<Option<SignedEntry>, Error> {
        self.write(move |transaction| entry(transaction, submission, (signatures.as_slice(), sign)))
            .await
    }
}

fn entry(
    transaction: &Transaction<'_>,
    submission: SubmissionId,
    (signatures, sign): (
        &[u8],
        impl FnOnce(Vec<u8>) -> Result<SignedLeaf, scb_protocol::Error>,
    ),
) -> Result<Option<SignedEntry>, Error> {
    let stored = known(transaction, submission)?;
    let Some(commitment) = stored.commitment() else {
        return Ok(None);
    };
    let sql = "SELECT id, leaf_signature FROM deliveries \
               WHERE submission = ? AND log_index = ? AND signatures = ?";
    let mut query = transaction.prepare_cached(sql)?;
    let key = params![
        submission.as_bytes(),
        as_integer(commitment.index),
        signatures
    ];
    let found = query.query_row(key, |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, Option<Vec<u8>>>(1)?))
    });
    let Some((id, signature)) = found.optional()? else {
        return Ok(None);
    };
    let log = LogName::of(&stored.statement).map_err(Error::Leaf)?;
    let leaf = log::leaf(transaction, &log, commitment.index)?;
    let leaf = leaf.ok_or(Error::ProposalAltered { submission })?;
    if let Some(signature) = signature.filter(|signature| is_of(signature, &leaf)) {
        return carried(SignedLeaf { leaf, signature }).map(Some);
    }
    let signed = sign(leaf).map_err(Error::Receipt)?;
    let sql = "UPDATE deliveries SET leaf_signature = ? WHERE id = ?";
    let mut update = transaction.prepare_cached(sql)?;
    update.execute(params![signed.signature, id])?;
    carried(signed).map(Some)
}

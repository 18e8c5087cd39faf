//! The table with what makes a receipt complete.

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use scb_protocol::SignedLogKeys;
use scb_protocol::receipt::{CommittedEntry, JudgedBy, LogProof};
use scb_protocol::statement::SubmissionNumber;

use super::{Error, Store, as_integer, assignments, blob, insert_blob};

impl Store {
    /// What CUHK said when a submission was committed, as it was recorded then.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::Altered`].
    pub(crate) async fn said_then(
        &self,
        number: SubmissionNumber,
    ) -> Result<Option<String>, Error> {
        self.database
            .read(move |connection| said_then(connection, number))
            .await
    }

    /// Keeps the proof of a submission's entry, unless there is one. Answers the one that counts.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::Altered`].
    pub(crate) async fn keep_proof(
        &self,
        number: SubmissionNumber,
        proof: LogProof,
    ) -> Result<LogProof, Error> {
        self.database
            .write(move |transaction| keep(transaction, number, &proof))
            .await
    }
}

/// The proof of a submission's entry, if it is there.
pub(super) fn find(
    connection: &Connection,
    number: SubmissionNumber,
) -> Result<Option<LogProof>, Error> {
    let sql = "SELECT proof, log_key, witness_key, keys, signature, lists, \
               committed, committed_proof, judged FROM proofs \
               WHERE number = ?";
    let mut query = connection.prepare_cached(sql)?;
    let row = query.query_row([as_integer(number.get())], |row| {
        let blobs: [Vec<u8>; 2] = [row.get(3)?, row.get(4)?];
        let lists: Option<Vec<u8>> = row.get(5)?;
        let committed = (row.get(6)?, row.get(7)?, row.get::<_, Option<String>>(8)?);
        let texts = [row.get(0)?, row.get(1)?, row.get(2)?];
        Ok((texts, blobs, lists, committed))
    });
    let Some((texts, [keys, signature], lists, committed)) = row.optional()? else {
        return Ok(None);
    };
    let [proof, log_key, witness_key] = texts;
    let altered = || Error::Altered { number };
    let text = |sha256: &[u8]| {
        let bytes = blob(connection, sha256)?.ok_or_else(altered)?;
        String::from_utf8(bytes).map_err(|_| altered())
    };
    Ok(Some(LogProof {
        proof,
        log_key,
        witness_key,
        keys: SignedLogKeys {
            keys: text(&keys)?,
            signature: blob(connection, &signature)?.ok_or_else(altered)?,
        },
        judged: match committed.2 {
            Some(judged) => serde_json::from_str(&judged).map_err(|_| altered())?,
            None => JudgedBy::default(),
        },
        committed: match (committed.0, committed.1) {
            (Some(leaf), Some(proof)) => Some(CommittedEntry {
                leaf,
                proof,
                assurance: said_then(connection, number)?,
            }),
            (None, None) => None,
            _ => return Err(altered()),
        },
        lists: match lists {
            Some(lists) => text(&lists)?,
            None => String::new(),
        },
        missing: Vec::new(),
    }))
}

/// What CUHK said when the entry of the moment that counts was made, as it was recorded then: with the
/// statement, or with the last signature of a proposal.
pub(super) fn said_then(
    connection: &Connection,
    number: SubmissionNumber,
) -> Result<Option<String>, Error> {
    let sql = "SELECT coalesce( \
               (SELECT assurance FROM commitments WHERE submission = submissions.submission), \
               (SELECT assurance FROM deliveries JOIN proposals USING (submission) \
               WHERE submission = submissions.submission AND log_index = signed_index), \
               (SELECT CAST(said_then AS BLOB) FROM proofs WHERE proofs.number = submissions.number)) \
               FROM submissions WHERE number = ?";
    let mut query = connection.prepare_cached(sql)?;
    let said = query.query_row([as_integer(number.get())], |row| {
        row.get::<_, Option<Vec<u8>>>(0)
    });
    let said = said.optional()?.flatten();
    let text = |said| String::from_utf8(said).map_err(|_| Error::Altered { number });
    said.map(text).transpose()
}

/// Keeps with a proof what CUHK said then, where it is recorded nowhere else.
pub(super) fn keep_said_then(
    transaction: &Transaction<'_>,
    number: SubmissionNumber,
    said: &str,
) -> Result<(), Error> {
    let sql = "UPDATE proofs SET said_then = ? WHERE number = ?";
    let mut update = transaction.prepare_cached(sql)?;
    update.execute(params![said, as_integer(number.get())])?;
    Ok(())
}

/// Keeps a proof, unless there is one already. Answers the one that counts.
pub(super) fn keep(
    transaction: &Transaction<'_>,
    number: SubmissionNumber,
    proof: &LogProof,
) -> Result<LogProof, Error> {
    if let Some(kept) = find(transaction, number)? {
        return Ok(kept);
    }
    let keys = insert_blob(transaction, proof.keys.keys.as_bytes())?;
    let signature = insert_blob(transaction, &proof.keys.signature)?;
    let lists = match proof.lists.as_str() {
        "" => None,
        lists => Some(insert_blob(transaction, lists.as_bytes())?),
    };
    let committed = proof.committed.as_ref();
    let sql = "INSERT INTO proofs (number, proof, log_key, witness_key, keys, signature, lists, \
               committed, committed_proof, judged) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let judged = match proof.judged.is_empty() {
        true => None,
        false => Some(assignments::text(&proof.judged)?),
    };
    let LogProof {
        proof: text,
        log_key,
        witness_key,
        ..
    } = proof;
    transaction.prepare_cached(sql)?.execute(params![
        as_integer(number.get()),
        text,
        log_key,
        witness_key,
        keys,
        signature,
        lists,
        committed.map(|committed| &committed.leaf),
        committed.map(|committed| &committed.proof),
        judged,
    ])?;
    Ok(proof.clone())
}

//! The proposals that are told to those whom they name. One that was altered keeps nobody from the others.

use rusqlite::Connection;
use rustls_pki_types::UnixTime;
use scb_certs::StudentId;
use scb_protocol::from_seconds;
use scb_protocol::message::blackboard::that_fit;
use scb_protocol::message::proposal::ListedProposal;
use scb_protocol::receipt::SignedEntry;
use scb_protocol::statement::SubmissionId;

use super::standing::list_one;
use super::{known, named};
use crate::store::{Error, Store};

/// How long it is told what has become of a proposal, in seconds.
const TOLD: u64 = 30 * 24 * 60 * 60;

/// The proposals that are told to those who ask.
#[derive(Debug)]
pub(crate) struct Told {
    /// How many there are in all.
    pub(crate) count: usize,
    /// As many as fit into a message.
    pub(crate) listed: Vec<ListedProposal>,
    /// Those among them that were altered.
    pub(crate) left_out: Vec<SubmissionId>,
}

impl Store {
    /// The proposals that name all of these students and wait, or ended lately, the latest first: how
    /// many there are, from the one at `from` on as many as fit into a message, and which among those are
    /// left out, as something that is stored of them was altered. By which rules those that wait will be judged is
    /// told by the entries of the log, which `sign` signs.
    ///
    /// # Errors
    ///
    /// [`Error::Receipt`] if `sign` fails; [`Error::Storage`].
    pub(crate) async fn proposals_for<F>(
        &self,
        asking: Vec<StudentId>,
        from: usize,
        (now, sign): (UnixTime, F),
    ) -> Result<Told, Error>
    where
        F: Fn(Vec<u8>) -> Result<SignedEntry, scb_protocol::Error> + Send + 'static,
    {
        let since = from_seconds(now.as_secs().saturating_sub(TOLD));
        let list = move |connection: &Connection| {
            let named = named::naming(connection, &asking, since)?;
            let (mut failed, mut left_out) = (Ok(()), Vec::new());
            let listed = named.iter().skip(from).map_while(|one| {
                let stored = known(connection, *one);
                let listed =
                    stored.and_then(|stored| list_one(connection, stored, &asking, (now, &sign)));
                match listed {
                    Ok(listed) => Some(Some(listed)),
                    Err(error) if error.is_of_one() => {
                        tracing::error!("the proposal {one} is left out: {error}");
                        left_out.push(*one);
                        Some(None)
                    }
                    Err(error) => {
                        failed = Err(error);
                        None
                    }
                }
            });
            let listed = that_fit(listed.flatten());
            failed.map(|()| Told {
                count: named.len(),
                listed,
                left_out,
            })
        };
        self.database.read(list).await
    }
}

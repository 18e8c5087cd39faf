//! The proposals that are told to those whom they name. One that was altered keeps nobody from the others.

use rusqlite::Connection;
use rustls_pki_types::UnixTime;
use scb_certs::StudentId;
use scb_protocol::from_seconds;
use scb_protocol::message::blackboard::Room;
use scb_protocol::message::proposal::{ListedProposal, UnjudgedProposal};
use scb_protocol::receipt::SignedEntry;
use scb_protocol::statement::SubmissionId;

use super::standing::{list_one, look_to_end};
use super::{known, named};
use crate::store::listing::Sign;
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
    /// Those among them of whose assignments the rules were altered.
    pub(crate) unjudged: Vec<UnjudgedProposal>,
    /// Those among them that were altered.
    pub(crate) left_out: Vec<SubmissionId>,
}

/// What is told of one.
enum Tale {
    Whole(Box<ListedProposal>),
    Unjudged(Box<UnjudgedProposal>),
    LeftOut(SubmissionId),
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
            let mut told = Told {
                count: named.len(),
                listed: Vec::new(),
                unjudged: Vec::new(),
                left_out: Vec::new(),
            };
            let mut room = Room::beside::<SubmissionId>(&[]);
            for one in named.into_iter().skip(from) {
                match tell(connection, one, &asking, (now, &sign))? {
                    Tale::Whole(one) if room.takes(&one) => told.listed.push(*one),
                    Tale::Unjudged(one) if room.takes(&one) => told.unjudged.push(*one),
                    Tale::LeftOut(one) if room.takes(&one) => told.left_out.push(one),
                    _ => break,
                }
            }
            Ok(told)
        };
        self.database.read(list).await
    }
}

/// One that was altered keeps nobody from the others, nor do altered rules.
fn tell(
    connection: &Connection,
    submission: SubmissionId,
    asking: &[StudentId],
    (now, sign): (UnixTime, &Sign),
) -> Result<Tale, Error> {
    let listed = known(connection, submission).and_then(|stored| {
        match list_one(connection, stored.clone(), asking, (now, sign)) {
            Err(Error::RulesAltered { course, assignment }) => {
                let standing = look_to_end(connection, stored, asking, now)?.standing;
                let unjudged = UnjudgedProposal {
                    course,
                    assignment,
                    standing,
                };
                Ok(Tale::Unjudged(Box::new(unjudged)))
            }
            listed => Ok(Tale::Whole(Box::new(listed?))),
        }
    });
    match listed {
        Err(error) if error.is_of_one() => {
            tracing::error!("the proposal {submission} is left out: {error}");
            Ok(Tale::LeftOut(submission))
        }
        listed => listed,
    }
}

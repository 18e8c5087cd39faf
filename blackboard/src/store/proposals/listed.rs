//! The proposals that are told to those whom they name. One that was altered keeps nobody from the others.

use rusqlite::Connection;
use rustls_pki_types::UnixTime;
use scb_certs::StudentId;
use scb_protocol::from_seconds;
use scb_protocol::message::blackboard::Room;
use scb_protocol::message::proposal::{ListedProposal, ProposalStanding, UnjudgedProposal};
use scb_protocol::receipt::SignedEntry;
use scb_protocol::statement::SubmissionId;

use super::rows::Stored;
use super::standing::{list_accepted, list_one, look_to_end};
use super::{accepted, known, named};
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

/// One that was altered keeps nobody from the others, nor do altered rules. What is handed in is told by its record,
/// whatever was altered of the proposal that it was.
fn tell(
    connection: &Connection,
    submission: SubmissionId,
    asking: &[StudentId],
    at: (UnixTime, &Sign),
) -> Result<Tale, Error> {
    let told = match known(connection, submission) {
        Ok(stored) => of_stored(connection, stored, asking, at),
        Err(error @ Error::ProposalAltered { .. }) => {
            of_record(connection, (submission, error), asking, at.0)
        }
        Err(error) => Err(error),
    };
    match told {
        Err(error) if error.is_of_one() => {
            tracing::error!("the proposal {submission} is left out: {error}");
            Ok(Tale::LeftOut(submission))
        }
        told => told,
    }
}

fn of_stored(
    connection: &Connection,
    stored: Stored,
    asking: &[StudentId],
    (now, sign): (UnixTime, &Sign),
) -> Result<Tale, Error> {
    let listed = list_one(connection, stored.clone(), asking, (now, sign));
    told(listed, || {
        Ok(look_to_end(connection, stored, (asking, now))?.standing)
    })
}

fn of_record(
    connection: &Connection,
    (submission, error): (SubmissionId, Error),
    asking: &[StudentId],
    now: UnixTime,
) -> Result<Tale, Error> {
    let Some(accepted) = accepted::standing(connection, submission, asking)? else {
        return Err(error);
    };
    tracing::error!("the proposal {submission} is told as it was handed in: {error}");
    let standing = accepted.1.clone();
    told(list_accepted(connection, accepted, now), || Ok(standing))
}

/// Where the rules were altered nothing is told but how it stands.
fn told(
    listed: Result<ListedProposal, Error>,
    standing: impl FnOnce() -> Result<ProposalStanding, Error>,
) -> Result<Tale, Error> {
    match listed {
        Err(Error::RulesAltered { course, assignment }) => {
            Ok(Tale::Unjudged(Box::new(UnjudgedProposal {
                course,
                assignment,
                standing: standing()?,
            })))
        }
        listed => Ok(Tale::Whole(Box::new(listed?))),
    }
}

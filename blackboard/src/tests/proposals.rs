//! Members on different machines: one proposes, the others sign, each over a connection of his own.

mod altered;
mod completion;
mod ending;
mod kept_open;
mod refusals;
mod rules;

use bytes::Bytes;
use scb_certs::{Fingerprint, StudentId};
use scb_protocol::client::{
    ExpectOutcome, Outcome, Proposals, Proposed, ProposedAnswer, SendingContent, Session,
    SignedAnswer, SignedCommitment, ToldProposal, sign, stated,
};
use scb_protocol::log_leaf::{Entry, Leaf};
use scb_protocol::message::proposal::{ProposalStanding, ProposalState, Said};
use scb_protocol::receipt::VerifiedReceipt;
use scb_protocol::statement::{FileEntry, Files, Statement, SubmissionId, SubmissionNumber};
use scb_protocol::{Code, Refusal};
use scb_transport::Connection;

use super::campus::Campus;
use super::group::{Group, receive, reply};
use crate::store::{Error, Store};

pub(super) const A: &str = "1155000001";
pub(super) const B: &str = "1155000002";
pub(super) const C: &str = "1155000003";

/// What comes of it on one machine.
#[derive(Debug)]
pub(super) enum Came {
    Waits(ProposalStanding),
    Receipt(Vec<u8>),
}

impl Came {
    #[track_caller]
    pub(super) fn waits(self) -> ProposalStanding {
        match self {
            Self::Waits(standing) => standing,
            Self::Receipt(_) => panic!("it is complete"),
        }
    }

    #[track_caller]
    pub(super) fn receipt(self) -> Vec<u8> {
        match self {
            Self::Receipt(receipt) => receipt,
            Self::Waits(standing) => panic!("it waits: {standing:?}"),
        }
    }
}

/// A report, and the whole group as it is stated.
#[derive(Clone)]
pub(super) struct Work {
    pub(super) statement: Vec<u8>,
    pub(super) report: Vec<u8>,
}

impl Work {
    pub(super) fn submission(&self) -> SubmissionId {
        Statement::parse(&self.statement).unwrap().submission
    }
}

/// A machine with the keys of some members, and what it was given with the last signature.
pub(super) struct Machine<'a>(
    pub(super) Group<'a>,
    pub(super) Option<Box<SignedCommitment>>,
);

impl<'a> Machine<'a> {
    pub(super) fn of(campus: &'a Campus, sids: &[&str]) -> Self {
        Self(campus.group(sids), None)
    }

    /// What this machine's members state about a report for the whole group.
    pub(super) fn work(&self, group: &[&str], report: &[u8]) -> Work {
        let group: Vec<StudentId> = group.iter().map(|sid| sid.parse().unwrap()).collect();
        let files = Files::from(FileEntry {
            name: "report.pdf".parse().unwrap(),
            size: report.len() as u64,
            sha256: Fingerprint::of(report),
        });
        let (course, assignment) = self.0.assignment;
        let place = (course.parse().unwrap(), assignment.parse().unwrap());
        let members = stated(&group, &self.0.members);
        let service = self.0.campus.service.clone();
        let submission = SubmissionId::random().unwrap();
        let statement = Statement::new(service, place, members, files, submission);
        Work {
            statement: statement.to_bytes().unwrap(),
            report: report.to_vec(),
        }
    }

    fn signatures(&self, work: &Work) -> Vec<u8> {
        sign(&work.statement, &self.0.members, self.0.campus.certs.now()).unwrap()
    }

    /// Up to the moment when the files may come.
    pub(super) async fn begin(&mut self, work: &Work) -> Result<ProposalStanding, Refusal> {
        let opened = self.0.open_session().await?;
        Ok(self.begin_over(opened, work).await?.1.standing().clone())
    }

    /// The same over a connection on which nothing was said since.
    pub(super) async fn begin_over(
        &mut self,
        (mut connection, session): (Connection, Session),
        work: &Work,
    ) -> Result<(Connection, Proposed), Refusal> {
        let (expect, request) = session.propose(&work.statement, self.signatures(work))?;
        connection.send(&request).await?;
        match expect.handle(reply(&mut connection).await?)? {
            ProposedAnswer::Proposed(proposed) => Ok((connection, proposed)),
            ProposedAnswer::AlreadyStored(_) => panic!("stored before"),
        }
    }

    /// Up to the first byte of the files.
    pub(super) async fn sending(
        &mut self,
        opened: (Connection, Session),
        work: &Work,
    ) -> Result<(Connection, SendingContent<ExpectOutcome>), Refusal> {
        let (mut connection, proposed) = self.begin_over(opened, work).await?;
        let (sending, upload) = proposed.upload(&[]);
        connection.send(&upload).await?;
        Ok((connection, sending))
    }

    pub(super) async fn propose(&mut self, work: &Work) -> Result<Came, Refusal> {
        let opened = self.0.open_session().await?;
        self.propose_over(opened, work).await
    }

    /// Over a connection on which nothing was said since.
    pub(super) async fn propose_over(
        &mut self,
        (mut connection, session): (Connection, Session),
        work: &Work,
    ) -> Result<Came, Refusal> {
        let (expect, request) = session.propose(&work.statement, self.signatures(work))?;
        connection.send(&request).await?;
        let proposed = match expect.handle(reply(&mut connection).await?)? {
            ProposedAnswer::Proposed(proposed) => proposed,
            ProposedAnswer::AlreadyStored(receiving) => {
                return Ok(Came::Receipt(receive(&mut connection, receiving).await?));
            }
        };
        let have = usize::try_from(proposed.have()[0].received).unwrap();
        let (sending, upload) = proposed.upload(&[Fingerprint::of(&work.report[..have])]);
        connection.send(&upload).await?;
        if have < work.report.len() {
            let rest = Bytes::copy_from_slice(&work.report[have..]);
            connection.send_chunk(rest).await?;
        }
        let (expect, end) = sending.end();
        connection.send(&end).await?;
        match expect.handle(reply(&mut connection).await?)? {
            Outcome::Waits(standing) => Ok(Came::Waits(standing)),
            Outcome::Complete(receiving) => {
                Ok(Came::Receipt(receive(&mut connection, *receiving).await?))
            }
        }
    }

    pub(super) async fn sign(&mut self, work: &Work) -> Result<Came, Refusal> {
        let (mut connection, session) = self.0.open_session().await?;
        let (expect, request) = session.sign_proposal(&work.statement, self.signatures(work))?;
        connection.send(&request).await?;
        let now = self.0.campus.certs.now();
        let outcome = match expect.handle(reply(&mut connection).await?, now)? {
            SignedAnswer::Outcome(outcome) => outcome,
            SignedAnswer::Recorded(word, expect) => {
                self.1 = Some(word);
                expect.handle(reply(&mut connection).await?)?
            }
        };
        match outcome {
            Outcome::Waits(standing) => Ok(Came::Waits(standing)),
            Outcome::Complete(receiving) => {
                Ok(Came::Receipt(receive(&mut connection, *receiving).await?))
            }
        }
    }

    pub(super) async fn told(&mut self) -> Vec<ToldProposal> {
        self.proposals().await.told
    }

    /// The whole list: what is told, and what is left out.
    pub(super) async fn proposals(&mut self) -> Proposals {
        let (mut connection, session) = self.0.open_session().await.unwrap();
        let (expect, request) = session.ask_proposals(0);
        connection.send(&request).await.unwrap();
        let (_, proposals) = expect
            .handle(
                reply(&mut connection).await.unwrap(),
                self.0.campus.certs.now(),
            )
            .unwrap();
        assert_eq!(proposals.next, None);
        proposals
    }

    pub(super) async fn end(
        &mut self,
        submission: SubmissionId,
        reason: Option<&str>,
    ) -> Result<ProposalStanding, Refusal> {
        let (mut connection, session) = self.0.open_session().await?;
        let reason = reason.map(|text| text.parse().unwrap());
        let (expect, request) = session.end_proposal(submission, reason);
        connection.send(&request).await?;
        expect.handle(reply(&mut connection).await?)
    }

    pub(super) async fn fetch(&mut self, work: &Work) -> Result<Vec<u8>, Refusal> {
        let (mut connection, session) = self.0.open_session().await?;
        let (expect, request) = session.ask_receipt(&work.statement)?;
        connection.send(&request).await?;
        let receiving = expect.handle(reply(&mut connection).await?)?;
        receive(&mut connection, receiving).await
    }

    pub(super) fn verify(&self, receipt: &[u8]) -> VerifiedReceipt {
        self.0.verify(receipt)
    }
}

/// What the assignment's log says, entry by entry.
pub(super) fn entries(campus: &Campus) -> Vec<Leaf> {
    let database = rusqlite::Connection::open(campus.home.path("blackboard.db")).unwrap();
    let sql = "SELECT leaf FROM log_entries ORDER BY number";
    let mut query = database.prepare(sql).unwrap();
    let leaves = query.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap();
    leaves
        .map(|leaf| Leaf::parse(&leaf.unwrap()).unwrap())
        .collect()
}

/// The names of the entries about proposals and submissions, in order.
pub(super) fn happened(campus: &Campus) -> Vec<&'static str> {
    let entries = entries(campus);
    let about = entries.iter().map(|leaf| leaf.entry.name());
    about
        .filter(|name| *name != "rules" && *name != "extension")
        .collect()
}

fn said(standing: &ProposalStanding) -> Vec<Said> {
    standing.members.iter().map(|member| member.said).collect()
}

#[tokio::test]
async fn three_machines_sign_one_report_and_the_last_one_gets_the_receipt() {
    let campus = Campus::open().await;
    let [mut a, mut b, mut c] = [A, B, C].map(|sid| Machine::of(&campus, &[sid]));
    let work = a.work(&[A, B, C], b"our report");

    let standing = a.propose(&work).await.unwrap().waits();
    assert_eq!(standing.state, ProposalState::Waiting);
    assert_eq!(
        said(&standing),
        [Said::Signed, Said::Nothing, Said::Nothing]
    );
    assert!(standing.files_at.is_some());

    let told = b.told().await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].listed.statement.as_bytes(), work.statement);
    let standing = b.sign(&work).await.unwrap().waits();
    assert_eq!(said(&standing), [Said::Signed, Said::Signed, Said::Nothing]);
    campus
        .certs
        .clock()
        .advance(std::time::Duration::from_secs(30));
    let receipt = c.sign(&work).await.unwrap().receipt();

    let verified = c.verify(&receipt);
    assert_eq!(verified.statement_bytes(), work.statement);
    let signed: Vec<_> = verified
        .members()
        .iter()
        .map(|one| one.cert_sha256)
        .collect();
    let own = [&a, &b, &c].map(|one| one.0.members[0].chain.leaf().fingerprint());
    assert_eq!(signed, own);
    assert_eq!(
        verified.committed_at(),
        campus.certs.now(),
        "the last signature counts"
    );
    let expected = ["proposed", "signed", "signed", "signed", "accepted"];
    assert_eq!(happened(&campus), expected);
    assert_eq!((campus.submissions().len(), campus.content_files()), (1, 1));
}

#[tokio::test]
async fn the_others_get_the_same_receipt() {
    let campus = Campus::open().await;
    let [mut a, mut b] = [A, B].map(|sid| Machine::of(&campus, &[sid]));
    let work = a.work(&[A, B], b"our report");
    a.propose(&work).await.unwrap().waits();
    let receipt = b.sign(&work).await.unwrap().receipt();
    assert_eq!(a.fetch(&work).await.unwrap(), receipt);
    assert_eq!(b.fetch(&work).await.unwrap(), receipt);
    assert_eq!(
        a.propose(&work).await.unwrap().receipt(),
        receipt,
        "proposed again"
    );
    assert_eq!(
        b.sign(&work).await.unwrap().receipt(),
        receipt,
        "signed again"
    );
    let told = a.told().await;
    assert_eq!(told[0].listed.standing.state, ProposalState::Accepted);
    assert_eq!(told[0].listed.standing.number.unwrap().get(), 1);
    let refusal = Machine::of(&campus, &[C]).fetch(&work).await.unwrap_err();
    assert_eq!(refusal.code, Code::SubmissionUnknown, "others'");
    let nothing = a.work(&[A, B], b"another");
    assert_eq!(
        a.fetch(&nothing).await.unwrap_err().code,
        Code::SubmissionUnknown
    );
}

#[tokio::test]
async fn which_connection_brought_which_signature_is_recorded() {
    let campus = Campus::open().await;
    let mut two = Machine::of(&campus, &[B, A]);
    let mut c = Machine::of(&campus, &[C]);
    let work = two.work(&[A, B, C], b"our report");
    two.propose(&work).await.unwrap().waits();
    c.sign(&work).await.unwrap().receipt();
    let signed: Vec<_> = entries(&campus)
        .into_iter()
        .filter_map(|leaf| match leaf.entry {
            Entry::Signed(signed) => Some(signed),
            _ => None,
        })
        .collect();
    let names =
        |sids: &[&str]| -> Vec<StudentId> { sids.iter().map(|sid| sid.parse().unwrap()).collect() };
    assert_eq!(
        signed[0].members,
        names(&[B, A]),
        "the one who opened it first"
    );
    assert_eq!(signed[1].members, names(&[C]));
    assert_ne!(signed[0].connection, signed[1].connection);
    let standing = &c.told().await[0].listed.standing;
    assert_eq!(standing.members[0].with, names(&[B, A]));
    assert_eq!(standing.members[2].with, names(&[C]));

    // As it is shown to the teacher; what the log does not say is not.
    let store = Store::open(&campus.home).unwrap();
    let shown = || store.delivered(&store.record(SubmissionNumber::new(1).unwrap())?.unwrap());
    let told = shown().unwrap();
    for (one, (sid, by)) in told.iter().zip([(A, 0), (B, 0), (C, 1)]) {
        assert_eq!(one.sid.as_str(), sid);
        assert_eq!(one.connection, Some(signed[by].connection));
        assert_eq!(one.with, signed[by].members);
        assert_eq!(one.entry, Some(1 + by as u64 + rules_before(&campus)));
    }
    let database = rusqlite::Connection::open(campus.home.path("blackboard.db")).unwrap();
    for (alter, undo) in [
        (
            "SET members = '1155000001,1155000002'",
            "SET members = '1155000002,1155000001'",
        ),
        ("SET at = at - 60", "SET at = at + 60"),
    ] {
        let first = "WHERE id = (SELECT min(id) FROM deliveries)";
        database
            .execute(&format!("UPDATE deliveries {alter} {first}"), [])
            .unwrap();
        assert!(
            matches!(shown(), Err(Error::ProposalAltered { .. })),
            "{alter}"
        );
        database
            .execute(&format!("UPDATE deliveries {undo} {first}"), [])
            .unwrap();
        assert!(shown().is_ok());
    }
}

/// The entries that come before the first hand-in.
fn rules_before(campus: &Campus) -> u64 {
    let all = entries(campus);
    let rules = all
        .iter()
        .filter(|leaf| matches!(leaf.entry, Entry::Rules(_)));
    rules.count() as u64
}

#[tokio::test]
async fn signing_again_changes_nothing() {
    let campus = Campus::open().await;
    let [mut a, mut b] = [A, B].map(|sid| Machine::of(&campus, &[sid]));
    let work = a.work(&[A, B, C], b"our report");
    a.propose(&work).await.unwrap().waits();
    let first = b.sign(&work).await.unwrap().waits();
    campus
        .certs
        .clock()
        .advance(std::time::Duration::from_secs(5));
    assert_eq!(b.sign(&work).await.unwrap().waits(), first);
    assert_eq!(
        a.propose(&work).await.unwrap().waits().members,
        first.members
    );
    assert_eq!(happened(&campus), ["proposed", "signed", "signed"]);
}

#[tokio::test]
async fn two_who_sign_in_the_same_moment_make_one_submission() {
    let campus = Campus::open().await;
    let [mut a, mut b, mut c] = [A, B, C].map(|sid| Machine::of(&campus, &[sid]));
    let work = a.work(&[A, B, C], b"our report");
    a.propose(&work).await.unwrap().waits();
    let (second, third) = tokio::join!(b.sign(&work), c.sign(&work));
    let came = [second.unwrap(), third.unwrap()];
    let receipts = came.iter().filter(|came| matches!(came, Came::Receipt(_)));
    assert!(receipts.count() >= 1, "the later one completes it");
    assert_eq!(campus.submissions().len(), 1);
    let receipt = a.fetch(&work).await.unwrap();
    assert_eq!(a.verify(&receipt).members().len(), 3);
}

#[tokio::test]
async fn files_that_come_after_the_last_signature_complete_it() {
    let campus = Campus::open().await;
    let [mut a, mut b] = [A, B].map(|sid| Machine::of(&campus, &[sid]));
    let work = a.work(&[A, B], b"our report");
    let standing = a.begin(&work).await.unwrap();
    assert_eq!(standing.files_at, None);
    let standing = b.sign(&work).await.unwrap().waits();
    assert_eq!(standing.state, ProposalState::Signed);
    let signed_at = campus.certs.now();
    campus
        .certs
        .clock()
        .advance(std::time::Duration::from_secs(30));
    let receipt = a.propose(&work).await.unwrap().receipt();
    let verified = a.verify(&receipt);
    assert_eq!(verified.committed_at(), signed_at);
    assert!(verified.accepted_at() > signed_at);
}

#[tokio::test]
async fn what_was_signed_before_the_server_stopped_is_there_after() {
    let mut campus = Campus::open().await;
    let (work, members) = {
        let mut a = Machine::of(&campus, &[A]);
        let work = a.work(&[A, B], b"our report");
        a.propose(&work).await.unwrap().waits();
        (work, a.0.members)
    };
    campus.stop().await;
    campus.start().await.unwrap();
    let mut b = Machine::of(&campus, &[B]);
    let receipt = b.sign(&work).await.unwrap().receipt();
    let mut a = Machine::of(&campus, &[A]);
    a.0.members = members;
    assert_eq!(a.propose(&work).await.unwrap().receipt(), receipt);
}

//! The very same handed in twice at once is one version, and one receipt.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rustls_pki_types::UnixTime;
use scb_certs::Fingerprint;
use scb_cli::{Home, Role};
use scb_protocol::message::proposal::ProposalState;
use scb_protocol::receipt::CommittedAt;
use scb_protocol::rules::{GroupSize, Rules, Terms};
use scb_protocol::statement::{FileEntry, StatedMember, Statement, SubmissionId};
use scb_protocol::{Mode, from_seconds};
use scb_transport::ClockFn;

use super::campus::Campus;
use super::form::{evidence, sign};
use super::proposals::{A, B, Machine};
use super::uploads::{again, anew, interrupted};
use crate::config::Config;
use crate::store::{Arrival, CommitOutcome, Committal, Draft, Place, Record, Register, Store};

const DUE: u64 = 1_795_262_400;

/// A register with one assignment, that takes late work.
struct Desk {
    register: Register,
    _dir: tempfile::TempDir,
}

impl Desk {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::create(&dir.path().join("home"), Role::Blackboard).unwrap();
        let store = Store::open(&home).unwrap();
        let making = store.clone();
        let begin = move || making.begin_with(place(), rules(), from_seconds(DUE - 1000));
        tokio::task::spawn_blocking(begin).await.unwrap().unwrap();
        let register = tokio::task::spawn_blocking(move || Register::open(&home, store));
        Self {
            register: register.await.unwrap().unwrap(),
            _dir: dir,
        }
    }

    /// Records the statement of a group of two; none if it is the very same as the last version.
    async fn commit(&self, report: &[u8], at: u64) -> Option<Pending> {
        let statement = statement(report);
        let committal = Committal {
            bytes: statement.to_bytes().unwrap(),
            statement: statement.clone(),
            signatures: b"signatures".to_vec(),
            assurance: (Mode::Verified, "a.b.c".to_owned()),
            upload_window: Duration::from_secs(3600),
        };
        let clock = ClockFn(move || from_seconds(at));
        let arrival = Arrival::new(from_seconds(at), Arc::new(clock));
        let quota = Config::default().quota();
        match self
            .register
            .commit((committal, arrival), quota, |_| true, sign)
            .await
            .unwrap()
        {
            CommitOutcome::Committed(commitment, _) => Some(Pending {
                statement,
                at: commitment.at,
            }),
            CommitOutcome::SameVersion(_) => None,
        }
    }

    /// Accepts what was committed, if receipts of before count.
    async fn accept_if(&self, pending: &Pending, counts: bool) -> Record {
        let draft = Draft {
            statement: pending.statement.clone(),
            evidence: evidence(&pending.statement),
            committed: CommittedAt {
                index: Some(1),
                at: pending.at,
            },
            // The files come at once: later only those of the last one would be taken.
            accepted_at: from_seconds(pending.at.as_secs() + 1),
        };
        let accepted = self.register.accept(draft, move |_| counts, sign).await;
        accepted.unwrap()
    }

    async fn accept(&self, pending: &Pending) -> u64 {
        self.accept_if(pending, true).await.number().get()
    }

    async fn numbers(&self) -> Vec<u64> {
        let store = self.register.store().clone();
        let numbers = tokio::task::spawn_blocking(move || store.numbers());
        let numbers = numbers.await.unwrap().unwrap();
        numbers.into_iter().map(|number| number.get()).collect()
    }

    async fn unfinished(&self) -> usize {
        let store = self.register.store().clone();
        let unfinished = tokio::task::spawn_blocking(move || store.unfinished());
        unfinished.await.unwrap().unwrap().len()
    }
}

/// A statement that was committed.
struct Pending {
    statement: Statement,
    at: UnixTime,
}

fn place() -> Place {
    Place {
        domain: "campus.test".parse().unwrap(),
        course: "SANDBOX".parse().unwrap(),
        assignment: "lab".parse().unwrap(),
    }
}

fn rules() -> Rules {
    let group = GroupSize::new(1, 3).unwrap();
    let mut terms = Terms::always_open("Lab".parse().unwrap(), group, 1 << 20);
    terms.due = Some(from_seconds(DUE));
    terms.cutoff = Some(from_seconds(DUE + 3600));
    terms.late = "mark".parse().unwrap();
    terms.check().unwrap()
}

fn statement(report: &[u8]) -> Statement {
    let file = FileEntry {
        name: "report.pdf".parse().unwrap(),
        size: report.len() as u64,
        sha256: Fingerprint::of(report),
    };
    let member = |sid: &str| StatedMember {
        sid: sid.parse().unwrap(),
        cert_sha256: Some(Fingerprint::of(sid.as_bytes())),
    };
    let service = "spiffe://campus.test/service/blackboard".parse().unwrap();
    let place = place();
    let place = (place.course, place.assignment);
    let submission = SubmissionId::random().unwrap();
    Statement::new(service, place, [A, B].map(member), file, submission)
}

#[tokio::test]
async fn what_counts_is_what_changes_nothing_whatever_came_last() {
    let desk = Desk::new().await;
    let earlier = desk.commit(b"earlier", DUE - 52).await.unwrap();
    let later = desk.commit(b"later", DUE - 50).await.unwrap();
    assert_eq!(desk.accept(&later).await, 1);
    // Its files come last, and it does not count.
    assert_eq!(desk.accept(&earlier).await, 2);
    assert!(desk.commit(b"later", DUE - 40).await.is_none());
    let again = desk.commit(b"earlier", DUE - 30).await.unwrap();
    assert_eq!(desk.accept(&again).await, 3);
    assert!(desk.commit(b"earlier", DUE - 20).await.is_none());
    assert!(desk.commit(b"later", DUE - 10).await.is_some());
}

#[tokio::test]
async fn of_two_commitments_to_the_same_the_one_that_is_accepted_first_is_the_version() {
    for swapped in [false, true] {
        let desk = Desk::new().await;
        let one = desk.commit(b"report", DUE - 60).await.unwrap();
        let other = desk.commit(b"report", DUE - 60).await.unwrap();
        let (first, second) = match swapped {
            false => (one, other),
            true => (other, one),
        };
        assert_eq!(desk.accept(&first).await, 1);
        assert_eq!(desk.unfinished().await, 1);
        assert_eq!(desk.accept(&second).await, 1);
        assert_eq!(desk.accept(&second).await, 1, "and it stays so");
        assert_eq!(desk.numbers().await, [1]);
        assert_eq!(desk.unfinished().await, 0, "nobody waits for its files");
        let store = desk.register.store();
        let answer = store.answer(second.statement.submission).await.unwrap();
        assert_eq!(answer.unwrap().statement(), &first.statement);
    }
}

#[tokio::test]
async fn what_was_answered_so_is_answered_so_after_later_versions() {
    let desk = Desk::new().await;
    let one = desk.commit(b"report", DUE - 60).await.unwrap();
    let other = desk.commit(b"report", DUE - 60).await.unwrap();
    let third = desk.commit(b"another", DUE - 60).await.unwrap();
    let accepted = [
        desk.accept(&one).await,
        desk.accept(&other).await,
        desk.accept(&third).await,
    ];
    assert_eq!(accepted, [1, 1, 2]);
    let same = desk.register.store().same_version(other.statement).await;
    assert_eq!(same.unwrap().unwrap().number().get(), 1);
    assert_eq!(desk.numbers().await, [1, 2]);
}

#[tokio::test]
async fn who_comes_back_for_a_commitment_that_is_a_repetition_leaves_none_open() {
    let desk = Desk::new().await;
    let one = desk.commit(b"report", DUE - 60).await.unwrap();
    let other = desk.commit(b"report", DUE - 60).await.unwrap();
    desk.accept(&one).await;
    let come_back = async |bytes| {
        let signed = (other.statement.clone(), bytes);
        let same = desk.register.same_version(signed, |_| true).await;
        same.unwrap().unwrap().number().get()
    };
    // Something else under the ID of what was committed closes nothing.
    assert_eq!(come_back(b"other bytes".to_vec()).await, 1);
    assert_eq!(desk.unfinished().await, 1);
    assert_eq!(come_back(other.statement.to_bytes().unwrap()).await, 1);
    assert_eq!(desk.unfinished().await, 0);
}

#[tokio::test]
async fn what_was_accepted_meanwhile_is_not_committed_again() {
    let desk = Desk::new().await;
    let one = desk.commit(b"report", DUE - 60).await.unwrap();
    desk.accept(&one).await;
    assert!(desk.commit(b"report", DUE - 60).await.is_none());
    assert!(desk.commit(b"another", DUE - 60).await.is_some());
}

#[tokio::test]
async fn on_time_it_does_not_matter_who_was_a_second_earlier() {
    let desk = Desk::new().await;
    let earlier = desk.commit(b"report", DUE - 2).await.unwrap();
    let later = desk.commit(b"report", DUE - 1).await.unwrap();
    assert_eq!(desk.accept(&later).await, 1);
    assert_eq!(desk.accept(&earlier).await, 1);
}

#[tokio::test]
async fn nobody_loses_an_earlier_time_to_a_later_one_that_is_late() {
    let desk = Desk::new().await;
    let on_time = desk.commit(b"report", DUE).await.unwrap();
    let late = desk.commit(b"report", DUE + 1).await.unwrap();
    assert_eq!(desk.accept(&late).await, 1);
    assert_eq!(desk.accept(&on_time).await, 2);
    assert_eq!(desk.numbers().await, [1, 2]);
}

#[tokio::test]
async fn a_receipt_that_counts_no_longer_answers_nothing() {
    let desk = Desk::new().await;
    let one = desk.commit(b"report", DUE - 60).await.unwrap();
    let other = desk.commit(b"report", DUE - 60).await.unwrap();
    desk.accept(&one).await;
    let record = desk.accept_if(&other, false).await;
    assert_eq!(record.number().get(), 2);
    assert_eq!(record.statement(), &other.statement);
}

/// Two programs of one group, both with their statement committed and part of the report sent: the
/// one that ends first gets the version, whichever it is.
#[tokio::test]
async fn two_connections_that_bring_the_same_end_with_the_same_receipt() {
    for swapped in [false, true] {
        let campus = Campus::open().await;
        let mut one = campus.three();
        let mut other = anew(&one);
        let (mut first, mut second) = (
            Some(one.commit().await.unwrap()),
            Some(other.commit().await.unwrap()),
        );
        let mut receipts = Vec::new();
        for turn in [swapped, !swapped] {
            let (group, open) = match turn {
                false => (&mut one, first.take()),
                true => (&mut other, second.take()),
            };
            let (mut connection, committed) = open.unwrap();
            let (sending, upload) = committed.upload(&[]);
            connection.send(&upload).await.unwrap();
            let report = Bytes::copy_from_slice(&group.report);
            connection.send_chunk(report).await.unwrap();
            receipts.push(group.end(connection, sending).await.unwrap());
        }
        assert_eq!(receipts[0], receipts[1]);
        let winner = if swapped { &other } else { &one };
        let receipt = winner.verify(&receipts[1]);
        assert_eq!(receipt.statement_bytes(), winner.statement());
        assert_eq!((campus.submissions().len(), campus.content_files()), (1, 1));
    }
}

#[tokio::test]
async fn who_was_interrupted_gets_the_receipt_of_who_handed_in_the_same_meanwhile() {
    let campus = Campus::open().await;
    let interrupted = interrupted(&campus).await;
    let receipt = anew(&interrupted).hand_in().await.unwrap();
    assert_eq!(again(&interrupted).hand_in().await.unwrap(), receipt);
    assert_eq!((campus.submissions().len(), campus.content_files()), (1, 1));
}

#[tokio::test]
async fn many_programs_with_the_same_at_once_make_one_version() {
    let campus = Campus::open().await;
    let group = campus.three();
    let mut all: Vec<_> = (0..8).map(|_| anew(&group)).collect();
    let handed_in = all.iter_mut().map(|group| group.hand_in());
    let receipts = futures_util::future::join_all(handed_in).await;
    let receipts: Vec<_> = receipts.into_iter().map(Result::unwrap).collect();
    assert!(receipts.iter().all(|receipt| *receipt == receipts[0]));
    assert_eq!((campus.submissions().len(), campus.content_files()), (1, 1));
}

/// One signs at home what another has handed in on a machine with both keys.
#[tokio::test]
async fn a_proposal_of_what_was_handed_in_meanwhile_is_that_version() {
    let campus = Campus::open().await;
    let [mut a, mut b, mut both] = [&[A][..], &[B], &[A, B]].map(|sids| Machine::of(&campus, sids));
    let work = a.work(&[A, B], b"our report");
    a.propose(&work).await.unwrap().waits();
    both.0.name = "report.pdf";
    both.0.report = b"our report".to_vec();
    let handed_in = both.0.hand_in().await.unwrap();
    assert_eq!(b.sign(&work).await.unwrap().receipt(), handed_in);
    let standing = &b.told().await[0].listed.standing;
    assert_eq!(standing.state, ProposalState::Accepted);
    assert_eq!(standing.number.unwrap().get(), 1);
    assert_eq!(a.fetch(&work).await.unwrap(), handed_in);
    assert_eq!(campus.submissions().len(), 1);
}

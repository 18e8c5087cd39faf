//! By which moment it is judged and recorded what somebody had signed when CUHK took its time.

use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::UnixTime;
use scb_certs::Fingerprint;
use scb_protocol::rules::{Extension, Terms};
use scb_protocol::server::DeliveredSignature;
use scb_protocol::statement::Statement;
use scb_protocol::{Code, Mode, from_seconds};
use scb_transport::ClockFn;

use super::super::campus::Campus;
use super::super::cuhk::Answer;
use super::super::overview::{desk, which};
use super::super::proposals::{A, B, C, Machine, entries};
use crate::fsck::found;
use crate::store::{Arrival, NotListed, Register, Signing, Store};

/// So many seconds after the clock of the campus.
fn later(campus: &Campus, seconds: u64) -> UnixTime {
    from_seconds(campus.certs.now().as_secs() + seconds)
}

fn change(campus: &Campus, change: impl FnOnce(&mut Terms) + Send + 'static) {
    let change = move |mut terms: Terms| {
        change(&mut terms);
        terms.check()
    };
    let store = Store::open(&campus.home).unwrap();
    let place = desk(campus, 0).place(&which());
    let changed = store.change_assignment(place, change, campus.certs.now());
    changed.unwrap();
}

/// CUHK takes so many seconds for what it is asked of a statement.
fn thinks(campus: &Campus, seconds: u64) {
    let thinks = Duration::from_secs(seconds);
    campus.cuhk.set(|state| state.thinks = thinks);
}

/// Nothing is taken later than a second from now, and CUHK takes so long for what it is asked of a statement.
fn last_second(campus: &Campus, seconds: u64) {
    let due = later(campus, 1);
    change(campus, move |terms| terms.due = Some(due));
    thinks(campus, seconds);
}

#[tokio::test]
async fn who_hands_in_in_the_last_second_is_in_time_while_cuhk_is_asked_and_no_longer() {
    for (thinks, is_taken) in [(0, true), (3, true), (4, false)] {
        let campus = Campus::open().await;
        let mut group = campus.three();
        let (connection, session) = group.open_session().await.unwrap();
        last_second(&campus, thinks);
        let sent = campus.certs.now();
        match group.submit(connection, session).await {
            Ok(zip) => {
                let receipt = group.verify(&zip);
                assert_eq!(receipt.committed_at(), sent);
                let told = from_seconds(sent.as_secs() + thinks);
                assert_eq!(receipt.dated(), Some(told), "by CUHK's clock");
                assert!(is_taken, "{thinks} s");
            }
            Err(refusal) => {
                assert_eq!(refusal.code, Code::AssignmentClosed, "{refusal:?}");
                assert!(!is_taken, "{thinks} s");
            }
        }
    }
}

#[tokio::test]
async fn so_is_whoever_signs_last() {
    for (thinks, is_taken) in [(3, true), (4, false)] {
        let campus = Campus::open().await;
        let [mut a, mut b] = [A, B].map(|sid| Machine::of(&campus, &[sid]));
        let work = a.work(&[A, B], b"the report");
        a.propose(&work).await.unwrap().waits();
        last_second(&campus, thinks);
        let sent = campus.certs.now();
        let came = b.sign(&work).await;
        assert_eq!(came.is_ok(), is_taken, "{thinks} s");
        if let Ok(came) = came {
            assert_eq!(b.verify(&came.receipt()).committed_at(), sent);
        }
    }
}

#[tokio::test]
async fn so_is_whoever_signs_last_by_proposing_it_too() {
    for (seconds, is_taken) in [(3, true), (4, false)] {
        let campus = Campus::open().await;
        let [mut a, mut b] = [A, B].map(|sid| Machine::of(&campus, &[sid]));
        let work = a.work(&[A, B], b"the report");
        a.propose(&work).await.unwrap().waits();
        // What CUHK said of him is no longer of the last minute: it is asked anew.
        let opened = b.0.open_session().await.unwrap();
        campus.certs.clock().advance(Duration::from_secs(61));
        last_second(&campus, seconds);
        campus.cuhk.set(|state| state.thinks_of_all = true);
        let sent = campus.certs.now();
        let came = b.propose_over(opened, &work).await;
        assert_eq!(came.is_ok(), is_taken, "{seconds} s: {came:?}");
        if let Ok(came) = came {
            assert_eq!(b.verify(&came.receipt()).committed_at(), sent);
        }
    }
}

#[tokio::test]
async fn behind_an_answer_by_a_clock_that_is_ahead_stands_an_entry_that_it_can_stand_behind() {
    for (ahead, seconds, counts) in [(59, 3, 2), (60, 3, 3), (60, 0, 0), (57, 3, 0)] {
        let mut campus = Campus::open().await;
        campus.cuhk.answer(Answer::Ahead(ahead));
        {
            let mut group = campus.three();
            let (connection, session) = group.open_session().await.unwrap();
            thinks(&campus, seconds);
            let expected = later(&campus, counts);
            let zip = group.submit(connection, session).await.unwrap();
            assert_eq!(group.verify(&zip).committed_at(), expected, "{ahead} s");
            // And of a group on two machines.
            let [mut a, mut b] = [A, B].map(|sid| Machine::of(&campus, &[sid]));
            let work = a.work(&[A, B], b"the report");
            a.propose(&work).await.unwrap().waits();
            let expected = later(&campus, counts);
            let zip = b.sign(&work).await.unwrap().receipt();
            assert_eq!(b.verify(&zip).committed_at(), expected, "{ahead} s");
        }
        campus.stop().await;
        assert_eq!(found(&campus.home, None, campus.certs.now()).unwrap(), []);
    }
}

#[tokio::test]
async fn nobody_is_refused_for_having_come_before_it_opened_once_it_is_open() {
    for (seconds, is_taken) in [(0, false), (2, true)] {
        let campus = Campus::open().await;
        let opens = later(&campus, 1);
        let mut group = campus.three();
        let (connection, session) = group.open_session().await.unwrap();
        change(&campus, move |terms| terms.opens = Some(opens));
        thinks(&campus, seconds);
        let recorded = later(&campus, seconds);
        match group.submit(connection, session).await {
            Ok(zip) => {
                assert_eq!(group.verify(&zip).committed_at(), recorded);
                assert!(is_taken, "{seconds} s");
            }
            Err(refusal) => {
                assert_eq!(refusal.code, Code::AssignmentNotOpen, "{refusal:?}");
                assert!(!is_taken, "{seconds} s");
            }
        }
    }
}

#[tokio::test]
async fn whoever_came_in_time_is_late_for_no_entry_that_was_made_meanwhile() {
    let mut campus = Campus::open().await;
    {
        let mut group = campus.three();
        let (connection, session) = group.open_session().await.unwrap();
        // While CUHK is asked of what has come, the teacher gives more time.
        thinks(&campus, 3);
        let (came, entered) = (campus.certs.now(), later(&campus, 1));
        let extension = Extension {
            sid: A.parse().unwrap(),
            due: later(&campus, 7200),
            cutoff: None,
        };
        let due = later(&campus, 3600);
        change(&campus, move |terms| terms.due = Some(due));
        let store = Store::open(&campus.home).unwrap();
        let place = desk(&campus, 0).place(&which());
        let given = store.extend(place, vec![extension], NotListed::Refused, entered);
        given.unwrap();
        let zip = group.submit(connection, session).await.unwrap();
        let receipt = group.verify(&zip);
        assert_eq!(receipt.committed_at(), came, "and not {entered:?}");
    }
    let entries = entries(&campus);
    let named: Vec<_> = entries.iter().map(|leaf| leaf.entry.name()).collect();
    assert_eq!(
        named[named.len() - 3..],
        ["extension", "committed", "accepted"]
    );
    // Before the entry that it follows, and nothing after it is before that one.
    let [.., given, committed, accepted] = &entries[..] else {
        panic!("{entries:?}");
    };
    assert_eq!(given.at.as_secs(), committed.at.as_secs() + 1);
    assert!(accepted.at >= given.at, "{entries:?}");
    campus.stop().await;
    assert_eq!(found(&campus.home, None, campus.certs.now()).unwrap(), []);
}

#[tokio::test]
async fn a_group_has_signed_when_the_last_had_come_whoever_is_entered_last() {
    let campus = Campus::open().await;
    let mut a = Machine::of(&campus, &[A]);
    let work = a.work(&[A, B, C], b"the report");
    a.begin(&work).await.unwrap();
    let (first, second) = (campus.certs.now(), later(&campus, 2));
    let window = Duration::from_secs(3600);
    let store = Store::open(&campus.home).unwrap();
    let register = Register::open(&campus.home, store.clone()).unwrap();
    // He who came first waited for CUHK.
    for (sid, came) in [(B, second), (C, first)] {
        let signatures = sid.as_bytes().to_vec();
        let delivered = DeliveredSignature {
            sid: sid.parse().unwrap(),
            certificate: Fingerprint::of(&signatures),
            signatures: signatures.clone(),
        };
        let signing = Signing {
            statement: Statement::parse(&work.statement).unwrap(),
            bytes: work.statement.clone(),
            delivered: vec![delivered],
            connection: Fingerprint::of(&signatures),
            signatures,
            assurance: (Mode::Verified, "a.b.c".to_owned()),
            upload_window: window,
        };
        let arrival = Arrival::new(came, Arc::new(ClockFn(move || second)));
        register.sign(signing, arrival).await.unwrap();
    }
    let proposal = store.proposal(work.submission(), Vec::new(), second);
    let proposal = proposal.await.unwrap().unwrap();
    let commitment = proposal.commitment.unwrap();
    assert_eq!(commitment.at, second);
    assert_eq!(proposal.standing.signed_at(), Some(second));
    let until = second.as_secs() + window.as_secs();
    assert_eq!(commitment.upload_until, from_seconds(until));
}

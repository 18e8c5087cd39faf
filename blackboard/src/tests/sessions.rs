//! Many connections of the same students: what they cost CUHK, and how many may wait.

use scb_protocol::client::Session;
use scb_protocol::{Code, InactiveReason};
use scb_transport::Connection;
use tokio::time::timeout;

use super::campus::Campus;
use super::cuhk::Answer;
use super::eventually;
use super::group::{Group, WAIT, reply};
use crate::sessions::MOST_IDLE;

async fn open(group: &mut Group<'_>, many: usize) -> Vec<(Connection, Session)> {
    let mut open = Vec::new();
    for _ in 0..many {
        open.push(group.open_session().await.unwrap());
    }
    open
}

/// Some status has changed, of whomever.
fn change(campus: &Campus) {
    campus.cuhk.set(|state| state.epoch += 1);
}

#[tokio::test]
async fn cuhk_is_asked_once_about_each_member_after_a_change_however_many_connections_are_open() {
    let campus = Campus::open().await;
    let mut group = campus.three();
    let mut sessions = open(&mut group, 5).await;
    // A subset of them, in another order.
    group.members.remove(0);
    group.members.reverse();
    sessions.extend(open(&mut group, 5).await);
    let before = campus.cuhk.questions().len();
    let asked = || campus.cuhk.questions().len() - before;
    for changes in 1..=2 {
        change(&campus);
        eventually("a look", || asked() >= 3 * changes).await;
    }
    // A connection that is open still hands in; a question about the statement and one at the end belong to that.
    let (connection, session) = sessions.pop().unwrap();
    group.submit(connection, session).await.unwrap();
    let questions = campus.cuhk.questions();
    assert_eq!(questions[before..], [1, 1, 1, 1, 1, 1, 2, 2]);
}

#[tokio::test]
async fn what_cuhk_says_once_ends_every_connection_of_the_member() {
    let campus = Campus::open().await;
    let mut group = campus.three();
    let mut sessions = open(&mut group, 4).await;
    let mut other = campus.group(&["1155000004"]);
    let (untouched, session) = other.open_session().await.unwrap();
    let suspended = Answer::Inactive("1155000003".to_owned(), InactiveReason::Suspended);
    campus.cuhk.answer(suspended);
    let before = campus.cuhk.questions().len();
    change(&campus);
    for (connection, _) in &mut sessions {
        let told = timeout(WAIT, reply(connection)).await.unwrap();
        let refusal = told.unwrap_err();
        assert_eq!(refusal.code, Code::StudentInactive);
        assert_eq!(refusal.sid.unwrap().as_str(), "1155000003");
    }
    other.submit(untouched, session).await.unwrap();
    // Of four members each once, and the one who hands in twice more.
    assert_eq!(campus.cuhk.questions().len(), before + 6);
}

#[tokio::test]
async fn of_too_many_connections_that_wait_the_oldest_is_closed_and_nobody_is_kept_out() {
    let campus = Campus::open().await;
    let mut other = campus.group(&["1155000002"]);
    let (of_other, session_of_other) = other.open_session().await.unwrap();
    let mut group = campus.group(&["1155000001"]);
    let mut sessions = open(&mut group, MOST_IDLE + 1).await;
    let (mut oldest, _) = sessions.remove(0);
    let told = timeout(WAIT, reply(&mut oldest)).await.unwrap();
    assert_eq!(told.unwrap_err().code, Code::TooManySessions);
    // All others are open: the first and the last of them hand in.
    let (connection, session) = sessions.remove(0);
    group.submit(connection, session).await.unwrap();
    let mut again = campus.group(&["1155000001"]);
    again.members.clone_from(&group.members);
    let (connection, session) = sessions.pop().unwrap();
    again.submit(connection, session).await.unwrap();
    other.submit(of_other, session_of_other).await.unwrap();
}

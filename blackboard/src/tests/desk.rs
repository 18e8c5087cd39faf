//! Questions on an open connection, before anything is handed in.

use rustls_pki_types::UnixTime;
use scb_protocol::client::{Assignments, Session};
use scb_protocol::rules::{Extension, Terms};
use scb_protocol::{Refusal, from_seconds};
use scb_transport::Connection;

use super::campus::Campus;
use super::group::{Group, reply};
use crate::store::{NotListed, Place, Store};

/// What the group is told, and the open connection.
pub(super) async fn ask(
    group: &mut Group<'_>,
    course: Option<&str>,
) -> Result<(Assignments, Connection, Session), Refusal> {
    let (mut connection, session) = group.open_session().await?;
    let course = course.map(|course| course.parse().unwrap());
    let (expect, request) = session.ask_assignments(course, 0);
    connection.send(&request).await?;
    let reply = reply(&mut connection).await?;
    let (session, answer) = expect.handle(reply, group.campus.certs.now())?;
    Ok((answer, connection, session))
}

#[tokio::test]
async fn members_are_told_what_is_open_and_hand_it_in_on_the_same_connection() {
    let campus = Campus::open().await;
    let mut group = campus.three();
    let (answer, connection, session) = ask(&mut group, None).await.unwrap();
    assert_eq!(answer.time, campus.certs.now());
    assert_eq!((answer.listed.len(), answer.next), (1, None));
    let open = &answer.listed[0];
    let names = format!("{}/{}", open.course, open.assignment);
    assert_eq!(names, "SANDBOX/lab");
    assert!(open.rules.judge(answer.time, None).is_open());
    assert_eq!(open.rules.group.most(), 3);
    let receipt = group.submit(connection, session).await.unwrap();
    group.verify(&receipt);
}

#[tokio::test]
async fn nothing_is_told_of_another_course() {
    let campus = Campus::open().await;
    let mut group = campus.group(&["1155000001"]);
    let (answer, ..) = ask(&mut group, Some("CSCI9999")).await.unwrap();
    assert_eq!((answer.listed.len(), answer.next), (0, None));
}

/// The assignment is due in a while; until when.
fn due_soon(campus: &Campus) -> (Store, Place, UnixTime) {
    let store = Store::open(&campus.home).unwrap();
    let now = campus.certs.now();
    let due = from_seconds(now.as_secs() + 100);
    let place = Place {
        domain: campus.service.trust_domain().clone(),
        course: "SANDBOX".parse().unwrap(),
        assignment: "lab".parse().unwrap(),
    };
    let change = move |mut terms: Terms| {
        terms.due = Some(due);
        terms.check()
    };
    store.change_assignment(place.clone(), change, now).unwrap();
    (store, place, due)
}

/// A while longer for a student.
fn more(campus: &Campus, sid: &str) -> Extension {
    Extension {
        sid: sid.parse().unwrap(),
        due: from_seconds(campus.certs.now().as_secs() + 200),
        cutoff: None,
    }
}

#[tokio::test]
async fn members_are_told_their_own_extensions_and_what_was_changed() {
    let campus = Campus::open().await;
    let (store, place, due) = due_soon(&campus);
    let (now, more) = (campus.certs.now(), |sid: &str| more(&campus, sid));
    let extensions = vec![more("1155000001"), more("1155000009")];
    store
        .extend(place, extensions, NotListed::Refused, now)
        .unwrap();

    let (answer, ..) = ask(&mut campus.three(), None).await.unwrap();
    let told = &answer.listed[0];
    assert_eq!(told.extensions, [more("1155000001")]);
    let changed: Vec<_> = told.changes.iter().map(|one| one.field.as_str()).collect();
    assert_eq!((changed, told.rules.due), (vec!["due"], Some(due)));
    let (answer, ..) = ask(&mut campus.group(&["1155000002"]), None).await.unwrap();
    assert_eq!(answer.listed[0].extensions, []);
}

#[tokio::test]
async fn an_entry_that_names_others_is_not_shown() {
    let campus = Campus::open().await;
    let (store, place, _) = due_soon(&campus);
    let now = campus.certs.now();
    // As it was entered before each had an entry of its own.
    let both = ["1155000001", "1155000002"].map(|sid| more(&campus, sid));
    store.extend_together(&place, &both, now).unwrap();
    for (sids, extended) in [(&["1155000001"][..], 0), (&["1155000001", "1155000002"], 1)] {
        let (answer, ..) = ask(&mut campus.group(sids), None).await.unwrap();
        let told = &answer.listed[0];
        assert_eq!(
            (told.extensions.len(), told.extended.len()),
            (sids.len(), extended)
        );
        assert_eq!(answer.announced.len(), 1 + extended);
    }
}

#[tokio::test]
async fn courses_of_others_are_not_told() {
    let campus = Campus::open().await;
    let store = Store::open(&campus.home).unwrap();
    let course = "SANDBOX".parse().unwrap();
    let list = vec!["1155000001".parse().unwrap()];
    store.set_members(&course, Some(list)).unwrap();
    let (answer, ..) = ask(&mut campus.group(&["1155000001"]), None).await.unwrap();
    assert_eq!(answer.listed.len(), 1);
    let (answer, ..) = ask(&mut campus.three(), None).await.unwrap();
    assert_eq!(answer.listed.len(), 0, "two of the three are not in it");
}

//! Questions on an open connection, before anything is handed in.

use scb_protocol::Refusal;
use scb_protocol::client::{Assignments, Session};
use scb_transport::Connection;

use super::campus::Campus;
use super::group::{Group, reply};

/// What the group is told, and the open connection.
async fn ask(
    group: &mut Group<'_>,
    course: Option<&str>,
) -> Result<(Assignments, Connection, Session), Refusal> {
    let (mut connection, session) = group.open_session().await?;
    let course = course.map(|course| course.parse().unwrap());
    let (expect, request) = session.ask_assignments(course, 0);
    connection.send(&request).await?;
    let (session, answer) = expect.handle(reply(&mut connection).await?)?;
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

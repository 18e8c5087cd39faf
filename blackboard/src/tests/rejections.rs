//! Verified members who are refused find that in the log of their assignment.

use rusqlite::Connection;
use scb_certs::Fingerprint;
use scb_protocol::log_leaf::{Entry, Leaf, Refused};
use scb_protocol::message::blackboard::Request;
use scb_protocol::rejection::{Refused as Sent, VerifiedRejection};
use scb_protocol::rules::Terms;
use scb_protocol::{Code, InactiveReason, Refusal, from_seconds};

use super::campus::Campus;
use super::cuhk::Answer;
use super::group::Group;
use crate::store::{Place, Store};

const LOG: &str = "campus.test/blackboard/SANDBOX/lab";

/// A campus whose assignment was closed 100 s ago.
async fn closed() -> Campus {
    let campus = Campus::open().await;
    let store = Store::open(&campus.home).unwrap();
    let then = from_seconds(campus.certs.now().as_secs() - 100);
    let place = Place {
        domain: campus.service.trust_domain().clone(),
        course: "SANDBOX".parse().unwrap(),
        assignment: "lab".parse().unwrap(),
    };
    let due = move |terms: Terms| {
        let due = Some(then);
        Terms { due, ..terms }.check()
    };
    let changed = move || {
        crate::store::Register::vouch_for_clock(&store).unwrap();
        store.change_assignment(place, due, then).unwrap();
    };
    tokio::task::spawn_blocking(changed).await.unwrap();
    campus
}

/// What was entered as refused, with its number, in all logs.
fn entered(campus: &Campus) -> Vec<(u64, Refused)> {
    let database = Connection::open(campus.home.path("blackboard.db")).unwrap();
    let sql = "SELECT leaf FROM log_entries WHERE kind = 'refused' ORDER BY number";
    let mut query = database.prepare(sql).unwrap();
    let leaves = query.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap();
    let read = |leaf: Vec<u8>| match Leaf::parse(&leaf).unwrap() {
        Leaf {
            index,
            entry: Entry::Refused(refused),
            ..
        } => (index, refused),
        other => panic!("{other:?}"),
    };
    leaves.map(|leaf| read(leaf.unwrap())).collect()
}

async fn refused(group: &mut Group<'_>) -> Refusal {
    group.hand_in().await.unwrap_err()
}

#[tokio::test]
async fn a_rejection_by_the_rules_is_entered_before_the_members_are_told() {
    let campus = closed().await;
    let mut group = campus.three();
    let told = refused(&mut group).await;
    assert_eq!(told.code, Code::AssignmentClosed);
    let entered = entered(&campus);
    let members = group.members.iter().map(|member| member.sid.clone());
    let expected = Refused {
        code: Code::AssignmentClosed,
        members: members.collect(),
        statement_sha256: Some(Fingerprint::of(&group.statement())),
    };
    let [(index, entry)] = &entered[..] else {
        panic!("{entered:?}");
    };
    assert_eq!(*entry, expected);
    assert_eq!(told.params["entry"], index.to_string());
    assert_eq!(told.params["log"], LOG);
    let members: Vec<_> = group.members.iter().map(|one| one.sid.clone()).collect();
    let statement = group.statement();
    let sent = Sent {
        statement: &statement,
        members: &members,
    };
    let by = (&*campus.certs.trust(), &campus.service);
    let (_, rejection) = VerifiedRejection::of(&told, sent, by, campus.certs.now()).unwrap();
    assert_eq!(rejection.entry().1, *index, "signed as it was entered");
}

#[tokio::test]
async fn an_empty_report_is_refused_and_that_is_entered() {
    let campus = Campus::open().await;
    let mut group = campus.three();
    group.report.clear();
    let told = refused(&mut group).await;
    assert_eq!(told.code, Code::ReportEmpty);
    assert!(told.rejection.is_some(), "signed");
    let entered = entered(&campus);
    assert_eq!(entered.len(), 1);
    assert_eq!(entered[0].1.code, Code::ReportEmpty);
    assert!(campus.submissions().is_empty());
}

#[tokio::test]
async fn the_same_is_entered_once() {
    let campus = closed().await;
    let mut group = campus.three();
    let (first, second) = (refused(&mut group).await, refused(&mut group).await);
    assert_eq!(first.params, second.params);
    assert!(second.rejection.is_some(), "signed once more");
    assert_eq!(entered(&campus).len(), 1);
}

/// Whoever alters the row has Blackboard sign nothing that its log does not hold.
#[tokio::test]
async fn what_was_altered_on_disk_is_not_signed_once_more() {
    let campus = closed().await;
    let mut group = campus.three();
    let first = refused(&mut group).await;
    let database = Connection::open(campus.home.path("blackboard.db")).unwrap();
    let alter = "UPDATE log_entries SET leaf = CAST(replace(leaf, '\"at\":\"2', '\"at\":\"3') AS BLOB) \
                 WHERE kind = 'refused'";
    assert_eq!(database.execute(alter, []).unwrap(), 1);
    let second = refused(&mut group).await;
    assert_ne!(first.params["entry"], second.params["entry"]);
    assert_eq!(entered(&campus).len(), 2);
    let third = refused(&mut group).await;
    assert_eq!(third.params, second.params);
}

#[tokio::test]
async fn what_the_members_signed_is_judged_and_entered_as_well() {
    let campus = Campus::open().await;
    let mut group = campus.three().tampering(|request| {
        if let Request::Submit { signatures, .. } = request {
            let mut bytes = signatures.as_bytes().to_vec();
            let last = bytes.len() - 1;
            bytes[last] ^= 1;
            *signatures = scb_protocol::values::Der::new(bytes);
        }
    });
    let told = refused(&mut group).await;
    assert_eq!(told.code, Code::SignatureInvalid);
    assert_eq!(entered(&campus)[0].1.code, Code::SignatureInvalid);
}

#[tokio::test]
async fn what_has_no_log_and_what_went_wrong_on_the_way_is_not_entered() {
    let campus = Campus::open().await;
    for (assignment, code) in [
        (("SANDBOX", "lab-9"), Code::AssignmentUnknown),
        (("CSCI9999", "lab"), Code::CourseUnknown),
    ] {
        let mut group = campus.three();
        group.assignment = assignment;
        let told = refused(&mut group).await;
        assert_eq!((told.code, told.rejection), (code, None));
    }
    let mut group = campus.three();
    group.sent = Some(vec![b'x'; group.report.len()]);
    assert_eq!(refused(&mut group).await.code, Code::ContentAltered);
    assert_eq!(entered(&campus), []);
}

#[tokio::test]
async fn nobody_fills_a_log_with_rejections() {
    let campus = closed().await;
    for _ in 0..crate::store::MOST_OF_ONE {
        let told = refused(&mut campus.group(&["1155000001"])).await;
        assert!(told.params.contains_key("entry"));
    }
    let most = entered(&campus).len();
    for sids in [&["1155000001"][..], &["1155000002", "1155000001"][..]] {
        let told = refused(&mut campus.group(sids)).await;
        assert_eq!(told.code, Code::AssignmentClosed, "refused all the same");
        assert!(!told.params.contains_key("entry"));
        let unsigned = told.params.get("unsigned").map(String::as_str);
        assert_eq!(unsigned, Some("too many refusals within an hour"));
        assert!(
            told.rejection.is_none(),
            "what is not entered is not signed"
        );
    }
    assert_eq!(entered(&campus).len(), most);
    let other = refused(&mut campus.group(&["1155000009"])).await;
    assert!(other.params.contains_key("entry"), "others are entered");
    campus
        .certs
        .clock()
        .advance(std::time::Duration::from_secs(3601));
    let later = refused(&mut campus.group(&["1155000001"])).await;
    assert!(later.params.contains_key("entry"), "an hour later");
}

#[tokio::test]
async fn who_was_never_verified_is_given_no_signed_refusal() {
    let campus = closed().await;
    let reason = InactiveReason::Suspended;
    let inactive = Answer::Inactive("1155000002".to_owned(), reason);
    campus.cuhk.answer(inactive);
    let told = refused(&mut campus.three()).await;
    assert_eq!(told.code, Code::StudentInactive);
    assert!(told.rejection.is_none());
    assert_eq!(entered(&campus), []);
}

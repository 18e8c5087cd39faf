//! The rules of the assignment, by Blackboard's clock, and what nobody learns from a proposal.

use std::time::Duration;

use scb_protocol::announcement::Said;
use scb_protocol::message::proposal::ProposalState;
use scb_protocol::rules::{Extension, Terms};
use scb_protocol::{Code, from_seconds};

use super::{A, B, C, Campus, Machine};
use crate::store::{NotListed, Place, Store};

const HOUR: u64 = 3600;

fn place(campus: &Campus) -> Place {
    Place {
        domain: campus.service.trust_domain().clone(),
        course: "SANDBOX".parse().unwrap(),
        assignment: "lab".parse().unwrap(),
    }
}

/// Due in an hour, taken for two, 10 % a day.
async fn due_in_an_hour() -> Campus {
    let campus = Campus::open().await;
    let now = campus.certs.now();
    let change = move |mut terms: Terms| {
        terms.due = Some(from_seconds(now.as_secs() + HOUR));
        terms.cutoff = Some(from_seconds(now.as_secs() + 2 * HOUR));
        terms.late = "10%/day".parse().unwrap();
        terms.check()
    };
    let store = Store::open(&campus.home).unwrap();
    store
        .change_assignment(place(&campus), change, now)
        .unwrap();
    campus
}

fn extend(campus: &Campus, sid: &str, hours: u64) {
    let now = campus.certs.now();
    let due = from_seconds(now.as_secs() + hours * HOUR);
    let extension = Extension {
        sid: sid.parse().unwrap(),
        due,
        cutoff: None,
    };
    let store = Store::open(&campus.home).unwrap();
    store
        .extend(place(campus), vec![extension], NotListed::Refused, now)
        .unwrap();
}

#[tokio::test]
async fn it_waits_no_longer_than_the_assignment_is_open() {
    let campus = due_in_an_hour().await;
    let [mut a, mut b] = [A, B].map(|sid| Machine::of(&campus, &[sid]));
    let work = a.work(&[A, B], b"our report");
    let standing = a.propose(&work).await.unwrap().waits();
    let closes = campus.certs.now().as_secs() + 2 * HOUR;
    assert_eq!(standing.until.as_secs(), closes);
    campus
        .certs
        .clock()
        .advance(Duration::from_secs(2 * HOUR + 1));
    let refusal = b.sign(&work).await.unwrap_err();
    assert_eq!(refusal.code, Code::AssignmentClosed);
    assert_eq!(
        b.told().await[0].listed.standing.state,
        ProposalState::Lapsed
    );
    assert_eq!(campus.submissions(), []);
}

#[tokio::test]
async fn what_the_last_one_signs_late_is_late() {
    let campus = due_in_an_hour().await;
    let [mut a, mut b] = [A, B].map(|sid| Machine::of(&campus, &[sid]));
    let work = a.work(&[A, B], b"our report");
    a.propose(&work).await.unwrap().waits();
    campus.certs.clock().advance(Duration::from_secs(HOUR + 1));
    let told = b.told().await.remove(0).listed;
    let sids = told.standing.members.iter().map(|one| &one.sid);
    let each = told
        .rules
        .judge_each(campus.certs.now(), sids, &told.extensions);
    assert!(each.iter().all(|one| one.standing.as_str() == "late"));
    let receipt = b.sign(&work).await.unwrap().receipt();
    assert_eq!(b.verify(&receipt).committed_at(), campus.certs.now());
}

#[tokio::test]
async fn nobody_learns_of_an_extension_before_its_owner_has_signed() {
    let campus = due_in_an_hour().await;
    extend(&campus, B, 5);
    let [mut a, mut b, mut c] = [A, B, C].map(|sid| Machine::of(&campus, &[sid]));
    let work = a.work(&[A, B, C], b"our report");
    let standing = a.propose(&work).await.unwrap().waits();
    assert_eq!(
        standing.until.as_secs(),
        campus.certs.now().as_secs() + 2 * HOUR
    );
    assert_eq!(a.told().await[0].listed.extensions, []);
    assert_eq!(b.told().await[0].listed.extensions.len(), 1, "his own");
    campus
        .certs
        .clock()
        .advance(Duration::from_secs(2 * HOUR + 1));
    assert_eq!(
        a.told().await[0].listed.standing.state,
        ProposalState::Lapsed
    );
    let late = c.work(&[A, B, C], b"another");
    assert_eq!(
        c.begin(&late).await.unwrap_err().code,
        Code::AssignmentClosed
    );
    // With his own it is open; whoever signs shows the group how he stands.
    b.sign(&work).await.unwrap().waits();
    assert_eq!(a.told().await[0].listed.extensions.len(), 1);
    c.sign(&work).await.unwrap().receipt();
}

/// What is signed of the rules of the only proposal: entries of extensions behind the one of the rules.
async fn signed(machine: &mut Machine<'_>) -> (Vec<Said>, Vec<Extension>) {
    let one = machine.told().await.remove(0);
    let said = one.announced.iter();
    let said = said.map(|signed| signed.announcement.said().clone());
    let said: Vec<_> = said.collect();
    let rules = Box::new(one.listed.rules);
    assert!(said.is_empty() || said[0] == Said::Rules(rules));
    (said, one.listed.extensions)
}

#[tokio::test]
async fn by_what_rules_it_will_be_judged_is_signed_and_no_extension_of_others_with_it() {
    let campus = due_in_an_hour().await;
    extend(&campus, B, 5);
    let [mut a, mut b, mut c] = [A, B, C].map(|sid| Machine::of(&campus, &[sid]));
    let work = a.work(&[A, B, C], b"our report");
    a.propose(&work).await.unwrap().waits();
    let (of_c, _) = signed(&mut c).await;
    assert_eq!(of_c.len(), 1, "the rules alone");
    let (of_b, own) = signed(&mut b).await;
    let Said::Extended(extended) = &of_b[1] else {
        panic!("{of_b:?}");
    };
    assert_eq!((extended.given.as_slice(), own.len()), (own.as_slice(), 1));
    b.sign(&work).await.unwrap().waits();
    assert_eq!(signed(&mut c).await.0, of_b, "who has signed shows it");
    // Rules that are changed meanwhile are told by their own entry; of what waits no more nothing is signed.
    let now = campus.certs.now();
    let store = Store::open(&campus.home).unwrap();
    let longer = |mut terms: Terms| {
        terms.grace = 60;
        terms.check()
    };
    store
        .change_assignment(place(&campus), longer, now)
        .unwrap();
    assert_ne!(signed(&mut c).await.0[0], of_c[0]);
    c.sign(&work).await.unwrap().receipt();
    assert!(signed(&mut c).await.0.is_empty());
}

#[tokio::test]
async fn what_the_rules_do_not_allow_is_not_proposed() {
    let campus = Campus::open().await;
    let mut a = Machine::of(&campus, &[A]);
    let store = Store::open(&campus.home).unwrap();
    let list = vec![A.parse().unwrap(), B.parse().unwrap()];
    let course = "SANDBOX".parse().unwrap();
    store.set_members(&course, Some(list)).unwrap();
    let stranger = a.work(&[A, C], b"our report");
    let refusal = a.begin(&stranger).await.unwrap_err();
    assert_eq!(refusal.code, Code::NotCourseMember);
    assert_eq!(refusal.sid.unwrap().as_str(), C);
    let four = a.work(&[A, B, C, "1155000004"], b"our report");
    assert_eq!(a.begin(&four).await.unwrap_err().code, Code::MemberCount);
    let twice = a.work(&[A, B, B], b"our report");
    assert_eq!(
        a.begin(&twice).await.unwrap_err().code,
        Code::StatementInvalid
    );
}

/// As what this machine's signature would be refused, by what it is told.
async fn told_refusal(machine: &mut Machine<'_>) -> Option<(Code, Option<String>)> {
    let told = machine.told().await.remove(0).listed.refused?;
    Some((told.code, told.sid.map(|sid| sid.to_string())))
}

#[tokio::test]
async fn what_the_rules_would_refuse_is_told_before_anybody_signs_as_it_is_refused_then() {
    let campus = Campus::open().await;
    let [mut a, mut b] = [A, B].map(|sid| Machine::of(&campus, &[sid]));
    let work = a.work(&[A, B], b"our report");
    a.propose(&work).await.unwrap().waits();
    assert_eq!(told_refusal(&mut b).await, None);

    let store = Store::open(&campus.home).unwrap();
    let course = "SANDBOX".parse().unwrap();
    let list = |sids: &[&str]| Some(sids.iter().map(|sid| sid.parse().unwrap()).collect());
    store.set_members(&course, list(&[A, C])).unwrap();
    let told = told_refusal(&mut b).await;
    assert_eq!(told, Some((Code::NotCourseMember, Some(B.to_owned()))));
    let refusal = b.sign(&work).await.unwrap_err();
    assert_eq!(refusal.code, Code::NotCourseMember);
    // Nothing is asked of who has signed.
    assert_eq!(told_refusal(&mut a).await, None);
    store.set_members(&course, None).unwrap();

    let now = campus.certs.now();
    let alone = |mut terms: Terms| {
        terms.group = "1".parse().unwrap();
        terms.check()
    };
    store.change_assignment(place(&campus), alone, now).unwrap();
    assert_eq!(told_refusal(&mut b).await, Some((Code::GroupSize, None)));
    let refusal = b.sign(&work).await.unwrap_err();
    assert_eq!(refusal.code, Code::GroupSize);
    let pairs = |mut terms: Terms| {
        terms.group = "1..3".parse().unwrap();
        terms.check()
    };
    store.change_assignment(place(&campus), pairs, now).unwrap();
    assert_eq!(told_refusal(&mut b).await, None);
    b.sign(&work).await.unwrap().receipt();
}

#[tokio::test]
async fn what_somebody_has_handed_in_with_others_is_told_to_himself_alone() {
    let campus = Campus::open().await;
    let kept = |mut terms: Terms| {
        terms.groups = "kept".parse().unwrap();
        terms.check()
    };
    let (store, now) = (Store::open(&campus.home).unwrap(), campus.certs.now());
    store.change_assignment(place(&campus), kept, now).unwrap();
    let mut before = campus.group(&[B, "1155000004"]);
    before.hand_in().await.unwrap();
    let [mut a, mut b, mut c] = [A, B, C].map(|sid| Machine::of(&campus, &[sid]));
    let work = a.work(&[A, B, C], b"our report");
    a.propose(&work).await.unwrap().waits();
    assert_eq!(told_refusal(&mut c).await, None, "not his to know");
    let told = told_refusal(&mut b).await;
    assert_eq!(told, Some((Code::OtherGroup, Some(B.to_owned()))));
    assert_eq!(b.sign(&work).await.unwrap_err().code, Code::OtherGroup);
    c.sign(&work).await.unwrap().waits();
}

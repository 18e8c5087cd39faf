//! Saying no, taking back, and waiting in vain.

use std::time::Duration;

use scb_protocol::message::proposal::{ProposalState, Said};
use scb_protocol::{Code, from_seconds};

use super::{A, B, C, Campus, Machine, happened};
use crate::store::{Register, Store};

const HOUR: Duration = Duration::from_secs(60 * 60);

#[tokio::test]
async fn who_says_no_ends_it_and_the_others_are_told_why() {
    let campus = Campus::open().await;
    let [mut a, mut b, mut c] = [A, B, C].map(|sid| Machine::of(&campus, &[sid]));
    let work = a.work(&[A, B, C], b"our report");
    a.propose(&work).await.unwrap().waits();
    let id = work.submission();
    let standing = b.end(id, Some("page 3 is not mine")).await.unwrap();
    assert_eq!(standing.state, ProposalState::Declined);
    assert_eq!(b.end(id, None).await.unwrap(), standing, "again");
    let told = a.told().await.remove(0).listed.standing;
    assert_eq!(told.members[1].said, Said::Declined);
    let reason = told.members[1].reason.as_ref().unwrap();
    assert_eq!(reason.to_string(), "page 3 is not mine");
    let refusal = c.sign(&work).await.unwrap_err();
    assert_eq!(refusal.code, Code::ProposalEnded);
    assert_eq!(refusal.params["state"], "declined");
    assert_eq!(a.begin(&work).await.unwrap_err().code, Code::ProposalEnded);
    // Each who was refused has an entry about himself.
    assert_eq!(
        happened(&campus),
        ["proposed", "signed", "declined", "refused", "refused"]
    );
    assert_eq!(campus.submissions(), []);
}

#[tokio::test]
async fn who_has_signed_takes_it_back() {
    let campus = Campus::open().await;
    let [mut a, mut b, mut c] = [A, B, C].map(|sid| Machine::of(&campus, &[sid]));
    let work = a.work(&[A, B, C], b"our report");
    a.propose(&work).await.unwrap().waits();
    b.sign(&work).await.unwrap().waits();
    let standing = b.end(work.submission(), None).await.unwrap();
    assert_eq!(standing.state, ProposalState::Withdrawn);
    assert_eq!(standing.members[1].said, Said::Withdrawn);
    assert_eq!(c.sign(&work).await.unwrap_err().code, Code::ProposalEnded);
    assert_eq!(
        happened(&campus),
        ["proposed", "signed", "signed", "withdrawn", "refused"]
    );
}

#[tokio::test]
async fn what_is_handed_in_is_not_taken_back() {
    let campus = Campus::open().await;
    let [mut a, mut b] = [A, B].map(|sid| Machine::of(&campus, &[sid]));
    let work = a.work(&[A, B], b"our report");
    a.propose(&work).await.unwrap().waits();
    b.sign(&work).await.unwrap().receipt();
    let refusal = a.end(work.submission(), None).await.unwrap_err();
    assert_eq!(refusal.code, Code::ProposalEnded);
    assert_eq!(refusal.params["state"], "accepted");
    assert_eq!(campus.submissions().len(), 1);
}

#[tokio::test]
async fn others_cannot_end_it_and_do_not_learn_of_it() {
    let campus = Campus::open().await;
    let [mut a, mut c] = [A, C].map(|sid| Machine::of(&campus, &[sid]));
    let work = a.work(&[A, B], b"our report");
    a.propose(&work).await.unwrap().waits();
    let other = a.work(&[A, B], b"another").submission();
    for id in [work.submission(), other] {
        let refusal = c.end(id, None).await.unwrap_err();
        assert_eq!(refusal.code, Code::SubmissionUnknown);
        assert_eq!(refusal.params.len(), 0);
    }
    assert_eq!(c.told().await, []);
    let refusal = c.sign(&work).await.unwrap_err();
    assert_eq!(refusal.code, Code::MemberMismatch);
    let mut both = Machine::of(&campus, &[B, C]);
    assert_eq!(both.told().await, [], "one of them is not named");
    assert_eq!(happened(&campus), ["proposed", "signed", "refused"]);
}

#[tokio::test]
async fn what_nobody_signs_in_time_lapses_and_its_files_go() {
    let mut campus = Campus::with(|config| config.cosign_window = HOUR).await;
    let work = {
        let mut a = Machine::of(&campus, &[A]);
        let work = a.work(&[A, B], b"our report");
        a.propose(&work).await.unwrap().waits();
        work
    };
    let kept = campus.home.path("content/uploads");
    let kept = kept.join(work.submission().to_string());
    assert!(kept.exists());
    campus.certs.clock().advance(HOUR);
    let mut b = Machine::of(&campus, &[B]);
    assert_eq!(
        b.told().await[0].listed.standing.state,
        ProposalState::Waiting
    );
    drop(b);
    campus.certs.clock().advance(Duration::from_secs(1));
    let mut b = Machine::of(&campus, &[B]);
    let told = b.told().await.remove(0).listed.standing;
    assert_eq!(told.state, ProposalState::Lapsed);
    let refusal = b.sign(&work).await.unwrap_err();
    assert_eq!(refusal.code, Code::ProposalEnded);
    assert_eq!(refusal.params["state"], "lapsed");
    drop(b);
    campus.stop().await;
    campus.certs.clock().advance(HOUR);
    campus.start().await.unwrap();
    assert!(!kept.exists());
    assert_eq!(
        happened(&campus),
        ["proposed", "signed", "refused", "lapsed"]
    );
    let register = Register::open(&campus.home, Store::open(&campus.home).unwrap()).unwrap();
    assert_eq!(
        register.lapse_proposals(campus.certs.now()).unwrap(),
        0,
        "once"
    );
}

#[tokio::test]
async fn once_all_have_signed_the_files_follow_within_the_window_for_uploads() {
    let campus = Campus::with(|config| config.upload_window = HOUR).await;
    let [mut a, mut b] = [A, B].map(|sid| Machine::of(&campus, &[sid]));
    let work = a.work(&[A, B], b"our report");
    a.begin(&work).await.unwrap();
    let store = Store::open(&campus.home).unwrap();
    assert_eq!(store.unfinished().unwrap(), [], "one has still to sign");
    campus.certs.clock().advance(HOUR);
    let standing = b.sign(&work).await.unwrap().waits();
    assert_eq!(standing.state, ProposalState::Signed);
    let until = campus.certs.now().as_secs() + HOUR.as_secs();
    assert_eq!(standing.until.as_secs(), until);
    let waits = store.unfinished().unwrap();
    assert_eq!(waits.len(), 1, "the teacher is told of it");
    assert_eq!(waits[0].statement.submission, work.submission());
    assert_eq!(waits[0].commitment.upload_until.as_secs(), until);
    campus.certs.clock().set(from_seconds(until));
    a.begin(&work).await.unwrap();
    campus.certs.clock().advance(Duration::from_secs(1));
    let refusal = a.begin(&work).await.unwrap_err();
    assert_eq!(refusal.code, Code::ProposalEnded);
    assert_eq!(refusal.params["state"], "lapsed");
}

#[tokio::test]
async fn who_proposed_it_gives_up_what_all_have_signed_and_whose_files_have_not_come() {
    let campus = Campus::open().await;
    let [mut a, mut b] = [A, B].map(|sid| Machine::of(&campus, &[sid]));
    let work = a.work(&[A, B], b"our report");
    drop(a.begin(&work).await.unwrap());
    let standing = b.sign(&work).await.unwrap().waits();
    assert_eq!(standing.state, ProposalState::Signed);
    let id = work.submission();
    // Who has not its files cannot say that they will never come.
    assert_eq!(b.end(id, None).await.unwrap_err().code, Code::ProposalEnded);
    let standing = a.end(id, None).await.unwrap();
    assert_eq!(standing.state, ProposalState::Withdrawn);
    assert_eq!(a.begin(&work).await.unwrap_err().code, Code::ProposalEnded);
    let told = b.told().await.remove(0).listed.standing;
    assert_eq!(told.state, ProposalState::Withdrawn);
}

#[tokio::test]
async fn a_newer_version_ends_what_the_same_members_proposed_before() {
    let campus = Campus::open().await;
    let [mut a, mut b] = [A, B].map(|sid| Machine::of(&campus, &[sid]));
    let [draft, other, report] = [
        a.work(&[A, B], b"a draft"),
        a.work(&[A, B, C], b"a draft"),
        a.work(&[A, B], b"our report"),
    ];
    for work in [&draft, &other, &report] {
        a.propose(work).await.unwrap().waits();
    }
    b.sign(&report).await.unwrap().receipt();
    // Nobody puts the older one in its place, late and alone.
    let refusal = b.sign(&draft).await.unwrap_err();
    assert_eq!(refusal.code, Code::ProposalEnded);
    assert_eq!(refusal.params["state"], "lapsed");
    assert_eq!(campus.submissions().len(), 1);
    let entered = happened(&campus);
    let after = entered
        .iter()
        .position(|entry| *entry == "accepted")
        .unwrap();
    assert_eq!(entered[after + 1], "lapsed");
    // What others are to sign as well is another matter, and so is what is proposed afterwards.
    let waits = b.told().await;
    assert!(
        waits
            .iter()
            .any(|one| one.listed.standing.submission == other.submission())
    );
    let next = a.work(&[A, B], b"our last report");
    a.propose(&next).await.unwrap().waits();
    b.sign(&next).await.unwrap().receipt();
}

//! The clock is set back while the server runs: what is over stays over.

use std::time::Duration;

use rustls_pki_types::UnixTime;
use scb_protocol::rules::Terms;
use scb_protocol::{Code, Step, from_seconds};

use super::campus::Campus;
use super::cuhk::Answer;
use super::proposals::entries;
use crate::store::{Place, Register, Store};

const ALICE: &str = "1155000001";
const BOB: &str = "1155000002";

fn set(campus: &Campus, seconds: u64) {
    let now = Duration::from_secs(seconds);
    let clock = campus.certs.clock();
    clock.set(UnixTime::since_unix_epoch(now));
}

#[tokio::test]
async fn an_assignment_that_is_over_is_not_open_again_and_no_entry_goes_back() {
    let campus = Campus::open().await;
    let began = campus.certs.now().as_secs();
    let change = move |mut terms: Terms| {
        terms.due = Some(from_seconds(began + 600));
        terms.check()
    };
    let place = Place {
        domain: campus.service.trust_domain().clone(),
        course: "SANDBOX".parse().unwrap(),
        assignment: "lab".parse().unwrap(),
    };
    let store = Store::open(&campus.home).unwrap();
    store
        .change_assignment(place, change, from_seconds(began))
        .unwrap();
    set(&campus, began + 1200);
    let refusal = campus.group(&[ALICE]).commit().await.unwrap_err();
    assert_eq!(refusal.code, Code::AssignmentClosed);

    // It is in the log how late it was.
    set(&campus, began);
    let refusal = campus.group(&[BOB]).commit().await.unwrap_err();
    assert_eq!(refusal.code, Code::ClockSetBack, "{refusal:?}");
    assert!(
        refusal.params["last"] > refusal.params["now"],
        "{refusal:?}"
    );
    let times = |campus: &Campus| -> Vec<u64> {
        let entries = entries(campus);
        entries
            .iter()
            .map(|leaf| leaf.at.as_secs() - began)
            .collect()
    };
    assert_eq!(times(&campus).last(), Some(&1200));

    // A clock that is set by a little stands still: it is as late as it was.
    set(&campus, began + 1198);
    let refusal = campus.group(&[BOB]).commit().await.unwrap_err();
    assert_eq!(refusal.code, Code::AssignmentClosed);
    assert!(times(&campus).is_sorted());

    // The operator vouches for it: it was ahead before.
    Register::vouch_for_clock(&store).unwrap();
    set(&campus, began);
    campus.group(&[BOB]).hand_in().await.unwrap();
}

#[tokio::test]
async fn nothing_is_dated_by_a_clock_that_is_set_in_the_middle_of_a_session() {
    let campus = Campus::open().await;
    let began = campus.certs.now().as_secs();
    // Later than every entry, so that the log itself has nothing against the time.
    for (moved, told) in [(-1800, "seconds_behind"), (1800, "seconds_ahead")] {
        campus.cuhk.answer(Answer::Honest);
        set(&campus, began + 3600);
        let mut group = campus.group(&[ALICE]);
        let (connection, session) = group.open_session().await.unwrap();
        let before = entries(&campus).len();
        set(&campus, (began + 3600).saturating_add_signed(moved));
        campus.cuhk.answer(Answer::Ahead(-moved));
        let refusal = group.submit(connection, session).await.unwrap_err();
        assert_eq!(
            (refusal.code, refusal.step),
            (Code::PlatformClock, Step::Six),
            "{refusal:?}"
        );
        assert_eq!(refusal.params[told], "1800");
        assert_eq!(entries(&campus).len(), before, "it was committed");
    }
}

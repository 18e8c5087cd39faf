//! When nothing can come any more, and what the log says of it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls_pki_types::UnixTime;
use scb_protocol::from_seconds;
use scb_protocol::rules::{Extension, Terms};

use super::campus::Campus;
use super::proposals::{A, B, Machine, entries};
use super::uploads::interrupted;
use crate::store::closing::Closing;
use crate::store::{NotListed, Place, Register, Store};

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

pub(super) fn place(campus: &Campus) -> Place {
    Place {
        domain: campus.service.trust_domain().clone(),
        course: "SANDBOX".parse().unwrap(),
        assignment: "lab".parse().unwrap(),
    }
}

fn later(campus: &Campus, seconds: u64) -> UnixTime {
    from_seconds(campus.certs.now().as_secs() + seconds)
}

/// The assignment is due so many seconds from now.
pub(super) fn due(campus: &Campus, store: &Store, seconds: u64) {
    let due = later(campus, seconds);
    let change = move |mut terms: Terms| {
        terms.due = Some(due);
        terms.check()
    };
    let now = campus.certs.now();
    store.change_assignment(place(campus), change, now).unwrap();
}

/// Closes it so many seconds from now.
pub(super) fn close(campus: &Campus, store: &Store, seconds: u64) -> Closing {
    let closed = store.close_assignment(&place(campus), later(campus, seconds));
    closed.unwrap()
}

#[tokio::test]
async fn an_assignment_is_closed_after_the_last_extension_and_once() {
    let campus = Campus::open().await;
    campus.three().hand_in().await.unwrap();
    let store = Store::open(&campus.home).unwrap();
    let close = |seconds| close(&campus, &store, seconds);
    assert_eq!(close(DAY), Closing::TakenUntil(None), "always open");
    due(&campus, &store, HOUR);
    let extension = Extension {
        sid: "1155000001".parse().unwrap(),
        due: later(&campus, DAY),
        cutoff: None,
    };
    let now = campus.certs.now();
    store
        .extend(place(&campus), vec![extension], NotListed::Refused, now)
        .unwrap();
    let until = Closing::TakenUntil(Some(later(&campus, DAY)));
    for seconds in [0, 2 * HOUR, DAY] {
        assert_eq!(close(seconds), until);
    }
    for seconds in 1..=5 {
        let settles = Closing::Settling(later(&campus, DAY + 5));
        assert_eq!(close(DAY + seconds), settles, "what came may be entered");
    }
    let closed = close(DAY + 6);
    assert!(matches!(closed, Closing::Closed(_)), "{closed:?}");
    assert_eq!(close(DAY + 7), closed, "entered once");
    let day = Duration::from_secs(DAY + 7);
    campus.certs.clock().advance(day);
    due(&campus, &store, 2 * HOUR);
    let again = close(DAY + 8);
    assert!(matches!(again, Closing::Closed(_)) && again != closed);
}

#[tokio::test]
async fn an_upload_that_has_begun_keeps_an_assignment_from_being_closed() {
    let campus = Campus::open().await;
    interrupted(&campus).await;
    let store = Store::open(&campus.home).unwrap();
    due(&campus, &store, HOUR);
    let close = |seconds| close(&campus, &store, seconds);
    let waits = close(2 * HOUR);
    assert!(matches!(waits, Closing::UploadUntil(_)), "{waits:?}");
    let closed = close(10 * DAY);
    assert!(matches!(closed, Closing::Closed(_)), "{closed:?}");
}

/// What somebody else sees each time while CUHK is asked of a statement, which takes three seconds.
fn meanwhile<T: Send + 'static>(
    campus: &Campus,
    look: impl Fn() -> T + Send + 'static,
) -> Arc<Mutex<Vec<T>>> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    campus.cuhk.set(|state| {
        state.thinks = Duration::from_secs(3);
        state.meanwhile = Some(Box::new(move || noted.lock().unwrap().push(look())));
    });
    seen
}

#[tokio::test]
async fn no_log_is_closed_before_what_came_in_the_last_second_is_entered() {
    let campus = Campus::open().await;
    let mut group = campus.three();
    let (connection, session) = group.open_session().await.unwrap();
    let store = Store::open(&campus.home).unwrap();
    due(&campus, &store, 1);
    let settles = Closing::Settling(later(&campus, 6));
    let (place, certs) = (place(&campus), Arc::clone(&campus.certs));
    let other = Store::open(&campus.home).unwrap();
    let seen = meanwhile(&campus, move || {
        other.close_assignment(&place, certs.now()).unwrap()
    });
    group.submit(connection, session).await.unwrap();
    assert_eq!(
        seen.lock().unwrap()[0],
        settles,
        "two seconds after its end"
    );
    let closed = close(&campus, &store, 10);
    assert!(matches!(closed, Closing::Closed(_)), "{closed:?}");
    let entries = entries(&campus);
    let named: Vec<_> = entries.iter().map(|leaf| leaf.entry.name()).collect();
    assert_eq!(
        named[named.len() - 3..],
        ["committed", "accepted", "closed"]
    );
}

#[tokio::test]
async fn nothing_lapses_before_a_signature_of_the_last_second_is_entered() {
    let campus = Campus::open().await;
    let [mut a, mut b] = [A, B].map(|sid| Machine::of(&campus, &[sid]));
    let work = a.work(&[A, B], b"the report");
    a.propose(&work).await.unwrap().waits();
    let store = Store::open(&campus.home).unwrap();
    due(&campus, &store, 1);
    let certs = Arc::clone(&campus.certs);
    let register = Register::open(&campus.home, store).unwrap();
    let lapsed = meanwhile(&campus, move || {
        register.lapse_proposals(certs.now()).unwrap()
    });
    b.sign(&work).await.unwrap().receipt();
    assert_eq!(lapsed.lock().unwrap()[0], 0, "two seconds after its end");
}

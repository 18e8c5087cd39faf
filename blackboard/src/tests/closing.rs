//! When nothing can come any more, and what the log says of it.

use rustls_pki_types::UnixTime;
use scb_protocol::from_seconds;
use scb_protocol::rules::{Extension, Terms};

use super::campus::Campus;
use super::uploads::interrupted;
use crate::store::closing::Closing;
use crate::store::{NotListed, Place, Store};

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

fn place(campus: &Campus) -> Place {
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
    let closed = close(DAY + 1);
    assert!(matches!(closed, Closing::Closed(_)), "{closed:?}");
    assert_eq!(close(DAY + 2), closed, "entered once");
    let day = std::time::Duration::from_secs(DAY + 2);
    campus.certs.clock().advance(day);
    due(&campus, &store, 2 * HOUR);
    let again = close(DAY + 3);
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

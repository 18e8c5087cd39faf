//! Blackboard witnesses CUHK's issuance log: it cosigns what grew, and nothing else.

use super::campus::Campus;
use super::eventually;
use super::log::FakeLog;
use crate::store::Store;

fn cosigned(campus: &Campus) -> Vec<u64> {
    campus.cuhk.state.lock().unwrap().log.cosigned.clone()
}

/// How large the log is that this server remembers.
async fn remembered(campus: &Campus) -> u64 {
    let store = Store::open(&campus.home).unwrap();
    let known = store.known_log().await.unwrap();
    store.close().await;
    known.unwrap().head.size
}

#[tokio::test]
async fn what_grew_is_recorded_and_cosigned() {
    let mut campus = Campus::open().await;
    eventually("the first cosignature", || cosigned(&campus) == [1]).await;
    assert_eq!(remembered(&campus).await, 1);
    campus
        .cuhk
        .set(|state| state.log.grow(&["second", "third"]));
    eventually("the next one", || cosigned(&campus) == [1, 3]).await;
    assert_eq!(remembered(&campus).await, 3);
    campus.stop().await;
}

#[tokio::test]
async fn a_log_that_was_rewritten_or_cut_is_never_cosigned_not_even_after_a_restart() {
    let mut campus = Campus::open().await;
    campus.cuhk.set(|state| state.log.grow(&["second"]));
    eventually("a cosignature", || cosigned(&campus).contains(&2)).await;
    campus.stop().await;
    for entries in [
        &["first", "another", "third"][..],
        &["first"],
        &["another", "second", "third"],
    ] {
        campus.cuhk.set(|state| state.log = FakeLog::of(entries));
        campus.start().await.unwrap();
        let looks = || campus.cuhk.state.lock().unwrap().log.looks;
        eventually("a look", || looks() > 0).await;
        campus.stop().await;
        assert!(cosigned(&campus).is_empty(), "{entries:?}");
        assert_eq!(remembered(&campus).await, 2, "{entries:?}");
    }
}

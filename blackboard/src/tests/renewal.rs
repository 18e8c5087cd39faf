//! The service certificate renews itself.

use std::sync::Arc;
use std::time::Duration;

use scb_certs::Chain;
use tokio::sync::watch;

use super::campus::Campus;
use crate::authority::{Authority, Settings};
use crate::identity::{Identity, IdentityFiles};
use crate::renewal::Renewal;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Renewal as the server has it, for a server that is stopped.
async fn renewal(campus: &Campus) -> Renewal {
    let files = IdentityFiles::open(&campus.home).unwrap();
    let identity = watch::Sender::new(Arc::new(files.current().unwrap().unwrap()));
    let authority = Authority::start(Settings {
        identity: identity.subscribe(),
        ..campus.authority()
    });
    Renewal {
        files,
        identity,
        authority: authority.await.unwrap(),
        clock: campus.clock(),
    }
}

fn stored(campus: &Campus) -> Identity {
    IdentityFiles::open(&campus.home)
        .unwrap()
        .current()
        .unwrap()
        .unwrap()
}

/// CUHK goes on publishing fresh lists while the time goes by.
async fn let_pass(campus: &mut Campus, days: u32) {
    campus.certs.clock().advance(DAY * days);
    let lists = campus.certs.crls(20 + u64::from(days), &[]);
    campus.cuhk.set(|state| {
        state.crls = lists;
        state.epoch += 1;
    });
    campus.cuhk.stop().await;
    campus.cuhk.resume().await;
}

#[tokio::test]
async fn does_nothing_while_a_third_of_its_life_is_left() {
    let mut campus = Campus::open().await;
    campus.stop().await;
    let before = stored(&campus).chain;
    let_pass(&mut campus, 59).await;
    assert_eq!(renewal(&campus).await.renew_if_due().await.unwrap(), None);
    assert_eq!(stored(&campus).chain, before);
}

#[tokio::test]
async fn renews_in_its_last_third_and_serves_under_the_new_certificate() {
    let mut campus = Campus::open().await;
    campus.stop().await;
    let before = stored(&campus).chain;
    let_pass(&mut campus, 61).await;
    campus.start().await.unwrap();
    super::eventually("renewed", || stored(&campus).chain != before).await;
    let after = stored(&campus).chain;
    assert!(after.leaf().not_after() > before.leaf().not_after());
    assert_ne!(
        after.leaf().public_key().unwrap(),
        before.leaf().public_key().unwrap()
    );
    let shown = served_within(&campus, &after).await;
    assert!(shown, "new connections still see the old certificate");
    campus.three().hand_in().await.unwrap();
}

async fn served_within(campus: &Campus, expected: &Chain) -> bool {
    for _ in 0..200 {
        let connection = campus.three().connect().await.unwrap();
        if connection.peer_chain().unwrap().leaf() == expected.leaf() {
            return true;
        }
    }
    false
}

#[tokio::test]
async fn an_answer_for_another_key_changes_nothing() {
    let mut campus = Campus::open().await;
    campus.stop().await;
    let before = stored(&campus).chain;
    let_pass(&mut campus, 61).await;
    let renewal = renewal(&campus).await;
    let other = campus.certs.service("blackboard");
    campus.cuhk.set(|state| state.wrong_key = Some(other));
    let error = renewal.renew_if_due().await.unwrap_err();
    assert!(error.to_string().contains("another key"), "{error}");
    assert_eq!(stored(&campus).chain, before);
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_with_the_same_key() {
    let mut campus = Campus::open().await;
    campus.stop().await;
    let_pass(&mut campus, 61).await;
    let renewal = renewal(&campus).await;
    campus.cuhk.set(|state| state.lose_answers = true);
    renewal.renew_if_due().await.unwrap_err();
    campus.cuhk.set(|state| state.lose_answers = false);
    super::eventually("the pause after a failure is over", {
        let begun = std::time::Instant::now();
        move || begun.elapsed() > Duration::from_millis(250)
    })
    .await;
    renewal.renew_if_due().await.unwrap().unwrap();
    let keys: Vec<_> = campus
        .cuhk
        .state
        .lock()
        .unwrap()
        .issued
        .iter()
        .map(|i| i.0.clone())
        .collect();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0], keys[1]);
}

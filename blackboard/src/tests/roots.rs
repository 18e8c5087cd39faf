//! Which roots count is what CUHK's root has signed, and never an older word of it.

use std::time::Duration;

use rustls_pki_types::UnixTime;
use scb_certs::{Certificate, Root, SigningKey};
use scb_protocol::{Code, SignedBundle};
use tokio::time::{Instant, sleep};

use super::campus::Campus;
use super::usual;
use crate::authority::Authority;
use crate::enrol::{receipt_roots, stored_roots};

/// How soon another root counts, and one that was dropped no more.
const PROMISED: Duration = Duration::from_secs(5);

/// Waits until these are the roots that this server goes by, which is promised within five seconds.
async fn learnt(campus: &Campus, roots: &[Certificate], usual: Duration) {
    let announced = Instant::now();
    while stored_roots(&campus.home).unwrap() != roots {
        let since = announced.elapsed();
        assert!(since < PROMISED + usual, "{since:?}, {usual:?}");
        sleep(Duration::from_millis(20)).await;
    }
}

fn another_root(campus: &Campus) -> Root {
    let domain = campus.certs.root().certificate().authority_trust_domain();
    let key = SigningKey::generate().unwrap();
    Root::create(&domain.unwrap(), key, campus.certs.now()).unwrap()
}

fn bundle(campus: &Campus, by: &Root, roots: &[Certificate], sequence: u64) -> SignedBundle {
    let now = campus.certs.now();
    let end = UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs() + 86_400));
    SignedBundle::sign(&[by], roots, sequence, (now, end)).unwrap()
}

fn announce(campus: &Campus, signed: SignedBundle) {
    campus.cuhk.set(|state| {
        state.bundle = Some(signed);
        state.epoch += 1;
    });
}

#[tokio::test]
async fn another_root_is_learnt_by_itself_and_kept() {
    let campus = Campus::open().await;
    let (first, second) = (campus.certs.root(), another_root(&campus));
    let both = [first.certificate().clone(), second.certificate().clone()];
    let usual = usual(&campus, 1).await;
    announce(&campus, bundle(&campus, first, &both, 2));
    learnt(&campus, &both, usual).await;
    campus.three().hand_in().await.unwrap();
    // Receipts of its time stay good when the first one counts no more.
    announce(&campus, bundle(&campus, &second, &both[1..], 3));
    learnt(&campus, &both[1..], usual).await;
    let mut roots = receipt_roots(&campus.home).unwrap();
    roots.sort();
    let mut expected = both.map(|root| root.fingerprint());
    expected.sort();
    assert_eq!(roots, expected);
}

#[tokio::test]
async fn an_older_bundle_and_one_of_a_stranger_are_refused() {
    let campus = Campus::open().await;
    let (first, second) = (campus.certs.root(), another_root(&campus));
    let both = [first.certificate().clone(), second.certificate().clone()];
    announce(&campus, bundle(&campus, first, &both, 2));
    Authority::start(campus.authority()).await.unwrap();
    assert_eq!(stored_roots(&campus.home).unwrap(), both);
    let stranger = another_root(&campus);
    for wrong in [
        bundle(&campus, first, &both[..1], 1),
        bundle(&campus, &stranger, &[stranger.certificate().clone()], 3),
    ] {
        announce(&campus, wrong);
        let mut settings = campus.authority();
        settings.roots = both.to_vec();
        let refused = Authority::start(settings).await.unwrap_err();
        assert_eq!(refused.code, Code::CuhkUnavailable, "{refused}");
        assert_eq!(stored_roots(&campus.home).unwrap(), both);
    }
}

#[tokio::test]
async fn whoever_missed_a_root_catches_up_step_by_step() {
    let campus = Campus::open().await;
    let first = campus.certs.root();
    let (second, third) = (another_root(&campus), another_root(&campus));
    let all = [first, &second, &third].map(|root| root.certificate().clone());
    let missed = bundle(&campus, first, &all[..2], 2);
    announce(&campus, bundle(&campus, &second, &all, 3));
    let refused = Authority::start(campus.authority()).await.unwrap_err();
    assert_eq!(refused.code, Code::CuhkUnavailable, "{refused}");
    campus
        .cuhk
        .set(|state| drop(state.earlier.insert(2, missed)));
    Authority::start(campus.authority()).await.unwrap();
    assert_eq!(stored_roots(&campus.home).unwrap(), all);
}

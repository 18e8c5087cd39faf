//! The trust bundle: only a trusted root says which roots count, and never goes back.

use std::time::Duration;

use rustls_pki_types::UnixTime;
use scb_certs::{Certificate, Root, SigningKey, TrustStore};
use scb_protocol::{BundleError, SignedBundle};
use scb_testkit::TestCampus;

fn root(domain: &str, now: UnixTime) -> Root {
    Root::create(
        &domain.parse().unwrap(),
        SigningKey::generate().unwrap(),
        now,
    )
    .unwrap()
}

fn day(now: UnixTime) -> (UnixTime, UnixTime) {
    let end = UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs() + 86_400));
    (now, end)
}

fn only(root: &Root) -> TrustStore {
    TrustStore::new(root.certificate().clone()).unwrap()
}

#[test]
fn a_trusted_root_says_that_another_counts_beside_it() {
    let campus = TestCampus::new();
    let (now, old) = (campus.now(), campus.root());
    let new = root("campus.test", now);
    let roots = [old.certificate().clone(), new.certificate().clone()];
    let signed = SignedBundle::sign(&[old], &roots, 2, day(now)).unwrap();
    let bundle = signed.verify(&only(old), 1, now).unwrap();
    assert!(signed.verify(&only(&new), 1, now).is_err());
    let by_both = SignedBundle::sign(&[old, &new], &roots, 2, day(now)).unwrap();
    for known in [old, &new] {
        let bundle = by_both.verify(&only(known), 1, now).unwrap();
        assert_eq!(bundle.trust().roots(), &roots);
    }
    assert_eq!((bundle.sequence(), bundle.trust().roots()), (2, &roots[..]));
    assert_eq!(signed.sequence(), Ok(2));
    // The same again is no step back; and from then on the new root may drop the old one.
    signed.verify(bundle.trust(), 2, now).unwrap();
    let alone = SignedBundle::sign(&[&new], &roots[1..], 3, day(now)).unwrap();
    let last = alone.verify(bundle.trust(), 2, now).unwrap();
    assert_eq!(last.trust().roots(), &roots[1..]);
}

#[test]
fn refuses_a_bundle_of_a_root_that_is_not_trusted() {
    let campus = TestCampus::new();
    let (now, old) = (campus.now(), campus.root());
    let stranger = root("campus.test", now);
    let roots = [old.certificate().clone(), stranger.certificate().clone()];
    let signed = SignedBundle::sign(&[&stranger], &roots, 2, day(now)).unwrap();
    let refused = signed.verify(&only(old), 1, now).unwrap_err();
    assert_eq!(refused, BundleError::Untrusted);
}

#[test]
fn refuses_to_go_back() {
    let campus = TestCampus::new();
    let (now, old) = (campus.now(), campus.root());
    let signed = SignedBundle::sign(&[old], &[old.certificate().clone()], 4, day(now)).unwrap();
    signed.verify(&only(old), 4, now).unwrap();
    let refused = signed.verify(&only(old), 5, now).unwrap_err();
    assert_eq!(refused, BundleError::WentBack { known: 5, found: 4 });
}

#[test]
fn refuses_what_is_not_in_force() {
    let campus = TestCampus::new();
    let (now, old) = (campus.now(), campus.root());
    let (begin, end) = day(now);
    let signed = SignedBundle::sign(&[old], &[old.certificate().clone()], 1, (begin, end)).unwrap();
    signed.verify(&only(old), 0, end).unwrap();
    for seconds in [begin.as_secs() - 61, end.as_secs() + 61] {
        let then = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let refused = signed.verify(&only(old), 0, then).unwrap_err();
        assert!(
            matches!(refused, BundleError::NotInForce { .. }),
            "{refused}"
        );
    }
}

#[test]
fn refuses_what_was_altered_and_what_is_of_somebody_else() {
    let campus = TestCampus::new();
    let (now, old) = (campus.now(), campus.root());
    let own = [old.certificate().clone()];
    let signed = SignedBundle::sign(&[old], &own, 1, day(now)).unwrap();
    let altered = SignedBundle {
        bundle: signed.bundle.replace("\"sequence\":1", "\"sequence\":9"),
        ..signed.clone()
    };
    assert_ne!(altered, signed);
    let garbled = SignedBundle {
        signatures: vec![vec![0; 8]],
        ..signed
    };
    for wrong in [altered, garbled] {
        let refused = wrong.verify(&only(old), 0, now).unwrap_err();
        assert!(matches!(refused, BundleError::Malformed(_)), "{refused}");
    }
    let elsewhere = root("other.example", now);
    let roots: [Certificate; 2] = [own[0].clone(), elsewhere.certificate().clone()];
    let none: &[Certificate] = &[];
    for roots in [&roots[..], none] {
        let signed = SignedBundle::sign(&[old], roots, 1, day(now)).unwrap();
        let refused = signed.verify(&only(old), 0, now).unwrap_err();
        assert!(matches!(refused, BundleError::Malformed(_)), "{refused}");
    }
}

#[test]
fn whoever_missed_a_bundle_is_told_which_ones_lead_on() {
    let campus = TestCampus::new();
    let (now, first) = (campus.now(), campus.root());
    let (second, third) = (root("campus.test", now), root("campus.test", now));
    let of = |root: &Root| root.certificate().clone();
    let two = [of(first), of(&second)];
    let three = [of(first), of(&second), of(&third)];
    let missed = SignedBundle::sign(&[first, &second], &two, 2, day(now)).unwrap();
    let latest = SignedBundle::sign(&[&second, &third], &three, 3, day(now)).unwrap();
    let known = only(first);
    assert_eq!(
        latest.verify(&known, 1, now).unwrap_err(),
        BundleError::Untrusted
    );
    let ways = (latest.missed(&known, 1), latest.missed(&known, 0));
    assert_eq!((ways.0.number(), ways.1.number()), (Some(2), Some(1)));
    for way in [ways.0, ways.1] {
        assert_eq!(way.after(&missed).number(), None, "1 was left out");
    }
    assert!(missed.leads_on(&known) && missed.missed(&known, 1).number().is_none());
    let step = missed.verify(&known, 1, now).unwrap();
    assert_eq!(latest.missed(step.trust(), 2).number(), None);
    latest.verify(step.trust(), 2, now).unwrap();

    // A stranger's number makes nobody ask for ever, and leads nowhere.
    let stranger = root("campus.test", now);
    let endless = SignedBundle::sign(&[&stranger], &three, u64::MAX, day(now)).unwrap();
    let (mut way, mut asked) = (endless.missed(&known, 1), 0);
    while way.number().is_some() {
        // Somebody who answers with what was answered before.
        (way, asked) = (way.after(&missed), asked + 1);
    }
    assert_eq!(asked, 64);
    assert_eq!(endless.missed(&known, u64::MAX).number(), None);
    assert!(!endless.leads_on(&known));
}

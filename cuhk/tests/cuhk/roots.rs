//! Another root beside the first, and then in its place.

use std::time::Duration;

use rustls_pki_types::UnixTime;
use scb_certs::{IssuerKind, Root, SigningKey, TrustStore};
use scb_cli::{Failure, local_time};
use scb_cuhk::{
    Config, CrlSigner, Error, RootAnswer, RootRequest, import, import_root, request, request_root,
    sign, sign_root,
};
use scb_protocol::message::cuhk::{Reply, Request};
use scb_protocol::values::Der;
use scb_protocol::{Code, SignedBundle};

use crate::publication::get;
use crate::revocation::lists;
use crate::university::{Credentials, PASSPHRASE, University, refused};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl University {
    pub(crate) async fn asked_of_root(&self, another: bool) -> RootRequest {
        let (home, store, now) = (self.home(), self.store.clone(), self.clock.now());
        let request = move || request_root(&home, &store, another, now);
        tokio::task::spawn_blocking(request).await.unwrap().unwrap()
    }

    pub(crate) async fn take_in(&self, answer: RootAnswer) -> Result<Option<CrlSigner>, Error> {
        let (home, store, now) = (self.home(), self.store.clone(), self.clock.now());
        let import = move || import_root(&home, &store, &answer, now);
        let taken = tokio::task::spawn_blocking(import).await.unwrap();
        self.refresher.refresh().await.unwrap();
        taken
    }

    /// Another root, which the first has announced.
    pub(crate) async fn another_root(&self) -> Root {
        let (request, key) = (
            self.asked_of_root(true).await,
            SigningKey::generate().unwrap(),
        );
        let answer = sign_root(
            &request,
            &[self.root_with_key()],
            Some(key.clone()),
            self.clock.now(),
        );
        let signer = self.take_in(answer.unwrap()).await.unwrap().unwrap();
        assert_eq!(signer.to_string(), "root-2");
        let (_, known) = self.bundle().await;
        Root::from_parts(known.roots().last().unwrap().clone(), key).unwrap()
    }

    /// The trust bundle as a client that knows the first root alone reads it.
    pub(crate) async fn bundle(&self) -> (u64, TrustStore) {
        let signed = self.signed_bundle().await;
        let bundle = signed.verify(&self.trust(), 0, self.clock.now()).unwrap();
        (bundle.sequence(), bundle.trust().clone())
    }

    async fn signed_bundle(&self) -> SignedBundle {
        self.numbered_bundle(0).await
    }

    async fn numbered_bundle(&self, sequence: u64) -> SignedBundle {
        match self.ask(None, &Request::TrustBundle { sequence }).await {
            Ok(Reply::TrustBundle { bundle, signatures }) => SignedBundle {
                bundle,
                signatures: signatures
                    .iter()
                    .map(|der| der.as_bytes().to_vec())
                    .collect(),
            },
            other => panic!("no bundle: {other:?}"),
        }
    }

    pub(crate) async fn rotate_under(&self, root: &Root, kind: IssuerKind) {
        let (home, store, now) = (self.home(), self.store.clone(), self.clock.now());
        let root = root.clone();
        let ceremony = move || {
            let passphrase = PASSPHRASE.to_owned().into();
            let request = request(&home, &store, &Config::default(), kind, &passphrase)?;
            import(&home, &store, &sign(&request, &root, now)?, now)
        };
        tokio::task::spawn_blocking(ceremony)
            .await
            .unwrap()
            .unwrap();
        self.refresher.refresh().await.unwrap();
    }

    /// As in a home that was restored from a backup.
    fn lose_own_keys(&self) {
        for name in ["tls", "tokens"] {
            let dir = self.home().path(name);
            std::fs::remove_dir_all(&dir).unwrap();
            scb_cli::create_private_dir(&dir).unwrap();
        }
    }

    async fn root_in_tls(&self) -> bool {
        let chain = self.connect().await.peer_chain().unwrap().clone();
        chain.certificates()[1].names_issuer(&self.root)
    }

    pub(crate) async fn pass(&self, time: Duration) {
        self.clock.advance(time);
        self.refresher.refresh().await.unwrap();
    }
}

#[tokio::test]
async fn a_new_root_is_announced_by_the_first_and_both_count() {
    let university = University::open().await;
    let before = university.student("1155000001").await;
    assert_eq!(university.bundle().await.0, 1);
    let new = university.another_root().await;
    let (sequence, known) = university.bundle().await;
    assert_eq!((sequence, known.roots().len()), (2, 2));
    assert_eq!(
        lists(&university).await.1.len(),
        4,
        "the new root's as well"
    );

    university.rotate_under(&new, IssuerKind::Students).await;
    university.rotate_under(&new, IssuerKind::Services).await;
    university.pass(Duration::from_secs(10)).await;
    let after = university.student("1155000002").await;
    assert!(after.chain.certificates()[1].names_issuer(new.certificate()));
    let (_, published) = lists(&university).await;
    assert_eq!(published.len(), 6);
    let both = known.clone().with_crls(published.clone()).unwrap();
    let first_alone = university.trust().with_crls(published).unwrap();
    let now = university.clock.now();
    for who in [&before, &after] {
        both.verify_student(&who.chain, now).unwrap();
        university
            .ask(Some(who), &Request::RefreshToken {})
            .await
            .unwrap();
    }
    assert!(first_alone.verify_student(&after.chain, now).is_err());
    first_alone.verify_student(&before.chain, now).unwrap();

    // Who knows the first root alone can still connect, and learns of the other; also where CUHK has
    // no certificate of its own any more, as after a backup was restored.
    assert!(university.root_in_tls().await);
    let university = university.restart().await;
    assert!(university.root_in_tls().await);
    university.lose_own_keys();
    let university = university.restart().await;
    assert!(university.root_in_tls().await);
    assert_eq!(university.bundle().await.0, 2);
    // Whoever missed one may ask for it.
    let missed = university.numbered_bundle(1).await;
    assert_eq!(missed.sequence(), Ok(1));
    let none = university.ask(None, &Request::TrustBundle { sequence: 3 });
    assert_eq!(refused(none.await), Code::NotFound);
}

#[tokio::test]
async fn the_first_root_goes_with_what_it_certified() {
    let university = University::open().await;
    let new = university.another_root().await;
    university.rotate_under(&new, IssuerKind::Students).await;
    university.rotate_under(&new, IssuerKind::Services).await;
    university.pass(10 * DAY).await;
    assert_eq!(lists(&university).await.1.len(), 6);
    let (_, published) = get(&university, "/ca.pem").await;
    let both = university.root.to_pem() + &new.certificate().to_pem();
    assert_eq!(published, both.into_bytes());
    let old = university.bundle().await.1;
    university.pass(82 * DAY).await;
    let (_, published) = get(&university, "/ca.pem").await;
    assert_eq!(published, new.certificate().to_pem().into_bytes());
    let request = university.asked_of_root(false).await;
    let answer = sign_root(
        &request,
        std::slice::from_ref(&new),
        None,
        university.clock.now(),
    )
    .unwrap();
    let taken = {
        let (home, store, now) = (
            university.home(),
            university.store.clone(),
            university.clock.now(),
        );
        let import = move || import_root(&home, &store, &answer, now);
        tokio::task::spawn_blocking(import).await.unwrap()
    };
    assert!(taken.unwrap().is_none());
    let bundle = university
        .store
        .read(|records| records.bundles().latest())
        .await;
    let bundle = bundle
        .unwrap()
        .unwrap()
        .verify(&old, 2, university.clock.now())
        .unwrap();
    assert_eq!(bundle.trust().roots(), [new.certificate().clone()]);
}

#[tokio::test]
async fn a_root_that_has_ended_signs_nothing_as_nobody_would_believe_it() {
    let university = University::open().await;
    let request = university.asked_of_root(false).await;
    let (root, end) = (university.root_with_key(), university.root.not_after());
    let by = std::slice::from_ref(&root);
    sign_root(&request, by, None, end).unwrap();
    let after = UnixTime::since_unix_epoch(Duration::from_secs(end.as_secs() + 1));
    let refused = sign_root(&request, by, None, after);
    assert!(
        matches!(refused, Err(Error::RootEnded { .. })),
        "{refused:?}"
    );
    let asked = {
        let (home, store, passphrase) = (university.home(), university.store.clone(), PASSPHRASE);
        let passphrase = passphrase.to_owned().into();
        let kind = IssuerKind::Students;
        let asked = move || scb_cuhk::request(&home, &store, &Config::default(), kind, &passphrase);
        tokio::task::spawn_blocking(asked).await.unwrap().unwrap()
    };
    sign(&asked, &root, university.clock.now()).unwrap();
    let refused = sign(&asked, &root, after).unwrap_err();
    assert!(matches!(refused, Error::RootEnded { .. }));
    told_of_the_clock(refused, after, "If it is right");
    let begins = university.root.not_before();
    let before = UnixTime::since_unix_epoch(Duration::from_secs(begins.as_secs() - 1));
    let refused = sign(&asked, &root, before).unwrap_err();
    told_of_the_clock(refused, before, "--clock-is-right helps no clock");
    let refused = sign_root(&request, by, None, before).unwrap_err();
    told_of_the_clock(refused, before, "--clock-is-right helps no clock");
    for another in [true, false] {
        let (home, store) = (university.home(), university.store.clone());
        let request = move || request_root(&home, &store, another, after);
        let refused = tokio::task::spawn_blocking(request).await.unwrap();
        assert!(
            matches!(refused, Err(Error::RootEnded { .. })),
            "{refused:?}"
        );
    }
}

/// A root's own machine has no records to hold it against.
fn told_of_the_clock(refused: Error, now: UnixTime, remedy: &str) {
    let failure = Failure::from(refused);
    let clock = format!("this machine's clock says {}, but ", local_time(now));
    assert!(failure.message.contains(&clock), "{failure:?}");
    assert!(!failure.message.contains("records"), "{failure:?}");
    let told = failure.remedy.unwrap();
    assert!(
        told.contains("set it") || told.contains("set the clock"),
        "{told}"
    );
    assert!(told.contains(remedy), "{told}");
}

#[tokio::test]
async fn what_no_root_of_this_home_has_signed_changes_nothing() {
    let university = University::open().await;
    let now = university.clock.now();
    let request = university.asked_of_root(true).await;
    let key = || SigningKey::generate().unwrap();
    let stranger = Root::create(&"cuhk.example".parse().unwrap(), key(), now).unwrap();
    let refused = sign_root(&request, &[stranger], Some(key()), now);
    assert!(matches!(refused, Err(Error::RequestNotOurs { .. })));
    assert!(sign_root(&request, &[university.root_with_key()], None, now).is_err());

    let honest = sign_root(&request, &[university.root_with_key()], Some(key()), now).unwrap();
    let mut json: serde_json::Value = serde_json::from_slice(&honest.to_json()).unwrap();
    let other = sign_root(&request, &[university.root_with_key()], Some(key()), now).unwrap();
    let other: serde_json::Value = serde_json::from_slice(&other.to_json()).unwrap();
    let known = || {
        let home = university.home();
        let pem = std::fs::read_to_string(home.path("ca.pem")).unwrap();
        (pem, home.path("root-2").exists())
    };
    let before = known();
    assert_eq!(before.0.matches("BEGIN CERTIFICATE").count(), 1);
    let of_the_present_root = serde_json::json!([json["lists"][0]]);
    for (field, value) in [
        ("certificate", other["certificate"].clone()),
        ("lists", other["lists"].clone()),
        ("lists", of_the_present_root),
        ("lists", serde_json::json!([])),
        ("bundle", other["bundle"].clone()),
        ("signatures", other["signatures"].clone()),
    ] {
        let whole = std::mem::replace(&mut json[field], value);
        let mixed = RootAnswer::from_json(json.to_string().as_bytes()).unwrap();
        assert!(university.take_in(mixed).await.is_err(), "{field}");
        assert_eq!(known(), before, "{field}");
        json[field] = whole;
    }
    assert_eq!(university.bundle().await.0, 1);
    assert_eq!(lists(&university).await.1.len(), 3);
    assert!(RootAnswer::from_json(&request.to_json()).is_err());
    assert!(RootRequest::from_json(&honest.to_json()).is_err());

    // The twin: as it was signed, and only once.
    university.take_in(honest.clone()).await.unwrap();
    let used = |again: &Error| {
        again
            .to_string()
            .contains("number that its request asked for")
    };
    let again = university.take_in(honest).await.unwrap_err();
    assert!(matches!(again, Error::CeremonyInvalid(_)), "{again:?}");
    assert!(used(&again), "{again}");
    assert_eq!(university.bundle().await.0, 2);
}

#[tokio::test]
async fn own_keys_that_are_lost_long_after_another_root_came_are_under_that_one() {
    let university = University::open().await;
    let new = university.another_root().await;
    university.rotate_under(&new, IssuerKind::Services).await;
    university.pass(Duration::from_secs(10)).await;
    university.pass(59 * DAY).await;
    university.lose_own_keys();
    let university = university.restart().await;
    assert!(university.root_in_tls().await, "as the one that was lost");
    university.pass(2 * DAY).await;
    university.lose_own_keys();
    let university = university.restart().await;
    let chain = std::fs::read_to_string(university.home().path("tls/chain.pem")).unwrap();
    let chain = scb_certs::Chain::from_pem(&chain).unwrap();
    assert!(chain.certificates()[1].names_issuer(new.certificate()));
}

/// Nobody has its list any more, and no waiting brings it back: a new certificate helps.
#[tokio::test]
async fn who_was_certified_by_an_authority_that_a_backup_does_not_know_is_unknown() {
    let university = University::open().await;
    let before = university.student("1155000001").await;
    let backup = university.back_up();
    let root = university.root_with_key();
    university.rotate_under(&root, IssuerKind::Students).await;
    university.pass(Duration::from_secs(10)).await;
    let after = university.student("1155000002").await;
    let own = |who: &Credentials| who.chain.certificates()[1].clone();
    assert_ne!(own(&before), own(&after));
    university.connect_as(&after).await;

    let university = university.restore(&backup).await;
    let refusal = university.dial(Some(&after)).await.unwrap_err();
    assert_eq!(refusal.code, Code::CertificateUnknownIssuer);
    university.connect_as(&before).await;
}

/// Whoever carries a request to the root may alter it, and the root signs what it is given.
#[tokio::test]
async fn what_was_put_into_a_request_on_its_way_is_not_taken_in() {
    let university = University::open().await;
    let now = university.clock.now();
    let key = SigningKey::generate().unwrap();
    let stranger = Root::create(&"cuhk.example".parse().unwrap(), key, now).unwrap();
    let stranger = Der::new(stranger.certificate().der().to_vec());
    let stranger = serde_json::to_value(stranger).unwrap();
    let request = university.asked_of_root(false).await.to_json();
    let request: serde_json::Value = serde_json::from_slice(&request).unwrap();
    let own = request["roots"][0].clone();
    let far = 1_u64 << 60;
    for (field, value, why) in [
        (
            "roots",
            serde_json::json!([stranger, own]),
            "a root that is none of",
        ),
        ("sequence", far.into(), "a number in it"),
        ("number", far.into(), "a number in it"),
    ] {
        let mut altered = request.clone();
        altered[field] = value;
        let altered = RootRequest::from_json(altered.to_string().as_bytes()).unwrap();
        let answer = sign_root(&altered, &[university.root_with_key()], None, now).unwrap();
        let refused = university.take_in(answer).await.unwrap_err();
        assert!(refused.to_string().contains(why), "{field}: {refused}");
    }
    assert_eq!(university.bundle().await.0, 1);
    let known = std::fs::read_to_string(university.home().path("ca.pem")).unwrap();
    assert_eq!(known.matches("BEGIN CERTIFICATE").count(), 1);
    // The twin: as it was asked.
    let request = RootRequest::from_json(request.to_string().as_bytes()).unwrap();
    let answer = sign_root(&request, &[university.root_with_key()], None, now).unwrap();
    university.take_in(answer).await.unwrap();
    assert_eq!(university.bundle().await.0, 2);
}

#![allow(clippy::unwrap_used)]

use std::fs;
use std::time::Duration;

use scb_testkit::FixedClock;
use tempfile::TempDir;

use super::*;
use crate::own_identity::CHAIN;
use crate::time::{earlier, later};
use crate::{NewAuthority, init, open_home, open_root, request, sign};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A home as `cuhk init` makes it.
fn home() -> (TempDir, Home) {
    home_of(Config::default())
}

fn home_of(config: Config) -> (TempDir, Home) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cuhk");
    let new = NewAuthority {
        trust_domain: "cuhk.example".parse().unwrap(),
        config,
        // Nobody guesses it, so that the keys are opened at once.
        passphrase: Passphrase::from("correct horse".to_owned()).known_random(),
        root_passphrase: Passphrase::from("battery staple".to_owned()).known_random(),
    };
    init(&path, &new, FixedClock::default().now()).unwrap();
    let home = open_home(&path).unwrap();
    (dir, home)
}

/// What is found by these checks and is not as it should be.
fn wrong(home: &Home, now: UnixTime, checks: &[&str]) -> Vec<Finding> {
    let mut findings = examine(home, &Passphrases::default(), now);
    findings.retain(|one| one.outcome != Outcome::Ok && checks.contains(&one.check));
    findings
}

#[test]
fn an_authority_s_certificate_that_is_not_its_own_is_found_without_a_passphrase() {
    const CHECK: &[&str] = &["authority-cert"];
    let (_dir, home) = home();
    let now = FixedClock::default().now();
    assert_eq!(wrong(&home, now, CHECK), []);
    let [students, services] = [path::STUDENTS, path::SERVICES].map(|dir| home.path(dir));
    let file = students.join(path::CERTIFICATE);
    let own = fs::read(&file).unwrap();
    fs::copy(services.join(path::CERTIFICATE), &file).unwrap();
    let found = wrong(&home, now, CHECK);
    let [one] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert!(
        one.seen.contains("the certificate of `services`"),
        "{one:?}"
    );
    assert!(one.mend.as_ref().unwrap().contains("cuhk restore"));

    // Of another CUHK, and of its own key, but by another root.
    let (_other, stranger) = self::home();
    let stranger = stranger.path(path::STUDENTS).join(path::CERTIFICATE);
    fs::copy(stranger, &file).unwrap();
    let found = wrong(&home, now, CHECK);
    assert!(
        found[0].seen.contains("no authority with its key"),
        "{found:?}"
    );
    fs::write(&file, own).unwrap();
    assert_eq!(wrong(&home, now, CHECK), []);
}

#[test]
fn a_configuration_that_sets_nothing_is_found_and_so_are_names_that_it_has_lost() {
    const CHECK: &[&str] = &["config", "names"];
    let (_dir, home) = home();
    let now = FixedClock::default().now();
    assert_eq!(wrong(&home, now, CHECK), []);
    fs::write(home.path(path::CONFIG), "\n# half a file\n").unwrap();
    let found = wrong(&home, now, CHECK);
    assert_eq!(found[0].outcome, Outcome::Fail);
    assert!(found[0].seen.contains("sets nothing"), "{found:?}");

    // The certificate that clients know has names that the rest of the file does not.
    let key = scb_certs::SigningKey::generate().unwrap();
    let validity = scb_certs::Validity {
        not_before: now,
        not_after: later(now, DAY),
    };
    let leaf = crate::store::issuer(scb_certs::IssuerKind::Services).issue_service(
        &scb_certs::ServiceName::cuhk(),
        key.public_key(),
        &scb_certs::Serial::random().unwrap(),
        &validity,
        &["ca.example.edu".to_owned(), "localhost".to_owned()],
        &[],
        &scb_certs::DistributionUrls::default(),
    );
    let chain = leaf.unwrap().to_pem();
    fs::write(home.path(path::TLS).join(CHAIN), chain).unwrap();
    fs::write(home.path(path::CONFIG), "dns = [\"localhost\"]\n").unwrap();
    let found = wrong(&home, now, CHECK);
    let [one] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert!(one.seen.contains("is for ca.example.edu, which"), "{one:?}");
    let both = "dns = [\"localhost\", \"ca.example.edu\"]\n";
    fs::write(home.path(path::CONFIG), both).unwrap();
    assert_eq!(wrong(&home, now, CHECK), []);
}

#[test]
fn a_public_url_that_certificates_have_and_the_configuration_has_lost_is_found() {
    const CHECK: &[&str] = &["public-url"];
    let now = FixedClock::default().now();
    let (_dir, without) = home();
    assert_eq!(wrong(&without, now, CHECK), []);
    let (_dir, home) = home_of(Config {
        public_url: Some("http://ca.example.edu:8012".to_owned()),
        ..Config::default()
    });
    assert_eq!(wrong(&home, now, CHECK), []);
    fs::write(home.path(path::CONFIG), "dns = [\"localhost\"]\n").unwrap();
    let found = wrong(&home, now, CHECK);
    assert_eq!(found.len(), 1, "{found:?}");
    let named = "certificates name http://ca.example.edu:8012/crl/root.crl";
    assert!(found[0].seen.contains(named), "{found:?}");
}

#[test]
fn of_a_root_that_has_ended_no_rotation_and_no_signature_is_advised() {
    const CHECK: &[&str] = &["authority-expiry", "revocation-list"];
    let (_dir, home) = home();
    let end = issuers::read_certificate(&home, path::ROOT)
        .unwrap()
        .not_after();
    let advice = |now| {
        let found = wrong(&home, now, CHECK).into_iter();
        found.map(|one| one.mend.unwrap()).collect::<Vec<_>>()
    };
    let after = advice(later(end, DAY));
    assert!(after.len() >= 4, "{after:?}");
    for told in after {
        assert!(told.contains("another --home"), "{told}");
    }
    let before = advice(earlier(end, DAY)).join("\n");
    for told in ["cuhk keys rotate root", "cuhk root sign-crl"] {
        assert!(before.contains(told), "{before}");
    }
    assert!(!before.contains("another --home"), "{before}");
}

/// An entry of the log, made then.
fn enter(store: &Store, at: UnixTime) {
    let subject: crate::Subject = "1155000001".parse().unwrap();
    let entry = move |place: crate::store::Place| scb_protocol::LogEntry::Verification {
        v: 1,
        subject: "1155000001".to_owned(),
        nth: place.nth,
        certificates: place.certificates,
        asker: scb_certs::ServiceName::blackboard(),
        nonce: scb_protocol::values::Nonce::from_bytes([1; 16]),
        cert_sha256: scb_certs::Fingerprint::from_bytes([2; 32]),
        inactive: None,
        at: at.as_secs(),
    };
    let entered = store.write_blocking(move |records| records.log().append(&subject, entry));
    entered.unwrap();
}

/// Blackboard has cosigned so many entries.
fn cosigned(store: &Store, size: u64) {
    let witness = crate::store::Witness {
        service: scb_certs::ServiceName::blackboard(),
        verifier_key: "key".to_owned(),
        size,
        checkpoint: "checkpoint".to_owned(),
    };
    let noted = store.write_blocking(move |records| records.log().set_witness(&witness));
    noted.unwrap();
}

/// Holds the home as `cuhk serve` does, since then.
fn serve_since(home: &Home, since: UnixTime) -> scb_storage::HomeLock {
    let lock = scb_storage::HomeLock::acquire(home.dir(), "cuhk").unwrap();
    let file = fs::File::options().append(true).open(home.path("lock"));
    let since = std::time::UNIX_EPOCH + Duration::from_secs(since.as_secs());
    file.unwrap().set_modified(since).unwrap();
    lock
}

#[test]
fn a_witness_that_has_not_cosigned_for_long_while_it_could_is_a_finding() {
    const CHECK: &[&str] = &["log-witness"];
    const MINUTE: Duration = Duration::from_secs(60);
    let (_dir, home) = home();
    let now = later(FixedClock::default().now(), DAY);
    let store = Store::open(&home.path(path::DATABASE)).unwrap();
    let service = crate::store::Service {
        name: scb_certs::ServiceName::blackboard(),
        dns_names: vec!["bb.example".to_owned()],
        ip_addresses: Vec::new(),
    };
    let add = move |records: &crate::store::Records<'_>| records.services().add(&service, now);
    store.write_blocking(add).unwrap();
    let size = || store.read_blocking(|records| records.log().size()).unwrap();
    let before = |minutes| earlier(now, MINUTE * minutes);
    enter(&store, before(90));
    assert_eq!(wrong(&home, now, CHECK), [], "nobody ever cosigned");
    cosigned(&store, size());
    enter(&store, before(60));
    enter(&store, before(55));
    assert_eq!(wrong(&home, now, CHECK), [], "nothing has run since");
    {
        let _serving = serve_since(&home, before(9));
        assert_eq!(wrong(&home, now, CHECK), [], "it has only just started");
    }
    {
        let _serving = serve_since(&home, before(80));
        let found = wrong(&home, now, CHECK);
        let [one] = found.as_slice() else {
            panic!("{found:?}");
        };
        assert_eq!(one.outcome, Outcome::Warn);
        let told = format!(
            "blackboard has cosigned {} of {} entries, and none of those since {}",
            size() - 2,
            size(),
            scb_cli::local_time(before(60))
        );
        assert_eq!(one.seen, told);
        let mend = one.mend.as_ref().unwrap();
        for named in ["blackboard witness show", "cuhk service remove"] {
            assert!(mend.contains(named), "{mend}");
        }
        cosigned(&store, size());
        assert_eq!(wrong(&home, now, CHECK), [], "it has come back");
        enter(&store, before(9));
        assert_eq!(wrong(&home, now, CHECK), [], "that may still come");
    }
    // It grew for long enough without, though nothing runs now.
    enter(&store, before(9));
    enter(&store, earlier(now, MINUTE / 2));
    assert_eq!(wrong(&home, now, CHECK), []);
    enter(&store, later(now, MINUTE * 2));
    assert_eq!(wrong(&home, now, CHECK).len(), 1);
    let name = scb_certs::ServiceName::blackboard();
    let remove = move |records: &crate::store::Records<'_>| records.services().remove(&name);
    store.write_blocking(remove).unwrap();
    assert_eq!(wrong(&home, now, CHECK), [], "it is no witness any more");
}

/// By a root's machine whose clock was eight hours ahead, taken in by an earlier version.
#[test]
fn a_certificate_that_begins_later_is_blamed_where_the_records_say_that_the_clock_is_right() {
    const CHECK: &[&str] = &["authority-expiry", "own-expiry"];
    let (_dir, home) = home();
    let now = FixedClock::default().now();
    let hour = Duration::from_secs(60 * 60);
    // The records were written by `now`: a clock from before that is to blame.
    let told = wrong(&home, earlier(now, hour), CHECK);
    let clocks = told
        .iter()
        .filter(|one| one.mend.as_ref().unwrap().contains("clock is wrong"));
    assert!(told.len() >= 3 && clocks.count() == told.len(), "{told:?}");

    let root = open_root(
        &home.path(path::ROOT),
        &Passphrase::from("battery staple".to_owned()).known_random(),
    );
    let issuers = Passphrase::from("correct horse".to_owned()).known_random();
    let store = Store::open(&home.path(path::DATABASE)).unwrap();
    let kind = scb_certs::IssuerKind::Services;
    let request = request(&home, &store, &Config::default(), kind, &issuers).unwrap();
    let answer = sign(&request, &root.unwrap(), later(now, 8 * hour)).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&answer.to_json()).unwrap();
    let file = home
        .path(&path::authority(answer.authority))
        .join(path::CERTIFICATE);
    fs::write(file, json["certificate"].as_str().unwrap()).unwrap();
    store
        .write_blocking(move |records| records.authorities().add(answer.authority))
        .unwrap();
    store.close_blocking();
    let found = wrong(&home, now, CHECK);
    let [one] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!(one.outcome, Outcome::Warn);
    assert!(one.seen.contains("`services-2` begins only at"), "{one:?}");
    let mend = one.mend.as_ref().unwrap();
    assert!(mend.contains("until then `services` issues"), "{one:?}");
    assert!(!mend.contains("this machine's clock is wrong"), "{one:?}");
    assert_eq!(wrong(&home, later(now, 8 * hour), CHECK), []);
}

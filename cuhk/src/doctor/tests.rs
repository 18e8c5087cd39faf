#![allow(clippy::unwrap_used)]

use std::fs;
use std::time::Duration;

use scb_testkit::FixedClock;
use tempfile::TempDir;

use super::*;
use crate::own_identity::CHAIN;
use crate::time::{earlier, later};
use crate::{NewAuthority, init, open_home};

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

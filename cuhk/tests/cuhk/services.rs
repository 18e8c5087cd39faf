//! Certificates of services.

use std::time::Duration;

use scb_certs::{RevocationReason, ServiceName, ServiceUsage, SigningKey};
use scb_cuhk::{Service, change_service, remove_service};
use scb_protocol::Code;

use crate::university::{University, ask, enrol_service, refused, renew_service, service_enrolled};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[tokio::test]
async fn a_service_gets_the_names_that_were_given_to_it() {
    let university = University::open().await;
    let blackboard = university.blackboard().await;
    let (trust, now) = (university.trust(), university.clock.now());
    for usage in [ServiceUsage::Server, ServiceUsage::Client] {
        let name = ServiceName::blackboard();
        trust
            .verify_service(&blackboard.chain, &name, usage, now)
            .unwrap();
    }
    let leaf = blackboard.chain.leaf();
    assert_eq!(leaf.dns_names(), ["localhost"]);
    assert_eq!(
        leaf.ip_addresses(),
        ["127.0.0.1".parse::<std::net::IpAddr>().unwrap()]
    );
}

#[tokio::test]
async fn a_students_code_is_no_services_code() {
    let university = University::open().await;
    let code = university.code("1155000001").await;
    let key = SigningKey::generate().unwrap();
    for name in ["blackboard", "library", "cuhk"] {
        let reply = university
            .ask(None, &enrol_service(name, &code, &key))
            .await;
        assert_eq!(refused(reply), Code::EnrolmentRefused, "{name}");
    }
}

#[tokio::test]
async fn renewal_keeps_the_name_and_takes_the_new_key() {
    let university = University::open().await;
    let blackboard = university.blackboard().await;
    university.clock.advance(60 * DAY);
    university.refresher.refresh().await.unwrap();
    let key = SigningKey::generate().unwrap();
    let mut connection = university.connect_as(&blackboard).await;
    let renewed = service_enrolled(ask(&mut connection, &renew_service(&key)).await);
    let (old, new) = (blackboard.chain.leaf(), renewed.leaf());
    assert_eq!(new.spiffe_id().unwrap(), old.spiffe_id().unwrap());
    assert_eq!(new.dns_names(), old.dns_names());
    assert_eq!(new.public_key().unwrap(), *key.public_key());
    assert!(new.not_after() > old.not_after());

    let again = service_enrolled(ask(&mut connection, &renew_service(&key)).await);
    assert_eq!(again, renewed, "the reply was lost");
}

#[tokio::test]
async fn the_next_certificate_has_the_names_that_were_set() {
    let university = University::open().await;
    let blackboard = university.blackboard().await;
    let now = university.clock.now();
    let moved = Service {
        name: ServiceName::blackboard(),
        dns_names: vec!["bb.example".into()],
        ip_addresses: Vec::new(),
    };
    let (before, live) = university
        .change(move |records| change_service(records, &moved, now))
        .await;
    assert_eq!(before.dns_names, ["localhost"]);
    assert_eq!(live.len(), 1, "it keeps its names");
    let key = SigningKey::generate().unwrap();
    let mut connection = university.connect_as(&blackboard).await;
    let renewed = service_enrolled(ask(&mut connection, &renew_service(&key)).await);
    assert_eq!(renewed.leaf().dns_names(), ["bb.example"]);
    assert!(renewed.leaf().ip_addresses().is_empty());
}

#[tokio::test]
async fn a_service_that_was_removed_is_refused_and_so_are_its_codes() {
    let university = University::open().await;
    let blackboard = university.blackboard().await;
    let unused = university.code("service/blackboard").await;
    let key = SigningKey::generate().unwrap();
    let mut open = university.connect_as(&blackboard).await;
    let now = university.clock.now();
    let removed = university
        .change(move |records| remove_service(records, &ServiceName::blackboard(), now))
        .await;
    // Its first code, which was never used, is the other one.
    assert_eq!((removed.certificates, removed.codes), (1, 2));
    let reply = ask(&mut open, &renew_service(&key)).await;
    assert_eq!(
        refused(reply),
        Code::NotPermitted,
        "nor over an open connection"
    );
    university.refresher.refresh().await.unwrap();
    let reply = university
        .ask(Some(&blackboard), &renew_service(&key))
        .await;
    assert_eq!(refused(reply), Code::CertificateRevoked);
    let reply = university
        .ask(None, &enrol_service("blackboard", &unused, &key))
        .await;
    assert_eq!(refused(reply), Code::EnrolmentRefused);
}

#[tokio::test]
async fn renewal_refuses_keys_of_others() {
    let university = University::open().await;
    let blackboard = university.blackboard().await;
    let student = university.student("1155000001").await;
    let reply = university
        .ask(Some(&blackboard), &renew_service(&student.key))
        .await;
    assert_eq!(refused(reply), Code::KeyRefused);
}

#[tokio::test]
async fn a_revoked_or_long_expired_certificate_cannot_renew() {
    let university = University::open().await;
    let blackboard = university.blackboard().await;
    let key = SigningKey::generate().unwrap();
    let mut open = university.connect_as(&blackboard).await;
    university
        .revoke("service/blackboard", RevocationReason::KeyCompromise)
        .await;
    let reply = ask(&mut open, &renew_service(&key)).await;
    assert_eq!(refused(reply), Code::CertificateRevoked);

    let later = university.blackboard().await;
    university.clock.advance(91 * DAY);
    university.refresher.refresh().await.unwrap();
    let reply = university.ask(Some(&later), &renew_service(&key)).await;
    assert_eq!(refused(reply), Code::CertificateExpired);
}

#[tokio::test]
async fn renewals_without_end_are_refused() {
    let university = University::open().await;
    let blackboard = university.blackboard().await;
    let mut connection = university.connect_as(&blackboard).await;
    for _ in 1..scb_cuhk::MAX_SERVICE_CERTIFICATES {
        let key = SigningKey::generate().unwrap();
        service_enrolled(ask(&mut connection, &renew_service(&key)).await);
    }
    let key = SigningKey::generate().unwrap();
    let reply = ask(&mut connection, &renew_service(&key)).await;
    assert_eq!(refused(reply), Code::TooManyDevices);
}

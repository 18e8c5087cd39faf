//! Which servers a client accepts.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use scb_certs::IssuerKind;
use scb_protocol::{Code, Step};
use scb_testkit::{FixedClock, Purpose, TestCampus, TestIdentity};
use scb_transport::{ClientAuth, ClientTls, ClockFn, ServerTrust, connect};

use crate::harness::{LONG, client_tls, client_trusting, cuhk_tls, greeted, serve, server_tls};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// The code and the reason with which a client refuses a server with this certificate.
async fn refusal_of(campus: &TestCampus, identity: &TestIdentity) -> (Code, String) {
    let trust = campus.trust();
    let server = serve(server_tls(campus, identity, trust, ClientAuth::Optional)).await;
    let tls = client_tls(campus, None);
    let refusal = connect(&server.host_port(), &tls, Step::One, LONG)
        .await
        .unwrap_err();
    (refusal.code, refusal.sentence())
}

#[tokio::test]
async fn accepts_the_right_server_by_address_and_by_name() {
    let campus = TestCampus::new();
    let server = serve(cuhk_tls(&campus, ClientAuth::Optional)).await;
    let tls = client_tls(&campus, None);
    let by_address = greeted(&server.host_port(), &tls).await.unwrap();
    let by_name = greeted(&format!("localhost:{}", server.address.port()), &tls)
        .await
        .unwrap();
    assert_eq!(by_address.peer_address(), server.address);
    assert_ne!(by_address.exporter(), by_name.exporter());
    assert_eq!(by_address.root_seen(), Some(campus.root().certificate()));
    let chain = by_address.peer_chain().unwrap().certificates();
    assert_eq!(chain.len(), 2, "the root is not part of the chain");
}

#[tokio::test]
async fn refuses_a_server_under_another_name() {
    let campus = TestCampus::new();
    let validity = campus.validity(DAY);
    let elsewhere = [IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))];
    let identity = campus.service_at("cuhk", &["cuhk.example"], &elsewhere, &validity);
    let (code, sentence) = refusal_of(&campus, &identity).await;
    assert_eq!(code, Code::ServerIdentity);
    assert!(sentence.contains("another host name"), "{sentence}");
    assert!(sentence.contains("expected: 127.0.0.1"), "{sentence}");
    assert!(
        sentence.contains("found: cuhk.example, 192.0.2.1"),
        "{sentence}"
    );
}

#[tokio::test]
async fn refuses_an_expired_server() {
    let campus = TestCampus::new();
    let identity = campus.service_valid("cuhk", &campus.expired());
    let (code, sentence) = refusal_of(&campus, &identity).await;
    assert_eq!(code, Code::ServerIdentity);
    assert!(sentence.contains("expired"), "{sentence}");
    assert!(sentence.contains("not_after: "), "{sentence}");
}

#[tokio::test]
async fn says_by_how_much_a_clock_that_is_behind_is_off() {
    let campus = TestCampus::new();
    let identity = campus.service("cuhk");
    let server = serve(server_tls(
        &campus,
        &identity,
        campus.trust(),
        ClientAuth::Optional,
    ))
    .await;
    let behind = FixedClock::new(campus.now());
    behind.rewind(DAY);
    let pinned = ServerTrust::Pinned(campus.trust());
    let cuhk = "cuhk".parse().unwrap();
    let clock = Arc::new(ClockFn(behind.reader()));
    let tls = ClientTls::with_clock(pinned, cuhk, None, clock).unwrap();
    let refusal = connect(&server.host_port(), &tls, Step::One, LONG)
        .await
        .unwrap_err();
    assert_eq!(refusal.code, Code::ServerIdentity);
    let reason = &refusal.params["reason"];
    assert!(
        reason.contains("not valid yet") && reason.contains("at least 23 h 50 min behind"),
        "{reason}"
    );
}

#[tokio::test]
async fn refuses_a_server_of_another_ca_with_the_same_names() {
    let (campus, impostor) = (TestCampus::new(), TestCampus::new());
    let (code, _) = refusal_of(&campus, &impostor.service("cuhk")).await;
    assert_eq!(code, Code::ServerIdentity);
}

#[tokio::test]
async fn refuses_a_students_certificate_as_server() {
    let campus = TestCampus::new();
    let (code, _) = refusal_of(&campus, &campus.student("1155000001")).await;
    assert_eq!(code, Code::ServerIdentity);
}

#[tokio::test]
async fn refuses_another_services_certificate_for_the_same_address() {
    let campus = TestCampus::new();
    let (code, sentence) = refusal_of(&campus, &campus.service("blackboard")).await;
    assert_eq!(code, Code::ServerIdentity);
    assert!(sentence.contains("another party"), "{sentence}");
    assert!(sentence.contains("expected: cuhk"), "{sentence}");
    assert!(sentence.contains("found: blackboard"), "{sentence}");
}

#[tokio::test]
async fn refuses_a_server_whose_certificate_is_not_exactly_a_services() {
    let campus = TestCampus::new();
    let localhost = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let both = [Purpose::ServerAuth, Purpose::ClientAuth];
    let service = |purposes: &[Purpose], issuer| {
        let forge = campus
            .forge()
            .uris(&["spiffe://campus.test/service/cuhk"])
            .ip(localhost);
        forge.purposes(purposes).issued_by(issuer).build()
    };
    let forged_right = service(&both, IssuerKind::Services);
    let trust = campus.trust();
    let right = serve(server_tls(
        &campus,
        &forged_right,
        trust,
        ClientAuth::Optional,
    ))
    .await;
    greeted(&right.host_port(), &client_tls(&campus, None))
        .await
        .unwrap();
    let wrong = [
        (
            "from the students' issuer",
            service(&both, IssuerKind::Students),
        ),
        ("no usage", service(&[], IssuerKind::Services)),
        ("any usage", service(&[Purpose::Any], IssuerKind::Services)),
        (
            "client only",
            service(&[Purpose::ClientAuth], IssuerKind::Services),
        ),
        ("altered", forged_right.with_bad_signature()),
    ];
    for (fault, identity) in wrong {
        let (code, _) = refusal_of(&campus, &identity).await;
        assert_eq!(code, Code::ServerIdentity, "{fault}");
    }
}

#[tokio::test]
async fn refuses_a_revoked_server_once_it_has_crls() {
    let campus = TestCampus::new();
    let identity = campus.service("cuhk");
    let trust = campus.trust();
    let server = serve(server_tls(&campus, &identity, trust, ClientAuth::Optional)).await;
    let with_crls = |revoked: &[&scb_certs::Certificate]| {
        let trust = ServerTrust::Pinned(campus.trust_revoking(revoked));
        client_trusting(&campus, trust, None)
    };
    greeted(&server.host_port(), &with_crls(&[])).await.unwrap();
    let revoked = with_crls(&[identity.leaf()]);
    let refusal = greeted(&server.host_port(), &revoked).await.unwrap_err();
    assert_eq!(refusal.code, Code::ServerIdentity);
}

#[tokio::test]
async fn finds_the_root_by_its_fingerprint() {
    let campus = TestCampus::new();
    let server = serve(cuhk_tls(&campus, ClientAuth::Optional)).await;
    let trust = ServerTrust::Fingerprint(campus.root_fingerprint());
    let tls = client_trusting(&campus, trust, None);
    let connection = greeted(&server.host_port(), &tls).await.unwrap();
    assert_eq!(connection.root_seen(), Some(campus.root().certificate()));
    assert_eq!(connection.peer_chain().unwrap().certificates().len(), 2);
}

#[tokio::test]
async fn refuses_a_root_of_another_fingerprint_and_any_other_certificate_as_root() {
    let campus = TestCampus::new();
    let identity = campus.service("cuhk");
    let trust = campus.trust();
    let server = serve(server_tls(&campus, &identity, trust, ClientAuth::Optional)).await;
    let issuer = campus.issuer(IssuerKind::Services).certificate();
    let wrong = [
        TestCampus::new().root_fingerprint(),
        issuer.fingerprint(),
        identity.leaf().fingerprint(),
    ];
    for fingerprint in wrong {
        let tls = client_trusting(&campus, ServerTrust::Fingerprint(fingerprint), None);
        let refusal = greeted(&server.host_port(), &tls).await.unwrap_err();
        assert_eq!(refusal.code, Code::ServerIdentity);
    }
}

#[tokio::test]
async fn the_names_of_a_found_root_are_judged_like_any_other() {
    let campus = TestCampus::new();
    let identity = campus.service("blackboard");
    let server = serve(server_tls(
        &campus,
        &identity,
        campus.trust(),
        ClientAuth::Optional,
    ))
    .await;
    let trust = ServerTrust::Fingerprint(campus.root_fingerprint());
    let tls = client_trusting(&campus, trust, None);
    let refusal = greeted(&server.host_port(), &tls).await.unwrap_err();
    assert_eq!(refusal.code, Code::ServerIdentity);
}

#[tokio::test]
async fn says_that_nobody_listens() {
    let campus = TestCampus::new();
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap().to_string();
    drop(free);
    let tls = client_tls(&campus, None);
    for address in [address.as_str(), "localhost", "no host:1", "127.0.0.1:http"] {
        let refusal = connect(address, &tls, Step::Three, LONG).await.unwrap_err();
        assert_eq!(refusal.code, Code::ConnectionFailed, "{address}");
        assert_eq!(refusal.params["address"], address);
        assert_eq!(refusal.step, Step::Three);
    }
}

#[tokio::test]
async fn gives_up_on_a_server_that_says_nothing() {
    let campus = TestCampus::new();
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let tls = client_tls(&campus, None);
    let short = Duration::from_millis(50);
    let refusal = connect(&address, &tls, Step::One, short).await.unwrap_err();
    assert_eq!(refusal.code, Code::Timeout);
}

//! Which clients a server accepts, and what those that it refuses are told.

use std::sync::Arc;
use std::time::Duration;

use rustls::sign::{CertifiedKey, SingleCertAndKey};
use scb_certs::{IssuerKind, VerifiedPeer};
use scb_protocol::{Code, Step};
use scb_testkit::{Forge, Purpose, TestCampus, TestIdentity};
use scb_transport::{ALPN, ClientAuth, connect};
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;

use crate::harness::{
    LONG, Server, client_tls, cuhk_tls, greeted, raw_builder, raw_client, serve, serve_with,
    server_tls, status,
};

const STUDENT: &str = "spiffe://campus.test/student/1155000001";
const SERVICE: &str = "spiffe://campus.test/service/blackboard";

/// What a client with this certificate learns at its first receive.
async fn told(server: &Server, campus: &TestCampus, identity: &TestIdentity) -> Option<Code> {
    let tls = client_tls(campus, Some(identity));
    let result = greeted(&server.host_port(), &tls).await;
    result.err().map(|refusal| refusal.code)
}

#[tokio::test]
async fn accepts_students_and_services_and_knows_them() {
    let campus = TestCampus::new();
    let (chains, mut seen) = mpsc::unbounded_channel();
    let tls = cuhk_tls(&campus, ClientAuth::Required);
    let server = serve_with(tls, Default::default(), move |connection| {
        chains
            .send((connection.peer_chain().cloned(), connection.exporter()))
            .unwrap();
        crate::harness::answer(connection)
    })
    .await;
    for identity in [campus.student("1155000001"), campus.service("blackboard")] {
        let tls = client_tls(&campus, Some(&identity));
        let connection = greeted(&server.host_port(), &tls).await.unwrap();
        let (chain, exporter) = seen.recv().await.unwrap();
        assert_eq!(chain.as_ref(), Some(&identity.chain));
        assert_eq!(
            exporter,
            connection.exporter(),
            "the same channel binding on both sides"
        );
        let trust = campus.trust();
        let peer = trust
            .verify_any_client(&chain.unwrap(), campus.now())
            .unwrap();
        let is_student = matches!(peer, VerifiedPeer::Student(_));
        assert_eq!(
            is_student,
            identity.leaf().spiffe_id().unwrap().student().is_some()
        );
    }
}

#[tokio::test]
async fn a_certificate_is_optional_only_where_it_is_said_to_be() {
    let campus = TestCampus::new();
    let optional = serve(cuhk_tls(&campus, ClientAuth::Optional)).await;
    let required = serve(cuhk_tls(&campus, ClientAuth::Required)).await;
    let tls = client_tls(&campus, None);
    greeted(&optional.host_port(), &tls).await.unwrap();
    let refusal = greeted(&required.host_port(), &tls).await.unwrap_err();
    assert_eq!(refusal.code, Code::CertificateMissing);
}

#[tokio::test]
async fn tells_each_wrong_client_what_is_wrong() {
    let campus = TestCampus::new();
    let right = campus.student("1155000001");
    let impostor = TestCampus::new();
    let somebody = campus.student("1155000002");
    let usages = |purposes: &[Purpose]| campus.forge().purposes(purposes).build();
    let all = [Purpose::ClientAuth, Forge::document_signing(), Purpose::Any];
    let (services, students) = (IssuerKind::Services, IssuerKind::Students);
    let service = [Purpose::ServerAuth, Purpose::ClientAuth];
    let service_of_students = campus.forge().uris(&[SERVICE]).purposes(&service);
    let service_of_students = service_of_students.issued_by(students).build();
    let other_domain = campus
        .forge()
        .uris(&["spiffe://other.test/student/1"])
        .build();
    let namesake = impostor.issuer(students).key();
    let of_namesake = campus
        .forge()
        .signed_in_the_name_of(students, namesake)
        .build();
    let cases = [
        (
            "another key in the issuer's name",
            of_namesake,
            Code::CertificateBadSignature,
        ),
        (
            "expired",
            campus.student_valid("1", &campus.expired()),
            Code::CertificateExpired,
        ),
        (
            "future",
            campus.student_valid("1", &campus.future()),
            Code::CertificateNotYetValid,
        ),
        (
            "self-signed",
            campus.forge().self_signed().build(),
            Code::CertificateSelfSigned,
        ),
        (
            "signed by a student",
            campus.forge().signed_by(&somebody).build(),
            Code::CertificateIssuerNotCa,
        ),
        (
            "altered",
            right.with_bad_signature(),
            Code::CertificateBadSignature,
        ),
        (
            "server only",
            usages(&[Purpose::ServerAuth]),
            Code::CertificateWrongUsage,
        ),
        ("no usage", usages(&[]), Code::CertificateNoUsage),
        (
            "any usage",
            usages(&[Purpose::Any]),
            Code::CertificateAnyUsage,
        ),
        ("any usage besides", usages(&all), Code::CertificateAnyUsage),
        (
            "token signer",
            campus.token_signer(),
            Code::CertificateWrongUsage,
        ),
        (
            "student of services",
            campus
                .forge()
                .issued_by(services)
                .purposes(&service)
                .build(),
            Code::CertificateWrongIssuer,
        ),
        (
            "service of students",
            service_of_students,
            Code::CertificateWrongIssuer,
        ),
        (
            "two names",
            campus.forge().uris(&[STUDENT, SERVICE]).build(),
            Code::CertificateNameAmbiguous,
        ),
        (
            "no name",
            campus.forge().uris(&[]).build(),
            Code::CertificateInvalid,
        ),
        ("other domain", other_domain, Code::CertificateInvalid),
        (
            "a CA",
            campus.forge().ca().build(),
            Code::CertificateWrongUsage,
        ),
    ];
    for auth in [ClientAuth::Optional, ClientAuth::Required] {
        let server = serve(cuhk_tls(&campus, auth)).await;
        assert_eq!(told(&server, &campus, &right).await, None);
        for (fault, identity, code) in &cases {
            assert_eq!(
                told(&server, &campus, identity).await,
                Some(*code),
                "{fault}"
            );
        }
        let stranger = impostor.student("1155000001");
        let code = told(&server, &campus, &stranger).await;
        assert_eq!(code, Some(Code::CertificateIssuerNamesake));
    }
}

#[tokio::test]
async fn refuses_whoever_does_not_hold_the_key() {
    let campus = TestCampus::new();
    let thief = campus
        .student("1155000001")
        .with_key_of(&campus.student("1155000002"));
    let server = serve(cuhk_tls(&campus, ClientAuth::Optional)).await;
    let code = told(&server, &campus, &thief).await;
    assert_eq!(code, Some(Code::CertificateKeyMismatch));

    let key = rustls::crypto::ring::sign::any_ecdsa_type(&thief.key.to_pkcs8_der()).unwrap();
    let pair = SingleCertAndKey::from(CertifiedKey::new(thief.chain.to_rustls(), key));
    let mut config = raw_builder(&campus).with_client_cert_resolver(Arc::new(pair));
    config.alpn_protocols = vec![ALPN.to_vec()];
    let mut stream = raw_client(&server, config).await;
    let error = stream.read_u8().await.unwrap_err();
    assert!(error.to_string().contains("DecryptError"), "{error}");
}

#[tokio::test]
async fn revocation_works_on_the_next_connection() {
    let campus = TestCampus::new();
    let identity = campus.service("cuhk");
    let tls = |trust| server_tls(&campus, &identity, trust, ClientAuth::Required);
    let server = serve(tls(campus.trust())).await;
    let (lost, kept) = (campus.student("1155000001"), campus.student("1155000002"));
    assert_eq!(told(&server, &campus, &lost).await, None);
    let newest = tls(campus.trust_revoking(&[lost.leaf()]));
    server.tls.send(Arc::new(newest)).unwrap();
    assert_eq!(
        told(&server, &campus, &lost).await,
        Some(Code::CertificateRevoked)
    );
    assert_eq!(told(&server, &campus, &kept).await, None);
}

#[tokio::test]
async fn a_server_whose_crls_are_stale_or_absent_is_closed() {
    let campus = TestCampus::new();
    let identity = campus.service("cuhk");
    let student = campus.student("1155000001");
    let tls = |trust| server_tls(&campus, &identity, trust, ClientAuth::Required);
    let server = serve(tls(campus.trust())).await;
    assert_eq!(told(&server, &campus, &student).await, None);
    campus.clock().advance(Duration::from_secs(25 * 3600));
    assert_eq!(
        told(&server, &campus, &student).await,
        Some(Code::StatusUnavailable)
    );
    server.tls.send(Arc::new(tls(campus.trust()))).unwrap();
    assert_eq!(told(&server, &campus, &student).await, None);
    let root_only = campus.crls(1, &[]).drain(..1).collect();
    let store = scb_certs::TrustStore::new(campus.root().certificate().clone()).unwrap();
    let store = Arc::new(store.with_crls(root_only).unwrap());
    server.tls.send(Arc::new(tls(store))).unwrap();
    assert_eq!(
        told(&server, &campus, &student).await,
        Some(Code::StatusUnavailable)
    );
}

#[tokio::test]
async fn expiry_is_judged_by_the_servers_clock() {
    let campus = TestCampus::new();
    let identity = campus.service("cuhk");
    let tls = || server_tls(&campus, &identity, campus.trust(), ClientAuth::Required);
    let server = serve(tls()).await;
    let student = campus.student("1155000001");
    let mut open = greeted(&server.host_port(), &client_tls(&campus, Some(&student)))
        .await
        .unwrap();
    campus.clock().advance(Duration::from_secs(31 * 24 * 3600));
    server.tls.send(Arc::new(tls())).unwrap();
    assert_eq!(
        told(&server, &campus, &student).await,
        Some(Code::CertificateExpired)
    );
    status(&mut open).await.unwrap();
}

#[tokio::test]
async fn a_refused_client_that_sends_before_it_reads_is_told_as_well() {
    let campus = TestCampus::new();
    let server = serve(cuhk_tls(&campus, ClientAuth::Required)).await;
    let expired = campus.student_valid("1155000001", &campus.expired());
    let tls = client_tls(&campus, Some(&expired));
    let mut client = connect(&server.host_port(), &tls, Step::Six, LONG)
        .await
        .unwrap();
    let refusal = client
        .send_chunk(vec![0; 32 << 20].into())
        .await
        .unwrap_err();
    assert_eq!(refusal.code, Code::CertificateExpired);
}

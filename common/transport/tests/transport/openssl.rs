//! OpenSSL as judge.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use scb_testkit::{TestCampus, TestIdentity};
use scb_transport::{ALPN, ClientAuth};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::harness::{cuhk_tls, serve};

/// Whether there is an `openssl`; its absence fails where `CI=true`.
fn openssl_exists() -> bool {
    let found = Command::new("openssl").arg("version").output().is_ok();
    if !found {
        assert_ne!(
            std::env::var("CI").as_deref(),
            Ok("true"),
            "CI needs openssl"
        );
        eprintln!("skipped: no openssl");
    }
    found
}

/// Runs `openssl s_client`, which ends when the server does or after a while of silence.
async fn s_client(arguments: &[&str]) -> Output {
    let mut command = Command::new("timeout");
    command.args(["20", "openssl", "s_client"]).args(arguments);
    command.stdin(Stdio::null());
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

fn text(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!(
        "{}{}",
        String::from_utf8_lossy(out),
        String::from_utf8_lossy(err)
    )
}

/// PEM files of somebody, for OpenSSL.
fn write_identity(directory: &Path, identity: &TestIdentity) {
    let certificates = identity.chain.certificates();
    std::fs::write(directory.join("leaf.pem"), certificates[0].to_pem()).unwrap();
    std::fs::write(directory.join("issuer.pem"), certificates[1].to_pem()).unwrap();
    let key = identity.key.to_pem(None).unwrap();
    std::fs::write(directory.join("key.pem"), key.as_bytes()).unwrap();
}

#[tokio::test]
async fn openssl_accepts_the_server_and_tls_1_2_is_refused() {
    if !openssl_exists() {
        return;
    }
    let campus = TestCampus::new();
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("root.pem");
    std::fs::write(&root, campus.root().certificate().to_pem()).unwrap();
    let server = serve(cuhk_tls(&campus, ClientAuth::Optional)).await;
    let (address, time) = (server.host_port(), campus.now().as_secs().to_string());
    let common = [
        "-connect",
        &address,
        "-alpn",
        "scb/1",
        "-CAfile",
        root.to_str().unwrap(),
    ];
    let strict = [
        "-attime",
        &time,
        "-verify_return_error",
        "-verify_ip",
        "127.0.0.1",
    ];

    let accepted = s_client(&[&common[..], &strict, &["-tls1_3"]].concat()).await;
    assert!(accepted.status.success(), "{}", text(&accepted));
    let said = text(&accepted);
    assert!(said.contains("Verify return code: 0 (ok)"), "{said}");
    assert!(said.contains("ALPN protocol: scb/1"), "{said}");
    assert!(said.contains("TLSv1.3"), "{said}");

    for version in ["-tls1_2", "-tls1_1"] {
        let refused = s_client(&[&common[..], &[version]].concat()).await;
        assert!(!refused.status.success(), "{version}");
    }
    let refused = text(&s_client(&[&common[..], &["-tls1_2"]].concat()).await);
    assert!(refused.contains("alert protocol version"), "{refused}");
}

#[tokio::test]
async fn openssl_without_our_protocol_is_told_so() {
    if !openssl_exists() {
        return;
    }
    let campus = TestCampus::new();
    let server = serve(cuhk_tls(&campus, ClientAuth::Optional)).await;
    for alpn in [&[][..], &["-alpn", "http/1.1"]] {
        let address = server.host_port();
        let refused = s_client(&[&["-connect", &address], alpn].concat()).await;
        assert!(!refused.status.success());
        let said = text(&refused);
        assert!(said.contains("no application protocol"), "{said}");
    }
}

#[tokio::test]
async fn openssl_is_told_why_its_certificate_is_refused() {
    if !openssl_exists() {
        return;
    }
    let campus = TestCampus::new();
    let revoked = campus.student("1155000001");
    let trust = campus.trust_revoking(&[revoked.leaf()]);
    let identity = campus.service("cuhk");
    let tls = crate::harness::server_tls(&campus, &identity, trust, ClientAuth::Required);
    let server = serve(tls).await;
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let address = server.host_port();
    let (leaf, issuer, key) = (path("leaf.pem"), path("issuer.pem"), path("key.pem"));
    let common = ["-connect", &address, "-alpn", "scb/1", "-ign_eof"];
    let identity = ["-cert", &leaf, "-cert_chain", &issuer, "-key", &key];
    let with_key = [&common[..], &identity].concat();

    write_identity(directory.path(), &revoked);
    let said = text(&s_client(&with_key).await);
    assert!(said.contains("alert certificate revoked"), "{said}");
    write_identity(
        directory.path(),
        &campus.student_valid("1", &campus.expired()),
    );
    let said = text(&s_client(&with_key).await);
    assert!(said.contains("alert certificate expired"), "{said}");
    let said = text(&s_client(&common).await);
    assert!(said.contains("alert certificate required"), "{said}");
}

#[tokio::test]
async fn openssl_with_only_weaker_suites_or_groups_is_refused() {
    if !openssl_exists() {
        return;
    }
    let campus = TestCampus::new();
    let server = serve(cuhk_tls(&campus, ClientAuth::Optional)).await;
    let address = server.host_port();
    let common = ["-connect", &address, "-alpn", "scb/1", "-tls1_3"];
    for weaker in [
        ["-ciphersuites", "TLS_AES_128_CCM_SHA256"],
        ["-ciphersuites", "TLS_AES_128_CCM_8_SHA256"],
        ["-groups", "ffdhe2048"],
        ["-groups", "P-521"],
        ["-sigalgs", "RSA+SHA256"],
    ] {
        let refused = s_client(&[&common[..], &weaker].concat()).await;
        assert!(!refused.status.success(), "{weaker:?}");
        let said = text(&refused);
        assert!(said.contains("alert handshake failure"), "{said}");
    }
    let stronger = ["-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"];
    let accepted = s_client(&[&common[..], &stronger].concat()).await;
    assert!(accepted.status.success(), "{}", text(&accepted));
}

/// Whether OpenSSL was sent a ticket by the server at `address`, which must close by itself.
async fn got_ticket(address: &str) -> bool {
    let directory = tempfile::tempdir().unwrap();
    let session = directory.path().join("session.pem");
    let file = session.to_str().unwrap();
    let arguments = [
        "-connect",
        address,
        "-alpn",
        "scb/1",
        "-sess_out",
        file,
        "-ign_eof",
    ];
    let output = s_client(&arguments).await;
    assert!(
        text(&output).contains("BEGIN CERTIFICATE"),
        "{}",
        text(&output)
    );
    session.metadata().is_ok_and(|metadata| metadata.len() > 0)
}

#[tokio::test]
async fn openssl_is_never_sent_a_ticket() {
    if !openssl_exists() {
        return;
    }
    let campus = TestCampus::new();
    let tls = cuhk_tls(&campus, ClientAuth::Optional);
    let server = crate::harness::serve_with(tls, Default::default(), |mut connection| async {
        connection.send(&crate::harness::greeting()).await.unwrap();
        connection.close().await;
    })
    .await;
    assert!(!got_ticket(&server.host_port()).await);
    assert!(
        got_ticket(&server_with_tickets(&campus).await).await,
        "the judge can tell"
    );
}

/// What a rustls server does if nobody turns tickets off. Serves one connection.
async fn server_with_tickets(campus: &TestCampus) -> String {
    let identity = campus.service("cuhk");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(identity.chain.to_rustls(), identity.key.to_pkcs8_der())
        .unwrap();
    config.alpn_protocols = vec![ALPN.to_vec()];
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        let mut stream = acceptor.accept(socket).await.unwrap();
        stream.write_all(b"hello").await.unwrap();
        stream.shutdown().await.unwrap();
        let mut nothing = tokio::io::sink();
        let closed = tokio::io::copy(&mut stream, &mut nothing);
        let _ = tokio::time::timeout(Duration::from_secs(5), closed).await;
    });
    address
}

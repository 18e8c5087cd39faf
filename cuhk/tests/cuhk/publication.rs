//! The plain HTTP port: the authorities' certificates and the revocation lists.

use std::time::{Duration, Instant};

use rustls_pki_types::UnixTime;
use scb_certs::{
    Certificate, Crl, Fingerprint, RevocationReason, Serial, StudentId, TrustStore, Validity,
};
use scb_cuhk::{Config, Grounds, Intent, Profile, Subject, Target, revoke};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::university::University;

/// The head and the body of an answer.
pub(crate) async fn get(university: &University, path: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(university.http).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut said = Vec::new();
    stream.read_to_end(&mut said).await.unwrap();
    let end = said
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap();
    let body = said.split_off(end + 4);
    (String::from_utf8(said).unwrap(), body)
}

pub async fn list(university: &University, signer: &str) -> Crl {
    let (head, body) = get(university, &format!("/crl/{signer}.crl")).await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(
        head.contains("content-type: application/pkix-crl"),
        "{head}"
    );
    Crl::from_der(&body).unwrap()
}

async fn authority(university: &University, signer: &str) -> Certificate {
    let (head, body) = get(university, &format!("/ca/{signer}.cer")).await;
    assert!(
        head.contains("content-type: application/pkix-cert"),
        "{head}"
    );
    Certificate::from_der(&body).unwrap()
}

#[tokio::test]
async fn what_is_published_belongs_together() {
    let university = University::open().await;
    let (_, pem) = get(&university, "/ca.pem").await;
    let root = Certificate::from_pem(&String::from_utf8(pem).unwrap()).unwrap();
    assert_eq!(root, university.root);
    let mut lists = Vec::new();
    for signer in ["root", "students", "services"] {
        let (authority, list) = (
            authority(&university, signer).await,
            list(&university, signer).await,
        );
        // Signature, name and key identifier.
        list.verify(&authority).unwrap();
        lists.push(list);
    }
    assert_eq!(authority(&university, "root").await, root);
    let student = university.student("1155000001").await;
    let trust = TrustStore::new(root).unwrap().with_crls(lists).unwrap();
    trust
        .verify_student(&student.chain, university.clock.now())
        .unwrap();
}

#[tokio::test]
async fn nothing_else_is_there() {
    let university = University::open().await;
    for path in [
        "/",
        "/ca/root.key",
        "/crl/root.crl/..",
        "/.well-known/est/cacerts",
        "/.well-known/jwks.json",
        "/spiffe/bundle.json",
    ] {
        let (head, body) = get(&university, path).await;
        assert!(head.starts_with("HTTP/1.1 404"), "{path}: {head}");
        let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(problem["code"], "not_found");
    }
}

#[tokio::test]
async fn a_list_is_signed_again_at_once_and_long_before_it_runs_out() {
    let university = University::open().await;
    let serial = university.student("1155000001").await.chain.leaf().serial();
    let before = list(&university, "students").await;
    assert!(!before.contains(&serial));
    assert_eq!(
        list(&university, "students").await.number(),
        before.number()
    );

    university
        .revoke("1155000001", RevocationReason::Superseded)
        .await;
    let revoked = list(&university, "students").await;
    assert!(revoked.contains(&serial));
    assert!(revoked.number() > before.number());

    university.clock.advance(Duration::from_secs(13 * 60 * 60));
    let renewed = list(&university, "students").await;
    assert!(renewed.number() > revoked.number());
    assert!(renewed.next_update() > revoked.next_update());
    assert!(renewed.contains(&serial));
}

#[tokio::test]
async fn certificates_name_the_addresses_at_which_lists_and_issuers_are_served() {
    let university = University::open_with(Config {
        public_url: Some("http://crl.cuhk.example/pki/".into()),
        ..Config::default()
    })
    .await;
    let student = university.student("1155000001").await;
    for path in ["crl/students.crl", "ca/students.cer"] {
        let url = format!("http://crl.cuhk.example/pki/{path}");
        let der = student.chain.leaf().der();
        let named = der.windows(url.len()).any(|part| part == url.as_bytes());
        assert!(named, "{url}");
        let (head, _) = get(&university, &format!("/{path}")).await;
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    }
}

/// One certificate of 1155000001 whose key nobody has.
fn intent(number: u64, now: UnixTime) -> Intent {
    let sid: StudentId = "1155000001".parse().unwrap();
    Intent {
        serial: Serial::random().unwrap(),
        subject: Subject::Student(sid),
        profile: Profile::Student,
        public_key: Fingerprint::of(&number.to_be_bytes()),
        validity: Validity {
            not_before: now,
            not_after: UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs() + 86_400)),
        },
    }
}

async fn revoke_one(university: &University, serial: Serial) -> Duration {
    let (target, now) = (Target::Certificate(serial), university.clock.now());
    let grounds = Grounds::from(RevocationReason::KeyCompromise);
    let started = Instant::now();
    university
        .change(move |records| revoke(records, &target, grounds, now))
        .await;
    started.elapsed()
}

/// While the server signs lists of that length twice a second.
#[tokio::test]
async fn the_ten_thousandth_revocation_costs_what_the_first_did() {
    const ALL: usize = 10_000;
    const TIMED: usize = 50;
    let university = University::open().await;
    let now = university.clock.now();
    let intents: Vec<_> = (0..ALL as u64).map(|number| intent(number, now)).collect();
    let serials: Vec<_> = intents.iter().map(|intent| intent.serial).collect();
    university
        .change(move |records| {
            intents
                .iter()
                .try_for_each(|intent| records.certificates().intend(intent, now))
        })
        .await;
    let mut first = Vec::new();
    for serial in &serials[..TIMED] {
        first.push(revoke_one(&university, *serial).await);
    }
    let between = serials[TIMED..ALL - TIMED].to_vec();
    university
        .change(move |records| {
            between.iter().try_for_each(|serial| {
                let target = Target::Certificate(*serial);
                revoke(records, &target, RevocationReason::KeyCompromise, now).map(drop)
            })
        })
        .await;
    list(&university, "students").await;
    let mut last = Vec::new();
    for serial in &serials[ALL - TIMED..] {
        last.push(revoke_one(&university, *serial).await);
    }
    let started = Instant::now();
    let complete = list(&university, "students").await;
    println!(
        "the list: {} KiB, {:?}",
        complete.der().len() / 1024,
        started.elapsed()
    );
    assert!(serials.iter().all(|serial| complete.contains(serial)));
    first.sort();
    last.sort();
    println!(
        "median of the first {TIMED} revocations {:?}, of the last {:?}",
        first[TIMED / 2],
        last[TIMED / 2]
    );
    assert!(
        last[TIMED / 2] < 5 * first[TIMED / 2] + Duration::from_millis(5),
        "{first:?} {last:?}"
    );
}

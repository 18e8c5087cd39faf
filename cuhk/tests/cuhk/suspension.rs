//! A suspended student over real TLS, and the list as `openssl` reads it.

use std::process::Command;

use scb_certs::Crl;
use scb_cuhk::{restore, suspend};
use scb_protocol::Code;
use scb_protocol::message::cuhk::Request;

use crate::revocation::lists;
use crate::university::{University, ask, refused};

impl University {
    async fn suspend(&self, sid: &str) {
        let (sid, now) = (sid.parse().unwrap(), self.clock.now());
        self.change(move |records| suspend(records, &sid, now))
            .await;
    }

    async fn restore_student(&self, sid: &str) {
        let (sid, now) = (sid.parse().unwrap(), self.clock.now());
        self.change(move |records| restore(records, &sid, now))
            .await;
    }
}

#[tokio::test]
async fn a_suspended_student_is_refused_in_tls_and_on_open_connections_until_restored() {
    let university = University::open().await;
    let student = university.student("1155000001").await;
    let bystander = university.student("1155000002").await;
    let mut open = university.connect_as(&student).await;
    university.suspend("1155000001").await;
    let reply = ask(&mut open, &Request::RefreshToken {}).await;
    assert_eq!(refused(reply), Code::StudentInactive);
    university.refresher.refresh().await.unwrap();
    let refusal = university.dial(Some(&student)).await.unwrap_err();
    assert_eq!(refusal.code, Code::CertificateOnHold);
    university.connect_as(&bystander).await;

    university.restore_student("1155000001").await;
    university.refresher.refresh().await.unwrap();
    let reply = university.ask(Some(&student), &Request::RefreshToken {});
    reply.await.unwrap();
}

#[tokio::test]
async fn openssl_reads_certificate_hold_and_nothing_after_the_restore() {
    let university = University::open().await;
    let student = university.student("1155000001").await;
    let serial = student.chain.leaf().serial();
    university.suspend("1155000001").await;
    let (_, held) = lists(&university).await;
    assert!(held[1].contains(&serial));
    university.restore_student("1155000001").await;
    let (_, released) = lists(&university).await;
    assert!(!released[1].contains(&serial));
    assert!(released[1].number() > held[1].number());

    let (Some(held), Some(released)) = (text(&held[1]), text(&released[1])) else {
        return;
    };
    assert!(held.contains("Certificate Hold"), "{held}");
    assert!(
        held.contains(&format!("Serial Number: {serial:0>32}")),
        "{held}"
    );
    assert!(released.contains("No Revoked Certificates"), "{released}");
}

/// `openssl crl -text`, where there is an `openssl`.
fn text(crl: &Crl) -> Option<String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), crl.to_pem()).unwrap();
    let told = Command::new("openssl")
        .args(["crl", "-noout", "-text", "-in"])
        .arg(file.path())
        .output();
    let Ok(told) = told else {
        let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(!ci, "no openssl, but CI=true");
        println!("skipped: no openssl");
        return None;
    };
    assert!(told.status.success(), "{told:?}");
    Some(String::from_utf8(told.stdout).unwrap())
}

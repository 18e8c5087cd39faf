//! `blackboard init`: the first certificate.

use std::fs;
use std::sync::Arc;

use scb_certs::{Fingerprint, ServiceName};
use scb_cli::{Failure, Home, Role, load_config};
use scb_protocol::{Code, EnrolmentCode, Refusal, install_crypto};
use scb_testkit::TestCampus;
use scb_transport::{Clock, ClockFn};

use super::campus::home_with;
use super::cuhk::FakeCuhk;
use crate::config::Config;
use crate::enrol::{Enrolment, KnownRoot, stored_roots};
use crate::identity::{Identity, IdentityFiles};

struct Desk {
    certs: Arc<TestCampus>,
    cuhk: FakeCuhk,
    code: EnrolmentCode,
    home: Home,
    dir: tempfile::TempDir,
}

impl Desk {
    async fn open() -> Self {
        install_crypto();
        let certs = Arc::new(TestCampus::new());
        let cuhk = FakeCuhk::start(&certs).await;
        let code = EnrolmentCode::generate().unwrap();
        cuhk.set(|state| state.code = Some(code.clone()));
        let dir = tempfile::tempdir().unwrap();
        let home = Home::create(&dir.path().join("home"), Role::Blackboard).unwrap();
        Self {
            certs,
            cuhk,
            code,
            home,
            dir,
        }
    }

    fn enrolment(&self) -> Enrolment {
        Enrolment {
            cuhk: self.cuhk.address.to_string(),
            root: KnownRoot::Fingerprint(self.certs.root_fingerprint()),
            dns: vec!["localhost".to_owned()],
            ip: vec!["127.0.0.1".parse().unwrap()],
        }
    }

    async fn run(&self, enrolment: &Enrolment) -> anyhow::Result<Identity> {
        let clock: Arc<dyn Clock> = Arc::new(ClockFn(self.certs.clock().reader()));
        enrolment.run(&self.home, self.code.clone(), &clock).await
    }

    async fn refusal_of(&self, enrolment: &Enrolment) -> Refusal {
        let error = self.run(enrolment).await.unwrap_err();
        assert!(self.stored().is_none());
        error.downcast().unwrap()
    }

    fn stored(&self) -> Option<Identity> {
        IdentityFiles::open(&self.home).unwrap().current().unwrap()
    }

    fn has_next_key(&self) -> bool {
        IdentityFiles::open(&self.home).unwrap().has_next_key()
    }

    fn codes_seen(&self) -> usize {
        self.cuhk.state.lock().unwrap().codes.len()
    }
}

#[tokio::test]
async fn gets_a_certificate_by_the_roots_fingerprint() {
    let desk = Desk::open().await;
    desk.run(&desk.enrolment()).await.unwrap();
    let identity = desk.stored().unwrap();
    let name = identity.chain.leaf().spiffe_id().unwrap();
    assert_eq!(name.service(), Some(&ServiceName::blackboard()));
    assert_eq!(
        stored_roots(&desk.home).unwrap(),
        [desk.certs.root().certificate().clone()]
    );
    let config: Config = load_config(&desk.home).unwrap();
    assert_eq!(config.cuhk, Some(desk.cuhk.address.to_string()));
}

#[tokio::test]
async fn gets_a_certificate_by_the_roots_file() {
    let desk = Desk::open().await;
    let file = desk.dir.path().join("ca.pem");
    fs::write(&file, desk.certs.root().certificate().to_pem()).unwrap();
    let enrolment = Enrolment {
        root: KnownRoot::file(&file).unwrap(),
        ..desk.enrolment()
    };
    desk.run(&enrolment).await.unwrap();
    assert!(desk.stored().is_some());
}

#[tokio::test]
async fn sends_no_code_to_a_server_under_another_root() {
    let desk = Desk::open().await;
    let other = TestCampus::new();
    let file = desk.dir.path().join("ca.pem");
    fs::write(&file, other.root().certificate().to_pem()).unwrap();
    for root in [
        KnownRoot::Fingerprint(Fingerprint::of(b"other")),
        KnownRoot::file(&file).unwrap(),
    ] {
        let enrolment = Enrolment {
            root,
            ..desk.enrolment()
        };
        assert_eq!(desk.refusal_of(&enrolment).await.code, Code::ServerIdentity);
    }
    assert_eq!(desk.codes_seen(), 0);
    assert!(!desk.has_next_key(), "made for nobody");
}

#[tokio::test]
async fn a_wrong_code_is_refused_and_another_try_succeeds() {
    let desk = Desk::open().await;
    desk.cuhk
        .set(|state| state.code = Some(EnrolmentCode::generate().unwrap()));
    assert_eq!(
        desk.refusal_of(&desk.enrolment()).await.code,
        Code::EnrolmentRefused
    );
    assert!(!desk.has_next_key(), "it will never be certified");
    desk.cuhk.set(|state| state.code = Some(desk.code.clone()));
    desk.run(&desk.enrolment()).await.unwrap();
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_with_the_same_key() {
    let desk = Desk::open().await;
    desk.cuhk.set(|state| state.lose_answers = true);
    desk.refusal_of(&desk.enrolment()).await;
    // A wrong code typed now is no reason to forget the key that was certified.
    let code = desk.code.clone();
    desk.cuhk.set(|state| {
        state.lose_answers = false;
        state.code = Some(EnrolmentCode::generate().unwrap());
    });
    desk.refusal_of(&desk.enrolment()).await;
    assert!(desk.has_next_key());
    desk.cuhk.set(|state| state.code = Some(code));
    let identity = desk.run(&desk.enrolment()).await.unwrap();
    let issued = desk.cuhk.state.lock().unwrap().issued.clone();
    assert_eq!(issued.len(), 2);
    assert_eq!(issued[0].1.leaf(), identity.chain.leaf());
}

#[tokio::test]
async fn a_certificate_without_the_names_asked_for_is_not_used() {
    let desk = Desk::open().await;
    let enrolment = Enrolment {
        dns: vec!["blackboard.example".into()],
        ..desk.enrolment()
    };
    let error = desk.run(&enrolment).await.unwrap_err();
    let failure = error.downcast_ref::<Failure>().unwrap();
    assert!(failure.message.contains("blackboard.example"), "{failure}");
    assert!(desk.stored().is_none());
}

#[tokio::test]
async fn a_certificate_for_another_key_is_not_used() {
    let desk = Desk::open().await;
    desk.cuhk
        .set(|state| state.wrong_key = Some(desk.certs.service("blackboard")));
    let error = desk.run(&desk.enrolment()).await.unwrap_err();
    assert!(error.to_string().contains("another key"), "{error}");
    assert!(desk.stored().is_none());
}

#[tokio::test]
async fn an_expired_certificate_is_replaced() {
    let desk = Desk::open().await;
    desk.run(&desk.enrolment()).await.unwrap();
    let first = desk.stored().unwrap();
    assert!(!first.has_expired(desk.certs.now()));
    let end = first.chain.leaf().not_after().as_secs();
    assert!(first.has_expired(scb_protocol::from_seconds(end + 1)));
    desk.run(&desk.enrolment()).await.unwrap();
    let second = desk.stored().unwrap();
    assert_ne!(first.key.public_key(), second.key.public_key());
}

#[test]
fn an_interrupted_switch_is_finished() {
    let certs = TestCampus::new();
    let (old, new) = (certs.service("blackboard"), certs.service("blackboard"));
    // Cut off before, between and after the two renames.
    for (old_is, new_is) in [
        ("tls", "tls.new"),
        ("tls.old", "tls.new"),
        ("tls.old", "tls"),
    ] {
        let (_dir, home) = home_with(&certs, &old);
        let (_other_dir, other) = home_with(&certs, &new);
        fs::rename(home.path("tls"), home.path("moved")).unwrap();
        fs::rename(home.path("moved"), home.path(old_is)).unwrap();
        fs::rename(other.path("tls"), home.path(new_is)).unwrap();
        let current = IdentityFiles::open(&home)
            .unwrap()
            .current()
            .unwrap()
            .unwrap();
        assert_eq!(current.chain, new.chain, "{old_is} {new_is}");
        assert!(!home.path("tls.old").exists() && !home.path("tls.new").exists());
    }
}

#[test]
fn a_next_key_without_certificate_changes_nothing() {
    let certs = TestCampus::new();
    let identity = certs.service("blackboard");
    let (_dir, home) = home_with(&certs, &identity);
    let files = IdentityFiles::open(&home).unwrap();
    let key = files.next_key().unwrap();
    let files = IdentityFiles::open(&home).unwrap();
    assert_eq!(files.current().unwrap().unwrap().chain, identity.chain);
    assert_eq!(files.next_key().unwrap().public_key(), key.public_key());
}

#[test]
fn a_certificate_beside_another_key_is_refused() {
    let certs = TestCampus::new();
    let wrong = certs
        .service("blackboard")
        .with_key_of(&certs.service("blackboard"));
    let (_dir, home) = home_with(&certs, &wrong);
    assert!(IdentityFiles::open(&home).unwrap().current().is_err());
}

#[cfg(unix)]
#[test]
fn a_key_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let certs = TestCampus::new();
    let (_dir, home) = home_with(&certs, &certs.service("blackboard"));
    let readable = fs::Permissions::from_mode(0o644);
    fs::set_permissions(home.path("tls/key.pem"), readable).unwrap();
    let error = IdentityFiles::open(&home).unwrap().current().unwrap_err();
    assert!(error.to_string().contains("chmod 600"), "{error}");
}

//! A handler that panics, by a hook that only the build for these tests has.

use scb_certs::{SigningKey, StudentId};
use scb_protocol::{Code, EnrolmentCode};

use super::university::{University, ask, enrol, enrolled, refused};

/// The student whose request the handler does not survive.
const FATAL: &str = "PANIC";

/// Called when a request to enrol has come.
pub(crate) fn if_wanted(sid: &StudentId) {
    assert_ne!(sid.as_str(), FATAL, "as a test wants");
}

#[tokio::test]
async fn a_handler_that_panics_harms_no_other() {
    let university = University::open().await;
    let (code, key) = (
        university.code("1155000001").await,
        SigningKey::generate().expect("a key"),
    );
    let mut bystander = university.connect().await;
    let unknown = EnrolmentCode::generate().expect("a code");
    for _ in 0..3 {
        let reply = university.ask(None, &enrol(FATAL, &unknown, &key)).await;
        assert_eq!(refused(reply), Code::ConnectionLost);
    }
    let (chain, _) = enrolled(ask(&mut bystander, &enrol("1155000001", &code, &key)).await);
    let newcomer = university
        .ask(None, &enrol("1155000001", &code, &key))
        .await;
    assert_eq!(enrolled(newcomer).0, chain, "given again");
    assert_eq!(university.count_certificates("1155000001").await, 1);
    university.stop().await;
}

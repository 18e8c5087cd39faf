//! A handler that panics, by a hook that only the build for these tests has.

use scb_certs::{SigningKey, StudentId};
use scb_protocol::{Code, EnrolmentCode};

use crate::Subject;
use crate::store::Store;

use super::university::{University, ask, enrol, enrolled, refused};

/// The student whose request the handler does not survive.
const FATAL: &str = "PANIC";

/// Called when a request to enrol has come.
pub(crate) fn if_wanted(sid: &StudentId) {
    assert_ne!(sid.as_str(), FATAL, "as a test wants");
}

/// The student for whom nothing is ever signed.
const UNSIGNED: &str = "1155000004";

/// Called when everything has been recorded and the next thing is a signature.
pub(crate) fn before_signing(subject: &Subject) {
    assert_ne!(subject.to_string(), UNSIGNED, "as a test wants");
}

#[tokio::test]
async fn what_is_about_to_be_signed_is_on_disk() {
    let university = University::open().await;
    let code = university.code(UNSIGNED).await;
    let key = SigningKey::generate().expect("a key");
    for _ in 0..2 {
        let reply = university.ask(None, &enrol(UNSIGNED, &code, &key)).await;
        assert_eq!(refused(reply), Code::ConnectionLost);
        // By another connection to the same file.
        let disk = Store::open(&university.dir.path().join("cuhk/cuhk.db")).expect("a store");
        let subject = UNSIGNED.parse().expect("a subject");
        let recorded = disk.read(move |records| records.certificates().of(&subject));
        let recorded = recorded.await.expect("readable");
        assert_eq!(recorded.len(), 1, "the same one each time");
        assert_eq!(
            recorded[0].intent.public_key,
            key.public_key().fingerprint()
        );
        assert!(recorded[0].certificate.is_none(), "not signed yet");
        disk.close().await;
    }
    university.stop().await;
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

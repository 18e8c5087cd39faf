//! Whoever tries many codes is held up; whoever has a right one is not.

use std::num::NonZeroU32;

use scb_certs::SigningKey;
use scb_cuhk::Config;
use scb_protocol::Code;
use scb_protocol::message::cuhk::Reply;
use scb_transport::Limits;

use crate::university::{University, ask, enrol, enrolled, refused};

const ALLOWED: NonZeroU32 = NonZeroU32::new(3).unwrap();

async fn university(count_loopback: bool) -> University {
    University::open_with(Config {
        wrong_codes: ALLOWED,
        limits: Limits {
            count_loopback,
            ..Limits::default()
        },
        ..Config::default()
    })
    .await
}

/// One wrong code, on a connection of its own.
async fn guess(university: &University) -> Result<Reply, scb_protocol::Refusal> {
    let wrong = "00000-00000-00000-00000-00000".parse();
    let wrong = wrong.unwrap_or_else(|error| panic!("{error}"));
    let mut connection = university.connect().await;
    let key = SigningKey::generate().unwrap();
    ask(&mut connection, &enrol("1155000001", &wrong, &key)).await
}

#[tokio::test]
async fn too_many_wrong_codes_from_an_address_are_told_busy_and_a_right_one_still_counts() {
    let university = university(true).await;
    for _ in 0..ALLOWED.get() {
        assert_eq!(refused(guess(&university).await), Code::EnrolmentRefused);
    }
    let busy = guess(&university).await.unwrap_err();
    assert_eq!(busy.code, Code::Busy);
    let told = busy.sentence();
    assert!(told.starts_with("too many wrong enrolment codes"), "{told}");
    assert!(
        busy.retry_after
            .is_some_and(|seconds| (1..=21).contains(&seconds)),
        "{busy:?}"
    );
    // The very student whose code others tried to guess, from the very address.
    let (code, key) = (
        university.code("1155000001").await,
        SigningKey::generate().unwrap(),
    );
    let mut connection = university.connect().await;
    enrolled(ask(&mut connection, &enrol("1155000001", &code, &key)).await);
}

#[tokio::test]
async fn wrong_codes_are_counted_as_such_below_the_limit_and_on_this_machine() {
    let university = university(false).await;
    for _ in 0..2 * ALLOWED.get() {
        assert_eq!(refused(guess(&university).await), Code::EnrolmentRefused);
    }
}

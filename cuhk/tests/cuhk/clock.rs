//! The clock jumps: nothing is used again, and doubt closes the door.

use std::collections::BTreeSet;
use std::time::Duration;

use scb_certs::{RevocationReason, SigningKey};
use scb_cuhk::CrlSigner;
use scb_protocol::Code;
use scb_protocol::message::cuhk::Request;

use crate::university::{University, ask, enrol, refused, renew, status};

const DAY: u64 = 24 * 3600;
const HOUR: Duration = Duration::from_secs(3600);
const FORTY_DAYS: Duration = Duration::from_secs(40 * 24 * 3600);

/// Forward by an hour, back by two, forward by 40 days and back again.
fn jumps(university: &University) -> [Box<dyn Fn() + '_>; 4] {
    let clock = &university.clock;
    [
        Box::new(|| clock.advance(HOUR)),
        Box::new(|| clock.rewind(2 * HOUR)),
        Box::new(|| clock.advance(FORTY_DAYS)),
        Box::new(|| clock.rewind(FORTY_DAYS - HOUR)),
    ]
}

#[tokio::test]
async fn jumps_of_the_clock_repeat_no_serial_and_no_epoch() {
    let university = University::open().await;
    let blackboard = university.blackboard().await;
    // Before its own certificates begin nobody can talk to it at all.
    university.clock.advance(24 * HOUR);
    let mut serials = BTreeSet::new();
    let mut epochs = vec![0];
    for jump in jumps(&university) {
        jump();
        university.refresher.refresh().await.unwrap();
        let student = university.student("1155000001").await;
        assert!(serials.insert(student.chain.leaf().serial()));
        university
            .revoke("1155000001", RevocationReason::Superseded)
            .await;
        let mut connection = university.connect_as(&blackboard).await;
        epochs.push(status(ask(&mut connection, &Request::Status {}).await));
    }
    assert!(
        epochs.is_sorted_by(|before, after| before < after),
        "{epochs:?}"
    );
}

#[tokio::test]
async fn a_leap_of_the_running_servers_clock_is_written_down_before_anything_is_recorded_by_it() {
    let university = University::open().await;
    let doubted = || {
        let database = university.home().path("cuhk.db");
        let reader = rusqlite::Connection::open(database).unwrap();
        let sql = "SELECT count(*) FROM clock_trust WHERE doubted_at IS NOT NULL";
        reader
            .query_one(sql, [], |row| row.get::<_, u32>(0))
            .unwrap()
    };
    university.clock.advance(24 * HOUR);
    university.refresher.refresh().await.unwrap();
    assert_eq!(doubted(), 0);
    university.clock.advance(FORTY_DAYS);
    university.refresher.refresh().await.unwrap();
    assert_eq!(doubted(), 1);
}

#[tokio::test]
async fn a_jump_beyond_its_life_ends_a_certificate_and_a_code() {
    let university = University::open().await;
    let student = university.student("1155000001").await;
    let (code, key) = (
        university.code("1155000002").await,
        SigningKey::generate().unwrap(),
    );
    university.clock.advance(FORTY_DAYS);
    university.refresher.refresh().await.unwrap();
    for _ in 0..2 {
        let refusal = university.dial(Some(&student)).await.unwrap_err();
        assert_eq!(refusal.code, Code::CertificateExpired);
        let reply = university
            .ask(None, &enrol("1155000002", &code, &key))
            .await;
        assert_eq!(refused(reply), Code::CodeExpired);
        // Back by an hour both are as dead as before.
        university.clock.rewind(HOUR);
        university.refresher.refresh().await.unwrap();
    }
}

#[tokio::test]
async fn a_certificate_from_the_future_is_refused_after_the_clock_went_back() {
    let university = University::open().await;
    university.clock.advance(FORTY_DAYS);
    university.refresher.refresh().await.unwrap();
    let student = university.student("1155000001").await;
    university.connect_as(&student).await;
    university.clock.rewind(FORTY_DAYS);
    let refusal = university.dial(Some(&student)).await.unwrap_err();
    assert_eq!(refusal.code, Code::CertificateNotYetValid);
}

#[tokio::test]
async fn a_clock_that_went_back_a_year_is_to_blame_and_not_the_database() {
    let university = University::open().await;
    university.student("1155000001").await;
    university.clock.rewind(10 * FORTY_DAYS);
    let told = university.refresher.refresh().await.unwrap_err();
    assert!(told.to_string().contains("clock says"), "{told}");
}

/// Nobody's certificate is bad: it is CUHK's root that has to sign.
#[tokio::test]
async fn once_the_roots_list_has_ended_nobodys_certificate_is_blamed() {
    let university = University::open().await;
    university.clock.advance(390 * 24 * HOUR);
    university.refresher.refresh().await.unwrap();
    let (student, blackboard) = (
        university.student("1155000001").await,
        university.blackboard().await,
    );
    for who in [&student, &blackboard] {
        university.connect_as(who).await;
    }
    university.clock.advance(10 * 24 * HOUR);
    university.refresher.refresh().await.unwrap();
    for (who, request) in [
        (&student, Request::RefreshToken {}),
        (&student, renew(&SigningKey::generate().unwrap())),
        (&blackboard, Request::Status {}),
    ] {
        let refused = university.ask(Some(who), &request).await.unwrap_err();
        assert_eq!(refused.code, Code::StatusUnavailable, "{refused}");
    }
}

/// All summer, say.
#[tokio::test]
async fn a_cuhk_that_serves_and_is_asked_nothing_signs_its_lists_every_day() {
    let university = University::open().await;
    for day in 1..=45 {
        university.clock.advance(24 * HOUR);
        university.refresher.refresh().await.unwrap();
        // What `cuhk prune` goes by where nothing else is recorded: `cuhk/src/clock.rs`.
        let signed = university
            .change(|records| records.lists().find(CrlSigner::STUDENTS))
            .await
            .unwrap();
        let age = university.clock.now().as_secs() - signed.crl.this_update().as_secs();
        assert!(age <= DAY, "day {day}: {age} s");
    }
    let database = university.home().path("cuhk.db");
    let reader = rusqlite::Connection::open(database).unwrap();
    let sql = "SELECT count(*) FROM clock_trust WHERE doubted_at IS NOT NULL";
    let doubted = reader.query_one(sql, [], |row| row.get::<_, u32>(0));
    assert_eq!(doubted.unwrap(), 0);
}

/// The records are of a clock that was two years ahead, and somebody has said so: no list that is signed
/// says how late it is.
#[tokio::test]
async fn a_server_notes_that_its_clock_is_believed_where_no_record_says_so() {
    let university = University::open().await;
    let database = rusqlite::Connection::open(university.home().path("cuhk.db")).unwrap();
    let now = || i64::try_from(university.clock.now().as_secs()).unwrap();
    let said = now();
    let correct =
        "INSERT OR REPLACE INTO clock_trust (id, trusted, corrected_at) VALUES (1, ?1, ?1)";
    database.execute(correct, [said]).unwrap();
    let code = "INSERT INTO enrolment_code (digest, subject, issued_at, expires_at)
                VALUES (zeroblob(32), 'x', ?1, ?1)";
    let ahead = said + 800 * 24 * 3600;
    database.execute(code, [ahead]).unwrap();
    for day in 1..=45 {
        university.clock.advance(24 * HOUR);
        university.refresher.refresh().await.unwrap();
        let sql =
            "SELECT trusted, doubted_at IS NULL AND corrected_at IS NOT NULL FROM clock_trust";
        let noted: (i64, bool) = database
            .query_one(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        assert_eq!(noted, (now(), true), "day {day}");
    }
}

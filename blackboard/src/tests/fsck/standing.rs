//! What students signed, how it ended, and what hides an assignment: each row against the log.

use rustls_pki_types::UnixTime;
use scb_protocol::log_leaf::{Detached, Ended, Entry, Leaf};
use scb_protocol::rules::{Extension, GroupSize, Terms};
use scb_protocol::statement::SubmissionId;
use scb_protocol::{Code, from_seconds};

use super::super::campus::Campus;
use super::super::proposals::{A, B, C, Machine};
use super::super::uploads::{again, interrupted};
use super::super::withdrawals::give_up;
use super::{Connection, Copy, log};
use crate::store::{NotListed, Place, Store};

fn place(campus: &Campus, assignment: &str) -> Place {
    Place {
        domain: campus.service.trust_domain().clone(),
        course: "SANDBOX".parse().unwrap(),
        assignment: assignment.parse().unwrap(),
    }
}

fn later(campus: &Campus, seconds: u64) -> UnixTime {
    from_seconds(campus.certs.now().as_secs() + seconds)
}

/// An assignment with an extension, added and taken back.
fn removed(campus: &Campus) {
    let (store, now) = (Store::open(&campus.home).unwrap(), campus.certs.now());
    let group = GroupSize::new(1, 3).unwrap();
    let mut terms = Terms::always_open("Old".parse().unwrap(), group, 1 << 20);
    terms.due = Some(later(campus, 60));
    let place = || place(campus, "old");
    store
        .add_assignment(place(), terms.check().unwrap(), now)
        .unwrap();
    let extension = Extension {
        sid: A.parse().unwrap(),
        due: later(campus, 120),
        cutoff: None,
    };
    store
        .extend(place(), vec![extension], NotListed::Taken, now)
        .unwrap();
    store.remove_assignment(place(), now).unwrap();
}

/// A home in which hand-ins have come to every end that there is.
async fn home() -> Campus {
    let mut campus = Campus::open().await;
    {
        let [mut a, mut b] = [A, B].map(|sid| Machine::of(&campus, &[sid]));
        let work = |report: &str| a.work(&[A, B], report.as_bytes());
        let [waits, declined, taken, done] = ["waits", "declined", "taken", "done"].map(work);
        for one in [&waits, &declined, &taken, &done] {
            a.propose(one).await.unwrap().waits();
        }
        b.end(declined.submission(), Some("not mine"))
            .await
            .unwrap();
        a.end(taken.submission(), None).await.unwrap();
        // It overtakes the one that waits.
        b.sign(&done).await.unwrap().receipt();
        let still = a.work(&[A, B, C], b"still");
        a.propose(&still).await.unwrap().waits();
        let group = interrupted(&campus).await;
        give_up(&mut again(&group), group.submission).await.unwrap();
        interrupted(&campus).await;
    }
    removed(&campus);
    campus.stop().await;
    campus
}

/// One row is altered, and what is found then.
const ALTERATIONS: [(&str, &[&str]); 36] = [
    // An assignment is hidden, or shown.
    (
        "INSERT INTO removals SELECT course, assignment, max(nth), max(at) FROM rules \
         WHERE assignment = 'lab'",
        &["assignment_hidden"],
    ),
    ("DELETE FROM removals", &["assignment_hidden"]),
    ("UPDATE removals SET at = at - 1", &["assignment_hidden"]),
    ("UPDATE courses SET removed_at = 1", &["assignment_hidden"]),
    ("DELETE FROM courses", &["assignment_hidden"]),
    // What was given up comes to life, or the other way round.
    ("DELETE FROM withdrawals", &["withdrawal_altered"]),
    (
        "UPDATE withdrawals SET at = at - 1",
        &["withdrawal_altered"],
    ),
    (
        "UPDATE withdrawals SET log_index = 0",
        &["withdrawal_altered"],
    ),
    (
        "INSERT INTO withdrawals SELECT submission, committed_at, log_index FROM commitments \
         WHERE submission NOT IN (SELECT submission FROM withdrawals)",
        &["withdrawal_altered"],
    ),
    (
        "INSERT INTO withdrawals VALUES (randomblob(16), 1, 1)",
        &["not_entered"],
    ),
    // Who said what.
    (
        "UPDATE cosigners SET said = 'signed' WHERE said = 'withdrawn'",
        &["proposal_altered"],
    ),
    (
        "UPDATE cosigners SET said = 'nothing' WHERE said = 'withdrawn'",
        &["proposal_altered"],
    ),
    (
        "UPDATE cosigners SET said = 'nothing' WHERE said = 'declined'",
        &["proposal_altered"],
    ),
    (
        "UPDATE cosigners SET said = 'signed' WHERE sid = '1155000003'",
        &["proposal_altered"],
    ),
    (
        "UPDATE cosigners SET sid = '1155000009' WHERE sid = '1155000003'",
        &["proposal_altered"],
    ),
    (
        "UPDATE cosigners SET delivery = 1 WHERE said = 'declined'",
        &["proposal_altered"],
    ),
    (
        "DELETE FROM cosigners WHERE sid = '1155000003'",
        &["proposal_altered"],
    ),
    // How and when it ended, or was complete.
    (
        "UPDATE proposals SET ended = NULL, ended_at = NULL WHERE ended = 'declined'",
        &["proposal_altered"],
    ),
    (
        "UPDATE proposals SET ended = NULL, ended_at = NULL WHERE ended = 'lapsed'",
        &["proposal_altered"],
    ),
    (
        "UPDATE proposals SET ended = 'lapsed' WHERE ended = 'withdrawn'",
        &["proposal_altered"],
    ),
    (
        "UPDATE proposals SET ended_at = ended_at - 1 WHERE ended = 'withdrawn'",
        &["proposal_altered"],
    ),
    (
        "UPDATE proposals SET ended = 'lapsed', ended_at = 1 WHERE signed_at IS NOT NULL",
        &["proposal_altered"],
    ),
    (
        "UPDATE proposals SET signed_at = signed_at - 1 WHERE signed_at IS NOT NULL",
        &["proposal_altered"],
    ),
    (
        "UPDATE proposals SET signed_index = 1 WHERE signed_at IS NOT NULL",
        &["proposal_altered"],
    ),
    (
        "UPDATE proposals SET proposed_at = proposed_at - 1 WHERE ended = 'declined'",
        &["proposal_altered"],
    ),
    (
        "UPDATE proposals SET waits_until = waits_until + 999999 WHERE ended = 'declined'",
        &["window_altered"],
    ),
    (
        "UPDATE proposals SET waits_until = signed_at - 100 WHERE signed_at IS NOT NULL",
        &["window_altered"],
    ),
    (
        "UPDATE deliveries SET upload_until = upload_until + 9999999",
        &["window_altered"],
    ),
    // Which connection brought what, and when.
    (
        "UPDATE deliveries SET connection = zeroblob(32) WHERE id = 1",
        &["commitment_altered"],
    ),
    (
        "UPDATE deliveries SET members = '1155000002' WHERE id = 1",
        &["commitment_altered"],
    ),
    (
        "UPDATE deliveries SET at = at - 1 WHERE id = 2",
        &["commitment_altered"],
    ),
    (
        "UPDATE deliveries SET reason = 'mine' WHERE reason IS NOT NULL",
        &["commitment_altered"],
    ),
    (
        "UPDATE deliveries SET signatures = x'00', mode = 'tokens' WHERE id = 2",
        &["commitment_altered"],
    ),
    (
        "INSERT INTO deliveries SELECT 99, submission, at, connection, members, signatures, mode, \
         assurance, reason, 0, NULL, NULL FROM deliveries WHERE id = 1",
        &["not_entered"],
    ),
    // Until when files may come.
    (
        "UPDATE commitments SET upload_until = upload_until + 9999999 \
         WHERE submission NOT IN (SELECT submission FROM withdrawals)",
        &["window_altered"],
    ),
    (
        "UPDATE commitments SET mode = 'tokens' \
         WHERE submission NOT IN (SELECT submission FROM withdrawals)",
        &["commitment_altered"],
    ),
];

#[tokio::test]
async fn every_row_of_what_was_signed_and_hidden_is_compared_with_the_log() {
    let campus = home().await;
    assert_eq!(Copy::of(&campus).codes(), [""; 0], "as it was stored");
    for (statement, expected) in ALTERATIONS {
        let home = Copy::of(&campus);
        home.sql(statement);
        assert_eq!(home.codes(), expected, "{statement}");
    }
}

/// Those that change more than one thing, or hide one.
#[tokio::test]
async fn a_row_that_is_gone_or_was_never_entered_is_found() {
    let campus = home().await;
    for (statement, expected) in [
        ("DELETE FROM deliveries WHERE id = 2", "commitment_missing"),
        ("DELETE FROM proposals", "commitment_missing"),
        (
            "UPDATE proposals SET statement = x'7b7d'",
            "commitment_altered",
        ),
        (
            "UPDATE commitments SET submission = randomblob(16) WHERE log_index = \
             (SELECT max(log_index) FROM commitments)",
            "not_entered",
        ),
        (
            "INSERT INTO proposals SELECT randomblob(16), course, assignment, proposed_at, \
             waits_until, statement, files_at, signed_at, signed_index, ended, ended_at \
             FROM proposals LIMIT 1",
            "not_entered",
        ),
    ] {
        let home = Copy::of(&campus);
        home.sql(statement);
        let codes = home.codes();
        assert!(codes.contains(&expected), "{statement}: {codes:?}");
    }
}

#[tokio::test]
async fn one_that_goes_on_after_its_end_is_found() {
    let mut campus = Campus::open().await;
    let group = interrupted(&campus).await;
    give_up(&mut again(&group), group.submission).await.unwrap();
    let id = group.submission;
    drop(group);
    campus.stop().await;
    let home = Copy::of(&campus);
    assert_eq!(home.codes(), [""; 0]);
    let mut connection = Connection::open(home.home.path("blackboard.db")).unwrap();
    let again = |id: SubmissionId| {
        Entry::Withdrawn(Ended {
            submission: id,
            members: vec![A.parse().unwrap()],
            connection: scb_certs::Fingerprint::of(b"a connection"),
            reason: None,
        })
    };
    let name = super::LOG.parse().unwrap();
    let transaction = connection.transaction().unwrap();
    // The register would not: it is entered as of another hand-in, and renamed.
    let other = SubmissionId::from_bytes([9; 16]);
    let entered = log::append(&transaction, &name, now(), again(other)).unwrap();
    let mut leaf = Leaf::parse(&entered.leaf).unwrap();
    leaf.entry = again(id);
    let leaf = leaf.to_bytes().unwrap();
    let commitment = scb_protocol::log_leaf::leaf_commitment(&leaf);
    let sql = "UPDATE log_entries SET leaf = ?, commitment = ? WHERE number = ?";
    let row = rusqlite::params![leaf, commitment, i64::try_from(entered.index).unwrap()];
    transaction.execute(sql, row).unwrap();
    transaction.commit().unwrap();
    let codes = home.codes();
    assert!(codes.contains(&"entry_after_end"), "{codes:?}");
}

#[tokio::test]
async fn one_that_takes_out_who_was_never_in_is_found() {
    let mut campus = Campus::open().await;
    campus.group(&[A, B]).hand_in().await.unwrap();
    campus.stop().await;
    for (number, sid, index, expected) in [
        ("S-000001", B, None, false),
        ("S-000001", C, None, true),
        ("S-000002", B, None, true),
        // As if it had been accepted after that.
        ("S-000001", B, Some(0), true),
    ] {
        let home = Copy::of(&campus);
        let mut connection = Connection::open(home.home.path("blackboard.db")).unwrap();
        let name = super::LOG.parse().unwrap();
        let transaction = connection.transaction().unwrap();
        let detached = Entry::Detached(Detached {
            number: number.parse().unwrap(),
            members: vec![sid.parse().unwrap()],
            reason: "mixed up".parse().unwrap(),
        });
        let entered = log::append(&transaction, &name, now(), detached).unwrap();
        if let Some(index) = index {
            let index: i64 = index;
            let mut leaf = Leaf::parse(&entered.leaf).unwrap();
            leaf.index = u64::try_from(index).unwrap();
            let at = i64::try_from(leaf.at.as_secs()).unwrap();
            let leaf = leaf.to_bytes().unwrap();
            let commitment = scb_protocol::log_leaf::leaf_commitment(&leaf);
            let sql = "UPDATE log_entries SET leaf = ?, commitment = ?, kind = 'detached', \
                       at = ? WHERE number = ?";
            let row = rusqlite::params![leaf, commitment, at, index];
            transaction.execute(sql, row).unwrap();
        }
        transaction.commit().unwrap();
        let codes = home.codes();
        let is_found = codes.contains(&"detachment_unfounded");
        assert_eq!(is_found, expected, "{number} {sid} {index:?}: {codes:?}");
    }
}

fn now() -> UnixTime {
    super::now()
}

fn alter(campus: &Campus, statement: &str) {
    let connection = Connection::open(campus.home.path("blackboard.db")).unwrap();
    connection.execute_batch(statement).unwrap();
}

#[tokio::test]
async fn what_has_ended_by_the_log_is_not_signed_whatever_the_records_say() {
    let campus = Campus::open().await;
    let [mut a, mut b] = [A, B].map(|sid| Machine::of(&campus, &[sid]));
    let work = a.work(&[A, B], b"our report");
    a.propose(&work).await.unwrap().waits();
    a.end(work.submission(), None).await.unwrap();
    let not_ended = "UPDATE proposals SET ended = NULL, ended_at = NULL";
    alter(&campus, not_ended);
    let refused = b.sign(&work).await.unwrap_err();
    assert_eq!(refused.code, Code::ProposalEnded);
    assert_eq!(refused.params["state"], "withdrawn");
    // Who has not signed is not said to have, even so.
    let signed = "UPDATE cosigners SET said = 'signed' WHERE said = 'withdrawn'";
    alter(&campus, signed);
    let refused = b.sign(&work).await.unwrap_err();
    assert_eq!(refused.code, Code::StoredDamaged);
    // Nor does it lapse again where a newer version overtakes it, which is taken all the same.
    let still = a.work(&[A, B], b"another");
    a.propose(&still).await.unwrap().waits();
    b.sign(&still).await.unwrap().receipt();
}

#[tokio::test]
async fn what_was_given_up_by_the_log_is_not_sent_whatever_the_records_say() {
    let campus = Campus::open().await;
    let group = interrupted(&campus).await;
    give_up(&mut again(&group), group.submission).await.unwrap();
    alter(&campus, "DELETE FROM withdrawals");
    let refused = again(&group).commit().await.unwrap_err();
    assert_eq!(refused.code, Code::ProposalEnded);
    assert_eq!(refused.params["state"], "withdrawn");
}

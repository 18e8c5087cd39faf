//! What somebody has altered in the tables: nobody is shown it, signs it, or is blamed for it.

use rusqlite::{Connection, params};
use scb_certs::StudentId;
use scb_protocol::message::proposal::{ProposalStanding, ProposalState};
use scb_protocol::statement::{FileEntry, Files, Statement, SubmissionId};
use scb_protocol::{Code, Refusal};

use super::super::withdrawals::history;
use super::{A, B, C, Campus, Machine, Work, happened};

fn database(campus: &Campus) -> Connection {
    Connection::open(campus.home.path("blackboard.db")).unwrap()
}

/// The same ID, members and place; another report.
fn swapped(work: &Work) -> Vec<u8> {
    let was = Statement::parse(&work.statement).unwrap();
    let files = Files::from(FileEntry {
        sha256: scb_certs::Fingerprint::of(b"another report"),
        ..was.files[0].clone()
    });
    let place = (was.course.clone(), was.assignment.clone());
    let members = was.members.clone();
    let other = Statement::new(was.service.clone(), place, members, files, was.submission);
    other.to_bytes().unwrap()
}

/// Which are told, and which are left out.
async fn listed(machine: &mut Machine<'_>) -> (Vec<SubmissionId>, Vec<SubmissionId>) {
    let proposals = machine.proposals().await;
    let told = proposals.told.iter().map(|one| one.statement.submission);
    let left_out = proposals.left_out.iter().map(|one| one.submission);
    (told.collect(), left_out.collect())
}

#[tokio::test]
async fn a_statement_that_was_exchanged_is_not_shown_signed_or_held_against_anybody() {
    let campus = Campus::open().await;
    let [mut a, mut b] = [A, B].map(|sid| Machine::of(&campus, &[sid]));
    let work = a.work(&[A, B], b"our report");
    a.propose(&work).await.unwrap().waits();
    let other = Work {
        statement: swapped(&work),
        report: b"another report".to_vec(),
    };
    let set = |statement: &[u8]| {
        let sql = "UPDATE proposals SET statement = ?";
        assert_eq!(
            database(&campus).execute(sql, params![statement]).unwrap(),
            1
        );
    };
    set(&other.statement);
    let damaged = |refusal: Refusal| {
        assert_eq!(refusal.code, Code::StoredDamaged, "{refusal}");
        assert_eq!(refusal.params["submission"], work.submission().to_string());
        assert!(refusal.sid.is_none(), "{refusal}");
    };
    let one = work.submission();
    assert_eq!(listed(&mut b).await, (vec![], vec![one]));
    for statement in [&work, &other] {
        damaged(b.sign(statement).await.unwrap_err());
        damaged(a.propose(statement).await.unwrap_err());
    }
    assert_eq!(happened(&campus), ["proposed", "signed"]);
    set(&work.statement);
    assert_eq!(listed(&mut b).await, (vec![one], vec![]));
    b.sign(&work).await.unwrap().receipt();
}

#[tokio::test]
async fn others_do_not_wait_for_what_was_altered() {
    let campus = Campus::open().await;
    let [mut a, mut c] = [A, C].map(|sid| Machine::of(&campus, &[sid]));
    let work = a.work(&[A, B], b"our report");
    a.propose(&work).await.unwrap().waits();
    let sql = "UPDATE proposals SET statement = ?";
    let altered = params![swapped(&work)];
    database(&campus).execute(sql, altered).unwrap();
    let other = c.work(&[C, A], b"another group's");
    c.propose(&other).await.unwrap().waits();
    let expected = (vec![other.submission()], vec![work.submission()]);
    assert_eq!(listed(&mut a).await, expected);
    a.sign(&other).await.unwrap().receipt();
}

#[tokio::test]
async fn whose_members_were_altered_is_left_out_alone() {
    let campus = Campus::open().await;
    let mut a = Machine::of(&campus, &[A]);
    let works = [&b"one"[..], b"another"].map(|report| a.work(&[A, B], report));
    for work in &works {
        a.propose(work).await.unwrap().waits();
    }
    let sql = "UPDATE cosigners SET sid = 'nobody' WHERE nth = 2 AND submission = ?";
    let [one, other] = works.each_ref().map(Work::submission);
    assert_eq!(database(&campus).execute(sql, [one.as_bytes()]).unwrap(), 1);
    assert_eq!(listed(&mut a).await, (vec![other], vec![one]));
}

#[tokio::test]
async fn who_has_signed_is_proved_to_who_is_asked() {
    let campus = Campus::open().await;
    let [mut a, mut b, mut c] = [A, B, C].map(|sid| Machine::of(&campus, &[sid]));
    let work = a.work(&[A, B, C], b"our report");
    let names =
        |sids: &[&str]| -> Vec<StudentId> { sids.iter().map(|sid| sid.parse().unwrap()).collect() };
    a.propose(&work).await.unwrap().waits();
    assert_eq!(b.told().await[0].proved, names(&[A]));
    b.sign(&work).await.unwrap().waits();
    let told = c.told().await;
    assert_eq!(told[0].proved, names(&[A, B]));

    // The word of a row that somebody has signed is no proof of it.
    let claim = "UPDATE cosigners SET said = 'signed', delivery = (SELECT min(id) FROM deliveries), \
                 certificate = NULL WHERE sid = ?";
    database(&campus).execute(claim, [C]).unwrap();
    assert_eq!(listed(&mut a).await, (vec![], vec![work.submission()]));
    let undo = "UPDATE cosigners SET said = 'nothing', delivery = NULL WHERE sid = ?";
    database(&campus).execute(undo, [C]).unwrap();
    c.sign(&work).await.unwrap().receipt();
    assert_eq!(a.told().await[0].proved, names(&[A, B, C]));
}

#[tokio::test]
async fn a_signature_of_something_else_is_noticed_and_held_against_nobody() {
    let campus = Campus::open().await;
    let [mut a, mut b] = [A, B].map(|sid| Machine::of(&campus, &[sid]));
    let [work, other] = [&b"our report"[..], b"another"].map(|report| a.work(&[A, B], report));
    a.propose(&work).await.unwrap().waits();
    a.propose(&other).await.unwrap().waits();
    let sql = "UPDATE deliveries SET signatures = (SELECT signatures FROM deliveries AS other \
               WHERE other.submission <> deliveries.submission) WHERE submission = ?";
    let id = *work.submission().as_bytes();
    assert_eq!(database(&campus).execute(sql, [id]).unwrap(), 1);
    let expected = (vec![other.submission()], vec![work.submission()]);
    assert_eq!(listed(&mut b).await, expected);
    let refusal = b.sign(&work).await.unwrap_err();
    assert_eq!(refusal.code, Code::StoredDamaged, "{refusal}");
    assert!(refusal.sid.is_none(), "{refusal}");
    let quiet = ["proposed", "signed", "proposed", "signed"];
    assert_eq!(happened(&campus), quiet);
}

/// Each alters the rows of one proposal, that `A` has signed and `B` not.
const ALTERATIONS: [&str; 6] = [
    "DELETE FROM deliveries WHERE submission = ?",
    "UPDATE deliveries SET log_index = log_index - 1 WHERE submission = ?",
    "UPDATE cosigners SET said = 'nothing' WHERE submission = ?",
    "UPDATE cosigners SET said = 'nothing', delivery = NULL, certificate = NULL WHERE submission = ?",
    "UPDATE cosigners SET certificate = NULL WHERE submission = ?",
    "UPDATE cosigners SET said = 'signed' WHERE submission = ?",
];

#[tokio::test]
async fn nothing_is_signed_about_anybody_from_a_row_that_the_log_contradicts() {
    let campus = Campus::open().await;
    let [mut a, mut b] = [A, B].map(|sid| Machine::of(&campus, &[sid]));
    let sound = a.work(&[A, B], b"as it was");
    a.propose(&sound).await.unwrap().waits();
    let (mut left_out, mut quiet) = (Vec::new(), vec!["proposed", "signed"]);
    for (nth, alteration) in (0..).zip(ALTERATIONS) {
        let work = a.work(&[A, B], format!("draft {nth}").as_bytes());
        a.propose(&work).await.unwrap().waits();
        let database = database(&campus);
        database.pragma_update(None, "foreign_keys", false).unwrap();
        let id = work.submission();
        let altered = database.execute(alteration, [id.as_bytes()]).unwrap();
        assert!(altered > 0, "{alteration}");
        quiet.extend(["proposed", "signed"]);
        left_out.push(id);
        for refused in [
            b.sign(&work).await.unwrap_err(),
            a.propose(&work).await.unwrap_err(),
            b.end(id, None).await.unwrap_err(),
        ] {
            assert_eq!(refused.code, Code::StoredDamaged, "{alteration}: {refused}");
            assert!(refused.sid.is_none() && refused.rejection.is_none());
        }
    }
    campus
        .certs
        .clock()
        .advance(std::time::Duration::from_secs(1));
    let store = crate::store::Store::open(&campus.home).unwrap();
    let register = crate::store::Register::open(&campus.home, store).unwrap();
    assert_eq!(register.lapse_proposals(campus.certs.now()).unwrap(), 0);
    assert_eq!(happened(&campus), quiet, "nobody is refused, and none ends");
    let (told, mut named) = listed(&mut b).await;
    assert_eq!(told, [sound.submission()]);
    named.sort();
    left_out.sort();
    assert_eq!(named, left_out);
    b.sign(&sound).await.unwrap().receipt();
}

/// Each alters since when everybody has signed something, or until when its files may come, or says that it has ended.
const WINDOWS: [&str; 19] = [
    "UPDATE proposals SET waits_until = signed_at - 100",
    "UPDATE proposals SET waits_until = signed_at + 1",
    "UPDATE proposals SET waits_until = waits_until - 1",
    "UPDATE proposals SET waits_until = waits_until + 1",
    "UPDATE proposals SET waits_until = waits_until + 999999999",
    "UPDATE deliveries SET upload_until = 5",
    "UPDATE deliveries SET upload_until = upload_until + 999999999",
    "UPDATE deliveries SET upload_until = NULL",
    "UPDATE proposals SET signed_at = signed_at + 100",
    "UPDATE proposals SET signed_index = 0",
    "UPDATE proposals SET signed_at = NULL, signed_index = NULL",
    "UPDATE proposals SET ended = 'lapsed', ended_at = signed_at",
    "UPDATE proposals SET ended = 'withdrawn', ended_at = 5, waits_until = 0, signed_at = NULL",
    "UPDATE proposals SET proposed_at = proposed_at - 60, course = 'OTHER', assignment = 'other'",
    "UPDATE kept_windows SET upload_until = 5",
    "DELETE FROM kept_windows",
    "UPDATE proposals SET waits_until = proposed_at + 1; UPDATE deliveries SET upload_until = NULL",
    "UPDATE proposals SET waits_until = 0; UPDATE kept_windows SET upload_until = NULL, files_at = NULL",
    "UPDATE proposals SET ended = 'declined', ended_at = 5; UPDATE deliveries SET upload_until = 7",
];

/// What the tables say of this proposal beside its statement and who has signed it.
fn rows_of(campus: &Campus, id: SubmissionId) -> String {
    let sql = "SELECT json_array(course, assignment, proposed_at, waits_until, p.files_at, signed_at, signed_index, \
               ended, ended_at, k.upload_until, k.files_at, \
               (SELECT upload_until FROM deliveries AS d WHERE d.submission = p.submission AND log_index = signed_index)) \
               FROM proposals AS p JOIN kept_windows AS k USING (submission) WHERE submission = ?";
    let key = [id.as_bytes()];
    database(campus)
        .query_one(sql, key, |row| row.get(0))
        .unwrap()
}

#[tokio::test]
async fn what_all_have_signed_goes_on_whatever_a_row_says_of_its_time() {
    let campus = Campus::open().await;
    let [mut a, mut b] = [A, B].map(|sid| Machine::of(&campus, &[sid]));
    let store = crate::store::Store::open(&campus.home).unwrap();
    let register = crate::store::Register::open(&campus.home, store).unwrap();
    for (nth, alteration) in (0..).zip(WINDOWS) {
        let work = a.work(&[A, B], format!("report {nth}").as_bytes());
        a.begin(&work).await.unwrap();
        let standing = b.sign(&work).await.unwrap().waits();
        assert_eq!(standing.state, ProposalState::Signed);
        let (signed, before) = (campus.certs.now(), happened(&campus));
        database(&campus).execute_batch(alteration).unwrap();
        campus
            .certs
            .clock()
            .advance(std::time::Duration::from_secs(5));
        let again = a.begin(&work).await.unwrap();
        let told = |standing: &ProposalStanding| (standing.state, standing.signed_at());
        assert_eq!(told(&again), told(&standing), "{alteration}");
        let most = standing.until.as_secs() + 1;
        let until = standing.until.as_secs()..=most;
        assert!(until.contains(&again.until.as_secs()), "{alteration}");
        assert_eq!(register.lapse_proposals(campus.certs.now()).unwrap(), 0);
        assert_eq!(happened(&campus), before, "{alteration}");
        let receipt = a.propose(&work).await.unwrap().receipt();
        assert_eq!(a.verify(&receipt).committed_at(), signed, "{alteration}");
    }
}

#[tokio::test]
async fn so_does_what_waits_for_signatures_and_its_row_is_put_right() {
    let campus = Campus::open().await;
    let [mut a, mut b] = [A, B].map(|sid| Machine::of(&campus, &[sid]));
    let store = crate::store::Store::open(&campus.home).unwrap();
    let register = crate::store::Register::open(&campus.home, store).unwrap();
    for alteration in [
        "UPDATE proposals SET waits_until = proposed_at - 1",
        "UPDATE proposals SET waits_until = waits_until + 999999",
        "UPDATE proposals SET ended = 'withdrawn', ended_at = proposed_at",
        "UPDATE proposals SET ended = 'lapsed', waits_until = waits_until + 5, proposed_at = 1",
        "UPDATE proposals SET signed_at = proposed_at, signed_index = 1, course = 'OTHER'",
        "UPDATE proposals SET files_at = NULL; UPDATE deliveries SET upload_until = upload_until",
        "DELETE FROM kept_windows",
    ] {
        let work = a.work(&[A, B], alteration.as_bytes());
        let standing = a.propose(&work).await.unwrap().waits();
        let before = rows_of(&campus, work.submission());
        database(&campus).execute_batch(alteration).unwrap();
        let told = b.told().await.into_iter();
        let mut told = told.map(|one| one.listed.standing);
        let listed = told.find(|one| one.submission == standing.submission);
        assert_eq!(listed.as_ref(), Some(&standing), "{alteration}");
        let later = campus.certs.now().as_secs() + 60;
        let lapsed = register.lapse_proposals(scb_protocol::from_seconds(later));
        assert_eq!(lapsed.unwrap(), 0, "{alteration}");
        assert_eq!(rows_of(&campus, work.submission()), before, "{alteration}");
        b.sign(&work).await.unwrap().receipt();
    }
}

#[tokio::test]
async fn of_what_no_table_says_any_more_nobody_is_refused_under_a_signature() {
    let campus = Campus::open().await;
    let [mut a, mut b] = [A, B].map(|sid| Machine::of(&campus, &[sid]));
    let work = a.work(&[A, B], b"our report");
    a.begin(&work).await.unwrap();
    b.sign(&work).await.unwrap().waits();
    let before = happened(&campus);
    let alteration = "CREATE TABLE kept AS SELECT waits_until FROM proposals; \
                      UPDATE proposals SET waits_until = signed_at - 100; \
                      UPDATE deliveries SET upload_until = NULL; UPDATE kept_windows SET upload_until = NULL";
    database(&campus).execute_batch(alteration).unwrap();
    let store = crate::store::Store::open(&campus.home).unwrap();
    let register = crate::store::Register::open(&campus.home, store).unwrap();
    for refused in [
        a.begin(&work).await.unwrap_err(),
        b.sign(&work).await.unwrap_err(),
        a.end(work.submission(), None).await.unwrap_err(),
    ] {
        assert_eq!(refused.code, Code::StoredDamaged, "{refused}");
        assert!(refused.sid.is_none() && refused.rejection.is_none());
    }
    assert_eq!(register.lapse_proposals(campus.certs.now()).unwrap(), 0);
    assert_eq!(happened(&campus), before);
    // One that was signed before that was kept goes on.
    let undo = "UPDATE proposals SET waits_until = (SELECT waits_until FROM kept)";
    database(&campus).execute_batch(undo).unwrap();
    a.propose(&work).await.unwrap().receipt();
}

#[tokio::test]
async fn who_has_spoken_is_not_asked_again_because_a_row_says_that_he_has_not() {
    let campus = Campus::open().await;
    let [mut a, mut b, mut c] = [A, B, C].map(|sid| Machine::of(&campus, &[sid]));
    let [work, declined] =
        [&b"our report"[..], b"another"].map(|report| a.work(&[A, B, C], report));
    for one in [&work, &declined] {
        a.propose(one).await.unwrap().waits();
    }
    b.end(declined.submission(), None).await.unwrap();
    let forget = "UPDATE cosigners SET said = 'nothing', delivery = NULL, certificate = NULL \
                  WHERE delivery IS NOT NULL";
    database(&campus)
        .execute_batch("CREATE TABLE kept AS SELECT * FROM cosigners; CREATE TABLE ends AS SELECT * FROM proposals")
        .unwrap();
    database(&campus).execute(forget, []).unwrap();
    let not_ended = "UPDATE proposals SET ended = NULL, ended_at = NULL";
    database(&campus).execute(not_ended, []).unwrap();
    let before = happened(&campus);
    let (told, left_out) = listed(&mut c).await;
    assert_eq!((told.len(), left_out.len()), (0, 2));
    for one in [&work, &declined] {
        for refusal in [
            a.propose(one).await.unwrap_err(),
            b.sign(one).await.unwrap_err(),
        ] {
            assert_eq!(refusal.code, Code::StoredDamaged, "{refusal}");
            assert!(refusal.sid.is_none() && refusal.rejection.is_none());
        }
    }
    assert_eq!(happened(&campus), before, "no second signature counts");
    let undo = "DELETE FROM cosigners; INSERT INTO cosigners SELECT * FROM kept; \
                UPDATE proposals SET (ended, ended_at) = \
                (SELECT ended, ended_at FROM ends WHERE ends.submission = proposals.submission); \
                DROP TABLE kept; DROP TABLE ends";
    database(&campus).execute_batch(undo).unwrap();
    b.sign(&work).await.unwrap().waits();
    c.sign(&work).await.unwrap().receipt();
}

#[tokio::test]
async fn rows_of_what_is_handed_in_or_has_ended_are_put_right_as_well() {
    let campus = Campus::open().await;
    let [mut a, mut b] = [A, B].map(|sid| Machine::of(&campus, &[sid]));
    let store = crate::store::Store::open(&campus.home).unwrap();
    let register = crate::store::Register::open(&campus.home, store).unwrap();
    let [handed_in, declined, withdrawn] =
        [&b"ours"[..], b"not ours", b"taken back"].map(|report| a.work(&[A, B], report));
    a.propose(&handed_in).await.unwrap().waits();
    b.sign(&handed_in).await.unwrap().receipt();
    a.propose(&declined).await.unwrap().waits();
    b.end(declined.submission(), None).await.unwrap();
    a.begin(&withdrawn).await.unwrap();
    b.sign(&withdrawn).await.unwrap().waits();
    a.end(withdrawn.submission(), None).await.unwrap();
    let all = [&handed_in, &declined, &withdrawn].map(|work| work.submission());
    let rows = || all.map(|id| rows_of(&campus, id));
    let before = rows();
    for alteration in [
        "UPDATE proposals SET waits_until = waits_until + 1",
        "UPDATE proposals SET ended = 'lapsed', ended_at = 5",
        "UPDATE proposals SET ended = NULL, ended_at = NULL",
        "UPDATE proposals SET signed_at = NULL, signed_index = NULL, waits_until = 0",
        "UPDATE deliveries SET upload_until = 5",
        "UPDATE kept_windows SET upload_until = upload_until - 1, files_at = NULL",
    ] {
        database(&campus).execute_batch(alteration).unwrap();
        assert_ne!(rows(), before, "{alteration}");
        register.lapse_proposals(campus.certs.now()).unwrap();
        register.put_right_what_is_over().unwrap();
        assert_eq!(rows(), before, "{alteration}");
    }
}

/// Each alters rows of what is handed in.
const HANDED_IN: [&str; 5] = [
    "UPDATE proposals SET statement = x'00'",
    "UPDATE proposals SET waits_until = signed_at - 100",
    "UPDATE proposals SET ended = 'withdrawn', ended_at = signed_at",
    "UPDATE cosigners SET said = 'nothing', delivery = NULL, certificate = NULL WHERE nth = 2",
    "DELETE FROM deliveries",
];

#[tokio::test]
async fn what_is_handed_in_is_told_so_whatever_its_rows_say() {
    let campus = Campus::open().await;
    let [mut a, mut b] = [A, B].map(|sid| Machine::of(&campus, &[sid]));
    let work = a.work(&[A, B], b"our report");
    a.propose(&work).await.unwrap().waits();
    campus
        .certs
        .clock()
        .advance(std::time::Duration::from_secs(60));
    let receipt = b.sign(&work).await.unwrap().receipt();
    let number = b.verify(&receipt).number();
    let (listed, versions) = (b.told().await, history(&campus, &[A]).await.versions);
    for alteration in HANDED_IN {
        let database = database(&campus);
        database.pragma_update(None, "foreign_keys", false).unwrap();
        for table in ["proposals", "cosigners", "deliveries"] {
            let keep = format!("CREATE TEMP TABLE kept_{table} AS SELECT * FROM main.{table}");
            database.execute_batch(&keep).unwrap();
        }
        assert!(database.execute(alteration, []).unwrap() > 0);
        let answer = b.proposals().await;
        assert_eq!(answer.left_out, [], "{alteration}");
        let [one] = &answer.told[..] else {
            panic!("{alteration}: {answer:?}");
        };
        let (now, before) = (&one.listed.standing, &listed[0].listed.standing);
        assert_eq!(now.state, ProposalState::Accepted, "{alteration}");
        assert_eq!(now.number, before.number, "{alteration}");
        assert_eq!(now.members, before.members, "{alteration}: as the log says");
        assert_eq!(now.proposed_at, before.proposed_at, "{alteration}");
        assert_eq!(one.proved, listed[0].proved, "{alteration}");
        let fetched = a.fetch(&work).await.unwrap();
        assert_eq!(a.verify(&fetched).number(), number, "{alteration}");
        let told = history(&campus, &[A]).await.versions;
        assert_eq!(told, versions, "{alteration}");
        for table in ["proposals", "cosigners", "deliveries"] {
            let undo = format!(
                "DELETE FROM main.{table}; INSERT INTO main.{table} SELECT * FROM kept_{table}"
            );
            database.execute_batch(&undo).unwrap();
        }
    }
    // It is told to nobody else.
    database(&campus).execute(HANDED_IN[0], []).unwrap();
    let add = "UPDATE cosigners SET sid = ? WHERE nth = 2";
    database(&campus).execute(add, [C]).unwrap();
    let mut c = Machine::of(&campus, &[C]);
    let answer = c.proposals().await;
    assert_eq!((answer.told.len(), answer.left_out.len()), (0, 1));
}

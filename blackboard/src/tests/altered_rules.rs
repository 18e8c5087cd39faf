//! Rules and extensions in the tables that are not those of the log, while the server runs.

use rusqlite::Connection;
use scb_protocol::client::LeftOut;
use scb_protocol::message::proposal::ProposalState;
use scb_protocol::rules::{Extension, Terms};
use scb_protocol::{Code, Refusal, from_seconds};

use super::campus::Campus;
use super::desk::ask;
use super::overview::{desk, which};
use super::proposals::Machine;
use super::withdrawals::history;
use crate::store::{NotListed, Place, Store};

const ALONE: &str = "1155000001";
const OTHER: &str = "1155000002";
const TABLES: [&str; 4] = ["rules", "removals", "extensions", "log_entries"];

fn place(campus: &Campus) -> Place {
    desk(campus, 0).place(&which())
}

/// The database of a running server, in which somebody writes.
struct Intruder(Connection);

impl Intruder {
    fn of(campus: &Campus) -> Self {
        let connection = Connection::open(campus.home.path("blackboard.db")).unwrap();
        for table in TABLES {
            let keep = format!("CREATE TEMP TABLE kept_{table} AS SELECT * FROM main.{table}");
            connection.execute_batch(&keep).unwrap();
        }
        Self(connection)
    }

    fn writes(&self, sql: &str) {
        assert!(self.0.execute(sql, []).unwrap() > 0, "{sql}");
    }

    /// As it was before.
    fn undo(&self) {
        for table in TABLES {
            let back = format!(
                "DELETE FROM main.{table}; INSERT INTO main.{table} SELECT * FROM kept_{table}"
            );
            self.0.execute_batch(&back).unwrap();
        }
    }

    /// The same of extensions only: others hand in meanwhile.
    fn undo_extensions(&self) {
        let back = "DELETE FROM main.extensions; \
                    INSERT INTO main.extensions SELECT * FROM kept_extensions; \
                    UPDATE log_entries SET leaf = (SELECT leaf FROM kept_log_entries AS kept \
                    WHERE kept.log = log_entries.log AND kept.number = log_entries.number) \
                    WHERE kind = 'extension'";
        self.0.execute_batch(back).unwrap();
    }

    fn refusals(&self) -> i64 {
        let sql = "SELECT count(*) FROM log_entries WHERE kind = 'refused'";
        self.0.query_row(sql, [], |row| row.get(0)).unwrap()
    }
}

/// The assignment is due in an hour, and others are told so.
fn due_in_an_hour(campus: &Campus) {
    let due = from_seconds(campus.certs.now().as_secs() + 3600);
    let change = move |mut terms: Terms| {
        terms.due = Some(due);
        terms.check()
    };
    let store = Store::open(&campus.home).unwrap();
    let now = campus.certs.now();
    store.change_assignment(place(campus), change, now).unwrap();
}

async fn hand_in(campus: &Campus, sid: &str, text: &str) -> Result<Vec<u8>, Refusal> {
    let mut group = campus.group(&[sid]);
    group.report = text.as_bytes().to_vec();
    group.hand_in().await
}

async fn is_refused(campus: &Campus, sid: &str, why: &str) {
    let refusal = hand_in(campus, sid, why).await.unwrap_err();
    assert_eq!(refusal.code, Code::RulesAltered, "{why}: {refusal:?}");
    assert_eq!(refusal.params["assignment"], "SANDBOX/lab");
    assert!(refusal.rejection.is_none(), "{why}: nothing is signed");
}

const OF_RULES: [&str; 9] = [
    "UPDATE rules SET rules = json_set(rules, '$.due', '2020-01-01T00:00:00Z') WHERE nth = 2",
    "UPDATE rules SET rules = json_set(rules, '$.max_bytes', 1) WHERE nth = 2",
    "UPDATE rules SET rules = json_set(rules, '$.groups', 'kept') WHERE nth = 1",
    "UPDATE rules SET rules = '{}' WHERE nth = 2",
    "DELETE FROM rules WHERE nth = 2",
    "DELETE FROM rules",
    "INSERT INTO removals VALUES ('SANDBOX', 'lab', 2, 1)",
    "UPDATE log_entries SET leaf = CAST(replace(leaf, 'latest', 'first') AS BLOB) \
     WHERE kind = 'rules'",
    "UPDATE log_entries SET kind = 'closed' WHERE kind = 'rules' AND number = 1",
];

#[tokio::test]
async fn by_rules_that_are_not_the_log_s_nothing_is_judged_and_nobody_is_refused() {
    let campus = Campus::open().await;
    due_in_an_hour(&campus);
    let store = Store::open(&campus.home).unwrap();
    let domain = campus.service.trust_domain().clone();
    let intruder = Intruder::of(&campus);
    for sql in OF_RULES {
        intruder.writes(sql);
        is_refused(&campus, ALONE, sql).await;
        let (told, ..) = ask(&mut campus.group(&[ALONE]), None).await.unwrap();
        let altered = told.altered.iter().map(|one| one.assignment.to_string());
        assert_eq!(
            (told.listed.len(), altered.collect::<Vec<_>>()),
            (0, vec!["lab".into()])
        );
        // Nor are they entered anew by whoever changes something else.
        let longer = |mut terms: Terms| {
            terms.grace += 60;
            terms.check()
        };
        let now = campus.certs.now();
        let changed = store.change_assignment(place(&campus), longer, now);
        assert_eq!(changed.unwrap_err().code(), "rules_altered", "{sql}");
        let named = store.altered_rules(domain.clone()).await.unwrap();
        assert_eq!(named.len(), 1, "{sql}");
        assert_eq!(intruder.refusals(), 0, "{sql}");
        intruder.undo();
    }
    assert!(store.altered_rules(domain).await.unwrap().is_empty());
    hand_in(&campus, ALONE, "in time").await.unwrap();
    let (told, ..) = ask(&mut campus.group(&[ALONE]), None).await.unwrap();
    assert_eq!((told.listed.len(), told.altered.len()), (1, 0));
}

const OF_EXTENSIONS: [&str; 4] = [
    "UPDATE extensions SET extension = json_set(extension, '$.due', '2036-01-01T00:00:00Z')",
    "UPDATE extensions SET extension = 'x'",
    "DELETE FROM extensions",
    "UPDATE log_entries SET leaf = CAST(replace(leaf, '1155000001', '1155000003') AS BLOB) \
     WHERE kind = 'extension'",
];

#[tokio::test]
async fn by_extensions_that_are_not_the_log_s_nothing_is_judged_of_who_has_them() {
    let campus = Campus::open().await;
    due_in_an_hour(&campus);
    let store = Store::open(&campus.home).unwrap();
    let now = campus.certs.now();
    let more = Extension {
        sid: ALONE.parse().unwrap(),
        due: from_seconds(now.as_secs() + 7200),
        cutoff: None,
    };
    let given = store.extend(place(&campus), vec![more], NotListed::Refused, now);
    given.unwrap();
    let intruder = Intruder::of(&campus);
    for sql in OF_EXTENSIONS {
        intruder.writes(sql);
        is_refused(&campus, ALONE, sql).await;
        assert_eq!(intruder.refusals(), 0, "{sql}");
        hand_in(&campus, OTHER, sql).await.unwrap();
        let domain = campus.service.trust_domain();
        let named = store.altered_rules_blocking(domain).unwrap();
        assert_eq!(named.len(), 1, "{sql}");
        intruder.undo_extensions();
    }
    let invented = "INSERT INTO extensions SELECT course, assignment, '1155000002', given_at, \
                    replace(extension, '1155000001', '1155000002') FROM extensions";
    intruder.writes(invented);
    is_refused(&campus, OTHER, invented).await;
    hand_in(&campus, ALONE, "with more time").await.unwrap();
}

#[tokio::test]
async fn what_was_handed_in_is_told_without_rules_that_are_not_the_log_s() {
    let campus = Campus::open().await;
    due_in_an_hour(&campus);
    hand_in(&campus, ALONE, "in time").await.unwrap();
    let intruder = Intruder::of(&campus);
    for sql in OF_RULES {
        intruder.writes(sql);
        let told = history(&campus, &[ALONE]).await.versions.remove(0);
        assert!(
            told.unjudged && told.standings.is_empty(),
            "{sql}: {told:?}"
        );
        assert_eq!(told.number.get(), 1, "{sql}");
        intruder.undo();
    }
    let told = history(&campus, &[ALONE]).await.versions.remove(0);
    assert!(!told.unjudged && told.standings[0].counts, "{told:?}");
}

#[tokio::test]
async fn whoever_does_not_sign_needs_no_rules() {
    let campus = Campus::open().await;
    let [mut a, mut b] = [ALONE, OTHER].map(|sid| Machine::of(&campus, &[sid]));
    let [one, other] = [b"our report", b"their work"].map(|text| a.work(&[ALONE, OTHER], text));
    for work in [&one, &other] {
        a.propose(work).await.unwrap().waits();
    }
    let intruder = Intruder::of(&campus);
    intruder.writes(OF_RULES[3].replace("nth = 2", "nth = 1").as_str());
    let told = b.proposals().await;
    assert_eq!((told.told.len(), told.left_out.len()), (0, 2));
    let is_it = |one: &LeftOut| one.why.code == Code::RulesAltered && one.standing.is_some();
    assert!(told.left_out.iter().all(is_it), "{told:?}");
    let refusal = b.sign(&one).await.unwrap_err();
    assert_eq!(refusal.code, Code::RulesAltered);
    let ended = b.end(one.submission(), None).await.unwrap();
    assert_eq!(ended.state, ProposalState::Declined);
    let ended = a.end(other.submission(), None).await.unwrap();
    assert_eq!(ended.state, ProposalState::Withdrawn);
    let back = "DELETE FROM main.rules; INSERT INTO main.rules SELECT * FROM kept_rules";
    intruder.0.execute_batch(back).unwrap();
    let told = b.told().await;
    let states = told.iter().map(|one| one.listed.standing.state);
    assert!(states.clone().all(|state| !state.is_open()), "{told:?}");
}

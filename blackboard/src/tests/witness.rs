//! Blackboard witnesses CUHK's issuance log: it cosigns what grew, and nothing else.

use std::fs;
use std::sync::Arc;

use scb_cli::Failure;
use scb_protocol::EnrolmentCode;
use scb_protocol::audit::KnownLog;
use scb_testkit::TestCampus;
use scb_tlog::Hash;

use super::campus::Campus;
use super::cuhk::FakeCuhk;
use super::eventually;
use super::log::FakeLog;
use crate::arguments::{AcceptLog, Output, WitnessCommand};
use crate::enrol::{Enrolment, KnownRoot, receipt_roots};
use crate::store::{FormerLog, Store};
use crate::witness;

fn cosigned(campus: &Campus) -> Vec<u64> {
    campus.cuhk.state.lock().unwrap().log.cosigned.clone()
}

/// How large the log is that this server remembers.
async fn remembered(campus: &Campus) -> u64 {
    let store = Store::open(&campus.home).unwrap();
    let known = store.known_log().await.unwrap();
    store.close().await;
    known.unwrap().head.size
}

#[tokio::test]
async fn what_grew_is_recorded_and_cosigned() {
    let mut campus = Campus::open().await;
    eventually("the first cosignature", || cosigned(&campus) == [1]).await;
    assert_eq!(remembered(&campus).await, 1);
    campus
        .cuhk
        .set(|state| state.log.grow(&["second", "third"]));
    eventually("the next one", || cosigned(&campus) == [1, 3]).await;
    assert_eq!(remembered(&campus).await, 3);
    campus.stop().await;
}

#[tokio::test]
async fn a_log_that_was_rewritten_or_cut_is_never_cosigned_not_even_after_a_restart() {
    let mut campus = Campus::open().await;
    campus.cuhk.set(|state| state.log.grow(&["second"]));
    eventually("a cosignature", || cosigned(&campus).contains(&2)).await;
    campus.stop().await;
    for entries in [
        &["first", "another", "third"][..],
        &["first"],
        &["another", "second", "third"],
    ] {
        campus.cuhk.set(|state| state.log = FakeLog::of(entries));
        campus.start().await.unwrap();
        let looks = || campus.cuhk.state.lock().unwrap().log.looks;
        eventually("a look", || looks() > 0).await;
        campus.stop().await;
        assert!(cosigned(&campus).is_empty(), "{entries:?}");
        assert_eq!(remembered(&campus).await, 2, "{entries:?}");
    }
}

/// What somebody types who looks after this server.
async fn typed(campus: &Campus, command: WitnessCommand) -> anyhow::Result<()> {
    let config = campus.config.to_toml();
    fs::write(campus.home.path("config.toml"), config).unwrap();
    witness::run(campus.home.dir(), &command, campus.clock()).await
}

async fn accept(campus: &Campus, tree: Option<Hash>) -> anyhow::Result<()> {
    typed(
        campus,
        WitnessCommand::AcceptLog(AcceptLog { instead_of: tree }),
    )
    .await
}

/// What was remembered, and what was set aside.
async fn memory(campus: &Campus) -> (KnownLog, Vec<FormerLog>) {
    let store = Store::open(&campus.home).unwrap();
    let known = store.known_log().await.unwrap().unwrap();
    let former = store.former_logs().await.unwrap();
    store.close().await;
    (known, former)
}

/// CUHK's log is another one than this server has cosigned.
async fn forked() -> Campus {
    let mut campus = Campus::open().await;
    campus.cuhk.set(|state| state.log.grow(&["second"]));
    eventually("a cosignature", || cosigned(&campus).contains(&2)).await;
    campus.stop().await;
    let other = FakeLog::of(&["first", "another", "third"]);
    campus.cuhk.set(|state| state.log = other);
    campus
}

#[tokio::test]
async fn another_log_is_gone_on_with_by_the_operators_word_and_the_former_one_is_evidence() {
    let mut campus = forked().await;
    let (seen, former) = memory(&campus).await;
    assert_eq!((seen.head.size, former.len()), (2, 0));
    accept(&campus, Some(seen.head.root)).await.unwrap();
    let (now, former) = memory(&campus).await;
    assert_eq!(now.head.size, 3);
    let [former] = &former[..] else {
        panic!("{former:?}");
    };
    assert_eq!((&former.known, &*former.reason), (&seen, "operator"));
    assert_eq!(former.set_aside, campus.certs.now());
    campus.start().await.unwrap();
    eventually("a cosignature", || cosigned(&campus) == [3]).await;
    campus.stop().await;
}

#[tokio::test]
async fn cuhk_is_shown_what_its_key_has_signed_and_its_log_does_not_begin_with() {
    let mut campus = forked().await;
    campus.start().await.unwrap();
    let held = || campus.cuhk.state.lock().unwrap().log.held_against.clone();
    eventually("the evidence", || held() == [2]).await;
    campus.stop().await;
    assert!(cosigned(&campus).is_empty());
}

#[tokio::test]
async fn without_the_tree_that_was_seen_nothing_else_is_gone_on_with() {
    let mut campus = forked().await;
    let (seen, _) = memory(&campus).await;
    let shown = typed(&campus, WitnessCommand::Show(Output { json: true })).await;
    let refused = [
        shown,
        accept(&campus, None).await,
        accept(&campus, Some(Hash::of_nothing())).await,
    ];
    for refused in refused {
        let refused: Failure = refused.unwrap_err().downcast().unwrap();
        assert_eq!(refused.code, Some("log_forked"));
        let remedy = refused.remedy.unwrap();
        assert!(remedy.contains(&seen.head.root.to_string()), "{remedy}");
    }
    assert_eq!(memory(&campus).await, (seen, vec![]));
    campus.start().await.unwrap();
    let looks = || campus.cuhk.state.lock().unwrap().log.looks;
    let before = looks();
    eventually("a look", || looks() > before).await;
    campus.stop().await;
    assert!(cosigned(&campus).is_empty());
}

#[tokio::test]
async fn a_log_that_goes_on_is_set_aside_by_nobodys_word() {
    let mut campus = Campus::open().await;
    eventually("a cosignature", || cosigned(&campus) == [1]).await;
    campus.stop().await;
    campus.cuhk.set(|state| state.log.grow(&["second"]));
    let (seen, _) = memory(&campus).await;
    typed(&campus, WitnessCommand::Show(Output { json: false }))
        .await
        .unwrap();
    accept(&campus, Some(seen.head.root)).await.unwrap();
    assert_eq!(memory(&campus).await, (seen, vec![]));
}

/// This server gets a certificate of the CUHK that is there now.
async fn certify(campus: &Campus) {
    let code = EnrolmentCode::generate().unwrap();
    campus.cuhk.set(|state| state.code = Some(code.clone()));
    let enrolment = Enrolment {
        cuhk: campus.cuhk.address.to_string(),
        root: KnownRoot::Fingerprint(campus.certs.root_fingerprint()),
        dns: Vec::new(),
        ip: Vec::new(),
    };
    enrolment
        .run(&campus.home, code, &campus.clock())
        .await
        .unwrap();
}

#[tokio::test]
async fn the_log_of_a_cuhk_with_another_root_is_a_new_one_and_the_former_one_is_evidence() {
    let mut campus = forked().await;
    let (seen, _) = memory(&campus).await;
    let before = campus.certs.root_fingerprint();
    campus.cuhk.stop().await;
    campus.certs = Arc::new(TestCampus::new());
    campus.cuhk = FakeCuhk::start(&campus.certs).await;
    campus.config.cuhk = Some(campus.cuhk.address.to_string());
    certify(&campus).await;
    campus.start().await.unwrap();
    eventually("a cosignature", || cosigned(&campus) == [1]).await;
    campus.stop().await;
    let (_, former) = memory(&campus).await;
    let [former] = &former[..] else {
        panic!("{former:?}");
    };
    assert_eq!((&former.known, &*former.reason), (&seen, "other_root"));
    // Receipts of before are judged by the root of before.
    let roots = receipt_roots(&campus.home).unwrap();
    assert_eq!(roots, [campus.certs.root_fingerprint(), before]);
}

#[tokio::test]
async fn a_new_certificate_of_the_same_cuhk_makes_no_other_log_good() {
    let mut campus = forked().await;
    certify(&campus).await;
    let (seen, former) = memory(&campus).await;
    assert_eq!((seen.head.size, former), (2, vec![]));
    campus.start().await.unwrap();
    let looks = || campus.cuhk.state.lock().unwrap().log.looks;
    eventually("a look", || looks() > 0).await;
    campus.stop().await;
    assert!(cosigned(&campus).is_empty());
}

//! CUHK as witness of the logs of services: it endorses one key for each, cosigns only what grew,
//! and never forgets how far.

use std::time::Duration;

use rustls_pki_types::UnixTime;
use scb_certs::{Crl, ServiceName, SpiffeId, TrustStore};
use scb_cuhk::{Config, IdleLog, Records, Unlocked, open_home};
use scb_protocol::message::cuhk::{Reply, Request};
use scb_protocol::witness::{
    CosignedCheckpoint, ExpectCosignature, ExpectEndorsement, ExpectEntries, ExpectLogs,
    ExpectSeen, Offer, SeenByWitness, WitnessAnswer,
};
use scb_protocol::{Code, Frame, Refusal, Step, VerifiedLogKeys, from_seconds};
use scb_testkit::TestLog;
use scb_transport::Connection;
use tokio::time::Instant;

use crate::university::{Credentials, PASSPHRASE, University, ask, refused};

const LOG: &str = "cuhk.example/blackboard/CSCI-3150/asg1";

fn service() -> SpiffeId {
    let (domain, name) = ("cuhk.example".parse().unwrap(), ServiceName::blackboard());
    SpiffeId::new_service(&domain, &name)
}

fn entries(log: &TestLog, from: u64, end: u64) -> Vec<scb_certs::Fingerprint> {
    let entries = log.entries(from, end).into_iter();
    entries.map(scb_certs::Fingerprint::from_bytes).collect()
}

fn offer(log: &TestLog, old: u64) -> Offer {
    let new = log.size();
    Offer {
        checkpoint: log.checkpoint(new),
        old,
        growth: log.growth(old, new),
        entries: entries(log, old, new),
    }
}

/// Blackboard on one connection.
struct Asker {
    connection: Connection,
    trust: TrustStore,
    now: rustls_pki_types::UnixTime,
}

impl Asker {
    async fn of(university: &University, who: &Credentials) -> Self {
        let mut connection = university.connect_as(who).await;
        let trust = university.trust().with_crls(lists(&mut connection).await);
        Self {
            connection,
            trust: trust.unwrap(),
            now: university.clock.now(),
        }
    }

    async fn endorse(&mut self, log: &TestLog) -> Result<VerifiedLogKeys, Refusal> {
        let (expect, request) = ExpectEndorsement::new(service(), log.key().clone());
        let reply = ask(&mut self.connection, &request).await?;
        let (signed, verified) = expect.handle(reply, &self.trust, self.now)?;
        assert!(signed.keys.contains("scb-log-keys"));
        Ok(verified)
    }

    async fn offer(
        &mut self,
        keys: &VerifiedLogKeys,
        offer: Offer,
    ) -> Result<WitnessAnswer, Refusal> {
        let (expect, request) = ExpectCosignature::new(keys, offer);
        expect.handle(ask(&mut self.connection, &request).await?)
    }

    async fn cosigned(
        &mut self,
        keys: &VerifiedLogKeys,
        log: &TestLog,
        old: u64,
    ) -> CosignedCheckpoint {
        match self.offer(keys, offer(log, old)).await.unwrap() {
            WitnessAnswer::Cosigned(cosigned) => cosigned,
            other => panic!("{other:?}"),
        }
    }

    async fn seen(&mut self, log: &TestLog) -> SeenByWitness {
        let (expect, request) = ExpectSeen::new(log.key().clone());
        let reply = ask(&mut self.connection, &request).await.unwrap();
        expect.handle(reply).unwrap()
    }

    /// Asks for entries, page by page.
    async fn given_back(
        &mut self,
        log: &TestLog,
        from: u64,
        end: u64,
    ) -> Result<Vec<scb_certs::Fingerprint>, Refusal> {
        let (mut expect, mut request) = ExpectEntries::new(log.key(), from, end);
        let mut got = Vec::new();
        loop {
            let (page, more) = expect.handle(ask(&mut self.connection, &request).await?)?;
            got.extend(page);
            match more {
                Some(more) => (expect, request) = more,
                None => return Ok(got),
            }
        }
    }
}

/// CUHK's lists, by which the signer of an endorsement is judged.
async fn lists(connection: &mut Connection) -> Vec<Crl> {
    let Reply::Crls { sizes, .. } = ask(connection, &Request::Crls {}).await.unwrap() else {
        panic!("no lists");
    };
    let mut bytes = Vec::new();
    let deadline = Instant::now() + std::time::Duration::from_secs(10);
    while (bytes.len() as u64) < sizes.iter().sum() {
        match connection.receive_frame_until(Step::One, deadline).await {
            Ok(Frame::Chunk(chunk)) => bytes.extend_from_slice(&chunk),
            other => panic!("{other:?}"),
        }
    }
    let mut lists = Vec::new();
    for size in sizes {
        let rest = bytes.split_off(size as usize);
        lists.push(Crl::from_der(&bytes).unwrap());
        bytes = rest;
    }
    lists
}

#[tokio::test]
async fn what_grew_is_cosigned_with_cuhks_own_time() {
    let university = University::open().await;
    let blackboard = university.blackboard().await;
    let mut asker = Asker::of(&university, &blackboard).await;
    let mut log = TestLog::of(LOG, 3);
    let keys = asker.endorse(&log).await.unwrap();
    assert_eq!(keys.witness().name().as_str(), "cuhk.example/witness/cuhk");
    let first = asker.cosigned(&keys, &log, 0).await;
    log.grow(2);
    let second = asker.cosigned(&keys, &log, 3).await;
    assert_eq!((first.size(), second.size()), (3, 5));
    assert_eq!(second.time().as_secs(), university.clock.now().as_secs());
    assert_eq!(asker.seen(&log).await.head(), log.checkpoint(5).head());
    // The same once more, as when the answer was lost.
    let again = asker.cosigned(&keys, &log, 5).await;
    assert_eq!(again.size(), 5);
    university.stop().await;
}

#[tokio::test]
async fn nothing_is_cosigned_with_a_time_before_the_last_cosignature() {
    let university = University::open().await;
    let blackboard = university.blackboard().await;
    let mut asker = Asker::of(&university, &blackboard).await;
    let mut log = TestLog::of(LOG, 3);
    let keys = asker.endorse(&log).await.unwrap();
    let began = university.clock.now().as_secs();
    let first = asker.cosigned(&keys, &log, 0).await;
    log.grow(2);
    let set = |seconds: u64| {
        let now = Duration::from_secs(seconds);
        university.clock.set(UnixTime::since_unix_epoch(now));
    };
    set(began - 60);
    let refusal = asker.offer(&keys, offer(&log, 3)).await.unwrap_err();
    assert_eq!(refusal.code, Code::ClockSetBack, "{refusal:?}");
    set(began);
    let mut asker = Asker::of(&university, &blackboard).await;
    assert_eq!(asker.seen(&log).await.head(), log.checkpoint(3).head());
    // Clocks are set by a little: then time stands still.
    set(began - 2);
    let second = asker.cosigned(&keys, &log, 3).await;
    assert_eq!((second.size(), second.time()), (5, first.time()));
    university.stop().await;
}

#[tokio::test]
async fn a_fork_and_an_old_copy_are_refused_also_after_a_restart() {
    let university = University::open().await;
    let blackboard = university.blackboard().await;
    let log = TestLog::of(LOG, 6);
    let mut fork = TestLog::of(LOG, 5);
    fork.push([7; 32]);
    fork.grow(2);
    let mut asker = Asker::of(&university, &blackboard).await;
    let keys = asker.endorse(&log).await.unwrap();
    asker.cosigned(&keys, &log, 0).await;
    let university = university.restart().await;
    for (wrong, old) in [
        (offer(&fork, 6), "a fork"),
        (
            Offer {
                old: 6,
                ..offer(&TestLog::of(LOG, 4), 4)
            },
            "an old copy",
        ),
    ] {
        let mut asker = Asker::of(&university, &blackboard).await;
        let refusal = asker.offer(&keys, wrong).await.unwrap_err();
        assert_eq!(refusal.code, Code::LogInconsistent, "{old}");
    }
    let mut asker = Asker::of(&university, &blackboard).await;
    assert_eq!(asker.seen(&log).await.head().size, 6, "nothing has changed");
    asker.cosigned(&keys, &log, 6).await;
    university.stop().await;
}

#[tokio::test]
async fn a_log_has_one_key_until_the_operator_says_so() {
    let university = University::open().await;
    let blackboard = university.blackboard().await;
    let log = TestLog::of(LOG, 4);
    let mut other = TestLog::with_key(LOG, 2);
    other.grow(6);
    let mut asker = Asker::of(&university, &blackboard).await;
    let keys = asker.endorse(&log).await.unwrap();
    asker.cosigned(&keys, &log, 0).await;
    let refusal = asker.endorse(&other).await.unwrap_err();
    assert_eq!(refusal.code, Code::LogKeyChanged);
    assert_eq!(refusal.params["got"], other.key().to_string());

    let key = other.key().clone();
    assert!(
        university
            .change(move |records| records.witnessed().accept_key(&key))
            .await
    );
    let mut asker = Asker::of(&university, &blackboard).await;
    let keys = asker.endorse(&other).await.unwrap();
    let seen = asker.seen(&other).await;
    assert_eq!(seen.head(), log.checkpoint(4).head(), "what was seen stays");
    assert_eq!(seen.checkpoint(), None);
    // And only what begins with it is cosigned.
    let mut fork = TestLog::with_key(LOG, 2);
    fork.push([7; 32]);
    fork.grow(5);
    let forked = asker.offer(&keys, offer(&fork, 4)).await.unwrap_err();
    assert_eq!(forked.code, Code::LogInconsistent);
    let mut asker = Asker::of(&university, &blackboard).await;
    asker.cosigned(&keys, &other, 4).await;
    university.stop().await;
}

#[tokio::test]
async fn a_service_has_as_many_logs_as_it_may() {
    let university = University::open_with(Config {
        witnessed_logs: std::num::NonZeroU32::MIN,
        ..Config::default()
    })
    .await;
    let blackboard = university.blackboard().await;
    let mut asker = Asker::of(&university, &blackboard).await;
    asker.endorse(&TestLog::of(LOG, 0)).await.unwrap();
    asker.endorse(&TestLog::of(LOG, 0)).await.unwrap();
    let another = TestLog::of("cuhk.example/blackboard/CSCI-3150/asg2", 0);
    let refusal = asker.endorse(&another).await.unwrap_err();
    assert_eq!(refusal.code, Code::TooManyLogs);
    university.stop().await;
}

#[tokio::test]
async fn what_was_never_endorsed_is_not_cosigned() {
    let university = University::open().await;
    let blackboard = university.blackboard().await;
    let log = TestLog::of(LOG, 1);
    let mut asker = Asker::of(&university, &blackboard).await;
    assert_eq!(asker.seen(&log).await.head().size, 0);
    let request = Request::Witness {
        checkpoint: log.checkpoint(1).to_string(),
        old: 0,
        growth: Vec::new(),
        entries: entries(&log, 0, 1),
    };
    let reply = ask(&mut asker.connection, &request).await;
    assert_eq!(refused(reply), Code::NotFound);
    university.stop().await;
}

#[tokio::test]
async fn entries_that_were_witnessed_are_given_back() {
    let university = University::open().await;
    let blackboard = university.blackboard().await;
    let mut log = TestLog::of(LOG, 300);
    let mut asker = Asker::of(&university, &blackboard).await;
    let keys = asker.endorse(&log).await.unwrap();
    asker.cosigned(&keys, &log, 0).await;
    log.grow(400);
    asker.cosigned(&keys, &log, 300).await;
    let got = asker.given_back(&log, 50, 700).await.unwrap();
    assert_eq!(got, entries(&log, 50, 700));
    let nothing = Request::WitnessedEntries {
        log: LOG.to_owned(),
        from: 700,
        end: 800,
    };
    let none = Reply::WitnessedEntries {
        entries: Vec::new(),
    };
    assert_eq!(ask(&mut asker.connection, &nothing).await.unwrap(), none);
    // What is kept is not told to be gone where nothing is asked for.
    for end in [10, 20] {
        let nothing = Request::WitnessedEntries {
            log: LOG.to_owned(),
            from: 20,
            end,
        };
        assert_eq!(ask(&mut asker.connection, &nothing).await.unwrap(), none);
    }
    university.stop().await;
}

#[tokio::test]
async fn a_name_that_could_be_read_as_another_log_s_is_none_of_a_log() {
    let university = University::open().await;
    let blackboard = university.blackboard().await;
    for rest in ["../library/x", "C/../x", "C/é", "C//x", "C/", ".", "C/%2e"] {
        let name = format!("cuhk.example/blackboard/{rest}");
        let mut asker = Asker::of(&university, &blackboard).await;
        let refusal = asker.endorse(&TestLog::of(&name, 0)).await.unwrap_err();
        assert_eq!(refusal.code, Code::NotPermitted, "{name}");
    }
    let mut asker = Asker::of(&university, &blackboard).await;
    let plain = "cuhk.example/blackboard/C.1_2/a..b~c";
    asker.endorse(&TestLog::of(plain, 0)).await.unwrap();
    university.stop().await;
}

#[tokio::test]
async fn entries_of_a_log_that_has_long_not_grown_go_and_it_still_goes_on() {
    let university = University::open().await;
    let blackboard = university.blackboard().await;
    let mut log = TestLog::of(LOG, 3);
    let mut asker = Asker::of(&university, &blackboard).await;
    let keys = asker.endorse(&log).await.unwrap();
    asker.cosigned(&keys, &log, 0).await;
    let grown = university.clock.now();
    let after = from_seconds(grown.as_secs() + 1);
    // Offered again an hour later, as after a restart: it has not grown by that.
    university.clock.advance(Duration::from_secs(60 * 60));
    asker.cosigned(&keys, &log, 3).await;
    assert_eq!(idle_since(&university, grown).await, [], "it grew then");
    let idle = idle_since(&university, after).await;
    assert_eq!(idle.iter().map(|log| log.entries).collect::<Vec<_>>(), [3]);
    let forget = |log: IdleLog, moment| {
        let forget = move |records: &Records<'_>| records.witnessed().forget_entries(log, moment);
        university.store.write(forget)
    };
    forget(idle[0], grown).await.unwrap();
    assert_eq!(
        asker.given_back(&log, 0, 3).await.unwrap(),
        entries(&log, 0, 3)
    );
    forget(idle[0], after).await.unwrap();
    let gone = asker.given_back(&log, 0, 3).await.unwrap_err();
    assert_eq!(gone.code, Code::LogNotKept);

    let mut asker = Asker::of(&university, &blackboard).await;
    assert_eq!(asker.seen(&log).await.head(), log.checkpoint(3).head());
    log.grow(2);
    asker.cosigned(&keys, &log, 3).await;
    assert_eq!(
        asker.given_back(&log, 3, 5).await.unwrap(),
        entries(&log, 3, 5)
    );
    let gone = asker.given_back(&log, 2, 5).await.unwrap_err();
    assert_eq!(gone.code, Code::LogNotKept);
    assert_eq!(idle_since(&university, after).await, []);
    university.stop().await;
}

async fn idle_since(university: &University, moment: UnixTime) -> Vec<IdleLog> {
    let idle = move |records: &Records<'_>| records.witnessed().idle_since(moment);
    university.store.read(idle).await.unwrap()
}

#[tokio::test]
async fn a_service_learns_which_of_its_logs_are_known() {
    let university = University::open().await;
    let blackboard = university.blackboard().await;
    let mut asker = Asker::of(&university, &blackboard).await;
    let name = |number: u32| format!("cuhk.example/blackboard/CSCI-3150/asg{number:04}");
    for number in 0..130 {
        let log = TestLog::of(&name(number), 0);
        asker.endorse(&log).await.unwrap();
    }
    let (mut expect, mut request) = ExpectLogs::new(service());
    let mut known = Vec::new();
    loop {
        let reply = ask(&mut asker.connection, &request).await.unwrap();
        let (page, more) = expect.handle(reply).unwrap();
        known.extend(page);
        match more {
            Some(more) => (expect, request) = more,
            None => break,
        }
    }
    assert_eq!(known, (0..130).map(name).collect::<Vec<_>>());
    let student = university.student("1155000001").await;
    let denied = university.ask(Some(&student), &request).await;
    assert_eq!(refused(denied), Code::NotPermitted);
    university.stop().await;
}

#[tokio::test]
async fn an_old_backup_goes_on_from_what_it_knows() {
    let university = University::open().await;
    let blackboard = university.blackboard().await;
    let mut log = TestLog::of(LOG, 3);
    let mut asker = Asker::of(&university, &blackboard).await;
    let keys = asker.endorse(&log).await.unwrap();
    asker.cosigned(&keys, &log, 0).await;
    let backup = university.back_up();
    log.grow(2);
    asker.cosigned(&keys, &log, 3).await;
    let university = university.restore(&backup).await;
    // The service is told, and proves what came after that.
    let mut asker = Asker::of(&university, &blackboard).await;
    log.grow(1);
    let answer = asker.offer(&keys, offer(&log, 5)).await.unwrap();
    let WitnessAnswer::Seen(seen) = answer else {
        panic!("{answer:?}");
    };
    assert_eq!(seen.head().size, 3);
    let cosigned = asker.cosigned(&keys, &log, 3).await;
    assert_eq!(cosigned.size(), 6);
    // Never backwards, nor to another history.
    let mut fork = TestLog::of(LOG, 2);
    fork.push([7; 32]);
    fork.grow(5);
    let forked = asker.offer(&keys, offer(&fork, 6)).await.unwrap_err();
    assert_eq!(forked.code, Code::LogInconsistent);
    university.stop().await;
}

#[tokio::test]
async fn an_altered_record_of_a_log_is_not_gone_by() {
    let university = University::open().await;
    let blackboard = university.blackboard().await;
    let log = TestLog::of(LOG, 3);
    let mut asker = Asker::of(&university, &blackboard).await;
    let keys = asker.endorse(&log).await.unwrap();
    asker.cosigned(&keys, &log, 0).await;
    let stopped = university.stopped().await;
    let altered = stopped.open_database();
    assert_eq!(
        altered
            .execute("UPDATE witnessed_log SET size = 2", [])
            .unwrap(),
        1
    );
    drop(altered);
    let university = stopped.start().await;
    let mut asker = Asker::of(&university, &blackboard).await;
    let refusal = asker.offer(&keys, offer(&log, 3)).await.unwrap_err();
    assert_eq!(refusal.code, Code::Internal);
    university.stop().await;
}

#[tokio::test]
async fn the_witness_key_is_made_once_and_lies_encrypted() {
    let university = University::open().await;
    let stopped = university.stopped().await;
    let unlock = || {
        let home = open_home(&stopped.home()).unwrap();
        drop(Unlocked::open(home, &PASSPHRASE.to_owned().into()).unwrap());
        std::fs::read_to_string(stopped.home().join("keys/witness.pem")).unwrap()
    };
    let first = unlock();
    assert!(first.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"));
    assert_eq!(unlock(), first);
    std::fs::write(stopped.home().join("keys/witness.pem"), &first[..80]).unwrap();
    let home = open_home(&stopped.home()).unwrap();
    assert!(Unlocked::open(home, &PASSPHRASE.to_owned().into()).is_err());
}

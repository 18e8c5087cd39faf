//! No serial number is used twice: many issuances at once, restarts between them, and a backup
//! put back. 200 by default; `SCB_ISSUANCES=10000` makes it as many.

use std::collections::{BTreeMap, BTreeSet};

use scb_certs::{Fingerprint, Serial, SigningKey};
use scb_cuhk::{Student, issue_code};
use scb_protocol::EnrolmentCode;

use crate::university::{University, ask, enrol, enrolled};

/// Connections at once.
const PARALLEL: usize = 8;
/// Rounds, after each of which the server is started again.
const ROUNDS: usize = 4;

/// A student who waits for a certificate.
struct Waiting {
    sid: String,
    code: EnrolmentCode,
    key: SigningKey,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_issuances_restarts_and_an_old_backup_use_no_serial_twice() {
    let count = std::env::var("SCB_ISSUANCES").map_or(200, |count| count.parse().unwrap());
    let mut university = University::open().await;
    let waiting = students(&university, count).await;
    let backup = university.back_up();
    let mut issued = Issued::default();
    for round in waiting.chunks(count.div_ceil(ROUNDS)) {
        issued.extend(certify(&university, round).await);
        university = university.restart().await;
    }
    assert_eq!(issued.0.len(), count);

    // The backup knows nothing of all this: the same codes are good again.
    university = university.restore(&backup).await;
    let (again, _) = waiting.split_at(count / ROUNDS);
    let anew = certify(&university, again).await;
    assert!(
        anew.iter()
            .all(|(_, certificate)| !issued.knows(certificate))
    );
    issued.extend(anew);
    assert_eq!(issued.0.len(), count + again.len());
}

/// Each serial number, and the certificate that has it.
#[derive(Default)]
struct Issued(BTreeMap<Serial, Fingerprint>);

impl Issued {
    fn extend(&mut self, certificates: Vec<(Serial, Fingerprint)>) {
        for (serial, certificate) in certificates {
            let before = self.0.insert(serial, certificate);
            assert_eq!(before, None, "serial number {serial} twice");
        }
    }

    fn knows(&self, certificate: &Fingerprint) -> bool {
        let all: BTreeSet<_> = self.0.values().collect();
        all.contains(certificate)
    }
}

async fn students(university: &University, count: usize) -> Vec<Waiting> {
    let now = university.clock.now();
    university
        .change(move |records| {
            let wait = |number: usize| {
                let sid = format!("{}", 1_155_100_000 + number);
                let student = Student {
                    sid: sid.parse()?,
                    name: "陳大文".into(),
                    email: String::new(),
                    programme: String::new(),
                    active: true,
                };
                records.roster().import(&student, now)?;
                let code = issue_code(records, &sid.parse()?, false, now)?.code;
                let key = SigningKey::generate()?;
                Ok(Waiting { sid, code, key })
            };
            (0..count).map(wait).collect()
        })
        .await
}

async fn certify(university: &University, waiting: &[Waiting]) -> Vec<(Serial, Fingerprint)> {
    let mut tasks = tokio::task::JoinSet::new();
    for some in waiting.chunks(waiting.len().div_ceil(PARALLEL)) {
        let mut connection = university.connect().await;
        let requests: Vec<_> = some
            .iter()
            .map(|one| enrol(&one.sid, &one.code, &one.key))
            .collect();
        tasks.spawn(async move {
            let mut issued = Vec::new();
            for request in requests {
                let (chain, _) = enrolled(ask(&mut connection, &request).await);
                issued.push((chain.leaf().serial(), chain.leaf().fingerprint()));
            }
            issued
        });
    }
    tasks.join_all().await.into_iter().flatten().collect()
}

//! Enrolments and hand-ins that are cut off at any byte: nothing is left of them in the
//! servers, neither a descriptor nor memory, and repeating them finishes them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use scb_certs::SigningKey;
use tokio::task::JoinSet;

use crate::campus::{Campus, LONG, Ran, Server};
use crate::class::Class;
use crate::ledger::{Ledger, one_certificate_each};
use crate::process::{count, descriptors, random, resident, until};
use crate::proxy::{Fault, Proxy, Way};

/// What is handed in.
const REPORT: &[u8] = b"a report that never arrives whole\n";
/// More bytes than go both ways in any flow here.
const LONGEST_FLOW: usize = 60_000;
/// Cut connections at the same time.
const AT_ONCE: usize = 8;
/// Growth of memory that is the allocator's and the database's caches', of 2 MiB for each of its
/// connections, which fill up with what is stored (8 MiB after 120 cuts, 18 after 400, 23 after 1,200): in
/// KiB, and in bytes for each cut. A connection that stays takes 28 KiB and a descriptor.
const GROWTH: (u64, u64) = (24 * 1024, 512);
/// Most versions of one student.
const VERSIONS: usize = 400;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hand_in_cut_at_any_byte_is_finished_by_repeating_it() {
    let campus = Campus::sandbox();
    // Each of them hands in no more versions than are taken.
    let students = wanted() / VERSIONS + 1;
    let class = Arc::new(Class::of(&campus, students + 1));
    let mut enrolled = Vec::new();
    for _ in 0..students {
        enrolled.push(Arc::new(class.enrol(class.next(1)).await.unwrap()));
    }
    let members = Arc::clone(&enrolled[0]);
    let ledger = Arc::new(Mutex::new(Ledger::default()));

    let recorder = Proxy::before(&class.blackboard, Fault::None).await;
    for _ in 0..2 * AT_ONCE {
        let work = class.work(&members, REPORT);
        let handed_in = class.hand_in_at(&recorder.address, &members, &work);
        let receipt = handed_in.await.unwrap();
        ledger.lock().unwrap().enter_receipt(receipt);
    }
    let recorded = |way| recorder.passed(way) / (2 * AT_ONCE);
    let (up, down) = (recorded(Way::Up), recorded(Way::Down));
    drop(recorder);
    let files = steady(&campus.blackboard);
    let memory = resident(&campus.blackboard);

    let faults = faults(up, down);
    let cuts = faults.len();
    let attempts = faults.into_iter().enumerate().map(|(number, fault)| {
        let members = Arc::clone(&enrolled[number % students]);
        let class = Arc::clone(&class);
        let ledger = Arc::clone(&ledger);
        async move {
            let work = class.work(&members, REPORT);
            let proxy = Proxy::before(&class.blackboard, fault).await;
            let first = class.hand_in_at(&proxy.address, &members, &work).await;
            let again = class.hand_in_at(&class.blackboard, &members, &work);
            let again = again.await.unwrap();
            match first {
                Ok(first) => assert!(first.bytes == again.bytes, "{fault:?}"),
                Err(refusal) => assert_cut(fault, refusal.code.as_str()),
            }
            ledger.lock().unwrap().enter_receipt(again);
        }
    });
    all(attempts).await;
    let flow = Flow { up, down, cuts };
    flow.leaves_nothing(&campus.blackboard, files, memory);
    let mut ledger = Arc::into_inner(ledger).unwrap().into_inner().unwrap();
    let mut student = class.student(
        campus.outside().join("honest"),
        &["submit", class.report(), "--json"],
    );
    let ran = Ran::of(student.args(["--ids", &class.next_ids(1)]));
    ledger.note(&ran.succeeded());
    assert_eq!(ledger.len(), 2 * AT_ONCE + cuts + 1);
    ledger.is_all_of(&campus);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_enrolment_cut_at_any_byte_is_finished_by_repeating_it() {
    let campus = Campus::sandbox();
    let class = Arc::new(Class::of(
        &campus,
        2 * AT_ONCE + wanted().min(LONGEST_FLOW) + 3,
    ));
    let recorder = Proxy::before(&class.cuhk, Fault::None).await;
    for student in class.next(2 * AT_ONCE) {
        let key = SigningKey::generate().unwrap();
        let enrolled = class.enrol_at(&recorder.address, vec![(student, key)]);
        enrolled.await.unwrap();
    }
    let recorded = |way| recorder.passed(way) / (2 * AT_ONCE);
    let (up, down) = (recorded(Way::Up), recorded(Way::Down));
    drop(recorder);
    let faults = faults(up, down);
    let files = steady(&campus.cuhk);
    let memory = resident(&campus.cuhk);

    let cuts = faults.len();
    let sids = Arc::new(Mutex::new(BTreeSet::new()));
    let attempts = faults.into_iter().map(|fault| {
        let (class, sids) = (Arc::clone(&class), Arc::clone(&sids));
        async move {
            let student = class.next(1).remove(0);
            sids.lock().unwrap().insert(student.0.clone());
            let wanted = vec![(student, SigningKey::generate().unwrap())];
            let proxy = Proxy::before(&class.cuhk, fault).await;
            let first = class.enrol_at(&proxy.address, wanted.clone()).await;
            let again = class.enrol_at(&class.cuhk, wanted).await.unwrap();
            match first {
                Ok(first) => assert_eq!(first[0].chain, again[0].chain, "{fault:?}"),
                Err(refusal) => assert_cut(fault, refusal.code.as_str()),
            }
        }
    });
    all(attempts).await;
    let flow = Flow { up, down, cuts };
    flow.leaves_nothing(&campus.cuhk, files, memory);
    one_certificate_each(&campus, &sids.lock().unwrap());
    let mut student = class.student(
        campus.outside().join("honest"),
        &["submit", class.report(), "--ids"],
    );
    Ran::of(student.arg(class.next_ids(1))).succeeded();
}

/// Every offset with `SCB_CUTS` as large as there are bytes; otherwise about so many, spread
/// evenly from a random first one.
fn faults(up: usize, down: usize) -> Vec<Fault> {
    assert!(up + down <= LONGEST_FLOW);
    let stride = (up + down).div_ceil(wanted());
    let offsets = |bytes| {
        let first = usize::try_from(random(stride as u64)).unwrap();
        (first..bytes).step_by(stride)
    };
    let ups = offsets(up).map(|at| Fault::Cut(Way::Up, at));
    ups.chain(offsets(down).map(|at| Fault::Cut(Way::Down, at)))
        .collect()
}

/// How often a flow is cut.
fn wanted() -> usize {
    count("SCB_CUTS", 120)
}

/// A flow as it was recorded, and how often it was cut.
struct Flow {
    up: usize,
    down: usize,
    cuts: usize,
}

impl Flow {
    /// The server's descriptors and memory are what they were.
    fn leaves_nothing(&self, server: &Server, files: usize, memory: u64) {
        let Self { up, down, cuts } = self;
        until("its descriptors return", LONG, || {
            descriptors(server) <= files
        });
        let grown = resident(server).saturating_sub(memory);
        println!(
            "cut at {cuts} of {} offsets ({up} bytes up, {down} down): {files} descriptors \
             before, {} after; memory {memory} KiB, grown by {grown} KiB",
            up + down,
            descriptors(server),
        );
        let bound = GROWTH.0 + GROWTH.1 * u64::try_from(*cuts).unwrap() / 1024;
        assert!(grown < bound, "grown by {grown} KiB");
    }
}

/// The descriptors that are open when nobody is connected.
fn steady(server: &Server) -> usize {
    let mut lowest = descriptors(server);
    let mut same = 0;
    until("the descriptors settle", LONG, || {
        let now = descriptors(server);
        same = if now == lowest { same + 1 } else { 0 };
        lowest = now;
        same >= 20
    });
    lowest
}

/// Runs all attempts, a few at a time.
async fn all<F>(attempts: impl Iterator<Item = F>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut running = JoinSet::new();
    for attempt in attempts {
        if running.len() >= AT_ONCE {
            running.join_next().await.unwrap().unwrap();
        }
        running.spawn(attempt);
    }
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
    }
}

/// What a client makes of a connection that ends.
fn assert_cut(fault: Fault, code: &str) {
    let expected = ["connection_lost", "connection_failed", "server_misbehaved"];
    assert!(expected.contains(&code), "{fault:?}: {code}");
}

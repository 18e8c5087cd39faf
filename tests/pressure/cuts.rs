//! A hand-in that is cut off at any byte: nothing is left of it, neither a file nor memory.

use std::sync::Arc;
use std::time::Duration;

use scb_protocol::client::Member;
use tokio::task::JoinSet;

use crate::campus::Campus;
use crate::class::Class;
use crate::ledger::Ledger;
use crate::process::{count, descriptors, random, resident, until};
use crate::proxy::{Fault, Proxy, Way};

/// What is handed in.
const REPORT: &[u8] = b"a report that never arrives whole\n";
/// Cut connections at the same time.
const AT_ONCE: usize = 8;
/// Growth of memory, in KiB, that is the allocator's and not the connections'.
const GROWTH: u64 = 4 * 1024;
/// How long a server may take to notice that all are gone.
const SOON: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flow_cut_at_any_byte_leaves_nothing_behind() {
    let campus = Campus::sandbox();
    let class = Arc::new(Class::of(&campus, 2));
    let members = Arc::new(class.enrol(class.next(1)).await.unwrap());
    let mut ledger = Ledger::default();

    let recorder = Proxy::before(&class.blackboard, Fault::None).await;
    for _ in 0..2 * AT_ONCE {
        let receipt = attempt(&class, &recorder.address, &members).await.unwrap();
        ledger.enter(&receipt.0, receipt.1);
    }
    let recorded = |way| recorder.passed(way) / (2 * AT_ONCE);
    let (up, down) = (recorded(Way::Up), recorded(Way::Down));
    drop(recorder);
    until("all are gone", SOON, || {
        campus.blackboard.log().contains("S-000016")
    });
    let files = steady(&campus);
    let memory = resident(&campus.blackboard);

    let stride = stride(up + down);
    let ups = offsets(up, stride).map(|at| Fault::Cut(Way::Up, at));
    let faults: Vec<_> = ups
        .chain(offsets(down, stride).map(|at| Fault::Cut(Way::Down, at)))
        .collect();
    let cuts = faults.len();
    let arrived = cut_all(&class, &members, faults).await;

    until("its descriptors return", SOON, || {
        descriptors(&campus.blackboard) <= files
    });
    let grown = resident(&campus.blackboard).saturating_sub(memory);
    println!(
        "{cuts} of {} offsets ({up} bytes up, {down} down): {} descriptors before, {} after; \
         memory {memory} KiB, grown by {grown} KiB; {arrived} receipts arrived whole",
        up + down,
        files,
        descriptors(&campus.blackboard),
    );
    assert!(grown < GROWTH, "grown by {grown} KiB");
    // Some were stored before the cut; each of those is whole, and so is every other.
    ledger.is_kept_by(&campus);
    let mut student = class.student(campus.outside().join("honest"), &["submit", "--json"]);
    let ran = crate::campus::Ran::of(student.args(["--ids", &class.next_ids(1)]));
    ledger.note(&ran.succeeded());
    ledger.is_kept_by(&campus);
}

/// Every offset with `SCB_CUTS` as large as there are bytes; otherwise about so many, spread
/// evenly from a random first one.
fn stride(bytes: usize) -> usize {
    (bytes / count("SCB_CUTS", 160)).max(1)
}

fn offsets(bytes: usize, stride: usize) -> impl Iterator<Item = usize> {
    let first = usize::try_from(random(stride as u64)).unwrap();
    (first..bytes).step_by(stride)
}

/// The descriptors that are open when nobody is connected.
fn steady(campus: &Campus) -> usize {
    let mut lowest = descriptors(&campus.blackboard);
    let mut same = 0;
    until("the descriptors settle", SOON, || {
        let now = descriptors(&campus.blackboard);
        same = if now == lowest { same + 1 } else { 0 };
        lowest = now;
        same >= 20
    });
    lowest
}

async fn cut_all(class: &Arc<Class>, members: &Arc<Vec<Member>>, faults: Vec<Fault>) -> usize {
    let mut running = JoinSet::new();
    let mut arrived = 0;
    for fault in faults {
        if running.len() >= AT_ONCE {
            arrived += usize::from(running.join_next().await.unwrap().unwrap());
        }
        let (class, members) = (Arc::clone(class), Arc::clone(members));
        running.spawn(async move {
            let proxy = Proxy::before(&class.blackboard, fault).await;
            let result = attempt(&class, &proxy.address, &members).await;
            if let Err(code) = &result {
                assert!(
                    ["connection_lost", "connection_failed", "server_misbehaved"]
                        .contains(&code.as_str()),
                    "{fault:?}: {code}"
                );
            }
            result.is_ok()
        });
    }
    while let Some(ended) = running.join_next().await {
        arrived += usize::from(ended.unwrap());
    }
    arrived
}

/// One hand-in; what went wrong is its code.
async fn attempt(
    class: &Class,
    address: &str,
    members: &[Member],
) -> Result<(String, Vec<u8>), String> {
    let done = async {
        let opened = class.open_session(address, members).await?;
        class.submit(opened, members, REPORT).await
    };
    match done.await {
        Ok(receipt) => Ok((receipt.number, receipt.bytes)),
        Err(refusal) => Err(refusal.code.as_str().to_owned()),
    }
}

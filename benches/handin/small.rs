//! Small submissions: acknowledged per second, how long each takes, and how often the servers
//! wait for the disk for each.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use scb_protocol::client::Member;
use tokio::task::JoinSet;

use crate::Scale;
use crate::client::Client;
use crate::disk::{SyncCounter, sync_floor};
use crate::servers::Servers;

/// Bytes of each report.
const SIZE: usize = 1024;
const MEMBERS: usize = 3;

/// Measures and prints.
pub fn measure(scale: &Scale) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let clients = scale.small.iter().map(|(clients, _)| *clients);
        let dir = tempfile::tempdir().unwrap();
        let counters = ["cuhk", "blackboard"].map(|name| SyncCounter::build(dir.path(), name));
        let groups = clients.max().unwrap();
        let environment = counters
            .each_ref()
            .map(|counter| counter.as_ref().map(SyncCounter::environment));
        let environment = environment
            .each_ref()
            .map(|some| some.as_ref().map_or(&[][..], |some| &some[..]));
        let (servers, codes) = Servers::start_in(MEMBERS * groups, environment);
        let members = servers.enrol(codes).await;
        let groups: Vec<_> = members.chunks(MEMBERS).map(<[Member]>::to_vec).collect();
        println!(
            "\nsmall submissions: {SIZE} bytes, groups of {MEMBERS}, each hand-in over a \
             connection of its own, steps 3 to 6; acknowledged is what has its receipt\n"
        );
        let floor = sync_floor(dir.path(), 200);
        println!(
            "floor: 4 KiB written and fdatasync, one after another: {:.0} µs (median), \
             {:.0} µs (99th percentile), {:.0} per second\n",
            floor.median, floor.p99, floor.per_second
        );
        println!(
            "  clients  hand-ins  per second  median ms    p99 ms  fsyncs per acknowledgement: \
             CUHK, Blackboard"
        );
        for (clients, hand_ins) in scale.small {
            run(&servers, &groups[..*clients], *hand_ins, &counters).await;
        }
    });
}

async fn run(
    servers: &Servers,
    groups: &[Vec<Member>],
    hand_ins: usize,
    counters: &[Option<SyncCounter>; 2],
) {
    let client = Arc::new(Client::of(servers));
    let work: VecDeque<usize> = (0..hand_ins).collect();
    let work = Arc::new(Mutex::new(work));
    let before = counts(counters);
    let begun = Instant::now();
    let mut running = JoinSet::new();
    for group in groups {
        let (client, work, group) = (Arc::clone(&client), Arc::clone(&work), group.clone());
        running.spawn(async move {
            let mut took = Vec::new();
            loop {
                let Some(number) = work.lock().unwrap().pop_front() else {
                    return took;
                };
                let mut report = number.to_string().into_bytes();
                report.resize(SIZE, b'.');
                took.push(client.hand_in(&group, report).await);
            }
        });
    }
    let mut took = running.join_all().await.concat();
    let elapsed = begun.elapsed().as_secs_f64();
    took.sort_by(f64::total_cmp);
    let at = |part: f64| took[((took.len() - 1) as f64 * part).round() as usize];
    println!(
        "  {:>7}  {hand_ins:>8}  {:>10.0}  {:>9.1}  {:>8.1}  {}",
        groups.len(),
        hand_ins as f64 / elapsed,
        at(0.5),
        at(0.99),
        each(before, counts(counters), hand_ins)
    );
}

fn counts(counters: &[Option<SyncCounter>; 2]) -> Option<[u64; 2]> {
    let [cuhk, blackboard] = counters;
    Some([cuhk.as_ref()?.count(), blackboard.as_ref()?.count()])
}

fn each(before: Option<[u64; 2]>, after: Option<[u64; 2]>, hand_ins: usize) -> String {
    let (Some(before), Some(after)) = (before, after) else {
        return "skipped: no cc".to_owned();
    };
    let each = |server: usize| (after[server] - before[server]) as f64 / hand_ins as f64;
    format!("{:.1}, {:.1}", each(0), each(1))
}

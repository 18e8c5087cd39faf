//! The whole over loopback: real `cuhk` and `blackboard` processes, and groups that hand in.

use std::sync::Arc;
use std::time::Instant;

use scb_protocol::client::Member;
use tokio::task::JoinSet;

use crate::client::Client;
use crate::measure::{Effort, Spread};
use crate::operations::Sum;
use crate::protocol::submission_txt;
use crate::servers::Servers;

/// One run: flows per second, latencies, and CPU time of `cuhk` and `blackboard` per flow.
struct Run {
    per_second: f64,
    milliseconds: Vec<f64>,
    cuhk: f64,
    blackboard: f64,
}

/// Measures and prints.
pub fn run(effort: &Effort, sum: &Sum) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let groups = effort.parallel.len() * effort.runs * effort.flows;
        let (servers, codes) = Servers::start(3 * groups);
        let started = Instant::now();
        let members = servers.enrol(codes).await;
        let took = started.elapsed().as_secs_f64();
        println!(
            "\nover loopback: real servers, every group new to Blackboard, its CPU time and CUHK's \
             from /proc/PID/stat\n(enrolled {} students before that, one after another: {:.0} per \
             second)\n",
            members.len(),
            members.len() as f64 / took
        );
        let mut groups = members.chunks(3).map(<[Member]>::to_vec);
        for parallel in effort.parallel {
            let mut runs = Vec::new();
            for _ in 0..effort.runs {
                let groups = groups.by_ref().take(effort.flows).collect();
                runs.push(measure(&servers, groups, *parallel).await);
            }
            print(&runs, effort, *parallel, sum);
        }
    });
}

async fn measure(servers: &Servers, groups: Vec<Vec<Member>>, parallel: usize) -> Run {
    let client = Arc::new(Client::of(servers));
    let flows = groups.len() as f64;
    let mut milliseconds = Vec::with_capacity(groups.len());
    let (before, started) = (servers.cpu(), Instant::now());
    let mut running = JoinSet::new();
    for group in groups {
        if running.len() == parallel {
            milliseconds.extend(running.join_next().await.map(Result::unwrap));
        }
        let client = Arc::clone(&client);
        running.spawn(async move {
            let sids: Vec<&str> = group.iter().map(|member| member.sid.as_str()).collect();
            client.hand_in(&group, submission_txt(&sids)).await
        });
    }
    milliseconds.extend(running.join_all().await);
    let (elapsed, after) = (started.elapsed(), servers.cpu());
    Run {
        per_second: flows / elapsed.as_secs_f64(),
        milliseconds,
        cuhk: (after.0 - before.0) * 1e6 / flows,
        blackboard: (after.1 - before.1) * 1e6 / flows,
    }
}

fn print(runs: &[Run], effort: &Effort, parallel: usize, sum: &Sum) {
    let of = |value: fn(&Run) -> f64| Spread::of(runs.iter().map(value).collect());
    let show = |spread: Spread, digits: usize| {
        let (low, high) = spread.quartiles;
        format!(
            "{:.digits$} ({low:.digits$} – {high:.digits$})",
            spread.median
        )
    };
    let all = runs.iter().flat_map(|run| run.milliseconds.iter().copied());
    let latency = Spread::of(all.collect());
    let servers = of(|run| run.cuhk + run.blackboard);
    println!(
        "{} runs of {} flows, {parallel} at once",
        effort.runs, effort.flows
    );
    println!(
        "  flows per second       {}",
        show(of(|run| run.per_second), 0)
    );
    println!("  milliseconds per flow  {}", show(latency, 1));
    println!(
        "  server CPU per flow    {} µs: Blackboard {:.0}, CUHK {:.0}",
        show(servers, 0),
        of(|run| run.blackboard).median,
        of(|run| run.cuhk).median
    );
    println!(
        "  that is {:.2} times the servers' sum of {:.0} µs",
        servers.median / sum.servers(),
        sum.servers()
    );
}

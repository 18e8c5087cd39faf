//! The whole over loopback: real `cuhk` and `blackboard` processes, and groups that hand in.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use scb_certs::{Fingerprint, ServiceName, SpiffeId, TrustStore};
use scb_protocol::client::{Answer, ExpectGreeting, Member, sign, state};
use scb_protocol::statement::{FileEntry, SubmissionId};
use scb_protocol::{Frame, Step};
use scb_transport::{ClientTls, Clock, ServerTrust, SystemClock, connect};
use tokio::task::JoinSet;

use crate::measure::{Effort, Spread};
use crate::operations::Sum;
use crate::protocol::submission_txt;
use crate::servers::{PATIENCE, Servers};

/// What a group's program knows.
struct Client {
    address: String,
    trust: Arc<TrustStore>,
    service: SpiffeId,
}

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
    let trust = servers.trust();
    let client = Arc::new(Client {
        address: servers.blackboard.address.clone(),
        service: SpiffeId::new_service(trust.trust_domain(), &ServiceName::blackboard()),
        trust,
    });
    let flows = groups.len() as f64;
    let mut milliseconds = Vec::with_capacity(groups.len());
    let (before, started) = (servers.cpu(), Instant::now());
    let mut running = JoinSet::new();
    for group in groups {
        if running.len() == parallel {
            milliseconds.extend(running.join_next().await.map(Result::unwrap));
        }
        let client = Arc::clone(&client);
        running.spawn(async move { client.hand_in(group).await });
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

impl Client {
    /// Steps 3 to 6 over a connection of its own; returns the milliseconds that they took.
    async fn hand_in(&self, group: Vec<Member>) -> f64 {
        let started = Instant::now();
        let trust = ServerTrust::Pinned(Arc::clone(&self.trust));
        let identity = (group[0].chain.clone(), group[0].key.clone());
        let tls = ClientTls::new(trust, ServiceName::blackboard(), Some(identity)).unwrap();
        let mut connection = connect(&self.address, &tls, Step::Three, PATIENCE)
            .await
            .unwrap();
        let client = ExpectGreeting::new(
            Arc::clone(&self.trust),
            self.service.clone(),
            connection.exporter(),
            group.clone(),
        );

        let greeting = connection.receive(Step::Three, PATIENCE).await.unwrap();
        let (client, present) = client.handle(greeting).unwrap();
        connection.send(&present).await.unwrap();
        let shares = connection.receive(Step::Three, PATIENCE).await.unwrap();
        let (client, confirm) = client.handle(shares, SystemClock.now()).unwrap();
        connection.send(&confirm).await.unwrap();
        let confirmed = connection.receive(Step::Five, PATIENCE).await.unwrap();
        let session = client.handle(confirmed).unwrap();

        let sids: Vec<&str> = group.iter().map(|member| member.sid.as_str()).collect();
        let content = submission_txt(&sids);
        let id = SubmissionId::random().unwrap();
        let file = FileEntry {
            // Under the same name it would be the same version again, and stored already.
            name: format!("submission-{id}.txt").parse().unwrap(),
            size: content.len() as u64,
            sha256: Fingerprint::of(&content),
        };
        let assignment = ("SANDBOX".parse().unwrap(), "lab".parse().unwrap());
        let statement = state(&group, &self.service, assignment, file, id).unwrap();
        let signatures = sign(&statement, &group, SystemClock.now()).unwrap();
        let (client, submit) = session.submit(&statement, signatures).unwrap();
        connection.send(&submit).await.unwrap();
        let committed = connection.receive(Step::Six, PATIENCE).await.unwrap();
        let Answer::Committed(client) = client.handle(committed).unwrap() else {
            panic!("stored already");
        };
        let (client, upload) = client.upload(&[]);
        connection.send(&upload).await.unwrap();
        connection.send_chunk(Bytes::from(content)).await.unwrap();
        let (client, end) = client.end();
        connection.send(&end).await.unwrap();
        let receipt = connection.receive(Step::Six, PATIENCE).await.unwrap();
        let mut receiving = client.handle(receipt).unwrap();
        while !receiving.is_complete() {
            match connection.receive_frame(Step::Six, PATIENCE).await.unwrap() {
                Frame::Chunk(chunk) => receiving.chunk(&chunk).unwrap(),
                Frame::Message(message) => panic!("{message:?}"),
            }
        }
        receiving.finish().unwrap();
        connection.close().await;
        started.elapsed().as_secs_f64() * 1e3
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

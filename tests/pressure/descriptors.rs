//! Servers that may open 64 files only.

use std::net::TcpStream;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::campus::{Campus, LONG, Ran, Server, serve_at};
use crate::class::Class;
use crate::ledger::Ledger;
use crate::process::{descriptors, limited, ticks, until};

/// Descriptors that a server may have, its own included.
const LIMIT: usize = 64;
/// Connections that say nothing, to each server.
const SILENT: usize = 300;
/// How long the CPU time is watched; nobody does anything meanwhile.
const WATCHED: Duration = Duration::from_secs(1);
/// Ticks of CPU time, of 10 ms each, that a server may use in a second.
const SPIN: u64 = 30;

/// Restarts a server with a hard limit of open files.
fn limit(sandbox: &Path, name: &str, server: &mut Server) {
    server.stop();
    let arguments = serve_at(sandbox, &server.address());
    let mut command = limited(&format!("-n {LIMIT}"), name, &arguments);
    *server = Server::start_command(&mut command);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_with_few_descriptors_neither_spin_nor_fail_those_they_serve() {
    let mut campus = Campus::sandbox();
    let sandbox = campus.path();
    limit(&sandbox, "cuhk", &mut campus.cuhk);
    limit(&sandbox, "blackboard", &mut campus.blackboard);
    let class = Class::of(&campus, 4);
    let mut ledger = Ledger::default();
    let members = class.enrol(class.next(2)).await.unwrap();
    let opened = class.open_session(&class.blackboard, &members);
    let opened = opened.await.unwrap();

    let silent: Vec<_> = (0..SILENT)
        .flat_map(|_| [&class.cuhk, &class.blackboard].map(TcpStream::connect))
        .filter_map(Result::ok)
        .collect();
    let servers = [&campus.cuhk, &campus.blackboard];
    let (begun, before) = (Instant::now(), servers.map(ticks));
    tokio::task::block_in_place(|| sleep(WATCHED));
    let after = servers.map(ticks);
    // Whoever comes back late from a sleep has watched for longer.
    let watched = begun.elapsed();
    let most = SPIN * u64::try_from(watched.as_millis()).unwrap() / 1000;
    for (server, (before, after)) in servers.into_iter().zip(before.into_iter().zip(after)) {
        let (used, open) = (after - before, descriptors(server));
        println!("{open} of {LIMIT} descriptors, {used} ticks of CPU time in {watched:.2?}");
        assert!(used < most, "{used} ticks of CPU time, {most} at most");
        assert!(open <= LIMIT, "{open} descriptors");
    }
    // Whoever was in before loses nothing, though the report needs a file.
    let work = class.work(&members, &vec![7; 300_000]);
    let receipt = class.submit(opened, &work).await.unwrap();
    ledger.enter_receipt(receipt);

    drop(silent);
    let begun = Instant::now();
    let ids = class.next_ids(2);
    let home = campus.outside().join("honest");
    until("the next group is served", LONG, || {
        let mut student = class.student(
            home.clone(),
            &["submit", "--ids", &ids, "--json", class.report()],
        );
        let ran = Ran::of(&mut student);
        assert!(matches!(ran.exit, Some(0 | 4)), "{ran:#?}");
        if ran.exit == Some(0) {
            ledger.note(&ran);
        }
        ran.exit == Some(0)
    });
    println!(
        "the next group was done {:.1?} after they left",
        begun.elapsed()
    );
    ledger.is_all_of(&campus);
}

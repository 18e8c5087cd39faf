//! Crowds: everybody at once, thousands who do nothing, and more than there is room for.

use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use scb_protocol::client::Member;
use scb_protocol::{Code, Refusal};
use scb_transport::{Connection, raise_descriptor_limit};
use tokio::task::{JoinSet, block_in_place};

use crate::campus::{Campus, LONG, Ran, Server, program, serve_at};
use crate::class::{Class, patiently};
use crate::ledger::Ledger;
use crate::limits::set_limits;
use crate::process::{count, descriptors, limited, resident, until};

/// How soon an honest group is served while a crowd does nothing, on a busy machine; who had to wait for
/// the crowd would wait until its patience ends.
const SERVED: Duration = Duration::from_secs(5);
/// How long the crowd may say nothing, in seconds: none of it has been sent away when the last one comes.
const PATIENCE: f64 = 600.0;
/// Handshakes at the same time while a crowd comes in.
const AT_ONCE: usize = 16;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_groups_enrol_and_hand_in_at_once() {
    let groups = count("SCB_GROUPS", 200);
    let campus = Campus::sandbox();
    let class = Arc::new(Class::of(&campus, 3 * groups));
    let mut ledger = Ledger::default();
    // One of the groups is the real program.
    let ids = class.next_ids(3);
    let mut student = class.student(
        campus.outside().join("real"),
        &[
            "submit",
            class.report(),
            "--ids",
            &ids,
            "--json",
            "--wait",
            "60",
        ],
    );
    let student = student.stdout(Stdio::piped()).stderr(Stdio::piped());
    let begun = Instant::now();
    let student = student.spawn().unwrap();
    let mut running = JoinSet::new();
    for group in 1..groups {
        let (class, codes) = (Arc::clone(&class), class.next(3));
        running.spawn(async move {
            let begun = Instant::now();
            let (members, busy) = patiently(|| class.enrol(codes.clone())).await;
            let report = format!("the report of group {group}\n").repeat(100);
            let handed_in = patiently(|| class.hand_in(&members, report.as_bytes()));
            let (receipt, busy_again) = handed_in.await;
            (receipt, busy + busy_again, begun.elapsed())
        });
    }
    let (mut busy, mut longest) = (0, Duration::ZERO);
    while let Some(done) = running.join_next().await {
        let (receipt, told, took) = done.unwrap();
        ledger.enter_receipt(receipt);
        busy += told;
        longest = longest.max(took);
    }
    let real = block_in_place(|| student.wait_with_output().unwrap());
    let took = begun.elapsed();
    ledger.note(&Ran::from(real).succeeded());
    println!(
        "{groups} groups of 3, steps 1 to 6: {took:.1?} in all, {longest:.1?} the longest, \
         told to come back {busy} times"
    );
    assert_eq!(ledger.len(), groups);
    ledger.is_all_of(&campus);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_who_do_nothing_hold_nobody_up() {
    let idle = as_many_as_allowed(count("SCB_IDLE", 2000));
    let mut campus = Campus::sandbox();
    let patience = [("message", PATIENCE), ("idle", PATIENCE)];
    let sandbox = campus.path();
    for (name, server) in [
        ("cuhk", &mut campus.cuhk),
        ("blackboard", &mut campus.blackboard),
    ] {
        set_limits(&sandbox.join(name), &patience);
        server.stop();
        // Fewer than are needed; a server raises the soft limit by itself.
        let arguments = serve_at(&sandbox, &server.address());
        *server = Server::start_command(&mut limited("-S -n 256", name, &arguments));
    }
    let class = Arc::new(Class::of(&campus, 6));
    let first = Arc::new(class.enrol(class.next(1)).await.unwrap().remove(0));
    let home = campus.outside().join("honest");
    let (ids, late) = (class.next_ids(3), class.next(2));
    let mut enrol = class.student(home.clone(), &["enrol", "--ids", &ids]);
    block_in_place(|| Ran::of(&mut enrol)).succeeded();
    let before = resident(&campus.blackboard);

    let begun = Instant::now();
    let crowd = gather(&class, &first, idle).await;
    let gathered = begun.elapsed();
    for server in [&campus.cuhk, &campus.blackboard] {
        assert!(
            descriptors(server) >= idle,
            "{} are open",
            descriptors(server)
        );
    }
    let memory = resident(&campus.blackboard).saturating_sub(before);

    let mut submit = class.student(home, &["submit", "--ids", &ids, "--json", class.report()]);
    let begun = Instant::now();
    let ran = block_in_place(|| Ran::of(&mut submit)).succeeded();
    let served = begun.elapsed();
    let begun = Instant::now();
    class.enrol(late).await.unwrap();
    let enrolled = begun.elapsed();
    println!(
        "{idle} idle TLS connections to each server (made in {gathered:.1?}, {} KiB of \
         Blackboard's memory each): a group handed in within {served:.0?}, two enrolled \
         within {enrolled:.0?}",
        memory / u64::try_from(idle).unwrap(),
    );
    assert!(
        served < SERVED && enrolled < SERVED,
        "{served:?}, {enrolled:?}"
    );
    let mut ledger = Ledger::default();
    ledger.note(&ran);
    ledger.is_all_of(&campus);
    drop(crowd);
}

/// This process holds one end of a connection to each server.
pub fn as_many_as_allowed(wanted: usize) -> usize {
    let limit = raise_descriptor_limit().unwrap_or(u64::MAX);
    let allowed = usize::try_from(limit / 2).unwrap().saturating_sub(100);
    if allowed < wanted {
        let ci = std::env::var("CI");
        assert_ne!(ci.as_deref(), Ok("true"), "ulimit -n {limit}, but CI=true");
        println!("skipped: ulimit -n {limit} allows {allowed} connections only");
    }
    wanted.min(allowed)
}

/// Connects `idle` times to each server; nobody says anything.
pub async fn gather(class: &Arc<Class>, first: &Arc<Member>, idle: usize) -> Vec<Connection> {
    let mut crowd = Vec::new();
    let mut coming: JoinSet<Result<[Connection; 2], Refusal>> = JoinSet::new();
    for _ in 0..idle {
        if coming.len() >= AT_ONCE {
            crowd.extend(coming.join_next().await.unwrap().unwrap().unwrap());
        }
        let (class, first) = (Arc::clone(class), Arc::clone(first));
        coming.spawn(async move {
            let cuhk = class.connect_to_cuhk(&class.cuhk).await?;
            Ok([cuhk, class.connect(&class.blackboard, &first).await?])
        });
    }
    while let Some(come) = coming.join_next().await {
        crowd.extend(come.unwrap().unwrap());
    }
    crowd
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_finds_no_room_is_told_so_and_waits() {
    let mut campus = Campus::sandbox();
    let sandbox = campus.path();
    for (name, server) in [
        ("cuhk", &mut campus.cuhk),
        ("blackboard", &mut campus.blackboard),
    ] {
        set_limits(&sandbox.join(name), &[("busy_retry", 1.0)]);
        server.stop();
        // Blackboard itself has up to three connections to CUHK: one to ask, and one for each log
        // that either witnesses.
        let room = if name == "cuhk" { "5" } else { "2" };
        let mut start = program(name);
        start.args(serve_at(&sandbox, &server.address()));
        *server = Server::start_command(start.args(["--max-connections", room]));
    }
    let class = Class::of(&campus, 4);
    let members = class.enrol(class.next(2)).await.unwrap();

    // Both servers are full: nobody is let in, and everybody is told when to come back.
    let at_cuhk = hold_all(|| class.connect_to_cuhk(&class.cuhk)).await;
    let at_blackboard = hold_all(|| class.open_session(&class.blackboard, &members)).await;
    let refusal = class.hand_in(&members, b"too early\n").await.err().unwrap();
    assert_eq!((refusal.code, refusal.retry_after), (Code::Busy, Some(1)));
    assert_eq!(refusal.params["limit"], "2");

    // A real student waits for either, and says so; then it is let in.
    let ids = class.next_ids(2);
    let mut student = class.student(
        campus.outside().join("patient"),
        &["submit", "--ids", &ids, "--json", class.report()],
    );
    let student = student.stdout(Stdio::piped()).stderr(Stdio::piped());
    let student = student.spawn().unwrap();
    let told = |server: &Server, times: usize| {
        let log = server.log();
        log.lines()
            .filter(|line| line.contains("refused: busy"))
            .count()
            > times
    };
    // Blackboard's own connections to CUHK come and go, and may leave a place there.
    let somebody = || told(&campus.cuhk, 1) || told(&campus.blackboard, 2);
    block_in_place(|| until("a server tells it", LONG, somebody));
    drop(at_cuhk);
    block_in_place(|| until("Blackboard tells it", LONG, || told(&campus.blackboard, 2)));
    drop(at_blackboard);
    let ran = Ran::from(block_in_place(|| student.wait_with_output().unwrap()));
    let mut ledger = Ledger::default();
    ledger.note(&ran.succeeded());
    ledger.is_all_of(&campus);
    class
        .hand_in(&members, b"now there is room\n")
        .await
        .unwrap();
}

/// Connects until it is told `busy`.
async fn hold_all<T, F>(mut connect: impl FnMut() -> F) -> Vec<T>
where
    F: Future<Output = Result<T, Refusal>>,
{
    let mut held = Vec::new();
    loop {
        match connect().await {
            Ok(one) => held.push(one),
            Err(refusal) => {
                assert_eq!(refusal.code, Code::Busy, "{refusal:?}");
                return held;
            }
        }
    }
}

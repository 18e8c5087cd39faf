//! A server that runs out of file descriptors, as a process of its own.

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use scb_certs::{Fingerprint, ServiceName};
use scb_testkit::{FixedClock, TestCampus};
use scb_transport::{ClientAuth, ClientTls, ClockFn, ServerTrust};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::harness::{LONG, cuhk_tls, greeted, serve};

/// Set in the process that serves.
const SERVES: &str = "SCB_TEST_SERVES";

/// Descriptors that the server may have, its own included.
const DESCRIPTORS: usize = 64;

/// Not a test by itself: what [`ServerProcess::start`] runs until it is killed.
#[tokio::test]
async fn serves() {
    if std::env::var(SERVES).is_err() {
        return;
    }
    let campus = TestCampus::new();
    let server = serve(cuhk_tls(&campus, ClientAuth::Optional)).await;
    println!("\naddress {}", server.address);
    println!("root {}", campus.root_fingerprint());
    server.done.await.unwrap();
}

struct ServerProcess {
    child: Child,
    address: String,
    root: Fingerprint,
}

impl ServerProcess {
    fn start() -> Self {
        let mut child = Command::new("sh")
            .arg("-c")
            .arg(format!("ulimit -n {DESCRIPTORS} && exec \"$0\" \"$@\""))
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "descriptors::serves", "--nocapture"])
            .env(SERVES, "1")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = value_of("address ", &mut lines);
        let root = value_of("root ", &mut lines).parse().unwrap();
        Self {
            child,
            address,
            root,
        }
    }

    /// CPU time that it has used, in clock ticks of 10 ms (proc(5), fields 14 and 15).
    fn ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let (_, after_name) = stat.rsplit_once(')').unwrap();
        let field = |number: usize| after_name.split_whitespace().nth(number - 3).unwrap();
        field(14).parse::<u64>().unwrap() + field(15).parse::<u64>().unwrap()
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn value_of(name: &str, lines: &mut Lines<BufReader<ChildStdout>>) -> String {
    let mut values = lines.map_while(Result::ok);
    let found = values.find_map(|line| line.strip_prefix(name).map(str::to_owned));
    found.expect("the server says where it listens")
}

#[tokio::test]
async fn a_server_without_descriptors_does_not_spin_and_recovers() {
    let server = ServerProcess::start();
    let clock = Arc::new(ClockFn(FixedClock::default().reader()));
    let trust = ServerTrust::Fingerprint(server.root);
    let tls = ClientTls::with_clock(trust, ServiceName::cuhk(), None, clock).unwrap();
    greeted(&server.address, &tls).await.unwrap();

    let mut idle = Vec::new();
    for _ in 0..2 * DESCRIPTORS {
        idle.push(TcpStream::connect(&server.address).await.unwrap());
    }
    let (begun, before) = (Instant::now(), server.ticks());
    let waiting = greeted(&server.address, &tls);
    let starved = timeout(Duration::from_secs(1), waiting).await;
    assert!(starved.is_err(), "the server has no descriptor left");
    let used = server.ticks() - before;
    let waited = begun.elapsed();
    assert!(
        f64::from(u32::try_from(used).unwrap()) < 30.0 * waited.as_secs_f64(),
        "{used} ticks of CPU time within {waited:?} of waiting"
    );

    drop(idle);
    let again = timeout(LONG, greeted(&server.address, &tls)).await;
    again.expect("it accepts again").unwrap();
}

//! A small proxy between a client and a server, which slows its connections down or cuts
//! them off.

use std::future::pending;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
}

/// What is done to every connection.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// Nothing.
    None,
    /// After so many bytes one way, both sockets are closed.
    Cut(Way, usize),
    /// After so many bytes one way, nothing more goes that way, and nothing is closed.
    Stall(Way, usize),
    /// After so many bytes up, a byte at a time, with this pause before each.
    Slow(usize, Duration),
    /// No more than so many bytes up at a time, with this pause before each.
    Paced(usize, Duration),
}

/// Bytes that went each way over one connection.
type Passed = [AtomicUsize; 2];

/// A listening proxy. Stops when dropped, and then its connections end.
pub struct Proxy {
    pub address: String,
    passed: Arc<Mutex<Vec<Arc<Passed>>>>,
    severed: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Listens before `server`.
    pub async fn before(server: &str, fault: Fault) -> Self {
        Self::before_some(server, fault, 0..usize::MAX).await
    }

    /// Does something only to these connections, counted from 0.
    pub async fn before_some(server: &str, fault: Fault, which: Range<usize>) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap().to_string();
        let passed = Arc::new(Mutex::new(Vec::new()));
        let (server, counts) = (server.to_owned(), Arc::clone(&passed));
        let severed = Arc::new(Notify::new());
        let cut = Arc::clone(&severed);
        let task = tokio::spawn(async move {
            let (mut accepted, mut relays) = (0, JoinSet::new());
            while let Ok((client, _)) = socket.accept().await {
                let fault = if which.contains(&accepted) {
                    fault
                } else {
                    Fault::None
                };
                accepted += 1;
                let count = Arc::new(Passed::default());
                counts.lock().unwrap().push(Arc::clone(&count));
                // A server that is away is away for whoever comes this way as well.
                let Ok(server) = TcpStream::connect(&server).await else {
                    continue;
                };
                let cut = Arc::clone(&cut);
                relays.spawn(async move {
                    tokio::select! {
                        () = relay(client, server, fault, count) => {}
                        () = cut.notified() => {}
                    }
                });
            }
        });
        Self {
            address,
            passed,
            severed,
            task,
        }
    }

    /// Ends the connections that there are; others may come.
    pub fn sever(&self) {
        self.severed.notify_waiters();
    }

    /// Bytes that went this way, over all connections.
    pub fn passed(&self, way: Way) -> usize {
        let passed = self.passed.lock().unwrap();
        let each = passed
            .iter()
            .map(|one| one[way as usize].load(Ordering::Relaxed));
        each.sum()
    }

    /// Bytes that went this way over the last connection.
    pub fn passed_last(&self, way: Way) -> usize {
        let passed = self.passed.lock().unwrap();
        let last = passed.last().expect("somebody has connected");
        last[way as usize].load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Ends when both ways have ended, or when one is cut; then both sockets are closed.
async fn relay(client: TcpStream, server: TcpStream, fault: Fault, passed: Arc<Passed>) {
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let up = pass(from_client, to_server, Way::Up, fault, &passed[0]);
    let down = pass(from_server, to_client, Way::Down, fault, &passed[1]);
    // The one that is cut gives an error, which ends the other.
    let _ = tokio::try_join!(up, down);
}

/// The connection is cut here.
struct Severed;

async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    way: Way,
    fault: Fault,
    passed: &AtomicUsize,
) -> Result<(), Severed> {
    let mut gone = 0;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let (most, pause) = match fault {
            Fault::Cut(cut, at) if cut == way => (at - gone, None),
            Fault::Stall(stalled, at) if stalled == way && gone >= at => pending().await,
            Fault::Stall(stalled, at) if stalled == way => (at - gone, None),
            Fault::Slow(after, pause) if way == Way::Up && gone >= after => (1, Some(pause)),
            Fault::Slow(after, _) if way == Way::Up => (after - gone, None),
            Fault::Paced(most, pause) if way == Way::Up => (most, Some(pause)),
            _ => (buffer.len(), None),
        };
        if most == 0 {
            return Err(Severed);
        }
        let most = most.min(buffer.len());
        let read = from.read(&mut buffer[..most]).await.map_err(|_| Severed)?;
        if let Some(pause) = pause {
            sleep(pause).await;
        }
        if read == 0 {
            let _ = to.shutdown().await;
            return Ok(());
        }
        let written = to.write_all(&buffer[..read]).await;
        written.map_err(|_| Severed)?;
        gone += read;
        passed.fetch_add(read, Ordering::Relaxed);
    }
}

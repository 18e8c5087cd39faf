//! A full TLS handshake with both certificates, in memory, each side's time apart.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::{ClientConnection, ServerConnection};
use scb_certs::{ServiceName, TrustStore};
use scb_testkit::{TestCampus, TestIdentity};
use scb_transport::{ClientAuth, ClientTls, ClockFn, ServerTls, ServerTrust};

use crate::measure::{Effort, Spread, micros};

/// Microseconds of the client's and of the server's side.
pub fn measure(effort: &Effort, campus: &TestCampus) -> (Spread, Spread) {
    let (server, student) = (campus.service("blackboard"), campus.student("1155000001"));
    let round = |_| {
        let (mut client_time, mut server_time) = (Duration::ZERO, Duration::ZERO);
        let mut calls = 0u32;
        while client_time + server_time < effort.round {
            // A trust store of its own: the student has not been seen before.
            let mut pair = Pair::new(campus, &server, &student, campus.trust());
            pair.shake_hands();
            client_time += pair.client_time;
            server_time += pair.server_time;
            calls += 1;
        }
        let calls = f64::from(calls);
        (micros(client_time) / calls, micros(server_time) / calls)
    };
    let (clients, servers) = (0..effort.rounds).map(round).unzip();
    (Spread::of(clients), Spread::of(servers))
}

struct Pair {
    client: ClientConnection,
    server: ServerConnection,
    client_time: Duration,
    server_time: Duration,
}

impl Pair {
    fn new(
        campus: &TestCampus,
        server: &TestIdentity,
        student: &TestIdentity,
        trust: Arc<TrustStore>,
    ) -> Self {
        let clock = Arc::new(ClockFn(campus.clock().reader()));
        let root = campus.root().certificate();
        let pinned = ServerTrust::Pinned(campus.trust_without_crls());
        let server = ServerTls::new(
            server.pair(),
            root,
            trust,
            ClientAuth::Required,
            clock.clone(),
        );
        let client = ClientTls::with_clock(
            pinned,
            ServiceName::blackboard(),
            Some(student.pair()),
            clock,
        );
        let name = "localhost".try_into().unwrap();
        Self {
            client: ClientConnection::new(client.unwrap().config(), name).unwrap(),
            server: ServerConnection::new(server.unwrap().config().unwrap()).unwrap(),
            client_time: Duration::ZERO,
            server_time: Duration::ZERO,
        }
    }

    fn shake_hands(&mut self) {
        while self.client.is_handshaking() || self.server.is_handshaking() {
            let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
            let started = Instant::now();
            while self.client.wants_write() {
                self.client.write_tls(&mut to_server).unwrap();
            }
            self.client_time += started.elapsed();
            let started = Instant::now();
            let mut arriving = to_server.as_slice();
            while !arriving.is_empty() {
                self.server.read_tls(&mut arriving).unwrap();
                self.server.process_new_packets().unwrap();
            }
            while self.server.wants_write() {
                self.server.write_tls(&mut to_client).unwrap();
            }
            self.server_time += started.elapsed();
            let started = Instant::now();
            let mut arriving = to_client.as_slice();
            while !arriving.is_empty() {
                self.client.read_tls(&mut arriving).unwrap();
                self.client.process_new_packets().unwrap();
            }
            self.client_time += started.elapsed();
        }
    }
}

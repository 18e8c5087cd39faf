//! The first week of term: every student enrols, each on a connection of their own.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use scb_certs::{Certificate, ServiceName, SigningKey, TrustStore};
use scb_protocol::Step;
use scb_protocol::message::cuhk::Reply;
use scb_transport::{ClientTls, ServerTrust, connect};
use tokio::task::JoinSet;

use crate::measure::{Effort, time};
use crate::servers::{PATIENCE, Server, enrol};

/// Enrolments at once.
const PARALLEL: usize = 8;
/// What the server signs for one: the certificate, the token, its own part of the handshake.
const SIGNED: f64 = 3.0;
/// What it verifies: the request's self-signature.
const VERIFIED: f64 = 1.0;

/// The root, as a student's program trusts it.
pub fn trust(sandbox: &Path) -> Arc<TrustStore> {
    let pem = std::fs::read_to_string(sandbox.join("ca.pem")).unwrap();
    Arc::new(TrustStore::new(Certificate::from_pem(&pem).unwrap()).unwrap())
}

/// Enrols everybody, and prints what that cost the server.
pub async fn measure(cuhk: &Server, sandbox: &Path, codes: Vec<(String, String)>, effort: &Effort) {
    let trust = ServerTrust::Pinned(trust(sandbox));
    let tls = Arc::new(ClientTls::new(trust, ServiceName::cuhk(), None).unwrap());
    let count = codes.len() as f64;
    let (started, before) = (Instant::now(), cuhk.cpu());
    let mut running = JoinSet::new();
    for (sid, code) in codes {
        if running.len() == PARALLEL {
            running.join_next().await.unwrap().unwrap();
        }
        let (tls, address) = (Arc::clone(&tls), cuhk.address.clone());
        running.spawn(async move {
            let mut connection = connect(&address, &tls, Step::One, PATIENCE).await.unwrap();
            let _greeting: Reply = connection.receive(Step::One, PATIENCE).await.unwrap();
            enrol(&mut connection, &sid, &code).await;
            connection.close().await;
        });
    }
    running.join_all().await;
    let (elapsed, cpu) = (started.elapsed().as_secs_f64(), cuhk.cpu() - before);
    print(count, elapsed, cpu, effort);
}

fn print(count: f64, elapsed: f64, cpu: f64, effort: &Effort) {
    let key = SigningKey::generate().unwrap();
    let signature = key.sign_der(b"message").unwrap();
    let sign = time(effort, || key.sign_der(b"message").unwrap()).median;
    let public = key.public_key();
    let verify = time(effort, || public.verify_der(b"message", &signature)).median;
    let each = cpu * 1e6 / count;
    let signing = SIGNED * sign + VERIFIED * verify;
    println!(
        "\n{count:.0} enrolments, each on a connection of its own, {PARALLEL} at once\n  \
         certificates per second              {:.0}\n  \
         certificates per second of its CPU   {:.0}\n  \
         its CPU for each                     {each:.0} µs\n  \
         of that signatures                   {signing:.0} µs, {:.0} %: {SIGNED} made at {sign:.1}, \
         {VERIFIED} verified at {verify:.1} µs",
        count / elapsed,
        count / cpu,
        100.0 * signing / each
    );
}

//! The program of one group: steps 3 to 6 over a connection of its own.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use scb_certs::{Fingerprint, ServiceName, SpiffeId, TrustStore};
use scb_protocol::client::{Answer, ExpectGreeting, Member, sign, state};
use scb_protocol::statement::{FileEntry, SubmissionId};
use scb_protocol::{Frame, Step};
use scb_transport::{ClientTls, Clock, ServerTrust, SystemClock, connect};

use crate::servers::{PATIENCE, Servers};

/// What a group's program knows.
pub struct Client {
    address: String,
    trust: Arc<TrustStore>,
    service: SpiffeId,
}

impl Client {
    /// Of a group that trusts these servers.
    pub fn of(servers: &Servers) -> Self {
        let trust = servers.trust();
        Self {
            address: servers.blackboard.address.clone(),
            service: SpiffeId::new_service(trust.trust_domain(), &ServiceName::blackboard()),
            trust,
        }
    }

    /// Steps 3 to 6 over a connection of its own; returns the milliseconds that they took.
    pub async fn hand_in(&self, group: &[Member], content: Vec<u8>) -> f64 {
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
            group.to_vec(),
        );

        let greeting = connection.receive(Step::Three, PATIENCE).await.unwrap();
        let (client, present) = client.handle(greeting).unwrap();
        connection.send(&present).await.unwrap();
        let shares = connection.receive(Step::Three, PATIENCE).await.unwrap();
        let (client, confirm) = client.handle(shares, SystemClock.now()).unwrap();
        connection.send(&confirm).await.unwrap();
        let confirmed = connection.receive(Step::Five, PATIENCE).await.unwrap();
        let session = client.handle(confirmed).unwrap();

        let id = SubmissionId::random().unwrap();
        let file = FileEntry {
            // Under the same name it would be the same version again, and stored already.
            name: format!("submission-{id}.txt").parse().unwrap(),
            size: content.len() as u64,
            sha256: Fingerprint::of(&content),
        };
        let assignment = ("SANDBOX".parse().unwrap(), "lab".parse().unwrap());
        let statement = state(group, &self.service, assignment, file, id).unwrap();
        let signatures = sign(&statement, group, SystemClock.now()).unwrap();
        let (client, submit) = session.submit(&statement, signatures).unwrap();
        connection.send(&submit).await.unwrap();
        let committed = connection.receive(Step::Six, PATIENCE).await.unwrap();
        let Answer::Committed(client) = client.handle(committed, SystemClock.now()).unwrap() else {
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

//! One connection to CUHK and the questions that are asked on it; it answers in their order.

use std::time::Duration;

use scb_certs::{Chain, Crl};
use scb_protocol::message::cuhk::{Reply, Request};
use scb_protocol::{Code, ExpectLists, Message as _, Refusal, SignedBundle, Step};
use scb_transport::{ClientTls, Connection, connect};
use tokio::time::Instant;

/// All that is asked of CUHK belongs to this step.
const STEP: Step = Step::Three;

/// Longer than anybody waits for the end of a connection on which something is asked every few seconds.
const QUIET: Duration = Duration::from_secs(60 * 60);

/// An open, mutually authenticated connection to CUHK.
pub(crate) struct Link {
    connection: Connection,
    deadline: Instant,
}

impl Link {
    /// Connects and waits for the greeting, all before `deadline`.
    pub(crate) async fn open(
        address: &str,
        tls: &ClientTls,
        deadline: Instant,
    ) -> Result<Self, Refusal> {
        let connection = connect(address, tls, STEP, left(deadline)).await?;
        let mut link = Self {
            connection,
            deadline,
        };
        match link.receive().await? {
            Reply::Greeting { v: 1, .. } => Ok(link),
            other => Err(misbehaved("greeting", &other)),
        }
    }

    /// Sets the total deadline of the questions that follow.
    pub(crate) fn by(&mut self, deadline: Instant) -> &mut Self {
        self.deadline = deadline;
        self
    }

    /// Asks and waits for the one reply.
    pub(crate) async fn ask(&mut self, request: &Request) -> Result<Reply, Refusal> {
        self.send(request).await?;
        self.receive().await
    }

    /// Asks without waiting for the reply; replies come in the order of the questions.
    pub(crate) async fn send(&mut self, request: &Request) -> Result<(), Refusal> {
        let sending = self.connection.send(request);
        tokio::time::timeout_at(self.deadline, sending)
            .await
            .unwrap_or_else(|_| Err(Refusal::new(Code::Timeout, STEP)))
    }

    /// The number of the last change of any status.
    pub(crate) async fn status(&mut self) -> Result<u64, Refusal> {
        match self.ask(&Request::Status {}).await? {
            Reply::Status { epoch } => Ok(epoch),
            other => Err(misbehaved("status", &other)),
        }
    }

    /// The trust bundle of this number, with 0 the latest, not yet judged; none from a CUHK whose
    /// root has not signed one yet.
    pub(crate) async fn trust_bundle(
        &mut self,
        sequence: u64,
    ) -> Result<Option<SignedBundle>, Refusal> {
        SignedBundle::in_answer(self.ask(&Request::TrustBundle { sequence }).await, STEP)
    }

    /// The current revocation lists, not yet judged, and the epoch that they cover.
    pub(crate) async fn crls(&mut self) -> Result<(u64, Vec<Crl>), Refusal> {
        let mut expect = ExpectLists::new(self.ask(&Request::Crls {}).await?, STEP)?;
        while expect.is_waiting() {
            let chunk = self.connection.receive_chunk(STEP, self.deadline);
            expect.chunk(&chunk.await?)?;
        }
        Ok((expect.epoch(), expect.lists()?))
    }

    /// Who answers on the other side.
    pub(crate) fn peer(&self) -> Option<&Chain> {
        self.connection.peer_chain()
    }

    /// Waits until CUHK ends the connection, or says what nobody has asked; how. Cancel-safe.
    pub(crate) async fn ended(&mut self) -> Refusal {
        match self.connection.receive_reply::<Reply>(STEP, QUIET).await {
            Ok(unasked) => misbehaved("nothing", &unasked),
            Err(ended) => ended,
        }
    }

    /// The next reply.
    pub(crate) async fn receive(&mut self) -> Result<Reply, Refusal> {
        self.connection
            .receive_reply(STEP, left(self.deadline))
            .await
    }
}

fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

/// An answer to something that was not asked.
pub(crate) fn misbehaved(expected: &str, got: &Reply) -> Refusal {
    Refusal::new(Code::ServerMisbehaved, STEP)
        .with("expected", expected)
        .with("got", got.name())
}

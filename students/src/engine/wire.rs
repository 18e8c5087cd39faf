//! The connection to Blackboard as the steps use it.
//!
//! Without a fault everything passes as it is; this is the one place where a fault acts.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use scb_certs::{Chain, ServiceName};
use scb_protocol::client::{ExpectGreeting, Member};
use scb_protocol::message::blackboard::{Reply, Request};
use scb_protocol::{Code, Refusal, Reply as _, Step};
use scb_transport::{Clock, Connection};
use tokio::time::Instant;

use super::links::{self, REPLY};
use crate::fault::{Alteration, Earlier, Fault, Outgoing, expired_certificate, expired_token};
use crate::setup::service_id;
use crate::{Error, Setup};

/// A connection, and what a fault does to it.
pub(super) struct Wire {
    connection: Connection,
    alteration: Option<Alteration>,
    content_begun: bool,
}

impl Wire {
    /// Connects with the first member's certificate.
    ///
    /// # Errors
    ///
    /// As [`links::blackboard`]; what a fault cannot do.
    pub(super) async fn open(
        setup: &mut Setup,
        clock: &Arc<dyn Clock>,
        members: &[Member],
    ) -> Result<Self, Error> {
        let mut first = members[0].clone();
        let alteration = match setup.fault {
            None => None,
            Some(fault) => Some(prepare(fault, setup, clock, members, &mut first).await?),
        };
        Ok(Self {
            connection: links::blackboard(setup, clock, &first).await?,
            alteration,
            content_begun: false,
        })
    }

    pub(super) async fn send(&mut self, request: &Request) -> Result<(), Error> {
        let Some(alteration) = &self.alteration else {
            return Ok(self.connection.send(request).await?);
        };
        match alteration.outgoing(request.clone())? {
            Outgoing::Message(request) => self.connection.send(&request).await?,
            Outgoing::Bytes(bytes) => self.connection.send_raw(&bytes).await?,
            Outgoing::Silence => {}
        }
        Ok(())
    }

    pub(super) async fn receive(&mut self, step: Step, deadline: Duration) -> Result<Reply, Error> {
        let reply = self.connection.receive(step, deadline).await?;
        Ok(match &self.alteration {
            None => reply,
            Some(alteration) => alteration.incoming(reply),
        })
    }

    pub(super) async fn send_chunk(&mut self, piece: Bytes) -> Result<(), Error> {
        let first = !std::mem::replace(&mut self.content_begun, true);
        let piece = match &self.alteration {
            None => piece,
            Some(alteration) => alteration.content(piece, first),
        };
        Ok(self.connection.send_chunk(piece).await?)
    }

    pub(super) async fn receive_chunk(
        &mut self,
        step: Step,
        deadline: Instant,
    ) -> Result<Bytes, Error> {
        Ok(self.connection.receive_chunk(step, deadline).await?)
    }

    pub(super) fn at_step(&mut self, step: Step) {
        self.connection.at_step(step);
    }

    pub(super) fn exporter(&self) -> [u8; 32] {
        self.connection.exporter()
    }

    pub(super) fn peer_chain(&self) -> Option<&Chain> {
        self.connection.peer_chain()
    }

    pub(super) async fn close(self) {
        self.connection.close().await;
    }
}

/// Whatever a fault needs before the connection is opened.
async fn prepare(
    fault: Fault,
    setup: &mut Setup,
    clock: &Arc<dyn Clock>,
    members: &[Member],
    first: &mut Member,
) -> Result<Alteration, Error> {
    let sandbox = setup.sandbox.clone().ok_or(Error::FaultOutsideSandbox)?;
    if fault.takes_two() && members.len() < 2 {
        return Err(Error::FaultTakesTwo(fault));
    }
    let now = clock.now();
    if fault == Fault::ExpiredCertificate {
        first.chain = expired_certificate(&sandbox, first, now)?;
    }
    let expired_token = match fault {
        Fault::ExpiredToken => Some(expired_token(&sandbox, first, now)?),
        _ => None,
    };
    let earlier = match fault.uses_earlier() {
        true => Some(earlier(setup, clock, members).await?),
        false => None,
    };
    Ok(Alteration {
        fault,
        members: members.to_vec(),
        earlier,
        expired_token,
        now,
    })
}

/// An honest connection up to its second message, which is kept instead of sent.
async fn earlier(
    setup: &mut Setup,
    clock: &Arc<dyn Clock>,
    members: &[Member],
) -> Result<Earlier, Error> {
    let mut connection = links::blackboard(setup, clock, &members[0]).await?;
    let trust = setup.require_trust()?;
    let service = service_id(&trust, &ServiceName::blackboard());
    let expect = ExpectGreeting::new(trust, service, connection.exporter(), members.to_vec());
    let greeting: Reply = connection.receive(Step::Three, REPLY).await?;
    let greeting = greeting.accepted()?;
    let challenge = match &greeting {
        Reply::Greeting { challenge, .. } => Some(*challenge),
        _ => None,
    };
    let (_, request) = expect.handle(greeting)?;
    connection.close().await;
    match (challenge, request) {
        (Some(challenge), Request::Present { members }) => Ok(Earlier {
            challenge,
            presented: members,
        }),
        _ => Err(Refusal::new(Code::UnexpectedMessage, Step::Three).into()),
    }
}

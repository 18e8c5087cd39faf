//! Step 3: the server greets, the members present themselves.

use std::sync::Arc;

use scb_certs::{SpiffeId, TrustStore};

use super::{ExpectShares, Member, named};
use crate::message::blackboard::{Presented, Reply, Request};
use crate::message::{Reply as _, unexpected};
use crate::proof::prove;
use crate::session::SessionSecret;
use crate::transcript::{Channel, Transcript1, TranscriptMember};
use crate::{Code, Error, Refusal, Step};

/// Waits for `greeting`.
#[derive(Debug)]
pub struct ExpectGreeting {
    trust: Arc<TrustStore>,
    service: SpiffeId,
    exporter: [u8; 32],
    members: Vec<Member>,
}

impl ExpectGreeting {
    /// A new connection to `service`, opened with the first member's certificate.
    pub fn new(
        trust: Arc<TrustStore>,
        service: SpiffeId,
        exporter: [u8; 32],
        members: Vec<Member>,
    ) -> Self {
        Self {
            trust,
            service,
            exporter,
            members,
        }
    }

    /// Makes a session key pair and a proof of possession for each member.
    ///
    /// # Errors
    ///
    /// The server's refusal, `unexpected_message`, `server_misbehaved` (another name or
    /// version), `member_count`, or `internal`.
    pub fn handle(self, reply: Reply) -> Result<(ExpectShares, Request), Refusal> {
        let reply = reply.accepted()?;
        let Reply::Greeting {
            v,
            service,
            challenge,
            max_members,
            ..
        } = reply
        else {
            return Err(unexpected("greeting", &reply, Step::Three));
        };
        if v != 1 || service != self.service {
            return Err(Refusal::new(Code::ServerMisbehaved, Step::Three)
                .with("expected", &self.service)
                .with("got", service));
        }
        let Some(first) = self.members.first() else {
            return Err(member_count(0, max_members));
        };
        if self.members.len() > usize::from(max_members) {
            return Err(member_count(self.members.len(), max_members));
        }
        let channel = Channel {
            exporter: self.exporter,
            service: self.service.clone(),
            client_certificate: first.chain.leaf().fingerprint(),
        };
        let secrets = self
            .members
            .iter()
            .map(|_| SessionSecret::generate())
            .collect::<Result<Vec<_>, Error>>()
            .map_err(internal)?;
        let t1 = Transcript1::new(
            &channel,
            &challenge,
            &transcript_members(&self.members, &secrets),
        );
        let presented = self.present(&t1, &secrets).map_err(internal)?;
        let next = ExpectShares::new(
            self.trust,
            self.service,
            self.members,
            secrets,
            t1,
            presented
                .iter()
                .map(|member| member.proof.clone())
                .collect(),
        );
        Ok((next, Request::Present { members: presented }))
    }

    fn present(
        &self,
        t1: &Transcript1,
        secrets: &[SessionSecret],
    ) -> Result<Vec<Presented>, Error> {
        let domain = self.service.trust_domain();
        let present = |(member, secret): (&Member, &SessionSecret)| {
            let name = SpiffeId::new_student(domain, &member.sid);
            Ok(Presented {
                sid: member.sid.clone(),
                chain: member.chain.clone(),
                token: member.token.clone(),
                session_key: secret.public_key(),
                proof: prove(t1, &name, &member.key, &member.chain)?,
            })
        };
        self.members.iter().zip(secrets).map(present).collect()
    }
}

fn transcript_members(members: &[Member], secrets: &[SessionSecret]) -> Vec<TranscriptMember> {
    let named = named(members).into_iter().zip(secrets);
    named
        .map(|(member, secret)| TranscriptMember {
            sid: member.sid,
            certificate: member.cert_sha256,
            session_key: secret.public_key(),
        })
        .collect()
}

fn member_count(got: usize, limit: u8) -> Refusal {
    Refusal::new(Code::MemberCount, Step::Three)
        .with("got", got)
        .with("limit", limit)
}

fn internal(error: Error) -> Refusal {
    Refusal::new(Code::Internal, Step::Three).with("reason", error)
}

//! Step 4: the members check CUHK's answer and open their shares.

use std::fmt;
use std::sync::Arc;

use rustls_pki_types::UnixTime;
use scb_certs::{SpiffeId, TrustStore};

use super::{ExpectConfirmed, Member, named};
use crate::message::blackboard::{Reply, Request, SealedShare};
use crate::message::{Reply as _, unexpected};
use crate::session::{SessionKey, SessionSecret, Share, open_share};
use crate::transcript::{Transcript1, Transcript2};
use crate::verification::Verification;
use crate::{Code, Refusal, Step};

/// Waits for `shares`. `Debug` prints the members and no proof.
pub struct ExpectShares {
    trust: Arc<TrustStore>,
    service: SpiffeId,
    members: Vec<Member>,
    secrets: Vec<SessionSecret>,
    t1: Transcript1,
    proofs: Vec<String>,
}

impl fmt::Debug for ExpectShares {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExpectShares")
            .field("members", &self.members)
            .finish_non_exhaustive()
    }
}

impl ExpectShares {
    pub(super) fn new(
        trust: Arc<TrustStore>,
        service: SpiffeId,
        members: Vec<Member>,
        secrets: Vec<SessionSecret>,
        t1: Transcript1,
        proofs: Vec<String>,
    ) -> Self {
        Self {
            trust,
            service,
            members,
            secrets,
            t1,
            proofs,
        }
    }

    /// What the proofs of possession sign.
    pub fn transcript(&self) -> Transcript1 {
        self.t1
    }

    /// Verifies CUHK's answer, opens every share and derives the session key.
    ///
    /// # Errors
    ///
    /// The server's refusal, `unexpected_message`, `verification_invalid`,
    /// `student_inactive` or `share_invalid`.
    pub fn handle(
        self,
        reply: Reply,
        now: UnixTime,
    ) -> Result<(ExpectConfirmed, Request), Refusal> {
        let reply = reply.accepted()?;
        let Reply::Shares {
            verification,
            shares,
        } = reply
        else {
            return Err(unexpected("shares", &reply, Step::Four));
        };
        let verification = Verification::verify_for(
            &verification,
            &self.trust,
            &self.service,
            &named(&self.members),
            now,
        )?;
        let t2 = Transcript2::new(
            &self.t1,
            self.proofs.iter().map(String::as_str),
            self.members.iter().map(|member| member.token.as_str()),
            verification.token(),
        );
        let opened = self.open(&t2, &shares)?;
        let key = SessionKey::derive(&t2, &shares, &opened)
            .map_err(|error| Refusal::new(Code::Internal, Step::Four).with("reason", error))?;
        let mac = key.client_confirmation();
        let next = ExpectConfirmed::new(self.trust, self.service, verification, key);
        Ok((next, Request::Confirm { mac }))
    }

    fn open(&self, t2: &Transcript2, shares: &[SealedShare]) -> Result<Vec<Share>, Refusal> {
        if shares.len() != self.members.len() {
            return Err(Refusal::new(Code::ShareInvalid, Step::Four)
                .with("expected", self.members.len())
                .with("got", shares.len()));
        }
        (0..)
            .zip(shares)
            .zip(self.members.iter().zip(&self.secrets))
            .map(|((index, share), (member, secret))| {
                open_share(share, secret, t2, &member.sid, index)
            })
            .collect()
    }
}

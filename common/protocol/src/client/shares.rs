//! Step 4: the members check CUHK's answer and open their shares.

use std::fmt;
use std::sync::Arc;

use rustls_pki_types::UnixTime;
use scb_certs::{SpiffeId, TrustStore};

use super::{ExpectConfirmed, Member, named};
use crate::assurance::{Assurance, Mode, VerifiedTokens};
use crate::certificate::certificate_refusal;
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

    /// Verifies CUHK's answer or, in mode `tokens`, the members' tokens, opens every share and derives the session key.
    ///
    /// # Errors
    ///
    /// The server's refusal, `unexpected_message`, `verification_invalid`,
    /// `student_inactive`, `server_misbehaved`, a `token_…` code or `share_invalid`.
    pub fn handle(
        self,
        reply: Reply,
        now: UnixTime,
    ) -> Result<(ExpectConfirmed, Request), Refusal> {
        let reply = reply.accepted()?;
        let Reply::Shares {
            mode,
            verification,
            shares,
        } = reply
        else {
            return Err(unexpected("shares", &reply, Step::Four));
        };
        let assurance = self.assure(mode, verification.as_deref(), now)?;
        let t2 = Transcript2::new(
            &self.t1,
            self.proofs.iter().map(String::as_str),
            self.members.iter().map(|member| member.token.as_str()),
            verification.as_deref(),
        );
        let opened = self.open(&t2, &shares)?;
        let key = SessionKey::derive(&t2, &shares, &opened)
            .map_err(|error| Refusal::new(Code::Internal, Step::Four).with("reason", error))?;
        let mac = key.client_confirmation();
        let next = ExpectConfirmed::new(self.trust, self.service, assurance, key);
        Ok((next, Request::Confirm { mac }))
    }

    /// Without CUHK it is the server's policy that decides; the tokens that it accepts are
    /// looked at here as well, and whoever shows the result says so.
    fn assure(
        &self,
        mode: Mode,
        verification: Option<&str>,
        now: UnixTime,
    ) -> Result<Assurance, Refusal> {
        match (mode, verification) {
            (Mode::Verified, verification) => {
                let verification = verification.unwrap_or_default();
                let members = named(&self.members);
                let (trust, service) = (&self.trust, &self.service);
                Verification::verify_for(verification, trust, service, &members, now)
                    .map(Assurance::Verified)
            }
            (Mode::Tokens, None) => self.own_tokens(now).map(Assurance::Tokens),
            (Mode::Tokens, Some(_)) => Err(Refusal::new(Code::ServerMisbehaved, Step::Three)
                .with("reason", "mode and verification contradict each other")),
        }
    }

    fn own_tokens(&self, now: UnixTime) -> Result<VerifiedTokens, Refusal> {
        let student = |member: &Member| {
            self.trust
                .verify_student(&member.chain, now)
                .map_err(|error| certificate_refusal(&error, Step::Three).about(&member.sid))
        };
        let students: Vec<_> = self.members.iter().map(student).collect::<Result<_, _>>()?;
        let tokens = self.members.iter().map(|member| member.token.as_str());
        let shown = students.iter().zip(tokens);
        VerifiedTokens::verify(shown, &self.trust, &self.service, now, Step::Three)
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

//! What CUHK answers to a request for a certificate, verified.

use std::sync::Arc;

use rustls_pki_types::UnixTime;
use scb_certs::{Chain, ServiceName, TrustStore};
use scb_protocol::message::Message;
use scb_protocol::message::cuhk::Reply;
use scb_protocol::{Code, Refusal, Step, UnverifiedToken};
use scb_transport::Clock;

use super::links;
use crate::identity::NextKey;
use crate::setup::service_id;
use crate::{Error, Setup};

/// A certificate that verifies against the root and is for this student and this key, and the
/// token for it.
pub(super) struct Issued {
    pub(super) chain: Chain,
    pub(super) token: String,
    pub(super) token_expires: UnixTime,
}

/// Verifies the answer to a request for this key. Where it does not count by the roots known here,
/// CUHK may have another one since this home last asked for the trust bundle: it is asked, and the
/// answer judged once more.
///
/// # Errors
///
/// `unexpected_message`, `server_misbehaved`; [`Error::NoRoot`].
pub(super) async fn verify(
    reply: Reply,
    next: &NextKey,
    setup: &mut Setup,
    clock: &Arc<dyn Clock>,
) -> Result<Issued, Error> {
    let judged = judge(
        reply.clone(),
        next,
        setup.require_trust()?.as_ref(),
        clock.now(),
    );
    let Err(refusal) = judged else {
        return Ok(judged?);
    };
    if refusal.code != Code::ServerMisbehaved {
        return Err(refusal.into());
    }
    match links::refresh_roots(setup, clock).await {
        Ok(true) => Ok(judge(
            reply,
            next,
            setup.require_trust()?.as_ref(),
            clock.now(),
        )?),
        _ => Err(refusal.into()),
    }
}

fn judge(
    reply: Reply,
    next: &NextKey,
    trust: &TrustStore,
    now: UnixTime,
) -> Result<Issued, Refusal> {
    let Reply::Enrolled { chain, token } = reply else {
        let refusal = Refusal::new(Code::UnexpectedMessage, Step::Two)
            .with("expected", "enrolled")
            .with("got", reply.name());
        return Err(refusal.about(&next.sid));
    };
    let token_expires = check(next, &chain, &token, trust, now)?;
    Ok(Issued {
        chain,
        token,
        token_expires,
    })
}

fn check(
    next: &NextKey,
    chain: &Chain,
    token: &str,
    trust: &TrustStore,
    now: UnixTime,
) -> Result<UnixTime, Refusal> {
    let misbehaved = |reason: String| {
        Refusal::new(Code::ServerMisbehaved, Step::Two)
            .about(&next.sid)
            .with("reason", reason)
    };
    let student = trust.verify_student(chain, now);
    let student = student.map_err(|error| misbehaved(error.to_string()))?;
    let key = student.certificate().public_key();
    if *student.sid() != next.sid || key.ok().as_ref() != Some(next.key.public_key()) {
        return Err(misbehaved(
            "the certificate is another student's or key's".into(),
        ));
    }
    let audience = service_id(trust, &ServiceName::blackboard());
    let token = UnverifiedToken(token)
        .verify(trust, &audience, &student, now)
        .map_err(|error| misbehaved(error.sentence()))?;
    Ok(token.expires())
}

//! Identity tokens that are about to expire are refreshed before a hand-in.

use std::sync::Arc;

use rustls_pki_types::UnixTime;
use scb_certs::ServiceName;
use scb_protocol::client::Member;
use scb_protocol::message::Message;
use scb_protocol::message::cuhk::{Reply, Request};
use scb_protocol::{Code, Fact, Refusal, Step, UnverifiedToken, certificate_refusal};
use scb_transport::Clock;

use super::links::{self, REPLY, about};
use crate::setup::service_id;
use crate::{Error, Event, Observer, Setup, identity};

/// Gets a fresh token for every member who needs one, over that member's own mutual TLS. Where it could not
/// be kept, the one that is here does as long as it is in force.
pub(super) async fn refresh(
    setup: &mut Setup,
    clock: &Arc<dyn Clock>,
    members: &mut [Member],
    observer: &mut Observer<'_>,
) -> Result<(), Error> {
    for member in members {
        if identity::needs_refresh(Some(&member.token), clock.now()) {
            let fresh = fresh_token(setup, clock, member).await;
            let is_good = || identity::is_unexpired(&member.token, clock.now());
            if fresh.is_err() && setup.home.looks_only() && is_good() {
                continue;
            }
            let (token, expires) = fresh.map_err(|error| concerning(error, member))?;
            member.token = token;
            let certificate = member.chain.leaf().fingerprint();
            // While files were on their way another certificate may have come, which has its own.
            let kept = identity::chain(&setup.home, &member.sid)?;
            if kept.is_some_and(|kept| kept.leaf().fingerprint() == certificate) {
                identity::save_token(&setup.home, &member.sid, &member.token)?;
            }
            let refreshed = Fact::TokenRefreshed {
                certificate,
                expires,
            };
            observer(&Event::about(&member.sid, Step::Two, refreshed));
        }
    }
    Ok(())
}

/// The key that signed a member's token was withdrawn, and most likely it signed the others' as
/// well: [`refresh`] gets new ones. Where no member is named it was CUHK's answer, which Blackboard
/// asks for anew.
pub(super) fn forget(members: &mut [Member], refusal: &Refusal) {
    if refusal.sid.is_some() {
        members.iter_mut().for_each(|member| member.token.clear());
    }
}

/// Whether CUHK has no record of the certificate that this member has from it: an old backup of its
/// was put back.
///
/// # Errors
///
/// Why it does not say.
pub(super) async fn is_unrecorded(
    setup: &mut Setup,
    clock: &Arc<dyn Clock>,
    member: &Member,
) -> Result<bool, Error> {
    match fresh_token(setup, clock, member).await {
        Err(Error::Refused(refusal)) if refusal.code == Code::CertificateUnknownIssuer => Ok(true),
        answer => answer.map(|_| false),
    }
}

async fn fresh_token(
    setup: &mut Setup,
    clock: &Arc<dyn Clock>,
    member: &Member,
) -> Result<(String, UnixTime), Error> {
    let mut connection = links::cuhk(setup, clock, Some(member), Step::Two).await?;
    connection.send(&Request::RefreshToken {}).await?;
    let reply = connection.receive_reply(Step::Two, REPLY).await?;
    connection.close().await;
    let Reply::Token { token } = reply else {
        return Err(Refusal::new(Code::UnexpectedMessage, Step::Two)
            .with("expected", "token")
            .with("got", reply.name())
            .into());
    };
    let (trust, now) = (setup.require_trust()?, clock.now());
    let student = trust
        .verify_student(&member.chain, now)
        .map_err(|error| certificate_refusal(&error, Step::Two))?;
    let audience = service_id(&trust, &ServiceName::blackboard());
    let verified = UnverifiedToken(&token).verify(&trust, &audience, &student, now)?;
    Ok((token, verified.expires()))
}

fn concerning(error: Error, member: &Member) -> Error {
    match error {
        Error::Refused(refusal) => about(refusal, &member.sid).into(),
        other => other,
    }
}

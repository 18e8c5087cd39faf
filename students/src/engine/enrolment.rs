//! Steps 1 and 2: requests go out, certificates and tokens come back and are verified.

use std::sync::Arc;

use rustls_pki_types::UnixTime;
use scb_certs::{Chain, ServiceName, StudentId, TrustStore, create_request};
use scb_protocol::message::Message;
use scb_protocol::message::cuhk::{Reply, Request};
use scb_protocol::values::Der;
use scb_protocol::{Code, EnrolmentCode, Refusal, Step, UnverifiedToken};
use scb_transport::{Clock, Connection};

use super::EnrolOptions;
use super::links::{self, REPLY, about};
use crate::identity::NextKey;
use crate::setup::service_id;
use crate::{Error, Event, Observer, Passphrases, Setup};

/// Keys first, on disk; then all requests over one connection; then the answers in order.
pub(super) async fn enrol(
    setup: &mut Setup,
    passphrases: &mut Passphrases,
    clock: &dyn Clock,
    (students, options): (Vec<(StudentId, EnrolmentCode)>, EnrolOptions),
    observer: &mut Observer<'_>,
) -> Result<(), Error> {
    let (mut keys, mut requests) = (Vec::new(), Vec::new());
    for (sid, code) in students {
        let next = NextKey::prepare(&setup.home, &sid, options.protect, passphrases)?;
        let request = Der::new(create_request(&next.key)?);
        requests.push(Request::Enrol { sid, code, request });
        keys.push(next);
    }
    let mut connection = links::cuhk(setup, None, Step::One).await?;
    for request in &requests {
        connection.send(request).await?;
    }
    observer(&Event::RequestsSent {
        keys: keys.iter().filter(|next| next.fresh).count(),
        requests: requests.len(),
    });
    let enrolment = Enrolment {
        setup,
        trust: setup.require_trust()?,
        now: clock.now(),
    };
    let refusals = enrolment.answers(&mut connection, &keys, observer).await?;
    connection.close().await;
    refused(refusals)
}

struct Enrolment<'a> {
    setup: &'a Setup,
    trust: Arc<TrustStore>,
    now: UnixTime,
}

impl Enrolment<'_> {
    /// One answer per request, in order. A refusal concerns one student only; when the
    /// connection ends, so do the answers.
    async fn answers(
        &self,
        connection: &mut Connection,
        keys: &[NextKey],
        observer: &mut Observer<'_>,
    ) -> Result<Vec<Refusal>, Error> {
        let mut refusals = Vec::new();
        for next in keys {
            match connection.receive_reply(Step::Two, REPLY).await {
                Ok(reply) => self.accept(next, reply, observer)?,
                // The refusal before it was the last word.
                Err(lost) if lost.code == Code::ConnectionLost && !refusals.is_empty() => break,
                Err(refusal) => {
                    let ends = ends_connection(&refusal);
                    refusals.push(about(refusal, &next.sid));
                    if ends {
                        break;
                    }
                }
            }
        }
        Ok(refusals)
    }

    fn accept(
        &self,
        next: &NextKey,
        reply: Reply,
        observer: &mut Observer<'_>,
    ) -> Result<(), Error> {
        let Reply::Enrolled { chain, token } = reply else {
            let refusal = Refusal::new(Code::UnexpectedMessage, Step::Two)
                .with("expected", "enrolled")
                .with("got", reply.name());
            return Err(refusal.about(&next.sid).into());
        };
        self.check(next, &chain, &token)?;
        next.install(&self.setup.home, &chain, &token)?;
        observer(&Event::Certified(next.sid.clone()));
        Ok(())
    }

    /// The certificate must verify against the root and be for this student and this key; the
    /// token must be this certificate's.
    fn check(&self, next: &NextKey, chain: &Chain, token: &str) -> Result<(), Refusal> {
        let misbehaved = |reason: String| {
            Refusal::new(Code::ServerMisbehaved, Step::Two)
                .about(&next.sid)
                .with("reason", reason)
        };
        let student = self.trust.verify_student(chain, self.now);
        let student = student.map_err(|error| misbehaved(error.to_string()))?;
        let key = student.certificate().public_key();
        if *student.sid() != next.sid || key.ok().as_ref() != Some(next.key.public_key()) {
            return Err(misbehaved(
                "the certificate is another student's or key's".into(),
            ));
        }
        let audience = service_id(&self.trust, &ServiceName::blackboard());
        UnverifiedToken(token)
            .verify(&self.trust, &audience, &student, self.now)
            .map_err(|error| misbehaved(error.sentence()))?;
        Ok(())
    }
}

/// After these nothing more can be read.
fn ends_connection(refusal: &Refusal) -> bool {
    matches!(
        refusal.code,
        Code::ConnectionLost | Code::Timeout | Code::TooManyCodes | Code::ShuttingDown
    )
}

fn refused(mut refusals: Vec<Refusal>) -> Result<(), Error> {
    match refusals.len() {
        0 => Ok(()),
        1 => Err(refusals.remove(0).into()),
        _ => Err(Error::SeveralRefused(refusals)),
    }
}

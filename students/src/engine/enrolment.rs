//! Steps 1 and 2: requests go out, certificates and tokens come back and are verified.

use std::collections::VecDeque;
use std::sync::Arc;

use scb_certs::{ServiceName, StudentId, create_request};
use scb_protocol::message::cuhk::{Reply, Request};
use scb_protocol::values::Der;
use scb_protocol::{CertificateRequest, Code, EnrolmentCode, Fact, Refusal, Step};
use scb_transport::{Clock, Connection};

use super::issued;
use super::links::{self, REPLY, about};
use super::patience::Patience;
use crate::identity::NextKey;
use crate::setup::service_id;
use crate::{Error, Event, Observer, Passphrases, Protection, Setup};

/// Keys first, on disk; then all requests over one connection; then the answers in order. A
/// refusal by which CUHK ends the connection concerns one student: the others go on over
/// another.
pub(super) async fn enrol(
    setup: &mut Setup,
    passphrases: &mut Passphrases,
    clock: &Arc<dyn Clock>,
    (students, protection): (Vec<(StudentId, EnrolmentCode)>, Protection),
    mut patience: Patience,
    observer: &mut Observer<'_>,
) -> Result<(), Error> {
    let mut waiting = VecDeque::new();
    let mut requests = Vec::new();
    for (sid, code) in students {
        let next = NextKey::prepare(&setup.home, &sid, protection, passphrases)?;
        let request = Der::new(create_request(&next.key)?);
        requests.push(CertificateRequest {
            sid: sid.clone(),
            key: next.key.public_key().fingerprint(),
            size: request.as_bytes().len(),
        });
        waiting.push_back((next, Request::Enrol { sid, code, request }));
    }
    let fresh = waiting.iter().filter(|(next, _)| next.fresh).count();
    let mut sent = Some((fresh, requests));
    let mut refusals = Vec::new();
    while !waiting.is_empty() {
        match ask(setup, clock, &mut waiting, &mut sent, observer).await {
            Ok(refused) => refusals.extend(refused),
            Err(error) => patience.wait(error, observer).await?,
        }
    }
    refused(refusals)
}

/// Keys that were made now, and all requests.
type Sent = (usize, Vec<CertificateRequest>);

/// Sends all that wait over one connection; returns whom CUHK refused.
async fn ask(
    setup: &mut Setup,
    clock: &Arc<dyn Clock>,
    waiting: &mut VecDeque<(NextKey, Request)>,
    sent: &mut Option<Sent>,
    observer: &mut Observer<'_>,
) -> Result<Vec<Refusal>, Error> {
    let mut connection = links::cuhk(setup, clock, None, Step::One).await?;
    for (_, request) in waiting.iter() {
        connection.send(request).await?;
    }
    let mut enrolment = Enrolment { setup, clock };
    if let Some((fresh, requests)) = sent.take() {
        observer(&enrolment.sent(fresh, requests)?);
    }
    let refused = enrolment.answers(&mut connection, waiting, observer);
    let refused = refused.await?;
    connection.close().await;
    Ok(refused)
}

struct Enrolment<'a> {
    setup: &'a mut Setup,
    clock: &'a Arc<dyn Clock>,
}

impl Enrolment<'_> {
    fn sent(&self, fresh: usize, requests: Vec<CertificateRequest>) -> Result<Event, Error> {
        let trust = self.setup.require_trust()?;
        let sent = Fact::RequestsSent {
            to: service_id(&trust, &ServiceName::cuhk()),
            root: trust.root().fingerprint(),
            fresh,
            requests,
        };
        Ok(Event::new(Step::One, sent))
    }

    /// One answer per request, in order, as long as the connection lasts. Whoever was answered
    /// no longer waits.
    async fn answers(
        &mut self,
        connection: &mut Connection,
        waiting: &mut VecDeque<(NextKey, Request)>,
        observer: &mut Observer<'_>,
    ) -> Result<Vec<Refusal>, Error> {
        let mut refusals = Vec::new();
        while let Some((next, _)) = waiting.front() {
            match connection.receive_reply(Step::Two, REPLY).await {
                Ok(reply) => self.accept(next, reply, observer).await?,
                Err(refusal) if !concerns_student(&refusal) => {
                    return Err(about(refusal, &next.sid).into());
                }
                Err(refusal) => {
                    let goes_on = refusal.code == Code::EnrolmentRefused;
                    refusals.push(about(refusal, &next.sid));
                    if !goes_on {
                        waiting.pop_front();
                        break;
                    }
                }
            }
            waiting.pop_front();
        }
        Ok(refusals)
    }

    async fn accept(
        &mut self,
        next: &NextKey,
        reply: Reply,
        observer: &mut Observer<'_>,
    ) -> Result<(), Error> {
        let issued = issued::verify(reply, next, self.setup, self.clock).await?;
        next.install(&self.setup.home, &issued.chain, &issued.token)?;
        let kept = Fact::CertificateKept {
            certificate: issued.chain.leaf().into(),
            token_expires: issued.token_expires,
        };
        observer(&Event::about(&next.sid, Step::Two, kept));
        Ok(())
    }
}

/// Whether others may fare better: the code, the request or the student was refused, not the
/// connection or the server.
fn concerns_student(refusal: &Refusal) -> bool {
    let of_student = [Code::StudentInactive, Code::StudentUnlisted];
    refusal.code.refuses_enrolment() || of_student.contains(&refusal.code)
}

fn refused(mut refusals: Vec<Refusal>) -> Result<(), Error> {
    match refusals.len() {
        0 => Ok(()),
        1 => Err(refusals.remove(0).into()),
        _ => Err(Error::SeveralRefused(refusals)),
    }
}

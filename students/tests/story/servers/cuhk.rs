//! CUHK: certifies, renews, hands out tokens and trust bundles.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use scb_protocol::authority::{Admitted, Caller, ExpectRequest};
use scb_protocol::message::cuhk::{Reply, Request};
use scb_protocol::values::Der;
use scb_protocol::{AuthorityChannel, Code, Refusal, Reply as _, Step};
use scb_transport::Connection;

use super::{Desk, Fault, PATIENCE};

pub(super) async fn serve(mut connection: Connection, desk: Arc<Desk>) {
    desk.connections.fetch_add(1, Ordering::SeqCst);
    match answer(&mut connection, &desk).await {
        Err(refusal) if refusal.code != Code::ConnectionLost => connection.refuse(&refusal).await,
        _ => connection.close().await,
    }
}

async fn answer(connection: &mut Connection, desk: &Desk) -> Result<(), Refusal> {
    let caller = Caller::from_chain(connection.peer_chain(), &desk.trust, desk.now())?;
    let greeting = ExpectRequest::greeting(desk.service("cuhk"), desk.now());
    connection.send(&greeting).await?;
    let mut expect = ExpectRequest::new().on(AuthorityChannel {
        exporter: connection.exporter(),
        service: desk.service("cuhk"),
    });
    if desk.take(Fault::CuhkBusy) {
        return Err(Refusal::new(Code::Busy, Step::One).retry_after(1));
    }
    loop {
        let request: Request = connection.receive(Step::One, PATIENCE).await?;
        if !matches!(request, Request::TrustBundle { .. }) {
            desk.requests.fetch_add(1, Ordering::SeqCst);
        }
        let reply = match expect.handle(request, &caller)? {
            Admitted::Enrol { sid, code, request } => {
                match desk.certify(&sid, &code, request.public_key()) {
                    Ok(_) if desk.take(Fault::LoseEnrolled) => return Ok(()),
                    Ok(chain) => {
                        let (chain, token) = desk.misbehave(&sid, request.public_key(), chain);
                        Reply::Enrolled { chain, token }
                    }
                    Err(refusal) if refusal.code == Code::EnrolmentRefused => {
                        Reply::refusal(expect.wrong_code(refusal)?)
                    }
                    Err(refusal) => return Err(refusal),
                }
            }
            Admitted::RefreshToken { student } => Reply::Token {
                token: desk.token(student.sid(), student.chain()),
            },
            Admitted::Renew { student, request } => {
                let old = student.certificate().fingerprint();
                desk.renew(student.sid(), old, request.public_key(), "certificate")?
            }
            Admitted::RenewExpired { holder, request } => {
                let key = request.public_key();
                desk.renew(holder.sid(), *holder.certificate(), key, "key")?
            }
            Admitted::TrustBundle { sequence } => {
                let earlier = desk.earlier.lock().unwrap();
                let mut earlier = earlier.range(sequence..).filter(|_| sequence > 0);
                let earlier = earlier.next().map(|(_, bundle)| bundle.clone());
                let signed = earlier.unwrap_or_else(|| desk.bundle.lock().unwrap().clone());
                Reply::TrustBundle {
                    bundle: signed.bundle,
                    signatures: signed.signatures.into_iter().map(Der::new).collect(),
                }
            }
            other => panic!("a student never asks for {other:?}"),
        };
        connection.send(&reply).await?;
    }
}

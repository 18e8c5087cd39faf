//! Connections to the two servers.

use std::sync::Arc;
use std::time::Duration;

use scb_certs::{Chain, ServiceName, ServiceUsage, TrustStore};
use scb_protocol::client::Member;
use scb_protocol::message::cuhk::{Reply, Request};
use scb_protocol::{Code, Refusal, SignedBundle, Step, rfc3339};
use scb_transport::{ClientTls, Clock, Connection, ServerTrust, connect};

use super::skew;
use crate::setup::service_id;
use crate::trace::Server;
use crate::{Error, Setup};

/// Total time for a connection and its handshake.
const CONNECT: Duration = Duration::from_secs(15);
/// Total time for a reply; Blackboard may have to wait for CUHK meanwhile.
pub(super) const REPLY: Duration = Duration::from_secs(30);
/// Asks for the latest trust bundle.
const LATEST: u64 = 0;
/// Total time for the receipt, which comes when everything is safely stored.
pub(super) const RECEIPT: Duration = Duration::from_secs(120);

/// Connects to CUHK, as `member` or as nobody in particular, and remembers the address and
/// the root that CUHK proved. If it shows a root that somebody has introduced, it is asked for proof.
pub(super) async fn cuhk(
    setup: &mut Setup,
    clock: &Arc<dyn Clock>,
    member: Option<&Member>,
    step: Step,
) -> Result<Connection, Error> {
    match greet_cuhk(setup, clock, member, step).await {
        Err(error) if setup.introduced().is_some() && is_about_roots(&error) => {
            let proof = refresh_roots(setup, clock).await;
            proof.map_err(|error| setup.unproven(error))?;
            greet_cuhk(setup, clock, member, step).await
        }
        greeted => greeted,
    }
}

async fn greet_cuhk(
    setup: &mut Setup,
    clock: &Arc<dyn Clock>,
    member: Option<&Member>,
    step: Step,
) -> Result<Connection, Error> {
    let (trust, address) = (setup.server_trust()?, setup.cuhk()?);
    let whom = (ServiceName::cuhk(), address.as_str());
    let mut connection = reach(&trust, clock, whom, member, step).await?;
    if let Some(recorder) = &setup.recorder {
        let client = member.map(|member| &member.chain);
        recorder.watch(&mut connection, Server::Cuhk, client, step);
    }
    let trust = setup.trust_under(connection.root_seen())?;
    let judged = |clock, connection: &Connection| {
        let chain = connection.peer_chain();
        judge(&trust, clock, chain, &ServiceName::cuhk(), step)
    };
    if judged(clock, &connection).is_ok() {
        setup.cuhk_proved(connection.root_seen())?;
    }
    let greeting = connection.receive_reply(step, REPLY).await?;
    let time = check_greeting(&greeting, &trust, step)?;
    setup.hear_time(step, clock.now(), time)?;
    judged(clock, &connection)?;
    setup.cuhk_proved(connection.root_seen())?;
    if setup.is_bundle_due() {
        fetch_bundle(setup, clock, &mut connection, step).await?;
    }
    Ok(connection)
}

/// Asks CUHK for the trust bundle, whenever it was asked last. Whether other roots count now.
pub(super) async fn refresh_roots(
    setup: &mut Setup,
    clock: &Arc<dyn Clock>,
) -> Result<bool, Error> {
    let step = Step::Zero;
    let address = setup.cuhk()?;
    let whom = || (ServiceName::cuhk(), address.as_str());
    let connected = reach(&setup.server_trust()?, clock, whom(), None, step).await;
    let mut connection = match (connected, setup.introduced()) {
        (Err(Error::Refused(refusal)), Some(trust)) if refusal.code == Code::ServerIdentity => {
            reach(&trust, clock, whom(), None, step).await?
        }
        (connected, _) => connected?,
    };
    let greeting = connection.receive_reply(step, REPLY).await?;
    let time = check_greeting(&greeting, setup.require_trust()?.as_ref(), step)?;
    setup.hear_time(step, clock.now(), time)?;
    let changed = fetch_bundle(setup, clock, &mut connection, step).await?;
    connection.close().await;
    Ok(changed)
}

/// Takes in the latest trust bundle. Whether other roots count now.
async fn fetch_bundle(
    setup: &mut Setup,
    clock: &Arc<dyn Clock>,
    connection: &mut Connection,
    step: Step,
) -> Result<bool, Error> {
    let Some(latest) = ask_bundle(connection, LATEST, step).await? else {
        return Ok(false);
    };
    let mut changed = false;
    // Where CUHK has changed its root more than once since this home last asked.
    let mut way = setup.missed_bundles(&latest)?;
    while let Some(number) = way.number()
        && let Some(missed) = ask_bundle(connection, number, step).await?
    {
        if missed.leads_on(setup.require_trust()?.as_ref()) {
            changed |= setup.take_bundle(&missed, clock.now())?;
        }
        way = way.after(&missed);
    }
    Ok(setup.take_bundle(&latest, clock.now())? || changed)
}

/// The bundle of this number or the next one, not judged yet; none if there is none.
async fn ask_bundle(
    connection: &mut Connection,
    sequence: u64,
    step: Step,
) -> Result<Option<SignedBundle>, Error> {
    connection.send(&Request::TrustBundle { sequence }).await?;
    let answer = connection.receive_reply(step, REPLY).await;
    Ok(SignedBundle::in_answer(answer, step)?)
}

/// Connects to Blackboard with the first member's certificate and remembers the address.
pub(super) async fn blackboard(
    setup: &mut Setup,
    clock: &Arc<dyn Clock>,
    first: &Member,
) -> Result<Connection, Error> {
    let step = Step::Three;
    let (trust, address) = (setup.server_trust()?, setup.blackboard()?);
    let whom = (ServiceName::blackboard(), address.as_str());
    let mut connection = reach(&trust, clock, whom, Some(first), step).await?;
    if let Some(recorder) = &setup.recorder {
        recorder.watch(
            &mut connection,
            Server::Blackboard,
            Some(&first.chain),
            step,
        );
    }
    let (trust, chain) = (setup.require_trust()?, connection.peer_chain());
    if judge(&trust, clock, chain, &ServiceName::blackboard(), step).is_ok() {
        setup.blackboard_proved()?;
    }
    Ok(connection)
}

/// Connects to Blackboard as nobody in particular: it proves itself in the handshake, and then
/// ends the connection. Remembers the address.
pub(super) async fn meet_blackboard(
    setup: &mut Setup,
    clock: &Arc<dyn Clock>,
) -> Result<(), Error> {
    let step = Step::Three;
    let tls = tls_by(
        setup.server_trust()?,
        clock,
        ServiceName::blackboard(),
        None,
        step,
    )?;
    let connected = connect(&setup.blackboard()?, &tls, step, CONNECT).await;
    let connection = connected.map_err(skew::beyond)?;
    setup.blackboard_proved()?;
    connection.close().await;
    Ok(())
}

/// Connects to a service at an address. Where its certificate is not in force by the clock here, it is
/// looked at once more as by a clock that is better within the bound: by the time that the server
/// tells then, it is [judged](judge) before anything is sent.
async fn reach(
    trust: &ServerTrust,
    clock: &Arc<dyn Clock>,
    (expected, address): (ServiceName, &str),
    member: Option<&Member>,
    step: Step,
) -> Result<Connection, Error> {
    let tls = tls_by(trust.clone(), clock, expected.clone(), member, step)?;
    let refusal = match connect(address, &tls, step, CONNECT).await {
        Ok(connection) => return Ok(connection),
        Err(refusal) => refusal,
    };
    let Some(better) = skew::once_more(&refusal, clock) else {
        return Err(refusal.into());
    };
    let tls = tls_by(trust.clone(), &better, expected, member, step)?;
    let connected = connect(address, &tls, step, CONNECT).await;
    connected.map_err(|_| skew::beyond(refusal))
}

/// Judges a server's certificate by the time that it has told.
///
/// # Errors
///
/// `server_identity`.
pub(super) fn judge(
    trust: &TrustStore,
    clock: &Arc<dyn Clock>,
    chain: Option<&Chain>,
    expected: &ServiceName,
    step: Step,
) -> Result<(), Error> {
    let refused = |reason: String| {
        let refusal = Refusal::new(Code::ServerIdentity, step).with("reason", reason);
        Error::from(refusal.with("server_time", rfc3339(clock.now())))
    };
    let chain = chain.ok_or_else(|| refused("it has shown no certificate".to_owned()))?;
    let judged = trust.verify_service(chain, expected, ServiceUsage::Server, clock.now());
    judged
        .map(drop)
        .map_err(|error| refused(format!("by its own time: {error}")))
}

fn tls_by(
    trust: ServerTrust,
    clock: &Arc<dyn Clock>,
    expected: ServiceName,
    member: Option<&Member>,
    step: Step,
) -> Result<ClientTls, Error> {
    let identity = member.map(|member| (member.chain.clone(), member.key.clone()));
    ClientTls::with_clock(trust, expected, identity, Arc::clone(clock)).map_err(|error| {
        Refusal::new(Code::CertificateInvalid, step)
            .with("reason", error)
            .into()
    })
}

/// TLS has proved who it is; what it says of itself must agree. Returns the server's time.
fn check_greeting(greeting: &Reply, trust: &TrustStore, step: Step) -> Result<u64, Refusal> {
    let expected = service_id(trust, &ServiceName::cuhk());
    match greeting {
        Reply::Greeting {
            v: 1,
            service,
            time,
        } if *service == expected => Ok(*time),
        _ => Err(Refusal::new(Code::ServerMisbehaved, step).with("expected", "greeting")),
    }
}

/// Adds the student whom a refusal concerns, where the server could not know or did not say.
pub(super) fn about(refusal: Refusal, member: &scb_certs::StudentId) -> Refusal {
    match refusal.sid {
        Some(_) => refusal,
        None => refusal.about(member),
    }
}

/// Whether it may be that the server is under a root that is not known here yet.
pub(super) fn is_about_roots(error: &Error) -> bool {
    let codes = [
        Code::ServerIdentity,
        Code::TokenInvalid,
        Code::VerificationInvalid,
        Code::ReceiptInvalid,
    ];
    matches!(error, Error::Refused(refusal) if codes.contains(&refusal.code))
}

//! Looking at CUHK's issuance log in a student's name.

use std::sync::Arc;

use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, StudentId};
use scb_protocol::audit::{Audit, Audited, ExpectCheckpoint, ExpectEntries, GrownLog, KnownLog};
use scb_protocol::client::Member;
use scb_protocol::message::cuhk::{Reply, Request};
use scb_protocol::{Code, Refusal, Step};
use scb_transport::{Clock, Connection};

use super::links::{self, REPLY, about};
use super::skew::with_clock;
use super::{Engine, revocation};
use crate::log_memory::{LogMemory, WitnessKey, keep_evidence};
use crate::{Error, Group, Setup, identity};

const STEP: Step = Step::Two;

/// One student's entries, all verified.
#[derive(Debug)]
pub(crate) struct Looked {
    /// The member's certificate here.
    pub(crate) own: Fingerprint,
    /// Those that this home has replaced.
    pub(crate) earlier: Vec<Fingerprint>,
    /// The log and the entries.
    pub(crate) audited: Audited,
    /// The log as this home knew it before.
    pub(crate) before: Option<KnownLog>,
    /// Of each witness, in their order.
    pub(crate) witness_keys: Vec<WitnessKey>,
}

/// Asks over the member's own mutual TLS for everything about this member, and remembers what
/// was verified.
pub(super) async fn audit(
    setup: &mut Setup,
    clock: &Arc<dyn Clock>,
    member: &Member,
) -> Result<Looked, Error> {
    let memory = LogMemory::read(&setup.home)?;
    let before = memory.as_ref().map(LogMemory::known).transpose();
    let before = before.map_err(|_| Error::LogMemoryDamaged {
        path: setup.home.log_file(),
    })?;
    let mut connection = links::cuhk(setup, clock, Some(member), STEP).await?;
    let log = look(setup, &mut connection, before.clone()).await?;
    let key = |witness: &scb_protocol::audit::VerifiedWitness| {
        LogMemory::witness(
            memory.as_ref(),
            witness.service(),
            &witness.key().to_string(),
        )
    };
    let witness_keys = log.witnesses().iter().map(key).collect();
    let seen = memory.as_ref().and_then(|memory| memory.seen(&member.sid));
    // It grew out of what was remembered: from now on it must grow out of this.
    let mut memory = LogMemory::after(memory, &log);
    memory.save(&setup.home)?;

    let audited = entries(&mut connection, log, member, clock.now()).await;
    let audited = audited.map_err(|refusal| about(refusal, &member.sid))?;
    connection.close().await;
    let own = member.chain.leaf().fingerprint();
    audited.require(&member.sid, &own)?;
    if let Some(seen) = seen {
        audited.require_seen(&member.sid, seen)?;
    }
    memory.note(&member.sid, &audited);
    memory.save(&setup.home)?;
    Ok(Looked {
        own,
        earlier: identity::earlier(&setup.home, &member.sid)?,
        audited,
        before,
        witness_keys,
    })
}

async fn look(
    setup: &Setup,
    connection: &mut Connection,
    known: Option<KnownLog>,
) -> Result<GrownLog, Error> {
    let (expect, request) = ExpectCheckpoint::new(known);
    let reply = ask(connection, &request).await?;
    let shown = match &reply {
        Reply::Checkpoint { checkpoint, .. } => Some(checkpoint.clone()),
        _ => None,
    };
    let looked = expect.handle(reply);
    if let (Err(refusal), Some(shown)) = (&looked, shown)
        && refusal.code == Code::LogForked
    {
        keep_evidence(&setup.home, &shown)?;
    }
    Ok(looked?)
}

async fn entries(
    connection: &mut Connection,
    log: GrownLog,
    member: &Member,
    now: UnixTime,
) -> Result<Audited, Refusal> {
    let (mut expect, mut request) = ExpectEntries::new(log, member.sid.clone(), now);
    loop {
        match expect.handle(ask(connection, &request).await?)? {
            Audit::Done(audited) => return Ok(audited),
            Audit::More(next, again) => (expect, request) = (next, again),
        }
    }
}

async fn ask(connection: &mut Connection, request: &Request) -> Result<Reply, Refusal> {
    connection.send(request).await?;
    connection.receive_reply(STEP, REPLY).await
}

impl Engine {
    /// Everything that CUHK's issuance log holds about each of them, verified here; and those whose
    /// certificate was revoked, who are shown nothing with it.
    ///
    /// # Errors
    ///
    /// `log_forked`, `log_invalid`, `log_incomplete`; [`Error::LogMemoryDamaged`]; what else was
    /// refused, or what failed here.
    pub(crate) fn audit(&mut self, group: &Group) -> Result<Audits, Error> {
        let members = self.open_all(group.ids())?;
        let _lock = self.lock()?;
        let (setup, clock) = (&mut self.setup, &self.clock);
        self.runtime.block_on(async {
            let mut audits = Audits::default();
            for member in &members {
                let error = match audit(setup, clock, member).await {
                    Ok(one) => {
                        audits.looked.push((member.sid.clone(), one));
                        continue;
                    }
                    Err(error) => with_clock(setup, clock, error).await,
                };
                let member = std::slice::from_ref(member);
                match revocation::explain(setup, clock, member, error).await {
                    Error::Refused(refusal) if is_revoked(&refusal) => {
                        audits.revoked.push(refusal);
                    }
                    error => return Err(error),
                }
            }
            Ok(audits)
        })
    }
}

/// What looking at the log in the name of a group came to.
#[derive(Debug, Default)]
pub(crate) struct Audits {
    /// Everything about each of them.
    pub(crate) looked: Vec<(StudentId, Looked)>,
    /// Whose certificate here was revoked, or is on hold.
    pub(crate) revoked: Vec<Refusal>,
}

fn is_revoked(refusal: &Refusal) -> bool {
    [Code::CertificateRevoked, Code::CertificateOnHold].contains(&refusal.code)
}

//! The next certificate, for a key that is certified already.

use std::sync::Arc;

use rustls_pki_types::UnixTime;
use scb_certs::{Certificate, ServiceName, StudentId, create_request};
use scb_cli::exit;
use scb_protocol::client::Member;
use scb_protocol::message::cuhk::{Reply, Request};
use scb_protocol::values::Der;
use scb_protocol::{AuthorityChannel, Code, Fact, Step, prove_renewal};
use scb_transport::Clock;

use super::links::{self, REPLY, about};
use super::patience::Patience;
use super::{Engine, issued, logged, revocation, skew};
use crate::identity::NextKey;
use crate::setup::service_id;
use crate::{Error, Event, Group, Observer, Passphrases, Setup, StudentHome, identity, pending};

/// How somebody's certificate is renewed.
pub(super) struct Renewal<'a> {
    pub(super) setup: &'a mut Setup,
    pub(super) passphrases: &'a mut Passphrases,
    pub(super) clock: &'a Arc<dyn Clock>,
    pub(super) same_key: bool,
}

impl Renewal<'_> {
    /// The new key is on disk before it is sent, the old one until the certificate is: repeated
    /// after whatever happened, this ends with the same certificate.
    pub(super) async fn renew(
        &mut self,
        member: &Member,
        mut patience: Patience,
        observer: &mut Observer<'_>,
    ) -> Result<(), Error> {
        let home = self.setup.home.clone();
        let next = NextKey::renewing(&home, member, self.same_key, self.passphrases)?;
        let reply = loop {
            match self.ask(member, &next).await {
                Ok(reply) => break reply,
                Err(Error::Refused(refusal)) if refusal.code == Code::KeyRefused => {
                    next.discard()?;
                    return Err(about(refusal, &member.sid).into());
                }
                Err(error) => patience.wait(concerning(error, member), observer).await?,
            }
        };
        self.keep(member, next, reply, observer).await
    }

    /// Over mutual TLS as long as the certificate is good, by the clock here and CUHK's.
    async fn ask(&mut self, member: &Member, next: &NextKey) -> Result<Reply, Error> {
        let request = Der::new(create_request(&next.key)?);
        if member.chain.leaf().not_after() < self.clock.now() {
            return self.by_key(member, request).await;
        }
        match self.by_certificate(member, request.clone()).await {
            Err(Error::Refused(refusal)) if refusal.code == Code::CertificateExpired => {
                self.by_key(member, request).await
            }
            answer => answer,
        }
    }

    async fn by_certificate(&mut self, member: &Member, request: Der) -> Result<Reply, Error> {
        let mut connection = links::cuhk(self.setup, self.clock, Some(member), Step::Two).await?;
        connection.send(&Request::Renew { request }).await?;
        let reply = connection.receive_reply(Step::Two, REPLY).await?;
        connection.close().await;
        Ok(reply)
    }

    async fn by_key(&mut self, member: &Member, request: Der) -> Result<Reply, Error> {
        let mut connection = links::cuhk(self.setup, self.clock, None, Step::Two).await?;
        let trust = self.setup.require_trust()?;
        let channel = AuthorityChannel {
            exporter: connection.exporter(),
            service: service_id(&trust, &ServiceName::cuhk()),
        };
        let proof = prove_renewal(&channel, &request, &member.key, &member.chain)?;
        let asked = Request::RenewExpired {
            sid: member.sid.clone(),
            request,
            proof,
        };
        connection.send(&asked).await?;
        let reply = connection.receive_reply(Step::Two, REPLY).await?;
        connection.close().await;
        Ok(reply)
    }

    async fn keep(
        &mut self,
        member: &Member,
        next: NextKey,
        reply: Reply,
        observer: &mut Observer<'_>,
    ) -> Result<(), Error> {
        let issued = issued::verify(reply, &next, self.setup, self.clock).await?;
        if issued.chain == member.chain {
            // The key is certified already, and not for long.
            next.discard()?;
            let until = member.chain.leaf().not_after();
            let early = Fact::NotRenewedYet { until };
            observer(&Event::about(&member.sid, Step::Two, early));
            return Ok(());
        }
        next.install(&self.setup.home, &issued.chain, &issued.token)?;
        let renewed = Fact::CertificateRenewed {
            certificate: issued.chain.leaf().into(),
            token_expires: issued.token_expires,
        };
        observer(&Event::about(&member.sid, Step::Two, renewed));
        Ok(())
    }
}

/// Until when the certificate kept here is good, if it is time for the next one. Not while a
/// hand-in waits that was signed with it: it goes on as it was begun.
///
/// # Errors
///
/// [`Error::Certs`], [`Error::Cli`], [`Error::PendingDamaged`].
pub(super) fn due(
    home: &StudentHome,
    sid: &StudentId,
    now: UnixTime,
) -> Result<Option<UnixTime>, Error> {
    identity::settle(home, sid)?;
    let Some(chain) = identity::chain(home, sid)? else {
        return Ok(None);
    };
    let leaf = chain.leaf();
    if !leaf.is_due_for_renewal(now) || has_signed_what_waits(home, leaf, now)? {
        return Ok(None);
    }
    Ok(Some(leaf.not_after()))
}

/// Whether a hand-in waits to be finished that this certificate has signed, and can still finish.
fn has_signed_what_waits(
    home: &StudentHome,
    leaf: &Certificate,
    now: UnixTime,
) -> Result<bool, Error> {
    let own = Some(leaf.fingerprint());
    Ok(leaf.not_after() >= now
        && pending::list(home)?
            .iter()
            .any(|statement| statement.members.iter().any(|m| m.cert_sha256 == own)))
}

/// Whether a new code helps where a renewal did not.
pub(super) fn takes_a_code(error: &Error) -> bool {
    matches!(
        error.refusals(),
        [refusal] if matches!(
            refusal.code,
            Code::RenewalTooLate
                | Code::CertificateSuperseded
                | Code::CertificateRevoked
                | Code::CertificateExpired
                | Code::CertificateUnknownIssuer
                | Code::KeyRefused
        )
    )
}

/// Whether CUHK cannot be asked at the moment, for anybody.
pub(super) fn is_away(error: &Error) -> bool {
    let exit = error
        .refusals()
        .first()
        .map(scb_protocol::Refusal::exit_code);
    exit == Some(scb_cli::exit::RETRY)
}

fn concerning(error: Error, member: &Member) -> Error {
    match error {
        Error::Refused(refusal) => about(refusal, &member.sid).into(),
        other => other,
    }
}

impl Engine {
    /// Renews these students' certificates, all who can be; answers once it was tried for each.
    /// With `same_key` the key stays, otherwise there is a new one.
    ///
    /// # Errors
    ///
    /// [`Error::NotEnrolled`], [`Error::HandInWaits`], [`Error::WrongPassphrase`] before anybody is asked; what was
    /// refused, or what failed here.
    pub fn renew(
        &mut self,
        students: &[StudentId],
        same_key: bool,
        observer: &mut Observer<'_>,
    ) -> Result<(), Error> {
        // Passphrases are asked for before the home is locked: a person may take long.
        for sid in students {
            let home = &self.setup.home;
            identity::settle(home, sid)?;
            if let Some(chain) = identity::chain(home, sid)?
                && has_signed_what_waits(home, chain.leaf(), self.clock.now())?
            {
                return Err(Error::HandInWaits(sid.clone()));
            }
            identity::open(home, sid, &mut self.passphrases)?;
        }
        let mut refusals = Vec::new();
        for sid in students {
            let patience = Patience::new(self.patience);
            match self.renew_one(sid, same_key, patience, observer) {
                Ok(()) => {}
                Err(Error::Refused(refusal)) if refusal.exit_code() == exit::REFUSED => {
                    refusals.push(refusal);
                }
                Err(error) => return Err(error),
            }
        }
        match refusals.len() {
            0 => Ok(()),
            1 => Err(refusals.remove(0).into()),
            _ => Err(Error::SeveralRefused(refusals)),
        }
    }

    /// Renews the certificates of the group of which two thirds of the life are over, once in a
    /// run. Where that fails, the observer is told, and a certificate that is still good is used; none
    /// where the next one could not be kept.
    ///
    /// # Errors
    ///
    /// Why the next certificate of one that has ended could not be had, unless a code helps.
    pub fn renew_due(&mut self, group: &Group, observer: &mut Observer<'_>) -> Result<(), Error> {
        let known = self.setup.cuhk().is_ok() && self.setup.trust().is_some();
        if self.setup.home.looks_only() {
            return Ok(());
        }
        for sid in group.ids() {
            let now = self.clock.now();
            let until = match due(&self.setup.home, sid, now)? {
                Some(until) if known && !self.tried.contains(sid) => until,
                _ => continue,
            };
            self.tried.insert(sid.clone());
            let opened = identity::open(&self.setup.home, sid, &mut self.passphrases);
            let renewed =
                opened.and_then(|_| self.renew_one(sid, false, Patience::none(), observer));
            let Err(error) = renewed else {
                continue;
            };
            if until < now && !takes_a_code(&error) {
                return Err(error);
            }
            let away = is_away(&error);
            if let Some(event) = Event::not_renewed(sid, &error, until, now) {
                observer(&event);
            }
            if away {
                break;
            }
        }
        Ok(())
    }

    /// Whoever calls this has opened the key: nobody is asked while the home is locked.
    fn renew_one(
        &mut self,
        sid: &StudentId,
        same_key: bool,
        patience: Patience,
        observer: &mut Observer<'_>,
    ) -> Result<(), Error> {
        let _lock = self.lock()?;
        let member = identity::open(&self.setup.home, sid, &mut self.passphrases)?;
        let mut observer = logged(observer);
        let mut renewal = Renewal {
            setup: &mut self.setup,
            passphrases: &mut self.passphrases,
            clock: &self.clock,
            same_key,
        };
        let work = renewal.renew(&member, patience, &mut observer);
        let Err(error) = self.runtime.block_on(work) else {
            return Ok(());
        };
        let error = skew::explain(error, self.setup.clock_offset());
        let (setup, clock) = (&mut self.setup, &self.clock);
        let members = std::slice::from_ref(&member);
        let explained = revocation::explain(setup, clock, members, error);
        Err(self.runtime.block_on(explained))
    }
}

//! Whoever is on an open connection is looked at again as soon as something may have changed.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::UnixTime;
use scb_certs::{Chain, TrustStore};
use scb_protocol::server::{AwaitLook, LookAnswer, MemberWatch, Outage};
use scb_protocol::{Refusal, Step, certificate_refusal};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::Shared;
use crate::authority::{Subscription, Unanswered};

/// After this long CUHK is asked again if it could not be asked.
const PAUSE: Duration = Duration::from_secs(1);

/// Watches over one connection.
pub(super) struct Vigil {
    shared: Arc<Shared>,
    trust: watch::Receiver<Arc<TrustStore>>,
    subscription: watch::Receiver<Subscription>,
    /// Whose certificate opened the connection.
    client: Option<Chain>,
    /// Who presented themselves on it.
    members: Option<MemberWatch>,
    /// When to look again, as CUHK could not be asked.
    again: Option<Instant>,
}

impl Vigil {
    /// Over a connection that was opened with this chain.
    pub(super) fn new(shared: &Arc<Shared>, client: Option<Chain>) -> Self {
        let mut subscription = shared.authority.subscription();
        subscription.mark_unchanged();
        Self {
            shared: Arc::clone(shared),
            trust: shared.authority.trust(),
            subscription,
            client,
            members: None,
            again: None,
        }
    }

    /// From now on over these members as well.
    pub(super) fn over(&mut self, members: MemberWatch) {
        self.members = Some(members);
    }

    /// Waits until it is time to look. Cancel-safe.
    pub(super) async fn alarm(&mut self) {
        let again = self.again;
        let pause = async {
            match again {
                Some(at) => sleep_until(at).await,
                None => pending().await,
            }
        };
        tokio::select! {
            changed = self.subscription.changed() => if changed.is_err() {
                pending().await
            },
            () = pause => {}
        }
    }

    /// Looks: at the client's certificate before anybody has presented himself; afterwards at
    /// all members at once, their chains here and their status at CUHK. If CUHK cannot be
    /// asked, the connection stays open, but nothing is stored before CUHK has answered.
    ///
    /// # Errors
    ///
    /// `student_inactive`, `verification_invalid` or a `certificate_…` code.
    pub(super) async fn look(&mut self, step: Step) -> Result<(), Refusal> {
        self.again = None;
        let Some(look) = self.begin(step)? else {
            return Ok(());
        };
        match self.shared.authority.look(look.questions()).await {
            Ok(answers) => look.handle(told(&answers), &self.trust.borrow(), self.now())?,
            Err(_) => self.again = Some(Instant::now() + PAUSE),
        }
        Ok(())
    }

    /// Asks CUHK anew if it has been out of touch for so long that nothing counts any more,
    /// unless the configuration says that it may be away.
    ///
    /// # Errors
    ///
    /// As [`Vigil::look`], and `cuhk_unavailable`.
    pub(super) async fn insist(&mut self, step: Step) -> Result<(), Refusal> {
        if !self.subscription.borrow().is_stale(Instant::now()) {
            return Ok(());
        }
        let Some(look) = self.begin(step)? else {
            return Ok(());
        };
        match self.shared.authority.look(look.questions()).await {
            Ok(answers) => look.handle(told(&answers), &self.trust.borrow(), self.now())?,
            Err(Unanswered::Away(_)) if self.shared.policy.outage == Outage::Tokens => {
                return Ok(());
            }
            Err(unanswered) => {
                let refusal = unanswered.into();
                return Err(Refusal { step, ..refusal });
            }
        };
        Ok(())
    }

    /// What revocation lists tell; then there is something to ask, if there are members.
    fn begin(&self, step: Step) -> Result<Option<AwaitLook<'_>>, Refusal> {
        let (trust, now) = (self.trust.borrow(), self.now());
        match (&self.members, &self.client) {
            (Some(members), _) => members.look(&trust, now, step).map(Some),
            (None, Some(client)) => look_at_client(client, &trust, now, step).map(|()| None),
            (None, None) => Ok(None),
        }
    }

    fn now(&self) -> UnixTime {
        self.shared.clock.now()
    }
}

fn told(answers: &[Arc<LookAnswer>]) -> impl Iterator<Item = &LookAnswer> {
    answers.iter().map(Arc::as_ref)
}

fn look_at_client(
    chain: &Chain,
    trust: &TrustStore,
    now: UnixTime,
    step: Step,
) -> Result<(), Refusal> {
    let refused = match trust.verify_any_client(chain, now) {
        Ok(_) => return Ok(()),
        Err(error) => certificate_refusal(&error, step),
    };
    let name = chain.leaf().spiffe_id().ok();
    Err(match name.as_ref().and_then(|name| name.student()) {
        Some(sid) => refused.about(sid),
        None => refused,
    })
}

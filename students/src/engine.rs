//! What talks to the servers. It neither prints nor asks; it tells an observer.

mod acknowledged;
mod anew;
mod announced;
mod audit;
mod commitment;
mod completion;
mod cosign;
mod counting;
mod desk;
mod enrolment;
mod facts;
mod finality;
mod hand_in;
mod issued;
mod keeping;
mod lateness;
mod links;
mod loss;
mod lost;
mod missing;
mod patience;
mod reading;
mod rejection;
mod renewal;
mod replaced;
mod resumption;
mod revocation;
mod same;
mod skew;
mod tokens;
mod wire;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use scb_certs::{Fingerprint, StudentId};
use scb_protocol::client::Member;
use scb_protocol::{Code, EnrolmentCode, Fact, Step};
use scb_transport::{Clock, SystemClock};
use tokio::runtime::Runtime;

pub(crate) use acknowledged::kept as acknowledged;
pub(crate) use acknowledged::{Acknowledged, Since};
pub use announced::KeptAnnouncement;
pub(crate) use audit::{Audits, Looked};
pub use completion::Completed;
pub use cosign::{HandedIn, ToldProposals};
pub use counting::Uncounted;
pub use desk::{OpenAssignment, ToldAssignments};
pub use hand_in::{HandIn, KeptReceipt, Recorded};
pub use loss::{Consent, Loss};
pub use lost::Lost;
pub(crate) use missing::Missing;
pub(crate) use reading::ToldHistory;
pub(crate) use revocation::Revoked;
pub(crate) use skew::BELIEVED;
pub use skew::ClockOffset;

use self::patience::Patience;
use self::resumption::Resumption;
use crate::home::HomeLock;
use crate::identity::NextKey;
use crate::{Error, Event, Group, Observer, Passphrases, Protection, Setup, identity};

/// How often in one run something that CUHK signed is asked for anew, because the key with which it
/// was signed had been withdrawn.
const WITHDRAWALS: usize = 3;

/// Who needs a certificate, and how new keys are made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnrolOptions {
    /// Who gets a new certificate although the one kept here may look good.
    pub replace: BTreeSet<StudentId>,
    /// Whether new keys get a passphrase.
    pub protection: Protection,
}

/// One run's work with CUHK and Blackboard.
#[derive(Debug)]
pub struct Engine {
    /// Home, servers and root.
    pub setup: Setup,
    passphrases: Passphrases,
    clock: Arc<dyn Clock>,
    runtime: Runtime,
    patience: Option<Duration>,
    /// Whose certificates this run has tried to renew by itself.
    tried: BTreeSet<StudentId>,
}

impl Engine {
    /// With the system's clock.
    ///
    /// # Errors
    ///
    /// [`Error::System`].
    pub fn new(setup: Setup, passphrases: Passphrases) -> Result<Self, Error> {
        Self::with_clock(setup, passphrases, Arc::new(SystemClock))
    }

    /// With another clock.
    ///
    /// # Errors
    ///
    /// [`Error::System`].
    pub fn with_clock(
        setup: Setup,
        passphrases: Passphrases,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder
            .enable_all()
            .build()
            .map_err(|source| Error::System {
                action: "start the runtime",
                source,
            })?;
        Ok(Self {
            clock: setup.corrected(clock),
            setup,
            passphrases,
            runtime,
            patience: None,
            tried: BTreeSet::new(),
        })
    }

    /// How long each enrolment, and whatever is asked of Blackboard or sent to it, may wait in all for
    /// servers that are busy or away. With `None` two minutes, and only for one that says that it is
    /// busy. An upload that was interrupted may wait so long whenever something of it has come; with
    /// zero it does not go on.
    #[must_use]
    pub fn with_patience(mut self, patience: Option<Duration>) -> Self {
        self.patience = patience;
        self
    }

    /// Connects to CUHK, at another address and under another root if they are given, and
    /// remembers both once CUHK has proved itself; otherwise everything stays as it was.
    ///
    /// # Errors
    ///
    /// Who is not there or is somebody else, [`Error::OtherRoot`], [`Error::ClockOff`].
    pub fn meet_cuhk(
        &mut self,
        address: Option<String>,
        root: Option<Fingerprint>,
    ) -> Result<(), Error> {
        let _lock = self.lock()?;
        let before = self.setup.acquaintance();
        let (setup, clock) = (&mut self.setup, &self.clock);
        let met = setup.propose_cuhk(address, root).and_then(|()| {
            self.runtime.block_on(async {
                let connection = links::cuhk(setup, clock, None, Step::One).await?;
                connection.close().await;
                Ok(())
            })
        });
        if met.is_err() {
            self.setup.restore(before);
        }
        met
    }

    /// As [`Engine::meet_cuhk`], for Blackboard: without a certificate of a member, so that it
    /// goes no further than Blackboard's proof.
    ///
    /// # Errors
    ///
    /// Who is not there or is somebody else.
    pub(crate) fn meet_blackboard(&mut self, address: String) -> Result<(), Error> {
        let _lock = self.lock()?;
        let before = self.setup.acquaintance();
        self.setup.propose_blackboard(address);
        let meeting = links::meet_blackboard(&mut self.setup, &self.clock);
        let met = self.runtime.block_on(meeting);
        if met.is_err() {
            self.setup.restore(before);
        }
        met
    }

    /// Asks for the passphrase that this student's next key will need, before
    /// [`Engine::enrol`] would.
    ///
    /// # Errors
    ///
    /// [`Error::Certs`], [`Error::Cli`].
    pub fn ask_passphrase(&mut self, sid: &StudentId, protection: Protection) -> Result<(), Error> {
        NextKey::ask(&self.setup.home, sid, protection, &mut self.passphrases)
    }

    /// Those of the group who need a certificate.
    ///
    /// # Errors
    ///
    /// [`Error::Certs`] for a damaged certificate, [`Error::Cli`].
    pub fn without_certificate(
        &self,
        group: &Group,
        options: &EnrolOptions,
    ) -> Result<Vec<StudentId>, Error> {
        let mut without = Vec::new();
        for sid in group.ids() {
            identity::settle(&self.setup.home, sid)?;
            if self.needs_certificate(sid, options)? {
                without.push(sid.clone());
            }
        }
        Ok(without)
    }

    fn needs_certificate(&self, sid: &StudentId, options: &EnrolOptions) -> Result<bool, Error> {
        let trust = self.setup.trust().map(AsRef::as_ref);
        let standing = identity::standing(&self.setup.home, sid, trust, self.clock.now())?;
        Ok(options.replace.contains(sid) || standing.needs_new())
    }

    /// Those of the group whose certificate here CUHK has revoked, which it knows and this home
    /// does not. Nobody is asked for where no CUHK is known yet.
    ///
    /// # Errors
    ///
    /// Why it could not be asked, or what failed here.
    pub(crate) fn revoked(&mut self, group: &Group) -> Result<Vec<(StudentId, Revoked)>, Error> {
        let mut here = Vec::new();
        for sid in group.ids() {
            if let Some(chain) = identity::chain(&self.setup.home, sid)? {
                here.push((sid.clone(), chain));
            }
        }
        if here.is_empty() || self.setup.cuhk().is_err() || self.setup.trust().is_none() {
            return Ok(Vec::new());
        }
        let _lock = self.lock()?;
        let (sids, chains): (Vec<_>, Vec<_>) = here.into_iter().unzip();
        let looked = revocation::look(&mut self.setup, &self.clock, &chains);
        let looked = self.runtime.block_on(looked)?;
        let revoked = sids.into_iter().zip(looked);
        Ok(revoked
            .filter_map(|(sid, revoked)| Some((sid, revoked?)))
            .collect())
    }

    /// Those of these students of whose certificate here CUHK has no record. Whose key cannot be opened,
    /// for want of its passphrase, is left out.
    ///
    /// # Errors
    ///
    /// Why CUHK does not say, or what failed here.
    pub(crate) fn unrecorded(&mut self, sids: &[StudentId]) -> Result<Vec<StudentId>, Error> {
        let mut members = Vec::new();
        for sid in sids {
            if identity::chain(&self.setup.home, sid)?.is_none() {
                continue;
            }
            let locked = identity::has_passphrase(&self.setup.home, sid)? == Some(true);
            match (self.open_all(std::slice::from_ref(sid)), locked) {
                (Ok(opened), _) => members.extend(opened),
                (Err(_), true) => {}
                (Err(error), false) => return Err(error),
            }
        }
        let _lock = self.lock()?;
        let (setup, clock) = (&mut self.setup, &self.clock);
        self.runtime.block_on(async {
            let mut unrecorded = Vec::new();
            for member in members {
                if tokens::is_unrecorded(setup, clock, &member).await? {
                    unrecorded.push(member.sid);
                }
            }
            Ok(unrecorded)
        })
    }

    /// Steps 1 and 2 for these students, all over one connection. Those whom CUHK certifies
    /// keep what they got even if others are refused. Whoever got a certificate from another
    /// program in this home meanwhile is left out, and the code stays unused.
    ///
    /// # Errors
    ///
    /// What was refused, or what failed here.
    pub fn enrol(
        &mut self,
        students: Vec<(StudentId, EnrolmentCode)>,
        options: &EnrolOptions,
        observer: &mut Observer<'_>,
    ) -> Result<(), Error> {
        for (sid, _) in &students {
            NextKey::ask(
                &self.setup.home,
                sid,
                options.protection,
                &mut self.passphrases,
            )?;
        }
        let _lock = self.lock()?;
        let mut observer = logged(observer);
        let certificates = students.len();
        let students = self.still_without(students, options)?;
        if students.is_empty() {
            observer(&already_certified(certificates));
            return Ok(());
        }
        let work = enrolment::enrol(
            &mut self.setup,
            &mut self.passphrases,
            &self.clock,
            (students, options.protection),
            Patience::new(self.patience),
            &mut observer,
        );
        let result = self.runtime.block_on(work);
        result.map_err(|error| skew::explain(error, self.setup.clock_offset()))
    }

    /// Opens these students' keys. Done before the home is locked: whoever is asked for a
    /// passphrase may take long.
    fn open_all(&mut self, sids: &[StudentId]) -> Result<Vec<Member>, Error> {
        let open = |sid| identity::open(&self.setup.home, sid, &mut self.passphrases);
        sids.iter().map(open).collect()
    }

    /// Work with Blackboard in the name of these students, who are told of nobody else's. It is done
    /// again after waiting for a server that has no time or is away, and with fresh tokens when CUHK
    /// has withdrawn the key that signed them: the same work twice must be the same as once.
    fn session<T>(
        &mut self,
        sids: &[StudentId],
        observer: &mut Observer<'_>,
        mut work: impl AsyncFnMut(
            &mut Setup,
            &Arc<dyn Clock>,
            &mut [Member],
            &mut Observer<'_>,
        ) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut members = self.open_all(sids)?;
        let _lock = self.lock()?;
        let mut observer = logged(observer);
        let mut patience = Patience::new(self.patience);
        let (setup, clock) = (&mut self.setup, &self.clock);
        let (mut withdrawals, mut doubted, mut aged) = (0, false, false);
        self.runtime.block_on(async {
            loop {
                match work(setup, clock, &mut members, &mut observer).await {
                    Ok(done) => return Ok(done),
                    Err(Error::Refused(refusal))
                        if refusal.code == Code::SignerWithdrawn && withdrawals < WITHDRAWALS =>
                    {
                        withdrawals += 1;
                        tokens::forget(&mut members, &refusal);
                    }
                    // By the clock here it was good; by Blackboard's, which is known by now, it may
                    // be time for another one.
                    Err(Error::Refused(refusal)) if refusal.code == Code::TokenExpired && !aged => {
                        aged = true;
                    }
                    // A server may show a root that CUHK has announced since this home last asked.
                    Err(error) if !doubted && links::is_about_roots(&error) => {
                        doubted = true;
                        match links::refresh_roots(setup, clock).await {
                            Ok(true) => {}
                            _ => return Err(skew::with_clock(setup, clock, error).await),
                        }
                    }
                    Err(error) => {
                        let error = skew::with_clock(setup, clock, error).await;
                        let error = revocation::explain(setup, clock, &members, error).await;
                        let error = desk::in_local_time(error);
                        patience.wait(error, &mut observer).await?;
                    }
                }
            }
        })
    }

    /// Keeps other programs out of the home, and takes in what they left there.
    fn lock(&mut self) -> Result<HomeLock, Error> {
        let lock = self.setup.home.lock()?;
        self.setup.catch_up()?;
        Ok(lock)
    }

    /// Those who need a certificate now that nobody else changes the home.
    fn still_without(
        &self,
        students: Vec<(StudentId, EnrolmentCode)>,
        options: &EnrolOptions,
    ) -> Result<Vec<(StudentId, EnrolmentCode)>, Error> {
        let mut without = Vec::new();
        for (sid, code) in students {
            if self.needs_certificate(&sid, options)? {
                without.push((sid, code));
            }
        }
        Ok(without)
    }

    /// Steps 3 to 6: refreshes tokens where needed, hands in, verifies and keeps the receipt. When
    /// CUHK has withdrawn the key that signed the tokens, they are refreshed and the same hand-in
    /// goes on; so it does over another connection when one breaks while files are on their way.
    ///
    /// # Errors
    ///
    /// What was refused, or what failed here.
    pub fn hand_in(
        &mut self,
        group: &Group,
        hand_in: HandIn<'_>,
        observer: &mut Observer<'_>,
    ) -> Result<KeptReceipt, Error> {
        self.hand_in_or_propose(group, hand_in, observer)?.kept()
    }

    /// As [`Engine::hand_in`], for a group of which [some](HandIn::elsewhere) sign on other
    /// machines: until they have, it waits.
    ///
    /// # Errors
    ///
    /// What was refused, or what failed here.
    pub(crate) fn hand_in_or_propose(
        &mut self,
        group: &Group,
        mut hand_in: HandIn<'_>,
        observer: &mut Observer<'_>,
    ) -> Result<HandedIn, Error> {
        let (mut resumption, mut has_waited) = (Resumption::new(self.patience), false);
        let handed_in = self.session(
            group.ids(),
            observer,
            async |setup, clock, members, observer| loop {
                match attempt(setup, clock, members, &mut hand_in, observer).await {
                    Ok(kept) => return Ok(kept),
                    Err(Error::OnItsWay { pending }) if !has_waited => {
                        has_waited = true;
                        same::wait_for(setup, &pending, observer).await?;
                    }
                    Err(error) => resumption.wait(error, hand_in.there, observer).await?,
                }
            },
        );
        handed_in.map_err(|error| hand_in.with_record(error))
    }

    /// The time by this engine's clock.
    pub fn now(&self) -> rustls_pki_types::UnixTime {
        self.clock.now()
    }
}

/// So many who came for a certificate have one.
pub(crate) fn already_certified(certificates: usize) -> Event {
    Event::new(Step::One, Fact::AlreadyCertified { certificates })
}

/// Steps 3 to 6 once. Whatever was sent is sent again as it was: same keys, same submission.
async fn attempt(
    setup: &mut Setup,
    clock: &Arc<dyn Clock>,
    members: &mut [Member],
    hand_in: &mut HandIn<'_>,
    observer: &mut Observer<'_>,
) -> Result<HandedIn, Error> {
    tokens::refresh(setup, clock, members, observer).await?;
    let handed_in = match hand_in.elsewhere {
        [] => {
            let kept = hand_in::hand_in(setup, clock, members, hand_in, observer).await?;
            HandedIn::Kept(Box::new(kept))
        }
        _ => cosign::propose(setup, clock, members, hand_in, observer).await?,
    };
    replaced::give_up(setup, clock, members, (&handed_in, hand_in), observer).await;
    Ok(match handed_in {
        HandedIn::Kept(mut kept) => {
            counting::learn(setup, clock, members, (&mut kept, hand_in)).await;
            HandedIn::Kept(kept)
        }
        waits => waits,
    })
}

/// Every event is logged once, then shown.
fn logged<'a>(observer: &'a mut Observer<'_>) -> impl FnMut(&Event) + 'a {
    |event| {
        if let Some(line) = event.step_event() {
            scb_transport::telemetry::emit(line);
        }
        observer(event);
    }
}

//! What talks to the servers. It neither prints nor asks; it tells an observer.

mod audit;
mod completion;
mod cosign;
mod desk;
mod enrolment;
mod facts;
mod hand_in;
mod issued;
mod links;
mod patience;
mod reading;
mod renewal;
mod revocation;
mod skew;
mod tokens;
mod wire;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use scb_certs::{Fingerprint, StudentId};
use scb_cli::exit;
use scb_protocol::client::Member;
use scb_protocol::grade::VerifiedGrade;
use scb_protocol::message::proposal::{ProposalStanding, ProposalState, Reason};
use scb_protocol::statement::{Label, SubmissionId};
use scb_protocol::{Code, EnrolmentCode, Fact, Refusal, Step};
use scb_transport::{Clock, SystemClock};
use tokio::runtime::Runtime;

pub(crate) use audit::Looked;
pub use cosign::{HandedIn, ToldProposals};
pub use desk::ToldAssignments;
pub use hand_in::{HandIn, KeptReceipt};
pub use reading::{FetchedSubmission, ToldHistory};
pub(crate) use revocation::Revoked;
pub use skew::ClockOffset;

use self::completion::Unproved;
use self::patience::Patience;
use self::renewal::Renewal;
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
            setup,
            passphrases,
            clock,
            runtime,
            patience: None,
            tried: BTreeSet::new(),
        })
    }

    /// How long each enrolment and hand-in may wait in all for servers that are busy or away.
    /// With `None` two minutes, and only for one that says that it is busy.
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
        let before = self.setup.acquaintance();
        let (setup, clock) = (&mut self.setup, &self.clock);
        let met = setup.propose_cuhk(address, root).and_then(|()| {
            let _lock = setup.home.lock()?;
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
    pub fn meet_blackboard(&mut self, address: String) -> Result<(), Error> {
        let before = self.setup.acquaintance();
        self.setup.propose_blackboard(address);
        let (setup, clock) = (&mut self.setup, &self.clock);
        let met = setup
            .home
            .lock()
            .and_then(|_lock| self.runtime.block_on(links::meet_blackboard(setup, clock)));
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

    /// Renews these students' certificates, all who can be; answers once it was tried for each.
    /// With `same_key` the key stays, otherwise there is a new one.
    ///
    /// # Errors
    ///
    /// [`Error::NotEnrolled`], [`Error::WrongPassphrase`] before anybody is asked; what was
    /// refused, or what failed here.
    pub fn renew(
        &mut self,
        students: &[StudentId],
        same_key: bool,
        observer: &mut Observer<'_>,
    ) -> Result<(), Error> {
        // Passphrases are asked for before the home is locked: a person may take long.
        for sid in students {
            identity::settle(&self.setup.home, sid)?;
            identity::open(&self.setup.home, sid, &mut self.passphrases)?;
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
    /// run. Where that fails, the observer is told, and a certificate that is still good is used.
    ///
    /// # Errors
    ///
    /// Why the next certificate of one that has ended could not be had, unless a code helps.
    pub fn renew_due(&mut self, group: &Group, observer: &mut Observer<'_>) -> Result<(), Error> {
        let known = self.setup.cuhk().is_ok() && self.setup.trust().is_some();
        for sid in group.ids() {
            let now = self.clock.now();
            let until = match renewal::due(&self.setup.home, sid, now)? {
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
            if until < now && !renewal::takes_a_code(&error) {
                return Err(error);
            }
            let away = renewal::is_away(&error);
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
    /// goes on.
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
    pub fn hand_in_or_propose(
        &mut self,
        group: &Group,
        mut hand_in: HandIn<'_>,
        observer: &mut Observer<'_>,
    ) -> Result<HandedIn, Error> {
        let mut members = self.open_all(group.ids())?;
        let _lock = self.lock()?;
        let mut observer = logged(observer);
        let mut patience = Patience::new(self.patience);
        let (setup, clock) = (&mut self.setup, &self.clock);
        let (mut withdrawals, mut doubted) = (0, false);
        self.runtime.block_on(async {
            loop {
                match attempt(setup, clock, &mut members, &mut hand_in, &mut observer).await {
                    Ok(kept) => return Ok(kept),
                    Err(Error::Refused(refusal))
                        if refusal.code == Code::SignerWithdrawn && withdrawals < WITHDRAWALS =>
                    {
                        withdrawals += 1;
                        tokens::forget(&mut members, &refusal);
                    }
                    // A server may show a root that CUHK has announced since this home last asked.
                    Err(error) if !doubted && is_about_roots(&error) => {
                        doubted = true;
                        match links::refresh_roots(setup, clock).await {
                            Ok(true) => {}
                            _ => return Err(with_clock(setup, clock, error).await),
                        }
                    }
                    Err(error) => {
                        let error = with_clock(setup, clock, error).await;
                        let error = revocation::explain(setup, clock, &members, error).await;
                        let error = desk::in_local_time(error);
                        patience.wait(error, &mut observer).await?;
                    }
                }
            }
        })
    }

    /// What these students can hand in together: in one course, or in all of theirs.
    ///
    /// # Errors
    ///
    /// What was refused, or what failed here.
    pub fn assignments(
        &mut self,
        group: &Group,
        course: Option<Label>,
        observer: &mut Observer<'_>,
    ) -> Result<ToldAssignments, Error> {
        let mut members = self.open_all(group.ids())?;
        let _lock = self.lock()?;
        let mut observer = logged(observer);
        let (setup, clock) = (&mut self.setup, &self.clock);
        self.runtime.block_on(async {
            match desk::assignments(setup, clock, &mut members, course, &mut observer).await {
                Ok(told) => Ok(told),
                Err(error) => Err(with_clock(setup, clock, error).await),
            }
        })
    }

    /// The grades of these students that were released, of one course or of all. Each is verified:
    /// Blackboard's signature, and that the assignment's log holds it.
    ///
    /// # Errors
    ///
    /// What was refused, or what failed here.
    pub fn grades(
        &mut self,
        group: &Group,
        course: Option<Label>,
        observer: &mut Observer<'_>,
    ) -> Result<Vec<VerifiedGrade>, Error> {
        let mut members = self.open_all(group.ids())?;
        let _lock = self.lock()?;
        let mut observer = logged(observer);
        let (setup, clock) = (&mut self.setup, &self.clock);
        self.runtime.block_on(async {
            match desk::grades(setup, clock, &mut members, course, &mut observer).await {
                Ok(grades) => Ok(grades),
                Err(error) => Err(with_clock(setup, clock, error).await),
            }
        })
    }

    /// What waits for this student's signature, and what became of it lately. Receipts of what was
    /// handed in meanwhile are fetched and kept.
    ///
    /// # Errors
    ///
    /// What was refused, or what failed here.
    pub fn proposals(
        &mut self,
        sid: &StudentId,
        observer: &mut Observer<'_>,
    ) -> Result<ToldProposals, Error> {
        let mut members = self.open_all(std::slice::from_ref(sid))?;
        let _lock = self.lock()?;
        let mut observer = logged(observer);
        let (setup, clock) = (&mut self.setup, &self.clock);
        self.runtime.block_on(async {
            let told = cosign::proposals(setup, clock, &mut members, &mut observer).await;
            let told = match told {
                Ok(told) => told,
                Err(error) => return Err(with_clock(setup, clock, error).await),
            };
            for one in &told.told {
                let id = one.statement.submission;
                if one.listed.standing.state == ProposalState::Accepted
                    && !cosign::has_receipt(setup, id)?
                {
                    let statement = one.listed.statement.as_bytes();
                    cosign::fetch(setup, clock, &members, statement, &mut observer).await?;
                }
            }
            cosign::forget_ended(setup, &told.told)?;
            Ok(told)
        })
    }

    /// Signs a statement that was proposed, whose exact bytes these are, in this student's name.
    ///
    /// # Errors
    ///
    /// What was refused, or what failed here.
    pub fn cosign(
        &mut self,
        sid: &StudentId,
        statement: &[u8],
        observer: &mut Observer<'_>,
    ) -> Result<HandedIn, Error> {
        let mut members = self.open_all(std::slice::from_ref(sid))?;
        let _lock = self.lock()?;
        let mut observer = logged(observer);
        let (setup, clock) = (&mut self.setup, &self.clock);
        self.runtime.block_on(async {
            match cosign::cosign(setup, clock, &mut members, statement, &mut observer).await {
                Ok(handed_in) => Ok(handed_in),
                Err(error) => {
                    let error = with_clock(setup, clock, error).await;
                    Err(desk::in_local_time(error))
                }
            }
        })
    }

    /// Declines a proposal in this student's name, or takes back his signature.
    ///
    /// # Errors
    ///
    /// What was refused, or what failed here.
    pub fn end_proposal(
        &mut self,
        sid: &StudentId,
        ending: (SubmissionId, Option<Reason>),
        observer: &mut Observer<'_>,
    ) -> Result<ProposalStanding, Error> {
        let mut members = self.open_all(std::slice::from_ref(sid))?;
        let _lock = self.lock()?;
        let mut observer = logged(observer);
        let (setup, clock) = (&mut self.setup, &self.clock);
        self.runtime.block_on(async {
            match cosign::end(setup, clock, &mut members, ending, &mut observer).await {
                Ok(standing) => Ok(standing),
                Err(error) => Err(with_clock(setup, clock, error).await),
            }
        })
    }

    /// Completes the receipts kept here whose proof was still to come, asking in the name of those
    /// of their members whose keys are here. Answers which ones were completed.
    ///
    /// # Errors
    ///
    /// Why it could not be asked; receipts that were completed before stay so.
    pub fn complete_receipts(
        &mut self,
        observer: &mut Observer<'_>,
    ) -> Result<Vec<PathBuf>, Error> {
        let mut asked = BTreeSet::new();
        let mut completed = Vec::new();
        for unproved in Unproved::all(&self.setup)? {
            let mut named = unproved.receipt.statement().members.iter();
            let here =
                |sid: &StudentId| matches!(identity::chain(&self.setup.home, sid), Ok(Some(_)));
            let Some(member) = named.find(|named| here(&named.sid)) else {
                continue;
            };
            if !asked.insert(member.sid.clone()) {
                continue;
            }
            let mut members = self.open_all(std::slice::from_ref(&member.sid))?;
            let _lock = self.lock()?;
            let mut observer = logged(observer);
            let (setup, clock) = (&mut self.setup, &self.clock);
            completed.extend(self.runtime.block_on(async {
                tokens::refresh(setup, clock, &mut members, &mut observer).await?;
                completion::complete(setup, clock, &members, &mut observer).await
            })?);
        }
        Ok(completed)
    }

    /// Everything that CUHK's issuance log holds about each of them, verified here; and those whose
    /// certificate was revoked, who are shown nothing with it.
    ///
    /// # Errors
    ///
    /// `log_forked`, `log_invalid`, `log_incomplete`; [`Error::LogMemoryDamaged`]; what else was
    /// refused, or what failed here.
    pub(crate) fn audit(&mut self, group: &Group) -> Result<Audits, Error> {
        let members = self.open_all(group.ids())?;
        let _lock = self.setup.home.lock()?;
        let (setup, clock) = (&mut self.setup, &self.clock);
        self.runtime.block_on(async {
            let mut audits = Audits::default();
            for member in &members {
                let error = match audit::audit(setup, clock, member).await {
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

    /// The time by this engine's clock.
    pub fn now(&self) -> rustls_pki_types::UnixTime {
        self.clock.now()
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

/// So many who came for a certificate have one.
pub(crate) fn already_certified(certificates: usize) -> Event {
    Event::new(Step::One, Fact::AlreadyCertified { certificates })
}

fn is_revoked(refusal: &Refusal) -> bool {
    [Code::CertificateRevoked, Code::CertificateOnHold].contains(&refusal.code)
}

/// Whether it may be that the server is under a root that is not known here yet.
fn is_about_roots(error: &Error) -> bool {
    let codes = [
        Code::ServerIdentity,
        Code::TokenInvalid,
        Code::VerificationInvalid,
        Code::ReceiptInvalid,
    ];
    matches!(error, Error::Refused(refusal) if codes.contains(&refusal.code))
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
    match hand_in.elsewhere {
        [] => {
            let kept = hand_in::hand_in(setup, clock, members, hand_in, observer).await?;
            Ok(HandedIn::Kept(Box::new(kept)))
        }
        _ => cosign::propose(setup, clock, members, hand_in, observer).await,
    }
}

/// Says how far the clock is off where that may be why. A server that refuses a certificate in
/// the handshake tells no time: CUHK, which greets everybody, is asked for it.
async fn with_clock(setup: &mut Setup, clock: &Arc<dyn Clock>, error: Error) -> Error {
    if skew::is_about_dates(&error) && setup.clock_offset().is_none() {
        // The answer is in the greeting; whatever else comes of it is not what went wrong.
        let _ = links::cuhk(setup, clock, None, Step::Three).await;
    }
    skew::explain(error, setup.clock_offset())
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

//! `blackboard serve`: everything that runs, put together.

mod sweeping;
mod tls;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, TrustDomain};
use scb_cli::{Failure, Home};
use scb_protocol::rules::{GroupSize, Terms};
use scb_protocol::server::Policy;
use scb_protocol::{Refusal, Step};
use scb_storage::{ContentStore, HomeLock, READERS};
use scb_transport::{Clock, Listener, ServerTls, Shutdown, Turns, raise_descriptor_limit};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use self::sweeping::{ClockTrust, end_what_is_over, keep_sweeping, sweep};
use self::tls::TlsMaker;
use crate::authority::{
    Authority, Clocks, CuhkAddress, Dialer, LogWitness, Settings, Witness, is_to_be_replaced,
};
use crate::config::{Config, WitnessPolicyError};
use crate::courses::takes_less;
use crate::enrol::receipt_roots;
use crate::enrol::stored_roots;
use crate::fault::Faults;
use crate::handler::{Completer, Handler, LargestGroup, Shared};
use crate::identity::{Identity, IdentityFiles};
use crate::logs::Logs;
use crate::monitor::Watch;
use crate::note_keys::{LogKey, witness_key};
use crate::outside_witness::{OutsideWitness, outside_witnesses};
use crate::renewal::Renewal;
use crate::sessions::Sessions;
use crate::store::{Error, Place, Register, Store};
use crate::uploads::Uploads;
use crate::witnessed::Witnessed;

/// Questions of members about what they have handed in that are answered at once: half of the threads
/// that read, so that nobody who hands in waits for them.
const QUESTIONS: usize = READERS / 2;
/// How long a start waits for CUHK to come up.
pub(crate) const START_PATIENCE: Duration = Duration::from_secs(10);
/// Between two attempts meanwhile.
pub(crate) const START_PAUSE: Duration = Duration::from_millis(100);

/// What a sandbox begins with.
const SAMPLE_COURSE: &str = "SANDBOX";
const SAMPLE_ASSIGNMENT: &str = "lab";

/// A server that has all it needs and a bound socket.
pub(crate) struct Server {
    _lock: HomeLock,
    listener: Listener,
    tls: watch::Sender<Arc<ServerTls>>,
    tls_maker: TlsMaker,
    renewal: Renewal,
    witness: Witness,
    log_witness: LogWitness,
    outside: Vec<OutsideWitness>,
    clock_trust: ClockTrust,
    shared: Arc<Shared>,
}

impl Server {
    /// Opens the home, whose lock is held, connects to CUHK, fetches the revocation lists and
    /// binds the socket.
    pub(crate) async fn open(
        home: &Home,
        lock: HomeLock,
        config: &Config,
        cuhk: CuhkAddress,
        listen: SocketAddr,
        clock: Arc<dyn Clock>,
        faults: Faults,
    ) -> anyhow::Result<Self> {
        // Before anything is made: without a certificate there is nothing to serve.
        let files = IdentityFiles::open(home)?;
        let identity = files.current()?.ok_or_else(not_certified)?;
        let policy = policy(config, &identity)?;
        let kept = Kept::open(home)?;
        let (logs, store) = (kept.logs.clone(), kept.register.store().clone());
        let cosigner = witness_key(home, policy.service.trust_domain())?;
        let identity = watch::Sender::new(Arc::new(identity));
        let settings = settings(home, config, (&cuhk, &identity), &store, &clock)?;
        let authority = reach_cuhk(settings).await?;
        let dialer = Dialer {
            address: cuhk,
            identity: identity.subscribe(),
            trust: authority.trust(),
            clock: Arc::clone(&clock),
        };
        let tls_maker = TlsMaker {
            identity: identity.subscribe(),
            trust: authority.trust(),
            clock: Arc::clone(&clock),
            faults: faults.clone(),
        };
        let tls = watch::Sender::new(tls_maker.make()?);
        let witness = Witness {
            cosigner,
            dialer: dialer.clone(),
            store: store.clone(),
            contradicted: Arc::default(),
        };
        let witnessed = Witnessed::by(config.witness_policy().map_err(unusable_witness)?);
        let outside = outside_witnesses(home, config, (&logs, &witnessed), &clock);
        let outside = outside.map_err(unusable_witness)?;
        let service = policy.service.clone();
        let mut log_witness =
            LogWitness::new(dialer.clone(), service, logs, store, witnessed.clone());
        log_witness.compare_at_start(&kept.register).await?;
        let clock_trust = kept.put_in_order(clock.now());
        let contradicted = Arc::clone(&witness.contradicted);
        let (known, platform) = ((witnessed, contradicted), (authority.clone(), dialer));
        let shared = kept.shared((home, config), policy, platform, known, faults)?;
        let listener = Listener::bind(listen).await?;
        Ok(Self {
            _lock: lock,
            listener: listener
                .first_step(Step::Three)
                .within(raise_descriptor_limit()),
            tls,
            tls_maker,
            renewal: Renewal {
                files,
                identity,
                authority,
                clock,
            },
            witness,
            log_witness,
            outside,
            clock_trust,
            shared: Arc::new(shared),
        })
    }

    /// With a course for everybody and an assignment that is always open, unless there ever was a
    /// course: for a sandbox.
    pub(crate) fn with_sample_course(self) -> anyhow::Result<Self> {
        let policy = &self.shared.policy;
        let place = sample_place(policy.service.trust_domain())?;
        let group = GroupSize::new(1, policy.max_members)?;
        let title = SAMPLE_ASSIGNMENT.parse()?;
        let rules = Terms::always_open(title, group, policy.max_bytes).check()?;
        let store = self.shared.register.store();
        if store.begin_with(place, rules, self.shared.clock.now())? {
            tracing::info!(
                "there was no course: made {SAMPLE_COURSE}/{SAMPLE_ASSIGNMENT}, which is always open"
            );
        }
        Ok(self)
    }

    /// From now on the clock is believed: somebody vouches for it.
    pub(crate) fn believing_clock(mut self) -> Self {
        self.clock_trust.vouch(self.shared.clock.now());
        self
    }

    /// Says so if nobody can hand in anything yet, and how that changes.
    pub(crate) fn remarking_courses(self) -> Self {
        let missing = missing(self.shared.register.store());
        warn(missing.map(|missing| missing.map(str::to_owned)));
        self
    }

    /// Says so if less is taken than the rules of an assignment allow.
    pub(crate) fn remarking_limits(self) -> Self {
        let (store, limit) = (self.shared.register.store(), self.shared.policy.max_bytes);
        warn(takes_less(store, limit, self.shared.clock.now()));
        self
    }

    /// The bound address, with the real port.
    pub(crate) fn address(&self) -> SocketAddr {
        self.listener.local_addr()
    }

    /// Has somebody look after this server.
    pub(crate) fn watched_by(&self, watch: &Watch) {
        watch.over(Arc::clone(&self.shared));
    }

    /// SHA-256 of CUHK's root certificate.
    pub(crate) fn root(&self) -> Fingerprint {
        self.tls_maker.root().fingerprint()
    }

    /// Serves until `shutdown`, then lets open connections finish, for a bounded time.
    ///
    /// # Errors
    ///
    /// Why it stopped of itself: a log turned out to be behind what CUHK has seen of it.
    pub(crate) async fn run(self, shutdown: Shutdown) -> Result<(), Failure> {
        let renewal = tokio::spawn(self.renewal.run());
        let witness = tokio::spawn(self.witness.run());
        let stop = shutdown.clone();
        let log_witness = tokio::spawn(async move {
            let failure = self.log_witness.run().await;
            stop.trigger();
            failure
        });
        // Dropped, it ends them.
        let mut outside = JoinSet::new();
        for witness in self.outside {
            outside.spawn(witness.run());
        }
        let logs = tokio::spawn(self.shared.logs.clone().run(shutdown.clone()));
        let tls = self.tls.subscribe();
        let updates = tokio::spawn(self.tls_maker.follow(self.tls));
        let sweeping = tokio::spawn(keep_sweeping(Arc::clone(&self.shared), self.clock_trust));
        let completing = tokio::spawn(Completer::new(Arc::clone(&self.shared)).run());
        let (shared, stop) = (Arc::clone(&self.shared), shutdown.clone());
        let handler =
            move |connection| Handler::new(connection, Arc::clone(&shared), stop.clone()).run();
        self.listener
            .serve(tls, self.shared.limits, shutdown, handler)
            .await;
        renewal.abort();
        witness.abort();
        log_witness.abort();
        outside.abort_all();
        updates.abort();
        sweeping.abort();
        completing.abort();
        let _ = logs.await;
        self.shared.register.store().close().await;
        match log_witness.await {
            Ok(failure) => Err(failure),
            Err(_) => Ok(()),
        }
    }
}

/// What a home keeps of hand-ins.
struct Kept {
    register: Register,
    content: ContentStore,
    logs: Logs,
}

impl Kept {
    fn open(home: &Home) -> anyhow::Result<Self> {
        let store = Store::open(home)?;
        Ok(Self {
            register: Register::open(home, store.clone())?,
            content: ContentStore::open(&home.path("content"))?,
            logs: Logs::open(home, store, LogKey::open(home)?)?,
        })
    }

    /// Ends and removes what is over, if the clock is believed; whether it is, for later. What is removed
    /// from an old home, or entered into its logs, is missing when it is put right: it was compared with
    /// what CUHK has seen before this.
    fn put_in_order(&self, now: UnixTime) -> ClockTrust {
        let mut clock_trust = ClockTrust::since_last_number(&self.register);
        if clock_trust.believes(&self.register, now) {
            sweep(&self.register, &self.content);
            end_what_is_over(&self.register, &self.content, now);
        }
        clock_trust
    }

    /// What all connections share, none of which has come yet.
    fn shared(
        self,
        (home, config): (&Home, &Config),
        policy: Policy,
        (authority, dialer): (Authority, Dialer),
        (witnessed, contradicted): (Witnessed, Arc<AtomicBool>),
        faults: Faults,
    ) -> anyhow::Result<Shared> {
        Ok(Shared {
            policy: Arc::new(policy),
            authority,
            register: self.register,
            content: self.content,
            uploads: Uploads::new(config.quota()),
            upload_window: config.upload_window,
            cosign_window: config.cosign_window,
            unfinished: Arc::default(),
            logs: self.logs,
            witnessed,
            contradicted,
            announced: Arc::default(),
            identity: dialer.identity,
            clock: dialer.clock,
            clocks: Clocks::default(),
            largest_group: LargestGroup::default(),
            turns: Turns::new(QUESTIONS),
            sessions: Sessions::default(),
            receipt_roots: receipt_roots(home)?,
            limits: config.limits,
            faults,
        })
    }
}

/// Who a home is certified as, for what runs once and renews nothing.
fn certified(home: &Home) -> anyhow::Result<watch::Sender<Arc<Identity>>> {
    let identity = IdentityFiles::open(home)?.current()?;
    Ok(watch::Sender::new(Arc::new(
        identity.ok_or_else(not_certified)?,
    )))
}

/// What compares the logs of a home with what CUHK has seen of them. Nothing is served.
///
/// # Errors
///
/// As for [`Server::open`].
pub(crate) async fn log_witness_of(
    home: &Home,
    store: &Store,
    config: &Config,
    cuhk: CuhkAddress,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<LogWitness> {
    let identity = certified(home)?;
    let logs = Logs::open_to_recover(home, store.clone(), LogKey::open(home)?)?;
    let settings = settings(home, config, (&cuhk, &identity), store, &clock)?;
    let authority = reach_cuhk(settings).await?;
    let service = identity.borrow().chain.leaf().spiffe_id()?;
    let dialer = Dialer {
        address: cuhk,
        identity: identity.subscribe(),
        trust: authority.trust(),
        clock,
    };
    let (store, witnessed) = (store.clone(), Witnessed::default());
    Ok(LogWitness::new(dialer, service, logs, store, witnessed))
}

/// What compares CUHK's issuance log with what this home has seen of it. Nothing is served.
///
/// # Errors
///
/// As for [`Server::open`].
pub(crate) async fn witness_of(
    home: &Home,
    store: &Store,
    config: &Config,
    cuhk: CuhkAddress,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<Witness> {
    let identity = certified(home)?;
    let settings = settings(home, config, (&cuhk, &identity), store, &clock)?;
    let authority = reach_cuhk(settings).await?;
    let service = identity.borrow().chain.leaf().spiffe_id()?;
    Ok(Witness {
        cosigner: witness_key(home, service.trust_domain())?,
        dialer: Dialer {
            address: cuhk,
            identity: identity.subscribe(),
            trust: authority.trust(),
            clock,
        },
        store: store.clone(),
        contradicted: Arc::default(),
    })
}

/// How the platform of this home asks CUHK, and as whom.
fn settings(
    home: &Home,
    config: &Config,
    (cuhk, identity): (&CuhkAddress, &watch::Sender<Arc<Identity>>),
    store: &Store,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<Settings> {
    let mut address = cuhk.clone();
    if address.current().is_empty() {
        return Err(no_address(home).into());
    }
    Ok(Settings {
        address,
        roots: stored_roots(home)?,
        home: home.clone(),
        identity: identity.subscribe(),
        store: store.clone(),
        outage: config.outage,
        clock: Arc::clone(clock),
    })
}

pub(crate) fn not_certified() -> Failure {
    Failure::usage("this platform has no certificate from CUHK yet")
        .with_remedy("run `blackboard init` first")
        .with_code("not_certified")
}

fn no_address(home: &Home) -> Failure {
    let file = home.path("config.toml");
    Failure::usage(format!(
        "{} does not say where CUHK listens",
        file.display()
    ))
    .with_remedy(
        "put it back from a backup, or write `cuhk = \"HOST:PORT\"` into it: `blackboard \
             --print-config` shows every option",
    )
    .with_code("config")
}

pub(crate) fn unusable_witness(error: WitnessPolicyError) -> Failure {
    let error = anyhow::Error::new(error);
    Failure::usage(format!("witnesses of the logs: {error:#}"))
        .with_remedy("correct `witnesses` and `quorum` in config.toml of this home")
        .with_code("config")
}

fn policy(config: &Config, identity: &Identity) -> anyhow::Result<Policy> {
    Ok(Policy {
        service: identity.chain.leaf().spiffe_id()?,
        max_members: config.max_members.get(),
        max_bytes: config.max_bytes,
        outage: config.outage,
    })
}

/// The assignment that a sandbox begins with.
pub(crate) fn sample_place(domain: &TrustDomain) -> anyhow::Result<Place> {
    Ok(Place {
        domain: domain.clone(),
        course: SAMPLE_COURSE.parse()?,
        assignment: SAMPLE_ASSIGNMENT.parse()?,
    })
}

/// What was looked for before anybody hands in.
fn warn(found: Result<Option<String>, Error>) {
    match found {
        Ok(found) => found.iter().for_each(|what| tracing::warn!("{what}")),
        Err(error) => tracing::error!("{error}; see `blackboard fsck`"),
    }
}

/// What has to be there before anybody can hand in, and is not; with the commands that add it.
fn missing(store: &Store) -> Result<Option<&'static str>, Error> {
    if store.courses()?.is_empty() {
        return Ok(Some(
            "there is no course yet, so that nobody can hand in: add one with `blackboard course add`, \
             and what is to be handed in with `blackboard assignment add`; both work while this runs",
        ));
    }
    Ok(store.assignments(None)?.is_empty().then_some(
        "there is no assignment yet, so that nobody can hand in: add one with `blackboard assignment \
         add`, which works while this runs",
    ))
}

/// Tries for [`START_PATIENCE`], saying once that it waits. What CUHK refuses for good ends
/// it at once.
async fn reach_cuhk(settings: Settings) -> anyhow::Result<Authority> {
    let deadline = Instant::now() + START_PATIENCE;
    let mut said = false;
    loop {
        let mut settings = settings.clone();
        let address = settings.address.current().to_owned();
        match Authority::start(settings).await {
            Err(refusal) if may_pass(&refusal) && Instant::now() < deadline => {
                if !said {
                    tracing::info!("waiting for CUHK at {address}: {refusal}");
                    said = true;
                }
                sleep(START_PAUSE).await;
            }
            result => return result.map_err(explained),
        }
    }
}

/// What CUHK says of a certificate is about this server's, not about a student's.
fn explained(refusal: Refusal) -> anyhow::Error {
    match refusal.code {
        code if is_to_be_replaced(code) => {
            Failure::refused(format!("CUHK does not accept this server: {refusal}"))
                .with_remedy(
                    "run `cuhk code issue service/blackboard --replace`, then `blackboard init \
                     --replace` with the new code",
                )
                .with_code(refusal.code.as_str())
                .into()
        }
        _ => refusal.into(),
    }
}

fn may_pass(refusal: &Refusal) -> bool {
    refusal.exit_code() == scb_cli::exit::RETRY
}

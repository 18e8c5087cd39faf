//! `cuhk serve`: unlocked keys, one listener, one handler per connection.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls_pki_types::UnixTime;
use scb_certs::{Certificate, Passphrase};
use scb_cli::{Home, Role, load_config, lost_config};
use scb_protocol::Step;
use scb_storage::HomeLock;
use scb_transport::{Clock, Limits, Listener, Shutdown, raise_descriptor_limit};

use crate::Error;
use crate::authority::Authority;
use crate::clock::{self, ClockCheck};
use crate::config::{Config, DEFAULT_LISTEN, cut_config, path};
use crate::fault::{Fault, Faults};
use crate::handler::Handler;
use crate::http;
use crate::issuers::{Issuers, KeyRing, served_root};
use crate::log::IssuanceLog;
use crate::monitor::Watch;
use crate::note_keys;
use crate::own_identity::dropped_names;
use crate::passphrase_change::{finish_begun, open_and_note, tried};
use crate::signing::Signing;
use crate::store::Store;
use crate::upkeep::Upkeep;
use crate::warnings::{CLOCK_AHEAD, unsigned_since_restored};

/// A home that is held and unlocked, so that it can be served.
#[derive(Debug)]
pub struct Unlocked {
    home: Home,
    signing: Signing,
    log: IssuanceLog,
    lock: HomeLock,
}

impl Unlocked {
    /// Takes the home against a second server and decrypts the issuing authorities' keys.
    /// Never looks at the root's key. Holds up this thread for about half a second.
    ///
    /// # Errors
    ///
    /// [`scb_storage::Error::HomeInUse`]; [`Error::WrongPassphrase`]; [`Error::SigningKeyGone`];
    /// [`scb_certs::Error::KeyFileReadable`]; a damaged or newer database; a configuration
    /// that is not understood.
    pub fn open(home: Home, passphrase: &Passphrase) -> Result<Self, Error> {
        let mut lock = HomeLock::acquire(home.dir(), Role::Cuhk.as_str())?;
        finish_begun(home.dir()).map_err(|error| tried(error, &home, &[passphrase]))?;
        note_keys::create_missing(&home, passphrase)?;
        let unlock = || Issuers::unlock(&home, passphrase);
        let issuers = open_and_note(&home, &mut lock, unlock)?;
        Self::assemble(home, lock, issuers)
    }

    /// As [`Unlocked::open`], with keys that were decrypted before.
    ///
    /// # Errors
    ///
    /// As for [`Unlocked::open`].
    pub fn with_issuers(home: Home, issuers: Issuers) -> Result<Self, Error> {
        let mut lock = HomeLock::acquire(home.dir(), Role::Cuhk.as_str())?;
        open_and_note(&home, &mut lock, || Ok(()))?;
        Self::assemble(home, lock, issuers)
    }

    fn assemble(home: Home, lock: HomeLock, issuers: Issuers) -> Result<Self, Error> {
        let config: Config = load_config(&home)?;
        let store = Store::open(&home.path(path::DATABASE))?;
        // An altered row is told now, not when somebody needs it.
        store.read_blocking(|records| {
            records.roster().check()?;
            records.certificates().check()
        })?;
        let (domain, seed) = (&issuers.trust_domain, &issuers.log);
        let log = IssuanceLog::open(&home, store.clone(), domain, seed)?;
        let signing = Signing {
            store,
            issuers: KeyRing::new(issuers),
            config: Arc::new(config),
            faults: Faults::default(),
        };
        Ok(Self {
            home,
            signing,
            log,
            lock,
        })
    }

    /// The records.
    pub fn store(&self) -> &Store {
        &self.signing.store
    }

    /// The root certificate by which clients recognise this server.
    ///
    /// # Errors
    ///
    /// [`Error::Local`], [`Error::Certificates`].
    pub fn root(&self) -> Result<Certificate, Error> {
        served_root(&self.home)
    }

    /// Looks whether the clock was set back since the records were last written, by more than
    /// five minutes: certificates that have ended would count again. Whoever vouches for it cannot do so
    /// for a time before this CUHK began.
    ///
    /// # Errors
    ///
    /// [`Error::ClockSetBack`], [`Error::ClockBeforeRoot`], [`Error::Storage`].
    pub(crate) fn check_clock(&self, clock: ClockCheck, now: UnixTime) -> Result<(), Error> {
        clock::check_begun(&self.home, now)?;
        let last = self.store().read_blocking(clock::last_believed)?;
        clock.check(last, now)
    }

    /// What to say if the clock is far ahead of all that was recorded. Then nothing is removed by it, also
    /// once this server has recorded something, until somebody vouches for it.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::RecordInvalid`].
    pub(crate) fn doubted_clock(
        &self,
        clock: ClockCheck,
        now: UnixTime,
    ) -> Result<Option<String>, Error> {
        let judged = self
            .store()
            .write_blocking(move |records| clock.judge(records, now))?;
        Ok(judged.err().map(|ahead| format!("{ahead}; {CLOCK_AHEAD}")))
    }

    /// What to say about an address that no name in CUHK's own certificate covers: every client
    /// would refuse the server there.
    pub(crate) fn uncovered(&self, address: SocketAddr) -> Option<String> {
        let listens = address.ip();
        if self.signing.config.covers(listens) {
            return None;
        }
        Some(format!(
            "clients that connect to {listens} will refuse this server: its certificate is for {} \
             only; add the name or the address to `dns` or `ip` in {} and start it again",
            self.signing.config.names().join(", "),
            self.home.path(path::CONFIG).display()
        ))
    }

    /// What to say when the configuration is gone or empty, and of names that the server's certificate
    /// has had so far and has no more from this start on.
    pub(crate) fn lost_settings(&self) -> Vec<String> {
        let dropped = dropped_names(&self.home, &self.signing.config);
        let dropped = (!dropped.is_empty()).then(|| {
            format!(
                "from now on the server's certificate is without {}: clients that know the server so \
                 will refuse it; if that is not meant, put the names back into `dns` and `ip` in {} \
                 and start it again",
                dropped.join(", "),
                self.home.path(path::CONFIG).display()
            )
        });
        let lost = lost_config(&self.home).or_else(|| cut_config(&self.home));
        lost.into_iter().chain(dropped).collect()
    }

    /// What to say as long as the roots have not signed since this home was restored.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub fn behind(&self) -> Result<Option<String>, Error> {
        self.store().read_blocking(|records| {
            let bundles = records.bundles();
            let (is_behind, number) = (bundles.may_be_behind()?, bundles.sequence()?);
            let told = || format!("{}; cuhk root sign-crl", unsigned_since_restored(number));
            Ok(is_behind.then(told))
        })
    }

    /// Commits a fault on purpose from now on; for a sandbox.
    pub(crate) fn commit(&mut self, fault: Fault) {
        self.signing.faults = Faults::of(fault);
    }

    /// Serves at most so many connections at once, whatever the configuration says.
    pub(crate) fn limit_connections(&mut self, most: usize) {
        Arc::make_mut(&mut self.signing.config)
            .limits
            .max_connections = most;
    }

    /// Where to listen: the argument, else the configuration, else 127.0.0.1:8011.
    pub(crate) fn listen_address(&self, argument: Option<SocketAddr>) -> SocketAddr {
        argument
            .or(self.signing.config.listen)
            .unwrap_or(DEFAULT_LISTEN)
    }

    /// Where to tell of health and numbers: the argument, else the configuration, else nowhere.
    pub(crate) fn metrics_address(&self, argument: Option<SocketAddr>) -> Option<SocketAddr> {
        argument.or(self.signing.config.metrics)
    }

    /// Where to publish over HTTP: the argument, else the configuration, else nowhere.
    pub fn http_address(&self, argument: Option<SocketAddr>) -> Option<SocketAddr> {
        argument.or(self.signing.config.http)
    }

    /// What to say when certificates name addresses at which nothing is published from here.
    pub(crate) fn unpublished(&self) -> Option<String> {
        let url = self.signing.config.public_url.as_ref()?;
        Some(format!(
            "certificates name revocation lists at {url}, but none are published from here: add \
             `http` to {} or start with --http",
            self.home.path("config.toml").display()
        ))
    }
}

/// A CUHK that listens.
#[derive(Debug)]
pub struct Server {
    listener: Listener,
    plain: Option<Listener>,
    authority: Arc<Authority>,
    upkeep: Arc<Upkeep>,
    log: Arc<IssuanceLog>,
    limits: Limits,
    store: Store,
    clock: Arc<dyn Clock>,
    _lock: HomeLock,
}

impl Server {
    /// Makes or renews CUHK's own certificates and the revocation lists, and binds `listen`;
    /// port 0 takes a free one.
    ///
    /// # Errors
    ///
    /// [`scb_transport::Error::AddressInUse`] and any of [`Error::Storage`],
    /// [`Error::Certificates`], [`Error::Local`].
    pub async fn bind(
        unlocked: Unlocked,
        listen: SocketAddr,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        let Unlocked {
            home,
            signing,
            log,
            lock,
        } = unlocked;
        let descriptors = raise_descriptor_limit();
        let listener = Listener::bind(listen).await?.within(descriptors);
        let limits = signing.config.limits;
        let store = signing.store.clone();
        let upkeep = Upkeep::start(home, signing.clone(), Arc::clone(&clock)).await?;
        let upkeep = Arc::new(upkeep);
        let log = Arc::new(log);
        let (keeper, time) = (Arc::clone(&upkeep), Arc::clone(&clock));
        let authority = Authority::new(signing, keeper, Arc::clone(&log), time)?;
        Ok(Self {
            listener,
            plain: None,
            authority: Arc::new(authority),
            upkeep,
            log,
            limits,
            store,
            clock,
            _lock: lock,
        })
    }

    /// Publishes CA certificates and revocation lists at `address` as well, over HTTP without
    /// TLS; port 0 takes a free one.
    ///
    /// # Errors
    ///
    /// As for [`Listener::bind`].
    pub async fn publish_at(mut self, address: SocketAddr) -> Result<Self, Error> {
        let plain = Listener::bind(address).await?.beside(&self.listener);
        self.plain = Some(plain.first_step(Step::Zero));
        Ok(self)
    }

    /// Has somebody look after this server.
    pub fn watched_by(&self, watch: &Watch) {
        let authority = Arc::clone(&self.authority);
        watch.over(authority, self.store.clone(), Arc::clone(&self.clock));
    }

    /// The address of [`Server::publish_at`], with the real port.
    pub fn http_addr(&self) -> Option<SocketAddr> {
        self.plain.as_ref().map(Listener::local_addr)
    }

    /// The address that is bound, with the real port.
    pub fn local_addr(&self) -> SocketAddr {
        self.listener.local_addr()
    }

    /// A handle by which to have changes in the database noticed at once.
    pub fn refresher(&self) -> Refresher {
        Refresher(Arc::clone(&self.upkeep))
    }

    /// Serves until `shutdown`, lets the handlers finish and closes the database.
    pub async fn run(self, shutdown: Shutdown) {
        let Self {
            listener,
            plain,
            authority,
            upkeep,
            log,
            limits,
            store,
            clock: _,
            _lock,
        } = self;
        let tls = upkeep.tls();
        let public = http::public(Arc::clone(&authority));
        let (plain_limits, plain_shutdown) = (limits, shutdown.clone());
        let publishing = async move {
            if let Some(plain) = plain {
                plain
                    .serve_plain(public, plain_limits, plain_shutdown)
                    .await;
            }
        };
        let stop = shutdown.clone();
        let listener = listener.with_http(http::standards(Arc::clone(&authority)));
        let handler = move |connection| {
            let authority = Arc::clone(&authority);
            Handler::new(connection, authority, limits, stop.clone()).run()
        };
        let serving = listener.serve(tls, limits, shutdown.clone(), handler);
        tokio::join!(
            serving,
            publishing,
            upkeep.run(&shutdown),
            log.run(&shutdown)
        );
        log.publish_or_log().await;
        store.close().await;
    }
}

/// Has changes in the database noticed at once instead of within half a second.
#[derive(Debug, Clone)]
pub struct Refresher(Arc<Upkeep>);

impl Refresher {
    /// Signs revocation lists and renews certificates where that is needed.
    ///
    /// # Errors
    ///
    /// Any of [`Error::Storage`], [`Error::Certificates`], [`Error::Local`].
    pub async fn refresh(&self) -> Result<(), Error> {
        self.0.refresh().await.map(drop)
    }
}

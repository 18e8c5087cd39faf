//! A campus with CUHK and this server running.

use std::fs;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use scb_certs::{SpiffeId, write_private};
use scb_cli::{Failure, Home, Role};
use scb_protocol::install_crypto;
use scb_storage::HomeLock;
use scb_testkit::{TestCampus, TestIdentity};
use scb_transport::{Clock, ClockFn, Shutdown};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::cuhk::FakeCuhk;
use super::group::Group;
use crate::authority::{CuhkAddress, Settings};
use crate::config::Config;
use crate::fault::Faults;
use crate::identity::IdentityFiles;
use crate::serve::Server;
use crate::store::{Store, Summary};

/// Everything that runs, and where it keeps its things.
pub(super) struct Campus {
    pub(super) certs: Arc<TestCampus>,
    pub(super) cuhk: FakeCuhk,
    pub(super) dir: tempfile::TempDir,
    pub(super) home: Home,
    pub(super) config: Config,
    pub(super) address: SocketAddr,
    pub(super) service: SpiffeId,
    shutdown: Shutdown,
    server: Option<JoinHandle<Result<(), Failure>>>,
}

impl Campus {
    pub(super) async fn open() -> Self {
        Self::with(|_| {}).await
    }

    /// With another configuration of the server.
    pub(super) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        install_crypto();
        let certs = Arc::new(TestCampus::new());
        let cuhk = FakeCuhk::start(&certs).await;
        let identity = certs.service("blackboard");
        let (dir, home) = home_with(&certs, &identity);
        let mut config = Config {
            cuhk: Some(cuhk.address.to_string()),
            ..Config::default()
        };
        change(&mut config);
        let mut campus = Self {
            service: identity.leaf().spiffe_id().unwrap(),
            certs,
            cuhk,
            dir,
            home,
            config,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            shutdown: Shutdown::new(),
            server: None,
        };
        campus.start().await.unwrap();
        campus
    }

    /// Starts the server, at the same address as before.
    pub(super) async fn start(&mut self) -> anyhow::Result<()> {
        let lock = HomeLock::acquire(self.home.dir(), "blackboard")?;
        let server = Server::open(
            &self.home,
            lock,
            &self.config,
            CuhkAddress::fixed(self.config.cuhk.clone().unwrap()),
            self.address,
            self.clock(),
            Faults::default(),
        )
        .await?
        .with_sample_course()?;
        self.address = server.address();
        self.shutdown = Shutdown::new();
        self.server = Some(tokio::spawn(server.run(self.shutdown.clone())));
        Ok(())
    }

    pub(super) async fn stop(&mut self) {
        self.shutdown.trigger();
        if let Some(server) = self.server.take() {
            server.await.unwrap().unwrap();
        }
    }

    /// Waits until the server ends of itself, and how it did.
    pub(super) async fn ended(&mut self) -> Result<(), Failure> {
        self.server.take().unwrap().await.unwrap()
    }

    /// What this server has to ask CUHK, as the identity in the home.
    pub(super) fn authority(&self) -> Settings {
        let files = IdentityFiles::open(&self.home).unwrap();
        let identity = files.current().unwrap().unwrap();
        Settings {
            address: CuhkAddress::fixed(self.cuhk.address.to_string()),
            roots: vec![self.certs.root().certificate().clone()],
            home: self.home.clone(),
            identity: watch::channel(Arc::new(identity)).1,
            store: Store::open(&self.home).unwrap(),
            outage: self.config.outage,
            clock: self.clock(),
        }
    }

    pub(super) fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(ClockFn(self.certs.clock().reader()))
    }

    /// Students who are certified and have fresh tokens.
    pub(super) fn group(&self, sids: &[&str]) -> Group<'_> {
        Group::new(self, sids)
    }

    /// The three of every example.
    pub(super) fn three(&self) -> Group<'_> {
        self.group(&["1155000001", "1155000002", "1155000003"])
    }

    pub(super) fn submissions(&self) -> Vec<Summary> {
        let store = Store::open(&self.home).unwrap();
        let record = |number| store.record(number).unwrap().unwrap();
        let numbers = store.numbers().unwrap();
        numbers
            .into_iter()
            .map(|number| record(number).summary())
            .collect()
    }

    /// Nothing was stored: no record and no content. What came of an upload waits for the rest.
    pub(super) async fn assert_nothing_stored(&self) {
        assert_eq!(self.submissions(), []);
        let content = self.home.path("content");
        super::eventually("no content is left", || files_below(&content).is_empty()).await;
    }

    pub(super) fn content_files(&self) -> usize {
        files_below(&self.home.path("content")).len()
    }
}

/// A home as `init` leaves it.
pub(super) fn home_with(campus: &TestCampus, identity: &TestIdentity) -> (tempfile::TempDir, Home) {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::create(&dir.path().join("home"), Role::Blackboard).unwrap();
    fs::write(home.path("ca.pem"), campus.root().certificate().to_pem()).unwrap();
    fs::create_dir(home.path("tls")).unwrap();
    let key = identity.key.to_pem(None).unwrap();
    write_private(&home.path("tls/key.pem"), &key).unwrap();
    fs::write(home.path("tls/chain.pem"), identity.chain.to_pem()).unwrap();
    (dir, home)
}

fn files_below(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type().unwrap().is_dir() {
            if name != "uploads" {
                found.extend(files_below(&entry.path()));
            }
        } else if name != "lock" {
            found.push(name);
        }
    }
    found
}

/// A folder with all that is in it. A database that is being closed takes its log with it: what
/// goes meanwhile is not copied.
pub(super) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        match path.is_dir() {
            true => copy(&path, &to),
            false => match fs::copy(&path, &to) {
                Err(gone) if gone.kind() == ErrorKind::NotFound => {}
                copied => drop(copied.unwrap()),
            },
        }
    }
}

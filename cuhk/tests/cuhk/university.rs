//! A CUHK in a temporary directory, and whoever talks to it.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use scb_certs::{
    Certificate, Chain, Fingerprint, ServiceName, SigningKey, TrustStore, create_request,
};
use scb_cli::{save_config, write_atomic};
use scb_cuhk::{
    Config, Error, Grounds, Issuers, NewAuthority, Records, Refresher, Server, Service, Store,
    Student, Target, Unlocked, Watch, add_service, init, issue_code, open_home, revoke,
};
use scb_protocol::message::cuhk::{MemberQuestion, Reply, Request};
use scb_protocol::values::{Der, Nonce};
use scb_protocol::{Code, EnrolmentCode, Refusal, Step, install_crypto};
use scb_testkit::FixedClock;
use scb_transport::{ClientTls, Clock, ClockFn, Connection, ServerTrust, Shutdown, connect};
use tempfile::TempDir;
use tokio::task::JoinHandle;

pub const PASSPHRASE: &str = "correct horse";
pub const ROOT_PASSPHRASE: &str = "battery staple";
const PATIENCE: Duration = Duration::from_secs(10);

/// A running CUHK with the students 1155000001 to 1155000004 and the service `blackboard`.
pub struct University {
    pub dir: TempDir,
    pub clock: FixedClock,
    pub root: Certificate,
    pub store: Store,
    pub address: String,
    pub http: SocketAddr,
    pub monitor: SocketAddr,
    pub refresher: Refresher,
    shutdown: Shutdown,
    running: JoinHandle<()>,
}

/// Somebody with a key and the certificate for it.
#[derive(Clone)]
pub struct Credentials {
    pub key: SigningKey,
    pub chain: Chain,
}

/// A CUHK that does not run, whose files can be altered.
pub struct Stopped {
    dir: TempDir,
    clock: FixedClock,
    root: Certificate,
}

impl Stopped {
    pub fn home(&self) -> PathBuf {
        self.dir.path().join("cuhk")
    }

    pub fn open_database(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.home().join("cuhk.db")).unwrap()
    }

    pub async fn start(self) -> University {
        let store = Store::open(&self.home().join("cuhk.db")).unwrap();
        University::serve(self.dir, self.clock, self.root, store).await
    }

    /// Why it does not start.
    pub async fn refused(&self) -> Error {
        let bound = University::bind(&self.dir, &self.clock).await;
        bound.err().unwrap()
    }
}

impl University {
    pub async fn open() -> Self {
        Self::open_with(Config::default()).await
    }

    pub async fn open_with(config: Config) -> Self {
        install_crypto();
        let dir = tempfile::tempdir().unwrap();
        let clock = FixedClock::default();
        let root = Template::shared().unpack(&dir.path().join("cuhk"));
        let home = open_home(&dir.path().join("cuhk")).unwrap();
        save_config(&home, &config).unwrap();
        let store = Store::open(&home.path("cuhk.db")).unwrap();
        let university = Self::serve(dir, clock, root, store).await;
        university.populate().await;
        university
    }

    /// Stops the server and starts it again on the same home.
    pub async fn restart(self) -> Self {
        self.shutdown.trigger();
        self.running.await.unwrap();
        Self::serve(self.dir, self.clock, self.root, self.store).await
    }

    /// Stops the server and closes the database.
    pub async fn stopped(self) -> Stopped {
        self.shutdown.trigger();
        self.running.await.unwrap();
        self.store.close().await;
        Stopped {
            dir: self.dir,
            clock: self.clock,
            root: self.root,
        }
    }

    /// The database as it is now.
    pub fn back_up(&self) -> PathBuf {
        let backup = self.dir.path().join("backup.db");
        let database = rusqlite::Connection::open(self.database()).unwrap();
        let text = backup.to_str().unwrap();
        database.execute("VACUUM INTO ?1", [text]).unwrap();
        backup
    }

    /// Stops the server, puts the backup in place of the database and starts again.
    pub async fn restore(self, backup: &Path) -> Self {
        self.shutdown.trigger();
        let path = self.database();
        self.running.await.unwrap();
        self.store.close().await;
        assert!(!path.with_extension("db-wal").exists());
        fs::copy(backup, &path).unwrap();
        let store = Store::open(&path).unwrap();
        Self::serve(self.dir, self.clock, self.root, store).await
    }

    fn database(&self) -> PathBuf {
        self.dir.path().join("cuhk/cuhk.db")
    }

    async fn bind(dir: &TempDir, clock: &FixedClock) -> Result<Server, Error> {
        let home = open_home(&dir.path().join("cuhk")).unwrap();
        let issuers = Template::shared().issuers.clone();
        let unlocked = Unlocked::with_issuers(home, issuers).unwrap();
        let listen = "127.0.0.1:0".parse().unwrap();
        let reader = Arc::new(ClockFn(clock.reader()));
        Server::bind(unlocked, listen, reader).await
    }

    async fn serve(dir: TempDir, clock: FixedClock, root: Certificate, store: Store) -> Self {
        let listen = "127.0.0.1:0".parse().unwrap();
        let server = Self::bind(&dir, &clock).await.unwrap();
        let server = server.publish_at(listen).await.unwrap();
        let shutdown = Shutdown::new();
        let watch = Watch::start(listen, &shutdown).await.unwrap();
        server.watched_by(&watch);
        Self {
            dir,
            clock,
            root,
            store,
            address: server.local_addr().to_string(),
            http: server.http_addr().unwrap(),
            monitor: watch.address(),
            refresher: server.refresher(),
            shutdown: shutdown.clone(),
            running: tokio::spawn(server.run(shutdown)),
        }
    }

    pub async fn stop(self) {
        self.shutdown.trigger();
        self.running.await.unwrap();
    }

    async fn populate(&self) {
        let now = self.clock.now();
        self.change(move |records| {
            for number in 1..=4 {
                let student = Student {
                    sid: format!("115500000{number}").parse()?,
                    name: "陳大文".into(),
                    email: String::new(),
                    programme: String::new(),
                    active: true,
                };
                records.roster().import(&student, now)?;
            }
            let blackboard = Service {
                name: ServiceName::blackboard(),
                dns_names: vec!["localhost".into()],
                ip_addresses: vec!["127.0.0.1".parse().unwrap()],
            };
            add_service(records, &blackboard, now).map(drop)
        })
        .await;
    }

    /// What the command line does in another process: the same database, another handle.
    pub async fn change<T, F>(&self, job: F) -> T
    where
        T: Send + 'static,
        F: FnOnce(&Records<'_>) -> Result<T, Error> + Send + 'static,
    {
        self.store.write(job).await.unwrap()
    }

    pub async fn code(&self, subject: &str) -> EnrolmentCode {
        self.code_replacing(subject, false).await
    }

    pub async fn code_replacing(&self, subject: &str, replace: bool) -> EnrolmentCode {
        let (subject, now) = (subject.parse().unwrap(), self.clock.now());
        self.change(move |records| issue_code(records, &subject, replace, now))
            .await
            .code
    }

    pub async fn revoke(&self, subject: &str, reason: impl Into<Grounds>) {
        let target = Target::Subject(subject.parse().unwrap());
        let reason = reason.into();
        let now = self.clock.now();
        self.change(move |records| revoke(records, &target, reason, now))
            .await;
    }

    /// Takes a student off the roster behind CUHK's back.
    pub async fn forget_student(&self, sid: &str) {
        let database = rusqlite::Connection::open(self.database()).unwrap();
        let removed = database.execute("DELETE FROM student WHERE sid = ?1", [sid]);
        assert_eq!(removed.unwrap(), 1);
    }

    /// How many certificates the records hold for a subject.
    pub async fn count_certificates(&self, subject: &str) -> usize {
        let subject = subject.parse().unwrap();
        let all = self
            .store
            .read(move |records| records.certificates().of(&subject))
            .await;
        all.unwrap().len()
    }

    pub fn trust(&self) -> TrustStore {
        TrustStore::new(self.root.clone()).unwrap()
    }

    pub async fn dial(&self, who: Option<&Credentials>) -> Result<Connection, Refusal> {
        let clock: Arc<dyn Clock> = Arc::new(ClockFn(self.clock.reader()));
        let identity = who.map(|who| (who.chain.clone(), who.key.clone()));
        let trust = ServerTrust::Fingerprint(self.root.fingerprint());
        let tls = ClientTls::with_clock(trust, ServiceName::cuhk(), identity, clock).unwrap();
        let mut connection = connect(&self.address, &tls, Step::One, PATIENCE).await?;
        let greeting: Reply = connection.receive_reply(Step::One, PATIENCE).await?;
        assert!(matches!(greeting, Reply::Greeting { v: 1, .. }));
        Ok(connection)
    }

    pub async fn connect(&self) -> Connection {
        self.dial(None).await.unwrap()
    }

    pub async fn connect_as(&self, who: &Credentials) -> Connection {
        self.dial(Some(who)).await.unwrap()
    }

    /// Asks one question on a connection of its own.
    pub async fn ask(
        &self,
        who: Option<&Credentials>,
        request: &Request,
    ) -> Result<Reply, Refusal> {
        let mut connection = self.dial(who).await?;
        ask(&mut connection, request).await
    }

    /// Enrols a student with a fresh code and a fresh key.
    pub async fn student(&self, sid: &str) -> Credentials {
        let (code, key) = (self.code(sid).await, SigningKey::generate().unwrap());
        let reply = self.ask(None, &enrol(sid, &code, &key)).await;
        Credentials {
            key,
            chain: enrolled(reply).0,
        }
    }

    /// Enrols Blackboard with a fresh code and a fresh key.
    pub async fn blackboard(&self) -> Credentials {
        let (code, key) = (
            self.code("service/blackboard").await,
            SigningKey::generate().unwrap(),
        );
        let reply = self
            .ask(None, &enrol_service("blackboard", &code, &key))
            .await;
        Credentials {
            key,
            chain: service_enrolled(reply),
        }
    }
}

/// A new home in memory, made once per process: encrypting keys takes most of a second.
struct Template {
    root: Certificate,
    issuers: Issuers,
    files: Vec<(PathBuf, Vec<u8>)>,
}

impl Template {
    fn shared() -> &'static Self {
        static TEMPLATE: OnceLock<Template> = OnceLock::new();
        TEMPLATE.get_or_init(|| {
            let dir = tempfile::tempdir().unwrap();
            let home = dir.path().join("cuhk");
            let now = FixedClock::default().now();
            let root = init(&home, &new_authority(Config::default()), now).unwrap();
            let passphrase = PASSPHRASE.to_owned().into();
            Self {
                root,
                issuers: Issuers::unlock(&open_home(&home).unwrap(), &passphrase).unwrap(),
                files: files_below(&home, &home),
            }
        })
    }

    fn unpack(&self, home: &Path) -> Certificate {
        for dir in [
            "root",
            "issuers/students",
            "issuers/services",
            "tls",
            "tokens",
            "keys",
        ] {
            fs::create_dir_all(home.join(dir)).unwrap();
        }
        for (name, bytes) in &self.files {
            write_atomic(&home.join(name), bytes, 0o600).unwrap();
        }
        self.root.clone()
    }
}

fn files_below(dir: &Path, home: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let files = entries.flat_map(|path| match path.is_dir() {
        true => files_below(&path, home),
        false => vec![(
            path.strip_prefix(home).unwrap().to_owned(),
            fs::read(&path).unwrap(),
        )],
    });
    files.collect()
}

pub fn new_authority(config: Config) -> NewAuthority {
    NewAuthority {
        trust_domain: "cuhk.example".parse().unwrap(),
        config,
        passphrase: PASSPHRASE.to_owned().into(),
        root_passphrase: ROOT_PASSPHRASE.to_owned().into(),
    }
}

pub async fn ask(connection: &mut Connection, request: &Request) -> Result<Reply, Refusal> {
    connection.send(request).await?;
    connection.receive_reply(Step::One, PATIENCE).await
}

pub fn enrol(sid: &str, code: &EnrolmentCode, key: &SigningKey) -> Request {
    enrol_with(sid, code, create_request(key).unwrap())
}

pub fn enrol_with(sid: &str, code: &EnrolmentCode, request: Vec<u8>) -> Request {
    let (sid, code) = (sid.parse().unwrap(), code.clone());
    Request::Enrol {
        sid,
        code,
        request: Der::new(request),
    }
}

pub fn enrol_service(name: &str, code: &EnrolmentCode, key: &SigningKey) -> Request {
    let request = Der::new(create_request(key).unwrap());
    Request::EnrolService {
        name: name.parse().unwrap(),
        code: code.clone(),
        request,
    }
}

pub fn renew(key: &SigningKey) -> Request {
    Request::Renew {
        request: Der::new(create_request(key).unwrap()),
    }
}

pub fn renew_service(key: &SigningKey) -> Request {
    Request::RenewService {
        request: Der::new(create_request(key).unwrap()),
    }
}

pub fn verify(members: &[(&str, Fingerprint)]) -> Request {
    let question = |&(sid, cert_sha256): &(&str, Fingerprint)| MemberQuestion {
        sid: sid.parse().unwrap(),
        cert_sha256,
    };
    Request::Verify {
        nonce: Nonce::random().unwrap(),
        members: members.iter().map(question).collect(),
        statement_sha256: None,
    }
}

pub fn enrolled(reply: Result<Reply, Refusal>) -> (Chain, String) {
    match reply.unwrap() {
        Reply::Enrolled { chain, token } => (chain, token),
        other => panic!("expected `enrolled`, got {other:?}"),
    }
}

pub fn service_enrolled(reply: Result<Reply, Refusal>) -> Chain {
    match reply.unwrap() {
        Reply::ServiceEnrolled { chain } => chain,
        other => panic!("expected `service_enrolled`, got {other:?}"),
    }
}

pub fn status(reply: Result<Reply, Refusal>) -> u64 {
    match reply.unwrap() {
        Reply::Status { epoch } => epoch,
        other => panic!("expected `status`, got {other:?}"),
    }
}

pub fn refused(reply: Result<Reply, Refusal>) -> Code {
    reply.unwrap_err().code
}

//! `blackboard init`: the service's first certificate, for a one-time code.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use rustls_pki_types::UnixTime;
use scb_certs::{
    Certificate, Chain, Fingerprint, ServiceName, ServiceUsage, SigningKey, TrustStore,
    all_from_pem, create_request,
};
use scb_cli::{
    Failure, Home, ROOTS, counted, former_roots, keep_bundle, keep_root, load_config, read_limited,
    write_atomic,
};
use scb_protocol::message::cuhk::{Reply, Request};
use scb_protocol::values::Der;
use scb_protocol::{
    Code, EnrolmentCode, Message as _, Refusal, SignedBundle, Step, VerifiedBundle,
};
use scb_transport::{ClientTls, Clock, Connection, ServerTrust, connect};

use crate::config::Config;
use crate::identity::{Identity, IdentityFiles};
use crate::store::Store;

/// Largest root certificate file, in bytes.
const CA_LIMIT: u64 = 64 * 1024;
/// For connecting, and for each answer.
const DEADLINE: Duration = Duration::from_secs(10);

/// How CUHK's root is known.
#[derive(Debug, Clone)]
pub(crate) enum KnownRoot {
    /// By itself, or several that are trusted side by side.
    Certificates(Vec<Certificate>),
    /// By its SHA-256; CUHK sends the certificate itself.
    Fingerprint(Fingerprint),
}

impl KnownRoot {
    /// By a PEM file.
    pub(crate) fn file(path: &Path) -> anyhow::Result<Self> {
        read_roots(path).map(Self::Certificates)
    }
}

/// What is needed for a first certificate.
#[derive(Debug, Clone)]
pub(crate) struct Enrolment {
    /// `host:port` of CUHK.
    pub(crate) cuhk: String,
    /// How CUHK's root is known.
    pub(crate) root: KnownRoot,
    /// DNS names that the certificate must have.
    pub(crate) dns: Vec<String>,
    /// IP addresses that the certificate must have.
    pub(crate) ip: Vec<IpAddr>,
}

impl Enrolment {
    /// Gets the certificate and stores root, address, key and certificate in `home`. Until
    /// the last of them is there nothing counts, and the same call begins again: with the
    /// same key, so that the same code still holds. No key is made before CUHK has proved that
    /// it is CUHK, and one that it refuses at once is not kept.
    pub(crate) async fn run(
        &self,
        home: &Home,
        code: EnrolmentCode,
        clock: &Arc<dyn Clock>,
    ) -> anyhow::Result<Identity> {
        let files = IdentityFiles::open(home)?;
        let (mut connection, root) = self.reach(clock).await?;
        let (trust, bundle) = trust_of_now(&mut connection, &root, clock).await?;
        let (chain, key) = self.certify(connection, &files, code).await?;
        self.check(&chain, &key, (&trust, clock.now()))?;
        let known = known_roots(home);
        // Before its root counts here: if this is interrupted, the next attempt does it again.
        if !known.is_empty() && !trust.roots().iter().any(|root| known.contains(root)) {
            forget_log(home, clock)?;
        }
        let present = [known, vec![root.clone()]].concat();
        match bundle {
            Some((signed, verified)) => keep_bundle(home, &present, &signed, &verified)?,
            None => keep_root(home, &present, &root)?,
        }
        let config = Config {
            cuhk: Some(self.cuhk.clone()),
            ..load_config(home)?
        };
        write_atomic(
            &home.path("config.toml"),
            config.to_toml().as_bytes(),
            0o600,
        )?;
        files.install(&chain)?;
        Ok(Identity { chain, key })
    }

    /// Asks for the certificate, with the key of an attempt before or a new one.
    async fn certify(
        &self,
        mut connection: Connection,
        files: &IdentityFiles,
        code: EnrolmentCode,
    ) -> anyhow::Result<(Chain, SigningKey)> {
        let repeated = files.has_next_key();
        let key = files.next_key()?;
        let request = Request::EnrolService {
            name: ServiceName::blackboard(),
            code,
            request: Der::new(create_request(&key)?),
        };
        let answer = ask(&mut connection, &request).await;
        if matches!(&answer, Err(refusal) if !repeated && is_never_certified(refusal)) {
            files.discard_next_key()?;
        }
        let chain = answer?;
        connection.close().await;
        Ok((chain, key))
    }

    /// What CUHK answered is a certificate for this service, this key and these names.
    fn check(
        &self,
        chain: &Chain,
        key: &SigningKey,
        (trust, now): (&TrustStore, UnixTime),
    ) -> anyhow::Result<()> {
        trust
            .verify_service(chain, &ServiceName::blackboard(), ServiceUsage::Server, now)
            .context("CUHK's certificate for this service cannot be used")?;
        if chain.leaf().public_key()? != *key.public_key() {
            return Err(anyhow!(
                "CUHK's certificate for this service is for another key"
            ));
        }
        self.check_names(chain.leaf())
    }

    /// Not a byte of the code leaves before CUHK has proved that it is CUHK.
    async fn reach(&self, clock: &Arc<dyn Clock>) -> anyhow::Result<(Connection, Certificate)> {
        let trust = self.server_trust()?;
        let tls = ClientTls::with_clock(trust, ServiceName::cuhk(), None, Arc::clone(clock))?;
        let mut connection = connect(&self.cuhk, &tls, Step::Zero, DEADLINE).await?;
        let root = connection
            .root_seen()
            .cloned()
            .context("CUHK sent no root certificate")?;
        match connection.receive_reply(Step::Zero, DEADLINE).await? {
            Reply::Greeting { v: 1, .. } => Ok((connection, root)),
            other => Err(misbehaved(&other).into()),
        }
    }

    fn server_trust(&self) -> anyhow::Result<ServerTrust> {
        match &self.root {
            KnownRoot::Fingerprint(fingerprint) => Ok(ServerTrust::Fingerprint(*fingerprint)),
            KnownRoot::Certificates(roots) => Ok(ServerTrust::Pinned(Arc::new(
                TrustStore::of_roots(roots.clone())?,
            ))),
        }
    }

    fn check_names(&self, leaf: &Certificate) -> anyhow::Result<()> {
        let (dns, ips) = (leaf.dns_names(), leaf.ip_addresses());
        let missing_dns = self.dns.iter().find(|name| !dns.contains(name)).cloned();
        let missing_ip = self
            .ip
            .iter()
            .find(|ip| !ips.contains(ip))
            .map(IpAddr::to_string);
        let Some(missing) = missing_dns.or(missing_ip) else {
            return Ok(());
        };
        Err(Failure::refused(format!(
            "CUHK's certificate for this service is not for {missing}"
        ))
        .with_remedy("name it to `cuhk service add` with --dns or --ip, or leave it out here")
        .with_code("name_missing")
        .into())
    }
}

/// The roots that count now, by the word of the one under which CUHK has proved itself: while one
/// follows another, a certificate may be under either.
async fn trust_of_now(
    connection: &mut Connection,
    root: &Certificate,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<(TrustStore, Option<(SignedBundle, VerifiedBundle)>)> {
    let trust = TrustStore::new(root.clone())?;
    let latest = Request::TrustBundle { sequence: 0 };
    connection.send(&latest).await?;
    let answer = connection.receive_reply(Step::Zero, DEADLINE).await;
    let Some(signed) = SignedBundle::in_answer(answer, Step::Zero)? else {
        return Ok((trust, None));
    };
    let verified = signed
        .verify(&trust, 0, clock.now())
        .context("CUHK's trust bundle does not count")?;
    Ok((verified.trust().clone(), Some((signed, verified))))
}

/// The roots that count here or ever did; none in a new home.
fn known_roots(home: &Home) -> Vec<Certificate> {
    let mut roots = former_roots(home);
    // What cannot be read of them says nothing.
    roots.extend(stored_roots(home).unwrap_or_default());
    roots
}

/// None of this CUHK's roots is known here: it is another one, and its issuance log another log, also if
/// it has the name of the former one's. What was seen of that stays as evidence.
fn forget_log(home: &Home, clock: &Arc<dyn Clock>) -> anyhow::Result<()> {
    let Some(store) = Store::existing(home)? else {
        return Ok(());
    };
    if let Some(former) = store.set_log_aside(clock.now())? {
        tracing::warn!(
            "this CUHK has another root than the one before: its issuance log is taken as a new one; \
             what was seen of the former log, {}, is kept as evidence (blackboard witness show)",
            counted(former.head.size, "entry")
        );
    }
    Ok(())
}

async fn ask(connection: &mut Connection, request: &Request) -> Result<Chain, Refusal> {
    connection.send(request).await?;
    match connection.receive_reply(Step::Zero, DEADLINE).await? {
        Reply::ServiceEnrolled { chain } => Ok(chain),
        other => Err(misbehaved(&other)),
    }
}

/// Whether CUHK itself said no. Everything else may hide that it said yes.
fn is_never_certified(refusal: &Refusal) -> bool {
    refusal.code.refuses_enrolment() || refusal.code == Code::NotPermitted
}

fn misbehaved(got: &Reply) -> Refusal {
    Refusal::new(Code::ServerMisbehaved, Step::Zero).with("got", got.name())
}

/// The roots that count here: the one that `init` has stored, and what became of it since. The
/// oldest first, never none.
pub(crate) fn stored_roots(home: &Home) -> anyhow::Result<Vec<Certificate>> {
    read_roots(&home.path(ROOTS))
}

/// What judges signatures that Blackboard made at any time: every root that this home has trusted.
pub(crate) fn receipt_trust(home: &Home) -> anyhow::Result<Vec<TrustStore>> {
    let roots = stored_roots(home)?.into_iter().chain(former_roots(home));
    Ok(roots.map(TrustStore::new).collect::<Result<_, _>>()?)
}

/// SHA-256 of the roots by which receipts are judged: those of its time may have been dropped.
pub(crate) fn receipt_roots(home: &Home) -> anyhow::Result<Vec<Fingerprint>> {
    let roots = stored_roots(home)?.into_iter().chain(former_roots(home));
    Ok(roots.map(|root| root.fingerprint()).collect())
}

fn read_roots(path: &Path) -> anyhow::Result<Vec<Certificate>> {
    let pem = read_limited(path, CA_LIMIT)?;
    let roots = all_from_pem(&String::from_utf8_lossy(&pem));
    // Whether they are roots at all shows here, and not where they are first used.
    let roots =
        roots.and_then(|roots| TrustStore::of_roots(roots).map(|trust| trust.roots().to_vec()));
    Ok(roots.map_err(|error| {
        Failure::usage(format!(
            "{} is not a root certificate: {error}",
            path.display()
        ))
        .with_remedy("use the ca.pem that CUHK publishes")
        .with_code("root_file")
    })?)
}

//! How servers are recognised: no byte of a code goes to anybody else.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::Ordering;
use std::time::Duration;

use scb_certs::{Certificate, DistributionUrls, IssuerKind, Root, SigningKey};
use scb_student::{Error, Setup};
use scb_testkit::{TestCampus, TestIdentity};

use crate::campus::{Campus, THREE, code, enrol};
use crate::servers::{bundle, serve_cuhk_under};

fn refused_by_the_client(identity: impl FnOnce(&TestCampus) -> TestIdentity) {
    let campus = Campus::with_cuhk(identity);
    let (result, events) = campus.enrol(&THREE);
    assert_eq!(code(result), "server_identity");
    assert!(events.is_empty());
    assert_eq!(campus.desk.requests.load(Ordering::SeqCst), 0);
    assert!(campus.home().roots().unwrap().is_empty());
}

#[test]
fn accepts_the_cuhk_that_is_meant() {
    let campus = Campus::with_cuhk(|campus| campus.service("cuhk"));
    campus.enrol(&THREE).0.unwrap();
    assert_eq!(campus.desk.requests.load(Ordering::SeqCst), 3);
}

#[test]
fn sends_nothing_to_another_service() {
    refused_by_the_client(|campus| campus.service("blackboard"));
}

#[test]
fn sends_nothing_to_a_student() {
    let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
    refused_by_the_client(|campus| campus.forge().ip(local).build());
}

#[test]
fn sends_nothing_to_a_cuhk_under_another_root() {
    refused_by_the_client(|_| TestCampus::new().service("cuhk"));
}

#[test]
fn sends_nothing_under_an_expired_certificate() {
    refused_by_the_client(|campus| campus.service_valid("cuhk", &campus.expired()));
}

#[test]
fn sends_nothing_to_a_cuhk_of_another_address() {
    let elsewhere = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
    refused_by_the_client(|campus| {
        let validity = campus.validity(Duration::from_secs(3600));
        campus.service_at("cuhk", &["localhost"], &[elsewhere], &validity)
    });
}

#[test]
fn a_fingerprint_is_enough_and_the_root_is_remembered() {
    let campus = Campus::new();
    let fingerprint = campus.desk.campus.root_fingerprint();
    let mut engine = campus
        .try_engine(&format!("--ca-fingerprint {fingerprint}"))
        .unwrap();
    enrol(&mut engine, campus.codes(&THREE)).0.unwrap();
    let root = campus.home().roots().unwrap().remove(0);
    assert_eq!(root.fingerprint(), fingerprint);
    let config = campus.home().config().unwrap();
    assert_eq!(config.cuhk.as_deref(), Some(campus.cuhk.as_str()));
    let remembered = campus.try_engine("").unwrap();
    assert_eq!(remembered.setup.fingerprint(), Some(fingerprint));
}

#[test]
fn another_fingerprint_is_refused_before_a_code_is_sent() {
    let campus = Campus::new();
    let other = TestCampus::new().root_fingerprint();
    let mut engine = campus
        .try_engine(&format!("--ca-fingerprint {other}"))
        .unwrap();
    let (result, _) = enrol(&mut engine, campus.codes(&THREE));
    assert_eq!(code(result), "server_identity");
    assert_eq!(campus.desk.requests.load(Ordering::SeqCst), 0);
    assert!(campus.home().roots().unwrap().is_empty());
}

#[test]
fn the_code_sheet_vouches_for_the_root() {
    let campus = Campus::new();
    let sheet = campus.path("codes.csv");
    let write = |fingerprint| {
        let code = campus.desk.code(THREE[0]);
        let row = format!("{},{},{fingerprint}", THREE[0], *code.reveal());
        std::fs::write(&sheet, format!("sid,code,ca_sha256\n{row}\n")).unwrap();
        format!("--codes {}", sheet.display())
    };
    let flag = write(campus.desk.campus.root_fingerprint());
    let engine = campus.try_engine(&flag).unwrap();
    assert_eq!(
        engine.setup.fingerprint(),
        Some(campus.desk.campus.root_fingerprint())
    );
    let flag = write(TestCampus::new().root_fingerprint());
    let error = campus.try_engine(&format!("{flag} --ca CA")).unwrap_err();
    // The home belongs to nobody yet.
    assert!(matches!(error, Error::RootsDiffer { .. }));
    let mistyped = TestCampus::new().root_fingerprint();
    let flag = write(campus.desk.campus.root_fingerprint());
    let flags = format!("{flag} --ca-fingerprint {mistyped}");
    let failure = scb_cli::Failure::from(campus.try_engine(&flags).unwrap_err());
    assert_eq!((failure.exit, failure.code), (2, Some("roots_differ")));
    assert!(failure.remedy.unwrap().contains("digit by digit"));
    campus.enrolled(&THREE[..1]);
    let error = campus.try_engine(&write(mistyped)).unwrap_err();
    assert!(matches!(error, Error::OtherRoot { .. }));
}

#[test]
fn a_port_without_tls_is_told_with_the_usual_ports() {
    let campus = Campus::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let web = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let _ = std::io::Read::read(&mut socket, &mut [0; 1024]);
        let answer = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
        std::io::Write::write_all(&mut socket, answer).unwrap();
    });
    let error = campus.engine().meet_cuhk(Some(address), None).unwrap_err();
    let failure = scb_cli::Failure::from(error);
    assert_eq!((failure.exit, failure.code), (3, Some("server_identity")));
    for part in ["does not speak TLS", "8011", "8002"] {
        assert!(failure.message.contains(part), "{failure}");
    }
    web.join().unwrap();
}

#[test]
fn a_home_belongs_to_one_cuhk() {
    let campus = Campus::new();
    campus.enrolled(&THREE[..1]);
    let other = TestCampus::new().root().certificate().to_pem();
    std::fs::write(campus.path("other.pem"), other).unwrap();
    let flag = format!("--ca {}", campus.path("other.pem").display());
    let error = campus.try_engine(&flag).unwrap_err();
    assert!(matches!(error, Error::OtherRoot { .. }));
}

#[test]
fn without_any_root_nothing_is_connected_to() {
    let campus = Campus::new();
    let setup = Setup::new(&campus.line("").common, None).unwrap();
    assert!(matches!(setup.server_trust(), Err(Error::NoRoot)));
    assert!(matches!(
        enrol(&mut campus.try_engine("").unwrap(), campus.codes(&THREE)).0,
        Err(Error::NoRoot)
    ));
    assert_eq!(campus.desk.connections.load(Ordering::SeqCst), 0);
}

#[test]
fn refuses_a_root_file_that_is_none() {
    let campus = Campus::new();
    let leaf = campus.desk.campus.service("cuhk").leaf().to_pem();
    std::fs::write(campus.path("leaf.pem"), leaf).unwrap();
    let flag = format!("--ca {}", campus.path("leaf.pem").display());
    assert!(matches!(
        campus.try_engine(&flag),
        Err(Error::RootFile { .. })
    ));
}

/// As if CUHK had been asked for the trust bundle two days ago.
fn two_days_later(campus: &Campus) {
    let file = campus.home().dir().join("trust-bundle.json");
    let file = std::fs::File::options().append(true).open(file).unwrap();
    let then = std::time::SystemTime::now() - Duration::from_secs(2 * 24 * 3600);
    file.set_modified(then).unwrap();
}

fn another_root(campus: &TestCampus) -> Certificate {
    let domain = campus.root().certificate().authority_trust_domain();
    let key = SigningKey::generate().unwrap();
    let root = Root::create(&domain.unwrap(), key, campus.now()).unwrap();
    root.certificate().clone()
}

#[test]
fn another_root_is_learnt_by_itself_and_not_unlearnt() {
    let campus = Campus::new();
    campus.enrol(&THREE[..1]).0.unwrap();
    let (certs, desk) = (&campus.desk.campus, &campus.desk);
    let first = certs.root().certificate().clone();
    assert_eq!(campus.home().roots().unwrap(), std::slice::from_ref(&first));
    let both = [first.clone(), another_root(certs)];
    *desk.bundle.lock().unwrap() = bundle(certs, &both, 2);
    campus.enrol(&THREE[1..2]).0.unwrap();
    assert_eq!(
        campus.home().roots().unwrap(),
        std::slice::from_ref(&first),
        "asked once a day"
    );
    two_days_later(&campus);
    campus.enrol(&THREE[2..]).0.unwrap();
    assert_eq!(campus.home().roots().unwrap(), both);
    for known in &both {
        campus
            .try_engine(&format!("--ca-fingerprint {}", known.fingerprint()))
            .unwrap();
    }

    // An older word, and a stranger's.
    let stranger = TestCampus::new();
    let elsewhere = [stranger.root().certificate().clone()];
    for wrong in [
        bundle(certs, &both[..1], 1),
        bundle(&stranger, &elsewhere, 3),
    ] {
        *desk.bundle.lock().unwrap() = wrong;
        two_days_later(&campus);
        let (refused, _) = enrol(&mut campus.engine(), campus.codes(&["1155000004"]));
        assert_eq!(code(refused), "server_misbehaved");
        assert_eq!(campus.home().roots().unwrap(), both);
    }
}

/// A bundle that these roots have signed.
fn bundle_by(
    campus: &TestCampus,
    by: &[&Root],
    roots: &[&Root],
    sequence: u64,
) -> scb_protocol::SignedBundle {
    let validity = campus.validity(Duration::from_secs(24 * 3600));
    let times = (validity.not_before, validity.not_after);
    let roots: Vec<_> = roots
        .iter()
        .map(|root| root.certificate().clone())
        .collect();
    scb_protocol::SignedBundle::sign(by, &roots, sequence, times).unwrap()
}

fn next_root(campus: &TestCampus) -> Root {
    let domain = campus.root().certificate().authority_trust_domain();
    Root::create(
        &domain.unwrap(),
        SigningKey::generate().unwrap(),
        campus.now(),
    )
    .unwrap()
}

/// CUHK certifies students under this root from now on.
fn certify_under(campus: &Campus, root: &Root) {
    let (key, urls) = (SigningKey::generate().unwrap(), DistributionUrls::default());
    let issuer = root.issue_issuer(IssuerKind::Students, key, campus.desk.campus.now(), &urls);
    *campus.desk.issuer.lock().unwrap() = Some(issuer.unwrap());
}

#[test]
fn a_certificate_under_a_root_that_was_announced_today_is_kept() {
    let campus = Campus::new();
    let mut engine = campus.enrolled(&THREE[..1]);
    let (certs, desk) = (&campus.desk.campus, &campus.desk);
    let (first, second) = (certs.root(), next_root(certs));
    certify_under(&campus, &second);

    // As long as no root that is trusted says so it is somebody else's.
    let (refused, _) = enrol(&mut engine, campus.codes(&THREE[1..2]));
    assert_eq!(code(refused), "server_misbehaved");
    assert_eq!(campus.home().roots().unwrap().len(), 1);

    let signed = bundle_by(certs, &[first, &second], &[first, &second], 2);
    *desk.bundle.lock().unwrap() = signed;
    enrol(&mut engine, campus.codes(&THREE[1..])).0.unwrap();
    assert_eq!(campus.home().roots().unwrap().len(), 2);

    // The other way to a certificate, in a home that has not heard of it either.
    let third = next_root(certs);
    let roots = [first, &second, &third];
    *desk.bundle.lock().unwrap() = bundle_by(certs, &roots, &roots, 3);
    certify_under(&campus, &third);
    let one = [THREE[0].parse().unwrap()];
    campus.engine().renew(&one, false, &mut |_| {}).unwrap();
    assert_eq!(campus.home().roots().unwrap().len(), 3);
}

#[test]
fn whoever_missed_a_root_catches_up_step_by_step() {
    let campus = Campus::new();
    campus.enrol(&THREE[..1]).0.unwrap();
    let (certs, desk) = (&campus.desk.campus, &campus.desk);
    let (first, second, third) = (certs.root(), next_root(certs), next_root(certs));
    let announced = bundle_by(certs, &[first, &second], &[first, &second], 2);
    let newest = [&second, &third];
    *desk.bundle.lock().unwrap() = bundle_by(certs, &newest, &[first, &second, &third], 3);
    two_days_later(&campus);
    let (refused, _) = enrol(&mut campus.engine(), campus.codes(&THREE[1..2]));
    assert_eq!(
        code(refused),
        "server_misbehaved",
        "nothing leads to the third root"
    );
    assert_eq!(campus.home().roots().unwrap().len(), 1);

    desk.earlier.lock().unwrap().insert(2, announced);
    campus.enrol(&THREE[1..2]).0.unwrap();
    assert_eq!(campus.home().roots().unwrap().len(), 3);
}

/// CUHK as it shows itself under another root, at another address.
struct Stranded {
    campus: Campus,
    second: Root,
    address: String,
    _runtime: tokio::runtime::Runtime,
}

impl Stranded {
    /// A home that knows the first root alone, and `both.pem`.
    fn new() -> Self {
        let campus = Campus::new();
        campus.enrol(&THREE[..1]).0.unwrap();
        let certs = &campus.desk.campus;
        let second = next_root(certs);
        let key = || SigningKey::generate().unwrap();
        let (now, urls) = (certs.now(), DistributionUrls::default());
        let issuer = second.issue_issuer(IssuerKind::Services, key(), now, &urls);
        let (own, names) = (key(), ["localhost".to_owned()]);
        let ips = [IpAddr::V4(Ipv4Addr::LOCALHOST)];
        let serial = scb_certs::Serial::random().unwrap();
        let validity = certs.validity(Duration::from_secs(24 * 3600));
        let (issuer, name) = (issuer.unwrap(), scb_certs::ServiceName::cuhk());
        let chain = issuer.issue_service(
            &name,
            own.public_key(),
            &serial,
            &validity,
            &names,
            &ips,
            &urls,
        );
        let identity = TestIdentity {
            chain: chain.unwrap(),
            key: own,
        };
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let served = serve_cuhk_under(&campus.desk, &identity, second.certificate());
        let address = runtime.block_on(served).to_string();
        let both = [certs.root().certificate(), second.certificate()].map(Certificate::to_pem);
        std::fs::write(campus.path("both.pem"), both.concat()).unwrap();
        Self {
            campus,
            second,
            address,
            _runtime: runtime,
        }
    }

    fn enrol(&self, flags: &str) -> Result<(), Error> {
        let both = self.campus.path("both.pem");
        let flags = flags.replace("BOTH", &both.display().to_string());
        let flags = format!("--cuhk {} {flags}", self.address);
        let mut engine = self.campus.try_engine(&flags)?;
        enrol(&mut engine, self.campus.codes(&THREE[1..2])).0
    }

    fn known(&self) -> usize {
        self.campus.home().roots().unwrap().len()
    }

    fn announce(&self, by: &[&Root]) {
        let certs = &self.campus.desk.campus;
        let roots = [certs.root(), &self.second];
        *self.campus.desk.bundle.lock().unwrap() = bundle_by(certs, by, &roots, 2);
    }
}

#[test]
fn a_home_that_knows_one_root_of_a_file_follows_a_bundle_to_the_others() {
    let stranded = Stranded::new();
    let first = stranded.campus.desk.campus.root();
    assert_eq!(code(stranded.enrol("--ca CA")), "server_identity");

    // That both are in one file proves nothing, nor does what the new root says of itself.
    stranded.announce(&[&stranded.second]);
    let refused = stranded.enrol("--ca BOTH");
    assert!(
        matches!(refused, Err(Error::OtherRoot { .. })),
        "{refused:?}"
    );
    assert_eq!(stranded.known(), 1);

    stranded.announce(&[first, &stranded.second]);
    stranded.enrol("--ca BOTH").unwrap();
    assert_eq!(stranded.known(), 2);
}

#[test]
fn a_home_follows_to_a_root_of_the_file_whose_fingerprint_somebody_gives() {
    let stranded = Stranded::new();
    stranded.announce(&[&stranded.second]);
    let second = stranded.second.certificate().fingerprint();
    // Alone it is another CUHK's.
    let alone = stranded.enrol(&format!("--ca-fingerprint {second}"));
    assert!(matches!(alone, Err(Error::OtherRoot { .. })), "{alone:?}");
    let other = TestCampus::new().root_fingerprint();
    let neither = stranded.enrol(&format!("--ca BOTH --ca-fingerprint {other}"));
    assert!(matches!(neither, Err(Error::RootFile { .. })));
    assert_eq!(stranded.known(), 1);
    stranded
        .enrol(&format!("--ca BOTH --ca-fingerprint {second}"))
        .unwrap();
    assert_eq!(stranded.known(), 2);
}

//! Certificates of years, put into the database by the store that the server uses.

use std::path::Path;
use std::time::{Duration, Instant};

use rustls_pki_types::UnixTime;
use scb_certs::{
    Certificate, DistributionUrls, Fingerprint, Issuer, IssuerKind, Passphrase, Serial, SigningKey,
    StudentId, Validity,
};
use scb_cuhk::{Intent, Profile, Store, Student, Subject};
use scb_transport::{Clock, SystemClock};

/// Certificates of one student, of as many months.
const EACH: usize = 10;
/// Certificates in one transaction.
const BATCH: usize = 1_000;

/// The records behind a running server, and what was put there.
pub struct Archive {
    pub store: Store,
    /// Every certificate: its student, its serial number, its SHA-256.
    pub certificates: Vec<(StudentId, Serial, Fingerprint)>,
    issuer: Issuer,
    now: UnixTime,
}

impl Archive {
    /// Opens the records beside the server, and the key with which it certifies students: what is
    /// revoked here belongs on its list.
    pub fn open(sandbox: &Path) -> Self {
        Self {
            store: Store::open(&sandbox.join("cuhk/cuhk.db")).unwrap(),
            certificates: Vec::new(),
            issuer: issuer(sandbox),
            now: SystemClock.now(),
        }
    }

    /// Adds certificates until there are so many.
    pub fn grow(&mut self, count: usize) {
        let started = Instant::now();
        let before = self.certificates.len();
        while self.certificates.len() < count {
            self.add(BATCH.min(count - self.certificates.len()));
        }
        let added = count - before;
        if added > BATCH {
            let each = started.elapsed().as_secs_f64() * 1e6 / added as f64;
            println!("({added} certificates put into the database, {each:.0} µs each)");
        }
    }

    /// As many as fit into one transaction: intent and certificate, as issuance does it.
    fn add(&mut self, count: usize) {
        let (issuer, now, first) = (self.issuer.clone(), self.now, self.certificates.len());
        let added = self.store.write_blocking(move |records| {
            let mut added = Vec::with_capacity(count);
            for number in first..first + count {
                let sid = student_id(number / EACH);
                if number % EACH == 0 {
                    records.roster().import(&student(&sid), now)?;
                }
                let key = SigningKey::generate()?;
                let intent = intent(&sid, &key, now)?;
                records.certificates().intend(&intent, now)?;
                let urls = DistributionUrls::default();
                let chain = issuer.issue_student(
                    &sid,
                    key.public_key(),
                    &intent.serial,
                    &intent.validity,
                    &urls,
                )?;
                records.certificates().record(chain.leaf())?;
                added.push((sid, intent.serial, chain.leaf().fingerprint()));
            }
            Ok(added)
        });
        self.certificates.extend(added.unwrap());
    }
}

/// The sandbox's issuing authority; the passphrase of its key lies beside it.
fn issuer(sandbox: &Path) -> Issuer {
    let read = |file: &str| std::fs::read_to_string(sandbox.join(file)).unwrap();
    let certificate = |file| Certificate::from_pem(&read(file)).unwrap();
    let passphrase = Passphrase::from(read("cuhk.passphrase").trim_end().to_owned());
    let key = read("cuhk/issuers/students/key.pem");
    Issuer::from_parts(
        IssuerKind::Students,
        certificate("cuhk/issuers/students/cert.pem"),
        SigningKey::from_pem(&key, Some(&passphrase)).unwrap(),
        certificate("ca.pem"),
    )
    .unwrap()
}

fn student_id(number: usize) -> StudentId {
    format!("{}", 1_156_000_000 + number).parse().unwrap()
}

fn student(sid: &StudentId) -> Student {
    Student {
        sid: sid.clone(),
        name: format!("Student {sid}"),
        email: format!("{sid}@link.example"),
        programme: "BSc".to_owned(),
        active: true,
    }
}

fn intent(sid: &StudentId, key: &SigningKey, now: UnixTime) -> Result<Intent, scb_certs::Error> {
    let days = |days: u64| Duration::from_secs(days * 24 * 60 * 60);
    Ok(Intent {
        serial: Serial::random()?,
        subject: Subject::Student(sid.clone()),
        profile: Profile::Student,
        public_key: key.public_key().fingerprint(),
        validity: Validity {
            not_before: UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs() - 600)),
            not_after: UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs()) + days(30)),
        },
    })
}

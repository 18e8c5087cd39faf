//! The issuing authorities, unlocked: those that issue, those that come and those that go; and
//! the log's key. The root's key is not among them.

mod crosses;
mod stored;

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use rustls_pki_types::UnixTime;
use scb_certs::{
    Certificate, Ed25519Seed, Issuer, IssuerKind, Passphrase, SigningKey, TrustDomain, read_private,
};
use scb_cli::{Home, with_causes};

use crate::Error;
use crate::config::path;
use crate::note_keys::{unlock_log, unlock_witness};
use crate::store::{AuthorityKind, AuthorityRecord, AuthorityState, CrlSigner};

use self::crosses::Cross;
pub(crate) use self::crosses::{CrossFile, stored_crosses};
use self::stored::certificate_file;
pub(crate) use self::stored::{
    counting_roots, is_there, needed_roots, read_certificate, read_certificate_file, served_root,
    stored, stored_roots,
};

/// An issuing authority with its key.
#[derive(Debug)]
pub(crate) struct Issuing {
    pub(crate) signer: CrlSigner,
    pub(crate) issuer: Issuer,
}

/// The issuing authorities with their keys.
#[derive(Debug, Clone)]
pub struct Issuers {
    /// Those in use, each kind in its order.
    all: Vec<Arc<Issuing>>,
    /// What is known of them, retired ones as well.
    records: Vec<AuthorityRecord>,
    /// What issues now.
    pub(crate) students: Arc<Issuing>,
    /// What issues now.
    pub(crate) services: Arc<Issuing>,
    /// The roots' certificates, the oldest first.
    roots: Vec<(CrlSigner, Certificate)>,
    /// What they say of one another.
    crosses: Vec<Cross>,
    pub(crate) trust_domain: TrustDomain,
    /// Signs the issuance log's checkpoints.
    pub(crate) log: Ed25519Seed,
    /// Cosigns the logs of services, and nothing else.
    pub(crate) witness: Ed25519Seed,
    /// Opens the keys of those that come later. It guards nothing but the keys above, which are
    /// in memory, too.
    passphrase: Passphrase,
}

impl Issuers {
    /// Decrypts the keys. Takes about half a second each: the passphrase is expensive to guess.
    ///
    /// # Errors
    ///
    /// [`Error::WrongPassphrase`], [`Error::AuthorityKeyGone`], [`Error::SigningKeyGone`],
    /// [`scb_certs::Error::KeyFileReadable`] and others of [`Error::Certificates`]; [`Error::Local`] for a missing file.
    pub fn unlock(home: &Home, passphrase: &Passphrase) -> Result<Self, Error> {
        let roots = stored_roots(home)?;
        let trust_domain = read_certificate(home, path::ROOT)?.authority_trust_domain()?;
        let mut all = Vec::new();
        for kind in [IssuerKind::Students, IssuerKind::Services] {
            for signer in stored(home, kind.into())? {
                all.push(Arc::new(open(home, signer, kind, &roots, passphrase)?));
            }
        }
        let first = |signer| {
            let found = all
                .iter()
                .find(|issuing: &&Arc<Issuing>| issuing.signer == signer);
            found
                .cloned()
                .ok_or(Error::RecordInvalid { what: "authority" })
        };
        let log = unlock_log(home, passphrase)?;
        Ok(Self {
            students: first(CrlSigner::STUDENTS)?,
            services: first(CrlSigner::SERVICES)?,
            all,
            records: Vec::new(),
            crosses: stored_crosses(home, &roots),
            roots,
            trust_domain,
            witness: unlock_witness(home, &log)?,
            log,
            passphrase: passphrase.clone(),
        })
    }

    /// The first two, as `cuhk init` makes them.
    #[cfg(test)]
    pub(crate) fn of_first((students, services): (Issuer, Issuer), passphrase: Passphrase) -> Self {
        let (root, trust_domain) = (students.root().clone(), students.trust_domain().clone());
        let roots = vec![(CrlSigner::ROOT, root)];
        let issuing = |signer, issuer| Arc::new(Issuing { signer, issuer });
        let students = issuing(CrlSigner::STUDENTS, students);
        let services = issuing(CrlSigner::SERVICES, services);
        Self {
            all: vec![Arc::clone(&students), Arc::clone(&services)],
            records: Vec::new(),
            students,
            services,
            roots,
            crosses: Vec::new(),
            trust_domain,
            log: Ed25519Seed::generate().expect("random bytes for a test"),
            witness: Ed25519Seed::generate().expect("random bytes for a test"),
            passphrase,
        }
    }

    /// The roots that count: the newest, and those under which somebody has not retired.
    pub(crate) fn roots(&self, now: UnixTime) -> Vec<(CrlSigner, Certificate)> {
        let put_to_use = |(signer, _): &&(CrlSigner, Certificate)| {
            self.records.iter().any(|record| record.signer == *signer)
        };
        let known: Vec<_> = self.roots.iter().filter(put_to_use).collect();
        let newest = known.last().map(|(signer, _)| *signer);
        let is_needed = |root: &Certificate| {
            self.listing(now)
                .any(|issuing| issuing.issuer.root() == root)
        };
        let counts = known
            .into_iter()
            .filter(|(signer, root)| Some(*signer) == newest || is_needed(root));
        counts.cloned().collect()
    }

    /// The root under which this certificate's authority is.
    pub(crate) fn root_of(&self, issuer: &Certificate) -> Option<Certificate> {
        let mut roots = self.roots.iter().map(|(_, root)| root);
        roots.find(|root| issuer.names_issuer(root)).cloned()
    }

    /// Whether it is known what the records say of them; not before [`Issuers::updated`].
    pub(crate) fn knows_records(&self) -> bool {
        !self.records.is_empty()
    }

    /// With what the records say of them now, and the keys of those that were put to use since. One
    /// that cannot be opened is told in the log and left out.
    pub(crate) fn updated(
        &self,
        home: &Home,
        records: Vec<AuthorityRecord>,
        now: UnixTime,
    ) -> Self {
        let mut next = self.clone();
        match stored_roots(home) {
            Ok(roots) => {
                next.crosses = stored_crosses(home, &roots);
                next.roots = roots;
            }
            Err(error) => tracing::error!("cannot look for roots: {}", with_causes(&error)),
        }
        for record in &records {
            let Some(kind) = issuer_kind(record.signer) else {
                continue;
            };
            if self.find(record.signer).is_none()
                && record.state(&records, now) != AuthorityState::Retired
            {
                match open(home, record.signer, kind, &next.roots, &self.passphrase) {
                    Ok(opened) => next.all.push(Arc::new(opened)),
                    // The others go on issuing, and their lists go on being signed.
                    Err(error) => tracing::error!(
                        "{} cannot be put to use: {}",
                        record.signer,
                        with_causes(&error)
                    ),
                }
            }
        }
        next.all.sort_by_key(|issuing| issuing.signer);
        next.records = records;
        next.await_beginnings();
        next.choose(now);
        next
    }

    /// Those that are put to use and could not be opened.
    pub(crate) fn unopened(&self, now: UnixTime) -> impl Iterator<Item = &AuthorityRecord> {
        self.records.iter().filter(move |record| {
            issuer_kind(record.signer).is_some()
                && record.state(&self.records, now) != AuthorityState::Retired
                && self.find(record.signer).is_none()
        })
    }

    /// Who issues now, or is about to, is here: in its place would issue one that was replaced.
    ///
    /// # Errors
    ///
    /// Why it cannot be opened.
    pub(crate) fn check_opened(&self, home: &Home, now: UnixTime) -> Result<(), Error> {
        let issues = |record: &&AuthorityRecord| match record.state(&self.records, now) {
            AuthorityState::Active => true,
            AuthorityState::New => record.active_from.is_some(),
            _ => false,
        };
        let missing = self.unopened(now).find(issues);
        let missing = missing.and_then(|record| Some((record.signer, issuer_kind(record.signer)?)));
        match missing {
            None => Ok(()),
            Some((signer, kind)) => open(home, signer, kind, &self.roots, &self.passphrase)
                .and(Err(Error::RecordInvalid { what: "authority" })),
        }
    }

    /// None issues before its certificate begins, whatever the records say: nobody would believe it.
    fn await_beginnings(&mut self) {
        for record in &mut self.records {
            let mut all = self.all.iter();
            let own = all.find(|issuing| issuing.signer == record.signer);
            if let (Some(from), Some(own)) = (&mut record.active_from, own) {
                *from = own.issuer.certificate().not_before().max(*from);
            }
        }
    }

    /// Whether others should issue by now.
    pub(crate) fn is_due(&self, now: UnixTime) -> bool {
        let mut due = self.clone();
        due.choose(now);
        due.students.signer != self.students.signer || due.services.signer != self.services.signer
    }

    /// Those that are active. Where one has ended or was withdrawn before the next was, nothing is
    /// lost by not waiting for that any longer.
    fn choose(&mut self, now: UnixTime) {
        for record in &self.records {
            let Some(issuing) = self.find(record.signer) else {
                continue;
            };
            let present = match record.signer.kind() {
                AuthorityKind::Students => &mut self.students,
                AuthorityKind::Services => &mut self.services,
                AuthorityKind::Root => continue,
            };
            let is_active = |other: &&AuthorityRecord| {
                other.signer.kind() == record.signer.kind()
                    && other.state(&self.records, now) == AuthorityState::Active
            };
            let mut others = self.records.iter();
            let has_ended = present.issuer.certificate().not_after() <= now;
            let nobody_else = has_ended || others.find(is_active).is_none();
            let has_begun = issuing.issuer.certificate().not_before() <= now;
            match record.state(&self.records, now) {
                AuthorityState::Active => *present = issuing,
                AuthorityState::New if nobody_else && has_begun => *present = issuing,
                _ => {}
            }
        }
    }

    /// Those that sign a revocation list: all that were put to use and have not retired.
    pub(crate) fn listing(&self, now: UnixTime) -> impl Iterator<Item = &Arc<Issuing>> {
        let in_use = move |issuing: &&Arc<Issuing>| {
            let record = self
                .records
                .iter()
                .find(|record| record.signer == issuing.signer);
            record.is_some_and(|record| record.state(&self.records, now) != AuthorityState::Retired)
        };
        self.all.iter().filter(in_use)
    }

    /// Whether every one that should sign a revocation list can: none was left out whose key cannot be opened.
    pub(crate) fn are_all(&self, now: UnixTime) -> bool {
        let mut records = self.records.iter();
        self.knows_records()
            && records.all(|record| {
                issuer_kind(record.signer).is_none()
                    || record.state(&self.records, now) == AuthorityState::Retired
                    || self.find(record.signer).is_some()
            })
    }

    /// Whether it counts no more, with everything that it issued.
    pub(crate) fn is_withdrawn(&self, signer: CrlSigner) -> bool {
        let mut records = self.records.iter();
        records.any(|record| record.signer == signer && record.withdrawn.is_some())
    }

    /// Who certified services before those who do now, under another root, and until when what it
    /// issued may count.
    pub(crate) fn services_under_older_root(
        &self,
        now: UnixTime,
    ) -> Option<(Arc<Issuing>, UnixTime)> {
        let is_older = |issuing: &&Arc<Issuing>| {
            issuing.signer.kind() == AuthorityKind::Services
                && !self.is_withdrawn(issuing.signer)
                && issuing.signer < self.services.signer
                && issuing.issuer.root() != self.services.issuer.root()
        };
        let oldest = self.listing(now).find(is_older)?;
        let mut records = self.records.iter();
        let record = records.find(|record| record.signer == oldest.signer)?;
        Some((Arc::clone(oldest), record.retires_at(&self.records, now)?))
    }

    /// Those whose list was never published.
    pub(crate) fn unpublished(&self) -> impl Iterator<Item = CrlSigner> {
        let unpublished = |record: &&AuthorityRecord| {
            record.active_from.is_none() && self.find(record.signer).is_some()
        };
        self.records
            .iter()
            .filter(unpublished)
            .map(|record| record.signer)
    }

    /// The certificate of an authority.
    pub(crate) fn certificate_of(&self, signer: CrlSigner) -> Option<Certificate> {
        match signer {
            root if root.kind() == AuthorityKind::Root => {
                let mut roots = self.roots.iter();
                roots
                    .find(|(signer, _)| *signer == root)
                    .map(|(_, certificate)| certificate.clone())
            }
            _ => self
                .find(signer)
                .map(|issuing| issuing.issuer.certificate().clone()),
        }
    }

    /// The one that issued this certificate.
    pub(crate) fn of(&self, certificate: &Certificate) -> Option<&Issuer> {
        let mut issuers = self.all.iter().map(|issuing| &issuing.issuer);
        issuers.find(|issuer| certificate.names_issuer(issuer.certificate()))
    }

    fn find(&self, signer: CrlSigner) -> Option<Arc<Issuing>> {
        let found = self.all.iter().find(|issuing| issuing.signer == signer);
        found.cloned()
    }
}

/// The issuing authorities of this moment, shared by whoever signs.
#[derive(Debug, Clone)]
pub(crate) struct KeyRing(Arc<RwLock<Arc<Issuers>>>);

impl KeyRing {
    pub(crate) fn new(issuers: Issuers) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(issuers))))
    }

    /// Those of this moment.
    pub(crate) fn current(&self) -> Arc<Issuers> {
        // It is replaced as a whole: a panic elsewhere leaves nothing half done.
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn replace(&self, issuers: Issuers) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(issuers);
    }
}

/// The kind of an authority that issues; none of a root.
pub(crate) fn issuer_kind(signer: CrlSigner) -> Option<IssuerKind> {
    match signer.kind() {
        AuthorityKind::Root => None,
        AuthorityKind::Students => Some(IssuerKind::Students),
        AuthorityKind::Services => Some(IssuerKind::Services),
    }
}

fn open(
    home: &Home,
    signer: CrlSigner,
    kind: IssuerKind,
    roots: &[(CrlSigner, Certificate)],
    passphrase: &Passphrase,
) -> Result<Issuing, Error> {
    let dir = path::authority(signer);
    let file = home.path(&dir).join(path::KEY);
    if !is_there(&file)? {
        return Err(Error::AuthorityKeyGone { signer, path: file });
    }
    let key = open_key(&file, passphrase)?;
    let certificate = read_certificate(home, &dir)?;
    let root = named_root(&certificate, roots)?.clone();
    let issuer = Issuer::from_parts(kind, certificate, key, root);
    let issuer = issuer.map_err(in_file(&certificate_file(home, signer)))?;
    Ok(Issuing { signer, issuer })
}

/// Decrypts the key in a file.
///
/// # Errors
///
/// [`Error::WrongPassphrase`], which names the file; [`Error::Certificates`].
pub(crate) fn open_key(file: &Path, passphrase: &Passphrase) -> Result<SigningKey, Error> {
    let pem = read_private(file);
    pem.and_then(|pem| SigningKey::from_pem(&pem, Some(passphrase)))
        .map_err(not_opened(file))
}

/// Names the file that a passphrase does not open, or whose contents are to blame.
pub(crate) fn not_opened(file: &Path) -> impl FnOnce(scb_certs::Error) -> Error + '_ {
    move |error| match error {
        scb_certs::Error::WrongPassphrase => Error::WrongPassphrase {
            path: file.to_owned(),
        },
        error => in_file(file)(error),
    }
}

/// Names the file where its contents are to blame.
pub(crate) fn in_file(file: &Path) -> impl FnOnce(scb_certs::Error) -> Error {
    scb_cli::Error::in_file(file)
}

/// The root that a certificate names as its issuer, else the first, under which it then is not.
pub(crate) fn named_root<'a>(
    issuer: &Certificate,
    roots: &'a [(CrlSigner, Certificate)],
) -> Result<&'a Certificate, Error> {
    let named = roots.iter().find(|(_, root)| issuer.names_issuer(root));
    let (_, root) = named
        .or(roots.first())
        .ok_or(Error::RecordInvalid { what: "root" })?;
    Ok(root)
}

//! Which roots a run trusts: from the command line, the sandbox, the home, and the trust bundles
//! that came since.

use std::path::Path;
use std::sync::Arc;

use rustls_pki_types::UnixTime;
use scb_certs::{Certificate, Fingerprint, TrustStore};
use scb_cli::{Home, ROOTS, Role, Sandbox, former_roots};
use scb_protocol::{Code, MissedBundles, Refusal, SignedBundle, Step};
use scb_transport::ServerTrust;

use super::{Root, Setup};
use crate::cli::Common;
use crate::home::read_roots;
use crate::{CodeSheet, Error};

impl Setup {
    pub(super) fn find_root(
        &mut self,
        common: &Common,
        sheet: Option<&CodeSheet>,
    ) -> Result<(), Error> {
        let remembered = match &self.sandbox {
            Some(sandbox) => Some(self.sandbox_trust(sandbox)?),
            None => match self.home.roots()? {
                roots if roots.is_empty() => None,
                roots => Some(TrustStore::of_roots(roots)?),
            },
        };
        if let Some(store) = remembered {
            self.root = Root::Known(Arc::new(store));
            self.root_remembered = true;
        }
        if let Some(path) = &common.ca {
            self.meet(named_store(path, &common.ca_fingerprint)?)?;
        }
        for fingerprint in &common.ca_fingerprint {
            self.vouch(fingerprint)?;
            self.claim(*fingerprint)?;
        }
        match sheet.and_then(CodeSheet::root) {
            // CUHK itself is asked for proof.
            Some(root) if self.introduced_root(&root).is_some() => Ok(()),
            Some(root) => self.claim(root),
            None => Ok(()),
        }
    }

    /// A file of roots. Where some are known already, one of them must be in it; what else is in it
    /// proves nothing, but tells how CUHK may be recognised when it is asked for proof.
    fn meet(&mut self, store: TrustStore) -> Result<(), Error> {
        let Some(known) = self.trust() else {
            self.root = Root::Known(Arc::new(store));
            return Ok(());
        };
        let is_known = |root: &Certificate| known.roots().contains(root);
        if !store.roots().iter().any(is_known) {
            return Err(Error::OtherRoot {
                remembered: known.root().fingerprint(),
                given: store.root().fingerprint(),
            });
        }
        if !store.roots().iter().all(is_known) {
            self.introduced = Some(Arc::new(store));
        }
        Ok(())
    }

    fn introduced_root(&self, given: &Fingerprint) -> Option<&Certificate> {
        let mut roots = self.introduced.iter().flat_map(|store| store.roots());
        roots.find(|root| root.fingerprint() == *given)
    }

    /// Somebody has typed the fingerprint of a root that is in such a file: it counts like the first
    /// one, and is remembered once CUHK has proved itself.
    fn vouch(&mut self, given: &Fingerprint) -> Result<(), Error> {
        if self.knows(given) {
            return Ok(());
        }
        if let (Some(root), Some(known)) = (self.introduced_root(given), self.trust()) {
            let mut roots = known.roots().to_vec();
            roots.push(root.clone());
            self.root = Root::Known(Arc::new(TrustStore::of_roots(roots)?));
            self.root_vouched = true;
        }
        Ok(())
    }

    /// How to recognise a CUHK that shows a root that is not known here, to ask it for the trust
    /// bundle and nothing else.
    pub(crate) fn introduced(&self) -> Option<ServerTrust> {
        let store = self.introduced.as_ref()?;
        Some(ServerTrust::Pinned(Arc::clone(store)))
    }

    /// What is said if the bundle proves nothing.
    pub(crate) fn unproven(&self, error: Error) -> Error {
        let newest = self.introduced.as_ref().and_then(|it| it.roots().last());
        match (error, newest, self.fingerprint()) {
            (Error::Refused(refusal), Some(newest), Some(remembered))
                if refusal.code == Code::ServerMisbehaved =>
            {
                let given = newest.fingerprint();
                Error::OtherRoot { remembered, given }
            }
            (error, ..) => error,
        }
    }

    fn knows(&self, given: &Fingerprint) -> bool {
        match &self.root {
            Root::Unknown => false,
            Root::Fingerprint(known) => known == given,
            Root::Known(store) => is_root_of(store, given),
        }
    }

    /// The sandbox's root, and what became of it since.
    fn sandbox_trust(&self, sandbox: &Sandbox) -> Result<TrustStore, Error> {
        let first = sandbox_trust(sandbox)?;
        let kept = self.home.roots()?;
        match kept.contains(first.root()) {
            true => Ok(TrustStore::of_roots(kept)?),
            false => Ok(first),
        }
    }

    /// Whether CUHK should be asked for the trust bundle. In a sandbox only when in doubt.
    pub(crate) fn is_bundle_due(&self) -> bool {
        self.sandbox.is_none() && self.home.is_bundle_due()
    }

    /// The way by the trust bundles without which this one cannot be judged here.
    ///
    /// # Errors
    ///
    /// [`Error::NoRoot`], [`Error::Cli`].
    pub(crate) fn missed_bundles(&self, latest: &SignedBundle) -> Result<MissedBundles, Error> {
        let trust = self.require_trust()?;
        Ok(latest.missed(&trust, self.home.bundle_sequence()?))
    }

    /// Judges a trust bundle; the roots of a later one count from now on. Whether others count now.
    ///
    /// # Errors
    ///
    /// `server_misbehaved` for one that does not count, [`Error::NoRoot`], [`Error::Cli`].
    pub(crate) fn take_bundle(
        &mut self,
        signed: &SignedBundle,
        now: UnixTime,
    ) -> Result<bool, Error> {
        let trust = self.require_trust()?;
        let known = self.home.bundle_sequence()?;
        let bundle = signed.verify(&trust, known, now).map_err(|error| {
            Refusal::new(Code::ServerMisbehaved, Step::Zero).with(
                "reason",
                format!("the trust bundle does not count: {error}"),
            )
        })?;
        let present = trust.roots();
        self.home.keep_bundle(present, signed, &bundle)?;
        let changed = present != bundle.trust().roots();
        self.root = Root::Known(Arc::new(bundle.trust().clone()));
        self.root_remembered = true;
        Ok(changed)
    }

    /// Every source must name a root that is known.
    pub(super) fn claim(&mut self, given: Fingerprint) -> Result<(), Error> {
        match self.fingerprint() {
            None => self.root = Root::Fingerprint(given),
            Some(_) if self.knows(&given) => {}
            Some(first) if !self.root_remembered => {
                let second = given;
                return Err(Error::RootsDiffer { first, second });
            }
            Some(remembered) => return Err(Error::OtherRoot { remembered, given }),
        }
        Ok(())
    }
}

/// The root fingerprints by which a receipt is judged: `--ca-fingerprint`, else `--ca`, else the
/// sandbox's or the remembered roots, those among them that count no more. Needs no home and makes
/// none.
///
/// # Errors
///
/// [`Error::NoRoot`], [`Error::RootFile`], [`Error::Cli`].
pub(crate) fn verification_roots(common: &Common) -> Result<Vec<Fingerprint>, Error> {
    if !common.ca_fingerprint.is_empty() {
        if let Some(path) = &common.ca {
            named_store(path, &common.ca_fingerprint)?;
        }
        return Ok(common.ca_fingerprint.clone());
    }
    let roots = match (&common.ca, &common.sandbox) {
        (Some(path), _) => trust_store(path)?.roots().to_vec(),
        (None, Some(dir)) => {
            let sandbox = Sandbox::open(dir)?;
            let first = sandbox_trust(&sandbox)?;
            let mut roots = remembered_roots(&sandbox.student_home())?;
            roots.retain(|root| root != first.root());
            roots.push(first.root().clone());
            roots
        }
        (None, None) => match remembered_roots(&common.home.resolve(Role::Student))? {
            roots if roots.is_empty() => return Err(Error::NoRoot),
            roots => roots,
        },
    };
    Ok(roots.iter().map(Certificate::fingerprint).collect())
}

/// The roots that a home trusts, and those that it trusted once; none if there is no home.
fn remembered_roots(dir: &Path) -> Result<Vec<Certificate>, Error> {
    if !dir.join(ROOTS).exists() {
        return Ok(Vec::new());
    }
    let trusted = trust_store(&dir.join(ROOTS))?;
    let home = Home::open(dir, Role::Student)?;
    let former = former_roots(&home).into_iter();
    Ok(trusted.roots().iter().cloned().chain(former).collect())
}

pub(super) fn is_root_of(store: &TrustStore, fingerprint: &Fingerprint) -> bool {
    let mut roots = store.roots().iter();
    roots.any(|root| root.fingerprint() == *fingerprint)
}

/// The sandbox's root; while it is not there, says which server to start.
fn sandbox_trust(sandbox: &Sandbox) -> Result<TrustStore, Error> {
    let path = sandbox.ca_pem();
    if !path.exists() {
        sandbox.cuhk_address()?;
    }
    trust_store(&path)
}

/// A file of roots, among which must be those whose fingerprints are given beside it.
fn named_store(path: &Path, named: &[Fingerprint]) -> Result<TrustStore, Error> {
    let store = trust_store(path)?;
    match named.iter().find(|named| !is_root_of(&store, named)) {
        Some(named) => Err(Error::RootFile {
            path: path.to_owned(),
            reason: format!("the root {named} is not in it"),
        }),
        None => Ok(store),
    }
}

fn trust_store(path: &Path) -> Result<TrustStore, Error> {
    TrustStore::of_roots(read_roots(path)?).map_err(|error| Error::RootFile {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

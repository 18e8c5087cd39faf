//! Cross certificates: what a root says of the one before it, and that one of it, while both count.

use rustls_pki_types::UnixTime;
use scb_certs::{Certificate, check_cross};
use scb_cli::{Home, with_causes};

use super::Issuers;
use super::stored::{is_there, read_certificate_file};
use crate::Error;
use crate::config::path;
use crate::store::CrlSigner;

/// Which of the two, in the directory of the newer root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CrossFile {
    /// The newer root's key, certified by the older root.
    NewWithOld,
    /// The older root's key, certified by the newer root.
    OldWithNew,
}

impl CrossFile {
    /// Its name there.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::NewWithOld => "new-with-old.pem",
            Self::OldWithNew => "old-with-new.pem",
        }
    }
}

/// One root's key, certified by another.
#[derive(Debug, Clone)]
pub(crate) struct Cross {
    /// Whose key it is.
    subject: CrlSigner,
    /// Who certified it.
    issuer: CrlSigner,
    certificate: Certificate,
}

impl Cross {
    /// Whether it is between these two and counts for a good while yet.
    pub(crate) fn lasts_for(
        &self,
        (subject, issuer): (CrlSigner, CrlSigner),
        now: UnixTime,
    ) -> bool {
        (self.subject, self.issuer) == (subject, issuer)
            && self.counts(now)
            && !self.certificate.is_due_for_renewal(now)
    }

    fn counts(&self, now: UnixTime) -> bool {
        (self.certificate.not_before()..=self.certificate.not_after()).contains(&now)
    }
}

impl Issuers {
    /// What the roots that count say of one another.
    pub(crate) fn crosses(&self, now: UnixTime) -> Vec<Certificate> {
        let roots = self.roots(now);
        let counts = |one: CrlSigner| roots.iter().any(|(signer, _)| *signer == one);
        let crosses = self.crosses.iter();
        crosses
            .filter(|one| counts(one.subject) && counts(one.issuer) && one.counts(now))
            .map(|one| one.certificate.clone())
            .collect()
    }

    /// What the others say of this root.
    pub(crate) fn crosses_of(&self, root: &Certificate, now: UnixTime) -> Vec<Certificate> {
        let mut crosses = self.crosses(now);
        crosses.retain(|cross| cross.subject_key_id() == root.subject_key_id());
        crosses
    }
}

/// Those in this home, of these roots, the oldest first. A root from before them has none; one that cannot be read
/// or is none of theirs is told in the log and left out: everybody goes on without.
pub(crate) fn stored_crosses(home: &Home, roots: &[(CrlSigner, Certificate)]) -> Vec<Cross> {
    let mut found = Vec::new();
    for (index, newer) in roots.iter().enumerate() {
        for which in [CrossFile::NewWithOld, CrossFile::OldWithNew] {
            match read(home, newer, &roots[..index], which) {
                Ok(cross) => found.extend(cross),
                Err(error) => tracing::warn!(
                    "{} of {} is left out: {}",
                    which.name(),
                    newer.0,
                    with_causes(&error)
                ),
            }
        }
    }
    found
}

fn read(
    home: &Home,
    newer: &(CrlSigner, Certificate),
    older: &[(CrlSigner, Certificate)],
    which: CrossFile,
) -> Result<Option<Cross>, Error> {
    let file = home.path(&path::authority(newer.0)).join(which.name());
    if !is_there(&file)? {
        return Ok(None);
    }
    let certificate = read_certificate_file(&file)?;
    let between = |older: &&(CrlSigner, Certificate)| {
        let (subject, issuer) = match which {
            CrossFile::NewWithOld => (newer, *older),
            CrossFile::OldWithNew => (*older, newer),
        };
        check_cross(&certificate, &subject.1, &issuer.1).is_ok()
    };
    let (older, _) = older
        .iter()
        .rev()
        .find(between)
        .ok_or(Error::RecordInvalid {
            what: "cross certificate of a root",
        })?;
    let (subject, issuer) = match which {
        CrossFile::NewWithOld => (newer.0, *older),
        CrossFile::OldWithNew => (*older, newer.0),
    };
    Ok(Some(Cross {
        subject,
        issuer,
        certificate,
    }))
}

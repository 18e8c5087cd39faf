//! Whom to trust: the one place where a chain, its names, usages and revocation are judged together.

use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::ring::ECDSA_P256_SHA256;
use webpki::{
    EndEntityCert, ExpirationPolicy, KeyUsage, RevocationCheckDepth, RevocationOptionsBuilder,
    UnknownStatusPolicy, anchor_from_trusted_cert,
};
use x509_cert::ext::pkix::KeyUsages;

use crate::authority::check_authority;
use crate::examination::exact_reason;
use crate::issuer::check_self_signed;
use crate::key_usage::{KeyPurpose, same_purposes};
use crate::known::{KnownPaths, Path, common_time};
use crate::profile;
use crate::verified::VerifiedPath;
use crate::{
    Certificate, CertificateError, Chain, Crl, Error, Identity, IssuerKind, ServiceName, SpiffeId,
    TrustDomain, VerifiedPeer, VerifiedService, VerifiedStudent,
};

/// Roots that may be trusted side by side.
pub const MAX_ROOTS: usize = 8;

/// The root that is trusted, or several while one takes the place of another, and what is known
/// about revocation.
///
/// A chain is accepted only if it is exactly leaf, issuing authority and (there or not) one of
/// these roots, of one trust domain, with exactly the key usages of its profile, signed by ECDSA on
/// P-256.
#[derive(Clone, Debug)]
pub struct TrustStore {
    /// The oldest first; never empty.
    roots: Vec<Certificate>,
    anchors: Vec<TrustAnchor<'static>>,
    trust_domain: TrustDomain,
    revocation: Option<Vec<Crl>>,
    /// Issuing authorities that complete the chain of whoever does not show them.
    issuers: Vec<Certificate>,
    /// Whether there are no others.
    knows_every_issuer: bool,
    known: KnownPaths,
}

/// For what a service shows its certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ServiceUsage {
    /// It is the TLS server.
    Server,
    /// It is the TLS client.
    Client,
    /// It signed a token: the token signer's profile, which no TLS key has.
    Token,
    /// It signed a document in the service's name with the service's own key.
    Signature,
}

impl TrustStore {
    /// Trusts this root. Without revocation lists nothing is checked for revocation: only for
    /// clients that have not fetched any yet.
    ///
    /// # Errors
    /// [`Error::RootInvalid`] unless it is a self-signed authority that names its trust domain.
    pub fn new(root: Certificate) -> Result<Self, Error> {
        Self::of_roots(vec![root])
    }

    /// Trusts each of these roots, one to [`MAX_ROOTS`] of one trust domain, the oldest first.
    ///
    /// # Errors
    /// [`Error::RootInvalid`], also for none, too many, or one of another trust domain.
    pub fn of_roots(roots: Vec<Certificate>) -> Result<Self, Error> {
        if roots.is_empty() || roots.len() > MAX_ROOTS {
            return Err(Error::RootInvalid("not one to eight of them"));
        }
        let domains = roots.iter().map(check_root);
        let domains: Vec<_> = domains.collect::<Result<_, _>>()?;
        let trust_domain = domains[0].clone();
        if domains.iter().any(|domain| *domain != trust_domain) {
            return Err(Error::RootInvalid("of another trust domain"));
        }
        let anchors = roots.iter().map(anchor).collect::<Result<_, _>>()?;
        Ok(Self {
            roots,
            anchors,
            trust_domain,
            revocation: None,
            issuers: Vec::new(),
            knows_every_issuer: false,
            known: KnownPaths::default(),
        })
    }

    /// Completes chains with these issuing authorities from now on: standard clients show what they
    /// were given, a leaf alone or with authorities beside its own. They are verified like any
    /// that is shown.
    #[must_use]
    pub fn with_issuers(mut self, issuers: Vec<Certificate>) -> Self {
        self.issuers = issuers;
        self
    }

    /// Says that there are no others than those of [`TrustStore::with_issuers`]: where a list is missing for what
    /// another one issued, it is not the list that is to blame.
    #[must_use]
    pub fn knowing_every_issuer(mut self) -> Self {
        self.knows_every_issuer = true;
        self
    }

    /// The chain of whoever presents these certificates, the leaf first: with the issuing authority
    /// that the leaf names, if it is known here; else as it is, without roots. Nothing is verified
    /// yet.
    ///
    /// # Errors
    /// [`Error::ChainLength`].
    pub fn chain_of(&self, presented: Vec<Certificate>) -> Result<Chain, Error> {
        let issuer_of = |leaf: &Certificate| {
            let mut known = self.issuers.iter();
            known.find(|issuer| leaf.names_issuer(issuer)).cloned()
        };
        match presented
            .first()
            .map(|leaf| (leaf.clone(), issuer_of(leaf)))
        {
            Some((leaf, Some(issuer))) => Chain::new(vec![leaf, issuer]),
            _ => {
                let not_root = |one: &Certificate| !self.roots.contains(one);
                Chain::new(presented.into_iter().filter(not_root).collect())
            }
        }
    }

    /// Checks every chain against these revocation lists from now on, the root's included: a
    /// certificate that no list covers, or an expired list, is an error. Of several lists of one
    /// issuer the one with the highest number counts, so [`Crl::verify`] each that comes from
    /// outside first: a forged one could otherwise stand in the way of the authentic one.
    ///
    /// # Errors
    /// [`Error::BadSignature`] if a list that claims to be the root's is not.
    pub fn with_crls(mut self, mut crls: Vec<Crl>) -> Result<Self, Error> {
        for crl in &crls {
            let is_its = |root: &&Certificate| Some(crl.issuer_key_id()) == root.subject_key_id();
            if let Some(root) = self.roots.iter().find(is_its) {
                crl.verify(root)?;
            }
        }
        crls.sort_by_key(|crl| std::cmp::Reverse(crl.number()));
        self.revocation = Some(crls);
        self.known = KnownPaths::default();
        Ok(self)
    }

    /// The trusted root; of several the oldest.
    pub fn root(&self) -> &Certificate {
        &self.roots[0]
    }

    /// Every trusted root, the oldest first.
    pub fn roots(&self) -> &[Certificate] {
        &self.roots
    }

    /// The trusted root under which this issuing authority says that it is.
    pub fn root_of(&self, issuer: &Certificate) -> Option<&Certificate> {
        self.roots.iter().find(|root| issuer.names_issuer(root))
    }

    /// The trust domain, read from the root.
    pub fn trust_domain(&self) -> &TrustDomain {
        &self.trust_domain
    }

    /// The revocation lists, the highest number first.
    pub fn crls(&self) -> &[Crl] {
        self.revocation.as_deref().unwrap_or_default()
    }

    /// Verifies a student's chain: as TLS client and as signer of documents alike.
    ///
    /// # Errors
    /// [`CertificateError`].
    pub fn verify_student(
        &self,
        chain: &Chain,
        now: UnixTime,
    ) -> Result<VerifiedStudent, CertificateError> {
        let path = self.verify_path(chain, KeyPurpose::ClientAuth, now)?;
        VerifiedStudent::of(path, chain)
    }

    /// Verifies the chain of exactly this service, for this usage.
    ///
    /// # Errors
    /// [`CertificateError`].
    pub fn verify_service(
        &self,
        chain: &Chain,
        expected: &ServiceName,
        usage: ServiceUsage,
        now: UnixTime,
    ) -> Result<VerifiedService, CertificateError> {
        let path = self.verify_path(chain, usage.purpose(), now)?;
        let service = VerifiedService::of(path, chain, usage.profile())?;
        if service.name() != expected {
            return Err(CertificateError::WrongName {
                expected: expected.to_string(),
                found: service.name().to_string(),
            });
        }
        Ok(service)
    }

    /// Verifies the chain of a TLS client of which only the certificate says who it is.
    ///
    /// # Errors
    /// [`CertificateError`].
    pub fn verify_any_client(
        &self,
        chain: &Chain,
        now: UnixTime,
    ) -> Result<VerifiedPeer, CertificateError> {
        let path = self.verify_path(chain, KeyPurpose::ClientAuth, now)?;
        match path.id.identity() {
            Identity::Student(_) => VerifiedStudent::of(path, chain).map(VerifiedPeer::Student),
            Identity::Service(_) => VerifiedService::of(path, chain, profile::SERVICE_PURPOSES)
                .map(VerifiedPeer::Service),
        }
    }

    /// Signatures, times, revocation, the issuer's kind and the name's trust domain.
    fn verify_path(
        &self,
        chain: &Chain,
        purpose: KeyPurpose,
        now: UnixTime,
    ) -> Result<VerifiedPath, CertificateError> {
        self.verify_each(chain, purpose, now)
            .map_err(|found| match found {
                CertificateError::CrlUnavailable if self.is_of_no_issuer(chain) => {
                    CertificateError::UnknownIssuer
                }
                found => exact_reason(found, chain, self.root_for(chain)),
            })
    }

    /// Whether the root may have certified this authority, and nobody has it any more.
    fn is_of_no_issuer(&self, chain: &Chain) -> bool {
        let issuer = chain.certificates().get(1);
        self.knows_every_issuer && issuer.is_some_and(|issuer| !self.issuers.contains(issuer))
    }

    fn verify_each(
        &self,
        chain: &Chain,
        purpose: KeyPurpose,
        now: UnixTime,
    ) -> Result<VerifiedPath, CertificateError> {
        let issuer = self.issuer_in(chain)?;
        check_time(self.root_for(chain), now)?;
        self.verify_signatures(chain.leaf(), issuer, purpose, now)?;
        let kind = issuer_kind(issuer)?;
        let id = chain
            .leaf()
            .spiffe_id()
            .map_err(|_| CertificateError::NameInvalid)?;
        let issuer_domain = issuer.authority_trust_domain();
        if issuer_domain.is_ok_and(|domain| domain == self.trust_domain)
            && *id.trust_domain() == self.trust_domain
        {
            check_kind(&id, kind)?;
            Ok(VerifiedPath { id })
        } else {
            Err(CertificateError::NameInvalid)
        }
    }

    /// The issuing authority of a chain of the only shape there is.
    fn issuer_in<'a>(&self, chain: &'a Chain) -> Result<&'a Certificate, CertificateError> {
        match chain.certificates() {
            [_, issuer] => Ok(issuer),
            [_, issuer, root] if self.roots.contains(root) => Ok(issuer),
            _ => Err(CertificateError::UnknownIssuer),
        }
    }

    /// The root by which a chain is judged: the one that it names, else the oldest.
    fn root_for(&self, chain: &Chain) -> &Certificate {
        let issuer = chain.certificates().get(1);
        issuer
            .and_then(|issuer| self.root_of(issuer))
            .unwrap_or(self.root())
    }

    fn verify_signatures(
        &self,
        leaf: &Certificate,
        issuer: &Certificate,
        purpose: KeyPurpose,
        now: UnixTime,
    ) -> Result<(), CertificateError> {
        let path = Path::new(leaf, issuer, purpose);
        if self.known.holds(&path, now.as_secs()) {
            return Ok(());
        }
        let result = self.verify_with_webpki(leaf, issuer, purpose, now);
        let names_match = leaf.names_issuer(issuer) && self.root_of(issuer).is_some();
        match result {
            // Another authority of the same name: its key identifier gives it away.
            Err(CertificateError::BadSignature) if !names_match => {
                Err(CertificateError::UnknownIssuer)
            }
            result => {
                let times = common_time([leaf, issuer], self.crls());
                result.inspect(|()| self.known.remember(path, times))
            }
        }
        .map_err(|found| match found {
            CertificateError::Revoked if self.holds(leaf, issuer) => CertificateError::OnHold,
            other => other,
        })
    }

    /// Whether the newest list of this issuer says that the certificate is revoked for the time
    /// being. That it is revoked at all is known already.
    fn holds(&self, leaf: &Certificate, issuer: &Certificate) -> bool {
        let own = |list: &&Crl| Some(list.issuer_key_id()) == issuer.subject_key_id();
        let newest = self.crls().iter().find(own);
        newest.is_some_and(|list| list.holds(&leaf.serial()))
    }

    fn verify_with_webpki(
        &self,
        leaf: &Certificate,
        issuer: &Certificate,
        purpose: KeyPurpose,
        now: UnixTime,
    ) -> Result<(), CertificateError> {
        let lists: Vec<_> = self.crls().iter().map(Crl::for_webpki).collect();
        let revocation = match self.revocation {
            None => None,
            Some(_) => Some(
                RevocationOptionsBuilder::new(&lists)
                    .map_err(|_| CertificateError::CrlUnavailable)?
                    .with_depth(RevocationCheckDepth::Chain)
                    .with_status_policy(UnknownStatusPolicy::Deny)
                    .with_expiration_policy(ExpirationPolicy::Enforce)
                    .build(),
            ),
        };
        // `None` is a purpose without a number, which nothing is verified for.
        let oid = purpose.oid().ok_or(CertificateError::WrongUsage)?;
        let leaf_der = CertificateDer::from(leaf.der());
        let issuers = [CertificateDer::from(issuer.der())];
        let leaf = EndEntityCert::try_from(&leaf_der)?;
        let path = leaf.verify_for_usage(
            &[ECDSA_P256_SHA256],
            &self.anchors,
            &issuers,
            now,
            KeyUsage::required(oid.as_bytes()),
            revocation,
            None,
        )?;
        // A leaf straight from the root is not one of our profiles.
        match path.intermediate_certificates().count() {
            1 => Ok(()),
            _ => Err(CertificateError::UnknownIssuer),
        }
    }
}

impl ServiceUsage {
    fn purpose(self) -> KeyPurpose {
        match self {
            Self::Server => KeyPurpose::ServerAuth,
            Self::Client | Self::Signature => KeyPurpose::ClientAuth,
            Self::Token => KeyPurpose::DocumentSigning,
        }
    }

    fn profile(self) -> &'static [KeyPurpose] {
        match self {
            Self::Server | Self::Client | Self::Signature => profile::SERVICE_PURPOSES,
            Self::Token => profile::TOKEN_PURPOSES,
        }
    }
}

/// webpki takes a trust anchor for valid at any time.
fn check_time(root: &Certificate, now: UnixTime) -> Result<(), CertificateError> {
    if now < root.not_before() {
        Err(CertificateError::NotYetValid)
    } else if now > root.not_after() {
        Err(CertificateError::Expired)
    } else {
        Ok(())
    }
}

fn check_root(root: &Certificate) -> Result<TrustDomain, Error> {
    let trust_domain = check_authority(root).map_err(Error::RootInvalid)?;
    check_self_signed(root)?;
    Ok(trust_domain)
}

fn anchor(root: &Certificate) -> Result<TrustAnchor<'static>, Error> {
    let anchor = anchor_from_trusted_cert(&root.to_rustls())
        .map_err(|_| Error::RootInvalid("malformed"))?
        .to_owned();
    Ok(anchor)
}

/// Each issuing authority certifies names of its own kind only.
fn check_kind(id: &SpiffeId, kind: IssuerKind) -> Result<(), CertificateError> {
    let required = match id.identity() {
        Identity::Student(_) => IssuerKind::Students,
        Identity::Service(_) => IssuerKind::Services,
    };
    match kind == required {
        true => Ok(()),
        false => Err(CertificateError::WrongIssuer {
            found: id.to_string(),
        }),
    }
}

fn issuer_kind(issuer: &Certificate) -> Result<IssuerKind, CertificateError> {
    let purposes = issuer.extended_key_usages();
    if !issuer.has_key_usages(&[KeyUsages::KeyCertSign, KeyUsages::CRLSign]) {
        return Err(CertificateError::WrongUsage);
    }
    [IssuerKind::Students, IssuerKind::Services]
        .into_iter()
        .find(|kind| same_purposes(purposes, profile::issuer_purposes(*kind)))
        .ok_or(CertificateError::WrongUsage)
}

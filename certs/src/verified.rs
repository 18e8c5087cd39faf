//! Evidence: only verification makes these types, so that nobody can take a claim for a proof.

use x509_cert::ext::pkix::KeyUsages;

use crate::examination::wrong_usage;
use crate::key_usage::{KeyPurpose, same_purposes};
use crate::profile;
use crate::{Certificate, CertificateError, Chain, ServiceName, SpiffeId, StudentId};

/// What the chain proves, before the leaf's role and profile are looked at.
pub(crate) struct VerifiedPath {
    pub(crate) id: SpiffeId,
}

/// A student whose certificate chain was verified.
#[derive(Clone, Debug)]
pub struct VerifiedStudent {
    sid: StudentId,
    id: SpiffeId,
    chain: Chain,
}

impl VerifiedStudent {
    pub(crate) fn of(path: VerifiedPath, chain: &Chain) -> Result<Self, CertificateError> {
        let wrong_role = || CertificateError::WrongRole {
            found: path.id.to_string(),
        };
        let sid = path.id.student().ok_or_else(wrong_role)?.clone();
        check_leaf(chain.leaf(), profile::STUDENT_PURPOSES)?;
        Ok(Self {
            sid,
            id: path.id,
            chain: chain.clone(),
        })
    }

    /// The student ID.
    pub fn sid(&self) -> &StudentId {
        &self.sid
    }

    /// The SPIFFE ID.
    pub fn spiffe_id(&self) -> &SpiffeId {
        &self.id
    }

    /// The student's certificate.
    pub fn certificate(&self) -> &Certificate {
        self.chain.leaf()
    }

    /// The chain that was verified.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }
}

/// A service whose certificate chain was verified.
#[derive(Clone, Debug)]
pub struct VerifiedService {
    name: ServiceName,
    id: SpiffeId,
    chain: Chain,
}

impl VerifiedService {
    pub(crate) fn of(
        path: VerifiedPath,
        chain: &Chain,
        purposes: &[KeyPurpose],
    ) -> Result<Self, CertificateError> {
        let wrong_role = || CertificateError::WrongRole {
            found: path.id.to_string(),
        };
        let name = path.id.service().ok_or_else(wrong_role)?.clone();
        check_leaf(chain.leaf(), purposes)?;
        Ok(Self {
            name,
            id: path.id,
            chain: chain.clone(),
        })
    }

    /// The service's name.
    pub fn name(&self) -> &ServiceName {
        &self.name
    }

    /// The SPIFFE ID.
    pub fn spiffe_id(&self) -> &SpiffeId {
        &self.id
    }

    /// The service's certificate.
    pub fn certificate(&self) -> &Certificate {
        self.chain.leaf()
    }

    /// The chain that was verified.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }
}

/// Whoever a TLS client certificate can belong to.
#[derive(Clone, Debug)]
pub enum VerifiedPeer {
    /// A student.
    Student(VerifiedStudent),
    /// A service.
    Service(VerifiedService),
}

fn check_leaf(leaf: &Certificate, purposes: &[KeyPurpose]) -> Result<(), CertificateError> {
    leaf.public_key()
        .map_err(|_| CertificateError::BadSignature)?;
    let is_profile = leaf.has_key_usages(&[KeyUsages::DigitalSignature])
        && same_purposes(leaf.extended_key_usages(), purposes);
    if is_profile {
        Ok(())
    } else {
        Err(wrong_usage(leaf))
    }
}

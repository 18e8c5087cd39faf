//! What separates a student's certificate from a service's, and either from a token's signer, beside the name.

use der::asn1::ObjectIdentifier;

/// What a certificate's key may be used for (extended key usage, RFC 5280 section 4.2.1.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyPurpose {
    /// TLS server.
    ServerAuth,
    /// TLS client.
    ClientAuth,
    /// Signing documents and tokens (RFC 9336).
    DocumentSigning,
    /// Anything; never accepted.
    Any,
    /// A purpose that none of our profiles has.
    Other,
}

// Statics, since webpki wants `&'static` bytes of them.
static SERVER_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1");
static CLIENT_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2");
static DOCUMENT_SIGNING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.36");
static ANY: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37.0");

impl KeyPurpose {
    pub(crate) fn from_oid(oid: &ObjectIdentifier) -> Self {
        [
            Self::ServerAuth,
            Self::ClientAuth,
            Self::DocumentSigning,
            Self::Any,
        ]
        .into_iter()
        .find(|purpose| purpose.oid() == Some(oid))
        .unwrap_or(Self::Other)
    }

    pub(crate) fn oid(self) -> Option<&'static ObjectIdentifier> {
        match self {
            Self::ServerAuth => Some(&SERVER_AUTH),
            Self::ClientAuth => Some(&CLIENT_AUTH),
            Self::DocumentSigning => Some(&DOCUMENT_SIGNING),
            Self::Any => Some(&ANY),
            Self::Other => None,
        }
    }

    /// What rcgen writes for the purposes of our profiles.
    pub(crate) fn for_rcgen(self) -> rcgen::ExtendedKeyUsagePurpose {
        use rcgen::ExtendedKeyUsagePurpose as Purpose;
        match self.oid() {
            Some(oid) => Purpose::Other(oid.arcs().map(u64::from).collect()),
            None => Purpose::Any,
        }
    }
}

/// Whether `found` has exactly the members of `expected`, in any order and each once.
pub(crate) fn same_purposes(found: &[KeyPurpose], expected: &[KeyPurpose]) -> bool {
    found.len() == expected.len() && expected.iter().all(|purpose| found.contains(purpose))
}

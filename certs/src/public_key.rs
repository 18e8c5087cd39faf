//! P-256 public keys and the check of a signature: the one algorithm that this crate accepts.

use std::fmt;

use der::asn1::{BitString, ObjectIdentifier};
use der::{Any, Encode};
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_FIXED, UnparsedPublicKey, VerificationAlgorithm,
};
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};

use crate::{Error, Fingerprint};

const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// RFC 5758, section 3.2: the one algorithm of signatures.
pub(crate) const ECDSA_WITH_SHA256: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");

/// Bytes of an uncompressed P-256 point (SEC 1, section 2.3.3).
const POINT_LENGTH: usize = 65;
const UNCOMPRESSED: u8 = 4;

/// A P-256 public key: an uncompressed point on the named curve (RFC 5480).
///
/// That the point lies on the curve is checked whenever a signature is verified.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    point: [u8; POINT_LENGTH],
    spki_der: Vec<u8>,
}

impl PublicKey {
    /// Reads an uncompressed point of 65 bytes.
    ///
    /// # Errors
    /// [`Error::KeyUnsupported`] for any other form.
    pub fn from_point(point: &[u8]) -> Result<Self, Error> {
        let point: [u8; POINT_LENGTH] = point.try_into().map_err(|_| Error::KeyUnsupported)?;
        if point[0] != UNCOMPRESSED {
            return Err(Error::KeyUnsupported);
        }
        let spki_der = encode_spki(&point).map_err(|_| Error::KeyMalformed)?;
        Ok(Self { point, spki_der })
    }

    /// Reads a `SubjectPublicKeyInfo`.
    ///
    /// # Errors
    /// [`Error::KeyUnsupported`] for another algorithm or curve, explicit curve parameters or a
    /// compressed point.
    pub(crate) fn from_spki(spki: &SubjectPublicKeyInfoOwned) -> Result<Self, Error> {
        if spki.algorithm != p256_algorithm() {
            return Err(Error::KeyUnsupported);
        }
        let point = spki
            .subject_public_key
            .as_bytes()
            .ok_or(Error::KeyMalformed)?;
        Self::from_point(point)
    }

    /// The `SubjectPublicKeyInfo` in DER.
    pub fn spki_der(&self) -> &[u8] {
        &self.spki_der
    }

    /// The uncompressed point, 65 bytes.
    pub fn point(&self) -> &[u8] {
        &self.point
    }

    /// SHA-256 of the `SubjectPublicKeyInfo`.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.spki_der)
    }

    /// Verifies an `ECDSA-Sig-Value` over SHA-256 of `message` (RFC 3279, section 2.2.3).
    ///
    /// # Errors
    /// [`Error::BadSignature`].
    pub fn verify_der(&self, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        self.verify(&ECDSA_P256_SHA256_ASN1, message, signature)
    }

    /// Verifies 64 bytes `r‖s` over SHA-256 of `message` (RFC 7518, section 3.4).
    ///
    /// # Errors
    /// [`Error::BadSignature`].
    pub fn verify_raw(&self, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        self.verify(&ECDSA_P256_SHA256_FIXED, message, signature)
    }

    fn verify(
        &self,
        algorithm: &'static dyn VerificationAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), Error> {
        UnparsedPublicKey::new(algorithm, &self.point)
            .verify(message, signature)
            .map_err(|_| Error::BadSignature)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PublicKey({})", self.fingerprint())
    }
}

impl rcgen::PublicKeyData for PublicKey {
    fn der_bytes(&self) -> &[u8] {
        &self.point
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

fn p256_algorithm() -> AlgorithmIdentifierOwned {
    AlgorithmIdentifierOwned {
        oid: EC_PUBLIC_KEY,
        parameters: Some(Any::from(P256)),
    }
}

fn encode_spki(point: &[u8]) -> der::Result<Vec<u8>> {
    SubjectPublicKeyInfoOwned {
        algorithm: p256_algorithm(),
        subject_public_key: BitString::from_bytes(point)?,
    }
    .to_der()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use der::Decode;
    use proptest::prelude::*;

    use super::*;
    use crate::SigningKey;

    fn from_der(spki: &[u8]) -> Result<PublicKey, Error> {
        PublicKey::from_spki(&SubjectPublicKeyInfoOwned::from_der(spki).unwrap())
    }

    #[test]
    fn spki_round_trip() {
        let key = SigningKey::generate().unwrap();
        let public_key = key.public_key();
        assert_eq!(&from_der(public_key.spki_der()).unwrap(), public_key);
        assert_eq!(
            &PublicKey::from_point(public_key.point()).unwrap(),
            public_key
        );
    }

    #[test]
    fn refuses_other_curves_and_compressed_points() {
        let p384 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
        let spki = rcgen::PublicKeyData::subject_public_key_info(&p384);
        assert!(matches!(from_der(&spki), Err(Error::KeyUnsupported)));
        let ed25519 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let spki = rcgen::PublicKeyData::subject_public_key_info(&ed25519);
        assert!(matches!(from_der(&spki), Err(Error::KeyUnsupported)));

        let key = SigningKey::generate().unwrap();
        let mut compressed = key.public_key().point()[..33].to_vec();
        compressed[0] = 2;
        assert!(matches!(
            PublicKey::from_point(&compressed),
            Err(Error::KeyUnsupported)
        ));
        let mut hybrid = key.public_key().point().to_vec();
        hybrid[0] = 6;
        assert!(matches!(
            PublicKey::from_point(&hybrid),
            Err(Error::KeyUnsupported)
        ));
    }

    #[test]
    fn a_point_off_the_curve_verifies_nothing() {
        let key = SigningKey::generate().unwrap();
        let signature = key.sign_der(b"message").unwrap();
        let mut point = key.public_key().point().to_vec();
        point[64] ^= 1;
        let off_curve = PublicKey::from_point(&point).unwrap();
        assert!(off_curve.verify_der(b"message", &signature).is_err());
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = PublicKey::from_point(&bytes);
        }
    }
}

//! Certificate requests (PKCS#10, RFC 2986): only the public key counts, the names in them never do.

use der::asn1::ObjectIdentifier;
use der::{Decode, Encode, Tag, Tagged};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::name::Name;
use x509_cert::request::{CertReq, ExtensionReq};

use crate::public_key::ECDSA_WITH_SHA256;
use crate::{Error, PublicKey, SigningKey};

/// Bytes that a certificate request may have at most.
const MAX_REQUEST_SIZE: usize = 8 * 1024;

const EXTENSION_REQUEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.14");
const SUBJECT_ALT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");

/// Makes a PKCS#10 request (RFC 2986) in DER: the public key, its self-signature, no name.
///
/// # Errors
/// [`Error::Issuing`].
pub fn create_request(key: &SigningKey) -> Result<Vec<u8>, Error> {
    let mut parameters = rcgen::CertificateParams::default();
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    let request = parameters.serialize_request(key).map_err(Error::Issuing)?;
    Ok(request.der().to_vec())
}

/// A certificate request whose sender holds the private key.
///
/// Only the public key can be had from it: names, extensions and everything else that a request
/// may ask for are ignored.
#[derive(Clone, Debug)]
pub struct VerifiedRequest {
    public_key: PublicKey,
}

impl VerifiedRequest {
    /// Verifies a PKCS#10 request in DER, at most [`MAX_REQUEST_SIZE`].
    ///
    /// # Errors
    /// [`Error::RequestMalformed`], [`Error::KeyUnsupported`] for anything but P-256 on the named
    /// curve, [`Error::RequestAlgorithm`], [`Error::RequestSignature`].
    pub fn verify(der: &[u8]) -> Result<Self, Error> {
        let request = decode(der)?;
        let public_key =
            PublicKey::from_spki(&request.info.public_key).map_err(|error| match error {
                Error::KeyUnsupported => error,
                _ => Error::RequestMalformed("public key"),
            })?;
        refuse_nul_in_names(&request)?;
        verify_signature(&request, &public_key)?;
        Ok(Self { public_key })
    }

    /// The key that signed the request.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }
}

/// Decodes a request; what an encoder would have written differently is refused, so that the
/// re-encoded part that is signed has the very bytes that were sent.
fn decode(der: &[u8]) -> Result<CertReq, Error> {
    if der.len() > MAX_REQUEST_SIZE {
        return Err(Error::RequestMalformed("too large"));
    }
    let request =
        CertReq::from_der(der).map_err(|_| Error::RequestMalformed("not a PKCS#10 request"))?;
    match request.to_der() {
        Ok(encoded) if encoded == der => Ok(request),
        _ => Err(Error::RequestMalformed("not in DER")),
    }
}

fn verify_signature(request: &CertReq, public_key: &PublicKey) -> Result<(), Error> {
    if request.algorithm.oid != ECDSA_WITH_SHA256 || request.algorithm.parameters.is_some() {
        return Err(Error::RequestAlgorithm);
    }
    let signed = request
        .info
        .to_der()
        .map_err(|_| Error::RequestMalformed("not in DER"))?;
    let signature = request
        .signature
        .as_bytes()
        .ok_or(Error::RequestSignature)?;
    public_key
        .verify_der(&signed, signature)
        .map_err(|_| Error::RequestSignature)
}

/// Names are ignored, but one with a NUL in it is an attempt to deceive some other reader.
fn refuse_nul_in_names(request: &CertReq) -> Result<(), Error> {
    let requested = requested_names(request)?;
    if subject_has_nul(&request.info.subject) || requested.iter().any(has_nul) {
        return Err(Error::RequestMalformed("NUL in a name"));
    }
    Ok(())
}

fn subject_has_nul(subject: &Name) -> bool {
    let mut values = subject
        .0
        .iter()
        .flat_map(|part| part.0.iter())
        .map(|entry| &entry.value);
    values.any(|value| {
        let is_text_of_bytes = matches!(
            value.tag(),
            Tag::Utf8String | Tag::PrintableString | Tag::Ia5String | Tag::TeletexString
        );
        is_text_of_bytes && value.value().contains(&0)
    })
}

fn requested_names(request: &CertReq) -> Result<Vec<GeneralName>, Error> {
    let malformed = |_| Error::RequestMalformed("requested extensions");
    let mut names = Vec::new();
    for attribute in request.info.attributes.iter() {
        if attribute.oid != EXTENSION_REQUEST {
            continue;
        }
        for value in attribute.values.iter() {
            let ExtensionReq(extensions) = value.decode_as().map_err(malformed)?;
            for extension in extensions.iter().filter(|e| e.extn_id == SUBJECT_ALT_NAME) {
                let SubjectAltName(list) =
                    SubjectAltName::from_der(extension.extn_value.as_bytes()).map_err(malformed)?;
                names.extend(list);
            }
        }
    }
    Ok(names)
}

fn has_nul(name: &GeneralName) -> bool {
    match name {
        GeneralName::Rfc822Name(text)
        | GeneralName::DnsName(text)
        | GeneralName::UniformResourceIdentifier(text) => text.as_bytes().contains(&0),
        _ => false,
    }
}

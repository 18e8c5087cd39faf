//! Renewal of a certificate that has expired. Mutual TLS refuses it, so its key signs the new
//! request instead, for one connection only.

use data_encoding::BASE64URL_NOPAD;
use scb_certs::{Chain, Fingerprint, SigningKey, SpiffeId, StudentId};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::jose::{self, UnverifiedJws};
use crate::transcript::TranscriptHash;
use crate::values::Der;
use crate::{Code, Refusal, Step};

/// The proof's `typ`.
pub const RENEWAL_TYPE: &str = "scb-renewal+jwt";

/// Keeps what is hashed here apart from every other transcript.
const LABEL: &[u8] = b"scb/1 renewal";

/// A connection to CUHK, as what is signed for it names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorityChannel {
    /// TLS exporter (RFC 9266): label `EXPORTER-Channel-Binding`, empty context, 32 bytes.
    pub exporter: [u8; 32],
    /// CUHK's name.
    pub service: SpiffeId,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    v: u8,
    sub: SpiffeId,
    renewal: String,
}

impl Claims {
    fn new(channel: &AuthorityChannel, request: &Der, leaf: &Fingerprint, sub: SpiffeId) -> Self {
        Self {
            v: 1,
            sub,
            renewal: BASE64URL_NOPAD.encode(&binding(channel, request, leaf)),
        }
    }
}

/// What the old key signs: this request, for this certificate, on this connection.
fn binding(channel: &AuthorityChannel, request: &Der, leaf: &Fingerprint) -> [u8; 32] {
    TranscriptHash::new()
        .part(LABEL)
        .part(&channel.exporter)
        .part(channel.service.to_string().as_bytes())
        .part(leaf.as_bytes())
        .part(request.as_bytes())
        .finish()
}

/// Signs a request for the next certificate with the key of the old one, for this connection.
///
/// # Errors
///
/// [`Error::Sign`].
pub fn prove_renewal(
    channel: &AuthorityChannel,
    request: &Der,
    key: &SigningKey,
    old: &Chain,
) -> Result<String, Error> {
    let leaf = old.leaf();
    let sub = leaf.spiffe_id().map_err(|_| Error::Sign)?;
    let claims = Claims::new(channel, request, &leaf.fingerprint(), sub);
    let leaf = Chain::new(vec![leaf.clone()]).map_err(|_| Error::Sign)?;
    jose::sign(RENEWAL_TYPE, &claims, key, &leaf)
}

/// Evidence: the peer holds the key of this certificate, which names this student. Whether CUHK
/// issued it, and whether it may be renewed, is for CUHK's records to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateHolder {
    sid: StudentId,
    certificate: Fingerprint,
}

impl CertificateHolder {
    /// The student whom the certificate names.
    pub fn sid(&self) -> &StudentId {
        &self.sid
    }

    /// SHA-256 of the certificate.
    pub fn certificate(&self) -> &Fingerprint {
        &self.certificate
    }
}

/// Verifies a proof over this request on this connection.
///
/// # Errors
///
/// `proof_invalid`: another key, student, certificate, request or connection.
pub(crate) fn verify(
    proof: &str,
    channel: Option<&AuthorityChannel>,
    request: &Der,
    sid: &StudentId,
) -> Result<CertificateHolder, Refusal> {
    let reason = match check(proof, channel, request, sid) {
        Ok(certificate) => {
            let sid = sid.clone();
            return Ok(CertificateHolder { sid, certificate });
        }
        Err(reason) => reason,
    };
    let refusal = Refusal::new(Code::ProofInvalid, Step::One).about(sid);
    Err(refusal.with("reason", reason))
}

fn check(
    proof: &str,
    channel: Option<&AuthorityChannel>,
    request: &Der,
    sid: &StudentId,
) -> Result<Fingerprint, String> {
    let channel = channel.ok_or("there is no connection that it could be for")?;
    let jws = UnverifiedJws::parse(proof, RENEWAL_TYPE).map_err(|error| error.to_string())?;
    let [leaf] = jws.chain().certificates() else {
        return Err("it has another number of certificates than one".to_owned());
    };
    let name = leaf.spiffe_id().map_err(|error| error.to_string())?;
    if name.student() != Some(sid) {
        return Err("its certificate does not name this student".to_owned());
    }
    let key = leaf.public_key().map_err(|error| error.to_string())?;
    let claims: Claims = jws.verify(&key).map_err(|error| error.to_string())?;
    let sha256 = leaf.fingerprint();
    let expected = Claims::new(channel, request, &sha256, name);
    if claims.v != expected.v || claims.sub != expected.sub {
        return Err("its claims are not the required ones".to_owned());
    }
    if claims.renewal != expected.renewal {
        return Err("it is for another connection or request".to_owned());
    }
    Ok(sha256)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use data_encoding::HEXLOWER;

    use super::*;

    #[test]
    fn what_the_old_key_signs_is_as_documented() {
        let text = include_str!("../../../docs/vectors.json");
        let vectors: serde_json::Value = serde_json::from_str(text).unwrap();
        let text = |pointer: &str| vectors.pointer(pointer).unwrap().as_str().unwrap();
        let bytes = |pointer: &str| HEXLOWER.decode(text(pointer).as_bytes()).unwrap();
        let channel = AuthorityChannel {
            exporter: bytes("/given/exporter").try_into().unwrap(),
            service: text("/given/renewal/service").parse().unwrap(),
        };
        let request = Der::new(bytes("/given/renewal/request"));
        let leaf = bytes("/given/members/0/certificate").try_into().unwrap();
        let leaf = Fingerprint::from_bytes(leaf);
        let hash = binding(&channel, &request, &leaf);
        assert_eq!(HEXLOWER.encode(&hash), text("/derived/renewal"));
    }
}

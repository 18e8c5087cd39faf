//! Public keys as JSON Web Keys (RFC 7517): those that sign tokens, and a trust domain's bundle
//! as SPIFFE has it.

use data_encoding::{BASE64, BASE64URL_NOPAD};
use scb_certs::{Certificate, Error, Fingerprint, PublicKey};
use serde::Serialize;

/// What names a key (RFC 7518, section 6.2.1). In the order of RFC 7638: the thumbprint is the
/// hash of just this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Point {
    crv: &'static str,
    kty: &'static str,
    x: String,
    y: String,
}

impl Point {
    fn of(key: &PublicKey) -> Self {
        // Both coordinates have 32 bytes, after one byte that says so.
        let (x, y) = key.point()[1..].split_at(32);
        let [x, y] = [x, y].map(|coordinate| BASE64URL_NOPAD.encode(coordinate));
        Self {
            crv: "P-256",
            kty: "EC",
            x,
            y,
        }
    }
}

/// The key's identifier, `kid`: its thumbprint (RFC 7638) in base64url.
pub fn key_id(key: &PublicKey) -> String {
    // A struct of strings always serialises.
    let point = serde_json::to_vec(&Point::of(key)).unwrap_or_default();
    Fingerprint::of(&point).to_base64url()
}

/// What a key in a set is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
enum Usage {
    /// Verifying signatures (RFC 7517, section 4.2).
    #[serde(rename = "sig")]
    Signature,
    /// Verifying X.509-SVIDs (X509-SVID, section 6.1).
    #[serde(rename = "x509-svid")]
    X509Svid,
    /// Verifying tokens of the trust domain (JWT-SVID, section 5).
    #[serde(rename = "jwt-svid")]
    JwtSvid,
}

/// A public key in a set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Jwk {
    #[serde(flatten)]
    point: Point,
    #[serde(rename = "use")]
    usage: Usage,
    #[serde(skip_serializing_if = "Option::is_none")]
    alg: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x5c: Option<[String; 1]>,
    #[serde(rename = "x5t#S256", skip_serializing_if = "Option::is_none")]
    x5t_s256: Option<String>,
}

impl Jwk {
    fn new(certificate: &Certificate, usage: Usage) -> Result<Self, Error> {
        Ok(Self {
            point: Point::of(&certificate.public_key()?),
            usage,
            alg: None,
            kid: None,
            x5c: None,
            x5t_s256: None,
        })
    }

    fn signing(certificate: &Certificate, usage: Usage) -> Result<Self, Error> {
        Ok(Self {
            alg: Some("ES256"),
            kid: Some(key_id(&certificate.public_key()?)),
            ..Self::new(certificate, usage)?
        })
    }

    fn certified(self, certificate: &Certificate) -> Self {
        Self {
            x5c: Some([BASE64.encode(certificate.der())]),
            ..self
        }
    }
}

/// A set of keys (RFC 7517, section 5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JwkSet {
    keys: Vec<Jwk>,
}

impl JwkSet {
    /// The keys of these signers of tokens, with their certificates.
    ///
    /// # Errors
    ///
    /// For a certificate of another key than P-256.
    pub fn of_signers(signers: &[Certificate]) -> Result<Self, Error> {
        let key = |signer: &Certificate| {
            let key = Jwk::signing(signer, Usage::Signature)?.certified(signer);
            let thumbprint = signer.fingerprint().to_base64url();
            Ok(Jwk {
                x5t_s256: Some(thumbprint),
                ..key
            })
        };
        let keys = signers.iter().map(key).collect::<Result<_, _>>()?;
        Ok(Self { keys })
    }
}

/// A trust domain's bundle (SPIFFE Trust Domain and Bundle, section 4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SpiffeBundle {
    keys: Vec<Jwk>,
    /// Grows whenever the keys change.
    spiffe_sequence: u64,
    /// After how many seconds to look again.
    spiffe_refresh_hint: u64,
}

impl SpiffeBundle {
    /// What certificates lead to and what signs tokens, as of this sequence number.
    ///
    /// # Errors
    ///
    /// For a certificate of another key than P-256.
    pub fn new(
        roots: &[Certificate],
        signers: &[Certificate],
        sequence: u64,
        refresh_hint: u64,
    ) -> Result<Self, Error> {
        let root = |root| Ok(Jwk::new(root, Usage::X509Svid)?.certified(root));
        let roots = roots.iter().map(root);
        let signers = signers
            .iter()
            .map(|signer| Jwk::signing(signer, Usage::JwtSvid));
        Ok(Self {
            keys: roots.chain(signers).collect::<Result<_, _>>()?,
            spiffe_sequence: sequence,
            spiffe_refresh_hint: refresh_hint,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use scb_testkit::TestCampus;
    use serde_json::{Value, json};

    use super::*;

    /// The key of RFC 9449, section 4.1, and its thumbprint in section 6.1.
    #[test]
    fn a_key_s_name_is_the_thumbprint_that_others_compute() {
        let coordinates = [
            "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
            "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
        ];
        let coordinates = coordinates.map(|text| BASE64URL_NOPAD.decode(text.as_bytes()).unwrap());
        let point = [&[4][..], &coordinates.concat()].concat();
        let key = PublicKey::from_point(&point).unwrap();
        assert_eq!(key_id(&key), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
    }

    #[test]
    fn a_signer_s_key_carries_its_name_and_certificate() {
        let campus = TestCampus::new();
        let signer = campus.student("1155000001").leaf().clone();
        let set = JwkSet::of_signers(std::slice::from_ref(&signer)).unwrap();
        let set: Value = serde_json::to_value(set).unwrap();
        let key = &set["keys"][0];
        let expected = [
            ("use", json!("sig")),
            ("alg", json!("ES256")),
            ("kid", json!(key_id(&signer.public_key().unwrap()))),
            ("x5c", json!([BASE64.encode(signer.der())])),
            ("x5t#S256", json!(signer.fingerprint().to_base64url())),
        ];
        for (field, value) in &expected {
            assert_eq!(key[field], *value, "{field}");
        }
        let point = ["crv", "kty", "x", "y"];
        assert_eq!(key.as_object().unwrap().len(), point.len() + expected.len());
    }

    #[test]
    fn a_bundle_says_which_key_is_for_what() {
        let campus = TestCampus::new();
        let root = campus.root().certificate().clone();
        let signer = campus.student("1155000001").leaf().clone();
        let bundle = SpiffeBundle::new(&[root], &[signer], 7, 60).unwrap();
        let bundle: Value = serde_json::to_value(bundle).unwrap();
        assert_eq!(bundle["spiffe_sequence"], 7);
        assert_eq!(bundle["spiffe_refresh_hint"], 60);
        let fields = |index: usize| {
            let key = bundle["keys"][index].as_object().unwrap();
            key.keys().cloned().collect::<Vec<_>>()
        };
        assert_eq!(bundle["keys"][0]["use"], "x509-svid");
        assert_eq!(fields(0), ["crv", "kty", "use", "x", "x5c", "y"]);
        assert_eq!(bundle["keys"][1]["use"], "jwt-svid");
        assert_eq!(fields(1), ["alg", "crv", "kid", "kty", "use", "x", "y"]);
    }
}

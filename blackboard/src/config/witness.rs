//! Witnesses besides CUHK, as `config.toml` names them.

use std::fs;
use std::path::PathBuf;

use scb_cli::Home;
use scb_protocol::receipt::WitnessPolicy;
use scb_tlog::{Algorithm, VerifierKey};
use scb_transport::{HttpClient, HttpError, HttpUrl};
use serde::{Deserialize, Serialize};

use super::Config;

/// A witness, and where it listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NamedWitness {
    /// Its key for cosignatures.
    #[serde(with = "text")]
    pub(crate) key: VerifierKey,
    /// Below which `add-checkpoint` is.
    #[serde(with = "text")]
    pub(crate) url: HttpUrl,
    /// The certificates in PEM of who may certify its name, below the home if not absolute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca: Option<PathBuf>,
}

/// Why these witnesses cannot be asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WitnessPolicyError {
    /// A log's key, or of a kind that is not for cosignatures.
    #[error("{0} is not a key for cosignatures")]
    NotAWitness(VerifierKey),
    /// Twice the same key counts once.
    #[error("the key {0} is there twice")]
    Twice(VerifierKey),
    /// More than there are, or none.
    #[error("quorum = {quorum}, but with CUHK there are {witnesses} witnesses")]
    Quorum {
        /// How many were asked for.
        quorum: usize,
        /// How many there are.
        witnesses: usize,
    },
    /// Its authorities cannot be read.
    #[error("cannot read {}", .0.display())]
    Authorities(PathBuf, #[source] std::io::Error),
    /// Its address or its authorities are of no use.
    #[error("{0} cannot be asked")]
    Client(HttpUrl, #[source] HttpError),
}

impl Config {
    /// How many of whom must have cosigned.
    ///
    /// # Errors
    ///
    /// [`WitnessPolicyError`].
    pub(crate) fn witness_policy(&self) -> Result<WitnessPolicy, WitnessPolicyError> {
        let mut keys: Vec<VerifierKey> = Vec::new();
        for NamedWitness { key, .. } in &self.witnesses {
            if key.algorithm() != Algorithm::CosignatureV1 {
                return Err(WitnessPolicyError::NotAWitness(key.clone()));
            }
            if keys
                .iter()
                .any(|known| known.public_key() == key.public_key())
            {
                return Err(WitnessPolicyError::Twice(key.clone()));
            }
            keys.push(key.clone());
        }
        let (quorum, witnesses) = (self.quorum, keys.len() + 1);
        WitnessPolicy::new(quorum, keys).ok_or(WitnessPolicyError::Quorum { quorum, witnesses })
    }
}

impl NamedWitness {
    /// Who speaks to it.
    ///
    /// # Errors
    ///
    /// [`WitnessPolicyError::Authorities`], [`WitnessPolicyError::Client`].
    pub(crate) fn client(&self, home: &Home) -> Result<HttpClient, WitnessPolicyError> {
        let authorities = match &self.ca {
            Some(file) => {
                let path = home.dir().join(file);
                fs::read(&path).map_err(|error| WitnessPolicyError::Authorities(path, error))?
            }
            None => Vec::new(),
        };
        let unusable = |error| WitnessPolicyError::Client(self.url.clone(), error);
        HttpClient::new(self.url.clone(), &authorities).map_err(unusable)
    }

    /// As an element of the list, on a line of its own.
    fn to_toml(&self) -> String {
        let quoted = |text: String| toml::Value::from(text).to_string();
        let (key, url) = (quoted(self.key.to_string()), quoted(self.url.to_string()));
        let ca = self.ca.as_ref().map(|ca| quoted(ca.display().to_string()));
        let ca = ca.map_or_else(String::new, |ca| format!(", ca = {ca}"));
        format!("    {{ key = {key}, url = {url}{ca} }},\n")
    }
}

/// The list as the file has it.
pub(super) fn list(witnesses: &[NamedWitness]) -> String {
    if witnesses.is_empty() {
        return "[]".to_owned();
    }
    let lines: String = witnesses.iter().map(NamedWitness::to_toml).collect();
    format!("[\n{lines}]")
}

/// Serde for what has a written form.
mod text {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<T: Display, S: Serializer>(
        value: &T,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_str(value)
    }

    pub(super) fn deserialize<'de, T, D>(from: D) -> Result<T, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        String::deserialize(from)?.parse().map_err(Error::custom)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use scb_tlog::NoteKey;

    use super::*;

    fn witness(algorithm: Algorithm, seed: u8) -> NamedWitness {
        let name = format!("library.example/w{seed}").parse().unwrap();
        let key = NoteKey::from_seed(name, algorithm, &[seed; 32]).unwrap();
        NamedWitness {
            key: key.verifier().clone(),
            url: "https://w.library.example:8443/cosign".parse().unwrap(),
            ca: Some("ca.pem".into()),
        }
    }

    fn with(witnesses: Vec<NamedWitness>, quorum: usize) -> Config {
        Config {
            witnesses,
            quorum,
            ..Config::default()
        }
    }

    fn one(seed: u8) -> NamedWitness {
        witness(Algorithm::CosignatureV1, seed)
    }

    #[test]
    fn are_read_back_as_they_were_written() {
        for witnesses in [
            vec![one(1)],
            vec![one(1), NamedWitness { ca: None, ..one(2) }],
        ] {
            let config = with(witnesses, 2);
            let text = config.to_toml();
            assert_eq!(toml::from_str::<Config>(&text).unwrap(), config, "{text}");
            assert_eq!(
                config.witness_policy().unwrap().outside().len(),
                config.witnesses.len()
            );
        }
    }

    #[test]
    fn a_quorum_that_can_never_be_is_refused_and_so_are_keys_that_do_not_count() {
        for (witnesses, quorum) in [
            (vec![], 0),
            (vec![], 2),
            (vec![one(1)], 0),
            (vec![one(1)], 3),
            (vec![one(1), one(1)], 2),
            (vec![witness(Algorithm::Ed25519, 1)], 2),
        ] {
            let config = with(witnesses, quorum);
            assert!(config.witness_policy().is_err(), "{config:?}");
        }
    }

    #[test]
    fn refuses_what_is_no_key_or_no_address() {
        let right = toml::to_string(&with(vec![one(1)], 1)).unwrap();
        assert!(toml::from_str::<Config>(&right).is_ok());
        for (from, to) in [
            ("https:", "http:"),
            ("https:", "ftp:"),
            ("w.library.example", "user@w.library.example"),
            ("library.example/w1+", "library.example/w2+"),
            ("ca =", "cas ="),
        ] {
            let wrong = right.replacen(from, to, 1);
            assert_ne!(wrong, right);
            assert!(toml::from_str::<Config>(&wrong).is_err(), "{wrong}");
        }
    }
}

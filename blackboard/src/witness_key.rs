//! The key with which this server cosigns checkpoints: `HOME/witness/key.pem`, made once.

use anyhow::Context;
use scb_certs::{Ed25519Seed, ServiceName, TrustDomain, read_private, write_private};
use scb_cli::{Home, create_private_dir};
use scb_tlog::{Algorithm, Cosigner, NoteKey};

use crate::platform::sync_dir;

const DIRECTORY: &str = "witness";
const KEY: &str = "key.pem";

/// The stored key, or a new one. It is for cosignatures and nothing else.
pub(crate) fn witness_key(home: &Home, trust_domain: &TrustDomain) -> anyhow::Result<Cosigner> {
    let directory = home.path(DIRECTORY);
    let path = directory.join(KEY);
    if !path.exists() {
        if !directory.exists() {
            create_private_dir(&directory)?;
        }
        write_private(&path, &Ed25519Seed::generate()?.to_pem(None)?)?;
        sync_dir(home.dir()).with_context(|| format!("cannot sync {}", home.dir().display()))?;
    }
    let seed = Ed25519Seed::from_pem(&read_private(&path)?, None)
        .with_context(|| format!("cannot read {}", path.display()))?;
    let name = format!("{trust_domain}/witness/{}", ServiceName::blackboard());
    let key = NoteKey::from_seed(name.parse()?, Algorithm::CosignatureV1, seed.expose())?;
    Ok(Cosigner::new(key)?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use scb_cli::Role;

    use super::*;

    #[test]
    fn is_made_once_and_for_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::create(&dir.path().join("home"), Role::Blackboard).unwrap();
        let domain = "cuhk.example".parse().unwrap();
        let first = witness_key(&home, &domain).unwrap().verifier().clone();
        let again = witness_key(&home, &domain).unwrap().verifier().clone();
        assert_eq!(first, again);
        let name = "cuhk.example/witness/blackboard";
        assert_eq!(first.name().as_str(), name);
        // Others cannot read it, or it is not used.
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let path = home.path("witness/key.pem");
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
            assert!(witness_key(&home, &domain).is_err());
        }
    }
}

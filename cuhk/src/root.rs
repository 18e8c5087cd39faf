//! The few things that need the root's key. `serve` never loads it.

use rustls_pki_types::UnixTime;
use scb_certs::{Crl, Passphrase, Root};
use scb_cli::Home;

use crate::Error;
use crate::ceremony::{import_root, newest_root, open_root, request_root, sign_root};
use crate::config::path;
use crate::issuers::counting_roots;
use crate::store::Store;

/// Every root that counts and whose key is here, the newest among them: what all of them sign is
/// believed by whoever knows one.
///
/// # Errors
///
/// As for [`open_root`].
pub(crate) fn open_roots(
    home: &Home,
    store: &Store,
    passphrase: &Passphrase,
    now: UnixTime,
) -> Result<Vec<Root>, Error> {
    let newest = newest_root(store)?;
    let all = store.read_blocking(|records| records.authorities().all())?;
    let mut roots = Vec::new();
    for signer in counting_roots(home, &all, now)? {
        let dir = home.path(&path::authority(signer));
        if signer == newest || dir.join(path::KEY).exists() {
            roots.push(open_root(&dir, passphrase)?);
        }
    }
    Ok(roots)
}

/// The revocation lists of these roots and the trust bundle, signed and stored; and what two of them say of each other
/// where that is not there or will soon end.
///
/// # Errors
///
/// As for [`sign_root_list`].
pub(crate) fn sign_lists(
    home: &Home,
    store: &Store,
    roots: &[Root],
    now: UnixTime,
) -> Result<(), Error> {
    let request = request_root(home, store, false, now)?.with_missing_crosses(home, roots, now)?;
    let answer = sign_root(&request, roots, None, now)?;
    import_root(home, store, &answer, now).map(drop)
}

/// Signs and stores the revocation list of every root that counts and whose key is here, and the
/// trust bundle, for another 13 months; answers the newest root's list. They name the issuing
/// authorities that were withdrawn.
///
/// # Errors
///
/// [`Error::WrongPassphrase`] and others of [`Error::Certificates`];
/// [`Error::RootKeyAbsent`]; [`Error::Storage`].
pub fn sign_root_list(
    home: &Home,
    store: &Store,
    passphrase: &Passphrase,
    now: UnixTime,
) -> Result<Crl, Error> {
    let newest = newest_root(store)?;
    let roots = open_roots(home, store, passphrase, now)?;
    sign_lists(home, store, &roots, now)?;
    let stored = store.read_blocking(move |records| records.lists().find(newest))?;
    let missing = Error::RecordInvalid {
        what: "revocation list of the root",
    };
    Ok(stored.ok_or(missing)?.crl)
}

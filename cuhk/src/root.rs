//! The few things that need the root's key. `serve` never loads it.

use rustls_pki_types::UnixTime;
use scb_certs::{Crl, Passphrase, Validities};
use scb_cli::Home;

use crate::Error;
use crate::ceremony::open_root;
use crate::config::path;
use crate::store::{CrlSigner, Store, StoredList};
use crate::time::later;

/// Signs and stores the root's revocation list for another 13 months. No issuing authority
/// was ever revoked, so it is empty.
///
/// # Errors
///
/// [`scb_certs::Error::WrongPassphrase`] and others of [`Error::Certificates`];
/// [`Error::Storage`].
pub fn sign_root_list(
    home: &Home,
    store: &Store,
    passphrase: &Passphrase,
    now: UnixTime,
) -> Result<Crl, Error> {
    let root = open_root(&home.path(path::ROOT), passphrase)?;
    store.write_blocking(move |records| {
        let epoch = records.status().advance(now)?;
        let number = records.lists().next_number(CrlSigner::ROOT, now)?;
        let crl = root.sign_crl(number, now, later(now, Validities::ROOT_CRL), &[])?;
        records.lists().replace(
            CrlSigner::ROOT,
            &StoredList {
                crl: crl.clone(),
                epoch,
            },
        )?;
        Ok(crl)
    })
}

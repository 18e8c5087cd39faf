//! The revocation lists that were in force when CUHK cosigned a log: a receipt that is completed late
//! needs them, as its own have ended by then.

use std::sync::Arc;

use scb_certs::{Crl, Error, TrustStore};

/// Revocation lists as they are used, and as they are stored and compared.
#[derive(Debug, Default)]
pub(crate) struct ListsThen {
    lists: Vec<Crl>,
    pem: Arc<str>,
}

impl ListsThen {
    /// Reads what was stored.
    ///
    /// # Errors
    ///
    /// [`Error::CrlMalformed`].
    pub(crate) fn read(pem: &str) -> Result<Self, Error> {
        let lists = Crl::all_from_pem(pem)?;
        let pem = pem.into();
        Ok(Self { lists, pem })
    }

    /// The lists.
    pub(crate) fn lists(&self) -> &[Crl] {
        &self.lists
    }

    /// The same in PEM, one after the other, as in a receipt.
    pub(crate) fn pem(&self) -> &Arc<str> {
        &self.pem
    }
}

/// Those of the trust store in use: made once, and shared by all that was cosigned under it.
#[derive(Debug, Default)]
pub(crate) struct ListsNow(Option<(Arc<TrustStore>, Arc<ListsThen>)>);

impl ListsNow {
    /// Those of this store.
    pub(crate) fn of(&mut self, trust: &Arc<TrustStore>) -> Arc<ListsThen> {
        if let Some((known, lists)) = &self.0
            && Arc::ptr_eq(known, trust)
        {
            return Arc::clone(lists);
        }
        let lists = trust.crls().to_vec();
        let pem = lists.iter().map(Crl::to_pem).collect::<String>().into();
        let lists = Arc::new(ListsThen { lists, pem });
        self.0 = Some((Arc::clone(trust), Arc::clone(&lists)));
        lists
    }
}

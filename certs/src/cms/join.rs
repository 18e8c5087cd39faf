//! Members who sign on different machines make one signature file of their parts.

use der::Any;

use super::{DetachedSignature, MAX_SIGNERS, encode, encoding};
use crate::{Certificate, Error, Fingerprint};

/// Puts together what several people signed apart: of each signature the part of the signer whose
/// certificate has this fingerprint, with the chain that it carries. The order is that of DER,
/// whatever order they are given in; nothing is verified.
///
/// # Errors
/// [`Error::CmsDuplicate`] if a certificate is named twice; [`Error::CmsMalformed`] for one that
/// has not signed, for nobody, and for more than 16.
pub fn join_detached(parts: &[(&DetachedSignature, Fingerprint)]) -> Result<Vec<u8>, Error> {
    if !(1..=MAX_SIGNERS).contains(&parts.len()) {
        return Err(Error::CmsMalformed("not one to sixteen signers"));
    }
    let (mut infos, mut certificates) = (Vec::new(), Vec::<&Certificate>::new());
    for (index, (signature, signer)) in parts.iter().enumerate() {
        if parts[..index].iter().any(|(_, earlier)| earlier == signer) {
            return Err(Error::CmsDuplicate);
        }
        let (info, chain) = signature.part_of(signer)?;
        infos.push(Any::encode_from(info).map_err(encoding)?);
        for certificate in chain {
            if !certificates.contains(&certificate) {
                certificates.push(certificate);
            }
        }
    }
    encode(infos, &certificates).map_err(encoding)
}

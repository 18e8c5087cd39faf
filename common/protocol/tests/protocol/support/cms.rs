//! Detached signatures taken apart and put together again, as a forger without keys can.

use cms::content_info::ContentInfo;
use der::asn1::SetOfVec;
use der::{Any, Decode, Encode};

/// The signatures of both, with the certificates of the first.
pub(crate) fn merge(first: &[u8], second: &[u8]) -> Vec<u8> {
    let mut more = Vec::new();
    edit(second, |infos| more.clone_from(infos));
    edit(first, |infos| infos.extend(more))
}

/// Only the first `count` of the signatures; all certificates stay.
pub(crate) fn retain(signature: &[u8], count: usize) -> Vec<u8> {
    edit(signature, |infos| infos.truncate(count))
}

/// `SignedData` (RFC 5652, section 5.1) ends with the set of `SignerInfo`.
fn edit(signature: &[u8], change: impl FnOnce(&mut Vec<Any>)) -> Vec<u8> {
    let mut outer = ContentInfo::from_der(signature).unwrap();
    let mut fields: Vec<Any> = outer.content.decode_as().unwrap();
    let infos: SetOfVec<Any> = fields.pop().unwrap().decode_as().unwrap();
    let mut infos = infos.into_vec();
    change(&mut infos);
    let infos = SetOfVec::try_from(infos).unwrap();
    fields.push(Any::encode_from(&infos).unwrap());
    outer.content = Any::encode_from(&fields).unwrap();
    outer.to_der().unwrap()
}

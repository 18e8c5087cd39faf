//! What several people sign apart, and what comes of it together.

use scb_certs::{DetachedSignature, Error, Fingerprint, join_detached};

use super::{CONTENT, Group, decoded, sign, verify};

/// Each member's signature, made alone, and the certificate of that member.
fn apart(group: &Group) -> Vec<(DetachedSignature, Fingerprint)> {
    let member = |member: &crate::campus::Holder| {
        let signature = sign(&member.key, &member.chain);
        let signature = DetachedSignature::parse(&signature).unwrap();
        (signature, member.leaf().fingerprint())
    };
    group.members.iter().map(member).collect()
}

fn join(parts: &[(DetachedSignature, Fingerprint)]) -> Result<Vec<u8>, Error> {
    let parts: Vec<_> = parts.iter().map(|(one, signer)| (one, *signer)).collect();
    join_detached(&parts)
}

#[test]
fn signatures_made_apart_are_one_together() {
    let parts = apart(&Group::new());
    let joined = join(&parts).unwrap();
    let signers = verify(&joined).unwrap();
    assert_eq!(signers.len(), 3);
    for (_, member) in &parts {
        let mut signers = signers.iter();
        assert!(signers.any(|signer| signer.certificate.fingerprint() == *member));
    }
    assert_eq!(
        decoded(&joined).certificates.unwrap().0.len(),
        4,
        "each once"
    );
}

#[test]
fn the_order_in_which_they_come_makes_no_difference() {
    let mut parts = apart(&Group::new());
    let joined = join(&parts).unwrap();
    parts.reverse();
    assert_eq!(join(&parts).unwrap(), joined);
}

#[test]
fn of_a_signature_of_several_only_the_one_who_is_named_is_taken() {
    let group = Group::new();
    let all = DetachedSignature::parse(&group.sign()).unwrap();
    let one = group.members[1].leaf();
    let joined = join_detached(&[(&all, one.fingerprint())]).unwrap();
    let signers = verify(&joined).unwrap();
    assert_eq!(signers.len(), 1);
    assert_eq!(signers[0].chain, group.members[1].chain);
}

#[test]
fn refuses_one_twice_one_who_has_not_signed_and_nobody() {
    let mut parts = apart(&Group::new());
    assert!(matches!(join(&[]), Err(Error::CmsMalformed(_))));
    let (first, second) = (parts[0].1, parts[1].1);
    parts[1].1 = first;
    assert!(matches!(join(&parts), Err(Error::CmsDuplicate)));
    parts.truncate(1);
    parts[0].1 = second;
    assert!(matches!(join(&parts), Err(Error::CmsMalformed(_))));
}

#[test]
fn a_signature_of_something_else_does_not_verify_among_the_others() {
    let mut parts = apart(&Group::new());
    let group = Group::new();
    let other = &group.members[0];
    let of_other = [CONTENT, b"!"].concat();
    let signed = scb_certs::sign_detached(
        &of_other,
        &[(&other.key, &other.chain)],
        crate::campus::now(),
    );
    let signed = DetachedSignature::parse(&signed.unwrap()).unwrap();
    parts[2] = (signed, other.leaf().fingerprint());
    assert!(matches!(
        verify(&join(&parts).unwrap()),
        Err(Error::CmsContent)
    ));
}

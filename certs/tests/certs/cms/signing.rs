//! What is signed, by whom, and what of it is noticed when it changes.

use cms::cert::CertificateChoices;
use cms::signed_data::CertificateSet;
use der::Decode;
use scb_certs::{Chain, DetachedSignature, Error, Fingerprint, SigningKey, sign_detached};

use super::{CONTENT, Group, altered, altered_infos, decoded, sign, verify};
use crate::campus::{in_days, now, seconds};

#[test]
fn every_member_is_a_signer() {
    let group = Group::new();
    let signers = verify(&group.sign()).unwrap();
    assert_eq!(signers.len(), 3);
    for member in &group.members {
        let signer = signers
            .iter()
            .find(|s| s.certificate == *member.leaf())
            .unwrap();
        assert_eq!(signer.chain, member.chain);
        assert_eq!(signer.claimed_time, now());
        let student = group
            .campus
            .strict_trust()
            .verify_student(&signer.chain, now())
            .unwrap();
        assert_eq!(student.certificate(), member.leaf());
    }
}

#[test]
fn carries_each_certificate_once() {
    let certificates = decoded(&Group::new().sign()).certificates.unwrap();
    assert_eq!(certificates.0.len(), 4);
}

#[test]
fn a_root_in_the_chain_stays_there() {
    let group = Group::new();
    let member = &group.members[0];
    let certificates = [
        member.chain.certificates(),
        &[group.campus.root.certificate().clone()],
    ]
    .concat();
    let chain = Chain::new(certificates).unwrap();
    let signers = verify(&sign(&member.key, &chain)).unwrap();
    assert_eq!(signers[0].chain, chain);
    assert!(
        group
            .campus
            .strict_trust()
            .verify_student(&signers[0].chain, now())
            .is_ok()
    );
}

#[test]
fn a_signature_after_2049_has_its_time() {
    let group = Group::new();
    let time = seconds(2_600_000_000);
    assert_eq!(verify(&group.sign_at(time)).unwrap()[0].claimed_time, time);
}

#[test]
fn an_empty_content_can_be_signed() {
    let group = Group::new();
    let member = &group.members[0];
    let der = sign_detached(b"", &[(&member.key, &member.chain)], now()).unwrap();
    let signature = DetachedSignature::parse(&der).unwrap();
    assert!(signature.verify(b"").is_ok());
    assert!(matches!(signature.verify(b"\0"), Err(Error::CmsContent)));
}

#[test]
fn refuses_altered_content() {
    let signature = DetachedSignature::parse(&Group::new().sign()).unwrap();
    assert!(signature.verify(CONTENT).is_ok());
    for content in [&CONTENT[1..], b"", b"{\"type\":\"statemenu\"}"] {
        assert!(matches!(signature.verify(content), Err(Error::CmsContent)));
    }
}

#[test]
fn a_removed_signer_is_missing_from_the_list() {
    let group = Group::new();
    let der = altered_infos(&group.sign(), |infos| {
        infos.pop();
    });
    assert_eq!(verify(&der).unwrap().len(), 2);
    let none = altered_infos(&group.sign(), Vec::clear);
    assert!(matches!(verify(&none), Err(Error::CmsMalformed(_))));
}

#[test]
fn refuses_the_same_signer_twice() {
    let group = Group::new();
    let later = decoded(&group.sign_at(in_days(1))).signer_infos.0;
    for info in later.as_slice() {
        let der = altered_infos(&group.sign(), |infos| infos.push(info.clone()));
        assert!(matches!(verify(&der), Err(Error::CmsDuplicate)));
    }
}

#[test]
fn refuses_swapped_signatures_and_swapped_signers() {
    let group = Group::new();
    let signatures = altered_infos(&group.sign(), |infos| {
        let first = infos[0].signature.clone();
        infos[0].signature = infos[1].signature.clone();
        infos[1].signature = first;
    });
    assert!(matches!(verify(&signatures), Err(Error::CmsSignature)));
    let signers = altered_infos(&group.sign(), |infos| {
        let first = infos[0].sid.clone();
        infos[0].sid = infos[1].sid.clone();
        infos[1].sid = first;
    });
    assert!(matches!(verify(&signers), Err(Error::CmsSignature)));
}

#[test]
fn a_chain_may_lack_its_issuer_and_is_not_trusted_then() {
    let group = Group::new();
    let leaf = group.members[0].leaf().clone();
    let der = altered(&group.sign_alone(), |signed_data| {
        let own = x509_cert::Certificate::from_der(leaf.der()).unwrap();
        let only = vec![CertificateChoices::Certificate(own)];
        signed_data.certificates = Some(CertificateSet::try_from(only).unwrap());
    });
    let signers = verify(&der).unwrap();
    assert_eq!(signers[0].chain.certificates(), [leaf]);
    assert!(
        group
            .campus
            .trust()
            .verify_student(&signers[0].chain, now())
            .is_err()
    );
}

#[test]
fn refuses_to_sign_what_nobody_would_accept() {
    let group = Group::new();
    let [first, second, _] = group.members.as_slice() else {
        unreachable!()
    };
    let sign = |signers: &[(&SigningKey, &Chain)]| sign_detached(CONTENT, signers, now());
    assert!(matches!(sign(&[]), Err(Error::CmsMalformed(_))));
    assert!(matches!(
        sign(&[(&first.key, &second.chain)]),
        Err(Error::KeyMismatch)
    ));
    let own = (&first.key, &first.chain);
    assert!(matches!(sign(&[own, own]), Err(Error::CmsDuplicate)));
    assert!(matches!(sign(&[own; 17]), Err(Error::CmsMalformed(_))));
}

#[test]
fn the_digest_is_that_of_the_content() {
    let der = Group::new().sign_alone();
    let digest = Fingerprint::of(CONTENT);
    assert!(der.windows(32).any(|window| window == digest.as_bytes()));
}

//! Random and randomly altered input: never a panic, never accepted.

use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::Index;
use scb_certs::{
    Certificate, Chain, Crl, DetachedSignature, SigningKey, VerifiedRequest, create_request,
    sign_detached,
};

use crate::campus::{Campus, Holder, new_key, now};

struct Genuine {
    campus: Campus,
    student: Holder,
    request: Vec<u8>,
    signature: Vec<u8>,
    pem: String,
}

static GENUINE: LazyLock<Genuine> = LazyLock::new(|| {
    let campus = Campus::new();
    let student = campus.student("1155000001");
    let request = create_request(&new_key()).unwrap();
    let signature = sign_detached(b"text", &[(&student.key, &student.chain)], now()).unwrap();
    let pem = new_key().to_pem(None).unwrap().to_string();
    Genuine {
        campus,
        student,
        request,
        signature,
        pem,
    }
});

fn with_other_byte(der: &[u8], at: Index, change: u8) -> Vec<u8> {
    let mut der = der.to_vec();
    let at = at.index(der.len());
    der[at] ^= change;
    der
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(Certificate::from_der(&bytes).is_err());
        prop_assert!(Crl::from_der(&bytes).is_err());
        prop_assert!(VerifiedRequest::verify(&bytes).is_err());
        prop_assert!(DetachedSignature::parse(&bytes).is_err());
    }

    #[test]
    fn random_text_never_panics(text in any::<String>()) {
        prop_assert!(Certificate::from_pem(&text).is_err());
        prop_assert!(Chain::from_pem(&text).is_err());
        prop_assert!(Chain::from_base64(std::slice::from_ref(&text)).is_err());
        prop_assert!(Crl::from_pem(&text).is_err());
        prop_assert!(SigningKey::from_pem(&text, None).is_err());
    }

    #[test]
    fn an_altered_certificate_is_never_accepted(at: Index, change in 1_u8..) {
        let genuine = &*GENUINE;
        let der = with_other_byte(genuine.student.leaf().der(), at, change);
        if let Ok(leaf) = Certificate::from_der(&der) {
            let issuer = genuine.campus.students.certificate().clone();
            let chain = Chain::new(vec![leaf, issuer]).unwrap();
            prop_assert!(genuine.campus.trust().verify_student(&chain, now()).is_err());
        }
    }

    #[test]
    fn an_altered_issuer_is_never_accepted(at: Index, change in 1_u8..) {
        let genuine = &*GENUINE;
        let der = with_other_byte(genuine.campus.students.certificate().der(), at, change);
        if let Ok(issuer) = Certificate::from_der(&der) {
            let chain = Chain::new(vec![genuine.student.leaf().clone(), issuer]).unwrap();
            prop_assert!(genuine.campus.trust().verify_student(&chain, now()).is_err());
        }
    }

    #[test]
    fn an_altered_revocation_list_never_helps(at: Index, change in 1_u8..) {
        let genuine = &*GENUINE;
        let der = with_other_byte(genuine.campus.students_crl(&[]).der(), at, change);
        if let Ok(crl) = Crl::from_der(&der) {
            let crls = vec![genuine.campus.root_crl(&[]), crl];
            if let Ok(trust) = genuine.campus.trust().with_crls(crls) {
                let chain = &genuine.student.chain;
                prop_assert!(trust.verify_student(chain, now()).is_err());
            }
        }
    }

    #[test]
    fn an_altered_request_is_never_accepted(at: Index, change in 1_u8..) {
        let der = with_other_byte(&GENUINE.request, at, change);
        prop_assert!(VerifiedRequest::verify(&der).is_err());
    }

    #[test]
    fn an_altered_signature_never_shows_another_signer(at: Index, change in 1_u8..) {
        let genuine = &*GENUINE;
        let der = with_other_byte(&genuine.signature, at, change);
        if let Ok(signers) = DetachedSignature::parse(&der).and_then(|cms| cms.verify(b"text")) {
            // Only the issuer's certificate can have been altered, and that is not trusted.
            prop_assert_eq!(&signers[0].certificate, genuine.student.leaf());
            let chain = &signers[0].chain;
            prop_assert!(genuine.campus.trust().verify_student(chain, now()).is_err());
        }
    }

    #[test]
    fn an_altered_key_never_panics(at: Index, change in 1_u8..128) {
        let altered = with_other_byte(GENUINE.pem.as_bytes(), at, change);
        let _ = SigningKey::from_pem(&String::from_utf8_lossy(&altered), None);
    }
}

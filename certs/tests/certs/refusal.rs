//! Why a chain is refused, asked in each way in which it can be asked.

use rcgen::{BasicConstraints, IsCa, KeyUsagePurpose};
use scb_certs::{CertificateError, ServiceName, ServiceUsage};

use crate::campus::{Campus, Holder, now, uri};

pub(crate) fn student_refusal(campus: &Campus, holder: &Holder) -> CertificateError {
    let as_student = campus
        .strict_trust()
        .verify_student(&holder.chain, now())
        .unwrap_err();
    let as_client = campus
        .strict_trust()
        .verify_any_client(&holder.chain, now())
        .unwrap_err();
    assert_eq!(as_student, as_client);
    as_student
}

pub(crate) fn blackboard_refusal(
    campus: &Campus,
    holder: &Holder,
    usage: ServiceUsage,
) -> CertificateError {
    campus
        .strict_trust()
        .verify_service(&holder.chain, &ServiceName::blackboard(), usage, now())
        .unwrap_err()
}

pub(crate) fn authority_parameters(campus: &Campus, path_length: u8) -> rcgen::CertificateParams {
    let mut parameters = campus.student_parameters();
    parameters.subject_alt_names = vec![uri("spiffe://cuhk.example")];
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(path_length));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    parameters.extended_key_usages.clear();
    parameters
}

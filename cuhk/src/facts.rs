//! The events of enrolment and renewal, by whatever protocol they are asked for.

use rustls_pki_types::UnixTime;
use scb_certs::{Certificate, ServiceName, StudentId, VerifiedRequest};
use scb_protocol::{Fact, Step, StepEvent, own_token_expiry};

use crate::authority::{Certified, Enrolled};

pub(crate) fn request_verified(sid: &StudentId, request: &VerifiedRequest) -> StepEvent {
    let key = request.public_key().fingerprint();
    StepEvent::new(Step::One, Fact::RequestVerified { key }).about(sid)
}

pub(crate) fn student_certified(sid: &StudentId, enrolled: &Enrolled) -> StepEvent {
    let Certified { chain, before } = &enrolled.certified;
    let certificate = chain.leaf();
    let fact = Fact::StudentCertified {
        certificate: certificate.into(),
        token_expires: expiry(&enrolled.token, certificate),
        before: *before,
    };
    StepEvent::new(Step::Two, fact).about(sid)
}

pub(crate) fn student_renewed(sid: &StudentId, renewed: &Enrolled) -> StepEvent {
    let Certified { chain, before } = &renewed.certified;
    let certificate = chain.leaf();
    let fact = Fact::StudentRenewed {
        certificate: certificate.into(),
        token_expires: expiry(&renewed.token, certificate),
        before: *before,
    };
    StepEvent::new(Step::Two, fact).about(sid)
}

pub(crate) fn service_certified(name: &ServiceName, certified: &Certified) -> StepEvent {
    let fact = Fact::ServiceCertified {
        name: name.clone(),
        certificate: certified.chain.leaf().into(),
        before: certified.before,
    };
    StepEvent::new(Step::Two, fact)
}

pub(crate) fn service_renewed(name: &ServiceName, certified: &Certified) -> StepEvent {
    let fact = Fact::ServiceRenewed {
        name: name.clone(),
        certificate: certified.chain.leaf().into(),
    };
    StepEvent::new(Step::Two, fact)
}

/// A token never outlives its certificate.
pub(crate) fn expiry(token: &str, certificate: &Certificate) -> UnixTime {
    own_token_expiry(token).unwrap_or_else(|| certificate.not_after())
}

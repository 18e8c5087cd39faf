//! What tells the story: a group and its run, a client by hand, and forged signatures.

mod cms;
pub(crate) mod forgery;
mod given;
mod group;
mod hand;
mod judge;
mod jws;
pub(crate) mod messages;
mod run;
mod standings;
mod submit;
mod witnessing;
mod zip;

pub(crate) use cms::{merge, retain};
pub(crate) use given::{Given, completed, part, pem, with_part};
pub(crate) use group::{Group, Issued, REPORT, token};
pub(crate) use hand::{Hand, proof};
pub(crate) use judge::{Judge, judge};
pub(crate) use jws::Jws;
pub(crate) use run::{Run, Side, Stored, committed};
pub(crate) use submit::{state, submit, text};
pub(crate) use witnessing::{Witnessing, witness};
pub(crate) use zip::{Files, repack, unpack};

use scb_certs::{Fingerprint, SpiffeId};
use scb_protocol::{Code, Refusal, Step};
use serde_json::Value;

/// The three of whom the stories tell.
pub(crate) const THREE: [&str; 3] = ["1155000001", "1155000002", "1155000003"];

/// A name in the test campus's trust domain, such as `service/cuhk`.
pub(crate) fn name(path: &str) -> SpiffeId {
    format!("spiffe://campus.test/{path}").parse().unwrap()
}

/// This JSON with the object at `pointer` as the list of its values, in the order in which they
/// stand there: serde would read a struct from that as well.
pub(crate) fn listed(pointer: &str, text: &str) -> String {
    let mut all: Value = serde_json::from_str(text).unwrap();
    let object = all.pointer_mut(pointer).unwrap();
    let mut fields: Vec<_> = object.as_object().unwrap().clone().into_iter().collect();
    fields.sort_by_key(|(name, _)| text.find(&format!("\"{name}\":")));
    *object = fields.into_iter().map(|(_, value)| value).collect();
    all.to_string()
}

/// A fingerprint of nothing in particular.
pub(crate) fn other_fingerprint() -> Fingerprint {
    Fingerprint::of(b"another")
}

/// The refusal in `result`, which must be for this reason.
#[track_caller]
pub(crate) fn refused<T>(what: &str, result: Result<T, Refusal>, code: Code) -> Refusal {
    match result {
        Ok(_) => panic!("accepted: {what}"),
        Err(refusal) => {
            assert_eq!(refusal.code, code, "{what}: {refusal}");
            refusal
        }
    }
}

/// As [`refused`], in this step.
#[track_caller]
pub(crate) fn refused_in<T>(step: Step, what: &str, result: Result<T, Refusal>, code: Code) {
    let refusal = refused(what, result, code);
    assert_eq!(refusal.step, step, "{what}: {refusal}");
}

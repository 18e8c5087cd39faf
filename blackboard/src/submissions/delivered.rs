//! Over which connection each member's signature came.

use scb_certs::StudentId;
use scb_cli::{local_time, rfc3339};
use scb_protocol::receipt::ReceiptMember;
use serde_json::{Value, json};

use crate::store::Delivered;

/// What is told of a signature of which nothing is left but that it is good.
pub(super) const UNKNOWN: &str = "when, and over which connection, is not known any more";

/// When, by which entry of the log, over which connection, and whose that was.
pub(super) fn told(one: &Delivered) -> String {
    let entry = one.entry.map(|entry| format!(", entry {entry} of the log"));
    let connection = match one.connection {
        Some(t2) => format!("the connection {t2}"),
        None => "one connection".to_owned(),
    };
    let opener = one.with.first().map_or("nobody", StudentId::as_str);
    let others: Vec<_> = one.with.iter().skip(1).map(StudentId::as_str).collect();
    let others = match others.is_empty() {
        true => String::new(),
        false => format!(", with {}", others.join(", ")),
    };
    format!(
        "{}{}, over {connection} that {opener} opened{others}",
        local_time(one.at),
        entry.unwrap_or_default()
    )
}

/// The same for programs. The certificate with which a connection was opened is that of its first member.
pub(super) fn all_as_json(delivered: &[Delivered], members: &[ReceiptMember]) -> Value {
    let certificate = |sid: &StudentId| {
        let member = members.iter().find(|member| member.sid == *sid);
        member.map(|member| member.cert_sha256)
    };
    let one = |one: &Delivered| {
        let opener = one.with.first();
        json!({
            "sid": one.sid,
            "cert_sha256": certificate(&one.sid),
            "signed_at": rfc3339(one.at),
            "entry": one.entry,
            "connection": one.connection,
            "opened_by": opener,
            "opened_with_cert_sha256": opener.and_then(certificate),
            "verified_on_it": one.with,
        })
    };
    delivered.iter().map(one).collect()
}

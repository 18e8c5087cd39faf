//! What the server says to a `submit` that our client would not send.

use scb_protocol::Refusal;
use scb_protocol::message::blackboard::Request;
use scb_protocol::server::AcceptedStatement;
use scb_protocol::session::SessionKey;

use super::run::handed_in;
use super::{Group, Hand};

/// What the server says to `submit` on a fresh, confirmed connection.
pub(crate) fn submit(
    group: &Group<'_>,
    request: impl FnOnce(&Hand<'_>, &SessionKey) -> Request,
) -> Result<AcceptedStatement, Refusal> {
    let hand = Hand::of(group);
    let (server, key) = hand.open();
    server.handle(request(&hand, &key)).map(handed_in)
}

/// What the server says to these statement bytes, signed and authenticated as they are.
pub(crate) fn state(group: &Group<'_>, statement: &str) -> Result<AcceptedStatement, Refusal> {
    submit(group, |hand, key| hand.submit(key, statement))
}

/// The exact bytes of the group's statement.
pub(crate) fn text(group: &Group<'_>) -> String {
    String::from_utf8(group.statement().to_bytes().unwrap()).unwrap()
}

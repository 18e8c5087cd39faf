//! What can go wrong while a socket or a TLS configuration is set up.

use std::net::SocketAddr;

/// A local fault: nothing that a peer can cause.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another program listens on this address.
    #[error("{0} is in use; choose another address")]
    AddressInUse(SocketAddr),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// The certificate and the key cannot be used for TLS, or do not belong together.
    #[error("this certificate and key cannot be used for TLS")]
    Identity(#[source] rustls::Error),
    /// The system refuses to deliver SIGINT or SIGTERM.
    #[error("cannot listen for signals")]
    Signals(#[source] std::io::Error),
    /// The log level is not understood.
    #[error("`{0}` is not a log level; use error, warn, info, debug or trace")]
    LogLevel(String),
    /// Logging was set up already.
    #[error("logging is already set up")]
    LogAlreadySet,
}

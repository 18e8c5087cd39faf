//! Sockets: TLS configuration, listener, connection, shutdown and telemetry.
//!
//! This crate moves frames, or HTTP requests and answers, between a socket and whoever asks for
//! them, under total deadlines and size limits. It never decides anything about the protocol, never opens a
//! file or a database, and never logs what a frame contains.

mod accept;
mod alert;
mod clock;
mod connect;
mod connection;
mod descriptors;
mod error;
mod http;
mod http_client;
mod limits;
mod listener;
mod monitor;
mod origins;
mod own;
mod peer;
mod places;
mod service_manager;
mod shutdown;
pub mod telemetry;
mod tls;
mod turns;

pub use clock::{Clock, ClockFn, SystemClock};
pub use connect::connect;
pub use connection::{Connection, Direction, Onlooker};
pub use descriptors::raise_descriptor_limit;
pub use error::Error;
pub use http::{HttpConnection, MAX_BODY, Web, oauth_problem, problem, problem_in_words};
pub use http_client::{HttpAnswer, HttpClient, HttpError, HttpUrl};
pub use limits::Limits;
pub use listener::Listener;
pub use monitor::{Counters, Measured, Monitor, Vitals, seconds_between};
pub use origins::{Rate, RatePerAddress};
pub use peer::Peer;
pub use service_manager::tell_service_manager;
pub use shutdown::Shutdown;
pub use tls::{ALPN, ClientAuth, ClientTls, ServerTls, ServerTrust};
pub use turns::{Turn, Turns};

//! What outlives a process: one SQLite database per home and content files named by
//! their SHA-256.
//!
//! [`Database`] has one writer thread that commits whatever waits as one transaction
//! (group commit) and a few reader threads, each answering from one consistent
//! snapshot. [`ContentStore`] takes in a stream, and only what has the promised hash
//! becomes a file. [`PublishedLog`] is the files of a log whose entries a database has
//! numbered. [`HomeLock`] keeps a second server out.
//!
//! Nothing is answered before it is durable, and a failed fsync ends the process. This
//! crate knows no table, no clock, no socket and no role: the SQL is in the roles'
//! stores. It never alters a database that it does not understand.

mod checkpoints;
mod connection;
mod content;
mod database;
mod durable;
mod error;
mod frozen;
mod incoming;
mod inspect;
mod lock;
mod published_log;
mod queue;
mod readers;
mod reading;
mod snapshot;
mod stored;
mod sweep;
mod upload;
mod wait;
mod writer;

pub use content::ContentStore;
pub use database::{Database, READERS};
pub use error::Error;
pub use frozen::frozen;
pub use incoming::ContentWriter;
pub use inspect::{Inspection, ReadOnly};
pub use lock::HomeLock;
pub use published_log::{BATCH, LogStopped, Published, PublishedLog};
pub use reading::ContentReader;
pub use snapshot::{compact, empty_log, snapshot};
pub use stored::{Stored, StoredContents};
pub use upload::{Upload, UploadId};

//! The student's program: keys, enrolment, hand-in, receipts.
//!
//! It makes each student's key on this machine, has CUHK certify it, hands in for a group over
//! mutual TLS and keeps the receipt that Blackboard signs. The engine talks to the servers; the
//! commands and the dialogue show what it tells.
//!
//! What it never does: send a private key or a report's content to CUHK, send a code to a server
//! that has not proved itself, overwrite a key or a receipt, report success before the receipt
//! is verified and safe on disk, or ask anything without a terminal.

mod cli;
mod code_sheet;
mod codes;
mod commands;
mod config;
mod engine;
mod error;
mod event;
mod fault;
mod group;
mod home;
pub mod identity;
mod interactive;
mod log_memory;
mod openssl;
mod passphrases;
pub mod pending;
pub mod receipts;
mod report;
mod run;
mod setup;
mod show;
mod shown;
mod speech;
mod target;
mod trace;
mod words;

pub use cli::{Cli, Command, Common};
pub use code_sheet::CodeSheet;
pub use codes::Codes;
pub use commands::execute;
pub use config::Config;
pub use engine::{
    ClockOffset, Completed, Consent, Engine, EnrolOptions, HandIn, HandedIn, KeptAnnouncement,
    KeptReceipt, Loss, Lost, OpenAssignment, Recorded, ToldAssignments, ToldProposals, Uncounted,
};
pub use error::{Error, Kept, Unshown};
pub use event::{Event, Observer};
pub use fault::Fault;
pub(crate) use fault::FaultChoice;
pub use group::Group;
pub use home::{HomeLock, StudentHome};
pub use passphrases::{PassphraseFile, Passphrases, Protection};
pub use report::{Pieces, Report, Selection};
pub use run::run;
pub use setup::Setup;

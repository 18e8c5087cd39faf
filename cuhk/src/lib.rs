//! CUHK: the university's authority, its CA, roster, enrolment codes, tokens and verification.
//!
//! It never holds a student's private key, never stores or logs an enrolment code or a
//! passphrase, never takes a name from a request, and `serve` never loads the root's key.
//! It never sees a report: what students hand in is none of its business.

mod addresses;
mod admin;
mod answers;
mod authority;
mod backup;
mod calendar;
mod ceremony;
mod cli;
mod clock;
mod code_sheet;
mod config;
mod doctor;
mod draft;
mod error;
mod facts;
mod fault;
mod handler;
mod http;
mod init;
mod issuance;
mod issuers;
mod keys;
mod log;
mod monitor;
mod note_keys;
mod own_identity;
mod passphrase_change;
mod passphrases;
mod publication;
mod published_keys;
mod revocation;
mod root;
mod roster_file;
mod roster_import;
mod sandbox;
mod server;
mod signing;
mod standing;
mod store;
mod subject;
mod time;
mod turn;
mod upkeep;
mod warnings;
mod withdrawal;

#[cfg(test)]
mod tests;
// For the tests that this crate's own build shares with `cuhk/tests`.
#[cfg(test)]
extern crate self as scb_cuhk;

pub use admin::{
    CODE_LIFETIME, IssuedCode, add_service, change_service, issue_code, remove_service,
};
pub use calendar::CampusOffset;
pub use ceremony::{
    NotInForce, RevokedAuthority, RootAnswer, RootRequest, SigningAnswer, SigningRequest, import,
    import_root, open_root, request, request_root, sign, sign_root,
};
pub use cli::main;
pub use config::Config;
pub use error::Error;
pub use init::{NewAuthority, existing, init, open_home};
pub use issuance::{
    MAX_LIVE_STUDENT_CERTIFICATES, MAX_SERVICE_CERTIFICATES, MAX_STUDENT_CERTIFICATES,
};
pub use issuers::Issuers;
pub use keys::{KeyState, NamedKey, active_signer, rotate_tokens, withdraw};
pub use log::Mending;
pub use monitor::Watch;
pub use revocation::{Grounds, NothingLeft, Revoked, Suspension, Target, restore, revoke, suspend};
pub use root::sign_root_list;
pub use roster_file::{Entry, Listed, NamedColumns, Nobody, RosterFault, RosterReader, RosterRow};
pub use roster_import::{
    Counts, Difference, Earlier, Finding, Import, ImportOptions, Missing, import_roster,
    import_roster_watched, rehearse_import,
};
pub use server::{Refresher, Server, Unlocked};
pub use store::{
    Authorities, AuthorityKind, AuthorityRecord, AuthorityState, CertificateRecord, Certificates,
    Change, CodeRecord, Codes, Contradiction, CrlSigner, IdleLog, Intent, Log, LoggedEntry, Place,
    Profile, Pruning, Records, Removed, Renewals, Revocation, RevocationLists, Roster, Service,
    Services, Status, Store, StoredList, Student, Term, Terms, TokenSigner, TokenSigners,
    TrustBundles, Witness, WitnessedLog, WitnessedLogs,
};
pub use subject::Subject;
pub use withdrawal::{RevokedWith, named_authority, revoke_issued, withdraw_authority};

//! What a verified receipt says.

use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, SpiffeId};
use scb_tlog::KeyName;

use super::super::found::{Check, Found};
use super::super::log_proof::{self, Witnessed};
use super::{ReceiptMember, VerifiedReceipt};
use crate::COMMITMENT_SIZE;
use crate::assurance::Mode;
use crate::log_leaf::{LogName, RulesEntry};
use crate::statement::{Statement, SubmissionNumber};

impl VerifiedReceipt {
    /// The submission's number.
    pub fn number(&self) -> SubmissionNumber {
        self.accepted.number
    }

    /// When Blackboard accepted it.
    pub fn accepted_at(&self) -> UnixTime {
        self.leaf.at
    }

    /// When the signed statement had come: what counts for lateness.
    pub fn committed_at(&self) -> UnixTime {
        self.accepted.committed_at
    }

    /// The number of the entry that Blackboard made of it then, in the same log.
    pub fn committed_index(&self) -> Option<u64> {
        self.accepted.committed_index
    }

    /// The rules in force when it was committed, if it says so: an entry of the same log.
    pub fn rules(&self) -> Option<RulesEntry> {
        self.accepted.rules
    }

    /// The log in which the acceptance is entered, and its number there, from 0.
    pub fn entry(&self) -> (&LogName, u64) {
        (&self.leaf.log, self.leaf.index)
    }

    /// What is entered there: SHA-256 of the leaf.
    pub fn commitment(&self) -> [u8; COMMITMENT_SIZE] {
        self.commitment
    }

    /// Who has seen the entry in the log; nothing if the receipt is pending.
    pub fn witnessed(&self) -> Option<&Witnessed> {
        self.witnessed.as_ref()
    }

    /// Of a receipt that is pending though CUHK has seen the entry: for whose cosignatures Blackboard
    /// still waits, by its word.
    pub fn awaited(&self) -> Option<&[KeyName]> {
        log_proof::awaited(&self.checks)
    }

    /// SHA-256 of the entry of the moment that counts, if the log is proved to hold it.
    pub fn entered(&self) -> Option<Fingerprint> {
        self.checks.iter().find_map(|check| match check.found {
            Found::Entered { leaf_sha256, .. } => Some(leaf_sha256),
            _ => None,
        })
    }

    /// What stood behind the members: CUHK's answer or, as CUHK was away, their tokens.
    pub fn mode(&self) -> Mode {
        self.accepted.mode
    }

    /// The service that accepted it.
    pub fn service(&self) -> &SpiffeId {
        &self.statement.service
    }

    /// The statement.
    pub fn statement(&self) -> &Statement {
        &self.statement
    }

    /// The statement's exact bytes.
    pub fn statement_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The members who signed, in order.
    pub fn members(&self) -> &[ReceiptMember] {
        &self.members
    }

    /// What was checked, in order.
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }
}

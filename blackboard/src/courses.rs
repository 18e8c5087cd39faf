//! `blackboard course`, `assignment` and `extension`: what teachers set up. They work while the
//! server runs, which goes by what they changed from its next look on.

mod assignment;
mod close;
pub(crate) mod consent;
mod course;
mod extension;
mod forward;
mod smaller;
pub(crate) mod text;

pub(crate) use self::smaller::at_start as takes_less;

use std::path::Path;

use rustls_pki_types::UnixTime;
use scb_certs::TrustDomain;
use scb_cli::{Home, Role, load_config, note};
use scb_transport::{Clock, SystemClock};

use crate::arguments::courses::{AssignmentCommand, CourseCommand, ExtensionCommand, Which};
use crate::config::Config;
use crate::identity::IdentityFiles;
use crate::serve::not_certified;
use crate::store::{Error, Place, Store};

/// `blackboard course`.
pub(crate) fn course(home: &Path, command: &CourseCommand) -> anyhow::Result<()> {
    course::run(&Desk::open(home)?, command)
}

/// `blackboard assignment`.
pub(crate) fn assignment(home: &Path, command: &AssignmentCommand) -> anyhow::Result<()> {
    assignment::run(&Desk::open(home)?, command)
}

/// `blackboard extension`.
pub(crate) fn extension(home: &Path, command: &ExtensionCommand) -> anyhow::Result<()> {
    extension::run(&Desk::open(home)?, command)
}

/// What teachers' commands work on.
pub(crate) struct Desk {
    pub(crate) store: Store,
    pub(crate) config: Config,
    /// Part of the names of logs.
    pub(crate) domain: TrustDomain,
    pub(crate) now: UnixTime,
}

/// What is shown of a home that was put back may be old.
pub(crate) fn tell_if_put_back(store: &Store) -> anyhow::Result<()> {
    // What else is wrong with the file is told by `fsck`, and when it is used.
    if !matches!(store.is_put_back(), Ok(true)) {
        return Ok(());
    }
    let error = Error::PutBack;
    Ok(note(&format!(
        "warning: {error}: what is shown may be OLD, and what came later missing [{}]",
        error.code()
    ))?)
}

impl Desk {
    pub(crate) fn open(home: &Path) -> anyhow::Result<Self> {
        let home = Home::open(home, Role::Blackboard)?;
        let identity = IdentityFiles::open(&home)?.current()?;
        let identity = identity.ok_or_else(not_certified)?;
        let service = identity.chain.leaf().spiffe_id()?;
        Ok(Self {
            store: Store::open_to_read(&home)?,
            config: load_config(&home)?,
            domain: service.trust_domain().clone(),
            now: SystemClock.now(),
        })
    }

    /// The same for what is only shown: whether it may be of before is told.
    pub(crate) fn open_to_show(home: &Path) -> anyhow::Result<Self> {
        let desk = Self::open(home)?;
        tell_if_put_back(&desk.store)?;
        Ok(desk)
    }

    pub(crate) fn place(&self, which: &Which) -> Place {
        Place {
            domain: self.domain.clone(),
            course: which.course.clone(),
            assignment: which.assignment.clone(),
        }
    }
}

//! How many connections a server holds at once, however many ports it has.

use std::sync::{Arc, OnceLock};

use scb_protocol::{Code, Refusal, Step, counted};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Limits;
use crate::descriptors::Room;

/// Places that the listeners of one server share; counted out by the first of them that serves.
#[derive(Debug, Clone, Default)]
pub(crate) struct SharedPlaces(Arc<OnceLock<Places>>);

impl SharedPlaces {
    pub(crate) fn open(&self, limits: &Limits, descriptors: Option<u64>) -> Places {
        self.0
            .get_or_init(|| Places::new(limits, descriptors))
            .clone()
    }
}

/// The places of one server. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    room: Room,
    busy_retry: u32,
    served: Arc<Semaphore>,
    told_busy: Arc<Semaphore>,
}

/// One connection's place, for as long as this is kept.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) standing: Standing,
    _permit: OwnedSemaphorePermit,
}

/// What becomes of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is served.
    Served,
    /// It is told to come back later.
    ToldBusy,
}

impl Places {
    fn new(limits: &Limits, descriptors: Option<u64>) -> Self {
        let wanted = limits.max_connections.min(Semaphore::MAX_PERMITS);
        let room = Room::new(wanted, descriptors);
        if room.served < limits.max_connections {
            tracing::warn!(
                "room for {} only: the limit of open files is too low for {}",
                counted(room.served, "connection"),
                limits.max_connections
            );
        }
        Self {
            room,
            busy_retry: limits.busy_retry,
            served: Arc::new(Semaphore::new(room.served)),
            told_busy: Arc::new(Semaphore::new(room.told_busy)),
        }
    }

    /// A place, or `None` if there is not even one for telling that there is none.
    pub(crate) fn take(&self) -> Option<Place> {
        let of = |places: &Arc<Semaphore>, standing| {
            let permit = Arc::clone(places).try_acquire_owned().ok()?;
            Some(Place {
                standing,
                _permit: permit,
            })
        };
        of(&self.served, Standing::Served).or_else(|| of(&self.told_busy, Standing::ToldBusy))
    }

    /// What whoever finds no place is told.
    pub(crate) fn busy(&self, step: Step) -> Refusal {
        Refusal::new(Code::Busy, step)
            .with("limit", self.room.served)
            .retry_after(self.busy_retry)
    }
}

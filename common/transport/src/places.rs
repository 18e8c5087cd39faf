//! How many connections a server holds at once, however many ports it has, and how many of them
//! for one address.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use scb_protocol::{Code, Refusal, Step, counted};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Limits;
use crate::descriptors::Room;
use crate::origins::{Counts, Origin, RatePerAddress};

/// Connections of one address that are told `busy` at once; the rest are dropped.
const TOLD_PER_ADDRESS: usize = 8;

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
    limits: Limits,
    served: Arc<Semaphore>,
    told_busy: Arc<Semaphore>,
    arrivals: Arc<RatePerAddress>,
    visits: Arc<Counts<(Origin, Kind)>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Served,
    ToldBusy,
}

/// One connection's place, for as long as this is kept.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) standing: Standing,
    _permit: OwnedSemaphorePermit,
    _visit: Visit,
}

/// What becomes of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is served.
    Served,
    /// It is told to come back later.
    ToldBusy(Busy),
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Busy {
    /// The limit, by its name in the refusal.
    limit: (&'static str, usize),
    /// Seconds.
    retry_after: u32,
}

impl Busy {
    /// What whoever finds no place is told.
    pub(crate) fn refusal(self, step: Step) -> Refusal {
        let (name, limit) = self.limit;
        Refusal::new(Code::Busy, step)
            .with(name, limit)
            .retry_after(self.retry_after)
    }
}

/// A connection that counts for its address.
#[derive(Debug)]
struct Visit {
    /// None for one that is not counted.
    key: Option<(Origin, Kind)>,
    visits: Arc<Counts<(Origin, Kind)>>,
}

impl Drop for Visit {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.visits.remove(key);
        }
    }
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
        let arrivals = RatePerAddress::new(limits.arrivals(), limits.count_loopback);
        Self {
            room,
            limits: *limits,
            served: Arc::new(Semaphore::new(room.served)),
            told_busy: Arc::new(Semaphore::new(room.told_busy)),
            arrivals: Arc::new(arrivals),
            visits: Arc::default(),
        }
    }

    /// A place for somebody from this address, or `None` if there is not even one for telling
    /// that there is none.
    pub(crate) fn take(&self, from: IpAddr) -> Option<Place> {
        let busy = match self.serve(from) {
            Ok(place) => return Some(place),
            Err(busy) => busy,
        };
        let visit = self.visit(from, Kind::ToldBusy, TOLD_PER_ADDRESS)?;
        let permit = Arc::clone(&self.told_busy).try_acquire_owned().ok()?;
        Some(Place {
            standing: Standing::ToldBusy(busy),
            _permit: permit,
            _visit: visit,
        })
    }

    fn serve(&self, from: IpAddr) -> Result<Place, Busy> {
        let busy = |name, limit| Busy {
            limit: (name, limit),
            retry_after: self.limits.busy_retry,
        };
        let most = self.limits.per_address;
        let visit = self
            .visit(from, Kind::Served, most)
            .ok_or(busy("limit_per_address", most))?;
        let burst = self.limits.address_burst;
        self.arrivals.take(from).map_err(|wait| Busy {
            retry_after: whole_seconds(wait).max(self.limits.busy_retry),
            ..busy("address_burst", burst as usize)
        })?;
        match Arc::clone(&self.served).try_acquire_owned() {
            Ok(permit) => Ok(Place {
                standing: Standing::Served,
                _permit: permit,
                _visit: visit,
            }),
            Err(_) => Err(busy("limit", self.room.served)),
        }
    }

    /// Counts one for this address, unless it has `most`.
    fn visit(&self, from: IpAddr, kind: Kind, most: usize) -> Option<Visit> {
        let origin = Origin::of(from, self.limits.count_loopback);
        let key = origin.map(|origin| (origin, kind));
        let fits = key.is_none_or(|key| self.visits.add(key, most));
        fits.then(|| Visit {
            key,
            visits: Arc::clone(&self.visits),
        })
    }
}

/// Rounded up.
fn whole_seconds(time: std::time::Duration) -> u32 {
    let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    u32::try_from(seconds).unwrap_or(u32::MAX)
}

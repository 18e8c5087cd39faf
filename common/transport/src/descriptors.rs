//! File descriptors: how many there may be. The only file that asks the system about limits.

use rustix::process::{Resource, getrlimit, setrlimit};

/// What a server keeps for itself: databases, key files, CUHK.
const OWN: usize = 40;

/// What one connection may need: its socket, and a file for what comes in.
const EACH: usize = 2;

/// Most connections that are told `busy` at once; the rest are dropped.
const TOLD_BUSY: usize = 64;

/// Raises this process's soft limit of open files to its hard limit, as a server should at
/// its start, and returns what it then is; `None` if there is none.
pub fn raise_descriptor_limit() -> Option<u64> {
    let mut limit = getrlimit(Resource::Nofile);
    let before = limit.current;
    limit.current = limit.maximum;
    match setrlimit(Resource::Nofile, limit) {
        Ok(()) => limit.current,
        Err(_) => before,
    }
}

/// How many connections there is room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    /// Those that are served at once.
    pub(crate) served: usize,
    /// Those that are told `busy` at once.
    pub(crate) told_busy: usize,
}

impl Room {
    /// Room for at most `wanted` connections. With few `descriptors` it is less: one that is
    /// turned away in words is better than one that waits for a descriptor in silence, and
    /// those who are served need some for their files.
    pub(crate) fn new(wanted: usize, descriptors: Option<u64>) -> Self {
        let all = descriptors.and_then(|limit| usize::try_from(limit).ok());
        let free = all.unwrap_or(usize::MAX).saturating_sub(OWN);
        let told_busy = (free / 4).clamp(1, TOLD_BUSY);
        Self {
            served: wanted.min((free.saturating_sub(told_busy) / EACH).max(1)),
            told_busy,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_descriptors_leave_the_configuration_as_it_is() {
        for limit in [None, Some(u64::MAX), Some(20_000), Some(2 * 4096 + 104)] {
            let room = Room::new(4096, limit);
            assert_eq!(
                (room.served, room.told_busy),
                (4096, TOLD_BUSY),
                "{limit:?}"
            );
        }
    }

    #[test]
    fn few_descriptors_are_shared_out_and_never_exceeded() {
        for limit in 0..2000 {
            let room = Room::new(4096, Some(limit));
            assert!(room.served >= 1 && room.told_busy >= 1);
            let used = OWN + EACH * room.served + room.told_busy;
            assert!(limit < 43 || used as u64 <= limit, "{limit}: {room:?}");
        }
        let room = Room::new(4096, Some(64));
        assert_eq!((room.served, room.told_busy), (9, 6));
    }

    #[test]
    fn the_limit_is_raised_to_what_is_allowed() {
        let raised = raise_descriptor_limit();
        assert_eq!(raised, getrlimit(Resource::Nofile).maximum);
    }
}

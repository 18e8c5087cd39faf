//! Verifying a chain costs some signatures: what was verified is remembered for as long as it stays true.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::key_usage::KeyPurpose;
use crate::{Certificate, Crl, Fingerprint};

/// Paths that are remembered at most; then all are forgotten. An entry takes about 100 bytes.
const CAPACITY: usize = 8192;

/// Which paths one trust store has verified, and until when that stays true.
///
/// With the same root and the same revocation lists the verdict about the same bytes depends on
/// the time alone: it can only change when something begins or ends. Refusals are not remembered,
/// so that nobody can fill this with what is not under the root. Other lists are another store,
/// which knows nothing. Clones share what they know.
#[derive(Clone, Default)]
pub(crate) struct KnownPaths(Arc<Mutex<HashMap<Path, Range<u64>>>>);

/// A leaf, its issuer, and what the leaf is used for.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Path {
    leaf: Fingerprint,
    issuer: Fingerprint,
    purpose: KeyPurpose,
}

impl Path {
    pub(crate) fn new(leaf: &Certificate, issuer: &Certificate, purpose: KeyPurpose) -> Self {
        Self {
            leaf: leaf.fingerprint(),
            issuer: issuer.fingerprint(),
            purpose,
        }
    }
}

impl KnownPaths {
    /// Whether this path was verified, and nothing has begun or ended since.
    pub(crate) fn holds(&self, path: &Path, now: u64) -> bool {
        self.lock()
            .get(path)
            .is_some_and(|times| times.contains(&now))
    }

    /// Remembers a path that was verified at a time within `times`.
    pub(crate) fn remember(&self, path: Path, times: Range<u64>) {
        let mut known = self.lock();
        if known.len() >= CAPACITY {
            known.clear();
        }
        known.insert(path, times);
    }

    /// Nothing in here can be half changed: a panic elsewhere does not matter.
    fn lock(&self) -> MutexGuard<'_, HashMap<Path, Range<u64>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for KnownPaths {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "KnownPaths({})", self.lock().len())
    }
}

/// From when until before when both certificates are valid and no list has ended, in seconds since
/// 1970. One second short of what verification allows, never longer.
pub(crate) fn common_time(certificates: [&Certificate; 2], lists: &[Crl]) -> Range<u64> {
    let [leaf, issuer] = certificates;
    let from = leaf.not_before().max(issuer.not_before());
    let ends = lists.iter().map(Crl::next_update);
    let until = ends.fold(leaf.not_after().min(issuer.not_after()), Ord::min);
    from.as_secs()..until.as_secs()
}

//! How large a group may be, as every greeting says it: looked up once in a while, not for every
//! connection.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::store::Store;

/// For so long it is not looked up again.
const AGE: Duration = Duration::from_secs(1);

/// Most members that any assignment is for, as it was looked up last.
#[derive(Debug, Default)]
pub(crate) struct LargestGroup {
    last: Mutex<Option<(Instant, u8)>>,
}

impl LargestGroup {
    /// Most members. If that cannot be looked up, it is what it was.
    pub(super) async fn get(&self, store: &Store) -> u8 {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match last {
            Some((at, most)) if at.elapsed() < AGE => most,
            _ => {
                let known = last.map_or(0, |(_, most)| most);
                // Whoever comes meanwhile need not look as well.
                self.keep(known);
                let most = store.largest_group().await.unwrap_or(known);
                self.keep(most);
                most
            }
        }
    }

    fn keep(&self, most: u8) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some((Instant::now(), most));
    }
}

//! Fair turns for expensive questions: one at a time for each client, and a few at a time for all clients
//! together, so that cheap questions never wait behind them.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use scb_protocol::{Code, Refusal, Step};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// After so many seconds whoever did not get a turn may try again.
const RETRY_AFTER: u32 = 2;

/// The turns of a server. Whoever has waited longest is next, once nothing else of theirs is answered.
pub struct Turns<K> {
    of_all: Arc<Semaphore>,
    each: Mutex<HashMap<K, Weak<Semaphore>>>,
}

impl<K> fmt::Debug for Turns<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turns").finish_non_exhaustive()
    }
}

/// It ends when this is dropped.
#[derive(Debug)]
pub struct Turn {
    _own: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

impl<K: Eq + Hash> Turns<K> {
    /// Turns for so many at once.
    pub fn new(at_once: usize) -> Self {
        Self {
            of_all: Arc::new(Semaphore::new(at_once)),
            each: Mutex::default(),
        }
    }

    /// Waits for a turn. Cancel-safe: dropped, it has taken none.
    ///
    /// # Errors
    ///
    /// `busy` at this step if it has not come before `patience` has passed.
    pub async fn take(&self, who: K, patience: Duration, step: Step) -> Result<Turn, Refusal> {
        let waiting = async {
            let own = self.of(who).acquire_owned().await.ok()?;
            let of_all = Arc::clone(&self.of_all).acquire_owned().await.ok()?;
            Some(Turn {
                _own: own,
                _of_all: of_all,
            })
        };
        let turn = timeout(patience, waiting).await.ok().flatten();
        turn.ok_or_else(|| Refusal::new(Code::Busy, step).retry_after(RETRY_AFTER))
    }

    fn of(&self, who: K) -> Arc<Semaphore> {
        let mut each = self.each.lock().unwrap_or_else(PoisonError::into_inner);
        each.retain(|_, turn| turn.strong_count() > 0);
        let kept = each.get(&who).and_then(Weak::upgrade);
        kept.unwrap_or_else(|| {
            let turn = Arc::new(Semaphore::new(1));
            each.insert(who, Arc::downgrade(&turn));
            turn
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const AT_ONCE: Duration = Duration::ZERO;

    async fn take(turns: &Turns<u8>, who: u8) -> Result<Turn, Code> {
        let turn = turns.take(who, AT_ONCE, Step::Six).await;
        turn.map_err(|refusal| refusal.code)
    }

    #[tokio::test]
    async fn one_of_each_and_few_of_all() {
        let turns = Turns::new(2);
        let first = take(&turns, 1).await.unwrap();
        assert_eq!(take(&turns, 1).await.unwrap_err(), Code::Busy);
        let second = take(&turns, 2).await.unwrap();
        assert_eq!(take(&turns, 3).await.unwrap_err(), Code::Busy);
        drop(first);
        let third = take(&turns, 3).await.unwrap();
        drop((second, third));
        take(&turns, 1).await.unwrap();
        assert_eq!(turns.each.lock().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn who_waits_for_his_own_turn_takes_none_of_others() {
        let turns = Arc::new(Turns::new(2));
        let first = take(&turns, 1).await.unwrap();
        let patience = Duration::from_secs(60);
        let waiting: Vec<_> = (0..5)
            .map(|_| {
                let turns = Arc::clone(&turns);
                tokio::spawn(async move { turns.take(1, patience, Step::Six).await.map(drop) })
            })
            .collect();
        tokio::task::yield_now().await;
        drop(take(&turns, 2).await.unwrap());
        drop(first);
        for waiting in waiting {
            waiting.await.unwrap().unwrap();
        }
    }
}

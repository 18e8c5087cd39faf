//! How much one address may ask for, so that nobody takes what is there for all.
//!
//! An address is an IPv4 address or the /64 of an IPv6 address, which is what one household or
//! one machine has. Nobody is locked out: what is too much now is not a little later.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Addresses that are remembered at once. Beyond that, newcomers are not counted: the places
/// of the server still are.
const MOST: usize = 65_536;
/// Shortest time between two searches for addresses that need not be remembered.
const SEARCH: Duration = Duration::from_secs(1);

/// Who is counted as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Origin {
    V4(Ipv4Addr),
    /// The first 64 bits.
    V6(u64),
}

impl Origin {
    /// `None` if the address is this machine's own, and that is not counted.
    pub(crate) fn of(address: IpAddr, counts_loopback: bool) -> Option<Self> {
        let address = address.to_canonical();
        if address.is_loopback() && !counts_loopback {
            return None;
        }
        Some(match address {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                let words = [a, b, c, d].map(u64::from);
                Self::V6(words.into_iter().fold(0, |bits, word| bits << 16 | word))
            }
        })
    }
}

/// How often something may be done: so many at once, then so many per second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// At once, after a while without any.
    pub burst: u32,
    /// Per second in the long run; more than 0.
    pub per_second: f64,
}

/// A [`Rate`] for each address by itself.
#[derive(Debug)]
pub struct RatePerAddress {
    rate: Rate,
    counts_loopback: bool,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    buckets: HashMap<Origin, Bucket>,
    searched: Instant,
}

/// What is left of the burst, as of a moment.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl RatePerAddress {
    /// Nobody has done anything yet. Loopback addresses are counted only if `counts_loopback`.
    pub fn new(rate: Rate, counts_loopback: bool) -> Self {
        let known = Known {
            buckets: HashMap::new(),
            searched: Instant::now(),
        };
        Self {
            rate,
            counts_loopback,
            known: Mutex::new(known),
        }
    }

    /// Counts one from this address.
    ///
    /// # Errors
    ///
    /// If it is too much now: when it will not be. It is not counted then.
    pub fn take(&self, address: IpAddr) -> Result<(), Duration> {
        match Origin::of(address, self.counts_loopback) {
            Some(origin) => self.take_at(origin, Instant::now()),
            None => Ok(()),
        }
    }

    fn take_at(&self, origin: Origin, now: Instant) -> Result<(), Duration> {
        let mut known = lock(&self.known);
        known.make_room(&self.rate, now);
        if known.buckets.len() >= MOST && !known.buckets.contains_key(&origin) {
            return Ok(());
        }
        let full = Bucket {
            left: self.rate.burst.into(),
            at: now,
        };
        let bucket = known.buckets.entry(origin).or_insert(full);
        bucket.take(&self.rate, now)
    }
}

impl Known {
    /// Forgets those who may do as much as a newcomer.
    fn make_room(&mut self, rate: &Rate, now: Instant) {
        if self.buckets.len() < MOST || now.duration_since(self.searched) < SEARCH {
            return;
        }
        self.searched = now;
        self.buckets
            .retain(|_, bucket| bucket.left_at(rate, now) < rate.burst.into());
    }
}

impl Bucket {
    fn left_at(&self, rate: &Rate, now: Instant) -> f64 {
        let since = now.duration_since(self.at).as_secs_f64();
        (self.left + since * rate.per_second).min(rate.burst.into())
    }

    fn take(&mut self, rate: &Rate, now: Instant) -> Result<(), Duration> {
        self.left = self.left_at(rate, now);
        self.at = now;
        if self.left >= 1.0 {
            self.left -= 1.0;
            return Ok(());
        }
        Err(Duration::from_secs_f64((1.0 - self.left) / rate.per_second))
    }
}

/// How many things each of many has at once.
#[derive(Debug)]
pub(crate) struct Counts<K>(Mutex<HashMap<K, usize>>);

impl<K> Default for Counts<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash + Copy> Counts<K> {
    /// One more for `key`, unless it has `most`; whether it was counted.
    pub(crate) fn add(&self, key: K, most: usize) -> bool {
        let mut counts = lock(&self.0);
        let count = counts.entry(key).or_default();
        let fits = *count < most;
        *count += usize::from(fits);
        if *count == 0 {
            counts.remove(&key);
        }
        fits
    }

    /// One less.
    pub(crate) fn remove(&self, key: K) {
        let mut counts = lock(&self.0);
        if let Some(count) = counts.get_mut(&key) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.remove(&key);
            }
        }
    }
}

/// A panic elsewhere leaves numbers behind that are still right.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn limited(burst: u32, per_second: f64) -> RatePerAddress {
        RatePerAddress::new(Rate { burst, per_second }, false)
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_too_much_now_is_not_a_little_later() {
        let limited = limited(3, 2.0);
        let one = address("192.0.2.1");
        for _ in 0..3 {
            limited.take(one).unwrap();
        }
        let wait = limited.take(one).unwrap_err();
        assert_eq!(wait, Duration::from_millis(500));
        tokio::time::advance(wait).await;
        limited.take(one).unwrap();
        limited.take(one).unwrap_err();
    }

    #[tokio::test(start_paused = true)]
    async fn one_address_costs_no_other_anything() {
        let limited = limited(1, 1.0);
        for own in ["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8:0:1::1"] {
            limited.take(address(own)).unwrap();
            limited.take(address(own)).unwrap_err();
        }
        // Of one household.
        for same in ["::ffff:192.0.2.1", "2001:db8::2", "2001:db8:0:1:ffff::"] {
            limited.take(address(same)).unwrap_err();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn this_machine_is_counted_only_where_that_is_wanted() {
        let counting = RatePerAddress::new(
            Rate {
                burst: 1,
                per_second: 1.0,
            },
            true,
        );
        let limited = limited(1, 1.0);
        for own in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            limited.take(address(own)).unwrap();
            limited.take(address(own)).unwrap();
        }
        counting.take(address("127.0.0.1")).unwrap();
        counting.take(address("127.0.0.1")).unwrap_err();
    }

    #[tokio::test(start_paused = true)]
    async fn no_number_of_addresses_takes_more_memory_than_there_is_for_them() {
        let limited = limited(1, 1.0);
        let now = Instant::now();
        let many = u64::try_from(MOST).unwrap();
        for number in 0..2 * many {
            limited.take_at(Origin::V6(number), now).unwrap();
        }
        assert_eq!(lock(&limited.known).buckets.len(), MOST);
        // The first ones are still counted; a while later they are forgotten for others.
        limited.take_at(Origin::V6(0), now).unwrap_err();
        let later = now + 2 * SEARCH;
        limited.take_at(Origin::V6(2 * many), later).unwrap();
        assert_eq!(lock(&limited.known).buckets.len(), 1);
    }

    #[test]
    fn counts_go_up_to_the_most_and_leave_nothing_behind() {
        let counts = Counts::default();
        assert!(counts.add(1, 2) && counts.add(1, 2) && counts.add(2, 2));
        assert!(!counts.add(1, 2) && !counts.add(3, 0));
        counts.remove(1);
        assert!(counts.add(1, 2));
        for key in [1, 1, 2] {
            counts.remove(key);
        }
        assert!(lock(&counts.0).is_empty());
    }
}

//! How many proofs of one address may fail: 20 a second, 100 at once, counted for each source apart, so that a stranger
//! behind a shared proxy closes no other source to its neighbours.
//!
//! Bounded: beyond its capacity it forgets addresses rather than grow. While nobody fails, nothing is locked.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::client::network;

/// One failed proof more every 50 ms.
const INTERVAL: Duration = Duration::from_millis(50);
/// The failed proofs that are forgiven at once.
const BURST: u32 = 100;
const SHARDS: usize = 16;
/// Addresses in one shard.
const CAPACITY: usize = 4096;

/// A source, by its uid's hash, and an address; of IPv6 the /64, which one client has all of.
type Key = (u64, IpAddr);

/// Failed proofs by source and address.
#[derive(Debug)]
pub(super) struct Failures {
    hasher: RandomState,
    known: AtomicUsize,
    /// For each key the instant at which its budget is whole again.
    shards: [Mutex<HashMap<Key, Instant>>; SHARDS],
}

impl Default for Failures {
    fn default() -> Self {
        Self { hasher: RandomState::new(), known: AtomicUsize::new(0), shards: Default::default() }
    }
}

impl Failures {
    /// Whether the budget of an address is used up, and for how long.
    pub(super) fn exceeded(&self, source: &str, address: IpAddr, now: Instant) -> Option<Duration> {
        if self.known.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let key = self.key(source, address);
        let shard = self.shard(key).lock().unwrap_or_else(PoisonError::into_inner);
        let debt = shard.get(&key)?.saturating_duration_since(now);
        (debt + INTERVAL).checked_sub(INTERVAL * BURST).filter(|wait| !wait.is_zero())
    }

    /// Counts a failed proof.
    pub(super) fn charge(&self, source: &str, address: IpAddr, now: Instant) {
        let key = self.key(source, address);
        let mut shard = self.shard(key).lock().unwrap_or_else(PoisonError::into_inner);
        let before = shard.len();
        if let Some(whole) = shard.get_mut(&key) {
            *whole = (*whole).max(now) + INTERVAL;
            return;
        }
        if before >= CAPACITY {
            shard.retain(|_, whole| *whole > now);
            if shard.len() >= CAPACITY {
                // More addresses than anybody pays for: those that failed least are forgotten with the rest.
                shard.clear();
            }
        }
        shard.insert(key, now + INTERVAL);
        let after = shard.len();
        drop(shard);
        if after > before {
            self.known.fetch_add(after - before, Ordering::Relaxed);
        } else {
            self.known.fetch_sub(before - after, Ordering::Relaxed);
        }
    }

    fn key(&self, source: &str, address: IpAddr) -> Key {
        (self.hasher.hash_one(source), network(address))
    }

    fn shard(&self, key: Key) -> &Mutex<HashMap<Key, Instant>> {
        let hash = self.hasher.hash_one(key);
        &self.shards[usize::try_from(hash % SHARDS as u64).unwrap_or(0)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_failures_at_once_and_twenty_a_second_after() {
        let failures = Failures::default();
        let (mallory, now) = ("203.0.113.9".parse().unwrap(), Instant::now());
        for n in 0..100 {
            assert_eq!(failures.exceeded("calls", mallory, now), None, "failure {n}");
            failures.charge("calls", mallory, now);
        }
        assert_eq!(failures.exceeded("calls", mallory, now), Some(INTERVAL));
        assert_eq!(failures.exceeded("calls", mallory, now + INTERVAL), None);
        assert_eq!(failures.exceeded("calls", "203.0.113.10".parse().unwrap(), now), None, "a neighbour");
        assert_eq!(failures.exceeded("other", mallory, now), None, "another source");
        let second = now + Duration::from_secs(1);
        let more = (0..100)
            .take_while(|_| {
                let open = failures.exceeded("calls", mallory, second).is_none();
                failures.charge("calls", mallory, second);
                open
            })
            .count();
        assert_eq!(more, 20);
    }

    #[test]
    fn a_client_has_one_budget_for_its_whole_ipv6_network() {
        let failures = Failures::default();
        let now = Instant::now();
        for n in 0..200_u128 {
            failures.charge("calls", IpAddr::V6((0x2001_0db8 << 96 | n).into()), now);
        }
        assert!(failures.exceeded("calls", "2001:db8::ffff".parse().unwrap(), now).is_some());
        assert!(failures.exceeded("calls", "2001:db8:0:1::".parse().unwrap(), now).is_none());
    }

    #[test]
    fn many_addresses_do_not_make_it_grow() {
        let failures = Failures::default();
        let now = Instant::now();
        for n in 0..200_000_u32 {
            failures.charge("calls", IpAddr::V4(n.into()), now);
        }
        let held: usize = failures.shards.iter().map(|shard| shard.lock().unwrap().len()).sum();
        assert!(held <= SHARDS * CAPACITY, "{held}");
        assert_eq!(failures.known.load(Ordering::Relaxed), held);
    }
}

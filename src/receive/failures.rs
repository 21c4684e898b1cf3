//! How many proofs of one address may fail: 20 a second, 100 at once, counted for each source apart. Above that its proofs
//! are judged all the same, few at a time: behind a proxy that nobody told us of, honest senders share its address.
//!
//! Bounded: beyond its capacity it forgets addresses rather than grow. While nobody fails, nothing is locked.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use super::client::Client;
use crate::route::bounds::{FAILURE, FAILURES, TRIAL_PATIENCE, TRIALS, TRIALS_WAITING};

const SHARDS: usize = 16;
/// Addresses in one shard.
const CAPACITY: usize = 4096;

/// A source, by its uid's hash, and what is counted together with an address.
type Key = (u64, IpAddr);

/// Failed proofs by source and address.
#[derive(Debug)]
pub(super) struct Failures {
    hasher: RandomState,
    begun: Instant,
    /// When every budget is whole again, in milliseconds since `begun`.
    whole: AtomicU64,
    shards: [Mutex<HashMap<Key, Failing>>; SHARDS],
}

#[derive(Debug)]
struct Failing {
    /// The instant at which its budget is whole again.
    whole: Instant,
    trials: Option<Arc<Trials>>,
}

/// The proofs of an address above its budget.
#[derive(Debug)]
struct Trials {
    turns: Arc<Semaphore>,
    waiting: AtomicUsize,
}

/// A turn to be judged, until it is dropped. Within its budget an address needs none.
#[derive(Debug, Default)]
pub(super) struct Turn(#[allow(dead_code, reason = "held")] Option<OwnedSemaphorePermit>);

impl Default for Failures {
    fn default() -> Self {
        let (hasher, begun) = (RandomState::new(), Instant::now());
        Self { hasher, begun, whole: AtomicU64::new(0), shards: Default::default() }
    }
}

impl Failures {
    /// Whether the budget of an address is used up.
    pub(super) fn exceeds(&self, source: &str, client: &Client, now: Instant) -> bool {
        self.exceeded(source, client, now).is_some()
    }

    /// Waits for a turn to be judged.
    ///
    /// # Errors
    /// When to come again, where the turns of an address above its budget are taken too long.
    pub(super) async fn turn(&self, source: &str, client: &Client, now: Instant) -> Result<Turn, Duration> {
        let Some((wait, trials)) = self.exceeded(source, client, now) else { return Ok(Turn::default()) };
        if let Ok(turn) = trials.turns.clone().try_acquire_owned() {
            return Ok(Turn(Some(turn)));
        }
        let waits = Waits(&trials.waiting);
        if trials.waiting.fetch_add(1, Ordering::Relaxed) >= TRIALS_WAITING {
            return Err(wait);
        }
        let turn = timeout(TRIAL_PATIENCE, trials.turns.clone().acquire_owned()).await;
        drop(waits);
        turn.ok().and_then(Result::ok).map(|turn| Turn(Some(turn))).ok_or(wait)
    }

    fn exceeded(&self, source: &str, client: &Client, now: Instant) -> Option<(Duration, Arc<Trials>)> {
        if self.millis(now) >= self.whole.load(Ordering::Relaxed) {
            return None;
        }
        let key = self.key(source, client.network);
        let mut shard = self.shard(key);
        let failing = shard.get_mut(&key)?;
        let debt = failing.whole.saturating_duration_since(now);
        let wait = (debt + FAILURE).checked_sub(FAILURE * FAILURES).filter(|wait| !wait.is_zero())?;
        let new = || Arc::new(Trials { turns: Arc::new(Semaphore::new(TRIALS)), waiting: AtomicUsize::new(0) });
        Some((wait, failing.trials.get_or_insert_with(new).clone()))
    }

    /// Counts failed proofs.
    pub(super) fn charge(&self, source: &str, client: &Client, proofs: u32, now: Instant) {
        let key = self.key(source, client.network);
        let mut shard = self.shard(key);
        if shard.len() >= CAPACITY && !shard.contains_key(&key) {
            shard.retain(|_, failing| failing.whole > now);
            if shard.len() >= CAPACITY {
                // More addresses than anybody pays for: those that failed least are forgotten with the rest.
                shard.clear();
            }
        }
        let failing = shard.entry(key).or_insert(Failing { whole: now, trials: None });
        // No more than its budget and a second: who stops failing is soon as good as anybody.
        let most = now + FAILURE * FAILURES + Duration::from_secs(1);
        failing.whole = (failing.whole.max(now) + FAILURE * proofs).min(most);
        let whole = self.millis(failing.whole) + 1;
        drop(shard);
        self.whole.fetch_max(whole, Ordering::Relaxed);
    }

    fn millis(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.begun).as_millis()).unwrap_or(u64::MAX)
    }

    fn key(&self, source: &str, network: IpAddr) -> Key {
        (self.hasher.hash_one(source), network)
    }

    fn shard(&self, key: Key) -> MutexGuard<'_, HashMap<Key, Failing>> {
        let hash = self.hasher.hash_one(key);
        let shard = &self.shards[usize::try_from(hash % SHARDS as u64).unwrap_or(0)];
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Waits<'a>(&'a AtomicUsize);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::receive::client::TrustedProxies;

    fn client(address: IpAddr) -> Client {
        TrustedProxies::default().client(SocketAddr::new(address, 1), &http::HeaderMap::new())
    }

    fn at(address: &str) -> Client {
        client(address.parse().unwrap())
    }

    #[test]
    fn a_hundred_failures_at_once_and_twenty_a_second_after() {
        let failures = Failures::default();
        let (mallory, now) = (at("203.0.113.9"), Instant::now());
        for n in 0..100 {
            assert!(!failures.exceeds("calls", &mallory, now), "failure {n}");
            failures.charge("calls", &mallory, 1, now);
        }
        assert!(failures.exceeds("calls", &mallory, now));
        assert!(!failures.exceeds("calls", &mallory, now + FAILURE));
        assert!(!failures.exceeds("calls", &at("203.0.113.10"), now), "a neighbour");
        assert!(!failures.exceeds("other", &mallory, now), "another source");
        let second = now + Duration::from_secs(1);
        let more = (0..100)
            .take_while(|_| {
                let open = !failures.exceeds("calls", &mallory, second);
                failures.charge("calls", &mallory, 1, second);
                open
            })
            .count();
        assert_eq!(more, 20);
        // However long it failed, it is forgiven soon after it stops.
        for _ in 0..100_000 {
            failures.charge("calls", &mallory, 1, second);
        }
        assert!(failures.exceeds("calls", &mallory, second));
        assert!(!failures.exceeds("calls", &mallory, second + Duration::from_millis(1100)));
    }

    #[test]
    fn a_client_has_one_budget_for_its_whole_ipv6_network() {
        let failures = Failures::default();
        let now = Instant::now();
        for n in 0..200_u128 {
            failures.charge("calls", &client(IpAddr::V6((0x2001_0db8 << 96 | n).into())), 1, now);
        }
        assert!(failures.exceeds("calls", &at("2001:db8::ffff"), now));
        assert!(!failures.exceeds("calls", &at("2001:db8:0:1::"), now));
    }

    #[tokio::test(start_paused = true)]
    async fn above_its_budget_an_address_is_judged_a_few_at_a_time() {
        let failures = Failures::default();
        let (mallory, now) = (at("203.0.113.9"), Instant::now());
        let turn = async || failures.turn("calls", &mallory, now).await;
        let free: Vec<_> = futures::future::join_all((0..50).map(|_| turn())).await;
        assert!(free.iter().all(Result::is_ok), "within its budget nobody waits");
        failures.charge("calls", &mallory, 200, now);
        let mut held = Vec::new();
        for _ in 0..TRIALS {
            held.push(turn().await.unwrap());
        }
        assert!(turn().await.is_err(), "taken too long");
        drop(held);
        assert!(turn().await.is_ok());
        // Who waits behind too many others is told at once.
        let held: Vec<_> = futures::future::join_all((0..TRIALS).map(|_| turn())).await;
        let line = futures::future::join_all((0..TRIALS_WAITING + 9).map(|_| turn())).await;
        assert!(line.iter().all(Result::is_err));
        drop(held);
        assert!(turn().await.is_ok(), "nobody is left in the line");
    }

    #[test]
    fn many_addresses_do_not_make_it_grow() {
        let failures = Failures::default();
        let now = Instant::now();
        for n in 0..200_000_u32 {
            failures.charge("calls", &client(IpAddr::V4(n.into())), 1, now);
        }
        let held: usize = failures.shards.iter().map(|shard| shard.lock().unwrap().len()).sum();
        assert!(held <= SHARDS * CAPACITY, "{held}");
    }
}

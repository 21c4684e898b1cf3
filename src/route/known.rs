//! Addresses whose proofs held lately: what they send is admitted before strangers.
//!
//! Bounded, and nothing is locked: each address has four places of which the oldest gives way. Forgetting one costs it
//! nothing but its reserve.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::bounds::KNOWN_FOR;

const SETS: usize = 32;
const WAYS: usize = 4;
/// Bits of the second at which a proof held; the others tell addresses apart.
const SECONDS: u32 = 32;

/// The addresses of one source.
#[derive(Debug)]
pub struct Known {
    begun: Instant,
    /// For each address the upper half of its key, and when a proof held last: in seconds since `begun`, plus one.
    sets: OnceLock<Box<[[AtomicU64; WAYS]; SETS]>>,
}

impl Default for Known {
    fn default() -> Self {
        Self { begun: Instant::now(), sets: OnceLock::new() }
    }
}

impl Known {
    /// Whether a proof of that address held lately.
    pub fn contains(&self, key: u64, now: Instant) -> bool {
        let Some(sets) = self.sets.get() else { return false };
        let now = self.seconds(now);
        sets[set(key)].iter().any(|slot| {
            let slot = slot.load(Ordering::Relaxed);
            tag(slot) == tag(key) && second(slot) > 0 && now < second(slot) + KNOWN_FOR.as_secs()
        })
    }

    /// A proof of that address held.
    pub fn add(&self, key: u64, now: Instant) {
        let sets = self.sets.get_or_init(|| Box::new([const { [const { AtomicU64::new(0) }; WAYS] }; SETS]));
        let slots = &sets[set(key)];
        let (now, mut oldest, mut age) = (self.seconds(now), &slots[0], u64::MAX);
        for slot in slots {
            let value = slot.load(Ordering::Relaxed);
            if tag(value) == tag(key) && second(value) > 0 {
                // Written once a minute and not at each request: all workers read this line.
                if now >= second(value) + 60 {
                    slot.store(tag(key) << SECONDS | now, Ordering::Relaxed);
                }
                return;
            }
            if second(value) < age {
                (oldest, age) = (slot, second(value));
            }
        }
        oldest.store(tag(key) << SECONDS | now, Ordering::Relaxed);
    }

    fn seconds(&self, now: Instant) -> u64 {
        (now.saturating_duration_since(self.begun).as_secs() + 1) & ((1 << SECONDS) - 1)
    }
}

fn set(key: u64) -> usize {
    usize::try_from(key & 0xffff).unwrap_or(0) % SETS
}

fn tag(value: u64) -> u64 {
    value >> SECONDS
}

fn second(value: u64) -> u64 {
    value & ((1 << SECONDS) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(address: u64) -> u64 {
        (address + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    #[test]
    fn an_address_is_known_for_a_while_after_its_last_proof() {
        let (known, now) = (Known::default(), Instant::now());
        assert!(!known.contains(key(1), now));
        known.add(key(1), now);
        assert!(known.contains(key(1), now) && !known.contains(key(2), now));
        let later = now + KNOWN_FOR - std::time::Duration::from_secs(5);
        assert!(known.contains(key(1), later));
        known.add(key(1), later);
        assert!(known.contains(key(1), now + KNOWN_FOR + KNOWN_FOR / 2));
        assert!(!known.contains(key(1), now + 2 * KNOWN_FOR));
    }

    #[test]
    fn many_addresses_push_out_the_oldest_and_it_grows_no_further() {
        let (known, now) = (Known::default(), Instant::now());
        for address in 0..10_000 {
            known.add(key(address), now + std::time::Duration::from_secs(address / 100));
        }
        let end = now + std::time::Duration::from_secs(100);
        assert!(known.contains(key(9_999), end));
        let kept = (0..10_000).filter(|address| known.contains(key(*address), end)).count();
        assert!(kept <= SETS * WAYS, "{kept}");
    }
}

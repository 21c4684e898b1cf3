//! Lines that are not said again at each request: the first one of a kind is, and then how many there were, at most every
//! ten seconds. What strangers cause is bounded in sum and by address beside that. Nothing is locked.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::bounds;
use super::rate::{Rate, RateLimit};
use crate::metrics::Outcome;

/// Between two lines of one kind.
const PAUSE: Duration = Duration::from_secs(10);
/// Bits of the number of lines that were left out; the others say when the last one was written.
const COUNT: u32 = 24;
const MOST: u64 = (1 << COUNT) - 1;

/// When a line of each outcome was written last, and how many were left out since.
#[derive(Debug)]
pub struct Repeats {
    begun: Instant,
    /// Milliseconds since `begun`, plus one; 0: never.
    lines: [AtomicU64; Outcome::ALL.len()],
}

impl Default for Repeats {
    fn default() -> Self {
        Self { begun: Instant::now(), lines: [const { AtomicU64::new(0) }; Outcome::ALL.len()] }
    }
}

impl Repeats {
    /// Whether a line is to be written, and how many like it were left out before it.
    pub fn say(&self, outcome: Outcome, now: Instant) -> Option<u64> {
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX >> COUNT);
        let now = millis(now.saturating_duration_since(self.begun)) + 1;
        let due = |last: u64| last >> COUNT == 0 || now >= (last >> COUNT) + millis(PAUSE);
        let next = |last: u64| if due(last) { now << COUNT } else { last + u64::from(last & MOST < MOST) };
        let line = &self.lines[outcome as usize];
        let last = line.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(next(last)));
        let last = last.unwrap_or_else(|last| last);
        due(last).then_some(last & MOST)
    }
}

/// Addresses that are counted apart; those that share a place by chance share its lines.
const ADDRESSES: usize = 256;

/// Lines about requests without proof, of all sources together.
#[derive(Debug)]
pub(crate) struct Strangers {
    all: Rate,
    addresses: [Rate; ADDRESSES],
    left_out: AtomicU64,
}

impl Default for Strangers {
    fn default() -> Self {
        Self { all: Rate::default(), addresses: std::array::from_fn(|_| Rate::default()), left_out: AtomicU64::new(0) }
    }
}

impl Strangers {
    /// Whether a line is to be written about an address, by its key, and how many were left out before it.
    pub(crate) fn say(&self, key: u64, now: Instant) -> Option<u64> {
        let quota = |(per_second, burst)| RateLimit { per_second, burst };
        let of = &self.addresses[usize::try_from(key & 0xffff).unwrap_or(0) % ADDRESSES];
        let said =
            of.take(quota(bounds::LINES_OF_ADDRESS), now).and_then(|()| self.all.take(quota(bounds::LINES), now));
        if said.is_err() {
            self.left_out.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(self.left_out.swap(0, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_stranger_leaves_lines_to_the_others_and_all_of_them_are_bounded() {
        let (strangers, now) = (Strangers::default(), Instant::now());
        let said = |key: u64| (0..1000).filter(|_| strangers.say(key, now).is_some()).count();
        assert_eq!(said(1), 20);
        assert_eq!(said(2), 20);
        let all: usize = (3..200).map(said).sum();
        assert_eq!(all, 200 - 40);
        let later = now + Duration::from_secs(60);
        assert!(strangers.say(1, later).is_some_and(|left_out| left_out > 100_000), "and how many there were");
        assert_eq!(strangers.say(1, later), Some(0));
    }

    #[test]
    fn the_first_line_is_written_and_then_how_many_there_were() {
        let repeats = Repeats::default();
        let start = Instant::now();
        assert_eq!(repeats.say(Outcome::NotServed, start), Some(0));
        for n in 0..752 {
            assert_eq!(repeats.say(Outcome::NotServed, start + Duration::from_millis(n)), None);
        }
        assert_eq!(repeats.say(Outcome::NoStream, start), Some(0), "another kind");
        assert_eq!(repeats.say(Outcome::NotServed, start + PAUSE), Some(752));
        assert_eq!(repeats.say(Outcome::NotServed, start + 3 * PAUSE), Some(0));
    }
}

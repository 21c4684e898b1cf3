//! Lines that are not said again at each request: the first one of a kind is, and then how many there were, at most every
//! ten seconds. Bounded, and nothing is locked.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

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

#[cfg(test)]
mod tests {
    use super::*;

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

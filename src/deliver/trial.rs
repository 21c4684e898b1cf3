//! Whether a stream takes more events in batches than one by one: tried where acknowledgements are slow, and believed only as
//! measured.
//!
//! A batch costs a server some syncs of its own, so that one which acknowledges before it syncs is slower with them. No client
//! can ask which kind a server is, nor how slow its disk is.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long each way is measured, in milliseconds.
const WINDOW: u64 = 500;
/// Acknowledgements that tell nothing yet.
const FEW: u64 = 10;
/// Where an acknowledgement takes less, in milliseconds, there is nothing to gain.
const SLOW: f64 = 50.0;
/// How much more batches must bring.
const WORTH: f64 = 1.2;
/// After batches that brought nothing, the next trial comes so much later, in milliseconds, and twice as late each time.
const PAUSE: u64 = 10_000;
const LONGEST_PAUSE: u64 = 600_000;
/// How long batches are believed before one by one is measured again, in milliseconds.
const BELIEVED: u64 = 60_000;

/// The two ways of one stream. Times are milliseconds from any fixed beginning.
#[derive(Debug, Default)]
pub(super) struct Trial {
    together: AtomicBool,
    /// Acknowledgements since the window began, how long all of them took together in microseconds, and how many events
    /// waited at each of them.
    acknowledged: AtomicU64,
    took: AtomicU64,
    waited: AtomicU64,
    /// When the window ends.
    ends: AtomicU64,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// Events a millisecond, one by one.
    alone: f64,
    pause: u64,
    /// No trial, or no doubt, before that.
    rests_until: u64,
    /// When the window began.
    began: u64,
    /// Until then what is acknowledged was still sent the other way.
    settles_until: u64,
}

impl Trial {
    /// What waits goes out in batches.
    pub(super) fn together(&self) -> bool {
        self.together.load(Ordering::Relaxed)
    }

    /// An event was acknowledged after this time, while so many waited.
    pub(super) fn acknowledged(&self, now: u64, took: Duration, waiting: usize) {
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
        self.took.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.waited.fetch_add(waiting as u64, Ordering::Relaxed);
        if now >= self.ends.load(Ordering::Relaxed) {
            self.judge(now);
        }
    }

    #[cold]
    fn judge(&self, now: u64) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if now < self.ends.load(Ordering::Relaxed) {
            return;
        }
        self.ends.store(now + WINDOW, Ordering::Relaxed);
        // The first few come sooner than those that wait behind them.
        if self.acknowledged.load(Ordering::Relaxed) < FEW {
            return;
        }
        let events = self.acknowledged.swap(0, Ordering::Relaxed).max(1) as f64;
        let took = self.took.swap(0, Ordering::Relaxed) as f64 / 1_000.0 / events;
        let waited = self.waited.swap(0, Ordering::Relaxed) as f64 / events;
        // By Little's law: pauses of the senders have no part in it.
        let rate = waited / took.max(0.001);
        if std::mem::replace(&mut known.began, now) < known.settles_until {
            return;
        }
        let (together, slow) = (self.together(), took > SLOW);
        let goes_on = match together {
            false if slow && now >= known.rests_until => {
                known.alone = rate;
                known.rests_until = now + BELIEVED;
                true
            }
            false => false,
            true if rate < known.alone * WORTH => {
                // Where few came there was nothing to be seen.
                known.pause = if slow { (2 * known.pause).clamp(PAUSE, LONGEST_PAUSE) } else { 0 };
                known.rests_until = now + known.pause;
                false
            }
            true if now >= known.rests_until => {
                known.pause = 0;
                known.rests_until = 0;
                false
            }
            true => true,
        };
        if goes_on != together {
            known.settles_until = now + 1 + took as u64;
            self.together.store(goes_on, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As many events wait all the time, for so many windows, beside a server that takes so many in a window.
    fn run(trial: &Trial, now: &mut u64, windows: usize, a_window: impl Fn(bool) -> u64, waiting: u64) -> usize {
        let mut together = 0;
        for _ in 0..windows {
            together += usize::from(trial.together());
            let events = a_window(trial.together());
            let took = Duration::from_millis(WINDOW * waiting / events);
            for n in 1..=events {
                trial.acknowledged(*now + WINDOW * n / events, took, usize::try_from(waiting).unwrap());
            }
            *now += WINDOW;
        }
        together
    }

    #[test]
    fn a_stream_that_acknowledges_soon_is_never_tried() {
        let (trial, mut now) = (Trial::default(), 0);
        assert_eq!(run(&trial, &mut now, 100, |_| 5_000, 256), 0);
    }

    #[test]
    fn pauses_of_the_senders_make_no_server_slow() {
        let trial = Trial::default();
        for n in 0..100 {
            trial.acknowledged(n * 10 * WINDOW, Duration::from_millis(5), 256);
        }
        assert!(!trial.together());
    }

    #[test]
    fn batches_stay_where_they_bring_more_and_one_by_one_is_measured_again() {
        let (trial, mut now) = (Trial::default(), 0);
        let together = run(&trial, &mut now, 1_000, |together| if together { 2_000 } else { 500 }, 256);
        // Each minute it is measured again, which takes some windows.
        assert!((900..1_000).contains(&together), "{together}");
    }

    #[test]
    fn batches_that_bring_nothing_are_tried_ever_more_seldom() {
        let (trial, mut now) = (Trial::default(), 0);
        let together = run(&trial, &mut now, 10_000, |together| if together { 300 } else { 500 }, 256);
        assert!((3..30).contains(&together), "{together}");
    }

    #[test]
    fn a_server_that_has_become_quick_gets_no_more_batches() {
        let (trial, mut now) = (Trial::default(), 0);
        run(&trial, &mut now, 20, |together| if together { 2_000 } else { 500 }, 256);
        assert!(trial.together());
        let together = run(&trial, &mut now, 200, |together| if together { 3_000 } else { 9_000 }, 256);
        assert!(together < 130, "{together}");
    }
}

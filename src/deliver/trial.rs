//! Whether a stream takes more events in batches than one by one: tried where acknowledgements are slow, and believed only as
//! measured.
//!
//! A batch costs a server some syncs of its own, so that one which acknowledges before it syncs is slower with them. No client
//! can ask which kind a server is, nor how slow its disk is.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// How long each way is measured, in milliseconds.
const WINDOW: u64 = 500;
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
    /// Acknowledged since the window began.
    acknowledged: AtomicUsize,
    /// When the window ends.
    ends: AtomicU64,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    began: u64,
    /// Events a millisecond, one by one.
    alone: f64,
    pause: u64,
    /// No trial, or no doubt, before that.
    rests_until: u64,
}

impl Trial {
    /// What waits goes out in batches.
    pub(super) fn together(&self) -> bool {
        self.together.load(Ordering::Relaxed)
    }

    /// An event was acknowledged while so many had not been.
    pub(super) fn acknowledged(&self, now: u64, waiting: usize) {
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
        if now >= self.ends.load(Ordering::Relaxed) {
            self.judge(now, waiting);
        }
    }

    #[cold]
    fn judge(&self, now: u64, waiting: usize) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if now < self.ends.load(Ordering::Relaxed) {
            return;
        }
        let took = now.saturating_sub(known.began);
        let rate = self.acknowledged.swap(0, Ordering::Relaxed) as f64 / took.max(1) as f64;
        known.began = now;
        self.ends.store(now + WINDOW, Ordering::Relaxed);
        // A window that nothing closed for long tells of a pause and not of the server.
        if took > 2 * WINDOW {
            return;
        }
        // By Little's law.
        let slow = waiting as f64 > SLOW * rate;
        let together = self.together();
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
            self.together.store(goes_on, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Acknowledges so many a window for so many windows.
    fn run(trial: &Trial, now: &mut u64, windows: usize, a_window: impl Fn(bool) -> u64, waiting: usize) -> usize {
        let mut together = 0;
        for _ in 0..windows {
            together += usize::from(trial.together());
            let events = a_window(trial.together());
            for n in 1..=events {
                trial.acknowledged(*now + WINDOW * n / events, waiting);
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
    fn batches_stay_where_they_bring_more_and_one_by_one_is_measured_again() {
        let (trial, mut now) = (Trial::default(), 0);
        let together = run(&trial, &mut now, 1_000, |together| if together { 2_000 } else { 500 }, 256);
        assert!((950..1_000).contains(&together), "{together}");
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

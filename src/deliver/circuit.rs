//! A stream that has stopped acknowledging is left alone for a moment, so that requests do not wait for it one by one.
//!
//! Open: five in a row were not answered, and one publish per pause is let through to see whether it is back. Diverted: one was
//! late, and what may wait goes to the spool until one from there is stored in time. Other streams are not touched.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// Acknowledgements missed in a row that open it.
const LIMIT: u32 = 5;
/// How long it stays open before the next publish is let through, in milliseconds.
const PAUSE: u64 = 500;

/// The circuit of one stream. Times are milliseconds from any fixed beginning.
#[derive(Debug, Default)]
pub(super) struct Circuit {
    missed: AtomicU32,
    open_until: AtomicU64,
    /// What comes goes to the spool.
    diverted: AtomicBool,
}

impl Circuit {
    /// A publish may go out.
    pub(super) fn lets_through(&self, now: u64) -> bool {
        if self.missed.load(Ordering::Relaxed) < LIMIT {
            return true;
        }
        let until = self.open_until.load(Ordering::Relaxed);
        // Of all that come after the pause, the one that begins the next pause goes out.
        now >= until
            && self.open_until.compare_exchange(until, now + PAUSE, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// The stream answered, whatever it said; `stored` where it stored a message, and a request would have waited for that.
    /// A leader whose followers are away stores nothing, and is quick to say what it had before or was sent before.
    pub(super) fn answered(&self, stored: bool) {
        // Written only when it changes: this is on the way of every event.
        if self.missed.load(Ordering::Relaxed) != 0 {
            self.missed.store(0, Ordering::Relaxed);
        }
        if stored && self.is_diverted() {
            self.diverted.store(false, Ordering::Relaxed);
        }
    }

    /// Whether the last message missed its acknowledgement, so that what comes goes to the spool.
    pub(super) fn is_diverted(&self) -> bool {
        self.diverted.load(Ordering::Relaxed)
    }

    /// An acknowledgement was late: from now on nothing waits for this stream, until one of the spool comes in time.
    pub(super) fn divert(&self) {
        self.diverted.store(true, Ordering::Relaxed);
    }

    /// It did not answer.
    pub(super) fn missed(&self, now: u64) {
        if self.missed.fetch_add(1, Ordering::Relaxed) + 1 >= LIMIT {
            self.open_until.store(now + PAUSE, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_after_misses_in_a_row_and_lets_one_through_per_pause() {
        let circuit = Circuit::default();
        for _ in 1..LIMIT {
            circuit.missed(0);
        }
        assert!(circuit.lets_through(0), "not yet");
        circuit.answered(true);
        circuit.missed(0);
        assert!(circuit.lets_through(0), "an answer between them begins anew");
        for _ in 1..LIMIT {
            circuit.missed(0);
        }
        assert!(!circuit.lets_through(0));
        assert!(circuit.lets_through(PAUSE));
        assert!(!circuit.lets_through(PAUSE), "one is enough");
        assert!(circuit.lets_through(2 * PAUSE));
        circuit.answered(true);
        assert!(circuit.lets_through(2 * PAUSE) && circuit.lets_through(2 * PAUSE));
    }

    #[test]
    fn only_what_is_stored_in_time_ends_the_way_around() {
        let circuit = Circuit::default();
        circuit.divert();
        circuit.answered(false);
        assert!(circuit.is_diverted(), "who comes next would wait as long again");
        circuit.answered(true);
        assert!(!circuit.is_diverted());
    }
}

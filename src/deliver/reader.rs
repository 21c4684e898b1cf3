//! Reads acknowledgements, and hands each to the publish that waits for it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures::StreamExt;

use super::link::Pulse;
use super::publish::Counters;
use super::waiting::{Answer, Waiting};

/// The task that hands answers to those who wait for them.
pub(super) struct Reader {
    pub(super) waiting: Arc<Waiting>,
    pub(super) pulse: Arc<Pulse>,
    pub(super) counters: Arc<Counters>,
    /// What numbers stand behind.
    pub(super) prefix: usize,
}

impl Reader {
    pub(super) async fn run(self, mut answers: async_nats::Subscriber) {
        while let Some(message) = answers.next().await {
            self.pulse.alive();
            // Anything else is our own sign of life.
            let Some(number) = message.subject.get(self.prefix..).and_then(|number| number.parse().ok()) else {
                continue;
            };
            let answer = Answer { status: message.status.map(|status| status.as_u16()), payload: message.payload };
            if !self.waiting.answer(number, answer) {
                self.counters.late.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

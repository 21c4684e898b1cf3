//! Watches the connection while something waits on it: ends what has waited too long, and sees when nothing comes back.
//!
//! A connected server that is paused, or behind a network that drops packets, looks connected for seconds. When an
//! acknowledgement is late, a ping tells a stalled connection from a slow stream. Costs nothing per event.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};

use super::connection::{self, Link};
use super::waiting::Waiting;
use super::wire::Wire;

/// How exactly deadlines are kept.
const TICK: Duration = Duration::from_millis(20);
/// How often the state is read while nothing waits; its changes are notified as well.
const IDLE: Duration = Duration::from_secs(1);
/// An acknowledgement that takes longer makes us ask whether anything comes back.
const LATE: Duration = Duration::from_millis(250);
/// How long our own message may take before the connection counts as stalled.
const ECHO: Duration = Duration::from_millis(400);

/// What the request line and the reader of acknowledgements share with the watch.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    /// Nothing comes back.
    stalled: AtomicBool,
    /// A message to ourselves is on its way.
    asked: AtomicBool,
    /// The watch sleeps until somebody waits.
    idle: AtomicBool,
    wake: Notify,
}

impl Pulse {
    pub(super) fn is_stalled(&self) -> bool {
        self.stalled.load(Ordering::Relaxed)
    }

    /// Something came back.
    pub(super) fn alive(&self) {
        // Written only when it changes: this is on the way of every acknowledgement.
        if self.asked.load(Ordering::Relaxed) {
            self.asked.store(false, Ordering::Relaxed);
            self.stalled.store(false, Ordering::Relaxed);
        }
    }

    /// Somebody begins to wait.
    pub(super) fn waits(&self) {
        if self.idle.load(Ordering::SeqCst) && self.idle.swap(false, Ordering::SeqCst) {
            self.wake.notify_one();
        }
    }
}

/// The task that watches.
pub(super) struct StallWatch {
    pub(super) wire: Wire,
    pub(super) waiting: Arc<Waiting>,
    pub(super) pulse: Arc<Pulse>,
    pub(super) link: watch::Sender<Link>,
    pub(super) events: Arc<Notify>,
}

/// A sign of life that was asked for.
#[derive(Clone, Copy)]
struct Question {
    at: Instant,
    sent: bool,
}

impl StallWatch {
    pub(super) async fn run(self) {
        let mut question: Option<Question> = None;
        let mut quiet_since = Instant::now();
        loop {
            let connection = self.wire.connection();
            let now = Instant::now();
            let oldest = self.waiting.sweep(now, connection);
            question = self.listen(connection.is_some(), oldest, question, now);
            connection::observe(&self.wire, self.pulse.is_stalled(), &self.link);

            if self.waiting.len() > 0 || question.is_some() {
                quiet_since = now;
            }
            let mut pause = TICK;
            if now - quiet_since > IDLE {
                self.pulse.idle.store(true, Ordering::SeqCst);
                // Who began to wait before that line did not see it.
                pause = if self.waiting.len() > 0 { TICK } else { IDLE };
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.pulse.wake.notified() => {}
                () = self.events.notified() => {}
            }
        }
    }

    /// Asks for a sign of life when an acknowledgement is late.
    fn listen(
        &self,
        connected: bool,
        oldest: Option<Instant>,
        question: Option<Question>,
        now: Instant,
    ) -> Option<Question> {
        if !connected {
            self.pulse.asked.store(false, Ordering::Relaxed);
            self.pulse.stalled.store(false, Ordering::Relaxed);
            return None;
        }
        let open = self.pulse.asked.load(Ordering::Relaxed);
        match question {
            Some(Question { at, sent }) if open => {
                if now - at > ECHO && !self.pulse.stalled.swap(true, Ordering::Relaxed) {
                    tracing::warn!("NATS is connected but nothing comes back; publishing pauses until it does");
                }
                Some(Question { at, sent: sent || self.wire.ask() })
            }
            // Answered; the next one not before this one is as old as a late acknowledgement.
            Some(question) if now - question.at <= LATE => Some(question),
            _ if oldest.is_some_and(|since| now - since > LATE) => {
                self.pulse.asked.store(true, Ordering::Relaxed);
                Some(Question { at: now, sent: self.wire.ask() })
            }
            _ => None,
        }
    }
}

//! What one connection is doing, shared by its wire, its requests and the task that drives it.
//!
//! hyper has one time-out for "the head is slow" and "the connection is idle", and none for a client that sends
//! nothing at all; here the two are told apart, without a timer of its own for each request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// The state of one connection.
#[derive(Debug)]
pub(super) struct Activity {
    begun: Instant,
    /// Requests between their head and their answer.
    requests: AtomicU32,
    /// When a byte or an answer passed last, in milliseconds since `begun`.
    last: AtomicU64,
    /// When the first byte of an unfinished head came, in milliseconds since `begun`, plus one; 0: there is none.
    head_since: AtomicU64,
    /// The head that was read last breaks a rule that hyper does not hold.
    offence: AtomicBool,
    /// hyper answered something that is no request.
    refused: AtomicBool,
    /// The next answer is the last one.
    closing: AtomicBool,
    /// When nothing is left to be read, the connection ends.
    hang_up: AtomicBool,
}

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waiting {
    /// An answer of ours.
    Answer,
    /// The rest of a head, for this long already.
    Head(Duration),
    /// A request, for this long already.
    Request(Duration),
}

impl Activity {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            begun: Instant::now(),
            requests: AtomicU32::new(0),
            last: AtomicU64::new(0),
            head_since: AtomicU64::new(0),
            offence: AtomicBool::new(false),
            refused: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            hang_up: AtomicBool::new(false),
        })
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX - 1)
    }

    /// A byte passed.
    pub(super) fn touch(&self) {
        self.last.store(self.now(), Ordering::Relaxed);
    }

    /// A byte of a head came. True where it is the first one.
    pub(super) fn head_byte(&self) -> bool {
        let first = self.head_since.load(Ordering::Relaxed) == 0;
        if first {
            self.head_since.store(self.now() + 1, Ordering::Relaxed);
        }
        first
    }

    /// The head that is being read breaks a rule.
    pub(super) fn offend(&self) {
        self.offence.store(true, Ordering::Relaxed);
    }

    /// A head has begun and is not complete.
    pub(super) fn is_in_head(&self) -> bool {
        self.head_since.load(Ordering::Relaxed) != 0
    }

    /// hyper answered what it could not read.
    pub(super) fn refuse(&self) {
        self.refused.store(true, Ordering::Relaxed);
    }

    /// Whether hyper did; it ends the connection then.
    pub(super) fn was_refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }

    /// A head is complete. Says whether it broke a rule; the request lasts until the guard is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> (Request, bool) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.head_since.store(0, Ordering::Relaxed);
        (Request(self.clone()), self.offence.swap(false, Ordering::Relaxed))
    }

    /// A request is being answered.
    pub(super) fn is_busy(&self) -> bool {
        self.requests.load(Ordering::Relaxed) > 0
    }

    /// What the connection waits for now.
    pub(super) fn waiting(&self) -> Waiting {
        if self.is_busy() {
            return Waiting::Answer;
        }
        let now = self.now();
        match self.head_since.load(Ordering::Relaxed) {
            0 => Waiting::Request(Duration::from_millis(now.saturating_sub(self.last.load(Ordering::Relaxed)))),
            since => Waiting::Head(Duration::from_millis(now.saturating_sub(since - 1))),
        }
    }

    /// From now on every answer is the last one.
    pub(super) fn close_soon(&self) {
        // The client gets as long as an idle connection of its own would, counted from here, to send once more.
        self.touch();
        self.closing.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    /// End the connection as soon as nothing is left to be read.
    pub(super) fn hang_up(&self) {
        self.closing.store(true, Ordering::Relaxed);
        self.hang_up.store(true, Ordering::Relaxed);
    }

    /// Whether a wire with nothing to read may say that it is at its end.
    pub(super) fn may_hang_up(&self) -> bool {
        self.hang_up.load(Ordering::Relaxed) && matches!(self.waiting(), Waiting::Request(_))
    }
}

/// A request between its head and its answer.
#[derive(Debug)]
pub(super) struct Request(Arc<Activity>);

impl Drop for Request {
    fn drop(&mut self) {
        self.0.touch();
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

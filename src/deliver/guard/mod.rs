//! The regression guard: what streams acknowledged is remembered for a while, and a stream that forgot it gets it again under
//! the same id.
//!
//! A server that was cut off from power forgets what it had not synced, which may be minutes of acknowledged events. Owns what is remembered
//! and the looks at streams; no request ever waits for it or fails with it.
//!
//! `watch` looks and publishes again, `inquiry` decides what a stream forgot, `ledger` holds the numbers and suspects, `clerk`
//! takes from `queue` and writes to `store`, which lies in `memory` or beside the spool.

mod clerk;
mod inquiry;
mod ledger;
mod memory;
mod queue;
mod remembered;
mod room;
mod store;
mod watch;

#[cfg(test)]
mod tests;

use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

use self::clerk::Clerk;
use self::ledger::{Ledger, Mark, Noted};
use self::memory::Memory;
use self::queue::{Orders, Queue};
use self::remembered::{Acknowledged, Remembered};
use self::store::Store;
use super::spool::files::{Files, Folder};
use super::spool::{OpenError, make, salt};
use super::{Delivery, Outcome};
use crate::event::Message;

pub(crate) use self::clerk::Room;
pub(crate) use self::room::beside_spool;
use self::watch::Watch;

/// The folder beside the spool.
const FOLDER: &str = "guard";

/// What is remembered, and how long.
#[derive(Clone, Copy, Debug)]
pub struct GuardOptions {
    /// `--guard-window`; zero turns it off.
    pub window: Duration,
    /// `--guard-max-bytes`.
    pub max_bytes: u64,
}

/// How it goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GuardStatus {
    /// How far back everything that was acknowledged is remembered; zero where nothing is.
    pub reach: Duration,
    /// Acknowledged messages that could not be remembered.
    pub missed: u64,
    /// Messages that a stream had forgotten and was given again.
    pub again: u64,
    /// Looks at all streams that found out what they were to.
    pub looks: u64,
}

/// What the request line, the clerk and the watch share.
#[derive(Debug)]
struct Book {
    ledger: Mutex<Ledger>,
    marks: RandomState,
    /// It remembers.
    on: AtomicBool,
    missed: AtomicU64,
    /// Something was missed since the ledger was told.
    gap: AtomicBool,
    again: AtomicU64,
    looks: AtomicU64,
    /// An acknowledgement came that cannot be.
    suspicion: Notify,
}

impl Book {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn mark(&self, msg_id: &[u8]) -> Mark {
        self.marks.hash_one(msg_id)
    }

    fn missed(&self, count: usize) {
        self.missed.fetch_add(count as u64, Ordering::Relaxed);
        // Without the ledger: a request is here where too many wait for the clerk.
        self.gap.store(true, Ordering::Relaxed);
    }

    /// Lets the ledger know.
    fn note_gap(&self) {
        if self.gap.swap(false, Ordering::Relaxed) {
            self.ledger().missed();
        }
    }
}

/// The request line's end of it.
#[derive(Debug)]
pub(super) struct Guard {
    book: Arc<Book>,
    queue: Arc<Queue>,
}

impl Guard {
    /// A stream acknowledged a message; `bound`: no other may take it; `namespace`: whose bucket has its data, else empty.
    /// Waits for nothing.
    pub(super) fn remember(&self, message: &Message, namespace: &str, bound: bool, outcome: &Outcome) {
        let (stream, sequence, duplicate) = match outcome {
            Outcome::Stored { stream, sequence } => (stream, *sequence, false),
            Outcome::Duplicate { stream, sequence } => (stream, *sequence, true),
            Outcome::Spooled => return,
        };
        if !self.book.on.load(Ordering::Relaxed) {
            return;
        }
        let noted = Noted { stream: Arc::clone(stream), sequence, mark: self.book.mark(&message.msg_id), duplicate };
        let acknowledged = Acknowledged { stream, sequence, bound, claimed: namespace, message };
        if !self.queue.put(&acknowledged, noted) {
            self.book.missed(1);
        }
    }

    /// Asks the clerk for something.
    fn order(&self, order: impl FnOnce(&mut Orders)) {
        self.queue.order(order);
    }

    /// Waits until all that was acknowledged so far is written down. It may never be: a disk can hang.
    pub(super) async fn written(&self) {
        let (done, heard) = oneshot::channel();
        self.order(|orders| orders.written.push(done));
        let _ = heard.await;
    }

    pub(super) fn status(&self) -> GuardStatus {
        let on = self.book.on.load(Ordering::Relaxed) && !self.book.gap.load(Ordering::Relaxed);
        GuardStatus {
            reach: if on { self.book.ledger().reach() } else { Duration::ZERO },
            missed: self.book.missed.load(Ordering::Relaxed),
            again: self.book.again.load(Ordering::Relaxed),
            looks: self.book.looks.load(Ordering::Relaxed),
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl Delivery {
    /// Remembers from now on what streams acknowledge: in a folder beside the spool, where there is one, else in memory. `room`
    /// says how many bytes that may be. Once, before the first event; a spool's lock must be held.
    pub fn use_guard(&self, options: GuardOptions, spool: Option<&Path>, room: Room) {
        if options.window.is_zero() {
            return;
        }
        let folder = spool.map(|spool| spool.join(FOLDER));
        let opened = folder.map(|folder| -> Result<Folder, OpenError> {
            make(&folder)?;
            Ok(Folder::new(folder))
        });
        let begun = match opened {
            None => self.begin_guard(Memory::default(), options, room),
            Some(folder) => folder.and_then(|folder| self.begin_guard(folder, options, room)),
        };
        if let Err(error) = begun {
            tracing::error!(%error, "the guard cannot use its folder beside the spool, and remembers nothing");
        }
    }

    fn begin_guard<F>(&self, files: F, options: GuardOptions, room: Room) -> Result<(), OpenError>
    where
        F: Files + Send + Sync + 'static,
        F::File: Send + Sync,
    {
        let marks = RandomState::new();
        let mut ledger = Ledger::new(options.window);
        let store = Store::open(files, salt, |bucket, bytes, all| {
            let noted = all.into_iter().map(|Remembered { stream, sequence, message, .. }| Noted {
                stream,
                sequence,
                mark: marks.hash_one(&*message.msg_id),
                duplicate: true,
            });
            ledger.recover(bucket, bytes, noted);
        })?;
        ledger.pause();
        let buckets = store.buckets();
        let book = Arc::new(Book {
            ledger: Mutex::new(ledger),
            marks,
            on: AtomicBool::new(true),
            missed: AtomicU64::new(0),
            gap: AtomicBool::new(false),
            again: AtomicU64::new(0),
            looks: AtomicU64::new(0),
            suspicion: Notify::new(),
        });
        let queue = Arc::new(Queue::default());
        let clerk = Clerk {
            store,
            book: Arc::clone(&book),
            room,
            window: options.window,
            begun: Duration::ZERO,
            failed: false,
        };
        clerk.start(Arc::clone(&queue))?;
        let guard = Arc::new(Guard { book, queue });
        if self.inner.guard.set(Arc::clone(&guard)).is_ok() {
            let watch = Watch::new(&self.inner, guard, buckets);
            self.inner.tasks.spawn(self.inner.stop.clone().run_until_cancelled_owned(watch.run()));
        }
        Ok(())
    }

    /// How the guard goes; `None` where it is off.
    pub fn guard(&self) -> Option<GuardStatus> {
        self.inner.guard.get().map(|guard| guard.status())
    }
}

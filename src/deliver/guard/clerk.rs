//! The thread that writes down what was acknowledged: what queues while it writes or rests is its next group.
//!
//! No request waits for it. It rests a moment after each group, so that a lively line wakes it seldom.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::super::spool::files::Files;
use super::Book;
use super::queue::{Group, Orders, Queue};
use super::store::Store;

/// Between groups: what a process that is killed had not yet written down was acknowledged within this time.
const REST: Duration = Duration::from_millis(1);
/// Parts of the window, and of the space, that one bucket takes: so much more may be kept, and so much less.
const PARTS: u32 = 16;

/// How many bytes may be held by who holds so many now.
pub(crate) type Room = Box<dyn Fn(u64) -> u64 + Send>;

/// The thread's own.
pub(super) struct Clerk<F: Files> {
    pub(super) store: Store<F>,
    pub(super) book: Arc<Book>,
    pub(super) room: Room,
    pub(super) window: Duration,
    /// When the bucket that is open was begun.
    pub(super) begun: Duration,
    /// The disk refused the last group.
    pub(super) failed: bool,
}

impl<F> Clerk<F>
where
    F: Files + Send + Sync + 'static,
    F::File: Send,
{
    /// Starts it. It ends when the queue is closed.
    pub(super) fn start(mut self, queue: Arc<Queue>) -> io::Result<()> {
        let run = move || {
            let mut group = Group::default();
            while let Some(orders) = queue.take(&mut group) {
                self.write(&mut group);
                self.obey(orders);
                thread::sleep(REST);
            }
        };
        thread::Builder::new().name("guard".to_owned()).spawn(run).map(drop)
    }

    fn obey(&mut self, orders: Orders) {
        if orders.clear {
            let all = self.book.ledger().clear();
            self.store.remove(&all);
        }
        if orders.sweep {
            let over = self.book.ledger().expire();
            self.store.remove(&over);
            // Also when nothing comes: the spool may want the space.
            let held = self.book.ledger().bytes();
            let room = (self.room)(held);
            self.make_room(0, held, room);
            if let Err(error) = self.store.sync() {
                self.fails(&error);
            }
        }
        for done in orders.written {
            let _ = done.send(());
        }
    }

    fn write(&mut self, group: &mut Group) {
        if group.notes.is_empty() {
            return;
        }
        let (now, held) = {
            let ledger = self.book.ledger();
            (ledger.now(), ledger.bytes())
        };
        let room = (self.room)(held);
        let full = self.store.open_bytes().is_some_and(|open| open >= room / u64::from(PARTS));
        if (full || now >= self.begun + self.window / PARTS)
            && let Err(error) = self.store.close()
        {
            self.fails(&error);
        }
        if self.store.open_bytes().is_none() {
            self.begun = now;
        }
        let written = match self.make_room(group.bytes.len() as u64, held, room) {
            true => self.store.append(group),
            false => Err(io::ErrorKind::StorageFull.into()),
        };
        match written {
            Ok((bucket, bytes)) => {
                self.note(bucket, bytes, group);
                if std::mem::take(&mut self.failed) {
                    tracing::info!("what NATS acknowledges is remembered again");
                }
            }
            Err(error) => {
                self.book.missed(group.notes.len());
                self.fails(&error);
            }
        }
        group.clear();
    }

    fn note(&self, bucket: u64, bytes: u64, group: &mut Group) {
        let suspected = {
            let mut ledger = self.book.ledger();
            let before = ledger.is_suspected();
            ledger.remember(bucket, bytes, group.notes.drain(..).map(|(noted, _)| noted));
            ledger.is_suspected() && !before
        };
        if suspected {
            self.book.suspicion.notify_one();
        }
    }

    /// Lets the oldest go where there is no room for so many bytes more. False where there is none even so.
    fn make_room(&mut self, bytes: u64, held: u64, room: u64) -> bool {
        if held + bytes <= room {
            return true;
        }
        let gone = self.book.ledger().evict(room.saturating_sub(bytes));
        self.store.remove(&gone);
        self.book.ledger().bytes() + bytes <= room
    }

    /// Says it when remembering begins to fail.
    fn fails(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.failed, true) {
            tracing::error!(
                %error,
                "what NATS acknowledges cannot be remembered: a server that forgets it is not given it again"
            );
        }
    }
}

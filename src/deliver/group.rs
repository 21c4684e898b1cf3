//! Group commit: what waits for one stream goes out as one atomic batch (ADR-50), once as many wait as are on their way.
//!
//! A server that syncs each message before it acknowledges syncs a batch once; `trial` finds out whether that helps. Else, and
//! where few are on their way, everything goes out at once and alone, and no lock is taken. A batch never spans streams;
//! one that is refused is sent singly.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Unavailable;
use super::trial::Trial;
use super::waiting::Waiting;
use super::wire::Wire;
use crate::event::Message;

/// As many messages of a stream are on their way alone.
const ALONE: usize = 32;
/// Messages of a batch; nats-server takes 1,000 where nobody changed that.
pub(super) const MOST: usize = 500;
/// Bytes of a batch, beyond its first message.
const BYTES: usize = 4 << 20;
/// How long a stream that refused a batch gets none, in milliseconds: one of known ids costs as much as two.
const REST: u64 = 1_000;

/// What is on its way to one stream, and what waits for it.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// Messages without an answer, each alone or in a batch.
    on_the_way: AtomicUsize,
    /// As many are in the queue: read without its lock.
    queued: AtomicUsize,
    queue: Mutex<VecDeque<Queued>>,
    /// Until when nothing is sent as a batch, in milliseconds of the deliverer.
    rests_until: AtomicU64,
    trial: Trial,
}

/// A message that waits for its turn.
#[derive(Debug)]
struct Queued {
    number: u64,
    connection: u64,
    message: Message,
    /// The name of the stream must be the one of the group.
    expected: bool,
}

/// One that is sent as part of a batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member<'a> {
    pub(super) message: &'a Message,
    /// What its answer is addressed to.
    pub(super) number: u64,
    /// The stream that must take it.
    pub(super) stream: Option<&'a str>,
}

/// What a group needs of the connection.
#[derive(Clone, Copy)]
pub(super) struct Line<'a> {
    pub(super) wire: &'a Wire,
    pub(super) waiting: &'a Waiting,
    /// The stream of the group.
    pub(super) stream: &'a str,
}

/// A message's place among those on their way or in the queue; given back when it is dropped.
#[must_use = "others wait for it to be given back"]
pub(super) struct Place<'a> {
    group: &'a Group,
    line: Line<'a>,
    number: u64,
    queued: bool,
}

impl Group {
    /// Whether batches rest at that moment.
    fn rests(&self, now: u64) -> bool {
        now < self.rests_until.load(Ordering::Relaxed)
    }

    /// A batch was refused.
    pub(super) fn rest(&self, now: u64) {
        self.rests_until.store(now + REST, Ordering::Relaxed);
    }

    /// Sends a message, or queues it behind those on their way; `now` in milliseconds.
    ///
    /// # Errors
    /// As `Wire::send`.
    pub(super) async fn send<'a>(
        &'a self,
        line: Line<'a>,
        connection: u64,
        member: Member<'_>,
        by: Instant,
        now: u64,
    ) -> Result<Place<'a>, Unavailable> {
        let Member { message, number, stream } = member;
        let before = self.on_the_way.fetch_add(1, Ordering::SeqCst);
        if !self.trial.together() || self.rests(now) || before < ALONE && self.queued.load(Ordering::SeqCst) == 0 {
            let place = Place { group: self, line, number, queued: false };
            line.wire.send(connection, message, stream, number, by).await?;
            return Ok(place);
        }
        self.on_the_way.fetch_sub(1, Ordering::SeqCst);
        let mut queue = self.lock();
        queue.push_back(Queued { number, connection, message: message.clone(), expected: stream.is_some() });
        self.send_some(queue, line);
        Ok(Place { group: self, line, number, queued: true })
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Queued>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends what is queued as one batch, where as many wait as are on their way.
    fn send_some(&self, mut queue: MutexGuard<'_, VecDeque<Queued>>, line: Line<'_>) {
        // Before the look: whoever is answered after it sees that something is queued.
        self.queued.store(queue.len(), Ordering::SeqCst);
        while !queue.is_empty() && self.on_the_way.load(Ordering::SeqCst) <= queue.len() {
            let mut batch = Vec::with_capacity(queue.len().min(MOST));
            let mut bytes = 0;
            while batch.len() < MOST && bytes < BYTES {
                let Some(next) = queue.pop_front() else { break };
                bytes += next.message.headers.len() + next.message.payload.len();
                batch.push(next);
            }
            // Before an answer can come. What left the queue counts until its place is given back, sent or not.
            self.on_the_way.fetch_add(batch.len(), Ordering::SeqCst);
            let Some(connection) = batch.last().map(|last| last.connection) else { continue };
            // Whose time was up is not sent after it was told so; whose connection is gone is told so by the watch.
            batch.retain(|queued| queued.connection == connection && line.waiting.waits(queued.number));
            let members: Vec<Member<'_>> = batch
                .iter()
                .map(|queued| Member {
                    message: &queued.message,
                    number: queued.number,
                    stream: queued.expected.then_some(line.stream),
                })
                .collect();
            send_together(line, connection, &members);
        }
        self.queued.store(queue.len(), Ordering::SeqCst);
    }
}

/// Sends a batch whose answer goes to all its members. Where the connection is gone nothing is sent, and the watch ends
/// their waiting.
pub(super) fn send_together(line: Line<'_>, connection: u64, members: &[Member<'_>]) {
    if let [before @ .., last] = members
        && !before.is_empty()
    {
        line.waiting.join(last.number, before.iter().map(|member| member.number).collect());
    }
    line.wire.send_together(connection, members);
}

impl Place<'_> {
    /// It was answered at that moment, in milliseconds, after that time, so it is in the queue no more.
    pub(super) fn answered(mut self, now: u64, took: Duration) {
        self.queued = false;
        let group = self.group;
        let waiting = group.on_the_way.load(Ordering::Relaxed) + group.queued.load(Ordering::Relaxed);
        group.trial.acknowledged(now, took, waiting);
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if self.queued {
            let mut queue = self.group.lock();
            if let Some(at) = queue.iter().position(|queued| queued.number == self.number) {
                queue.remove(at);
                self.group.queued.store(queue.len(), Ordering::SeqCst);
                return;
            }
        }
        self.group.on_the_way.fetch_sub(1, Ordering::SeqCst);
        if self.group.queued.load(Ordering::SeqCst) > 0 {
            self.group.send_some(self.group.lock(), self.line);
        }
    }
}

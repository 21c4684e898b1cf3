//! Publishes that wait for their acknowledgement: a number each, and a slot that the number leads to.
//!
//! A slot is taken without allocation and given back when the waiter is dropped, so what waits is bounded by construction.
//! No task, timer or subscription belongs to one publish: `sweep` ends those whose time is up.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::Bytes;

/// An answer as it arrived.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// The status line of its headers, where it has one.
    pub status: Option<u16>,
    /// Its payload.
    pub payload: Bytes,
    /// Where the message stood in its batch; `None`: it was sent alone.
    pub batch: Option<Batched>,
}

/// Where a message stands in its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Batched {
    /// Messages of the batch.
    pub count: u64,
    /// How many come after it.
    pub after: u64,
}

/// How waiting ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// With an answer.
    Answered(Answer),
    /// Its deadline passed.
    Expired,
    /// The connection that it was published on is gone.
    Lost,
}

#[derive(Debug, Default)]
enum Cell {
    #[default]
    Free,
    Waits {
        since: Instant,
        deadline: Instant,
        connection: u64,
        waker: Option<Waker>,
        /// Those that come before it in its batch, whose answer is the same.
        before: Box<[u64]>,
    },
    Over(End),
}

#[derive(Debug, Default)]
struct Slot {
    /// The number that holds the slot, 0 for none. Lets others pass by without the lock.
    number: AtomicU64,
    cell: Mutex<Cell>,
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, Cell> {
        self.cell.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Slots that are counted together.
const BLOCK: usize = 64;

/// All that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    slots: Box<[Slot]>,
    /// How many slots of each block are taken: most are empty most of the time, and nobody looks into those.
    blocks: Box<[AtomicUsize]>,
    next: AtomicU64,
    taken: AtomicUsize,
    limit: usize,
}

impl Waiting {
    /// Room for `limit` waiters.
    pub(super) fn new(limit: usize) -> Self {
        // A third more than can be taken, so that a number seldom meets a taken slot.
        let slots = (limit + limit / 3).max(1).next_power_of_two();
        Self {
            slots: (0..slots).map(|_| Slot::default()).collect(),
            blocks: (0..slots.div_ceil(BLOCK)).map(|_| AtomicUsize::new(0)).collect(),
            next: AtomicU64::new(1),
            taken: AtomicUsize::new(0),
            limit,
        }
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }

    /// Takes a number until the deadline, for a publish on the connection of this number. `None`: too many wait.
    pub(super) fn take(&self, since: Instant, deadline: Instant, connection: u64) -> Option<Waiter<'_>> {
        if self.taken.fetch_add(1, Ordering::SeqCst) >= self.limit {
            self.taken.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        // There are more slots than may be taken: one is free.
        for _ in 0..self.slots.len() {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let slot = self.slot(number);
            if slot.number.load(Ordering::Relaxed) != 0 {
                continue;
            }
            let mut cell = slot.lock();
            if matches!(*cell, Cell::Free) {
                // Before it can be found: who sweeps passes over no slot that is taken.
                self.block(number).fetch_add(1, Ordering::SeqCst);
                *cell = Cell::Waits { since, deadline, connection, waker: None, before: Box::default() };
                slot.number.store(number, Ordering::Release);
                return Some(Waiter { waiting: self, number });
            }
        }
        self.taken.fetch_sub(1, Ordering::Relaxed);
        None
    }

    /// Hands an answer to the waiter of this number, and to those that were sent in one batch with it. False: it waits no
    /// longer.
    pub(super) fn answer(&self, number: u64, status: Option<u16>, payload: &Bytes) -> bool {
        let slot = self.slot(number);
        let mut cell = slot.lock();
        if slot.number.load(Ordering::Acquire) != number {
            return false;
        }
        let Cell::Waits { waker, before, .. } = &mut *cell else { return false };
        let (waker, before) = (waker.take(), std::mem::take(before));
        let count = before.len() as u64 + 1;
        let batch = (count > 1).then_some(Batched { count, after: 0 });
        *cell = Cell::Over(End::Answered(Answer { status, payload: payload.clone(), batch }));
        drop(cell);
        if let Some(waker) = waker {
            waker.wake();
        }
        for (number, after) in before.iter().rev().zip(1..) {
            let answer = Answer { status, payload: payload.clone(), batch: Some(Batched { count, after }) };
            self.hand(*number, answer);
        }
        true
    }

    fn hand(&self, number: u64, answer: Answer) {
        let slot = self.slot(number);
        let mut cell = slot.lock();
        if slot.number.load(Ordering::Acquire) != number {
            return;
        }
        let Cell::Waits { waker, .. } = &mut *cell else { return };
        let waker = waker.take();
        *cell = Cell::Over(End::Answered(answer));
        drop(cell);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The number still waits for its answer.
    pub(super) fn waits(&self, number: u64) -> bool {
        let slot = self.slot(number);
        let cell = slot.lock();
        slot.number.load(Ordering::Acquire) == number && matches!(*cell, Cell::Waits { .. })
    }

    /// The answer of this number is that of those as well, which come before it in its batch.
    pub(super) fn join(&self, number: u64, those: Box<[u64]>) {
        let slot = self.slot(number);
        let mut cell = slot.lock();
        if slot.number.load(Ordering::Acquire) == number
            && let Cell::Waits { before, .. } = &mut *cell
        {
            *before = those;
        }
    }

    /// Ends those whose deadline has passed, and those that were published on another connection than the one that is
    /// there (`None`: there is none). Returns since when the oldest of the rest waits.
    pub(super) fn sweep(&self, now: Instant, connection: Option<u64>) -> Option<Instant> {
        let mut oldest: Option<Instant> = None;
        let taken = self.slots.chunks(BLOCK).zip(&self.blocks);
        for slot in taken.filter(|(_, taken)| taken.load(Ordering::SeqCst) > 0).flat_map(|(slots, _)| slots) {
            if slot.number.load(Ordering::Relaxed) == 0 {
                continue;
            }
            let mut cell = slot.lock();
            let Cell::Waits { since, deadline, connection: published_on, waker, .. } = &mut *cell else { continue };
            let end = if Some(*published_on) != connection {
                End::Lost
            } else if *deadline <= now {
                End::Expired
            } else {
                oldest = Some(oldest.map_or(*since, |oldest| oldest.min(*since)));
                continue;
            };
            let waker = waker.take();
            *cell = Cell::Over(end);
            drop(cell);
            if let Some(waker) = waker {
                waker.wake();
            }
        }
        oldest
    }

    fn slot(&self, number: u64) -> &Slot {
        &self.slots[self.index(number)]
    }

    fn block(&self, number: u64) -> &AtomicUsize {
        &self.blocks[self.index(number) / BLOCK]
    }

    fn index(&self, number: u64) -> usize {
        // The number of slots is a power of two; the mask keeps the index within it.
        let mask = self.slots.len() as u64 - 1;
        usize::try_from(number & mask).unwrap_or(0)
    }
}

/// One publish that waits; gives its slot back when it is dropped.
#[must_use = "nobody waits for the acknowledgement"]
#[derive(Debug)]
pub(super) struct Waiter<'a> {
    waiting: &'a Waiting,
    number: u64,
}

impl Waiter<'_> {
    /// What the answer must be addressed to.
    pub(super) fn number(&self) -> u64 {
        self.number
    }
}

impl Future for Waiter<'_> {
    type Output = End;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<End> {
        let mut cell = self.waiting.slot(self.number).lock();
        if let Cell::Waits { waker, .. } = &mut *cell {
            match waker {
                Some(waker) => waker.clone_from(context.waker()),
                None => *waker = Some(context.waker().clone()),
            }
            return Poll::Pending;
        }
        // Left so that the slot stays this waiter's until it is dropped.
        match std::mem::replace(&mut *cell, Cell::Over(End::Expired)) {
            Cell::Over(end) => Poll::Ready(end),
            _ => Poll::Ready(End::Expired),
        }
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let slot = self.waiting.slot(self.number);
        let mut cell = slot.lock();
        slot.number.store(0, Ordering::Release);
        let was = std::mem::take(&mut *cell);
        drop(cell);
        drop(was);
        self.waiting.block(self.number).fetch_sub(1, Ordering::Relaxed);
        self.waiting.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::FutureExt;

    use super::*;

    fn answer(text: &'static str) -> Answer {
        Answer { status: None, payload: Bytes::from_static(text.as_bytes()), batch: None }
    }

    fn reply(waiting: &Waiting, number: u64, text: &'static str) -> bool {
        waiting.answer(number, None, &Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn an_answer_reaches_the_waiter_of_its_number_and_no_other() {
        let waiting = Waiting::new(10);
        let now = Instant::now();
        let mut one = waiting.take(now, now + Duration::from_secs(1), 1).unwrap();
        let mut two = waiting.take(now, now + Duration::from_secs(1), 1).unwrap();
        assert!(reply(&waiting, two.number(), "two"));
        assert!(!reply(&waiting, two.number(), "again"), "an answer counts once");
        assert_eq!((&mut one).now_or_never(), None);
        assert_eq!((&mut two).now_or_never(), Some(End::Answered(answer("two"))));
    }

    #[test]
    fn a_late_answer_never_reaches_a_later_waiter_in_the_same_slot() {
        let waiting = Waiting::new(1);
        let now = Instant::now();
        let mut numbers = Vec::new();
        for _ in 0..10 {
            let mut waiter = waiting.take(now, now, 1).unwrap();
            for &number in &numbers {
                assert!(!reply(&waiting, number, "late"));
            }
            assert_eq!((&mut waiter).now_or_never(), None);
            numbers.push(waiter.number());
        }
    }

    #[test]
    fn what_waits_is_bounded_and_a_dropped_waiter_makes_room() {
        let waiting = Waiting::new(100);
        let now = Instant::now();
        let mut held: Vec<_> = (0..100).map(|_| waiting.take(now, now, 1).unwrap()).collect();
        assert!(waiting.take(now, now, 1).is_none());
        held.pop();
        drop(held.swap_remove(3));
        assert_eq!(waiting.len(), 98);
        held.push(waiting.take(now, now, 1).unwrap());
        held.push(waiting.take(now, now, 1).unwrap());
        assert!(waiting.take(now, now, 1).is_none());
        drop(held);
        assert_eq!(waiting.len(), 0);
    }

    #[test]
    fn many_that_wait_beside_each_other_take_nobody_elses_place() {
        let waiting = Waiting::new(300);
        let now = Instant::now();
        let held: Vec<_> = (0..299).map(|_| waiting.take(now, now, 1).unwrap()).collect();
        assert!((0..2000).all(|_| waiting.take(now, now, 1).is_some()));
        drop(held);
    }

    #[test]
    fn the_answer_of_a_batch_is_that_of_all_its_messages() {
        let waiting = Waiting::new(10);
        let now = Instant::now();
        let mut all: Vec<_> = (0..3).map(|_| waiting.take(now, now + Duration::from_secs(1), 1).unwrap()).collect();
        let numbers: Vec<u64> = all.iter().map(Waiter::number).collect();
        waiting.join(numbers[2], numbers[..2].into());
        assert!(reply(&waiting, numbers[2], "all"));
        for (waiter, after) in all.iter_mut().zip([2, 1, 0]) {
            let batch = Some(Batched { count: 3, after });
            assert_eq!(waiter.now_or_never(), Some(End::Answered(Answer { batch, ..answer("all") })));
        }
    }

    #[test]
    fn waiting_ends_at_the_deadline_or_with_the_connection() {
        let waiting = Waiting::new(10);
        let now = Instant::now();
        let second = Duration::from_secs(1);
        let mut short = waiting.take(now, now + second, 1).unwrap();
        let mut long = waiting.take(now + second, now + 3 * second, 1).unwrap();
        let mut next = waiting.take(now + 2 * second, now + 3 * second, 2).unwrap();
        assert_eq!(waiting.sweep(now + second, Some(1)), Some(now + second));
        assert_eq!((&mut short).now_or_never(), Some(End::Expired));
        assert_eq!((&mut long).now_or_never(), None);
        assert_eq!((&mut next).now_or_never(), Some(End::Lost), "published on a connection that is not this one");
        assert_eq!(waiting.sweep(now + second, None), None);
        assert_eq!((&mut long).now_or_never(), Some(End::Lost));
    }
}

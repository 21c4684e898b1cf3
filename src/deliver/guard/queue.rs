//! What was acknowledged and waits to be written down: one group, in the form in which it is kept.
//!
//! Whoever is answered copies its message once, into memory that is used again and again: nothing is allocated for it, and no
//! thread frees what another made.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use bytes::BytesMut;
use tokio::sync::oneshot;

use super::super::spool::record::put;
use super::ledger::Noted;
use super::remembered::Acknowledged;

/// Bytes that may wait: what comes while so many do is missed.
const MOST: usize = 32 << 20;
/// A group that was larger leaves its memory.
const KEPT: usize = 4 << 20;

/// Messages that are written with one another.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// Frames, still to be sealed.
    pub(super) bytes: BytesMut,
    /// One for each frame, in their order, with the end of its frame.
    pub(super) notes: Vec<(Noted, usize)>,
}

impl Group {
    /// Adds a message. False where a part of it is longer than any that a server takes.
    pub(super) fn add(&mut self, acknowledged: &Acknowledged<'_>, noted: Noted) -> bool {
        let whole = put(acknowledged, &mut self.bytes);
        if whole {
            self.notes.push((noted, self.bytes.len()));
        }
        whole
    }

    /// Empties it for the next.
    pub(super) fn clear(&mut self) {
        match self.bytes.capacity() > KEPT {
            true => *self = Self::default(),
            false => {
                self.bytes.clear();
                self.notes.clear();
            }
        }
    }
}

/// What is asked of the clerk, behind the group that is there.
#[derive(Debug, Default)]
pub(super) struct Orders {
    /// Remove what is over, and sync.
    pub(super) sweep: bool,
    /// Forget everything.
    pub(super) clear: bool,
    /// Say when all that came before is written.
    pub(super) written: Vec<oneshot::Sender<()>>,
}

impl Orders {
    fn is_empty(&self) -> bool {
        !self.sweep && !self.clear && self.written.is_empty()
    }
}

#[derive(Debug, Default)]
struct Filling {
    group: Group,
    orders: Orders,
    closed: bool,
}

/// One group that grows while the clerk writes another.
#[derive(Debug, Default)]
pub(super) struct Queue {
    filling: Mutex<Filling>,
    filled: Condvar,
}

impl Queue {
    fn filling(&self) -> MutexGuard<'_, Filling> {
        self.filling.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a message. False where too many wait.
    pub(super) fn put(&self, acknowledged: &Acknowledged<'_>, noted: Noted) -> bool {
        let mut filling = self.filling();
        let first = filling.group.notes.is_empty();
        let taken = filling.group.bytes.len() < MOST && filling.group.add(acknowledged, noted);
        drop(filling);
        // Whoever finds another there knows that the clerk was told.
        if first {
            self.filled.notify_one();
        }
        taken
    }

    /// Asks for something.
    pub(super) fn order(&self, order: impl FnOnce(&mut Orders)) {
        let mut filling = self.filling();
        // A disk that hangs lets nobody wait for ever, and nothing grow.
        filling.orders.written.retain(|done| !done.is_closed());
        order(&mut filling.orders);
        drop(filling);
        self.filled.notify_one();
    }

    /// Nothing more comes.
    pub(super) fn close(&self) {
        self.filling().closed = true;
        self.filled.notify_one();
    }

    /// Waits for what there is, and takes it in exchange for an empty group. `None` where nothing comes any more.
    pub(super) fn take(&self, group: &mut Group) -> Option<Orders> {
        let mut filling = self.filling();
        loop {
            if !filling.group.notes.is_empty() || !filling.orders.is_empty() {
                std::mem::swap(&mut filling.group, group);
                return Some(std::mem::take(&mut filling.orders));
            }
            if filling.closed {
                return None;
            }
            filling = self.filled.wait(filling).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

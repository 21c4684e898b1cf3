//! The events of one delivery, stored all or none of them: one atomic batch for each stream, sent when the last of them has
//! come this far.
//!
//! Each event has a seat, and goes on alone where it cannot take it: it is too large, its way leads to the spool, or its
//! stream takes no batches.

use std::sync::{Arc, Mutex, PoisonError};

use super::group::{Line, MOST, Member, send_together};
use super::waiting::Waiting;
use super::wire::Wire;
use crate::event::{Envelope, Message};

/// Bytes of events that are sent together.
const BYTES: usize = 8 << 20;

/// The events of one delivery.
pub(super) struct Bundle<'a> {
    wire: &'a Wire,
    waiting: &'a Waiting,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Seats that are not decided.
    open: usize,
    seated: Vec<Seated>,
}

struct Seated {
    stream: Arc<str>,
    connection: u64,
    number: u64,
    message: Message,
    expected: bool,
}

/// The seat of one event.
#[must_use = "the others wait until it is taken or given up"]
pub(super) struct Seat<'a> {
    bundle: &'a Bundle<'a>,
    decided: bool,
}

impl<'a> Bundle<'a> {
    /// Seats for all of them; `None` where one batch cannot hold so many.
    pub(super) fn of(envelopes: &[Envelope<'_>], wire: &'a Wire, waiting: &'a Waiting) -> Option<Self> {
        let bytes: usize = envelopes.iter().map(|envelope| envelope.payload.bytes.len()).sum();
        let fits = envelopes.len() <= MOST && bytes <= BYTES;
        let state = State { open: envelopes.len(), seated: Vec::with_capacity(envelopes.len()) };
        fits.then(|| Self { wire, waiting, state: Mutex::new(state) })
    }

    /// One of as many seats as there are events.
    pub(super) fn seat(&'a self) -> Seat<'a> {
        Seat { bundle: self, decided: false }
    }

    fn decided(&self, seated: Option<Seated>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.seated.extend(seated);
        state.open = state.open.saturating_sub(1);
        if state.open > 0 {
            return;
        }
        let mut all = std::mem::take(&mut state.seated);
        drop(state);
        all.sort_by(|one, other| (&one.stream, one.connection).cmp(&(&other.stream, other.connection)));
        for group in all.chunk_by(|one, other| one.stream == other.stream && one.connection == other.connection) {
            let line = Line { wire: self.wire, waiting: self.waiting, stream: &group[0].stream };
            let members: Vec<Member<'_>> = group
                .iter()
                .map(|seated| Member {
                    message: &seated.message,
                    number: seated.number,
                    stream: seated.expected.then_some(line.stream),
                })
                .collect();
            send_together(line, group[0].connection, &members);
        }
    }
}

impl Seat<'_> {
    /// Takes the seat: the message goes out with the others, and its answer comes under its number.
    pub(super) fn take(mut self, stream: &Arc<str>, connection: u64, member: Member<'_>) {
        let Member { message, number, stream: expected } = member;
        let (stream, expected) = (Arc::clone(stream), expected.is_some());
        self.decided = true;
        self.bundle.decided(Some(Seated { stream, connection, number, message: message.clone(), expected }));
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        if !self.decided {
            self.bundle.decided(None);
        }
    }
}

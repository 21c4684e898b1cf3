//! The way of one message: published, tried again, spooled. Which step comes next, by what became of the one before.
//!
//! Pure: `accept` takes the steps, and the simulation does.

use std::time::Instant;

use super::spool::AppendError;
use super::{Outcome, Unavailable};
use crate::deadline::Deadline;

/// What became of a message: durable or why not, and whether its data was claimed.
pub(super) type Sent = (Result<Outcome, Unavailable>, bool);

/// What is to be done.
#[derive(Debug)]
pub(super) enum Next {
    /// Publish it; the acknowledgement counts until then.
    Publish(Instant),
    /// Write it to the spool, where it can be sent at all.
    Spool,
    /// Nothing: this became of it.
    End(Sent),
}

/// What others should go around from now on, since it was late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Late {
    /// The stream of the message.
    Stream,
    /// What the message goes through first: the bucket, where its data is claimed.
    Way,
}

#[derive(Debug)]
enum State {
    First,
    /// Nothing came back: a leader that steps down forgets what it was just handed. The id keeps it one.
    Again,
    Spool,
    /// The spool did not take it, and nobody has asked its stream.
    Last(AppendError),
    End(Sent),
}

/// One message on its way.
#[derive(Debug)]
pub(super) struct Course {
    deadline: Deadline,
    /// A spool takes what NATS does not.
    spools: bool,
    /// It goes around its stream.
    diverted: bool,
    state: State,
}

impl Course {
    pub(super) fn new(deadline: Deadline, spools: bool, diverted: bool) -> Self {
        let state = if spools && diverted { State::Spool } else { State::First };
        Self { deadline, spools, diverted, state }
    }

    pub(super) fn next(&self) -> Next {
        match &self.state {
            State::First => Next::Publish(self.deadline.first()),
            State::Again | State::Last(_) => Next::Publish(self.deadline.acknowledged()),
            State::Spool => Next::Spool,
            State::End(sent) => Next::End(sent.clone()),
        }
    }

    /// It was published, and this came of it.
    pub(super) fn published(&mut self, sent: Sent) -> Option<Late> {
        let unanswered = matches!(sent.0, Err(Unavailable::TimedOut | Unavailable::NoResponders));
        let passes = sent.0.as_ref().is_err_and(Unavailable::may_pass);
        let claim = matches!(sent.0, Err(Unavailable::Claim { .. }));
        let (state, late) = match std::mem::replace(&mut self.state, State::Spool) {
            State::First if self.spools && unanswered => (State::Spool, Some(Late::Stream)),
            State::First if self.spools && claim => (State::Spool, Some(Late::Way)),
            State::First if self.spools && passes => (State::Spool, None),
            State::First if !self.spools && unanswered => (State::Again, None),
            State::Last(error) if passes => (State::End((Err(Unavailable::Spool(error)), false)), None),
            _ => (State::End(sent), None),
        };
        self.state = state;
        late
    }

    /// It cannot be sent, now or later.
    pub(super) fn unfit(&mut self, error: Unavailable) {
        self.state = State::End((Err(error), false));
    }

    /// It was handed to the spool, and this came of it.
    pub(super) fn spooled(&mut self, result: Result<(), AppendError>) {
        self.state = match result {
            Ok(()) => State::End((Ok(Outcome::Spooled), false)),
            // With no record of it in the spool nothing else tells that the stream is back.
            Err(error) if self.diverted => State::Last(error),
            Err(error) => State::End((Err(Unavailable::Spool(error)), false)),
        };
    }
}

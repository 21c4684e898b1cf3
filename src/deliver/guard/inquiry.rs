//! Whether a stream still has what it acknowledged: which questions to ask, and what follows from the answers.
//!
//! Pure. The newest sequence that is remembered is read back and its id compared: a stream that lost its end and went on has
//! another message there. Where nothing is there, its state tells whether it went back; where it did not, what is gone was
//! purged, aged out or consumed, and the newest that is still there is compared. Then each sequence where it stood still: a
//! server that was away and lost its end may have been given more since, of others and of ours, than it lost.

use super::super::listing::State;
use super::ledger::{Ledger, Mark};

/// What to ask next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// Which message has this sequence.
    Message(u64),
    /// Its state, as it is now.
    State,
}

/// What the stream says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// A message, and the mark of its id where it has one.
    Message(Option<Mark>),
    /// There is no message of this sequence.
    Gone,
    /// Its state.
    State(State),
    /// There is no such stream.
    NoStream,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing: it has what it acknowledged.
    Calm,
    /// It forgot: publish all again, or what is above a sequence.
    Forgot {
        /// Of a stream whose messages go when they are consumed nothing at or below this is published again.
        above: Option<u64>,
    },
}

/// One look at a stream.
#[derive(Debug)]
pub(super) struct Inquiry {
    newest: (u64, Mark),
    asked: (u64, Mark),
    state: Option<State>,
    /// What is compared until one is there.
    probes: Vec<(u64, Mark)>,
    /// What is compared one and all, where it is there.
    pauses: Vec<(u64, Mark)>,
    /// The message that was read is not the one that is remembered.
    foreign: bool,
}

impl Inquiry {
    /// `None` where nothing is remembered of the stream.
    pub(super) fn new(ledger: &Ledger, stream: &str) -> Option<(Self, Question)> {
        let newest = ledger.newest(stream)?;
        let pauses = ledger.pauses(stream);
        let foreign = ledger.is_contradicted(stream);
        let question = if foreign { Question::State } else { Question::Message(newest.0) };
        Some((Self { newest, asked: newest, state: None, probes: Vec::new(), pauses, foreign }, question))
    }

    /// What follows from an answer.
    pub(super) fn answer(&mut self, ledger: &mut Ledger, stream: &str, answer: Answer) -> Result<Verdict, Question> {
        match answer {
            Answer::NoStream => Ok(Verdict::Forgot { above: None }),
            Answer::Message(mark) if mark == Some(self.asked.1) => {
                self.probes.clear();
                self.next()
            }
            Answer::Message(_) => {
                self.foreign = true;
                match &self.state {
                    Some(state) => Ok(forgot(state)),
                    None => Err(Question::State),
                }
            }
            Answer::Gone if self.asked == self.newest => Err(Question::State),
            Answer::Gone => self.next(),
            Answer::State(state) => {
                let same = ledger.is_of(stream, &state.created);
                let verdict = forgot(&state);
                let back = state.last < self.newest.0;
                if !back && same && !self.foreign {
                    self.probes = ledger.probes(stream, state.first, self.newest.0);
                    self.probes.reverse();
                    self.state = Some(state);
                    return self.next();
                }
                // What was made anew has none of the old sequences.
                Ok(if same { verdict } else { Verdict::Forgot { above: None } })
            }
        }
    }

    fn next(&mut self) -> Result<Verdict, Question> {
        match self.probes.pop().or_else(|| self.pauses.pop()) {
            Some(next) => {
                self.asked = next;
                Err(Question::Message(next.0))
            }
            None => Ok(Verdict::Calm),
        }
    }
}

fn forgot(state: &State) -> Verdict {
    Verdict::Forgot { above: state.queue.then_some(state.last) }
}

//! What waits for another try, by stream: a stream that took its last message is served as fast as it goes, one that did
//! not is asked with a message now and then.
//!
//! Holds positions, never messages, and not more than so many.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::spool::Position;
use super::{Outcome, Unavailable};
use crate::deadline::SHARE;

/// Between questions to a stream that takes nothing.
const AGAIN: Duration = Duration::from_millis(200);
/// Questions to such a stream at one time.
const QUESTIONS: usize = 8;
/// So many questions in a row are not answered before others of the stream are asked first.
const TURNS: usize = 2 * QUESTIONS;
/// How many of them may wait for longer than `deadline::SHARE`: the others see soon that it is back.
const LONG: usize = 4;
/// The longest that an acknowledgement is waited for: a slow stream is given more time with each question.
const PATIENCE: Duration = Duration::from_secs(8);
/// Before one is tried again for which there is no stream, and before a file is that could not be read.
pub(super) const STUCK: Duration = Duration::from_secs(10);
/// How long there must be no stream, while JetStream answers, before a message counts as refused.
const NO_OWNER: Duration = Duration::from_secs(600);
/// Messages that may wait for another try before reading pauses: some 32 MiB, and more than one namespace can have in a spool of
/// the size that it has by default.
const LIMIT: usize = 1 << 21;

/// What follows from a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// It is in its stream, and leaves the spool.
    Done,
    /// Once more, when the connection is back.
    Reconnected,
    /// Once more: its stream did not answer.
    Held,
    /// Once more: its stream answered, and did not take it now.
    Declined,
    /// Once more, in a while: it has no stream.
    Stuck,
    /// It is set aside: its stream refused it for good.
    Refused,
    /// It is set aside: for long no stream has wanted it.
    Unowned,
}

impl After {
    /// `stuck`: for so long it has had no stream.
    pub(super) fn of(result: &Result<Outcome, Unavailable>, stuck: Duration) -> Self {
        match result {
            Ok(_) => Self::Done,
            Err(Unavailable::Disconnected) => Self::Reconnected,
            Err(error @ Unavailable::Refused { .. }) if error.may_pass() => Self::Declined,
            Err(error) if error.may_pass() => Self::Held,
            Err(Unavailable::NoStream | Unavailable::NotDurable) if stuck < NO_OWNER => Self::Stuck,
            Err(Unavailable::NoStream | Unavailable::NotDurable) => Self::Unowned,
            Err(_) => Self::Refused,
        }
    }
}

/// A try: for which stream, and how long its acknowledgement may take.
#[derive(Clone, Debug)]
pub(super) struct Probe {
    lane: Arc<str>,
    pub(super) patience: Duration,
    /// Since when no stream owns the subject.
    pub(super) stuck: Option<Instant>,
}

/// What goes to one stream.
#[derive(Debug)]
struct Lane {
    waiting: VecDeque<Position>,
    /// It did not take its last message.
    held: bool,
    /// Messages that it did not answer, and that it declined, since it took the last one.
    unanswered: usize,
    declined: usize,
    /// When it may be asked again.
    due: Instant,
    on_the_way: usize,
    /// Those on the way that are waited for longer.
    long: usize,
    patience: Duration,
}

/// A message without a stream.
#[derive(Debug)]
struct Stuck {
    at: Position,
    due: Instant,
    lane: Arc<str>,
    since: Option<Instant>,
}

/// All that waits.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    lanes: BTreeMap<Arc<str>, Lane>,
    stuck: VecDeque<Stuck>,
    waiting: usize,
}

impl Lanes {
    fn lane(&mut self, name: &Arc<str>, now: Instant) -> &mut Lane {
        self.lanes.entry(Arc::clone(name)).or_insert_with(|| Lane {
            waiting: VecDeque::new(),
            held: false,
            unanswered: 0,
            declined: 0,
            due: now,
            on_the_way: 0,
            long: 0,
            patience: SHARE,
        })
    }

    /// No more may wait.
    pub(super) fn is_full(&self) -> bool {
        self.waiting >= LIMIT
    }

    /// A message that was not tried yet. Where its stream takes nothing, it waits with the others: `None`.
    pub(super) fn enter(&mut self, name: &Arc<str>, diverted: bool, at: &Position, now: Instant) -> Option<Probe> {
        let lane = self.lane(name, now);
        lane.held |= diverted;
        if lane.waiting.is_empty() && lane.may_be_asked(now) {
            return Some(lane.ask(name, now));
        }
        lane.waiting.push_back(at.clone());
        self.waiting += 1;
        None
    }

    /// A message whose time has come again.
    pub(super) fn next(&mut self, now: Instant) -> Option<(Position, Probe)> {
        if self.stuck.front().is_some_and(|stuck| stuck.due <= now) {
            let Stuck { at, lane: name, since, .. } = self.stuck.pop_front()?;
            self.waiting -= 1;
            let lane = self.lane(&name, now);
            lane.on_the_way += 1;
            return Some((at, Probe { lane: name, patience: SHARE, stuck: since }));
        }
        let (name, lane) =
            self.lanes.iter_mut().find(|(_, lane)| !lane.waiting.is_empty() && lane.may_be_asked(now))?;
        let at = lane.waiting.pop_front()?;
        self.waiting -= 1;
        Some((at, lane.ask(&Arc::clone(name), now)))
    }

    /// When the next one's time comes; `None`: not before something else happens.
    pub(super) fn due(&self) -> Option<Instant> {
        let lanes = self.lanes.values().filter(|lane| !lane.waiting.is_empty() && lane.on_the_way < QUESTIONS);
        lanes.map(|lane| lane.due).chain(self.stuck.front().map(|stuck| stuck.due)).min()
    }

    /// A try ended, after this time. What is set aside stays with its lane until that is done, and `gone`.
    pub(super) fn settle(&mut self, at: &Position, probe: &Probe, after: After, took: Duration, now: Instant) {
        match after {
            After::Done => {
                self.answered(probe, took);
                self.gone(probe);
            }
            After::Reconnected => self.again(at.clone(), probe, false, now),
            After::Held => self.again(at.clone(), probe, true, now),
            After::Declined => self.declined(at.clone(), probe, now),
            After::Stuck => self.stuck(at.clone(), probe, now + STUCK, Some(probe.stuck.unwrap_or(now))),
            After::Refused => self.answered(probe, took),
            After::Unowned => {}
        }
    }

    /// The stream judged the message, after this time: what waits for it may go.
    fn answered(&mut self, probe: &Probe, took: Duration) {
        if let Some(lane) = self.lanes.get_mut(&probe.lane) {
            (lane.held, lane.unanswered, lane.declined) = (false, 0, 0);
            if took < SHARE / 2 {
                lane.patience = SHARE;
            }
        }
    }

    /// The message waits no longer, whatever became of it.
    pub(super) fn gone(&mut self, probe: &Probe) {
        let Some(lane) = self.lanes.get_mut(&probe.lane) else { return };
        lane.is_back(probe);
        // Streams come and go: what is held here for one ends with its last message.
        if lane.on_the_way == 0 && lane.waiting.is_empty() && !lane.held {
            self.lanes.remove(&probe.lane);
        }
    }

    /// The message must be sent again. `held`: because its stream did not take it.
    fn again(&mut self, at: Position, probe: &Probe, held: bool, now: Instant) {
        let lane = self.lane(&probe.lane, now);
        lane.is_back(probe);
        if held {
            if !lane.held {
                (lane.held, lane.due) = (true, now + AGAIN);
            }
            lane.patience = lane.patience.max((probe.patience * 2).min(PATIENCE));
        }
        lane.unanswered += usize::from(held);
        // Tried before what waits, for it is older; but where nothing comes back for long that may be its own fault alone.
        match held && lane.unanswered > TURNS {
            true => lane.waiting.push_back(at),
            false => lane.waiting.push_front(at),
        }
        self.waiting += 1;
    }

    /// Its stream did not take this message, which says nothing of others: one that has its most of a subject takes those of
    /// another. Where it declines several in a row they are all asked in turn, one now and then.
    fn declined(&mut self, at: Position, probe: &Probe, now: Instant) {
        let lane = self.lane(&probe.lane, now);
        lane.declined += 1;
        if lane.declined < QUESTIONS {
            self.stuck(at, probe, now + STUCK, None);
            return;
        }
        lane.is_back(probe);
        if !lane.held {
            (lane.held, lane.due) = (true, now + AGAIN);
        }
        lane.waiting.push_back(at);
        self.waiting += 1;
    }

    /// No stream takes the message: it is tried again at this time.
    pub(super) fn stuck(&mut self, at: Position, probe: &Probe, due: Instant, since: Option<Instant>) {
        self.gone(probe);
        let index = self.stuck.partition_point(|stuck| stuck.due <= due);
        self.stuck.insert(index, Stuck { at, due, lane: Arc::clone(&probe.lane), since });
        self.waiting += 1;
    }
}

impl Lane {
    fn may_be_asked(&self, now: Instant) -> bool {
        !self.held || (self.due <= now && self.on_the_way < QUESTIONS)
    }

    fn ask(&mut self, name: &Arc<str>, now: Instant) -> Probe {
        let mut patience = self.patience;
        if self.held {
            self.due = now + AGAIN;
            if self.long >= LONG {
                patience = SHARE;
            }
        }
        self.on_the_way += 1;
        self.long += usize::from(patience > SHARE);
        Probe { lane: Arc::clone(name), patience, stuck: None }
    }

    fn is_back(&mut self, probe: &Probe) {
        self.on_the_way = self.on_the_way.saturating_sub(1);
        self.long = self.long.saturating_sub(usize::from(probe.patience > SHARE));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(id: u64) -> Position {
        Position::new(1, id..id + 1)
    }

    #[test]
    fn a_stream_that_takes_nothing_is_asked_now_and_then_and_holds_up_no_other() {
        let (mut lanes, mut now) = (Lanes::default(), Instant::now());
        let (dead, alive) = (Arc::from("DEAD"), Arc::from("ALIVE"));
        for id in 0..100 {
            if let Some(probe) = lanes.enter(&dead, false, &at(id), now) {
                lanes.again(at(id), &probe, true, now);
            }
            let probe = lanes.enter(&alive, false, &at(1000 + id), now).expect("it takes what comes");
            lanes.answered(&probe, Duration::ZERO);
            lanes.gone(&probe);
        }
        assert!(lanes.next(now).is_none());
        let mut asked = 0;
        for _ in 0..50 {
            let due = lanes.due().unwrap();
            assert!(due > now, "it is not asked in a hurry");
            now = due;
            while let Some((at, probe)) = lanes.next(now) {
                asked += 1;
                assert!(probe.patience <= PATIENCE);
                lanes.again(at, &probe, true, now);
            }
        }
        assert_eq!(asked, 50, "one at a time");
        let (_, probe) = lanes.next(now + AGAIN).unwrap();
        lanes.answered(&probe, SHARE);
        lanes.gone(&probe);
        let rest = std::iter::from_fn(|| lanes.next(now + AGAIN)).count();
        assert_eq!(rest, 99, "all that waits goes when one was taken");
    }

    #[test]
    fn a_stream_that_answers_nothing_for_long_is_asked_as_often_as_before() {
        let (mut lanes, mut now) = (Lanes::default(), Instant::now());
        let name = Arc::from("DEAF");
        (0..100).for_each(|id| drop(lanes.enter(&name, true, &at(id), now)));
        let (mut out, mut last) = (Vec::<(Instant, Position, Probe)>::new(), now);
        for _ in 0..3000 {
            now += Duration::from_millis(10);
            for (_, at, probe) in out.extract_if(.., |(until, ..)| *until <= now) {
                lanes.again(at, &probe, true, now);
            }
            while let Some((at, probe)) = lanes.next(now) {
                assert!(now - last <= 2 * AGAIN, "after {:?}", now - last);
                last = now;
                out.push((now + probe.patience, at, probe));
            }
            assert!(out.len() <= QUESTIONS);
        }
        assert!(out.iter().any(|(.., probe)| probe.patience == PATIENCE), "a slow one has its time");
    }

    #[test]
    fn a_message_that_its_stream_declines_holds_up_no_other_of_that_stream() {
        let (mut lanes, mut now) = (Lanes::default(), Instant::now());
        let name = Arc::from("PARTLY");
        // Every third is of a subject that is full; the stream was away before.
        let full = |at: &Position| at.offset().is_multiple_of(3);
        (0..300).for_each(|id| drop(lanes.enter(&name, true, &at(id), now)));
        let (mut taken, mut asked) = (Vec::new(), 0);
        for _ in 0..400 {
            now += Duration::from_millis(50);
            while let Some((at, probe)) = lanes.next(now) {
                asked += 1;
                let after = if full(&at) { After::Declined } else { After::Done };
                lanes.settle(&at, &probe, after, Duration::ZERO, now);
                taken.extend((!full(&at)).then(|| at.offset()));
            }
        }
        assert_eq!(taken.len(), 200, "within 20 s");
        assert!(taken.is_sorted(), "in their order");
        assert!(asked < 200 + 300, "and the others are asked now and then: {asked}");
    }

    #[test]
    fn a_message_that_nobody_answers_holds_up_the_others_no_longer_than_a_while() {
        let (mut lanes, mut now) = (Lanes::default(), Instant::now());
        let name = Arc::from("SILENT");
        // Nobody may publish these, which the server does not answer.
        let silent = |at: &Position| at.offset() < 3;
        (0..100).for_each(|id| drop(lanes.enter(&name, true, &at(id), now)));
        let (mut out, mut taken) = (Vec::<(Instant, Position, Probe)>::new(), 0);
        for _ in 0..6000 {
            now += Duration::from_millis(10);
            for (_, at, probe) in out.extract_if(.., |(until, ..)| *until <= now) {
                lanes.settle(&at, &probe, After::Held, probe.patience, now);
            }
            while let Some((at, probe)) = lanes.next(now) {
                if silent(&at) {
                    out.push((now + probe.patience, at, probe));
                } else {
                    taken += 1;
                    lanes.settle(&at, &probe, After::Done, Duration::ZERO, now);
                }
            }
        }
        assert_eq!(taken, 97);
    }

    #[test]
    fn questions_that_nobody_answers_are_few() {
        let (mut lanes, mut now) = (Lanes::default(), Instant::now());
        let name = Arc::from("DEAF");
        let asked = (0..1000).filter(|id| {
            now += AGAIN;
            lanes.enter(&name, true, &at(*id), now).is_some() || lanes.next(now).is_some()
        });
        assert_eq!(asked.count(), QUESTIONS);
        assert_eq!(lanes.due(), None, "an acknowledgement or its absence comes next");
    }
}

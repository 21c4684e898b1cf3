//! Publishes what lies in the spool, oldest first, each under the id it was accepted with, and forgets it when it is stored.
//!
//! Never deletes what is not acknowledged: what NATS refuses for good is set aside. A stream that takes nothing is asked
//! with one message now and then, which tells when it is back, and holds up no other.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::sync::watch;
use tokio::time::sleep_until;
use tracing::{error, info, warn};

use super::lanes::{After, Lanes, Probe, STUCK};
use super::publish::Inner;
use super::spool::{Drain, Position, Record, Spool};
use super::{Delivery, Link, Outcome, Unavailable};
use crate::event::Message;

/// Messages on their way at one time: enough to keep a connection busy, few enough to leave live ones their place.
const WINDOW: usize = 64;
/// Bytes on their way at one time.
const WINDOW_BYTES: usize = 8 << 20;
/// Between looks at a connection that is not there.
const AWAY: Duration = Duration::from_millis(200);

/// What became of a try.
struct Tried {
    at: Position,
    record: Record,
    probe: Probe,
    took: Duration,
    result: Result<Outcome, Unavailable>,
}

/// What a drain did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Messages that are in their streams now.
    pub published: u64,
    /// Messages that were set aside.
    pub refused: u64,
    /// The time was over before all was tried.
    pub unfinished: bool,
}

/// Drains for as long as anybody else has the delivery; says when the spool begins to fill and when it is empty.
pub(super) async fn run(delivery: Weak<Inner>, link: watch::Receiver<Link>, spool: Arc<Spool>) {
    let mut drainer = Drainer::new(link, spool, false);
    let mut filled = !drainer.spool.is_empty();
    let mut since = Instant::now();
    while let Some(inner) = delivery.upgrade() {
        let empty = drainer.spool.is_empty();
        if !empty && !filled {
            (filled, since) = (true, Instant::now());
            warn!("NATS does not take events: they are spooled");
        } else if empty && filled {
            filled = false;
            info!(after = ?since.elapsed(), published = drainer.done.published, "the spool is empty");
        }
        drainer.step(Delivery { inner }).await;
    }
}

/// Whoever can write to the disk may not thereby do with a stream what no event does.
fn check(message: &Message) -> Result<(), Unavailable> {
    if message.has_only_known_headers() {
        return Ok(());
    }
    let description = "the message has a header that no event has".to_owned();
    Err(Unavailable::Refused { code: 0, description })
}

struct Drainer {
    link: watch::Receiver<Link>,
    spool: Arc<Spool>,
    reader: Drain,
    lanes: Lanes,
    on_the_way: FuturesUnordered<BoxFuture<'static, Tried>>,
    /// Bytes of what is on the way.
    bytes: usize,
    done: Drained,
    /// What is drained was refused before: it leaves that place, and no other.
    refused: bool,
    /// When files are tried again that could not be read.
    resume: Option<Instant>,
    /// The connection was lost under a try: nothing is sent before then.
    after: Option<Instant>,
}

impl Drainer {
    fn new(link: watch::Receiver<Link>, spool: Arc<Spool>, refused: bool) -> Self {
        let reader = if refused { spool.refused() } else { spool.reader() };
        let (lanes, on_the_way) = (Lanes::default(), FuturesUnordered::new());
        let done = Drained::default();
        Self { link, spool, reader, lanes, on_the_way, bytes: 0, done, refused, resume: None, after: None }
    }

    /// Sends what may be sent now, then waits until something comes of it or there is more to do.
    async fn step(&mut self, delivery: Delivery) {
        let now = Instant::now();
        // Seen before the state is read: what changes after that wakes us.
        self.link.borrow_and_update();
        let mut until = now + STUCK;
        if !delivery.is_reachable() {
            until = now + AWAY;
        } else if let Some(after) = self.after.take_if(|after| *after > now) {
            (self.after, until) = (Some(after), after);
        } else {
            if self.resume.take_if(|resume| *resume <= now).is_some() {
                self.reader.resume();
            }
            self.fill(&delivery);
            if self.has_room() {
                until = until.min(self.lanes.due().unwrap_or(until)).min(self.resume.unwrap_or(until));
            }
        }
        // Not held while nothing is to be sent: the last handle but this one ends the task.
        drop(delivery);
        let more = self.has_room();
        tokio::select! {
            Some(tried) = self.on_the_way.next() => self.settle(tried).await,
            () = self.reader.changed(), if more => {}
            Ok(()) = self.link.changed() => {}
            () = sleep_until(until.into()) => {}
        }
    }

    fn has_room(&self) -> bool {
        self.on_the_way.len() < WINDOW && self.bytes < WINDOW_BYTES
    }

    /// Sends until the window is full or nothing may be sent.
    fn fill(&mut self, delivery: &Delivery) {
        while self.has_room() {
            let Some((at, record, probe)) = self.next(delivery) else { return };
            self.bytes += record.payload.len();
            let delivery = delivery.clone();
            self.on_the_way.push(Box::pin(async move {
                let (message, stream) = (record.message(), record.stream.as_deref());
                let begun = Instant::now();
                let by = begun + probe.patience + delivery.longer(&message, stream);
                let result = match check(&message) {
                    Ok(()) => delivery.hand_over(&message, &record.namespace, stream, by, None).await.0,
                    Err(error) => Err(error),
                };
                Tried { at, record, probe, took: begun.elapsed(), result }
            }));
        }
    }

    /// The next message to try: one whose time has come again, else the oldest that was not read yet.
    fn next(&mut self, delivery: &Delivery) -> Option<(Position, Record, Probe)> {
        let now = Instant::now();
        while let Some((at, probe)) = self.lanes.next(now) {
            match self.reader.read(&at) {
                Ok(Some(record)) => return Some((at, record, probe)),
                Ok(None) => self.lanes.gone(&probe),
                Err(error) => {
                    error!(%error, "the spool cannot be read");
                    self.lanes.stuck(at, &probe, now + STUCK, probe.stuck);
                }
            }
        }
        while !self.lanes.is_full() {
            match self.reader.take() {
                Ok(Some((at, record))) => {
                    let message = record.message();
                    // One that must be claimed waits for the object store, and holds up none of its stream.
                    let way = delivery.way(&message, &record.namespace, record.stream.as_deref());
                    let (lane, diverted) = delivery.lane(&way);
                    if let Some(probe) = self.lanes.enter(&lane, diverted, &at, now) {
                        return Some((at, record, probe));
                    }
                }
                Ok(None) => return None,
                Err(error) => {
                    error!(%error, "the spool cannot be read");
                    self.resume.get_or_insert(now + STUCK);
                }
            }
        }
        None
    }

    async fn settle(&mut self, tried: Tried) {
        let Tried { at, record, probe, took, result } = tried;
        self.bytes -= record.payload.len();
        let now = Instant::now();
        let after = After::of(&result, probe.stuck.map_or(Duration::ZERO, |since| now - since));
        self.lanes.settle(&at, &probe, after, took, now);
        match (after, result) {
            (After::Done, _) => {
                self.forget(&record, &at);
                self.done.published += 1;
            }
            (After::Reconnected, _) => self.after = Some(now + AWAY),
            (After::Held | After::Declined | After::Stuck, _) => {}
            (After::Unowned, _) => {
                self.refuse(at, &probe, record, "no stream owned the subject for ten minutes").await;
            }
            (After::Refused, Err(error)) => self.refuse(at, &probe, record, &error.to_string()).await,
            (After::Refused, Ok(_)) => {}
        }
    }

    fn forget(&self, record: &Record, at: &Position) {
        if self.refused {
            self.spool.accepted(record, at);
        } else {
            self.spool.done(record, at);
        }
    }

    async fn refuse(&mut self, at: Position, probe: &Probe, record: Record, reason: &str) {
        if self.refused {
            self.lanes.gone(probe);
            self.done.refused += 1;
            return;
        }
        match self.spool.refuse(&record, &at, reason).await {
            Ok(()) => {
                self.lanes.gone(probe);
                self.done.refused += 1;
                error!(subject = record.subject, reason, "set aside: publish it with `hookgate drain --refused`");
            }
            Err(error) => {
                error!(%error, "what NATS refused cannot be set aside, and stays in the spool");
                self.lanes.stuck(at, probe, Instant::now() + STUCK, None);
            }
        }
    }
}

/// Publishes all that lies in a spool, or that was `refused` before, until the time is over.
pub async fn once(delivery: &Delivery, spool: &Arc<Spool>, refused: bool, time: Duration) -> Drained {
    let mut drainer = Drainer::new(delivery.link(), spool.clone(), refused);
    let left = |done: Drained| match refused {
        true => spool.refused_stock().events.saturating_sub(done.refused),
        false => spool.stock().events,
    };
    let work = async {
        while left(drainer.done) > 0 {
            drainer.step(delivery.clone()).await;
        }
    };
    let unfinished = tokio::time::timeout(time, work).await.is_err();
    Drained { unfinished, ..drainer.done }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_with_a_header_that_no_event_has_is_set_aside() {
        let message = |headers: &'static str| Message {
            subject: "webhooks.a".into(),
            headers: headers.into(),
            payload: "{}".into(),
            msg_id: "1".into(),
        };
        assert!(check(&message("NATS/1.0\r\nce-id: 1\r\nNats-Msg-Id: 1\r\n")).is_ok());
        let refused = check(&message("NATS/1.0\r\nNats-Msg-Id: 1\r\nNats-Rollup: all\r\n")).unwrap_err();
        assert!(!refused.may_pass(), "it would come again and again");
    }
}

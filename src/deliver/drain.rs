//! Publishes what lies in the spool, oldest first, each under the id it was accepted with, and forgets it when it is stored.
//!
//! Never deletes what is not acknowledged: what NATS refuses for good is set aside. One stream that takes nothing holds up
//! no other. Its messages are also the probes that tell when a stream is back.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::time::sleep;
use tracing::{error, info, warn};

use super::spool::{Drain, Position, Record, Spool};
use super::{Delivery, Outcome, Unavailable};

/// Messages on their way at one time: enough to keep a connection busy, few enough to leave live ones their place.
const WINDOW: usize = 128;
/// Bytes on their way at one time.
const WINDOW_BYTES: usize = 8 << 20;
/// How long an acknowledgement may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// Before a message is tried again that NATS did not take.
const AGAIN: Duration = Duration::from_millis(200);
/// Before one is tried again for which there is no stream.
const STUCK: Duration = Duration::from_secs(10);
/// How long there must be no stream, while JetStream answers, before a message counts as refused.
const NO_OWNER: Duration = Duration::from_secs(600);
/// Messages that may wait for another try before reading pauses.
const PARKED: usize = 65_536;

/// A message that is tried again.
struct Parked {
    at: Position,
    due: Instant,
    /// Since when no stream owns its subject.
    stuck: Option<Instant>,
}

/// What became of a try.
struct Tried {
    at: Position,
    record: Record,
    stuck: Option<Instant>,
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

/// Drains for as long as the process lives; says when the spool begins to fill and when it is empty.
pub(super) async fn run(delivery: Delivery, spool: Arc<Spool>) {
    let mut drainer = Drainer::new(delivery, spool, false);
    let mut filled = drainer.spool.stock().events > 0;
    let mut since = Instant::now();
    loop {
        let events = drainer.spool.stock().events;
        if events > 0 && !filled {
            (filled, since) = (true, Instant::now());
            warn!("NATS does not take events: they are spooled");
        } else if events == 0 && filled {
            filled = false;
            info!(after = ?since.elapsed(), published = drainer.done.published, "the spool is empty");
        }
        drainer.step().await;
    }
}

struct Drainer {
    delivery: Delivery,
    spool: Arc<Spool>,
    reader: Drain,
    parked: VecDeque<Parked>,
    done: Drained,
    /// What is drained was refused before: it leaves that place, and no other.
    refused: bool,
    /// The reader has come to the end of what there is.
    caught_up: bool,
}

impl Drainer {
    fn new(delivery: Delivery, spool: Arc<Spool>, refused: bool) -> Self {
        let reader = if refused { spool.refused() } else { spool.reader() };
        Self { delivery, spool, reader, parked: VecDeque::new(), done: Drained::default(), refused, caught_up: false }
    }

    /// Publishes what can be published now, and waits until there is more to do.
    async fn step(&mut self) {
        if !self.delivery.is_reachable() {
            let mut link = self.delivery.link();
            tokio::select! {
                _ = link.changed() => {}
                () = sleep(AGAIN) => {}
            }
            return;
        }
        let mut on_the_way = FuturesUnordered::new();
        let mut bytes = 0;
        let mut stop = false;
        loop {
            while on_the_way.len() < WINDOW && bytes < WINDOW_BYTES && !stop {
                let Some((at, record, stuck)) = self.next() else { break };
                bytes += record.payload.len();
                let delivery = self.delivery.clone();
                on_the_way.push(async move {
                    let by = Instant::now() + PATIENCE;
                    let result = delivery.publish(&record.message(), record.stream.as_deref(), by).await;
                    Tried { at, record, stuck, result }
                });
            }
            let Some(tried) = on_the_way.next().await else { break };
            bytes -= tried.record.payload.len();
            // Without a connection what follows would fare alike.
            stop |= matches!(tried.result, Err(Unavailable::Disconnected));
            self.settle(tried).await;
        }
        let due = self.parked.front().map(|parked| parked.due.saturating_duration_since(Instant::now()));
        if stop {
            sleep(AGAIN).await;
        } else if self.caught_up || self.parked.len() >= PARKED {
            tokio::select! {
                () = self.reader.changed() => {}
                () = sleep(due.unwrap_or(STUCK)) => self.reader.resume(),
            }
        }
    }

    /// The next message to try: one whose time has come again, else the oldest that was not read yet.
    fn next(&mut self) -> Option<(Position, Record, Option<Instant>)> {
        while self.parked.front().is_some_and(|parked| parked.due <= Instant::now()) {
            let parked = self.parked.pop_front()?;
            match self.reader.read(&parked.at) {
                Ok(Some(record)) => return Some((parked.at, record, parked.stuck)),
                Ok(None) => {}
                Err(error) => {
                    error!(%error, "the spool cannot be read");
                    self.park(parked.at, STUCK, parked.stuck);
                }
            }
        }
        if self.parked.len() >= PARKED {
            return None;
        }
        match self.reader.take() {
            Ok(Some((at, record))) => {
                self.caught_up = false;
                Some((at, record, None))
            }
            Ok(None) => {
                self.caught_up = true;
                None
            }
            Err(error) => {
                error!(%error, "the spool cannot be read");
                None
            }
        }
    }

    fn park(&mut self, at: Position, pause: Duration, stuck: Option<Instant>) {
        let due = Instant::now() + pause;
        // Nearly always the last; what is due sooner goes before what waits longer.
        let index = self.parked.partition_point(|parked| parked.due <= due);
        self.parked.insert(index, Parked { at, due, stuck });
    }

    async fn settle(&mut self, tried: Tried) {
        let Tried { at, record, stuck, result } = tried;
        match result {
            Ok(_) => {
                if self.refused {
                    self.spool.accepted(&record, &at);
                } else {
                    self.spool.done(&record, &at);
                }
                self.done.published += 1;
            }
            Err(error) if error.may_pass() => self.park(at, AGAIN, None),
            Err(Unavailable::NoStream | Unavailable::NotDurable) => {
                let since = stuck.unwrap_or_else(Instant::now);
                if since.elapsed() < NO_OWNER {
                    self.park(at, STUCK, Some(since));
                } else {
                    self.refuse(at, record, "no stream owned the subject for ten minutes").await;
                }
            }
            Err(error) => self.refuse(at, record, &error.to_string()).await,
        }
    }

    async fn refuse(&mut self, at: Position, record: Record, reason: &str) {
        if self.refused {
            self.done.refused += 1;
            return;
        }
        match self.spool.refuse(&record, &at, reason).await {
            Ok(()) => {
                self.done.refused += 1;
                error!(subject = record.subject, reason, "set aside: publish it with `hookgate drain --refused`");
            }
            Err(error) => {
                error!(%error, "what NATS refused cannot be set aside, and stays in the spool");
                self.park(at, STUCK, None);
            }
        }
    }
}

/// Publishes all that lies in a spool, or that was `refused` before, until the time is over.
pub async fn once(delivery: &Delivery, spool: &Arc<Spool>, refused: bool, time: Duration) -> Drained {
    let mut drainer = Drainer::new(delivery.clone(), spool.clone(), refused);
    let left = |done: Drained| match refused {
        true => spool.refused_stock().events - done.refused,
        false => spool.stock().events,
    };
    let work = async {
        while left(drainer.done) > 0 {
            drainer.step().await;
        }
    };
    let unfinished = tokio::time::timeout(time, work).await.is_err();
    Drained { unfinished, ..drainer.done }
}

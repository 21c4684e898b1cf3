//! From a message to its acknowledgement, over core NATS: one subscription for all answers, a numbered slot for each.
//!
//! Publishes nothing while NATS is away or silent, and calls nothing stored but what a durable stream says it has.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use async_nats::Client;
use async_nats::jetstream::Context;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::again::Pause;
use super::bucket::Buckets;
use super::bundle::Seat;
use super::connection::{self, Link, OptionsError, Ways};
use super::event_log::Refusals;
use super::guard::Guard;
use super::keeper::Keeper;
use super::listing::State;
use super::options::{Counters, Options};
use super::spool::Spool;
use super::stall::{Pulse, StallWatch};
use super::streams::Known;
use super::waiting::Waiting;
use super::wire::{Line, Wire, fits};
use super::{Outcome, Unavailable, drain};
use crate::event::Message;
use crate::subject::{Stream, Streams};

/// Waits shorter than this say nothing about a stream that did not answer within them.
pub(super) const TELLING: Duration = Duration::from_millis(250);
/// "duplicate message id is in process", of servers that agree with others first (nats-server's `errors.json`).
const IN_PROCESS: u64 = 10158;
/// How long JetStream's API may take to answer.
const ANSWER: Duration = Duration::from_secs(5);

/// Publishes messages; shared by all routes.
#[derive(Clone)]
pub struct Delivery {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) client: Client,
    /// For what is no event: the guard's questions and the object store.
    pub(super) context: Context,
    pub(super) wire: Wire,
    pub(super) waiting: Arc<Waiting>,
    pub(super) pulse: Arc<Pulse>,
    pub(super) known: Arc<ArcSwapOption<Known>>,
    pub(super) snapshot: watch::Receiver<Option<Arc<Streams>>>,
    pub(super) refresh: Arc<Notify>,
    pub(super) link: watch::Receiver<Link>,
    pub(super) exchange_refused: CancellationToken,
    pub(super) allow_memory: bool,
    counters: Arc<Counters>,
    began: Instant,
    pub(super) closing: AtomicBool,
    spool: OnceLock<Arc<Spool>>,
    /// Where data lies that is too large for a message; `None`: such is not taken.
    pub(super) buckets: Option<Buckets>,
    pub(super) guard: OnceLock<Arc<Guard>>,
    /// The guard's questions were refused.
    pub(super) guard_refused: watch::Sender<bool>,
    pub(super) states: watch::Receiver<HashMap<String, State>>,
    pub(super) tasks: TaskTracker,
    pub(super) stop: CancellationToken,
    // The tasks end with the last handle, also without `close`.
    _stop_on_drop: DropGuard,
}

impl Delivery {
    /// Begins to connect and returns at once. Must be called within a tokio runtime.
    pub async fn start(options: &Options) -> Result<Self, OptionsError> {
        let events = Arc::new(Notify::new());
        let refusals = Refusals::default();
        let Refusals { exchange: exchange_refused, guard: guard_refused } = refusals.clone();
        let Ways { client, addresses, access, log } = connection::connect(&options.nats, refusals).await?;
        let context = connection::jetstream(client.clone(), options.nats.domain.as_deref(), ANSWER);
        let wire = Wire::new(format!("{}.", client.new_inbox()));

        let (link_sender, link) = watch::channel(Link::default());
        let waiting = Arc::new(Waiting::new(options.max_in_flight));
        let pulse = Arc::new(Pulse::default());
        let known: Arc<ArcSwapOption<Known>> = Arc::default();
        let refresh = Arc::new(Notify::new());
        let (snapshot_sender, snapshot) = watch::channel(None);
        let (states_sender, states) = watch::channel(HashMap::new());
        let counters = Arc::new(Counters::default());
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();

        let watch = StallWatch {
            wire: wire.clone(),
            waiting: Arc::clone(&waiting),
            pulse: Arc::clone(&pulse),
            link: link_sender,
            events: Arc::clone(&events),
        };
        let line = Line {
            wire: wire.clone(),
            addresses,
            access,
            waiting: Arc::clone(&waiting),
            pulse: Arc::clone(&pulse),
            counters: Arc::clone(&counters),
            log,
            events,
        };
        let keeper = Keeper {
            context: context.clone(),
            options: options.stream.clone(),
            known: Arc::clone(&known),
            snapshot: snapshot_sender,
            states: states_sender,
            refresh: Arc::clone(&refresh),
            link: link.clone(),
        };
        tasks.spawn(stop.clone().run_until_cancelled_owned(watch.run()));
        tasks.spawn(stop.clone().run_until_cancelled_owned(line.run()));
        tasks.spawn(stop.clone().run_until_cancelled_owned(keeper.run()));
        tasks.close();

        let buckets = options.claim_check.then(|| Buckets::new(context.clone(), &options.stream, options.guard_window));
        let inner = Inner {
            client,
            context,
            wire,
            waiting,
            pulse,
            known,
            snapshot,
            refresh,
            link,
            exchange_refused,
            allow_memory: options.stream.allow_memory,
            counters,
            began: Instant::now(),
            closing: AtomicBool::new(false),
            spool: OnceLock::new(),
            buckets,
            guard: OnceLock::new(),
            guard_refused,
            states,
            tasks,
            _stop_on_drop: stop.clone().drop_guard(),
            stop,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Drains this spool from now on, and, where it `counts`, spools what NATS does not take. Once, before the first event.
    pub fn use_spool(&self, spool: Arc<Spool>, counts: bool) {
        if counts {
            let _ = self.inner.spool.set(spool.clone());
        }
        // No handle of its own: the tasks end with the last one.
        let drain = drain::run(Arc::downgrade(&self.inner), self.link(), spool);
        let drain = self.inner.stop.clone().run_until_cancelled_owned(drain);
        // On a thread of its own: reading the disk holds no worker that answers requests.
        let runtime = Handle::current();
        self.inner.tasks.spawn_blocking(move || runtime.block_on(drain));
    }

    /// The spool that counts.
    pub(super) fn spool(&self) -> Option<&Spool> {
        self.inner.spool.get().map(|spool| &**spool)
    }

    /// NATS is connected and answers.
    pub(super) fn is_reachable(&self) -> bool {
        self.inner.is_reachable()
    }

    /// Publishes a message and waits for the acknowledgement until `by`; only the stream of this name may take it, where
    /// one is given.
    ///
    /// # Errors
    /// Why it is not known to be durable. Nothing was published but for `TimedOut`.
    pub async fn publish(&self, message: &Message, stream: Option<&str>, by: Instant) -> Result<Outcome, Unavailable> {
        self.publish_beside(message, stream, by, None).await
    }

    /// The same, together with those of its delivery.
    pub(super) async fn publish_beside(
        &self,
        message: &Message,
        stream: Option<&str>,
        by: Instant,
        seat: Option<Seat<'_>>,
    ) -> Result<Outcome, Unavailable> {
        let result = self.attest(message, stream, by, seat).await;
        if let Ok(outcome) = &result {
            self.remember(message, "", stream, outcome);
        }
        result
    }

    /// What is remembered of a message in case that its stream forgets it: where its data was claimed, with the data, and in
    /// which `namespace`'s bucket that lies; else that is empty.
    pub(super) fn remember(&self, whole: &Message, namespace: &str, stream: Option<&str>, outcome: &Outcome) {
        if let Some(guard) = self.inner.guard.get() {
            guard.remember(whole, namespace, stream.is_some(), outcome);
        }
    }

    /// Publishes and counts, and remembers nothing.
    pub(super) async fn attest(
        &self,
        message: &Message,
        stream: Option<&str>,
        by: Instant,
        seat: Option<Seat<'_>>,
    ) -> Result<Outcome, Unavailable> {
        let result = self.inner.publish(message, stream, by, seat).await;
        let counters = &self.inner.counters;
        match &result {
            Ok(Outcome::Stored { .. }) => counters.stored.fetch_add(1, Ordering::Relaxed),
            Ok(Outcome::Duplicate { .. }) => counters.duplicates.fetch_add(1, Ordering::Relaxed),
            Err(error) if error.outcome_is_unknown() => counters.unknown.fetch_add(1, Ordering::Relaxed),
            Ok(Outcome::Spooled) | Err(_) => 0,
        };
        result
    }

    /// A message that is sent now has a chance: NATS is connected and answers, and its streams are known.
    pub fn is_available(&self) -> bool {
        self.inner.is_reachable() && self.inner.known.load().is_some()
    }

    /// The connection's state, and its changes.
    pub fn link(&self) -> watch::Receiver<Link> {
        self.inner.link.clone()
    }

    /// The streams as last read, and their changes; `None` before the first reading. While NATS is away the last one stays.
    pub fn streams(&self) -> watch::Receiver<Option<Arc<Streams>>> {
        self.inner.snapshot.clone()
    }

    /// Asks for the streams to be read again soon.
    pub fn refresh_streams(&self) {
        self.inner.refresh.notify_one();
    }

    /// The most bytes that the server takes for headers and payload together; the empty line after the headers counts.
    pub fn max_payload(&self) -> usize {
        self.inner.wire.max_payload()
    }

    /// How many messages wait for their acknowledgement.
    pub fn in_flight(&self) -> usize {
        self.inner.waiting.len()
    }

    /// Counts since the start.
    pub fn counters(&self) -> &Counters {
        &self.inner.counters
    }

    /// The client, for what is no publish: object stores, reading streams.
    pub fn client(&self) -> &Client {
        &self.inner.client
    }
}

impl std::fmt::Debug for Delivery {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Delivery").field("link", &*self.inner.link.borrow()).finish_non_exhaustive()
    }
}

impl Inner {
    pub(super) fn is_reachable(&self) -> bool {
        self.wire.connection().is_some() && !self.pulse.is_stalled() && !self.closing.load(Ordering::Relaxed)
    }

    async fn publish(
        &self,
        message: &Message,
        stream: Option<&str>,
        by: Instant,
        mut seat: Option<Seat<'_>>,
    ) -> Result<Outcome, Unavailable> {
        let mut pause = Pause::default();
        loop {
            match self.attempt(message, stream, by, seat.take()).await {
                // Known until the server says that it does not exist: nobody answers for a stream whose leader is being
                // elected, or whose server restarts.
                Err(Unavailable::NoStream) if self.knows_owner(&message.subject) => {
                    if !pause.wait(by).await {
                        return Err(Unavailable::NoResponders);
                    }
                }
                // Another with its id is on the way to the other servers: what becomes of that one is known soon.
                Err(Unavailable::Refused { code: IN_PROCESS, description }) => {
                    if !pause.wait(by).await {
                        return Err(Unavailable::Refused { code: IN_PROCESS, description });
                    }
                }
                ended => return ended,
            }
        }
    }

    pub(super) fn knows_owner(&self, subject: &str) -> bool {
        self.known.load().as_ref().is_some_and(|known| known.owner(subject).is_some())
    }

    /// Whether a message is one that the server and its stream take, as far as is known.
    pub(super) fn fits(&self, message: &Message, stream: Option<&str>) -> Result<(), Unavailable> {
        let known = self.known.load();
        let owner = known.as_ref().and_then(|known| known.owner(&message.subject));
        fits(message, stream, self.most(owner.map(|owner| owner.stream)))
    }

    /// The most bytes that this stream takes for headers and payload together.
    pub(super) fn most(&self, stream: Option<&Stream>) -> usize {
        let most = self.wire.max_payload();
        stream.map(|stream| stream.max_message).filter(|own| *own > 0).map_or(most, |own| own.min(most))
    }

    pub(super) fn millis(&self, now: Instant) -> u64 {
        u64::try_from((now - self.began).as_millis()).unwrap_or(u64::MAX)
    }
}

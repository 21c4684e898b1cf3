//! The task that looks whether streams still have what they acknowledged, and publishes again what they have not.
//!
//! Looks after each new connection, which a new server always brings, every ten seconds, and when an acknowledgement came that cannot be.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::Context;
use async_nats::jetstream::response::Response;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use serde::Deserialize;
use tokio::sync::watch;

use super::super::listing::{State, list};
use super::super::publish::Inner;
use super::super::spool::files::Files;
use super::super::{Delivery, Link, Outcome, Unavailable};
use super::Guard;
use super::inquiry::{Answer, Inquiry, Question, Verdict};
use super::ledger::Key;
use super::remembered::Remembered;
use super::store::Buckets;
use crate::event::{header, lines};

/// Between steps: the clock is advanced and what is over removed.
const STEP: Duration = Duration::from_secs(1);
/// Between looks.
const EVERY: Duration = Duration::from_secs(10);
/// For one acknowledgement.
const ACKNOWLEDGED: Duration = Duration::from_secs(5);
/// Messages on their way at one time, and their bytes: few enough to leave live ones their place.
const WINDOW: usize = 64;
const WINDOW_BYTES: usize = 8 << 20;
/// How long there may be no stream that takes what must be published again.
const NO_OWNER: Duration = Duration::from_secs(600);

/// The answer to `STREAM.MSG.GET`.
#[derive(Deserialize)]
struct Got {
    message: GotMessage,
}

#[derive(Deserialize)]
struct GotMessage {
    /// The header block, in base64.
    #[serde(default)]
    hdrs: String,
}

/// It could not be found out: asked again later.
struct Unclear;

/// The task.
pub(super) struct Watch<F> {
    delivery: Weak<Inner>,
    guard: Arc<Guard>,
    buckets: Arc<Buckets<F>>,
    context: Context,
    link: watch::Receiver<Link>,
    states: watch::Receiver<HashMap<String, State>>,
    /// The questions were refused.
    refused: watch::Sender<bool>,
    /// The connection that was seen last.
    connection: u64,
    /// When NATS was seen to be there last.
    there: Option<Instant>,
    due: Instant,
    looked: Instant,
    /// The streams were read since they were compared.
    read: bool,
}

impl<F: Files> Watch<F> {
    pub(super) fn new(inner: &Arc<Inner>, guard: Arc<Guard>, buckets: Arc<Buckets<F>>) -> Self {
        let now = Instant::now();
        Self {
            delivery: Arc::downgrade(inner),
            guard,
            buckets,
            context: inner.context.clone(),
            link: inner.link.clone(),
            states: inner.states.clone(),
            refused: inner.guard_refused.clone(),
            connection: 0,
            there: None,
            due: now,
            looked: now,
            read: false,
        }
    }

    /// Looks for as long as anybody else has the delivery.
    pub(super) async fn run(mut self) {
        loop {
            let Some(inner) = self.delivery.upgrade() else { return };
            self.step(&Delivery { inner }).await;
            let Self { link, states, guard, .. } = &mut self;
            tokio::select! {
                () = tokio::time::sleep(STEP) => {}
                Ok(()) = link.changed() => {}
                Ok(()) = states.changed() => self.read = true,
                () = guard.book.suspicion.notified() => {}
            }
        }
    }

    async fn step(&mut self, delivery: &Delivery) {
        let now = Instant::now();
        let number = self.link.borrow_and_update().number;
        let there = delivery.is_reachable();
        let book = Arc::clone(&self.guard.book);
        book.note_gap();
        // The clock stands still while NATS is away.
        let was_there = self.there.take().filter(|_| there && number == self.connection);
        if let Some(before) = was_there {
            book.ledger().advance(now - before);
        } else {
            let mut ledger = book.ledger();
            ledger.hold();
            ledger.pause();
        }
        self.there = there.then_some(now);
        self.guard.order(|orders| orders.sweep = true);
        if !there {
            return;
        }
        if number != self.connection {
            // Another login may ask.
            self.connection = number;
            book.ledger().reconnected();
            self.refused.send_replace(false);
            book.on.store(true, Ordering::Relaxed);
            self.due = now;
        }
        if *self.refused.borrow() {
            if book.on.swap(false, Ordering::Relaxed) {
                self.guard.order(|orders| orders.clear = true);
            }
            return;
        }
        if std::mem::take(&mut self.read) {
            self.compare();
        }
        if book.ledger().is_suspected() {
            self.due = self.due.min((self.looked + STEP).max(now));
        }
        if now >= self.due {
            self.look(delivery).await;
        }
        if self.guard.book.ledger().is_alarmed() {
            self.publish_again(delivery).await;
        }
    }

    /// What the last reading of all streams says without a question.
    fn compare(&self) {
        let states = self.states.borrow();
        let mut ledger = self.guard.book.ledger();
        ledger.made(states.iter().map(|(name, state)| (name.clone(), state.created.as_str().into())));
        for stream in ledger.streams() {
            let Some(state) = states.get(&*stream) else { continue };
            if ledger.is_of(&stream, &state.created) {
                ledger.forget_before(&stream, state.first);
            } else {
                let count = ledger.alarm(&stream, None);
                drop_in_log(&stream, count);
            }
        }
    }

    /// Looks at all streams.
    async fn look(&mut self, delivery: &Delivery) {
        let connection = self.connection;
        // What was acknowledged before this is compared, too; a disk that hangs keeps nobody from looking.
        let _ = tokio::time::timeout(STEP, self.guard.written()).await;
        self.guard.book.ledger().take_suspected();
        let streams = self.guard.book.ledger().streams();
        let mut clear = true;
        for stream in streams {
            match self.inquire(&stream).await {
                Ok(Verdict::Calm) => {}
                Ok(Verdict::Forgot { above }) => {
                    let count = self.guard.book.ledger().alarm(&stream, above);
                    drop_in_log(&stream, count);
                    if above.is_some() {
                        tracing::error!(
                            stream = &*stream,
                            "what others were acknowledged since took the place of what the stream forgot: as its messages go when \
                             they are consumed, nobody can tell which of them were, and these are not published again"
                        );
                    }
                    delivery.refresh_streams();
                }
                Err(Unclear) => clear = false,
            }
        }
        let now = Instant::now();
        self.looked = now;
        let clear = clear && self.link.borrow().number == connection;
        self.due = now + if clear { EVERY } else { STEP };
        if clear {
            self.guard.book.ledger().looked();
            self.guard.book.looks.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn inquire(&self, stream: &str) -> Result<Verdict, Unclear> {
        let begun = Inquiry::new(&self.guard.book.ledger(), stream);
        let Some((mut inquiry, mut question)) = begun else { return Ok(Verdict::Calm) };
        loop {
            let mut refused = self.refused.subscribe();
            let answer = tokio::select! {
                answer = self.ask(stream, question) => answer?,
                // Nothing answers what is refused.
                _ = refused.wait_for(|refused| *refused) => return Err(Unclear),
            };
            match inquiry.answer(&mut self.guard.book.ledger(), stream, answer) {
                Ok(verdict) => return Ok(verdict),
                Err(next) => question = next,
            }
        }
    }

    async fn ask(&self, stream: &str, question: Question) -> Result<Answer, Unclear> {
        match question {
            Question::Message(sequence) => {
                // Of the leader: a direct get may be answered by a replica that is behind.
                let subject = format!("STREAM.MSG.GET.{stream}");
                let body = serde_json::json!({ "seq": sequence });
                match self.context.request::<_, _, Response<Got>>(subject, &body).await {
                    Ok(Response::Ok(got)) => Ok(Answer::Message(self.mark(&got.message.hdrs))),
                    Ok(Response::Err { error }) if error.error_code() == ErrorCode::NO_MESSAGE_FOUND => {
                        Ok(Answer::Gone)
                    }
                    Ok(Response::Err { error }) if error.error_code() == ErrorCode::STREAM_NOT_FOUND => {
                        Ok(Answer::NoStream)
                    }
                    Ok(Response::Err { .. }) | Err(_) => Err(Unclear),
                }
            }
            Question::State => {
                let mut listing = list(&self.context).await.map_err(|_| Unclear)?;
                match listing.states.remove(stream) {
                    Some(state) => Ok(Answer::State(state)),
                    None if listing.has(stream) => Err(Unclear),
                    None => Ok(Answer::NoStream),
                }
            }
        }
    }

    fn mark(&self, hdrs: &str) -> Option<u64> {
        let block = BASE64_STANDARD.decode(hdrs).ok()?;
        let (_, id) = lines(&block).find(|(name, _)| name.eq_ignore_ascii_case(header::MSG_ID.name.as_bytes()))?;
        Some(self.guard.book.mark(id))
    }

    /// Publishes again what must be, bucket by bucket from the oldest on, until something cannot be published now.
    async fn publish_again(&self, delivery: &Delivery) {
        let book = &self.guard.book;
        let mut stuck: HashSet<Arc<str>> = HashSet::new();
        let mut from = 0;
        let mut published = 0u64;
        loop {
            let next = book.ledger().lost_from(from);
            let Some(bucket) = next.filter(|_| delivery.is_reachable()) else { break };
            from = bucket + 1;
            let mut all: Vec<(Key, Remembered)> = Vec::new();
            let read = self.buckets.read(bucket, |remembered| {
                let key = (bucket, remembered.sequence, book.mark(&remembered.message.msg_id));
                if book.ledger().is_lost(&remembered.stream, &key) {
                    all.push((key, remembered));
                }
            });
            let gone = {
                let met: HashSet<Key> = all.iter().map(|(key, _)| *key).collect();
                book.ledger().unreadable(bucket, |key| met.contains(key))
            };
            if let Err(error) = read {
                tracing::error!(%error, "what the guard remembered cannot be read");
            }
            if gone > 0 {
                book.missed(gone);
                tracing::error!(events = gone, "events that a stream forgot could not be read back, and are lost");
            }
            published += self.publish_all(delivery, all, &mut stuck).await;
        }
        book.again.fetch_add(published, Ordering::Relaxed);
        if published > 0 {
            tracing::warn!(events = published, "published again what streams had forgotten");
        }
        let lost = book.ledger().give_up(NO_OWNER);
        if lost > 0 {
            book.missed(lost);
            tracing::error!(events = lost, "no stream took what was forgotten for ten minutes: it is given up");
        }
    }

    async fn publish_all(
        &self,
        delivery: &Delivery,
        all: Vec<(Key, Remembered)>,
        stuck: &mut HashSet<Arc<str>>,
    ) -> u64 {
        let book = &self.guard.book;
        let (mut waiting, mut bytes, mut published) = (FuturesUnordered::new(), 0, 0);
        let mut all = all.into_iter().peekable();
        loop {
            while waiting.len() < WINDOW && bytes < WINDOW_BYTES && delivery.is_reachable() {
                let Some((key, remembered)) = all.next() else { break };
                if stuck.contains(&remembered.stream) {
                    continue;
                }
                bytes += remembered.size();
                waiting.push(async move {
                    let Remembered { claimed, message, stream, sequence, .. } = &remembered;
                    // A stream knows ids for a while only: what it has is not sent to it again. An object may be gone all the same.
                    if claimed.is_empty()
                        && let Ok(Answer::Message(Some(mark))) = self.ask(stream, Question::Message(*sequence)).await
                        && mark == key.2
                    {
                        let there = Outcome::Duplicate { stream: Arc::clone(stream), sequence: *sequence };
                        delivery.remember(message, "", remembered.only(), &there);
                        return (key, remembered, Ok(there));
                    }
                    let by = Instant::now() + ACKNOWLEDGED + delivery.longer(message, remembered.only());
                    let result = match claimed.is_empty() {
                        true => delivery.publish(message, remembered.only(), by).await,
                        false => delivery.hand_over(message, claimed, remembered.only(), by, None).await.0,
                    };
                    (key, remembered, result)
                });
            }
            let Some((key, remembered, result)) = waiting.next().await else { return published };
            bytes -= remembered.size();
            match result {
                Ok(outcome) => {
                    let stored = matches!(outcome, Outcome::Stored { .. });
                    published += u64::from(stored);
                    book.ledger().settled(&remembered.stream, &key, stored);
                }
                Err(error) if error.may_pass() || matches!(error, Unavailable::NoStream | Unavailable::NotDurable) => {
                    stuck.insert(remembered.stream);
                }
                Err(error) => {
                    tracing::error!(%error, subject = remembered.message.subject, "a forgotten event is refused, and is lost");
                    book.missed(1);
                    book.ledger().settled(&remembered.stream, &key, true);
                }
            }
        }
    }
}

fn drop_in_log(stream: &str, events: usize) {
    if events > 0 {
        tracing::error!(
            stream,
            events,
            "the stream has forgotten events that it acknowledged: those that are remembered are published again. Did its \
             server lose power? Set sync_interval: always, or purge a stream rather than delete it to drop events for good"
        );
    }
}

//! The control task: everything that happens, in one order, until the last table.
//!
//! Owns the plan and nothing shared. Never waits for the API server or for NATS: whoever reads or writes tells it afterwards.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::event::{Event, Folder};
use super::index::{Change, Scope};
use super::object::Key;
use super::overview::Overview;
use super::plan::Plan;
use super::settings::Settings;
use super::status::activity;
use super::status::statuses::Statuses;
use super::status::{NotWritten, Write};
use crate::route::RouteTable;
use crate::subject::Readings;

/// How long events that come together are gathered.
const GATHER: Duration = Duration::from_millis(5);
/// How many are gathered at most.
const AT_ONCE: usize = 4096;
/// How often activity is told, and every status is evaluated again: one that was not written heals, and one that somebody edited is
/// restored. Not sooner, so that two operators that disagree do not write without end.
const EVALUATE: Duration = Duration::from_secs(10);
/// How long serving waits at the start for Secrets that cannot be read.
/// How often statuses tell of requests where they should, and of how many sources at one time.
const PACE: (Duration, usize) = (Duration::from_secs(1), 10);
const PATIENCE: Duration = Duration::from_secs(10);
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// What the control task lives by.
pub struct Inputs {
    /// What happens.
    pub events: mpsc::Receiver<Event>,
    /// The streams of each login to NATS as last read.
    pub streams: watch::Receiver<Readings>,
    /// The most that NATS takes in one message, in bytes; 0 while it was never seen.
    pub max_payload: watch::Receiver<usize>,
    /// Whether this replica writes status.
    pub leader: watch::Receiver<bool>,
    /// The end.
    pub stop: CancellationToken,
}

/// Whom the control task tells.
pub struct Outputs {
    /// Puts a table in force. The first call says that everything was observed once.
    pub publish: Box<dyn FnMut(RouteTable) + Send>,
    /// The sources and their statuses, for whoever shows them.
    pub overview: watch::Sender<Arc<Overview>>,
    /// Secrets to be read. `None` where nobody reads them one by one.
    pub reader: Option<mpsc::Sender<Key>>,
    /// Statuses to be written. `None` where nobody writes them.
    pub writer: Option<mpsc::Sender<Write>>,
    /// What the other replicas should know of requests, and as whom this one tells it. `None` where there are no others.
    pub teller: Option<(String, mpsc::Sender<Vec<u8>>)>,
}

/// Runs until `stop`, or until nobody tells anything any more.
pub async fn run(settings: Arc<Settings>, inputs: Inputs, outputs: Outputs) {
    let Inputs { mut events, mut streams, mut max_payload, mut leader, stop } = inputs;
    let mut control = Control::new(settings, outputs);
    control.learn_streams(streams.borrow_and_update().clone());
    control.learn_payload(*max_payload.borrow_and_update());
    control.lead(*leader.borrow_and_update());
    let mut evaluation = tokio::time::interval_at(Instant::now() + EVALUATE, EVALUATE);
    evaluation.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut pace = tokio::time::interval(PACE.0);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut batch = Vec::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            received = events.recv_many(&mut batch, AT_ONCE) => {
                if received == 0 {
                    return;
                }
                if received > 1 {
                    gather(&mut events, &mut batch).await;
                }
                let now = Timestamp::now();
                batch.drain(..).for_each(|event| control.take(event, now));
            }
            now = next(&mut streams) => control.learn_streams(now),
            now = next(&mut max_payload) => control.learn_payload(now),
            now = next(&mut leader) => control.lead(now),
            _ = evaluation.tick() => control.evaluate(Timestamp::now()),
            _ = pace.tick(), if control.statuses.is_lively() => control.tell_of_requests(Timestamp::now()),
            () = until(control.plan.next_wake()) => {}
            () = room(&control.outputs.reader), if !control.to_read.is_empty() => {}
        }
        control.settle(Timestamp::now());
    }
}

/// One event is not kept waiting; many that come together cost one table.
async fn gather(events: &mut mpsc::Receiver<Event>, batch: &mut Vec<Event>) {
    let until = Instant::now() + GATHER;
    while batch.len() < AT_ONCE {
        match tokio::time::timeout_at(until, events.recv_many(batch, AT_ONCE)).await {
            Ok(received) if received > 0 => {}
            _ => return,
        }
    }
}

/// The next value. Never, once nobody can send one: the last stays what is known.
async fn next<T: Clone>(values: &mut watch::Receiver<T>) -> T {
    if values.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
    values.borrow_and_update().clone()
}

/// Until an instant of the clock, looked at now and then in case it is set.
async fn until(instant: Option<Timestamp>) {
    let Some(instant) = instant else { return std::future::pending().await };
    let left = instant.duration_since(Timestamp::now());
    tokio::time::sleep(Duration::try_from(left).unwrap_or_default().min(LONGEST_SLEEP)).await;
}

/// Until another Secret may wait to be read.
async fn room(reader: &Option<mpsc::Sender<Key>>) {
    if let Some(reader) = reader {
        let _ = reader.reserve().await;
    }
}

struct Control {
    settings: Arc<Settings>,
    outputs: Outputs,
    plan: Plan,
    statuses: Statuses,
    overview: Overview,
    leads: bool,
    /// Lists that must be read to their end before anything is served.
    scopes: Vec<Scope>,
    no_providers: bool,
    /// Since when every list was read to its end.
    listed: Option<Instant>,
    /// A table that waits for the first sync.
    table: Option<RouteTable>,
    to_read: VecDeque<Key>,
    /// Sources to judge anew.
    judge: BTreeSet<Key>,
    judge_all: bool,
    /// Providers to judge anew.
    judge_providers: BTreeSet<Key>,
}

impl Control {
    fn new(settings: Arc<Settings>, outputs: Outputs) -> Self {
        Self {
            plan: Plan::new(settings.clone()),
            scopes: settings.scopes(),
            settings,
            outputs,
            statuses: Statuses::default(),
            overview: Overview::default(),
            leads: false,
            no_providers: false,
            listed: None,
            table: None,
            to_read: VecDeque::new(),
            judge: BTreeSet::new(),
            judge_all: false,
            judge_providers: BTreeSet::new(),
        }
    }

    fn take(&mut self, event: Event, now: Timestamp) {
        match event {
            Event::Sources(mut change) => {
                self.statuses.observe_sources(&mut change);
                self.plan.observe_sources(change);
            }
            Event::Providers(mut change) => {
                self.statuses.observe_providers(&mut change);
                self.judge_providers.extend(self.plan.observe_providers(change));
            }
            Event::NoProviders => self.no_providers = true,
            Event::Secrets(change) => self.to_read.extend(self.plan.observe_secrets(change)),
            Event::Read(key, reading) => {
                if self.plan.take_reading(&key, reading, now) {
                    self.to_read.push_back(key);
                }
            }
            Event::Folder(folder) => {
                let Folder { sources, providers, secrets } = *folder;
                self.plan.observe_sources(Change::Reset(Scope::All, sources));
                self.judge_providers.extend(self.plan.observe_providers(Change::Reset(Scope::All, providers)));
                self.plan.supply_secrets(&secrets, now);
                self.scopes = vec![Scope::All];
            }
            Event::Heard(facts) => self.statuses.hear(facts, now),
            Event::Written(target, result) => {
                match &result {
                    Ok(_) => {}
                    Err(NotWritten::NotLeader | NotWritten::Gone) => {
                        debug!(object = %target.key(), "a status was not written")
                    }
                    Err(error) => warn!(object = %target.key(), %error, "a status was not written: trying again"),
                }
                // What failed is tried again at the next evaluation.
                self.statuses.ended(&target, result.ok().flatten());
            }
        }
    }

    fn learn_streams(&mut self, streams: Readings) {
        if *self.plan.readings() != streams {
            self.plan.learn_streams(streams);
            self.judge_all = true;
        }
    }

    fn learn_payload(&mut self, max_payload: usize) {
        if max_payload != std::mem::replace(&mut self.statuses.max_payload, max_payload) {
            self.judge_all = true;
        }
    }

    fn lead(&mut self, leads: bool) {
        if leads && !self.leads {
            self.statuses.evaluate();
        }
        self.leads = leads;
    }

    fn evaluate(&mut self, now: Timestamp) {
        self.statuses.refresh_activity(&self.plan, now);
        self.tell_others();
        if self.leads {
            self.statuses.evaluate();
        }
    }

    /// The next statuses that should tell something else of requests: lively sources do not flood the API server.
    fn tell_of_requests(&mut self, now: Timestamp) {
        self.judge.extend(self.statuses.next_lively(PACE.1, now));
    }

    /// What this replica saw of requests, for whoever leads. What finds no room is told the next time.
    fn tell_others(&mut self) {
        let Some((from, teller)) = &self.outputs.teller else { return };
        let room = teller.capacity() * activity::AT_ONCE;
        let facts = if room > 0 { self.statuses.facts_to_tell(room) } else { Vec::new() };
        for facts in facts.chunks(activity::AT_ONCE) {
            let message = activity::Message { from: from.clone(), facts: facts.to_vec() };
            // Nobody else sends: there is as much room as there was.
            let _ = teller.try_send(activity::encode(&message));
        }
    }

    /// Asks for as many Secrets as may wait to be read.
    fn read(&mut self) {
        let Some(reader) = &self.outputs.reader else { return self.to_read.clear() };
        while !self.to_read.is_empty() {
            match reader.try_reserve() {
                Ok(permit) => {
                    if let Some(key) = self.to_read.pop_front() {
                        permit.send(key);
                    }
                }
                Err(mpsc::error::TrySendError::Full(())) => return,
                // Nobody reads any more: the process ends.
                Err(mpsc::error::TrySendError::Closed(())) => return self.to_read.clear(),
            }
        }
    }

    fn settle(&mut self, now: Timestamp) {
        let settled = self.plan.settle(now);
        self.to_read.extend(settled.to_read);
        self.read();
        self.judge.extend(settled.changed);
        self.judge_providers.extend(settled.providers.into_iter().map(|name| Key::new("", name)));
        self.table = settled.table.or_else(|| self.table.take());
        if !self.overview.synced && self.is_synced() {
            self.overview.synced = true;
            self.judge_all = true;
            self.table.get_or_insert_default();
            info!(sources = self.plan.sources().len(), "everything was observed once: serving");
        }
        if !self.overview.synced {
            return;
        }
        if let Some(table) = self.table.take() {
            (self.outputs.publish)(table);
        }
        self.judge(now);
        self.write();
    }

    /// Every list was read to its end, and no source waits for a Secret any more, or not for much longer.
    fn is_synced(&mut self) -> bool {
        let index = self.plan.index();
        let providers = self.no_providers || index.providers.is_synced(&Scope::All);
        if !providers || !self.scopes.iter().all(|scope| index.sources.is_synced(scope)) {
            return false;
        }
        let listed = *self.listed.get_or_insert_with(Instant::now);
        self.plan.is_settled() || listed.elapsed() >= PATIENCE
    }

    fn judge(&mut self, now: Timestamp) {
        let mut judge = std::mem::take(&mut self.judge);
        if std::mem::take(&mut self.judge_all) {
            judge.extend(self.plan.sources().keys().cloned());
            self.judge_providers.extend(self.plan.index().providers.iter().map(|object| object.key.clone()));
        }
        for key in std::mem::take(&mut self.judge_providers) {
            for condition in self.statuses.judge_provider(&self.plan, &key, &self.settings, now) {
                tell("WebhookProvider", &key, &condition);
            }
        }
        if judge.is_empty() {
            return;
        }
        for key in judge {
            let judgement = self.statuses.judge_source(&self.plan, &key, &self.settings, now);
            for condition in judgement.news {
                tell("WebhookSource", &key, &condition);
            }
            self.overview.show(&self.plan, key, judgement.state, judgement.status, now);
        }
        self.outputs.overview.send_replace(Arc::new(self.overview.clone()));
    }

    /// Hands over what must be written, as much as may wait; the rest follows when something was written.
    fn write(&mut self) {
        let Some(writer) = self.outputs.writer.as_ref().filter(|_| self.leads) else {
            return self.statuses.leave_to_others();
        };
        while let Ok(permit) = writer.try_reserve() {
            let Some(write) = self.statuses.next_write() else { return };
            permit.send(write);
        }
    }
}

/// A condition that is news on this replica.
fn tell(kind: &str, key: &Key, condition: &Condition) {
    let Condition { type_, status, reason, message, .. } = condition;
    if status == "True" && reason == type_ {
        info!(kind, object = %key, condition = type_, status, reason, "{message}");
    } else {
        warn!(kind, object = %key, condition = type_, status, reason, "{message}");
    }
}

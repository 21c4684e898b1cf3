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

use super::event::{Event, Folder, NotWritten, Target};
use super::index::{Change, Scope};
use super::object::Key;
use super::plan::Plan;
use super::report::{Reports, provider_of, state};
use super::settings::Settings;
use super::status_writer::Write;
use super::watch::scopes;
use crate::api::source::WebhookSourceStatus;
use crate::metrics::SourceStanding;
use crate::route::RouteTable;
use crate::subject::Streams;

/// How long events that come together are gathered.
const GATHER: Duration = Duration::from_millis(5);
/// How many are gathered at most.
const AT_ONCE: usize = 4096;
/// How often activity is told, and every status is evaluated again: one that was not written heals, and one that somebody edited is
/// restored. Not sooner, so that two operators that disagree do not write without end.
const EVALUATE: Duration = Duration::from_secs(10);
/// How long serving waits at the start for Secrets that cannot be read.
const PATIENCE: Duration = Duration::from_secs(10);
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// What the control task lives by.
pub struct Inputs {
    /// What happens.
    pub events: mpsc::Receiver<Event>,
    /// The streams of NATS as last read; `None` while NATS was never seen.
    pub streams: watch::Receiver<Option<Arc<Streams>>>,
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
}

/// The sources as they stand on this replica.
#[derive(Clone, Debug, Default)]
pub struct Overview {
    /// Everything was observed once, and the table is in force.
    pub synced: bool,
    /// In the order of their keys.
    pub sources: Vec<SourceOverview>,
}

/// One source as it stands on this replica.
#[derive(Clone, Debug)]
pub struct SourceOverview {
    /// Namespace and name.
    pub key: Key,
    /// The provider, where the spec can be read.
    pub provider: String,
    /// How it stands.
    pub state: SourceStanding,
    /// Its status; `None` while its Secrets were not read yet.
    pub status: Option<Arc<WebhookSourceStatus>>,
}

/// Runs until `stop`, or until nobody tells anything any more.
pub async fn run(settings: Arc<Settings>, inputs: Inputs, outputs: Outputs) {
    let Inputs { mut events, mut streams, mut leader, stop } = inputs;
    let mut control = Control::new(settings, outputs);
    control.learn_streams(streams.borrow_and_update().clone());
    control.lead(*leader.borrow_and_update());
    let mut evaluation = tokio::time::interval_at(Instant::now() + EVALUATE, EVALUATE);
    evaluation.set_missed_tick_behavior(MissedTickBehavior::Delay);
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
            now = next(&mut leader) => control.lead(now),
            _ = evaluation.tick() => control.evaluate(Timestamp::now()),
            () = until(control.plan.next_wake()) => {}
            permit = permit(&control.outputs.reader), if !control.to_read.is_empty() => control.read_next(permit),
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

async fn permit(reader: &Option<mpsc::Sender<Key>>) -> Option<mpsc::OwnedPermit<Key>> {
    reader.clone()?.reserve_owned().await.ok()
}

struct Control {
    settings: Arc<Settings>,
    outputs: Outputs,
    plan: Plan,
    reports: Reports,
    streams: Option<Arc<Streams>>,
    leads: bool,
    /// Lists that must be read to their end before anything is served.
    scopes: Vec<Scope>,
    no_providers: bool,
    /// Since when every list was read to its end.
    listed: Option<Instant>,
    synced: bool,
    /// A table that waits for the first sync.
    table: Option<RouteTable>,
    to_read: VecDeque<Key>,
    /// Sources to judge anew.
    judge: BTreeSet<Key>,
    judge_all: bool,
    to_write: BTreeSet<Target>,
}

impl Control {
    fn new(settings: Arc<Settings>, outputs: Outputs) -> Self {
        Self {
            plan: Plan::new(settings.clone()),
            scopes: scopes(&settings),
            settings,
            outputs,
            reports: Reports::default(),
            streams: None,
            leads: false,
            no_providers: false,
            listed: None,
            synced: false,
            table: None,
            to_read: VecDeque::new(),
            judge: BTreeSet::new(),
            judge_all: false,
            to_write: BTreeSet::new(),
        }
    }

    fn take(&mut self, event: Event, now: Timestamp) {
        match event {
            Event::Sources(change) => self.plan.observe_sources(change),
            Event::Providers(change) => self.judge_all |= !self.plan.observe_providers(change).is_empty(),
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
                self.judge_all |= !self.plan.observe_providers(Change::Reset(Scope::All, providers)).is_empty();
                self.plan.supply_secrets(&secrets);
                self.scopes = vec![Scope::All];
            }
            Event::Written(target, result) => {
                match &result {
                    Ok(_) => {}
                    Err(NotWritten::NotLeader | NotWritten::Gone) => {
                        debug!(object = %target.key(), "a status was not written")
                    }
                    Err(error) => warn!(object = %target.key(), %error, "a status was not written: trying again"),
                }
                // What failed is tried again at the next evaluation; what succeeded may be outdated already.
                if result.is_ok() {
                    self.to_write.insert(target.clone());
                }
                self.reports.ended(&mut self.plan, &target, result.ok().flatten());
            }
        }
    }

    fn learn_streams(&mut self, streams: Option<Arc<Streams>>) {
        if streams.is_some() && streams != self.streams {
            self.streams = streams;
            self.judge_all = true;
        }
    }

    fn lead(&mut self, leads: bool) {
        if leads && !self.leads {
            self.write_all();
        }
        self.leads = leads;
    }

    fn evaluate(&mut self, now: Timestamp) {
        self.judge.extend(self.reports.refresh_activity(&self.plan, now));
        if self.leads {
            self.write_all();
        }
    }

    fn write_all(&mut self) {
        self.to_write.extend(self.plan.index().sources.iter().map(|object| Target::Source(object.key.clone())));
        self.to_write.extend(self.plan.index().providers.iter().map(|object| Target::Provider(object.key.clone())));
    }

    fn read_next(&mut self, permit: Option<mpsc::OwnedPermit<Key>>) {
        match permit {
            Some(permit) => {
                if let Some(key) = self.to_read.pop_front() {
                    permit.send(key);
                }
            }
            // Nobody reads any more: the process ends.
            None => self.to_read.clear(),
        }
    }

    fn settle(&mut self, now: Timestamp) {
        let settled = self.plan.settle(now);
        self.to_read.extend(settled.to_read);
        self.judge.extend(settled.changed);
        self.table = settled.table.or_else(|| self.table.take());
        if !self.synced && self.is_synced() {
            self.synced = true;
            self.judge_all = true;
            self.table.get_or_insert_default();
            info!(sources = self.plan.sources().len(), "everything was observed once: serving");
        }
        if !self.synced {
            return;
        }
        if let Some(table) = self.table.take() {
            (self.outputs.publish)(table);
        }
        self.report(now);
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

    fn report(&mut self, now: Timestamp) {
        let judge_all = std::mem::take(&mut self.judge_all);
        let mut judge = std::mem::take(&mut self.judge);
        if judge_all {
            judge.extend(self.plan.sources().keys().cloned());
        }
        if judge.is_empty() && !judge_all {
            return;
        }
        for key in judge {
            let news = self.reports.judge_source(&self.plan, &key, self.streams.as_deref(), &self.settings, now);
            for condition in news {
                tell(&key, &condition);
            }
            self.to_write.insert(Target::Source(key));
        }
        self.to_write
            .extend(self.reports.judge_providers(&self.plan, &self.settings, now).into_iter().map(Target::Provider));
        self.show();
    }

    /// Shows the sources to whoever looks.
    fn show(&self) {
        let sources = self.plan.sources().iter().map(|(key, planned)| SourceOverview {
            key: key.clone(),
            provider: self.plan.index().sources.get(key).and_then(provider_of).cloned().unwrap_or_default(),
            state: state(planned),
            status: self.reports.source(key).cloned(),
        });
        self.outputs.overview.send_replace(Arc::new(Overview { synced: self.synced, sources: sources.collect() }));
    }

    /// Hands over what must be written, as much as may wait; the rest follows when something was written.
    fn write(&mut self) {
        let Some(writer) = self.outputs.writer.as_ref().filter(|_| self.leads) else {
            self.to_write.clear();
            return;
        };
        while let Some(target) = self.to_write.pop_first() {
            let write = match &target {
                Target::Source(key) => self.reports.write_source(&self.plan, key),
                Target::Provider(key) => self.reports.write_provider(&self.plan, key),
            };
            let Some(write) = write else { continue };
            match writer.try_send(write) {
                Ok(()) => self.reports.began(target),
                Err(_) => {
                    self.to_write.insert(target);
                    return;
                }
            }
        }
    }
}

/// A condition that is news on this replica.
fn tell(key: &Key, condition: &Condition) {
    let Condition { type_, status, reason, message, .. } = condition;
    if status == "True" && reason == type_ {
        info!(source = %key, condition = type_, status, reason, "{message}");
    } else {
        warn!(source = %key, condition = type_, status, reason, "{message}");
    }
}

//! What stands and what should stand, side by side, and so what must be written.
//!
//! Pure. Nothing is written twice at one time, nothing that stands already, and nothing of a source whose Secrets were not read yet. A
//! status that somebody else edited is restored at the next evaluation and not sooner, so that two operators that disagree do not write
//! without end.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use serde_json::Value;

use super::activity::{Activity, Fact};
use super::conditions::{self, find};
use super::facts::{Facts, too_large};
use super::record::Record;
use super::{Target, Transition, Write};
use crate::api::condition::types;
use crate::api::last_good::LastGood;
use crate::api::provider::{Disables, WebhookProvider, WebhookProviderStatus};
use crate::api::source::{WebhookSource, WebhookSourceStatus};
use crate::control::index::Change;
use crate::control::object::{Key, Object, Watched};
use crate::control::plan::{Plan, provider_of};
use crate::control::settings::Settings;
use crate::metrics::SourceStanding;
use crate::route::Entry;

/// The statuses of all objects.
#[derive(Debug, Default)]
pub(crate) struct Statuses {
    sources: BTreeMap<Key, Record<WebhookSourceStatus>>,
    providers: BTreeMap<Key, Record<WebhookProviderStatus>>,
    /// Those of which something else stands than should.
    differing: BTreeSet<Target>,
    /// Those to be written now.
    due: BTreeSet<Target>,
    under_way: BTreeSet<Target>,
    /// Sources of which the others do not know yet what this replica saw.
    untold: BTreeSet<Key>,
    /// Sources whose status should tell something else of requests, what was told longest ago first.
    lively: VecDeque<Key>,
    /// The most that NATS takes in one message, in bytes; 0 while it was never seen.
    pub max_payload: usize,
}

/// A judgement of a source.
#[derive(Debug, Default)]
pub(crate) struct Judgement {
    /// Conditions that say something else than before on this replica.
    pub news: Vec<Condition>,
    /// How the source stands; `None`: it is gone.
    pub state: Option<SourceStanding>,
    /// Its status; `None` while its Secrets were not read yet.
    pub status: Option<Arc<WebhookSourceStatus>>,
}

impl Statuses {
    /// Takes the statuses out of what was observed.
    pub(crate) fn observe_sources(&mut self, change: &mut Change<Object<WebhookSource>>) {
        let (differing, sources) = (&mut self.differing, &mut self.sources);
        observe(sources, change, |key, record| {
            compare(differing, Target::Source(key.clone()), record, same_source);
        });
    }

    /// Takes the statuses out of what was observed.
    pub(crate) fn observe_providers(&mut self, change: &mut Change<Object<WebhookProvider>>) {
        let (differing, providers) = (&mut self.differing, &mut self.providers);
        observe(providers, change, |key, record| {
            compare(differing, Target::Provider(key.clone()), record, same_provider);
        });
    }

    /// Judges one source anew; what should stand is due where something else does.
    pub(crate) fn judge_source(&mut self, plan: &Plan, key: &Key, settings: &Settings, now: Timestamp) -> Judgement {
        let target = Target::Source(key.clone());
        let (Some(object), Some(planned)) = (plan.index().sources.get(key), plan.sources().get(key)) else {
            self.sources.remove(key);
            self.forget(&target);
            return Judgement::default();
        };
        let record = self.sources.entry(key.clone()).or_insert_with(|| Record::new(&object.uid));
        if record.uid != object.uid {
            *record = Record::new(&object.uid);
        }
        let mut facts = Facts::of(planned, plan.streams(&key.namespace), settings, now);
        facts.notices.extend(too_large(object, planned, self.max_payload));
        let state = Some(facts.state());
        if planned.pending {
            return Judgement { news: Vec::new(), state, status: record.wanted.clone() };
        }
        if record.wanted.as_ref().is_some_and(|status| status.observed_generation != Some(facts.generation)) {
            record.troubles.forget_filters();
        }
        record.noted = record.troubles.notices(now);
        facts.notices.extend(record.noted.iter().cloned());
        if let Some(stands) = record.stands.clone() {
            record.learn(Activity::of(&stands));
        }
        let health = record.fares(vendor(plan, object), now);
        record.say(health, now);
        facts.health.clone_from(&record.health);
        let conditions = conditions::of_source(&facts, record.conditions(), now);
        let said = record.wanted.as_ref().map(|status| &*status.conditions);
        let news = conditions::news(said.unwrap_or_default(), &conditions);
        let status = Arc::new(WebhookSourceStatus {
            observed_generation: Some(facts.generation),
            served_generation: facts.served_generation,
            last_good: facts.last_good,
            url: facts.url,
            path: facts.path,
            verification: facts.verification,
            last_accepted_time: record.activity.accepted.map(Time),
            last_rejected: record.activity.last_rejected(),
            conditions,
        });
        record.wanted = Some(status.clone());
        if compare(&mut self.differing, target.clone(), record, same_source) {
            self.due.insert(target);
        }
        Judgement { news, state, status: Some(status) }
    }

    /// Judges one provider anew. Returns what is news of it on this replica.
    pub(crate) fn judge_provider(
        &mut self,
        plan: &Plan,
        key: &Key,
        settings: &Settings,
        now: Timestamp,
    ) -> Vec<Condition> {
        let target = Target::Provider(key.clone());
        let Some(object) = plan.index().providers.get(key) else {
            self.providers.remove(key);
            self.forget(&target);
            return Vec::new();
        };
        let record = self.providers.entry(key.clone()).or_insert_with(|| Record::new(&object.uid));
        let said = record.wanted.as_ref().map(|status| &*status.conditions);
        let before = said.or(record.stands.as_ref().map(|status| &*status.conditions)).unwrap_or_default();
        let accepted = plan.definitions().accepted(&key.name);
        let conditions = conditions::of_provider(object.generation, accepted, before, now);
        // That a definition is as it should be is no news but after it was not.
        let news = if said.is_none() && accepted.is_ok() {
            Vec::new()
        } else {
            conditions::news(said.unwrap_or_default(), &conditions)
        };
        // Who watches some namespaces sees only a part, and must not overwrite what others count.
        let sources = match settings.namespaces.as_slice() {
            [] => Some(i32::try_from(plan.uses(&key.name)).unwrap_or(i32::MAX)),
            _ => record.stands.as_ref().and_then(|status| status.sources),
        };
        let last_good = plan.definitions().last_good(&key.name).and_then(|good| {
            Some(LastGood { generation: good.generation, spec: serde_json::to_value(&good.value.spec).ok()? })
        });
        let observed_generation = Some(object.generation);
        record.wanted = Some(Arc::new(WebhookProviderStatus { observed_generation, conditions, sources, last_good }));
        if compare(&mut self.differing, target.clone(), record, same_provider) {
            self.due.insert(target);
        }
        news
    }

    /// Takes what this replica saw of requests into account, and notes the sources whose status should tell something else.
    pub(crate) fn refresh_activity(&mut self, plan: &Plan, now: Timestamp) {
        let mut lively: Vec<(Option<Timestamp>, &Key)> = Vec::new();
        // Both are in the order of their keys.
        let mut planned = plan.sources().iter().peekable();
        for (key, record) in &mut self.sources {
            while planned.next_if(|(other, _)| *other < key).is_some() {}
            let entry =
                planned.peek().filter(|(other, _)| *other == key).and_then(|(_, planned)| planned.entry.as_ref());
            if let Some(Entry::Served(route)) = entry
                && record.see(&route.claim.state.metrics, route.generation, now)
            {
                self.untold.insert(key.clone());
            }
            let tells = record.wanted.as_ref().is_none_or(|status| record.activity.is_told_by(status));
            let vendor = plan.index().sources.get(key).and_then(|object| vendor(plan, object));
            if !tells || record.troubles.notices(now) != record.noted || record.fares(vendor, now) != record.health {
                lively.push((record.told, key));
            }
        }
        lively.sort();
        self.lively = lively.into_iter().map(|(_, key)| key.clone()).collect();
    }

    /// Whether a source's status should tell something else of requests.
    pub(crate) fn is_lively(&self) -> bool {
        !self.lively.is_empty()
    }

    /// The sources to judge for what should be told of requests, `most` of them.
    pub(crate) fn next_lively(&mut self, most: usize, now: Timestamp) -> Vec<Key> {
        let most = most.min(self.lively.len());
        let keys: Vec<Key> = self.lively.drain(..most).collect();
        for key in &keys {
            if let Some(record) = self.sources.get_mut(key) {
                record.told = Some(now);
            }
        }
        keys
    }

    /// What this replica saw and did not tell the others yet, `most` of it.
    pub(crate) fn facts_to_tell(&mut self, most: usize) -> Vec<Fact> {
        let mut facts = Vec::new();
        while facts.len() < most
            && let Some(key) = self.untold.pop_first()
        {
            facts.extend(self.sources.get_mut(&key).map(|record| record.fact(&key)));
        }
        facts
    }

    /// Takes in what another replica saw.
    pub(crate) fn hear(&mut self, facts: Vec<Fact>, now: Timestamp) {
        for (key, uid, told) in facts.into_iter().map(|fact| fact.read(now)) {
            if let Some(record) = self.sources.get_mut(&key).filter(|record| record.uid == uid) {
                record.hear(told);
            }
        }
    }

    /// Makes everything due of which something else stands than should.
    pub(crate) fn evaluate(&mut self) {
        self.due.extend(self.differing.iter().cloned());
    }

    /// Nothing is due: another replica writes.
    pub(crate) fn leave_to_others(&mut self) {
        self.due.clear();
    }

    /// What to write next. It is under way until `ended`.
    pub(crate) fn next_write(&mut self) -> Option<Write> {
        while let Some(target) = self.due.pop_first() {
            if self.under_way.contains(&target) || !self.differing.contains(&target) {
                continue;
            }
            let write = match &target {
                Target::Source(key) => self.sources.get(key).and_then(|record| {
                    let transitions = transitions(record.stands.as_deref(), record.wanted.as_deref()?);
                    write(&target, record, transitions)
                }),
                Target::Provider(key) => self.providers.get(key).and_then(|record| write(&target, record, Vec::new())),
            };
            if write.is_some() {
                self.under_way.insert(target);
                return write;
            }
        }
        None
    }

    /// A write ended; `status`: what stands now.
    pub(crate) fn ended(&mut self, target: &Target, status: Option<Value>) {
        self.under_way.remove(target);
        let Some(status) = status else { return };
        let differs = match target {
            Target::Source(key) => match (self.sources.get_mut(key), serde_json::from_value(status)) {
                (Some(record), Ok(status)) => {
                    record.stands = Some(Arc::new(status));
                    compare(&mut self.differing, target.clone(), record, same_source)
                }
                _ => false,
            },
            Target::Provider(key) => match (self.providers.get_mut(key), serde_json::from_value(status)) {
                (Some(record), Ok(status)) => {
                    record.stands = Some(Arc::new(status));
                    compare(&mut self.differing, target.clone(), record, same_provider)
                }
                _ => false,
            },
        };
        // It may be outdated already.
        if differs {
            self.due.insert(target.clone());
        }
    }

    fn forget(&mut self, target: &Target) {
        self.differing.remove(target);
        self.due.remove(target);
    }
}

fn observe<K: Watched>(
    records: &mut BTreeMap<Key, Record<K::Status>>,
    change: &mut Change<Object<K>>,
    mut compare: impl FnMut(&Key, &Record<K::Status>),
) {
    let mut take = |object: &mut Object<K>| {
        let record = records.entry(object.key.clone()).or_insert_with(|| Record::new(&object.uid));
        if record.uid != object.uid {
            *record = Record::new(&object.uid);
        }
        record.stands = object.status.take().map(Arc::new);
        compare(&object.key, record);
    };
    match change {
        Change::Apply(object) => take(object),
        Change::Reset(_, objects) => objects.iter_mut().for_each(take),
        // What is gone is judged, and forgotten then.
        Change::Delete(_) => {}
    }
}

/// Notes whether something else stands than should.
fn compare<S>(differing: &mut BTreeSet<Target>, target: Target, record: &Record<S>, same: fn(&S, &S) -> bool) -> bool {
    let differs = match (&record.stands, &record.wanted) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(stands), Some(wanted)) => !same(stands, wanted),
    };
    if differs {
        differing.insert(target);
    } else {
        differing.remove(&target);
    }
    differs
}

/// Whether a source's status needs no writing.
pub(crate) fn same_source(one: &WebhookSourceStatus, other: &WebhookSourceStatus) -> bool {
    conditions::same(&one.conditions, &other.conditions)
        && (one.observed_generation, one.served_generation) == (other.observed_generation, other.served_generation)
        && (&one.url, &one.path, &one.verification) == (&other.url, &other.path, &other.verification)
        && (&one.last_accepted_time, &one.last_rejected) == (&other.last_accepted_time, &other.last_rejected)
        && one.last_good == other.last_good
}

/// Whether a provider's status needs no writing.
pub(crate) fn same_provider(one: &WebhookProviderStatus, other: &WebhookProviderStatus) -> bool {
    conditions::same(&one.conditions, &other.conditions)
        && (one.observed_generation, one.sources) == (other.observed_generation, other.sources)
        && one.last_good == other.last_good
}

fn write<S: serde::Serialize>(target: &Target, record: &Record<S>, transitions: Vec<Transition>) -> Option<Write> {
    let status = serde_json::to_value(record.wanted.as_deref()?).ok()?;
    Some(Write { target: target.clone(), uid: record.uid.clone(), status, transitions })
}

/// What those who read Events are told: that a source is ready or not, and that its requests are refused or accepted again.
fn transitions(before: Option<&WebhookSourceStatus>, after: &WebhookSourceStatus) -> Vec<Transition> {
    let change = |type_| {
        let condition = find(&after.conditions, type_)?;
        let known = before.and_then(|before| find(&before.conditions, type_));
        let same = known.is_some_and(|known| (&known.status, &known.reason) == (&condition.status, &condition.reason));
        let holds = condition.status == "True";
        // That the first delivery was accepted is no change for anybody.
        let first = type_ == types::HEALTHY && known.is_none() && holds;
        let transition =
            Transition { type_, holds, reason: condition.reason.clone(), message: condition.message.clone() };
        (!same && !first).then_some(transition)
    };
    [types::READY, types::HEALTHY].into_iter().filter_map(change).collect()
}

/// The vendor of a source, by name, and when it stops sending, where its definition says so.
fn vendor<'a>(plan: &'a Plan, object: &Object<WebhookSource>) -> Option<(&'a str, &'a Disables)> {
    let provider = plan.definitions().catalogue().find(provider_of(object)?)?;
    Some((&*provider.display_name, provider.disables.as_ref()?))
}

//! The statuses as they should stand, and which of them must be written.
//!
//! Pure. Nothing is written twice at one time, nothing that stands already, and nothing of a source whose Secrets were not read yet.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde_json::Value;

use super::event::Target;
use super::object::{Key, Object};
use super::plan::{Plan, Planned};
use super::route_facts;
use super::settings::Settings;
use super::status::{self, Activity, Facts, Serving};
use super::status_writer::{Transition, Write};
use crate::api::condition::{Problem, Problems, Reason, types};
use crate::api::provider::WebhookProviderStatus;
use crate::api::source::{WebhookSource, WebhookSourceStatus};
use crate::metrics::SourceStanding;
use crate::route::{Conflict, Entry};
use crate::subject::Streams;

/// Sources whose activity may be written at one evaluation, so that lively sources do not flood the API server.
const LIVELY: usize = 50;

/// Statuses as they should stand.
#[derive(Debug, Default)]
pub struct Reports {
    sources: BTreeMap<Key, Report<WebhookSourceStatus>>,
    providers: BTreeMap<Key, Report<WebhookProviderStatus>>,
    under_way: BTreeSet<Target>,
}

#[derive(Debug)]
struct Report<S> {
    uid: String,
    status: Arc<S>,
    /// The activity that the status tells.
    activity: Activity,
    told: Option<Timestamp>,
}

impl Reports {
    /// Judges one source anew. Returns the conditions that say something else than before on this replica.
    pub fn judge_source(
        &mut self,
        plan: &Plan,
        key: &Key,
        streams: Option<&Streams>,
        settings: &Settings,
        now: Timestamp,
    ) -> Vec<Condition> {
        let (Some(object), Some(planned)) = (plan.index().sources.get(key), plan.sources().get(key)) else {
            self.sources.remove(key);
            return Vec::new();
        };
        if planned.pending {
            return Vec::new();
        }
        let before = self.sources.remove(key).filter(|report| report.uid == object.uid);
        let activity = before.as_ref().map(|report| report.activity).unwrap_or_default();
        let known = before.as_ref().map(|report| &*report.status);
        let status = source_status(object, planned, streams, settings, activity, known, now);
        let news = news(known.map(|status| status.conditions.as_slice()).unwrap_or_default(), &status.conditions);
        let told = before.as_ref().and_then(|report| report.told);
        self.sources.insert(key.clone(), Report { uid: object.uid.clone(), status: Arc::new(status), activity, told });
        news
    }

    /// Judges every provider anew. Returns those of which something else is to be said.
    pub fn judge_providers(&mut self, plan: &Plan, settings: &Settings, now: Timestamp) -> Vec<Key> {
        let mut used = BTreeMap::<&str, usize>::new();
        for provider in plan.index().sources.iter().filter_map(provider_of) {
            *used.entry(provider).or_default() += 1;
        }
        let mut before = std::mem::take(&mut self.providers);
        let mut changed = Vec::new();
        for object in plan.index().providers.iter() {
            let key = &object.key;
            let before = before.remove(key).filter(|report| report.uid == object.uid);
            let accepted =
                plan.definitions().accepted(&key.name).map(|()| "The definition is valid, and sources can use it.");
            let known = before.as_ref().map(|report| &*report.status).or(object.status.as_ref());
            // Who watches some namespaces sees only a part, and must not overwrite what others count.
            let sources = match settings.namespaces.as_slice() {
                [] => Some(used.get(&*key.name).copied().unwrap_or_default()),
                _ => object.status.as_ref().and_then(|status| status.sources).and_then(|n| usize::try_from(n).ok()),
            };
            let status = status::of_provider(object.generation, accepted, sources, known, now);
            if before.is_none_or(|before| !status::same_provider(&before.status, &status)) {
                changed.push(key.clone());
            }
            let (uid, status) = (object.uid.clone(), Arc::new(status));
            self.providers.insert(key.clone(), Report { uid, status, activity: Activity::default(), told: None });
        }
        changed
    }

    /// Takes the activity of the sources that were told of longest ago into their statuses. Returns their keys.
    pub fn refresh_activity(&mut self, plan: &Plan, now: Timestamp) -> Vec<Key> {
        let mut lively: Vec<(Option<Timestamp>, Key, Activity)> = Vec::new();
        for (key, report) in &self.sources {
            let Some(Entry::Served(route)) = plan.sources().get(key).and_then(|planned| planned.entry.as_ref()) else {
                continue;
            };
            let metrics = &route.claim.state.metrics;
            let activity = Activity {
                accepted: metrics.last_accepted(),
                rejected: metrics.last_rejected().map(|(at, outcome)| (at, outcome.as_str())),
            };
            if activity != report.activity {
                lively.push((report.told, key.clone(), activity));
            }
        }
        lively.sort_by(|one, other| (one.0, &one.1).cmp(&(other.0, &other.1)));
        lively.truncate(LIVELY);
        lively
            .into_iter()
            .map(|(_, key, activity)| {
                if let Some(report) = self.sources.get_mut(&key) {
                    (report.activity, report.told) = (activity, Some(now));
                }
                key
            })
            .collect()
    }

    /// What must be written for a source, unless that is under way.
    pub fn write_source(&self, plan: &Plan, key: &Key) -> Option<Write> {
        let target = Target::Source(key.clone());
        let object = plan.index().sources.get(key)?;
        let report = self.sources.get(key).filter(|report| report.uid == object.uid)?;
        let stands = object.status.as_ref().is_some_and(|status| status::same_source(status, &report.status));
        if stands || self.under_way.contains(&target) {
            return None;
        }
        let known = object.status.as_ref().map(|status| status.conditions.as_slice());
        let transition = transition(known, &report.status.conditions);
        Some(Write { target, uid: report.uid.clone(), status: serde_json::to_value(&*report.status).ok()?, transition })
    }

    /// What must be written for a provider, unless that is under way.
    pub fn write_provider(&self, plan: &Plan, key: &Key) -> Option<Write> {
        let target = Target::Provider(key.clone());
        let object = plan.index().providers.get(key)?;
        let report = self.providers.get(key).filter(|report| report.uid == object.uid)?;
        let stands = object.status.as_ref().is_some_and(|status| status::same_provider(status, &report.status));
        if stands || self.under_way.contains(&target) {
            return None;
        }
        Some(Write {
            target,
            uid: report.uid.clone(),
            status: serde_json::to_value(&*report.status).ok()?,
            transition: None,
        })
    }

    /// A write began.
    pub fn began(&mut self, target: Target) {
        self.under_way.insert(target);
    }

    /// A write ended; `status`: what stands now.
    pub fn ended(&mut self, plan: &mut Plan, target: &Target, status: Option<Value>) {
        self.under_way.remove(target);
        let Some(status) = status else { return };
        match target {
            Target::Source(key) => {
                if let (Some(object), Ok(status)) =
                    (plan.index_mut().sources.get_mut(key), serde_json::from_value(status))
                {
                    object.status = Some(status);
                }
            }
            Target::Provider(key) => {
                if let (Some(object), Ok(status)) =
                    (plan.index_mut().providers.get_mut(key), serde_json::from_value(status))
                {
                    object.status = Some(status);
                }
            }
        }
    }

    /// The status of a source as it should stand.
    pub fn source(&self, key: &Key) -> Option<&Arc<WebhookSourceStatus>> {
        self.sources.get(key).map(|report| &report.status)
    }
}

/// The provider that a source names, where it can be read.
pub fn provider_of(source: &Object<WebhookSource>) -> Option<&String> {
    match &source.value {
        Ok(source) => Some(&source.spec.provider),
        Err(broken) => broken.provider.as_ref(),
    }
}

/// How a source stands on this replica, for the metric.
pub fn state(planned: &Planned) -> SourceStanding {
    match planned.route() {
        None => SourceStanding::NotServed,
        Some(route) if route.suspended => SourceStanding::Suspended,
        Some(_) if planned.accepted.is_err() || planned.pending => SourceStanding::Previous,
        Some(_) => SourceStanding::Serving,
    }
}

fn source_status(
    object: &Object<WebhookSource>,
    planned: &Planned,
    streams: Option<&Streams>,
    settings: &Settings,
    activity: Activity,
    known: Option<&WebhookSourceStatus>,
    now: Timestamp,
) -> WebhookSourceStatus {
    let route = planned.route();
    let displaced = planned.is_displaced().then(|| displaced(&planned.conflicts));
    let accepted = match (&planned.accepted, &displaced) {
        (Err(problem), _) | (Ok(()), Some(problem)) => Err(problem),
        (Ok(()), None) => Ok(()),
    };
    let notices: Vec<String> = planned.notices.iter().cloned().chain(planned.conflicts.iter().map(lost)).collect();
    let serving = match route {
        None => Serving::Nothing,
        Some(route) if route.suspended => Serving::Suspended,
        Some(route) => match route_facts::closed(route, now) {
            Some(why) => Serving::Closed(why),
            None if planned.accepted.is_err() => Serving::Previous,
            None => Serving::Current,
        },
    };
    let finding = route.zip(streams).and_then(|(route, streams)| route_facts::finding(route, streams, settings));
    let claim = planned.entry.as_ref().map(Entry::claim);
    let facts = Facts {
        generation: planned.generation,
        accepted,
        notices: &notices,
        refs: planned.refs.as_deref(),
        serving,
        served_generation: route.map(|route| route.generation),
        finding: finding.as_ref(),
        url: claim.map(|claim| status::url(settings.base_url.as_deref(), &claim.hosts, &claim.path)),
        path: claim.map(|claim| claim.path.clone()),
        verification: route.map(|route| route_facts::verification(route, now)),
        activity,
    };
    // What stands tells what other replicas saw; what this replica said last tells since when, also before it comes back by the watch.
    let mut before = object.status.clone().unwrap_or_default();
    if let Some(known) = known {
        before.conditions.clone_from(&known.conditions);
        before.last_accepted_time = before.last_accepted_time.max(known.last_accepted_time.clone());
    }
    status::of_source(facts, Some(&before), now)
}

fn lost(conflict: &Conflict) -> String {
    let (namespace, name) = &conflict.keeper;
    format!("{} is answered by {namespace}/{name}, which is older", conflict.host)
}

/// What is wrong with a source of which older ones keep all hosts.
pub fn displaced(conflicts: &[Conflict]) -> Problems {
    let lost: Vec<String> = conflicts.iter().map(lost).collect();
    let message =
        format!("other sources claim it too, and {}: choose another path, or other spec.hostnames", lost.join("; "));
    Problem::new(Reason::PathConflict, "spec.path", message).into()
}

fn transition(before: Option<&[Condition]>, after: &[Condition]) -> Option<Transition> {
    let ready = status::find(after, types::READY)?;
    let known = before.and_then(|before| status::find(before, types::READY));
    if known.is_some_and(|known| (&known.status, &known.reason) == (&ready.status, &ready.reason)) {
        return None;
    }
    Some(Transition { ready: ready.status == "True", reason: ready.reason.clone(), message: ready.message.clone() })
}

/// What is worth a line of the log: readiness, what is to be noted, and whatever is not as it should be.
fn news(before: &[Condition], after: &[Condition]) -> Vec<Condition> {
    let said = |condition: &Condition| (condition.status.clone(), condition.reason.clone(), condition.message.clone());
    let ready = status::find(after, types::READY).map(|ready| ready.message.as_str());
    let worth = |condition: &&Condition| {
        let changed = status::find(before, &condition.type_).map(said) != Some(said(condition));
        let noted = condition.type_ == types::ACCEPTED && condition.message != status::VALID;
        let regular = condition.type_ == condition.reason && !noted;
        // The message of Ready is that of the condition that is not.
        let told = condition.type_ != types::READY && Some(condition.message.as_str()) == ready;
        changed && !told && condition.type_ != types::STALLED && (condition.type_ == types::READY || !regular)
    };
    after.iter().filter(worth).cloned().collect()
}

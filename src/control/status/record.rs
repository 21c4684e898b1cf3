//! What is kept of one object: the status that stands, the one that should, and what all replicas saw of its requests.
//!
//! Pure.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::activity::{Activity, Fact, Told};
use super::conditions::find;
use super::refusals::{Health, Refusals};
use super::troubles::{Counts, Troubles};
use crate::api::condition::types;
use crate::api::provider::Disables;
use crate::api::source::WebhookSourceStatus;
use crate::control::object::Key;
use crate::metrics::SourceMetrics;

/// One object.
#[derive(Debug)]
pub(super) struct Record<S> {
    pub(super) uid: String,
    pub(super) stands: Option<Arc<S>>,
    pub(super) wanted: Option<Arc<S>>,
    /// What all replicas saw, as far as it was heard.
    pub(super) activity: Activity,
    pub(super) troubles: Troubles,
    refusals: Refusals,
    /// What of the troubles the status notes.
    pub(super) noted: Vec<String>,
    /// How the status says that the source fares.
    pub(super) health: Option<Health>,
    /// Since when the status tells that.
    pub(super) told: Option<Timestamp>,
    /// What this replica saw itself.
    seen: (Activity, Troubles),
    counts: Counts,
}

impl<S> Record<S> {
    pub(super) fn new(uid: &str) -> Self {
        Self {
            uid: uid.to_owned(),
            stands: None,
            wanted: None,
            activity: Activity::default(),
            troubles: Troubles::default(),
            refusals: Refusals::default(),
            noted: Vec::new(),
            health: None,
            told: None,
            seen: Default::default(),
            counts: Counts::default(),
        }
    }

    /// Takes in what this replica counted. Returns whether that is news for the others.
    pub(super) fn see(&mut self, metrics: &SourceMetrics, generation: i64, now: Timestamp) -> bool {
        let rejected = metrics.last_rejected().map(|(at, outcome)| (at, outcome.as_str()));
        let known = self.seen.0.rejected.as_ref().map(|(at, word)| (*at, &**word));
        let mut news = (metrics.last_accepted(), rejected) != (self.seen.0.accepted, known);
        if news {
            let rejected = rejected.map(|(at, word)| (at, word.to_owned()));
            self.seen.0 = Activity { accepted: metrics.last_accepted(), rejected };
            self.learn(self.seen.0.clone());
        }
        if let Some(troubles) = self.counts.advance(metrics, generation, now) {
            self.seen.1.merge(troubles);
            self.troubles.merge(troubles);
            news = true;
        }
        news | self.refusals.advance(metrics, self.activity.accepted, now)
    }

    /// What the others should know. What was refused counts as told.
    pub(super) fn fact(&mut self, key: &Key) -> Fact {
        let (activity, troubles) = self.seen.clone();
        Fact::new(key, &self.uid, &Told { activity, troubles, refused: self.refusals.tell() })
    }

    /// Takes in what another replica saw.
    pub(super) fn hear(&mut self, told: Told) {
        self.learn(told.activity);
        self.troubles.merge(told.troubles);
        self.refusals.hear(told.refused, self.activity.accepted);
    }

    /// Takes in when requests were accepted and refused, from whoever knows.
    pub(super) fn learn(&mut self, activity: Activity) {
        if let Some(accepted) = activity.accepted.filter(|at| Some(*at) > self.activity.accepted) {
            self.refusals.end(accepted);
        }
        self.activity.merge(activity);
    }
}

impl Record<WebhookSourceStatus> {
    /// The conditions that tell since when something holds: what was said last here, also before it comes back by the watch.
    pub(super) fn conditions(&self) -> &[Condition] {
        let said = self.wanted.as_ref().or(self.stands.as_ref());
        said.map(|status| &*status.conditions).unwrap_or_default()
    }

    /// How the source fares. `None` where it never accepted a delivery. `vendor`: its name, and when it stops sending.
    pub(super) fn fares(&mut self, vendor: Option<(&str, &Disables)>, now: Timestamp) -> Option<Health> {
        let accepted = self.activity.accepted?;
        let said = self.wanted.as_ref().or(self.stands.as_ref());
        let known = said.and_then(|status| find(&status.conditions, types::HEALTHY));
        Some(self.refusals.judge(accepted, vendor, known, now))
    }

    /// Says how it fares.
    pub(super) fn say(&mut self, health: Option<Health>, now: Timestamp) {
        if self.health != health {
            self.refusals.change(now);
            self.health = health;
        }
    }
}

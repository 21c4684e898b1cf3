//! The facts that a source's conditions are made from, gathered from what serves it on this replica.

use jiff::Timestamp;

use super::coverage::{self, Finding};
use super::refusals::Health;
use super::url::url;
use crate::api::condition::{Problem, Problems, Reason};
use crate::api::last_good::LastGood;
use crate::api::source::{OnOutage, VerificationStatus, WebhookSource};
use crate::control::object::Object;
use crate::control::plan::Planned;
use crate::control::settings::{Settings, SpoolSetting};
use crate::event::limits::MAX_HEADERS;
use crate::metrics::SourceStanding;
use crate::route::{Conflict, Entry, Route};
use crate::subject::Streams;

/// What serves a source on this replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Serving {
    /// The current generation.
    Current,
    /// The last generation that could be served.
    Previous,
    /// Answered 503: a purpose that the method requires has no live secret. The sentence says which.
    Closed(String),
    /// Answered 503: `spec.suspend`.
    Suspended,
    /// Nothing of it.
    Nothing,
}

/// Everything that a source's conditions are made from.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    /// The generation that is judged.
    pub generation: i64,
    /// Whether the spec is valid and allowed.
    pub accepted: Result<(), Problems>,
    /// Why the current generation waits although it is accepted.
    pub held: Option<Finding>,
    /// What its owner should know although it is accepted.
    pub notices: Vec<String>,
    /// What is wrong with secretRefs, what closes first. `None`: the spec cannot be read, so nobody knows them.
    pub refs: Option<Vec<Problem>>,
    /// Ends of refs that are past, and close nothing.
    pub ended: Vec<String>,
    /// What serves it.
    pub serving: Serving,
    /// The generation whose route is in the table.
    pub served_generation: Option<i64>,
    /// What streams mean for what serves it. `None` also while NATS was never seen.
    pub finding: Option<Finding>,
    /// What serves it wants a spool while NATS is away, and there is none that counts.
    pub spool_missing: bool,
    /// Where vendors send.
    pub url: Option<String>,
    /// The path that is claimed.
    pub path: Option<String>,
    /// What proves a request.
    pub verification: Option<VerificationStatus>,
    /// The spec that is kept for replicas that start later.
    pub last_good: Option<LastGood>,
    /// How its requests fare; still to be filled in. `None`: no delivery was ever accepted.
    pub health: Option<Health>,
}

impl Facts {
    /// As they are at an instant.
    pub(crate) fn of(planned: &Planned, streams: Option<&Streams>, settings: &Settings, now: Timestamp) -> Self {
        let route = planned.route();
        let displaced = planned.is_displaced().then(|| displaced(&planned.conflicts));
        let claim = planned.entry.as_ref().map(Entry::claim);
        let lost = planned.conflicts.iter().map(lost);
        let short = route.zip(streams).map(|(route, streams)| coverage::short_memories(route, streams, settings));
        Self {
            generation: planned.generation,
            accepted: planned.accepted.clone().and(displaced.map_or(Ok(()), Err)),
            held: planned.held.clone(),
            notices: planned
                .notices
                .iter()
                .map(ToString::to_string)
                .chain(lost)
                .chain(short.unwrap_or_default())
                .collect(),
            refs: planned.refs.clone(),
            ended: planned.ended.iter().map(ToString::to_string).collect(),
            serving: serving(planned, now),
            served_generation: route.map(|route| route.generation),
            finding: route.zip(streams).and_then(|(route, streams)| coverage::finding(route, streams, settings)),
            spool_missing: route
                .is_some_and(|route| route.on_outage == OnOutage::Spool && settings.spool == SpoolSetting::Absent),
            url: claim.map(|claim| url(settings.base_url.as_deref(), &claim.hosts, &claim.path)),
            path: claim.map(|claim| claim.path.clone()),
            verification: route.map(|route| verification(route, now)),
            last_good: planned.last_good().and_then(|source| last_good(source)),
            health: None,
        }
    }

    /// How the source stands, for the metric: serving and previous can answer 2xx.
    pub(crate) fn state(&self) -> SourceStanding {
        let closed = self.finding.as_ref().is_some_and(|finding| finding.reason != Reason::PartlyCovered);
        match self.serving {
            Serving::Suspended => SourceStanding::Suspended,
            Serving::Nothing | Serving::Closed(_) => SourceStanding::NotServed,
            _ if closed => SourceStanding::NotServed,
            Serving::Previous => SourceStanding::Previous,
            Serving::Current => SourceStanding::Serving,
        }
    }
}

fn serving(planned: &Planned, now: Timestamp) -> Serving {
    let Some(route) = planned.route() else { return Serving::Nothing };
    if route.suspended {
        return Serving::Suspended;
    }
    if !route.verifier.open(now) {
        let method = route.verifier.method();
        return Serving::Closed(format!("no live secret for what method {method} requires, see ResolvedRefs"));
    }
    let current = planned.accepted.is_ok() && planned.held.is_none() && !planned.pending;
    if current { Serving::Current } else { Serving::Previous }
}

fn verification(route: &Route, now: Timestamp) -> VerificationStatus {
    VerificationStatus {
        method: route.verifier.method().to_string(),
        covers: route.verifier.covers().as_str().to_owned(),
        active_secrets: i32::try_from(route.verifier.active_keys(now)).unwrap_or(i32::MAX),
    }
}

fn last_good(source: &WebhookSource) -> Option<LastGood> {
    let generation = source.metadata.generation.unwrap_or_default();
    Some(LastGood { generation, spec: serde_json::to_value(&source.spec).ok()? })
}

/// Names the source of another namespace no more than its owner may know: that it is there.
fn lost(conflict: &Conflict) -> String {
    let (namespace, name) = &conflict.keeper;
    if *namespace == conflict.loser.0 {
        format!("{} is answered by {namespace}/{name}, which comes first", conflict.host)
    } else {
        format!("{} is answered by a source of another namespace, which comes first", conflict.host)
    }
}

/// What is noted of a source that writes a larger body than NATS takes with the headers of an event.
pub(crate) fn too_large(object: &Object<WebhookSource>, planned: &Planned, max_payload: usize) -> Option<String> {
    let route = planned.route().filter(|route| route.generation == object.generation && max_payload > 0)?;
    let written = object.value.as_ref().ok()?.spec.limits.as_ref()?.max_body_size.is_some();
    let most = max_payload.saturating_sub(MAX_HEADERS) as u64;
    let max_body = Some(route.limits.max_body).filter(|max_body| written && *max_body > most)?;
    Some(format!(
        "limits.maxBodySize is {max_body} bytes, and NATS takes {max_payload} with headers: larger events are answered 413; raise max_payload of NATS, use --claim-check on, or write at most {most}"
    ))
}

/// What is wrong with a source of which others keep all hosts.
pub(crate) fn displaced(conflicts: &[Conflict]) -> Problems {
    let lost: Vec<String> = conflicts.iter().map(lost).collect();
    let message =
        format!("other sources claim it too, and {}: choose another path, or other spec.hostnames", lost.join("; "));
    Problem::new(Reason::PathConflict, "spec.path", message).into()
}

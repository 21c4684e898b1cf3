//! What status says: conditions from facts, word for word as the contract has them.
//!
//! Pure. Nothing from a request enters it but two instants and one word of ours; no message tells keys, lengths or values of Secrets.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::api::condition::{Problem, Problems, Reason, types};
use crate::api::provider::WebhookProviderStatus;
use crate::api::source::{LastRejected, VerificationStatus, WebhookSourceStatus};
use crate::route::Host;

/// What serves a source on this replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Serving {
    /// The current generation.
    Current,
    /// The last generation that compiled.
    Previous,
    /// Answered 503: a purpose that the method requires has no live secret. The sentence says which.
    Closed(String),
    /// Answered 503: `spec.suspend`.
    Suspended,
    /// Nothing of it.
    Nothing,
}

/// What Accepted says where there is nothing to note.
pub const VALID: &str = "The spec is valid and allowed.";

/// What streams mean for a source: `NoStream`, `NotDurable` or `PartlyCovered`, with the sentence.
pub type Finding = Problem;

/// Everything that a source's status is made of.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// The generation that is judged.
    pub generation: i64,
    /// Whether the spec is valid and allowed.
    pub accepted: Result<(), &'a Problems>,
    /// What its owner should know although it is accepted.
    pub notices: &'a [String],
    /// What is wrong with secretRefs. `None`: the spec cannot be read, so nobody knows them.
    pub refs: Option<&'a [Problem]>,
    /// What serves it.
    pub serving: Serving,
    /// The generation whose route is in the table.
    pub served_generation: Option<i64>,
    /// What streams mean for it. `None` also while NATS was never seen.
    pub finding: Option<&'a Finding>,
    /// Where vendors send.
    pub url: Option<String>,
    /// The path that is claimed.
    pub path: Option<String>,
    /// What proves a request.
    pub verification: Option<VerificationStatus>,
    /// When the last event was accepted, and why the last refused request was refused.
    pub activity: Activity,
}

/// What status tells of requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// When the last delivery was accepted.
    pub accepted: Option<Timestamp>,
    /// When the last request was not accepted, and the metric's word for it.
    pub rejected: Option<(Timestamp, &'static str)>,
}

/// The status of a source. `before` keeps transition times, and the activity that other replicas reported.
pub fn of_source(facts: Facts<'_>, before: Option<&WebhookSourceStatus>, now: Timestamp) -> WebhookSourceStatus {
    let draft = Draft { generation: facts.generation, before: before.map_or(&[], |status| &status.conditions), now };
    let mut conditions = vec![draft.accepted(&facts)];
    conditions.extend(facts.refs.map(|refs| draft.resolved_refs(refs)));
    conditions.push(draft.programmed(&facts));
    conditions.push(draft.ready(&facts, &conditions));
    conditions.extend(draft.stalled(facts.accepted));

    let known = before.and_then(|status| status.last_accepted_time.as_ref()).map(|time| time.0);
    let accepted = facts.activity.accepted.max(known);
    let mine = facts.activity.rejected.map(|(at, reason)| LastRejected { time: Time(at), reason: reason.to_owned() });
    let known = before.and_then(|status| status.last_rejected.clone());
    let rejected = match (mine, known) {
        (Some(mine), Some(known)) => Some(if mine.time.0 >= known.time.0 { mine } else { known }),
        (mine, known) => mine.or(known),
    };
    WebhookSourceStatus {
        observed_generation: Some(facts.generation),
        served_generation: facts.served_generation,
        url: facts.url,
        path: facts.path,
        verification: facts.verification,
        last_accepted_time: accepted.map(Time),
        last_rejected: rejected,
        conditions,
    }
}

/// The status of a provider.
pub fn of_provider(
    generation: i64,
    accepted: Result<&str, &Problems>,
    sources: Option<usize>,
    before: Option<&WebhookProviderStatus>,
    now: Timestamp,
) -> WebhookProviderStatus {
    let draft = Draft { generation, before: before.map_or(&[], |status| &status.conditions), now };
    let mut conditions = vec![match accepted {
        Ok(message) => draft.condition(types::ACCEPTED, true, Reason::Accepted, message),
        Err(problems) => draft.condition(types::ACCEPTED, false, problems.reason(), &problems.to_string()),
    }];
    conditions.extend(draft.stalled(accepted.map(|_| ())));
    WebhookProviderStatus {
        observed_generation: Some(generation),
        conditions,
        sources: sources.map(|sources| i32::try_from(sources).unwrap_or(i32::MAX)),
    }
}

/// Whether two lists of conditions say the same, whenever they began to.
pub fn same_conditions(one: &[Condition], other: &[Condition]) -> bool {
    let said =
        |c: &Condition| (c.type_.clone(), c.status.clone(), c.reason.clone(), c.message.clone(), c.observed_generation);
    // The API server keeps the order of a list map, but is not bound to ours.
    let sorted = |conditions: &[Condition]| {
        let mut all: Vec<_> = conditions.iter().map(said).collect();
        all.sort();
        all
    };
    sorted(one) == sorted(other)
}

/// Whether a source's status needs no writing.
pub fn same_source(one: &WebhookSourceStatus, other: &WebhookSourceStatus) -> bool {
    let rest = |status: &WebhookSourceStatus| WebhookSourceStatus { conditions: Vec::new(), ..status.clone() };
    same_conditions(&one.conditions, &other.conditions) && rest(one) == rest(other)
}

/// Whether a provider's status needs no writing.
pub fn same_provider(one: &WebhookProviderStatus, other: &WebhookProviderStatus) -> bool {
    same_conditions(&one.conditions, &other.conditions)
        && (one.observed_generation, one.sources) == (other.observed_generation, other.sources)
}

/// The condition of a type.
pub fn find<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == type_)
}

/// Where vendors send: below the base URL where its host is one of the source's, else at its first host that is no wildcard, else the
/// path alone.
pub fn url(base: Option<&str>, hosts: &[Host], path: &str) -> String {
    let base_host = base.and_then(|base| base.split_once("://")).map(|(_, rest)| {
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        authority
            .rsplit_once(':')
            .filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()))
            .map_or(authority, |(host, _)| host)
    });
    let claims = |host: &Host| match (host, base_host) {
        (Host::Any, _) => true,
        (Host::Exact(name), Some(base)) => name.eq_ignore_ascii_case(base),
        (Host::Wildcard(parent), Some(base)) => {
            base.split_once('.').is_some_and(|(_, rest)| parent.eq_ignore_ascii_case(rest))
        }
        (_, None) => false,
    };
    if let Some(base) = base
        && hosts.iter().any(claims)
    {
        return format!("{}{path}", base.trim_end_matches('/'));
    }
    let exact = hosts.iter().find_map(|host| match host {
        Host::Exact(name) => Some(name),
        _ => None,
    });
    exact.map_or_else(|| path.to_owned(), |name| format!("https://{name}{path}"))
}

struct Draft<'a> {
    generation: i64,
    before: &'a [Condition],
    now: Timestamp,
}

impl Draft<'_> {
    fn condition(&self, type_: &str, holds: bool, reason: Reason, message: &str) -> Condition {
        let status = if holds { "True" } else { "False" };
        let since = find(self.before, type_)
            .filter(|known| known.status == status)
            .map(|known| known.last_transition_time.clone());
        Condition {
            type_: type_.to_owned(),
            status: status.to_owned(),
            reason: reason.as_str().to_owned(),
            message: message.to_owned(),
            observed_generation: Some(self.generation),
            last_transition_time: since.unwrap_or_else(|| Time(to_the_second(self.now))),
        }
    }

    fn accepted(&self, facts: &Facts<'_>) -> Condition {
        match facts.accepted {
            Err(problems) => self.condition(types::ACCEPTED, false, problems.reason(), &problems.to_string()),
            Ok(()) if facts.notices.is_empty() => self.condition(types::ACCEPTED, true, Reason::Accepted, VALID),
            Ok(()) => {
                let message = format!("{VALID} Note: {}.", facts.notices.join("; "));
                self.condition(types::ACCEPTED, true, Reason::Accepted, &message)
            }
        }
    }

    fn resolved_refs(&self, problems: &[Problem]) -> Condition {
        match problems.first() {
            None => {
                self.condition(types::RESOLVED_REFS, true, Reason::ResolvedRefs, "Every secretRef has a live secret.")
            }
            Some(first) => {
                let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
                self.condition(types::RESOLVED_REFS, false, first.reason, &all.join("; "))
            }
        }
    }

    fn programmed(&self, facts: &Facts<'_>) -> Condition {
        let condition = |holds, reason, message: &str| self.condition(types::PROGRAMMED, holds, reason, message);
        match (&facts.serving, facts.finding) {
            (Serving::Suspended, _) => condition(
                false,
                Reason::Suspended,
                "spec.suspend is true: requests are answered 503 and nothing is published.",
            ),
            (Serving::Nothing, _) => condition(
                false,
                Reason::Invalid,
                "No generation of this source can be served: requests are answered 503 or 404 until Accepted is True.",
            ),
            (Serving::Closed(why), _) => {
                condition(false, Reason::Invalid, &format!("Requests are answered 503: {why}."))
            }
            (_, Some(finding)) if finding.reason != Reason::PartlyCovered => {
                condition(false, finding.reason, &finding.to_string())
            }
            (Serving::Previous, _) => {
                let served = facts.served_generation.unwrap_or_default();
                let message = if served == facts.generation {
                    "The route that this generation compiled to earlier is served until it compiles again: see Accepted.".to_owned()
                } else {
                    format!(
                        "Generation {served}, the last one that was accepted, is served until generation {} can be: see Accepted.",
                        facts.generation
                    )
                };
                condition(true, Reason::PreviousGeneration, &message)
            }
            (Serving::Current, Some(partly)) => condition(true, Reason::PartlyCovered, &partly.to_string()),
            (Serving::Current, None) => condition(true, Reason::Programmed, "The route serves."),
        }
    }

    fn ready(&self, facts: &Facts<'_>, conditions: &[Condition]) -> Condition {
        let programmed = find(conditions, types::PROGRAMMED).is_some_and(|condition| condition.status == "True");
        if facts.accepted.is_ok() && facts.serving == Serving::Current && programmed {
            return self.condition(types::READY, true, Reason::Ready, "The current generation is served.");
        }
        let first = conditions.iter().find(|condition| condition.status == "False");
        let since = find(self.before, types::READY).filter(|known| known.status == "False");
        Condition {
            type_: types::READY.to_owned(),
            status: "False".to_owned(),
            reason: first.map_or(Reason::Invalid.as_str(), |condition| &condition.reason).to_owned(),
            message: first.map(|condition| condition.message.clone()).unwrap_or_default(),
            observed_generation: Some(self.generation),
            last_transition_time: since
                .map_or_else(|| Time(to_the_second(self.now)), |known| known.last_transition_time.clone()),
        }
    }

    fn stalled(&self, accepted: Result<(), &Problems>) -> Option<Condition> {
        let problems = accepted.err()?;
        let message = format!("Nothing but an edit helps: {problems}");
        Some(self.condition(types::STALLED, true, problems.reason(), &message))
    }
}

/// Kubernetes writes times to the second: finer ones would come back different.
fn to_the_second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

#[cfg(test)]
mod tests;

//! Where each condition is judged, one function each: `accepted`, `resolved_refs`, `programmed`, `ready`, `healthy`, `stalled`.
//!
//! Pure: facts become conditions, word for word as the contract has them. Nothing from a request enters them; no message tells keys,
//! lengths or values of Secrets.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use super::facts::{Facts, Serving};
use super::refusals::Health;
use crate::api::condition::{Problem, Problems, Reason, types};

/// What Programmed says of a source that wants a spool where there is none.
const SPOOL_MISSING: &str = "The route serves, but while NATS is away its requests are answered 503: events can only wait in a spool \
                             that outlives the pod (--spool-dir), which this operator has not, or where --spool-volatile allows it.";
/// What Healthy says where nothing is known against it.
const ACCEPTS: &str = "Deliveries were accepted, and not all that came since was refused.";
/// What Accepted says where there is nothing to note.
pub(crate) const VALID: &str = "The spec is valid and allowed.";

/// The conditions of a source. `before`: those that keep their transition times.
pub(crate) fn of_source(facts: &Facts, before: &[Condition], now: Timestamp) -> Vec<Condition> {
    let draft = Draft { generation: facts.generation, before, now };
    let mut conditions = vec![draft.accepted(facts)];
    conditions.extend(facts.refs.as_ref().map(|refs| draft.resolved_refs(refs, &facts.ended)));
    conditions.push(draft.programmed(facts));
    conditions.push(draft.ready(facts));
    conditions.extend(facts.health.as_ref().map(|health| draft.healthy(health)));
    conditions.extend(draft.stalled(facts.accepted.as_ref().err()));
    conditions
}

/// The conditions of a provider.
pub(crate) fn of_provider(
    generation: i64,
    accepted: Result<(), &Problems>,
    before: &[Condition],
    now: Timestamp,
) -> Vec<Condition> {
    let draft = Draft { generation, before, now };
    let mut conditions = vec![match accepted {
        Ok(()) => {
            draft.condition(types::ACCEPTED, true, Reason::Accepted, "The definition is valid, and sources can use it.")
        }
        Err(problems) => draft.condition(types::ACCEPTED, false, problems.reason(), &problems.to_string()),
    }];
    conditions.extend(draft.stalled(accepted.err()));
    conditions
}

/// The condition of a type.
pub(crate) fn find<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == type_)
}

/// Whether two lists of conditions say the same, whenever they began to, in whatever order.
pub(crate) fn same(one: &[Condition], other: &[Condition]) -> bool {
    let said = |c: &Condition, d: &Condition| {
        (&c.status, &c.reason, &c.message, c.observed_generation)
            == (&d.status, &d.reason, &d.message, d.observed_generation)
    };
    one.len() == other.len() && one.iter().all(|c| find(other, &c.type_).is_some_and(|d| said(c, d)))
}

/// What is worth a line of the log: readiness, what is to be noted, and whatever is not as it should be.
pub(crate) fn news(before: &[Condition], after: &[Condition]) -> Vec<Condition> {
    let said = |condition: &Condition| (condition.status.clone(), condition.reason.clone(), condition.message.clone());
    let ready = find(after, types::READY).map(|ready| ready.message.as_str());
    let worth = |condition: &&Condition| {
        let changed = find(before, &condition.type_).map(said) != Some(said(condition));
        let noted = condition.type_ == types::ACCEPTED && condition.message != VALID;
        let regular = condition.type_ == condition.reason && !noted;
        // The message of Ready is that of the condition that is not.
        let told = condition.type_ != types::READY && Some(condition.message.as_str()) == ready;
        // That it is healthy again is news too.
        let regular = regular && !(condition.type_ == types::HEALTHY && find(before, types::HEALTHY).is_some());
        changed && !told && condition.type_ != types::STALLED && (condition.type_ == types::READY || !regular)
    };
    after.iter().filter(worth).cloned().collect()
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

    fn accepted(&self, facts: &Facts) -> Condition {
        match &facts.accepted {
            Err(problems) => self.condition(types::ACCEPTED, false, problems.reason(), &problems.to_string()),
            Ok(()) => self.condition(types::ACCEPTED, true, Reason::Accepted, &noted(VALID, &facts.notices)),
        }
    }

    fn resolved_refs(&self, problems: &[Problem], ended: &[String]) -> Condition {
        match problems.first() {
            None => {
                let message = noted("Every secretRef that counts has a live secret.", ended);
                self.condition(types::RESOLVED_REFS, true, Reason::ResolvedRefs, &message)
            }
            Some(first) => {
                let all: Vec<String> = problems.iter().map(ToString::to_string).chain(ended.iter().cloned()).collect();
                self.condition(types::RESOLVED_REFS, false, first.reason, &all.join("; "))
            }
        }
    }

    fn programmed(&self, facts: &Facts) -> Condition {
        let condition = |holds, reason, message: &str| self.condition(types::PROGRAMMED, holds, reason, message);
        match (&facts.serving, &facts.finding) {
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
                condition(false, finding.reason, &finding.message)
            }
            (Serving::Previous, _) => condition(true, Reason::PreviousGeneration, &previous(facts)),
            (Serving::Current, Some(partly)) => condition(true, Reason::PartlyCovered, &partly.message),
            (Serving::Current, None) if facts.spool_missing => condition(true, Reason::SpoolMissing, SPOOL_MISSING),
            (Serving::Current, None) => condition(true, Reason::Programmed, "The route serves."),
        }
    }

    /// True when the current generation is served, else the reason of what stops it.
    fn ready(&self, facts: &Facts) -> Condition {
        let not = |reason, message: &str| self.condition(types::READY, false, reason, message);
        if let Err(problems) = &facts.accepted {
            return not(problems.reason(), &problems.to_string());
        }
        if let (Some(held), false) = (&facts.held, facts.serving == Serving::Suspended) {
            return not(held.reason, &held.message);
        }
        match (&facts.serving, &facts.finding) {
            (Serving::Closed(why), _) => match facts.refs.iter().flatten().next() {
                Some(first) => not(first.reason, &first.to_string()),
                None => not(Reason::Invalid, why),
            },
            (Serving::Current, None) => {
                self.condition(types::READY, true, Reason::Ready, "The current generation is served.")
            }
            (Serving::Current, Some(partly)) if partly.reason == Reason::PartlyCovered => {
                self.condition(types::READY, true, Reason::Ready, "The current generation is served.")
            }
            // Of what else stops it, Programmed tells.
            _ => Condition { type_: types::READY.to_owned(), ..self.programmed(facts) },
        }
    }

    /// Whether a source that accepted deliveries still does, as far as anything comes.
    fn healthy(&self, health: &Health) -> Condition {
        match health {
            Health::Good => self.condition(types::HEALTHY, true, Reason::Healthy, ACCEPTS),
            Health::AllRefused(since) => self.condition(types::HEALTHY, false, Reason::AllRefused, since),
        }
    }

    /// Only while nothing but an edit of this object helps: a provider may come, and other sources may go.
    fn stalled(&self, problems: Option<&Problems>) -> Option<Condition> {
        let all = problems?;
        let own = |problem: &&Problem| {
            !matches!(problem.reason, Reason::UnknownProvider | Reason::PathConflict | Reason::QuotaExceeded)
        };
        let first = all.iter().find(own)?;
        Some(self.condition(types::STALLED, true, first.reason, &format!("Nothing but an edit helps: {all}")))
    }
}

fn previous(facts: &Facts) -> String {
    let (served, current) = (facts.served_generation.unwrap_or_default(), facts.generation);
    if served == current {
        return "The route that this generation compiled to earlier is served until it compiles again: see Accepted."
            .to_owned();
    }
    let until = match &facts.held {
        Some(held) => held.message.clone(),
        None => "see Accepted.".to_owned(),
    };
    format!(
        "Generation {served}, the last one that could be served, is served until generation {current} can be: {until}"
    )
}

fn noted(sentence: &str, notes: &[String]) -> String {
    match notes {
        [] => sentence.to_owned(),
        notes => format!("{sentence} Note: {}.", notes.join("; ")),
    }
}

/// Kubernetes writes times to the second: finer ones would come back different.
fn to_the_second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

#[cfg(test)]
mod tests;

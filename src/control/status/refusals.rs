//! Whether a source that accepted before refuses everything by now: a run of refusals over all replicas, and what the vendor may do then.
//!
//! Pure. Each replica counts its own and tells the others what came since it told last; one delivery that is accepted anywhere ends the run.
//! A message that was lost makes a run look shorter, never longer.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde::{Deserialize, Serialize};

use crate::api::duration::DurationString;
use crate::api::provider::Disables;
use crate::metrics::SourceMetrics;

/// How many requests a run has at least before status tells of it.
const REQUESTS: u64 = 5;
/// How long it lasts at least.
const LASTS: i64 = 15 * 60;
/// Status says something else of it once in this time at most.
const CHANGES: SignedDuration = SignedDuration::from_mins(1);
/// An acceptance may be heard of this much later than a run was told of.
const LATE: SignedDuration = SignedDuration::from_mins(1);

/// Requests that were all refused, one after the other. Times in Unix seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// How many.
    count: u64,
    /// When the first was counted.
    since: i64,
    /// When the last was.
    last: i64,
}

impl Run {
    /// Takes in more of them. What began before a delivery was accepted counts for nothing.
    pub(crate) fn add(&mut self, more: Self, accepted: Option<Timestamp>) {
        if more.count == 0 || accepted.is_some_and(|at| at.as_second() >= more.since) {
            return;
        }
        *self = match self.count {
            0 => more,
            count => Self {
                count: count.saturating_add(more.count),
                since: self.since.min(more.since),
                last: self.last.max(more.last),
            },
        };
    }

    /// A delivery was accepted.
    pub(crate) fn end(&mut self, accepted: Timestamp) {
        if accepted.as_second() >= self.since {
            *self = Self::default();
        }
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// What of it does not lie in the future.
    pub(crate) fn until(self, second: i64) -> Self {
        if self.since <= self.last && self.last <= second { self } else { Self::default() }
    }

    /// As many letters as there can be.
    #[cfg(test)]
    pub(crate) fn longest() -> Self {
        Self { count: u64::MAX, since: i64::MIN, last: i64::MIN }
    }

    fn is_long(&self) -> bool {
        self.count >= REQUESTS && self.last.saturating_sub(self.since) >= LASTS
    }
}

/// What was refused of a source's requests.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Refusals {
    /// Over all replicas.
    run: Run,
    /// On this one, since it told the others.
    untold: Run,
    /// What this replica counted in all.
    counted: u64,
    /// When the run had as many as the vendor needs to stop sending.
    enough: Option<i64>,
    /// A delivery was accepted since this replica counted last: what it refused meanwhile may have been before that.
    ended: bool,
    /// When status began to say what it says.
    changed: Option<Timestamp>,
}

impl Refusals {
    /// Takes in what this replica counted. Returns whether that is news for the others.
    pub(crate) fn advance(&mut self, metrics: &SourceMetrics, accepted: Option<Timestamp>, now: Timestamp) -> bool {
        let counted = metrics.refused();
        // Counters begin anew where they were dropped with the source's last route.
        let count = counted.checked_sub(self.counted).unwrap_or(counted);
        self.counted = counted;
        let second = now.as_second();
        if std::mem::take(&mut self.ended) || count == 0 {
            return false;
        }
        let more = Run { count, since: second, last: second };
        self.untold.add(more, accepted);
        self.hear(more, accepted);
        true
    }

    /// Takes in what another replica counted since it told last.
    pub(crate) fn hear(&mut self, more: Run, accepted: Option<Timestamp>) {
        self.run.add(more, accepted);
    }

    /// A delivery was accepted, here or by another replica.
    pub(crate) fn end(&mut self, accepted: Timestamp) {
        self.ended = true;
        self.run.end(accepted);
        self.untold.end(accepted);
        if self.run.is_empty() {
            self.enough = None;
        }
    }

    /// What the others do not know yet. They are told.
    pub(crate) fn tell(&mut self) -> Run {
        std::mem::take(&mut self.untold)
    }

    /// Status says something else from now on.
    pub(crate) fn change(&mut self, now: Timestamp) {
        self.changed = Some(now);
    }

    /// What is to be said of a source that accepted a delivery at some time. `known`: the condition that stands.
    pub(crate) fn judge(
        &mut self,
        accepted: Timestamp,
        vendor: Option<(&str, &Disables)>,
        known: Option<&Condition>,
        now: Timestamp,
    ) -> Health {
        if let Some((_, disables)) = vendor
            && self.enough.is_none()
            && self.run.count >= u64::from(disables.failures.unwrap_or(1))
        {
            self.enough = Some(self.run.last);
        }
        let told = known.map(|known| match &*known.status {
            "False" => Health::AllRefused(known.message.clone()),
            _ => Health::Good,
        });
        let refused = told.as_ref().is_some_and(|told| *told != Health::Good);
        let health = match known {
            _ if self.run.is_long() => Health::AllRefused(self.sentence(vendor)),
            // A replica that starts later knows of no run, and goes on from what was said.
            Some(known) if refused && accepted < known.last_transition_time.0 - LATE => {
                Health::AllRefused(known.message.clone())
            }
            _ => Health::Good,
        };
        let since = self.changed.or(known.map(|known| known.last_transition_time.0));
        match told {
            Some(told) if since.is_some_and(|since| now < since + CHANGES) => told,
            _ => health,
        }
    }

    fn sentence(&self, vendor: Option<(&str, &Disables)>) -> String {
        let at = |second| Timestamp::from_second(second).unwrap_or_default();
        let mut sentence = format!(
            "Every request since {} was refused, of a source that accepted deliveries before: status.lastRejected says why.",
            at(self.run.since)
        );
        let Some((name, disables)) = vendor else { return sentence };
        sentence.push_str(&format!(" {name} stops sending {disables}"));
        let after = disables.after.as_ref().and_then(DurationString::get).unwrap_or_default();
        let after = i64::try_from(after.as_secs()).unwrap_or(i64::MAX);
        match self.enough {
            Some(enough) => {
                let at = at(enough.max(self.run.since.saturating_add(after)));
                sentence.push_str(&format!(", as early as {at}: look there whether the webhook is still switched on."));
            }
            None => sentence.push('.'),
        }
        sentence
    }
}

/// How a source that accepted a delivery at some time fares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    /// Nothing is known against it.
    Good,
    /// All its requests were refused; the sentence says since when.
    AllRefused(String),
}

#[cfg(test)]
mod tests;

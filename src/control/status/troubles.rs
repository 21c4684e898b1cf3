//! What status notes of a source's requests although it is served: filters that fail on every event, content that was left out, a
//! proxy that nobody named.
//!
//! Each replica knows its own; they tell each other, as of requests. Counts and instants alone, never anything from a request.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::metrics::SourceMetrics;

/// For how long what one replica saw of a filter counts against what another sees, in seconds.
const DISPROVED: i64 = 600;
/// For how long content that was left out, or a proxy that nobody named, is noted.
const NOTED: Duration = Duration::from_secs(24 * 60 * 60);

/// What is noted of a source's events. Times in Unix seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Troubles {
    /// When events were judged last, and whether a filter failed on every one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failing: Option<(i64, bool)>,
    /// When an event went out without the vendor's item last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    omitted: Option<i64>,
    /// When a proven request came through a proxy last that `--trusted-proxies` does not name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    forwarded: Option<i64>,
}

/// Counts of one generation on this replica, from which follows whether filters fail on every event.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    generation: i64,
    events: u64,
    unjudged: u64,
    omitted: u64,
    forwarded: u64,
}

impl Counts {
    /// Takes in what was counted since; `None` where no event came.
    pub(crate) fn advance(&mut self, metrics: &SourceMetrics, generation: i64, now: Timestamp) -> Option<Troubles> {
        let next = Self {
            generation,
            events: metrics.all_events(),
            unjudged: metrics.unjudged(),
            omitted: metrics.omitted(),
            forwarded: metrics.forwarded(),
        };
        // Counters begin anew where they were dropped with the source's last route.
        let another = self.generation != 0 && self.generation != generation;
        self.generation = generation;
        if another || next.events < self.events {
            let anew = next.events < self.events;
            let (omitted, forwarded) = if anew { (0, 0) } else { (self.omitted, self.forwarded) };
            *self = Self { omitted, forwarded, ..next };
        }
        let second = now.as_second();
        let mut seen = Troubles::default();
        if next.omitted > self.omitted {
            (self.omitted, seen.omitted) = (next.omitted, Some(second));
        }
        if next.forwarded > self.forwarded {
            (self.forwarded, seen.forwarded) = (next.forwarded, Some(second));
        }
        let events = next.events - self.events;
        if events > 0 {
            let every = next.unjudged.saturating_sub(self.unjudged) >= events;
            seen.failing = Some((second, every));
            // What was judged is counted from here, what was not from the first of them: an event at the border misleads nobody for long.
            if !every {
                (self.events, self.unjudged) = (next.events, next.unjudged);
            }
        }
        Some(seen).filter(|seen| *seen != Troubles::default())
    }
}

impl Troubles {
    /// Takes in what was seen, here or by another replica. One event that was judged disproves for a while that all fail.
    pub fn merge(&mut self, seen: Self) {
        self.omitted = self.omitted.max(seen.omitted);
        self.forwarded = self.forwarded.max(seen.forwarded);
        self.failing = match (self.failing, seen.failing) {
            (Some((at, false)), Some((later, true))) if later < at + DISPROVED => Some((at, false)),
            (Some((at, _)), Some((earlier, _))) if earlier < at => self.failing,
            (known, seen) => seen.or(known),
        };
    }

    /// What of it does not lie in the future.
    pub fn until(self, second: i64) -> Self {
        let past = |at: &i64| *at <= second;
        Self {
            failing: self.failing.filter(|(at, _)| past(at)),
            omitted: self.omitted.filter(past),
            forwarded: self.forwarded.filter(past),
        }
    }

    /// As many letters as there can be.
    #[cfg(test)]
    pub fn longest() -> Self {
        Self { failing: Some((i64::MIN, false)), omitted: Some(i64::MIN), forwarded: Some(i64::MIN) }
    }

    /// A new generation has other filters.
    pub fn forget_filters(&mut self) {
        self.failing = None;
    }

    /// In words.
    pub fn notices(&self, now: Timestamp) -> Vec<String> {
        let mut notices = Vec::new();
        if self.failing.is_some_and(|(_, every)| every) {
            notices.push(
                "a filter of this source fails on every event, such as at a member that is not there: compare it with an event (`hookgate tail`), and test with has()"
                    .to_owned(),
            );
        }
        let since = now.as_second().saturating_sub_unsigned(NOTED.as_secs());
        if self.forwarded.is_some_and(|at| at > since) {
            notices.push(
                "requests come through a proxy that --trusted-proxies does not name (X-Forwarded-For): all senders behind it share the budgets of one address, so name it"
                    .to_owned(),
            );
        }
        if self.omitted.is_some_and(|at| at > since) {
            notices.push(
                "events too large for NATS went out without `original` (ce-omitted) within the last day: raise max_payload of NATS, or use --claim-check on"
                    .to_owned(),
            );
        }
        notices
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{EventResult, Metrics};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    #[test]
    fn a_filter_that_fails_on_every_event_is_noted_until_it_judges_one() {
        let metrics = Metrics::new().source("sales", "calls", "xosum");
        let (mut counts, mut troubles) = (Counts::default(), Troubles::default());
        let mut step = |second: i64, generation, events: &[bool]| {
            for failed in events {
                metrics.count_unjudged(u64::from(*failed));
                metrics.count_events(if *failed { EventResult::Rejected } else { EventResult::Stored }, 1);
            }
            if let Some(seen) = counts.advance(&metrics, generation, at(second)) {
                troubles.merge(seen);
            }
            troubles.notices(at(second)).len()
        };
        assert_eq!(step(0, 1, &[]), 0);
        assert_eq!(step(10, 1, &[true]), 1);
        assert_eq!(step(20, 1, &[]), 1, "no event, no news");
        assert_eq!(step(30, 1, &[true, true]), 1);
        assert_eq!(step(40, 1, &[true, false]), 0);
        assert_eq!(step(50, 1, &[true]), 0, "one that was judged a moment ago disproves it");
        assert_eq!(step(700, 1, &[true]), 1);
        assert_eq!(step(710, 2, &[]), 1);
        assert_eq!(step(720, 2, &[false]), 0);
    }

    #[test]
    fn content_that_was_left_out_is_noted_for_a_day() {
        let metrics = Metrics::new().source("sales", "calls", "xosum");
        let (mut counts, mut troubles) = (Counts::default(), Troubles::default());
        counts.advance(&metrics, 1, at(0));
        metrics.count_omitted();
        troubles.merge(counts.advance(&metrics, 1, at(10)).unwrap());
        assert_eq!(counts.advance(&metrics, 1, at(20)), None);
        assert_eq!(troubles.notices(at(86_000)).len(), 1);
        assert_eq!(troubles.notices(at(86_500)).len(), 0);
    }

    #[test]
    fn a_proxy_that_nobody_named_is_noted_for_a_day() {
        let metrics = Metrics::new().source("sales", "calls", "xosum");
        let (mut counts, mut troubles) = (Counts::default(), Troubles::default());
        metrics.count_forwarded();
        troubles.merge(counts.advance(&metrics, 1, at(0)).unwrap());
        assert!(troubles.notices(at(10))[0].contains("--trusted-proxies"));
        assert_eq!(counts.advance(&metrics, 1, at(20)), None, "no request, no news");
        assert!(troubles.notices(at(86_500)).is_empty());
    }

    #[test]
    fn what_another_replica_saw_counts_and_the_future_does_not() {
        let seen = |failing, omitted| Troubles { failing: Some(failing), omitted, forwarded: omitted };
        let mut mine = seen((10, true), None);
        mine.merge(seen((5, false), Some(5)));
        assert_eq!(mine, seen((10, true), Some(5)));
        mine.merge(seen((11, false), None).until(11));
        mine.merge(seen((12, true), Some(99)).until(12));
        assert_eq!(mine, seen((11, false), Some(5)));
    }
}

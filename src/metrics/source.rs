//! The counters of one source, and the two facts about its requests that status shows.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::outcome::{EventResult, Outcome};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    namespace: String,
    source: String,
    provider: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct SourceLabels {
    namespace: String,
    source: String,
    provider: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EventLabels {
    namespace: String,
    source: String,
    provider: String,
    result: &'static str,
}

type Key = (String, String, String);

impl SourceLabels {
    pub(super) fn of((namespace, source, provider): Key) -> Self {
        Self { namespace, source, provider }
    }
}

/// The families that sources have series in.
#[derive(Clone, Debug)]
pub(super) struct Families {
    requests: Family<RequestLabels, Counter>,
    events: Family<EventLabels, Counter>,
    filter_errors: Family<SourceLabels, Counter>,
    omitted: Family<SourceLabels, Counter>,
    claimed: Family<SourceLabels, Counter>,
    known: Arc<Mutex<HashMap<Key, Weak<SourceMetrics>>>>,
}

impl Families {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let requests = Family::<RequestLabels, Counter>::default();
        registry.register("requests", "Requests by how they ended", requests.clone());
        let events = Family::<EventLabels, Counter>::default();
        registry.register("events", "Events by what became of them", events.clone());
        let filter_errors = Family::<SourceLabels, Counter>::default();
        registry.register("filter_errors", "Filters that could not be judged", filter_errors.clone());
        let omitted = Family::<SourceLabels, Counter>::default();
        registry.register(
            "events_omitted",
            "Events too large with the vendor's item, sent without it",
            omitted.clone(),
        );
        let claimed = Family::<SourceLabels, Counter>::default();
        registry.register("events_claimed", "Events whose data went to an object store", claimed.clone());
        Self { requests, events, filter_errors, omitted, claimed, known: Arc::default() }
    }

    pub(super) fn source(&self, namespace: &str, source: &str, provider: &str) -> Arc<SourceMetrics> {
        let key = (namespace.to_owned(), source.to_owned(), provider.to_owned());
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(metrics) = known.get(&key).and_then(Weak::upgrade) {
            return metrics;
        }
        let metrics = Arc::new(SourceMetrics {
            key: key.clone(),
            families: self.clone(),
            requests: [const { OnceLock::new() }; Outcome::ALL.len()],
            events: Default::default(),
            filter_errors: OnceLock::new(),
            omitted: OnceLock::new(),
            claimed: OnceLock::new(),
            unjudged: AtomicU64::new(0),
            forwarded: AtomicU64::new(0),
            last_accepted: AtomicI64::new(0),
            last_rejected: AtomicU64::new(0),
        });
        known.insert(key, Arc::downgrade(&metrics));
        metrics
    }
}

/// The counters of one source. A counter enters the registry when it counts for the first time.
#[derive(Debug)]
pub struct SourceMetrics {
    key: Key,
    families: Families,
    requests: [OnceLock<Counter>; Outcome::ALL.len()],
    events: [OnceLock<Counter>; EventResult::ALL.len()],
    filter_errors: OnceLock<Counter>,
    omitted: OnceLock<Counter>,
    claimed: OnceLock<Counter>,
    /// Events of which a filter could not be judged.
    unjudged: AtomicU64,
    /// Proven requests that came through a proxy that nobody named.
    forwarded: AtomicU64,
    /// Unix seconds; 0: never.
    last_accepted: AtomicI64,
    /// Unix seconds shifted by 8, and the position of the outcome; 0: never.
    last_rejected: AtomicU64,
}

impl SourceMetrics {
    /// Counts one request.
    pub fn count(&self, outcome: Outcome) {
        let (namespace, source, provider) = &self.key;
        self.requests[outcome as usize]
            .get_or_init(|| {
                self.families.requests.get_or_create_owned(&RequestLabels {
                    namespace: namespace.clone(),
                    source: source.clone(),
                    provider: provider.clone(),
                    outcome: outcome.as_str(),
                })
            })
            .inc();
    }

    /// Counts events.
    pub fn count_events(&self, result: EventResult, events: u64) {
        if events == 0 {
            return;
        }
        let (namespace, source, provider) = &self.key;
        self.events[result as usize]
            .get_or_init(|| {
                self.families.events.get_or_create_owned(&EventLabels {
                    namespace: namespace.clone(),
                    source: source.clone(),
                    provider: provider.clone(),
                    result: result.as_str(),
                })
            })
            .inc_by(events);
    }

    /// Counts filters that could not be judged: of `events`, or of a rule.
    pub fn count_filter_errors(&self, errors: u64) {
        if errors > 0 {
            let register = || self.families.filter_errors.get_or_create_owned(&self.labels());
            self.filter_errors.get_or_init(register).inc_by(errors);
        }
    }

    /// Remembers events of which a filter could not be judged, for status.
    pub fn count_unjudged(&self, events: u64) {
        self.unjudged.fetch_add(events, Ordering::Relaxed);
    }

    /// Of how many events a filter could not be judged.
    pub fn unjudged(&self) -> u64 {
        self.unjudged.load(Ordering::Relaxed)
    }

    /// Counts a request whose proof held, and that a proxy forwarded which `--trusted-proxies` does not name.
    pub fn count_forwarded(&self) {
        self.forwarded.fetch_add(1, Ordering::Relaxed);
    }

    /// How many proven requests came through a proxy that `--trusted-proxies` does not name: more than none, and all who
    /// come through it share the budgets of one address.
    pub fn forwarded(&self) -> u64 {
        self.forwarded.load(Ordering::Relaxed)
    }

    /// Counts an event that went out without the vendor's item.
    pub fn count_omitted(&self) {
        self.omitted.get_or_init(|| self.families.omitted.get_or_create_owned(&self.labels())).inc();
    }

    /// Counts an event whose data lies in an object store.
    pub fn count_claimed(&self) {
        self.claimed.get_or_init(|| self.families.claimed.get_or_create_owned(&self.labels())).inc();
    }

    fn labels(&self) -> SourceLabels {
        SourceLabels::of(self.key.clone())
    }

    /// Remembers that a delivery was accepted, for status.
    pub fn accepted(&self, at: Timestamp) {
        self.last_accepted.store(at.as_second(), Ordering::Relaxed);
    }

    /// Remembers that a request was not accepted, for status.
    pub fn rejected(&self, at: Timestamp, outcome: Outcome) {
        let seconds = u64::try_from(at.as_second()).unwrap_or(0);
        self.last_rejected.store(seconds << 8 | u64::from(outcome as u8), Ordering::Relaxed);
    }

    /// When the last delivery was accepted, to the second.
    pub fn last_accepted(&self) -> Option<Timestamp> {
        Some(self.last_accepted.load(Ordering::Relaxed)).filter(|s| *s > 0).and_then(|s| Timestamp::from_second(s).ok())
    }

    /// When the last request was not accepted, to the second, and why.
    pub fn last_rejected(&self) -> Option<(Timestamp, Outcome)> {
        let packed = Some(self.last_rejected.load(Ordering::Relaxed)).filter(|packed| *packed > 0)?;
        let seconds = i64::try_from(packed >> 8).ok()?;
        Some((Timestamp::from_second(seconds).ok()?, Outcome::at((packed & 0xff) as u8)?))
    }

    /// How many requests ended so.
    pub fn requests(&self, outcome: Outcome) -> u64 {
        self.requests[outcome as usize].get().map_or(0, Counter::get)
    }

    /// How many requests that may have been deliveries were not accepted.
    pub fn refused(&self) -> u64 {
        Outcome::ALL.iter().filter(|outcome| outcome.is_refusal()).map(|outcome| self.requests(*outcome)).sum()
    }

    /// How many filters could not be judged.
    pub fn filter_errors(&self) -> u64 {
        self.filter_errors.get().map_or(0, Counter::get)
    }

    /// How many events went out without the vendor's item.
    pub fn omitted(&self) -> u64 {
        self.omitted.get().map_or(0, Counter::get)
    }

    /// How many events have their data in an object store.
    pub fn claimed(&self) -> u64 {
        self.claimed.get().map_or(0, Counter::get)
    }

    /// How many events there were.
    pub fn all_events(&self) -> u64 {
        self.events.iter().filter_map(OnceLock::get).map(Counter::get).sum()
    }

    /// How many events became this.
    pub fn events(&self, result: EventResult) -> u64 {
        self.events[result as usize].get().map_or(0, Counter::get)
    }
}

impl Drop for SourceMetrics {
    fn drop(&mut self) {
        let mut known = self.families.known.lock().unwrap_or_else(PoisonError::into_inner);
        // Somebody may have asked for the same source between the last holder's drop and this line: the series are theirs.
        if known.get(&self.key).is_some_and(|metrics| metrics.strong_count() > 0) {
            return;
        }
        known.remove(&self.key);
        let (namespace, source, provider) = &self.key;
        self.families.filter_errors.remove(&self.labels());
        self.families.omitted.remove(&self.labels());
        self.families.claimed.remove(&self.labels());
        for outcome in Outcome::ALL.iter().copied().filter(|o| self.requests[*o as usize].get().is_some()) {
            self.families.requests.remove(&RequestLabels {
                namespace: namespace.clone(),
                source: source.clone(),
                provider: provider.clone(),
                outcome: outcome.as_str(),
            });
        }
        for result in EventResult::ALL.iter().copied() {
            self.families.events.remove(&EventLabels {
                namespace: namespace.clone(),
                source: source.clone(),
                provider: provider.clone(),
                result: result.as_str(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    #[test]
    fn status_learns_when_and_why_and_nothing_else() {
        let source = Metrics::new().source("sales", "calls", "xosum");
        assert_eq!((source.last_accepted(), source.last_rejected()), (None, None));
        let at: Timestamp = "2026-11-25T00:54:21.5Z".parse().unwrap();
        source.rejected(at, Outcome::BadSignature);
        source.accepted(at);
        let second: Timestamp = "2026-11-25T00:54:21Z".parse().unwrap();
        assert_eq!(source.last_rejected(), Some((second, Outcome::BadSignature)));
        assert_eq!(source.last_accepted(), Some(second));
    }
}

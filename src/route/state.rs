//! What changes about a source: its counters, its budgets and its rate. By uid, so that it outlives every new compilation.
//!
//! A route holds it and nothing else that changes; it goes with the last route or claim of its source.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::budget::Budget;
use super::known::Known as KnownAddresses;
use super::rate::Rate;
use super::repeats::Repeats;
use super::share::Shares;
use super::tenant::{Tenant, Tenants};
use crate::metrics::{Metrics, SourceMetrics};

/// The state of one source.
#[derive(Debug)]
pub struct SourceState {
    /// What is counted about it.
    pub metrics: Arc<SourceMetrics>,
    /// What the sources of its namespace hold together.
    pub tenant: Arc<Tenant>,
    /// Requests in work.
    pub in_flight: Budget,
    /// Bytes of bodies in work.
    pub bytes: Budget,
    /// What strangers hold of both, and addresses that proved something lately.
    unproven: [Unproven; 2],
    /// Addresses whose proofs held lately.
    pub known: KnownAddresses,
    /// Requests whose proof held.
    pub rate: Rate,
    /// What was said of its requests lately.
    pub lines: Repeats,
}

/// Who sends, before the proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Nobody knows.
    Stranger,
    /// An address of which a proof held lately.
    Known,
}

/// What requests without proof hold.
#[derive(Debug, Default)]
pub struct Unproven {
    /// Requests.
    pub places: Shares,
    /// Bytes of bodies.
    pub bytes: Budget,
}

impl SourceState {
    /// What a class holds.
    pub fn unproven(&self, class: Class) -> &Unproven {
        &self.unproven[class as usize]
    }

    fn new(metrics: Arc<SourceMetrics>, tenant: Arc<Tenant>) -> Self {
        Self {
            metrics,
            tenant,
            in_flight: Budget::default(),
            bytes: Budget::default(),
            unproven: Default::default(),
            known: KnownAddresses::default(),
            rate: Rate::default(),
            lines: Repeats::default(),
        }
    }
}

/// A source's uid and provider: another vendor is another source as far as counting goes.
type Key = (Box<str>, Box<str>);

/// The states of all sources that somebody serves.
#[derive(Clone, Debug)]
pub struct Sources {
    metrics: Metrics,
    known: Arc<Mutex<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    states: HashMap<Key, Weak<SourceState>>,
    /// How many there were after the ended ones had last been taken out.
    left: usize,
    tenants: Tenants,
}

impl Sources {
    /// None yet; each will count in that registry.
    pub fn new(metrics: Metrics) -> Self {
        Self { metrics, known: Arc::default() }
    }

    /// The registry.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The state of a source: the same for as long as anybody holds it.
    pub fn state(&self, uid: &str, namespace: &str, name: &str, provider: &str) -> Arc<SourceState> {
        let key = (Box::from(uid), Box::from(provider));
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(state) = known.states.get(&key).and_then(Weak::upgrade) {
            return state;
        }
        // What ended is taken out when there is twice as much as was left: a source then costs no more than one look.
        if known.states.len() > 2 * known.left + 16 {
            known.states.retain(|_, state| state.strong_count() > 0);
            known.left = known.states.len();
        }
        let tenant = known.tenants.of(namespace);
        let state = Arc::new(SourceState::new(self.metrics.source(namespace, name, provider), tenant));
        known.states.insert(key, Arc::downgrade(&state));
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_keeps_its_state_while_anybody_serves_it_and_no_longer() {
        let sources = Sources::new(Metrics::new());
        let first = sources.state("uid-1", "sales", "calls", "xosum");
        let _held = first.in_flight.take(1, 1).unwrap();
        let second = sources.state("uid-1", "sales", "calls", "xosum");
        assert!(second.in_flight.take(1, 1).is_none(), "a new route is no second allowance");
        assert!(sources.state("uid-2", "sales", "calls", "xosum").in_flight.take(1, 1).is_some(), "another source");
        drop(second);
        let metrics = Arc::downgrade(&first.metrics);
        drop(_held);
        drop(first);
        assert!(metrics.upgrade().is_none());
        for n in 0..1000 {
            sources.state(&format!("uid-{n}"), "sales", "calls", "xosum");
        }
        assert!(sources.known.lock().unwrap().states.len() < 40, "what ended is forgotten");
    }
}

//! One source as it is served.

use std::sync::Arc;

use jiff::Timestamp;

use super::good::Good;
use super::inputs::Inputs;
use crate::api::condition::{Problem, Problems};
use crate::api::source::WebhookSource;
use crate::control::compile::{Compiled, Notice};
use crate::control::resolve::Resolved;
use crate::route::{Conflict, Entry, Route};

/// One source as it is served.
#[derive(Debug)]
pub(crate) struct Planned {
    /// The generation that was judged last.
    pub generation: i64,
    /// Whether it compiled and is allowed.
    pub accepted: Result<(), Problems>,
    /// Why it is held back although it is accepted: no durable stream takes what it publishes, and the former has one.
    pub held: Option<Problem>,
    /// What is wrong with its secretRefs, what closes it first; `None` where the spec cannot be read.
    pub refs: Option<Vec<Problem>>,
    /// Ends of refs that are past while others of their purpose live.
    pub ended: Vec<Problem>,
    /// What its owner should know although it is served.
    pub notices: Vec<Notice>,
    /// Whether Secrets it refers to were not read yet, so that nothing can be said of it.
    pub pending: bool,
    /// What stands in the table for it.
    pub entry: Option<Entry>,
    /// Hosts that others keep.
    pub conflicts: Vec<Conflict>,
    /// Whether Secrets that only its last good spec refers to were not read yet.
    pub(super) awaited: bool,
    pub(super) good: Option<Good>,
    pub(super) inputs: Inputs,
    pub(super) expiry: Option<Timestamp>,
}

impl Planned {
    pub(super) fn serve(&mut self, compiled: Compiled, resolved: &Resolved) {
        self.expiry = resolved.next_expiry();
        self.entry = Some(Entry::Served(Arc::new(compiled.route)));
    }

    /// The route that serves, unless older sources keep all of its hosts.
    pub(crate) fn route(&self) -> Option<&Arc<Route>> {
        match &self.entry {
            Some(Entry::Served(route)) if !self.is_displaced() => Some(route),
            _ => None,
        }
    }

    /// Whether older sources keep all of its hosts.
    pub(crate) fn is_displaced(&self) -> bool {
        self.conflicts.iter().any(|conflict| conflict.none_left)
    }

    /// Whether a Secret that it needs was not read yet.
    pub(super) fn waits(&self) -> bool {
        self.pending || self.awaited
    }

    /// Whether an older generation than the current one is the last good.
    pub(crate) fn is_behind(&self) -> bool {
        self.good.as_ref().is_some_and(|good| good.generation() != self.generation)
    }

    /// The last good spec, where it is not the current one: what status keeps for replicas that start later.
    pub(crate) fn last_good(&self) -> Option<&Arc<WebhookSource>> {
        self.good.as_ref().filter(|_| self.is_behind() && !self.pending).map(|good| &good.source)
    }
}

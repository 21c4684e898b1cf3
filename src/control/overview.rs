//! The sources as they stand on this replica, for whoever shows or counts them.
//!
//! A copy costs nothing and shares all sources that did not change.

use std::sync::Arc;

use jiff::Timestamp;
use rpds::RedBlackTreeMapSync;

use super::object::Key;
use super::plan::{Plan, provider_of};
use crate::api::source::WebhookSourceStatus;
use crate::metrics::SourceStanding;

/// The sources as they stand on this replica.
#[derive(Clone, Debug, Default)]
pub struct Overview {
    /// Everything was observed once, and the table is in force.
    pub synced: bool,
    sources: RedBlackTreeMapSync<Key, Arc<SourceOverview>>,
    counts: [usize; SourceStanding::ALL.len()],
}

/// One source as it stands on this replica.
#[derive(Clone, Debug)]
pub struct SourceOverview {
    /// The provider, where the spec can be read.
    pub provider: String,
    /// How it stands.
    pub state: SourceStanding,
    /// Its status; `None` while its Secrets were not read yet.
    pub status: Option<Arc<WebhookSourceStatus>>,
    /// From when on a purpose has no live secret, because its secretRefs end.
    pub secrets_end: Option<Timestamp>,
}

impl Overview {
    /// How many sources stand so.
    pub fn count(&self, state: SourceStanding) -> usize {
        self.counts[state as usize]
    }

    /// The sources in the order of their keys.
    pub fn sources(&self) -> impl Iterator<Item = (&Key, &SourceOverview)> {
        self.sources.iter().map(|(key, source)| (key, &**source))
    }

    /// Shows a source as it stands now; without a state it is gone.
    pub(super) fn show(
        &mut self,
        plan: &Plan,
        key: Key,
        state: Option<SourceStanding>,
        status: Option<Arc<WebhookSourceStatus>>,
        now: Timestamp,
    ) {
        if let Some(before) = self.sources.get(&key) {
            self.counts[before.state as usize] -= 1;
        }
        let Some(state) = state else {
            self.sources.remove_mut(&key);
            return;
        };
        self.counts[state as usize] += 1;
        let object = plan.index().sources.get(&key);
        let provider = object.and_then(provider_of).cloned().unwrap_or_default();
        let source = object.and_then(|object| object.value.as_ref().ok());
        let secrets_end = source.and_then(|source| plan.resolved(source, now)?.end());
        self.sources.insert_mut(key, Arc::new(SourceOverview { provider, state, status, secrets_end }));
    }
}

//! The route table in force: replaced whole by the control line, read by every request without a lock.

use arc_swap::ArcSwapOption;
use std::sync::Arc;

use super::framing::Target;
use super::reject::Reject;
use crate::metrics::Metrics;
use crate::route::{Entry, RouteTable};

/// The table in force; none before the first sync.
#[derive(Debug)]
pub struct Routes {
    table: ArcSwapOption<RouteTable>,
    metrics: Metrics,
}

impl Routes {
    /// No table yet: every request is answered 503.
    pub fn new(metrics: Metrics) -> Self {
        Self { table: ArcSwapOption::empty(), metrics }
    }

    /// Puts a table in force. Requests under way keep the route they found.
    pub fn swap(&self, table: Arc<RouteTable>) {
        self.table.store(Some(table));
        self.metrics.route_swaps().inc();
    }

    /// The table in force.
    pub fn table(&self) -> Option<Arc<RouteTable>> {
        self.table.load_full()
    }

    /// Who answers a target.
    pub(super) fn find(&self, target: &Target<'_>) -> Result<Entry, Reject> {
        let table = self.table.load();
        let table = table.as_ref().ok_or(Reject::NotSynced)?;
        table.find(&target.host, target.path).cloned().ok_or(Reject::NotFound)
    }
}

//! What is counted and said of a request: one count each, and no more lines than somebody can read.
//!
//! Levels and words are those of `Reject`. Nothing of a request is said but its outcome and its id.

use jiff::Timestamp;
use tokio::time::Instant;
use tracing::Level;

use super::delivery_id::DeliveryId;
use super::reject::Reject;
use super::respond::Accepted;
use crate::metrics::{Metrics, Outcome};
use crate::route::Claim;
use crate::route::repeats::{Repeats, Strangers};

/// Who counts and says.
pub(super) struct RequestLog {
    metrics: Metrics,
    /// Of requests that no source claims.
    lines: Repeats,
    /// Of requests without proof.
    strangers: Strangers,
}

impl RequestLog {
    pub(super) fn new(metrics: Metrics) -> Self {
        Self { metrics, lines: Repeats::default(), strangers: Strangers::default() }
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Whether a line about a request without proof of that address may be written, and how many were left out before.
    pub(super) fn may_say(&self, key: u64, now: Instant) -> Option<u64> {
        self.strangers.say(key, now.into_std())
    }

    /// A request was answered; without proof, where it is a `stranger`'s, by the key of its address.
    pub(super) fn answered(
        &self,
        id: DeliveryId,
        claim: Option<&Claim>,
        stranger: Option<u64>,
        answered: &Result<Accepted, Reject>,
        begun: Instant,
    ) {
        let took = begun.elapsed();
        self.metrics.request_duration().observe(took);
        let (metrics, lines) = match claim {
            Some(claim) => (&claim.state.metrics, &claim.state.lines),
            None => (self.metrics.unrouted(), &self.lines),
        };
        let (namespace, source) = claim.map_or(("", ""), |claim| (&*claim.namespace, &*claim.name));
        let reject = match answered {
            Ok(Accepted { outcome, items, .. }) => {
                metrics.count(*outcome);
                if *outcome == Outcome::Accepted {
                    metrics.accepted(Timestamp::now());
                }
                tracing::debug!(namespace, source, delivery = %id, outcome = outcome.as_str(), items, ?took, "request");
                return;
            }
            Err(reject) => reject,
        };
        let row = reject.row();
        metrics.count(row.outcome);
        metrics.rejected(Timestamp::now(), row.outcome);
        let outcome = row.outcome.as_str();
        // The level of an event is a constant of its place.
        if row.level == Level::DEBUG {
            tracing::debug!(namespace, source, delivery = %id, outcome, reason = %reject, ?took, "request");
            return;
        }
        let Some(mut left_out) = lines.say(row.outcome, begun.into_std()) else { return };
        if let Some(key) = stranger {
            let Some(others) = self.may_say(key, begun) else { return };
            left_out += others;
        }
        match row.level {
            Level::WARN => {
                tracing::warn!(namespace, source, delivery = %id, outcome, reason = %reject, ?took, left_out, "request");
            }
            _ => {
                tracing::info!(namespace, source, delivery = %id, outcome, reason = %reject, ?took, left_out, "request");
            }
        }
    }
}

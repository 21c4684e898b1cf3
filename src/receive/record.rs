//! What is counted and said of a request: one count each, and no more lines than somebody can read.
//!
//! Levels and words are those of `Reject`. Nothing of a request is said but its outcome and its id.

use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use tokio::time::Instant;
use tracing::Level;

use super::delivery::DeliveryId;
use super::handle::Accepted;
use super::reject::Reject;
use crate::metrics::{Metrics, Outcome};
use crate::route::Claim;
use crate::route::repeats::Repeats;

/// Who counts and says.
pub(super) struct Record {
    metrics: Metrics,
    /// Of requests that no source claims.
    lines: Repeats,
    begun: Instant,
    /// The second since `begun`, plus one, and behind it how many lines were written in it.
    second: AtomicU64,
}

/// Lines in one second, of all sources and outcomes together: strangers can ask at each source in every way.
const LINES: u64 = 50;
const COUNT: u32 = 16;

impl Record {
    pub(super) fn new(metrics: Metrics) -> Self {
        Self { metrics, lines: Repeats::default(), begun: Instant::now(), second: AtomicU64::new(0) }
    }

    /// Whether a line may be written in this second.
    fn may_say(&self, now: Instant) -> bool {
        let second = now.saturating_duration_since(self.begun).as_secs() + 1;
        let first = second << COUNT | 1;
        let counted = self.second.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| match last >> COUNT {
            then if then < second => Some(first),
            _ => (last & ((1 << COUNT) - 1) < LINES).then_some(last + 1),
        });
        counted.is_ok()
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// A request was answered.
    pub(super) fn answered(
        &self,
        id: DeliveryId,
        claim: Option<&Claim>,
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
        let Some(left_out) = lines.say(row.outcome, begun.into_std()).filter(|_| self.may_say(begun)) else { return };
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn so_many_lines_are_written_in_a_second_and_no_more() {
        let record = Record::new(Metrics::new());
        let said = |after: u64| {
            let now = record.begun + Duration::from_millis(after);
            (0..1000).filter(|_| record.may_say(now)).count()
        };
        assert_eq!([said(0), said(999), said(1000), said(500), said(7000)], [50, 0, 50, 0, 50]);
    }
}

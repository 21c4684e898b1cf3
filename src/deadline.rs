//! When a delivery must be answered: made once, when its body is whole, and bounding all that follows.
//!
//! Keys that are fetched, secrets that are written, addresses that confirm, filters and delivery share it.

use std::time::{Duration, Instant};

/// What is left for the answer itself once JetStream has, or has not, acknowledged.
const ANSWER: Duration = Duration::from_millis(100);
/// The longest that JetStream may take where a spool follows, and nothing is lost by not waiting.
pub(crate) const SHARE: Duration = Duration::from_millis(750);

/// The instant at which an answer is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    due: Instant,
    acknowledged: Instant,
    first: Instant,
    share: Duration,
}

/// The deadline passed first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the deadline passed before the delivery was done")]
pub struct Passed;

impl Deadline {
    /// Due after this time from now.
    pub fn after(time: Duration) -> Self {
        Self::from(Instant::now(), time)
    }

    /// Due after this time from an instant.
    pub(crate) fn from(now: Instant, time: Duration) -> Self {
        // A deadline of 100 ms is allowed, and leaves half of it for NATS.
        let share = SHARE.min(time / 3);
        Self { due: now + time, acknowledged: now + time - ANSWER.min(time / 2), first: now + share, share }
    }

    /// By when JetStream must have acknowledged, all tries counted.
    pub fn acknowledged(&self) -> Instant {
        self.acknowledged
    }

    /// By when JetStream must have acknowledged the first try: a spool, or another try, has the rest.
    pub fn first(&self) -> Instant {
        self.first
    }

    /// The same, where delivery begins at this instant: what was waited for before takes nothing of the time that JetStream has.
    pub(crate) fn begun(self, now: Instant) -> Self {
        Self { first: now + SHARE.min(self.due.saturating_duration_since(now) / 3), ..self }
    }

    /// How long the first try may take where nothing was waited for before.
    pub(crate) fn share(&self) -> Duration {
        self.share
    }

    /// The instant itself.
    pub fn due(&self) -> Instant {
        self.due
    }

    /// Waits for something no longer than until the deadline.
    ///
    /// # Errors
    /// It passed.
    pub async fn bound<F: Future>(&self, work: F) -> Result<F::Output, Passed> {
        tokio::time::timeout_at(self.due.into(), work).await.map_err(|_| Passed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acknowledgements_leave_time_for_the_answer() {
        let left = |time| {
            let deadline = Deadline::after(time);
            deadline.due - deadline.acknowledged
        };
        assert_eq!(left(Duration::from_secs(5)), Duration::from_millis(100));
        assert_eq!(left(Duration::from_millis(100)), Duration::from_millis(50));
    }

    #[test]
    fn what_was_waited_for_before_takes_nothing_of_the_first_tries_time() {
        let now = Instant::now();
        let deadline = Deadline::from(now, Duration::from_secs(5));
        let late = now + Duration::from_secs(2);
        assert_eq!(deadline.begun(late).first() - late, SHARE);
        let later = now + Duration::from_millis(4_700);
        assert_eq!(deadline.begun(later).first() - later, Duration::from_millis(100));
        assert_eq!(deadline.begun(later).due(), deadline.due());
    }

    #[tokio::test]
    async fn what_takes_longer_is_ended() {
        let deadline = Deadline::after(Duration::from_millis(1));
        assert_eq!(deadline.bound(std::future::pending::<()>()).await, Err(Passed));
        assert_eq!(Deadline::after(Duration::from_secs(60)).bound(std::future::ready(1)).await, Ok(1));
    }
}

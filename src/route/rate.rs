//! Requests per second, by the generic cell rate algorithm (ITU-T I.371): one number, and no lock.
//!
//! The quota is the route's and the number the source's, so that no new route fills a burst again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How many requests are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// `limits.requestsPerSecond`, at least one.
    pub per_second: u32,
    /// `limits.burst`: how many at one time, at least one.
    pub burst: u32,
}

/// What was taken lately.
#[derive(Debug)]
pub struct Rate {
    begun: Instant,
    /// When the burst is whole again, in nanoseconds since `begun`.
    whole: AtomicU64,
}

impl Default for Rate {
    fn default() -> Self {
        Self { begun: Instant::now(), whole: AtomicU64::new(0) }
    }
}

impl Rate {
    /// Takes one request.
    ///
    /// # Errors
    /// How long to wait, when the rate and its burst are used up.
    pub fn take(&self, quota: RateLimit, now: Instant) -> Result<(), Duration> {
        let now = u64::try_from(now.saturating_duration_since(self.begun).as_nanos()).unwrap_or(u64::MAX);
        let interval = 1_000_000_000 / u64::from(quota.per_second.max(1));
        let burst = interval.saturating_mul(u64::from(quota.burst.max(1)));
        let next = |whole: u64| whole.max(now).saturating_add(interval);
        let taken = self.whole.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |whole| {
            Some(next(whole)).filter(|next| *next <= now.saturating_add(burst))
        });
        taken.map(|_| ()).map_err(|whole| Duration::from_nanos(next(whole).saturating_sub(now.saturating_add(burst))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_over_its_burst_says_how_long_to_wait() {
        let (rate, quota) = (Rate::default(), RateLimit { per_second: 10, burst: 3 });
        let start = Instant::now();
        for _ in 0..3 {
            assert_eq!(rate.take(quota, start), Ok(()));
        }
        let wait = rate.take(quota, start).unwrap_err();
        assert!(wait > Duration::from_millis(90) && wait <= Duration::from_millis(100), "{wait:?}");
        assert_eq!(rate.take(quota, start + wait), Ok(()));
        assert!(rate.take(quota, start + wait).is_err());
        let later = start + Duration::from_secs(60);
        assert_eq!((0..10).filter(|_| rate.take(quota, later).is_ok()).count(), 3, "no more than a burst is saved");
    }

    #[test]
    fn a_new_quota_fills_nothing_again() {
        let (rate, now) = (Rate::default(), Instant::now());
        let quota = RateLimit { per_second: 1, burst: 100 };
        while rate.take(quota, now).is_ok() {}
        assert!(rate.take(quota, now).is_err());
        assert!(rate.take(RateLimit { per_second: 1, burst: 50 }, now).is_err());
    }
}

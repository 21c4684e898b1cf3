//! Waiting for something outside this process to become true.

use std::time::{Duration, Instant};

/// How often a condition is asked again.
const PAUSE: Duration = Duration::from_millis(20);

/// Asks until `check` holds. Panics with `what` when it does not within `timeout`.
pub async fn eventually(what: &str, timeout: Duration, mut check: impl AsyncFnMut() -> bool) {
    eventually_some(what, timeout, async || check().await.then_some(())).await;
}

/// Asks until `check` has an answer and returns it. Panics with `what` when it has none within `timeout`.
pub async fn eventually_some<T>(what: &str, timeout: Duration, mut check: impl AsyncFnMut() -> Option<T>) -> T {
    // Real time, also in a test that pauses tokio's: other processes do not live by it.
    let deadline = Instant::now() + timeout;
    loop {
        if let Some(answer) = check().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "not within {timeout:?}: {what}");
        tokio::time::sleep(PAUSE).await;
    }
}

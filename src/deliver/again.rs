//! Between tries of what nobody answers for: a leader is being elected, or a server restarts (ADR-22 of NATS).

use std::time::{Duration, Instant};

/// The first pause; doubled up to `MOST`.
const FIRST: Duration = Duration::from_millis(25);
const MOST: Duration = Duration::from_millis(250);

/// The next pause.
pub(super) struct Pause(Duration);

impl Default for Pause {
    fn default() -> Self {
        Self(FIRST)
    }
}

impl Pause {
    /// Waits; at once false where there is no time for it.
    pub(super) async fn wait(&mut self, by: Instant) -> bool {
        if Instant::now() + self.0 >= by {
            return false;
        }
        tokio::time::sleep(self.0).await;
        self.0 = (self.0 * 2).min(MOST);
        true
    }
}

//! The orderly end: what was published gets its acknowledgement, what was queued goes out and is written down, then the connection closes.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::Delivery;

impl Delivery {
    /// Takes no more messages, waits at most `grace` for the acknowledgements that are due, and closes the connection.
    pub async fn close(&self, grace: Duration) {
        let deadline = Instant::now() + grace;
        let inner = &self.inner;
        inner.closing.store(true, Ordering::Relaxed);
        while inner.waiting.len() > 0 && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let end = async {
            // Without a connection there is nothing to flush into, and the commands would wait for one.
            if inner.link.borrow().connected {
                let _ = inner.client.flush().await;
                let _ = inner.client.drain().await;
            }
        };
        if tokio::time::timeout_at(deadline.into(), end).await.is_err() {
            tracing::warn!(
                "NATS did not take everything before the end; unacknowledged messages were answered as such"
            );
        }
        if let Some(guard) = inner.guard.get() {
            let _ = tokio::time::timeout_at(deadline.into(), guard.written()).await;
        }
        inner.stop.cancel();
        inner.tasks.wait().await;
    }
}

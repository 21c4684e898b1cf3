//! Bytes between replicas, over core NATS: what one says on a subject, all others hear, and nothing is kept.
//!
//! Best effort: a message that is lost is nobody's loss. Never waits for anything that a request waits for. Where the user may not, the log
//! says so once and it is off until the next start.

use async_nats::{Client, Subject};
use futures::StreamExt;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::connection::Link;
use super::publish::Delivery;

/// What every such subject begins with.
pub(super) const ROOT: &str = "_hookgate.";
/// Messages that wait to be told; what finds no room is told later.
const TO_TELL: usize = 64;
/// Messages that were heard and wait to be read; what finds no room is lost.
const HEARD: usize = 64;

/// Both ends of the exchange with other replicas.
#[derive(Debug)]
pub struct Exchange {
    /// What to tell. It waits while NATS is away.
    pub tell: mpsc::Sender<Vec<u8>>,
    /// What was heard, this replica's own words among it.
    pub heard: mpsc::Receiver<Vec<u8>>,
}

impl Delivery {
    /// Exchanges bytes with everybody who uses the same `name`, a subject token such as the Lease's namespace, for one `topic`.
    pub fn exchange(&self, name: &str, topic: &str) -> Exchange {
        let (tell, to_tell) = mpsc::channel(TO_TELL);
        let (hear, heard) = mpsc::channel(HEARD);
        let inner = &self.inner;
        let task = Task {
            client: inner.client.clone(),
            subject: format!("{ROOT}{name}.{topic}").into(),
            link: inner.link.clone(),
            refused: inner.exchange_refused.clone(),
        };
        inner.tasks.spawn(inner.stop.clone().run_until_cancelled_owned(task.run(to_tell, hear)));
        Exchange { tell, heard }
    }
}

struct Task {
    client: Client,
    subject: Subject,
    link: watch::Receiver<Link>,
    /// NATS refused one of these subjects.
    refused: CancellationToken,
}

impl Task {
    async fn run(mut self, mut to_tell: mpsc::Receiver<Vec<u8>>, hear: mpsc::Sender<Vec<u8>>) {
        let Ok(mut others) = self.client.subscribe(self.subject.clone()).await else { return };
        loop {
            // What the client would queue while NATS is away is old when it comes back.
            let connected = self.link.borrow_and_update().connected;
            tokio::select! {
                () = self.refused.cancelled() => return,
                changed = self.link.changed() => if changed.is_err() { return },
                told = to_tell.recv(), if connected => {
                    let Some(told) = told else { return };
                    if let Err(error) = self.client.publish(self.subject.clone(), told.into()).await {
                        tracing::debug!(%error, "other replicas were not told");
                    }
                }
                message = others.next() => {
                    let Some(message) = message else { return };
                    // Whoever floods the subject takes nobody's memory.
                    let _ = hear.try_send(message.payload.into());
                }
            }
        }
    }
}

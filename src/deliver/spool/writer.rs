//! The thread that appends: what queues while it syncs is its next group, so that many requests share one sync.
//!
//! A request waits for its own record alone; a disk that hangs keeps no request beyond its deadline.

use std::io;
use std::thread;

use tokio::sync::{mpsc, oneshot};

use super::files::Files;
use super::log::{AppendError, Writer};
use super::record::Record;

/// Records that may wait for the thread: beyond these a request is refused, since the disk does not keep up.
const QUEUE: usize = 16_384;
/// The most records, and bytes, of one group.
const GROUP: usize = 1024;
const GROUP_BYTES: usize = 8 << 20;

/// A record on its way to the disk.
struct Pending {
    record: Record,
    done: oneshot::Sender<Result<(), AppendError>>,
}

/// The way to the thread.
#[derive(Clone, Debug)]
pub(super) struct Queue(mpsc::Sender<Pending>);

impl Queue {
    /// Starts the thread. It ends when every queue is dropped. `appended` is called after each group.
    pub(super) fn start<F>(mut writer: Writer<F>, appended: impl Fn() + Send + 'static) -> io::Result<Self>
    where
        F: Files + Send + Sync + 'static,
        F::File: Send,
    {
        let (sender, mut receiver) = mpsc::channel::<Pending>(QUEUE);
        let run = move || {
            while let Some(first) = receiver.blocking_recv() {
                let mut bytes = first.record.disk_len();
                let (mut records, mut waiting) = (vec![first.record], vec![first.done]);
                while records.len() < GROUP && bytes < GROUP_BYTES {
                    let Ok(next) = receiver.try_recv() else { break };
                    bytes += next.record.disk_len();
                    records.push(next.record);
                    waiting.push(next.done);
                }
                let outcomes = writer.append(&records);
                for (outcome, waiting) in outcomes.into_iter().zip(waiting) {
                    // Who waits no longer was refused; its record is then sent again under the same id.
                    let _ = waiting.send(outcome);
                }
                appended();
            }
        };
        thread::Builder::new().name("spool".to_owned()).spawn(run)?;
        Ok(Self(sender))
    }

    /// Appends a record, and waits until it is durable.
    pub(super) async fn append(&self, record: Record) -> Result<(), AppendError> {
        let (done, heard) = oneshot::channel();
        self.0.try_send(Pending { record, done }).map_err(|_| AppendError::Busy)?;
        heard.await.unwrap_or(Err(AppendError::Busy))
    }
}

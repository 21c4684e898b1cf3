//! The thread that appends: what queues while it syncs is its next group, so that many requests share one sync.
//!
//! A request waits for its own record alone; a disk that hangs keeps no request beyond its deadline, and not more bytes than so many.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::sync::{mpsc, oneshot};

use super::error::AppendError;
use super::files::Files;
use super::log::Writer;
use super::record::Record;

/// Records that may wait for the thread, and their bytes: beyond these a request is refused, since the disk does not keep up.
const QUEUE: usize = 16_384;
const QUEUE_BYTES: usize = 64 << 20;
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
pub(super) struct Queue {
    pending: mpsc::Sender<Pending>,
    /// Bytes of what waits.
    bytes: Arc<AtomicUsize>,
}

impl Queue {
    /// Starts the thread. It ends when every queue is dropped. `appended` is called after each group.
    pub(super) fn start<F>(mut writer: Writer<F>, appended: impl Fn() + Send + 'static) -> io::Result<Self>
    where
        F: Files + Send + Sync + 'static,
        F::File: Send,
    {
        let (sender, mut receiver) = mpsc::channel::<Pending>(QUEUE);
        let waiting = Arc::new(AtomicUsize::new(0));
        let queued = Arc::clone(&waiting);
        let run = move || {
            while let Some(first) = receiver.blocking_recv() {
                let (mut records, mut waiting, mut bytes) = (Vec::new(), Vec::new(), 0);
                let mut next = Some(first);
                while let Some(Pending { record, done }) = next {
                    let length = record.disk_len();
                    queued.fetch_sub(length, Ordering::Relaxed);
                    // Who waits no longer was refused.
                    if !done.is_closed() {
                        bytes += length;
                        records.push(record);
                        waiting.push(done);
                    }
                    next = (records.len() < GROUP && bytes < GROUP_BYTES).then(|| receiver.try_recv().ok()).flatten();
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
        Ok(Self { pending: sender, bytes: waiting })
    }

    /// Appends a record, and waits until it is durable.
    pub(super) async fn append(&self, record: Record) -> Result<(), AppendError> {
        let (done, heard) = oneshot::channel();
        let bytes = record.disk_len();
        let full = self.bytes.fetch_add(bytes, Ordering::Relaxed) > QUEUE_BYTES;
        if full || self.pending.try_send(Pending { record, done }).is_err() {
            self.bytes.fetch_sub(bytes, Ordering::Relaxed);
            return Err(AppendError::Busy);
        }
        heard.await.unwrap_or(Err(AppendError::Busy))
    }
}

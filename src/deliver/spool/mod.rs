//! The disk spool: what NATS does not take now lies here, synced, until it does.
//!
//! Owns a folder and what is in it: the log of what waits, `refused/` with what NATS refused for good, a lock, and the
//! marker that says that the folder outlives the pod. Never says that a record is durable before a sync of its file and
//! of the folder came back without an error.

mod error;
pub(super) mod files;
mod log;
mod marks;
pub(super) mod record;
pub(super) mod segment;
mod shelf;
mod writer;

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use tokio::sync::Notify;

use self::files::Folder;
use self::log::{Log, Reader};
use self::record::Salt;
use self::writer::Queue;

pub(crate) use self::error::{AppendError, OpenError};
pub(crate) use self::record::{Damage, Record};
pub(crate) use self::shelf::{Position, Stock};

/// Says that a folder outlives the pod.
pub(crate) const MARKER: &str = ".hookgate-persistent";
/// Held by the one process that uses the folder.
const LOCK: &str = "lock";
/// Where what was refused for good lies.
const REFUSED: &str = "refused";
/// The longest segment in bytes; a sixteenth of the space where that is less.
const SEGMENT: u64 = 16 << 20;
const LEAST_SEGMENT: u64 = 1 << 20;

/// A folder in use.
#[derive(Debug)]
pub struct Spool {
    log: Log<Folder>,
    queue: Queue,
    refused: Queue,
    refused_log: Log<Folder>,
    changed: Arc<Notify>,
    persistent: bool,
    /// Held until the end.
    _lock: File,
}

/// What an opening came upon.
#[derive(Debug, Default)]
pub struct Recovered {
    /// Parts of files that hold no record.
    pub damaged: Vec<Damage>,
}

impl Spool {
    /// Takes a folder into use, and makes it where it is not there.
    ///
    /// # Errors
    /// Where it cannot be written, is used by another process, or holds a newer format.
    pub fn open(folder: &Path, max_bytes: u64) -> Result<(Self, Recovered), OpenError> {
        make(folder)?;
        let refused = folder.join(REFUSED);
        make(&refused)?;
        let lock = lock(folder)?;
        let (log, mut damaged) = Log::open(Folder::new(folder.to_owned()), max_bytes)?;
        // What was refused is never deleted, and takes nothing from what is to come.
        let (refused_log, more) = Log::open(Folder::new(refused), u64::MAX / 4)?;
        damaged.extend(more);
        let changed = Arc::new(Notify::new());
        let notify = changed.clone();
        let segment = (max_bytes / 16).clamp(LEAST_SEGMENT, SEGMENT);
        let spool = Self {
            queue: Queue::start(log.writer(segment, salt), move || notify.notify_one())?,
            refused: Queue::start(refused_log.writer(SEGMENT, salt), || {})?,
            log,
            refused_log,
            changed,
            persistent: folder.join(MARKER).exists(),
            _lock: lock,
        };
        Ok((spool, Recovered { damaged }))
    }

    /// Makes a record durable.
    ///
    /// # Errors
    /// Where it is not: nothing of it is promised then.
    pub async fn append(&self, record: Record) -> Result<(), AppendError> {
        self.queue.append(record).await
    }

    /// A record is in its stream.
    pub fn done(&self, record: &Record, at: &Position) {
        self.log.done(record, at);
    }

    /// Sets a record aside that NATS refused for good. It leaves the spool when it lies there, and not before.
    ///
    /// # Errors
    /// Where the disk refuses it: it stays in the spool then.
    pub async fn refuse(&self, record: &Record, at: &Position, reason: &str) -> Result<(), AppendError> {
        self.refused.append(Record { refused: reason.to_owned(), ..record.clone() }).await?;
        self.log.done(record, at);
        Ok(())
    }

    /// What reads it from the oldest record on.
    pub fn reader(&self) -> Drain {
        Drain { reader: self.log.reader(), changed: self.changed.clone(), _lock: None }
    }

    /// What reads the records that were refused.
    pub fn refused(&self) -> Drain {
        Drain { reader: self.refused_log.reader(), changed: Arc::new(Notify::new()), _lock: None }
    }

    /// A refused record is in its stream after all.
    pub fn accepted(&self, record: &Record, at: &Position) {
        self.refused_log.done(record, at);
    }

    /// How much waits.
    pub fn stock(&self) -> Stock {
        self.log.stock()
    }

    /// Whether nothing waits: cheaper than `stock`.
    pub fn is_empty(&self) -> bool {
        self.log.is_empty()
    }

    /// How much was refused.
    pub fn refused_stock(&self) -> Stock {
        self.refused_log.stock()
    }

    /// Whether the folder outlives the pod.
    pub fn is_persistent(&self) -> bool {
        self.persistent
    }
}

/// What a folder holds.
pub(crate) struct Contents {
    /// Its records, from the oldest on.
    pub records: Drain,
    /// Parts of files that hold none.
    pub damaged: Vec<Damage>,
}

/// Looks into a folder that no process uses: at what waits, or at what was `refused`.
///
/// # Errors
/// Where it cannot be read, is used by another process, or holds a newer format.
pub(crate) fn read(folder: &Path, refused: bool) -> Result<Contents, OpenError> {
    let lock = lock(folder)?;
    let place = if refused { folder.join(REFUSED) } else { folder.to_owned() };
    let (log, damaged) = Log::open(Folder::to_look(place), u64::MAX / 4)?;
    let records = Drain { reader: log.reader(), changed: Arc::new(Notify::new()), _lock: Some(lock) };
    Ok(Contents { records, damaged })
}

/// Reads records from the oldest on.
pub struct Drain {
    /// Held while a folder is read that is not in use.
    _lock: Option<File>,
    reader: Reader<Folder>,
    changed: Arc<Notify>,
}

impl Drain {
    /// The next record that was not read yet; `None` where there is none.
    ///
    /// # Errors
    /// A file that cannot be read: the next call goes on behind it, `resume` comes back to it.
    pub fn take(&mut self) -> io::Result<Option<(Position, Record)>> {
        self.reader.next()
    }

    /// Reads a record once more.
    ///
    /// # Errors
    /// Where its file cannot be read.
    pub fn read(&self, at: &Position) -> io::Result<Option<Record>> {
        self.reader.read(at)
    }

    /// Tries the files again that could not be read.
    pub fn resume(&mut self) {
        self.reader.resume();
    }

    /// Waits until more was appended.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }
}

/// Makes a folder that only its owner sees, and marks it as one that outlives the pod where that is asked for.
///
/// # Errors
/// Where it cannot be written.
pub(crate) fn init(folder: &Path, persistent: bool) -> io::Result<()> {
    make(folder)?;
    if persistent {
        let mut options = OpenOptions::new();
        options.create(true).append(true).mode(0o600).open(folder.join(MARKER))?.sync_all()?;
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

pub(super) fn make(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    make(parent)?;
    match fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => return Ok(()),
        made => made?,
    }
    // What is synced below it must be found again. A folder that may not be read is not ours to sync.
    File::open(parent).map_or(Ok(()), |parent| parent.sync_all())
}

fn lock(folder: &Path) -> Result<File, OpenError> {
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(folder.join(LOCK))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

/// A salt that no sender can guess.
pub(super) fn salt() -> Salt {
    let mut bytes = [0; 8];
    if aws_lc_rs::rand::fill(&mut bytes).is_err() {
        // A system without random numbers: the clock tells segments apart all the same.
        let now = jiff::Timestamp::now().as_nanosecond().to_le_bytes();
        bytes.copy_from_slice(&now[..8]);
    }
    Salt(u64::from_le_bytes(bytes))
}

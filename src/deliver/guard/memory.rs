//! A folder in memory, for where there is no disk: it ends with the process.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::super::spool::files::{Files, Handle};

/// All files.
#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<BTreeMap<String, Arc<Blob>>>);

/// A file: what was written at one time is one piece, none overlaps another.
#[derive(Debug, Default)]
pub(super) struct Blob(Mutex<BTreeMap<u64, Box<[u8]>>>);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Files for Memory {
    type File = Arc<Blob>;

    fn create(&self, name: &str) -> io::Result<Arc<Blob>> {
        let blob = Arc::<Blob>::default();
        lock(&self.0).insert(name.to_owned(), Arc::clone(&blob));
        Ok(blob)
    }

    fn write(&self, name: &str) -> io::Result<Arc<Blob>> {
        Ok(Arc::clone(lock(&self.0).entry(name.to_owned()).or_default()))
    }

    fn open(&self, name: &str) -> io::Result<Arc<Blob>> {
        lock(&self.0).get(name).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(lock(&self.0).keys().cloned().collect())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        lock(&self.0).remove(name);
        Ok(())
    }

    fn rename(&self, name: &str, to: &str) -> io::Result<()> {
        let mut files = lock(&self.0);
        let file = files.remove(name).ok_or(io::ErrorKind::NotFound)?;
        files.insert(to.to_owned(), file);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

impl Handle for Arc<Blob> {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        lock(&self.0).insert(offset, bytes.into());
        Ok(bytes.len())
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let pieces = lock(&self.0);
        let Some((at, piece)) = pieces.range(..=offset).next_back() else { return Ok(0) };
        let from = usize::try_from(offset - at).unwrap_or(usize::MAX).min(piece.len());
        let count = bytes.len().min(piece.len() - from);
        bytes[..count].copy_from_slice(&piece[from..from + count]);
        Ok(count)
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn cut(&self, length: u64) -> io::Result<()> {
        lock(&self.0).split_off(&length);
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        Ok(lock(&self.0).last_key_value().map_or(0, |(at, piece)| at + piece.len() as u64))
    }
}

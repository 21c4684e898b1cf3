//! Where remembered messages lie: buckets, each a file of frames as the spool writes them, in a folder of their own.
//!
//! Nothing here is promised to anybody: a bucket that cannot be written or read is one that nobody remembers.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::super::spool::OpenError;
use super::super::spool::files::{Files, Handle};
use super::super::spool::record::{Salt, seal};
use super::super::spool::segment::{Found, HEADER, Name, VERSION, Walk, version};
use super::queue::Group;
use super::remembered::Remembered;

/// A bucket that can be read, and up to where.
#[derive(Clone, Copy, Debug)]
struct Place {
    name: Name,
    end: u64,
}

/// All buckets, for those who read.
#[derive(Debug)]
pub(super) struct Buckets<F> {
    files: F,
    places: Mutex<BTreeMap<u64, Place>>,
}

impl<F: Files> Buckets<F> {
    fn places(&self) -> MutexGuard<'_, BTreeMap<u64, Place>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every message of a bucket, from the oldest on.
    ///
    /// # Errors
    /// Where its file cannot be read.
    pub(super) fn read(&self, bucket: u64, mut each: impl FnMut(Remembered)) -> io::Result<()> {
        let Some(place) = self.places().get(&bucket).copied() else { return Ok(()) };
        let mut walk = Walk::<_, Remembered>::new(self.files.open(&place.name.file())?, place.name);
        while let Some(found) = walk.next(place.end)? {
            if let Found::Record(remembered, _) = found {
                each(remembered);
            }
        }
        Ok(())
    }
}

#[derive(Debug)]
struct Current<H> {
    bucket: u64,
    name: Name,
    file: H,
    end: u64,
    /// Something was written since the last sync.
    dirty: bool,
}

/// Writes buckets. There must be one alone.
#[derive(Debug)]
pub(super) struct Store<F: Files> {
    buckets: Arc<Buckets<F>>,
    salt: fn() -> Salt,
    next: u64,
    number: u64,
    current: Option<Current<F::File>>,
}

impl<F: Files> Store<F> {
    /// Takes in what an earlier run left behind: each bucket's bytes and messages go to `each`. What is damaged is left out.
    ///
    /// # Errors
    /// Where the folder cannot be read, or holds a newer format.
    pub(super) fn open(
        files: F,
        salt: fn() -> Salt,
        mut each: impl FnMut(u64, u64, Vec<Remembered>),
    ) -> Result<Self, OpenError> {
        let mut names: Vec<Name> = files.list()?.iter().filter_map(|file| Name::parse(file)).collect();
        names.sort_unstable();
        let mut places = BTreeMap::new();
        for name in &names {
            let file = files.open(&name.file())?;
            let end = file.length()?;
            let mut header = vec![0; usize::try_from(HEADER.min(end)).unwrap_or_default()];
            let read = file.read_full_at(&mut header, 0)?;
            match version(&header[..read]) {
                Some(VERSION) | None => {}
                Some(version) => return Err(OpenError::Format { file: name.file(), version }),
            }
            let mut walk = Walk::<_, Remembered>::new(file, *name);
            let mut all = Vec::new();
            while let Some(found) = walk.next(end)? {
                match found {
                    Found::Record(remembered, _) => all.push(remembered),
                    Found::Damage(damage) if damage.torn => {}
                    Found::Damage(damage) => {
                        tracing::warn!(
                            file = damage.file,
                            "a part of what the guard remembered is damaged, and left out"
                        );
                    }
                }
            }
            each(name.id, end, all);
            places.insert(name.id, Place { name: *name, end });
        }
        let next = names.last().map_or(1, |name| name.id + 1);
        let buckets = Arc::new(Buckets { files, places: Mutex::new(places) });
        Ok(Self { buckets, salt, next, number: 1, current: None })
    }

    /// What reads.
    pub(super) fn buckets(&self) -> Arc<Buckets<F>> {
        Arc::clone(&self.buckets)
    }

    /// Puts messages into the bucket that is open. Says which, and how many bytes it holds now.
    ///
    /// # Errors
    /// Where the disk refuses them: none is kept then.
    pub(super) fn append(&mut self, group: &mut Group) -> io::Result<(u64, u64)> {
        let mut current = match self.current.take() {
            Some(current) => current,
            None => self.begin()?,
        };
        let (bytes, mut start) = (&mut group.bytes, 0);
        for (_, end) in &group.notes {
            seal(&mut bytes[start..*end], self.number, current.name.salt());
            self.number += 1;
            start = *end;
        }
        if let Err(error) = current.file.write_all_at(bytes, current.end) {
            // Nothing is known of the file then: the next bucket begins.
            if current.end == HEADER {
                self.remove(&[current.bucket]);
            }
            return Err(error);
        }
        current.end += bytes.len() as u64;
        current.dirty = true;
        let (bucket, end) = (current.bucket, current.end);
        self.buckets.places().insert(bucket, Place { name: current.name, end });
        self.current = Some(current);
        Ok((bucket, end))
    }

    fn begin(&mut self) -> io::Result<Current<F::File>> {
        let name = Name::new(self.next, (self.salt)());
        let file = self.buckets.files.create(&name.file())?;
        self.next += 1;
        self.buckets.places().insert(name.id, Place { name, end: HEADER });
        let written = file.write_all_at(&name.header(), 0).and_then(|()| self.buckets.files.sync());
        if let Err(error) = written {
            self.remove(&[name.id]);
            return Err(error);
        }
        Ok(Current { bucket: name.id, name, file, end: HEADER, dirty: true })
    }

    /// The bytes of the bucket that is open.
    pub(super) fn open_bytes(&self) -> Option<u64> {
        self.current.as_ref().map(|current| current.end)
    }

    /// The next message begins another bucket.
    pub(super) fn close(&mut self) -> io::Result<()> {
        let synced = self.sync();
        self.current = None;
        synced
    }

    /// Makes what was written outlive a power cut.
    ///
    /// # Errors
    /// Where the disk refuses: the bucket is written no more.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        let Some(mut current) = self.current.take_if(|current| current.dirty) else { return Ok(()) };
        current.file.sync()?;
        current.dirty = false;
        self.current = Some(current);
        Ok(())
    }

    /// Removes buckets.
    pub(super) fn remove(&mut self, gone: &[u64]) {
        self.current.take_if(|current| gone.contains(&current.bucket));
        for bucket in gone {
            let place = self.buckets.places().remove(bucket);
            // A file that stays is read again at the next start, and then compared: it does no harm.
            let _ = place.map(|place| self.buckets.files.remove(&place.name.file()));
        }
    }
}

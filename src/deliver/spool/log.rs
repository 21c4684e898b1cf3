//! The log of segments: append a group and sync it, read from the oldest on, forget what is done.
//!
//! Nothing is ever appended to a file of an earlier run, and nothing to a file after a write or a sync of it failed: what
//! the kernel then holds of it is not known (fsyncgate).

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::BytesMut;

use super::error::{AppendError, OpenError};
use super::files::{Files, Handle};
use super::marks::{self, Marks};
use super::record::{Damage, Record, Salt, write};
use super::segment::{Found, HEADER, Name, VERSION, Walk, version};
use super::shelf::{Position, Segment, Shelf, Stock};

/// The log, shared by its one writer and its one reader.
#[derive(Debug)]
pub(super) struct Log<F: Files> {
    files: Arc<F>,
    shelf: Arc<Mutex<Shelf>>,
    marks: Arc<Mutex<Marks<F::File>>>,
}

impl<F: Files> Clone for Log<F> {
    fn clone(&self) -> Self {
        Self { files: self.files.clone(), shelf: self.shelf.clone(), marks: self.marks.clone() }
    }
}

impl<F: Files> Log<F> {
    /// Takes in what earlier runs left behind. Returns what of it is damaged, too.
    pub(super) fn open(files: F, max_bytes: u64) -> Result<(Self, Vec<Damage>), OpenError> {
        let all = files.list()?;
        let mut names: Vec<Name> = all.iter().filter_map(|file| Name::parse(file)).collect();
        names.sort_unstable();
        marks::tidy(&files, &all, &names);
        let mut shelf = Shelf::new(max_bytes);
        let mut damaged = Vec::new();
        for name in names {
            let file = files.open(&name.file())?;
            let length = file.length()?;
            let mut header = vec![0; usize::try_from(HEADER.min(length)).unwrap_or_default()];
            let read = file.read_full_at(&mut header, 0)?;
            let mut segment = Segment { sealed: true, end: length, ..Segment::new(name) };
            match version(&header[..read]) {
                Some(VERSION) => {}
                Some(version) => return Err(OpenError::Format { file: name.file(), version }),
                // Made, and the process ended: nothing was ever promised of it.
                None if length == 0 => {}
                None => damaged.push(Damage { file: name.file(), bytes: 0..HEADER.min(length), torn: length < HEADER }),
            }
            segment.damaged = damaged.last().is_some_and(|damage| damage.file == name.file() && !damage.torn);
            let finished = marks::read(&files, name);
            shelf.segments.insert(name.id, Segment { finished: finished.clone(), ..segment });
            shelf.count(name.id, length);
            let mut walk = Walk::new(file, name);
            while let Some(found) = walk.next(length)? {
                match found {
                    Found::Record(_, at) if finished.contains(&at.start) => {}
                    Found::Record(record, _) => shelf.recovered(name.id, &record),
                    Found::Damage(damage) => {
                        if !damage.torn {
                            shelf.damaged(name.id);
                        }
                        damaged.push(damage);
                    }
                }
            }
        }
        let log = Self { files: Arc::new(files), shelf: Arc::new(Mutex::new(shelf)), marks: Arc::default() };
        let ids: Vec<u64> = log.shelf().segments.keys().copied().collect();
        for id in ids {
            let empty = log.shelf().seal(id);
            log.forget(empty);
        }
        Ok((log, damaged))
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn stock(&self) -> Stock {
        self.shelf().stock()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.shelf().is_empty()
    }

    /// A record needs the spool no longer.
    pub(super) fn done(&self, record: &Record, at: &Position) {
        let (empty, name) = {
            let mut shelf = self.shelf();
            let name = shelf.segments.get(&at.segment).map(|segment| segment.name);
            (shelf.done(record, at), name)
        };
        // One that goes with its file needs no mark.
        if let Some(name) = name.filter(|_| empty.is_none())
            && let Err(error) = self.marks().add(&*self.files, name, at.offset())
        {
            tracing::debug!(%error, "an event that was published is published again after a restart");
        }
        self.forget(empty);
    }

    fn marks(&self) -> MutexGuard<'_, Marks<F::File>> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes a segment of which nothing waits; a damaged one is set aside, for somebody to look at.
    fn forget(&self, empty: Option<(Name, bool)>) {
        let Some((name, damaged)) = empty else { return };
        let file = name.file();
        let gone =
            if damaged { self.files.rename(&file, &format!("{file}.damaged")) } else { self.files.remove(&file) };
        // A file that stays is read again at the next start: its records are then duplicates, which the stream knows.
        if gone.is_ok() {
            self.marks().forget(&*self.files, name);
            self.shelf().removed(name.id);
        }
    }

    /// What appends. There must be one alone.
    pub(super) fn writer(&self, segment_bytes: u64, salt: fn() -> Salt) -> Writer<F> {
        let next = self.shelf().segments.last_key_value().map_or(1, |(id, _)| id + 1);
        Writer { log: self.clone(), segment_bytes, salt, next_segment: next, next_number: 1, current: None }
    }

    /// What reads from the oldest record on.
    pub(super) fn reader(&self) -> Reader<F> {
        Reader { log: self.clone(), current: None, passed: 0, paused: BTreeMap::new(), again: BTreeMap::new() }
    }
}

/// Appends groups of records.
#[derive(Debug)]
pub(super) struct Writer<F: Files> {
    log: Log<F>,
    segment_bytes: u64,
    salt: fn() -> Salt,
    next_segment: u64,
    next_number: u64,
    current: Option<Current<F::File>>,
}

#[derive(Debug)]
struct Current<H> {
    name: Name,
    file: H,
    end: u64,
    /// The folder knows the file for good.
    known: bool,
}

impl<F: Files> Writer<F> {
    /// Makes a group of records durable, with one sync for all of them. Says of each what became of it.
    pub(super) fn append(&mut self, records: &[Record]) -> Vec<Result<(), AppendError>> {
        let mut outcomes: Vec<Result<(), AppendError>> = {
            let mut shelf = self.log.shelf();
            let reserve = |record: &Record| shelf.reserve(record);
            records.iter().map(reserve).map(|room| if room { Ok(()) } else { Err(AppendError::Full) }).collect()
        };
        if outcomes.iter().all(Result::is_err) {
            return outcomes;
        }
        match self.write(records, &mut outcomes) {
            Ok(id) => {
                let mut shelf = self.log.shelf();
                for (record, outcome) in records.iter().zip(&outcomes) {
                    match outcome {
                        Ok(()) => shelf.stored(id, record),
                        Err(AppendError::TooLarge) => shelf.release(record),
                        Err(_) => {}
                    }
                }
                // Whatever reads sees the records and their counts at one time.
                if let Some(end) = self.current.as_ref().map(|current| current.end) {
                    shelf.extend(id, end);
                }
                if self.current.as_ref().is_some_and(|current| current.end >= self.segment_bytes) {
                    self.current = None;
                    shelf.seal(id);
                }
            }
            Err(error) => {
                let error: Arc<str> = error.to_string().into();
                let mut shelf = self.log.shelf();
                for (record, outcome) in records.iter().zip(&mut outcomes) {
                    if !matches!(outcome, Err(AppendError::Full)) {
                        shelf.release(record);
                        *outcome = Err(AppendError::Disk(error.clone()));
                    }
                }
            }
        }
        outcomes
    }

    /// Writes and syncs what was let in. Returns the segment's number.
    fn write(&mut self, records: &[Record], outcomes: &mut [Result<(), AppendError>]) -> io::Result<u64> {
        let mut current = match self.current.take() {
            Some(current) => current,
            None => self.begin()?,
        };
        let mut bytes = BytesMut::new();
        for (record, outcome) in records.iter().zip(outcomes).filter(|(_, outcome)| outcome.is_ok()) {
            if write(record, self.next_number, current.name.salt(), &mut bytes) {
                self.next_number += 1;
            } else {
                *outcome = Err(AppendError::TooLarge);
            }
        }
        let id = current.name.id;
        let written = current.file.write_all_at(&bytes, current.end).and_then(|()| current.file.sync());
        let written = written.and_then(|()| if current.known { Ok(()) } else { self.log.files.sync() });
        if let Err(error) = written {
            self.give_up(&current);
            return Err(error);
        }
        current.known = true;
        current.end += bytes.len() as u64;
        self.current = Some(current);
        Ok(id)
    }

    /// Begins a segment.
    fn begin(&mut self) -> io::Result<Current<F::File>> {
        let name = Name::new(self.next_segment, (self.salt)());
        let file = self.log.files.create(&name.file())?;
        self.next_segment += 1;
        let mut shelf = self.log.shelf();
        shelf.segments.insert(name.id, Segment::new(name));
        shelf.count(name.id, HEADER);
        drop(shelf);
        let current = Current { name, file, end: HEADER, known: false };
        match current.file.write_all_at(&name.header(), 0) {
            Ok(()) => Ok(current),
            Err(error) => {
                self.give_up(&current);
                Err(error)
            }
        }
    }

    /// Never writes to this segment again. What stands behind its last record was refused: it goes, where the disk lets it.
    fn give_up(&self, current: &Current<F::File>) {
        let length = match current.file.cut(current.end) {
            Ok(()) => current.end,
            Err(_) => current.file.length().unwrap_or(current.end),
        };
        self.log.shelf().count(current.name.id, length);
        let empty = self.log.shelf().seal(current.name.id);
        self.log.forget(empty);
    }
}

/// Reads records from the oldest on, each once.
pub(super) struct Reader<F: Files> {
    log: Log<F>,
    current: Option<(Name, Walk<F::File>, u64)>,
    /// The last segment that was begun.
    passed: u64,
    /// Segments whose file could not be read: where to go on, and how many records were read.
    paused: BTreeMap<u64, (u64, u64)>,
    /// Those of them that are to be tried again, and what was left for them.
    again: BTreeMap<u64, (u64, u64)>,
}

impl<F: Files> Reader<F> {
    /// The next record, and where it stands; `None` where there is none yet.
    ///
    /// # Errors
    /// The file that could not be read: the next call goes on behind it, `resume` comes back to it.
    pub(super) fn next(&mut self) -> io::Result<Option<(Position, Record)>> {
        loop {
            if self.current.is_none() {
                let Some((name, from)) = self.following() else { return Ok(None) };
                self.begin(name, from)?;
            }
            let Some((name, walk, read)) = self.current.as_mut() else { return Ok(None) };
            let name = *name;
            let (end, sealed, finished) = match self.log.shelf().segments.get(&name.id) {
                Some(segment) => (segment.end, segment.sealed, segment.finished.contains(&walk.at())),
                None => (0, true, false),
            };
            match walk.next(end) {
                Ok(Some(Found::Record(..))) if finished => {}
                Ok(Some(Found::Record(record, bytes))) => {
                    *read += 1;
                    return Ok(Some((Position::new(name.id, bytes), record)));
                }
                Ok(Some(Found::Damage(damage))) if damage.torn => {}
                Ok(Some(Found::Damage(damage))) => {
                    tracing::error!(file = damage.file, from = damage.bytes.start, to = damage.bytes.end, "damaged");
                    self.log.shelf().damaged(name.id);
                }
                Ok(None) if sealed => {
                    // What the segment held when it was counted and does not any more.
                    let empty = self.log.shelf().passed(name.id, *read);
                    self.log.forget(empty);
                    self.current = None;
                }
                Ok(None) => return Ok(None),
                Err(error) => {
                    self.paused.insert(name.id, (walk.at(), *read));
                    self.current = None;
                    return Err(error);
                }
            }
        }
    }

    /// Reads a record once more.
    pub(super) fn read(&self, at: &Position) -> io::Result<Option<Record>> {
        let Some(name) = self.log.shelf().segments.get(&at.segment).map(|segment| segment.name) else {
            return Ok(None);
        };
        let mut walk = Walk::new(self.log.files.open(&name.file())?, name);
        walk.seek(at.offset());
        Ok(match walk.next(at.bytes().end)? {
            Some(Found::Record(record, bytes)) if bytes == at.bytes() => Some(record),
            _ => None,
        })
    }

    /// Tries the files again that could not be read, each from where reading ended.
    pub(super) fn resume(&mut self) {
        if self.paused.is_empty() {
            return;
        }
        self.again.append(&mut self.paused);
        // The one that is read comes again after them, where it was left.
        if let Some((name, walk, read)) = self.current.take() {
            self.again.insert(name.id, (walk.at(), read));
        }
    }

    /// The segment to read now, and from where: one that is tried again, else the next that was not begun.
    fn following(&mut self) -> Option<(Name, (u64, u64))> {
        let shelf = self.log.shelf();
        while let Some((id, from)) = self.again.pop_first() {
            if let Some(segment) = shelf.segments.get(&id) {
                return Some((segment.name, from));
            }
        }
        let (_, segment) = shelf.segments.range(self.passed + 1..).next()?;
        Some((segment.name, (HEADER, 0)))
    }

    fn begin(&mut self, name: Name, (at, read): (u64, u64)) -> io::Result<()> {
        self.passed = self.passed.max(name.id);
        match self.log.files.open(&name.file()) {
            Ok(file) => {
                let mut walk = Walk::new(file, name);
                walk.seek(at);
                self.current = Some((name, walk, read));
                Ok(())
            }
            Err(error) => {
                self.paused.insert(name.id, (at, read));
                Err(error)
            }
        }
    }
}

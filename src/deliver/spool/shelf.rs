//! What the spool holds: its segments, how much of each is done, and whose bytes they are.
//!
//! Counts are made anew from the records and marks at every start and never stored, so nothing can disagree with them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use super::record::Record;
use super::segment::{HEADER, Name};

/// Where a record stands. Small: millions of them may wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    pub(super) segment: u64,
    start: u32,
    length: u32,
}

impl Position {
    /// Of these bytes of a segment, which is far shorter than 4 GiB.
    pub(in super::super) fn new(segment: u64, bytes: Range<u64>) -> Self {
        let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        Self { segment, start: small(bytes.start), length: small(bytes.end.saturating_sub(bytes.start)) }
    }

    /// Where it begins.
    pub(in super::super) fn offset(&self) -> u64 {
        self.start.into()
    }

    pub(super) fn bytes(&self) -> Range<u64> {
        self.offset()..self.offset() + u64::from(self.length)
    }
}

/// One file.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) name: Name,
    /// Records before this offset are durable.
    pub(super) end: u64,
    /// Bytes of the file that count as used.
    pub(super) length: u64,
    /// Nothing is appended any more.
    pub(super) sealed: bool,
    /// Records that are not in their stream yet.
    pub(super) open: u64,
    /// All records that were ever counted here.
    pub(super) total: u64,
    /// When the first of its records was accepted.
    pub(super) oldest: Option<i64>,
    /// A part of it holds no record: the file is kept when the rest is done.
    pub(super) damaged: bool,
    /// Where the records stand that an earlier run was done with.
    pub(super) finished: HashSet<u64>,
}

impl Segment {
    pub(super) fn new(name: Name) -> Self {
        Self {
            name,
            end: HEADER,
            length: 0,
            sealed: false,
            open: 0,
            total: 0,
            oldest: None,
            damaged: false,
            finished: HashSet::new(),
        }
    }
}

/// How much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stock {
    /// Records that wait.
    pub events: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// When the oldest file's first record was accepted, in milliseconds since 1970.
    pub oldest: Option<i64>,
}

/// What the sources of one namespace may hold together, in parts of what is free: with one namespace alone, three quarters of the spool.
const OF_NAMESPACE: u64 = 3;

/// Bytes that wait, by who has them.
#[derive(Debug, Default)]
struct Shares(HashMap<Arc<str>, u64>);

impl Shares {
    fn of(&self, holder: &str) -> u64 {
        self.0.get(holder).copied().unwrap_or_default()
    }

    fn add(&mut self, holder: &Arc<str>, bytes: u64) {
        *self.0.entry(holder.clone()).or_default() += bytes;
    }

    fn give_back(&mut self, holder: &str, bytes: u64) {
        if let Some(share) = self.0.get_mut(holder) {
            *share = share.saturating_sub(bytes);
            if *share == 0 {
                self.0.remove(holder);
            }
        }
    }
}

/// All of it.
#[derive(Debug)]
pub(super) struct Shelf {
    pub(super) segments: BTreeMap<u64, Segment>,
    /// Bytes of a source that wait, by its uid.
    sources: Shares,
    /// And of all sources of a namespace.
    namespaces: Shares,
    max_bytes: u64,
    /// Bytes of all files, and of what is on its way to one.
    used: u64,
}

impl Shelf {
    pub(super) fn new(max_bytes: u64) -> Self {
        Self {
            segments: BTreeMap::new(),
            sources: Shares::default(),
            namespaces: Shares::default(),
            max_bytes,
            used: 0,
        }
    }

    /// Takes room for a record, or says that there is none: a source may hold as much as is free, the sources of a namespace together
    /// three times that.
    pub(super) fn reserve(&mut self, record: &Record) -> bool {
        let bytes = record.disk_len() as u64;
        let free = self.max_bytes.saturating_sub(self.used);
        let beyond = self.namespaces.of(&record.namespace) > free.saturating_mul(OF_NAMESPACE);
        if bytes > free || self.sources.of(&record.source) > free || beyond {
            return false;
        }
        self.used += bytes;
        self.sources.add(&record.source, bytes);
        self.namespaces.add(&record.namespace, bytes);
        true
    }

    /// Gives room back that was reserved and not written.
    pub(super) fn release(&mut self, record: &Record) {
        self.used = self.used.saturating_sub(record.disk_len() as u64);
        self.give_back(record);
    }

    fn give_back(&mut self, record: &Record) {
        let bytes = record.disk_len() as u64;
        self.sources.give_back(&record.source, bytes);
        self.namespaces.give_back(&record.namespace, bytes);
    }

    /// A file has this length, none of which was reserved.
    pub(super) fn count(&mut self, id: u64, length: u64) {
        if let Some(segment) = self.segments.get_mut(&id) {
            self.used = (self.used + length).saturating_sub(segment.length);
            segment.length = length;
        }
    }

    /// A record lies in a segment, in the room that was reserved for it.
    pub(super) fn stored(&mut self, id: u64, record: &Record) {
        if let Some(segment) = self.segments.get_mut(&id) {
            segment.open += 1;
            segment.total += 1;
            segment.length += record.disk_len() as u64;
            segment.oldest.get_or_insert(record.accepted);
        }
    }

    /// Records before this offset are durable.
    pub(super) fn extend(&mut self, id: u64, end: u64) {
        if let Some(segment) = self.segments.get_mut(&id) {
            segment.end = end;
        }
    }

    /// A record was found at the start, in a file whose length is counted.
    pub(super) fn recovered(&mut self, id: u64, record: &Record) {
        self.sources.add(&record.source, record.disk_len() as u64);
        self.namespaces.add(&record.namespace, record.disk_len() as u64);
        if let Some(segment) = self.segments.get_mut(&id) {
            segment.open += 1;
            segment.total += 1;
            segment.oldest.get_or_insert(record.accepted);
        }
    }

    /// A part of a segment holds no record.
    pub(super) fn damaged(&mut self, id: u64) {
        if let Some(segment) = self.segments.get_mut(&id) {
            segment.damaged = true;
        }
    }

    /// A record needs the spool no longer. Returns its segment where that holds nothing else.
    pub(super) fn done(&mut self, record: &Record, at: &Position) -> Option<(Name, bool)> {
        self.give_back(record);
        let segment = self.segments.get_mut(&at.segment)?;
        segment.open = segment.open.saturating_sub(1);
        self.empty(at.segment)
    }

    /// A sealed segment was read to its end and held so many records: what is missing can be read by nobody. Returns it
    /// where nothing else of it waits.
    pub(super) fn passed(&mut self, id: u64, read: u64) -> Option<(Name, bool)> {
        let segment = self.segments.get_mut(&id)?;
        let missing = segment.total.saturating_sub(read);
        segment.open = segment.open.saturating_sub(missing);
        segment.total = read;
        segment.damaged |= missing > 0;
        self.empty(id)
    }

    /// Nothing more is appended to a segment. Returns it where nothing of it waits.
    pub(super) fn seal(&mut self, id: u64) -> Option<(Name, bool)> {
        self.segments.get_mut(&id)?.sealed = true;
        self.empty(id)
    }

    /// The name of a segment of which nothing waits, and whether it is damaged.
    fn empty(&self, id: u64) -> Option<(Name, bool)> {
        let segment = self.segments.get(&id)?;
        (segment.sealed && segment.open == 0).then_some((segment.name, segment.damaged))
    }

    /// A segment's file is gone.
    pub(super) fn removed(&mut self, id: u64) {
        if let Some(segment) = self.segments.remove(&id) {
            self.used = self.used.saturating_sub(segment.length);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.segments.values().all(|segment| segment.open == 0)
    }

    pub(super) fn stock(&self) -> Stock {
        Stock {
            events: self.segments.values().map(|segment| segment.open).sum(),
            bytes: self.used,
            oldest: self.segments.values().filter(|segment| segment.open > 0).find_map(|segment| segment.oldest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::record;
    use super::*;

    #[test]
    fn a_source_may_hold_as_much_as_is_free() {
        let (loud, quiet) = (record("loud", 1, 0), record("quiet", 1, 0));
        let size = loud.disk_len() as u64;
        let mut shelf = Shelf::new(100 * size);
        let taken = (0..).take_while(|_| shelf.reserve(&loud)).count();
        assert_eq!(taken, 51, "half of the space, and the record that passes it");
        assert!(shelf.reserve(&quiet), "the other half is for others");
        shelf.release(&loud);
        shelf.release(&loud);
        assert!(shelf.reserve(&loud));
        assert!(!shelf.reserve(&record("quiet", 1, 200 * loud.disk_len())), "more than there is");
    }

    #[test]
    fn a_namespace_of_many_sources_leaves_a_quarter_to_others() {
        let of = |namespace: &str, source: usize| {
            let source = format!("{namespace}-{source:02}");
            Record { namespace: namespace.into(), ..record(&source, 1, 0) }
        };
        let size = of("loud", 0).disk_len() as u64;
        let mut shelf = Shelf::new(100 * size);
        let taken = (0..).take_while(|n| shelf.reserve(&of("loud", n % 50))).count();
        assert!((75..=77).contains(&taken), "{taken}");
        let others = (0..).take_while(|_| shelf.reserve(&of("deep", 0))).count();
        assert!((10..=13).contains(&others), "half of what is left: {others}");
    }
}

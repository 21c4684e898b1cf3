//! The spool on a disk that fails and forgets: sequences of appends, crashes and damage, judged against what was promised.

mod disk;

use std::collections::{BTreeSet, HashMap, HashSet};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use self::disk::{Disk, Fault};
use super::log::{Log, Reader, Writer};
use super::record::tests::record;
use super::record::{Record, Salt};
use super::shelf::Position;

/// Small, so that a sequence of a few dozen steps rotates.
const SEGMENT: u64 = 2000;
const SPACE: u64 = 16_000;

#[derive(Clone, Debug)]
enum Step {
    /// Records of a source, with payloads of these sizes, in one group.
    Append(u8, Vec<usize>),
    /// Reads some records, and is done with those whose bit is set.
    Drain(u8, u8),
    Crash(u64),
    Reopen,
    Fail(Fault, u32),
    Space(usize),
    Flip(u64),
    Truncate(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let fault = prop_oneof![
        Just(Fault::Write),
        Just(Fault::Short),
        Just(Fault::Sync),
        Just(Fault::Folder),
        Just(Fault::Create),
        Just(Fault::Cut),
        Just(Fault::Read),
    ];
    prop_oneof![
        8 => (0..3_u8, prop::collection::vec(0..900_usize, 1..5)).prop_map(|(source, sizes)| Step::Append(source, sizes)),
        5 => (0..8_u8, any::<u8>()).prop_map(|(count, done)| Step::Drain(count, done)),
        2 => any::<u64>().prop_map(Step::Crash),
        1 => Just(Step::Reopen),
        2 => (fault, 1..3_u32).prop_map(|(fault, times)| Step::Fail(fault, times)),
        1 => prop_oneof![Just(0_usize), Just(5_000), Just(1 << 20)].prop_map(Step::Space),
        1 => any::<u64>().prop_map(Step::Flip),
        1 => any::<u64>().prop_map(Step::Truncate),
    ]
}

fn salt() -> Salt {
    // The same for all: harder than what runs, where a marker of another file is none.
    Salt(0x5a17_5a17_0bad_cafe)
}

/// The program, and what it has promised.
struct World {
    disk: Disk,
    log: Log<Disk>,
    writer: Writer<Disk>,
    reader: Reader<Disk>,
    /// Files could not be read, and were not tried again yet.
    behind: bool,
    next: u64,
    /// Everything that was ever handed in.
    known: HashMap<String, Record>,
    /// Durable by promise, and not done.
    promised: BTreeSet<String>,
    /// Read from the log since it was opened.
    read: HashSet<String>,
    /// Damage was done by hand to files that held these.
    excused: BTreeSet<String>,
    /// Done, on a disk that took all and has forgotten nothing since.
    finished: HashSet<String>,
}

impl World {
    fn new() -> Self {
        let disk = Disk::new(1 << 20);
        let (log, _) = Log::open(disk.clone(), SPACE).unwrap();
        Self {
            writer: log.writer(SEGMENT, salt),
            reader: log.reader(),
            log,
            disk,
            behind: false,
            next: 0,
            known: HashMap::new(),
            promised: BTreeSet::new(),
            read: HashSet::new(),
            excused: BTreeSet::new(),
            finished: HashSet::new(),
        }
    }

    fn append(&mut self, source: u8, sizes: &[usize]) {
        let records: Vec<Record> = sizes
            .iter()
            .map(|size| {
                self.next += 1;
                record(&format!("source-{source}"), self.next, *size)
            })
            .collect();
        self.known.extend(records.iter().map(|record| (record.msg_id.clone(), record.clone())));
        for (outcome, record) in self.writer.append(&records).iter().zip(&records) {
            if outcome.is_ok() {
                self.promised.insert(record.msg_id.clone());
            }
        }
    }

    fn next(&mut self) -> Option<(Position, Record)> {
        let (at, record) = loop {
            match self.reader.next() {
                Ok(Some(found)) => break found,
                Ok(None) if !self.behind => return None,
                Ok(None) => self.resume(),
                Err(_) => self.behind = true,
            }
        };
        if self.behind && self.disk.platter().chance().is_multiple_of(2) {
            self.resume();
        }
        assert_eq!(self.known.get(&record.msg_id), Some(&record), "invented");
        assert!(self.read.insert(record.msg_id.clone()), "{} was read twice", record.msg_id);
        assert!(!self.finished.contains(&record.msg_id), "{} is done, and is published again", record.msg_id);
        if let Ok(again) = self.reader.read(&at) {
            assert_eq!(again.as_ref(), Some(&record));
        }
        Some((at, record))
    }

    fn resume(&mut self) {
        self.behind = false;
        self.reader.resume();
    }

    fn drain(&mut self, count: u8, done: u8) {
        for index in 0..count {
            let Some((at, record)) = self.next() else { return };
            if done >> index & 1 == 1 {
                let well = {
                    let platter = self.disk.platter();
                    let used: usize = platter.seen.values().map(|inode| platter.inodes[*inode].seen.len()).sum();
                    platter.faults.values().all(|left| *left == 0) && used + 100 < platter.space
                };
                self.log.done(&record, &at);
                self.promised.remove(&record.msg_id);
                if well {
                    self.finished.insert(record.msg_id);
                }
            }
        }
    }

    fn reopen(&mut self) {
        let faults = std::mem::take(&mut self.disk.platter().faults);
        let (log, _) = Log::open(self.disk.clone(), SPACE).unwrap();
        self.disk.platter().faults = faults;
        self.writer = log.writer(SEGMENT, salt);
        self.reader = log.reader();
        self.log = log;
        self.behind = false;
        self.read.clear();
    }

    /// Everything that was promised can be read.
    fn judge(&mut self) {
        self.reopen();
        let mut found = BTreeSet::new();
        let mut done = Vec::new();
        while let Some((at, record)) = self.next() {
            found.insert(record.msg_id.clone());
            done.push((at, record));
        }
        let missing: Vec<_> =
            self.promised.iter().filter(|id| !found.contains(*id) && !self.excused.contains(*id)).collect();
        assert!(missing.is_empty(), "lost {missing:?}");
        assert_eq!(self.log.stock().events, found.len() as u64);
        for (at, record) in &done {
            self.log.done(record, at);
        }
        assert_eq!(self.log.stock().events, 0);
        assert_eq!(self.log.stock().bytes, 0, "space that nobody gets back");
    }

    fn file(&self, choice: u64) -> Option<usize> {
        let platter = self.disk.platter();
        let files: Vec<usize> =
            platter.seen.iter().filter(|(name, _)| name.ends_with(".spool")).map(|(_, i)| *i).collect();
        let count = files.len() as u64;
        (count > 0).then(|| files[usize::try_from(choice % count).unwrap()])
    }

    /// Whoever's record holds this part of a file has an excuse to be missing.
    fn excuse(&mut self, inode: usize, from: usize, to: usize) {
        let seen = self.disk.platter().inodes[inode].seen.clone();
        for (id, record) in &self.known {
            let mut start = 0;
            while let Some(found) = memchr::memmem::find(&seen[start..], id.as_bytes()).map(|at| at + start) {
                let reach = record.disk_len();
                if found < to + reach && found + reach > from {
                    self.excused.insert(id.clone());
                }
                start = found + 1;
            }
        }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Append(source, sizes) => self.append(*source, sizes),
            Step::Drain(count, done) => self.drain(*count, *done),
            Step::Crash(random) => {
                let mut platter = self.disk.platter();
                platter.random ^= random;
                platter.crash();
                drop(platter);
                self.finished.clear();
                self.reopen();
            }
            Step::Reopen => self.reopen(),
            Step::Fail(fault, times) => {
                self.disk.platter().faults.insert(*fault, *times);
            }
            Step::Space(bytes) => self.disk.platter().space = *bytes,
            Step::Flip(choice) => {
                let Some(inode) = self.file(*choice) else { return };
                let length = self.disk.platter().inodes[inode].seen.len();
                if length == 0 {
                    return;
                }
                let at = usize::try_from(choice >> 8).unwrap() % length;
                self.excuse(inode, at, at + 1);
                let mut platter = self.disk.platter();
                platter.inodes[inode].seen[at] ^= 1 << (choice % 8);
                if let Some(byte) = platter.inodes[inode].kept.get_mut(at) {
                    *byte ^= 1 << (choice % 8);
                }
                drop(platter);
                self.reopen();
            }
            Step::Truncate(choice) => {
                let Some(inode) = self.file(*choice) else { return };
                let length = self.disk.platter().inodes[inode].seen.len();
                let at = usize::try_from(choice >> 8).unwrap() % (length + 1);
                self.excuse(inode, at, length);
                let mut platter = self.disk.platter();
                platter.inodes[inode].seen.truncate(at);
                platter.inodes[inode].kept.truncate(at);
                drop(platter);
                self.reopen();
            }
        }
    }
}

#[test]
fn nothing_promised_is_missing_and_nothing_is_invented_whatever_the_disk_does() {
    let cases = std::env::var("HOOKGATE_SPOOL_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(20_000);
    let mut runner = TestRunner::new(Config { cases, max_shrink_iters: 20_000, ..Config::default() });
    let sequences = prop::collection::vec(step(), 1..60);
    runner
        .run(&sequences, |steps| {
            let mut world = World::new();
            for step in &steps {
                world.take(step);
            }
            world.judge();
            Ok(())
        })
        .unwrap();
}

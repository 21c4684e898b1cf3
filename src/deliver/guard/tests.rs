//! Histories of a stream that is purged, consumed, rolled back and made anew, against a ledger that looks now and then.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::super::listing::State;
use super::super::spool::files::Folder;
use super::super::spool::salt;
use super::inquiry::{Answer, Inquiry, Question, Verdict};
use super::ledger::{Key, Ledger, Mark, Noted};
use super::memory::Memory;
use super::queue::{Group, Queue};
use super::remembered::{Acknowledged, Remembered};
use super::store::Store;
use crate::event::{Block, Message};

const STREAM: &str = "WEBHOOKS";
const WINDOW: Duration = Duration::from_secs(180);

/// A stream: which message each sequence has. Others' messages have no mark that we know.
#[derive(Clone, Debug, Default)]
struct Server {
    created: u32,
    messages: BTreeMap<u64, Mark>,
    last: u64,
    queue: bool,
    /// Ids that it takes for known: those of the last messages, consumed ones included until it starts anew.
    known: BTreeMap<Mark, u64>,
}

impl Server {
    fn publish(&mut self, mark: Mark) -> (u64, bool) {
        if let Some(sequence) = self.known.get(&mark) {
            return (*sequence, true);
        }
        self.last += 1;
        self.messages.insert(self.last, mark);
        self.known.insert(mark, self.last);
        (self.last, false)
    }

    fn lose(&mut self, count: u64) {
        self.last = self.last.saturating_sub(count);
        self.messages.retain(|sequence, _| *sequence <= self.last);
        self.known = self.messages.iter().map(|(sequence, mark)| (*mark, *sequence)).collect();
    }

    fn answer(&self, question: Question) -> Answer {
        match question {
            Question::Message(sequence) => {
                self.messages.get(&sequence).map_or(Answer::Gone, |mark| Answer::Message(Some(*mark)))
            }
            Question::State => Answer::State(self.state()),
        }
    }

    fn state(&self) -> State {
        let first = self.messages.first_key_value().map_or(self.last + 1, |(sequence, _)| *sequence);
        State { created: self.created.to_string(), first, last: self.last, queue: self.queue }
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// This replica publishes so many.
    Publish(u8),
    /// Another one does.
    Other(u8),
    /// So many of the newest are consumed one by one, or every so many-th of all.
    Consume(u8),
    Thin(u8),
    /// The oldest go, as purged, aged out or for want of room.
    Purge(u8),
    /// The server is away and forgets so many; then another replica publishes so many, and this one, before it looks.
    Lose(u8, u8, u8),
    /// The stream is deleted and made anew, and another replica publishes so many, and this one, before it looks.
    Recreate(u8, u8),
    Look,
    Second,
}

struct History {
    server: Server,
    ledger: Ledger,
    next: Mark,
    bucket: u64,
    /// Every message that was ever remembered.
    notes: Vec<Key>,
    /// Acknowledged, and neither consumed nor purged.
    wanted: BTreeSet<Mark>,
    /// The server forgot something since the last look.
    hurt: bool,
}

impl History {
    fn new(queue: bool) -> Self {
        let server = Server { queue, ..Server::default() };
        let mut ledger = Ledger::new(WINDOW);
        ledger.made([(STREAM.to_owned(), Box::from("0"))].into_iter());
        Self { server, ledger, next: 1, bucket: 1, notes: Vec::new(), wanted: BTreeSet::new(), hurt: false }
    }

    fn publish(&mut self, mark: Mark) -> bool {
        let (sequence, duplicate) = self.server.publish(mark);
        self.notes.push((self.bucket, sequence, mark));
        self.ledger.remember(self.bucket, 1, [Noted { stream: STREAM.into(), sequence, mark, duplicate }]);
        !duplicate
    }

    fn ours(&mut self, count: u8) {
        for _ in 0..count {
            self.next += 1;
            self.publish(self.next);
            self.wanted.insert(self.next);
        }
    }

    fn others(&mut self, count: u8) {
        for _ in 0..count {
            self.next += 1;
            self.server.publish(self.next);
        }
    }

    fn gone(&mut self, which: impl Fn(u64) -> bool) {
        let gone: Vec<u64> = self.server.messages.keys().copied().filter(|sequence| which(*sequence)).collect();
        for sequence in gone {
            if let Some(mark) = self.server.messages.remove(&sequence) {
                self.wanted.remove(&mark);
            }
        }
    }

    fn run(&mut self, step: &Step) {
        match *step {
            Step::Publish(count) => self.ours(count),
            Step::Other(count) => self.others(count),
            Step::Consume(count) => {
                let from = self.server.last.saturating_sub(count.into());
                self.gone(|sequence| sequence > from);
            }
            Step::Thin(every) => self.gone(|sequence| sequence % u64::from(every.max(2)) == 0),
            Step::Purge(left) => {
                let from = self.server.last.saturating_sub(left.into());
                self.gone(|sequence| sequence <= from);
            }
            Step::Lose(count, others, ours) => {
                let before = self.server.last;
                // We are connected to this server, or to another of its cluster.
                match count % 2 {
                    0 => self.ledger.pause(),
                    _ => (0..2).for_each(|_| self.ledger.advance(Duration::from_secs(1))),
                }
                self.server.lose(count.into());
                self.others(others);
                self.hurt |= before > 0 && count > 0;
                self.ours(ours);
                self.ledger.reconnected();
                self.look();
            }
            Step::Recreate(others, ours) => {
                self.server =
                    Server { created: self.server.created + 1, queue: self.server.queue, ..Server::default() };
                self.others(others);
                self.hurt = true;
                self.ours(ours);
                self.read();
                self.look();
            }
            Step::Look => {
                self.read();
                self.look();
            }
            Step::Second => self.ledger.advance(Duration::from_secs(1)),
        }
        self.bucket += 1;
    }

    fn read(&mut self) {
        let state = self.server.state();
        self.ledger.made([(STREAM.to_owned(), state.created.as_str().into())].into_iter());
        if self.ledger.is_of(STREAM, &state.created) {
            self.ledger.forget_before(STREAM, state.first);
        } else {
            assert!(self.hurt, "it is the same");
            self.ledger.alarm(STREAM, None);
        }
    }

    fn look(&mut self) {
        let last = self.server.last;
        let forgot = match Inquiry::new(&self.ledger, STREAM) {
            None => Verdict::Calm,
            Some((mut inquiry, mut question)) => loop {
                let answer = self.server.answer(question);
                match inquiry.answer(&mut self.ledger, STREAM, answer) {
                    Ok(verdict) => break verdict,
                    Err(next) => question = next,
                }
            },
        };
        if let Verdict::Forgot { above } = forgot {
            assert!(self.hurt, "nothing was forgotten");
            self.ledger.alarm(STREAM, above);
        }
        let lost: Vec<Key> = self.notes.iter().filter(|key| self.ledger.is_lost(STREAM, key)).copied().collect();
        for key in lost {
            if self.server.queue {
                assert!(key.1 > last || self.hurt, "what may have been consumed");
            }
            let stored = self.publish(key.2);
            self.ledger.settled(STREAM, &key, stored);
        }
        assert!(!self.ledger.is_alarmed());
        self.ledger.looked();
        if !self.server.queue {
            let there: Vec<Mark> = self.server.messages.values().copied().collect();
            let once: BTreeSet<Mark> = there.iter().copied().collect();
            assert_eq!(once.len(), there.len(), "each once");
            let missing: Vec<&Mark> = self.wanted.difference(&once).collect();
            assert!(missing.is_empty(), "{missing:?} are missing");
        }
        self.hurt = false;
    }
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..20u8).prop_map(Step::Publish),
        2 => (1..20u8).prop_map(Step::Other),
        1 => (1..30u8).prop_map(Step::Consume),
        1 => (2..5u8).prop_map(Step::Thin),
        1 => (0..30u8).prop_map(Step::Purge),
        2 => ((1..60u8), (0..80u8), (0..20u8)).prop_map(|(lost, others, ours)| Step::Lose(lost, others, ours)),
        1 => ((0..80u8), (0..20u8)).prop_map(|(others, ours)| Step::Recreate(others, ours)),
        3 => Just(Step::Look),
        1 => Just(Step::Second),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_a_stream_forgot_it_gets_again_once_and_nothing_else(
        queue in any::<bool>(),
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let mut history = History::new(queue);
        for step in &steps {
            history.run(step);
        }
    }
}

fn noted(sequence: u64, mark: Mark) -> Noted {
    Noted { stream: STREAM.into(), sequence, mark, duplicate: false }
}

#[test]
fn nothing_expires_while_nats_is_away_or_something_must_be_published_again() {
    let mut ledger = Ledger::new(WINDOW);
    ledger.looked();
    ledger.remember(1, 10, [noted(1, 1)]);
    ledger.advance(WINDOW / 2);
    ledger.remember(2, 10, [noted(2, 2)]);
    ledger.advance(WINDOW / 2);
    assert_eq!(ledger.expire(), Vec::<u64>::new());
    ledger.advance(Duration::from_secs(1));
    ledger.hold();
    assert_eq!(ledger.expire(), Vec::<u64>::new(), "nobody has looked since NATS was away");
    ledger.looked();
    ledger.alarm(STREAM, Some(1));
    assert_eq!(ledger.expire(), Vec::<u64>::new(), "one of them must be published again");
    ledger.settled(STREAM, &(2, 2, 2), true);
    assert_eq!(ledger.expire(), [1]);
    assert_eq!(ledger.reach(), WINDOW, "what expires leaves no gap");
}

#[test]
fn the_reach_ends_where_something_had_to_go_or_was_missed() {
    let mut ledger = Ledger::new(WINDOW);
    ledger.remember(1, 10, [noted(1, 1)]);
    ledger.advance(Duration::from_secs(10));
    ledger.remember(2, 10, [noted(2, 2)]);
    ledger.advance(Duration::from_secs(5));
    assert_eq!(ledger.reach(), Duration::from_secs(15));
    assert_eq!(ledger.evict(15), [1]);
    assert_eq!(ledger.reach(), Duration::from_secs(15), "nothing came between");
    assert_eq!(ledger.evict(5), [2]);
    assert_eq!(ledger.reach(), Duration::from_secs(5));
    ledger.missed();
    assert_eq!(ledger.reach(), Duration::ZERO);
}

#[test]
fn a_sequence_that_the_stream_had_passed_is_suspicious_and_one_that_was_overtaken_is_not() {
    let mut ledger = Ledger::new(WINDOW);
    ledger.remember(1, 10, [noted(5, 5), noted(4, 4)]);
    assert!(!ledger.is_suspected(), "acknowledgements overtake each other");
    for _ in 0..2 {
        ledger.advance(Duration::from_secs(1));
    }
    ledger.remember(1, 10, [Noted { duplicate: true, ..noted(2, 2) }]);
    assert!(!ledger.is_suspected(), "the stream had it already");
    ledger.remember(1, 10, [noted(3, 3)]);
    assert!(ledger.take_suspected() && !ledger.is_suspected());
    ledger.remember(2, 10, [noted(5, 9)]);
    assert!(ledger.is_suspected() && ledger.is_lost(STREAM, &(1, 5, 5)), "two messages cannot have one sequence");
}

#[test]
fn a_stream_whose_answers_are_not_its_own_is_left_alone_until_the_next_connection() {
    let mut ledger = Ledger::new(WINDOW);
    for round in 0..2 {
        assert_eq!(ledger.streams().len(), 1 - usize::from(round == 0), "round {round}");
        ledger.remember(1, 10, [noted(1, 1)]);
        ledger.alarm(STREAM, None);
        ledger.settled(STREAM, &(1, 1, 1), false);
    }
    ledger.remember(1, 10, [noted(1, 1)]);
    assert!(ledger.streams().is_empty());
    ledger.reconnected();
    assert_eq!(ledger.streams().len(), 1);
}

fn put(group: &mut Group, sequence: u64, id: &str, size: usize) {
    let (headers, msg_id) = Block::default().finish("uid", id);
    let message = Message { subject: "webhooks.a.x".to_owned(), headers, payload: vec![b'x'; size].into(), msg_id };
    let bound = sequence.is_multiple_of(2);
    let acknowledged = Acknowledged { stream: STREAM, sequence, bound, claimed: "", message: &message };
    assert!(group.add(&acknowledged, noted(sequence, sequence)));
}

fn group(all: &[(u64, &str, usize)]) -> Group {
    let mut group = Group::default();
    all.iter().for_each(|(sequence, id, size)| put(&mut group, *sequence, id, *size));
    group
}

fn read<F: super::super::spool::files::Files>(store: &Store<F>, bucket: u64) -> Vec<(u64, Bytes, usize, bool)> {
    let mut all = Vec::new();
    let each = |one: Remembered| all.push((one.sequence, one.message.msg_id, one.message.payload.len(), one.bound));
    store.buckets().read(bucket, each).unwrap();
    all
}

#[test]
fn what_is_put_into_a_bucket_is_read_from_it_in_memory_and_after_a_restart_from_disk() {
    let all = [(1, "a", 10), (2, "b", 3_000_000), (3, "c", 0)];
    let wanted = [(1, "uid:a", 10, false), (2, "uid:b", 3_000_000, true), (3, "uid:c", 0, false)];
    let wanted = wanted.map(|(sequence, id, size, bound)| (sequence, Bytes::from(id), size, bound));
    let mut memory = Store::open(Memory::default(), salt, |_, _, _| panic!("it is new")).unwrap();
    let (bucket, _) = memory.append(&mut group(&all[..1])).unwrap();
    memory.append(&mut group(&all[1..])).unwrap();
    assert_eq!(read(&memory, bucket), wanted);
    memory.remove(&[bucket]);
    assert_eq!(read(&memory, bucket), []);

    let folder = tempfile::tempdir().unwrap();
    let mut disk = Store::open(Folder::new(folder.path().to_owned()), salt, |_, _, _| {}).unwrap();
    let (bucket, bytes) = disk.append(&mut group(&all)).unwrap();
    disk.close().unwrap();
    let (next, _) = disk.append(&mut group(&all[..1])).unwrap();
    assert_ne!(bucket, next);
    drop(disk);
    let mut found = Vec::new();
    let disk = Store::open(Folder::new(folder.path().to_owned()), salt, |bucket, bytes, all| {
        found.push((bucket, bytes, all.len()));
    });
    let disk = disk.unwrap();
    assert_eq!(found[0], (bucket, bytes, 3));
    assert_eq!((found.len(), found[1].2), (2, 1));
    assert_eq!(read(&disk, bucket), wanted);
}

#[test]
fn after_a_restart_a_message_counts_where_it_was_published_last() {
    let mut ledger = Ledger::new(WINDOW);
    ledger.recover(1, 10, [noted(7, 70), noted(8, 80)]);
    ledger.recover(2, 10, [noted(3, 70), noted(4, 80)]);
    assert_eq!(ledger.newest(STREAM), Some((4, 80)));
    let stream: Arc<str> = STREAM.into();
    assert_eq!(ledger.streams(), [stream]);
}

#[test]
fn what_waits_is_taken_whole_with_what_was_asked_and_a_disk_that_hangs_lets_nothing_grow() {
    let queue = Queue::default();
    let message = |size: usize| {
        let (headers, msg_id) = Block::default().finish("uid", "a");
        Message { subject: "webhooks.a.x".to_owned(), headers, payload: vec![b'x'; size].into(), msg_id }
    };
    let add = |sequence: u64, size: usize| {
        let message = message(size);
        let acknowledged = Acknowledged { stream: STREAM, sequence, bound: false, claimed: "", message: &message };
        queue.put(&acknowledged, noted(sequence, sequence))
    };
    assert!(add(1, 10) && add(2, 20));
    queue.order(|orders| orders.sweep = true);
    let mut taken = Group::default();
    let orders = queue.take(&mut taken).unwrap();
    assert!(orders.sweep && !orders.clear);
    let sequences: Vec<u64> = taken.notes.iter().map(|(noted, _)| noted.sequence).collect();
    assert_eq!((sequences, taken.notes[1].1), (vec![1, 2], taken.bytes.len()));
    taken.clear();
    // Nobody takes any more.
    let most = (0..100).take_while(|sequence| add(*sequence, 1 << 20)).count();
    assert!((30..=33).contains(&most), "{most} MiB");
    for _ in 0..100 {
        let (done, _) = tokio::sync::oneshot::channel();
        queue.order(|orders| orders.written.push(done));
    }
    queue.close();
    let orders = queue.take(&mut taken).unwrap();
    assert!(orders.written.len() <= 1, "who no longer waits is forgotten");
    taken.clear();
    assert!(queue.take(&mut taken).is_none());
}

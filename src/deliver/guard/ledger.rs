//! What is remembered of acknowledged messages, as numbers: which sequence of which stream had which id, since when, and what
//! must be published again.
//!
//! Pure: never asks NATS, reads no clock and holds no message. Messages lie in buckets, which go whole.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// Where a message lies, and which it is: its bucket, the sequence it was acknowledged with and its mark.
pub(super) type Key = (u64, u64, Mark);

/// Between notes of the sequences that the streams have passed.
const TICK: Duration = Duration::from_secs(1);
/// Pauses of a stream that wait to be looked at.
const PAUSES: usize = 16;
/// After so many alarms in a row about nothing no look is worth another.
const FALSE_ALARMS: u8 = 2;

/// Stands for a `Nats-Msg-Id`, within this process.
pub(super) type Mark = u64;

/// An acknowledgement that is remembered.
#[derive(Clone, Debug)]
pub(super) struct Noted {
    /// The stream that said so.
    pub(super) stream: Arc<str>,
    pub(super) sequence: u64,
    pub(super) mark: Mark,
    /// The stream had it already.
    pub(super) duplicate: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kept {
    mark: Mark,
    bucket: u64,
}

#[derive(Debug)]
struct Bucket {
    /// When the last message was put in.
    last: Duration,
    bytes: u64,
}

/// One stream.
#[derive(Debug, Default)]
struct Track {
    kept: BTreeMap<u64, Kept>,
    /// When the stream was made that these sequences are of, as it says itself; `None` until that is known.
    created: Option<Box<str>>,
    /// What must be published again.
    lost: BTreeSet<Key>,
    /// Since when there is such.
    since: Duration,
    /// An acknowledgement came with a sequence that another has, or that the stream had passed.
    suspected: bool,
    /// Its newest sequence at the last tick, and at the one before: acknowledgements overtake each other, but not by more.
    ticked: [u64; 2],
    /// Where it stood still since it was looked at: what its server forgets meanwhile ends here, and is not seen at the newest
    /// once others and we have gone on.
    pauses: BTreeMap<u64, Mark>,
    /// Two messages were acknowledged with one sequence.
    contradicted: bool,
    /// How often in a row everything that was published again turned out to be there.
    false_alarms: u8,
    /// Of what was published again something was not there.
    was_true: bool,
}

/// All of it.
#[derive(Debug)]
pub(super) struct Ledger {
    window: Duration,
    /// Time that passed while NATS was there.
    now: Duration,
    /// All that was acknowledged after this is remembered.
    whole_since: Duration,
    /// Nothing expires: NATS was away, and nobody has looked yet.
    held: bool,
    /// When the sequences were noted that the streams had passed.
    ticked: Duration,
    buckets: BTreeMap<u64, Bucket>,
    streams: HashMap<Arc<str>, Track>,
    /// When each stream was made, as its servers said last: also of those of which nothing is remembered yet.
    made: HashMap<String, Box<str>>,
}

impl Ledger {
    pub(super) fn new(window: Duration) -> Self {
        let zero = Duration::ZERO;
        let (buckets, streams, made) = (BTreeMap::new(), HashMap::new(), HashMap::new());
        Self { window, now: zero, whole_since: zero, held: true, ticked: zero, buckets, streams, made }
    }

    /// Time passed while NATS was there.
    pub(super) fn advance(&mut self, by: Duration) {
        self.now += by;
        if self.now >= self.ticked + TICK {
            self.ticked = self.now;
            for track in self.streams.values_mut() {
                let newest = track.newest();
                if newest == track.ticked[0] {
                    track.pause();
                }
                track.ticked = [newest, track.ticked[0]];
            }
        }
    }

    /// Nothing is acknowledged: all streams stand still.
    pub(super) fn pause(&mut self) {
        self.streams.values_mut().for_each(Track::pause);
    }

    /// All streams were looked at, and what was to be found out is.
    pub(super) fn looked(&mut self) {
        self.held = false;
        for track in self.streams.values_mut() {
            track.pauses.clear();
            track.contradicted = false;
        }
    }

    pub(super) fn now(&self) -> Duration {
        self.now
    }

    /// Nothing may expire until somebody has looked.
    pub(super) fn hold(&mut self) {
        self.held = true;
    }

    /// How far back all that was acknowledged is remembered, at most the window.
    pub(super) fn reach(&self) -> Duration {
        self.now.saturating_sub(self.whole_since).min(self.window)
    }

    /// Something was acknowledged just now and is not remembered.
    pub(super) fn missed(&mut self) {
        self.whole_since = self.now;
    }

    /// Messages were put into a bucket, which holds so many bytes now.
    pub(super) fn remember(&mut self, bucket: u64, bytes: u64, all: impl IntoIterator<Item = Noted>) {
        let now = self.now;
        let known = self.buckets.entry(bucket).or_insert(Bucket { last: now, bytes });
        (known.last, known.bytes) = (now, bytes);
        for Noted { stream, sequence, mark, duplicate } in all {
            let created = self.made.get(&*stream);
            let track = self.streams.entry(stream).or_default();
            if track.kept.is_empty() {
                track.created = created.cloned();
            }
            match track.kept.insert(sequence, Kept { mark, bucket }) {
                Some(before) if before.mark != mark => {
                    // Two messages cannot have one sequence: the first is not there any more.
                    track.lose(now, (before.bucket, sequence, before.mark));
                    (track.suspected, track.contradicted) = (true, true);
                }
                Some(_) => {}
                None => track.suspected |= !duplicate && sequence <= track.ticked[1],
            }
        }
    }

    /// What an earlier run remembered, in its order. A message that was published again counts where it came to lie last.
    pub(super) fn recover(&mut self, bucket: u64, bytes: u64, all: impl IntoIterator<Item = Noted>) {
        let mut at: HashMap<(Arc<str>, Mark), u64> = HashMap::new();
        for (name, track) in &self.streams {
            at.extend(track.kept.iter().map(|(sequence, kept)| ((name.clone(), kept.mark), *sequence)));
        }
        self.buckets.insert(bucket, Bucket { last: self.now, bytes });
        for Noted { stream, sequence, mark, .. } in all {
            let track = self.streams.entry(stream.clone()).or_default();
            if let Some(before) = at.insert((stream, mark), sequence).filter(|before| *before != sequence) {
                track.kept.remove(&before);
            }
            if let Some(before) = track.kept.insert(sequence, Kept { mark, bucket }).filter(|kept| kept.mark != mark) {
                track.lose(self.now, (before.bucket, sequence, before.mark));
            }
        }
    }

    /// The streams of which something is remembered, but for those whose answers cannot be of the stream that acknowledges:
    /// they seem to forget, and have everything.
    pub(super) fn streams(&self) -> Vec<Arc<str>> {
        let sound = self.streams.iter().filter(|(_, track)| track.false_alarms < FALSE_ALARMS);
        sound.map(|(name, _)| Arc::clone(name)).collect()
    }

    /// Another server answers: all streams are looked at again.
    pub(super) fn reconnected(&mut self) {
        self.streams.values_mut().for_each(|track| track.false_alarms = 0);
        self.held = true;
    }

    /// Whether a stream acknowledged what cannot be.
    pub(super) fn is_suspected(&self) -> bool {
        self.streams.values().any(|track| track.suspected)
    }

    /// The same; asking forgets it.
    pub(super) fn take_suspected(&mut self) -> bool {
        let mut any = false;
        for track in self.streams.values_mut() {
            any |= std::mem::take(&mut track.suspected);
        }
        any
    }

    /// The newest sequence of a stream, and its mark.
    pub(super) fn newest(&self, stream: &str) -> Option<(u64, Mark)> {
        let (sequence, kept) = self.streams.get(stream)?.kept.last_key_value()?;
        Some((*sequence, kept.mark))
    }

    /// Whether two messages of a stream were acknowledged with one sequence: it has forgotten the first.
    pub(super) fn is_contradicted(&self, stream: &str) -> bool {
        self.streams.get(stream).is_some_and(|track| track.contradicted)
    }

    /// Where a stream stood still before its newest sequence, from the oldest on.
    pub(super) fn pauses(&self, stream: &str) -> Vec<(u64, Mark)> {
        let Some(track) = self.streams.get(stream) else { return Vec::new() };
        let newest = self.newest(stream);
        let all = track.pauses.iter().map(|(sequence, mark)| (*sequence, *mark));
        all.filter(|pause| track.kept.contains_key(&pause.0) && Some(*pause) != newest).collect()
    }

    /// Sequences of a stream from `first` on and before `newest`, from the newest on: close together at first, then further and further apart.
    pub(super) fn probes(&self, stream: &str, first: u64, newest: u64) -> Vec<(u64, Mark)> {
        const CLOSE: usize = 8;
        let Some(track) = self.streams.get(stream).filter(|_| first < newest) else { return Vec::new() };
        let all = track.kept.range(first..newest).rev().enumerate();
        let some = all.filter(|(index, _)| *index < CLOSE || index.is_power_of_two());
        some.map(|(_, (sequence, kept))| (*sequence, kept.mark)).collect()
    }

    /// When each stream was made, as its servers say now.
    pub(super) fn made(&mut self, streams: impl Iterator<Item = (String, Box<str>)>) {
        self.made = streams.collect();
    }

    /// When the stream was made. The first word counts; false where it is not what it was.
    pub(super) fn is_of(&mut self, stream: &str, created: &str) -> bool {
        if let Some(made) = self.made.get_mut(stream).filter(|made| &***made != created) {
            *made = created.into();
        }
        let Some(track) = self.streams.get_mut(stream).filter(|track| !track.kept.is_empty()) else { return true };
        &**track.created.get_or_insert_with(|| created.into()) == created
    }

    /// What lies before this sequence was purged, aged out or made room: nobody wants it back.
    pub(super) fn forget_before(&mut self, stream: &str, first: u64) {
        // After an outage it could be that they were forgotten.
        if let Some(track) = self.streams.get_mut(stream).filter(|_| !self.held) {
            track.kept = track.kept.split_off(&first);
        }
    }

    /// The stream has forgotten what it acknowledged: all that is remembered must be published again, or what lies above a
    /// sequence alone.
    pub(super) fn alarm(&mut self, stream: &str, above: Option<u64>) -> usize {
        let now = self.now;
        let Some(track) = self.streams.get_mut(stream) else { return 0 };
        track.created = None;
        track.ticked = [0; 2];
        track.pauses.clear();
        track.contradicted = false;
        let lost = std::mem::take(&mut track.kept);
        let mut count = 0;
        for (sequence, kept) in lost.into_iter().filter(|(sequence, _)| above.is_none_or(|above| *sequence > above)) {
            track.lose(now, (kept.bucket, sequence, kept.mark));
            count += 1;
        }
        count
    }

    /// The bucket of the oldest message that must be published again, from this bucket on.
    pub(super) fn lost_from(&self, bucket: u64) -> Option<u64> {
        self.streams.values().filter_map(|track| track.lost.range((bucket, 0, 0)..).next()).map(|key| key.0).min()
    }

    /// Whether this message must be published again.
    pub(super) fn is_lost(&self, stream: &str, key: &Key) -> bool {
        self.streams.get(stream).is_some_and(|track| track.lost.contains(key))
    }

    /// A message is in its stream again, or never will be. `stored`: it was not there.
    pub(super) fn settled(&mut self, stream: &str, key: &Key, stored: bool) {
        let Some(track) = self.streams.get_mut(stream) else { return };
        track.was_true |= stored;
        if track.lost.remove(key) && track.lost.is_empty() {
            track.false_alarms = if std::mem::take(&mut track.was_true) { 0 } else { track.false_alarms + 1 };
        }
    }

    /// What a bucket should hold and did not: nobody can publish it. Says how much.
    pub(super) fn unreadable(&mut self, bucket: u64, met: impl Fn(&Key) -> bool) -> usize {
        let mut gone = 0;
        for track in self.streams.values_mut() {
            track.lost.retain(|key| {
                let keep = key.0 != bucket || met(key);
                gone += usize::from(!keep);
                keep
            });
        }
        gone
    }

    /// Gives up what could not be published again for so long. Says how much.
    pub(super) fn give_up(&mut self, after: Duration) -> usize {
        let now = self.now;
        let old = self.streams.values_mut().filter(|track| track.since + after < now);
        old.map(|track| std::mem::take(&mut track.lost).len()).sum()
    }

    /// Something must be published again.
    pub(super) fn is_alarmed(&self) -> bool {
        self.streams.values().any(|track| !track.lost.is_empty())
    }

    /// Buckets whose time is over, which are forgotten with this: none while something must be published again.
    pub(super) fn expire(&mut self) -> Vec<u64> {
        if self.held || self.is_alarmed() {
            return Vec::new();
        }
        let (now, window) = (self.now, self.window);
        let over = self.buckets.iter().filter(|(_, bucket)| bucket.last + window < now);
        let over: Vec<u64> = over.map(|(id, _)| *id).collect();
        self.drop_buckets(&over);
        over
    }

    /// The oldest buckets, which are forgotten with this, until the rest holds no more than so many bytes.
    pub(super) fn evict(&mut self, room: u64) -> Vec<u64> {
        let mut bytes = self.bytes();
        let mut gone = Vec::new();
        for (id, bucket) in &self.buckets {
            if bytes <= room {
                break;
            }
            bytes -= bucket.bytes;
            self.whole_since = self.whole_since.max(bucket.last);
            gone.push(*id);
        }
        self.drop_buckets(&gone);
        gone
    }

    /// Forgets all of it.
    pub(super) fn clear(&mut self) -> Vec<u64> {
        self.streams.clear();
        self.missed();
        std::mem::take(&mut self.buckets).into_keys().collect()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.buckets.values().map(|bucket| bucket.bytes).sum()
    }

    fn drop_buckets(&mut self, gone: &[u64]) {
        if gone.is_empty() {
            return;
        }
        for id in gone {
            self.buckets.remove(id);
        }
        for track in self.streams.values_mut() {
            track.kept.retain(|_, kept| !gone.contains(&kept.bucket));
            track.lost.retain(|(bucket, _, _)| !gone.contains(bucket));
        }
        self.streams.retain(|_, track| !(track.kept.is_empty() && track.lost.is_empty()));
    }
}

impl Track {
    /// Its newest sequence, 0 where nothing is remembered.
    fn newest(&self) -> u64 {
        self.kept.last_key_value().map_or(0, |(sequence, _)| *sequence)
    }

    fn pause(&mut self) {
        let Some((sequence, kept)) = self.kept.last_key_value() else { return };
        self.pauses.insert(*sequence, kept.mark);
        if self.pauses.len() > PAUSES {
            self.pauses.pop_first();
        }
    }

    fn lose(&mut self, now: Duration, key: Key) {
        if self.lost.is_empty() {
            self.since = now;
        }
        self.lost.insert(key);
    }
}

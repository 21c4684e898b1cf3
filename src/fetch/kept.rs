//! What key servers answered, by question: whether it still counts, who may ask again, and what gives way.
//!
//! Pure: the clock is handed in. One source can neither ask without end nor push out what others asked for.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::client::FetchError;
use crate::provider::verify::fetched::Wanted;

/// How long a failure is remembered, so that strangers cannot make us ask again and again.
const FAILED: Duration = Duration::from_secs(30);
/// How soon an unknown key id may ask for a fresh answer.
const FRESH: Duration = Duration::from_secs(60);
/// How long an answer outlives its time while its server does not answer.
const STALE: Duration = Duration::from_secs(24 * 3600);
/// The most answers that are kept, and the most that one source has asked for.
const MAX_ANSWERS: usize = 512;
const SHARE: usize = 32;
/// What one source may ask for that nobody asked before: so many at once, and one more after each interval.
const BURST: u32 = 10;
const INTERVAL: Duration = Duration::from_secs(5);
/// Sources whose budget is remembered.
const MAX_SPENT: usize = 4096;

/// What is asked: address and body.
pub(super) type Question = (String, Option<String>);

/// Answers and failures.
#[derive(Default)]
pub(super) struct Kept {
    entries: HashMap<Question, Entry>,
    /// By source the instant at which its budget is whole again.
    spent: HashMap<Arc<str>, Instant>,
}

struct Entry {
    answer: Option<Answered>,
    failed: Option<(FetchError, Instant)>,
    asking: Option<watch::Receiver<()>>,
    /// The source that asked first.
    asked_by: Arc<str>,
    used: Instant,
}

struct Answered {
    bytes: Arc<[u8]>,
    at: Instant,
    keep: Duration,
}

/// What to do about a key that is wanted.
pub(super) enum Step {
    /// Nothing: it is at hand.
    AtHand,
    /// Wait for the one who asks.
    Wait(watch::Receiver<()>),
    /// Ask; whoever waits hears when the sender goes.
    Ask(watch::Sender<()>),
    /// It is not to be had now.
    Refuse(FetchError),
}

impl Kept {
    /// The answer that counts.
    pub(super) fn get(&mut self, wanted: &Wanted, now: Instant) -> Option<Arc<[u8]>> {
        let entry = self.entries.get_mut(&question(wanted))?;
        let bytes = entry.counts(wanted, now)?;
        entry.used = now;
        Some(bytes)
    }

    /// What a source that wants a key does next.
    pub(super) fn next(&mut self, source: &Arc<str>, wanted: &Wanted, known: bool, now: Instant) -> Step {
        let question = question(wanted);
        if let Some(entry) = self.entries.get_mut(&question) {
            if entry.counts(wanted, now).is_some() {
                return Step::AtHand;
            }
            if let Some((error, at)) = &entry.failed
                && now.duration_since(*at) < FAILED
            {
                return Step::Refuse(error.clone());
            }
            if let Some(asking) = &entry.asking {
                return Step::Wait(asking.clone());
            }
            // What was answered once is asked again at its own pace, whoever wants it.
            if entry.answer.is_some() {
                let (done, waiting) = watch::channel(());
                entry.asking = Some(waiting);
                return Step::Ask(done);
            }
        }
        if !self.take(source, known, now) || !self.make_room(source, &question) {
            return Step::Refuse(FetchError::TooMany);
        }
        let (done, asking) = watch::channel(());
        let entry = Entry { answer: None, failed: None, asking: Some(asking), asked_by: source.clone(), used: now };
        self.entries.insert(question, entry);
        Step::Ask(done)
    }

    /// Keeps what was heard; `None` where whoever asked gave up. What failed keeps the answer of before.
    pub(super) fn heard(&mut self, wanted: &Wanted, heard: Option<Result<Arc<[u8]>, FetchError>>, now: Instant) {
        let question = question(wanted);
        let Some(entry) = self.entries.get_mut(&question) else { return };
        entry.asking = None;
        match heard {
            Some(Ok(bytes)) => {
                entry.answer = Some(Answered { bytes, at: now, keep: wanted.keep });
                entry.failed = None;
            }
            Some(Err(error)) => entry.failed = Some((error, now)),
            None if entry.answer.is_none() => drop(self.entries.remove(&question)),
            None => {}
        }
    }

    fn take(&mut self, source: &Arc<str>, known: bool, now: Instant) -> bool {
        if self.spent.len() >= MAX_SPENT {
            self.spent.retain(|_, whole| *whole > now);
            if self.spent.len() >= MAX_SPENT {
                return false;
            }
        }
        let whole = self.spent.entry(source.clone()).or_insert(now);
        let next = (*whole).max(now) + INTERVAL;
        let burst = if known { BURST } else { BURST / 2 };
        if next.duration_since(now) > INTERVAL * burst {
            return false;
        }
        *whole = next;
        true
    }

    /// Makes room for one more answer: a source's own oldest gives way to its next, else one of whoever has most.
    fn make_room(&mut self, source: &Arc<str>, question: &Question) -> bool {
        if self.entries.contains_key(question) {
            return true;
        }
        let mut held: HashMap<&Arc<str>, usize> = HashMap::new();
        for entry in self.entries.values() {
            *held.entry(&entry.asked_by).or_default() += 1;
        }
        let own = held.get(source).copied().unwrap_or_default();
        let from = if own >= SHARE {
            source.clone()
        } else if self.entries.len() >= MAX_ANSWERS {
            let Some((most, _)) = held.into_iter().max_by_key(|(_, count)| *count) else { return false };
            most.clone()
        } else {
            return true;
        };
        let of = self.entries.iter().filter(|(_, entry)| entry.asked_by == from && entry.asking.is_none());
        // What failed goes first, then what was not used for longest.
        let oldest =
            of.min_by_key(|(_, entry)| (entry.answer.is_some(), entry.used)).map(|(question, _)| question.clone());
        // Where all of them are still being asked for, nothing more is.
        oldest.is_some_and(|question| self.entries.remove(&question).is_some())
    }
}

impl Entry {
    /// An answer counts while it is kept, and beyond that while there is no better. An id that it does not hold asks
    /// for another, but not at once.
    fn counts(&self, wanted: &Wanted, now: Instant) -> Option<Arc<[u8]>> {
        let answer = self.answer.as_ref()?;
        let age = now.duration_since(answer.at);
        let holds = |kid: &String| memchr::memmem::find(&answer.bytes, kid.as_bytes()).is_some();
        let counts = if wanted.kid.as_ref().is_none_or(holds) {
            let failing = self.failed.as_ref().is_some_and(|(_, at)| now.duration_since(*at) < FAILED);
            age < answer.keep || (failing || self.asking.is_some()) && age < answer.keep + STALE
        } else {
            age < FRESH && age < answer.keep
        };
        counts.then(|| answer.bytes.clone())
    }
}

fn question(wanted: &Wanted) -> Question {
    (wanted.url.clone(), wanted.post.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn wanted(url: &str, kid: Option<&str>) -> Wanted {
        Wanted { url: url.to_owned(), post: None, keep: HOUR, kid: kid.map(str::to_owned) }
    }

    fn source(name: &str) -> Arc<str> {
        name.into()
    }

    fn failed() -> Option<Result<Arc<[u8]>, FetchError>> {
        Some(Err(FetchError::Slow("keys".to_owned())))
    }

    fn answer(text: &str) -> Option<Result<Arc<[u8]>, FetchError>> {
        Some(Ok(text.as_bytes().into()))
    }

    fn asks(step: &Step) -> bool {
        matches!(step, Step::Ask(_))
    }

    #[test]
    fn a_refresh_that_fails_keeps_the_answer_of_before() {
        let (mut kept, ours, begin) = (Kept::default(), source("ours"), Instant::now());
        let known = wanted("https://keys", Some("a"));
        assert!(asks(&kept.next(&ours, &known, true, begin)));
        kept.heard(&known, answer("a"), begin);
        // An unknown id may ask again after a while; its failure leaves the id that is known alone.
        let unknown = wanted("https://keys", Some("forged"));
        let later = begin + FRESH;
        assert!(asks(&kept.next(&ours, &unknown, true, later)));
        assert!(kept.get(&known, later).is_some(), "while it is asked");
        kept.heard(&unknown, failed(), later);
        assert!(kept.get(&known, later).is_some(), "after it failed");
        assert!(matches!(kept.next(&ours, &unknown, true, later), Step::Refuse(FetchError::Slow(_))));
        // Beyond its time it counts while its server fails, and not for ever.
        let ended = begin + HOUR;
        assert!(kept.get(&known, ended).is_none());
        assert!(asks(&kept.next(&ours, &known, true, ended)));
        kept.heard(&known, failed(), ended);
        assert!(kept.get(&known, ended).is_some());
        let never = begin + HOUR + STALE;
        kept.heard(&known, failed(), never);
        assert!(kept.get(&known, never).is_none());
    }

    #[test]
    fn one_source_asks_for_so_much_and_no_more() {
        let (mut kept, ours, now) = (Kept::default(), source("ours"), Instant::now());
        let forged = |number: usize| wanted(&format!("https://keys/{number}"), None);
        let asked = (0..1000).filter(|number| asks(&kept.next(&ours, &forged(*number), true, now))).count();
        assert_eq!(asked, BURST as usize);
        assert!(asks(&kept.next(&source("another"), &forged(5000), true, now)), "of another source");
        assert!(asks(&kept.next(&ours, &forged(2000), true, now + INTERVAL)), "a while later");
        assert!(!asks(&kept.next(&ours, &forged(2001), true, now + INTERVAL)));
    }

    #[test]
    fn what_is_known_asks_after_strangers_have_asked_for_all_they_may() {
        let (mut kept, ours, now) = (Kept::default(), source("ours"), Instant::now());
        let forged = |number: usize| wanted(&format!("https://keys/{number}"), None);
        let asked = (0..1000).filter(|number| asks(&kept.next(&ours, &forged(*number), false, now))).count();
        assert_eq!(asked, (BURST / 2) as usize);
        assert!(asks(&kept.next(&ours, &forged(2000), true, now)));
    }

    #[test]
    fn one_source_never_pushes_out_what_another_asked_for() {
        let (mut kept, theirs, ours) = (Kept::default(), source("theirs"), source("ours"));
        let mut now = Instant::now();
        let key = wanted("https://theirs", None);
        assert!(asks(&kept.next(&theirs, &key, true, now)));
        kept.heard(&key, answer("key"), now);
        for number in 0..4 * SHARE {
            now += INTERVAL;
            let forged = wanted(&format!("https://keys/{number}"), None);
            assert!(asks(&kept.next(&ours, &forged, true, now)), "{number}");
            kept.heard(&forged, failed(), now);
        }
        assert!(kept.get(&key, now).is_some());
        assert!(kept.entries.len() <= SHARE + 1, "{}", kept.entries.len());
    }

    #[test]
    fn it_does_not_grow_while_nothing_is_answered() {
        let (mut kept, now) = (Kept::default(), Instant::now());
        for number in 0..10 * MAX_ANSWERS {
            let url = format!("https://keys/{number}");
            let _ = kept.next(&source(&format!("source-{}", number / 8)), &wanted(&url, None), true, now);
        }
        assert!(kept.entries.len() <= MAX_ANSWERS, "{}", kept.entries.len());
        let step = kept.next(&source("late"), &wanted("https://late", None), true, now);
        assert!(matches!(step, Step::Refuse(FetchError::TooMany)), "all are being asked for");
        // Whoever gives up leaves nothing behind.
        for number in 0..10 * MAX_ANSWERS {
            kept.heard(&wanted(&format!("https://keys/{number}"), None), None, now);
        }
        assert!(kept.entries.is_empty());
    }
}

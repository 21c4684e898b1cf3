//! What status tells of requests: when the last was accepted, and why the last that was not.
//!
//! Each replica knows its own; they tell each other, so that whoever leads writes what all saw. Two instants and one word of ours a source,
//! never anything from a request; what others say never makes it go backwards, and never into the future.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::{Deserialize, Serialize};

use super::refusals::Run;
use super::troubles::Troubles;
use crate::api::source::{LastRejected, WebhookSourceStatus};
use crate::control::object::Key;
use crate::metrics::Outcome;

/// Clocks of replicas may differ by this much, in seconds.
const SKEW: i64 = 60;
/// How many facts one message holds at most.
pub(crate) const AT_ONCE: usize = 200;
/// What so many facts need at most, in bytes: far below what NATS takes. A larger message is none of ours.
const LARGEST: usize = 128 << 10;

/// What status tells of a source's requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// When the last delivery was accepted.
    pub accepted: Option<Timestamp>,
    /// When the last request was not accepted, and the metric's word for it.
    pub rejected: Option<(Timestamp, String)>,
}

impl Activity {
    /// Takes in what somebody else saw. Returns whether that is news.
    pub fn merge(&mut self, other: Self) -> bool {
        let before = (self.accepted, self.rejected.as_ref().map(|(at, _)| *at));
        self.accepted = self.accepted.max(other.accepted);
        // At the same instant, whoever said so first is believed: nobody writes in turns.
        if other.rejected.as_ref().map(|(at, _)| *at) > before.1 {
            self.rejected = other.rejected;
        }
        before != (self.accepted, self.rejected.as_ref().map(|(at, _)| *at))
    }

    /// What a status tells.
    pub fn of(status: &WebhookSourceStatus) -> Self {
        Self {
            accepted: status.last_accepted_time.as_ref().map(|time| time.0),
            rejected: status.last_rejected.as_ref().map(|rejected| (rejected.time.0, rejected.reason.clone())),
        }
    }

    /// Whether a status tells just that.
    pub fn is_told_by(&self, status: &WebhookSourceStatus) -> bool {
        let told = status.last_rejected.as_ref().map(|rejected| (rejected.time.0, &*rejected.reason));
        let accepted = status.last_accepted_time.as_ref().map(|time| time.0);
        (self.accepted, self.rejected.as_ref().map(|(at, word)| (*at, &**word))) == (accepted, told)
    }

    /// As a status tells it.
    pub fn last_rejected(&self) -> Option<LastRejected> {
        self.rejected.as_ref().map(|(at, reason)| LastRejected { time: Time(*at), reason: reason.clone() })
    }
}

/// What one replica tells of one source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    namespace: String,
    name: String,
    uid: String,
    /// Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    accepted: Option<i64>,
    /// Unix seconds, and the word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rejected: Option<(i64, String)>,
    #[serde(flatten)]
    troubles: Troubles,
    /// Since this replica told last, which is why nobody hears himself.
    #[serde(default, skip_serializing_if = "Run::is_empty")]
    refused: Run,
}

/// What one replica saw of one source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// When the last requests ended how.
    pub activity: Activity,
    /// What is to be noted.
    pub troubles: Troubles,
    /// What was refused since it told last.
    pub refused: Run,
}

/// What one replica tells.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Message {
    /// The replica's identity.
    pub from: String,
    /// What it saw.
    pub facts: Vec<Fact>,
}

impl Fact {
    /// What this replica saw.
    pub fn new(key: &Key, uid: &str, told: &Told) -> Self {
        let activity = &told.activity;
        Self {
            namespace: key.namespace.clone(),
            name: key.name.clone(),
            uid: uid.to_owned(),
            accepted: activity.accepted.map(Timestamp::as_second),
            rejected: activity.rejected.as_ref().map(|(at, word)| (at.as_second(), word.clone())),
            troubles: told.troubles,
            refused: told.refused,
        }
    }

    /// Whose, and what. What lies in the future, or is no word of ours, counts for nothing.
    pub fn read(self, now: Timestamp) -> (Key, String, Told) {
        let instant = |seconds: i64| {
            Some(seconds).filter(|at| *at <= now.as_second() + SKEW).and_then(|at| Timestamp::from_second(at).ok())
        };
        let known = |word: &str| Outcome::ALL.iter().any(|outcome| outcome.as_str() == word);
        let rejected = self.rejected.filter(|(_, word)| known(word));
        let activity = Activity {
            accepted: self.accepted.and_then(instant),
            rejected: rejected.and_then(|(at, word)| Some((instant(at)?, word))),
        };
        let until = now.as_second() + SKEW;
        let told = Told { activity, troubles: self.troubles.until(until), refused: self.refused.until(until) };
        (Key::new(self.namespace, self.name), self.uid, told)
    }
}

/// Facts as they are told.
pub(crate) fn encode(message: &Message) -> Vec<u8> {
    serde_json::to_vec(message).unwrap_or_default()
}

/// Facts as they were heard. `None` where it is something else.
pub(crate) fn decode(message: &[u8]) -> Option<Message> {
    let message = Some(message).filter(|message| message.len() <= LARGEST)?;
    serde_json::from_slice(message).ok().filter(|message: &Message| message.facts.len() <= AT_ONCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    #[test]
    fn what_others_saw_counts_and_never_goes_backwards() {
        let mut mine = Activity { accepted: Some(at(10)), rejected: Some((at(10), "BadSignature".to_owned())) };
        assert!(!mine.merge(Activity { accepted: Some(at(5)), rejected: Some((at(10), "OverRate".to_owned())) }));
        assert_eq!(mine.rejected.as_ref().unwrap().1, "BadSignature");
        assert!(mine.merge(Activity { accepted: Some(at(11)), rejected: None }));
        assert!(mine.merge(Activity { accepted: None, rejected: Some((at(12), "OverRate".to_owned())) }));
        assert_eq!(mine, Activity { accepted: Some(at(11)), rejected: Some((at(12), "OverRate".to_owned())) });
    }

    #[test]
    fn a_fact_comes_as_it_went_and_nonsense_is_nothing() {
        let key = Key::new("sales", "calls");
        let activity = Activity { accepted: Some(at(1)), rejected: Some((at(2), "BadSignature".to_owned())) };
        let read = |activity: &Activity| {
            let told = Told { activity: activity.clone(), ..Told::default() };
            let message = Message { from: "one".to_owned(), facts: vec![Fact::new(&key, "u", &told)] };
            decode(&encode(&message)).unwrap().facts.remove(0).read(at(3))
        };
        let told = Told { activity: activity.clone(), ..Told::default() };
        assert_eq!(read(&activity), (key.clone(), "u".to_owned(), told));
        let future = Activity { accepted: Some(at(100)), rejected: Some((at(2), "<script>".to_owned())) };
        assert_eq!(read(&future).2, Told::default());
        assert_eq!(decode(b"{]"), None);
        let (spaces, none) = (b" ".repeat(LARGEST), br#"{"from":"one","facts":[]}"#.to_vec());
        assert!(decode(&none).is_some());
        assert_eq!(decode(&[spaces, none].concat()), None, "larger than any of ours");
    }

    #[test]
    fn the_longest_facts_fit_into_one_message() {
        let key = Key::new("n".repeat(63), "s".repeat(63));
        let longest = Outcome::ALL.iter().map(|outcome| outcome.as_str()).max_by_key(|word| word.len()).unwrap();
        let activity = Activity { accepted: Some(at(0)), rejected: Some((at(0), longest.to_owned())) };
        let told = Told { activity, troubles: Troubles::longest(), refused: Run::longest() };
        let message =
            |count| Message { from: "r".repeat(253), facts: vec![Fact::new(&key, &"u".repeat(63), &told); count] };
        assert_eq!(decode(&encode(&message(AT_ONCE))), Some(message(AT_ONCE)));
        assert_eq!(decode(&encode(&message(AT_ONCE + 1))), None);
    }
}

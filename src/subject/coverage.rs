//! Which streams own which subjects, as last read from NATS; and whether they own all that a source can publish on.
//!
//! Pure: never asks NATS.

use std::sync::Arc;
use std::time::Duration;

use super::pattern::{is_within, matches, overlaps};

/// A stream as far as durability is concerned, and what it takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stream {
    /// Its name.
    pub name: String,
    /// The subjects it owns, wildcards included. Mirrors and streams that only source others have none.
    pub subjects: Vec<String>,
    /// It keeps messages in files, and acknowledges only when they are there.
    pub file_storage: bool,
    /// It acknowledges nothing.
    pub no_ack: bool,
    /// The most bytes that it takes for headers and payload together; 0: as many as the server.
    pub max_message: usize,
    /// How long it keeps messages; zero: for ever.
    pub max_age: Duration,
    /// How long it keeps one copy of each `Nats-Msg-Id`.
    pub duplicate_window: Duration,
    /// It takes atomic batches.
    pub atomic: bool,
}

impl Stream {
    /// Its acknowledgement means that the event outlives the server's process. A stream without acknowledgements never is.
    pub fn is_durable(&self, allow_memory: bool) -> bool {
        !self.no_ack && (self.file_storage || allow_memory)
    }

    fn overlaps(&self, pattern: &str) -> bool {
        self.subjects.iter().any(|owned| overlaps(owned, pattern))
    }

    /// It owns this subject.
    pub fn owns(&self, subject: &str) -> bool {
        self.subjects.iter().any(|pattern| matches(pattern, subject))
    }
}

/// Every stream of the account, as last read; shared by the control and the request line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Streams {
    /// In no order. The server sees to it that no two of them own the same subject.
    pub streams: Vec<Stream>,
    /// Names of those that are there and were never read: what no other owns counts as theirs until they are.
    pub unread: Vec<String>,
}

/// The streams of each login to NATS by its number; `None` while it was never connected.
pub type Readings = Vec<Option<Arc<Streams>>>;

/// How much of a pattern durable streams own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cover {
    /// All of it.
    Full,
    /// Some of it: the rest is answered 503.
    Partly,
    /// No stream owns any of it.
    None,
    /// Streams own some of it, but none that is durable.
    NotDurable,
}

impl Streams {
    /// The stream that owns a subject without wildcards. Allocates nothing.
    pub fn owner(&self, subject: &str) -> Option<&Stream> {
        self.streams.iter().find(|stream| stream.owns(subject))
    }

    /// The stream of this name.
    pub fn named(&self, name: &str) -> Option<&Stream> {
        self.streams.iter().find(|stream| stream.name == name)
    }

    /// How much of `pattern` the streams own; only the one named `stream` counts where a source names one.
    pub fn cover(&self, pattern: &str, stream: Option<&str>, allow_memory: bool) -> Cover {
        let counted = || self.streams.iter().filter(|candidate| stream.is_none_or(|name| candidate.name == name));
        let durable: Vec<&str> = counted()
            .filter(|candidate| candidate.is_durable(allow_memory))
            .flat_map(|candidate| candidate.subjects.iter().map(String::as_str))
            .collect();
        let unread = self.unread.iter().any(|unread| stream.is_none_or(|name| unread == name));
        let volatile = || counted().any(|candidate| !candidate.is_durable(allow_memory) && candidate.overlaps(pattern));
        if owned_by_union(pattern, &durable) || (unread && !volatile()) {
            Cover::Full
        } else if durable.iter().any(|owned| overlaps(owned, pattern)) {
            Cover::Partly
        } else if counted().any(|candidate| candidate.overlaps(pattern)) {
            Cover::NotDurable
        } else {
            Cover::None
        }
    }
}

/// Every subject that `pattern` matches is matched by at least one of `owned`: `a.>` by `a.*` and `a.*.>` together.
fn owned_by_union(pattern: &str, owned: &[&str]) -> bool {
    // Most often one of them suffices, and that is cheap to see.
    owned.iter().any(|outer| is_within(pattern, outer))
        || union_from(Some(pattern), &owned.iter().map(|outer| Some(*outer)).collect::<Vec<_>>())
}

/// What is left of a pattern after some tokens; `None` where nothing is.
type Rest<'a> = Option<&'a str>;

fn step(rest: &str) -> (&str, Rest<'_>) {
    match rest.split_once('.') {
        Some((token, rest)) => (token, Some(rest)),
        None => (rest, None),
    }
}

/// Each step takes one token from every candidate, so it ends when the longest of them does.
fn union_from(pattern: Rest<'_>, candidates: &[Rest<'_>]) -> bool {
    let Some(pattern) = pattern else {
        return candidates.iter().any(Option::is_none);
    };
    let (token, rest) = step(pattern);
    let mut left = Vec::with_capacity(candidates.len());
    for candidate in candidates.iter().flatten() {
        match step(candidate) {
            (">", None) => return true,
            ("*", after) => left.push(after),
            // A wildcard of the pattern stands for tokens that no candidate spells out, too.
            (wanted, after) if wanted == token && token != ">" => left.push(after),
            _ => {}
        }
    }
    if token == ">" {
        !left.is_empty() && union_from(None, &left) && union_from(Some(">"), &left)
    } else {
        !left.is_empty() && union_from(rest, &left)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stream(name: &str, subjects: &[&str]) -> Stream {
        Stream {
            name: name.to_owned(),
            subjects: subjects.iter().map(|&subject| subject.to_owned()).collect(),
            file_storage: true,
            duplicate_window: Duration::from_secs(3600),
            ..Stream::default()
        }
    }

    fn all(streams: Vec<Stream>) -> Streams {
        Streams { streams, ..Streams::default() }
    }

    #[test]
    fn what_no_other_owns_counts_as_owned_by_a_stream_that_was_never_read() {
        let memory = Stream { file_storage: false, ..stream("M", &["m.>"]) };
        let streams = Streams { unread: vec!["U".to_owned()], ..all(vec![stream("A", &["a.>"]), memory]) };
        let cover = |pattern, stream| streams.cover(pattern, stream, false);
        assert_eq!(cover("b.>", None), Cover::Full);
        assert_eq!(cover(">", Some("U")), Cover::Full);
        assert_eq!(cover("b.>", Some("A")), Cover::None);
        assert_eq!(cover("m.x", None), Cover::NotDurable, "it is known who owns that");
    }

    #[test]
    fn a_subject_is_owned_by_the_stream_whose_pattern_matches_it() {
        let streams = all(vec![stream("A", &["a.*", "b"]), stream("C", &["c.>"])]);
        let owner = |subject| streams.owner(subject).map(|stream| stream.name.as_str());
        assert_eq!(owner("a.x"), Some("A"));
        assert_eq!(owner("b"), Some("A"));
        assert_eq!(owner("c.x.y.z"), Some("C"));
        assert_eq!(owner("a"), None);
        assert_eq!(owner("a.x.y"), None);
        assert_eq!(owner("c"), None);
        assert_eq!(owner("b.x"), None);
    }

    #[test]
    fn streams_cover_a_pattern_fully_partly_or_not_at_all() {
        let streams = all(vec![stream("A", &["webhooks.sales.>"]), stream("B", &["webhooks.*.x.one"])]);
        assert_eq!(streams.cover("webhooks.sales.calls.>", None, false), Cover::Full);
        assert_eq!(streams.cover("webhooks.hr.x.>", None, false), Cover::Partly);
        assert_eq!(streams.cover("other.>", None, false), Cover::None);
        assert_eq!(streams.cover("webhooks.sales.calls.>", Some("A"), false), Cover::Full);
        assert_eq!(streams.cover("webhooks.sales.calls.>", Some("B"), false), Cover::None);
        assert_eq!(streams.cover("webhooks.sales.calls.>", Some("MISSING"), false), Cover::None);
    }

    #[test]
    fn several_patterns_together_cover_what_none_covers_alone() {
        let streams = all(vec![stream("A", &["a.*"]), stream("B", &["a.*.*", "a.*.*.>"])]);
        assert_eq!(streams.cover("a.>", None, false), Cover::Full);
        assert_eq!(streams.cover(">", None, false), Cover::Partly);
        let gap = all(vec![stream("A", &["a.*", "a.*.*.>"])]);
        assert_eq!(gap.cover("a.>", None, false), Cover::Partly, "nobody owns a.b.c");
    }

    #[test]
    fn memory_is_durable_only_where_it_is_allowed_and_no_ack_never_is() {
        let memory = Stream { file_storage: false, ..stream("M", &["m.>"]) };
        let silent = Stream { no_ack: true, ..stream("S", &["s.>"]) };
        let streams = all(vec![memory, silent, stream("F", &["f.>"])]);
        assert_eq!(streams.cover("m.x.>", None, false), Cover::NotDurable);
        assert_eq!(streams.cover("m.x.>", None, true), Cover::Full);
        assert_eq!(streams.cover("s.x.>", None, true), Cover::NotDurable);
        assert_eq!(streams.cover(">", None, false), Cover::Partly);
    }

    /// Subjects and patterns over few tokens and up to four of them, so that everything can be tried.
    fn pattern() -> impl Strategy<Value = String> {
        let token = prop_oneof![3 => Just("a"), 3 => Just("b"), 2 => Just("*")];
        (proptest::collection::vec(token, 1..4), prop::bool::weighted(0.4)).prop_map(|(mut tokens, open)| {
            if open {
                tokens.pop();
                tokens.push(">");
            }
            tokens.join(".")
        })
    }

    /// All subjects of one to five tokens; `z` is the token that no pattern spells out.
    fn subjects() -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        let mut longest = vec![String::new()];
        for _ in 0..5 {
            longest = longest
                .iter()
                .flat_map(|begin| {
                    ["a", "b", "z"].map(|token| format!("{begin}.{token}").trim_start_matches('.').to_owned())
                })
                .collect();
            all.extend(longest.iter().cloned());
        }
        all
    }

    /// Written another way than the code under test: over indices, with the rule for `>` said once.
    fn naive(pattern: &str, subject: &str) -> bool {
        let pattern: Vec<&str> = pattern.split('.').collect();
        let subject: Vec<&str> = subject.split('.').collect();
        let open = pattern.last() == Some(&">");
        let fixed = if open { pattern.len() - 1 } else { pattern.len() };
        let long_enough = if open { subject.len() > fixed } else { subject.len() == fixed };
        long_enough && (0..fixed).all(|index| pattern[index] == "*" || pattern[index] == subject[index])
    }

    proptest! {
        #[test]
        fn matching_agrees_with_the_naive_matcher(pattern in pattern()) {
            for subject in subjects() {
                prop_assert_eq!(matches(&pattern, &subject), naive(&pattern, &subject), "{} {}", pattern, subject);
            }
        }

        #[test]
        fn subset_and_overlap_agree_with_trying_every_subject(one in pattern(), other in pattern()) {
            let all = subjects();
            let within = all.iter().all(|subject| !naive(&one, subject) || naive(&other, subject));
            prop_assert_eq!(is_within(&one, &other), within, "{} within {}", one, other);
            let both = all.iter().any(|subject| naive(&one, subject) && naive(&other, subject));
            prop_assert_eq!(overlaps(&one, &other), both, "{} overlaps {}", one, other);
        }

        #[test]
        fn coverage_agrees_with_trying_every_subject(
            wanted in pattern(),
            durable in proptest::collection::vec(pattern(), 0..4),
            memory in proptest::collection::vec(pattern(), 0..2),
        ) {
            let all = subjects();
            let hit = |patterns: &[String], subject: &String| patterns.iter().any(|pattern| naive(pattern, subject));
            let mut asked = all.iter().filter(|subject| naive(&wanted, subject));
            let expected = if asked.clone().all(|subject| hit(&durable, subject)) {
                Cover::Full
            } else if asked.clone().any(|subject| hit(&durable, subject)) {
                Cover::Partly
            } else if asked.any(|subject| hit(&memory, subject)) {
                Cover::NotDurable
            } else {
                Cover::None
            };
            let file = Stream { name: "F".to_owned(), subjects: durable, file_storage: true, ..Stream::default() };
            let volatile = Stream { name: "M".to_owned(), subjects: memory, file_storage: false, ..Stream::default() };
            let streams = Streams { streams: vec![file, volatile], ..Streams::default() };
            prop_assert_eq!(streams.cover(&wanted, None, false), expected);
        }
    }
}

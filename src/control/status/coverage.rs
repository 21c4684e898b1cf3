//! What the streams of NATS mean for a source. Pure; the streams are as last read, and an outage changes nothing here.

use std::time::Duration;

use crate::api::condition::{Problem, Reason};
use crate::control::settings::Settings;
use crate::route::Route;
use crate::subject::pattern::overlaps;
use crate::subject::{Cover, Stream, Streams};

/// `NoStream` or `NotDurable`, which answer 503, or `PartlyCovered`, with the sentence.
pub(crate) type Finding = Problem;

/// What streams mean for a route. `None`: durable streams own all that it can publish.
pub(crate) fn finding(route: &Route, streams: &Streams, settings: &Settings) -> Option<Finding> {
    let claim = &route.claim;
    let templates = route.routing.templates();
    let mut patterns: Vec<String> =
        templates.map(|template| template.pattern(&claim.namespace, &claim.name, &claim.provider)).collect();
    patterns.sort();
    patterns.dedup();
    let found = judge(&patterns, route.stream.as_deref(), streams, settings.allow_memory_streams);
    let rejected = rejected(&route.rejected, streams, settings.allow_memory_streams);
    match (found, rejected) {
        (Some(found), Some(rejected)) if found.reason == Reason::PartlyCovered => {
            Some(Problem::new(Reason::PartlyCovered, "", format!("{} {}", found.message, rejected.message)))
        }
        (found, rejected) => found.or(rejected),
    }
}

/// What keeps a route from answering anything but 503.
pub(crate) fn closing(route: &Route, streams: &Streams, settings: &Settings) -> Option<Finding> {
    finding(route, streams, settings).filter(|finding| finding.reason != Reason::PartlyCovered)
}

/// What is noted of streams that forget ids too soon: what the guard gave them again could be there twice.
pub(crate) fn short_memories(route: &Route, streams: &Streams, settings: &Settings) -> Vec<String> {
    let least = settings.guard_window * 2;
    let claim = &route.claim;
    let templates = route.routing.templates();
    let patterns: Vec<String> =
        templates.map(|template| template.pattern(&claim.namespace, &claim.name, &claim.provider)).collect();
    let takes = |stream: &&Stream| {
        let named = route.stream.as_ref().is_none_or(|name| *name == stream.name);
        named && stream.subjects.iter().any(|owned| patterns.iter().any(|pattern| overlaps(owned, pattern)))
    };
    let short = streams.streams.iter().filter(takes).filter(|stream| stream.duplicate_window < least);
    let note = |stream: &Stream| {
        let seconds = |time: Duration| format!("{}s", time.as_secs());
        format!(
            "the duplicate_window of stream {} is {}, less than twice --guard-window: events that it forgets and is given again could \
             be stored twice; raise it to {} or more",
            stream.name,
            seconds(stream.duplicate_window),
            seconds(least)
        )
    };
    short.map(note).collect()
}

/// Why a generation waits that another replica held back, until the streams were read here too.
pub(crate) fn unread(generation: i64) -> Finding {
    let message = format!(
        "Generation {generation} was held back, and the streams of NATS were not read yet: it is judged again when they are."
    );
    Problem::new(Reason::NoStream, "", message)
}

/// Judges where rejected items go: any stream will do.
fn rejected(subject: &str, streams: &Streams, allow_memory: bool) -> Option<Finding> {
    if streams.cover(subject, None, allow_memory) == Cover::Full {
        return None;
    }
    let message = format!(
        "Rejected items go to {subject}, which belongs to no stream that is durable: a delivery that holds one is answered 503. Add the subject to a stream."
    );
    Some(Problem::new(Reason::PartlyCovered, "", message))
}

/// Judges the subjects that a source can publish on, as NATS patterns. `None`: durable streams own all of them.
fn judge(patterns: &[String], stream: Option<&str>, streams: &Streams, allow_memory: bool) -> Option<Finding> {
    let covers: Vec<Cover> = patterns.iter().map(|pattern| streams.cover(pattern, stream, allow_memory)).collect();
    let those = |wanted: &[Cover]| {
        let those = patterns.iter().zip(&covers).filter(|(_, cover)| wanted.contains(cover));
        those.map(|(pattern, _)| pattern.as_str()).collect::<Vec<_>>().join(", ")
    };
    let one = match stream {
        Some(name) => format!("stream {name}, which routing.stream names,"),
        None => "a stream".to_owned(),
    };
    if covers.iter().all(|cover| *cover == Cover::Full) {
        return None;
    }
    if covers.iter().any(|cover| matches!(cover, Cover::Full | Cover::Partly)) {
        let open = those(&[Cover::Partly, Cover::None, Cover::NotDurable]);
        let message = format!(
            "Only part of {open} belongs to {one} that is durable: the rest is answered 503. Add the subjects to it."
        );
        return Some(Problem::new(Reason::PartlyCovered, "", message));
    }
    if covers.contains(&Cover::NotDurable) {
        let message = format!(
            "{} belongs to no stream that keeps events in files and acknowledges them: requests are answered 503. Set storage to file and no_ack to false, or run Hookgate with --allow-memory-streams.",
            those(&[Cover::NotDurable])
        );
        return Some(Problem::new(Reason::NotDurable, "", message));
    }
    let message = match stream.filter(|name| streams.named(name).is_none()) {
        Some(name) => format!("Stream {name}, which routing.stream names, does not exist: create it, or name another."),
        None => format!(
            "No subject of {} belongs to {one}: requests are answered 503. Create the stream, or add the subjects to one.",
            those(&[Cover::None])
        ),
    };
    Some(Problem::new(Reason::NoStream, "", message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(name: &str, subjects: &[&str], file_storage: bool) -> Stream {
        Stream {
            name: name.to_owned(),
            subjects: subjects.iter().map(|s| (*s).to_owned()).collect(),
            file_storage,
            duplicate_window: Duration::from_secs(3600),
            ..Stream::default()
        }
    }

    #[test]
    fn each_way_of_not_being_durable_has_its_reason_and_its_advice() {
        let streams = Streams {
            streams: vec![stream("WEBHOOKS", &["webhooks.sales.>"], true), stream("MEM", &["mem.>"], false)],
            ..Streams::default()
        };
        let judge = |patterns: &[&str], stream: Option<&str>, allow| {
            let patterns: Vec<String> = patterns.iter().map(|p| (*p).to_owned()).collect();
            judge(&patterns, stream, &streams, allow)
        };
        let reason = |finding: Option<Finding>| finding.map(|problem| problem.reason);
        assert_eq!(judge(&["webhooks.sales.calls.>"], None, false), None);
        assert_eq!(reason(judge(&["webhooks.sales.calls.>", "other.x"], None, false)), Some(Reason::PartlyCovered));
        assert_eq!(reason(judge(&["webhooks.>"], None, false)), Some(Reason::PartlyCovered));
        assert_eq!(reason(judge(&["mem.calls"], None, false)), Some(Reason::NotDurable));
        assert_eq!(judge(&["mem.calls"], None, true), None);
        assert_eq!(reason(judge(&["other.x"], None, false)), Some(Reason::NoStream));
        assert_eq!(reason(judge(&["webhooks.sales.calls"], Some("MEM"), true)), Some(Reason::NoStream));
        let absent = judge(&["webhooks.sales.calls"], Some("GONE"), false).unwrap();
        assert!(absent.message.contains("GONE") && absent.message.contains("does not exist"), "{absent}");
    }

    #[test]
    fn rejected_items_need_a_stream_too_whichever() {
        let streams = Streams {
            streams: vec![stream("R", &["webhooks._rejected.>"], true), stream("MEM", &["other._rejected.>"], false)],
            ..Streams::default()
        };
        assert_eq!(rejected("webhooks._rejected.sales.calls", &streams, false), None);
        for uncovered in ["else._rejected.sales.calls", "other._rejected.sales.calls"] {
            let finding = rejected(uncovered, &streams, false).unwrap();
            assert_eq!(finding.reason, Reason::PartlyCovered);
            assert!(finding.message.contains(uncovered), "{finding}");
        }
        assert_eq!(rejected("other._rejected.sales.calls", &streams, true), None);
    }
}

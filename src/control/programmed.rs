//! What the streams of NATS mean for a source. Pure; the streams are as last read, and an outage changes nothing here.

use super::status::Finding;
use crate::api::condition::{Problem, Reason};
use crate::subject::{Cover, Streams};

/// Judges the subjects that a source can publish on, as NATS patterns. `None`: durable streams own all of them.
pub fn judge(patterns: &[String], stream: Option<&str>, streams: &Streams, allow_memory: bool) -> Option<Finding> {
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
    use crate::subject::Stream;

    fn stream(name: &str, subjects: &[&str], file_storage: bool) -> Stream {
        Stream {
            name: name.to_owned(),
            subjects: subjects.iter().map(|s| (*s).to_owned()).collect(),
            file_storage,
            no_ack: false,
        }
    }

    #[test]
    fn each_way_of_not_being_durable_has_its_reason_and_its_advice() {
        let streams = Streams {
            streams: vec![stream("WEBHOOKS", &["webhooks.sales.>"], true), stream("MEM", &["mem.>"], false)],
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
}

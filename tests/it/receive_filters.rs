//! Filters on the line: what they see, where an event goes that they fail on, and that none holds up another source.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails loudly")]

use hookgate::metrics::EventResult;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::receive_port::{Port, proven, quick, source};
use crate::receive_wire::{SOON, post, read_answer};
use crate::support::nats::Nats;

async fn status(port: &Port, request: &str) -> u16 {
    let mut stream = TcpStream::connect(port.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    timeout(SOON, read_answer(&mut stream)).await.expect("an answer in time").unwrap().expect("an answer").status
}

/// The subjects of what is stored, and the reason where it is rejected.
async fn stored(nats: &Nats, count: usize) -> Vec<(String, Option<String>)> {
    let stored = nats.collect("webhooks.>", count, SOON).await;
    stored
        .into_iter()
        .map(|message| {
            let reason = message.headers.get("ce-reason").map(|value| value.as_str().to_owned());
            (message.subject.to_string(), reason)
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_pair_anywhere_in_a_body_hides_nothing_from_a_filter() {
    let nats = Nats::start().await;
    let rules = "  events: {filter: \"data.ref == 'refs/heads/main'\"}\n  \
        routing: {rules: [{filter: \"data.commits.exists(c, c.message.startsWith('cut'))\", subject: webhooks.sales.cut}]}\n";
    let port = Port::with_nats(&nats, &[&source("calls", rules)], quick()).await;
    let body = r#"{"ref":"refs/heads/main","commits":[{"message":"cut \ud83d"}],"n":1e400}"#;
    assert_eq!(status(&port, &post("/sales/calls", &proven("a"), body)).await, 200);
    assert_eq!(stored(&nats, 1).await, [("webhooks.sales.cut".to_owned(), None)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_filter_fails_on_is_kept_as_rejected_and_what_a_rule_fails_on_goes_its_way() {
    let nats = Nats::start().await;
    let rules = "  events: {filter: \"data.n > 1\"}\n  \
        routing: {rules: [{filter: \"data.m == 1\", subject: webhooks.sales.m}]}\n";
    let port = Port::with_nats(&nats, &[&source("calls", rules)], quick()).await;
    for (id, body) in [("a", r#"{"n": 2}"#), ("b", r#"{"n": 2, "m": 1}"#), ("c", r#"{"n": 1}"#), ("d", r#"{"m": 1}"#)] {
        assert_eq!(status(&port, &post("/sales/calls", &proven(id), body)).await, 200, "{body}");
    }
    let kept = [
        ("webhooks.sales.calls.call.ended".to_owned(), None),
        ("webhooks.sales.m".to_owned(), None),
        ("webhooks._rejected.sales.calls".to_owned(), Some("FilterError".to_owned())),
    ];
    assert_eq!(stored(&nats, 3).await, kept);
    let calls = port.metrics.source("sales", "calls", "generic");
    let counts = [EventResult::Stored, EventResult::Filtered, EventResult::Rejected].map(|result| calls.events(result));
    assert_eq!(counts, [2, 1, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn large_bodies_are_judged_and_only_what_is_named_of_them_is_bounded() {
    let nats = Nats::start().await;
    let light = source("light", "  events: {filter: \"data.action == 'opened'\"}\n");
    let heavy = source("heavy", "  events: {filter: \"data.items.exists(i, i.name == 'z')\"}\n");
    let port = Port::with_nats(&nats, &[&light, &heavy], quick()).await;
    let items = |count: usize| vec![r#"{"name": "a"}"#; count].join(",");
    let body = |count: usize| format!(r#"{{"action": "opened", "items": [{}, {{"name": "z"}}]}}"#, items(count));
    for (path, id, count) in [("light", "a", 20_000), ("heavy", "b", 900), ("heavy", "c", 20_000)] {
        assert_eq!(
            status(&port, &post(&format!("/sales/{path}"), &proven(id), &body(count))).await,
            200,
            "{path} {count}"
        );
    }
    let kept = [
        ("webhooks.sales.light.call.ended".to_owned(), None),
        ("webhooks.sales.heavy.call.ended".to_owned(), None),
        ("webhooks._rejected.sales.heavy".to_owned(), Some("FilterError".to_owned())),
    ];
    assert_eq!(stored(&nats, 3).await, kept);
}

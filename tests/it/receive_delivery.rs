//! What the request line promises of an event between its proof and its answer: whole or marked, durable or refused, in time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails loudly")]

use std::time::{Duration, Instant};

use async_nats::jetstream::message::StreamMessage;
use hookgate::metrics::{EventResult, Outcome};

use crate::receive_line::{send, status};
use crate::receive_port::{Port, SECRET, proven, quick, source};
use crate::receive_wire::{SOON, post};
use crate::support::nats::Nats;
use crate::support::wait::eventually;

fn header(message: &StreamMessage, name: &str) -> Option<String> {
    message.headers.get(name).map(|value| value.as_str().to_owned())
}

/// A source of a vendor that sends batches.
fn push() -> String {
    "apiVersion: hookgate.dev/v1alpha1\nkind: WebhookSource\n\
     metadata: {namespace: sales, name: push, uid: uid-push}\n\
     spec:\n  provider: focus-push\n  verification: {method: bearer, secretRefs: [{name: focus, key: token}]}\n"
        .to_owned()
}

fn batch(items: &[String]) -> String {
    let bearer = format!("Authorization: Bearer {SECRET}\r\nContent-Type: application/json\r\n");
    post("/sales/push", &bearer, &format!("[{}]", items.join(",")))
}

fn item(id: u32, tags: &str) -> String {
    format!(r#"{{"clientId":1,"interactionId":{id},"tags":["{tags}"]}}"#)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_nats_cannot_take_is_answered_413_and_stored_nowhere() {
    let nats = Nats::start_with("max_payload: 8KB").await;
    let port = Port::without_claims(&nats, &[&source("calls", "")], quick()).await;
    let large = format!(r#"{{"text":"{}"}}"#, "x".repeat(9_000));
    assert_eq!(status(&port, &post("/sales/calls", &proven("large"), &large)).await, 413);
    assert_eq!(nats.count("WEBHOOKS").await, 0);
    // What fits with its headers, and not one byte less, is for NATS to say.
    assert_eq!(status(&port, &post("/sales/calls", &proven("small"), "{}")).await, 200);
    let calls = port.metrics.source("sales", "calls", "generic");
    assert_eq!((calls.requests(Outcome::TooLarge), calls.requests(Outcome::Accepted)), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_with_an_item_that_nats_cannot_take_is_answered_413_and_its_other_items_are_stored() {
    let nats = Nats::start_with("max_payload: 8KB").await;
    let port = Port::without_claims(&nats, &[&push()], quick()).await;
    let request = batch(&[item(1, "a"), item(2, &"x".repeat(9_000)), item(3, "c")]);
    for _ in 0..2 {
        assert_eq!(status(&port, &request).await, 413);
    }
    assert_eq!(nats.count("WEBHOOKS").await, 2, "no item is rejected for it, and none is stored twice");
    let push = port.metrics.source("sales", "push", "focus-push");
    let counts = [EventResult::Stored, EventResult::Duplicate, EventResult::Rejected].map(|result| push.events(result));
    assert_eq!(counts, [2, 2, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_out_counts_with_the_answer_that_acknowledges_it() {
    let nats = Nats::start_with("max_payload: 8KB").await;
    let port =
        Port::without_claims(&nats, &[&format!("{}  events: {{filter: \"id != '3'\"}}\n", push())], quick()).await;
    let filtered = || port.metrics.source("sales", "push", "focus-push").events(EventResult::Filtered);
    let refused = batch(&[item(1, "a"), item(2, &"x".repeat(9_000)), item(3, "c")]);
    assert_eq!((status(&port, &refused).await, filtered()), (413, 0));
    assert_eq!((status(&port, &batch(&[item(1, "a"), item(3, "c")])).await, filtered()), (200, 1));
    assert_eq!((status(&port, &batch(&[item(3, "c")])).await, filtered()), (200, 2), "nothing else is in it");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_vendor_never_sends_again_an_event_goes_out_without_the_original_and_says_so() {
    let nats = Nats::start_with("max_payload: 8KB").await;
    let once = "apiVersion: hookgate.dev/v1alpha1\nkind: WebhookSource\n\
        metadata: {namespace: sales, name: once, uid: uid-once}\n\
        spec:\n  provider: post-call\n  verification: {method: none}\n";
    let port = Port::without_claims(&nats, &[once], quick()).await;
    let call = |id: &str, summary: usize, audio: usize| {
        let (summary, audio) = ("s".repeat(summary), "a".repeat(audio));
        let body = format!(r#"{{"callId":"{id}","callAnalysis":{{"summary":"{summary}"}},"audio":"{audio}"}}"#);
        post("/sales/once", "Content-Type: application/json\r\n", &body)
    };
    assert_eq!(status(&port, &call("c-1", 10, 10)).await, 200);
    assert_eq!(status(&port, &call("c-2", 10, 9_000)).await, 200);
    // What does not fit even so is nobody's 2xx.
    assert_eq!(status(&port, &call("c-3", 9_000, 10)).await, 413);
    let stored = nats.collect("webhooks.>", 2, SOON).await;
    assert_eq!(nats.count("WEBHOOKS").await, 2);
    assert_eq!([0, 1].map(|n| header(&stored[n], "ce-omitted")), [None, Some("original".to_owned())]);
    let data = |n: usize| serde_json::from_slice::<serde_json::Value>(&stored[n].payload).unwrap();
    assert_eq!((data(0)["id"].as_str(), data(1)["id"].as_str()), (Some("c-1"), Some("c-2")));
    assert!(data(0)["original"].is_object() && data(1)["original"].is_null());
    let once = port.metrics.source("sales", "once", "post-call");
    assert_eq!((once.omitted(), once.events(EventResult::Stored)), (1, 2));
    assert!(port.metrics.render().unwrap().contains("hookgate_events_omitted_total{"));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_partly_covered_source_the_covered_is_answered_200_and_the_rest_503_a_batch_with_both_as_well() {
    let nats = Nats::start().await;
    nats.create_stream("WEBHOOKS", &["webhooks.sales.push.>"]).await;
    let rule = "  routing: {rules: [{filter: \"id == '2'\", subject: \"webhooks.{namespace}.elsewhere.{source}\"}]}\n";
    let port = Port::with_nats(&nats, &[&format!("{}{rule}", push())], quick()).await;
    assert_eq!(status(&port, &batch(&[item(1, "a")])).await, 200);
    assert_eq!(status(&port, &batch(&[item(2, "b")])).await, 503);
    assert_eq!(status(&port, &batch(&[item(1, "a"), item(2, "b"), item(3, "c")])).await, 503);
    assert_eq!(nats.count("WEBHOOKS").await, 2, "what has an owner is stored, and will be a duplicate");
    let push = port.metrics.source("sales", "push", "focus-push");
    assert_eq!((push.requests(Outcome::NoStream), push.requests(Outcome::Accepted)), (2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_that_cannot_be_judged_is_counted_in_selection_and_in_rules() {
    let nats = Nats::start().await;
    let picky = source("picky", "  events: {filter: \"data.n > 1\"}\n");
    let ruled =
        source("ruled", "  routing: {rules: [{filter: \"data.n > 1\", subject: \"webhooks.{namespace}.many\"}]}\n");
    let port = Port::with_nats(&nats, &[&picky, &ruled], quick()).await;
    for (path, body) in [("picky", "{}"), ("ruled", "{}"), ("ruled", r#"{"n":2}"#)] {
        assert_eq!(
            status(&port, &post(&format!("/sales/{path}"), &proven(body.len().to_string().as_str()), body)).await,
            200
        );
    }
    let metrics = |name| port.metrics.source("sales", name, "generic");
    assert_eq!((metrics("picky").filter_errors(), metrics("picky").events(EventResult::Rejected)), (1, 1));
    assert_eq!((metrics("ruled").filter_errors(), metrics("ruled").events(EventResult::Stored)), (1, 2));
    assert_eq!(nats.collect("webhooks.sales.many", 1, SOON).await.len(), 1);
    assert_eq!(nats.collect("webhooks.sales.ruled.>", 1, SOON).await.len(), 1, "no match: the default subject");
    let rejected = nats.collect("webhooks._rejected.sales.picky", 1, SOON).await.remove(0);
    assert_eq!(header(&rejected, "ce-originalid").as_deref(), Some("2"));
    assert_eq!(header(&rejected, "ce-reason").as_deref(), Some("FilterError"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_is_kept_while_nats_is_frozen() {
    let nats = Nats::start().await;
    let port = Port::with_nats(&nats, &[&source("calls", "  delivery: {deadline: 800ms}\n")], quick()).await;
    nats.pause();
    let begun = Instant::now();
    assert_eq!(status(&port, &post("/sales/calls", &proven("late"), "{}")).await, 503);
    let took = begun.elapsed();
    // All but what the answer itself needs is NATS's, and the default of five seconds is not waited for.
    assert!(took >= Duration::from_millis(650) && took < Duration::from_secs(4), "{took:?}");
    nats.resume();
    eventually("deliveries go on", SOON, async || {
        status(&port, &post("/sales/calls", &proven("late"), "{}")).await == 200
    })
    .await;
    assert_eq!(nats.count("WEBHOOKS").await, 1, "what NATS had stored all the same is a duplicate");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_of_a_source_has_an_id_of_its_own() {
    let port = Port::without_nats(&[&source("calls", ""), &source("off", "  suspend: true\n")], quick()).await;
    let mut seen = std::collections::BTreeSet::new();
    for (path, headers) in [("calls", proven("d")), ("calls", String::new()), ("off", proven("d"))] {
        let answer = send(&port, &post(&format!("/sales/{path}"), &headers, "{}")).await;
        let id = answer.header("hookgate-delivery").expect("an id").to_owned();
        assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
        assert!(seen.insert(id));
    }
    assert_eq!(send(&port, &post("/nobody", "", "{}")).await.header("hookgate-delivery"), None);
}

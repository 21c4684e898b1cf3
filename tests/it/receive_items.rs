//! What becomes of the items of a delivery: which are events, which one is a repetition, on which subject they go and in which shape.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails loudly")]

use async_nats::jetstream::message::StreamMessage;
use hookgate::metrics::EventResult;
use serde_json::{Value, json};

use crate::receive_line::status;
use crate::receive_port::{Port, SECRET, proven, quick, source};
use crate::receive_wire::{SOON, post};
use crate::support::nats::Nats;

fn header(message: &StreamMessage, name: &str) -> String {
    message.headers.get(name).map(|value| value.as_str().to_owned()).unwrap_or_default()
}

fn data(message: &StreamMessage) -> Value {
    serde_json::from_slice(&message.payload).expect("JSON")
}

fn subjects(stored: &[StreamMessage]) -> Vec<&str> {
    stored.iter().map(|message| message.subject.as_str()).collect()
}

/// A source of a vendor that sends batches, which are mapped.
fn push(name: &str, more: &str) -> String {
    format!(
        "apiVersion: hookgate.dev/v1alpha1\nkind: WebhookSource\n\
         metadata: {{namespace: sales, name: {name}, uid: uid-{name}}}\n\
         spec:\n  provider: focus-push\n  verification: {{method: bearer, secretRefs: [{{name: focus, key: token}}]}}\n{more}"
    )
}

fn batch(name: &str, body: &str) -> String {
    let bearer = format!("Authorization: Bearer {SECRET}\r\nContent-Type: application/json\r\n");
    post(&format!("/sales/{name}"), &bearer, body)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_of_no_known_vendor_names_the_list_whose_items_are_events() {
    let nats = Nats::start().await;
    let split = |name: &str, extract: &str| {
        let usual = "extract: {id: [{header: X-Delivery}], type: {header: X-Event}}";
        let written = source(name, "").replace(usual, &format!("extract: {extract}"));
        assert!(written.contains(extract));
        written
    };
    let named = split(
        "named",
        "{split: {pointer: /items}, id: [{header: X-Delivery}], type: {pointer: /kind}, subject: {pointer: /n}}",
    );
    let whole = split("whole", "{split: {pointer: ''}, id: [{pointer: /n}], type: {pointer: /kind}}");
    let port = Port::with_nats(&nats, &[&named, &whole], quick()).await;
    let list = r#"[{"kind":"a","n":7},{"kind":"b","n":8}]"#;
    let body = format!(r#"{{"items":{list},"sent":1}}"#);
    assert_eq!(status(&port, &post("/sales/named", &proven("d-1"), &body)).await, 200);
    assert_eq!(status(&port, &post("/sales/whole", &proven("d-2"), list)).await, 200);
    let stored = nats.collect("webhooks.>", 4, SOON).await;
    let wanted =
        ["webhooks.sales.named.a", "webhooks.sales.named.b", "webhooks.sales.whole.a", "webhooks.sales.whole.b"];
    assert_eq!(subjects(&stored), wanted);
    let ids: Vec<String> = stored.iter().map(|message| header(message, "ce-id")).collect();
    assert_eq!(ids, ["d-1#0", "d-1#1", "7", "8"]);
    assert_eq!([0, 1].map(|n| header(&stored[n], "ce-subject")), ["7", "8"]);
    assert_eq!(data(&stored[1]), json!({"kind": "b", "n": 8}), "the item, and not what is around it");
    assert_eq!(status(&port, &post("/sales/named", &proven("d-3"), r#"{"items":{}}"#)).await, 400, "no list");
    assert_eq!(nats.count("WEBHOOKS").await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_source_writes_of_repetitions_overrides_the_ids_of_its_vendor() {
    let nats = Nats::start().await;
    let kind = |name: &str, what: &str| source(name, &format!("  delivery: {{deduplicate: {what}}}\n"));
    let (content, none, id) = (kind("content", "Content"), kind("none", "None"), kind("id", "Id"));
    let port = Port::with_nats(&nats, &[&content, &none, &id], quick()).await;
    // White space outside strings says nothing of what is the same.
    let deliveries = [("1", r#"{"n": 1}"#), ("1", r#"{"n":1}"#), ("2", r#"{"n":1}"#), ("2", r#"{"n":2}"#)];
    for source in ["content", "none", "id"] {
        for (id, body) in deliveries {
            assert_eq!(status(&port, &post(&format!("/sales/{source}"), &proven(id), body)).await, 200);
        }
    }
    let counts = |name: &str| {
        let of = port.metrics.source("sales", name, "generic");
        [EventResult::Stored, EventResult::Duplicate].map(|result| of.events(result))
    };
    assert_eq!(counts("content"), [2, 2], "two contents, whatever the ids say");
    assert_eq!(counts("none"), [4, 0], "nothing is ever a repetition");
    assert_eq!(counts("id"), [2, 2], "two ids, whatever the contents say");
    let stored = nats.collect("webhooks.sales.content.>", 2, SOON).await;
    assert!(header(&stored[0], "ce-id").starts_with("sha256-"), "{:?}", stored[0].headers);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_items_with_one_id_the_same_bytes_are_one_event_and_other_bytes_are_rejected() {
    let nats = Nats::start().await;
    let port = Port::with_nats(&nats, &[&push("push", "")], quick()).await;
    let item = |tag: &str| format!(r#"{{"clientId":1,"interactionId":7,"tags":["{tag}"]}}"#);
    let body = format!("[{},{},{}]", item("first"), item("first"), item("other"));
    assert_eq!(status(&port, &batch("push", &body)).await, 200);
    let stored = nats.collect("webhooks.>", 2, SOON).await;
    assert_eq!(nats.count("WEBHOOKS").await, 2);
    assert_eq!(subjects(&stored), ["webhooks.sales.push.transcript.completed", "webhooks._rejected.sales.push"]);
    assert_eq!((header(&stored[0], "ce-id").as_str(), &data(&stored[0])["tags"]), ("7", &json!(["first"])));
    let rejected = ["ce-type", "ce-reason", "ce-originalid", "ce-originaltype"].map(|name| header(&stored[1], name));
    assert_eq!(rejected, ["hookgate.rejected", "SameId", "7", "focus-push.transcript.completed"]);
    assert_eq!(&stored[1].payload[..], item("other").as_bytes(), "what was sent, whole");
}

#[tokio::test(flavor = "multi_thread")]
async fn exclude_wins_over_include_and_what_neither_names_is_left_out() {
    let nats = Nats::start().await;
    let events = "  events: {include: ['call.*', 'mail.sent'], exclude: ['*.internal', mail.sent]}\n";
    let port = Port::with_nats(&nats, &[&source("calls", events)], quick()).await;
    for event in ["call.ended", "call.ended.internal", "mail.sent", "task.done", "call.started", "Call.ended"] {
        let headers = proven(event).replace("X-Event: call.ended", &format!("X-Event: {event}"));
        assert_eq!(status(&port, &post("/sales/calls", &headers, "{}")).await, 200, "{event}");
    }
    let stored = nats.collect("webhooks.>", 2, SOON).await;
    assert_eq!(nats.count("WEBHOOKS").await, 2);
    assert_eq!(subjects(&stored), ["webhooks.sales.calls.call.ended", "webhooks.sales.calls.call.started"]);
    assert_eq!(port.metrics.source("sales", "calls", "generic").events(EventResult::Filtered), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_rule_that_matches_says_where_an_event_goes() {
    let nats = Nats::start().await;
    let rules = "  routing:\n    rules:\n\
        \x20   - {filter: 'data.n > 1', subject: webhooks.sales.many}\n\
        \x20   - {include: ['call.*'], filter: 'type == \"call.ended\" || data.n > 0', subject: webhooks.sales.ended}\n\
        \x20   - {include: ['*'], subject: webhooks.sales.rest}\n";
    let port = Port::with_nats(&nats, &[&source("calls", rules)], quick()).await;
    for (id, body) in [("a", r#"{"n":2}"#), ("b", r#"{"n":1}"#), ("c", r#"{"n":"many"}"#)] {
        assert_eq!(status(&port, &post("/sales/calls", &proven(id), body)).await, 200, "{body}");
    }
    let other = proven("d").replace("call.ended", "mail.sent");
    assert_eq!(status(&port, &post("/sales/calls", &other, r#"{"n":0}"#)).await, 200);
    let stored = nats.collect("webhooks.>", 4, SOON).await;
    let ids: Vec<String> = stored.iter().map(|message| header(message, "ce-id")).collect();
    let wanted = ["webhooks.sales.many", "webhooks.sales.ended", "webhooks.sales.ended", "webhooks.sales.rest"];
    assert_eq!((subjects(&stored), ids), (wanted.to_vec(), ["a", "b", "c", "d"].map(str::to_owned).to_vec()));
}

#[tokio::test(flavor = "multi_thread")]
async fn mapped_events_go_out_in_the_shape_that_their_source_asks_for() {
    let nats = Nats::start().await;
    let sources = [
        push("both", ""),
        push("mapped", "  routing: {includeOriginal: false}\n"),
        push("original", "  routing: {data: Original}\n"),
    ];
    let port = Port::with_nats(&nats, &sources.each_ref().map(String::as_str), quick()).await;
    let item = r#"{"clientId": 1, "interactionId": 7, "tags": ["a"], "beyond": 1.50}"#;
    for name in ["both", "mapped", "original"] {
        assert_eq!(status(&port, &batch(name, &format!("[{item}]"))).await, 200, "{name}");
    }
    let stored = nats.collect("webhooks.>", 3, SOON).await;
    let schema = "urn:hookgate:schema:conversation:v1";
    assert_eq!([0, 1, 2].map(|n| header(&stored[n], "ce-dataschema")), [schema, schema, ""]);
    assert_eq!(data(&stored[0])["original"]["beyond"].to_string(), "1.5");
    let mapped = data(&stored[1]);
    assert_eq!((&mapped["id"], &mapped["kind"], mapped.get("original")), (&json!("7"), &json!("transcript"), None));
    assert_eq!(&stored[2].payload[..], item.as_bytes(), "byte for byte");
    assert_eq!([0, 1, 2].map(|n| header(&stored[n], "ce-omitted")), ["", "", ""], "what is not wanted is not missed");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_kept_where_the_vendor_never_sends_again_and_refused_where_it_does() {
    let nats = Nats::start().await;
    let once = "apiVersion: hookgate.dev/v1alpha1\nkind: WebhookSource\n\
        metadata: {namespace: sales, name: once, uid: uid-once}\n\
        spec:\n  provider: post-call\n  verification: {method: none}\n";
    let port = Port::with_nats(&nats, &[once, &push("push", "")], quick()).await;
    let broken = r#"{"callId":"c-1","callAnalysis":"#;
    assert_eq!(status(&port, &post("/sales/once", "Content-Type: application/json\r\n", broken)).await, 200);
    assert_eq!(status(&port, &batch("push", broken)).await, 400, "sent again, perhaps whole");
    let stored = nats.collect("webhooks.>", 1, SOON).await;
    assert_eq!(nats.count("WEBHOOKS").await, 1);
    assert_eq!(subjects(&stored), ["webhooks._rejected.sales.once"]);
    assert_eq!(header(&stored[0], "ce-reason"), "NotMappable");
    assert!(header(&stored[0], "content-type").starts_with("text/plain"), "its true media type");
    assert_eq!(&stored[0].payload[..], broken.as_bytes());
    assert_eq!(port.metrics.source("sales", "once", "post-call").events(EventResult::Rejected), 1);
}

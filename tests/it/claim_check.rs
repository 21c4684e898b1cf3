//! What is too large for a message of NATS is stored beside it, once and whole, before its event; and nothing else is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails loudly")]

use std::path::Path;

use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::object_store::{ObjectInfo, ObjectStore};
use sha2::{Digest, Sha256};
use tokio::io::AsyncReadExt;

use crate::receive_wire::SOON;
use crate::support::folder::Folder;
use crate::support::nats::Nats;
use crate::support::operator::{Operator, hookgate};
use crate::support::wait::eventually;

const MANIFEST: &str = r#"
apiVersion: v1
kind: Secret
metadata: {name: token, namespace: sales}
stringData: {token: s3cr3t}
---
apiVersion: hookgate.dev/v1alpha1
kind: WebhookSource
metadata: {name: calls, namespace: sales}
spec:
  provider: generic
  verification: {method: token, secretRefs: [{name: token, key: token}], token: {header: X-Token}}
  extract: {id: [{header: X-Delivery}], type: {header: X-Event}}
---
apiVersion: hookgate.dev/v1alpha1
kind: WebhookSource
metadata: {name: hasty, namespace: sales}
spec:
  provider: generic
  verification: {method: token, secretRefs: [{name: token, key: token}], token: {header: X-Token}}
  extract: {id: [{header: X-Delivery}], type: {header: X-Event}}
  delivery: {deadline: 500ms}
---
apiVersion: hookgate.dev/v1alpha1
kind: WebhookSource
metadata: {name: structured, namespace: sales}
spec:
  provider: generic
  verification: {method: token, secretRefs: [{name: token, key: token}], token: {header: X-Token}}
  extract: {id: [{header: X-Delivery}], type: {header: X-Event}}
  routing: {format: Structured}
---
apiVersion: hookgate.dev/v1alpha1
kind: WebhookSource
metadata: {name: lists, namespace: sales}
spec:
  provider: generic
  verification: {method: token, secretRefs: [{name: token, key: token}], token: {header: X-Token}}
  extract: {id: [{pointer: /id}], type: {header: X-Event}, split: {pointer: ""}}
  delivery: {deduplicate: Id}
---
apiVersion: hookgate.dev/v1alpha1
kind: WebhookSource
metadata: {name: gitea, namespace: sales}
spec:
  provider: gitea
  verification: {secretRefs: [{name: token, key: token}]}
---
apiVersion: v1
kind: Secret
metadata: {name: token, namespace: support}
stringData: {token: s3cr3t}
---
apiVersion: hookgate.dev/v1alpha1
kind: WebhookSource
metadata: {name: calls, namespace: support}
spec:
  provider: generic
  verification: {method: token, secretRefs: [{name: token, key: token}], token: {header: X-Token}}
  extract: {id: [{header: X-Delivery}], type: {header: X-Event}}
"#;

pub fn manifests() -> Folder {
    let folder = Folder::new("claim-manifests");
    folder.write("sources.yaml", MANIFEST);
    folder
}

/// Two MiB of JSON that differs with `salt`.
pub fn large(salt: &str) -> String {
    format!(r#"{{"salt":"{salt}","text":"{}"}}"#, "x".repeat(2 << 20))
}

/// The status of a delivery.
pub async fn send(operator: &Operator, path: &str, id: &str, body: impl Into<bytes::Bytes>) -> u16 {
    let headers =
        [("content-type", "application/json"), ("x-token", "s3cr3t"), ("x-delivery", id), ("x-event", "call.ended")];
    operator.post(path, &headers, body).await.map_or(0, |answer| answer.status.as_u16())
}

pub fn header(message: &StreamMessage, name: &str) -> String {
    message.headers.get(name).map(|value| value.as_str().to_owned()).unwrap_or_default()
}

pub async fn bucket(nats: &Nats, namespace: &str) -> ObjectStore {
    nats.jetstream().await.get_object_store(format!("hookgate-{namespace}")).await.expect("the bucket")
}

/// The bytes that an event refers to, read as NATS's client reads them, which judges their digest.
pub async fn data(nats: &Nats, reference: &str) -> (ObjectInfo, Vec<u8>) {
    let (bucket, name) = reference.strip_prefix("nats-object://").unwrap().split_once('/').unwrap();
    let store = nats.jetstream().await.get_object_store(bucket).await.expect("the bucket");
    let mut object = store.get(name).await.expect("the object");
    let mut bytes = Vec::new();
    object.read_to_end(&mut bytes).await.expect("whole and of its digest");
    (object.info().clone(), bytes)
}

/// How many objects a bucket holds, and how many messages they take.
pub async fn held(nats: &Nats, namespace: &str) -> (usize, u64) {
    use futures::StreamExt;
    let objects = bucket(nats, namespace).await.list().await.unwrap().count().await;
    (objects, nats.count(&format!("OBJ_hookgate-{namespace}")).await)
}

async fn start(manifests: &Path, nats: &Nats, more: &[&str]) -> Operator {
    Operator::in_folder(manifests, &nats.url(), more).await
}

#[tokio::test]
async fn what_is_too_large_for_a_message_lies_beside_its_event_and_a_redelivery_finds_it() {
    let (manifests, nats) = (manifests(), Nats::start().await);
    let operator = start(manifests.path(), &nats, &[]).await;
    let body = large("one");
    assert_eq!(send(&operator, "/sales/calls", "d-1", "{}").await, 200);
    assert_eq!(send(&operator, "/sales/calls", "d-2", body.clone()).await, 200, "{}", operator.process.log());
    // Both are there when the answer is.
    assert_eq!(nats.count("WEBHOOKS").await, 2);
    let events = nats.collect("webhooks.sales.calls.>", 2, SOON).await;
    assert_eq!((header(&events[0], "ce-dataref"), &*events[0].payload), (String::new(), &b"{}"[..]), "what fits");
    let reference = header(&events[1], "ce-dataref");
    let name = hex::encode(Sha256::digest(header(&events[1], "Nats-Msg-Id")));
    assert_eq!(reference, format!("nats-object://hookgate-sales/{name}"));
    assert!(events[1].payload.is_empty());
    assert_eq!(header(&events[1], "ce-datacontenttype"), "application/json");
    let (info, bytes) = data(&nats, &reference).await;
    assert!(bytes == body.as_bytes(), "byte for byte");
    assert_eq!((info.size, info.chunks), (body.len(), body.len().div_ceil(128 << 10)));

    let before = held(&nats, "sales").await;
    assert_eq!(before, (1, info.chunks as u64 + 1));
    for _ in 0..3 {
        assert_eq!(send(&operator, "/sales/calls", "d-2", body.clone()).await, 200);
    }
    assert_eq!((held(&nats, "sales").await, nats.count("WEBHOOKS").await), (before, 2), "one stored copy of each");
    let metrics = String::from_utf8(operator.get("/metrics").await.unwrap().body.to_vec()).unwrap();
    assert!(
        metrics.contains(r#"hookgate_events_claimed_total{namespace="sales",source="calls",provider="generic"} 4"#)
    );
    assert!(metrics.contains(r#"provider="generic",result="duplicate"} 3"#), "{metrics}");
}

#[tokio::test]
async fn a_bucket_keeps_what_it_holds_for_longer_than_its_events_last() {
    let (manifests, nats) = (manifests(), Nats::start().await);
    let age = async |nats: &Nats| {
        let stream = nats.jetstream().await.get_stream("OBJ_hookgate-sales").await.unwrap();
        let config = stream.cached_info().config.clone();
        assert_eq!(config.storage, async_nats::jetstream::stream::StorageType::File);
        config.max_age.as_secs()
    };
    let operator = start(manifests.path(), &nats, &["--stream-max-age", "10h"]).await;
    assert_eq!(send(&operator, "/sales/calls", "d-1", large("one")).await, 200);
    assert_eq!(age(&nats).await, 11 * 3600 + 180, "and the guard's window, and an hour");
    // Its stream is told to keep them for longer: the next claimed event takes the bucket along.
    let context = nats.jetstream().await;
    let mut config = context.get_stream("WEBHOOKS").await.unwrap().cached_info().config.clone();
    config.max_age = std::time::Duration::ZERO;
    context.update_stream(config).await.unwrap();
    drop(operator);
    let operator = start(manifests.path(), &nats, &["--stream-max-age", "10h"]).await;
    assert_eq!(send(&operator, "/sales/calls", "d-2", large("two")).await, 200);
    assert_eq!(age(&nats).await, 0, "for ever: {}", operator.process.log());
}

#[tokio::test]
async fn other_data_under_the_same_id_is_rejected_and_the_first_stands() {
    let (manifests, nats) = (manifests(), Nats::start().await);
    let operator = start(manifests.path(), &nats, &[]).await;
    let (first, second) = (large("first"), large("second"));
    assert_eq!(send(&operator, "/sales/calls", "d-1", first.clone()).await, 200);
    for _ in 0..2 {
        assert_eq!(send(&operator, "/sales/calls", "d-1", second.clone()).await, 200);
    }
    let event = nats.collect("webhooks.sales.calls.>", 1, SOON).await.remove(0);
    assert!(data(&nats, &header(&event, "ce-dataref")).await.1 == first.as_bytes());
    let rejected = nats.collect("webhooks._rejected.sales.calls", 1, SOON).await.remove(0);
    assert_eq!((header(&rejected, "ce-reason"), header(&rejected, "ce-originalid")), ("SameId".into(), "d-1".into()));
    assert!(data(&nats, &header(&rejected, "ce-dataref")).await.1 == second.as_bytes(), "too large itself");
    assert_eq!((nats.count("WEBHOOKS").await, held(&nats, "sales").await.0), (2, 2));
}

#[tokio::test]
async fn a_structured_event_refers_to_its_data_as_a_binary_one_does() {
    let (manifests, nats) = (manifests(), Nats::start().await);
    let operator = start(manifests.path(), &nats, &[]).await;
    let body = large("one");
    assert_eq!(send(&operator, "/sales/structured", "d-1", body.clone()).await, 200);
    let event = nats.collect("webhooks.sales.structured.>", 1, SOON).await.remove(0);
    let document: serde_json::Value = serde_json::from_slice(&event.payload).unwrap();
    assert!(document["data"].is_null() && document["data_base64"].is_null());
    assert_eq!(document["id"], "d-1");
    assert!(data(&nats, document["dataref"].as_str().unwrap()).await.1 == body.as_bytes());
    assert_eq!(header(&event, "ce-dataref"), "");
}

#[tokio::test]
async fn of_a_batch_only_what_is_too_large_is_claimed_and_namespaces_never_share() {
    let (manifests, nats) = (manifests(), Nats::start().await);
    let operator = start(manifests.path(), &nats, &[]).await;
    let item = |id: u32, size: usize| format!(r#"{{"id":{id},"text":"{}"}}"#, "x".repeat(size));
    let batch = format!("[{},{},{}]", item(1, 1), item(2, 3 << 20), item(3, 1));
    for _ in 0..2 {
        assert_eq!(send(&operator, "/sales/lists", "", batch.clone()).await, 200, "{}", operator.process.log());
    }
    let events = nats.collect("webhooks.sales.lists.>", 3, SOON).await;
    assert_eq!(nats.count("WEBHOOKS").await, 3);
    let claimed: Vec<_> = events.iter().filter(|event| !header(event, "ce-dataref").is_empty()).collect();
    assert_eq!((claimed.len(), header(claimed[0], "ce-id")), (1, "2".to_owned()));
    assert!(data(&nats, &header(claimed[0], "ce-dataref")).await.1 == item(2, 3 << 20).as_bytes());

    let body = large("one");
    for path in ["/sales/calls", "/support/calls"] {
        assert_eq!(send(&operator, path, "d-1", body.clone()).await, 200);
    }
    let event = nats.collect("webhooks.support.calls.>", 1, SOON).await.remove(0);
    assert!(header(&event, "ce-dataref").starts_with("nats-object://hookgate-support/"));
    assert_eq!((held(&nats, "sales").await.0, held(&nats, "support").await.0), (2, 1));
}

#[tokio::test]
async fn credentials_that_are_cut_are_in_no_object() {
    use hmac::{Hmac, KeyInit, Mac};
    let (manifests, nats) = (manifests(), Nats::start().await);
    let operator = start(manifests.path(), &nats, &[]).await;
    let body = large("kept").replacen('{', r#"{"secret":"hunter2","#, 1);
    let mut mac = Hmac::<Sha256>::new_from_slice(b"s3cr3t").unwrap();
    mac.update(body.as_bytes());
    let signature = hex::encode(mac.finalize().into_bytes());
    let headers = [
        ("content-type", "application/json"),
        ("x-gitea-event", "push"),
        ("x-gitea-delivery", "d-1"),
        ("x-gitea-signature", &signature),
    ];
    let answer = operator.post("/sales/gitea", &headers, body).await.unwrap();
    assert_eq!(answer.status, 200, "{}", operator.process.log());
    let event = nats.collect("webhooks.sales.gitea.>", 1, SOON).await.remove(0);
    let bytes = String::from_utf8(data(&nats, &header(&event, "ce-dataref")).await.1).unwrap();
    assert!(bytes.contains("kept") && !bytes.contains("hunter2"), "{}", &bytes[..200]);
}

#[tokio::test]
async fn pieces_fit_what_the_server_takes_and_headers_that_do_not_are_answered_413() {
    let (manifests, nats) = (manifests(), Nats::start_with("max_payload: 8KB").await);
    let operator = start(manifests.path(), &nats, &[]).await;
    let body = format!(r#"{{"text":"{}"}}"#, "x".repeat(100_000));
    assert_eq!(send(&operator, "/sales/calls", "d-1", body.clone()).await, 200, "{}", operator.process.log());
    let event = nats.collect("webhooks.sales.calls.>", 1, SOON).await.remove(0);
    let (info, bytes) = data(&nats, &header(&event, "ce-dataref")).await;
    assert!(bytes == body.as_bytes() && info.chunks == 14, "{}", info.chunks);

    let nats = Nats::start_with("max_payload: 1100").await;
    let operator = start(manifests.path(), &nats, &[]).await;
    // Percent-encoded it takes three times as much.
    let id = "%".repeat(400);
    assert_eq!(send(&operator, "/sales/calls", &id, "{}").await, 413);
    assert_eq!(nats.count("WEBHOOKS").await, 0);
    assert!(nats.jetstream().await.get_stream("OBJ_hookgate-sales").await.is_err(), "nothing is stored for it");
}

#[tokio::test]
async fn tail_shows_the_data_that_an_event_refers_to_or_says_why_not() {
    let (manifests, nats) = (manifests(), Nats::start().await);
    let operator = start(manifests.path(), &nats, &[]).await;
    let body = large("shown");
    for path in ["/sales/calls", "/sales/structured"] {
        assert_eq!(send(&operator, path, "d-1", body.clone()).await, 200);
    }
    let url = nats.url();
    let tail = ["tail", "webhooks.>", "--all", "-n", "2", "-o", "json", "--nats-url", &url];
    let told = hookgate(&tail).await.ok();
    for line in told.lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(event["data"]["salt"], "shown");
        assert!(event["headers"]["ce-dataref"].as_str().unwrap().starts_with("nats-object://hookgate-sales/"));
    }
    assert_eq!(told.lines().count(), 2);
    nats.jetstream().await.delete_object_store("hookgate-sales").await.unwrap();
    let told = hookgate(&tail).await;
    assert!(told.stderr.contains("cannot be read") && told.stdout.contains(r#""data":null"#), "{told:?}");
}

#[tokio::test]
async fn with_the_claim_check_off_what_is_too_large_is_answered_413() {
    let (manifests, nats) = (manifests(), Nats::start().await);
    let operator = start(manifests.path(), &nats, &["--claim-check", "off"]).await;
    assert_eq!(send(&operator, "/sales/calls", "d-1", large("one")).await, 413);
    assert_eq!(nats.count("WEBHOOKS").await, 0);
    let streams = nats.jetstream().await;
    assert!(streams.get_stream("OBJ_hookgate-sales").await.is_err(), "no bucket is made");
}

#[tokio::test]
async fn a_stream_that_takes_less_than_its_server_is_reckoned_with() {
    let (manifests, nats) = (manifests(), Nats::start().await);
    let config = async_nats::jetstream::stream::Config {
        name: "WEBHOOKS".to_owned(),
        subjects: vec!["webhooks.>".to_owned()],
        max_message_size: 4096,
        ..Default::default()
    };
    nats.jetstream().await.create_stream(config).await.unwrap();
    let operator = start(manifests.path(), &nats, &[]).await;
    let body = format!(r#"{{"text":"{}"}}"#, "x".repeat(5000));
    assert_eq!(send(&operator, "/sales/calls", "d-1", body.clone()).await, 200, "{}", operator.process.log());
    let event = nats.collect("webhooks.sales.calls.>", 1, SOON).await.remove(0);
    assert!(data(&nats, &header(&event, "ce-dataref")).await.1 == body.as_bytes());
}

#[tokio::test]
async fn during_an_outage_the_spool_keeps_the_data_and_it_is_claimed_when_it_is_drained() {
    let (manifests, spool, mut nats) = (spooling(), Folder::new("spool"), Nats::start().await);
    let folder = spool.path().join("spool");
    let flags = ["--spool-dir", folder.to_str().unwrap(), "--spool-volatile"];
    let operator = start(manifests.path(), &nats, &flags).await;
    let bodies = [large("one"), "{}".to_owned(), large("three")];
    nats.kill();
    for (id, body) in bodies.iter().enumerate() {
        assert_eq!(send(&operator, "/sales/calls", &format!("d-{id}"), body.clone()).await, 200);
    }
    drop(operator);
    nats.start_again().await;
    // By a command, and what comes later by the operator itself.
    let drain = ["drain", "--spool-dir", folder.to_str().unwrap(), "--nats-url", &nats.url()];
    assert_eq!(hookgate(&drain).await.ok().trim(), "3 published, 0 refused, 0 left");
    let operator = start(manifests.path(), &nats, &flags).await;
    nats.kill();
    assert_eq!(send(&operator, "/sales/calls", "d-3", large("four")).await, 200);
    nats.start_again().await;
    eventually("it is drained", SOON, async || nats.count("WEBHOOKS").await == 4).await;
    let wanted = [bodies.as_slice(), &[large("four")]].concat();
    for event in nats.collect("webhooks.sales.calls.>", 4, SOON).await {
        let id: usize = header(&event, "ce-id").trim_start_matches("d-").parse().unwrap();
        let reference = header(&event, "ce-dataref");
        let bytes = if reference.is_empty() { event.payload.to_vec() } else { data(&nats, &reference).await.1 };
        assert!(bytes == wanted[id].as_bytes(), "{id}");
        assert_eq!(reference.is_empty(), id == 1);
    }
    // A redelivery finds what the drain stored.
    assert_eq!(send(&operator, "/sales/calls", "d-3", large("four")).await, 200);
    assert_eq!((nats.count("WEBHOOKS").await, held(&nats, "sales").await.0), (4, 3));
}

/// Sources whose events wait while NATS is away.
pub fn spooling() -> Folder {
    let folder = Folder::new("claim-manifests");
    let manifest = MANIFEST.replacen(
        "  extract: {id: [{header: X-Delivery}]",
        "  delivery: {onOutage: Spool}\n  extract: {id: [{header: X-Delivery}]",
        1,
    );
    folder.write("sources.yaml", &manifest);
    folder
}

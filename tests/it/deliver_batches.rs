//! What waits for one stream goes out as atomic batches, and what a delivery brings is stored all or none of it: each event lies
//! where its acknowledgement says, and a batch that is refused costs nobody his event.

#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails loudly")]

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::{Config, DiscardPolicy, Stream};
use futures::future::join_all;
use hookgate::deliver::{Delivery, Outcome, Unavailable};
use hookgate::event::Message;

use crate::deliver_parts::{SOON, late, message, options, start, without_stream};
use crate::receive_line::status;
use crate::receive_port::{Port, SECRET, quick};
use crate::receive_wire::post;
use crate::support::nats::Nats;
use crate::support::nats_cluster::NatsCluster;
use crate::support::proxy::{Proxy, Weather};
use crate::support::wait::eventually;

/// Events on their way at one time.
const BESIDE: usize = 200;

/// Publishes until some came in a batch, as many at one time; `event` makes the next one. Acknowledgements are slow, so that
/// batches are tried.
async fn until_batches(
    delivery: &Delivery,
    stream: &Stream,
    event: impl Fn(usize) -> Message + Copy,
) -> Vec<(Message, Result<Outcome, Unavailable>)> {
    let (next, enough) = (AtomicUsize::new(0), AtomicBool::new(false));
    let publisher = async || {
        let mut published = Vec::new();
        while !enough.load(Ordering::Relaxed) {
            let event = event(next.fetch_add(1, Ordering::Relaxed));
            let end = delivery.publish(&event, None, late()).await;
            published.push((event, end));
        }
        published
    };
    let watch = async {
        let batched = async || {
            let last = stream.get_info().await.expect("its state").state.last_sequence;
            match stream.get_raw_message(last).await {
                Ok(message) => batch(&message).is_some(),
                Err(_) => false,
            }
        };
        eventually("batches are tried", 6 * SOON, batched).await;
        enough.store(true, Ordering::Relaxed);
    };
    let (published, ()) = tokio::join!(join_all((0..BESIDE).map(|_| publisher())), watch);
    published.into_iter().flatten().collect()
}

async fn slow(nats: &Nats) -> Proxy {
    let proxy = Proxy::before(nats.port()).await;
    proxy.set(Weather::Slow);
    proxy
}

/// The batch that a stored message came in.
fn batch(message: &StreamMessage) -> Option<&str> {
    message.headers.get("Nats-Batch-Id").map(|id| id.as_str())
}

/// Each event lies where its acknowledgement says, and no two in one place. Returns in how many batches they came.
async fn lie_where_they_should(stream: &Stream, published: &[(Message, Result<Outcome, Unavailable>)]) -> usize {
    let (mut batches, mut sequences) = (BTreeSet::new(), BTreeSet::new());
    for (event, end) in published {
        let Ok(Outcome::Stored { sequence, .. } | Outcome::Duplicate { sequence, .. }) = end else { panic!("{end:?}") };
        let stored = stream.get_raw_message(*sequence).await.expect("it is there");
        assert_eq!((&*stored.payload, stored.subject.as_str()), (&*event.payload, event.subject.as_str()));
        assert!(sequences.insert(*sequence), "two events in one place");
        batches.extend(batch(&stored).map(str::to_owned));
    }
    batches.len()
}

async fn stream(nats: &Nats) -> Stream {
    nats.jetstream().await.get_stream("WEBHOOKS").await.expect("the stream")
}

fn event(n: usize) -> Message {
    message(&format!("webhooks.s.{}", n % 7), &format!("{n}"), format!("{n}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn many_beside_a_slow_broker_go_out_in_batches_and_each_lies_where_its_acknowledgement_says() {
    let nats = Nats::start().await;
    let proxy = slow(&nats).await;
    let delivery = start(&options(proxy.url())).await;
    let stream = stream(&nats).await;
    let published = until_batches(&delivery, &stream, event).await;
    assert!(lie_where_they_should(&stream, &published).await > 0);
    assert_eq!(delivery.in_flight(), 0);
    assert_eq!(nats.count("WEBHOOKS").await, published.len() as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_known_or_refused_in_a_batch_takes_no_other_with_it() {
    let nats = Nats::start().await;
    // One message for each subject, and no second.
    let config = Config {
        name: "WEBHOOKS".to_owned(),
        subjects: vec!["webhooks.>".to_owned()],
        max_messages_per_subject: 1,
        discard: DiscardPolicy::New,
        discard_new_per_subject: true,
        allow_atomic_publish: true,
        ..Config::default()
    };
    let stream = nats.jetstream().await.create_stream(config).await.expect("the stream");
    let proxy = slow(&nats).await;
    let delivery = start(&without_stream(proxy.url())).await;
    // One of many is known already, and one is the second of its subject: some batches are refused, others are not.
    let event = |n: usize| match n % 701 {
        7 => message("webhooks.s.known", "known", "known"),
        9 => message("webhooks.s.known", &format!("second-{n}"), "second"),
        _ => message(&format!("webhooks.s.{n}"), &format!("{n}"), format!("{n}")),
    };
    delivery.publish(&event(7), None, late()).await.expect("stored");
    let published = until_batches(&delivery, &stream, event).await;
    let (good, others): (Vec<_>, Vec<_>) =
        published.into_iter().partition(|(event, _)| event.subject != "webhooks.s.known");
    for (event, end) in &others {
        match end {
            Ok(Outcome::Duplicate { sequence: 1, .. }) if event.payload == "known" => {}
            Err(Unavailable::Refused { .. }) if event.payload == "second" => {}
            other => panic!("{:?}: {other:?}", event.payload),
        }
    }
    lie_where_they_should(&stream, &good).await;
    assert_eq!(nats.count("WEBHOOKS").await, good.len() as u64 + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_cluster_each_of_a_batch_lies_where_its_acknowledgement_says() {
    let cluster = NatsCluster::start().await;
    let proxy = slow(&cluster.nodes[0]).await;
    let mut options = options(proxy.url());
    options.stream.replicas = 3;
    let delivery = start(&options).await;
    eventually("the stream has a leader", SOON, async || cluster.leader("WEBHOOKS", 0).await.is_some()).await;
    cluster.whole("WEBHOOKS").await;
    let stream = stream(&cluster.nodes[0]).await;
    let published = until_batches(&delivery, &stream, event).await;
    assert!(lie_where_they_should(&stream, &published).await > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_items_of_a_delivery_are_stored_in_one_batch() {
    let nats = Nats::start().await;
    let source = "apiVersion: hookgate.dev/v1alpha1\nkind: WebhookSource\n\
         metadata: {namespace: sales, name: push, uid: uid-push}\n\
         spec:\n  provider: focus-push\n  verification: {method: bearer, secretRefs: [{name: focus, key: token}]}\n";
    let port = Port::with_nats(&nats, &[source], quick()).await;
    let body = |from: usize, to: usize| {
        let items: Vec<String> = (from..to).map(|n| format!(r#"{{"interactionId":"i-{n}"}}"#)).collect();
        format!("[{}]", items.join(","))
    };
    let bearer = format!("Authorization: Bearer {SECRET}\r\nContent-Type: application/json\r\n");
    let send = async |body: &str| status(&port, &post("/sales/push", &bearer, body)).await;
    assert_eq!(send(&body(0, 100)).await, 200);
    let stored = nats.collect("webhooks.>", 100, SOON).await;
    let first = batch(&stored[0]).expect("it came in a batch");
    assert!(stored.iter().all(|message| batch(message) == Some(first)));
    // Some of them are known: the others are stored all the same.
    assert_eq!(send(&body(90, 120)).await, 200);
    assert_eq!(nats.collect("webhooks.>", 120, SOON).await.len(), 120);
    assert_eq!(nats.count("WEBHOOKS").await, 120);
}

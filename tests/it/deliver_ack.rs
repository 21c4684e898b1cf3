//! An event is stored when a durable stream says so, and the answer says at once what else is the case.

use std::time::{Duration, Instant};

use async_nats::jetstream::stream::{Config, StorageType};
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use hookgate::api::source::Format;
use hookgate::deliver::{Outcome, Unavailable};
use hookgate::event::{Block, Content, Envelope, Message, Origin, Payload, Receipt, header};
use hookgate::provider::Covers;
use hookgate::provider::event::{Data, Event, MediaType, Unsigned};

use crate::deliver_parts::{SOON, Sent, delivery, late, message, second, send, start, without_stream};
use crate::support::nats::Nats;
use crate::support::wait::eventually;

#[tokio::test]
async fn an_event_is_stored_once_and_its_repetition_is_a_duplicate() {
    let nats = Nats::start().await;
    let delivery = delivery(&nats).await;
    let first = message("webhooks.sales.calls.x", "1", "one");
    assert_eq!(send(&delivery, &first, late()).await, Ok(Sent::Stored));
    assert_eq!(send(&delivery, &first, late()).await, Ok(Sent::Duplicate));
    let stored = delivery.publish(&message("webhooks.sales.calls.x", "2", "two"), None, late()).await.unwrap();
    assert_eq!(stored, Outcome::Stored { stream: "WEBHOOKS".into(), sequence: 2 });
    let again = delivery.publish(&first, None, late()).await.unwrap();
    assert_eq!(again, Outcome::Duplicate { stream: "WEBHOOKS".into(), sequence: 1 });
    assert_eq!(nats.count("WEBHOOKS").await, 2);
}

#[tokio::test]
async fn a_subject_that_no_stream_owns_is_said_at_once_until_one_does() {
    let nats = Nats::start().await;
    let delivery = start(&without_stream(nats.url())).await;
    let event = message("webhooks.a.x", "1", "x");
    let said = tokio::time::timeout(SOON, send(&delivery, &event, late())).await.expect("long before the deadline");
    assert_eq!(said, Err(Unavailable::NoStream));

    nats.create_stream("LATER", &["webhooks.>"]).await;
    // At once, although the streams were read before it existed.
    assert_eq!(send(&delivery, &event, Instant::now() + SOON).await, Ok(Sent::Stored));
    assert!(delivery.streams().borrow().as_ref().unwrap().named("LATER").is_some());
}

#[tokio::test]
async fn ten_thousand_events_at_a_time_are_all_acknowledged_and_all_there() {
    const EVENTS: usize = 10_000;
    let nats = Nats::start().await;
    let delivery = delivery(&nats).await;
    let messages: Vec<Message> =
        (0..EVENTS).map(|n| message(&format!("webhooks.s.{}", n % 7), &format!("{n}"), vec![b'x'; 512])).collect();
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut sends: FuturesUnordered<_> =
        messages.iter().map(|message| delivery.publish(message, None, deadline)).collect();
    let mut sequences = Vec::with_capacity(EVENTS);
    let mut most = 0;
    while let Some(result) = sends.next().await {
        most = most.max(delivery.in_flight());
        let Outcome::Stored { sequence, .. } = result.unwrap() else { panic!("no id is there twice") };
        sequences.push(sequence);
    }
    sequences.sort_unstable();
    let expected: Vec<u64> = (1..=EVENTS as u64).collect();
    assert_eq!(sequences, expected, "each acknowledgement reached the event that it is for");
    assert_eq!(nats.count("WEBHOOKS").await, EVENTS as u64);
    assert!(most > 5_000, "they waited at the same time: {most}");
    assert_eq!(delivery.in_flight(), 0, "and none is left");
}

#[tokio::test]
async fn more_than_the_bound_at_a_time_are_refused_and_the_others_are_stored() {
    let nats = Nats::start().await;
    let mut options = crate::deliver_parts::options(nats.url());
    options.max_in_flight = 10;
    let delivery = start(&options).await;
    let messages: Vec<Message> = (0..100).map(|n| message("webhooks.a.x", &format!("{n}"), "x")).collect();
    let deadline = Instant::now() + SOON;
    let results = futures::future::join_all(messages.iter().map(|message| send(&delivery, message, deadline))).await;
    let stored = results.iter().filter(|result| **result == Ok(Sent::Stored)).count();
    let refused = results.iter().filter(|result| **result == Err(Unavailable::Overloaded)).count();
    assert_eq!(stored + refused, 100, "{results:?}");
    assert!(refused > 0 && stored >= 10, "{stored} stored, {refused} refused");
    assert_eq!(nats.count("WEBHOOKS").await, stored as u64, "what was refused was not published");
}

#[tokio::test]
async fn an_event_over_max_payload_is_refused_and_harms_no_other() {
    let nats = Nats::start_with("max_payload: 4KB").await;
    let delivery = delivery(&nats).await;
    assert_eq!(delivery.max_payload(), 4096);
    // Headers count: this one fits to the byte.
    let mut fits = message("webhooks.a.x", "1", "");
    // The empty line after the headers is two bytes.
    fits.payload = Bytes::from(vec![b'x'; 4096 - fits.headers.len() - 2]);
    let mut over = message("webhooks.a.x", "2", "");
    over.payload = Bytes::from(vec![b'x'; 4096 - over.headers.len() - 1]);
    let deadline = second();
    let small = message("webhooks.a.x", "3", "x");
    let (fits, over, other) = tokio::join!(
        send(&delivery, &fits, deadline),
        send(&delivery, &over, deadline),
        send(&delivery, &small, deadline)
    );
    assert_eq!(fits, Ok(Sent::Stored));
    assert_eq!(over, Err(Unavailable::TooLarge));
    assert_eq!(other, Ok(Sent::Stored));
    let mut block = Block::default();
    block.push(header::SUBJECT, &[&"x".repeat(17_000)]);
    let (headers, msg_id) = block.finish("uid", "4");
    let headers = Message { headers, msg_id, ..message("webhooks.a.x", "4", "x") };
    assert_eq!(send(&delivery, &headers, late()).await, Err(Unavailable::TooLarge));
    assert_eq!(delivery.link().borrow().number, 1, "still the first connection");
}

#[tokio::test]
async fn a_limit_of_the_stream_itself_is_too_large_too() {
    let nats = Nats::start().await;
    let config =
        Config { name: "S".to_owned(), subjects: vec!["s.>".to_owned()], max_message_size: 100, ..Config::default() };
    nats.jetstream().await.create_stream(config).await.unwrap();
    let delivery = start(&without_stream(nats.url())).await;
    assert_eq!(send(&delivery, &message("s.a", "1", vec![b'x'; 500]), late()).await, Err(Unavailable::TooLarge));
}

#[tokio::test]
async fn an_event_for_a_named_stream_is_stored_in_that_one_only() {
    let nats = Nats::start().await;
    let delivery = delivery(&nats).await;
    let message = message("webhooks.a.x", "1", "x");
    let refused = delivery.publish(&message, Some("OTHER"), late()).await;
    assert!(matches!(refused, Err(Unavailable::Refused { code: 10060, .. })), "{refused:?}");
    assert_eq!(nats.count("WEBHOOKS").await, 0);
    let stored = delivery.publish(&message, Some("WEBHOOKS"), late()).await;
    assert_eq!(stored, Ok(Outcome::Stored { stream: "WEBHOOKS".into(), sequence: 1 }));
}

#[tokio::test]
async fn a_memory_stream_is_not_durable_unless_that_is_allowed() {
    let nats = Nats::start().await;
    let config = |name: &str, subject: &str| Config {
        name: name.to_owned(),
        subjects: vec![subject.to_owned()],
        storage: StorageType::Memory,
        ..Config::default()
    };
    let context = nats.jetstream().await;
    context.create_stream(config("MEMORY", "memory.>")).await.unwrap();
    let strict = start(&without_stream(nats.url())).await;
    assert_eq!(send(&strict, &message("memory.a", "1", "x"), late()).await, Err(Unavailable::NotDurable));
    assert_eq!(nats.count("MEMORY").await, 0, "it was not even published");
    assert!(!strict.streams().borrow().as_ref().unwrap().named("MEMORY").unwrap().file_storage);

    // One that appeared after the last reading acknowledges, and is found out.
    context.create_stream(config("NEW", "new.>")).await.unwrap();
    assert_eq!(send(&strict, &message("new.a", "2", "x"), Instant::now() + SOON).await, Err(Unavailable::NotDurable));

    let mut options = without_stream(nats.url());
    options.stream.allow_memory = true;
    let lenient = start(&options).await;
    assert_eq!(send(&lenient, &message("memory.a", "3", "x"), late()).await, Ok(Sent::Stored));
}

#[tokio::test]
async fn a_stream_that_acknowledges_nothing_is_never_durable() {
    let nats = Nats::start().await;
    let config =
        Config { name: "SILENT".to_owned(), subjects: vec!["s.>".to_owned()], no_ack: true, ..Config::default() };
    nats.jetstream().await.create_stream(config).await.unwrap();
    let mut options = without_stream(nats.url());
    options.stream.allow_memory = true;
    let delivery = start(&options).await;
    assert_eq!(send(&delivery, &message("s.a", "1", "x"), late()).await, Err(Unavailable::NotDurable));
}

#[tokio::test]
async fn what_jetstream_refuses_is_said_in_its_words() {
    let nats = Nats::start().await;
    let config = Config {
        name: "FULL".to_owned(),
        subjects: vec!["full.>".to_owned()],
        max_messages: 1,
        discard: async_nats::jetstream::stream::DiscardPolicy::New,
        ..Config::default()
    };
    nats.jetstream().await.create_stream(config).await.unwrap();
    let delivery = start(&without_stream(nats.url())).await;
    assert_eq!(send(&delivery, &message("full.a", "1", "x"), late()).await, Ok(Sent::Stored));
    let refused = send(&delivery, &message("full.a", "2", "x"), late()).await.unwrap_err();
    assert!(
        matches!(&refused, Unavailable::Refused { code: 10077, description } if description.contains("maximum messages")),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_message_that_nats_could_not_take_harms_no_other() {
    let nats = Nats::start().await;
    let delivery = delivery(&nats).await;
    for subject in ["", "webhooks.a.x b", "webhooks.a.x\r\nPUB x 0\r\n", &"webhooks.a.x".repeat(500)] {
        let refused = send(&delivery, &message(subject, "1", "x"), late()).await;
        assert!(refused.is_err(), "{subject:?}: {refused:?}");
    }
    assert_eq!(send(&delivery, &message("webhooks.a.x", "1", "x"), late()).await, Ok(Sent::Stored));
    assert_eq!(delivery.link().borrow().number, 1, "still the first connection");
}

#[tokio::test]
async fn a_consumer_reads_the_headers_of_the_contract_byte_for_byte() {
    let nats = Nats::start().await;
    let delivery = delivery(&nats).await;
    let origin = Origin::new("https://hooks.example.com", "sales", "calls", "5f1d", "xosum", Format::Binary);
    let payload = Bytes::from_static(b"{\"n\": 1.00}");
    let event = Event {
        event_type: "transcript.ready".to_owned(),
        id: "d 1\"%".to_owned(),
        index: None,
        subject: Some("Grüße\r\n".to_owned()),
        time: "2026-11-25T10:00:00Z".parse().unwrap(),
        data: Data { original: payload.clone(), media_type: MediaType::Json, mapped: None, json: None },
        unsigned: Unsigned { id: true, event_type: true, time: true, subject: true },
    };
    let receipt = Receipt {
        method: "webhook-secret",
        covers: Covers::Body,
        received: "2026-11-25T10:00:01.5Z".parse().unwrap(),
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"),
        tracestate: None,
    };
    let payload =
        Payload { bytes: payload, media_type: MediaType::Json, mapped: true, without_original: None, item: None };
    let subject = "webhooks.sales.calls.transcript.ready".to_owned();
    let message = Envelope::event(&origin, &receipt, subject, event, payload).message(Content::Whole);
    // Who subscribes sees the wire itself, before any stream.
    let client = nats.client().await;
    let mut consumer = client.subscribe("webhooks.>").await.unwrap();
    let mut ready = client.subscribe("ready").await.unwrap();
    client.publish("ready", Bytes::new()).await.unwrap();
    ready.next().await.expect("the server has both subscriptions");
    let stored = delivery.publish(&message, Some("WEBHOOKS"), late()).await;
    assert_eq!(stored, Ok(Outcome::Stored { stream: "WEBHOOKS".into(), sequence: 1 }));

    let read = tokio::time::timeout(SOON, consumer.next()).await.unwrap().unwrap();
    let mut headers: Vec<(String, String)> = read
        .headers
        .iter()
        .flat_map(|headers| headers.iter())
        .flat_map(|(name, values)| values.iter().map(move |value| (name.to_string(), value.to_string())))
        .collect();
    headers.sort();
    let mut expected = [
        ("ce-specversion", "1.0"),
        ("ce-id", "d%201%22%25"),
        ("ce-source", "https://hooks.example.com/namespaces/sales/webhooksources/calls"),
        ("ce-type", "xosum.transcript.ready"),
        ("ce-subject", "Gr%C3%BC%C3%9Fe%0D%0A"),
        ("ce-time", "2026-11-25T10:00:00Z"),
        ("ce-dataschema", "urn:hookgate:schema:conversation:v1"),
        ("ce-datacontenttype", "application/json"),
        ("content-type", "application/json"),
        ("ce-provider", "xosum"),
        ("ce-verifiedby", "webhook-secret"),
        ("ce-covers", "body"),
        ("ce-unsigned", "id,type,time,subject"),
        ("ce-recordedtime", "2026-11-25T10:00:01.5Z"),
        ("ce-traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"),
        ("Nats-Msg-Id", "5f1d:d%201%22%25"),
        ("Nats-Expected-Stream", "WEBHOOKS"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    expected.sort();
    assert_eq!(headers, expected);
    assert_eq!(&read.payload[..], b"{\"n\": 1.00}");
    // The server counts as we do: the block, what publishing adds, and the empty line.
    let added = "Nats-Expected-Stream: WEBHOOKS\r\n".len() + "\r\n".len();
    assert_eq!(
        read.length,
        read.subject.len()
            + message.headers.len()
            + added
            + message.payload.len()
            + read.reply.as_ref().map_or(0, |reply| reply.len())
    );
    assert_eq!(nats.collect("webhooks.>", 1, SOON).await[0].payload, read.payload);
}

#[tokio::test]
async fn waiting_ends_when_the_sender_goes() {
    let nats = Nats::start().await;
    let delivery = delivery(&nats).await;
    nats.pause();
    let event = message("webhooks.a.x", "1", "x");
    let gone = tokio::time::timeout(Duration::from_millis(50), send(&delivery, &event, Instant::now() + SOON)).await;
    assert!(gone.is_err(), "it was waiting");
    assert_eq!(delivery.in_flight(), 0, "its place is free");
    nats.resume();
    eventually("its late acknowledgement is counted and harms nobody", SOON, async || {
        delivery.counters().late.load(std::sync::atomic::Ordering::Relaxed) == 1
    })
    .await;
    assert_eq!(send(&delivery, &event, late()).await, Ok(Sent::Duplicate));
}

//! The operator makes sure of its stream, alters none, and knows who owns what soon after it changes.
#![allow(clippy::expect_used, reason = "a test without its stream fails loudly")]

use std::time::Duration;

use async_nats::jetstream::stream::{Config, StorageType};
use hookgate::deliver::{Delivery, Outcome, StreamOptions, Unavailable};
use hookgate::subject::Cover;

use crate::deliver_parts::{SOON, Sent, delivery, late, message, options, second, send, start, without_stream};
use crate::support::nats::Nats;
use crate::support::wait::eventually;

async fn config(nats: &Nats, name: &str) -> Config {
    nats.jetstream().await.get_stream(name).await.expect("a stream of this name").cached_info().config.clone()
}

#[tokio::test]
async fn the_stream_is_made_as_the_flags_say() {
    let nats = Nats::start().await;
    let mut options = options(nats.url());
    options.stream = StreamOptions {
        name: Some("EVENTS".to_owned()),
        duplicate_window: Duration::from_secs(90),
        max_age: Duration::from_secs(7200),
        ..options.stream
    };
    start(&options).await;
    let config = config(&nats, "EVENTS").await;
    assert_eq!(config.subjects, ["webhooks.*.>"]);
    assert_eq!(config.storage, StorageType::File);
    assert_eq!(config.num_replicas, 1);
    assert_eq!(config.duplicate_window, Duration::from_secs(90));
    assert!(config.allow_direct && config.allow_atomic_publish, "{config:?}");
    assert_eq!(config.max_age, Duration::from_secs(7200));
    assert!(!config.no_ack);
}

#[tokio::test]
async fn a_stream_that_is_there_stays_as_it_is() {
    let nats = Nats::start().await;
    let mine = Config {
        name: "WEBHOOKS".to_owned(),
        subjects: vec!["webhooks.sales.>".to_owned()],
        max_messages: 77,
        ..Config::default()
    };
    nats.jetstream().await.create_stream(mine).await.unwrap();
    let before = config(&nats, "WEBHOOKS").await;
    let delivery = delivery(&nats).await;
    assert_eq!(send(&delivery, &message("webhooks.sales.x", "1", "x"), late()).await, Ok(Sent::Stored));
    assert_eq!(send(&delivery, &message("webhooks.hr.x", "1", "x"), late()).await, Err(Unavailable::NoStream));
    assert_eq!(config(&nats, "WEBHOOKS").await, before);
}

#[tokio::test]
async fn another_owner_of_a_part_is_left_alone_and_used() {
    let nats = Nats::start().await;
    nats.create_stream("SALES", &["webhooks.sales.>"]).await;
    let delivery = delivery(&nats).await;
    let stored = delivery.publish(&message("webhooks.sales.x", "1", "x"), None, late()).await.unwrap();
    assert_eq!(stored, Outcome::Stored { stream: "SALES".into(), sequence: 1 });
    assert!(nats.jetstream().await.get_stream("WEBHOOKS").await.is_err());
    let streams = delivery.streams().borrow().clone().unwrap();
    assert_eq!(streams.cover("webhooks.sales.calls.>", None, false), Cover::Full);
    assert_eq!(streams.cover("webhooks.>", None, false), Cover::Partly);
}

#[tokio::test]
async fn without_a_name_no_stream_is_made() {
    let nats = Nats::start().await;
    let delivery = start(&without_stream(nats.url())).await;
    assert_eq!(delivery.streams().borrow().as_ref().unwrap().streams, []);
}

#[tokio::test]
async fn every_stream_is_read_however_many_there_are() {
    let nats = Nats::start().await;
    let context = nats.jetstream().await;
    for n in 0..300 {
        let config = Config { name: format!("S{n}"), subjects: vec![format!("s{n}.>")], ..Config::default() };
        context.create_stream(Config { storage: StorageType::Memory, ..config }).await.unwrap();
    }
    let delivery = delivery(&nats).await;
    let streams = delivery.streams().borrow().clone().unwrap();
    assert_eq!(streams.streams.len(), 301, "more than one page");
    assert_eq!(streams.owner("s299.x").map(|stream| stream.name.as_str()), Some("S299"));
}

#[tokio::test]
async fn changes_are_read_on_demand_and_after_a_reconnect() {
    let mut nats = Nats::start().await;
    let delivery = delivery(&nats).await;
    nats.create_stream("LATER", &["later.>"]).await;
    let known = |name: &'static str| delivery.streams().borrow().as_ref().unwrap().named(name).is_some();
    assert!(!known("LATER"));
    delivery.refresh_streams();
    eventually("the new stream is known", SOON, async || known("LATER")).await;

    nats.stop().await;
    nats.lose_store();
    nats.start_again().await;
    eventually("the lost stream is forgotten", SOON, async || !known("LATER")).await;
    eventually("and the default one made again", SOON, async || {
        send(&delivery, &message("webhooks.a.x", "1", "x"), second()).await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn an_account_without_jetstream_publishes_nothing() {
    let nats = Nats::start_with("accounts { A: { users: [{user: a, password: b}] } }\nno_auth_user: a").await;
    let delivery = Delivery::start(&options(nats.url())).await.unwrap();
    let mut link = delivery.link();
    tokio::time::timeout(SOON, link.wait_for(|link| link.connected)).await.unwrap().unwrap();
    assert!(!delivery.is_available());
    assert_eq!(send(&delivery, &message("webhooks.a.x", "1", "x"), late()).await, Err(Unavailable::Disconnected));
}

#[tokio::test]
async fn a_stream_that_stops_acknowledging_is_left_alone_and_holds_up_no_other() {
    // Who may not publish on a subject gets no answer at all: as from a stream that has lost its quorum.
    let nats = Nats::start_with(
        "authorization { users: [ \
           { user: hook, password: gate, permissions: { publish: { deny: [\"dead.>\"] } } }, \
           { user: root, password: root } ] }",
    )
    .await;
    let root = async_nats::ConnectOptions::with_user_and_password("root".to_owned(), "root".to_owned());
    let context = async_nats::jetstream::new(root.connect(nats.url()).await.unwrap());
    for name in ["dead", "alive"] {
        let subjects = vec![format!("{name}.>")];
        context.create_stream(Config { name: name.to_owned(), subjects, ..Config::default() }).await.unwrap();
    }
    let url = nats.url().replace("nats://", "nats://hook:gate@");
    let delivery = start(&without_stream(url)).await;
    let attempts: Vec<_> = (0..5).map(|n| message("dead.a", &format!("{n}"), "x")).collect();
    let soon = second();
    for result in futures::future::join_all(attempts.iter().map(|attempt| send(&delivery, attempt, soon))).await {
        assert_eq!(result, Err(Unavailable::TimedOut));
    }
    let neither_waits = async {
        assert_eq!(send(&delivery, &message("dead.a", "5", "x"), late()).await, Err(Unavailable::Unresponsive));
        assert_eq!(send(&delivery, &message("alive.a", "6", "x"), late()).await, Ok(Sent::Stored));
    };
    tokio::time::timeout(SOON, neither_waits).await.expect("long before the deadline");
    assert!(delivery.is_available(), "the connection is well");
}

#[tokio::test]
async fn a_503_for_a_stream_that_is_known_is_tried_again_and_never_said_to_be_no_stream() {
    // A user who may not list streams any more cannot learn that one is gone: as while a leader is elected, nobody
    // answers for a stream that was not said to be gone.
    let users = |permissions: &str| {
        format!(
            "authorization {{ users: [ {{ user: hook, password: gate, permissions: {{ publish: {{ {permissions} }} }} }}, \
             {{ user: root, password: root }} ] }}"
        )
    };
    let mut nats = Nats::start_with(&users("allow: [\">\"]")).await;
    let url = nats.url();
    let root = async || {
        let options = async_nats::ConnectOptions::with_user_and_password("root".to_owned(), "root".to_owned());
        async_nats::jetstream::new(options.connect(&url).await.unwrap())
    };
    let config = Config { name: "S".to_owned(), subjects: vec!["s.>".to_owned()], ..Config::default() };
    root().await.create_stream(config.clone()).await.unwrap();
    let delivery = start(&without_stream(nats.url().replace("nats://", "nats://hook:gate@"))).await;
    let event = message("s.a", "1", "x");
    assert_eq!(send(&delivery, &event, late()).await, Ok(Sent::Stored));

    nats.configure(&users("allow: [\">\"], deny: [\"$JS.API.STREAM.LIST\"]"));
    nats.restart().await;
    eventually("it is connected again", SOON, async || delivery.link().borrow().number == 2).await;
    eventually("and takes events", SOON, async || send(&delivery, &event, second()).await.is_ok()).await;
    root().await.delete_stream("S").await.unwrap();
    eventually("it says that nobody answers", SOON, async || {
        let answer = send(&delivery, &event, second()).await;
        // On a slow machine the last try may be without an answer when the time is up.
        assert!(matches!(answer, Err(Unavailable::NoResponders | Unavailable::TimedOut)), "{answer:?}");
        answer == Err(Unavailable::NoResponders)
    })
    .await;
    let waits = tokio::spawn({
        let (delivery, event) = (delivery.clone(), event.clone());
        async move { send(&delivery, &event, std::time::Instant::now() + SOON).await }
    });
    root().await.create_stream(config).await.unwrap();
    assert_eq!(waits.await.unwrap(), Ok(Sent::Stored), "as soon as somebody answers");
}

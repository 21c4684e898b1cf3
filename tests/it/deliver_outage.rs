//! While NATS is away everybody is told at once, nothing is published, and service is back as soon as NATS is.

use std::time::{Duration, Instant};

use hookgate::deliver::{Delivery, Unavailable};
use tokio::time::timeout;

use crate::deliver_parts::{SOON, Sent, delivery, late, message, options, second, send};
use crate::support::nats::Nats;
use crate::support::port::free_port;
use crate::support::wait::eventually;

#[tokio::test]
async fn who_waits_is_told_that_nats_died_and_is_served_again_when_it_is_back() {
    let mut nats = Nats::start().await;
    let delivery = delivery(&nats).await;
    assert_eq!(send(&delivery, &message("webhooks.a.x", "0", "x"), late()).await, Ok(Sent::Stored));

    // Frozen first, so that these are published and wait when it dies.
    nats.pause();
    let waiting = tokio::spawn({
        let delivery = delivery.clone();
        async move { send(&delivery, &message("webhooks.a.x", "1", "x"), late()).await }
    });
    eventually("it waits", SOON, async || delivery.in_flight() == 1).await;
    nats.kill();
    let told = timeout(SOON, waiting).await.expect("long before the deadline");
    assert_eq!(told.unwrap(), Err(Unavailable::TimedOut), "its outcome is unknown");

    // From now on nothing is published, and nobody waits.
    let nobody_waits = async {
        for n in 0..1_000 {
            let answer = send(&delivery, &message("webhooks.a.x", &format!("away-{n}"), "x"), late()).await;
            assert_eq!(answer, Err(Unavailable::Disconnected));
        }
    };
    timeout(SOON, nobody_waits).await.expect("long before one deadline");
    assert!(!delivery.is_available());
    assert!(delivery.streams().borrow().is_some(), "the last reading stays");
    tokio::time::sleep(Duration::from_millis(1500)).await;

    nats.start_again().await;
    let event = message("webhooks.a.x", "2", "x");
    eventually("service is back", SOON, async || send(&delivery, &event, second()).await.is_ok()).await;
    let left = nats.count("WEBHOOKS").await;
    assert!((2..=3).contains(&left), "{left}: what was sent while NATS was away is not there");
    let link = delivery.link().borrow().clone();
    assert!(link.connected && link.connected_once && link.number == 2, "{link:?}");
}

#[tokio::test]
async fn an_orderly_restart_under_load_loses_nothing_that_was_acknowledged() {
    let mut nats = Nats::start().await;
    let delivery = delivery(&nats).await;
    let stop = tokio_util::sync::CancellationToken::new();
    let workers: Vec<_> = (0..16)
        .map(|worker| {
            let (delivery, stop) = (delivery.clone(), stop.clone());
            tokio::spawn(async move {
                let mut stored = 0_u64;
                let mut n = 0;
                while !stop.is_cancelled() {
                    n += 1;
                    let event = message("webhooks.a.x", &format!("{worker}:{n}"), "x");
                    match send(&delivery, &event, second()).await {
                        Ok(Sent::Stored) => stored += 1,
                        Ok(Sent::Duplicate) => panic!("every id is new"),
                        Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
                    }
                }
                stored
            })
        })
        .collect();
    for _ in 0..3 {
        let before = nats.count("WEBHOOKS").await;
        eventually("events are stored", SOON, async || nats.count("WEBHOOKS").await > before).await;
        nats.restart().await;
    }
    let before = nats.count("WEBHOOKS").await;
    eventually("events are stored again", SOON, async || nats.count("WEBHOOKS").await > before).await;
    stop.cancel();
    let mut stored = 0;
    for worker in workers {
        stored += worker.await.unwrap();
    }
    assert!(stored > 0);
    assert!(nats.count("WEBHOOKS").await >= stored, "{stored} were acknowledged");
    assert_eq!(delivery.link().borrow().number, 4);
}

#[tokio::test]
async fn a_frozen_nats_holds_the_first_requests_to_their_deadline_and_no_later_one() {
    let nats = Nats::start().await;
    let delivery = delivery(&nats).await;
    nats.pause();
    let began = Instant::now();
    let event = message("webhooks.a.x", "1", "x");
    assert_eq!(send(&delivery, &event, second()).await, Err(Unavailable::TimedOut));
    assert!(began.elapsed() > Duration::from_millis(950), "{:?}", began.elapsed());

    let no_later_one = async {
        for n in 0..100 {
            let answer = send(&delivery, &message("webhooks.a.x", &format!("2-{n}"), "x"), late()).await;
            assert_eq!(answer, Err(Unavailable::Unresponsive));
        }
    };
    timeout(SOON, no_later_one).await.expect("long before one deadline");
    assert!(!delivery.is_available() && delivery.link().borrow().stalled);

    nats.resume();
    eventually("service is back", SOON, async || send(&delivery, &event, second()).await.is_ok()).await;
    assert_eq!(nats.count("WEBHOOKS").await, 1, "the one whose outcome was unknown, once");
}

#[tokio::test]
async fn a_nats_frozen_for_long_counts_as_lost_and_comes_back() {
    let nats = Nats::start().await;
    let delivery = delivery(&nats).await;
    nats.pause();
    let mut link = delivery.link();
    let lost = tokio::time::timeout(SOON, link.wait_for(|link| !link.connected)).await;
    assert!(lost.is_ok_and(|lost| lost.is_ok()), "pings go unanswered");
    nats.resume();
    let event = message("webhooks.a.x", "1", "x");
    eventually("service is back", SOON, async || send(&delivery, &event, second()).await.is_ok()).await;
}

#[tokio::test]
async fn it_starts_without_nats_and_connects_when_there_is_one() {
    let port = free_port();
    let url = format!("nats://127.0.0.1:{port}");
    let delivery = Delivery::start(&options(&*url)).await.unwrap();
    let event = message("webhooks.a.x", "1", "x");
    assert_eq!(send(&delivery, &event, late()).await, Err(Unavailable::Disconnected));
    assert!(!delivery.link().borrow().connected_once);
    assert!(delivery.streams().borrow().is_none(), "nothing is known yet");

    let nats = Nats::start_with(&format!("listen: \"127.0.0.1:{port}\"")).await;
    eventually("service begins", SOON, async || send(&delivery, &event, second()).await.is_ok()).await;
    drop(nats);
}

#[tokio::test]
async fn at_the_end_what_was_published_is_acknowledged_and_nothing_more_is_taken() {
    let nats = Nats::start().await;
    let delivery = delivery(&nats).await;
    let sends: Vec<_> = (0..500)
        .map(|n| {
            let delivery = delivery.clone();
            tokio::spawn(async move { send(&delivery, &message("webhooks.a.x", &format!("{n}"), "x"), second()).await })
        })
        .collect();
    while delivery.in_flight() == 0 {
        tokio::task::yield_now().await;
    }
    delivery.close(SOON).await;
    let mut stored = 0;
    for send in sends {
        match send.await.unwrap() {
            Ok(_) => stored += 1,
            Err(error) => assert_eq!(error, Unavailable::Disconnected, "it came after the end had begun"),
        }
    }
    assert!(stored > 0);
    assert_eq!(nats.count("WEBHOOKS").await, stored);
    let late = send(&delivery, &message("webhooks.a.x", "late", "x"), second()).await;
    assert_eq!(late, Err(Unavailable::Disconnected));
}

#[tokio::test]
async fn the_end_does_not_wait_for_a_nats_that_is_away() {
    let delivery = Delivery::start(&options(format!("nats://127.0.0.1:{}", free_port()))).await.unwrap();
    timeout(SOON, delivery.close(6 * SOON)).await.expect("long before its time is up");
}

//! Bodies that are withheld or slow cost whoever sends them, and close no source to others.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails loudly")]

use std::time::Duration;

use hookgate::metrics::Outcome;
use hookgate::receive::handle::Options;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::receive_port::{Port, proven, source};
use crate::receive_wire::{SOON, post, read_answer};
use crate::strangers_places::{connect, patient, status_from};
use crate::support::nats::Nats;
use crate::support::wait::eventually;

const MIB: usize = 1 << 20;

/// Bodies of a mebibyte whose last byte is withheld: `count` from each address, each to the next of the paths.
async fn withhold(port: &Port, addresses: &[u8], count: usize, paths: &[&str]) -> Vec<TcpStream> {
    let mut sends = JoinSet::new();
    for last in addresses {
        for n in 0..count {
            let mut stream = connect(*last, port.address).await;
            let head = format!("POST {} HTTP/1.1\r\nHost: h\r\nContent-Length: {MIB}\r\n\r\n", paths[n % paths.len()]);
            sends.spawn(async move {
                let _ = stream.write_all(head.as_bytes()).await;
                // Who is refused cannot send the rest.
                let body = vec![b'x'; MIB - 1];
                let _ = timeout(Duration::from_secs(5), stream.write_all(&body)).await;
                stream
            });
        }
    }
    sends.join_all().await
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_bodies_with_the_last_byte_withheld_close_no_source() {
    let nats = Nats::start().await;
    let names = ["a", "b", "c", "d", "calls"].map(|name| source(name, ""));
    let port = Port::with_nats(&nats, &names.each_ref().map(String::as_str), patient()).await;
    let withheld = withhold(&port, &[2], 64, &["/sales/a", "/sales/b", "/sales/c", "/sales/d"]).await;
    let large = format!("{{\"a\": \"{}\"}}", "x".repeat(2 * MIB / 3));
    for (n, name) in ["calls", "a", "b", "calls", "c", "d"].into_iter().enumerate() {
        // Each of them unknown until now.
        let last = u8::try_from(20 + n).unwrap();
        for (kind, body) in [("small", "{}"), ("large", &large)] {
            let request = post(&format!("/sales/{name}"), &proven(&format!("{kind}-{n}")), body);
            assert_eq!(status_from(last, &port, &request).await, 200, "{kind} of {name}");
        }
    }
    drop(withheld);
    for name in ["a", "b", "c", "d", "calls"] {
        let state = port.state(name);
        eventually("every byte is given back", SOON, async || state.bytes.held() == 0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_that_holds_most_gives_way() {
    let nats = Nats::start().await;
    let sources = ["a", "b", "calls"].map(|name| source(name, ""));
    let options = Options { body_bytes: 16 << 20, ..patient() };
    let port = Port::with_nats(&nats, &sources.each_ref().map(String::as_str), options).await;
    // One with a body half here, and then others who hold the rest between them.
    let body = "x".repeat(MIB / 2);
    let request = post("/sales/calls", &proven("slow"), &format!("{{\"a\": \"{body}\"}}"));
    let (begin, end) = request.split_at(request.len() - 10);
    let mut honest = connect(9, port.address).await;
    honest.write_all(begin.as_bytes()).await.unwrap();
    let withheld = withhold(&port, &[2, 3, 4, 5], 4, &["/sales/a", "/sales/b"]).await;
    let gave_way = || -> u64 {
        let of = |name| port.metrics.source("sales", name, "generic").requests(Outcome::GaveWay);
        of("a") + of("b")
    };
    eventually("others gave way", SOON, async || gave_way() > 0).await;
    honest.write_all(end.as_bytes()).await.unwrap();
    assert_eq!(timeout(SOON, read_answer(&mut honest)).await.unwrap().unwrap().unwrap().status, 200);
    drop(withheld);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_on_ends_long_before_its_time_and_is_charged() {
    let port = Port::without_nats(&[&source("calls", "")], patient()).await;
    let mut slow = connect(2, port.address).await;
    let head = format!("POST /sales/calls HTTP/1.1\r\nHost: h\r\n{}Content-Length: 1000000\r\n\r\n", proven("d"));
    slow.write_all(format!("{head}{}", "x".repeat(100_000)).as_bytes()).await.unwrap();
    let (mut read, mut write) = slow.into_split();
    // A byte now and then is not enough.
    let drips = tokio::spawn(async move {
        for _ in 0..200 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            if write.write_all(b"x").await.is_err() {
                return;
            }
        }
    });
    let answer = timeout(Duration::from_secs(30), read_answer(&mut read)).await.unwrap().unwrap().unwrap();
    drips.abort();
    assert_eq!((answer.status, answer.closes()), (408, true));
    assert_eq!(port.metrics.source("sales", "calls", "generic").requests(Outcome::BodyTooSlow), 1);
}

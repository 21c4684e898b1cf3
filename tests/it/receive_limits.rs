//! Limits hold as written, in the order of the contract, and outlive whatever makes a new route of a source.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails loudly")]

use bytes::Bytes;
use hookgate::metrics::Outcome;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::receive_line::{send, status};
use crate::receive_port::{Port, SECRET, proven, quick, source};
use crate::receive_wire::{SOON, post, read_answer};
use crate::support::nats::Nats;
use crate::support::wait::eventually;

#[tokio::test(flavor = "multi_thread")]
async fn no_more_requests_are_in_work_than_max_in_flight_says_and_a_rotation_allows_no_others() {
    let nats = Nats::start().await;
    let calls = source("calls", "  limits: {maxInFlight: 1}\n  delivery: {deadline: 30s}\n");
    let port = Port::with_nats(&nats, &[&calls], quick()).await;
    nats.pause();
    let mut first = TcpStream::connect(port.address).await.unwrap();
    first.write_all(post("/sales/calls", &proven("1"), "{}").as_bytes()).await.unwrap();
    eventually("it waits for NATS", SOON, async || port.delivery.in_flight() == 1).await;
    assert_eq!(status(&port, &post("/sales/calls", &proven("2"), "{}")).await, 503);
    // As a rotated secret does: the same source, compiled anew.
    port.serve(&[&calls]);
    assert_eq!(status(&port, &post("/sales/calls", &proven("2"), "{}")).await, 503);
    assert_eq!(port.metrics.source("sales", "calls", "generic").requests(Outcome::Overloaded), 2);
    nats.resume();
    assert_eq!(timeout(SOON, read_answer(&mut first)).await.unwrap().unwrap().unwrap().status, 200);
    eventually("its place is free", SOON, async || {
        status(&port, &post("/sales/calls", &proven("2"), "{}")).await == 200
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_fills_no_burst_again_and_without_a_rate_there_is_none() {
    let nats = Nats::start().await;
    let slow = source("slow", "  limits: {requestsPerSecond: 1, burst: 2}\n");
    let free = source("free", "");
    let port = Port::with_nats(&nats, &[&slow, &free], quick()).await;
    for n in 0..2 {
        assert_eq!(status(&port, &post("/sales/slow", &proven(&n.to_string()), "{}")).await, 200);
    }
    port.serve(&[&slow, &free]);
    let over = async || {
        let answer = send(&port, &post("/sales/slow", &proven("more"), "{}")).await;
        (answer.status, port.metrics.source("sales", "slow", "generic").requests(Outcome::OverRate))
    };
    // One place a second may have come back on a slow machine, two have not.
    let (first, second) = (over().await, over().await);
    assert!(first.0 == 503 || second.0 == 503, "{first:?} {second:?}");
    assert!(second.1 >= 1);
    for n in 0..300 {
        assert_eq!(status(&port, &post("/sales/free", &proven(&n.to_string()), "{}")).await, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_method_is_judged_before_the_address_and_the_address_before_what_is_closed() {
    let closed = source("closed", "  suspend: true\n  limits: {allowedCIDRs: [203.0.113.0/24]}\n");
    let open = source("open", "  suspend: true\n  limits: {allowedCIDRs: [127.0.0.0/8]}\n");
    let port = Port::without_nats(&[&closed, &open], quick()).await;
    let from = |method: &str, path: &str| post(path, "", "{}").replacen("POST", method, 1);
    assert_eq!(status(&port, &from("PUT", "/sales/closed")).await, 405);
    assert_eq!(status(&port, &from("POST", "/sales/closed")).await, 403);
    assert_eq!(status(&port, &from("POST", "/sales/open")).await, 503);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_a_proxy_forwards_finds_no_route() {
    let port = Port::without_nats(&[&source("calls", "  hostnames: [hooks.example.com]\n")], quick()).await;
    let asks = |host: &str, forwarded: &str| {
        post("/sales/calls", &format!("X-Forwarded-Host: {forwarded}\r\n"), "{}")
            .replace("hooks.example.com\r\nContent", &format!("{host}\r\nContent"))
    };
    assert_eq!(status(&port, &asks("hooks.example.com", "other.example.com")).await, 401);
    assert_eq!(status(&port, &asks("other.example.com", "hooks.example.com")).await, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_over_http2_goes_the_same_line() {
    let nats = Nats::start().await;
    let port = Port::with_nats(&nats, &[&source("calls", "")], quick()).await;
    let stream = TokioIo::new(TcpStream::connect(port.address).await.unwrap());
    let (mut client, connection) =
        hyper::client::conn::http2::handshake::<_, _, Full<Bytes>>(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    let mut ask = async |path: &str, token: &str| {
        let request = Request::post(format!("http://hooks.example.com{path}"))
            .header("x-token", token)
            .header("x-delivery", "d-1")
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from_static(b"{}")))
            .unwrap();
        let answer = client.send_request(request).await.unwrap();
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
        let (status, named) = (answer.status().as_u16(), answer.headers().contains_key("hookgate-delivery"));
        answer.into_body().collect().await.unwrap();
        (status, named)
    };
    assert_eq!(ask("/sales/calls", SECRET).await, (200, true));
    assert_eq!(ask("/sales/calls", "wrong").await, (401, true));
    assert_eq!(ask("/sales/nothing", SECRET).await, (404, false));
    assert_eq!(nats.collect("webhooks.sales.calls.>", 1, SOON).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_is_counted_and_its_answer_carries_what_every_answer_does() {
    let port = Port::without_nats(&[&source("calls", "")], quick()).await;
    let fields: String = (0..200).map(|n| format!("X-{n}: 1\r\n")).collect();
    let large = format!("POST /sales/calls HTTP/1.1\r\nHost: h\r\nX: {}\r\n\r\n", "x".repeat(100 << 10));
    let many = format!("POST /sales/calls HTTP/1.1\r\nHost: h\r\n{fields}\r\n");
    let long = format!("POST /{} HTTP/1.1\r\nHost: h\r\n\r\n", "p".repeat(70_000));
    let cases =
        [("what is this\r\n\r\n", 400), (&*large, 431), (&*many, 431), (&*long, 431), ("\u{16}\u{3}\u{1}", 400)];
    for (request, status) in cases {
        let mut stream = TcpStream::connect(port.address).await.unwrap();
        let _ = stream.write_all(request.as_bytes()).await;
        let _ = stream.shutdown().await;
        let answer = timeout(SOON, read_answer(&mut stream)).await.unwrap().unwrap().expect("an answer");
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{answer:?}");
        assert_eq!(answer.header("content-security-policy"), Some("default-src 'none'"), "{answer:?}");
    }
    let count = || port.metrics.unrouted().requests(Outcome::BadRequest);
    eventually("all are counted", SOON, async || count() == cases.len() as u64).await;
}

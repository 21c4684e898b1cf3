//! Whoever proves nothing closes no source to anybody at another address, however many places it takes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails loudly")]

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, stream};
use hookgate::metrics::Outcome;
use hookgate::receive::handle::Options;
use hookgate::route::share::{Bound, Holder, Standing};
use hookgate::route::state::Class;
use http::Request;
use http_body_util::StreamBody;
use hyper::body::Frame;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::receive_port::{Port, proven, source};
use crate::receive_wire::{SOON, post, read_answer};
use crate::support::flood;
use crate::support::nats::Nats;
use crate::support::wait::eventually;

/// A connection from `127.0.0.<last>`: another address than all others.
pub async fn connect(last: u8, to: SocketAddr) -> TcpStream {
    flood::connect([127, 0, 0, last], to).await.unwrap()
}

/// One request from `127.0.0.<last>`; the status of its answer.
pub async fn status_from(last: u8, port: &Port, request: &str) -> u16 {
    let mut stream = connect(last, port.address).await;
    let _ = stream.write_all(request.as_bytes()).await;
    timeout(SOON, read_answer(&mut stream)).await.expect("an answer in time").unwrap().expect("an answer").status
}

/// Bounds under which what the test holds is held until it ends.
pub fn patient() -> Options {
    Options { body_time: Duration::from_secs(60), ..Options::default() }
}

/// The beginning of a body that does not come.
fn begun(path: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n{{")
}

/// How many bytes of bodies are here: one of each that has begun.
fn begun_bodies(port: &Port) -> u64 {
    port.state("calls").bytes.held()
}

/// Connections of these addresses, each with the beginning of a body that does not come.
async fn withhold(port: &Port, addresses: impl IntoIterator<Item = u8>, count: usize) -> Vec<TcpStream> {
    let mut slow = Vec::new();
    for last in addresses {
        for _ in 0..count {
            let mut stream = connect(last, port.address).await;
            stream.write_all(begun("/sales/calls").as_bytes()).await.unwrap();
            slow.push(stream);
        }
    }
    slow
}

#[tokio::test(flavor = "multi_thread")]
async fn eighty_sockets_with_a_byte_each_close_no_source() {
    let nats = Nats::start().await;
    let port = Port::with_nats(&nats, &[&source("calls", "")], patient()).await;
    let slow = withhold(&port, [2], 80).await;
    eventually("all have begun", SOON, async || begun_bodies(&port) >= 80).await;
    // Each of them unknown until now, and while nothing of the others has ended.
    for last in 10..50 {
        assert_eq!(status_from(last, &port, &post("/sales/calls", &proven(&last.to_string()), "{}")).await, 200);
    }
    for n in 0..40 {
        assert_eq!(status_from(10, &port, &post("/sales/calls", &proven(&format!("known-{n}")), "{}")).await, 200);
    }
    drop(slow);
    eventually("every byte is given back", SOON, async || begun_bodies(&port) == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_bodies_of_many_addresses_close_no_source() {
    let nats = Nats::start().await;
    let port = Port::with_nats(&nats, &[&source("calls", "")], patient()).await;
    // More than `maxInFlight`, from eight addresses.
    let slow = withhold(&port, 100..108, 40).await;
    eventually("all have begun", SOON, async || begun_bodies(&port) >= 320).await;
    for last in 10..50 {
        assert_eq!(status_from(last, &port, &post("/sales/calls", &proven(&last.to_string()), "{}")).await, 200);
    }
    drop(slow);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_comes_after_all_is_taken_like_any_other() {
    let nats = Nats::start().await;
    let port = Port::with_nats(&nats, &[&source("calls", "")], patient()).await;
    let request = post("/sales/calls", &proven("late"), "{}");
    let (begin, end) = request.split_at(request.len() - 1);
    let mut stream = connect(9, port.address).await;
    stream.write_all(begin.as_bytes()).await.unwrap();
    eventually("it has begun", SOON, async || begun_bodies(&port) == 1).await;
    let state = port.state("calls");
    assert_eq!(
        (state.in_flight.held(), state.unproven(Class::Stranger).places.held()),
        (0, 0),
        "waiting takes no place"
    );
    stream.write_all(end.as_bytes()).await.unwrap();
    assert_eq!(timeout(SOON, read_answer(&mut stream)).await.unwrap().unwrap().unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_streams_of_http2_close_no_source() {
    let nats = Nats::start().await;
    let port = Port::with_nats(&nats, &[&source("calls", "")], patient()).await;
    // A byte, and then nothing.
    let body = || {
        let begun = stream::iter([Ok::<_, std::convert::Infallible>(Frame::data(Bytes::from_static(b"{")))]);
        StreamBody::new(begun.chain(stream::pending()))
    };
    let mut streams = JoinSet::new();
    for _ in 0..10 {
        let stream = TokioIo::new(connect(2, port.address).await);
        let (mut client, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
        tokio::spawn(connection);
        for _ in 0..10 {
            let request = Request::post("http://h/sales/calls").header("content-length", "1000").body(body()).unwrap();
            streams.spawn(client.send_request(request));
        }
    }
    eventually("all have begun", SOON, async || begun_bodies(&port) >= 100).await;
    for last in 10..40 {
        assert_eq!(status_from(last, &port, &post("/sales/calls", &proven(&last.to_string()), "{}")).await, 200);
    }
    drop(streams);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_proved_something_lately_has_places_that_strangers_cannot_take() {
    let nats = Nats::start().await;
    let calls = source("calls", "  limits: {maxInFlight: 16}\n");
    let port = Port::with_nats(&nats, &[&calls], patient()).await;
    assert_eq!(status_from(9, &port, &post("/sales/calls", &proven("first"), "{}")).await, 200);
    // Strangers whose proofs take their time hold all that is strangers'.
    let state = port.state("calls");
    let bound = Bound { sum: 4, share: 4 };
    let others = Holder { key: 1, standing: Standing::Many };
    let held = state.unproven(Class::Stranger).places.take(others, 4, bound).unwrap();
    for n in 0..20 {
        assert_eq!(status_from(9, &port, &post("/sales/calls", &proven(&n.to_string()), "{}")).await, 200);
    }
    assert_eq!(status_from(40, &port, &post("/sales/calls", &proven("new"), "{}")).await, 503);
    let calls = port.metrics.source("sales", "calls", "generic");
    assert!(calls.requests(Outcome::StrangersFull) >= 1);
    // A new compilation of the source forgets nobody.
    port.serve(&[&source("calls", "  limits: {maxInFlight: 16}\n")]);
    assert_eq!(status_from(9, &port, &post("/sales/calls", &proven("again"), "{}")).await, 200);
    drop(held);
}

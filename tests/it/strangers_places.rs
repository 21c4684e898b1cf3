//! Whoever proves nothing closes no source to anybody at another address, however many places it takes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails loudly")]

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, stream};
use hookgate::metrics::Outcome;
use hookgate::receive::client::TrustedProxies;
use hookgate::receive::handle::Options;
use hookgate::route::state::Class;
use http::Request;
use http_body_util::StreamBody;
use hyper::body::Frame;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::receive_port::{Port, proven, source};
use crate::receive_wire::{SOON, post, read_answer};
use crate::support::nats::Nats;
use crate::support::wait::eventually;

/// A connection from `127.0.0.<last>`: another address than all others.
pub async fn connect(last: u8, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::new(127, 0, 0, last), 0).into()).unwrap();
    socket.connect(to).await.unwrap()
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

fn held(port: &Port) -> u64 {
    port.state("calls").unproven(Class::Stranger).places.held()
}

#[tokio::test(flavor = "multi_thread")]
async fn eighty_sockets_with_a_byte_each_close_no_source() {
    let nats = Nats::start().await;
    let port = Port::with_nats(&nats, &[&source("calls", "")], patient()).await;
    let mut slow = Vec::new();
    for _ in 0..80 {
        let mut stream = connect(2, port.address).await;
        stream.write_all(begun("/sales/calls").as_bytes()).await.unwrap();
        slow.push(stream);
    }
    eventually("places are taken", SOON, async || held(&port) >= 32).await;
    // Each of them unknown until now, and while nothing of the others has ended.
    for last in 10..50 {
        assert_eq!(status_from(last, &port, &post("/sales/calls", &proven(&last.to_string()), "{}")).await, 200);
    }
    for n in 0..40 {
        assert_eq!(status_from(10, &port, &post("/sales/calls", &proven(&format!("known-{n}")), "{}")).await, 200);
    }
    drop(slow);
    eventually("every place is given back", SOON, async || held(&port) == 0).await;
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
    eventually("places are taken", SOON, async || held(&port) >= 32).await;
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
    // So many addresses that nothing is left to strangers.
    let mut slow = Vec::new();
    for last in 20..30 {
        let mut stream = connect(last, port.address).await;
        stream.write_all(begun("/sales/calls").as_bytes()).await.unwrap();
        slow.push(stream);
    }
    eventually("all places are taken", SOON, async || held(&port) == 4).await;
    for n in 0..20 {
        assert_eq!(status_from(9, &port, &post("/sales/calls", &proven(&n.to_string()), "{}")).await, 200);
    }
    assert_eq!(status_from(40, &port, &post("/sales/calls", &proven("new"), "{}")).await, 503);
    let calls = port.metrics.source("sales", "calls", "generic");
    assert!(calls.requests(Outcome::StrangersFull) >= 1);
    // A new compilation of the source forgets nobody.
    port.serve(&[&source("calls", "  limits: {maxInFlight: 16}\n")]);
    assert_eq!(status_from(9, &port, &post("/sales/calls", &proven("again"), "{}")).await, 200);
    drop(slow);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_has_its_share_and_a_trusted_proxy_is_many() {
    let nats = Nats::start().await;
    let calls = source("calls", "  limits: {maxInFlight: 64}\n");
    let proxies = TrustedProxies::new(vec!["127.0.0.8/32".parse().unwrap()]);
    let port = Port::with_nats(&nats, &[&calls], Options { proxies, ..patient() }).await;
    let fill = async |last: u8| {
        let mut slow = Vec::new();
        for _ in 0..20 {
            let mut stream = connect(last, port.address).await;
            stream.write_all(begun("/sales/calls").as_bytes()).await.unwrap();
            slow.push(stream);
        }
        slow
    };
    let metrics = port.metrics.source("sales", "calls", "generic");
    let slow = fill(2).await;
    eventually("all others are refused", SOON, async || metrics.requests(Outcome::AddressShare) == 12).await;
    assert_eq!(held(&port), 8, "half of a quarter");
    drop(slow);
    eventually("every place is given back", SOON, async || held(&port) == 0).await;
    let slow = fill(8).await;
    eventually("a proxy takes all", SOON, async || held(&port) == 16).await;
    drop(slow);
}

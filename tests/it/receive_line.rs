//! Each outcome of the receiver has its status, and a 2xx means that the event is in JetStream.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails loudly")]

use std::time::Duration;

use hookgate::metrics::{EventResult, Outcome};
use hookgate::receive::client::TrustedProxies;
use hookgate::receive::handle::Options;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::receive_port::{Port, SECRET, proven, quick, source};
use crate::receive_wire::{Answer, SOON, post, read_answer};
use crate::support::nats::Nats;

/// One request, one answer.
pub async fn send(port: &Port, request: &str) -> Answer {
    let mut stream = TcpStream::connect(port.address).await.unwrap();
    // An answer that comes before the body is read may end the connection under it.
    let _ = stream.write_all(request.as_bytes()).await;
    let answer = timeout(SOON, read_answer(&mut stream)).await.expect("an answer in time").unwrap().expect("an answer");
    // What every answer carries.
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("content-security-policy"), Some("default-src 'none'"));
    assert_eq!(answer.header("retry-after").is_some(), matches!(answer.status, 429 | 503), "{answer:?}");
    answer
}

pub async fn status(port: &Port, request: &str) -> u16 {
    send(port, request).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proven_event_is_stored_once_and_answered_2xx() {
    let nats = Nats::start().await;
    let calls = source("calls", "  response: {status: 202, body: '{\"ok\":true}'}\n");
    let port = Port::with_nats(&nats, &[&calls], quick()).await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let request = post("/sales/calls", &format!("{}traceparent: {trace}\r\n", proven("d-1")), r#"{"n": 1.50}"#);
    for _ in 0..2 {
        let answer = send(&port, &request).await;
        assert_eq!((answer.status, &*answer.body), (202, r#"{"ok":true}"#));
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
    let stored = nats.collect("webhooks.>", 1, SOON).await.remove(0);
    assert_eq!(nats.count("WEBHOOKS").await, 1, "a redelivery is a duplicate");
    assert_eq!(stored.subject.as_str(), "webhooks.sales.calls.call.ended");
    assert_eq!(&stored.payload[..], br#"{"n": 1.50}"#, "byte for byte");
    let header = |name: &str| stored.headers.get(name).map(|value| value.as_str().to_owned());
    assert_eq!(header("Nats-Msg-Id").unwrap(), "uid-calls:d-1");
    assert_eq!(header("ce-verifiedby").unwrap(), "token");
    assert_eq!(header("traceparent").unwrap(), trace.replace("-01", "-00"), "not sampled because a sender says so");
    let calls = port.metrics.source("sales", "calls", "generic");
    assert_eq!((calls.events(EventResult::Stored), calls.events(EventResult::Duplicate)), (1, 1));
    assert_eq!(calls.requests(Outcome::Accepted), 2);
    assert!(calls.last_accepted().is_some() && calls.last_rejected().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_get_one_answer_and_leave_no_trace_in_nats() {
    let nats = Nats::start().await;
    let port = Port::with_nats(&nats, &[&source("calls", "")], quick()).await;
    let wrong = send(&port, &post("/sales/calls", "X-Token: wrong\r\n", "{}")).await;
    let missing = send(&port, &post("/sales/calls", "", "{}")).await;
    let twice = send(&port, &post("/sales/calls", &format!("X-Token: {SECRET}\r\nX-Token: {SECRET}\r\n"), "{}")).await;
    assert_eq!(wrong.status, 401);
    let shape =
        |answer: &Answer| (answer.status, answer.body.clone(), answer.header("content-type").map(str::to_owned));
    assert_eq!(shape(&wrong), shape(&missing));
    assert_eq!(shape(&wrong), shape(&twice));
    assert!(!wrong.closes(), "the body was read: the connection may be used again");
    assert_eq!(nats.count("WEBHOOKS").await, 0);
    let calls = port.metrics.source("sales", "calls", "generic");
    assert_eq!((calls.requests(Outcome::BadSignature), calls.requests(Outcome::MissingSignature)), (1, 2));
    assert_eq!(calls.last_rejected().unwrap().1, Outcome::MissingSignature);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_outcome_before_delivery_has_its_status() {
    let suspended = source("suspended", "  suspend: true\n");
    let broken = source("broken", "  routing: {subject: other.tenant}\n");
    let small = source("small", "  limits: {maxBodySize: 10}\n");
    let expired = source("expired", "").replace("key: token}", "key: token, notAfter: \"2020-01-01T00:00:00Z\"}");
    let local = source("local", "  limits: {allowedCIDRs: [203.0.113.0/24]}\n");
    let calls = source("calls", "");
    let port = Port::without_nats(&[&calls, &suspended, &broken, &small, &expired, &local], quick()).await;
    let ok = proven("d");

    let put = post("/sales/calls", &ok, "{}").replace("POST", "PUT");
    let answer = send(&port, &put).await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
    for (status_wanted, path, headers, body) in [
        (404, "/sales/nothing", &*ok, "{}"),
        (404, "/sales/calls/", &ok, "{}"),
        (403, "/sales/local", &ok, "{}"),
        (503, "/sales/suspended", &ok, "{}"),
        (503, "/sales/broken", &ok, "{}"),
        (503, "/sales/expired", &ok, "{}"),
        (415, "/sales/calls", &format!("{ok}Content-Encoding: gzip\r\n"), "{}"),
        // Told before the body is read, and so before the proof.
        (415, "/sales/calls", "Content-Type: image/png\r\n", "{}"),
        (413, "/sales/small", &ok, "{\"a\": 12345}"),
        (401, "/sales/small", "", "{\"a\": 12}"),
        // NATS is away.
        (503, "/sales/calls", &ok, "{}"),
    ] {
        assert_eq!(status(&port, &post(path, headers, body)).await, status_wanted, "{path}");
    }
    let chunks = "Transfer-Encoding: chunked\r\n\r\n6\r\n{\"a\": \r\n6\r\n12345}\r\n0\r\n\r\n";
    let chunked = format!("POST /sales/small HTTP/1.1\r\nHost: h\r\n{ok}{chunks}");
    assert_eq!(status(&port, &chunked).await, 413);
    let nothing = port.metrics.unrouted();
    assert_eq!(nothing.requests(Outcome::NotFound), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn before_the_first_sync_nothing_is_404() {
    let port = Port::open("nats://127.0.0.1:1".to_owned(), quick()).await;
    assert_eq!(status(&port, &post("/sales/calls", "", "{}")).await, 503);
    port.serve(&[]);
    assert_eq!(status(&port, &post("/sales/calls", "", "{}")).await, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_body_is_answered_408_and_a_cut_one_is_nobodys_event() {
    let port = Port::without_nats(&[&source("calls", "")], quick()).await;
    let mut stream = TcpStream::connect(port.address).await.unwrap();
    let head = format!("POST /sales/calls HTTP/1.1\r\nHost: h\r\n{}Content-Length: 5\r\n\r\nab", proven("d"));
    stream.write_all(head.as_bytes()).await.unwrap();
    let begun = Instant::now();
    let answer = timeout(SOON, read_answer(&mut stream)).await.unwrap().unwrap().unwrap();
    assert_eq!((answer.status, answer.closes()), (408, true));
    assert!(begun.elapsed() >= Duration::from_millis(600));
    let mut cut = TcpStream::connect(port.address).await.unwrap();
    cut.write_all(head.as_bytes()).await.unwrap();
    cut.shutdown().await.unwrap();
    let answer = timeout(SOON, read_answer(&mut cut)).await.unwrap().unwrap().unwrap();
    assert_eq!((answer.status, answer.closes()), (400, true));
    let calls = port.metrics.source("sales", "calls", "generic");
    assert_eq!((calls.requests(Outcome::BodyTooSlow), calls.requests(Outcome::Aborted)), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_strangers_of_one_source_delay_nobody() {
    let nats = Nats::start().await;
    let attacked = source("attacked", "  limits: {maxInFlight: 16}\n");
    let options = Options { body_time: Duration::from_secs(30), ..Options::default() };
    let port = Port::with_nats(&nats, &[&attacked, &source("calls", "")], options).await;
    // As many as the source takes at one time, all of them bodies that never come.
    let mut slow = Vec::new();
    for _ in 0..16 {
        let mut stream = TcpStream::connect(port.address).await.unwrap();
        let head = "POST /sales/attacked HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n";
        stream.write_all(format!("{head}{}", "x".repeat(500_000)).as_bytes()).await.unwrap();
        slow.push(stream);
    }
    for n in 0..20 {
        // Awaited for less than those bodies may take.
        assert_eq!(status(&port, &post("/sales/calls", &proven(&format!("d-{n}")), "{}")).await, 200);
    }
    assert_eq!(status(&port, &post("/sales/attacked", &proven("d"), "{}")).await, 200, "waiting is no work");
    drop(slow);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rate_counts_proven_requests_and_guesses_have_a_budget_of_their_own() {
    let nats = Nats::start().await;
    let slow = source("slow", "  limits: {requestsPerSecond: 1, burst: 2}\n");
    let port = Port::with_nats(&nats, &[&slow, &source("guessed", ""), &source("calls", "")], quick()).await;
    for _ in 0..5 {
        assert_eq!(status(&port, &post("/sales/slow", "", "{}")).await, 401);
    }
    for n in 0..2 {
        assert_eq!(status(&port, &post("/sales/slow", &proven(&n.to_string()), "{}")).await, 200);
    }
    // `generic` says nothing of 429: 503 is what most vendors send again after.
    assert_eq!(status(&port, &post("/sales/slow", &proven("2"), "{}")).await, 503);
    let metrics = port.metrics.source("sales", "slow", "generic");
    assert_eq!(metrics.requests(Outcome::OverRate), 1);

    // Above its budget an address is judged all the same, few at a time: here one after the other.
    for _ in 0..200 {
        assert_eq!(status(&port, &post("/sales/guessed", "X-Token: wrong\r\n", "{}")).await, 401);
    }
    assert_eq!(
        status(&port, &post("/sales/guessed", &proven("d"), "{}")).await,
        200,
        "who shares the address is heard"
    );
    assert_eq!(status(&port, &post("/sales/calls", &proven("d"), "{}")).await, 200, "another source is open");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_is_who_the_trusted_proxy_says_it_is() {
    let local = source("local", "  limits: {allowedCIDRs: [203.0.113.0/24]}\n");
    let trusting = Options { proxies: TrustedProxies::new(vec!["127.0.0.0/8".parse().unwrap()]), ..quick() };
    let (trusting, open) =
        (Port::without_nats(&[&local], trusting).await, Port::without_nats(&[&local], quick()).await);
    let from = |address: &str| post("/sales/local", &format!("X-Forwarded-For: {address}\r\n"), "{}");
    assert_eq!(status(&trusting, &from("203.0.113.7")).await, 401);
    assert_eq!(status(&trusting, &from("203.0.113.7, 198.51.100.1")).await, 403);
    assert_eq!(status(&open, &from("203.0.113.7")).await, 403, "nobody else names the client");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_counted_filtered_and_its_bad_items_are_kept_apart() {
    let nats = Nats::start().await;
    let push = "apiVersion: hookgate.dev/v1alpha1\nkind: WebhookSource\n\
        metadata: {namespace: sales, name: push, uid: uid-push}\n\
        spec:\n  provider: focus-push\n  verification: {method: bearer, secretRefs: [{name: focus, key: token}]}\n  \
        events: {filter: \"id != '3'\"}\n";
    let port = Port::with_nats(&nats, &[push], quick()).await;
    let bearer = format!("Authorization: Bearer {SECRET}\r\nContent-Type: application/json\r\n");
    let body = r#"[{"clientId":1,"interactionId":1,"tags":[]},{"clientId":1},{"clientId":1,"interactionId":3},{"interactionId":4}]"#;
    let answer = send(&port, &post("/sales/push", &bearer, body)).await;
    assert_eq!((answer.status, &*answer.body), (200, r#"{"accepted": 4}"#));
    let push = port.metrics.source("sales", "push", "focus-push");
    let counts = [EventResult::Stored, EventResult::Filtered, EventResult::Rejected].map(|result| push.events(result));
    assert_eq!(counts, [2, 1, 1]);
    assert_eq!(nats.collect("webhooks.sales.push.>", 2, SOON).await.len(), 2);
    let bad = nats.collect("webhooks._rejected.sales.>", 1, SOON).await.remove(0);
    assert_eq!(&bad.payload[..], br#"{"clientId":1}"#);
    assert_eq!(bad.headers.get("ce-reason").map(|value| value.as_str()), Some("NoId"));
    // An empty list is a delivery of nothing.
    assert_eq!(&*send(&port, &post("/sales/push", &bearer, "[]")).await.body, r#"{"accepted": 0}"#);
    assert_eq!(status(&port, &post("/sales/push", &bearer, "[")).await, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hangs_up_after_its_request_does_not_undo_it() {
    let nats = Nats::start().await;
    let port = Port::with_nats(&nats, &[&source("calls", "")], quick()).await;
    let mut half = TcpStream::connect(port.address).await.unwrap();
    half.write_all(post("/sales/calls", &proven("half"), "{}").as_bytes()).await.unwrap();
    half.shutdown().await.unwrap();
    assert_eq!(timeout(SOON, read_answer(&mut half)).await.unwrap().unwrap().unwrap().status, 200);
    let mut gone = TcpStream::connect(port.address).await.unwrap();
    gone.write_all(post("/sales/calls", &proven("gone"), "{}").as_bytes()).await.unwrap();
    drop(gone);
    assert_eq!(nats.collect("webhooks.>", 2, SOON).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_event_is_acknowledged_that_nats_did_not_store() {
    let mut nats = Nats::start().await;
    // A deadline that no answer is awaited for.
    let calls = source("calls", "  delivery: {deadline: 60s}\n");
    let port = Port::with_nats(&nats, &[&calls], quick()).await;
    assert_eq!(status(&port, &post("/sales/calls", &proven("before"), "{}")).await, 200);
    nats.kill();
    // What is published before the loss is noticed has an unknown outcome; nothing is published after that.
    crate::support::wait::eventually("the loss is noticed", SOON, async || !port.delivery.is_available()).await;
    assert_eq!(status(&port, &post("/sales/calls", &proven("during"), "{}")).await, 503);
    nats.start_again().await;
    port.connected().await;
    crate::support::wait::eventually("deliveries go on", SOON, async || {
        status(&port, &post("/sales/calls", &proven("after"), "{}")).await == 200
    })
    .await;
    let ids: Vec<_> = nats
        .collect("webhooks.>", 2, SOON)
        .await
        .iter()
        .map(|message| message.headers.get("ce-id").unwrap().as_str().to_owned())
        .collect();
    assert_eq!(ids, ["before", "after"]);
}

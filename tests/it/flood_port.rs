//! Floods from one address, against the program itself: whoever signs from another address is answered 200 all the
//! while, probes are answered, and memory stays small; and all of it once more while NATS is away and the spool is open.
//!
//! Each flood lasts a few seconds and ends by itself. `HOOKGATE_FLOOD=N` makes it N times as large.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails loudly")]

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, sleep, timeout};

use crate::receive_wire::{SOON, read_answer};
use crate::support::flood::{
    self, FLOOD, GOOD, MEMORY, SOURCE, connect, signed, unanswerable_streams, unfinished_head,
};
use crate::support::folder::Folder;
use crate::support::nats::Nats;
use crate::support::operator::Operator;
use crate::support::wait::eventually;

/// How long a flood lasts.
const TIME: Duration = Duration::from_secs(3);

fn size(ordinary: usize) -> usize {
    ordinary * std::env::var("HOOKGATE_FLOOD").ok().and_then(|times| times.parse().ok()).unwrap_or(1)
}

fn local(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

/// One signed delivery on a connection of its own.
async fn deliver(port: u16, n: u64) -> Result<u16, String> {
    let exchange = async {
        let mut stream = connect(GOOD, local(port)).await?;
        stream.write_all(signed(n).as_bytes()).await?;
        read_answer(&mut stream).await
    };
    match timeout(SOON, exchange).await {
        Ok(Ok(Some(answer))) => Ok(answer.status),
        other => Err(format!("{other:?}")),
    }
}

struct Flooded {
    operator: Operator,
    nats: Nats,
    _folder: Folder,
}

/// Floods with NATS there, and once more while it is away and the spool is open.
async fn hold(more: &[&str], flood: impl AsyncFn(&Flooded)) -> Flooded {
    let mut flooded = Flooded::start(more).await;
    flooded.hold(flood(&flooded)).await;
    flooded.nats.kill();
    eventually("the loss is noticed", SOON, async || flooded.gauge("hookgate_nats_connected").await == 0).await;
    flooded.hold(flood(&flooded)).await;
    eventually("deliveries are spooled", SOON, async || flooded.gauge("hookgate_spool_events").await > 10).await;
    flooded
}

impl Flooded {
    async fn start(more: &[&str]) -> Self {
        let (folder, nats) = (Folder::new("manifests"), Nats::start().await);
        folder.write("repo.yaml", SOURCE);
        let spool = folder.join("spool").display().to_string();
        let flags = [more, &["--spool-dir", &spool, "--spool-volatile"]].concat();
        let operator = Operator::in_folder(&folder.join("repo.yaml"), &nats.url(), &flags).await;
        assert_eq!(deliver(operator.port, 0).await, Ok(200));
        Self { operator, nats, _folder: folder }
    }

    fn memory(&self) -> u64 {
        flood::anonymous_memory(self.operator.process.pid())
    }

    async fn open(&self) -> i64 {
        self.gauge("hookgate_connections").await
    }

    async fn gauge(&self, name: &str) -> i64 {
        self.operator.metric(name).await.expect("a value")
    }

    /// Floods, delivers and looks at memory at the same time, for as long as a flood lasts.
    async fn hold(&self, flood: impl Future<Output = ()>) {
        let (until, port) = (Instant::now() + TIME, self.operator.port);
        let lines = || self.operator.process.log().lines().filter(|line| !line.contains("DEBUG")).count();
        let before = lines();
        let good = async {
            let (mut n, mut most) = (1, 0);
            // On a busy machine deliveries take longer: there are enough of them all the same.
            while Instant::now() < until || n <= 12 {
                assert_eq!(deliver(port, n).await, Ok(200), "delivery {n}");
                assert_eq!(self.operator.get("/livez").await.map(|answer| answer.status.as_u16()), Some(200), "/livez");
                most = most.max(self.memory());
                n += 1;
                sleep(Duration::from_millis(20)).await;
            }
            most
        };
        let ((), most) = tokio::join!(async { drop(timeout(TIME, flood).await) }, good);
        assert!(most <= MEMORY, "{} MiB", most >> 20);
        assert!(lines() < before + 60, "{} lines", lines() - before);
    }
}

/// Opens connections from the flood's address that say `bytes`, and keeps them.
async fn keep(port: u16, count: usize, bytes: &[u8]) -> Vec<tokio::net::TcpStream> {
    flood::keep(FLOOD, local(port), count, bytes).await
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_of_one_address_lock_nobody_out() {
    let nothing = b"POST /nothing HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n";
    let flooded = hold(&["--max-connections", "512"], async |flooded| {
        let _kept = keep(flooded.operator.port, size(1500), nothing).await;
        std::future::pending::<()>().await;
    })
    .await;
    assert!(flooded.operator.process.log().contains("gave way"), "it is said");
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_do_not_begin_lock_nobody_out() {
    let begun = b"POST /demo/repo HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n";
    let flooded = hold(&["--max-connections", "512"], async |flooded| {
        let (mut kept, to) = (Vec::new(), local(flooded.operator.port));
        // As soon as they are cut for want of a body, others come.
        loop {
            for last in 10..13 {
                kept.push(flood::keep([127, 0, 0, last], to, size(250), begun).await);
            }
            kept.truncate(6);
        }
    })
    .await;
    assert!(flooded.operator.process.log().contains("gave way"), "it is said");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_that_nobody_signed_proves_nothing() {
    let flooded = Flooded::start(&["--max-connections", "16"]).await;
    let to = local(flooded.operator.port);
    let ask = async |stream: &mut tokio::net::TcpStream, request: &str| {
        stream.write_all(request.as_bytes()).await.unwrap();
        timeout(SOON, read_answer(stream)).await.unwrap().unwrap().map(|answer| answer.status)
    };
    let delivery = |n: u64| signed(n).replace("Connection: close\r\n", "");
    let mut proven = connect(FLOOD, to).await.unwrap();
    assert_eq!(ask(&mut proven, &delivery(1)).await, Some(200));
    let mut shaken = connect(FLOOD, to).await.unwrap();
    let handshake = "OPTIONS /demo/events HTTP/1.1\r\nHost: h\r\nWebHook-Request-Origin: example.com\r\n\r\n";
    assert_eq!(ask(&mut shaken, handshake).await, Some(200));
    // What has proven nothing gives way first, although the other rests for longer.
    let mut others = keep(flooded.operator.port, 7, b"").await;
    let mut end = [0; 1];
    let cut = timeout(SOON, tokio::io::AsyncReadExt::read(&mut shaken, &mut end)).await.expect("it gives way");
    assert!(matches!(cut, Ok(0) | Err(_)), "{cut:?}");
    assert_eq!(ask(&mut proven, &delivery(2)).await, Some(200));
    others.clear();
}

#[tokio::test(flavor = "multi_thread")]
async fn unfinished_heads_are_bounded_also_behind_a_request() {
    let head = unfinished_head(30 << 10);
    let behind = format!("GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n{head}");
    hold(&[], async |flooded| {
        let port = flooded.operator.port;
        let _kept = tokio::join!(keep(port, size(1000), head.as_bytes()), keep(port, size(1000), behind.as_bytes()));
        // 2,000 of them would be 60 MiB.
        assert!(flooded.open().await < 1300, "{}", flooded.open().await);
        std::future::pending::<()>().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_over_http2_that_nobody_takes_cost_little() {
    let bytes = unanswerable_streams();
    hold(&["--h2c"], async |flooded| {
        let _kept = keep(flooded.operator.port, size(600), &bytes).await;
        std::future::pending::<()>().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_kept_below_its_limit_and_given_back() {
    let flooded = Flooded::start(&["--memory-limit", "48Mi"]).await;
    let head = unfinished_head(15 << 10);
    let before = flooded.memory();
    flooded
        .hold(async {
            let mut kept = Vec::new();
            for _ in 0..10 {
                kept.push(keep(flooded.operator.port, size(300), head.as_bytes()).await);
                let memory = flooded.memory();
                assert!(memory <= 56 << 20, "{} MiB", memory >> 20);
            }
            std::future::pending::<()>().await;
        })
        .await;
    eventually("memory is given back", SOON, async || flooded.memory() < before + (12 << 20)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_are_answered_beside_idle_connections_on_their_own_port() {
    hold(&[], async |flooded| {
        let _kept = keep(flooded.operator.admin, size(600), b"GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n").await;
        std::future::pending::<()>().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_not_said_for_each_request() {
    let strange =
        b"POST /demo/repo HTTP/1.1\r\nHost: h\r\nContent-Type: image/png\r\nContent-Length: 0\r\n\r\n".repeat(50);
    hold(&[], async |flooded| {
        loop {
            drop(keep(flooded.operator.port, 1, &strange).await);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_proofs_of_one_address_hold_up_nobody() {
    let kept_open = signed(0).replace("Connection: close\r\n", "");
    let forged = kept_open.replace("Keep it logically", "Keep it Logically").into_bytes().repeat(50);
    let flooded = hold(&[], async |flooded| {
        loop {
            drop(keep(flooded.operator.port, 4, &forged).await);
        }
    })
    .await;
    let refused = r#"hookgate_requests_total{namespace="demo",source="repo",provider="github",outcome="BadSignature"}"#;
    assert!(flooded.gauge(refused).await > 50, "each was judged");
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_whose_last_byte_is_withheld_close_no_source() {
    const LENGTH: usize = 200 << 10;
    let body = "x".repeat(LENGTH - 1);
    let begun = format!("POST /demo/repo HTTP/1.1\r\nHost: h\r\nContent-Length: {LENGTH}\r\n\r\n{body}");
    hold(&[], async |flooded| {
        let _kept = keep(flooded.operator.port, size(100), begun.as_bytes()).await;
        std::future::pending::<()>().await;
    })
    .await;
}

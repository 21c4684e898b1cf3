//! Floods from one address, against the program itself: whoever signs from another address is answered 200 all the
//! while, probes are answered, and memory stays small.
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
    _folder: Folder,
    _nats: Nats,
}

impl Flooded {
    async fn start(more: &[&str]) -> Self {
        let (folder, nats) = (Folder::new("manifests"), Nats::start().await);
        folder.write("repo.yaml", SOURCE);
        let operator = Operator::in_folder(folder.path(), &nats.url(), more).await;
        assert_eq!(deliver(operator.port, 0).await, Ok(200));
        Self { operator, _folder: folder, _nats: nats }
    }

    fn memory(&self) -> u64 {
        flood::anonymous_memory(self.operator.process.pid())
    }

    async fn open(&self) -> i64 {
        let metrics = self.operator.get("/metrics").await.expect("/metrics");
        let text = String::from_utf8(metrics.body.to_vec()).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("hookgate_connections ")).unwrap();
        line.trim().parse().unwrap()
    }

    /// Floods, delivers and looks at memory at the same time, for as long as a flood lasts.
    async fn hold(&self, flood: impl Future<Output = ()>) {
        let (until, port) = (Instant::now() + TIME, self.operator.port);
        let good = async {
            let (mut n, mut most) = (1, 0);
            while Instant::now() < until {
                assert_eq!(deliver(port, n).await, Ok(200), "delivery {n}");
                assert_eq!(self.operator.get("/livez").await.map(|answer| answer.status.as_u16()), Some(200), "/livez");
                most = most.max(self.memory());
                n += 1;
                sleep(Duration::from_millis(20)).await;
            }
            assert!(n > 10, "{n} deliveries");
            most
        };
        let ((), most) = tokio::join!(async { drop(timeout(TIME, flood).await) }, good);
        assert!(most <= MEMORY, "{} MiB", most >> 20);
        let lines = self.operator.process.log().lines().filter(|line| !line.contains("DEBUG")).count();
        assert!(lines < 60, "{lines} lines");
    }
}

/// Opens connections from the flood's address that say `bytes`, and keeps them.
async fn keep(port: u16, count: usize, bytes: &[u8]) -> Vec<tokio::net::TcpStream> {
    flood::keep(FLOOD, local(port), count, bytes).await
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_of_one_address_lock_nobody_out() {
    let flooded = Flooded::start(&["--max-connections", "512"]).await;
    let nothing = b"POST /nothing HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n";
    flooded
        .hold(async {
            let _kept = keep(flooded.operator.port, size(1500), nothing).await;
            std::future::pending::<()>().await;
        })
        .await;
    assert!(flooded.operator.process.log().contains("gave way"), "it is said");
}

#[tokio::test(flavor = "multi_thread")]
async fn unfinished_heads_are_bounded_also_behind_a_request() {
    let flooded = Flooded::start(&[]).await;
    let head = unfinished_head(30 << 10);
    let behind = format!("GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n{head}");
    flooded
        .hold(async {
            let port = flooded.operator.port;
            let _kept =
                tokio::join!(keep(port, size(1000), head.as_bytes()), keep(port, size(1000), behind.as_bytes()));
            // 2,000 of them would be 60 MiB.
            assert!(flooded.open().await < 1300, "{}", flooded.open().await);
            std::future::pending::<()>().await;
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_over_http2_that_nobody_takes_cost_little() {
    let flooded = Flooded::start(&["--h2c"]).await;
    let bytes = unanswerable_streams();
    flooded
        .hold(async {
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
    crate::support::wait::eventually("memory is given back", SOON, async || flooded.memory() < before + (12 << 20))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_are_answered_beside_idle_connections_on_their_own_port() {
    let flooded = Flooded::start(&[]).await;
    flooded
        .hold(async {
            let _kept = keep(flooded.operator.admin, size(600), b"GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n").await;
            std::future::pending::<()>().await;
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_not_said_for_each_request() {
    let flooded = Flooded::start(&[]).await;
    let strange =
        b"POST /demo/repo HTTP/1.1\r\nHost: h\r\nContent-Type: image/png\r\nContent-Length: 0\r\n\r\n".repeat(50);
    flooded
        .hold(async {
            loop {
                drop(keep(flooded.operator.port, 1, &strange).await);
            }
        })
        .await;
}

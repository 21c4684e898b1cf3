//! What an outage of NATS costs: who is answered, how long, and how soon all of it is in the stream.
//!
//!     cargo bench --bench outage -- [--away 5] [--connections 32] [--backlog 100000]
//!
//! One hookgate with a spool, one nats-server that is killed, and deliveries from connections that pause a little after each answer. A
//! disk's own time to sync, and a publisher that does nothing but publish, are measured in the same run. Every 200 must be a stored message.
#![allow(clippy::print_stdout, reason = "it prints a table")]
#![allow(clippy::cast_precision_loss, reason = "figures are rounded for people anyway")]

use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use async_nats::jetstream::{self, stream};
use clap::Parser;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

#[allow(dead_code, reason = "this benchmark sends in its own way")]
mod load;
mod measure;
#[path = "../tests/it/support/mod.rs"]
mod support;

use load::{Deliveries, whole};
use measure::{HOOKGATE, Hookgate, get, quantile};
use support::folder::Folder;
use support::nats::Nats;

const SECRET: &str = "It's a Secret to Everybody";
const PATH: &str = "/bench/github";
const MANIFEST: &str = r#"
apiVersion: v1
kind: Secret
metadata: {name: github, namespace: bench}
stringData: {secret: "It's a Secret to Everybody"}
---
apiVersion: hookgate.dev/v1alpha1
kind: WebhookSource
metadata: {name: github, namespace: bench}
spec:
  provider: github
  verification: {secretRefs: [{name: github, key: secret}]}
  delivery: {onOutage: Spool}
  limits: {requestsPerSecond: 1000000, burst: 1000000, maxInFlight: 10000}
"#;
/// Publishes on their way at one time of the publisher that does nothing else: more than the spool's drain has.
const PIPELINE: usize = 256;

#[derive(Debug, Parser)]
struct Args {
    /// How long NATS is away, in seconds
    #[arg(long, default_value_t = 5.0)]
    away: f64,
    /// Connections at one time
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// Milliseconds that each of them pauses after an answer
    #[arg(long, default_value_t = 10)]
    pause: u64,
    /// Events that wait in the spool, at least, when its drain is timed; 3600000 are an hour of 1,000 a second
    #[arg(long, default_value_t = 100_000)]
    backlog: u64,
    /// What `cargo bench` says to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

/// One request: when it began, how long its answer took, and whether that was 200.
#[derive(Clone, Copy, Debug)]
struct Asked {
    begun: Instant,
    took: Duration,
    ok: bool,
}

/// Connections that send until they are told to stop.
struct Load {
    stop: Arc<AtomicBool>,
    connections: Vec<JoinHandle<anyhow::Result<Vec<Asked>>>>,
}

impl Load {
    fn start(deliveries: &Arc<Deliveries>, to: SocketAddr, connections: usize, pause: Duration) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let connection = |_| tokio::spawn(send(deliveries.clone(), to, pause, stop.clone()));
        let connections = (0..connections).map(connection).collect();
        Self { stop, connections }
    }

    /// Everything that was asked, in the order in which it began.
    async fn end(self) -> anyhow::Result<Vec<Asked>> {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Vec::new();
        for connection in self.connections {
            all.extend(connection.await??);
        }
        all.sort_by_key(|asked| asked.begun);
        Ok(all)
    }
}

async fn send(
    deliveries: Arc<Deliveries>,
    to: SocketAddr,
    pause: Duration,
    stop: Arc<AtomicBool>,
) -> anyhow::Result<Vec<Asked>> {
    let mut stream = TcpStream::connect(to).await?;
    stream.set_nodelay(true)?;
    let (mut all, mut request, mut answer) = (Vec::new(), Vec::new(), Vec::new());
    while !stop.load(Ordering::Relaxed) {
        deliveries.next(&mut request)?;
        let begun = Instant::now();
        stream.write_all(&request).await?;
        answer.clear();
        while !whole(&answer)? {
            anyhow::ensure!(stream.read_buf(&mut answer).await? > 0, "the connection ended");
        }
        all.push(Asked { begun, took: begun.elapsed(), ok: answer.starts_with(b"HTTP/1.1 200 ") });
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
    }
    Ok(all)
}

/// Milliseconds below which these shares of the answers lie.
fn latency<'a>(asked: impl IntoIterator<Item = &'a Asked>) -> [f64; 3] {
    let all: Vec<f64> = asked.into_iter().map(|asked| asked.took.as_secs_f64() * 1000.0).collect();
    [0.5, 0.99, 1.0].map(|share| quantile(&all, share))
}

/// The sum of a counter, or the value of a gauge.
async fn metric(admin: SocketAddr, name: &str, label: &str) -> anyhow::Result<u64> {
    let text = get(admin, "/metrics").await?;
    let lines = text.lines().filter(|line| line.starts_with(name) && line.contains(label));
    Ok(lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>() as u64)
}

/// Milliseconds that this disk takes to sync a record of its own.
fn syncs(folder: &Path) -> anyhow::Result<[f64; 3]> {
    let mut file = File::create(folder.join("syncs"))?;
    let mut all = Vec::new();
    for _ in 0..1000 {
        file.write_all(&[b'x'; 1700])?;
        let begun = Instant::now();
        file.sync_data()?;
        all.push(begun.elapsed().as_secs_f64() * 1000.0);
    }
    Ok([0.5, 0.99, 1.0].map(|share| quantile(&all, share)))
}

/// Messages a second of a publisher that does nothing else, with the size and headers of what Hookgate publishes.
async fn raw(nats: &Nats, count: u64) -> anyhow::Result<f64> {
    let context = nats.jetstream().await;
    let sample = nats.collect("webhooks.>", 1, Duration::from_secs(5)).await.remove(0);
    let config = stream::Config { name: "RAW".to_owned(), subjects: vec!["raw".to_owned()], ..Default::default() };
    let config = stream::Config { duplicate_window: Duration::from_secs(3600), ..config };
    context.create_stream(config).await?;
    let (begun, mut waiting) = (Instant::now(), FuturesUnordered::new());
    for number in 0..count {
        let mut headers = sample.headers.clone();
        headers.insert("Nats-Msg-Id", format!("raw-{number:032}"));
        waiting.push(context.publish_with_headers("raw", headers, sample.payload.clone()).await?.into_future());
        if waiting.len() >= PIPELINE {
            waiting.next().await.transpose()?;
        }
    }
    while let Some(acknowledged) = waiting.next().await {
        acknowledged?;
    }
    let rate = count as f64 / begun.elapsed().as_secs_f64();
    context.delete_stream("RAW").await?;
    Ok(rate)
}

fn say(what: &str, figure: &str, target: &str, met: bool) {
    println!("| {what} | {figure} | {target} | {} |", if met { "yes" } else { "**no**" });
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let (folder, mut nats) = (Folder::new("bench"), Nats::start().await);
    let manifest = folder.write("source.yaml", MANIFEST);
    let spool = folder.join("spool");
    let hookgate = Hookgate::start(Path::new(HOOKGATE), folder.path(), &nats.url(), |command| {
        command.arg("--manifests").arg(&manifest).arg("--spool-dir").arg(&spool);
        command.args(["--spool-volatile", "--spool-max-bytes", "20Gi"]);
    })
    .await?;
    let deliveries = Deliveries::new(PATH, SECRET)?;
    let (to, pause) = (hookgate.public, Duration::from_millis(args.pause));
    let context: jetstream::Context = nats.jetstream().await;
    let stored = async || anyhow::Ok(context.get_stream("WEBHOOKS").await?.cached_info().state.messages);

    // Undisturbed, away, and back.
    let load = Load::start(&deliveries, to, args.connections, pause);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let killed = Instant::now();
    nats.kill();
    tokio::time::sleep(Duration::from_secs_f64(args.away)).await;
    let started = Instant::now();
    let before = metric(hookgate.admin, "hookgate_events_total", "\"stored\"").await?;
    nats.start_again().await;
    let back = Instant::now();
    while metric(hookgate.admin, "hookgate_events_total", "\"stored\"").await? == before {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let live = back.elapsed();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let asked = load.end().await?;
    let away: Vec<_> = asked.iter().filter(|asked| asked.begun + asked.took > killed && asked.begun < back).collect();
    let spooling =
        away.iter().copied().filter(|asked| asked.begun > killed + Duration::from_secs(1) && asked.begun < started);
    let undisturbed = latency(asked.iter().filter(|asked| asked.begun + asked.took < killed));
    let spooling = latency(spooling);
    let share = away.iter().filter(|asked| asked.ok).count() as f64 / away.len() as f64 * 100.0;
    let stall = latency(away.iter().copied())[2];
    let mut sent = asked.iter().filter(|asked| asked.ok).count() as u64;

    // One connection, beside the disk's own time.
    nats.kill();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = syncs(folder.path())?;
    let load = Load::start(&deliveries, to, 1, Duration::ZERO);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let asked = load.end().await?;
    let after = syncs(folder.path())?;
    let one = latency(&asked);
    sent += asked.iter().filter(|asked| asked.ok).count() as u64;

    // A backlog, and its drain while requests are served.
    let load = Load::start(&deliveries, to, 128, Duration::ZERO);
    while metric(hookgate.admin, "hookgate_spool_events", "").await? < args.backlog {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let asked = load.end().await?;
    sent += asked.iter().filter(|asked| asked.ok).count() as u64;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let backlog = metric(hookgate.admin, "hookgate_spool_events", "").await?;
    let first = metric(hookgate.admin, "hookgate_events_total", "\"stored\"").await?;
    nats.start_again().await;
    let begun = Instant::now();
    let load = Load::start(&deliveries, to, args.connections, pause);
    let (all, mut stored_live) = (sent, 0);
    // What live requests stored in the meantime is no part of the backlog.
    while stored().await? < all + stored_live {
        tokio::time::sleep(Duration::from_millis(10)).await;
        stored_live = metric(hookgate.admin, "hookgate_events_total", "\"stored\"").await? - first;
    }
    let took = begun.elapsed();
    let asked = load.end().await?;
    sent += asked.iter().filter(|asked| asked.ok).count() as u64;
    let draining = latency(asked.iter().filter(|asked| asked.begun < begun + took));
    let rate = backlog as f64 / took.as_secs_f64();
    let deadline = Instant::now() + Duration::from_secs(60);
    while stored().await? < sent && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    anyhow::ensure!(stored().await? == sent, "{sent} answers of 200, {} stored", stored().await?);
    let raw = raw(&nats, backlog.min(200_000)).await?;

    println!(
        "{sent} answers of 200, each stored once. Milliseconds; {} connections that pause {pause:?}.\n",
        args.connections
    );
    println!("| what | measured | target | met |\n|---|---|---|---|");
    say("answered 200 while NATS was away", &format!("{share:.2} %"), ">= 99 %", share >= 99.0);
    say("longest answer meanwhile", &format!("{stall:.0}"), "<= 1000", stall <= 1000.0);
    let milliseconds = live.as_secs_f64() * 1000.0;
    say("live again after its return", &format!("{milliseconds:.0}"), "<= 500", milliseconds <= 500.0);
    let ratio = draining[1] / undisturbed[1];
    let both = format!("{:.2} / {:.2} = {ratio:.1}", draining[1], undisturbed[1]);
    say("live p99 while draining / undisturbed", &both, "<= 2", ratio <= 2.0);
    let both = format!("{rate:.0}/s / {raw:.0}/s = {:.2}", rate / raw);
    say(&format!("drain of {backlog} / raw publisher"), &both, ">= 0.5", rate / raw >= 0.5);
    let sync = |at: usize| f64::midpoint(before[at], after[at]);
    let (p50, p99) = (1.6 * sync(0) + 0.06, 3.0 * sync(1) + 0.5);
    let both = format!("{:.2} / {:.2}", one[0], sync(0));
    say("p50 of 1 connection in spool mode / disk's own sync", &both, &format!("<= {p50:.2}"), one[0] <= p50);
    let both = format!("{:.2} / {:.2}", one[1], sync(1));
    say("p99 of 1 connection in spool mode / disk's own sync", &both, &format!("<= {p99:.2}"), one[1] <= p99);
    println!(
        "\nall connections in spool mode: p50 {:.2}, p99 {:.2}; undisturbed: p50 {:.2}",
        spooling[0], spooling[1], undisturbed[0]
    );
    Ok(())
}

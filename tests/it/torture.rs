//! Nothing acknowledged is lost, doubled or invented, and nothing is refused, whatever is killed, paused or cut off.
//!
//! The ledger is kept here, outside the process under test. A seed makes the schedule of faults again:
//! `HOOKGATE_TORTURE_SEED`, `_KILLS`, `_EVENTS` and `_SECONDS` (the longest it may take) set the size.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test that cannot go on fails loudly, and prints its figures"
)]

use std::collections::HashMap;
use std::io::Write as _;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fastrand::Rng;
use futures::StreamExt;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::spool::{MANIFEST, signature};
use crate::support::folder::Folder;
use crate::support::nats::Nats;
use crate::support::operator::{binary, hookgate};
use crate::support::port::free_port;
use crate::support::process::Process;
use crate::support::proxy::{Proxy, Weather};
use crate::support::wait::eventually;

const CONNECTIONS: usize = 32;
/// How long an answer may take: the source's deadline, and a second.
const ANSWER: Duration = Duration::from_secs(6);

/// A number of the environment.
fn size(name: &str, default: u64) -> u64 {
    std::env::var(format!("HOOKGATE_TORTURE_{name}")).ok().map_or(default, |text| text.parse().unwrap())
}

/// `hookgate run` on ports and a spool that stay the same over kills.
struct Gate {
    folder: Folder,
    nats: String,
    port: u16,
    admin: u16,
    /// Odd while it is ready, even from a kill until it is ready again.
    life: Arc<AtomicU64>,
}

impl Gate {
    async fn new(nats: String) -> Gate {
        let folder = Folder::new("torture");
        folder.write("sources.yaml", MANIFEST);
        let spool = folder.join("spool");
        let _ = hookgate(&["spool", "init", "--persistent", spool.to_str().unwrap()]).await.ok();
        Gate { folder, nats, port: free_port(), admin: free_port(), life: Arc::default() }
    }

    /// Starts it, and waits until it is ready.
    async fn start(&self) -> Process {
        let mut command = Command::new(binary());
        command.arg("run").arg("--manifests").arg(self.folder.join("sources.yaml"));
        command.args(["--nats-url", &self.nats, "--spool-dir"]).arg(self.folder.join("spool"));
        command.args(["--listen", &format!("127.0.0.1:{}", self.port)]);
        command.args(["--admin-listen", &format!("127.0.0.1:{}", self.admin)]).env("RUST_LOG", "info");
        let mut process = Process::start("hookgate", &self.folder, &mut command);
        let ready = process.ready(Duration::from_secs(30), async |_| self.admin("/readyz").await.0 == 200).await;
        ready.unwrap_or_else(|failure| panic!("{failure:#}"));
        self.life.fetch_add(1, Ordering::SeqCst);
        process
    }

    fn kill(&self, process: &mut Process) {
        self.life.fetch_add(1, Ordering::SeqCst);
        process.kill();
    }

    async fn admin(&self, path: &str) -> (u16, String) {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
        let mut connection = None;
        ask(&mut connection, self.admin, request.as_bytes()).await.unwrap_or_default()
    }

    /// A gauge of `/metrics`.
    async fn gauge(&self, name: &str) -> u64 {
        let (_, metrics) = self.admin("/metrics").await;
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("");
        line.trim().parse().unwrap_or(u64::MAX)
    }
}

/// Sends a request over a connection that is kept, and reads the answer.
async fn ask(kept: &mut Option<BufReader<TcpStream>>, port: u16, request: &[u8]) -> Option<(u16, String)> {
    let mut connection = match kept.take() {
        Some(connection) => connection,
        None => BufReader::new(TcpStream::connect(("127.0.0.1", port)).await.ok()?),
    };
    connection.get_mut().write_all(request).await.ok()?;
    let (mut status, mut length, mut line) = (0, 0, String::new());
    loop {
        line.clear();
        if connection.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let text = line.trim_end().to_ascii_lowercase();
        if let Some(rest) = text.strip_prefix("http/1.1 ") {
            status = rest.split(' ').next()?.parse().ok()?;
        } else if let Some(rest) = text.strip_prefix("content-length:") {
            length = rest.trim().parse().ok()?;
        } else if text.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body).await.ok()?;
    *kept = Some(connection);
    Some((status, String::from_utf8_lossy(&body).into_owned()))
}

fn request(id: u64) -> Vec<u8> {
    let body = format!(r#"{{"action":"opened","number":{id}}}"#);
    let signature = signature(&body);
    format!(
        "POST /sales/github HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nx-github-event: issues\r\n\
         x-github-delivery: id-{id}\r\nx-hub-signature-256: {signature}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Every id with its last answer, and how long the positive ones took.
#[derive(Default)]
struct Ledger {
    answers: Vec<(u64, u16)>,
    took: Vec<(Instant, Duration)>,
    /// Answers other than 2xx of a process that was ready before and after.
    refused: Vec<(u64, u16, String)>,
    /// Answers that took longer than they may, of such a process.
    late: Vec<(u64, Duration)>,
}

/// 32 connections that send new ids for as long as it is wanted. An id without a positive answer is sent again twice.
struct Load {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    ledger: Arc<Mutex<Ledger>>,
    workers: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    fn start(gate: &Gate) -> Load {
        let (stop, sent, ledger) = (Arc::default(), Arc::default(), Arc::default());
        let worker = |_| {
            let (port, life) = (gate.port, Arc::clone(&gate.life));
            let (stop, sent, ledger) = (Arc::clone(&stop), Arc::clone(&sent), Arc::clone(&ledger));
            tokio::spawn(work(port, life, stop, sent, ledger))
        };
        let workers = (0..CONNECTIONS).map(worker).collect();
        Load { stop, sent, ledger, workers }
    }

    async fn end(self) -> Ledger {
        self.stop.store(true, Ordering::SeqCst);
        for worker in self.workers {
            worker.await.unwrap();
        }
        std::mem::take(&mut *self.ledger.lock().unwrap())
    }
}

async fn work(
    port: u16,
    life: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    ledger: Arc<Mutex<Ledger>>,
) {
    // A connection to a process that was killed since says nothing of the one that runs.
    let (mut connection, mut made) = (None, 0);
    while !stop.load(Ordering::SeqCst) {
        let id = sent.fetch_add(1, Ordering::SeqCst);
        let request = request(id);
        for _ in 0..3 {
            let (before, begun) = (life.load(Ordering::SeqCst), Instant::now());
            if std::mem::replace(&mut made, before) != before {
                connection = None;
            }
            let asked = tokio::time::timeout(Duration::from_secs(30), ask(&mut connection, port, &request)).await;
            let (status, body) = asked.ok().flatten().unwrap_or_default();
            let (alive, took) = (before % 2 == 1 && life.load(Ordering::SeqCst) == before, begun.elapsed());
            let accepted = (200..300).contains(&status);
            {
                let mut ledger = ledger.lock().unwrap();
                if accepted {
                    ledger.answers.push((id, status));
                    ledger.took.push((begun, took));
                } else if alive {
                    ledger.refused.push((id, status, body));
                }
                if alive && took > ANSWER {
                    ledger.late.push((id, took));
                }
            }
            if accepted {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// How often each number of an id lies in the stream.
async fn stored(nats: &Nats) -> HashMap<u64, u32> {
    let context = nats.jetstream().await;
    let stream = context.get_stream("WEBHOOKS").await.unwrap();
    let count = stream.cached_info().state.messages;
    let config = async_nats::jetstream::consumer::pull::OrderedConfig { headers_only: true, ..Default::default() };
    let mut messages = stream.create_consumer(config).await.unwrap().messages().await.unwrap();
    let mut stored = HashMap::new();
    for _ in 0..count {
        let next = tokio::time::timeout(Duration::from_secs(30), messages.next()).await;
        let message = next.expect("the stream is read").unwrap().unwrap();
        let id = message.headers.as_ref().and_then(|headers| headers.get("ce-id")).unwrap().to_string();
        let number = id.strip_prefix("id-").and_then(|id| id.parse().ok());
        *stored.entry(number.unwrap_or_else(|| panic!("{id} was never sent"))).or_insert(0) += 1;
    }
    stored
}

/// The middle of these times, and what few exceed.
fn shares(times: impl Iterator<Item = Duration>) -> String {
    let mut times: Vec<Duration> = times.collect();
    times.sort_unstable();
    let at = |share: usize| times.get(times.len() * share / 1000).copied().unwrap_or_default();
    format!(
        "p50 {:?}, p99 {:?}, most {:?} of {}",
        at(500),
        at(990),
        times.last().copied().unwrap_or_default(),
        times.len()
    )
}

/// How long this disk takes to sync a record of its own.
fn syncs(folder: &Folder) -> String {
    let mut file = std::fs::File::create(folder.join("syncs")).unwrap();
    shares((0..200).map(|_| {
        file.write_all(&[b'x'; 700]).unwrap();
        let begun = Instant::now();
        file.sync_data().unwrap();
        begun.elapsed()
    }))
}

/// Compares the ledger with the stream, and says the figures.
async fn judge(what: &str, nats: &Nats, sent: u64, ledger: &mut Ledger) {
    let stored = stored(nats).await;
    let lost: Vec<u64> = ledger.answers.iter().map(|(id, _)| *id).filter(|id| !stored.contains_key(id)).collect();
    let doubled: Vec<_> = stored.iter().filter(|(_, times)| **times > 1).collect();
    let invented = stored.keys().filter(|id| **id >= sent).count();
    println!(
        "{what}: {sent} sent, {} acknowledged, {} stored, {} refused, {} late, {} lost, {} doubled; 2xx {}",
        ledger.answers.len(),
        stored.len(),
        ledger.refused.len(),
        ledger.late.len(),
        lost.len(),
        doubled.len(),
        shares(ledger.took.iter().map(|(_, took)| *took))
    );
    assert!(lost.is_empty(), "acknowledged and not stored: {} of {}: {lost:.20?}", lost.len(), ledger.answers.len());
    assert!(doubled.is_empty(), "stored twice: {doubled:?}");
    assert_eq!(invented, 0, "stored and never sent");
    let refused = &ledger.refused[..ledger.refused.len().min(5)];
    assert!(refused.is_empty(), "{} refused while only NATS was away: {refused:?}", ledger.refused.len());
}

/// Hurts nats-server or the way to it, and lets it be again.
async fn hurt(nats: &mut Nats, proxy: &Proxy, rng: &mut Rng) -> u64 {
    let pause = Duration::from_millis(rng.u64(50..900));
    match rng.u8(0..100) {
        0..60 => {
            nats.kill();
            tokio::time::sleep(pause / 3).await;
            nats.start_again().await;
            return 1;
        }
        60..75 => {
            nats.pause();
            tokio::time::sleep(pause).await;
            nats.resume();
        }
        75..90 => {
            proxy.set(Weather::Deaf);
            tokio::time::sleep(pause).await;
            proxy.set(Weather::Fair);
        }
        _ => {
            proxy.set(Weather::Hole);
            tokio::time::sleep(pause).await;
            proxy.set(Weather::Fair);
        }
    }
    0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_is_stored_once_whatever_is_killed() {
    let seed = size("SEED", fastrand::u64(..));
    let (kills, events) = (size("KILLS", 60), size("EVENTS", 5_000));
    let limit = Duration::from_secs(size("SECONDS", 150));
    println!("HOOKGATE_TORTURE_SEED={seed}");
    let (mut first, mut second) = (Rng::with_seed(seed), Rng::with_seed(seed ^ 1));
    let mut nats = Nats::start().await;
    let proxy = Proxy::before(nats.port()).await;
    let gate = Gate::new(proxy.url()).await;
    let begun = Instant::now();
    let mut process = gate.start().await;
    let load = Load::start(&gate);
    let (done, killed) = (AtomicBool::new(false), AtomicU64::new(0));
    let most = AtomicU64::new(0);
    let enough = || {
        let sent = load.sent.load(Ordering::SeqCst);
        let over = killed.load(Ordering::SeqCst) >= kills && sent >= events || begun.elapsed() > limit;
        done.fetch_or(over, Ordering::SeqCst) || over
    };
    let kill_gate = async {
        while !enough() {
            tokio::time::sleep(Duration::from_millis(first.u64(50..600))).await;
            if first.u8(0..8) == 0 {
                process.signal("STOP");
                tokio::time::sleep(Duration::from_millis(first.u64(10..300))).await;
                process.signal("CONT");
                continue;
            }
            let waiting = gate.gauge("hookgate_spool_events ").await;
            most.fetch_max(if waiting == u64::MAX { 0 } else { waiting }, Ordering::SeqCst);
            gate.kill(&mut process);
            killed.fetch_add(1, Ordering::SeqCst);
            process = gate.start().await;
        }
    };
    let hurt_nats = async {
        while !enough() {
            tokio::time::sleep(Duration::from_millis(second.u64(50..900))).await;
            killed.fetch_add(hurt(&mut nats, &proxy, &mut second).await, Ordering::SeqCst);
        }
    };
    tokio::join!(kill_gate, hurt_nats);
    let sent = load.sent.load(Ordering::SeqCst) + CONNECTIONS as u64;
    let mut ledger = load.end().await;
    let took = begun.elapsed();
    eventually("the spool is empty", Duration::from_secs(60), async || gate.gauge("hookgate_spool_events ").await == 0)
        .await;
    let killed = killed.into_inner();
    println!(
        "{killed} kills in {took:?}; {} acknowledgements swallowed; in the spool at most {most:?}",
        proxy.swallowed()
    );
    judge("torture", &nats, sent, &mut ledger).await;
    drop(process);
    let spool = gate.folder.join("spool");
    let refused = hookgate(&["spool", "ls", "--refused", spool.to_str().unwrap()]).await.ok();
    assert_eq!(refused, "", "NATS refused something for good");
    assert!(killed >= kills, "{killed} kills in {took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_seconds_without_nats_refuse_nobody_and_hold_nobody_up() {
    let mut nats = Nats::start().await;
    let gate = Gate::new(nats.url()).await;
    let process = gate.start().await;
    let load = Load::start(&gate);
    let answered = || load.ledger.lock().unwrap().answers.len();
    eventually("some are stored", Duration::from_secs(30), async || answered() > 100).await;
    nats.kill();
    let (before, away) = (answered(), Instant::now());
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(answered() > before + 100, "answered while NATS is away");
    let still = Instant::now();
    nats.start_again().await;
    let back = answered();
    eventually("requests go on", Duration::from_secs(30), async || answered() > back + 100).await;
    let sent = load.sent.load(Ordering::SeqCst) + CONNECTIONS as u64;
    let mut ledger = load.end().await;
    eventually("the spool is empty", Duration::from_secs(60), async || gate.gauge("hookgate_spool_events ").await == 0)
        .await;
    let spooled = ledger.took.iter().filter(|(begun, _)| *begun > away && *begun < still).map(|(_, took)| *took);
    println!("spooled: 2xx {}; this disk's sync {}", shares(spooled), syncs(&gate.folder));
    let after = ledger.took.iter().filter(|(begun, _)| *begun > still).map(|(_, took)| *took);
    println!(
        "{} were answered while NATS was away; while it came back and the spool drained: 2xx {}",
        back - before,
        shares(after)
    );
    judge("5 s without NATS", &nats, sent, &mut ledger).await;
    assert!(ledger.late.is_empty(), "{:?}", ledger.late);
    drop(process);
}

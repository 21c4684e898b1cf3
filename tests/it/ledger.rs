//! Signed load with a ledger outside the process under test, and the judgement: what was acknowledged is in the stream,
//! once, nothing was invented, and nothing refused.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on fails loudly, and prints its figures"
)]

use std::collections::HashMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::StreamExt;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::spool::{MANIFEST, signature};
use crate::support::folder::Folder;
use crate::support::nats::Nats;
use crate::support::operator::{binary, hookgate};
use crate::support::port::free_port;
use crate::support::process::Process;
use crate::support::wait::eventually;

const CONNECTIONS: usize = 32;
/// How long an answer may take: the source's deadline, and a second.
const ANSWER: Duration = Duration::from_secs(6);

/// `hookgate run` on ports and a spool that stay the same over kills.
pub struct Gate {
    pub folder: Folder,
    pub spool: PathBuf,
    /// What runs it in another way than by itself, such as in a namespace of its own.
    pub within: Vec<String>,
    pub arguments: Vec<String>,
    pub environment: Vec<(String, String)>,
    pub port: u16,
    pub admin: u16,
    times: Arc<Times>,
}

/// When an answer other than 2xx counts as a refusal.
#[derive(Default)]
struct Times {
    /// Odd while it is ready, even from a kill until it is ready again.
    life: AtomicU64,
    /// Odd while more than NATS is away, such as the disk.
    excuse: AtomicU64,
}

impl Gate {
    /// Over a folder of manifests.
    pub async fn new(nats: String) -> Gate {
        let gate = Gate::over(nats, Vec::new());
        gate.folder.write("sources.yaml", MANIFEST);
        let sources = gate.folder.join("sources.yaml").display().to_string();
        gate.init().await;
        Gate { arguments: [gate.arguments, vec!["--manifests".to_owned(), sources]].concat(), ..gate }
    }

    /// Over a cluster that holds the sources.
    pub async fn in_cluster(nats: String, kubeconfig: &Path) -> Gate {
        let gate = Gate::over(nats, vec![("KUBECONFIG".to_owned(), kubeconfig.display().to_string())]);
        gate.init().await;
        gate
    }

    fn over(nats: String, environment: Vec<(String, String)>) -> Gate {
        let folder = Folder::new("gate");
        let (spool, port, admin) = (folder.join("spool"), free_port(), free_port());
        let arguments = vec!["--nats-url".to_owned(), nats];
        Gate { folder, spool, within: Vec::new(), arguments, environment, port, admin, times: Arc::default() }
    }

    async fn init(&self) {
        let _ = hookgate(&["spool", "init", "--persistent", self.spool.to_str().unwrap()]).await.ok();
    }

    /// Starts it, and waits until it is ready.
    pub async fn start(&self) -> Process {
        let binary = binary().display().to_string();
        let words: Vec<&str> = self.within.iter().map(String::as_str).chain([binary.as_str(), "run"]).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).args(&self.arguments).arg("--spool-dir").arg(&self.spool);
        command.args(["--listen", &format!("127.0.0.1:{}", self.port)]);
        command.args(["--admin-listen", &format!("127.0.0.1:{}", self.admin)]);
        command.env("RUST_LOG", "info").envs(self.environment.iter().cloned());
        let mut process = Process::start("hookgate", &self.folder, &mut command);
        let ready = process.ready(Duration::from_secs(60), async |_| self.admin("/readyz").await.0 == 200).await;
        ready.unwrap_or_else(|failure| panic!("{failure:#}"));
        self.times.life.fetch_add(1, Ordering::SeqCst);
        process
    }

    pub fn kill(&self, process: &mut Process) {
        self.times.life.fetch_add(1, Ordering::SeqCst);
        process.kill();
    }

    /// From now on it may refuse; the second time it may no more.
    pub fn excuse(&self) {
        self.times.excuse.fetch_add(1, Ordering::SeqCst);
    }

    pub async fn admin(&self, path: &str) -> (u16, String) {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
        let mut connection = None;
        ask(&mut connection, self.admin, request.as_bytes()).await.unwrap_or_default()
    }

    /// A gauge of `/metrics`.
    pub async fn gauge(&self, name: &str) -> u64 {
        let (_, metrics) = self.admin("/metrics").await;
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("");
        line.trim().parse().unwrap_or(u64::MAX)
    }

    /// Waits until all that waited is published.
    pub async fn drained(&self) {
        let empty = async || self.gauge("hookgate_spool_events ").await == 0;
        eventually("the spool is empty", Duration::from_secs(120), empty).await;
    }
}

/// Sends a request over a connection that is kept, and reads the answer.
async fn ask(kept: &mut Option<BufReader<TcpStream>>, port: u16, request: &[u8]) -> Option<(u16, String)> {
    let mut connection = match kept.take() {
        Some(connection) => connection,
        None => BufReader::new(TcpStream::connect(("127.0.0.1", port)).await.ok()?),
    };
    connection.get_mut().write_all(request).await.ok()?;
    let (mut status, mut length, mut closes, mut line) = (0, 0, false, String::new());
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
        } else if text == "connection: close" {
            closes = true;
        } else if text.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body).await.ok()?;
    *kept = Some(connection).filter(|_| !closes);
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
pub struct Ledger {
    sent: u64,
    pub answers: Vec<(u64, u16)>,
    pub took: Vec<(Instant, Duration)>,
    /// Answers other than 2xx of a process that was ready before and after.
    pub refused: Vec<(u64, u16, String)>,
    /// Answers that took longer than they may, of such a process.
    pub late: Vec<(u64, Duration)>,
}

/// Connections that send new ids for as long as it is wanted. An id without a positive answer is sent again twice.
pub struct Load {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    ledger: Arc<Mutex<Ledger>>,
    workers: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    /// As fast as it is answered.
    pub fn start(gate: &Gate) -> Load {
        Self::paced(gate, Duration::ZERO)
    }

    /// With a pause after each answer.
    pub fn paced(gate: &Gate, pause: Duration) -> Load {
        Self::to(gate.port, &gate.times, pause)
    }

    /// To a port behind which somebody is always ready.
    pub fn at(port: u16, pause: Duration) -> Load {
        let times = Times { life: AtomicU64::new(1), ..Times::default() };
        Self::to(port, &Arc::new(times), pause)
    }

    fn to(port: u16, times: &Arc<Times>, pause: Duration) -> Load {
        let (stop, sent, ledger) = (Arc::default(), Arc::default(), Arc::default());
        let worker = |_| {
            let times = Arc::clone(times);
            let (stop, sent, ledger) = (Arc::clone(&stop), Arc::clone(&sent), Arc::clone(&ledger));
            tokio::spawn(work(port, times, pause, stop, sent, ledger))
        };
        let workers = (0..CONNECTIONS).map(worker).collect();
        Load { stop, sent, ledger, workers }
    }

    /// How many were answered with 2xx until now.
    pub fn answered(&self) -> usize {
        self.ledger.lock().unwrap().answers.len()
    }

    pub async fn end(self) -> Ledger {
        self.stop.store(true, Ordering::SeqCst);
        for worker in self.workers {
            worker.await.unwrap();
        }
        let sent = self.sent.load(Ordering::SeqCst);
        Ledger { sent, ..std::mem::take(&mut *self.ledger.lock().unwrap()) }
    }
}

async fn work(
    port: u16,
    times: Arc<Times>,
    pause: Duration,
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    ledger: Arc<Mutex<Ledger>>,
) {
    let now = || (times.life.load(Ordering::SeqCst), times.excuse.load(Ordering::SeqCst));
    // A connection to a process that was killed since says nothing of the one that runs.
    let (mut connection, mut made) = (None, 0);
    while !stop.load(Ordering::SeqCst) {
        let id = sent.fetch_add(1, Ordering::SeqCst);
        let request = request(id);
        for _ in 0..3 {
            let (before, begun) = (now(), Instant::now());
            if std::mem::replace(&mut made, before.0) != before.0 {
                connection = None;
            }
            let asked = tokio::time::timeout(Duration::from_secs(30), ask(&mut connection, port, &request)).await;
            let (status, body) = asked.ok().flatten().unwrap_or_default();
            let (alive, took) = (before.0 % 2 == 1 && before.1 % 2 == 0 && now() == before, begun.elapsed());
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
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
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
        if !message.subject.starts_with("webhooks.sales.github.") {
            continue;
        }
        let id = message.headers.as_ref().and_then(|headers| headers.get("ce-id")).unwrap().to_string();
        let number = id.strip_prefix("id-").and_then(|id| id.parse().ok());
        *stored.entry(number.unwrap_or_else(|| panic!("{id} was never sent"))).or_insert(0) += 1;
    }
    stored
}

/// The middle of these times, and what few exceed.
pub fn shares(times: impl Iterator<Item = Duration>) -> String {
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
pub fn syncs(folder: &Folder) -> String {
    let mut file = std::fs::File::create(folder.join("syncs")).unwrap();
    shares((0..200).map(|_| {
        file.write_all(&[b'x'; 700]).unwrap();
        let begun = Instant::now();
        file.sync_data().unwrap();
        begun.elapsed()
    }))
}

/// Compares the ledger with the stream, and says the figures.
pub async fn judge(what: &str, nats: &Nats, ledger: &Ledger) {
    let sent = ledger.sent;
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

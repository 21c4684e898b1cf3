//! How soon an edit is live, how soon the process serves, and what it weighs.
//!
//!     cargo bench --bench control -- [--edits 50] [--sources 1000] [--starts 5] [--settling] [--idle 0]
//!
//! An edit is a new path of a source on a real API server; it is live when the public port answers there with anything
//! but 404, asked every millisecond. A start lasts from the fork until `/readyz` says 200, with NATS there.
//! Settling is the control task alone, in this process, up to the table in force: an edit takes at most 1 ms and a start at most 2 s, over
//! 10,000 sources. With `--settling` nothing else is measured.
#![allow(clippy::print_stdout, reason = "it prints a table")]
#![allow(clippy::cast_precision_loss, reason = "figures are rounded for people anyway")]

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Parser;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

mod measure;
mod settle;
#[path = "../tests/it/support/mod.rs"]
mod support;

use measure::{HOOKGATE, Hookgate, median, memory, quantile};
use support::cluster::Cluster;
use support::folder::Folder;
use support::nats::Nats;

/// How many sources the control task has.
const SIZES: [usize; 3] = [100, 1_000, 10_000];
/// How often the port is asked.
const PAUSE: Duration = Duration::from_millis(1);
/// How long a started process is left alone before its memory counts.
const REST: Duration = Duration::from_secs(2);

#[derive(Debug, Parser)]
struct Args {
    /// How many edits are timed
    #[arg(long, default_value_t = 50)]
    edits: usize,
    /// How many sources the full folder holds, and the cluster, each with a Secret of its own
    #[arg(long, default_value_t = 1000)]
    sources: usize,
    /// How many seconds the leader is watched while nothing happens, over the sources of the cluster
    #[arg(long, default_value_t = 0)]
    idle: u64,
    /// How often each start is timed
    #[arg(long, default_value_t = 5)]
    starts: usize,
    /// Only the control task, in this process
    #[arg(long)]
    settling: bool,
    /// What `cargo bench` says to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = &Args::parse();
    println!(
        "| sources | start: index, compile, table | an edit settles, p50 / p95 / most of {} | other streams: all judged | kB a source |\n|---|---|---|---|---|",
        args.edits
    );
    for sources in SIZES {
        let settle::Settled { start, edits, streams, memory } = settle::settle(sources, args.edits).await?;
        println!("| {sources} | {start:.0} ms | {} | {streams:.1} ms | {memory:.1} |", three(&edits));
    }
    if args.settling {
        return Ok(());
    }
    println!();
    let nats = Nats::start().await;
    let size = std::fs::metadata(HOOKGATE)?.len() as f64 / f64::from(1 << 20);
    let empty = starts(&nats, 0, args).await?;
    let full = starts(&nats, args.sources, args).await?;
    let edits = edits(&nats, args).await?;

    println!("| figure | value |\n|---|---|");
    let n = args.edits;
    println!("| an edit sent -> live, p50 / p95 / most of {n} | {} |", three(&edits.since_sent));
    println!("| the API server's answer -> live, p50 / p95 / most | {} |", three(&edits.since_answered));
    let sources = args.sources;
    println!("| start -> ready on a cluster of {sources} sources and Secrets | {:.0} ms |", edits.started);
    println!("| RSS there, before and after the edits | {:.1} MB, {:.1} MB |", edits.before, edits.memory);
    println!("| {} edits at once: live a second | {:.0} |", edits.burst.0, edits.burst.1);
    if args.idle > 0 {
        println!("| the leader, {} s idle | {:.2} % of a core |", args.idle, edits.idle * 100.0);
    }
    println!("| a file of {sources} edited -> live, p50 / p95 / most | {} |", three(&full.edits));
    for (sources, start) in [(0, &empty), (args.sources, &full)] {
        println!("| start -> ready, {sources} sources in a folder, median of {} | {:.0} ms |", args.starts, start.time);
        println!("| RSS idle, {sources} sources | {:.1} MB |", start.memory);
    }
    println!("| the program, stripped | {size:.1} MB |");
    Ok(())
}

fn three(milliseconds: &[f64]) -> String {
    let at = |share| quantile(milliseconds, share);
    format!("{:.2} / {:.2} / {:.2} ms", at(0.5), at(0.95), at(1.0))
}

/// Times of edits in milliseconds.
struct Edits {
    since_sent: Vec<f64>,
    since_answered: Vec<f64>,
    /// MB, before and after.
    before: f64,
    memory: f64,
    /// Milliseconds from the start of the process until it was ready.
    started: f64,
    /// So many edits at once, and how many were live in a second.
    burst: (usize, f64),
    /// Of a core, while nothing happened.
    idle: f64,
}

async fn edits(nats: &Nats, args: &Args) -> anyhow::Result<Edits> {
    let cluster = Cluster::start().await;
    let crds = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    let crds = crds.to_str().context("a path in UTF-8")?;
    cluster.kubectl(&["apply", "--filename", crds]).await.ok();
    cluster.kubectl(&["wait", "--for=condition=Established", "--timeout=30s", "--filename", crds]).await.ok();
    let namespace = cluster.namespace().await;
    let client = cluster.client().await;
    let sources: Api<DynamicObject> = {
        let resource = ApiResource::erase::<hookgate::api::source::WebhookSource>(&());
        Api::namespaced_with(client.clone(), &namespace, &resource)
    };
    let params = PatchParams::apply("bench").force();
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"k": "one"}});
    Api::<Secret>::namespaced(client.clone(), &namespace).patch("s", &params, &Patch::Apply(&secret)).await?;
    let source = json!({
        "apiVersion": "hookgate.dev/v1alpha1", "kind": "WebhookSource", "metadata": {"name": "edited"},
        "spec": {"provider": "github", "verification": {"secretRefs": [{"name": "s", "key": "k"}]}},
    });
    sources.patch("edited", &params, &Patch::Apply(&source)).await?;
    let secrets = Api::<Secret>::namespaced(client, &namespace);
    let others = stream::iter(0..args.sources).map(|n| {
        let (secrets, sources) = (&secrets, &sources);
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": format!("s-{n}")}, "stringData": {"k": format!("secret-{n}")}});
        let source = json!({
            "apiVersion": "hookgate.dev/v1alpha1", "kind": "WebhookSource", "metadata": {"name": format!("source-{n}")},
            "spec": {"provider": "github", "verification": {"secretRefs": [{"name": format!("s-{n}"), "key": "k"}]}},
        });
        async move {
            secrets.create(&PostParams::default(), &serde_json::from_value(secret)?).await?;
            sources.create(&PostParams::default(), &serde_json::from_value(source)?).await?;
            anyhow::Ok(())
        }
    });
    others.buffer_unordered(64).try_collect::<()>().await?;

    let folder = Folder::new("control");
    let kubeconfig = cluster.kubeconfig();
    let hookgate = Hookgate::start(Path::new(HOOKGATE), &folder, &nats.url(), |command| {
        command.env("KUBECONFIG", kubeconfig).args(["--lease-namespace", &namespace]);
    })
    .await?;
    let mut port = Port::open(hookgate.public).await?;
    port.until_live(&format!("/{namespace}/edited")).await?;

    let started = hookgate.started.as_secs_f64() * 1000.0;
    let pid = hookgate.process.pid();
    // The first statuses are written by then.
    settled(pid).await?;
    let before = memory(pid)?;
    let worked = measure::processor_time(pid)?;
    tokio::time::sleep(Duration::from_secs(args.idle)).await;
    let idle = (measure::processor_time(pid)? - worked).as_secs_f64() / args.idle.max(1) as f64;
    // An idle connection was closed meanwhile.
    let mut port = Port::open(hookgate.public).await?;
    let (mut since_sent, mut since_answered) = (Vec::new(), Vec::new());
    for edit in 0..args.edits {
        let path = format!("/{namespace}/edit-{edit}");
        // Status and Events of the edit before are written by then.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let body = json!({"spec": {"path": path}});
        let sent = Instant::now();
        let patched = async {
            sources.patch("edited", &PatchParams::default(), &Patch::Merge(&body)).await?;
            anyhow::Ok(Instant::now())
        };
        let (answered, live) = tokio::try_join!(patched, port.until_live(&path))?;
        let milliseconds = |from: Instant| live.saturating_duration_since(from).as_secs_f64() * 1000.0;
        since_sent.push(milliseconds(sent));
        since_answered.push(milliseconds(answered));
    }
    let burst = args.sources.min(1000);
    let begun = Instant::now();
    let patches = stream::iter(0..burst).map(|n| {
        let body = json!({"spec": {"path": format!("/{namespace}/burst-{n}")}});
        let sources = &sources;
        async move { sources.patch(&format!("source-{n}"), &PatchParams::default(), &Patch::Merge(&body)).await }
    });
    patches.buffer_unordered(64).try_collect::<Vec<_>>().await?;
    for n in 0..burst {
        port.until_live(&format!("/{namespace}/burst-{n}")).await?;
    }
    let burst = (burst, burst as f64 / begun.elapsed().as_secs_f64());
    Ok(Edits { since_sent, since_answered, before, memory: memory(pid)?, started, burst, idle })
}

/// Waits until a process has had next to nothing to do for two seconds.
async fn settled(pid: u32) -> anyhow::Result<()> {
    loop {
        let before = measure::processor_time(pid)?;
        tokio::time::sleep(REST).await;
        if measure::processor_time(pid)? - before <= REST / 50 {
            return Ok(());
        }
    }
}

/// A connection that asks for paths.
struct Port(TcpStream);

impl Port {
    async fn open(to: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(Self(stream))
    }

    /// Asks until a path is answered by something else than 404, and says when that was.
    async fn until_live(&mut self, path: &str) -> anyhow::Result<Instant> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
        let begun = Instant::now();
        let mut answer = [0; 4096];
        while begun.elapsed() < Duration::from_secs(10) {
            self.0.write_all(request.as_bytes()).await?;
            // Answers to these are far below a packet.
            let length = self.0.read(&mut answer).await?;
            let status = answer[..length].get(9..12).context("the port hung up")?;
            if status != b"404" {
                return Ok(Instant::now());
            }
            tokio::time::sleep(PAUSE).await;
        }
        anyhow::bail!("{path} is not live after 10 s")
    }
}

struct Start {
    /// Milliseconds.
    time: f64,
    /// MB.
    memory: f64,
    /// Milliseconds from the last byte of a changed file until it is live.
    edits: Vec<f64>,
}

/// Starts it on a folder of so many sources, each a file with a Secret of its own.
async fn starts(nats: &Nats, sources: usize, args: &Args) -> anyhow::Result<Start> {
    let (folder, logs) = (Folder::new("sources"), Folder::new("start"));
    let write = |number: usize, path: &str| {
        folder.write(&format!("source-{number}.yaml"), &format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: s-{number}, namespace: bench}}\nstringData: {{k: secret-{number}}}\n---\n\
             apiVersion: hookgate.dev/v1alpha1\nkind: WebhookSource\nmetadata: {{name: source-{number}, namespace: bench}}\n\
             spec: {{provider: github, path: {path}, verification: {{secretRefs: [{{name: s-{number}, key: k}}]}}}}\n"
        ));
    };
    (0..sources).for_each(|number| write(number, &format!("/bench/source-{number}")));
    let (mut times, mut memories, mut edits) = (Vec::new(), Vec::new(), Vec::new());
    for start in 0..args.starts {
        let hookgate = Hookgate::start(Path::new(HOOKGATE), &logs, &nats.url(), |command| {
            command.arg("--manifests").arg(folder.path());
        })
        .await?;
        if sources > 0 {
            let last = format!("/bench/source-{}", sources - 1);
            let status = measure::ask(hookgate.public, &last).await;
            anyhow::ensure!(status == Some(405), "ready, and {last} answers {status:?}");
        }
        tokio::time::sleep(REST).await;
        if start + 1 == args.starts && sources > 0 {
            let mut port = Port::open(hookgate.public).await?;
            for edit in 0..args.edits {
                let path = format!("/bench/edit-{edit}");
                write(edit * 7 % sources, &path);
                let begun = Instant::now();
                let live = port.until_live(&path).await?;
                edits.push(live.saturating_duration_since(begun).as_secs_f64() * 1000.0);
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        times.push(hookgate.started.as_secs_f64() * 1000.0);
        memories.push(memory(hookgate.process.pid())?);
    }
    Ok(Start { time: median(times), memory: median(memories), edits })
}

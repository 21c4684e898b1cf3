//! Requests a second with a GitHub source, beside a receiver written by hand, each a process of its own, in turns.
//!
//!     cargo bench --bench receiver -- [--rounds 5] [--seconds 3] [--connections 1,32,256] [--beside hookgate-of-before]
//!
//! One nats-server stores what both publish; load, receiver and server share the machine. Every 200 must be a stored
//! message, and every stored message a 200. Ratios are those of one round, so that a busy machine slows both.
#![allow(clippy::print_stdout, reason = "it prints a table")]
#![allow(clippy::cast_precision_loss, reason = "figures are rounded for people anyway")]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use async_nats::jetstream::stream;
use clap::Parser;

mod bare;
mod load;
mod measure;
#[path = "../tests/it/support/mod.rs"]
mod support;

use load::Deliveries;
use measure::{HOOKGATE, Hookgate, ask, local, median, memory, processor_time, quantile};
use support::folder::Folder;
use support::nats::Nats;
use support::port::free_port;
use support::process::Process;

const SECRET: &str = "It's a Secret to Everybody";
const PATH: &str = "/bench/github";
/// One source, with limits that nothing here reaches.
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
  limits: {requestsPerSecond: 1000000, burst: 1000000, maxInFlight: 10000}
"#;

#[derive(Debug, Parser)]
struct Args {
    /// How often everything is measured
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How long each measurement takes
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Connections at one time
    #[arg(long, value_delimiter = ',', default_value = "1,32,256")]
    connections: Vec<usize>,
    /// Another build of hookgate to measure as well
    #[arg(long)]
    beside: Option<PathBuf>,
    /// Be the receiver written by hand, on this port
    #[arg(long, requires = "nats")]
    bare: Option<SocketAddr>,
    /// Its NATS
    #[arg(long)]
    nats: Option<String>,
    /// What `cargo bench` says to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

/// One receiver, and what was measured of it: by connections, then by round.
struct Contender {
    name: &'static str,
    process: Process,
    to: SocketAddr,
    samples: Vec<Vec<Sample>>,
}

struct Sample {
    /// Requests a second.
    rate: f64,
    /// Milliseconds.
    p50: f64,
    p99: f64,
    /// Microseconds of processor time for each event.
    processor: f64,
    /// MB, when the load ended.
    memory: f64,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match (&args.bare, &args.nats) {
        (Some(listen), Some(nats)) => runtime.block_on(bare::serve(*listen, nats, SECRET)),
        _ => runtime.block_on(run(&args)),
    }
}

async fn run(args: &Args) -> anyhow::Result<()> {
    let nats = Nats::start().await;
    let config = stream::Config {
        name: "WEBHOOKS".to_owned(),
        subjects: vec!["webhooks.>".to_owned()],
        // The ids of one measurement, not of all: the server keeps them in memory.
        duplicate_window: Duration::from_secs(10),
        ..stream::Config::default()
    };
    let stream = nats.jetstream().await.create_stream(config).await?;
    let folder = Folder::new("bench");
    folder.write("source.yaml", MANIFEST);
    let mut contenders = vec![hookgate("hookgate", Path::new(HOOKGATE), &folder, &nats).await?];
    if let Some(program) = &args.beside {
        contenders.push(hookgate("beside", program, &folder, &nats).await?);
    }
    contenders.push(by_hand(&folder, &nats).await?);

    let deliveries = Deliveries::new(PATH, SECRET)?;
    let time = Duration::from_secs_f64(args.seconds);
    let (mut answered, mut stored) = (0, 0);
    for contender in &mut contenders {
        contender.samples = args.connections.iter().map(|_| Vec::new()).collect();
        deliveries.send(contender.to, 32, Duration::from_millis(500)).await?;
    }
    for round in 0..args.rounds {
        for (level, &connections) in args.connections.iter().enumerate() {
            // Whoever comes first in one round comes later in the next.
            contenders.rotate_left(1);
            for contender in &mut contenders {
                stream.purge().await?;
                let pid = contender.process.pid();
                let before = processor_time(pid)?;
                let answers = deliveries.send(contender.to, connections, time).await?;
                let processor = processor_time(pid)? - before;
                let kept = stream.get_info().await?.state.messages;
                anyhow::ensure!(answers.other == 0, "{}: {} answers are not 200", contender.name, answers.other);
                anyhow::ensure!(answers.ok == kept, "{}: {} answers, {kept} stored", contender.name, answers.ok);
                (answered, stored) = (answered + answers.ok, stored + kept);
                let latencies: Vec<f64> = answers.latencies.iter().map(|&us| f64::from(us) / 1000.0).collect();
                let sample = Sample {
                    rate: answers.ok as f64 / answers.took.as_secs_f64(),
                    p50: quantile(&latencies, 0.5),
                    p99: quantile(&latencies, 0.99),
                    processor: processor.as_secs_f64() * 1e6 / answers.ok as f64,
                    memory: memory(pid)?,
                };
                println!(
                    "round {:<2} {connections:>4} connections  {:<8} {:>8.0} req/s",
                    round + 1,
                    contender.name,
                    sample.rate
                );
                contender.samples[level].push(sample);
            }
        }
    }
    contenders.sort_by_key(|contender| contender.name);
    println!(
        "\n{answered} answers of 200, {stored} messages stored. Medians of {} rounds of {} s.\n",
        args.rounds, args.seconds
    );
    table(&contenders, &args.connections);
    Ok(())
}

fn table(contenders: &[Contender], connections: &[usize]) {
    println!("| connections | receiver | req/s | of bare | p50 ms | p99 ms | CPU us/event | of bare | RSS MB |");
    println!("|---|---|---|---|---|---|---|---|---|");
    for (level, connections) in connections.iter().enumerate() {
        let bare = contenders.iter().find(|contender| contender.name == "bare").map(|bare| &bare.samples[level]);
        for contender in contenders {
            let samples = &contender.samples[level];
            let middle = |of: fn(&Sample) -> f64| median(samples.iter().map(of));
            let ratio = |of: fn(&Sample) -> f64| {
                median(samples.iter().zip(bare.into_iter().flatten()).map(|(own, bare)| of(own) / of(bare)))
            };
            println!(
                "| {connections} | {} | {:.0} | {:.2} | {:.2} | {:.2} | {:.1} | {:.2} | {:.0} |",
                contender.name,
                middle(|s| s.rate),
                ratio(|s| s.rate),
                middle(|s| s.p50),
                middle(|s| s.p99),
                middle(|s| s.processor),
                ratio(|s| s.processor),
                middle(|s| s.memory),
            );
        }
    }
}

async fn hookgate(name: &'static str, program: &Path, folder: &Folder, nats: &Nats) -> anyhow::Result<Contender> {
    let manifests = folder.path().to_owned();
    let hookgate = Hookgate::start(program, folder, &nats.url(), |command| {
        command.arg("--manifests").arg(manifests);
    })
    .await?;
    Ok(Contender { name, process: hookgate.process, to: hookgate.public, samples: Vec::new() })
}

async fn by_hand(folder: &Folder, nats: &Nats) -> anyhow::Result<Contender> {
    let to = local(free_port());
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--bare", &to.to_string(), "--nats", &nats.url()]);
    let mut process = Process::start("bare", folder, &mut command);
    process.ready(Duration::from_secs(10), async |_| ask(to, "/").await.is_some()).await?;
    Ok(Contender { name: "bare", process, to, samples: Vec::new() })
}

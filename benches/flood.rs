//! What whoever behaves well feels of each flood: the latency of its deliveries beside that of the undisturbed run, and
//! the receiver's memory.
//!
//!     cargo bench --bench flood -- [--seconds 4] [--a-second 50] [--scale 1] [--only NAME]
//!
//! Everything runs on this machine, the flood in a thread of its own, and ends by itself. A flood that costs an answer of
//! 200, 250 ms for one in a hundred, or 200 MiB ends the run with an error.
#![allow(clippy::print_stdout, reason = "it prints a table")]
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures are rounded for people anyway, and addresses are cut into bytes"
)]

use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use clap::Parser;

mod floods;
mod measure;
mod steady;
#[path = "../tests/it/support/mod.rs"]
mod support;

use floods::{FLOODS, Flood, Target};
use measure::{HOOKGATE, Hookgate, quantile};
use steady::{Steady, trusting};
use support::flood::{MEMORY, SOURCE, anonymous_memory};
use support::folder::Folder;
use support::nats::Nats;

/// The longest that one delivery in a hundred may take under a flood, in milliseconds.
const P99: f64 = 250.0;
/// The limit of the chart, less a quarter.
const LIMIT: &str = "192Mi";

#[derive(Debug, Parser)]
struct Args {
    /// How long each flood lasts
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
    /// How many deliveries are sent beside it
    #[arg(long, default_value_t = 50)]
    a_second: u32,
    /// How many times as large each flood is
    #[arg(long, default_value_t = 1)]
    scale: usize,
    /// Only floods whose name holds this
    #[arg(long)]
    only: Option<String>,
    /// What `cargo bench` says to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

/// What was measured of one flood. Milliseconds and bytes.
struct Felt {
    quiet: (f64, f64),
    flooded: (f64, f64),
    peak: u64,
    after: u64,
    other: Vec<String>,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    // Whoever measures is not slowed by what it measures more than the machine is.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run(&args))
}

async fn run(args: &Args) -> anyhow::Result<()> {
    println!("| flood | p50 ms | p99 ms | flooded p50 | flooded p99 | ratio | not 200 | peak MiB | after MiB |");
    println!("|---|---|---|---|---|---|---|---|---|");
    let mut failed = Vec::new();
    let chosen = |flood: &&Flood| args.only.as_ref().is_none_or(|only| flood.name.contains(only.as_str()));
    for flood in FLOODS.iter().filter(chosen) {
        let felt = felt(flood, args).await?;
        let Felt { quiet, flooded, peak, after, other } = &felt;
        println!(
            "| {} | {:.1} | {:.1} | {:.1} | {:.1} | {:.1} | {} | {} | {} |",
            flood.name,
            quiet.0,
            quiet.1,
            flooded.0,
            flooded.1,
            flooded.1 / quiet.1,
            other.len(),
            peak >> 20,
            after >> 20
        );
        if flooded.1 > P99 || *peak > MEMORY || !other.is_empty() {
            failed.push(format!("{}: {:?}", flood.name, other.first()));
        }
    }
    anyhow::ensure!(failed.is_empty(), "not held under:\n{}", failed.join("\n"));
    Ok(())
}

/// Floods a receiver of its own.
async fn felt(flood: &Flood, args: &Args) -> anyhow::Result<Felt> {
    let (folder, nats) = (Folder::new("flood"), Nats::start().await);
    // A key server that takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0")?;
    folder.write("sources.yaml", &format!("{SOURCE}---{}", floods::manifests(silent.local_addr()?.port())));
    let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
    let chain = folder.write("chain.pem", &certified.cert.pem());
    let key = folder.write("key.pem", &certified.signing_key.serialize_pem());
    let hookgate = Hookgate::start(Path::new(HOOKGATE), &folder, &nats.url(), |command| {
        command.arg("--manifests").arg(folder.path()).args(["--memory-limit", LIMIT]).args(flood.flags);
        if flood.tls {
            command.arg("--tls-cert").arg(&chain).arg("--tls-key").arg(&key);
        }
    })
    .await?;
    let tls = flood.tls.then(|| trusting(certified.cert.der().clone())).transpose()?;
    let mut steady = Steady { to: hookgate.public, tls, large: flood.large, next: 0 };
    let time = Duration::from_secs_f64(args.seconds);
    steady.send(args.a_second, Duration::from_millis(500)).await;
    let quiet = steady.send(args.a_second, time).await;
    anyhow::ensure!(quiet.other.is_empty(), "undisturbed: {:?}", quiet.other);

    let pid = hookgate.process.pid();
    let mut peak = 0;
    let flooding =
        Flooding::start(flood, Target { public: hookgate.public, admin: hookgate.admin, scale: args.scale })?;
    // Whoever comes first does not see it yet.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut look = tokio::time::interval(Duration::from_millis(20));
    let answers = {
        let mut answers = std::pin::pin!(steady.send(args.a_second, time));
        loop {
            tokio::select! {
                answers = &mut answers => break answers,
                _ = look.tick() => peak = peak.max(anonymous_memory(pid)),
            }
        }
    };
    flooding.stop();
    let until = Instant::now() + Duration::from_secs(2);
    while Instant::now() < until {
        look.tick().await;
        peak = peak.max(anonymous_memory(pid));
    }
    let of = |latencies: &[f64]| (quantile(latencies, 0.5), quantile(latencies, 0.99));
    Ok(Felt {
        quiet: of(&quiet.latencies),
        flooded: of(&answers.latencies),
        peak,
        after: anonymous_memory(pid),
        other: answers.other,
    })
}

/// A flood in threads of its own.
struct Flooding(tokio::runtime::Runtime);

impl Flooding {
    fn start(flood: &Flood, target: Target) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let run = flood.run;
        runtime.spawn(async move { run(target).await });
        Ok(Self(runtime))
    }

    fn stop(self) {
        self.0.shutdown_background();
    }
}

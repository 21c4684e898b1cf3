//! Requests a second beside a receiver written by hand, each a process of its own, in turns.
//!
//!     cargo bench --bench receiver -- [--rounds 5] [--seconds 3] [--rows github,far] [--beside hookgate-of-before] [--gate]
//!
//! Load, receiver and nats-server share the machine, and all have the same allocator. `bare` publishes with the same
//! headers, `bare-id` with the id alone. With `--gate` it fails where the middle of the ratios lies below its target in
//! 95 of 100 cases.
#![allow(clippy::print_stdout, reason = "it prints a table")]
#![allow(clippy::cast_precision_loss, reason = "figures are rounded for people anyway")]

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_nats::jetstream::stream;
use clap::{Parser, ValueEnum};

mod bare;
mod contest;
mod far;
mod load;
mod measure;
#[path = "../tests/it/support/mod.rs"]
mod support;

use contest::{Contender, Contest, Turn, hold, interval};
use load::{Deliveries, Pace};
use measure::{HOOKGATE, local, median};
use support::folder::Folder;
use support::nats::Nats;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const SECRET: &str = "It's a Secret to Everybody";
/// Sources with limits that nothing here reaches.
const MANIFEST: &str = r#"
apiVersion: v1
kind: Secret
metadata: {name: bench, namespace: bench}
stringData: {secret: "It's a Secret to Everybody"}
---
apiVersion: hookgate.dev/v1alpha1
kind: WebhookSource
metadata: {name: github, namespace: bench}
spec:
  provider: github
  verification: {secretRefs: [{name: bench, key: secret}]}
  limits: {requestsPerSecond: 1000000, burst: 1000000, maxInFlight: 10000}
---
apiVersion: hookgate.dev/v1alpha1
kind: WebhookSource
metadata: {name: mapped, namespace: bench}
spec:
  provider: retell
  verification: {secretRefs: [{name: bench, key: secret}]}
  delivery: {deduplicate: None}
  limits: {requestsPerSecond: 1000000, burst: 1000000, maxInFlight: 10000}
---
apiVersion: hookgate.dev/v1alpha1
kind: WebhookSource
metadata: {name: items, namespace: bench}
spec:
  provider: focus-push
  verification: {method: bearer, secretRefs: [{name: bench, key: secret}]}
  delivery: {deduplicate: None}
  limits: {requestsPerSecond: 1000000, burst: 1000000, maxInFlight: 10000}
"#;
/// Items of a delivery that is a list.
const ITEMS: u64 = 100;
/// There and back to the broker that is far away.
const FAR: Duration = Duration::from_millis(2);

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Row {
    /// 1, 32 and 256 connections
    Github,
    /// Two connections of a balancer that never end
    Two,
    /// Half of what the receiver by hand can do, over 32 connections: what is added to its latency
    Half,
    /// A broker that is 2 ms away, 256 connections
    Far,
    /// A broker that syncs before it acknowledges, 256 connections
    Sync,
    /// A call that is mapped to conversation/v1, 32 connections
    Mapped,
    /// A list of 100 items, 8 connections
    Items,
}

#[derive(Debug, Parser)]
struct Args {
    /// How often everything is measured
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How long each measurement takes
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Which rows
    #[arg(long, value_delimiter = ',', default_value = "github,two,half,far,sync,mapped,items")]
    rows: Vec<Row>,
    /// Another build of hookgate to measure as well
    #[arg(long)]
    beside: Option<PathBuf>,
    /// Fail where a target is missed
    #[arg(long)]
    gate: bool,
    /// Further arguments of hookgate run
    #[arg(long, allow_hyphen_values = true)]
    further: Vec<String>,
    /// Be the receiver written by hand, on this port
    #[arg(long, requires = "nats")]
    bare: Option<SocketAddr>,
    /// With all headers of a CloudEvent
    #[arg(long)]
    bare_event: bool,
    /// Its NATS
    #[arg(long)]
    nats: Option<String>,
    /// What `cargo bench` says to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match (&args.bare, &args.nats) {
        (Some(listen), Some(nats)) => runtime.block_on(bare::serve(*listen, nats, SECRET, args.bare_event)),
        _ => runtime.block_on(Bench::run(&args)),
    }
}

struct Bench<'a> {
    args: &'a Args,
    folder: Folder,
    github: std::sync::Arc<Deliveries>,
    rows: Vec<String>,
    /// Requests a second by hand beside the usual broker, by connections.
    by_hand: HashMap<usize, f64>,
    missed: Vec<String>,
}

impl<'a> Bench<'a> {
    async fn run(args: &'a Args) -> anyhow::Result<()> {
        let folder = Folder::new("bench");
        folder.write("source.yaml", MANIFEST);
        let github = Deliveries::new("/bench/github", SECRET)?;
        let mut bench = Self { args, folder, github, rows: Vec::new(), by_hand: HashMap::new(), missed: Vec::new() };
        for row in &args.rows {
            bench.row(*row).await?;
        }
        println!("\nMedians of {} rounds of {} s.\n", args.rounds, args.seconds);
        println!("| what | receiver | req/s | of bare | p50 ms | p99 ms | CPU us/request | of bare | RSS MB |");
        println!("|---|---|---|---|---|---|---|---|---|");
        bench.rows.iter().for_each(|row| println!("{row}"));
        bench.missed.iter().for_each(|missed| println!("\nMISSED: {missed}"));
        anyhow::ensure!(bench.missed.is_empty() || !args.gate, "{} targets are missed", bench.missed.len());
        Ok(())
    }

    async fn row(&mut self, row: Row) -> anyhow::Result<()> {
        let github = self.github.clone();
        match row {
            Row::Github => {
                for (connections, rate) in [(1, 1.0), (32, 1.1), (256, 1.15)] {
                    let what = format!("{connections} connections");
                    let held = self.contest(&what, &github, connections, Pace::Unbounded, "", None).await?;
                    self.by_hand.insert(connections, held.middle("bare", |s| s.rate));
                    self.judge(&what, held.against("hookgate", "bare", |own, bare| own.rate / bare.rate), rate);
                    let processor = held.against("hookgate", "bare", |own, bare| bare.processor / own.processor);
                    self.judge(&format!("{what}, processor time"), processor, 1.0 / 0.75);
                }
            }
            Row::Two => {
                let held = self.contest("2 connections", &github, 2, Pace::Unbounded, "", None).await?;
                let ratios = held.against("hookgate", "bare", |own, bare| own.rate / bare.rate);
                self.judge("2 connections", ratios, 1.0);
            }
            Row::Half => {
                let rate = self.by_hand.get(&32).copied().unwrap_or(8_000.0) / 2.0;
                let pace = Pace::Every(Duration::from_secs_f64(32.0 / rate));
                let held = self.contest("half load", &github, 32, pace, "", None).await?;
                let added = held.against("hookgate", "bare", |own, bare| (bare.p99 - own.p99) * 1000.0);
                println!("half load: {:.0} us added to the p99", -median(added.iter().copied()));
                self.judge("half load, microseconds added to the p99", added, -300.0);
            }
            Row::Far => {
                let held = self.contest("2 ms away", &github, 256, Pace::Unbounded, "", Some(FAR)).await?;
                let ratios = held.against("hookgate", "bare", |own, bare| own.rate / bare.rate);
                self.judge("2 ms away", ratios, 1.0);
            }
            Row::Sync => {
                let sync = "jetstream { sync_interval: always }";
                let held = self.contest("sync always", &github, 256, Pace::Unbounded, sync, None).await?;
                let ratios = held.against("hookgate", "bare", |own, bare| own.rate / bare.rate);
                self.judge("sync always", ratios, 3.0);
            }
            Row::Mapped => {
                let calls = Deliveries::repeated(vec![load::retell("/bench/mapped", SECRET)?]);
                self.contest("mapped call", &calls, 32, Pace::Unbounded, "", None).await?;
            }
            Row::Items => {
                let lists = Deliveries::repeated(vec![load::items("/bench/items", SECRET, ITEMS)]);
                self.contest("100 items", &lists, 8, Pace::Unbounded, "", None).await?;
            }
        }
        Ok(())
    }

    /// Measures all receivers beside a broker with these lines of configuration, as far away as is said.
    async fn contest(
        &mut self,
        what: &str,
        deliveries: &std::sync::Arc<Deliveries>,
        connections: usize,
        pace: Pace,
        broker: &str,
        away: Option<Duration>,
    ) -> anyhow::Result<Contest> {
        let nats = Nats::start_with(broker).await;
        let jetstream = nats.jetstream().await;
        let config = stream::Config {
            name: "WEBHOOKS".to_owned(),
            subjects: vec!["webhooks.>".to_owned()],
            // The ids of one measurement, not of all: the server keeps them in memory.
            duplicate_window: Duration::from_secs(10),
            allow_direct: true,
            allow_atomic_publish: true,
            ..stream::Config::default()
        };
        let stream = jetstream.create_stream(config).await?;
        let url = match away {
            Some(away) => format!("nats://{}", far::before(local(nats.port()), away).await?),
            None => nats.url(),
        };
        let (args, folder) = (self.args, &self.folder);
        let mut contenders =
            vec![Contender::hookgate("hookgate", Path::new(HOOKGATE), folder, &url, &args.further).await?];
        if let Some(program) = &args.beside {
            contenders.push(Contender::hookgate("beside", program, folder, &url, &[]).await?);
        }
        let items = what.ends_with("items");
        if !items && what != "mapped call" {
            contenders.push(Contender::by_hand("bare", folder, &url, true).await?);
            contenders.push(Contender::by_hand("bare-id", folder, &url, false).await?);
        }
        let time = Duration::from_secs_f64(args.seconds);
        let each = if items { ITEMS } else { 1 };
        let turn = Turn { stream: &stream, deliveries, connections, time, pace, each };
        let held = hold(&contenders, &turn, args.rounds).await?;
        let rows = held.rows(what);
        rows.iter().for_each(|row| println!("{row}"));
        self.rows.extend(rows);
        Ok(held)
    }

    /// Says so where the whole interval lies below the target.
    fn judge(&mut self, what: &str, ascending: Vec<f64>, target: f64) {
        let (low, high) = interval(&ascending);
        if high < target {
            let middle = median(ascending);
            self.missed.push(format!("{what}: {middle:.2} (95 %: {low:.2} to {high:.2}), and {target:.2} is wanted"));
        }
    }
}

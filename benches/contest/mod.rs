//! Receivers that are measured in turns under the same load, each a process of its own, and what one is beside another.
//!
//! Every 200 must be a stored message, and every stored message a 200. Ratios are those of one round, so that a busy
//! machine slows both.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::stream::Stream;

use crate::load::{Deliveries, Pace};
use crate::measure::{Hookgate, ask, local, median, memory, processor_time, quantile};
use crate::support::folder::Folder;
use crate::support::port::free_port;
use crate::support::process::Process;

/// One receiver.
pub struct Contender {
    pub name: &'static str,
    pub process: Process,
    pub to: SocketAddr,
}

/// What was measured of one in one round.
pub struct Sample {
    /// Requests a second.
    pub rate: f64,
    /// Milliseconds.
    pub p50: f64,
    pub p99: f64,
    /// Microseconds of processor time for each request.
    pub processor: f64,
    /// MB, when the load ended.
    pub memory: f64,
}

impl Contender {
    pub async fn hookgate(
        name: &'static str,
        program: &Path,
        folder: &Folder,
        nats: &str,
        further: &[String],
    ) -> anyhow::Result<Self> {
        let manifests = folder.path().to_owned();
        let hookgate = Hookgate::start(program, folder, nats, |command| {
            command.arg("--manifests").arg(manifests).args(further);
        })
        .await?;
        Ok(Self { name, process: hookgate.process, to: hookgate.public })
    }

    /// Written by hand: with all headers of a CloudEvent, or with the id alone.
    pub async fn by_hand(name: &'static str, folder: &Folder, nats: &str, event: bool) -> anyhow::Result<Self> {
        let to = local(free_port());
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--bare", &to.to_string(), "--nats", nats]);
        if event {
            command.arg("--bare-event");
        }
        let mut process = Process::start(name, folder, &mut command);
        process.ready(Duration::from_secs(10), async |_| ask(to, "/").await.is_some()).await?;
        Ok(Self { name, process, to })
    }

    /// One measurement; `each` is how many messages a request becomes.
    async fn measure(&self, turn: &Turn<'_>) -> anyhow::Result<Sample> {
        turn.stream.purge().await?;
        let pid = self.process.pid();
        let before = processor_time(pid)?;
        let answers = turn.deliveries.send(self.to, turn.connections, turn.time, turn.pace).await?;
        let processor = processor_time(pid)? - before;
        let kept = turn.stream.get_info().await?.state.messages;
        anyhow::ensure!(answers.other == 0, "{}: {} answers are not 200", self.name, answers.other);
        let due = answers.ok * turn.each;
        anyhow::ensure!(due == kept, "{}: {due} messages are due, {kept} stored", self.name);
        let latencies: Vec<f64> = answers.latencies.iter().map(|&us| f64::from(us) / 1000.0).collect();
        Ok(Sample {
            rate: answers.ok as f64 / answers.took.as_secs_f64(),
            p50: quantile(&latencies, 0.5),
            p99: quantile(&latencies, 0.99),
            processor: processor.as_secs_f64() * 1e6 / answers.ok as f64,
            memory: memory(pid)?,
        })
    }
}

/// What all receivers of one contest get.
#[derive(Clone, Copy)]
pub struct Turn<'a> {
    pub stream: &'a Stream,
    pub deliveries: &'a Arc<Deliveries>,
    pub connections: usize,
    pub time: Duration,
    pub pace: Pace,
    /// Messages of a request.
    pub each: u64,
}

/// A contest: what the receivers measured, in the order of the receivers, then by round.
pub struct Contest {
    pub names: Vec<&'static str>,
    pub samples: Vec<Vec<Sample>>,
}

/// Measures all of them in turns.
pub async fn hold(contenders: &[Contender], turn: &Turn<'_>, rounds: usize) -> anyhow::Result<Contest> {
    let mut samples: Vec<Vec<Sample>> = contenders.iter().map(|_| Vec::new()).collect();
    for contender in contenders {
        let warm = Turn { time: Duration::from_millis(500), pace: Pace::Unbounded, ..*turn };
        contender.measure(&warm).await?;
    }
    for round in 0..rounds {
        for step in 0..contenders.len() {
            // Whoever comes first in one round comes later in the next.
            let at = (round + step) % contenders.len();
            samples[at].push(contenders[at].measure(turn).await?);
        }
    }
    Ok(Contest { names: contenders.iter().map(|contender| contender.name).collect(), samples })
}

impl Contest {
    fn of(&self, name: &str) -> Option<&[Sample]> {
        Some(&self.samples[self.names.iter().position(|own| *own == name)?])
    }

    /// The middle of one figure of one receiver.
    pub fn middle(&self, name: &str, of: fn(&Sample) -> f64) -> f64 {
        median(self.of(name).into_iter().flatten().map(of))
    }

    /// One figure of one receiver against another's in the same round, ascending.
    pub fn against(&self, name: &str, other: &str, figure: fn(&Sample, &Sample) -> f64) -> Vec<f64> {
        let pairs = self.of(name).into_iter().flatten().zip(self.of(other).into_iter().flatten());
        let mut all: Vec<f64> = pairs.map(|(own, other)| figure(own, other)).collect();
        all.sort_unstable_by(f64::total_cmp);
        all
    }

    /// The rows of a table.
    pub fn rows(&self, what: &str) -> Vec<String> {
        let mut rows = Vec::new();
        for name in &self.names {
            let ratio = |of: fn(&Sample, &Sample) -> f64| match self.of("bare") {
                Some(_) => format!("{:.2}", median(self.against(name, "bare", of))),
                None => "".to_owned(),
            };
            rows.push(format!(
                "| {what} | {name} | {:.0} | {} | {:.2} | {:.2} | {:.1} | {} | {:.0} |",
                self.middle(name, |s| s.rate),
                ratio(|own, bare| own.rate / bare.rate),
                self.middle(name, |s| s.p50),
                self.middle(name, |s| s.p99),
                self.middle(name, |s| s.processor),
                ratio(|own, bare| own.processor / bare.processor),
                self.middle(name, |s| s.memory),
            ));
        }
        rows
    }
}

/// The interval that holds the middle of what these are drawn from, in 95 of 100 cases: the second and the eighth of
/// nine (96.1 %), found by counting how often fewer of them lie on one side of it.
pub fn interval(ascending: &[f64]) -> (f64, f64) {
    let n = ascending.len();
    let mut ways = 1.0;
    let mut outside = 0.0;
    let mut cut = 0;
    for k in 0..n {
        outside += 2.0 * ways / 2f64.powi(i32::try_from(n).unwrap_or(i32::MAX));
        if outside > 0.05 {
            break;
        }
        cut = k + 1;
        ways *= (n - k) as f64 / (k + 1) as f64;
    }
    let low = cut.saturating_sub(1).min(n.saturating_sub(1));
    let at = |index: usize| ascending.get(index).copied().unwrap_or(f64::NAN);
    (at(low), at(n.saturating_sub(1 + low)))
}

//! What benchmarks share: a running Hookgate, what the kernel says of a process, and the middle of many figures.
#![allow(dead_code, reason = "each benchmark uses its part")]

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::port::free_port;
use crate::support::process::Process;

/// The program as `cargo bench` built it.
pub const HOOKGATE: &str = env!("CARGO_BIN_EXE_hookgate");
/// The kernel counts processor time in hundredths of a second (USER_HZ, on every platform that Linux runs on today).
const TICK: Duration = Duration::from_millis(10);

/// A running `hookgate run`.
pub struct Hookgate {
    pub process: Process,
    pub public: SocketAddr,
    pub admin: SocketAddr,
    /// From the start of the process until `/readyz` said 200.
    pub started: Duration,
}

impl Hookgate {
    /// Starts it on free ports and waits until it is ready. `arguments` say where its sources are.
    pub async fn start(
        program: &Path,
        folder: &Path,
        nats: &str,
        arguments: impl FnOnce(&mut Command),
    ) -> anyhow::Result<Self> {
        let (public, admin) = (local(free_port()), local(free_port()));
        let mut command = Command::new(program);
        command.arg("run").args(["--listen", &public.to_string(), "--admin-listen", &admin.to_string()]);
        command.args(["--nats-url", nats]);
        arguments(&mut command);
        let begun = Instant::now();
        let mut process = Process::start("hookgate", folder, &mut command);
        loop {
            if let Some(status) = process.exited() {
                bail!("hookgate ended ({status}): {}", process.log());
            }
            if ask(admin, "/readyz").await.is_some_and(|status| status == 200) {
                return Ok(Self { process, public, admin, started: begun.elapsed() });
            }
            if begun.elapsed() > Duration::from_secs(60) {
                bail!("hookgate is not ready: {}", process.log());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// A port of this machine.
pub fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// The status of an answer to a GET over a connection of its own; nothing where nobody answers.
pub async fn ask(to: SocketAddr, path: &str) -> Option<u16> {
    let mut stream = TcpStream::connect(to).await.ok()?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok()?;
    std::str::from_utf8(answer.get(9..12)?).ok()?.parse().ok()
}

/// How much processor time a process has had.
pub fn processor_time(pid: u32) -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // proc(5): utime and stime are the fields 14 and 15; the name in field 2 may hold spaces.
    let fields: Vec<&str> = stat.rsplit_once(')').context("no name in stat")?.1.split_whitespace().collect();
    let ticks = |at: usize| anyhow::Ok(fields.get(at - 3).context("a short stat")?.parse::<u32>()?);
    Ok(TICK * (ticks(14)? + ticks(15)?))
}

/// How much memory a process has, in MB.
pub fn memory(pid: u32) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim_end_matches("kB").trim().parse::<f64>()? / 1024.0)
}

/// The value below which this share of them lies.
pub fn quantile(values: &[f64], share: f64) -> f64 {
    let mut values = values.to_vec();
    values.sort_unstable_by(f64::total_cmp);
    let at = (values.len() as f64 * share) as usize;
    values.get(at.min(values.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}

/// The middle one.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    quantile(&values.into_iter().collect::<Vec<_>>(), 0.5)
}

//! The metrics of the process itself, read from `/proc/self` when somebody asks; absent on systems without it.
//!
//! Names and meanings are those of the Prometheus client libraries ("process metrics" in their guidelines).

use std::fmt;
use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// USER_HZ: the unit of the times in `stat`, 100 on every architecture that Linux runs on today (proc_pid_stat(5)).
const TICKS: f64 = 100.0;

/// Reads `/proc/self` on every scrape.
#[derive(Debug)]
pub(super) struct Process;

impl Collector for Process {
    fn encode(&self, mut to: DescriptorEncoder<'_>) -> fmt::Result {
        if let Some((cpu, start)) = times() {
            counter(&mut to, "process_cpu_seconds", "User and system time", cpu)?;
            gauge(&mut to, "process_start_time_seconds", "Start of the process in Unix time", start)?;
        }
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let kib = |name| field(&status, name).map(|kib| kib * 1024.0);
        for (name, help, value) in [
            ("process_resident_memory_bytes", "Resident memory", kib("VmRSS:")),
            ("process_virtual_memory_bytes", "Virtual memory", kib("VmSize:")),
            ("process_threads", "Threads", field(&status, "Threads:")),
            ("process_open_fds", "Open file descriptors", open_files()),
            ("process_max_fds", "Largest number of open file descriptors", file_limit()),
        ] {
            if let Some(value) = value {
                gauge(&mut to, name, help, value)?;
            }
        }
        Ok(())
    }
}

fn gauge(to: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: f64) -> fmt::Result {
    let metric = ConstGauge::new(value);
    metric.encode(to.encode_descriptor(name, help, None, metric.metric_type())?)
}

fn counter(to: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: f64) -> fmt::Result {
    let metric = ConstCounter::new(value);
    metric.encode(to.encode_descriptor(name, help, None, metric.metric_type())?)
}

/// CPU seconds used, and the start in Unix seconds.
fn times() -> Option<(f64, f64)> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is the name in brackets, which may hold anything: count from its end (proc_pid_stat(5)).
    let fields: Vec<&str> = stat.get(stat.rfind(')')? + 2..)?.split(' ').collect();
    let ticks = |field: usize| fields.get(field - 3).and_then(|text| text.parse::<f64>().ok());
    let boot = field(&fs::read_to_string("/proc/stat").ok()?, "btime ")?;
    Some(((ticks(14)? + ticks(15)?) / TICKS, boot + ticks(22)? / TICKS))
}

/// The first number of the line that begins with `name`.
fn field(text: &str, name: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

fn open_files() -> Option<f64> {
    u32::try_from(fs::read_dir("/proc/self/fd").ok()?.count()).ok().map(f64::from)
}

fn file_limit() -> Option<f64> {
    field(&fs::read_to_string("/proc/self/limits").ok()?, "Max open files")
}

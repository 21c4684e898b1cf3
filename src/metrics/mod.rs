//! What is counted: one registry, bounded labels, handles resolved before the first request.
//!
//! Labels are namespace, source, provider and words of this module; never a path, an id or an error text. Nothing here
//! hashes a label on the request line: a source's counters are found once and kept beside its route.

mod histogram;
pub(crate) mod outcome;
pub(crate) mod process;
mod secret_ends;
pub(crate) mod source;

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

pub use histogram::Durations;
pub use outcome::{EventResult, Outcome, SourceStanding};
use secret_ends::SecretEnds;
use source::SourceLabels;
pub use source::SourceMetrics;

/// The media type of what [`Metrics::render`] writes.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Every metric of the process. Cloning shares them.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// Sets what is known elsewhere and is worth knowing only when somebody asks.
type Reading = Box<dyn FnMut(&Metrics) + Send>;

struct Inner {
    registry: Registry,
    readings: Mutex<Vec<Reading>>,
    families: source::Families,
    request_duration: Durations,
    publish_duration: Durations,
    sources: Family<StateLabel, Gauge>,
    spool_events: Gauge,
    spool_bytes: Gauge,
    spool_max_bytes: Gauge,
    spool_refused: Gauge,
    spool_oldest: Gauge<f64, AtomicU64>,
    guard_seconds: Gauge<f64, AtomicU64>,
    guard_missed: Counter,
    guard_republished: Counter,
    nats_connected: Gauge,
    nats_accounts_away: Gauge,
    route_swaps: Counter,
    is_leader: Gauge,
    connections: Gauge,
    unrouted: Arc<SourceMetrics>,
    secret_ends: SecretEnds,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabel {
    state: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// A registry with every metric in it.
    pub fn new() -> Self {
        let mut root = Registry::default();
        root.register_collector(Box::new(process::Process));
        let registry = root.sub_registry_with_prefix("hookgate");
        let families = source::Families::register(registry);
        let request_duration = Durations::default();
        registry.register(
            "request_duration_seconds",
            "From the head of a request to its answer",
            request_duration.clone(),
        );
        let publish_duration = Durations::default();
        registry.register(
            "publish_duration_seconds",
            "From a publish to its acknowledgement by JetStream",
            publish_duration.clone(),
        );
        let sources = Family::<StateLabel, Gauge>::default();
        registry.register("sources", "Sources that this replica knows", sources.clone());
        let spool_events = gauge(registry, "spool_events", "Events in the spool");
        let spool_bytes = gauge(registry, "spool_bytes", "Bytes of the spool");
        let spool_max_bytes = gauge(registry, "spool_max_bytes", "The most bytes that the spool may hold");
        let spool_refused = gauge(registry, "spool_refused_events", "Events that NATS refused for good");
        let spool_oldest = Gauge::<f64, AtomicU64>::default();
        registry.register("spool_oldest_seconds", "Age of the oldest event in the spool", spool_oldest.clone());
        let guard_seconds = Gauge::<f64, AtomicU64>::default();
        let help = "How far back everything that NATS acknowledged is remembered";
        registry.register("guard_seconds", help, guard_seconds.clone());
        let guard_missed = Counter::default();
        registry.register("guard_missed", "Acknowledged events that were not remembered", guard_missed.clone());
        let guard_republished = Counter::default();
        let help = "Events that a stream had forgotten and was given again";
        registry.register("guard_republished", help, guard_republished.clone());
        let nats_connected = gauge(registry, "nats_connected", "1 while NATS is connected");
        let nats_accounts_away =
            gauge(registry, "nats_accounts_away", "Logins of --nats-account that are without a connection");
        let route_swaps = Counter::default();
        registry.register("route_swaps", "Replacements of the route table", route_swaps.clone());
        let is_leader = gauge(registry, "is_leader", "1 while this replica holds the Lease");
        let connections = gauge(registry, "connections", "Open connections of the receiver");
        let secret_ends = SecretEnds::default();
        registry.register_collector(Box::new(secret_ends.clone()));
        let unrouted = families.source("", "", "");
        Self(Arc::new(Inner {
            registry: root,
            readings: Mutex::default(),
            families,
            request_duration,
            publish_duration,
            sources,
            spool_events,
            spool_bytes,
            spool_max_bytes,
            spool_refused,
            spool_oldest,
            guard_seconds,
            guard_missed,
            guard_republished,
            nats_connected,
            nats_accounts_away,
            route_swaps,
            is_leader,
            connections,
            unrouted,
            secret_ends,
        }))
    }

    /// The counters of a source. They are the same for as long as anybody holds them, and leave the registry with the
    /// last holder: a deleted source leaves no series behind.
    pub fn source(&self, namespace: &str, source: &str, provider: &str) -> Arc<SourceMetrics> {
        self.0.families.source(namespace, source, provider)
    }

    /// The counters of requests that no source claims; their labels are empty.
    pub fn unrouted(&self) -> &Arc<SourceMetrics> {
        &self.0.unrouted
    }

    /// `hookgate_request_duration_seconds`.
    pub fn request_duration(&self) -> &Durations {
        &self.0.request_duration
    }

    /// `hookgate_publish_duration_seconds`.
    pub fn publish_duration(&self) -> &Durations {
        &self.0.publish_duration
    }

    /// `hookgate_sources{state}`.
    pub fn sources(&self, state: SourceStanding) -> Gauge {
        self.0.sources.get_or_create_owned(&StateLabel { state: state.as_str() })
    }

    /// `hookgate_spool_events`.
    pub fn spool_events(&self) -> &Gauge {
        &self.0.spool_events
    }

    /// `hookgate_spool_bytes`.
    pub fn spool_bytes(&self) -> &Gauge {
        &self.0.spool_bytes
    }

    /// `hookgate_spool_max_bytes`: 0 without a spool.
    pub fn spool_max_bytes(&self) -> &Gauge {
        &self.0.spool_max_bytes
    }

    /// `hookgate_spool_refused_events`: what lies in `refused/`.
    pub fn spool_refused(&self) -> &Gauge {
        &self.0.spool_refused
    }

    /// `hookgate_spool_oldest_seconds`.
    pub fn spool_oldest(&self) -> &Gauge<f64, AtomicU64> {
        &self.0.spool_oldest
    }

    /// `hookgate_guard_seconds`.
    pub fn guard_seconds(&self) -> &Gauge<f64, AtomicU64> {
        &self.0.guard_seconds
    }

    /// `hookgate_guard_missed_total`.
    pub fn guard_missed(&self) -> &Counter {
        &self.0.guard_missed
    }

    /// `hookgate_guard_republished_total`.
    pub fn guard_republished(&self) -> &Counter {
        &self.0.guard_republished
    }

    /// `hookgate_nats_accounts_away`: logins beside the default one.
    pub fn nats_accounts_away(&self) -> &Gauge {
        &self.0.nats_accounts_away
    }

    /// `hookgate_nats_connected`: 0 or 1.
    pub fn nats_connected(&self) -> &Gauge {
        &self.0.nats_connected
    }

    /// `hookgate_route_swaps_total`.
    pub fn route_swaps(&self) -> &Counter {
        &self.0.route_swaps
    }

    /// `hookgate_is_leader`: 0 or 1.
    pub fn is_leader(&self) -> &Gauge {
        &self.0.is_leader
    }

    /// `hookgate_connections`: open connections of the receiver.
    pub fn connections(&self) -> &Gauge {
        &self.0.connections
    }

    /// `hookgate_secret_expires_seconds`: namespace, name and provider of sources that will have, or have, no live secret of a
    /// purpose, and from when on.
    pub fn tell_secret_ends(&self, ends: impl IntoIterator<Item = ((String, String, String), Timestamp)>) {
        let labelled = |(key, at)| (SourceLabels::of(key), at);
        self.0.secret_ends.replace(ends.into_iter().map(labelled).collect());
    }

    /// Reads what others know before each answer of [`Metrics::render`]: a gauge that was set a second ago tells of a spool
    /// that is empty no more.
    pub fn read_with(&self, reading: impl FnMut(&Metrics) + Send + 'static) {
        self.0.readings.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(reading));
    }

    /// Every metric in the OpenMetrics text format.
    ///
    /// # Errors
    /// Only when a collector's formatting fails.
    pub fn render(&self) -> Result<String, fmt::Error> {
        for reading in self.0.readings.lock().unwrap_or_else(PoisonError::into_inner).iter_mut() {
            reading(self);
        }
        let mut text = String::with_capacity(16 << 10);
        encode(&mut text, &self.0.registry)?;
        Ok(text)
    }
}

fn gauge(registry: &mut Registry, name: &str, help: &str) -> Gauge {
    let gauge = Gauge::default();
    registry.register(name, help, gauge.clone());
    gauge
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_know_is_read_when_somebody_asks() {
        let metrics = Metrics::new();
        let mut asked = 0;
        metrics.read_with(move |metrics| {
            asked += 1;
            metrics.spool_events().set(asked);
        });
        for events in 1..3 {
            let text = metrics.render().unwrap();
            assert!(text.contains(&format!("hookgate_spool_events {events}\n")), "{text}");
        }
    }

    #[test]
    fn every_metric_of_the_contract_is_there_under_its_name() {
        let metrics = Metrics::new();
        let calls = metrics.source("sales", "calls", "xosum");
        calls.count(Outcome::Accepted);
        calls.count_events(EventResult::Stored, 2);
        metrics.sources(SourceStanding::Serving).set(1);
        metrics.request_duration().observe(std::time::Duration::from_millis(2));
        metrics.publish_duration().observe(std::time::Duration::from_millis(1));
        let text = metrics.render().unwrap();
        for line in [
            "hookgate_requests_total{namespace=\"sales\",source=\"calls\",provider=\"xosum\",outcome=\"Accepted\"} 1",
            "hookgate_events_total{namespace=\"sales\",source=\"calls\",provider=\"xosum\",result=\"stored\"} 2",
            "hookgate_request_duration_seconds_count 1",
            "hookgate_publish_duration_seconds_count 1",
            "hookgate_sources{state=\"serving\"} 1",
            "hookgate_spool_events 0",
            "hookgate_spool_bytes 0",
            "hookgate_spool_oldest_seconds 0.0",
            "hookgate_guard_seconds 0.0",
            "hookgate_guard_missed_total 0",
            "hookgate_guard_republished_total 0",
            "hookgate_nats_connected 0",
            "hookgate_route_swaps_total 0",
            "hookgate_is_leader 0",
        ] {
            assert!(text.lines().any(|l| l == line), "no line {line:?} in\n{text}");
        }
        for process in ["process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds"] {
            assert!(text.lines().any(|l| l.starts_with(process)), "no {process} in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn how_long_secrets_last_is_told_at_the_moment() {
        let metrics = Metrics::new();
        assert!(!metrics.render().unwrap().contains("secret_expires"));
        let calls = ("sales".to_owned(), "calls".to_owned(), "xosum".to_owned());
        metrics.tell_secret_ends([(calls, Timestamp::now() + jiff::SignedDuration::from_hours(1))]);
        let text = metrics.render().unwrap();
        let head = "hookgate_secret_expires_seconds{namespace=\"sales\",source=\"calls\",provider=\"xosum\"} ";
        let value: i64 = text.lines().find_map(|line| line.strip_prefix(head)).expect("the gauge").parse().unwrap();
        assert!((3590..=3600).contains(&value), "{value}");
        metrics.tell_secret_ends([]);
        assert!(!metrics.render().unwrap().contains("secret_expires"), "a series outlived its source");
    }

    #[test]
    fn a_deleted_source_leaves_no_series_and_a_recompiled_one_keeps_its_counts() {
        let metrics = Metrics::new();
        let first = metrics.source("sales", "calls", "xosum");
        first.count(Outcome::Accepted);
        let second = metrics.source("sales", "calls", "xosum");
        drop(first);
        second.count(Outcome::Accepted);
        assert!(metrics.render().unwrap().contains("outcome=\"Accepted\"} 2"));
        drop(second);
        assert!(!metrics.render().unwrap().contains("calls"), "a series outlived its source");
        metrics.source("sales", "calls", "xosum").count(Outcome::NotFound);
    }
}

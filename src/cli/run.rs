//! `hookgate run`: the operator. Flags become the settings of the parts; `app` puts them together.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use ipnet::IpNet;

use super::flags;
use super::nats::NatsArgs;
use super::policy::{Bounds, Policy};
use crate::account::{Account, AccountError, Accounts};
use crate::control::selector::{Selector, selector};
use crate::control::settings::{Settings, SpoolSetting};
use crate::deliver::spool::MARKER;
use crate::deliver::{GuardOptions, Options as DeliveryOptions, StreamOptions};
use crate::metrics::Metrics;
use crate::receive::client::TrustedProxies;
use crate::receive::handle::Options as ReceiverOptions;
use crate::receive::memory;
use crate::receive::settings::Settings as ListenSettings;
use crate::route::Sources;
use crate::route::bounds;

/// Arguments of `run`. Every flag has a twin in the environment.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Serve the manifests of a file or folder, without Kubernetes; read again when they change
    #[arg(long, env = "HOOKGATE_MANIFESTS", value_name = "PATH")]
    pub manifests: Option<PathBuf>,
    /// The public port
    #[arg(long, env = "HOOKGATE_LISTEN", default_value = "0.0.0.0:8080", value_parser = flags::address)]
    pub listen: SocketAddr,
    /// The port of probes, metrics and routes; never reachable from outside
    #[arg(long, env = "HOOKGATE_ADMIN_LISTEN", default_value = "0.0.0.0:9090", value_parser = flags::address)]
    pub admin_listen: SocketAddr,
    /// The public address of the receiver, for URLs in status
    #[arg(long, env = "HOOKGATE_BASE_URL", value_name = "URL", value_parser = flags::base_url)]
    base_url: Option<String>,
    /// What ce-source begins with
    #[arg(long, env = "HOOKGATE_SOURCE_BASE", default_value = "", value_name = "URI", value_parser = flags::uri_base)]
    source_base: String,
    /// Serve only what stands in this namespace (repeatable). Default: all
    #[arg(long = "namespace", env = "HOOKGATE_NAMESPACE", value_delimiter = ',', value_parser = flags::text)]
    namespaces: Vec<String>,
    /// Read only Secrets of this name (repeatable), each by a watch of its own, so that rights to these suffice. Default: all
    #[arg(long = "secret-name", env = "HOOKGATE_SECRET_NAME", value_delimiter = ',', value_name = "NAME", value_parser = flags::text)]
    secret_names: Vec<String>,
    /// Serve only sources with these labels
    #[arg(long, env = "HOOKGATE_SELECTOR", value_parser = selector)]
    selector: Option<Selector>,
    /// The namespace of the Lease. Default: the pod's
    #[arg(long, env = "HOOKGATE_LEASE_NAMESPACE", value_name = "NAMESPACE")]
    pub lease_namespace: Option<String>,
    #[command(flatten)]
    nats: NatsArgs,
    /// Namespaces that publish with a login of their own, and its credentials file, such as sales,shop-*=/etc/nats/sales.creds
    /// (repeatable; in the environment separated by `;`): the first that matches counts, the others have the default login
    #[arg(long = "nats-account", env = "HOOKGATE_NATS_ACCOUNT", value_delimiter = ';', value_name = "GLOBS=FILE")]
    nats_accounts: Vec<Account>,
    #[command(flatten)]
    stream: Stream,
    #[command(flatten)]
    claim: Claim,
    /// Where events wait while NATS is away
    #[command(flatten)]
    pub spool: Spool,
    #[command(flatten)]
    guard: Guard,
    #[command(flatten)]
    policy: Policy,
    /// What bounds every source
    #[command(flatten)]
    pub bounds: Bounds,
    /// Serve TLS with this certificate chain, PEM; read again when it changes
    #[arg(long, env = "HOOKGATE_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Its private key, PEM
    #[arg(long, env = "HOOKGATE_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Networks of proxies whose X-Forwarded-For counts (repeatable)
    #[arg(long, env = "HOOKGATE_TRUSTED_PROXIES", value_delimiter = ',', value_name = "CIDR", value_parser = flags::network)]
    trusted_proxies: Vec<IpNet>,
    /// Open connections; beyond them the oldest idle one of the address that holds most gives way
    #[arg(long, env = "HOOKGATE_MAX_CONNECTIONS", default_value_t = ListenSettings::default().connections, value_name = "N", value_parser = flags::count)]
    max_connections: usize,
    /// Anonymous memory, which is held by closing connections. Default: the limit of the cgroup, less a quarter; 0: none
    #[arg(long, env = "HOOKGATE_MEMORY_LIMIT", value_name = "SIZE", value_parser = flags::memory)]
    memory_limit: Option<u64>,
    /// Speak HTTP/2 without TLS too, to clients and proxies that begin with it
    #[arg(long, env = "HOOKGATE_H2C", default_value = "false", value_parser = flags::truth, num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set)]
    h2c: bool,
    /// Let senders decide whether their trace is sampled
    #[arg(long, env = "HOOKGATE_TRUST_TRACE", default_value = "false", value_parser = flags::truth, num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set)]
    trust_trace: bool,
    /// Networks that may be fetched from although they are not public (repeatable)
    #[arg(long, env = "HOOKGATE_FETCH_ALLOW_CIDR", value_delimiter = ',', value_name = "CIDR", value_parser = flags::network)]
    pub fetch_allow_cidr: Vec<IpNet>,
    /// How long to go on accepting after SIGTERM, while load balancers learn of it
    #[arg(long, env = "HOOKGATE_DRAIN_DELAY", default_value = "0s", value_parser = flags::duration)]
    pub drain_delay: Duration,
    /// How to log
    #[arg(long, env = "HOOKGATE_LOG_FORMAT", value_enum, default_value_t)]
    pub log_format: LogFormat,
}

/// How to log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// What happens to events that are too large for a message.
#[derive(Debug, clap::Args)]
pub(super) struct Claim {
    /// What is too large for a message of NATS is stored in the object store hookgate-NAMESPACE, and the event refers to it;
    /// off: answered 413
    #[arg(long, env = "HOOKGATE_CLAIM_CHECK", value_enum, default_value_t)]
    claim_check: Switch,
}

/// On or off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Switch {
    #[default]
    #[value(aliases = ["true", "1"])]
    On,
    #[value(aliases = ["false", "0"])]
    Off,
}

impl Claim {
    /// Whether it is on.
    pub(super) fn is_on(&self) -> bool {
        self.claim_check == Switch::On
    }
}

#[derive(Debug, clap::Args)]
struct Stream {
    /// The stream to make sure of; empty leaves all streams to you
    #[arg(long, env = "HOOKGATE_STREAM", default_value = "WEBHOOKS", value_parser = flags::stream)]
    stream: String,
    /// Its replicas, where it is created
    #[arg(long, env = "HOOKGATE_STREAM_REPLICAS", default_value_t = 1)]
    stream_replicas: usize,
    /// Its duplicate window, where it is created
    #[arg(long, env = "HOOKGATE_DUPLICATE_WINDOW", default_value = "1h", value_parser = flags::duration)]
    duplicate_window: Duration,
    /// How long it keeps events, where it is created
    #[arg(long, env = "HOOKGATE_STREAM_MAX_AGE", default_value = "7d", value_parser = flags::duration)]
    stream_max_age: Duration,
    /// Count streams in memory as durable: what they hold ends with the server
    #[arg(long, env = "HOOKGATE_ALLOW_MEMORY_STREAMS", default_value = "false", value_parser = flags::truth, num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set)]
    allow_memory_streams: bool,
}

/// Where events wait while NATS is away.
#[derive(Clone, Debug, clap::Args)]
pub struct Spool {
    /// Keep events in this folder while NATS does not take them. Its disk must outlive the pod: `hookgate spool init
    /// --persistent` marks such a one
    #[arg(long, env = "HOOKGATE_SPOOL_DIR", value_name = "FOLDER")]
    pub spool_dir: Option<PathBuf>,
    /// The most bytes that it may hold
    #[arg(long, env = "HOOKGATE_SPOOL_MAX_BYTES", default_value = "1Gi", value_parser = flags::size)]
    pub spool_max_bytes: u64,
    /// Count a folder that may end with the pod: what lies in it is then lost with the pod
    #[arg(long, env = "HOOKGATE_SPOOL_VOLATILE", default_value = "false", value_parser = flags::truth, num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub spool_volatile: bool,
}

/// What is remembered of what NATS acknowledged.
#[derive(Clone, Debug, clap::Args)]
struct Guard {
    /// How long acknowledged events are remembered, to be published again to a stream that forgot them: longer than the
    /// servers' sync_interval. 0: not at all
    #[arg(long, env = "HOOKGATE_GUARD_WINDOW", default_value = "3m", value_parser = flags::duration_or_none)]
    guard_window: Duration,
    /// The most memory for them. Beside a spool they lie on its disk: there a quarter of --spool-max-bytes, where that is more
    #[arg(long, env = "HOOKGATE_GUARD_MAX_BYTES", default_value = "32Mi", value_parser = flags::size)]
    guard_max_bytes: u64,
}

impl Spool {
    /// What it is worth to the control line.
    pub fn setting(&self) -> SpoolSetting {
        match &self.spool_dir {
            Some(folder) if folder.join(MARKER).exists() => SpoolSetting::Lasting,
            Some(_) if self.spool_volatile => SpoolSetting::Volatile,
            _ => SpoolSetting::Absent,
        }
    }
}

impl Args {
    /// The settings of the control line.
    ///
    /// # Errors
    /// A policy that is none.
    pub fn settings(&self, metrics: Metrics) -> anyhow::Result<Settings> {
        Ok(Settings {
            namespaces: self.namespaces.clone(),
            secret_names: self.secret_names.iter().cloned().collect(),
            selector: self.selector.clone().unwrap_or_default(),
            base_url: self.base_url.clone(),
            source_base: self.source_base.clone(),
            allow_memory_streams: self.stream.allow_memory_streams,
            spool: self.spool.setting(),
            guard_window: self.guard.guard_window,
            accounts: self.accounts()?,
            sources: Sources::new(metrics),
            ..self.bounds.settings(self.policy.settings()?)
        })
    }

    /// Whether events are refused that are too large for a message.
    pub fn refuses_large(&self) -> bool {
        !self.claim.is_on()
    }

    /// The logins beside the default one.
    ///
    /// # Errors
    /// Where there are too many, or two are one.
    pub fn accounts(&self) -> Result<Accounts, AccountError> {
        Accounts::new(self.nats_accounts.clone())
    }

    /// The options of delivery with a login of its own.
    ///
    /// # Errors
    /// A policy that is none.
    pub fn delivery_of(&self, account: &Account) -> anyhow::Result<DeliveryOptions> {
        Ok(DeliveryOptions { nats: self.nats.options_of(account), ..self.delivery()? })
    }

    /// The options of delivery.
    ///
    /// # Errors
    /// A policy that is none.
    pub fn delivery(&self) -> anyhow::Result<DeliveryOptions> {
        let stream = StreamOptions {
            subjects: self.policy.subjects()?.stream_subjects(),
            name: (!self.stream.stream.is_empty()).then(|| self.stream.stream.clone()),
            replicas: self.stream.stream_replicas,
            duplicate_window: self.stream.duplicate_window,
            max_age: self.stream.stream_max_age,
            allow_memory: self.stream.allow_memory_streams,
        };
        let claim_check = self.claim.is_on();
        let guard_window = self.guard.guard_window;
        let max_in_flight = bounds::PUBLISHES;
        Ok(DeliveryOptions {
            stream,
            claim_check,
            guard_window,
            max_in_flight,
            ..DeliveryOptions::new(self.nats.options())
        })
    }

    /// What is remembered of what NATS acknowledged.
    pub fn guard(&self) -> GuardOptions {
        let max_bytes = match self.spool.setting() {
            SpoolSetting::Absent => self.guard.guard_max_bytes,
            SpoolSetting::Lasting | SpoolSetting::Volatile => {
                self.guard.guard_max_bytes.max(self.spool.spool_max_bytes / 4)
            }
        };
        GuardOptions { window: self.guard.guard_window, max_bytes }
    }

    /// The settings of the public port.
    pub fn listener(&self) -> ListenSettings {
        let defaults = ListenSettings::default();
        let memory = self.memory_limit.or_else(memory::cgroup_limit).filter(|limit| *limit > 0);
        ListenSettings {
            connections: self.max_connections,
            // Held at once, where memory is looked at now and then.
            heads: memory.map_or(defaults.heads, |limit| defaults.heads.min(limit / 4)),
            memory,
            h2c: self.h2c,
            proxies: TrustedProxies::new(self.trusted_proxies.clone()),
            ..defaults
        }
    }

    /// The options of the receiver.
    pub fn receiver(&self) -> ReceiverOptions {
        ReceiverOptions {
            proxies: TrustedProxies::new(self.trusted_proxies.clone()),
            trust_trace: self.trust_trace,
            body_bytes: ReceiverOptions::default().body_bytes.max(self.bounds.max_body_size.saturating_mul(2)),
            ..ReceiverOptions::default()
        }
    }
}

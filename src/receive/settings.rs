//! Times and bounds of a port.

use std::time::Duration;

use super::client::TrustedProxies;

/// Times and bounds of the public port.
#[derive(Clone, Debug)]
pub struct Settings {
    /// From the first byte of a head to its last, and from a connection to its first byte.
    pub header_timeout: Duration,
    /// How long a connection may be without a request. Longer than the 60 s of common load balancers, which otherwise
    /// send into a connection that is being closed.
    pub idle: Duration,
    /// After this time, a tenth more or less, a connection is asked to end, so that load spreads to new replicas.
    pub max_age: Duration,
    /// How long a TLS handshake may take.
    pub tls_timeout: Duration,
    /// How long an answer may wait for its client to take it.
    pub answer_timeout: Duration,
    /// Open connections; beyond them the oldest idle one of the address that holds most gives way.
    pub connections: usize,
    /// Bytes of unfinished heads, of all connections together.
    pub heads: u64,
    /// HTTP/2 is spoken without TLS, to clients that begin with it.
    pub h2c: bool,
    /// Addresses that stand for many clients, and give way last.
    pub proxies: TrustedProxies,
    /// Anonymous memory of the process in bytes, from which on connections are closed to give some back.
    pub memory: Option<u64>,
    /// While the port stops: how long an idle client may still send a request.
    pub linger: Duration,
    /// While the port stops: how long requests may take before they are cut.
    pub drain: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            max_age: Duration::from_secs(15 * 60),
            tls_timeout: Duration::from_secs(10),
            answer_timeout: Duration::from_secs(10),
            connections: 8192,
            heads: 32 << 20,
            h2c: false,
            proxies: TrustedProxies::default(),
            memory: None,
            linger: Duration::from_secs(2),
            drain: Duration::from_secs(25),
        }
    }
}

impl Settings {
    /// The age at which one connection is asked to end.
    pub(super) fn age(&self) -> Duration {
        // Any spread will do: what matters is that connections of one moment do not end in one moment.
        self.max_age.mul_f64(0.9 + fastrand::f64() / 5.0)
    }
}

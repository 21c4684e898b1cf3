//! What a source claims of the public port: hosts and a path.

use std::sync::Arc;

use jiff::Timestamp;

use super::state::SourceState;

/// The path of a source: what it writes, else `/{namespace}/{name}`.
pub fn claim_path(written: Option<&str>, namespace: &str, name: &str) -> String {
    written.map_or_else(|| format!("/{namespace}/{name}"), str::to_owned)
}

/// A host that a source claims, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Host {
    /// Every host that no other source of the same path claims by name.
    Any,
    /// Exactly this name.
    Exact(Box<str>),
    /// Every name of one more label than this parent: `*.example.com` is `Wildcard("example.com")`.
    Wildcard(Box<str>),
}

impl Host {
    /// Reads a valid entry of `spec.hostnames`.
    pub fn parse(text: &str) -> Self {
        let lower = text.to_ascii_lowercase();
        match lower.strip_prefix("*.") {
            Some(parent) => Self::Wildcard(parent.into()),
            None => Self::Exact(lower.into()),
        }
    }

    /// Reads `spec.hostnames`; none means any host.
    pub fn parse_all<T: AsRef<str>>(hostnames: &[T]) -> Vec<Self> {
        match hostnames {
            [] => vec![Self::Any],
            names => names.iter().map(|name| Self::parse(name.as_ref())).collect(),
        }
    }
}

impl std::fmt::Display for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Any => f.write_str("any host"),
            Self::Exact(name) => f.write_str(name),
            Self::Wildcard(parent) => write!(f, "*.{parent}"),
        }
    }
}

/// A source and what it claims, whether or not anything of it can be served.
#[derive(Clone, Debug)]
pub struct Claim {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// Its uid, which begins every `Nats-Msg-Id`.
    pub uid: Arc<str>,
    /// The provider as the spec names it.
    pub provider: Arc<str>,
    /// The hosts, at least one.
    pub hosts: Vec<Host>,
    /// The path, byte for byte as requests must have it.
    pub path: String,
    /// Since when: the older of two claims wins.
    pub created: Timestamp,
    /// What changes about it.
    pub state: Arc<SourceState>,
    /// It was served once, by some replica. What never was holds no path against another.
    pub held: bool,
}

impl Claim {
    /// What decides a conflict: the smaller wins.
    pub(super) fn seniority(&self) -> (bool, Timestamp, &str, &str) {
        (!self.held, self.created, &self.namespace, &self.name)
    }
}

//! What the flags of `run` say to the control line. Constant while the process lives.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kube::core::{Selector, SelectorExt as _};

use super::index::Scope;
use super::policy::PathPolicy;
use super::quota::Quota;
use crate::account::Accounts;
use crate::metrics::Metrics;
use crate::route::Sources;
use crate::route::subject::SubjectPolicy;

/// The operator's settings as far as they decide what is served.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The namespaces that are watched. Empty: all.
    pub namespaces: Vec<String>,
    /// The names of Secrets that may be read, whatever their namespace. Empty: all.
    pub secret_names: BTreeSet<String>,
    /// The labels of sources that are served. Empty: any.
    pub selector: Selector,
    /// The public URL of the receiver without a trailing `/`, where it is known.
    pub base_url: Option<String>,
    /// The beginning of `ce-source`. Empty by default.
    pub source_base: String,
    /// The subjects that namespaces may publish on.
    pub subject_policy: SubjectPolicy,
    /// Which namespaces publish with a login of their own.
    pub accounts: Accounts,
    /// Path patterns of which one must match the path of a source.
    pub path_policies: Vec<PathPolicy>,
    /// Streams in memory count as durable.
    pub allow_memory_streams: bool,
    /// Where events wait while NATS is away.
    pub spool: SpoolSetting,
    /// How long acknowledged events are remembered, for streams that forget them; zero: not at all.
    pub guard_window: Duration,
    /// No source may take larger bodies than this, in bytes.
    pub max_body_size: u64,
    /// What one namespace may have.
    pub namespace_quota: Quota,
    /// What changes about sources, which outlives their routes.
    pub sources: Sources,
    /// Methods may fetch the vendor's public keys.
    pub fetch: bool,
}

/// Where events wait while NATS is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpoolSetting {
    /// Nowhere: requests are answered 503.
    Absent,
    /// On a disk that ends with the pod, which `--spool-volatile` allows.
    Volatile,
    /// On a disk that outlives the pod.
    Lasting,
}

impl Settings {
    /// The lists that are watched.
    pub(crate) fn scopes(&self) -> Vec<Scope> {
        match self.namespaces.as_slice() {
            [] => vec![Scope::All],
            some => some.iter().map(|namespace| Scope::Namespace(namespace.clone())).collect(),
        }
    }

    /// The lists of Secrets that are watched: of each name one, where names are given, so that rights to these suffice.
    pub(crate) fn secret_scopes(&self) -> Vec<Scope> {
        let scopes = self.scopes();
        if self.secret_names.is_empty() {
            return scopes;
        }
        let named = |scope: &Scope| {
            self.secret_names.iter().map(|name| Scope::Named(Box::new(scope.clone()), name.clone())).collect::<Vec<_>>()
        };
        scopes.iter().flat_map(named).collect()
    }

    /// Whether a source of this namespace, with these labels, is ours. An API server is asked for no others.
    pub(crate) fn selects(&self, namespace: &str, labels: &BTreeMap<String, String>) -> bool {
        (self.namespaces.is_empty() || self.namespaces.iter().any(|ours| ours == namespace))
            && self.selector.matches(labels)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            namespaces: Vec::new(),
            secret_names: BTreeSet::new(),
            selector: Selector::default(),
            base_url: None,
            source_base: String::new(),
            subject_policy: SubjectPolicy::default(),
            accounts: Accounts::default(),
            path_policies: vec![PathPolicy::default()],
            allow_memory_streams: false,
            spool: SpoolSetting::Absent,
            guard_window: Duration::ZERO,
            max_body_size: 32 << 20,
            namespace_quota: Quota::default(),
            sources: Sources::new(Metrics::new()),
            fetch: true,
        }
    }
}

impl Settings {
    /// Whether a source of `namespace` may claim `path`.
    pub fn allows_path(&self, namespace: &str, path: &str) -> bool {
        self.path_policies.iter().any(|policy| policy.allows(namespace, path))
    }
}

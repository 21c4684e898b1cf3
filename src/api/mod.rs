//! What users write: `WebhookSource` and `WebhookProvider`, their schemas and rules.
//!
//! Types carry no behaviour but validation; they know no client, no server and no NATS. Every bound
//! stands here once and reaches users through the CRDs (`crds/`) and `hookgate check` alike.
// The derive of the schema repeats each type within a function, where `pub` reaches nobody.
#![allow(unreachable_pub)]

pub(crate) mod condition;
pub mod crd;
pub(crate) mod duration;
pub(crate) mod extract;
pub(crate) mod last_good;
pub(crate) mod pattern;
pub mod provider;
pub(crate) mod quantity;
pub mod scheme;
pub mod source;
pub mod validate;

/// The API group of both resources.
pub const GROUP: &str = "hookgate.dev";
/// The version of both resources.
pub const VERSION: &str = "v1alpha1";
/// `apiVersion` as it stands in manifests.
pub const API_VERSION: &str = "hookgate.dev/v1alpha1";
/// The provider whose scheme the source itself carries.
pub const GENERIC: &str = "generic";

/// The two kinds of our API group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `WebhookSource`.
    Source,
    /// `WebhookProvider`.
    Provider,
}

impl Kind {
    /// As manifests write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Source => "WebhookSource",
            Self::Provider => "WebhookProvider",
        }
    }

    /// Whether objects of this kind live in a namespace.
    pub fn namespaced(self) -> bool {
        self == Self::Source
    }
}

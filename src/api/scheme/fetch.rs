//! Where keys are fetched from. Only providers may say it: no tenant's manifest makes the operator fetch anything.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::api::duration::DurationString;
use crate::api::pattern;

/// Where a public key, certificate or key set is fetched from: a fixed URL, or one that the request names and
/// `hosts` allows. Always https, never redirected, only to public addresses.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("[has(self.url), has(self.header), has(self.pointer), has(self.jku)].filter(x, x).size() == 1")
        .message("write exactly one of url, header, pointer or jku: where the address of the key stands"),
    validation = Rule::new("has(self.url) || has(self.jku) || (has(self.hosts) && self.hosts.size() > 0)")
        .message("an address that the request names needs hosts: which of them are the vendor's")
)]
pub struct KeyFetch {
    /// The fixed address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512), regex(pattern = pattern::HTTPS.signs))]
    pub url: Option<String>,
    /// The request header that names the address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128), regex(pattern = pattern::WORD.signs))]
    pub header: Option<String>,
    /// The JSON pointer of the body's member that names the address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), regex(pattern = pattern::POINTER.signs))]
    pub pointer: Option<String>,
    /// The addresses of which the header of a JSON Web Signature must name one in its `jku`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4), inner(length(max = 512), regex(pattern = pattern::HTTPS.signs)))]
    pub jku: Vec<String>,
    /// Regular expressions, of which one must match the whole host of an address that the request names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(min = 1, max = 256)))]
    pub hosts: Vec<String>,
    /// What the answer holds. Default: Certificate.
    #[serde(default)]
    pub format: FetchedFormat,
    /// The JSON pointer of the key inside a JSON answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), regex(pattern = pattern::POINTER.signs))]
    pub at: Option<String>,
    /// A JSON body to POST instead of a GET: `{kid}`, `{parameter:NAME}` and `{secret:PURPOSE}` are filled in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub post: Option<String>,
    /// How long an answer is used. Default: 1h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<DurationString>,
}

/// What a key server answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum FetchedFormat {
    /// An X.509 certificate, or a chain of them, in PEM.
    #[default]
    Certificate,
    /// A public key in PEM.
    PEM,
    /// A JSON Web Key Set (RFC 7517).
    JWKS,
    /// One JSON Web Key.
    JWK,
}

//! `WebhookSource`: one route, its proof and where its events go.

mod routing;
mod status;
mod verification;

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::duration::{DurationString, within};
use super::extract::SourceExtract;
use super::pattern::{self, NAME, NAME_SENTENCE};
use super::quantity::Size;

pub use routing::{DataShape, Events, Format, Routing, RoutingRule};
pub use status::{LastRejected, VerificationStatus, WebhookSourceStatus};
pub use verification::{CaptureSecretRef, SecretRef, Verification};

/// One vendor's webhooks on one path.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "hookgate.dev",
    version = "v1alpha1",
    kind = "WebhookSource",
    plural = "webhooksources",
    singular = "webhooksource",
    shortname = "whs",
    category = "hookgate",
    namespaced,
    status = "WebhookSourceStatus",
    derive = "PartialEq",
    doc = "A route of the receiver: which vendor sends to it, what proves a request, and where its events go on NATS.",
    printcolumn(name = "Provider", type_ = "string", json_path = ".spec.provider"),
    printcolumn(name = "URL", type_ = "string", json_path = ".status.url"),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Last-Event", type_ = "date", json_path = ".status.lastAcceptedTime"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new(NAME).message(NAME_SENTENCE)
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("self.provider != 'generic' || has(self.verification) && has(self.verification.method) && self.verification.method in ['hmac', 'token', 'basic', 'jwt', 'publicKey', 'none']")
        .message("provider generic needs verification.method: hmac, token, basic, jwt, publicKey or none"),
    validation = Rule::new("self.provider != 'generic' || !has(self.verification) || !has(self.verification.method) || (self.verification.method == 'hmac') == has(self.verification.hmac) && (self.verification.method == 'token') == has(self.verification.token) && (self.verification.method == 'jwt') == has(self.verification.jwt) && (self.verification.method == 'publicKey') == has(self.verification.publicKey) && (self.verification.method == 'basic' || !has(self.verification.basic)) && (self.verification.method == 'none' || !has(self.verification.none))")
        .message("provider generic takes the block named by verification.method, and no other"),
    validation = Rule::new("self.provider == 'generic' || !has(self.verification) || !(has(self.verification.hmac) || has(self.verification.token) || has(self.verification.basic) || has(self.verification.jwt) || has(self.verification.publicKey) || has(self.verification.none))")
        .message("only provider generic takes an inline scheme: name one of the provider's methods in verification.method"),
    validation = Rule::new("self.provider == 'generic' || !has(self.extract)")
        .message("only provider generic takes extract: the provider's definition says where type, id and time stand"),
    validation = Rule::new("self.provider == 'generic' || !has(self.verification) || !has(self.verification.method) || self.verification.method.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')")
        .message("verification.method is one of the provider's methods, in kebab-case: see `hookgate providers NAME`"),
    validation = Rule::new("self.provider != 'generic' || !has(self.verification) || !has(self.verification.method) || !(self.verification.method in ['hmac', 'token', 'jwt', 'publicKey']) || has(self.verification.secretRefs) && self.verification.secretRefs.size() > 0 && self.verification.secretRefs.all(r, !has(r.purpose))")
        .message("provider generic needs secretRefs that hold the key, without purpose"),
    validation = Rule::new("self.provider != 'generic' || !has(self.verification) || !has(self.verification.method) || self.verification.method != 'basic' || has(self.verification.secretRefs) && self.verification.secretRefs.size() > 0 && self.verification.secretRefs.all(r, has(r.purpose) && r.purpose in ['username', 'password'])")
        .message("method basic needs two secretRefs of one Secret, with the purposes username and password"),
    validation = Rule::new("self.provider != 'generic' || !has(self.verification) || !has(self.verification.method) || !(self.verification.method in ['token', 'basic', 'none']) || !has(self.verification.externalURL) && (!has(self.verification.parameters) || self.verification.parameters.size() == 0)")
        .message("externalURL and parameters have no meaning for methods token, basic and none: leave them out"),
    validation = Rule::new("self.provider != 'generic' || !has(self.verification) || !has(self.verification.captureSecretRef)")
        .message("provider generic has no handshake that delivers a secret: leave captureSecretRef out")
)]
pub struct WebhookSourceSpec {
    /// A built-in provider, a WebhookProvider of the cluster, or `generic`.
    #[schemars(length(min = 1, max = 63), regex(pattern = pattern::KEBAB.signs))]
    pub provider: String,
    /// The route answers 503 and publishes nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspend: bool,
    /// The path of the route, matched exactly. Default: `/<namespace>/<name>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), regex(pattern = pattern::PATH.signs))]
    #[x_kube(validation = Rule::new("!self.matches('/[.]{1,2}(/|$)')").message("path must not have the segments '.' or '..'"))]
    pub path: Option<String>,
    /// The hosts of the route; `*.` stands for one label. Default: any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 16),
        inner(
            length(min = 1, max = 253),
            regex(pattern = pattern::HOSTNAME.signs)
        )
    )]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub hostnames: Vec<String>,
    /// What proves a request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification: Option<Verification>,
    /// Where type, id, time and subject stand; provider `generic` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extract: Option<SourceExtract>,
    /// Which events are published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<Events>,
    /// Where events are published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routing: Option<Routing>,
    /// What counts as the same event, what happens while NATS is away, and how long a request may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<DeliverySpec>,
    /// What one replica takes from this source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// The answer to an accepted request. Default: the provider's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<Response>,
}

/// What counts as the same event, what happens while NATS is away, and how long a request may take.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeliverySpec {
    /// Keep events on disk or answer 503. Default: Spool where the vendor never retries, else Reject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "OnOutage")]
    pub on_outage: Option<OnOutage>,
    /// What counts as the same event. Default: the vendor's id, else what the provider's definition says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Deduplicate")]
    pub deduplicate: Option<Deduplicate>,
    /// From the complete request to the answer. Default: 80 % of the vendor's time-out, at most 5s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = within("100ms", "60s", "deadline must be from 100ms to 60s"))]
    pub deadline: Option<DurationString>,
}

/// What happens while NATS is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum OnOutage {
    /// Events are kept on disk.
    Spool,
    /// Requests are answered 503, so that the vendor sends them again.
    Reject,
}

/// What counts as the same event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum Deduplicate {
    /// What has the vendor's id.
    Id,
    /// What has the same bytes, JSON without the white space outside its strings.
    Content,
    /// Nothing: each request is an event of its own.
    None,
}

/// What one replica takes from this source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("!has(self.burst) || has(self.requestsPerSecond)")
        .message("burst is above a rate, and without requestsPerSecond there is none: write requestsPerSecond or leave burst out")
)]
pub struct Limits {
    /// The largest body. Default: the provider's, else 8Mi.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_body_size: Option<Size>,
    /// Proven requests a second. Default: any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub requests_per_second: Option<i32>,
    /// Proven requests at once above that rate. Default: twice the rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub burst: Option<i32>,
    /// Requests in work at one time. Default: 256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_in_flight: Option<i32>,
    /// The networks that may send. Default: all.
    #[serde(default, rename = "allowedCIDRs", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 49)))]
    #[x_kube(
        merge_strategy = ListMerge::Set,
        validation = Rule::new("self.all(c, isCIDR(c) && cidr(c).masked() == cidr(c))")
            .message("allowedCIDRs are networks such as 203.0.113.0/24 or 2001:db8::/32, without host bits")
    )]
    pub allowed_cidrs: Vec<String>,
}

/// The answer to an accepted request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("!has(self.status) || !(self.status in [204, 205]) || (!has(self.body) || self.body == '') && !has(self.contentType)")
        .message("status 204 and 205 have no body: leave body and contentType out or write another status")
)]
pub struct Response {
    /// The status. Default: 200.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 200, max = 299))]
    pub status: Option<i32>,
    /// The media type of the body: JSON, text or XML. Default: application/json.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 64),
        regex(pattern = pattern::MEDIA_TYPE.signs)
    )]
    pub content_type: Option<String>,
    /// The body, as it stands. Default: empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub body: Option<String>,
}

//! `WebhookSource`: one route, its proof and where its events go.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition as StatusCondition, Time};
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::duration::{DurationString, within};
use super::extract::SourceExtract;
use super::pattern;
use super::quantity::Size;
use super::scheme::{Basic, Hmac, Jwt, PublicKey, Token, Unproven};

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
    validation = Rule::new("self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$') && self.metadata.name.size() <= 63")
        .message("metadata.name must be a DNS label: lower-case letters, digits and '-', at most 63")
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
    /// What happens while NATS is away, and how long a request may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<DeliverySpec>,
    /// What one replica takes from this source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// The answer to an accepted request. Default: the provider's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<Response>,
}

/// What proves a request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("!has(self.method) || self.method != 'none' || !has(self.secretRefs) || self.secretRefs.size() == 0")
        .message("method none proves nothing: leave secretRefs out, or choose a method that uses them"),
    validation = Rule::new("!has(self.method) || self.method != 'none' || !has(self.tolerance)")
        .message("tolerance has no meaning for method none: leave it out"),
    validation = Rule::new("!has(self.tolerance) || !(has(self.token) || has(self.basic)) ")
        .message("tolerance has no meaning for token and basic, which carry no time: leave it out"),
    validation = Rule::new("!has(self.tolerance) || !has(self.hmac) || has(self.hmac.timestamp)")
        .message("tolerance needs hmac.timestamp: where the time of signing stands"),
    validation = Rule::new("!has(self.tolerance) || !has(self.publicKey) || has(self.publicKey.timestamp)")
        .message("tolerance needs publicKey.timestamp: where the time of signing stands"),
    validation = Rule::new("!has(self.method) || self.method != 'none' || !has(self.externalURL)")
        .message("externalURL has no meaning for method none, which signs nothing: leave it out"),
    validation = Rule::new("!(has(self.hmac) && has(self.hmac.timestamp) && has(self.hmac.timestamp.tolerance)) && !(has(self.publicKey) && has(self.publicKey.timestamp) && has(self.publicKey.timestamp.tolerance))")
        .message("timestamp.tolerance is for providers: write verification.tolerance"),
    validation = Rule::new("!has(self.externalURL) || !has(self.hmac) || self.hmac.content.contains('{url') || self.hmac.content.contains('{path}')")
        .message("externalURL has no meaning unless hmac.content holds {url} or {path}: leave it out or sign it"),
    validation = Rule::new("!has(self.externalURL) || !has(self.publicKey) || self.publicKey.content.contains('{url') || self.publicKey.content.contains('{path}')")
        .message("externalURL has no meaning unless publicKey.content holds {url} or {path}: leave it out or sign it"),
    validation = Rule::new("!has(self.externalURL) || !has(self.jwt) || has(self.jwt.bind) && self.jwt.bind.exists(b, b.of == 'URL')")
        .message("externalURL has no meaning unless jwt.bind binds the URL: leave it out or bind it"),
    validation = Rule::new("!has(self.publicKey) || !has(self.publicKey.fetch)").message("keys are fetched only by providers: write the key in a Secret and name it in secretRefs"),
    validation = Rule::new("!has(self.jwt) || !has(self.jwt.fetch)").message("keys are fetched only by providers: write the key in a Secret and name it in secretRefs")
)]
pub struct Verification {
    /// One of the provider's methods. Default: its first, but never `none`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub method: Option<String>,
    /// The Secrets that hold the keys; of one purpose any may match.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(
        merge_strategy = ListMerge::Map(vec!["name".into(), "key".into()]),
        validation = Rule::new("self.all(r, self.filter(s, (has(s.purpose) ? s.purpose : '') == (has(r.purpose) ? r.purpose : '')).size() <= 8)")
            .message("at most 8 secretRefs of one purpose"),
        validation = Rule::new("self.all(r, !has(r.purpose) || r.purpose != 'username' || self.exists(s, s.name == r.name && has(s.purpose) && s.purpose == 'password'))")
            .message("a secretRef of purpose username needs one of purpose password in the same Secret"),
        validation = Rule::new("self.all(r, !has(r.purpose) || r.purpose != 'password' || self.exists(s, s.name == r.name && has(s.purpose) && s.purpose == 'username'))")
            .message("a secretRef of purpose password needs one of purpose username in the same Secret"),
        validation = Rule::new("self.all(r, !has(r.purpose) || !(r.purpose in ['username', 'password']) || self.filter(s, s.name == r.name && has(s.purpose) && s.purpose == r.purpose).size() == 1)")
            .message("one Secret holds one username and one password: write a second pair in a Secret of its own")
    )]
    pub secret_refs: Vec<SecretRef>,
    /// How far a signed time may lie in the past or the future. Default: the vendor's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = within("1s", "24h", "tolerance must be from 1s to 24h"))]
    pub tolerance: Option<DurationString>,
    /// The public URL as the vendor knows it, for schemes that sign it; the query is appended as received.
    #[serde(default, rename = "externalURL", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048), regex(pattern = pattern::EXTERNAL_URL.signs))]
    pub external_url: Option<String>,
    /// What the provider's scheme needs and is no secret.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16), extend("additionalProperties" = {"type": "string", "minLength": 1, "maxLength": 1024}))]
    #[x_kube(validation = Rule::new("self.all(k, k.size() <= 63 && k.matches('^[A-Za-z][A-Za-z0-9-]*$'))").message("names of parameters are letters, digits and '-', at most 63"))]
    pub parameters: BTreeMap<String, String>,
    /// Where a secret that the vendor delivers in a handshake is written, once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capture_secret_ref: Option<CaptureSecretRef>,
    /// The scheme of method `hmac`; provider `generic` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hmac: Option<Hmac>,
    /// The scheme of method `token`; provider `generic` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Token>,
    /// The scheme of method `basic`; provider `generic` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basic: Option<Basic>,
    /// The scheme of method `jwt`; provider `generic` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwt: Option<Jwt>,
    /// The scheme of method `publicKey`; provider `generic` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<PublicKey>,
    /// The scheme of method `none`; provider `generic` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub none: Option<Unproven>,
}

/// A list passes the server's check of `date-time`, but no rule.
fn instant() -> kube::core::Rule {
    kube::core::Rule::new("self > timestamp('1000-01-01T00:00:00Z')").message(pattern::INSTANT.sentence)
}

/// One key of a Secret in the source's namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretRef {
    /// The Secret, in the namespace of the source.
    #[schemars(length(min = 1, max = 253), regex(pattern = pattern::SECRET_NAME.signs))]
    pub name: String,
    /// The key of the Secret whose value is used, less one final line break.
    #[schemars(length(min = 1, max = 253), regex(pattern = pattern::SECRET_KEY.signs))]
    pub key: String,
    /// What it is for, where a method needs several. Default: the signing secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = pattern::KEBAB.signs))]
    pub purpose: Option<String>,
    /// The instant from which it counts no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = pattern::INSTANT.signs))]
    #[x_kube(validation = instant())]
    pub not_after: Option<Time>,
}

/// Where a delivered secret is written: an existing Secret with the label `hookgate.dev/capture: allowed`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CaptureSecretRef {
    /// The Secret, in the namespace of the source.
    #[schemars(length(min = 1, max = 253), regex(pattern = pattern::SECRET_NAME.signs))]
    pub name: String,
    /// The key of the Secret, which must be absent until then.
    #[schemars(length(min = 1, max = 253), regex(pattern = pattern::SECRET_KEY.signs))]
    pub key: String,
    /// The instant from which nothing is captured any more.
    #[schemars(extend("pattern" = pattern::INSTANT.signs))]
    #[x_kube(validation = instant())]
    pub until: Time,
}

/// Which events are published.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Events {
    /// Globs on the event type after mapping. Default: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 128)))]
    pub include: Vec<String>,
    /// Globs on the event type after mapping; they win over `include`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 128)))]
    pub exclude: Vec<String>,
    /// A CEL expression over type, id, subject, time, source, namespace, provider and data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub filter: Option<String>,
}

/// Where events are published.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("!has(self.data) || self.data != 'Original' || !has(self.includeOriginal)")
        .message("includeOriginal has no meaning with data Original, which is the vendor's item itself: leave it out")
)]
pub struct Routing {
    /// The subject template. Default: `webhooks.{namespace}.{source}.{type}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 256),
        regex(
            pattern = pattern::SUBJECT.signs
        )
    )]
    #[x_kube(validation = Rule::new("!self.startsWith('_INBOX')").message("a subject must not begin with _INBOX"))]
    pub subject: Option<String>,
    /// Rules of which the first that matches names the subject.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub rules: Vec<RoutingRule>,
    /// The stream that must own every subject of this source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255), regex(pattern = pattern::WORD.signs))]
    pub stream: Option<String>,
    /// The CloudEvents content mode. Default: Binary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Format")]
    pub format: Option<Format>,
    /// What the payload is. Default: Normalized.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "DataShape")]
    pub data: Option<DataShape>,
    /// Keep the vendor's item under `original` in normalized data. Default: true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub include_original: Option<bool>,
}

/// A subject for some events.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("has(self.filter) || has(self.include) && self.include.size() > 0")
    .message("a rule needs include or filter: a rule for every event is routing.subject"))]
pub struct RoutingRule {
    /// Globs on the event type after mapping.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 128)))]
    pub include: Vec<String>,
    /// A CEL expression; an error is no match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub filter: Option<String>,
    /// The subject template.
    #[schemars(
        length(min = 1, max = 256),
        regex(
            pattern = pattern::SUBJECT.signs
        )
    )]
    #[x_kube(validation = Rule::new("!self.startsWith('_INBOX')").message("a subject must not begin with _INBOX"))]
    pub subject: String,
}

/// A CloudEvents content mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum Format {
    /// Attributes in headers, data in the payload.
    #[default]
    Binary,
    /// One JSON document with everything.
    Structured,
}

/// What the payload is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum DataShape {
    /// `conversation/v1` where the provider maps to it, else the vendor's item.
    #[default]
    Normalized,
    /// The vendor's item.
    Original,
}

/// What happens while NATS is away.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeliverySpec {
    /// Keep events on disk or answer 503. Default: Spool where the vendor never retries, else Reject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "OnOutage")]
    pub on_outage: Option<OnOutage>,
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

/// What one replica takes from this source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Limits {
    /// The largest body. Default: the provider's, else 1Mi.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_body_size: Option<Size>,
    /// Proven requests a second. Default: 100.
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

/// What the operator found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookSourceStatus {
    /// The generation that this status judges.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The generation that is served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub served_generation: Option<i64>,
    /// Where vendors send: a full URL when the operator knows its public base, else the path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The path that is served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What proves a request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification: Option<VerificationStatus>,
    /// When the last event was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_accepted_time: Option<Time>,
    /// The last request that was not accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_rejected: Option<LastRejected>,
    /// `Accepted`, `ResolvedRefs`, `Programmed`, `Ready`; `Stalled` only while the owner must edit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<StatusCondition>,
}

/// What proves a request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct VerificationStatus {
    /// The method in force.
    pub method: String,
    /// What the proof covers: Body, URL, Fields or None.
    pub covers: String,
    /// Keys that count now.
    pub active_secrets: i32,
}

/// A request that was not accepted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastRejected {
    /// When it came.
    pub time: Time,
    /// Why, as in the outcome of `hookgate_requests_total`.
    pub reason: String,
}

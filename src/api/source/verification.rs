//! What proves a request of a source, and which keys of which Secrets it needs.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::api::duration::{DurationString, within};
use crate::api::pattern;
use crate::api::scheme::{Basic, Hmac, Jwt, PublicKey, Token, Unproven};

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
    validation = Rule::new("!has(self.jwt) || !has(self.jwt.withoutExpiry) || !self.jwt.withoutExpiry || has(self.jwt.maxAge)")
        .message("jwt.withoutExpiry needs jwt.maxAge: else whoever sees a token once may use it for ever"),
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

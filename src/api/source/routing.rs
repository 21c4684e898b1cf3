//! Which events of a source are published, where and in what form.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::api::pattern;

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

//! Where signatures, times and conditions stand in a request, and how they are written.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::Encoding;
use crate::api::duration::{DurationString, within};
use crate::api::pattern;

/// A time that is judged must be signed: as `{timestamp}`, or with the part of the request that holds it.
pub(super) const SIGNED_TIME: &str = concat!(
    "!has(self.timestamp) || self.content.contains('{timestamp}')",
    " || has(self.timestamp.header) && (self.content.contains('{header-lines:') || self.content.contains('{jws-header-lines:'))",
    " || has(self.timestamp.pointer) && (self.content.contains('{body') || self.content.contains('{lines:') || self.content.contains('{pointer'))",
    " || has(self.timestamp.query) && (self.content.contains('{query:') || self.content.contains('{url') || self.content.contains('{sorted-query}') || self.content.contains('{pairs-sorted'))",
    " || has(self.timestamp.form) && (self.content.contains('{body') || self.content.contains('{form') || self.content.contains('{pairs-sorted') || self.content.contains('{url-with-form}'))",
);
/// What that rule says.
pub(super) const SIGNED_TIME_SAYS: &str = "content must hold {timestamp}, or the part of the request in which the timestamp stands: a time that is not signed proves nothing";

/// Where a signature stands. The value is split at `separator`, trimmed, reduced to the pairs of `key`, stripped of
/// `prefix`, decoded; any may match.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("[has(self.header), has(self.query), has(self.pointer), has(self.form)].filter(x, x).size() == 1")
        .message("write exactly one of header, query, pointer or form: where the signature stands"),
    validation = Rule::new("!(has(self.key) && has(self.index))").message("write key or index, not both"),
    validation = Rule::new("!has(self.index) || has(self.separator)").message("index needs a separator")
)]
pub struct Signature {
    /// The header that carries it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128), regex(pattern = pattern::WORD.signs))]
    pub header: Option<String>,
    /// Further headers of which any may carry it as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(min = 1, max = 128)))]
    pub other_headers: Vec<String>,
    /// The query parameter that carries it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub query: Option<String>,
    /// The JSON pointer of the body's member that carries it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), regex(pattern = pattern::POINTER.signs))]
    pub pointer: Option<String>,
    /// The form field that carries it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub form: Option<String>,
    /// How it is written. Default: Hex.
    #[serde(default)]
    pub encoding: Encoding,
    /// Text that must stand before it, such as `sha256=`; `{parameter:NAME}` in it is a parameter of the source, `{{` a brace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), regex(pattern = pattern::CONTENT.signs))]
    pub prefix: Option<String>,
    /// What separates several signatures or pairs. Default: `,` when `key` is set, else the value is one signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4))]
    pub separator: Option<String>,
    /// The name before `=` whose values are signatures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub key: Option<String>,
    /// The position of the signature among the separated parts, counted from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 15))]
    pub index: Option<i32>,
}

/// Where the time of signing stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("[has(self.header), has(self.key), has(self.index), has(self.pointer), has(self.query), has(self.form)].filter(x, x).size() == 1")
    .message("write exactly one of header, key, index, pointer, query or form: where the timestamp stands"))]
pub struct Timestamp {
    /// The header that carries it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128), regex(pattern = pattern::WORD.signs))]
    pub header: Option<String>,
    /// The name before `=` in the signature's header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub key: Option<String>,
    /// The position among the separated parts of the signature's header, counted from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 15))]
    pub index: Option<i32>,
    /// The JSON pointer of the body's member that carries it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), regex(pattern = pattern::POINTER.signs))]
    pub pointer: Option<String>,
    /// The query parameter that carries it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub query: Option<String>,
    /// The form field that carries it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub form: Option<String>,
    /// How it is written. Default: Seconds.
    #[serde(default)]
    pub unit: TimeUnit,
    /// How far it may lie in the past or the future. Default: not judged, unless the source sets `tolerance`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = within("1s", "24h", "tolerance must be from 1s to 24h"))]
    pub tolerance: Option<DurationString>,
}

/// How a time is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum TimeUnit {
    /// Seconds since 1970, a fraction allowed.
    #[default]
    Seconds,
    /// Milliseconds since 1970.
    Milliseconds,
    /// Microseconds since 1970.
    Microseconds,
    /// Nanoseconds since 1970.
    Nanoseconds,
    /// RFC 3339; an offset without a colon is read too.
    RFC3339,
    /// ISO 8601 whose missing zone means UTC.
    ISO8601,
    /// `2026-01-31 23:59:59`, in UTC.
    DateTime,
    /// An HTTP date (RFC 9110, section 5.6.7).
    HTTPDate,
    /// Seconds or Milliseconds, told apart by their size, or RFC3339: for vendors that say nowhere which.
    Any,
}

/// A query parameter that holds the SHA-256 of the body.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BindQuery {
    /// The name of the parameter.
    #[schemars(length(min = 1, max = 64))]
    pub name: String,
    /// How the hash is written. Default: Hex.
    #[serde(default)]
    pub encoding: Encoding,
}

/// Signed parts of a request that must say what a parameter of the source says: whose of the vendor's customers it is for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Addressee {
    /// The parts, as a template of the variables of signed content, such as `{pointer:/TopicArn}`.
    #[schemars(length(min = 1, max = 256), regex(pattern = pattern::CONTENT.signs))]
    pub content: String,
    /// The parameter of the source; such a source must write it.
    #[schemars(length(min = 1, max = 64))]
    pub parameter: String,
}

/// A list in the body whose items are proven one by one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Each {
    /// The JSON pointer of the list; empty for a body that is a list.
    #[schemars(length(max = 256), regex(pattern = pattern::POINTER_OR_ALL.signs))]
    pub pointer: String,
    /// The JSON pointer of the proven object inside an item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), regex(pattern = pattern::POINTER.signs))]
    pub item: Option<String>,
}

/// What a request must say.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("[has(self.header), has(self.query), has(self.pointer), has(self.form)].filter(x, x).size() == 1")
    .message("write exactly one of header, query, pointer or form"))]
pub struct Condition {
    /// The name of a header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128), regex(pattern = pattern::WORD.signs))]
    pub header: Option<String>,
    /// A query parameter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub query: Option<String>,
    /// A JSON pointer into the body or item; empty for all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), regex(pattern = pattern::POINTER_OR_ALL.signs))]
    pub pointer: Option<String>,
    /// A form field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub form: Option<String>,
    /// Its value as text. Default: it is there, with any value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub equals: Option<String>,
    /// Globs of which one must match its value as text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 256)))]
    pub matches: Vec<String>,
    /// It must not be there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub absent: bool,
}

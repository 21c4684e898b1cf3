//! Requests that are answered and never published, and how answers are written.

use std::collections::BTreeMap;

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::api::extract::Field;
use crate::api::pattern;
use crate::api::scheme::{Condition, Scheme};

/// A request that is answered and never published.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Handshake {
    /// The request's method. Default: POST.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "HandshakeMethod")]
    pub method: Option<HandshakeMethod>,
    /// What the request must say, all of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub when: Vec<Condition>,
    /// The vendor cannot sign this request, so it is answered before any proof.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsigned: bool,
    /// It arrives encrypted (`decode.decrypt`), and its places are those of what was opened. An unsigned one needs a check.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub encrypted: bool,
    /// What proves this request, where it is not what proves deliveries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Scheme>,
    /// A regular expression that must match the whole of what the answer signs (`{hmac-…}`). Needed where the key signs deliveries
    /// that such a text could be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub challenge: Option<String>,
    /// A query parameter or member that must equal a secret, compared in constant time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<HandshakeCheck>,
    /// The signing secret arrives with this request: where it stands. Written to `captureSecretRef` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capture: Option<Field>,
    /// A URL in the body that is fetched once to confirm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm: Option<Confirm>,
    /// The answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub respond: Option<Answer>,
}

/// The method of a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[allow(missing_docs)]
pub enum HandshakeMethod {
    GET,
    HEAD,
    OPTIONS,
    POST,
}

/// What must equal a secret.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("[has(self.query), has(self.pointer)].filter(x, x).size() == 1")
    .message("write exactly one of query or pointer: where the secret stands"))]
pub struct HandshakeCheck {
    /// The query parameter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub query: Option<String>,
    /// The JSON pointer of the member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), regex(pattern = pattern::POINTER.signs))]
    pub pointer: Option<String>,
    /// The purpose of the secretRef.
    #[schemars(length(min = 1, max = 63), regex(pattern = pattern::KEBAB.signs))]
    pub purpose: String,
}

/// A URL in the body that is fetched once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Confirm {
    /// The JSON pointer of the URL.
    #[schemars(length(min = 1, max = 256), regex(pattern = pattern::POINTER.signs))]
    pub pointer: String,
    /// Regular expressions, of which one must match the whole host.
    #[schemars(length(min = 1, max = 8), inner(length(min = 1, max = 256)))]
    pub hosts: Vec<String>,
}

/// An answer. Values in `{…}` come from the request, capped at 1 KiB and never as HTML.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Answer {
    /// The status. Default: 200.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 200, max = 299))]
    pub status: Option<i32>,
    /// The media type. Default: `application/json` for a body that begins with a brace, else `text/plain`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 64),
        regex(pattern = pattern::MEDIA_TYPE.signs)
    )]
    pub content_type: Option<String>,
    /// The body; `{items}` is the number of items received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub body: Option<String>,
    /// Further headers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 8), extend("additionalProperties" = {"type": "string", "maxLength": 1024}))]
    pub headers: BTreeMap<String, String>,
}

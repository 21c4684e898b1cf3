//! JSON Web Tokens as a scheme (RFC 7519): where they stand, who may have signed them, what they must claim.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::KeyFetch;
use crate::api::duration::DurationString;
use crate::api::pattern;

/// An algorithm of JSON Web Signatures (RFC 7518).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[allow(missing_docs)]
pub enum JwtAlgorithm {
    HS256,
    HS384,
    HS512,
    RS256,
    RS384,
    RS512,
    ES256,
}

impl JwtAlgorithm {
    /// As tokens spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HS256 => "HS256",
            Self::HS384 => "HS384",
            Self::HS512 => "HS512",
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::ES256 => "ES256",
        }
    }
}

/// A JSON Web Token (RFC 7519) in a header, or as the whole body. `exp` is required.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("!(has(self.wholeBody) && self.wholeBody && (has(self.header) || has(self.prefix)))")
    .message("wholeBody: the token is the body; leave header and prefix out"))]
pub struct Jwt {
    /// The header that carries the token. Default: `Authorization`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128), regex(pattern = pattern::WORD.signs))]
    pub header: Option<String>,
    /// Text before the token, compared without case. Default: `Bearer ` in `Authorization`, else none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub prefix: Option<String>,
    /// The whole body is the token, and its payload is the event.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub whole_body: bool,
    /// The algorithms that may have signed it; the key decides which of them apply.
    #[schemars(length(min = 1, max = 8))]
    pub algorithms: Vec<JwtAlgorithm>,
    /// The `iss` it must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub issuer: Option<String>,
    /// The `aud` values of which it must have one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(min = 1, max = 256)))]
    pub audiences: Vec<String>,
    /// Other claims it must have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub claims: Vec<Claim>,
    /// Claims that hold a hash of a part of the request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4))]
    pub bind: Vec<Bind>,
    /// The vendor sends tokens without `exp`; `iat` or the bound body stands in for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub without_expiry: bool,
    /// How old `iat` may be. Default: not judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<DurationString>,
    /// Where the keys are fetched from when no secretRef holds them. Only in providers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetch: Option<KeyFetch>,
}

/// A claim and the value it must have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Claim {
    /// The name of the claim.
    #[schemars(length(min = 1, max = 64))]
    pub name: String,
    /// Its value as text (`true` for a boolean), or `{parameter:NAME}`.
    #[schemars(length(min = 1, max = 256))]
    pub equals: String,
}

/// A claim that holds the SHA-256 of a part of the request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Bind {
    /// The name of the claim.
    #[schemars(length(min = 1, max = 64))]
    pub claim: String,
    /// Which part.
    pub of: BoundPart,
    /// How the hash is written; `Plain` compares the part itself. Default: Hex.
    #[serde(default)]
    pub encoding: BindEncoding,
    /// The claim may be absent where the body is empty.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub absent_if_empty: bool,
}

/// A part of the request that a claim binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum BoundPart {
    /// The bytes of the body.
    Body,
    /// `externalURL` with the query as received.
    URL,
    /// Method, path and sorted query: `POST&/in&a=1&b=2,3`, written as OAuth 1 writes them.
    Request,
}

/// How a bound part is written in its claim.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum BindEncoding {
    /// SHA-256 in hexadecimal.
    #[default]
    Hex,
    /// SHA-256 in base64.
    Base64,
    /// The part itself.
    Plain,
}

//! Verification schemes as data: what proves that a request comes from its vendor.
//!
//! The same blocks serve a `WebhookProvider` and, inline, a `WebhookSource` of provider `generic`.
//! A scheme says where the signature sits, what was signed and how; nothing here computes anything.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::duration::{DurationString, within};
use super::pattern;

/// One proof: exactly one of `hmac`, `digest`, `publicKey`, `jwt`, `token`, `basic` or `none`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("[has(self.hmac), has(self.digest), has(self.publicKey), has(self.jwt), has(self.token), has(self.basic), has(self.none)].filter(x, x).size() == 1")
        .message("write exactly one of hmac, digest, publicKey, jwt, token, basic or none")
)]
pub struct Scheme {
    /// Which secretRefs hold the keys: those with this purpose. Default: those without a purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = pattern::KEBAB.signs))]
    pub purpose: Option<String>,
    /// The scheme must hold only where the source names a secretRef of its purpose.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// What the request must say for this scheme to be tried at all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub require: Vec<Condition>,
    /// The proof is made once for every item of this list in the body, and must hold for all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub each: Option<Each>,
    /// A keyed hash over parts of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hmac: Option<Hmac>,
    /// An unkeyed hash over parts of the request, the secret among them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// A public-key signature over parts of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<PublicKey>,
    /// A JSON Web Token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwt: Option<Jwt>,
    /// A shared secret sent as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Token>,
    /// HTTP Basic authentication; the secretRefs have the purposes `username` and `password`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basic: Option<Basic>,
    /// No proof at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub none: Option<Unproven>,
}

/// The hash function of an `hmac` or `digest`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum HashAlgorithm {
    /// SHA-1 (RFC 3174); only for vendors that offer nothing better.
    SHA1,
    /// SHA-256 (FIPS 180-4).
    SHA256,
    /// SHA-512 (FIPS 180-4).
    SHA512,
}

/// How the text of a Secret becomes key bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum KeyEncoding {
    /// The bytes as they stand.
    #[default]
    UTF8,
    /// Base64, standard or URL alphabet, padding optional.
    Base64,
    /// Hexadecimal, either case.
    Hex,
}

/// How a signature is written. Always canonical: a lenient decoder accepts altered text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum Encoding {
    /// Hexadecimal, either case.
    #[default]
    Hex,
    /// Base64 with padding (RFC 4648, section 4).
    Base64,
    /// Base64url, padding optional (RFC 4648, section 5).
    Base64URL,
}

/// HMAC (RFC 2104) over the content.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("!has(self.timestamp) || !(has(self.timestamp.key) || has(self.timestamp.index)) || has(self.signature.header)")
        .message("timestamp.key and timestamp.index stand in the signature's header: write signature.header"),
    validation = Rule::new("!has(self.timestamp) || !has(self.timestamp.index) || has(self.signature.separator)")
        .message("timestamp.index needs signature.separator"),
    validation = Rule::new("!has(self.timestamp) || has(self.timestamp.pointer) || self.content.contains('{timestamp}')")
        .message("content must hold {timestamp}: a timestamp that is not signed proves nothing"),
    validation = Rule::new("!self.content.contains('{timestamp}') || has(self.timestamp)")
        .message("content holds {timestamp}: say where it stands in timestamp")
)]
pub struct Hmac {
    /// The hash function.
    pub algorithm: HashAlgorithm,
    /// How the secret becomes the key. Default: UTF8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "KeyEncoding")]
    pub key_encoding: Option<KeyEncoding>,
    /// Text removed from the front of the secret, where it is there, before it is decoded, such as `whsec_`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32))]
    pub key_prefix: Option<String>,
    /// Where the signature stands and how it is written.
    pub signature: Signature,
    /// What is signed, as a template. Default: `{body}`.
    #[serde(default = "body_template")]
    #[schemars(length(min = 1, max = 1024), regex(pattern = pattern::CONTENT.signs))]
    pub content: String,
    /// Where the time of signing stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
    /// A query parameter that holds a hash of the body, for schemes that sign the URL alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bind_query: Option<BindQuery>,
}

/// A plain hash over a content that holds `{secret}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("self.content.contains('{secret}')")
    .message("content must hold {secret}: a hash without it proves nothing"))]
pub struct Digest {
    /// The hash function.
    pub algorithm: HashAlgorithm,
    /// Where the hash stands and how it is written.
    pub signature: Signature,
    /// What is hashed, as a template.
    #[schemars(length(min = 1, max = 1024), regex(pattern = pattern::CONTENT.signs))]
    pub content: String,
    /// Where the time of signing stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
}

/// A public-key signature algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum PublicKeyAlgorithm {
    /// Ed25519 (RFC 8032).
    Ed25519,
    /// ECDSA on P-256 with SHA-256, the signature in ASN.1 DER.
    EcdsaP256Sha256,
    /// RSASSA-PKCS1-v1_5 with SHA-1; only for vendors that offer nothing better.
    RsaSha1,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RsaSha256,
}

/// How a public key is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum KeyFormat {
    /// `-----BEGIN PUBLIC KEY-----`, or a certificate in PEM.
    #[default]
    PEM,
    /// The 32 bytes of an Ed25519 key.
    Raw,
    /// A SubjectPublicKeyInfo in DER (RFC 5280).
    SPKI,
}

/// A signature of a public key over the content.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("!has(self.timestamp) || !(has(self.timestamp.key) || has(self.timestamp.index)) || has(self.signature.header)")
        .message("timestamp.key and timestamp.index stand in the signature's header: write signature.header"),
    validation = Rule::new("!has(self.timestamp) || !has(self.timestamp.index) || has(self.signature.separator)")
        .message("timestamp.index needs signature.separator"),
    validation = Rule::new("!has(self.timestamp) || has(self.timestamp.pointer) || self.content.contains('{timestamp}')")
        .message("content must hold {timestamp}: a timestamp that is not signed proves nothing"),
    validation = Rule::new("!self.content.contains('{timestamp}') || has(self.timestamp)")
        .message("content holds {timestamp}: say where it stands in timestamp"),
    validation = Rule::new("(has(self.format) && self.format != 'PEM') || !has(self.keyEncoding)")
        .message("keyEncoding has no meaning for a PEM key: leave it out")
)]
pub struct PublicKey {
    /// The signature algorithm.
    pub algorithm: PublicKeyAlgorithm,
    /// How the key is written. Default: PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "KeyFormat")]
    pub format: Option<KeyFormat>,
    /// How the text of a `Raw` or `SPKI` key becomes bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "KeyEncoding")]
    pub key_encoding: Option<KeyEncoding>,
    /// Text removed from the front of the key, where it is there, such as `whpk_`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32))]
    pub key_prefix: Option<String>,
    /// Where the signature stands and how it is written.
    pub signature: Signature,
    /// What is signed, as a template. Default: `{body}`.
    #[serde(default = "body_template")]
    #[schemars(length(min = 1, max = 1024), regex(pattern = pattern::CONTENT.signs))]
    pub content: String,
    /// Where the time of signing stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
    /// Where the key is fetched from when no secretRef holds it. Only in providers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetch: Option<KeyFetch>,
}

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

/// A shared secret: proves who sends, not what is sent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("[has(self.header), has(self.query), has(self.pointer), has(self.form)].filter(x, x).size() == 1")
    .message("write exactly one of header, query, pointer or form: where the token stands"))]
pub struct Token {
    /// The header that carries the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128), regex(pattern = pattern::WORD.signs))]
    pub header: Option<String>,
    /// The query parameter that carries it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub query: Option<String>,
    /// The JSON pointer of the body's member that carries it; it is cut from the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), regex(pattern = pattern::POINTER.signs))]
    pub pointer: Option<String>,
    /// The form field that carries it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub form: Option<String>,
    /// Text before the token, such as `Bearer `; an HTTP authentication scheme is compared without case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub prefix: Option<String>,
}

/// HTTP Basic authentication (RFC 7617).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(deny_unknown_fields)]
pub struct Basic {}

/// The vendor offers no proof.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(deny_unknown_fields)]
pub struct Unproven {}

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
    /// Text that must stand before it, such as `sha256=`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
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
    /// It must not be there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub absent: bool,
}

/// Where a public key, certificate or key set is fetched from: a fixed URL, or one that the request names and
/// `hosts` allows. Always https, never redirected, only to public addresses.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("[has(self.url), has(self.header), has(self.pointer)].filter(x, x).size() == 1")
        .message("write exactly one of url, header or pointer: where the address of the key stands"),
    validation = Rule::new("has(self.url) || (has(self.hosts) && self.hosts.size() > 0)")
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

/// The content of most schemes.
pub fn body_template() -> String {
    "{body}".to_owned()
}

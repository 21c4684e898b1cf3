//! Verification schemes as data: what proves that a request comes from its vendor.
//!
//! The same blocks serve a `WebhookProvider` and, inline, a `WebhookSource` of provider `generic`.
//! A scheme says where the signature sits, what was signed and how; nothing here computes anything.

mod fetch;
mod jwt;
mod place;

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::pattern;

use place::{SIGNED_TIME, SIGNED_TIME_SAYS};

pub use fetch::{FetchedFormat, KeyFetch};
pub use jwt::{Bind, BindEncoding, BoundPart, Claim, Jwt, JwtAlgorithm};
pub use place::{Addressee, BindQuery, Condition, Each, Signature, TimeUnit, Timestamp};

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
    /// What names the customer where the vendor's key signs for all of them: it must hold before anything is fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub addressee: Option<Addressee>,
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
    /// The text in Unicode's compatibility decomposition (UAX #15).
    NFKD,
    /// The 20 bytes of the text's SHA-1.
    SHA1,
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
    validation = Rule::new(SIGNED_TIME).message(SIGNED_TIME_SAYS),
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
#[x_kube(
    validation = Rule::new("self.content.contains('{secret}')")
        .message("content must hold {secret}: a hash without it proves nothing"),
    validation = Rule::new(SIGNED_TIME).message(SIGNED_TIME_SAYS),
    validation = Rule::new("!self.content.contains('{timestamp}') || has(self.timestamp)")
        .message("content holds {timestamp}: say where it stands in timestamp")
)]
pub struct Digest {
    /// The hash function.
    pub algorithm: HashAlgorithm,
    /// Where the hash stands and how it is written.
    pub signature: Signature,
    /// What is hashed, as a template.
    #[schemars(length(min = 1, max = 1024), regex(pattern = pattern::CONTENT.signs))]
    pub content: String,
    /// The variables of `content`, which then holds nothing else, are put into the order of their bytes before they are joined.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sorted: bool,
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
    /// ECDSA on P-521 with SHA-512, the signature as 66 bytes of r and 66 of s (ES512 of RFC 7518).
    EcdsaP521Sha512,
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
    validation = Rule::new(SIGNED_TIME).message(SIGNED_TIME_SAYS),
    validation = Rule::new("!self.content.contains('{timestamp}') || has(self.timestamp)")
        .message("content holds {timestamp}: say where it stands in timestamp"),
    validation = Rule::new("(has(self.format) && self.format != 'PEM') || !has(self.keyEncoding)")
        .message("keyEncoding has no meaning for a PEM key: leave it out"),
    validation = Rule::new("!has(self.jws) || has(self.signature.separator) && self.signature.separator == '.' && has(self.signature.index) && self.signature.index == 2 && has(self.signature.encoding) && self.signature.encoding == 'Base64URL'")
        .message("a detached JSON Web Signature is written HEADER..SIGNATURE: write signature.separator '.', signature.index 2, signature.encoding Base64URL")
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
    /// Whose key it is, where a secretRef holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "KeyOf")]
    pub key_of: Option<KeyOf>,
    /// Where the signature stands and how it is written.
    pub signature: Signature,
    /// What is signed, as a template. Default: `{body}`.
    #[serde(default = "body_template")]
    #[schemars(length(min = 1, max = 1024), regex(pattern = pattern::CONTENT.signs))]
    pub content: String,
    /// Where the time of signing stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
    /// The signature is that of a detached JSON Web Signature, whose payload is `content`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jws: Option<DetachedJws>,
    /// Where the key is fetched from when no secretRef holds it. Only in providers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetch: Option<KeyFetch>,
}

/// Whose a public key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum KeyOf {
    /// Made for one customer, one account or one application: what it signs is meant for that one.
    Customer,
    /// The vendor's own, with which it signs for all its customers: the scheme needs an `addressee`.
    Vendor,
}

/// A JSON Web Signature without its payload (RFC 7515, appendix F): `HEADER..SIGNATURE`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DetachedJws {
    /// What its header must say beside the algorithm.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub header: Vec<Claim>,
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

/// The content of most schemes.
pub fn body_template() -> String {
    "{body}".to_owned()
}

//! `WebhookProvider`: a vendor as data. The built-in catalogue is made of the same manifests.

mod handshake;
mod mapping;

use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition as StatusCondition;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::duration::DurationString;
use super::extract::Extract;
use super::last_good::LastGood;
use super::pattern::{self, NAME, NAME_SENTENCE};
use super::quantity::Size;
use super::scheme::{Condition, Scheme};

pub use handshake::{Answer, Confirm, Handshake, HandshakeCheck, HandshakeMethod};
pub use mapping::{
    Kind, MapChoice, MapEntry, MapRecording, MapSegments, MapSet, MapUnit, MapValue, Mapping, PersonKey,
};

/// How one vendor signs, shapes and retries its webhooks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "hookgate.dev",
    version = "v1alpha1",
    kind = "WebhookProvider",
    plural = "webhookproviders",
    singular = "webhookprovider",
    shortname = "whp",
    category = "hookgate",
    status = "WebhookProviderStatus",
    derive = "PartialEq",
    doc = "A webhook vendor as data: how its requests are proven, read and answered. Wins over a built-in of its name.",
    printcolumn(name = "Vendor", type_ = "string", json_path = ".spec.displayName"),
    printcolumn(name = "Sources", type_ = "integer", json_path = ".status.sources"),
    printcolumn(name = "Accepted", type_ = "string", json_path = r#".status.conditions[?(@.type=="Accepted")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Accepted")].reason"#),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new(NAME).message(NAME_SENTENCE),
    validation = Rule::new("self.metadata.name != 'generic'")
        .message("'generic' is the provider whose scheme stands in the source itself: choose another name")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("!has(self.map) || self.map.size() == 0 || !has(self.decode) || !has(self.decode.formats) || !self.decode.formats.exists(f, f == 'Text')")
    .message("text cannot be mapped: leave map out or decode another format"))]
pub struct WebhookProviderSpec {
    /// The vendor's name as people write it.
    #[schemars(length(min = 1, max = 128))]
    pub display_name: String,
    /// Where the vendor documents its webhooks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub docs: Option<String>,
    /// What this definition was read from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub sources: Vec<Origin>,
    /// How good those sources are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Confidence")]
    pub confidence: Option<Confidence>,
    /// Facts of this definition that no vendor document or code confirmed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 256)))]
    pub unconfirmed: Vec<String>,
    /// What a user should know and no field says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub notes: Option<String>,
    /// That it replaces a built-in of the same name is meant; else its status says `ShadowsBuiltIn`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub overrides_built_in: bool,
    /// The ways to prove a request, the default first.
    #[schemars(length(min = 1, max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub methods: Vec<Method>,
    /// The HTTP methods of a delivery. Events of a GET delivery are read from its query as from a form. Default: POST.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub http_methods: Vec<DeliveryMethod>,
    /// Special requests that are answered and never published, first match wins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub handshakes: Vec<Handshake>,
    /// How a body is read. Default: JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decode: Option<Decode>,
    /// The lists whose items are events of their own, outermost first. Default: the body is one event.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 3))]
    pub split: Vec<super::extract::Split>,
    /// Type, id, time and subject of an event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extract: Option<Extract>,
    /// Events that are acknowledged and not published, such as pings: any match drops.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub drop: Vec<Condition>,
    /// Paths of credentials, which are cut from an item before anything else sees it: JSON pointers in which `*` is every
    /// member or element, and `**` any number of levels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 256)))]
    pub redact: Vec<String>,
    /// Mappings to `conversation/v1`, first match wins; events of no match keep the vendor's shape.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 40))]
    pub map: Vec<Mapping>,
    /// What the vendor wants to hear. Default: 200 with an empty body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub respond: Option<Answer>,
    /// Limits that fit the vendor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<ProviderLimits>,
    /// The vendor's time-out: how long it waits for an answer before it gives up. Default: 10s. An answer is due after four
    /// fifths of it, at most 5s, unless the source writes `spec.delivery.deadline`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<DurationString>,
    /// What the vendor sends again. Default: ServerErrors.
    #[serde(default)]
    pub retries: Retries,
    /// When the vendor stops sending to a webhook whose deliveries fail, until somebody switches it on again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disables: Option<Disables>,
}

/// What a definition was read from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Origin {
    /// Its address, or where it has none, what it is called.
    #[schemars(length(min = 1, max = 256))]
    pub url: String,
    /// The version of the API, the document or the code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub version: Option<String>,
    /// The day on which it was read, as `2026-01-31`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10), regex(pattern = pattern::DAY.signs))]
    pub read: Option<String>,
}

/// How well a definition's facts are founded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum Confidence {
    /// The sender's or its SDK's code was read.
    Code,
    /// The vendor's documentation was read.
    Documentation,
    /// A third party's page or code was read.
    ThirdParty,
    /// Known, not read again.
    Known,
}

/// What a vendor sends again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum Retries {
    /// Nothing: an event that is not taken is lost.
    Never,
    /// After 5xx, time-outs and broken connections.
    #[default]
    ServerErrors,
    /// After those and 429.
    TooManyRequests,
}

/// When a vendor stops sending: as soon as all that is written holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("has(self.failures) || has(self.after)")
    .message("disables needs failures, after or both: how many deliveries in a row fail, and for how long"))]
pub struct Disables {
    /// So many deliveries in a row failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100000))]
    pub failures: Option<u32>,
    /// None was accepted for so long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<DurationString>,
}

impl fmt::Display for Disables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.failures, &self.after) {
            (Some(1), None) => f.write_str("after one failure"),
            (Some(failures), None) => write!(f, "after {failures} failures in a row"),
            (Some(failures), Some(after)) => {
                write!(f, "after {failures} failures in a row and {} without a success", after.0)
            }
            (None, Some(after)) => write!(f, "after {} without a success", after.0),
            (None, None) => f.write_str("after failures"),
        }
    }
}

/// The HTTP method of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[allow(missing_docs)]
pub enum DeliveryMethod {
    GET,
    POST,
    PUT,
    PATCH,
}

/// One way to prove a request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Method {
    /// Its name in `spec.verification.method`.
    #[schemars(length(min = 1, max = 63), regex(pattern = pattern::KEBAB.signs))]
    pub name: String,
    /// One alternative must hold.
    #[schemars(length(min = 1, max = 8))]
    pub any_of: Vec<AllOf>,
}

/// Schemes that must all hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AllOf {
    /// The schemes.
    #[schemars(length(min = 1, max = 4))]
    pub all_of: Vec<Scheme>,
}

/// How a body is read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Decode {
    /// The formats the vendor sends; the media type chooses among them. Default: JSON.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub formats: Vec<BodyFormat>,
    /// The form or multipart field that holds the document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub field: Option<String>,
    /// The field holds the document in base64.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub field_base64: bool,
    /// What the document in the field is. Default: JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "FieldFormat")]
    pub field_format: Option<FieldFormat>,
    /// The vendor's media type says nothing: the first format is read whatever it is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub any_media_type: bool,
    /// A member that holds the event as base64 of JSON, relative to the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), regex(pattern = pattern::POINTER.signs))]
    pub base64_at: Option<String>,
    /// The body arrives encrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decrypt: Option<Decrypt>,
    /// The vendor signs, and sends, compressed bodies with this content coding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Compression")]
    pub compressed: Option<Compression>,
}

/// A member that holds the body, encrypted with AES-256-CBC: base64 of 16 bytes that begin the chain and of the text, padded
/// after PKCS #7. It is opened after the proof; a body without the member is read as it is where the proof covers all of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Decrypt {
    /// The JSON pointer of the member.
    #[schemars(length(min = 2, max = 64), regex(pattern = pattern::POINTER.signs))]
    pub pointer: String,
    /// Which secretRefs hold the keys: those with this purpose. Default: those without a purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = pattern::KEBAB.signs))]
    pub purpose: Option<String>,
    /// The methods whose deliveries are encrypted. Default: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 63)))]
    pub methods: Vec<String>,
    /// How a secret becomes the key. Default: SHA256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "CipherKeyForm")]
    pub key: Option<CipherKeyForm>,
    /// What stands around the message in the text. Default: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame: Option<Frame>,
}

/// How a secret becomes the 32 bytes of a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum CipherKeyForm {
    /// Its SHA-256.
    #[default]
    SHA256,
    /// What it holds in base64, padding optional.
    Base64,
}

/// The text is 16 random bytes, the length of the message in 4 bytes (big-endian), the message and whom it is for, padded to a
/// multiple of 32 bytes; the first 16 bytes of the key begin the chain, and none of what is sent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Frame {
    /// The parameter of the source that says whom a message must be for; such a source must write it.
    #[schemars(length(min = 1, max = 64), regex(pattern = pattern::PARAMETER.signs))]
    pub parameter: String,
}

/// What the document in a field is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum FieldFormat {
    /// JSON.
    #[default]
    JSON,
    /// XML, read as `formats: [XML]` is.
    XML,
}

/// A content coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum Compression {
    /// The proof covers the gzip bytes as received.
    Gzip,
}

/// A body format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum BodyFormat {
    /// One JSON document.
    JSON,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// `multipart/form-data`: the document in `field`, or an object of its fields, in which files are named.
    Multipart,
    /// The query of the URL, read as a form; deliveries by GET are read so whatever stands here.
    Query,
    /// One JSON document a line.
    JSONLines,
    /// A compact JSON Web Token, whose payload is the event.
    JWT,
    /// CloudEvents in any of the three HTTP modes.
    CloudEvents,
    /// Any text; published as it came.
    Text,
    /// One XML document, published as the JSON of its root's content: an element of text alone is a text, others are objects;
    /// attributes are members `@name`, text beside them is `#text`, children of one name are a list.
    XML,
}

/// Limits that fit the vendor.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProviderLimits {
    /// The largest body. Default: 8Mi.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_body_size: Option<Size>,
}

/// What the operator found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookProviderStatus {
    /// The generation that this status judges.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Accepted`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<StatusCondition>,
    /// How many sources use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sources: Option<i32>,
    /// The last spec that compiled, kept while a newer generation does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_good: Option<LastGood>,
}

//! How a vendor's items become `conversation/v1`: places of values, people and turns.

use std::collections::BTreeMap;

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::api::pattern;
use crate::api::scheme::TimeUnit;

/// How an event becomes `conversation/v1`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mapping {
    /// Globs on the published type. Default: every event.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 128)))]
    pub types: Vec<String>,
    /// The kind of the conversation's part.
    pub kind: Kind,
    /// Member of `conversation/v1`, such as `recording.uri`, to where its value stands in the item.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 48))]
    pub set: BTreeMap<String, MapValue>,
    /// The people of the conversation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub participants: Vec<MapParticipant>,
    /// The turns of the transcript.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segments: Option<MapSegments>,
}

/// What a mapped event is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// A telephone or voice call.
    #[default]
    Call,
    /// A recording.
    Recording,
    /// A meeting.
    Meeting,
    /// A transcript.
    Transcript,
}

/// Where a value stands in the item. A pointer that leads nowhere sets nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("has(self.pointer) != has(self.value)").message("write pointer or value"))]
pub struct MapValue {
    /// A JSON pointer into the item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), regex(pattern = pattern::POINTER.signs))]
    pub pointer: Option<String>,
    /// A second JSON pointer, where the first leads nowhere.
    #[serde(default, rename = "else", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), regex(pattern = pattern::POINTER.signs))]
    pub otherwise: Option<String>,
    /// A fixed text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub value: Option<String>,
    /// The unit of a time, or of a duration given in milliseconds, which becomes seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "TimeUnit")]
    pub unit: Option<TimeUnit>,
}

/// People of a conversation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MapParticipant {
    /// The role, such as `caller`. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub role: Option<String>,
    /// The JSON pointer of the person, or of a list of them. Default: the item itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), regex(pattern = pattern::POINTER.signs))]
    pub from: Option<String>,
    /// The JSON pointer of the role inside the person; it beats `role`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), regex(pattern = pattern::POINTER.signs))]
    pub role_from: Option<String>,
    /// The JSON pointer of the name inside the person; empty where the person is a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), regex(pattern = pattern::POINTER_OR_ALL.signs))]
    pub name: Option<String>,
    /// The JSON pointer of the telephone number inside the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), regex(pattern = pattern::POINTER_OR_ALL.signs))]
    pub phone_number: Option<String>,
    /// The JSON pointer of the mail address inside the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), regex(pattern = pattern::POINTER_OR_ALL.signs))]
    pub email: Option<String>,
    /// Every other member of the person goes under `attributes` with the vendor's name.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub attributes: bool,
}

/// The turns of a transcript: a list of the vendor's, or labels inside `transcript.text`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("has(self.from) != has(self.label)").message("write from or label"))]
pub struct MapSegments {
    /// The JSON pointer of the vendor's list of turns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), regex(pattern = pattern::POINTER.signs))]
    pub from: Option<String>,
    /// The JSON pointer of the speaker inside a turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), regex(pattern = pattern::POINTER.signs))]
    pub speaker: Option<String>,
    /// The JSON pointer of the text inside a turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), regex(pattern = pattern::POINTER.signs))]
    pub text: Option<String>,
    /// The word that, followed by a number and a colon, begins a turn in `transcript.text`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub label: Option<String>,
}

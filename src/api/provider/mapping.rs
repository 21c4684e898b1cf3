//! How a vendor's items become `conversation/v1`: values, and the lists of people, files and turns.

use std::collections::BTreeMap;

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::api::pattern;
use crate::api::scheme::Condition;

/// How an event becomes `conversation/v1`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mapping {
    /// Globs on the published type. Default: every event.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 48), inner(length(min = 1, max = 128)))]
    pub types: Vec<String>,
    /// What the item must say beside its type, all of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4))]
    pub when: Vec<Condition>,
    /// The kind of the conversation's part.
    pub kind: Kind,
    /// Member of `conversation/v1`, such as `recording.uri`, to where its value stands in the item.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    pub set: BTreeMap<String, MapValue>,
    /// Who takes part. People who are equal in all members are one, or whom `sameBy` says to be one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 12))]
    pub participants: Vec<MapEntry>,
    /// Files beside the one that `set` gives under `recording`. One in all is `recording`; of several, `recordings` has all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 6))]
    pub recordings: Vec<MapRecording>,
    /// The turns of the transcript, those of every entry in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4))]
    pub segments: Vec<MapSegments>,
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

/// A value with its place, and what makes it a member's; `MapValue` has further ones to take where it gives nothing.
macro_rules! value {
    ($(#[doc = $doc:literal])* $name:ident { $($rest:tt)* }) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        #[x_kube(validation = Rule::new("[has(self.header), has(self.pointer), has(self.value), has(self.query), has(self.form), has(self.envelope)].filter(x, x).size() == 1")
            .message("write exactly one of header, pointer, value, query, form or envelope"))]
        pub struct $name {
            /// A JSON pointer into the item, or into the element of `from`; empty for all of it.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[schemars(length(max = 256), regex(pattern = pattern::POINTER_OR_ALL.signs))]
            pub pointer: Option<String>,
            /// A word of the member's own, or one that the vendor documents and does not send: `cost.unit`, `cost.currency`, a file's `channel` and `mediaType`.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[schemars(length(min = 1, max = 64))]
            pub value: Option<String>,
            /// A request header.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[schemars(length(min = 1, max = 128), regex(pattern = pattern::WORD.signs))]
            pub header: Option<String>,
            /// A query parameter.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[schemars(length(min = 1, max = 128))]
            pub query: Option<String>,
            /// A form field.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[schemars(length(min = 1, max = 128))]
            pub form: Option<String>,
            /// A JSON pointer into the whole body, also from within an element.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[schemars(length(min = 1, max = 256), regex(pattern = pattern::POINTER.signs))]
            pub envelope: Option<String>,
            /// JSON pointers of texts that follow: in a list as elements of their own, else joined with a space, such as a time after a date.
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            #[schemars(length(max = 4), inner(length(min = 1, max = 256), regex(pattern = pattern::POINTER.signs)))]
            pub and: Vec<String>,
            /// What must hold for the value to be taken.
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            #[schemars(length(max = 2))]
            pub when: Vec<Condition>,
            /// The JSON pointer of a list in whose elements the value stands: of the first element that `where` takes (with `last`, the last), of all
            /// of them for a list or with `join`. An object is a list of one; a text that holds JSON is read as that.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[schemars(length(max = 256), regex(pattern = pattern::POINTER_OR_ALL.signs))]
            pub from: Option<String>,
            /// What an element must say, all of it. Default: every element is taken.
            #[serde(default, rename = "where", skip_serializing_if = "Vec::is_empty")]
            #[schemars(length(max = 2))]
            pub only: Vec<Condition>,
            /// Of the elements that `where` takes, the last instead of the first.
            #[serde(default, skip_serializing_if = "std::ops::Not::not")]
            pub last: bool,
            /// The text between the texts of elements, which makes one text of them.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[schemars(length(max = 16))]
            pub join: Option<String>,
            /// What an element says, all of it, that follows without that text, such as punctuation.
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            #[schemars(length(max = 2))]
            pub attach: Vec<Condition>,
            /// The vendor's word to the member's, for members with words of their own and for media types.
            #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
            #[schemars(extend("maxProperties" = 32), extend("additionalProperties" = {"type": "string", "minLength": 1, "maxLength": 64}))]
            pub words: BTreeMap<String, String>,
            /// How a time or a duration is written. Default: RFC3339, Seconds.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[schemars(with = "MapUnit")]
            pub unit: Option<MapUnit>,
            $($rest)*
        }
    };
}

value! {
    /// Where a value stands. What leads nowhere, is empty or is of another kind than its member sets nothing.
    MapValue {
        /// Where to look, in this order, when the place above gives nothing that the member can be. `words` and `unit` hold on.
        #[serde(default, rename = "else", skip_serializing_if = "Vec::is_empty")]
        #[schemars(length(max = 3))]
        pub otherwise: Vec<MapChoice>,
    }
}

value! {
    /// A further place of a value.
    MapChoice {}
}

/// Members of people, files or turns.
pub type MapSet = BTreeMap<String, MapValue>;

/// Entries of a list: one for each element that is taken.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MapEntry {
    /// What the item must say, all of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4))]
    pub when: Vec<Condition>,
    /// The JSON pointer of a list, or of an object that is one entry. Default: the item is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), regex(pattern = pattern::POINTER_OR_ALL.signs))]
    pub from: Option<String>,
    /// What an element must say, all of it. Default: every element is taken.
    #[serde(default, rename = "where", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4))]
    pub only: Vec<Condition>,
    /// An entry that has the same as somebody before it, in the first of these members that both have, is that person, to whom
    /// it adds what is not known yet. Default: people are one who are equal in all members.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4))]
    pub same_by: Vec<PersonKey>,
    /// Member to its place in the element.
    #[schemars(extend("minProperties" = 1), extend("maxProperties" = 8))]
    pub set: MapSet,
}

/// A member that tells people apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum PersonKey {
    /// The vendor's id.
    Id,
    /// The name.
    Name,
    /// The telephone number.
    PhoneNumber,
    /// The e-mail address.
    Email,
}

impl PersonKey {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Id, Self::Name, Self::PhoneNumber, Self::Email];

    /// The member of `conversation/v1`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Name => "name",
            Self::PhoneNumber => "phoneNumber",
            Self::Email => "email",
        }
    }
}

/// Files: one for each element that is taken.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MapRecording {
    /// What the item must say, all of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4))]
    pub when: Vec<Condition>,
    /// The JSON pointer of a list, or of an object that is one file. Default: the item is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), regex(pattern = pattern::POINTER_OR_ALL.signs))]
    pub from: Option<String>,
    /// What an element must say, all of it. Default: every element is taken.
    #[serde(default, rename = "where", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4))]
    pub only: Vec<Condition>,
    /// Everybody is heard in these files: the first of them is `recording`, unless `set` gives one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mixed: bool,
    /// Member to its place in the element.
    #[schemars(extend("minProperties" = 1), extend("maxProperties" = 8))]
    pub set: MapSet,
}

/// The turns of a transcript: elements of a list of the vendor's, or labels inside `transcript.text`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("has(self.set) != has(self.label)").message("write set or label"),
    validation = Rule::new("!has(self.label) || !has(self.when) && !has(self.from) && !has(self.where) && !has(self.merge) && !has(self.attach)")
        .message("label stands alone: it looks into transcript.text")
)]
pub struct MapSegments {
    /// What the item must say, all of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4))]
    pub when: Vec<Condition>,
    /// The JSON pointer of the vendor's list. Default: the item is one turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), regex(pattern = pattern::POINTER_OR_ALL.signs))]
    pub from: Option<String>,
    /// What an element must say, all of it. Default: every element is taken.
    #[serde(default, rename = "where", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4))]
    pub only: Vec<Condition>,
    /// The elements are pieces, such as words: neighbours of one speaker and channel are one turn, with this between their texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub merge: Option<String>,
    /// What a piece says, all of it, that follows without that text, such as punctuation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4))]
    pub attach: Vec<Condition>,
    /// Member to its place in the element.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 8))]
    pub set: MapSet,
    /// The word that, followed by a number and a colon, begins a turn in `transcript.text`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub label: Option<String>,
}

/// How a time or a duration is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum MapUnit {
    /// Seconds since 1970, or of a duration, a fraction allowed.
    Seconds,
    /// Milliseconds since 1970, or of a duration.
    Milliseconds,
    /// Microseconds since 1970, or of a duration.
    Microseconds,
    /// Nanoseconds since 1970, or of a duration.
    Nanoseconds,
    /// Minutes of a duration, a fraction allowed.
    Minutes,
    /// A duration as `hh:mm:ss` or `mm:ss`, a fraction allowed.
    Clock,
    /// RFC 3339; an offset without a colon is read too.
    RFC3339,
    /// ISO 8601: a time whose missing zone means UTC, or a duration such as `PT1M30S`.
    ISO8601,
    /// `2026-01-31 23:59:59`, in UTC, a fraction allowed.
    DateTime,
    /// An HTTP date (RFC 9110, section 5.6.7).
    HTTPDate,
    /// Seconds or Milliseconds since 1970, told apart by their size, or RFC3339: for vendors that say nowhere which.
    Any,
}

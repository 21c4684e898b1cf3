//! Where an event's type, id, time and subject stand in a verified request.

use std::collections::BTreeMap;

use kube::KubeSchema;
use kube::core::Rule;
use serde::{Deserialize, Serialize};

use super::pattern;
use super::scheme::{Condition, TimeUnit};

/// One value of a request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("[has(self.header), has(self.pointer), has(self.value), has(self.query), has(self.form), has(self.envelope)].filter(x, x).size() == 1")
    .message("write exactly one of header, pointer, value, query, form or envelope"))]
pub struct Field {
    /// A request header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128), regex(pattern = pattern::WORD.signs))]
    pub header: Option<String>,
    /// A JSON pointer into the item: the body, or one of its parts after `split`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), regex(pattern = pattern::POINTER.signs))]
    pub pointer: Option<String>,
    /// A fixed text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub value: Option<String>,
    /// A query parameter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub query: Option<String>,
    /// A form field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub form: Option<String>,
    /// A JSON pointer into the whole body, whatever `split` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), regex(pattern = pattern::POINTER.signs))]
    pub envelope: Option<String>,
    /// Where to look when the first place is empty.
    #[serde(default, rename = "else", skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<Otherwise>,
}

/// The second place of a value.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("[has(self.header), has(self.pointer), has(self.value), has(self.query), has(self.form), has(self.envelope)].filter(x, x).size() == 1")
    .message("write exactly one of header, pointer, value, query, form or envelope"))]
pub struct Otherwise {
    /// A request header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128), regex(pattern = pattern::WORD.signs))]
    pub header: Option<String>,
    /// A JSON pointer into the item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), regex(pattern = pattern::POINTER.signs))]
    pub pointer: Option<String>,
    /// A fixed text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub value: Option<String>,
    /// A query parameter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub query: Option<String>,
    /// A form field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub form: Option<String>,
    /// A JSON pointer into the whole body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), regex(pattern = pattern::POINTER.signs))]
    pub envelope: Option<String>,
}

/// A time of a request and how it is written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("[has(self.header), has(self.pointer), has(self.query), has(self.form), has(self.envelope)].filter(x, x).size() == 1")
    .message("write exactly one of header, pointer, query, form or envelope"))]
pub struct TimeField {
    /// A request header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128), regex(pattern = pattern::WORD.signs))]
    pub header: Option<String>,
    /// A JSON pointer into the item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), regex(pattern = pattern::POINTER.signs))]
    pub pointer: Option<String>,
    /// A query parameter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub query: Option<String>,
    /// A form field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub form: Option<String>,
    /// A JSON pointer into the whole body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), regex(pattern = pattern::POINTER.signs))]
    pub envelope: Option<String>,
    /// How it is written. Default: RFC3339.
    #[serde(default = "rfc3339")]
    pub unit: TimeUnit,
    /// What must hold for the place to be read, all of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 2))]
    pub when: Vec<Condition>,
}

/// The event type of some items.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TypeRule {
    /// What the item must say, all of it.
    #[schemars(length(min = 1, max = 4))]
    pub when: Vec<Condition>,
    /// The parts of its type, joined with `.`; absent parts are left out.
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = 4))]
    pub event_type: Vec<Field>,
}

/// A list whose items are events.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Split {
    /// The JSON pointer of the list inside the body, or inside the item of the list before; empty for a body that is a list.
    #[schemars(length(max = 256), regex(pattern = pattern::POINTER_OR_ALL.signs))]
    pub pointer: String,
    /// JSON pointers of further lists beside it: the items of every one that is there are events, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4), inner(length(min = 1, max = 256), regex(pattern = pattern::POINTER.signs)))]
    pub also: Vec<String>,
    /// The JSON pointer of the event inside an item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), regex(pattern = pattern::POINTER.signs))]
    pub item: Option<String>,
    /// What has no such list is looked at by the next level; after the last it is one event.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
}

/// Type, id, time and subject of an event.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Extract {
    /// The parts of the event type, joined with `.`; absent parts are left out.
    #[serde(default, rename = "type", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4))]
    pub event_type: Vec<Field>,
    /// Other parts of the event type for items that say more than a part can: the first rule that holds replaces `type`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 12))]
    pub type_rules: Vec<TypeRule>,
    /// Vendor type to published type, where they differ.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64), extend("additionalProperties" = {"type": "string", "minLength": 1, "maxLength": 128}))]
    pub type_names: BTreeMap<String, String>,
    /// The type of an event that says none. Default: `received`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub default_type: Option<String>,
    /// The parts of the event's id, joined with `:`; all must be there. Default: none, so that `withoutId` says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(validation = told_apart())]
    pub id: Vec<Field>,
    /// Other parts of the id for items that say more than a part can: the first rule that holds replaces `id`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 12))]
    pub id_rules: Vec<IdRule>,
    /// The place of an item in its list is part of its id: two items of one delivery that are equal are two events.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub id_numbered: bool,
    /// What the id names. Default: Delivery.
    #[serde(default)]
    pub id_of: IdOf,
    /// What an event without a complete id is. Default: None.
    #[serde(default)]
    pub without_id: WithoutId,
    /// Why the id, or the content, tells any two deliveries apart and is equal when one is repeated, or why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub identity: Option<String>,
    /// Places of the event's time, the first that is there wins. Default: the time of receipt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4))]
    pub time: Vec<TimeField>,
    /// Places of the entity the event is about, the first that is there wins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub subject: Vec<Field>,
    /// Why no place of a subject is written: one sentence for who looks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub without_subject: Option<String>,
}

/// The id of some items.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IdRule {
    /// What the item must say, all of it.
    #[schemars(length(min = 1, max = 4))]
    pub when: Vec<Condition>,
    /// The parts of its id, joined with `:`; all must be there.
    #[schemars(length(min = 1, max = 8))]
    #[x_kube(validation = told_apart())]
    pub id: Vec<Field>,
}

/// What the parts of an id name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum IdOf {
    /// The vendor's own id of a delivery or of an event.
    #[default]
    Delivery,
    /// An entity, and what differs between its events.
    Entity,
}

/// What an event without a complete id is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum WithoutId {
    /// An event of its own: each request has a new id, so that nothing is taken for a repetition that is none.
    #[default]
    None,
    /// Identified by the hash of its bytes: the body itself tells two deliveries apart and a repetition sends it again.
    Content,
    /// Rejected: the vendor promises an id.
    Reject,
}

/// The extraction that a source of provider `generic` writes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SourceExtract {
    /// The event type. Default: `received`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub event_type: Option<Field>,
    /// The parts of the event's id, joined with `:`; all must be there. Default: none, so that `withoutId` says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(validation = told_apart())]
    pub id: Vec<Field>,
    /// What an event without a complete id is. Default: None.
    #[serde(default)]
    pub without_id: WithoutId,
    /// The time of the event. Default: the time of receipt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<TimeField>,
    /// The entity that the event is about. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Field>,
    /// The list whose items are events of their own. Default: the body is one event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<Split>,
}

impl From<SourceExtract> for Extract {
    fn from(written: SourceExtract) -> Self {
        Self {
            event_type: written.event_type.into_iter().collect(),
            id: written.id,
            without_id: written.without_id,
            time: written.time.into_iter().collect(),
            subject: written.subject.into_iter().collect(),
            ..Self::default()
        }
    }
}

/// An id needs a part that differs between deliveries.
fn told_apart() -> Rule {
    Rule::new("self.size() == 0 || self.exists(f, !has(f.value))")
        .message("an id of fixed texts alone is the same for every delivery: add a header or pointer")
}

fn rfc3339() -> TimeUnit {
    TimeUnit::RFC3339
}

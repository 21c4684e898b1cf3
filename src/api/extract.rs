//! Where an event's type, id, time and subject stand in a verified request.

use kube::KubeSchema;
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

/// The extraction that a source of provider `generic` writes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SourceExtract {
    /// The event type. Default: `received`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub event_type: Option<Field>,
    /// The parts of the delivery id, joined with `:`. Default: a hash of the body.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(validation = Rule::new("self.size() == 0 || self.exists(f, !has(f.value))").message("an id of fixed texts alone is the same for every delivery: add a header or pointer"))]
    pub id: Vec<Field>,
    /// The time of the event. Default: the time of receipt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<TimeField>,
    /// The entity that the event is about. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Field>,
}

impl From<SourceExtract> for super::provider::Extract {
    fn from(written: SourceExtract) -> Self {
        Self {
            event_type: written.event_type.into_iter().collect(),
            id: written.id,
            time: written.time.into_iter().collect(),
            subject: written.subject.into_iter().collect(),
            ..Self::default()
        }
    }
}

fn rfc3339() -> TimeUnit {
    TimeUnit::RFC3339
}

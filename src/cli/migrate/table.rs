//! What the kinds of another project become, as data: `argo.yaml` and `flux.yaml`, compiled in.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::remark::Remark;

/// One project's kinds.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Table {
    /// What holds for everything, a sentence each.
    pub(super) heading: Vec<String>,
    /// Other kinds of documents of the project, by name.
    pub(super) documents: BTreeMap<String, Remark>,
    /// Members of a document's spec beside the kinds.
    #[serde(default)]
    pub(super) spec: BTreeMap<String, Remark>,
    /// Members of an entry's `webhook`.
    #[serde(default)]
    pub(super) webhook: BTreeMap<String, Remark>,
    /// Members of an entry, whatever its kind.
    pub(super) fields: BTreeMap<String, Remark>,
    /// What is carried over.
    pub(super) kinds: BTreeMap<String, Kind>,
    /// Kinds that no webhook feeds, and what takes their place.
    #[serde(default)]
    pub(super) others: BTreeMap<String, String>,
}

/// What one kind becomes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Kind {
    /// What the spec of a WebhookSource begins with.
    pub(super) spec: Map<String, Value>,
    /// The members of `webhook` stand in the entry itself.
    #[serde(default)]
    pub(super) flat: bool,
    /// A bearer token, where one is asked for, is the proof.
    #[serde(default)]
    pub(super) bearer: bool,
    /// The key that proves.
    pub(super) secret: Option<Proof>,
    /// The list of events.
    pub(super) events: Option<Events>,
    /// Parameters of the verification, and the members of the entry that hold them.
    #[serde(default)]
    pub(super) parameters: BTreeMap<String, String>,
    /// Parameters of the verification, and the keys of the entry's Secret that hold them.
    #[serde(default)]
    pub(super) keys: BTreeMap<String, String>,
    /// Other specs for other events.
    #[serde(default)]
    pub(super) instead: Vec<Instead>,
    /// Members of an entry of this kind, before those of every kind.
    #[serde(default)]
    pub(super) fields: BTreeMap<String, Remark>,
    /// What holds for every entry of this kind.
    #[serde(default)]
    pub(super) notes: Vec<Remark>,
}

/// The key that proves a request.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Proof {
    /// The member that names it; none: the project has no such member.
    pub(super) field: Option<String>,
    /// What it holds, for people.
    pub(super) what: String,
    /// What is said where it is not named.
    pub(super) absent: Option<String>,
}

/// How a list of events becomes `events.include`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Events {
    /// The member.
    #[serde(default = "events")]
    pub(super) field: String,
    /// Entries that mean every event.
    #[serde(default)]
    pub(super) all: Vec<String>,
    /// The types of an entry, in lower case; without one, the entry is the type.
    #[serde(default, deserialize_with = "in_lower_case")]
    pub(super) types: BTreeMap<String, Vec<String>>,
    /// Types have actions behind them: `issues` stands for `issues.opened`, too.
    #[serde(default)]
    pub(super) families: bool,
    /// Why the list cannot be carried over.
    pub(super) lost: Option<String>,
}

/// Another spec, where one of the events is among these globs.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Instead {
    pub(super) events: Vec<String>,
    pub(super) spec: Map<String, Value>,
}

fn events() -> String {
    "events".to_owned()
}

fn in_lower_case<'de, D: serde::Deserializer<'de>>(from: D) -> Result<BTreeMap<String, Vec<String>>, D::Error> {
    let types = BTreeMap::<String, Vec<String>>::deserialize(from)?;
    Ok(types.into_iter().map(|(name, types)| (name.to_lowercase(), types)).collect())
}

impl Table {
    /// Reads a table.
    ///
    /// # Errors
    /// One that is none, which the tests rule out.
    pub(super) fn read(text: &str) -> anyhow::Result<Self> {
        Ok(serde_saphyr::from_str(text)?)
    }
}

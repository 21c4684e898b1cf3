//! What a status keeps of the last spec that could be served, while a newer generation cannot.

use kube::KubeSchema;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The last spec that was good. A replica that starts later serves it, under today's policies, secrets, suspension and refs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastGood {
    /// Its generation.
    pub generation: i64,
    /// The spec as it was.
    #[schemars(schema_with = "any_object")]
    pub spec: Value,
}

/// The spec's own schema would stand twice in the CRD, with all of its rules, and nobody but the operator writes here.
fn any_object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "x-kubernetes-preserve-unknown-fields": true,
        "x-kubernetes-map-type": "atomic",
    })
}

//! Judges a manifest as the API server would: by the CRD's own schema and rules, and by nothing else.
//!
//! The schema of `api::crd` is the single source: types, bounds, list keys and every `x-kubernetes-validations` rule are
//! read from it, compiled once, and evaluated here. What several objects or a provider decide is not judged here.

mod kubernetes;
mod metadata;
mod rules;
mod schema;
mod structure;

use std::fmt;
use std::sync::OnceLock;

use serde_json::Value;

use super::{Kind, crd};
use schema::Schema;

/// One thing that is wrong in a manifest. Prints as `spec.path: "x" is not allowed: …`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// Where, such as `spec.verification.secretRefs[0].name`; empty for the object itself.
    pub path: String,
    /// The value seen and the value wanted.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            return f.write_str(&self.message);
        }
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// Every reason for which the API server would refuse this object; none when it would take it. A status is not judged:
/// the server drops it from what users apply.
pub fn validate(kind: Kind, object: &Value) -> Vec<Violation> {
    let schema = match compiled(kind) {
        Ok(schema) => schema,
        Err(message) => return vec![Violation { path: String::new(), message: message.clone() }],
    };
    let mut object = object.clone();
    if let Value::Object(members) = &mut object {
        members.remove("status");
    }
    structure::complete(&mut object, schema);
    let mut found = structure::judge(&object, schema);
    metadata::judge(kind, &object, &mut found);
    let mut failed = rules::judge(&object, schema, &found);
    // The rule beside a pattern says the same.
    found.retain(|one| !one.from_pattern || !failed.iter().any(|rule| rule.path == one.violation.path));
    let mut all: Vec<Violation> = found.into_iter().map(|one| one.violation).collect();
    all.append(&mut failed);
    all
}

/// The spec without fields that nobody knows: what is left can be judged although [`validate`] refuses the object for them.
pub fn prune(kind: Kind, object: &mut Value) {
    if let (Ok(schema), Some(spec)) = (compiled(kind), object.get_mut("spec"))
        && let Some(schema) = schema.properties.get("spec")
    {
        structure::prune(spec, schema);
    }
}

fn compiled(kind: Kind) -> &'static Result<Schema, String> {
    static SOURCE: OnceLock<Result<Schema, String>> = OnceLock::new();
    static PROVIDER: OnceLock<Result<Schema, String>> = OnceLock::new();
    let cell = match kind {
        Kind::Source => &SOURCE,
        Kind::Provider => &PROVIDER,
    };
    cell.get_or_init(|| {
        let crd = crd::of(kind);
        rules::on_a_deep_stack(|| schema::compile(crd::schema(&crd)))
    })
}

#[cfg(test)]
mod tests;

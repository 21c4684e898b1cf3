//! `hookgate schema`: JSON Schemas (2020-12) of what is published, and of the manifests for editors.
//!
//! The latter come from the CRDs. Rules that a schema cannot say are left to `hookgate check`.

use std::io::Write;

use serde_json::{Value, json};

use crate::api::Kind;
use crate::api::crd;
use crate::provider::conversation;

/// What there is a schema of.
pub const NAMES: [&str; 3] = ["conversation", "webhooksource", "webhookprovider"];

/// Arguments of `schema`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The schema to print: conversation, webhooksource or webhookprovider. Default: the names of all
    name: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// An unknown schema, or a closed output.
pub(super) fn run(args: &Args, out: &mut impl Write) -> anyhow::Result<()> {
    let kind = match args.name.as_deref() {
        None => {
            for name in NAMES {
                writeln!(out, "{name}")?;
            }
            return Ok(());
        }
        Some("conversation") => {
            writeln!(out, "{}", conversation::SCHEMA.trim_end())?;
            return Ok(());
        }
        Some("webhooksource") => Kind::Source,
        Some("webhookprovider") => Kind::Provider,
        Some(other) => anyhow::bail!("{other:?} is no schema: there are {}", NAMES.join(", ")),
    };
    writeln!(out, "{}", serde_json::to_string_pretty(&manifest(kind))?)?;
    Ok(())
}

/// The schema of a manifest of that kind.
fn manifest(kind: Kind) -> Value {
    let crd = crd::of(kind);
    let mut schema = crd::schema(&crd).clone();
    plain(&mut schema);
    let version = &crd["spec"]["versions"][0]["name"];
    let (group, name) = (&crd["spec"]["group"], &crd["spec"]["names"]["singular"]);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["$id"] = json!(format!("urn:hookgate:schema:{}:{}", text(name), text(version)));
    schema["title"] = json!(kind.as_str());
    schema["required"] = json!(["apiVersion", "kind", "metadata", "spec"]);
    schema["properties"]["apiVersion"] = json!({"const": format!("{}/{}", text(group), text(version))});
    schema["properties"]["kind"] = json!({"const": kind.as_str()});
    schema["properties"]["metadata"] = json!({
        "description": "The name, and for a source the namespace, labels and annotations.",
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": {"type": "string", "maxLength": 63, "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"},
            "namespace": {"type": "string"},
        },
    });
    schema
}

/// Turns a structural schema into a plain one: no keywords of Kubernetes, no member that the API server would drop.
fn plain(schema: &mut Value) {
    let Value::Object(map) = schema else { return };
    if map.remove("x-kubernetes-int-or-string").is_some() {
        map.insert("type".to_owned(), json!(["integer", "string"]));
        // A bound on a number says nothing of a text, and the other way round: both may stay.
    }
    map.retain(|keyword, _| !keyword.starts_with("x-kubernetes-"));
    // Formats of numbers are OpenAPI's; 2020-12 does not know them.
    if map.get("format").and_then(Value::as_str).is_some_and(|format| format.starts_with("int")) {
        map.remove("format");
    }
    if map.contains_key("properties") && !map.contains_key("additionalProperties") {
        map.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
    if let Some(Value::Object(properties)) = map.get_mut("properties") {
        properties.values_mut().for_each(plain);
    }
    for keyword in ["items", "additionalProperties", "not"] {
        if let Some(inner) = map.get_mut(keyword) {
            plain(inner);
        }
    }
    for keyword in ["anyOf", "allOf", "oneOf"] {
        if let Some(Value::Array(all)) = map.get_mut(keyword) {
            all.iter_mut().for_each(plain);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(name: Option<&str>) -> anyhow::Result<String> {
        let mut out = Vec::new();
        run(&Args { name: name.map(str::to_owned) }, &mut out)?;
        Ok(String::from_utf8(out)?)
    }

    #[test]
    fn every_name_that_is_listed_is_a_schema_that_names_itself() {
        assert_eq!(printed(None).unwrap().lines().collect::<Vec<_>>(), NAMES);
        for name in NAMES {
            let schema: serde_json::Map<String, Value> = serde_json::from_str(&printed(Some(name)).unwrap()).unwrap();
            assert!(schema["$id"].as_str().unwrap().starts_with(&format!("urn:hookgate:schema:{name}:v1")));
        }
        assert!(printed(Some("calls")).unwrap_err().to_string().contains("webhookprovider"));
    }
}

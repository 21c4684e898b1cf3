//! The CRDs as they are applied: what `kube` derives, put into the form that the API server serves without warnings.
//!
//! `crds/`, the chart's copy and validation all come from here.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::{Value, json};

use super::Kind;
use super::pattern;
use super::provider::WebhookProvider;
use super::source::WebhookSource;

/// The first line of every generated file.
const HEAD: &str = "# Generated from src/api: do not edit, change the types and run `make crds`.\n";

/// The field that holds mapped values, by the names of their members.
const VALUES: &str = "set";

/// Both CRDs by file name, as JSON values.
pub fn all() -> Vec<(&'static str, Value)> {
    vec![("webhooksources.yaml", of(Kind::Source)), ("webhookproviders.yaml", of(Kind::Provider))]
}

/// One CRD as a JSON value.
pub fn of(kind: Kind) -> Value {
    match kind {
        Kind::Source => served(&WebhookSource::crd()),
        Kind::Provider => served(&WebhookProvider::crd()),
    }
}

/// A CRD as the text of its file.
///
/// # Errors
/// When it cannot be written as YAML, which the tests rule out.
pub fn yaml(crd: &Value) -> Result<String, serde_saphyr::ser_error::Error> {
    Ok(format!("{HEAD}{}", serde_saphyr::to_string(crd)?))
}

/// The OpenAPI schema of one CRD.
pub fn schema(crd: &Value) -> &Value {
    &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
}

fn served(crd: &CustomResourceDefinition) -> Value {
    let mut value = serde_json::to_value(crd).unwrap_or_default();
    let schema = &mut value["spec"]["versions"][0]["schema"];
    tidy(schema, true);
    // Until the operator saw an object, nothing that waits for it (kstatus: Helm, Flux, Argo CD) takes it for ready.
    schema["openAPIV3Schema"]["properties"]["status"]["default"] = json!({"observedGeneration": -1});
    value
}

/// Drops what the derived schema says without need: `nullable`, which no field of ours is, formats that Kubernetes does not
/// know, alternatives of an int-or-string, `additionalProperties: false`. Adds to every pattern the sentence that people read, where
/// `told`: not in mapped values, of which there may be so many that the API server, which adds up what all rules of a CRD could
/// cost, would take none of them. There the pattern refuses in its own words.
fn tidy(value: &mut Value, told: bool) {
    match value {
        Value::Object(map) => {
            if map.get("nullable") == Some(&Value::Bool(true)) {
                map.remove("nullable");
            }
            if map.get("format").and_then(Value::as_str).is_some_and(|f| f.starts_with("uint")) {
                map.remove("format");
            }
            if map.get("additionalProperties") == Some(&Value::Bool(false)) {
                map.remove("additionalProperties");
            }
            let text_alone = !map.contains_key("x-kubernetes-int-or-string");
            if !text_alone {
                map.remove("anyOf");
            }
            for bound in ["minimum", "maximum"] {
                if let Some(whole) = map.get(bound).and_then(Value::as_f64).filter(|number| number.fract() == 0.0) {
                    map.insert(bound.to_owned(), json!(whole as i64));
                }
            }
            // A rule sees a date-time as a timestamp, which matches no pattern.
            let signs = map.get("pattern").filter(|_| !map.contains_key("format")).and_then(Value::as_str);
            if let Some(rule) = signs.filter(|_| told).and_then(|signs| sentence(signs, text_alone)) {
                let rules = map.entry("x-kubernetes-validations").or_insert_with(|| json!([]));
                if let Value::Array(rules) = rules {
                    rules.insert(0, rule);
                }
            }
            for (name, inner) in map {
                tidy(inner, told && !(name == VALUES && inner.get("additionalProperties").is_some()));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| tidy(item, told)),
        _ => {}
    }
}

/// A pattern as a rule with its sentence.
fn sentence(signs: &str, text_alone: bool) -> Option<Value> {
    let known = pattern::ALL.iter().find(|known| known.signs == signs)?;
    let rule = match text_alone {
        true => format!("self.matches(r'{signs}')"),
        false => format!("type(self) != string || self.matches(r'{signs}')"),
    };
    Some(json!({"rule": rule, "message": known.sentence}))
}

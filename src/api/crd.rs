//! The CRDs as they are applied: what `kube` derives, put into the form that the API server serves without warnings.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::Value;

use super::provider::WebhookProvider;
use super::source::WebhookSource;

/// Both CRDs by file name, as JSON values.
pub fn all() -> Vec<(&'static str, Value)> {
    vec![
        ("webhooksources.yaml", served(&WebhookSource::crd())),
        ("webhookproviders.yaml", served(&WebhookProvider::crd())),
    ]
}

/// The OpenAPI schema of one CRD.
pub fn schema(crd: &Value) -> &Value {
    &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
}

fn served(crd: &CustomResourceDefinition) -> Value {
    let mut value = serde_json::to_value(crd).unwrap_or_default();
    tidy(&mut value["spec"]["versions"][0]["schema"]);
    value
}

/// Drops `nullable`, which `Option` brings and no field of ours means, and formats that Kubernetes does not know.
fn tidy(value: &mut Value) {
    match value {
        Value::Object(map) => {
            if map.get("nullable") == Some(&Value::Bool(true)) {
                map.remove("nullable");
            }
            if map.get("format").and_then(Value::as_str).is_some_and(|f| f.starts_with("uint")) {
                map.remove("format");
            }
            map.values_mut().for_each(tidy);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        _ => {}
    }
}

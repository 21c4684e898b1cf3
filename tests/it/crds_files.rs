//! The CRDs that are committed say what the types say, and say it well.

use std::path::Path;

use hookgate::api::crd;
use serde_json::Value;

/// How a drift is mended.
const MEND: &str = "make crds";

#[test]
fn committed_crds_are_what_the_types_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let chart = root.join("charts/hookgate");
    let folders = [Some(root.join("crds")), chart.exists().then(|| chart.join("files/crds"))];
    for folder in folders.into_iter().flatten() {
        for (name, crd) in crd::all() {
            let (file, text) = (folder.join(name), crd::yaml(&crd).expect("a CRD as YAML"));
            let committed = std::fs::read_to_string(&file).unwrap_or_default();
            assert!(committed == text, "{} is not what src/api says: run `{MEND}`", file.display());
        }
    }
}

#[test]
fn a_crd_reads_back_from_its_file_as_it_was() {
    for (name, crd) in crd::all() {
        let read: Value = serde_saphyr::from_str(&crd::yaml(&crd).expect("a CRD as YAML")).expect("readable YAML");
        assert_eq!(read, crd, "{name}");
    }
}

#[test]
fn every_field_says_what_it_is() {
    for (name, crd) in crd::all() {
        let mut silent = Vec::new();
        walk(crd::schema(&crd), "", &mut |node, path| {
            let described = node["description"].as_str().is_some_and(|text| text.len() > 10);
            // Items are described by their list, kind and metadata by Kubernetes.
            if !path.ends_with("[]") && !path.ends_with(".*") && !described {
                silent.push(path.to_owned());
            }
        });
        assert!(silent.is_empty(), "{name}: no description of {silent:?}");
    }
}

#[test]
fn every_field_is_bounded_so_that_rules_stay_within_the_servers_budget() {
    for (name, crd) in crd::all() {
        let mut unbounded = Vec::new();
        walk(&crd::schema(&crd)["properties"]["spec"], "spec", &mut |node, path| {
            let has = |keyword: &str| node.get(keyword).is_some();
            let bounded = match node["type"].as_str() {
                Some("string") => has("maxLength") || has("enum") || has("format"),
                Some("array") => has("maxItems"),
                Some("object") => !has("additionalProperties") || has("maxProperties"),
                _ => true,
            };
            if !bounded {
                unbounded.push(path.to_owned());
            }
        });
        assert!(unbounded.is_empty(), "{name}: no bound of {unbounded:?}");
    }
}

#[test]
fn no_field_takes_null_and_none_keeps_what_it_does_not_know() {
    // What a former version of the schema took is kept as it was, by the operator alone.
    const KEPT: &str = ".status.lastGood.spec";
    for (name, crd) in crd::all() {
        walk(crd::schema(&crd), "", &mut |node, path| {
            for keyword in ["nullable", "x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource"] {
                let kept = path == KEPT && keyword == "x-kubernetes-preserve-unknown-fields";
                assert!(kept || node.get(keyword).is_none(), "{name}: {path} has {keyword}");
            }
        });
    }
}

#[test]
fn lists_merge_as_the_contract_says() {
    let keys = |kind: usize, path: &str| {
        let (_, crd) = crd::all().swap_remove(kind);
        let list = &crd::schema(&crd).pointer(path).unwrap_or_else(|| panic!("{path} is gone"));
        (list["x-kubernetes-list-type"].clone(), list["x-kubernetes-list-map-keys"].clone())
    };
    let spec = "/properties/spec/properties";
    let map = |keys: &[&str]| (Value::from("map"), Value::from(keys.to_vec()));
    let set = (Value::from("set"), Value::Null);
    assert_eq!(keys(0, &format!("{spec}/verification/properties/secretRefs")), map(&["name", "key"]));
    assert_eq!(keys(0, &format!("{spec}/hostnames")), set);
    assert_eq!(keys(0, &format!("{spec}/limits/properties/allowedCIDRs")), set);
    for kind in [0, 1] {
        assert_eq!(keys(kind, "/properties/status/properties/conditions"), map(&["type"]));
    }
    assert_eq!(keys(1, &format!("{spec}/methods")), map(&["name"]));
}

#[test]
fn kubectl_shows_the_columns_of_the_contract() {
    let (_, sources) = crd::all().swap_remove(0);
    let version = &sources["spec"]["versions"][0];
    let columns: Vec<_> =
        version["additionalPrinterColumns"].as_array().expect("columns").iter().map(|column| &column["name"]).collect();
    assert_eq!(columns, ["Provider", "URL", "Ready", "Reason", "Last-Event", "Age"]);
    assert_eq!(sources["spec"]["names"]["shortNames"][0], "whs");
    for (_, crd) in crd::all() {
        assert_eq!(crd["spec"]["names"]["categories"][0], "hookgate");
        assert_eq!(crd["spec"]["versions"][0]["subresources"]["status"], serde_json::json!({}));
    }
}

#[test]
fn a_crd_fits_the_annotation_of_kubectl_apply() {
    // ValidateAnnotationsSize of apimachinery: all annotations of an object together.
    const LIMIT: usize = 262_144;
    for (name, crd) in crd::all() {
        let length = serde_json::to_string(&crd).expect("JSON").len();
        assert!(length < LIMIT * 3 / 4, "{name} has {length} bytes: little room is left in {LIMIT}");
    }
}

fn walk(node: &Value, path: &str, visit: &mut dyn FnMut(&Value, &str)) {
    visit(node, path);
    for (name, property) in node["properties"].as_object().into_iter().flatten() {
        walk(property, &format!("{path}.{name}"), visit);
    }
    for (keyword, suffix) in [("items", "[]"), ("additionalProperties", ".*")] {
        if let Some(inner) = node.get(keyword) {
            walk(inner, &format!("{path}{suffix}"), visit);
        }
    }
}

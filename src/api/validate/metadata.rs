//! `apiVersion`, `kind` and `metadata`, which no CRD describes and the API server judges all the same.

use regex::Regex;
use serde_json::Value;
use std::sync::LazyLock;

use super::structure::{Found, shown};
use super::{Kind, Violation};
use crate::api::API_VERSION;

/// The members of ObjectMeta (Kubernetes 1.33).
const MEMBERS: [&str; 15] = [
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "labels",
    "managedFields",
    "name",
    "namespace",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];

pub(super) fn judge(kind: Kind, object: &Value, found: &mut Vec<Found>) {
    let mut say = |path: &str, message: String| {
        found.push(Found {
            violation: Violation { path: path.to_owned(), message },
            blocks_rules: path == "metadata.name",
            from_pattern: false,
        });
    };
    for (member, wanted) in [("apiVersion", API_VERSION), ("kind", kind.as_str())] {
        if object[member].as_str() != Some(wanted) {
            say(member, format!("{} is not allowed: write {wanted}", shown(&object[member])));
        }
    }
    let Some(metadata) = object["metadata"].as_object() else {
        return say("metadata.name", "is required: the name of the object".to_owned());
    };
    for member in metadata.keys().filter(|member| !MEMBERS.contains(&member.as_str())) {
        say(&format!("metadata.{member}"), "is no field of metadata".to_owned());
    }
    if !metadata.contains_key("name") {
        say("metadata.name", "is required: the name of the object".to_owned());
    }
    match metadata.get("namespace") {
        None | Some(Value::Null) => {}
        // The server passes over it.
        Some(_) if !kind.namespaced() => {}
        Some(Value::String(name)) if matches(name, &LABEL, 63) => {}
        Some(other) => say("metadata.namespace", format!("{} is not allowed: write a DNS label", shown(other))),
    }
    for (member, is_label) in [("labels", true), ("annotations", false)] {
        let at = format!("metadata.{member}");
        match metadata.get(member) {
            None | Some(Value::Null) => {}
            Some(Value::Object(pairs)) => {
                for (key, value) in pairs {
                    if !is_qualified(key) {
                        say(
                            &at,
                            format!(
                                "{} is not allowed: a key is a name such as example.com/team",
                                shown(&key.as_str().into())
                            ),
                        );
                    }
                    match value {
                        Value::String(text) if !is_label || text.is_empty() || matches(text, &NAME, 63) => {}
                        other => say(
                            &format!("{at}.{key}"),
                            format!(
                                "{} is not allowed: write {}",
                                shown(other),
                                if is_label {
                                    "a text of at most 63 letters, digits, '-', '_' and '.'"
                                } else {
                                    "a text: put it in quotes"
                                }
                            ),
                        ),
                    }
                }
            }
            Some(other) => say(&at, format!("{} is not allowed: write an object of texts", shown(other))),
        }
    }
}

type Pattern = LazyLock<Option<Regex>>;

static LABEL: Pattern = LazyLock::new(|| Regex::new("^[a-z0-9]([-a-z0-9]*[a-z0-9])?$").ok());
static DOMAIN: Pattern =
    LazyLock::new(|| Regex::new(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$").ok());
static NAME: Pattern = LazyLock::new(|| Regex::new("^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$").ok());

fn matches(text: &str, pattern: &Pattern, most: usize) -> bool {
    text.len() <= most && pattern.as_ref().is_some_and(|pattern| pattern.is_match(text))
}

/// A qualified name: an optional DNS prefix and `/`, then a name.
fn is_qualified(key: &str) -> bool {
    match key.split_once('/') {
        Some((prefix, name)) => matches(prefix, &DOMAIN, 253) && matches(name, &NAME, 63),
        None => matches(key, &NAME, 63),
    }
}

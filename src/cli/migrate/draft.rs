//! A WebhookSource under construction, and all that is being made of the files.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::remark::{Remark, Remarks};
use super::table::{Events, Kind, Proof};
use crate::control::policy::PathPolicy;

/// The namespace of what names none, as `hookgate check` takes it.
const DEFAULT_NAMESPACE: &str = "default";

/// A source under construction.
#[derive(Debug)]
pub(super) struct Draft {
    /// What it was, for people.
    pub(super) origin: String,
    pub(super) name: String,
    pub(super) namespace: Option<String>,
    pub(super) spec: Map<String, Value>,
    pub(super) remarks: Remarks,
}

/// Names and paths that are taken, and the paths that namespaces may claim.
#[derive(Debug)]
pub(super) struct Places<'p> {
    policies: &'p [PathPolicy],
    names: BTreeSet<(Option<String>, String)>,
    paths: BTreeSet<String>,
}

impl<'p> Places<'p> {
    pub(super) fn new(policies: &'p [PathPolicy]) -> Self {
        Self { policies, names: BTreeSet::new(), paths: BTreeSet::new() }
    }

    /// A DNS label made of a text, which no other source of the namespace has.
    pub(super) fn name(&mut self, namespace: Option<&str>, text: &str) -> String {
        let sign = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        let label: String = text.chars().map(sign).collect();
        let label = label.trim_matches('-');
        let label = if label.is_empty() { "source" } else { label };
        let mut number = 1;
        loop {
            let end = if number == 1 { String::new() } else { format!("-{number}") };
            let begin: String = label.chars().take(63 - end.len()).collect();
            let name = format!("{}{end}", begin.trim_end_matches('-'));
            if self.names.insert((namespace.map(str::to_owned), name.clone())) {
                return name;
            }
            number += 1;
        }
    }

    /// Whether a source may have this path, and why not. It is taken then.
    fn claim(&mut self, namespace: &str, path: &str) -> Result<(), &'static str> {
        let segment = |text: &str| {
            !matches!(text, "" | "." | "..") && text.chars().all(|c| c.is_ascii_alphanumeric() || "._~-".contains(c))
        };
        let rest = path.strip_prefix('/').unwrap_or_default();
        if path.len() > 256 || !rest.split('/').all(segment) {
            return Err("no source can have it");
        }
        if !self.policies.iter().any(|policy| policy.allows(namespace, path)) {
            return Err("to keep it, run this again with --path-policy, and give the operator the same policies");
        }
        if !self.paths.insert(path.to_owned()) {
            return Err("another source has it");
        }
        Ok(())
    }
}

impl Draft {
    pub(super) fn new(origin: String, name: String, namespace: Option<&str>, kind: &Kind) -> Self {
        let mut draft = Self {
            origin,
            name,
            namespace: namespace.map(str::to_owned),
            spec: kind.spec.clone(),
            remarks: Remarks::default(),
        };
        for note in &kind.notes {
            draft.remarks.say("", note.clone());
        }
        draft
    }

    /// Where senders sent so far: kept where that is allowed, else below the namespace, so that who could guess it before still cannot.
    pub(super) fn path(&mut self, field: &str, path: &str, places: &mut Places<'_>) {
        let namespace = self.namespace.clone().unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned());
        let own = format!("/{namespace}/{}", self.name);
        let Err(why) = places.claim(&namespace, path) else {
            if path != own {
                self.spec.insert("path".to_owned(), json!(path));
            }
            return;
        };
        let below = format!("/{namespace}{path}");
        let now = match places.claim(&namespace, &below) {
            Ok(()) => {
                self.spec.insert("path".to_owned(), json!(below));
                below
            }
            Err(_) => own,
        };
        self.remarks.say(field, Remark::Changes(format!("senders use {now} in place of {path} ({why})")));
    }

    /// Whether nothing but the path proves a request.
    pub(super) fn unproven(&self) -> bool {
        self.spec.get("verification").is_some_and(|verification| verification["method"] == "none")
    }

    /// What proves, as a block of `verification`.
    pub(super) fn verify(&mut self, member: &str, value: Value) {
        let verification = self.spec.entry("verification").or_insert_with(|| json!({}));
        if let Some(verification) = verification.as_object_mut() {
            verification.insert(member.to_owned(), value);
        }
    }

    /// A key of a Secret that proves, `what` it holds, and what else is to be said of it.
    pub(super) fn secret(&mut self, name: &str, key: &str, what: &str) {
        self.verify("secretRefs", json!([{"name": name, "key": key}]));
        self.remarks.say("", Remark::Needs(format!("Secret {name} with key {key}: {what}")));
    }

    /// The key that proves, by a selector such as `{name, key}` or for want of one by the name of the source.
    pub(super) fn proof(&mut self, proof: &Proof, selector: Option<(&str, &str)>) {
        match selector {
            Some((name, key)) => self.secret(name, key, &proof.what),
            None => {
                let name = self.name.clone();
                let absent = proof.absent.as_deref().unwrap_or("it names none so far");
                self.secret(&name, "secret", &format!("{}; {absent}", proof.what));
            }
        }
    }

    /// The list of events, as globs on the type.
    pub(super) fn events(&mut self, events: &Events, list: &Value) {
        let named: Vec<&str> = list.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if named.is_empty() || named.iter().any(|name| events.all.iter().any(|all| all == name)) {
            return;
        }
        if let Some(lost) = &events.lost {
            self.remarks.say(&events.field, Remark::Lost(format!("{lost} ({})", named.join(", "))));
            return;
        }
        let mut include = Vec::new();
        for name in named {
            let types = match events.types.get(&name.to_lowercase()) {
                Some(types) => types.clone(),
                None => {
                    if !events.types.is_empty() {
                        let told = format!("{name}: no type is known for it, so it stands as it is");
                        self.remarks.say(&events.field, Remark::Changes(told));
                    }
                    vec![name.to_owned()]
                }
            };
            for one in types {
                let family = (events.families && !one.ends_with('*')).then(|| format!("{one}.*"));
                for glob in [Some(one), family].into_iter().flatten() {
                    if !include.contains(&glob) {
                        include.push(glob);
                    }
                }
            }
        }
        self.spec.insert("events".to_owned(), json!({"include": include}));
    }

    /// Serves nothing until somebody has looked.
    pub(super) fn hold(&mut self, why: String) {
        self.spec.insert("suspend".to_owned(), json!(true));
        self.remarks.say("suspend", Remark::Needs(why));
    }

    /// The manifest.
    pub(super) fn manifest(&self) -> Value {
        let mut metadata = json!({"name": self.name});
        if let Some(namespace) = &self.namespace {
            metadata["namespace"] = json!(namespace);
        }
        json!({"apiVersion": "hookgate.dev/v1alpha1", "kind": "WebhookSource", "metadata": metadata, "spec": self.spec})
    }
}

//! From a document to a typed object: what kind it is, what it is called, whether it is valid.

use std::collections::BTreeMap;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::document::documents;
use super::tree::{Content, Node};
use super::{FileProblem, Loaded, ObjectKey, Origin, secret};
use crate::api::Kind;
use crate::api::provider::WebhookProvider;
use crate::api::source::WebhookSource;
use crate::api::validate::{prune, validate};
use crate::api::{API_VERSION, GROUP};

/// Where objects live whose manifest does not say it.
const NAMESPACE: &str = "default";

/// Adds the objects of a text.
pub(super) fn read_text(file: &Path, text: &str, loaded: &mut Loaded) {
    for document in documents(text) {
        match document.content {
            Ok(node) => Reader { file, line: document.line, loaded }.object(&node),
            Err(wrong) => loaded.problems.push(FileProblem {
                line: wrong.line,
                column: wrong.column,
                ..FileProblem::of_file(file, format!("is no YAML: {}", wrong.message))
            }),
        }
    }
}

struct Reader<'a> {
    file: &'a Path,
    line: usize,
    loaded: &'a mut Loaded,
}

impl Reader<'_> {
    fn object(&mut self, node: &Node) {
        let text = |name: &str| node.get(name).and_then(Node::text);
        let (Some(version), Some(kind)) = (text("apiVersion"), text("kind")) else {
            return self.say(None, "", "is no Kubernetes object: it needs apiVersion and kind".to_owned());
        };
        let group = version.split_once('/').map_or("", |(group, _)| group);
        match (version, kind) {
            (API_VERSION, "WebhookSource") => self.source(node),
            (API_VERSION, "WebhookProvider") => self.provider(node),
            ("v1", "Secret") => self.secret(node),
            ("v1", "List") | (API_VERSION, "WebhookSourceList" | "WebhookProviderList") => self.list(node),
            ("v1", "Namespace") => {}
            (_, "WebhookSource" | "WebhookProvider") => {
                self.say(None, "apiVersion", format!("\"{version}\" is not allowed: write {API_VERSION}"));
            }
            _ if group == GROUP => {
                let message =
                    format!("{version} {kind} is not known: {API_VERSION} has WebhookSource and WebhookProvider");
                self.say(None, "kind", message);
            }
            _ => {
                let message =
                    format!("{version} {kind} was skipped: it is none of WebhookSource, WebhookProvider and Secret");
                let note = FileProblem { line: self.line, ..FileProblem::of_file(self.file, message) };
                self.loaded.notes.push(note);
            }
        }
    }

    fn list(&mut self, node: &Node) {
        match node.get("items").map(|items| &items.content) {
            None | Some(Content::Null) => {}
            Some(Content::List(items)) => {
                for item in items {
                    Reader { file: self.file, line: item.line, loaded: self.loaded }.object(item);
                }
            }
            Some(_) => self.say(None, "items", "is no list".to_owned()),
        }
    }

    fn source(&mut self, node: &Node) {
        if let Some(mut source) = self.valid::<WebhookSource>(Kind::Source, node) {
            source.metadata.namespace.get_or_insert_with(|| NAMESPACE.to_owned());
            self.loaded.sources.push(source);
        }
    }

    fn provider(&mut self, node: &Node) {
        if let Some(mut provider) = self.valid::<WebhookProvider>(Kind::Provider, node) {
            provider.metadata.namespace = None;
            self.loaded.providers.push(provider);
        }
    }

    /// The object, when schema and rules take it and its name is new. Else it is kept as broken: what of it can be read may still count.
    fn valid<T: DeserializeOwned>(&mut self, kind: Kind, node: &Node) -> Option<T> {
        let mut lines = BTreeMap::new();
        node.lines("", &mut lines);
        let mut object = node.json();
        let key = self.register(kind.as_str(), kind.namespaced(), node, lines)?;
        let violations = validate(kind, &object);
        for violation in &violations {
            self.loaded.problems.push(self.loaded.problem(&key, &violation.path, violation.message.clone()));
        }
        if let Value::Object(members) = &mut object {
            members.remove("status");
        }
        without_nulls(&mut object);
        if violations.is_empty() {
            match serde_path_to_error::deserialize(&object) {
                Ok(typed) => return Some(typed),
                Err(error) => {
                    let path = error.path().to_string();
                    let problem = self.loaded.problem(&key, &path, error.into_inner().to_string());
                    self.loaded.problems.push(problem);
                }
            }
        }
        prune(kind, &mut object);
        self.loaded.broken.insert(key, object);
        None
    }

    fn secret(&mut self, node: &Node) {
        let mut lines = BTreeMap::new();
        node.lines("", &mut lines);
        let Some(key) = self.register("Secret", true, node, lines) else { return };
        let (secret, faults) = secret::read(node);
        for (path, message) in faults {
            self.loaded.problems.push(self.loaded.problem(&key, &path, message));
        }
        self.loaded.secrets.insert((key.namespace, key.name), secret);
    }

    /// Notes where the object stands. `None`, and a problem, when it has no name or one that is taken.
    fn register(
        &mut self,
        kind: &str,
        namespaced: bool,
        node: &Node,
        lines: BTreeMap<String, usize>,
    ) -> Option<ObjectKey> {
        let member = |name: &str| node.get("metadata").and_then(|metadata| metadata.get(name));
        let namespace = member("namespace").filter(|_| namespaced);
        for (field, node) in [("name", member("name")), ("namespace", namespace)] {
            let Some((line, read)) = node.and_then(|node| Some((node.line, node.misread()?))) else { continue };
            self.loaded.problems.push(FileProblem {
                line,
                path: format!("metadata.{field}"),
                ..FileProblem::of_file(
                    self.file,
                    format!("of a {kind} is no text, as YAML reads {read}: put it in quotes"),
                )
            });
            return None;
        }
        let Some(name) = member("name").and_then(Node::text).filter(|name| !name.is_empty()) else {
            self.say(None, "metadata.name", format!("is required: what the {kind} is called, as a text"));
            return None;
        };
        let namespace = if namespaced { namespace.and_then(Node::text).unwrap_or(NAMESPACE) } else { "" };
        let key = ObjectKey::new(kind, namespace, name);
        if let Some(first) = self.loaded.origins.get(&key) {
            let message = first.taken();
            self.say(Some(key), "", message);
            return None;
        }
        let origin = Origin { file: self.file.to_owned(), line: self.line, lines };
        self.loaded.origins.insert(key.clone(), origin);
        Some(key)
    }

    fn say(&mut self, object: Option<ObjectKey>, path: &str, message: String) {
        self.loaded.problems.push(FileProblem {
            line: self.line,
            object,
            path: path.to_owned(),
            ..FileProblem::of_file(self.file, message)
        });
    }
}

/// The server drops nulls of fields that may not be null, and none of ours may.
fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(without_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

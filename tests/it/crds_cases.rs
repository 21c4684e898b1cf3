//! A table of manifests: how a row is written. Rows are in `crds_right`, `crds_wrong_sources` and `crds_wrong_providers`.
#![allow(clippy::expect_used, reason = "a table of tests fails loudly")]

use hookgate::api::API_VERSION;
use hookgate::api::Kind;
use serde_json::{Value, json};

/// One manifest.
pub struct Case {
    /// What is special about it.
    pub about: &'static str,
    pub kind: Kind,
    pub object: Value,
}

/// A manifest that is refused.
pub struct Wrong {
    pub case: Case,
    /// The field.
    pub at: &'static str,
    /// What both say.
    pub says: &'static str,
    /// What the server says, where Kubernetes has words of its own.
    pub server: &'static str,
}

pub fn case(kind: Kind, about: &'static str, spec: &str) -> Case {
    let spec: Value = serde_saphyr::from_str(spec).expect("YAML in the table");
    let mut object =
        json!({"apiVersion": API_VERSION, "kind": kind.as_str(), "metadata": {"name": "case"}, "spec": spec});
    if kind.namespaced() {
        object["metadata"]["namespace"] = json!("default");
    }
    Case { about, kind, object }
}

pub fn source(about: &'static str, spec: &str) -> Case {
    case(Kind::Source, about, spec)
}

pub fn provider(about: &'static str, spec: &str) -> Case {
    case(Kind::Provider, about, spec)
}

/// A source of provider `generic` with this under `verification`.
pub fn generic(about: &'static str, verification: &str) -> Case {
    source(about, &format!("{{provider: generic, verification: {verification}}}"))
}

/// A source of provider `generic`, method `hmac`, with this block.
pub fn hmac(about: &'static str, block: &str) -> Case {
    generic(about, &format!("{{method: hmac, secretRefs: [{{name: a, key: k}}], hmac: {block}}}"))
}

/// A source with this under `verification.secretRefs`.
pub fn refs(about: &'static str, list: &str) -> Case {
    source(about, &format!("{{provider: xosum, verification: {{secretRefs: {list}}}}}"))
}

/// A source with this member of the spec.
pub fn with(about: &'static str, member: &str) -> Case {
    source(about, &format!("{{provider: xosum, {member}}}"))
}

/// A provider with this under its one scheme.
pub fn scheme(about: &'static str, scheme: &str) -> Case {
    provider(about, &format!("{{displayName: Acme, methods: [{{name: m, anyOf: [{{allOf: [{scheme}]}}]}}]}}"))
}

/// A provider with this member of the spec.
pub fn provider_with(about: &'static str, member: &str) -> Case {
    provider(
        about,
        &format!("{{displayName: Acme, methods: [{{name: m, anyOf: [{{allOf: [{{none: {{}}}}]}}]}}], {member}}}"),
    )
}

/// Any object.
pub fn object(about: &'static str, object: Value) -> Case {
    let kind = if object["kind"] == "WebhookProvider" { Kind::Provider } else { Kind::Source };
    Case { about, kind, object }
}

pub fn named(about: &'static str, metadata: &Value) -> Case {
    object(
        about,
        json!({"apiVersion": API_VERSION, "kind": "WebhookSource", "metadata": metadata, "spec": {"provider": "xosum"}}),
    )
}

impl Case {
    pub fn wrong(self, at: &'static str, says: &'static str) -> Wrong {
        Wrong { case: self, at, says, server: says }
    }

    /// Refused by what Kubernetes itself checks, in its words.
    pub fn wrong_in_words(self, at: &'static str, says: &'static str, server: &'static str) -> Wrong {
        Wrong { case: self, at, says, server }
    }
}

/// What every `hmac` block needs.
pub const HMAC: &str = "algorithm: SHA256, signature: {header: X-Sig}";

/// Manifests that must be refused, with the sentence that must say why.
pub fn wrong() -> Vec<Wrong> {
    let mut all = crate::crds_wrong_sources::sources();
    all.extend(crate::crds_wrong_sources::verification());
    all.extend(crate::crds_wrong_providers::schemes());
    all.extend(crate::crds_wrong_providers::providers());
    all
}

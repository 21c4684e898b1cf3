//! What the operator would say of valid manifests: providers, methods, policies, CEL and conflicts.

use std::sync::Arc;

use super::source::{catalogue, resolve};
use crate::api::condition::Reason;
use crate::control::compile::compile;
use crate::control::resolve::ResolvedRef;
use crate::control::settings::Settings;
use crate::manifest::{FileProblem, Loaded, ObjectKey};
use crate::provider::Provider;
use crate::provider::catalogue::built_in;
use crate::route::{Entry, RouteTable};

/// What the operator would say of valid manifests.
pub fn judge(loaded: &Loaded, settings: &Settings) -> Vec<FileProblem> {
    let mut problems = Vec::new();
    for provider in &loaded.providers {
        let name = provider.metadata.name.as_deref().unwrap_or_default();
        let key = ObjectKey::new("WebhookProvider", "", name);
        if let Err(errors) = Provider::compile(name, &provider.spec) {
            problems.extend(errors.into_iter().map(|error| loaded.problem(&key, &error.path, error.reason)));
        }
        if built_in(name).is_some() && !provider.spec.overrides_built_in {
            let text = format!(
                "ShadowsBuiltIn: {name:?} is built in; write overridesBuiltIn: true to replace it, or choose another name"
            );
            problems.push(loaded.problem(&key, "spec.overridesBuiltIn", text));
        }
    }
    let catalogue = catalogue(loaded);
    let mut entries = Vec::new();
    for source in &loaded.sources {
        let part = |text: &Option<String>| text.clone().unwrap_or_default();
        let key = ObjectKey::new("WebhookSource", &part(&source.metadata.namespace), &part(&source.metadata.name));
        let refs = resolve(source, loaded);
        match compile(source, &catalogue, &refs, settings) {
            Err(problem) => {
                problems.extend(problem.iter().map(|problem| {
                    loaded.problem(&key, &problem.field, format!("{}: {}", problem.reason.as_str(), problem.message))
                }));
            }
            Ok(compiled) => {
                // A Secret that is not in these files may be in the cluster; one that is here and does not fit is wrong.
                // The key that a vendor is to deliver must be absent until then.
                let delivered = compiled.route.capture.as_ref();
                let awaited = |resolved: &&ResolvedRef| {
                    delivered.is_some_and(|target| target.name == resolved.name && target.key == resolved.key)
                };
                let wrong =
                    refs.refs.iter().filter(|resolved| !awaited(resolved)).filter_map(|r| r.value.as_ref().err());
                for problem in wrong.filter(|problem| problem.reason != Reason::SecretNotFound) {
                    let text = format!("{}: {}", problem.reason.as_str(), problem.message);
                    problems.push(loaded.problem(&key, "spec.verification.secretRefs", text));
                }
                for unfit in compiled.unfit {
                    let text = format!("SecretInvalid: {}", unfit.message);
                    problems.push(loaded.problem(&key, &unfit.field, text));
                }
                entries.push(Entry::Served(Arc::new(compiled.route)));
            }
        }
    }
    let (_, conflicts) = RouteTable::build(entries);
    for conflict in conflicts.iter().filter(|conflict| conflict.none_left) {
        let (namespace, name) = &conflict.loser;
        let (older_namespace, older) = &conflict.keeper;
        let text = format!(
            "PathConflict: {older_namespace}/{older} claims the same host and path and is older: write another path or hostname"
        );
        problems.push(loaded.problem(&ObjectKey::new("WebhookSource", namespace, name), "spec.path", text));
    }
    problems
}

/// What the operator would note of manifests that it serves: what they ask for is not there yet, or holds otherwise.
pub fn notes(loaded: &Loaded, settings: &Settings) -> Vec<FileProblem> {
    let catalogue = catalogue(loaded);
    let mut notes = Vec::new();
    for source in &loaded.sources {
        let part = |text: &Option<String>| text.clone().unwrap_or_default();
        let key = ObjectKey::new("WebhookSource", &part(&source.metadata.namespace), &part(&source.metadata.name));
        if let Ok(compiled) = compile(source, &catalogue, &resolve(source, loaded), settings) {
            notes
                .extend(compiled.notices.into_iter().map(|notice| loaded.problem(&key, "", format!("note: {notice}"))));
        }
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_in_the_files_that_does_not_fit_is_a_problem() {
        let told = |secret: &str| {
            let text = format!(
                "{{apiVersion: v1, kind: Secret, metadata: {{name: s, namespace: sales}}, {secret}}}
---
{{apiVersion: hookgate.dev/v1alpha1, kind: WebhookSource, metadata: {{name: a, namespace: sales}},
  spec: {{provider: github, verification: {{secretRefs: [{{name: s, key: k}}]}}}}}}"
            );
            let problems = judge(&crate::manifest::read_documents("a.yaml", &text), &Settings::default());
            problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        };
        assert_eq!(told("stringData: {k: value}"), "");
        assert!(told("stringData: {other: value}").contains("KeyNotFound: Secret sales/s: has no key k"));
        assert!(told("stringData: {k: ''}").contains("SecretInvalid: Secret sales/s: is empty"));
        let token = told("type: kubernetes.io/service-account-token, stringData: {k: value}");
        assert!(token.contains("SecretInvalid") && token.contains("service-account-token"), "{token}");
    }

    #[test]
    fn what_a_manifest_asks_for_and_is_not_there_yet_is_noted_and_no_problem() {
        let text = "{apiVersion: hookgate.dev/v1alpha1, kind: WebhookSource, metadata: {name: calls, namespace: sales},
            spec: {provider: post-call, verification: {method: none}, delivery: {onOutage: Spool}}}";
        let loaded = crate::manifest::read_documents("calls.yaml", text);
        assert_eq!(judge(&loaded, &Settings::default()), []);
        let told: Vec<String> = notes(&loaded, &Settings::default()).iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "calls.yaml:1: WebhookSource sales/calls: note: delivery.onOutage: Spool is not there yet: while NATS is away requests are answered 503"
            ]
        );
    }
}

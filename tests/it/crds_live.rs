//! What a real API server says of the CRDs and of manifests, and that `validate` says the same.
#![allow(clippy::expect_used, clippy::panic, reason = "a helper of tests fails loudly")]

use std::path::Path;

use futures::stream::{self, StreamExt};
use hookgate::api::Kind;
use hookgate::api::crd;
use hookgate::api::validate::validate;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::crds_cases::{Case, wrong};
use crate::crds_right::right;
use crate::support::cluster::Cluster;

/// The shared cluster with the committed CRDs in it.
pub async fn cluster_with_crds() -> &'static Cluster {
    static READY: OnceCell<()> = OnceCell::const_new();
    let cluster = Cluster::shared().await;
    READY
        .get_or_init(|| async {
            let applied = cluster.kubectl(&["apply", "--filename", &path("crds")]).await;
            assert_eq!(applied.stderr, "", "the API server warns about nothing");
            applied.ok();
            let wait = ["wait", "--for=condition=Established", "--timeout=30s", "--filename", &path("crds")];
            cluster.kubectl(&wait).await.ok();
        })
        .await;
    cluster
}

fn path(inside: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(inside).to_string_lossy().into_owned()
}

/// What the server says to `kubectl create` of this object: an error text, or nothing.
pub async fn server_says(client: &kube::Client, case: &Case) -> Option<String> {
    let place = match case.kind {
        Kind::Source => "namespaces/default/webhooksources",
        Kind::Provider => "webhookproviders",
    };
    let url = format!("/apis/hookgate.dev/v1alpha1/{place}?dryRun=All&fieldValidation=Strict");
    let request = http::Request::post(url)
        .header("content-type", "application/json")
        .body(serde_json::to_vec(&case.object).expect("JSON"))
        .expect("a request");
    match client.request_text(request).await {
        Ok(_) => None,
        Err(kube::Error::Api(status)) => Some(status.message),
        Err(other) => panic!("{}: {other}", case.about),
    }
}

/// Whether an answer names a path. Rules name the member of a map as `map[key]`, all else as `map.key`.
fn names(said: &str, path: &str) -> bool {
    let keyed = path.rsplit_once('.').map(|(map, key)| format!("{map}[{key}]"));
    said.contains(path) || keyed.is_some_and(|keyed| said.contains(&keyed))
}

#[tokio::test]
async fn crds_apply_without_warnings_and_again_without_change() {
    let cluster = cluster_with_crds().await;
    for (_, crd) in crd::all() {
        let name = crd["metadata"]["name"].as_str().expect("a name");
        let shown = cluster.kubectl(&["get", "crd", name, "--output", "json"]).await.ok();
        let stored: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
        let conditions = stored["status"]["conditions"].as_array().expect("conditions");
        let is = |kind: &str| conditions.iter().any(|one| one["type"] == kind && one["status"] == "True");
        assert!(is("Established") && is("NamesAccepted") && !is("NonStructuralSchema"), "{name}: {conditions:?}");
    }
    let again = cluster.kubectl(&["apply", "--filename", &path("crds")]).await.ok();
    assert_eq!(again.lines().filter(|line| line.ends_with("unchanged")).count(), 2, "{again}");
    let listed = cluster.kubectl(&["api-resources", "--categories=hookgate", "--no-headers"]).await.ok();
    assert!(listed.contains("whs") && listed.contains("whp"), "{listed}");
}

#[tokio::test]
async fn what_is_wrong_is_refused_by_the_server_and_by_validate_with_the_same_sentence() {
    let client = cluster_with_crds().await.client().await;
    let wrong = wrong();
    let said: Vec<_> = stream::iter(&wrong).map(|wrong| server_says(&client, &wrong.case)).buffered(8).collect().await;
    let mut failures = Vec::new();
    for (wrong, said) in wrong.iter().zip(said) {
        let about = wrong.case.about;
        match said {
            None => failures.push(format!("{about}: the server takes it")),
            Some(said) if !said.contains(wrong.server) => failures.push(format!("{about}: the server says {said}")),
            Some(said) if !wrong.at.starts_with("metadata") && !names(&said, wrong.at) => {
                failures.push(format!("{about}: the server does not name {}: {said}", wrong.at));
            }
            Some(_) => {}
        }
        let violations = validate(wrong.case.kind, &wrong.case.object);
        if !violations.iter().any(|one| one.path == wrong.at && one.message.contains(wrong.says)) {
            failures.push(format!("{about}: validate says {violations:?}"));
        }
    }
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), wrong.len(), failures.join("\n"));
}

#[tokio::test]
async fn what_is_right_is_taken_by_the_server_and_by_validate() {
    let client = cluster_with_crds().await.client().await;
    let right = right();
    let said: Vec<_> = stream::iter(&right).map(|case| server_says(&client, case)).buffered(8).collect().await;
    let mut failures = Vec::new();
    for (case, said) in right.iter().zip(said) {
        if let Some(said) = said {
            failures.push(format!("{}: the server says {said}", case.about));
        }
        let violations = validate(case.kind, &case.object);
        if !violations.is_empty() {
            failures.push(format!("{}: validate says {violations:?}", case.about));
        }
    }
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), right.len(), failures.join("\n"));
}

#[tokio::test]
async fn yaml_means_what_it_means_to_kubectl() {
    let cluster = cluster_with_crds().await;
    let spec = "response: {body: yes}; suspend: yes; suspend: on; suspend: y; suspend: 'yes'; limits: {burst: 010}; \
        limits: {burst: 0o10}; limits: {burst: 1_000}; limits: {burst: 1e3}; limits: {burst: 5.0}; limits: {burst: 0b11}; \
        limits: {maxBodySize: 5.0}; limits: {burst: '5'}; response: {body: 0x10}; response: {body: 1:30}; \
        response: {body: 2026-01-01}; response: {body: ~}; response: {body: }; response: {body: .inf}; \
        response: {body: !!str 5}; response: {body: =}; response: {body: +1}; response: {body: n}; response: {body: No}; \
        verification: {parameters: {1: a, b: c}}; <<: {suspend: true}; response: [a]; response: a: b";
    let documents = spec.split("; ").map(|member| {
        format!("apiVersion: hookgate.dev/v1alpha1\nkind: WebhookSource\nmetadata: {{name: a, namespace: default}}\nspec:\n  provider: xosum\n  {member}\n")
    });
    let documents: Vec<String> = documents.collect();
    let answers = stream::iter(&documents).map(|text| async move {
        let apply = ["create", "--dry-run=server", "--validate=strict", "--output", "json", "--filename", "-"];
        cluster.kubectl_with(&apply, text).await
    });
    let mut failures = Vec::new();
    for (text, answer) in documents.iter().zip(answers.buffered(4).collect::<Vec<_>>().await) {
        let loaded = hookgate::manifest::read_documents("a.yaml", text);
        let ours = loaded.sources.first().map(|source| serde_json::to_value(&source.spec).expect("JSON"));
        let theirs = answer
            .status
            .success()
            .then(|| serde_json::from_str::<Value>(&answer.stdout).expect("JSON")["spec"].clone());
        // Empty objects are left out where the server keeps them.
        let theirs = theirs.map(|spec| {
            let typed: hookgate::api::source::WebhookSourceSpec = serde_json::from_value(spec).expect("a spec");
            serde_json::to_value(&typed).expect("JSON")
        });
        if ours != theirs {
            failures
                .push(format!("{text}  kubectl: {theirs:?} {}\n  ours: {ours:?} {:?}", answer.stderr, loaded.problems));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[tokio::test]
async fn whatever_is_changed_in_a_right_manifest_both_judge_alike() {
    let client = cluster_with_crds().await.client().await;
    let cases: Vec<Case> = right().iter().flat_map(variations).collect();
    assert!(cases.len() > 500, "{} variations", cases.len());
    let said: Vec<_> = stream::iter(&cases).map(|case| server_says(&client, case)).buffered(16).collect().await;
    let mut failures = Vec::new();
    for (case, said) in cases.iter().zip(said) {
        let violations = validate(case.kind, &case.object);
        if said.is_none() != violations.is_empty() {
            failures.push(format!("{}\n  server: {said:?}\n  validate: {violations:?}", case.object["spec"]));
        }
    }
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), cases.len(), failures.join("\n"));
}

/// The manifest with each of its values once absent and once another.
fn variations(case: &Case) -> Vec<Case> {
    let others = [
        json!(null),
        json!(""),
        json!("a b"),
        json!("true"),
        json!(0),
        json!(-1),
        json!(1.5),
        json!(3.0),
        json!(true),
        json!([]),
        json!({}),
        json!([{}]),
        json!(["a", "a"]),
        json!({"a": "b"}),
    ];
    let mut pointers = Vec::new();
    places(&case.object["spec"], "/spec", &mut pointers);
    let mut all = Vec::new();
    for (turn, pointer) in pointers.iter().enumerate() {
        // A quarter of all pairs, so that every place and every value takes part.
        for (_, other) in others.iter().enumerate().filter(|(index, _)| (turn + index) % 4 == 0) {
            let mut object = case.object.clone();
            *object.pointer_mut(pointer).expect("a place") = other.clone();
            all.push(Case { about: case.about, kind: case.kind, object });
        }
        let mut object = case.object.clone();
        let (parent, name) = pointer.rsplit_once('/').expect("a place below another");
        if let Some(members) = object.pointer_mut(parent).and_then(Value::as_object_mut) {
            members.remove(&name.replace("~1", "/").replace("~0", "~"));
            all.push(Case { about: case.about, kind: case.kind, object });
        }
    }
    all
}

fn places(value: &Value, pointer: &str, all: &mut Vec<String>) {
    all.push(pointer.to_owned());
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                places(member, &format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1")), all);
            }
        }
        Value::Array(items) => {
            // The first item stands for all.
            for (index, item) in items.iter().enumerate().take(1) {
                places(item, &format!("{pointer}/{index}"), all);
            }
        }
        _ => {}
    }
}

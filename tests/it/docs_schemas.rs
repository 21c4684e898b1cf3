//! `hookgate schema`: every schema is one of 2020-12, accepts what users write and what is published, and refuses what is wrong.
#![allow(clippy::expect_used, reason = "a helper of tests fails loudly")]

use std::path::Path;

use hookgate::cli::SCHEMAS as NAMES;
use serde_json::Value;

use crate::asyncapi::judge;
use crate::support::folder::Folder;
use crate::support::nats::Nats;
use crate::support::operator::{Operator, hookgate};

async fn schema(name: &str, folder: &Folder) -> std::path::PathBuf {
    folder.write(&format!("{name}.json"), &hookgate(&["schema", name]).await.ok())
}

#[tokio::test]
async fn every_schema_holds_to_its_metaschema() {
    let folder = Folder::new("schemas");
    let mut files = Vec::new();
    for name in NAMES {
        files.push(schema(name, &folder).await);
    }
    let files: Vec<&Path> = files.iter().map(std::path::PathBuf::as_path).collect();
    judge("schemas", &files).await.ok();
}

/// The documents of a kind in all examples and the catalogue, as JSON lines.
fn manifests(kind: &str) -> Vec<Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = Vec::new();
    for folder in ["examples/quickstart", "examples/sources", "examples/providers", "src/provider/catalogue"] {
        for file in std::fs::read_dir(root.join(folder)).expect(folder) {
            let path = file.expect("a file").path();
            if path.extension().is_some_and(|end| end == "yaml") {
                let text = std::fs::read_to_string(&path).expect("a manifest");
                all.extend(serde_saphyr::from_multiple::<Value>(&text).expect("YAML"));
            }
        }
    }
    all.retain(|manifest| manifest["kind"] == kind);
    all
}

#[tokio::test]
async fn editors_accept_every_example_and_the_whole_catalogue_and_see_a_misspelt_field() {
    let folder = Folder::new("manifests");
    for (name, kind) in [("webhooksource", "WebhookSource"), ("webhookprovider", "WebhookProvider")] {
        let schema = schema(name, &folder).await;
        let all = manifests(kind);
        assert!(!all.is_empty(), "no {kind}");
        let lines: Vec<String> = all.iter().map(Value::to_string).collect();
        judge("valid", &[&schema, &folder.write("right.jsonl", &lines.join("\n"))]).await.ok();
        let mut wrong = all[0].clone();
        wrong["spec"]["displayname"] = "misspelt".into();
        let judged = judge("valid", &[&schema, &folder.write("wrong.jsonl", &wrong.to_string())]).await;
        assert!(!judged.status.success() && judged.stdout.contains("displayname"), "{}", judged.stdout);
    }
}

#[tokio::test]
async fn conversations_of_the_four_seeds_are_what_the_schema_says() {
    let folder = Folder::new("conversations");
    let quickstart = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/quickstart");
    let nats = Nats::start().await;
    let operator = Operator::in_folder(&quickstart, &nats.url(), &[]).await;
    let (manifests, to) = (quickstart.display().to_string(), operator.url());
    let seeds = ["focus-push", "post-call", "xosum", "meeting-intelligence"];
    for name in seeds {
        let (source, data) = (format!("demo/{name}"), format!("{manifests}/data/{name}.json"));
        let send = ["send", "-f", &manifests, "--source", &source, "--data", &data, "--to", &to, "--no-events"];
        let _ = hookgate(&send).await.ok();
    }
    let stored = nats.collect("webhooks.demo.>", seeds.len(), std::time::Duration::from_secs(20)).await;
    let lines: Vec<String> = stored
        .iter()
        .map(|message| serde_json::from_slice::<Value>(&message.payload).expect("JSON").to_string())
        .collect();
    let schema = schema("conversation", &folder).await;
    judge("valid", &[&schema, &folder.write("all.jsonl", &lines.join("\n"))]).await.ok();
    let wrong = judge("valid", &[&schema, &folder.write("wrong.jsonl", "{\"id\": 7}")]).await;
    assert!(wrong.stdout.contains("kind") && wrong.stdout.contains("/id"), "{}", wrong.stdout);
}

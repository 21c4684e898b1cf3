//! `hookgate asyncapi` describes what arrives: the public AsyncAPI parser accepts the document, and real events fit it.
#![allow(clippy::expect_used, clippy::panic, reason = "a test without its judges fails loudly")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::folder::Folder;
use crate::support::nats::Nats;
use crate::support::operator::{Operator, hookgate};
use crate::support::run::{Output, run};

/// Runs a task of `tests/asyncapi/judge.mjs`. The first use on a machine installs the judges.
pub async fn judge(task: &str, files: &[&Path]) -> Output {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/asyncapi");
    let folder = FOLDER.get_or_init(|| {
        let installed = Command::new(scripts.join("install.sh")).stderr(Stdio::inherit()).output();
        let installed = installed.unwrap_or_else(|error| panic!("cannot run tests/asyncapi/install.sh: {error}"));
        let printed = String::from_utf8_lossy(&installed.stdout);
        assert!(installed.status.success(), "tests/asyncapi/install.sh failed: it needs node and npm ({printed})");
        PathBuf::from(printed.lines().last().expect("the folder of the judges"))
    });
    let mut command = tokio::process::Command::new("node");
    command.arg(scripts.join("judge.mjs")).arg(folder).arg(task).args(files);
    run(command, "").await
}

fn examples(folder: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(folder).display().to_string()
}

/// The document of manifests, as JSON.
async fn document(files: &[&str]) -> Value {
    let arguments = [&["asyncapi", "-o", "json", "-f"], files].concat();
    serde_json::from_str(&hookgate(&arguments).await.ok()).expect("JSON")
}

#[tokio::test]
async fn the_public_parser_accepts_the_document_of_every_example_without_a_warning() {
    let folder = Folder::new("asyncapi");
    let (quickstart, sources, providers) = (examples("quickstart"), examples("sources"), examples("providers"));
    let files = ["asyncapi", "-f", &quickstart, &sources, &providers];
    let yaml = folder.write("all.yaml", &hookgate(&files).await.ok());
    let json = folder.write("all.json", &hookgate(&[&files[..], &["-o", "json"]].concat()).await.ok());
    let judged = judge("asyncapi", &[&yaml, &json]).await;
    assert!(judged.status.success(), "{}{}", judged.stdout, judged.stderr);
}

#[tokio::test]
async fn a_source_has_a_channel_for_every_subject_template_and_one_for_rejected_items() {
    let document = document(&[&examples("sources/routing.yaml")]).await;
    let address = |id: &str| document["channels"][id]["address"].as_str().unwrap_or_default().to_owned();
    assert_eq!(address("default.repositories"), "webhooks.default.repositories.{type}");
    assert_eq!(address("default.repositories.rule-0"), "webhooks.default.reviews.repositories");
    assert_eq!(address("default.repositories.rule-1"), "webhooks.default.pushes.repositories");
    assert_eq!(address("default.repositories.rejected"), "webhooks._rejected.default.repositories");
    let channel = &document["channels"]["default.repositories.rule-0"];
    assert_eq!(channel["parameters"], Value::Null, "an address without variables has no parameters");
    assert!(document["channels"]["default.repositories"]["parameters"]["type"].is_object());
    let said = channel["description"].as_str().unwrap_or_default();
    assert!(said.contains("pull_request.opened") && said.contains("data.pull_request.draft == false"), "{said}");
    let operation = &document["operations"]["publish.default.repositories.rule-0"];
    assert_eq!(operation["action"], "send");
    let tags: Vec<_> = operation["tags"].as_array().into_iter().flatten().map(|tag| &tag["name"]).collect();
    assert_eq!(tags, ["namespace:default", "source:repositories", "provider:github"]);
}

#[tokio::test]
async fn what_is_published_is_what_the_document_says() {
    let folder = Folder::new("published");
    for file in ["quickstart/focus-push", "quickstart/post-call", "quickstart/xosum", "quickstart/meeting-intelligence"]
    {
        copy(file, &folder);
    }
    copy("quickstart/github", &folder);
    copy("sources/structured", &folder);
    let manifests = folder.display().to_string();
    let nats = Nats::start().await;
    let operator = Operator::in_folder(&folder, &nats.url(), &[]).await;
    let to = operator.url();
    let send = async |source: &str, more: &[&str]| {
        let arguments = ["send", "-f", &manifests, "--source", source, "--to", &to, "--no-events"];
        let _ = hookgate(&[&arguments[..], more].concat()).await.ok();
    };
    for name in ["focus-push", "post-call", "xosum", "meeting-intelligence"] {
        let data = examples(&format!("quickstart/data/{name}.json"));
        send(&format!("demo/{name}"), &["--data", &data]).await;
    }
    send("demo/github", &["--event", "issues.opened"]).await;
    send("default/meetings", &["--event", "user.joined"]).await;
    // No callId: an item that is no event.
    let answer = operator.post("/demo/post-call", &[("content-type", "application/json")], "{\"a\":1}").await;
    assert_eq!(answer.expect("an answer").status, 200);

    let stored = nats.collect("webhooks.>", 7, Duration::from_secs(20)).await;
    let lines: Vec<String> = stored.iter().map(|message| line(message).to_string()).collect();
    let events = folder.write("events.jsonl", &lines.join("\n"));
    let described = folder.write("document.json", &document(&[&manifests]).await.to_string());
    let judged = judge("events", &[&described, &events]).await.ok();
    for (subject, name) in [
        ("webhooks.demo.xosum.", "demo.xosum.conversation"),
        ("webhooks.demo.github.issues.opened", "demo.github.item"),
        ("webhooks.default.meetings.", "default.meetings.item"),
        ("webhooks._rejected.demo.post-call", "demo.post-call.rejected"),
    ] {
        let told = judged.lines().any(|line| line.starts_with(subject) && line.ends_with(&format!(" is {name}")));
        assert!(told, "{subject} is no {name}:\n{judged}");
    }
}

fn copy(example: &str, folder: &Folder) {
    let text = std::fs::read_to_string(examples(&format!("{example}.yaml"))).expect("an example");
    folder.write(&format!("{}.yaml", example.replace('/', "-")), &text);
}

/// A stored message as a line of `hookgate tail -o json`.
fn line(message: &async_nats::jetstream::message::StreamMessage) -> Value {
    let headers: serde_json::Map<String, Value> = message
        .headers
        .iter()
        .filter_map(|(name, values)| Some((name.to_string(), values.first()?.as_str().into())))
        .collect();
    let data: Value = serde_json::from_slice(&message.payload).expect("the data of these is JSON");
    json!({"subject": message.subject.as_str(), "headers": headers, "data": data})
}

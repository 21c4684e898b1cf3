//! `hookgate migrate` prints sources that `check` accepts, says what it cannot carry over, and never lets in more than before.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails loudly")]

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::folder::Folder;
use crate::support::nats::Nats;
use crate::support::operator::{Operator, hookgate};

fn file(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/migrate").join(name).display().to_string()
}

/// The sources of an output by name, and the comments above each.
fn read(output: &str) -> BTreeMap<String, (Value, String)> {
    let documents = output.split("\n---\n").skip(1);
    let read = documents.map(|text| {
        let source: Value = serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let comments: Vec<&str> = text.lines().filter(|line| line.starts_with('#')).collect();
        (source["metadata"]["name"].as_str().expect("a name").to_owned(), (source, comments.join("\n")))
    });
    read.collect()
}

async fn migrated(arguments: &[&str], code: i32) -> String {
    let said = hookgate(&[&["migrate"], arguments].concat()).await;
    assert_eq!(said.status.code(), Some(code), "{}\n{}", said.stdout, said.stderr);
    said.stdout
}

#[tokio::test]
async fn what_is_printed_is_what_check_accepts_and_the_same_each_time() {
    let folder = Folder::new("migrated");
    for (project, manifests, policies) in [
        ("argo", "eventsources.yaml", &[][..]),
        ("argo", "eventsources.yaml", &["--path-policy", "/**"][..]),
        ("flux", "receivers.yaml", &[][..]),
        ("flux", "receivers.yaml", &["--path-policy", "/{namespace}/**", "--path-policy", "/hook/**"][..]),
    ] {
        let given = file(manifests);
        let arguments = [&[project, given.as_str()], policies].concat();
        let output = migrated(&arguments, 1).await;
        assert_eq!(output, migrated(&arguments, 1).await, "{project}");
        let sources = folder.write("sources.yaml", &output).display().to_string();
        let checked = hookgate(&[&["check", sources.as_str()], policies].concat()).await;
        assert!(checked.status.success(), "{project} {policies:?}: {}\n{output}", checked.stdout);
        assert!(output.lines().all(|line| line.len() < 400), "{output}");
    }
}

#[tokio::test]
async fn event_sources_keep_what_they_said() {
    let output = migrated(&["argo", &file("eventsources.yaml")], 1).await;
    let sources = read(&output);
    let spec = |name: &str| &sources.get(name).unwrap_or_else(|| panic!("{name}: {output}")).0["spec"];
    let comments = |name: &str| sources[name].1.clone();

    let builds = spec("repositories-builds");
    assert_eq!(builds["path"], "/ci/builds");
    assert_eq!(builds["verification"]["secretRefs"], json!([{"name": "github-access", "key": "secret"}]));
    assert_eq!(builds["events"]["include"], json!(["push", "push.*", "pull_request", "pull_request.*"]));
    assert_eq!(builds["limits"]["maxBodySize"], 4194304);
    for told in [
        "needs: Secret github-access",
        "elsewhere: webhook.port",
        "elsewhere: webhook.url",
        "body.repository.private == true",
    ] {
        assert!(comments("repositories-builds").contains(told), "{told}: {}", comments("repositories-builds"));
    }
    for field in
        ["apiToken", "repositories", "organizations", "deleteHookOnFinish", "active", "insecure", "contentType"]
    {
        let of = comments("repositories-builds");
        let mut lost = of.lines().filter(|line| line.starts_with("#   no equivalent: "));
        assert!(lost.any(|line| line.contains(field)), "{field}: {of}");
    }
    // Its path is outside the policy, its events are all, and nothing was proven.
    let everything = spec("repositories-everything");
    assert!(everything["path"] == "/ci/push" && everything.get("events").is_none());
    assert!(comments("repositories-everything").contains("/ci/push in place of /push"));
    assert!(comments("repositories-everything").contains("nothing was proven so far"));
    let group = spec("repositories-group-hooks");
    assert_eq!(group["verification"]["method"], "token");
    assert_eq!(
        group["events"]["include"],
        json!(["push", "push.*", "tag_push", "tag_push.*", "user_*", "NewEvents", "NewEvents.*"])
    );
    assert!(comments("repositories-group-hooks").contains("NewEvents: no type is known"));
    // The other one has its path already.
    assert!(group.get("path").is_none());
    assert!(comments("repositories-group-hooks").contains("/ci/repositories-group-hooks in place of /push"));

    assert_eq!(spec("others-open")["verification"], json!({"method": "none"}));
    assert!(comments("others-open").contains("nothing was proven and nothing is"));
    let closed = spec("others-closed");
    assert_eq!(closed["verification"]["token"], json!({"header": "Authorization", "prefix": "Bearer "}));
    assert!(
        comments("others-closed").contains("webhook.method: sources take POST")
            && !comments("others-closed").contains("nothing is")
    );
    assert_eq!(spec("others-payments")["events"]["include"], json!(["charge.succeeded", "invoice.*"]));
    assert_eq!(spec("others-payments")["verification"]["secretRefs"][0]["name"], "others-payments");
    assert_eq!(
        spec("others-topic")["verification"]["parameters"]["topicArn"],
        "arn:aws:sns:eu-central-1:123456789012:orders"
    );
    assert_eq!(spec("others-own")["provider"], "bitbucket-data-center");
    assert!(comments("others-reviews").contains("no equivalent: surprise: not known here"));
    assert!(comments("others-files").contains("in/"), "{}", comments("others-files"));

    for told in [
        "others: spec.calendar",
        "others: spec.kafka: no webhook feeds it",
        "Sensor build",
        "EventBus ci",
        "repositories: spec.service",
    ] {
        assert!(output.split("\n---\n").next().is_some_and(|head| head.contains(told)), "{told}: {output}");
    }
    assert_eq!(sources.len(), 12, "{:?}", sources.keys());
}

#[tokio::test]
async fn receivers_keep_their_proof_and_where_they_may_their_path() {
    let given = file("receivers.yaml");
    let policies = ["--path-policy", "/{namespace}/**", "--path-policy", "/hook/**"];
    let output = migrated(&[&["flux", given.as_str()], &policies[..]].concat(), 1).await;
    let sources = read(&output);
    let spec = |name: &str| &sources.get(name).unwrap_or_else(|| panic!("{name}: {output}")).0["spec"];
    let comments = |name: &str| sources[name].1.clone();

    let github = spec("github");
    assert_eq!(github["path"], "/hook/bed6d00b5555b1603e1f59b94d7fdbca58089cb5663633fb83f2815dc626d92b");
    assert_eq!(github["verification"]["secretRefs"], json!([{"name": "receiver-token", "key": "token"}]));
    for told in [
        "kubectl annotate --overwrite -n flux-system gitrepository webapp reconcile.fluxcd.io/requestedAt",
        "kubectl annotate --overwrite -n apps imagerepository -l app=shop,tier=web",
        "req.ref == 'refs/heads/main'",
        "environment",
        "elsewhere: interval",
    ] {
        assert!(comments("github").contains(told), "{told}: {}", comments("github"));
    }
    // Made as Flux makes it, of the token of the Secret in the file, its name and its namespace.
    let gitlab = spec("gitlab-hooks");
    assert_eq!(gitlab["suspend"], true);
    let digest = hex(b"a-token-of-the-testsgitlab.hooksflux-system");
    assert_eq!(gitlab["path"], format!("/hook/{digest}"));
    assert_eq!(
        gitlab["events"]["include"],
        json!(["push", "push.*", "tag_push", "tag_push.*", "merge_request", "merge_request.*"])
    );
    assert_eq!(
        (&spec("server")["provider"], &spec("cloud")["provider"]),
        (&json!("bitbucket-data-center"), &json!("bitbucket"))
    );
    for open in ["dockerhub", "quay", "acr", "any"] {
        assert_eq!(spec(open)["verification"]["method"], "none", "{open}");
        assert!(comments(open).contains("nothing was proven and nothing is"), "{open}");
    }
    for (name, secret) in [("harbor", "a"), ("nexus", "a"), ("cdevents", "a"), ("signed", "webhook-token")] {
        assert_eq!(spec(name)["verification"]["secretRefs"], json!([{"name": secret, "key": "token"}]), "{name}");
    }
    let gcr = &spec("gcr")["verification"]["parameters"];
    assert_eq!(
        gcr,
        &json!({"audience": "https://hooks.example.com/gcr", "email": "push@acme.iam.gserviceaccount.com"})
    );
    // What cannot be known, or carried over, lets in nobody.
    for held in ["gcr-unseen", "actions-of-some", "dockerhub", "quay", "acr", "any"] {
        assert_eq!(spec(held)["suspend"], true, "{held}");
        assert!(comments(held).contains("then remove suspend"), "{held}");
    }
    let actions = spec("actions");
    assert!(actions.get("suspend").is_none());
    assert_eq!(actions["verification"]["jwt"]["audiences"], json!(["notification-controller"]));
    assert_eq!(
        actions["verification"]["jwt"]["claims"],
        json!([{"name": "repository_owner", "equals": "acme"}, {"name": "ref", "equals": "refs/heads/main"}])
    );
    assert!(
        comments("actions-of-some").contains("vars.owner in ['acme', 'shop']")
            && comments("actions-of-some").contains("gitlab.example.com")
    );
    assert!(!output.contains("a-token-of-the-tests"), "secrets stay where they are");

    // Without the policy senders use another URL, and are told so.
    let strict = migrated(&["flux", &given], 1).await;
    let sources = read(&strict);
    assert!(sources["github"].1.contains("senders use /flux-system/hook/bed6"), "{strict}");
    assert!(
        sources["github"].0["spec"]["path"].as_str().is_some_and(|path| path.starts_with("/flux-system/hook/bed6"))
    );
}

fn hex(bytes: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn a_migrated_receiver_takes_what_its_sender_sends_on_the_url_that_it_has() {
    let folder = Folder::new("served");
    let policy = ["--path-policy", "/hook/**"];
    let output = migrated(&[&["flux", &file("receivers.yaml")], &policy[..]].concat(), 1).await;
    let sources = read(&output);
    let path = sources["signed"].0["spec"]["path"].as_str().expect("a path").to_owned();
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: webhook-token, namespace: flux-system}\nstringData: {token: a-token-of-the-tests}\n";
    folder.write(
        "signed.yaml",
        &format!("{secret}---\n{}", serde_saphyr::to_string(&sources["signed"].0).expect("YAML")),
    );
    let nats = Nats::start().await;
    let operator = Operator::in_folder(&folder, &nats.url(), &policy).await;
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, b"a-token-of-the-tests");
    let tag = aws_lc_rs::hmac::sign(&key, b"{}");
    let signature: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let json = ("content-type", "application/json");
    let signed = [json, ("x-signature", &format!("sha256={signature}"))];
    assert_eq!(operator.post(&path, &signed, "{}").await.expect("an answer").status, 200);
    assert_eq!(operator.post(&path, &[json], "{}").await.expect("an answer").status, 401);
}

#[tokio::test]
async fn what_has_an_equivalent_whole_is_0_and_what_is_none_2() {
    let folder = Folder::new("codes");
    let plain = "apiVersion: argoproj.io/v1alpha1\nkind: EventSource\nmetadata: {name: a, namespace: ns}\nspec: {webhook: {b: {endpoint: /ns/b, port: '1', method: POST}}}\n";
    let write = |name: &str, text: &str| folder.write(name, text).display().to_string();
    let output = migrated(&["argo", &write("plain.yaml", plain)], 0).await;
    assert_eq!(read(&output)["a-b"].0["spec"]["path"], "/ns/b");
    for (text, told) in [("a: [", "no YAML"), ("kind: Pod\n", "no EventSource"), ("", "no EventSource")] {
        let said = hookgate(&["migrate", "argo", &write("other.yaml", text)]).await;
        assert_eq!(said.status.code(), Some(2), "{text}");
        assert!(said.stderr.contains(told), "{}", said.stderr);
    }
    let said = hookgate(&["migrate", "argo", "nowhere.yaml"]).await;
    assert!(said.status.code() == Some(2) && said.stderr.contains("nowhere.yaml"), "{}", said.stderr);
}

#[tokio::test]
async fn names_of_users_cannot_write_manifests_of_their_own() {
    let folder = Folder::new("names");
    let text = "apiVersion: argoproj.io/v1alpha1\nkind: EventSource\nmetadata: {name: \"a\\n---\\nkind: Secret\"}\nspec: {webhook: {\"x\\ny: z\": {endpoint: \"/x\\n---\\n\", \"f\\n---\": 1}}}\n";
    let file = folder.write("names.yaml", text).display().to_string();
    let output = migrated(&["argo", &file], 1).await;
    let documents: Vec<Value> = serde_saphyr::from_multiple(&output).expect("YAML");
    let kinds: Vec<&Value> = documents.iter().filter(|one| one.is_object()).map(|one| &one["kind"]).collect();
    assert_eq!(kinds, ["WebhookSource"]);
}

//! What a platform team writes as a WebhookProvider acts through the binary as it stands there, and what cannot act is said.
#![allow(clippy::expect_used, clippy::panic)]

use std::time::Duration;

use http::Request;
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

use crate::support::folder::Folder;
use crate::support::nats::Nats;
use crate::support::operator::{Answer, Operator, hookgate};
use crate::support::wait::eventually;

const SOON: Duration = Duration::from_secs(10);
const SECRET: &str = "token-of-acme-5b1f";

const PROVIDERS: &str = "
apiVersion: hookgate.dev/v1alpha1
kind: WebhookProvider
metadata: {name: acme}
spec:
  displayName: Acme
  methods: [{name: token, anyOf: [{allOf: [{token: {header: X-Token}}]}]}]
  httpMethods: [POST, GET, PUT, PATCH]
  handshakes:
  - {when: [{pointer: /challenge}], respond: {contentType: text/plain, body: 'first {pointer:/challenge}'}}
  - {when: [{pointer: /challenge}, {pointer: /more}], respond: {contentType: text/plain, body: second}}
  - {when: [{pointer: /more}], respond: {contentType: text/plain, body: third}}
  split: [{pointer: /events, optional: true}]
  extract: {type: [{pointer: /type}], id: [{pointer: /id}]}
  redact: [/apiKey]
  respond:
    status: 202
    contentType: application/json
    headers: {X-Acme-Fixed: kept, X-Acme-Seen: 'seen {header:X-Acme-Try}'}
    body: '{\"took\": {items}, \"of\": \"{pointer:/account}\"}'
  limits: {maxBodySize: 2Ki}
---
apiVersion: hookgate.dev/v1alpha1
kind: WebhookProvider
metadata: {name: broken}
spec:
  displayName: Broken
  methods: [{name: m, anyOf: [{allOf: [{hmac: {algorithm: SHA256, signature: {header: X-S}, content: '{nothing}'}}]}]}]
";

/// Sources of those definitions, and one whose vendor's events have no shape of ours.
fn manifests() -> Folder {
    let folder = Folder::new("manifests");
    folder.write("providers.yaml", PROVIDERS);
    let source = |name: &str, spec: &str| {
        format!(
            "---\napiVersion: hookgate.dev/v1alpha1\nkind: WebhookSource\nmetadata: {{name: {name}, namespace: team}}\n\
             spec: {{{spec}, verification: {{secretRefs: [{{name: keys, key: k}}]}}}}\n"
        )
    };
    let secret = format!(
        "---\n{{apiVersion: v1, kind: Secret, metadata: {{name: keys, namespace: team}}, stringData: {{k: {SECRET}}}}}\n"
    );
    let sources =
        [source("acme", "provider: acme"), source("plain", "provider: github, routing: {includeOriginal: false}")];
    folder.write("sources.yaml", &(secret + &sources.concat()));
    folder
}

async fn get(operator: &Operator, target: &str, token: &str) -> u16 {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<bytes::Bytes>>();
    let request = Request::get(format!("{}{target}", operator.url())).header("x-token", token);
    let request = request.body(Full::default()).expect("a request");
    client.request(request).await.expect("an answer").status().as_u16()
}

async fn by(operator: &Operator, method: &str) -> (u16, String) {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<bytes::Bytes>>();
    let body = format!("{{\"type\":\"{method}\",\"id\":\"{method}\"}}");
    let request = Request::builder().method(method).uri(format!("{}/team/acme", operator.url()));
    let request = request.header("x-token", SECRET).header("content-type", "application/json");
    let answer = client.request(request.body(body.into()).expect("a request")).await.expect("an answer");
    let allow = answer.headers().get("allow").map(|allow| allow.to_str().expect("text").to_owned());
    (answer.status().as_u16(), allow.unwrap_or_default())
}

#[tokio::test]
async fn deliveries_come_by_the_methods_that_the_definition_names() {
    let (folder, nats) = (manifests(), Nats::start().await);
    let operator = Operator::in_folder(folder.path(), &nats.url(), &[]).await;
    for method in ["PUT", "PATCH", "POST"] {
        assert_eq!(by(&operator, method).await.0, 202, "{method}");
    }
    let (status, allow) = by(&operator, "DELETE").await;
    assert_eq!(status, 405);
    assert!(["POST", "GET", "PUT", "PATCH"].iter().all(|method| allow.contains(method)), "{allow}");
    let stored = nats.collect("webhooks.>", 3, SOON).await;
    let subjects: Vec<&str> = stored.iter().map(|message| message.subject.as_str()).collect();
    assert_eq!(subjects, ["webhooks.team.acme.PUT", "webhooks.team.acme.PATCH", "webhooks.team.acme.POST"]);
}

#[tokio::test]
async fn a_definition_wins_over_a_built_in_of_its_name_and_is_told_to_say_so() {
    let (folder, nats) = (manifests(), Nats::start().await);
    let shadowing = PROVIDERS.split("---").next().expect("the first").replace("name: acme}", "name: quay}");
    folder.write("providers.yaml", &format!("{PROVIDERS}---{shadowing}"));
    let sources = std::fs::read_to_string(folder.join("sources.yaml")).expect("sources");
    folder.write("sources.yaml", &sources.replace("provider: acme", "provider: quay"));
    let check = async || {
        let said = hookgate(&["check", &folder.path().display().to_string()]).await;
        assert_eq!(said.status.code(), Some(1));
        said.stdout
    };
    let said = check().await;
    assert!(said.contains("spec.overridesBuiltIn: ") && said.contains("(ShadowsBuiltIn)"), "{said}");
    let operator = Operator::in_folder(folder.path(), &nats.url(), &[]).await;
    assert_eq!(by(&operator, "PUT").await.0, 202, "as Acme answers, and no built-in");
    eventually("the log says so", SOON, async || operator.process.log().contains("ShadowsBuiltIn")).await;
    folder.write("providers.yaml", &format!("{PROVIDERS}---{shadowing}  overridesBuiltIn: true\n"));
    assert!(!check().await.contains("ShadowsBuiltIn"), "the broken one is all that is left");
}

async fn post(operator: &Operator, token: &str, body: &str) -> Answer {
    let headers = [("content-type", "application/json"), ("x-token", token), ("x-acme-try", "2")];
    operator.post("/team/acme", &headers, body.to_owned()).await.expect("an answer")
}

fn text(answer: &Answer) -> &str {
    std::str::from_utf8(&answer.body).expect("text")
}

#[tokio::test]
async fn a_definition_says_how_its_deliveries_are_answered_and_by_which_methods_they_come() {
    let (folder, nats) = (manifests(), Nats::start().await);
    let operator = Operator::in_folder(folder.path(), &nats.url(), &["--max-body-size=1Ki"]).await;

    let body = r#"{"account":"a \"b\"","events":[{"type":"x","id":"1"},{"type":"y","id":"2"}]}"#;
    let answer = post(&operator, SECRET, body).await;
    assert_eq!((answer.status.as_u16(), text(&answer)), (202, r#"{"took": 2, "of": "a \"b\""}"#));
    let header = |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok());
    assert_eq!((header("x-acme-fixed"), header("x-acme-seen")), (Some("kept"), Some("seen 2")));
    assert_eq!(header("content-type"), Some("application/json"));
    let strange = post(&operator, "another", body).await;
    assert_eq!((strange.status.as_u16(), strange.headers.contains_key("x-acme-fixed")), (401, false));

    // The first handshake that matches wins, and none is an event.
    for (body, said) in [
        (r#"{"challenge":"c1","more":1}"#, "first c1"),
        (r#"{"challenge":"c2"}"#, "first c2"),
        (r#"{"more":1}"#, "third"),
    ] {
        assert_eq!(text(&post(&operator, SECRET, body).await), said, "{body}");
        assert_eq!(post(&operator, "another", body).await.status, 401, "{body}");
    }

    assert_eq!(get(&operator, "/team/acme?type=called&id=3&apiKey=key-9d0e", SECRET).await, 202);
    assert_eq!(get(&operator, "/team/acme?type=called&id=4", "another").await, 401);
    assert_eq!(post(&operator, SECRET, &format!("{{\"x\":\"{}\"}}", "x".repeat(1100))).await.status, 413);
    let stored = nats.collect("webhooks.>", 3, SOON).await;
    let subjects: Vec<&str> = stored.iter().map(|message| message.subject.as_str()).collect();
    assert_eq!(subjects, ["webhooks.team.acme.x", "webhooks.team.acme.y", "webhooks.team.acme.called"]);
    assert_eq!(&stored[2].payload[..], b"type=called&id=3");
    assert_eq!(nats.count("WEBHOOKS").await, 3);
}

#[tokio::test]
async fn what_of_a_manifest_cannot_act_is_said_in_the_log_of_a_folder() {
    let (folder, nats) = (manifests(), Nats::start().await);
    let operator = Operator::in_folder(folder.path(), &nats.url(), &["--max-body-size=1Ki"]).await;
    let says = async |what: &str, parts: &[&str]| {
        let said = || operator.process.log().lines().any(|line| parts.iter().all(|part| line.contains(part)));
        eventually(what, SOON, async || said()).await;
    };
    let content = "spec.methods[0].anyOf[0].allOf[0].hmac.content: ";
    says("a refused definition", &["WARN", "WebhookProvider", "broken", "Invalid", content, "{nothing}"]).await;
    says("a wish without an effect", &["team/plain", "Accepted", "routing.includeOriginal: false means nothing here"])
        .await;
    let bounded = "spec.provider: its limits.maxBodySize asks for 2048 bytes and is bounded by --max-body-size";
    says("a bound of the operator", &["team/acme", "Accepted", bounded, "1024"]).await;
}

#[tokio::test]
async fn no_log_line_holds_a_secret_or_a_body_whatever_is_logged() {
    let (folder, nats) = (manifests(), Nats::start_with_login("hook", "gate-of-nats-77c2").await);
    let url = nats.url().replace("nats://", "nats://hook:gate-of-nats-77c2@");
    let env = [("RUST_LOG", "trace")];
    let operator = Operator::in_folder_with(folder.path(), &url, &[], &env).await;
    let delivered = r#"{"type":"x","id":"1","apiKey":"key-9d0e","text":"body-41aa"}"#;
    assert_eq!(post(&operator, SECRET, delivered).await.status, 202);
    assert_eq!(post(&operator, SECRET, r#"{"apiKey":"key-9d0e","text":"body-41aa"#).await.status, 400);
    assert_eq!(post(&operator, "guess-8e3b", delivered).await.status, 401);
    assert_eq!(get(&operator, "/team/acme?type=y&id=2&apiKey=key-9d0e&text=body-41aa", SECRET).await, 202);
    assert_eq!(get(&operator, "/nowhere?apiKey=key-9d0e&text=body-41aa", "guess-8e3b").await, 404);
    assert_eq!(nats.count("WEBHOOKS").await, 2);
    let log = operator.process.log();
    assert!(log.contains("TRACE") && log.contains("DEBUG"), "{log}");
    for secret in [SECRET, "key-9d0e", "body-41aa", "guess-8e3b", "gate-of-nats-77c2"] {
        let shown: Vec<&str> = log.lines().filter(|line| line.contains(secret)).collect();
        assert!(shown.is_empty(), "{secret}: {shown:#?}");
    }
}

#[tokio::test]
async fn a_level_alone_keeps_the_client_of_nats_quiet() {
    let (folder, mut nats) = (manifests(), Nats::start().await);
    let url = nats.url();
    for level in ["info", ""] {
        let operator = Operator::in_folder_with(folder.path(), &url, &[], &[("RUST_LOG", level)]).await;
        nats.kill();
        let lost = "the connection to NATS is lost";
        eventually("it says so itself", SOON, async || operator.process.log().contains(lost)).await;
        eventually("and why", SOON, async || operator.process.log().contains("cannot connect to NATS")).await;
        nats.start_again().await;
        operator.ready().await;
        assert!(!operator.process.log().contains("async_nats"), "{level}: {}", operator.process.log());
    }
}

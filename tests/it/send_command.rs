//! `hookgate send` shows what became of a delivery wherever its subject leads, ends by itself, and says what it cannot see.
#![allow(clippy::expect_used, reason = "a test fails loudly")]

use std::time::{Duration, Instant};

use crate::support::folder::Folder;
use crate::support::nats::Nats;
use crate::support::operator::{Operator, binary, hookgate};
use crate::support::run::{Output, run};

const SOURCES: &str = "
{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: demo}, stringData: {k: word}}
---
apiVersion: hookgate.dev/v1alpha1
kind: WebhookSource
metadata: {name: custom, namespace: demo}
spec:
  provider: github
  hostnames: ['*.example.com', hooks.example.com]
  verification: {secretRefs: [{name: s, key: k}]}
  routing:
    subject: webhooks.demo.elsewhere.{type}
    rules: [{include: ['issues.*'], subject: webhooks.demo.issues}]
---
apiVersion: hookgate.dev/v1alpha1
kind: WebhookSource
metadata: {name: typeless, namespace: demo}
spec:
  provider: generic
  verification: {method: token, token: {header: X-Token}, secretRefs: [{name: s, key: k}]}
  routing: {format: Structured}
";

fn manifests() -> Folder {
    let folder = Folder::new("manifests");
    folder.write("sources.yaml", SOURCES);
    folder
}

async fn send(folder: &Folder, operator: &Operator, nats: &str, more: &[&str]) -> Output {
    let (files, to) = (folder.path().display().to_string(), operator.url());
    hookgate(&[&["send", "-f", &files, "--to", &to, "--nats-url", nats], more].concat()).await
}

#[tokio::test]
async fn an_event_is_shown_wherever_the_source_sends_it_and_in_either_mode() {
    let (folder, nats) = (manifests(), Nats::start().await);
    let operator = Operator::in_folder(folder.path(), &nats.url(), &[]).await;
    // What is broken and concerns nobody here is nobody's trouble.
    folder.write("unrelated.yaml", "{{{");
    for _ in 0..3 {
        let told =
            send(&folder, &operator, &nats.url(), &["--source", "demo/custom", "--event", "issues.opened"]).await.ok();
        assert!(told.contains("  webhooks.demo.issues\n") && told.contains("github.issues.opened"), "{told}");
    }
    let told = send(&folder, &operator, &nats.url(), &["--source", "demo/custom", "--event", "push"]).await.ok();
    assert!(told.contains("  webhooks.demo.elsewhere.push\n"), "{told}");
    let told = send(&folder, &operator, &nats.url(), &["--source", "demo/typeless", "--event", "x.y"]).await.ok();
    assert!(told.contains("note: --event is not sent") && told.contains("generic.received"), "{told}");
    let wrong = send(&folder, &operator, &nats.url(), &["--source", "demo/custom", "--host", "other.test"]).await;
    assert!(wrong.stdout.contains("404"), "{}", wrong.stdout);

    let mut command = tokio::process::Command::new(binary());
    command.args(["send", "-f", "-", "--source", "typeless", "--to", &operator.url(), "--nats-url", &nats.url()]);
    let told = run(command, SOURCES).await.ok();
    assert!(told.contains("generic.received"), "{told}");
}

#[tokio::test]
async fn it_ends_in_a_busy_namespace_and_shows_no_event_of_others() {
    let (folder, nats) = (manifests(), Nats::start().await);
    let operator = Operator::in_folder(folder.path(), &nats.url(), &[]).await;
    let client = nats.client().await;
    let busy = tokio::spawn(async move {
        loop {
            let _ = client.publish("webhooks.demo.elsewhere.noise", "{}".into()).await;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    let began = Instant::now();
    let told = send(&folder, &operator, &nats.url(), &["--source", "demo/custom", "--event", "push"]).await.ok();
    busy.abort();
    assert!(told.contains("elsewhere.push") && !told.contains("noise"), "{told}");
    // It would go on for as long as there is noise.
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}

#[tokio::test]
async fn without_nats_it_says_so_with_the_host_and_never_a_password() {
    let (folder, nats) = (manifests(), Nats::start_with_login("hookgate", "right").await);
    let login = format!("nats://hookgate:right@127.0.0.1:{}", nats.port());
    let operator = Operator::in_folder(folder.path(), &login, &[]).await;
    let source = ["--source", "demo/typeless"];
    let told = send(&folder, &operator, "nats://user:hunter2@127.0.0.1:1", &source).await.ok();
    assert!(told.contains("cannot connect to NATS at 127.0.0.1:1") && !told.contains("hunter2"), "{told}");
    let wrong = format!("nats://hookgate:hunter2@127.0.0.1:{}", nats.port());
    let told = send(&folder, &operator, &wrong, &source).await.ok();
    assert!(told.contains("refuses the login") && !told.contains("hunter2"), "{told}");
    let told = hookgate(&["tail", "--nats-url", &wrong]).await.err();
    assert!(told.contains(&format!("127.0.0.1:{}", nats.port())) && !told.contains("hunter2"), "{told}");
}

#[tokio::test]
async fn a_login_in_the_url_is_that_of_the_commands_too() {
    let (folder, nats) = (manifests(), Nats::start_with_login("hook@", "g:ate/").await);
    let login = format!("nats://hook%40:g%3Aate%2F@127.0.0.1:{}", nats.port());
    let operator = Operator::in_folder(folder.path(), &login, &[]).await;
    let told = send(&folder, &operator, &login, &["--source", "demo/typeless"]).await.ok();
    assert!(told.contains("generic.received"), "{told}");
    let told = hookgate(&["tail", "--all", "-n", "1", "--nats-url", &login]).await.ok();
    assert!(told.contains("generic.received"), "{told}");
    let gone = folder.path().join("gone.creds").display().to_string();
    let told = hookgate(&["tail", "--nats-url", &nats.url(), "--nats-creds", &gone]).await.err();
    assert!(told.contains(&gone), "{told}");
}

#[tokio::test]
async fn tail_shows_what_the_stream_keeps() {
    let nats = Nats::start().await;
    nats.create_stream("WEBHOOKS", &["webhooks.*.>"]).await;
    for n in 0..5 {
        nats.publish(&format!("webhooks.demo.calls.n{n}"), &format!("{{\"n\": {n}}}")).await;
    }
    let url = nats.url();
    let tail = async |more: &[&str]| {
        let told = hookgate(&[&["tail", "-o", "json", "--nats-url", &url], more].concat()).await.ok();
        told.lines()
            .map(|line| line.split("\"n\":").nth(1).unwrap_or_default()[..1].to_owned())
            .collect::<Vec<_>>()
            .concat()
    };
    assert_eq!(tail(&["--all", "-n", "5"]).await, "01234");
    assert_eq!(tail(&["--last", "2", "-n", "2"]).await, "34");
    assert_eq!(tail(&["--since", "1d", "-n", "5"]).await, "01234");
    assert_eq!(tail(&["webhooks.demo.calls.n3", "--all", "-n", "1"]).await, "3");
    let told = hookgate(&["tail", "elsewhere.x", "--all", "--nats-url", &url]).await.err();
    assert!(told.contains("no stream keeps elsewhere.x"), "{told}");
}

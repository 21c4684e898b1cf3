//! The binary keeps its word from end to end: what vendors send arrives in one shape, and no 2xx is lost.
#![allow(clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

use crate::support::folder::Folder;
use crate::support::nats::Nats;
use crate::support::operator::{Answer, Operator, hookgate};
use crate::support::wait::eventually;

const SECRET: &str = "a test's own secret";

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/quickstart")
}

/// One GitHub source at `/test/hooks`.
fn manifests() -> Folder {
    let folder = Folder::new("manifests");
    folder.write(
        "source.yaml",
        &format!(
            "
apiVersion: v1
kind: Secret
metadata: {{name: hooks, namespace: test}}
stringData: {{secret: {SECRET}}}
---
apiVersion: hookgate.dev/v1alpha1
kind: WebhookSource
metadata: {{name: hooks, namespace: test}}
spec:
  provider: github
  verification: {{secretRefs: [{{name: hooks, key: secret}}]}}
  delivery: {{deadline: 60s}}
  limits: {{requestsPerSecond: 100000, burst: 100000, maxInFlight: 1000}}
"
        ),
    );
    folder
}

/// A delivery, signed.
async fn deliver(operator: &Operator, id: &str) -> Option<Answer> {
    let body = format!(r#"{{"action":"opened","number":"{id}"}}"#);
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any length");
    mac.update(body.as_bytes());
    let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
    let headers = [
        ("content-type", "application/json"),
        ("x-github-event", "issues"),
        ("x-github-delivery", id),
        ("x-hub-signature-256", &signature),
    ];
    operator.post("/test/hooks", &headers, body).await
}

#[tokio::test]
async fn four_vendors_and_a_forge_arrive_as_they_should() {
    let nats = Nats::start().await;
    let operator = Operator::in_folder(&examples(), &nats.url(), &[]).await;
    let files = examples().display().to_string();
    let mut told = String::new();
    for source in ["focus-push", "post-call", "xosum", "meeting-intelligence", "github"] {
        let data = examples().join(format!("data/{source}.json")).display().to_string();
        let named = format!("demo/{source}");
        let (to, at) = (operator.url(), nats.url());
        let mut arguments =
            vec!["send", "-f", &files, "--source", &named, "--data", &data, "--to", &to, "--nats-url", &at];
        if source == "github" {
            arguments.extend(["--event", "issues.opened"]);
        }
        let said = hookgate(&arguments).await.ok();
        assert!(said.contains("< 200 OK") && said.contains("webhooks.demo."), "{said}");
        told += &said;
    }
    assert!(told.contains(r#"{"accepted": 1}"#) && told.contains(r#"{"received": true}"#), "{told}");

    let events = nats.collect("webhooks.demo.>", 5, Duration::from_secs(5)).await;
    let find = |subject: &str| -> Value {
        let event = events.iter().find(|event| event.subject.as_str() == subject);
        let event = event.unwrap_or_else(|| panic!("nothing on {subject}"));
        serde_json::from_slice(&event.payload).expect("JSON")
    };
    let transcript = find("webhooks.demo.xosum.transcript.ready");
    assert_eq!(transcript["transcript"]["format"], "diarized");
    assert_eq!(transcript["transcript"]["segments"].as_array().map(Vec::len), Some(2));
    assert!(!transcript.to_string().contains("demo-webhook-secret"), "the secret is cut");
    assert_eq!(find("webhooks.demo.post-call.call.completed")["participants"][0]["attributes"]["city"], "London");
    assert_eq!(find("webhooks.demo.focus-push.transcript.completed")["id"], "9876543");
    assert_eq!(
        find("webhooks.demo.meeting-intelligence.recording.processing.completed")["recording"]["durationSeconds"],
        3600
    );
    assert_eq!(find("webhooks.demo.github.issues.opened")["issue"]["number"], 7);
}

#[tokio::test]
async fn tail_prints_what_was_sent() {
    let (nats, manifests) = (Nats::start().await, manifests());
    let operator = Operator::in_folder(&manifests, &nats.url(), &[]).await;
    let at = nats.url();
    let mut tail = tokio::spawn(async move {
        hookgate(&["tail", "webhooks.test.>", "-n", "1", "-o", "json", "--nats-url", &at]).await.ok()
    });
    // Subscribed a moment after it was started: sent until it has printed one.
    let mut printed = None;
    for attempt in 0..100 {
        assert_eq!(deliver(&operator, &format!("tail-{attempt}")).await.expect("an answer").status, 200);
        if let Ok(done) = tokio::time::timeout(Duration::from_millis(200), &mut tail).await {
            printed = Some(done.expect("tail ends by itself"));
            break;
        }
    }
    let event: Value = serde_json::from_str(printed.expect("an event").trim()).expect("one JSON line");
    assert_eq!(event["subject"], "webhooks.test.hooks.issues.opened");
    assert_eq!(event["headers"]["ce-type"], "github.issues.opened");
    assert_eq!(event["data"]["action"], "opened");
}

#[tokio::test]
async fn while_nats_is_away_the_answer_is_503_at_once_and_service_comes_back_with_it() {
    let (mut nats, manifests) = (Nats::start().await, manifests());
    let operator = Operator::in_folder(&manifests, &nats.url(), &[]).await;
    assert_eq!(deliver(&operator, "before").await.expect("an answer").status, 200);

    nats.kill();
    for attempt in 0..3 {
        // Its deadline is a minute: who is answered sooner did not wait.
        let id = format!("away-{attempt}");
        let answer = tokio::time::timeout(Duration::from_secs(20), deliver(&operator, &id)).await;
        let answer = answer.expect("at once").expect("an answer");
        assert_eq!(answer.status, 503);
        assert!(answer.headers.contains_key("retry-after"));
    }
    let ready = operator.get("/readyz").await.expect("an answer");
    assert!(String::from_utf8_lossy(&ready.body).contains("degraded"), "{ready:?}");

    nats.start_again().await;
    eventually("service is back", Duration::from_secs(10), async || {
        deliver(&operator, "back").await.is_some_and(|answer| answer.status == 200)
    })
    .await;
}

#[tokio::test]
async fn sigterm_under_load_cuts_no_request() {
    let (nats, manifests) = (Nats::start().await, manifests());
    let mut operator = Operator::in_folder(&manifests, &nats.url(), &[]).await;
    let (accepted, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let cut = Arc::new(AtomicU64::new(0));
    let url = operator.url();
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..16 {
        let (accepted, stop, cut, url) = (accepted.clone(), stop.clone(), cut.clone(), url.clone());
        clients.spawn(async move {
            let mut sender = Sender::new(&url);
            for number in 0.. {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                match sender.send(&format!("{client}-{number}")).await {
                    Sent::Accepted => drop(accepted.fetch_add(1, Ordering::Relaxed)),
                    // The port is closed: nothing was sent.
                    Sent::Refused => return,
                    Sent::Cut => drop(cut.fetch_add(1, Ordering::Relaxed)),
                }
            }
        });
    }
    eventually("there is a load", Duration::from_secs(20), async || accepted.load(Ordering::Relaxed) > 50).await;
    operator.process.signal("TERM");
    let status = operator.process.wait_exit(Duration::from_secs(30)).await;
    stop.store(true, Ordering::Relaxed);
    while clients.join_next().await.is_some() {}
    assert!(status.success(), "{status}: {}", operator.process.log());
    let accepted = accepted.load(Ordering::Relaxed);
    assert!(accepted > 50, "a load, not a drip: {accepted}");
    assert_eq!(cut.load(Ordering::Relaxed), 0, "requests that were sent and not answered");
    assert_eq!(nats.count("WEBHOOKS").await, accepted, "each answer is an event, and each event an answer");
}

enum Sent {
    Accepted,
    Refused,
    Cut,
}

/// A keep-alive client that tells a request that was never taken from one that was cut.
struct Sender {
    address: String,
    connection: Option<tokio::net::TcpStream>,
}

impl Sender {
    fn new(url: &str) -> Self {
        Self { address: url.trim_start_matches("http://").to_owned(), connection: None }
    }

    async fn send(&mut self, id: &str) -> Sent {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let body = format!(r#"{{"action":"opened","number":"{id}"}}"#);
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any length");
        mac.update(body.as_bytes());
        let head = format!(
            "POST /test/hooks HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-GitHub-Event: issues\r\nX-GitHub-Delivery: {id}\r\nX-Hub-Signature-256: sha256={}\r\nContent-Length: {}\r\n\r\n{body}",
            hex::encode(mac.finalize().into_bytes()),
            body.len()
        );
        let fresh = self.connection.is_none();
        if fresh {
            match tokio::net::TcpStream::connect(&self.address).await {
                Ok(connection) => self.connection = Some(connection),
                Err(_) => return Sent::Refused,
            }
        }
        let Some(mut connection) = self.connection.take() else { return Sent::Refused };
        if connection.write_all(head.as_bytes()).await.is_err() {
            return Sent::Cut;
        }
        let mut answer = Vec::new();
        let mut chunk = [0; 4096];
        loop {
            match connection.read(&mut chunk).await {
                Ok(0) | Err(_) if answer.is_empty() => return Sent::Cut,
                Ok(0) | Err(_) => break,
                Ok(read) => answer.extend_from_slice(&chunk[..read]),
            }
            if answer.windows(4).any(|end| end == b"\r\n\r\n") {
                break;
            }
        }
        let text = String::from_utf8_lossy(&answer).to_ascii_lowercase();
        if !text.contains("connection: close") {
            self.connection = Some(connection);
        }
        if text.starts_with("http/1.1 200") { Sent::Accepted } else { panic!("{text}") }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metrics_say_whether_nats_is_connected() {
    let manifests = manifests();
    let mut nats = Nats::start().await;
    let operator = Operator::in_folder(manifests.path(), &nats.url(), &[]).await;
    let says = async |line: &str| {
        let text = operator.get("/metrics").await.map(|answer| String::from_utf8_lossy(&answer.body).into_owned());
        text.is_some_and(|text| text.lines().any(|said| said == line))
    };
    let soon = Duration::from_secs(20);
    eventually("connected", soon, async || says("hookgate_nats_connected 1").await).await;
    nats.kill();
    eventually("away", soon, async || says("hookgate_nats_connected 0").await).await;
    nats.start_again().await;
    eventually("back", soon, async || says("hookgate_nats_connected 1").await).await;
}

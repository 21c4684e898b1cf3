//! While NATS is away nothing is refused that may wait, what was answered 2xx arrives once, and a spool tells the truth.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::support::folder::Folder;
use crate::support::nats::Nats;
use crate::support::operator::{Answer, Client, Operator, hookgate};
use crate::support::wait::eventually;

const SOON: Duration = Duration::from_secs(20);
const SECRET: &str = "It's a Secret to Everybody";
pub const MANIFEST: &str = r#"
apiVersion: v1
kind: Secret
metadata: {name: github, namespace: sales}
stringData: {secret: "It's a Secret to Everybody"}
---
apiVersion: hookgate.dev/v1alpha1
kind: WebhookSource
metadata: {name: github, namespace: sales}
spec:
  provider: github
  verification: {secretRefs: [{name: github, key: secret}]}
---
apiVersion: hookgate.dev/v1alpha1
kind: WebhookSource
metadata: {name: rejecting, namespace: sales}
spec:
  provider: github
  verification: {secretRefs: [{name: github, key: secret}]}
  delivery: {onOutage: Reject}
"#;

/// The signature of a body.
pub fn signature(body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

/// Sends one signed delivery.
pub async fn post(client: &Client, source: &str, id: &str) -> Option<Answer> {
    let body = r#"{"action":"opened"}"#;
    let signature = signature(body);
    let headers = [
        ("content-type", "application/json"),
        ("x-github-event", "issues"),
        ("x-github-delivery", id),
        ("x-hub-signature-256", &signature),
    ];
    client.post(&format!("/sales/{source}"), &headers, body).await
}

/// Sends one signed delivery; the status, 0 where no answer came.
pub async fn send(operator: &Operator, source: &str, id: &str) -> u16 {
    post(&operator.client, source, id).await.map_or(0, |answer| answer.status.as_u16())
}

async fn send_all(operator: &Operator, ids: std::ops::Range<u32>) {
    for id in ids {
        assert_eq!(send(operator, "github", &format!("id-{id}")).await, 200, "{id}: {}", operator.process.log());
    }
}

/// Waits until the stream holds these ids, each once.
pub async fn arrived(nats: &Nats, count: u64) {
    eventually("all events arrive", SOON, async || nats.count("WEBHOOKS").await >= count).await;
    let wanted = usize::try_from(count).unwrap();
    let stored = nats.collect("webhooks.>", wanted, SOON).await;
    let ids: BTreeSet<_> = stored.iter().map(|message| message.headers.get("ce-id").unwrap().to_string()).collect();
    assert_eq!((ids.len(), nats.count("WEBHOOKS").await), (wanted, count), "each event once");
}

pub async fn start(manifests: &Path, nats: &Nats, spool: &Folder, more: &[&str]) -> Operator {
    let folder = spool.path().join("spool");
    let flags = ["--spool-dir", folder.to_str().unwrap()];
    Operator::in_folder(manifests, &nats.url(), &[&flags, more].concat()).await
}

pub fn manifests() -> Folder {
    let folder = Folder::new("spool-manifests");
    folder.write("sources.yaml", MANIFEST);
    folder
}

#[tokio::test]
async fn what_is_accepted_while_nats_is_away_arrives_once_in_the_order_of_acceptance() {
    let (manifests, spool, mut nats) = (manifests(), Folder::new("spool"), Nats::start().await);
    let operator = start(manifests.path(), &nats, &spool, &["--spool-volatile"]).await;
    send_all(&operator, 0..5).await;
    nats.kill();
    send_all(&operator, 5..40).await;
    assert_eq!(send(&operator, "rejecting", "refused").await, 503, "a source that does not want the spool");
    let gate = async || {
        let ready = operator.get("/readyz").await.unwrap();
        assert_eq!(ready.status, 200, "it does its work all the same");
        let body: serde_json::Value = serde_json::from_slice(&ready.body).unwrap();
        let gates = body["gates"].as_array().unwrap();
        gates.iter().find(|gate| gate["name"] == "spooling").unwrap()["state"].as_str().unwrap().to_owned()
    };
    eventually("/readyz says it", SOON, async || gate().await == "degraded").await;
    let metrics = async || String::from_utf8_lossy(&operator.get("/metrics").await.unwrap().body).into_owned();
    let gauges = async || {
        let metrics = metrics().await;
        let gauge = |name: &str| {
            let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.unwrap().parse::<f64>().unwrap()
        };
        ["hookgate_spool_events", "hookgate_spool_bytes", "hookgate_spool_oldest_seconds"].map(gauge)
    };
    eventually("metrics tell of it", SOON, async || {
        let [events, bytes, oldest] = gauges().await;
        events == 35.0 && bytes > 35.0 * 500.0 && oldest > 0.0
    })
    .await;
    nats.start_again().await;
    arrived(&nats, 40).await;
    // The file that is appended to stays until it is full.
    let empty = async || matches!(gauges().await, [0.0, _, 0.0]);
    eventually("the spool is empty", SOON, empty).await;
    assert_eq!(gate().await, "open");
    send_all(&operator, 40..45).await;
    arrived(&nats, 45).await;
    let metrics = metrics().await;
    assert!(metrics.contains(r#"result="spooled"}"#), "{metrics}");
    let log = operator.process.log();
    assert!(log.contains("they are spooled") && log.contains("the spool is empty"), "{log}");
}

#[tokio::test]
async fn a_server_that_only_stops_answering_costs_the_first_request_its_share_and_no_other() {
    let (manifests, spool, nats) = (manifests(), Folder::new("spool"), Nats::start().await);
    let operator = start(manifests.path(), &nats, &spool, &["--spool-volatile"]).await;
    send_all(&operator, 0..1).await;
    nats.pause();
    let begun = Instant::now();
    // Ten times the share would be 7.5 s: none but the first waits for it.
    send_all(&operator, 1..11).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    nats.resume();
    arrived(&nats, 11).await;
}

/// Ticks of processor time that a process has used, a hundred to a second.
fn ticks(operator: &Operator) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", operator.process.pid())).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

#[tokio::test]
async fn waiting_for_nats_costs_nothing() {
    let (manifests, spool, mut nats) = (manifests(), Folder::new("spool"), Nats::start().await);
    let operator = start(manifests.path(), &nats, &spool, &["--spool-volatile"]).await;
    send_all(&operator, 0..1).await;
    nats.kill();
    send_all(&operator, 1..20).await;
    let before = ticks(&operator);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let used = ticks(&operator) - before;
    assert!(used < 30, "{used} ticks in three seconds with nothing to do");
    nats.start_again().await;
    arrived(&nats, 20).await;
}

#[tokio::test]
async fn a_killed_process_leaves_a_spool_that_the_next_one_and_the_command_publish() {
    let (manifests, spool, mut nats) = (manifests(), Folder::new("spool"), Nats::start().await);
    let operator = start(manifests.path(), &nats, &spool, &["--spool-volatile"]).await;
    send_all(&operator, 0..3).await;
    nats.kill();
    send_all(&operator, 3..13).await;
    operator.process.signal("KILL");
    drop(operator);
    // It is ready and takes requests although NATS was never there.
    let operator = start(manifests.path(), &nats, &spool, &["--spool-volatile"]).await;
    send_all(&operator, 13..16).await;
    let folder = spool.path().join("spool");
    let folder = folder.to_str().unwrap();
    let busy = hookgate(&["spool", "ls", folder]).await;
    assert!(busy.stderr.contains("another hookgate uses it"), "{busy:?}");
    drop(operator);
    let listed = hookgate(&["spool", "ls", folder]).await;
    let lines: Vec<String> = listed.stdout.lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 13, "{lines:?}");
    let id = lines[0].split('\t').nth(1).unwrap();
    let shown = hookgate(&["spool", "show", folder, id]).await.stdout;
    assert!(shown.contains("ce-type: github.issues.opened") && shown.ends_with(r#"{"action":"opened"}"#), "{shown}");
    nats.start_again().await;
    let drained = hookgate(&["drain", "--spool-dir", folder, "--nats-url", &nats.url()]).await;
    assert_eq!(
        (drained.status.code(), drained.stdout.trim()),
        (Some(0), "13 published, 0 refused, 0 left"),
        "{drained:?}"
    );
    arrived(&nats, 16).await;
}

#[tokio::test]
async fn what_was_published_from_the_spool_is_not_published_again_by_a_restart() {
    let (manifests, spool, mut nats) = (manifests(), Folder::new("spool"), Nats::start().await);
    // A stream that soon forgets the ids by which it would know them.
    let flags = ["--spool-volatile", "--duplicate-window=1s", "--guard-window=0"];
    let operator = start(manifests.path(), &nats, &spool, &flags).await;
    send_all(&operator, 0..3).await;
    nats.kill();
    send_all(&operator, 3..13).await;
    nats.start_again().await;
    arrived(&nats, 13).await;
    let folder = spool.path().join("spool");
    let left = async || hookgate(&["spool", "ls", folder.to_str().unwrap()]).await.stdout;
    let metrics = async || String::from_utf8_lossy(&operator.get("/metrics").await.unwrap().body).into_owned();
    eventually("the spool is empty", SOON, async || metrics().await.contains("hookgate_spool_events 0\n")).await;
    let forgotten = tokio::time::Instant::now() + Duration::from_secs(2);
    operator.process.signal("KILL");
    drop(operator);
    assert_eq!(left().await, "", "nothing is listed");
    tokio::time::sleep_until(forgotten).await;
    let operator = start(manifests.path(), &nats, &spool, &flags).await;
    // What comes after a spool that is drained at the start comes after all that it held.
    send_all(&operator, 13..20).await;
    arrived(&nats, 20).await;
}

#[tokio::test]
async fn a_spool_that_may_end_with_the_pod_counts_only_where_that_is_said() {
    let (manifests, spool, mut nats) = (manifests(), Folder::new("spool"), Nats::start().await);
    let operator = start(manifests.path(), &nats, &spool, &[]).await;
    nats.kill();
    eventually("the loss is noticed", SOON, async || send(&operator, "github", "no").await == 503).await;
    assert_eq!(send(&operator, "github", "no").await, 503);
    assert!(
        operator.process.log().contains("is not marked as one that outlives the pod"),
        "{}",
        operator.process.log()
    );
    drop(operator);
    let folder = spool.path().join("spool");
    let made = hookgate(&["spool", "init", "--persistent", folder.to_str().unwrap()]).await;
    assert!(made.status.success(), "{made:?}");
    let operator = start(manifests.path(), &nats, &spool, &[]).await;
    send_all(&operator, 0..3).await;
    nats.start_again().await;
    arrived(&nats, 3).await;
}

#[tokio::test]
async fn a_full_spool_refuses_and_what_it_holds_arrives() {
    let (manifests, spool, mut nats) = (manifests(), Folder::new("spool"), Nats::start().await);
    let flags = ["--spool-volatile", "--spool-max-bytes", "20000"];
    let operator = start(manifests.path(), &nats, &spool, &flags).await;
    send_all(&operator, 0..1).await;
    nats.kill();
    let mut accepted = 1;
    for id in 1..100 {
        match send(&operator, "github", &format!("id-{id}")).await {
            200 => accepted += 1,
            status => assert_eq!(status, 503),
        }
    }
    assert!((5..30).contains(&accepted), "half of the space is this source's: {accepted}");
    nats.start_again().await;
    arrived(&nats, accepted).await;
    // Room again.
    eventually("requests are taken", SOON, async || send(&operator, "github", "after").await == 200).await;
}

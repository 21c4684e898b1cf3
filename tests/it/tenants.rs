//! One tenant's own senders, proven, take what they may and no more: bodies that swell are refused before they do, large ones wait for
//! each other, and another tenant is answered 200 all the while.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails loudly")]

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::receive_wire::read_answer;
use crate::support::flood::{self, FLOOD, GOOD, MEMORY, SOURCE, connect, signed};
use crate::support::folder::Folder;
use crate::support::nats::Nats;
use crate::support::operator::Operator;
use crate::support::wait::eventually;

/// For one answer, on a machine where others work too.
const ANSWER: Duration = Duration::from_secs(60);
const MIB: usize = 1 << 20;

const LOUD: &str = "
---
apiVersion: v1
kind: Secret
metadata: {name: keys, namespace: loud}
stringData: {k: token-of-loud}
---
apiVersion: hookgate.dev/v1alpha1
kind: WebhookProvider
metadata: {name: lines}
spec:
  displayName: Lines
  methods: [{name: token, anyOf: [{allOf: [{token: {header: X-Token}}]}]}]
  decode: {formats: [JSONLines]}
  extract: {id: [{pointer: /id}]}
  limits: {maxBodySize: 8Mi}
---
apiVersion: hookgate.dev/v1alpha1
kind: WebhookProvider
metadata: {name: items}
spec:
  displayName: Items
  methods: [{name: token, anyOf: [{allOf: [{token: {header: X-Token}}]}]}]
  split: [{pointer: /events}]
  extract: {id: [{pointer: /id}]}
  map: [{kind: call, set: {id: {pointer: /id}, metadata.note: {envelope: /note}}}]
  limits: {maxBodySize: 8Mi}
---
apiVersion: hookgate.dev/v1alpha1
kind: WebhookSource
metadata: {name: lines, namespace: loud}
spec: {provider: lines, verification: {secretRefs: [{name: keys, key: k}]}}
---
apiVersion: hookgate.dev/v1alpha1
kind: WebhookSource
metadata: {name: items, namespace: loud}
spec: {provider: items, verification: {secretRefs: [{name: keys, key: k}]}}
";

fn local(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

async fn ask(from: flood::Address, port: u16, request: &[u8]) -> u16 {
    let exchange = async {
        let mut stream = connect(from, local(port)).await.unwrap();
        // Who is refused early may not be able to send the rest.
        let _ = stream.write_all(request).await;
        read_answer(&mut stream).await.ok().flatten().map_or(0, |answer| answer.status)
    };
    timeout(ANSWER, exchange).await.unwrap_or(0)
}

fn post(source: &str, media: &str, body: &str) -> Vec<u8> {
    format!(
        "POST /loud/{source} HTTP/1.1\r\nHost: h\r\nX-Token: token-of-loud\r\nContent-Type: {media}\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_swell_take_no_memory_and_no_other_tenant_waits() {
    let (folder, nats) = (Folder::new("manifests"), Nats::start().await);
    let manifests = folder.write("all.yaml", &format!("{SOURCE}{LOUD}"));
    let operator = Operator::in_folder(&manifests, &nats.url(), &[]).await;
    let port = operator.port;
    let item = |n: usize| format!("{{\"id\":\"{n}\",\"text\":\"{}\"}}", "x".repeat(7000));
    let items: Vec<String> = (0..1000).map(item).collect();
    let note = "n".repeat(4 * MIB);
    let few: Vec<String> = (0..1000).map(|n| format!("{{\"id\":\"{n}\"}}")).collect();
    let (json, lines) = ("application/json", "application/x-ndjson");
    let hostile = [
        ("four million lines", 400, post("lines", lines, &"1\n".repeat(4 * MIB - 10))),
        ("four million items", 400, post("items", json, &format!("{{\"events\":[{}1]}}", "1,".repeat(4 * MIB - 20)))),
        (
            "what stands around a thousand items",
            400,
            post("items", json, &format!("{{\"note\":\"{note}\",\"events\":[{}]}}", few.join(","))),
        ),
        ("a thousand large items", 200, post("items", json, &format!("{{\"events\":[{}]}}", items.join(",")))),
    ];
    let (over, most) = (AtomicBool::new(false), &std::sync::atomic::AtomicU64::new(0));
    let quiet = async {
        let mut n = 0;
        while !over.load(Ordering::SeqCst) || n < 5 {
            assert_eq!(ask(GOOD, port, signed(n).as_bytes()).await, 200, "delivery {n} of the quiet tenant");
            n += 1;
            sleep(Duration::from_millis(20)).await;
        }
    };
    let memory = async {
        while !over.load(Ordering::SeqCst) {
            most.fetch_max(flood::anonymous_memory(operator.process.pid()), Ordering::SeqCst);
            sleep(Duration::from_millis(2)).await;
        }
    };
    let loud = async {
        for (what, wanted, request) in &hostile {
            let mut sends = JoinSet::new();
            for _ in 0..4 {
                let request = request.clone();
                sends.spawn(async move { ask(FLOOD, port, &request).await });
            }
            let answers = sends.join_all().await;
            assert!(answers.contains(wanted), "{what}: {answers:?}");
            // Whoever finds no room in time comes again.
            assert!(answers.iter().all(|status| status == wanted || *status == 503), "{what}: {answers:?}");
        }
        over.store(true, Ordering::SeqCst);
    };
    tokio::join!(quiet, memory, loud);
    let most = most.load(Ordering::SeqCst);
    assert!(most <= MEMORY, "{} MiB", most >> 20);
}

const SECOND: &str = "
---
apiVersion: hookgate.dev/v1alpha1
kind: WebhookSource
metadata: {name: second, namespace: loud}
spec: {provider: github, verification: {secretRefs: [{name: repo, key: secret}]}}
";

#[tokio::test(flavor = "multi_thread")]
async fn one_namespace_has_no_more_requests_in_work_than_its_quota_and_the_others_have_theirs() {
    let (folder, nats) = (Folder::new("quota"), Nats::start().await);
    folder.write("demo.yaml", SOURCE);
    folder.write("loud.yaml", &(SOURCE.replace("demo", "loud") + SECOND));
    let operator = Operator::in_folder(folder.path(), &nats.url(), &["--namespace-quota", "requests=1"]).await;
    let port = operator.port;
    let of = |path: &str, n: u64| signed(n).replace("/demo/repo", path).into_bytes();
    for path in ["/demo/repo", "/loud/repo", "/loud/second"] {
        assert_eq!(ask(GOOD, port, &of(path, 0)).await, 200);
    }
    // Whatever is in work now stays there until its deadline.
    nats.pause();
    let mut work = JoinSet::new();
    for path in ["/demo/repo", "/loud/repo", "/loud/second"] {
        let request = of(path, 1);
        work.spawn(async move { ask(GOOD, port, &request).await });
    }
    let refused = async || {
        let metrics = operator.metrics().await;
        let refused = metrics.lines().filter(|line| line.contains("NamespaceOverloaded") && line.ends_with(" 1"));
        refused.map(|line| line.contains("namespace=\"loud\"")).collect::<Vec<_>>()
    };
    eventually("one of two that came at once is refused, and nobody of the other namespace", ANSWER, async || {
        refused().await == [true]
    })
    .await;
    nats.resume();
    while work.join_next().await.is_some() {}
    for path in ["/loud/repo", "/loud/second"] {
        assert_eq!(ask(GOOD, port, &of(path, 2)).await, 200, "what was answered is no more in work");
    }
}

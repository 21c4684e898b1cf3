//! Proofs that fail cost whoever sends them, and nobody else: not at another address, and not behind the same proxy.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails loudly")]

use hookgate::metrics::Outcome;
use hookgate::receive::client::TrustedProxies;
use hookgate::receive::handle::Options;
use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::receive_port::{Port, proven, quick, source};
use crate::receive_wire::{SOON, post, read_answer};
use crate::strangers_places::{connect, status_from};
use crate::support::folder::Folder;
use crate::support::nats::Nats;
use crate::support::operator::Operator;

/// Sends so many requests with a wrong proof from one address, over a few connections.
fn guess(port: &Port, last: u8, count: usize) -> JoinSet<Vec<u16>> {
    let mut guesses = JoinSet::new();
    for _ in 0..4 {
        let address = port.address;
        guesses.spawn(async move {
            let mut stream = connect(last, address).await;
            let mut answers = Vec::new();
            for _ in 0..count / 4 {
                stream.write_all(post("/sales/calls", "X-Token: wrong\r\n", "{}").as_bytes()).await.unwrap();
                let answer = timeout(SOON, read_answer(&mut stream)).await.unwrap().unwrap().unwrap();
                answers.push(answer.status);
            }
            answers
        });
    }
    guesses
}

#[tokio::test(flavor = "multi_thread")]
async fn genuine_deliveries_of_an_address_that_fails_all_pass() {
    let nats = Nats::start().await;
    let port = Port::with_nats(&nats, &[&source("calls", "")], quick()).await;
    // Behind one proxy that nobody told us of: strangers and the vendor.
    let guesses = guess(&port, 2, 1200);
    for n in 0..150 {
        assert_eq!(status_from(2, &port, &post("/sales/calls", &proven(&n.to_string()), "{}")).await, 200, "{n}");
    }
    let answers: Vec<u16> = guesses.join_all().await.concat();
    assert_eq!(answers.len(), 1200);
    assert!(answers.iter().all(|status| matches!(status, 401 | 503)));
    let calls = port.metrics.source("sales", "calls", "generic");
    assert!(calls.requests(Outcome::BadSignature) > 100, "judged above the budget, too");
    assert_eq!(status_from(3, &port, &post("/sales/calls", &proven("other"), "{}")).await, 200);
    assert_eq!(port.state("calls").unproven(hookgate::route::state::Class::Stranger).places.held(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_nobody_told_us_of_is_seen_by_proven_deliveries_alone() {
    let nats = Nats::start().await;
    let proxies = TrustedProxies::new(vec!["127.0.0.8/32".parse().unwrap()]);
    let port = Port::with_nats(&nats, &[&source("calls", "")], Options { proxies, ..quick() }).await;
    let forwarded = |id: &str| format!("{}X-Forwarded-For: 192.0.2.7\r\n", proven(id));
    for (last, headers) in [(2, "X-Forwarded-For: 192.0.2.7\r\n"), (8, &*forwarded("trusted")), (3, &proven("direct"))]
    {
        status_from(last, &port, &post("/sales/calls", headers, "{}")).await;
    }
    assert_eq!(port.state("calls").metrics.forwarded(), 0);
    assert_eq!(status_from(2, &port, &post("/sales/calls", &forwarded("untrusted"), "{}")).await, 200);
    assert_eq!(port.state("calls").metrics.forwarded(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_strangers_cause_fills_no_log_and_says_what_to_set() {
    let nats = Nats::start().await;
    let folder = Folder::new("strangers");
    for n in 0..40 {
        let name = format!("calls-{n}");
        let secret = format!(
            "---\napiVersion: v1\nkind: Secret\nmetadata: {{namespace: sales, name: {name}}}\nstringData: {{token: s3cr3t}}\n"
        );
        std::fs::write(folder.join(format!("{name}.yaml")), format!("{}{secret}", source(&name, ""))).unwrap();
    }
    let operator = Operator::in_folder(&folder, &nats.url(), &[]).await;
    for _ in 0..5 {
        for n in 0..40 {
            let path = format!("/sales/calls-{n}");
            let ask =
                async |headers: &[(&str, &str)]| operator.post(&path, headers, "{}").await.unwrap().status.as_u16();
            assert_eq!(ask(&[("x-token", "wrong"), ("x-forwarded-for", "192.0.2.7")]).await, 401);
            assert_eq!(ask(&[("content-encoding", "gzip")]).await, 415);
        }
    }
    let log = operator.process.log();
    let lines = log.lines().filter(|line| line.contains("BadSignature") || line.contains("ContentEncoding")).count();
    assert!((20..40).contains(&lines), "{lines} lines of one address that could have caused 80 kinds of them");
    let told: Vec<_> = log.lines().filter(|line| line.contains("--trusted-proxies")).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("WARN") && !told[0].contains("192.0.2.7"), "{told:?}");
}

//! A cluster of NATS that loses a node, whichever and however: nothing acknowledged is lost or doubled, and nothing is refused.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test that cannot go on fails loudly, and prints its figures"
)]

use std::time::{Duration, Instant};

use crate::claim_check;
use crate::ledger::{Gate, Load, judge};
use crate::support::folder::Folder;
use crate::support::nats_cluster::NatsCluster;
use crate::support::operator::Operator;
use crate::support::wait::eventually;

const SOON: Duration = Duration::from_secs(30);

/// The node that Hookgate is connected to, as its log says.
fn node_of(log: &str) -> usize {
    let last = log.lines().rfind(|line| line.contains("connected to NATS")).unwrap();
    let name = last.split("node-").nth(1).unwrap();
    name[..1].parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_killed_frozen_or_cut_off_loses_nothing_and_refuses_nobody() {
    let mut cluster = NatsCluster::start().await;
    let mut gate = Gate::new(cluster.urls()).await;
    gate.arguments.extend(["--stream-replicas", "3"].map(str::to_owned));
    let mut process = gate.start().await;
    eventually("the stream is there", SOON, async || cluster.leader("WEBHOOKS", 0).await.is_some()).await;
    let load = Load::paced(&gate, Duration::from_millis(60));
    let stored = async |cluster: &NatsCluster, node: usize| cluster.nodes[node].count("WEBHOOKS").await;
    let goes_on = async |cluster: &NatsCluster, node: usize| {
        let before = stored(cluster, node).await;
        eventually("events are stored", SOON, async || stored(cluster, node).await > before + 50).await;
    };
    goes_on(&cluster, 0).await;
    let begun = Instant::now();
    // Not the node that leads the cluster: streams can be read while this one has no leader. Hookgate starts at that moment.
    let meta = cluster.meta_leader().unwrap();
    let leader = (meta + 1) % 3;
    cluster.hand_over("WEBHOOKS", leader).await;
    gate.kill(&mut process);
    cluster.nodes[leader].kill();
    process = gate.start().await;
    let leader_after = cluster.led_by_another("WEBHOOKS", leader).await;
    goes_on(&cluster, leader_after).await;
    cluster.nodes[leader].start_again().await;
    cluster.whole("WEBHOOKS").await;
    println!("leader killed: {:?}", begun.elapsed());

    let leader = leader_after;
    cluster.nodes[leader].pause();
    let leader_after = cluster.led_by_another("WEBHOOKS", leader).await;
    goes_on(&cluster, leader_after).await;
    cluster.nodes[leader].resume();
    cluster.whole("WEBHOOKS").await;
    println!("leader frozen: {:?}", begun.elapsed());

    // The node that Hookgate talks to, with Hookgate: nothing that it says reaches the stream.
    let alone = node_of(&process.log());
    cluster.hand_over("WEBHOOKS", alone).await;
    cluster.cut_off(alone);
    let before = load.answered();
    let other = (alone + 1) % 3;
    eventually("the others have a leader", SOON, async || {
        cluster.leader("WEBHOOKS", other).await.is_some_and(|leader| leader != alone)
    })
    .await;
    eventually("events are spooled", SOON, async || gate.gauge("hookgate_spool_events ").await > 100).await;
    assert!(load.answered() > before + 100, "requests are answered all the while");
    cluster.join(alone);
    cluster.whole("WEBHOOKS").await;
    goes_on(&cluster, other).await;
    println!("a minority cut off: {:?}", begun.elapsed());

    // A change of leaders as operators make it: nobody answers for a moment, and who waits nowhere is not told that there
    // is no stream. On a machine that is busy a node may not answer at all for longer, which is an outage and refuses them.
    let next = |node: usize| (node + 1) % 3;
    let client = crate::support::operator::Client::at(gate.port, gate.admin);
    let (mut calm, mut told) = (0, Vec::new());
    while calm < 3 && told.len() < 12 {
        let round = told.len();
        eventually("the last one is over", SOON, async || {
            crate::spool::post(&client, "rejecting", &format!("{round}"))
                .await
                .is_some_and(|answer| answer.status == 200)
        })
        .await;
        let leader = cluster.leader("WEBHOOKS", other).await.unwrap_or(other);
        let blip = cluster.hand_over("WEBHOOKS", next(leader));
        let requests = async {
            let mut refused = Vec::new();
            for n in 0..20 {
                let begun = Instant::now();
                let answer = crate::spool::post(&client, "rejecting", &format!("{round}-{n}")).await.unwrap();
                if answer.status != 200 {
                    refused.push((begun.elapsed(), String::from_utf8_lossy(&answer.body).into_owned()));
                }
            }
            refused
        };
        let ((), refused) = tokio::join!(blip, requests);
        calm += usize::from(refused.is_empty());
        told.push(refused);
    }
    println!(
        "leaders changed: {:?}, of {} changes {calm} refused nobody who waits nowhere",
        begun.elapsed(),
        told.len()
    );
    assert_eq!(calm, 3, "they wait for a new leader as long as they may: {told:?}");

    let ledger = load.end().await;
    gate.drained().await;
    cluster.whole("WEBHOOKS").await;
    judge("a cluster of NATS", &cluster.nodes[0], &ledger).await;
    let (_, metrics) = gate.admin("/metrics").await;
    assert!(!metrics.contains(r#"outcome="NoStream""#), "{metrics}");
    println!("all: {:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_claimed_outlives_the_node_that_leads_its_bucket() {
    let mut cluster = NatsCluster::start().await;
    let (manifests, spool) = (claim_check::manifests(), Folder::new("spool"));
    let text = std::fs::read_to_string(manifests.join("sources.yaml")).unwrap();
    let first = "  extract: {id: [{header: X-Delivery}], type: {header: X-Event}}\n";
    manifests.write("sources.yaml", &text.replacen(first, &format!("{first}  delivery: {{onOutage: Spool}}\n"), 1));
    let folder = spool.join("spool").display().to_string();
    let flags = ["--stream-replicas", "3", "--spool-dir", &folder, "--spool-volatile"];
    let operator = Operator::in_folder(manifests.path(), &cluster.urls(), &flags).await;
    let send = async |n: u32| {
        let (id, body) = (format!("id-{n}"), claim_check::large(&n.to_string()));
        let status = claim_check::send(&operator, "/sales/calls", &id, body).await;
        assert_eq!(status, 200, "{n}: {}", operator.process.log());
    };
    for n in 0..4 {
        send(n).await;
    }
    let bucket = "OBJ_hookgate-sales";
    let leader = (cluster.meta_leader().unwrap() + 1) % 3;
    cluster.hand_over(bucket, leader).await;
    cluster.nodes[leader].kill();
    for n in 4..10 {
        send(n).await;
    }
    cluster.led_by_another(bucket, leader).await;
    for n in 10..14 {
        send(n).await;
    }
    cluster.nodes[leader].start_again().await;
    for stream in [bucket, "WEBHOOKS"] {
        cluster.whole(stream).await;
    }
    let nats = &cluster.nodes[leader];
    let count = async || nats.count("WEBHOOKS").await;
    eventually("all are there", SOON, async || count().await >= 14).await;
    for event in nats.collect("webhooks.sales.calls.>", 14, SOON).await {
        let n = claim_check::header(&event, "ce-id").replace("id-", "");
        let (_, data) = claim_check::data(nats, &claim_check::header(&event, "ce-dataref")).await;
        assert!(data == claim_check::large(&n).into_bytes(), "{n}");
    }
    assert_eq!(count().await, 14, "each once");
}

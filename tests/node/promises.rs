//! What holds on a real node, in the order in which it is tried: each leaves what the next one needs.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::disks;
use crate::node::Node;
use crate::sender::{Sender, deliver_to};
use crate::support::flood::SOURCE;
use crate::support::wait::eventually;

const SOON: Duration = Duration::from_secs(60);
/// Rolling restarts under load.
const ROLLS: u32 = 2;
/// For this long a sender may be refused when a pod is killed, or NATS.
const REFUSALS: Duration = Duration::from_secs(2);
/// As many deliveries tell something.
const FEW: usize = 200;
/// How every release is installed here.
const VALUES: &str = "--namespace hookgate --wait --timeout 120s";

/// Tries all of it.
pub async fn hold(node: &Node) {
    let mut held = 0;
    macro_rules! promise {
        ($($name:ident),+ $(,)?) => {$(
            print!("test node::{} ... ", stringify!($name));
            std::io::Write::flush(&mut std::io::stdout()).expect("an output");
            let begun = Instant::now();
            $name(node).await;
            held += 1;
            println!("ok ({:.1} s)", begun.elapsed().as_secs_f64());
        )+};
    }
    promise![
        one_command_brings_a_trial_whose_own_test_passes_and_an_uninstall_leaves_no_source_ready,
        an_upgrade_from_the_first_chart_ends_the_former_pods_when_the_new_ones_are_ready,
        a_webhook_through_the_service_is_an_event,
        rolling_restarts_and_other_values_refuse_nobody,
        a_deleted_pod_and_an_eviction_refuse_nobody,
        a_killed_pod_loses_nothing_and_another_replica_takes_the_lease,
        nats_that_goes_and_comes_back_loses_nothing,
        what_waits_on_a_claim_outlives_its_pod,
        the_user_of_an_openshift_range_is_served,
    ];
    println!("\ntest result: ok. {held} passed; 0 failed; 0 ignored");
}

async fn one_command_brings_a_trial_whose_own_test_passes_and_an_uninstall_leaves_no_source_ready(node: &Node) {
    restricted(node, "trial").await;
    let begun = Instant::now();
    let values =
        "--namespace trial --wait --timeout 120s --set nats.install=true --set spool.persistence.enabled=false";
    node.helm(&format!("install hookgate charts/hookgate {values}")).await;
    print!("[two pods Ready {:.1} s after helm install] ", begun.elapsed().as_secs_f64());
    let told = node.helm("test hookgate --namespace trial --logs").await;
    assert!(told.contains("Phase:          Succeeded"), "{told}");
    node.apply(&SOURCE.replace("demo", "trial")).await;
    let ready = "whs/repo --namespace trial";
    let _ = node.kubectl(&format!("wait --for=condition=Ready {ready} --timeout=60s")).await.ok();
    node.helm("uninstall hookgate --namespace trial --wait --timeout 120s").await;
    let status = node.get(ready, "{.status.conditions[?(@.type==\"Ready\")].status}").await;
    assert_eq!(status, "Unknown", "nobody serves it");
    let _ = node.kubectl("delete namespace trial --wait=false").await.ok();
    // The next release brings the definitions that this one kept.
    let _ = node.kubectl("delete crd webhooksources.hookgate.dev webhookproviders.hookgate.dev").await.ok();
}

/// A namespace whose pods must meet the restricted standard.
async fn restricted(node: &Node, name: &str) {
    let label = "pod-security.kubernetes.io/enforce: restricted";
    node.apply(&format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {name}, labels: {{{label}}}}}}}")).await;
}

async fn an_upgrade_from_the_first_chart_ends_the_former_pods_when_the_new_ones_are_ready(node: &Node) {
    disks::make(node, 5).await;
    disks::nats(node).await;
    restricted(node, "hookgate").await;
    let first = "tests/it/chart/e335979.tgz --set nats.url=nats://nats.nats.svc:4222 --set clusterWide=true";
    node.helm(&format!("install hookgate {first} --namespace hookgate --wait --timeout 120s")).await;
    let both = "--reset-then-reuse-values --take-ownership --set keepFormerWorkload=true --set service.type=NodePort --set service.nodePort=30080";
    node.helm(&format!("upgrade hookgate charts/hookgate {both} {VALUES}")).await;
    node.apply(&["{apiVersion: v1, kind: Namespace, metadata: {name: demo}}\n---\n", SOURCE].concat()).await;
    // Each replica reads it for itself: of both workloads, but for those that are ending already.
    let pods = node
        .kubectl("get pods --namespace hookgate --selector app.kubernetes.io/name=hookgate --output json")
        .await
        .ok();
    let pods: Value = serde_json::from_str(&pods).expect("pods");
    let stay =
        pods["items"].as_array().expect("pods").iter().filter(|pod| pod["metadata"].get("deletionTimestamp").is_none());
    let addresses: Vec<IpAddr> =
        stay.map(|pod| pod["status"]["podIP"].as_str().expect("an address").parse().unwrap()).collect();
    assert_eq!(addresses.len(), 4, "both workloads serve: {addresses:?}");
    for pod in addresses {
        eventually("the source is live", SOON, async || deliver_to((pod, 8080).into(), 1).await.is_ok()).await;
    }
    let load = Sender::start();
    node.helm(&format!(
        "upgrade hookgate charts/hookgate --reset-then-reuse-values --set keepFormerWorkload=false {VALUES}"
    ))
    .await;
    let gone =
        async || node.get("pods --namespace hookgate", "{.items[*].metadata.name}").await == "hookgate-0 hookgate-1";
    eventually("the former pods are gone", SOON, gone).await;
    refused_nobody(load, "the change to a StatefulSet").await;
}

/// Every delivery was answered 200 at once, and is stored.
async fn refused_nobody(load: Sender, what: &str) {
    load.acknowledged(FEW).await;
    let ledger = load.stop().await;
    assert!(ledger.refused.is_empty(), "{what}: {:?} of {}", ledger.refused, ledger.count());
    ledger.is_stored().await;
    print!("[{what}: {} deliveries, 0 refused, 0 lost] ", ledger.count());
}

async fn a_webhook_through_the_service_is_an_event(node: &Node) {
    let load = Sender::start();
    load.acknowledged(FEW).await;
    refused_nobody(load, "no disturbance").await;
    let ready = node.get("whs/repo --namespace demo", "{.status.conditions[?(@.type==\"Ready\")].status}").await;
    assert_eq!(ready, "True");
}

async fn rolling_restarts_and_other_values_refuse_nobody(node: &Node) {
    let load = Sender::start();
    for _ in 0..ROLLS {
        let _ = node.kubectl("--namespace hookgate rollout restart statefulset/hookgate").await.ok();
        node.rolled_out("hookgate", "statefulset/hookgate").await;
    }
    node.helm(&format!("upgrade hookgate charts/hookgate --reuse-values --set logLevel=debug {VALUES}")).await;
    refused_nobody(load, &format!("{ROLLS} rolling restarts and an upgrade")).await;
}

async fn a_deleted_pod_and_an_eviction_refuse_nobody(node: &Node) {
    let load = Sender::start();
    for pod in ["hookgate-0", "hookgate-1"] {
        let _ = node.kubectl(&format!("--namespace hookgate delete pod {pod}")).await.ok();
        node.rolled_out("hookgate", "statefulset/hookgate").await;
    }
    // One node: what is evicted cannot come back, so the budget keeps the other pod.
    let drain = "drain node-1 --ignore-daemonsets --delete-emptydir-data --force --timeout=8s --pod-selector=app.kubernetes.io/name=hookgate";
    let drained = node.kubectl(drain).await.err();
    assert!(drained.contains("disruption budget"), "{drained}");
    let _ = node.kubectl("uncordon node-1").await.ok();
    node.rolled_out("hookgate", "statefulset/hookgate").await;
    refused_nobody(load, "two deleted pods and a drain").await;
}

/// Nothing is lost, and a sender that repeats is refused for a moment at most.
async fn lost_nothing(load: Sender, what: &str) {
    load.acknowledged(FEW).await;
    let ledger = load.stop().await;
    ledger.is_stored().await;
    let refused: u64 = ledger.refused.values().sum();
    print!(
        "[{what}: {} deliveries, {refused} tries refused, the longest for {:?}, 0 lost] ",
        ledger.count(),
        ledger.longest
    );
    assert!(ledger.longest <= REFUSALS, "{what}: {:?}, {:?}", ledger.longest, ledger.refused);
}

async fn a_killed_pod_loses_nothing_and_another_replica_takes_the_lease(node: &Node) {
    let holder = async || node.get("lease/hookgate --namespace hookgate", "{.spec.holderIdentity}").await;
    let load = Sender::start();
    for killed in 1..=2 {
        node.kill("/usr/bin/hookgate run");
        let restarts = "{.items[*].status.containerStatuses[*].restartCount}";
        eventually("it was started again", SOON, async || {
            let counts = node.get("pods --namespace hookgate", restarts).await;
            counts.split(' ').filter_map(|count| count.parse::<u32>().ok()).sum::<u32>() == killed
        })
        .await;
        node.rolled_out("hookgate", "statefulset/hookgate").await;
    }
    lost_nothing(load, "two pods killed -9").await;
    eventually("somebody holds the Lease", SOON, async || !holder().await.is_empty()).await;
    let before = holder().await;
    // Its process is killed before it can give anything back, and its pod does not come back soon.
    let pod = before.rsplit_once('-').expect("a pod and a process").0.to_owned();
    let begun = Instant::now();
    let _ = node.kubectl(&format!("--namespace hookgate delete pod {pod} --force --grace-period=0")).await.ok();
    eventually("another holds it", Duration::from_secs(15), async || {
        ![before.as_str(), ""].contains(&holder().await.as_str())
    })
    .await;
    print!("[the Lease is taken over after {:.1} s] ", begun.elapsed().as_secs_f64());
    node.rolled_out("hookgate", "statefulset/hookgate").await;
}

async fn nats_that_goes_and_comes_back_loses_nothing(node: &Node) {
    let load = Sender::start();
    load.acknowledged(FEW).await;
    let _ = node.kubectl("--namespace nats delete pod nats-0 --force --grace-period=0").await.ok();
    node.rolled_out("nats", "statefulset/nats").await;
    drained(node).await;
    lost_nothing(load, "NATS deleted").await;
}

/// Nothing waits in any spool.
async fn drained(node: &Node) {
    for pod in ["hookgate-0", "hookgate-1"] {
        let metrics = format!("get --raw /api/v1/namespaces/hookgate/pods/{pod}:9090/proxy/metrics");
        eventually("the spool is empty", SOON, async || {
            node.kubectl(&metrics).await.stdout.lines().any(|line| line == "hookgate_spool_events 0")
        })
        .await;
    }
}

async fn what_waits_on_a_claim_outlives_its_pod(node: &Node) {
    let _ = node.kubectl("--namespace nats scale statefulset/nats --replicas=0").await.ok();
    let gone = async || node.get("pods --namespace nats", "{.items[*].metadata.name}").await.is_empty();
    eventually("NATS is gone", SOON, gone).await;
    let load = Sender::start();
    // They are taken while NATS is away.
    load.acknowledged(FEW).await;
    let ledger = load.stop().await;
    let _ = node.kubectl("--namespace hookgate delete pod hookgate-0 hookgate-1").await.ok();
    node.rolled_out("hookgate", "statefulset/hookgate").await;
    let _ = node.kubectl("--namespace nats scale statefulset/nats --replicas=1").await.ok();
    node.rolled_out("nats", "statefulset/nats").await;
    drained(node).await;
    ledger.is_stored().await;
    print!("[{} deliveries taken while NATS was away] ", ledger.count());
}

async fn the_user_of_an_openshift_range_is_served(node: &Node) {
    let user = "--set podSecurityContext.runAsUser=1000660000 --set podSecurityContext.runAsGroup=0 --set podSecurityContext.fsGroup=1000660000";
    let load = Sender::start();
    node.helm(&format!("upgrade hookgate charts/hookgate --reuse-values {user} {VALUES}")).await;
    refused_nobody(load, "another user").await;
}

//! An installation moves from one shape to the other, and to CRDs that belong to the release, with a replica ready at all times.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails loudly")]

use std::path::Path;
use std::time::Duration;

use crate::chart::{chart, disks};
use crate::support::cluster::Cluster;
use crate::support::wait::eventually;

const SOON: Duration = Duration::from_secs(60);

/// Names of what there is of a kind in a namespace, or in none.
async fn names(cluster: &Cluster, namespace: &str, kind: &str) -> String {
    cluster.kubectl(&["get", kind, "-n", namespace, "-o", "jsonpath={.items[*].metadata.name}"]).await.ok()
}

async fn ready(cluster: &Cluster, namespace: &str, workload: &str) -> String {
    cluster.kubectl(&["get", workload, "-n", namespace, "-o", "jsonpath={.status.readyReplicas}"]).await.ok()
}

#[tokio::test]
async fn a_deployment_becomes_a_statefulset_in_two_steps_and_claims_outlive_scaling_and_uninstalling() {
    let cluster = Cluster::start().await;
    let cluster = cluster.with_nodes().await;
    let namespace = cluster.namespace().await;
    cluster.kubectl_apply(&disks(3)).await.ok();
    // The chart of commit e335979, packed by helm: CRDs that belong to no release, a Deployment, no spool.
    let former = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/chart/e335979.tgz").display().to_string();
    let chart = chart();
    let helm = async |verb: &str, chart: &str, more: &[&str]| {
        let fixed = [verb, "hookgate", chart, "--namespace", &namespace, "--wait", "--timeout", "120s"];
        cluster.helm(&[&fixed[..], more].concat()).await
    };
    helm("install", &former, &["--set", "nats.url=nats://x:4222"]).await.ok();
    assert_eq!(ready(cluster, &namespace, "deployment/hookgate").await, "2");

    // The CRDs are there and not the release's: helm says so, and what it is told takes them over.
    let both = ["--reset-then-reuse-values", "--set", "keepFormerWorkload=true"];
    let refused = helm("upgrade", &chart, &both).await.err();
    assert!(refused.contains("ownership"), "{refused}");
    helm("upgrade", &chart, &[&both[..], &["--take-ownership"]].concat()).await.ok();
    assert_eq!(ready(cluster, &namespace, "deployment/hookgate").await, "2");
    assert_eq!(ready(cluster, &namespace, "statefulset/hookgate").await, "2");
    let upgraded = cluster.kubectl(&["get", "crd", "webhooksources.hookgate.dev", "-o", "json"]).await.ok();
    assert!(upgraded.contains("lastGood"), "the CRDs are today's");

    helm("upgrade", &chart, &["--reset-then-reuse-values", "--set", "keepFormerWorkload=false"]).await.ok();
    assert_eq!(ready(cluster, &namespace, "statefulset/hookgate").await, "2");
    eventually("the former workload goes", SOON, async || names(cluster, &namespace, "deployment").await.is_empty())
        .await;
    let claims = "spool-hookgate-0 spool-hookgate-1";
    assert_eq!(names(cluster, &namespace, "persistentvolumeclaim").await, claims);

    helm("upgrade", &chart, &["--reset-then-reuse-values", "--set", "replicas=1"]).await.ok();
    eventually("one is left", SOON, async || names(cluster, &namespace, "pod").await == "hookgate-0").await;
    assert_eq!(names(cluster, &namespace, "persistentvolumeclaim").await, claims);

    // Back to before there were claims and CRDs of the release: nothing that holds data goes.
    cluster.helm(&["rollback", "hookgate", "1", "--namespace", &namespace, "--wait", "--timeout", "120s"]).await.ok();
    assert_eq!(ready(cluster, &namespace, "deployment/hookgate").await, "2");
    assert_eq!(names(cluster, &namespace, "persistentvolumeclaim").await, claims);
    let kept = cluster.kubectl(&["get", "crd", "webhooksources.hookgate.dev", "-o", "json"]).await.ok();
    assert!(kept.contains("lastGood"), "the CRDs are today's");

    cluster.helm(&["uninstall", "hookgate", "--namespace", &namespace, "--wait"]).await.ok();
    assert_eq!(names(cluster, &namespace, "persistentvolumeclaim").await, claims);
    assert_eq!(names(cluster, &namespace, "crd").await, "webhookproviders.hookgate.dev webhooksources.hookgate.dev");
}

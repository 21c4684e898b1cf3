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
    // As charts before this one did it: CRDs that belong to no release, and a Deployment.
    let crds = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    cluster.kubectl(&["create", "-f", &crds.display().to_string()]).await.ok();
    let chart = chart();
    let helm = async |verb: &str, more: &[&str]| {
        let fixed = [
            verb,
            "hookgate",
            &chart,
            "--namespace",
            &namespace,
            "--set",
            "nats.url=nats://x:4222",
            "--wait",
            "--timeout",
            "120s",
        ];
        cluster.helm(&[&fixed[..], more].concat()).await
    };
    helm("install", &["--set", "spool.persistence.enabled=false,crds.enabled=false"]).await.ok();
    assert_eq!(ready(cluster, &namespace, "deployment/hookgate").await, "2");

    // The CRDs are there and not the release's: helm says so, and what it is told takes them over.
    let both = "spool.persistence.enabled=true,crds.enabled=true,keepFormerWorkload=true";
    let both = ["--reset-then-reuse-values", "--set", both];
    let refused = helm("upgrade", &both).await.err();
    assert!(refused.contains("ownership"), "{refused}");
    helm("upgrade", &[&both[..], &["--take-ownership"]].concat()).await.ok();
    assert_eq!(ready(cluster, &namespace, "deployment/hookgate").await, "2");
    assert_eq!(ready(cluster, &namespace, "statefulset/hookgate").await, "2");

    helm("upgrade", &["--reset-then-reuse-values", "--set", "keepFormerWorkload=false"]).await.ok();
    assert_eq!(ready(cluster, &namespace, "statefulset/hookgate").await, "2");
    eventually("the former workload goes", SOON, async || names(cluster, &namespace, "deployment").await.is_empty())
        .await;
    let claims = "spool-hookgate-0 spool-hookgate-1";
    assert_eq!(names(cluster, &namespace, "persistentvolumeclaim").await, claims);

    helm("upgrade", &["--set", "replicas=1"]).await.ok();
    eventually("one is left", SOON, async || names(cluster, &namespace, "pod").await == "hookgate-0").await;
    assert_eq!(names(cluster, &namespace, "persistentvolumeclaim").await, claims);

    cluster.helm(&["uninstall", "hookgate", "--namespace", &namespace, "--wait"]).await.ok();
    assert_eq!(names(cluster, &namespace, "persistentvolumeclaim").await, claims);
    assert_eq!(names(cluster, &namespace, "crd").await, "webhookproviders.hookgate.dev webhooksources.hookgate.dev");
}

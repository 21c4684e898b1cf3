//! Tools that wait for a source know when it is served: kubectl, and all that read statuses as kstatus does, such as Helm.
#![allow(clippy::expect_used, reason = "a test fails loudly")]

use std::time::Duration;

use crate::control_world::Place;
use crate::crds_live::cluster_with_crds;
use crate::support::folder::Folder;
use crate::support::nats::Nats;
use crate::support::operator::Operator;

/// A chart of one source.
fn chart(folder: &Folder, path: &str) -> String {
    folder.write("Chart.yaml", "{apiVersion: v2, name: calls, version: 0.1.0}");
    std::fs::create_dir_all(folder.join("templates")).expect("a folder");
    let refs = "{secretRefs: [{name: s, key: k}]}";
    folder.write(
        "templates/source.yaml",
        &format!(
            "apiVersion: hookgate.dev/v1alpha1\nkind: WebhookSource\nmetadata: {{name: calls}}\nspec: {{provider: github, path: {path}, verification: {refs}}}\n"
        ),
    );
    folder.display().to_string()
}

#[tokio::test]
async fn helm_and_kubectl_wait_until_a_source_is_served() {
    let cluster = cluster_with_crds().await;
    let place = Place { client: cluster.client().await, namespace: cluster.namespace().await };
    let namespace = &*place.namespace;
    let (folder, nats) = (Folder::new("chart"), Nats::start().await);
    let chart = chart(&folder, &place.path("calls"));
    place.secret("s", "one").await;
    let helm = async |verb: &str, seconds: u32| {
        let timeout = format!("{seconds}s");
        cluster.helm(&[verb, "calls", &chart, "--namespace", namespace, "--wait", "--timeout", &timeout]).await
    };
    // Nobody serves it: that the object is there is not enough.
    let waited = helm("install", 5).await.err();
    assert!(waited.contains("InProgress") || waited.contains("deadline"), "{waited}");
    let flags = ["--namespace", namespace, "--lease-namespace", namespace];
    let _operator = Operator::in_cluster(&cluster.kubeconfig(), &nats.url(), &flags).await;
    helm("upgrade", 30).await.ok();
    let wait = ["wait", "--for=condition=Ready", "--timeout=10s", "whs/calls", "-n", namespace];
    cluster.kubectl(&wait).await.ok();

    // What only an edit helps has failed, and is not waited for.
    self::chart(&folder, "/elsewhere");
    let started = std::time::Instant::now();
    let failed = helm("upgrade", 60).await.err();
    assert!(started.elapsed() < Duration::from_secs(50), "it was waited for in vain: {failed}");
    assert!(failed.contains("Failed") || failed.contains("failed"), "{failed}");
    let status = place.get("calls").await.data["status"].clone();
    assert!(crate::control_world::said(&status).contains(&"Stalled=True/PathNotAllowed".to_owned()), "{status:#}");
}

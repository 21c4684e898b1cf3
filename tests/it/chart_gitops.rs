//! What installs without a hand on it: with no rights in the cluster, by Kustomize, again and again, and back.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails loudly")]

use std::time::Duration;

use serde_json::Value;

use crate::chart::{chart, disks, documents, rendered};
use crate::docs::blocks;
use crate::support::cluster::{Cluster, helm};
use crate::support::folder::Folder;
use crate::support::nats::Nats;
use crate::support::operator::Operator;
use crate::support::run::run;
use crate::support::servers::program;
use crate::support::wait::eventually;

const SOON: Duration = Duration::from_secs(60);

/// What docs/install.md lets the cluster's owner apply once.
fn shown(kind: &str) -> String {
    let blocks = blocks("docs/install.md", "yaml");
    blocks.into_iter().find(|block| block.contains(&format!("kind: {kind}\n"))).expect("a block of docs/install.md")
}

#[tokio::test]
async fn who_administers_a_namespace_and_no_more_installs_and_is_served() {
    let cluster = Cluster::start().await;
    let cluster = cluster.with_nodes().await;
    let (namespace, nats) = (cluster.namespace().await, Nats::start().await);
    cluster.kubectl_apply(&disks(2)).await.ok();
    let crds = concat!(env!("CARGO_MANIFEST_DIR"), "/crds");
    cluster.kubectl(&["apply", "--server-side", "--filename", crds]).await.ok();
    cluster.kubectl(&["create", "serviceaccount", "tenant", "-n", &namespace]).await.ok();
    let account = format!("{namespace}:tenant");
    let bind =
        ["create", "rolebinding", "tenant", "-n", &namespace, "--clusterrole=admin", "--serviceaccount", &account];
    cluster.kubectl(&bind).await.ok();
    let tenant = cluster.kubeconfig_for_service_account(&namespace, "tenant").await;
    let url = format!("nats.url={}", nats.url());
    let install = async || {
        let mut command = cluster.command("helm");
        let chart = chart();
        command.env("KUBECONFIG", &tenant).args([
            "upgrade",
            "--install",
            "hookgate",
            &chart,
            "--namespace",
            &namespace,
        ]);
        command.args([
            "--set",
            &url,
            "--set",
            "crds.enabled=false",
            "--set",
            "rbac.providers=false",
            "--set",
            "rbac.aggregate=false",
        ]);
        command.args(["--wait", "--timeout", "120s"]);
        run(command, "").await
    };
    let may = async |what: &[&str]| {
        let user = format!("system:serviceaccount:{account}");
        let asked = [&["auth", "can-i"], what, &["-n", &namespace, "--as", &user]].concat();
        cluster.kubectl(&asked).await.stdout.trim() == "yes"
    };
    eventually("the role admin has rules", SOON, async || may(&["list", "secrets"]).await).await;
    // Kubernetes lets nobody give away what they do not have.
    let refused = install().await.err();
    assert!(refused.contains("not currently held"), "{refused}");

    cluster.kubectl_apply(&shown("ClusterRole")).await.ok();
    eventually("the role is part of admin", SOON, async || {
        may(&["patch", "webhooksources.hookgate.dev", "--subresource=status"]).await
    })
    .await;
    install().await.ok();

    // The operator, with the account that the tenant could give it.
    let given = cluster.kubeconfig_for_service_account(&namespace, "hookgate").await;
    let lease = ["--namespace", namespace.as_str(), "--lease-namespace", namespace.as_str()];
    let _operator = Operator::in_cluster(&given, &nats.url(), &lease).await;
    let source = format!(
        "{{apiVersion: v1, kind: Secret, metadata: {{name: a, namespace: {namespace}}}, stringData: {{secret: a}}}}\n---\n\
         {{apiVersion: hookgate.dev/v1alpha1, kind: WebhookSource, metadata: {{name: a, namespace: {namespace}}},\n\
           spec: {{provider: github, verification: {{secretRefs: [{{name: a, key: secret}}]}}}}}}\n"
    );
    cluster.kubectl_apply(&source).await.ok();
    let ready = ["wait", "--for=condition=Ready", "whs/a", "-n", &namespace, "--timeout=30s"];
    cluster.kubectl(&ready).await.ok();
}

/// Objects by kind and name, less what says which program rendered them.
fn sorted(text: &str) -> Vec<Value> {
    let mut all = documents(text);
    all.sort_by_key(|one| format!("{}/{}", one["kind"], one["metadata"]["name"]));
    all
}

#[tokio::test]
async fn what_kustomize_renders_is_what_helm_renders() {
    let folder = Folder::new("kustomize");
    let kustomization = shown("Kustomization");
    folder.write("kustomization.yaml", &kustomization);
    std::os::unix::fs::symlink(concat!(env!("CARGO_MANIFEST_DIR"), "/charts"), folder.join("charts")).expect("a link");
    let mut command = tokio::process::Command::new(program("kubectl"));
    let helm_program = program("helm").display().to_string();
    command.args([
        "kustomize",
        "--enable-helm",
        "--load-restrictor",
        "LoadRestrictionsNone",
        "--helm-command",
        &helm_program,
    ]);
    command.arg(&*folder).env("HELM_CACHE_HOME", folder.join("cache")).env("HELM_CONFIG_HOME", folder.join("config"));
    let kustomized = run(command, "").await.ok();

    let read: Value = serde_saphyr::from_str(&kustomization).expect("a Kustomization");
    let values = folder.write("values.yaml", &read["helmCharts"][0]["valuesInline"].to_string()).display().to_string();
    let chart = chart();
    let arguments = ["template", "hookgate", &chart, "--namespace", "hookgate", "--values", &values];
    let rendered = sorted(&helm(&arguments).await.ok());
    let kustomized = sorted(&kustomized);
    let names = |all: &[Value]| -> Vec<String> {
        all.iter().map(|one| format!("{}/{}", one["kind"], one["metadata"]["name"])).collect()
    };
    assert_eq!(names(&kustomized), names(&rendered));
    for (one, other) in kustomized.iter().zip(&rendered) {
        assert_eq!(one["spec"], other["spec"], "{}", one["metadata"]["name"]);
        assert_eq!(one["rules"], other["rules"], "{}", one["metadata"]["name"]);
    }
}

#[tokio::test]
async fn the_same_values_render_the_same_text_and_leave_replicas_to_who_decides_them() {
    let chart = chart();
    let arguments =
        ["template", "x", &chart, "--set", "nats.url=nats://x:4222", "--set", "metrics.dashboard.enabled=true"];
    assert!(helm(&arguments).await.ok() == helm(&arguments).await.ok(), "two renderings differ");
    for set in [&["autoscaling.enabled=true"][..], &["autoscaling.enabled=true", "spool.persistence.enabled=false"]] {
        let all = rendered(set).await;
        let workload = all.iter().find(|one| one["spec"]["template"]["spec"].is_object()).expect("a workload");
        assert!(workload["spec"].get("replicas").is_none(), "{set:?}: somebody else decides");
    }
}

#[tokio::test]
async fn an_older_chart_that_comes_back_without_crds_leaves_the_newer_ones() {
    let cluster = Cluster::start().await;
    let cluster = cluster.with_nodes().await;
    let namespace = cluster.namespace().await;
    cluster.kubectl_apply(&disks(2)).await.ok();
    let chart = chart();
    let helm = async |arguments: &[&str]| {
        cluster.helm(&[arguments, &["--namespace", &namespace, "--wait", "--timeout", "120s"]].concat()).await.ok()
    };
    helm(&["install", "hookgate", &chart, "--set", "nats.url=nats://x:4222"]).await;
    // A newer version, whose sources may have one more field.
    let folder = Folder::new("newer");
    let mut copy = tokio::process::Command::new("cp");
    copy.arg("-r").arg(&chart).arg(folder.join("hookgate"));
    run(copy, "").await.ok();
    let file = folder.join("hookgate/files/crds/webhooksources.yaml");
    let crds = std::fs::read_to_string(&file).expect("the CRDs");
    let first = "                properties:\n              delivery:".trim_start();
    let (before, after) = crds.split_once(first).expect("the first field");
    let text = format!("{before}properties:\n              newer: {{type: string}}\n              delivery:{after}");
    std::fs::write(&file, text).expect("the CRDs");
    let newer = folder.join("hookgate").display().to_string();
    helm(&["upgrade", "hookgate", &newer, "--reset-then-reuse-values"]).await;
    let source = format!(
        "{{apiVersion: hookgate.dev/v1alpha1, kind: WebhookSource, metadata: {{name: a, namespace: {namespace}}},\n\
           spec: {{provider: github, newer: kept, verification: {{secretRefs: [{{name: a, key: secret}}]}}}}}}\n"
    );
    eventually("the field is taken", SOON, async || cluster.kubectl_apply(&source).await.status.success()).await;

    helm(&["upgrade", "hookgate", &chart, "--reset-then-reuse-values", "--set", "crds.enabled=false"]).await;
    cluster.kubectl(&["annotate", "whs", "a", "-n", &namespace, "touched=true"]).await.ok();
    let kept = cluster.kubectl(&["get", "whs", "a", "-n", &namespace, "-o", "jsonpath={.spec.newer}"]).await.ok();
    assert_eq!(kept, "kept");
    // Where `helm rollback` was used: that revision's CRDs are back, and what only newer ones know is dropped.
    helm(&["rollback", "hookgate", "1"]).await;
    let back = cluster.kubectl(&["get", "crd", "webhooksources.hookgate.dev", "-o", "yaml"]).await.ok();
    assert!(!back.contains("newer:"), "the CRDs of the revision are back");
}

//! An operator that is uninstalled leaves no source behind that says it is served, and the next one goes on at once.
#![allow(clippy::expect_used, reason = "a test fails loudly")]

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::chart::chart;
use crate::control_outage::install_crds;
use crate::control_world::{Place, generic, said};
use crate::support::cluster::Cluster;
use crate::support::nats::Nats;
use crate::support::operator::{Operator, binary};
use crate::support::run::{Output, run};
use crate::support::wait::{eventually, eventually_some};

const SOON: Duration = Duration::from_secs(60);

/// Runs what a container would run, with the rights of its account.
async fn as_account(account: &Path, namespace: &str, arguments: &[String]) -> Output {
    let mut command = tokio::process::Command::new(binary());
    command.args(arguments).env("KUBECONFIG", account).env("HOOKGATE_LEASE_NAMESPACE", namespace);
    run(command, "").await
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().expect("a list").iter().map(|one| one.as_str().expect("a text").to_owned()).collect()
}

async fn ready(place: &Place, name: &str) -> Vec<String> {
    said(&place.get(name).await.data["status"])
}

#[tokio::test]
async fn helm_uninstall_says_of_every_source_that_nobody_serves_it_and_a_new_installation_serves_at_once() {
    let cluster = Cluster::start().await;
    let cluster = cluster.with_nodes().await;
    install_crds(cluster).await;
    let nats = Nats::start().await;
    let place = Place { client: cluster.client().await, namespace: cluster.namespace().await };
    let namespace = &*place.namespace;
    let chart = chart();
    // No simulated node takes the pods: what they would run is run here, and this test says how it ended.
    let url = format!("nats.url={}", nats.url());
    let install =
        ["install", "hookgate", &chart, "--namespace", namespace, "--set", &url, "--set", "crds.enabled=false"];
    let nowhere = ["--set", "spool.persistence.enabled=false", "--set", "nodeSelector.is=nowhere"];
    let install = [&install[..], &nowhere].concat();
    cluster.helm(&install).await.ok();
    let account = cluster.kubeconfig_for_service_account(namespace, "hookgate").await;
    let flags = ["--namespace", namespace, "--lease-namespace", namespace];
    let replicas = [
        Operator::in_cluster(&account, &nats.url(), &flags).await,
        Operator::in_cluster(&account, &nats.url(), &flags).await,
    ];
    place.secret("s", "one").await;
    for name in ["calls", "more"] {
        place.apply(name, generic("s")).await;
    }
    place.apply("broken", generic("gone")).await;
    place.until_conditions("calls", &["Ready=True/Ready"]).await;
    place.until_conditions("more", &["Ready=True/Ready"]).await;
    place.until_conditions("broken", &["Ready=False/SecretNotFound"]).await;

    let uninstall = ["uninstall", "hookgate", "--namespace", namespace, "--wait", "--timeout", "180s"];
    let uninstall = cluster.helm(&uninstall);
    let kubelet = async {
        let pod = eventually_some("the pod of the Job", SOON, async || {
            let get =
                ["get", "pods", "-n", namespace, "-l", "batch.kubernetes.io/job-name=hookgate-leave", "-o", "json"];
            let pods: Value = serde_json::from_str(&cluster.kubectl(&get).await.ok()).expect("pods");
            pods["items"].get(0).cloned()
        })
        .await;
        assert_eq!(pod["spec"]["serviceAccountName"], "hookgate");
        let arguments = texts(&pod["spec"]["containers"][0]["args"]);
        let told = as_account(&account, namespace, &arguments).await;
        assert!(told.stdout.contains("left 3 sources"), "{}{}", told.stdout, told.stderr);
        let done = r#"{"status":{"phase":"Succeeded"}}"#;
        let name = pod["metadata"]["name"].as_str().expect("a name");
        let patch = ["patch", "pod", name, "-n", namespace, "--subresource=status", "--type=merge", "-p", done];
        cluster.kubectl(&patch).await.ok();
    };
    let (uninstalled, ()) = tokio::join!(uninstall, kubelet);
    uninstalled.ok();
    let gone = ["Programmed=Unknown/OperatorLeft", "Ready=Unknown/OperatorLeft"];
    for name in ["calls", "more", "broken"] {
        assert_eq!(ready(&place, name).await[2..], gone, "{name}");
    }
    // The replicas that still run have lost their rights by now, and had lost the Lease before. They go on serving until they end.
    let headers = [("x-token", "one"), ("content-type", "application/json")];
    for replica in &replicas {
        let answer = replica.post(&place.path("calls"), &headers, "{}").await.expect("an answer");
        assert_eq!(answer.status, 200);
    }
    drop(replicas);
    assert_eq!(ready(&place, "calls").await[2..], gone);
    let left =
        cluster.kubectl(&["get", "all,role,rolebinding,serviceaccount", "-n", namespace, "-o", "name"]).await.ok();
    assert!(!left.contains("hookgate"), "{left}");

    cluster.helm(&install).await.ok();
    let account = cluster.kubeconfig_for_service_account(namespace, "hookgate").await;
    let _next = Operator::in_cluster(&account, &nats.url(), &flags).await;
    place.until_conditions("calls", &["Programmed=True/Programmed", "Ready=True/Ready"]).await;
    place.until_conditions("broken", &["Ready=False/SecretNotFound"]).await;
}

#[tokio::test]
async fn replicas_that_still_run_do_not_contradict_who_left() {
    let cluster = crate::crds_live::cluster_with_crds().await;
    let nats = Nats::start().await;
    let place = Place { client: cluster.client().await, namespace: cluster.namespace().await };
    let namespace = &*place.namespace;
    place.secret("s", "one").await;
    place.apply("calls", generic("s")).await;
    let flags = ["--namespace", namespace, "--lease-namespace", namespace];
    let operator = Operator::in_cluster(&cluster.kubeconfig(), &nats.url(), &flags).await;
    place.until_conditions("calls", &["Ready=True/Ready"]).await;
    let arguments = ["leave", "--namespace", namespace].map(str::to_owned);
    as_account(&cluster.kubeconfig(), namespace, &arguments).await.ok();
    // An edit and a delivery would be told, if it led.
    place
        .apply("calls", crate::control_world::with(generic("s"), serde_json::json!({"path": place.path("moved")})))
        .await;
    let headers = [("x-token", "one"), ("content-type", "application/json")];
    eventually("the edit is served", SOON, async || {
        operator.post(&place.path("moved"), &headers, "{}").await.is_some_and(|answer| answer.status == 200)
    })
    .await;
    eventually("it looked again", SOON, async || operator.process.log().contains("leads=false")).await;
    let log = operator.process.log();
    // Longer than statuses are evaluated, and than a Lease lasts.
    tokio::time::sleep(Duration::from_secs(15)).await;
    assert!(ready(&place, "calls").await.contains(&"Ready=Unknown/OperatorLeft".to_owned()), "{log}");
    // Once more is no harm, and nothing is written for nothing.
    let version = place.get("calls").await.metadata.resource_version;
    let told = as_account(&cluster.kubeconfig(), namespace, &arguments).await.ok();
    assert!(told.contains("left 1 sources"), "{told}");
    assert_eq!(place.get("calls").await.metadata.resource_version, version);
}

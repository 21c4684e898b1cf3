//! The servers that every other test trusts do what those tests rely on.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;

use crate::support::cluster::Cluster;
use crate::support::folder::Folder;
use crate::support::nats::Nats;
use crate::support::wait::eventually;

const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn nats_keeps_its_store_over_a_restart() {
    let mut nats = Nats::start().await;
    nats.create_stream("EVENTS", &["events.>"]).await;
    nats.publish("events.a", "one").await;
    nats.publish("events.b", "two").await;
    let (url, pid) = (nats.url(), nats.pid());

    nats.restart().await;

    assert_eq!(nats.url(), url);
    assert_ne!(nats.pid(), pid);
    assert_eq!(nats.count("EVENTS").await, 2);
    let messages = nats.collect("events.>", 2, SOON).await;
    assert_eq!((&*messages[0].payload, &*messages[1].payload), (&b"one"[..], &b"two"[..]));
    assert_eq!(nats.collect("events.b", 1, SOON).await[0].sequence, 2);
}

#[tokio::test]
async fn nats_keeps_what_it_acknowledged_over_a_kill() {
    let mut nats = Nats::start().await;
    nats.create_stream("EVENTS", &["events"]).await;
    nats.publish("events", "one").await;

    nats.kill();
    assert!(async_nats::connect(nats.url()).await.is_err(), "a killed server answers nobody");
    nats.start_again().await;

    assert_eq!(nats.count("EVENTS").await, 1);
}

#[tokio::test]
async fn nats_that_lost_its_store_has_no_streams() {
    let mut nats = Nats::start().await;
    nats.create_stream("EVENTS", &["events"]).await;

    nats.stop().await;
    nats.lose_store();
    nats.start_again().await;

    assert!(nats.jetstream().await.get_stream("EVENTS").await.is_err());
}

#[tokio::test]
async fn a_paused_nats_answers_only_after_it_is_resumed() {
    let nats = Nats::start().await;
    let client = nats.client().await;
    client.flush().await.expect("an answer");

    nats.pause();
    let stream = nats.url().replace("nats://", "");
    let mut greeting = [0_u8; 1];
    let mut connection = tokio::net::TcpStream::connect(stream).await.expect("the kernel still accepts");
    let read = tokio::io::AsyncReadExt::read(&mut connection, &mut greeting);
    assert!(tokio::time::timeout(Duration::from_millis(300), read).await.is_err(), "nobody greets");

    nats.resume();
    tokio::io::AsyncReadExt::read_exact(&mut connection, &mut greeting).await.expect("the greeting");
    assert_eq!(&greeting, b"I");
}

#[tokio::test]
async fn nats_takes_configuration_and_lets_only_its_user_in() {
    let nats = Nats::start_with_login("hook", "gate").await;
    nats.configure("max_payload: 2KB");
    nats.reload();

    assert!(async_nats::connect(nats.url()).await.is_err(), "no entry without a password");
    eventually("the new limit holds", SOON, async || nats.client().await.server_info().max_payload == 2048).await;
}

#[tokio::test]
async fn nats_takes_credentials_of_an_account() {
    let nats = Nats::start_with_credentials().await;

    assert!(async_nats::connect(nats.url()).await.is_err(), "no entry without credentials");
    nats.create_stream("EVENTS", &["events"]).await;
    nats.publish("events", "one").await;
    assert_eq!(nats.count("EVENTS").await, 1);
    assert!(nats.credentials().exists());
}

#[tokio::test]
async fn a_shared_apiserver_keeps_tests_apart_by_namespace() {
    let cluster = Cluster::shared().await;
    let (one, two) = (cluster.namespace().await, cluster.namespace().await);
    assert_ne!(one, two);

    cluster.kubectl(&["create", "configmap", "mine", "--namespace", &one]).await.ok();

    let client = cluster.client().await;
    assert!(Api::<ConfigMap>::namespaced(client.clone(), &one).get("mine").await.is_ok());
    assert!(Api::<ConfigMap>::namespaced(client, &two).get("mine").await.is_err());
    let refused = cluster.kubectl_apply("apiVersion: v1\nkind: Nonsense\nmetadata: {name: x}\n").await.err();
    assert!(refused.contains("Nonsense"), "{refused}");
}

#[tokio::test]
async fn a_service_account_has_only_the_rights_of_its_roles() {
    let cluster = Cluster::shared().await;
    let namespace = cluster.namespace().await;
    cluster
        .kubectl_apply(&format!(
            "
apiVersion: v1
kind: ServiceAccount
metadata: {{name: reader, namespace: {namespace}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: reader, namespace: {namespace}}}
rules: [{{apiGroups: [\"\"], resources: [configmaps], verbs: [list]}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: reader, namespace: {namespace}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}}
subjects: [{{kind: ServiceAccount, name: reader, namespace: {namespace}}}]
"
        ))
        .await
        .ok();

    let kubeconfig = cluster.kubeconfig_for_service_account(&namespace, "reader").await;

    let client = cluster.client_for(&kubeconfig).await;
    let maps = Api::<ConfigMap>::namespaced(client.clone(), &namespace);
    // Roles reach the authorizer by a watch, so a moment after they were applied.
    eventually("the role holds", SOON, async || maps.list(&Default::default()).await.is_ok()).await;
    assert!(maps.get("mine").await.is_err_and(|error| error.to_string().contains("forbidden")));
    assert!(Api::<ConfigMap>::namespaced(client, "default").list(&Default::default()).await.is_err());
}

#[tokio::test]
async fn apiserver_answers_and_survives_a_restart() {
    let mut cluster = Cluster::start().await;
    let namespace = cluster.namespace().await;
    cluster.kubectl(&["create", "serviceaccount", "keeper", "--namespace", &namespace]).await.ok();
    let token = cluster.kubectl(&["create", "token", "keeper", "--namespace", &namespace]).await.ok();
    let client = cluster.client().await;
    client.apiserver_version().await.expect("a version");

    cluster.stop_apiserver();
    client.apiserver_version().await.expect_err("nobody answers");
    cluster.start_apiserver().await;

    let version = client.apiserver_version().await.expect("the same client works again");
    assert_eq!(version.major, "1", "what CRDs may use is judged by the version");
    cluster.kubectl(&["get", "namespace", &namespace]).await.ok();
    // Known, but without any right: a token that the restart had made worthless would be Unauthorized.
    let kubeconfig = cluster.kubeconfig_for_token(token.trim());
    let refused = cluster.client_for(&kubeconfig).await.list_api_groups().await;
    assert!(refused.is_ok(), "{refused:?}");

    cluster.restart_apiserver().await;
    cluster.kubectl(&["get", "namespace", &namespace]).await.ok();
}

#[tokio::test]
async fn helm_installs_on_simulated_nodes() {
    let cluster = Cluster::shared().await.with_nodes().await;
    let namespace = cluster.namespace().await;
    let chart = Folder::new("chart");
    std::fs::create_dir(chart.join("templates")).expect("a folder");
    chart.write("Chart.yaml", "apiVersion: v2\nname: throwaway\nversion: 0.1.0\n");
    chart.write(
        "templates/deployment.yaml",
        "
apiVersion: apps/v1
kind: Deployment
metadata: {name: throwaway}
spec:
  replicas: 2
  selector: {matchLabels: {app: throwaway}}
  template:
    metadata: {labels: {app: throwaway}}
    spec: {containers: [{name: nothing, image: example.com/nothing:1}]}
",
    );
    let path = chart.path().to_str().expect("a path");

    let began = Instant::now();
    let install = ["install", "throwaway", path, "--namespace", &namespace, "--wait", "--timeout", "60s"];
    cluster.helm(&install).await.ok();

    let ready = ["get", "deployment", "throwaway", "--namespace", &namespace, "-o", "jsonpath={.status.readyReplicas}"];
    assert_eq!(cluster.kubectl(&ready).await.ok(), "2", "after {:?}", began.elapsed());
    cluster.helm(&["uninstall", "throwaway", "--namespace", &namespace, "--wait"]).await.ok();
}

//! The chart installs the operator with the rights it needs and no more.
#![allow(clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret};
use kube::Api;
use kube::api::{ListParams, PostParams};
use serde_json::Value;

use crate::support::cluster::Cluster;
use crate::support::folder::Folder;
use crate::support::nats::Nats;
use crate::support::operator::{Operator, hookgate};
use crate::support::wait::eventually;

pub fn chart() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/hookgate").display().to_string()
}

/// A default StorageClass and volumes that claims of 2Gi are bound to. Nothing is ever written to them: pods run nothing.
pub fn disks(count: usize) -> String {
    let class = "
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: disks, annotations: {storageclass.kubernetes.io/is-default-class: 'true'}}
provisioner: kubernetes.io/no-provisioner
";
    let disk = |n: usize| {
        format!(
            "---
apiVersion: v1
kind: PersistentVolume
metadata: {{name: disk-{n}}}
spec: {{capacity: {{storage: 2Gi}}, accessModes: [ReadWriteOnce], storageClassName: disks, hostPath: {{path: /nowhere}}}}
"
        )
    };
    (0..count).fold(class.to_owned(), |all, n| all + &disk(n))
}

#[tokio::test]
async fn what_helm_installs_serves_and_may_do_nothing_else() {
    // A cluster of its own: the chart brings the CRDs, which other tests have applied to the shared one.
    let cluster = Cluster::start().await;
    let cluster = cluster.with_nodes().await;
    let (namespace, nats) = (cluster.namespace().await, Nats::start().await);
    cluster.kubectl_apply(&disks(2)).await.ok();
    // Pods that do not meet the standard are refused here.
    let label = "pod-security.kubernetes.io/enforce=restricted";
    cluster.kubectl(&["label", "namespace", &namespace, label]).await.ok();
    let chart = chart();
    let (url, waits) = (format!("nats.url={}", nats.url()), ["--wait", "--timeout", "120s"]);
    let install = [
        "install",
        "hookgate",
        &chart,
        "--namespace",
        &namespace,
        "--set",
        &url,
        "--set",
        "baseUrl=https://hooks.example.com",
    ];
    cluster.helm(&[&install[..], &waits].concat()).await.ok();

    // The simulated pods run nothing: what they would run is started with their account, flags and environment, on a disk of its own.
    let template = "jsonpath={.spec.template.spec}";
    let pod = cluster.kubectl(&["get", "statefulset", "hookgate", "-n", &namespace, "-o", template]).await.ok();
    let pod: Value = serde_json::from_str(&pod).expect("a pod");
    let disk = Folder::new("disk");
    let arguments = |pointer: &str| -> Vec<String> {
        let all = pod.pointer(pointer).and_then(Value::as_array).expect("arguments");
        let all = all.iter().map(|one| one.as_str().expect("an argument"));
        all.filter(|one| !one.contains("listen="))
            .map(|one| one.replace("/var/lib/hookgate", &disk.display().to_string()))
            .collect()
    };
    let first = arguments("/initContainers/0/args");
    hookgate(&first.iter().map(String::as_str).collect::<Vec<_>>()).await.ok();
    let arguments = arguments("/containers/0/args");
    let given: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
    let account = cluster.kubeconfig_for_service_account(&namespace, "hookgate").await;
    let lease = ["--lease-namespace", &namespace];
    let operator = Operator::in_cluster(&account, &nats.url(), &[&given[..], &lease].concat()).await;

    let source = format!(
        "
apiVersion: v1
kind: Secret
metadata: {{name: calls, namespace: {namespace}}}
stringData: {{secret: It's a Secret to Everybody}}
---
apiVersion: hookgate.dev/v1alpha1
kind: WebhookSource
metadata: {{name: calls, namespace: {namespace}}}
spec: {{provider: github, verification: {{secretRefs: [{{name: calls, key: secret}}]}}}}
"
    );
    cluster.kubectl_apply(&source).await.ok();
    let path = format!("/{namespace}/calls");
    let signed = [
        ("x-hub-signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"),
        ("content-type", "application/json"),
    ];
    eventually("the route is live", Duration::from_secs(20), async || {
        // GitHub's own example is signed right and is no JSON: proven, then kept as a rejected item.
        operator.post(&path, &signed, "Hello, World!").await.is_some_and(|answer| answer.status == 200)
    })
    .await;
    eventually("status says so", Duration::from_secs(20), async || {
        let columns = "jsonpath={.status.url} {.status.conditions[?(@.type==\"Ready\")].status}";
        let shown = cluster.kubectl(&["get", "whs", "calls", "-n", &namespace, "-o", columns]).await.ok();
        shown == format!("https://hooks.example.com{path} True")
    })
    .await;

    assert!(disk.join("spool/.hookgate-persistent").exists(), "the claim is marked");
    let waiting = operator.get("/readyz").await.expect("an answer").body;
    assert!(String::from_utf8_lossy(&waiting).contains("spooling"), "the spool is in use: {waiting:?}");
    let client = cluster.client_for(&account).await;
    let denied = |error: kube::Error| error.to_string().contains("forbidden");
    let pods = Api::<Pod>::namespaced(client.clone(), &namespace).list(&ListParams::default()).await;
    assert!(pods.is_err_and(denied), "pods are none of its business");
    let map = ConfigMap {
        metadata: kube::core::ObjectMeta { name: Some("x".into()), ..Default::default() },
        ..Default::default()
    };
    let written = Api::<ConfigMap>::namespaced(client.clone(), &namespace).create(&PostParams::default(), &map).await;
    assert!(written.is_err_and(denied), "it writes nothing of other kinds");
    let secrets = Api::<Secret>::namespaced(client.clone(), "default").list(&ListParams::default()).await;
    assert!(secrets.is_err_and(denied), "Secrets of other namespaces are out of reach");
    for verb in ["create", "update", "patch", "delete"] {
        for resource in ["secrets", "webhooksources", "pods", "deployments", "roles"] {
            let may = [
                "auth",
                "can-i",
                verb,
                resource,
                "-n",
                &namespace,
                "--as",
                &format!("system:serviceaccount:{namespace}:hookgate"),
            ];
            let answer = cluster.kubectl(&may).await;
            assert_eq!(answer.stdout.trim(), "no", "{verb} {resource}");
        }
    }
}

/// The objects of the chart with these values, beside nats.url.
pub async fn rendered(set: &[&str]) -> Vec<Value> {
    let chart = chart();
    let mut arguments = vec!["template", "x", &chart, "--set", "nats.url=nats://x:4222"];
    set.iter().for_each(|set| arguments.extend(["--set", set]));
    let all = crate::support::cluster::helm(&arguments).await.ok();
    documents(&all)
}

/// The objects of a stream of YAML documents.
pub fn documents(text: &str) -> Vec<Value> {
    let read = |text: &str| serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    text.trim_start_matches("---\n").split("\n---\n").map(read).filter(Value::is_object).collect()
}

#[tokio::test]
async fn a_pod_may_take_as_long_to_end_as_it_drains() {
    for (delay, grace) in [("5s", 40), ("50s", 85), ("2m", 155)] {
        let all = rendered(&[&format!("drainDelay={delay}"), "maxBodySize=1048576"]).await;
        let pod = all.iter().find_map(|one| one.pointer("/spec/template/spec")).expect("a Deployment");
        assert_eq!(pod["terminationGracePeriodSeconds"], grace, "{delay}");
        let arguments = pod.pointer("/containers/0/args").expect("arguments").to_string();
        assert!(arguments.contains("\"--max-body-size=1048576\""), "{arguments}");
    }
}

#[tokio::test]
async fn a_cluster_that_chooses_users_itself_may() {
    let fixed = ["runAsUser", "runAsGroup", "fsGroup"];
    let unset: Vec<String> = fixed.iter().map(|key| format!("podSecurityContext.{key}=null")).collect();
    let all = rendered(&unset.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let context = all.iter().find_map(|one| one.pointer("/spec/template/spec/securityContext")).expect("a context");
    assert_eq!(context["runAsNonRoot"], true);
    assert!(fixed.iter().all(|key| context.get(*key).is_none()), "{context}");
}

#[tokio::test]
async fn tenants_who_may_edit_a_namespace_may_write_webhook_sources() {
    let all = rendered(&[]).await;
    let verbs = |role: &str| {
        let label = format!("rbac.authorization.k8s.io~1aggregate-to-{role}");
        let of = all.iter().filter(|one| one.pointer(&format!("/metadata/labels/{label}")).is_some());
        let verbs = of.filter_map(|one| one.pointer("/rules/0/verbs")?.as_array());
        verbs.flatten().filter_map(|verb| verb.as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    assert_eq!(verbs("view"), ["get", "list", "watch"]);
    for role in ["edit", "admin"] {
        assert!(["get", "create", "delete"].iter().all(|verb| verbs(role).contains(&(*verb).to_owned())), "{role}");
    }
    assert!(rendered(&["rbac.aggregate=false"]).await.iter().all(|one| !one.to_string().contains("aggregate-to")));
}

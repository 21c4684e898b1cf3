//! The chart installs the operator with the rights it needs and no more.
#![allow(clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret};
use kube::Api;
use kube::api::{ListParams, PostParams};

use crate::support::cluster::Cluster;
use crate::support::nats::Nats;
use crate::support::operator::{Operator, hookgate};
use crate::support::wait::eventually;

fn chart() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/hookgate").display().to_string()
}

#[tokio::test]
async fn what_helm_installs_serves_and_may_do_nothing_else() {
    // A cluster of its own: the chart brings the CRDs, which other tests have applied to the shared one.
    let cluster = Cluster::start().await;
    let cluster = cluster.with_nodes().await;
    let (namespace, nats) = (cluster.namespace().await, Nats::start().await);
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

    // The simulated pods run nothing: what they would run is started with their account, flags and environment.
    let pod = cluster
        .kubectl(&[
            "get",
            "deployment",
            "hookgate",
            "-n",
            &namespace,
            "-o",
            "jsonpath={.spec.template.spec.containers[0].args}",
        ])
        .await
        .ok();
    let arguments: Vec<String> = serde_json::from_str(&pod).expect("arguments");
    let given: Vec<&str> = arguments.iter().skip(1).map(String::as_str).filter(|a| !a.contains("listen=")).collect();
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

#[tokio::test]
async fn a_value_that_is_none_is_refused_with_its_name() {
    let chart = chart();
    for (set, named) in [
        ("nats.url=http://x", "nats"),
        ("replicas=0", "replicas"),
        ("natss.url=nats://x", "natss"),
        ("stream.maxAge=7w", "maxAge"),
        ("nats.url=ws://x", "nats"),
        ("drainDelay=1h", "drainDelay"),
        ("maxBodySize=0", "maxBodySize"),
    ] {
        let told =
            crate::support::cluster::helm(&["template", "x", &chart, "--set", "nats.url=nats://x:4222", "--set", set])
                .await
                .err();
        assert!(told.contains(named), "{set}: {told}");
    }
    let told = crate::support::cluster::helm(&["template", "x", &chart]).await.err();
    assert!(told.contains("nats.url is required"), "{told}");
}

#[tokio::test]
async fn the_chart_only_passes_flags_that_exist() {
    let chart = chart();
    let all = "clusterWide=true,selector=a=b,baseUrl=https://x,sourceBase=urn:x,stream.allowMemory=true,tlsSecret=t,nats.credsSecret.name=c,nats.credsSecret.key=k,nats.caSecret.name=c,nats.caSecret.key=k,nats.clientCertSecret.name=c,nats.url=nats://x:4222,subjectPolicies={a.>},pathPolicies={/**},trustedProxies={10.0.0.0/8},fetchAllowCIDRs={10.0.0.0/8}";
    let rendered = crate::support::cluster::helm(&["template", "x", &chart, "--set", all]).await.ok();
    let help = hookgate(&["run", "--help"]).await.ok();
    let flags: Vec<&str> = rendered.lines().filter_map(|line| line.trim().strip_prefix("- --")).collect();
    assert!(flags.len() > 20, "{flags:?}");
    for flag in flags {
        let name = flag.split('=').next().unwrap_or_default();
        assert!(help.contains(&format!("--{name}")), "`hookgate run` knows no --{name}");
    }
}

async fn rendered(set: &[&str]) -> Vec<serde_json::Value> {
    let chart = chart();
    let mut arguments = vec!["template", "x", &chart, "--set", "nats.url=nats://x:4222"];
    set.iter().for_each(|set| arguments.extend(["--set", set]));
    let all = crate::support::cluster::helm(&arguments).await.ok();
    let documents = all.split("\n---").filter_map(|text| serde_saphyr::from_str::<serde_json::Value>(text).ok());
    documents.filter(serde_json::Value::is_object).collect()
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

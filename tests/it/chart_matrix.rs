//! Whatever values are written, an API server takes what the chart makes of them, and its pods meet the restricted standard.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails loudly")]

use std::fmt::Write as _;

use futures::StreamExt;
use serde_json::{Value, json};

use crate::chart::{chart, documents};
use crate::crds_live::cluster_with_crds;
use crate::docs::blocks;
use crate::support::cluster::helm;
use crate::support::folder::Folder;

/// Releases and their values, beside `nats.url` and `crds.enabled=false`.
const MATRIX: &[(&str, &str)] = &[
    ("defaults", "crds: {enabled: true}"),
    ("no-spool", "spool: {persistence: {enabled: false}}\nreplicas: 1"),
    ("volatile", "spool: {persistence: {enabled: false}, volatile: true, size: 300Mi, maxBytes: 209715200}"),
    ("both", "keepFormerWorkload: true\nautoscaling: {enabled: true}"),
    ("both-back", "keepFormerWorkload: true\nspool: {persistence: {enabled: false}}"),
    (
        "disks",
        "spool: {storageClass: fast, size: 10Gi, maxBytes: 6Gi, accessMode: ReadWriteOncePod, annotations: {a.example.com/b: c}}\n\
         guardWindow: '0'\nguardMaxBytes: 64Mi\nclaimCheck: false\nupdateStrategy: {type: OnDelete}",
    ),
    ("no-class", "spool: {storageClass: '-'}\ndrainDelay: 2m"),
    (
        "scaled",
        "autoscaling: {enabled: true, minReplicas: 3, maxReplicas: 9, targetMemory: 60, behavior: {scaleDown: {stabilizationWindowSeconds: 600}},\n\
           metrics: [{type: Pods, pods: {metric: {name: queue}, target: {type: AverageValue, averageValue: 5}}}]}\n\
         podDisruptionBudget: {minAvailable: 50%}",
    ),
    (
        "placed",
        "nodeSelector: {disk: ssd}\ntolerations: [{key: a, operator: Exists, effect: NoSchedule}]\npriorityClassName: system-cluster-critical\n\
         affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {a: b}}}]}}\n\
         topologySpreadConstraints: [{maxSkew: 1, topologyKey: topology.kubernetes.io/zone, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {a: b}}},\n\
           {maxSkew: 2, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: ScheduleAnyway}]\n\
         podLabels: {team: hooks}\npodAnnotations: {a: b}\nminReadySeconds: 5\nrevisionHistoryLimit: 2",
    ),
    (
        "added",
        "extraArgs: [--trust-trace]\nextraEnv: [{name: A, value: b}]\nextraEnvFrom: [{configMapRef: {name: a, optional: true}}]\n\
         extraVolumes: [{name: ca, configMap: {name: ca}}]\nextraVolumeMounts: [{name: ca, mountPath: /etc/ca, readOnly: true}]\n\
         extraInitContainers: [{name: wait, image: a, securityContext: &strict {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}]\n\
         extraContainers: [{name: beside, image: a, securityContext: *strict}]\n\
         extraObjects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}, \"{apiVersion: v1, kind: ConfigMap, metadata: {name: {{ .Release.Name }}-b}}\"]",
    ),
    (
        "registry",
        "global: {imageRegistry: 'mirror.example.com:5000/all', imagePullSecrets: [{name: a}]}\nimagePullSecrets: [{name: b}]\n\
         image: {digest: 'sha256:0123456789012345678901234567890123456789012345678901234567890123', pullPolicy: Always}\n\
         probes: {startup: null, liveness: {periodSeconds: 30, failureThreshold: 5}}\nresources: {requests: null, limits: null}\nopenshift: true",
    ),
    (
        "a-name-that-is-as-long-as-helm-lets-a-release-have-it",
        "fullnameOverride: a-name-that-is-much-longer-than-any-name-of-a-workload-may-be",
    ),
    (
        "secured",
        "nats: {urlSecret: {name: login, key: url}, credsSecret: {name: login, key: creds}, caSecret: {name: login, key: ca}, clientCertSecret: {name: login}}\n\
         tlsSecret: tls\nclusterWide: true\nrbac: {captureSecrets: [a]}\nserviceAccount: {create: false, name: default}",
    ),
    (
        "accounts",
        "nats: {credsSecret: {name: login, key: creds}, accounts: [{namespaces: [sales, shop-*], credsSecret: {name: sales, key: nats.creds}},\n\
           {namespaces: ['*'], credsSecret: {name: sales, key: other.creds}}, {namespaces: [c], credsSecret: {name: c, key: k}}]}\nnamespaceQuota: {requests: 100}",
    ),
    (
        "leaf",
        "nats: {url: 'nats://x:4222', nkeySecret: {name: login, key: seed}, inboxPrefix: _INBOX_h, jsDomain: hub}",
    ),
    (
        "bounded",
        "watchNamespaces: [default, kube-public]\nnamespaceQuota: {sources: 10, filters: 20, bytes: 16Mi}\nmemoryLimit: 200Mi\nmaxConnections: 100000\n\
         h2c: true\nmaxBodySize: 1048576\nfetch: false\nfetchAllowCIDRs: [10.0.0.0/8]\nrbac: {aggregate: false, providers: false}",
    ),
    (
        "exposed",
        "service: {type: LoadBalancer, port: 8443, nodePort: 30443, annotations: {a: b}, labels: {c: d}, ipFamilyPolicy: SingleStack, ipFamilies: [IPv4],\n\
           externalTrafficPolicy: Local, loadBalancerClass: example.com/lb, loadBalancerSourceRanges: [10.0.0.0/8]}\n\
         ingress: {enabled: true, host: hooks.example.com, className: nginx, tlsSecret: tls, annotations: {a: b}}",
    ),
    (
        "walled",
        "networkPolicy: {enabled: true, receiverFrom: [{ipBlock: {cidr: 203.0.113.0/24}}], adminFrom: [{namespaceSelector: {matchLabels: {a: b}}}],\n\
           natsTo: [{podSelector: {matchLabels: {app: nats}}}], natsPorts: [4222, 4223], apiServerTo: [{ipBlock: {cidr: 10.0.0.1/32}}],\n\
           dnsPorts: [5353], extraIngress: [{from: [{podSelector: {}}]}], extraEgress: [{to: [{podSelector: {}}]}]}\n\
         fetchAllowCIDRs: [10.1.0.0/16, 'fd00::/8']",
    ),
    ("outside", "replicas: null"),
    (
        "tried",
        "nats: {url: '', install: true}\nglobal: {imageRegistry: 'mirror.example.com:5000/all', imagePullSecrets: [{name: a}]}",
    ),
    ("tried-openshift", "nats: {url: '', install: true, image: 'nats:2.15.2'}\nopenshift: true\nhelmTest: false"),
    (
        "routed",
        "httpRoute: {enabled: true, parentRefs: [{name: public, namespace: gateways, sectionName: https}], hostnames: [hooks.example.com], labels: {a: b}, annotations: {c: d}}\n\
         ingress: {enabled: true, hosts: [a.example.com, b.example.com], tlsSecret: tls, labels: {a: b}}\nnats: {caConfigMap: {name: bundle, key: ca.crt}}\n\
         certificate: {enabled: true, issuerRef: {kind: ClusterIssuer, name: letsencrypt}, duration: 2160h, renewBefore: 360h, privateKey: {algorithm: ECDSA, rotationPolicy: Always}, annotations: {e: f}}",
    ),
    (
        "routed-plainly",
        "httpRoute: {enabled: true, parentRefs: [{name: public}]}\ntlsSecret: tls\n\
         certificate: {enabled: true, issuerRef: {name: own}, dnsNames: [hooks.example.com]}",
    ),
    ("walled-in", "networkPolicy: {enabled: true, egress: false}"),
    (
        "watched",
        "metrics:\n\
         \x20 serviceMonitor: &monitor {enabled: true, labels: {release: p}, annotations: {a: b}, interval: 30s, scrapeTimeout: 10s,\n\
         \x20   relabelings: [{sourceLabels: [a], targetLabel: b, action: replace}], metricRelabelings: [{action: drop, regex: x, sourceLabels: [__name__]}]}\n\
         \x20 podMonitor: *monitor\n\
         \x20 prometheusRule: {enabled: true, labels: {release: p}, annotations: {a: b}, alertLabels: {team: a}, extraRules: [{alert: Mine, expr: vector(1), for: 1m}]}",
    ),
    (
        "watched-plainly",
        "metrics: {serviceMonitor: {enabled: true}, podMonitor: {enabled: true}, prometheusRule: {enabled: true}, dashboard: {enabled: true, annotations: {a: b}}}",
    ),
];

/// What the Prometheus operator's API (monitoring.coreos.com/v1) takes of what the chart writes. A member that it has not is refused.
const MONITORING: &str = include_str!("chart/monitoring.yaml");
/// The same of the Gateway API and of cert-manager.
const OTHERS: &str = include_str!("chart/others.yaml");

async fn render(folder: &Folder, release: &str, values: &str) -> Vec<Value> {
    let chart = chart();
    let file = folder.write(&format!("{release}.yaml"), &format!("{values}\n"));
    let arguments = ["template", release, &chart, "--namespace", release, "--values", file.to_str().expect("a path")];
    let own: &[&str] = if values.contains("install: true") { &[] } else { &["--set", "nats.url=nats://x:4222"] };
    let crds: &[&str] = if values.contains("crds:") { &[] } else { &["--set", "crds.enabled=false"] };
    documents(&helm(&[&arguments[..], own, crds].concat()).await.ok())
}

/// The pods of a workload as one of their own, so that what is refused of pods is refused here.
fn pod(workload: &Value) -> Option<Value> {
    let mut pod = workload.pointer("/spec/template")?.clone();
    for claim in workload.pointer("/spec/volumeClaimTemplates").and_then(Value::as_array).into_iter().flatten() {
        let name = &claim["metadata"]["name"];
        let volumes = pod["spec"].as_object_mut()?.entry("volumes").or_insert_with(|| json!([]));
        volumes.as_array_mut()?.push(json!({"name": name, "persistentVolumeClaim": {"claimName": name}}));
    }
    let meta = &workload["metadata"];
    let name = format!("{}-{}", meta["name"].as_str()?, workload["kind"].as_str()?.to_lowercase());
    pod["metadata"]["name"] = name.into();
    pod["metadata"]["namespace"] = meta["namespace"].clone();
    (pod["apiVersion"], pod["kind"]) = ("v1".into(), "Pod".into());
    Some(pod)
}

#[tokio::test]
async fn an_api_server_takes_what_the_chart_makes_of_any_values() {
    // `helm test` has a source of its own.
    let cluster = cluster_with_crds().await;
    let folder = Folder::new("matrix");
    let all: Vec<(&str, Vec<Value>)> = futures::stream::iter(MATRIX)
        .map(|(release, values)| async { (*release, render(&folder, release, values).await) })
        .buffer_unordered(4)
        .collect()
        .await;
    // What the objects need to be there.
    let (mut before, mut objects) = ([MONITORING, OTHERS].join("\n---\n"), String::new());
    for (release, documents) in &all {
        let standard = "pod-security.kubernetes.io/enforce: restricted, pod-security.kubernetes.io/warn: restricted";
        write!(
            before,
            "\n---\n{{apiVersion: v1, kind: Namespace, metadata: {{name: {release}, labels: {{{standard}}}}}}}"
        )
        .expect("a string");
        for document in documents {
            if let Some(pod) = pod(document) {
                let name = pod["spec"]["serviceAccountName"].as_str().unwrap_or("default");
                let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": release}});
                write!(before, "\n---\n{account}").expect("a string");
                write!(objects, "\n---\n{pod}").expect("a string");
            }
            let mut document = document.clone();
            // An object of `extraObjects` goes where the release goes.
            if document["kind"] == "ConfigMap" && document["metadata"].get("namespace").is_none() {
                document["metadata"]["namespace"] = (*release).into();
            }
            write!(objects, "\n---\n{document}").expect("a string");
        }
    }
    // What the documents show of other kinds.
    let jobs = blocks("docs/operating.md", "yaml").into_iter().filter(|block| block.contains("kind: Job"));
    for job in jobs.map(|block| block.replace("namespace: hookgate", "namespace: defaults")) {
        write!(objects, "\n---\n{job}").expect("a string");
    }
    cluster.kubectl_with(&["apply", "--server-side", "--filename", "-"], &before).await.ok();
    let established = ["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"];
    cluster.kubectl(&established).await.ok();
    let apply =
        ["apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "--filename", "-"];
    let applied = cluster.kubectl_with(&apply, &objects).await;
    assert!(applied.status.success(), "{}", applied.stderr);
    // Of the standard, or of what is deprecated; what other tests applied in another way is not meant.
    let warned = applied.stderr.lines().filter(|line| !line.contains("last-applied-configuration")).count();
    assert_eq!(warned, 0, "{}", applied.stderr);
    let taken = applied.stdout.lines().filter(|line| line.ends_with("(server dry run)")).count();
    assert!(taken > MATRIX.len() * 8, "{taken} objects were taken");
}

#[tokio::test]
async fn what_is_written_reaches_the_workload() {
    let folder = Folder::new("workload");
    let of = async |values: &str| render(&folder, "x", values).await;
    let kind = |all: &[Value], kind: &str| all.iter().find(|one| one["kind"] == kind).cloned();
    let container =
        |workload: &Value| workload.pointer("/spec/template/spec/containers/0").cloned().expect("a container");

    // A claim for each replica, marked before it is used, and kept.
    let all = of("replicas: 3").await;
    assert!(kind(&all, "Deployment").is_none());
    let set = kind(&all, "StatefulSet").expect("a StatefulSet");
    let spec = &set["spec"];
    assert_eq!((&spec["replicas"], &spec["podManagementPolicy"]), (&json!(3), &json!("Parallel")));
    assert_eq!(spec["persistentVolumeClaimRetentionPolicy"], json!({"whenDeleted": "Retain", "whenScaled": "Retain"}));
    let headless = all.iter().find(|one| one["kind"] == "Service" && one["metadata"]["name"] == spec["serviceName"]);
    assert_eq!(headless.expect("its service")["spec"]["clusterIP"], "None");
    let init = &spec["template"]["spec"]["initContainers"][0];
    assert_eq!(init["args"], json!(["spool", "init", "--persistent", "/var/lib/hookgate/spool"]));
    for one in [init, &container(&set)] {
        assert_eq!(one["volumeMounts"][0], json!({"name": "spool", "mountPath": "/var/lib/hookgate"}));
        assert_eq!(one["securityContext"]["readOnlyRootFilesystem"], true);
    }
    assert_eq!(spec["template"]["spec"]["securityContext"]["fsGroup"], 65532);
    let arguments = container(&set)["args"].to_string();
    assert!(
        arguments.contains("--spool-dir=/var/lib/hookgate/spool") && !arguments.contains("volatile"),
        "{arguments}"
    );
    // Nothing of a claim may change with a version of the chart.
    assert!(!spec["volumeClaimTemplates"].to_string().contains("0.1.0"), "{}", spec["volumeClaimTemplates"]);

    let none = kind(&of("spool: {persistence: {enabled: false}}").await, "Deployment").expect("a Deployment");
    assert!(!none.to_string().contains("spool"), "{none}");
    let volatile = kind(&of("spool: {persistence: {enabled: false}, volatile: true}").await, "Deployment");
    let volatile = volatile.expect("a Deployment");
    assert_eq!(
        volatile["spec"]["template"]["spec"]["volumes"][0],
        json!({"name": "spool", "emptyDir": {"sizeLimit": "2Gi"}})
    );
    assert!(volatile["spec"]["template"]["spec"].get("initContainers").is_none());
    assert!(container(&volatile)["args"].to_string().contains("--spool-volatile"));

    let free = kind(&of("replicas: null").await, "StatefulSet").expect("a StatefulSet");
    assert!(free["spec"].get("replicas").is_none(), "somebody else decides");

    // While both are there, one of them has claims, and the other goes on as it was.
    let both = of("keepFormerWorkload: true\nautoscaling: {enabled: true}").await;
    let (set, former) = (kind(&both, "StatefulSet").expect("one"), kind(&both, "Deployment").expect("the other"));
    assert!(set["spec"].get("replicas").is_none() && former["spec"]["replicas"] == 2);
    assert!(!container(&former)["args"].to_string().contains("--spool-dir"));
    assert_eq!(kind(&both, "HorizontalPodAutoscaler").expect("one")["spec"]["scaleTargetRef"]["kind"], "StatefulSet");

    let env = |name: &str, workload: &Value| {
        let all = container(workload)["env"].as_array().expect("variables").clone();
        all.into_iter().find(|one| one["name"] == name).map(|one| one["value"].clone())
    };
    assert_eq!(env("HOOKGATE_GUARD_WINDOW", &set), Some("3m".into()));
    assert_eq!(env("HOOKGATE_CLAIM_CHECK", &set), Some("on".into()));
    let other = of("guardWindow: '0'\nguardMaxBytes: 67108864\nclaimCheck: false\nopenshift: true\n\
                    global: {imageRegistry: mirror.example.com:5000/all}\nimage: {tag: v9}\nprobes: {startup: null}")
    .await;
    let other = kind(&other, "StatefulSet").expect("a StatefulSet");
    assert_eq!(env("HOOKGATE_GUARD_WINDOW", &other), Some("0".into()));
    assert_eq!(env("HOOKGATE_GUARD_MAX_BYTES", &other), Some("67108864".into()));
    assert_eq!(env("HOOKGATE_CLAIM_CHECK", &other), Some("off".into()));
    assert_eq!(container(&other)["image"], "mirror.example.com:5000/all/hookgate/hookgate:v9");
    assert!(container(&other).get("startupProbe").is_none() && container(&other).get("livenessProbe").is_some());
    let context = &other["spec"]["template"]["spec"]["securityContext"];
    assert!(context.get("runAsUser").is_none() && context.get("fsGroup").is_none() && context["runAsNonRoot"] == true);
    let digest = format!("image: {{digest: 'sha256:{}'}}", "0".repeat(64));
    let pinned = kind(&of(&digest).await, "StatefulSet").expect("a StatefulSet");
    assert_eq!(container(&pinned)["image"], format!("ghcr.io/hookgate/hookgate@sha256:{}", "0".repeat(64)));
}

#[tokio::test]
async fn the_file_of_each_account_is_mounted_where_its_flag_looks() {
    let folder = Folder::new("accounts");
    let values = "nats: {accounts: [{namespaces: [sales, shop-*], credsSecret: {name: s, key: one}}, {namespaces: [a], credsSecret: {name: s, key: two}},\n\
                  {namespaces: [b], credsSecret: {name: t, key: k}}]}";
    let all = render(&folder, "x", values).await;
    let set = all.iter().find(|one| one["kind"] == "StatefulSet").expect("a StatefulSet");
    let pod = &set["spec"]["template"]["spec"];
    let arguments: Vec<&str> =
        pod["containers"][0]["args"].as_array().expect("arguments").iter().filter_map(Value::as_str).collect();
    let accounts: Vec<_> = arguments.iter().filter_map(|one| one.strip_prefix("--nats-account=")).collect();
    let at = "/etc/hookgate/nats-accounts";
    assert_eq!(accounts, [format!("sales,shop-*={at}/s/one"), format!("a={at}/s/two"), format!("b={at}/t/k")]);
    for secret in ["s", "t"] {
        let volumes = pod["volumes"].as_array().expect("volumes");
        let named = volumes.iter().filter(|volume| volume["secret"]["secretName"] == secret).collect::<Vec<_>>();
        assert_eq!(named.len(), 1, "{secret}: once");
        let mounts = pod["containers"][0]["volumeMounts"].as_array().expect("mounts");
        let mount = mounts.iter().find(|mount| mount["name"] == named[0]["name"]).expect("its mount");
        assert_eq!(mount["mountPath"], format!("{at}/{secret}"));
    }
}

#[tokio::test]
async fn every_way_in_leads_to_the_service() {
    let folder = Folder::new("ways");
    let values = "service: {port: 8080}\nhttpRoute: {enabled: true, parentRefs: [{name: public}], hostnames: [a.example.com]}\n\
                  ingress: {enabled: true, host: a.example.com, hosts: [b.example.com, a.example.com], tlsSecret: tls}\n\
                  certificate: {enabled: true, issuerRef: {name: own}}";
    let all = render(&folder, "hookgate", values).await;
    let kind = |kind: &str| all.iter().find(|one| one["kind"] == kind).unwrap_or_else(|| panic!("no {kind}"));
    assert_eq!(kind("HTTPRoute")["spec"]["rules"][0]["backendRefs"][0], json!({"name": "hookgate", "port": 8080}));
    let rules = kind("Ingress")["spec"]["rules"].as_array().expect("rules");
    let hosts: Vec<_> = rules.iter().map(|rule| &rule["host"]).collect();
    assert_eq!(hosts, ["a.example.com", "b.example.com"], "each once");
    for rule in rules {
        let service = &rule["http"]["paths"][0]["backend"]["service"];
        assert_eq!(*service, json!({"name": "hookgate", "port": {"name": "http"}}));
    }
    let certificate = &kind("Certificate")["spec"];
    assert_eq!((&certificate["secretName"], &certificate["dnsNames"]), (&json!("tls"), &json!(hosts)));
}

#[tokio::test]
async fn a_namespace_admin_without_cluster_rights_may_install() {
    let folder = Folder::new("namespaced");
    let all = render(&folder, "x", "crds: {enabled: false}\nrbac: {providers: false, aggregate: false}").await;
    let wide: Vec<&Value> = all
        .iter()
        .filter(|one| {
            one["metadata"].get("namespace").is_none()
                || one["kind"].as_str().is_some_and(|kind| kind.starts_with("Cluster"))
        })
        .collect();
    assert!(wide.is_empty(), "{wide:?}");
}

//! The operator has the rights that it needs in each mode of the chart, and no others: told by the API server, and tried.
#![allow(clippy::expect_used, clippy::print_stdout, reason = "a test fails loudly, and prints its matrix")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use k8s_openapi::api::authorization::v1::{SelfSubjectRulesReview, SelfSubjectRulesReviewSpec};
use kube::Api;
use kube::api::PostParams;
use serde_json::{Value, json};

use crate::chart::chart;
use crate::control_outage::install_crds;
use crate::control_world::{Place, generic, message};
use crate::crds_live::cluster_with_crds;
use crate::support::cluster::Cluster;
use crate::support::nats::Nats;
use crate::support::operator::Operator;
use crate::support::wait::eventually;

const SOON: Duration = Duration::from_secs(30);

/// What it takes to serve the sources of a namespace.
const SOURCES: &[&str] = &[
    "get,list,watch hookgate.dev/webhooksources",
    "patch hookgate.dev/webhooksources/status",
    "create,patch events.k8s.io/events",
];
const SECRETS: &[&str] = &["get,list,watch /secrets"];
const NAMED: &[&str] = &["get,list,watch /secrets s,t"];
const CAPTURES: &[&str] = &["patch /secrets t"];
/// What it takes to be one of several replicas.
const LEASE: &[&str] = &["create coordination.k8s.io/leases", "get,update,delete coordination.k8s.io/leases hookgate"];
const PROVIDERS: &[&str] =
    &["get,list,watch hookgate.dev/webhookproviders", "patch hookgate.dev/webhookproviders/status"];

/// A mode of the chart, and what its account may.
struct Mode {
    name: &'static str,
    /// `A` and `B` stand for namespaces.
    values: &'static [&'static str],
    /// In the release's namespace.
    release: &'static [&'static [&'static str]],
    /// In `A`, and in `B`.
    others: [&'static [&'static [&'static str]]; 2],
}

const NO_PROVIDERS: &str = "rbac.providers=false";
const MODES: &[Mode] = &[
    Mode { name: "defaults", values: &[], release: &[LEASE, SOURCES, SECRETS, PROVIDERS], others: [&[PROVIDERS]; 2] },
    Mode { name: "no providers", values: &[NO_PROVIDERS], release: &[LEASE, SOURCES, SECRETS], others: [&[]; 2] },
    Mode {
        name: "watchNamespaces",
        values: &["watchNamespaces={A}", NO_PROVIDERS],
        release: &[LEASE],
        others: [&[SOURCES, SECRETS], &[]],
    },
    Mode {
        name: "clusterWide",
        values: &["clusterWide=true"],
        release: &[LEASE, SOURCES, SECRETS, PROVIDERS],
        others: [&[SOURCES, SECRETS, PROVIDERS]; 2],
    },
    Mode {
        name: "secretNames",
        values: &["rbac.secretNames={s}", "rbac.captureSecrets={t}", NO_PROVIDERS],
        release: &[LEASE, SOURCES, NAMED, CAPTURES],
        others: [&[]; 2],
    },
    Mode {
        name: "secretNames, clusterWide",
        values: &["rbac.secretNames={s,t}", "clusterWide=true", NO_PROVIDERS],
        release: &[LEASE, SOURCES, NAMED],
        others: [&[SOURCES, NAMED]; 2],
    },
    Mode { name: "no roles", values: &["rbac.create=false"], release: &[], others: [&[]; 2] },
];

/// A release of the chart, without pods: what they would run is run here.
struct Release<'a> {
    cluster: &'a Cluster,
    namespace: String,
    others: [String; 2],
    account: PathBuf,
}

impl<'a> Release<'a> {
    async fn install(cluster: &'a Cluster, mode: &Mode) -> Release<'a> {
        let namespace = cluster.namespace().await;
        let others = [cluster.namespace().await, cluster.namespace().await];
        let chart = chart();
        let mut arguments =
            vec!["install", "hookgate", &chart, "--namespace", &namespace, "--set", "nats.url=nats://x:4222"];
        arguments.extend([
            "--set",
            "crds.enabled=false",
            "--set",
            "spool.persistence.enabled=false",
            "--set",
            "rbac.aggregate=false",
        ]);
        let values: Vec<String> =
            mode.values.iter().map(|value| value.replace("{A}", &format!("{{{}}}", others[0]))).collect();
        values.iter().for_each(|value| arguments.extend(["--set", value]));
        cluster.helm(&arguments).await.ok();
        let account = cluster.kubeconfig_for_service_account(&namespace, "hookgate").await;
        Release { cluster, namespace, others, account }
    }

    /// The flags that the chart gives.
    async fn flags(&self) -> Vec<String> {
        let template = "jsonpath={.spec.template.spec.containers[0].args}";
        let get = ["get", "deployment", "hookgate", "-n", &self.namespace, "-o", template];
        let all: Vec<String> = serde_json::from_str(&self.cluster.kubectl(&get).await.ok()).expect("arguments");
        let own = |flag: &String| flag != "run" && !flag.contains("listen=");
        let lease = format!("--lease-namespace={}", self.namespace);
        all.into_iter().filter(own).chain([lease]).collect()
    }

    async fn operator(&self, nats: &Nats) -> Operator {
        let flags = self.flags().await;
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        Operator::in_cluster(&self.account, &nats.url(), &flags).await
    }

    async fn place(&self, namespace: &str) -> Place {
        Place { client: self.cluster.client().await, namespace: namespace.to_owned() }
    }

    /// What the account was forbidden, as `verb resource`.
    fn forbidden(&self) -> BTreeSet<String> {
        let user = format!("system:serviceaccount:{}:hookgate", self.namespace);
        let denied = |entry: &Value| entry["annotations"]["authorization.k8s.io/decision"] == "forbid";
        let named = |entry: Value| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            format!("{} {}", text(&entry["verb"]), text(&entry["objectRef"]["resource"]))
        };
        self.cluster.audit(&user).into_iter().filter(denied).map(named).collect()
    }
}

/// What an account may in a namespace: `verbs group/resource names`.
async fn rights(cluster: &Cluster, account: &Path, namespace: &str) -> BTreeSet<String> {
    let client = cluster.client_for(account).await;
    let spec = SelfSubjectRulesReviewSpec { namespace: Some(namespace.to_owned()) };
    let asked = SelfSubjectRulesReview { spec, ..SelfSubjectRulesReview::default() };
    let told =
        Api::<SelfSubjectRulesReview>::all(client).create(&PostParams::default(), &asked).await.expect("an answer");
    let mut rights = BTreeSet::new();
    for rule in told.status.expect("rules").resource_rules {
        let mut names = rule.resource_names.unwrap_or_default();
        names.sort();
        for group in rule.api_groups.unwrap_or_default() {
            for resource in rule.resources.iter().flatten() {
                let right = format!("{} {group}/{resource} {}", rule.verbs.join(","), names.join(","));
                rights.insert(right.trim_end().to_owned());
            }
        }
    }
    rights
}

#[tokio::test]
async fn the_account_may_what_its_mode_needs_and_nothing_else() {
    let cluster = cluster_with_crds().await;
    // What every account may, such as asking what it may.
    let nobody = cluster.namespace().await;
    cluster.kubectl(&["create", "serviceaccount", "nobody", "-n", &nobody]).await.ok();
    let account = cluster.kubeconfig_for_service_account(&nobody, "nobody").await;
    let everybody = rights(cluster, &account, &nobody).await;
    for mode in MODES {
        let release = Release::install(cluster, mode).await;
        let namespaces = [&release.namespace, &release.others[0], &release.others[1]];
        for (namespace, wanted) in namespaces.into_iter().zip([mode.release, mode.others[0], mode.others[1]]) {
            let all = rights(cluster, &release.account, namespace).await;
            let own: BTreeSet<String> = all.difference(&everybody).cloned().collect();
            let wanted: BTreeSet<String> =
                wanted.iter().flat_map(|part| part.iter()).map(|right| (*right).to_owned()).collect();
            assert_eq!(own, wanted, "{}: {namespace}", mode.name);
        }
        println!("{}: {:?} {:?} {:?}", mode.name, mode.release, mode.others[0], mode.others[1]);
    }
}

#[tokio::test]
async fn what_the_account_may_is_enough_to_serve_and_to_tell() {
    // One that serves all namespaces would serve those of other tests.
    let (cluster, nats) = tokio::join!(Cluster::start(), Nats::start());
    install_crds(&cluster).await;
    for mode in MODES.iter().filter(|mode| mode.name != "no roles") {
        let release = Release::install(&cluster, mode).await;
        let operator = release.operator(&nats).await;
        let namespaces = [&release.namespace, &release.others[0], &release.others[1]];
        for (namespace, rights) in namespaces.into_iter().zip([mode.release, mode.others[0], mode.others[1]]) {
            if !rights.contains(&SOURCES) {
                continue;
            }
            let place = release.place(namespace).await;
            place.secret("s", "one").await;
            place.apply("calls", generic("s")).await;
            place.until_conditions("calls", &["ResolvedRefs=True/ResolvedRefs", "Ready=True/Ready"]).await;
            let post = async |token: &str| {
                let headers = [("x-token", token), ("content-type", "application/json")];
                operator.post(&place.path("calls"), &headers, "{}").await.map_or(0, |answer| answer.status.as_u16())
            };
            assert_eq!(post("one").await, 200, "{}", mode.name);
            // The watch of the Secret goes on.
            place.secret("s", "two").await;
            eventually("the secret is rotated", SOON, async || post("two").await == 200).await;
            assert_eq!(post("one").await, 401);
            eventually("an Event tells of it", SOON, async || {
                let get = ["get", "events", "-n", namespace, "-o", "jsonpath={.items[*].reason}"];
                release.cluster.kubectl(&get).await.ok().contains("Ready")
            })
            .await;
            if !rights.contains(&NAMED) {
                continue;
            }
            place.secret("other", "one").await;
            place.apply("more", generic("other")).await;
            let status = place
                .until_conditions("more", &["ResolvedRefs=False/SecretForbidden", "Ready=False/SecretForbidden"])
                .await;
            assert!(message(&status, "ResolvedRefs").contains("rbac.secretNames"), "{status:#}");
        }
        // It finds out by itself that there are no providers for it, and asks for nothing else in vain.
        let asked = release.forbidden();
        let expected: BTreeSet<String> =
            mode.values.contains(&NO_PROVIDERS).then(|| "list webhookproviders".to_owned()).into_iter().collect();
        assert_eq!(asked, expected, "{}", mode.name);
        let metrics = operator.get("/metrics").await.expect("metrics").body;
        assert!(String::from_utf8_lossy(&metrics).contains("hookgate_is_leader 1\n"), "{}", mode.name);
    }
}

#[tokio::test]
async fn of_secrets_that_no_source_refers_to_the_api_server_sends_no_value() {
    let cluster = cluster_with_crds().await;
    let place = Place { client: cluster.client().await, namespace: cluster.namespace().await };
    let nats = Nats::start().await;
    place.secret("s", "this-one-is-referred-to").await;
    place.secret("other", "nobody-asked-for-this-one").await;
    place.apply("calls", generic("s")).await;
    // All that the API server sends to the operator, as plain bytes.
    let wire = crate::support::wire::Wire::before_api_server(cluster).await;
    let flags = ["--namespace", &place.namespace, "--lease-namespace", &place.namespace];
    let operator = Operator::in_cluster(&wire.kubeconfig, &nats.url(), &flags).await;
    place.until_conditions("calls", &["Ready=True/Ready"]).await;
    place.secret("other", "nobody-asked-for-this-one-either").await;
    place.secret("s", "this-one-was-rotated").await;
    let headers = [("x-token", "this-one-was-rotated"), ("content-type", "application/json")];
    eventually("the rotation is seen", SOON, async || {
        let answer = operator.post(&place.path("calls"), &headers, "{}").await;
        answer.is_some_and(|answer| answer.status == 200)
    })
    .await;
    let seen = wire.seen();
    for (value, sent) in [
        ("this-one-is-referred-to", true),
        ("this-one-was-rotated", true),
        ("nobody-asked-for-this-one", false),
        ("nobody-asked-for-this-one-either", false),
    ] {
        let encoded = json!(k8s_openapi::ByteString(value.as_bytes().to_vec()));
        let encoded = encoded.as_str().expect("base64").trim_end_matches('=');
        assert_eq!(seen.contains(encoded) || seen.contains(value), sent, "{value}");
    }
    assert!(seen.contains("PartialObjectMetadataList"), "Secrets are watched by their metadata");
}

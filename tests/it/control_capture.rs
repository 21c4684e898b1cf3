//! A secret that a vendor delivers in a handshake is written once, where the source and the Secret invite it, and serves at once.
#![allow(clippy::expect_used, clippy::panic)]

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::crds_live::cluster_with_crds;
use crate::support::nats::Nats;
use crate::support::operator::Operator;
use crate::support::wait::eventually;

/// Signs bodies with a secret that it hands over first, in a header.
fn provider(name: &str) -> String {
    format!(
        "
apiVersion: hookgate.dev/v1alpha1
kind: WebhookProvider
metadata: {{name: {name}}}
spec:
  displayName: Hands over its secret
  methods: [{{name: signature, anyOf: [{{allOf: [{{hmac: {{algorithm: SHA256, signature: {{header: X-Sig}}}}}}]}}]}}]
  handshakes:
  - when: [{{header: X-Secret}}]
    unsigned: true
    capture: {{header: X-Secret}}
    respond: {{headers: {{X-Secret: \"{{header:X-Secret}}\"}}}}
"
    )
}

fn source(namespace: &str, provider: &str, name: &str, secret: &str, until: &str) -> String {
    format!(
        "
apiVersion: hookgate.dev/v1alpha1
kind: WebhookSource
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  provider: {provider}
  verification:
    secretRefs: [{{name: {secret}, key: signing}}]
    captureSecretRef: {{name: {secret}, key: signing, until: \"{until}\"}}
"
    )
}

#[tokio::test]
async fn a_delivered_secret_is_written_once_where_it_is_invited() {
    let (cluster, nats) = (cluster_with_crds().await, Nats::start().await);
    let namespace = cluster.namespace().await;
    let vendor = format!("hands-over-{namespace}");
    let secret = |name: &str, labels: &str| {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: {namespace}, labels: {{{labels}}}}}\n---\n"
        )
    };
    let allowed = "hookgate.dev/capture: allowed";
    let far = "2099-01-01T00:00:00Z";
    cluster.kubectl_apply(&provider(&vendor)).await.ok();
    let all = [
        secret("open", allowed),
        secret("closed", ""),
        secret("late", allowed),
        source(&namespace, &vendor, "open", "open", far) + "---\n",
        source(&namespace, &vendor, "closed", "closed", far) + "---\n",
        source(&namespace, &vendor, "late", "late", "2020-01-01T00:00:00Z"),
    ];
    cluster.kubectl_apply(&all.concat()).await.ok();
    let flags = ["--namespace", &namespace, "--lease-namespace", &namespace];
    let operator = Operator::in_cluster(&cluster.kubeconfig(), &nats.url(), &flags).await;
    let hand = async |name: &str, value: &str| {
        let answer =
            operator.post(&format!("/{namespace}/{name}"), &[("x-secret", value)], "").await.expect("an answer");
        (answer.status.as_u16(), answer.headers.get("x-secret").map(|v| v.to_str().expect("text").to_owned()))
    };
    let stored = async |name: &str| {
        let shown = cluster.kubectl(&["get", "secret", name, "-n", &namespace, "-o", "jsonpath={.data.signing}"]).await;
        shown.ok()
    };

    eventually("the provider is known", Duration::from_secs(20), async || hand("closed", "x").await.0 == 503).await;
    assert_eq!(hand("closed", "mine").await, (503, None), "a Secret without the label is left alone");
    assert_eq!(hand("late", "mine").await, (503, None), "after `until` nothing is captured");
    assert_eq!((stored("closed").await, stored("late").await), (String::new(), String::new()));

    assert_eq!(hand("open", "the-vendors-own").await, (200, Some("the-vendors-own".to_owned())));
    assert_eq!(stored("open").await, "dGhlLXZlbmRvcnMtb3du");
    assert_eq!(hand("open", "an-attackers").await, (503, None), "a secret is captured once");
    assert_eq!(stored("open").await, "dGhlLXZlbmRvcnMtb3du");

    let mut mac = Hmac::<Sha256>::new_from_slice(b"the-vendors-own").expect("any length");
    mac.update(b"{}");
    let signature = hex::encode(mac.finalize().into_bytes());
    eventually("what is signed with it is accepted", Duration::from_secs(10), async || {
        let answer = operator.post(&format!("/{namespace}/open"), &[("x-sig", &signature)], "{}").await;
        answer.is_some_and(|answer| answer.status == 200)
    })
    .await;
    assert!(!operator.process.log().contains("the-vendors-own"), "a secret is in no log");
    cluster.kubectl(&["delete", "whp", &vendor]).await.ok();
}

//! Handshakes that deliver a secret: what is forged is a stranger's failure, what the vendor sends again is answered.
#![allow(clippy::expect_used, clippy::panic)]

use hmac::{Hmac, KeyInit, Mac};
use http::StatusCode;
use sha2::Sha256;

use crate::support::folder::Folder;
use crate::support::nats::Nats;
use crate::support::operator::Operator;

const MANIFESTS: &str = "
apiVersion: v1
kind: Secret
metadata: {name: keys, namespace: team}
stringData: {live: the-live-secret}
---
apiVersion: hookgate.dev/v1alpha1
kind: WebhookSource
metadata: {name: pages, namespace: team}
spec: {provider: notion, verification: {secretRefs: [{name: keys, key: live}]}}
---
apiVersion: hookgate.dev/v1alpha1
kind: WebhookSource
metadata: {name: tasks, namespace: team}
spec: {provider: asana, verification: {secretRefs: [{name: keys, key: live}]}}
";

fn signed(secret: &str, body: &str) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length");
    format!("sha256={}", hex::encode(mac.chain_update(body).finalize().into_bytes()))
}

/// The request that delivers a token, signed with a secret.
async fn delivers(operator: &Operator, token: &str, secret: &str) -> StatusCode {
    let body = format!("{{\"verification_token\":\"{token}\"}}");
    let signature = signed(secret, &body);
    let headers = [("content-type", "application/json"), ("x-notion-signature", signature.as_str())];
    operator.post("/team/pages", &headers, body).await.expect("an answer").status
}

/// The status of a handshake with a secret, and the secret that is echoed.
async fn hands(operator: &Operator, secret: &str) -> (u16, Option<String>) {
    let answer = operator.post("/team/tasks", &[("x-hook-secret", secret)], "").await.expect("an answer");
    let echoed = answer.headers.get("x-hook-secret").and_then(|value| value.to_str().ok()).map(str::to_owned);
    (answer.status.as_u16(), echoed)
}

#[tokio::test]
async fn what_a_vendor_delivers_again_is_answered_and_what_is_forged_writes_no_lines() {
    let nats = Nats::start().await;
    let folder = Folder::new("captures");
    folder.write("all.yaml", MANIFESTS);
    let operator = Operator::in_folder(&folder, &nats.url(), &[]).await;
    assert_eq!(delivers(&operator, "the-live-secret", "the-live-secret").await, 200, "signed with the live secret");
    assert_eq!(delivers(&operator, "mine", "mine").await, 401, "signed with itself, and nothing waits for it");
    assert_eq!(delivers(&operator, "mine", "another").await, 401, "signed with neither");
    let (status, echoed) = hands(&operator, "the-live-secret").await;
    assert_eq!((status, echoed.as_deref()), (200, Some("the-live-secret")), "live already");

    let told = |log: &str| log.lines().filter(|line| line.contains(" WARN ") || line.contains(" INFO ")).count();
    let before = told(&operator.process.log());
    for number in 0..400 {
        let (status, echoed) = hands(&operator, &format!("forged-{number}")).await;
        assert_eq!((status, echoed), (503, None));
    }
    let lines = told(&operator.process.log()) - before;
    assert!(lines < 10, "a forged request writes no line: {lines}");
}

//! `hookgate verify` explains a captured request and says what to mend; `hookgate send` makes what it accepts.
#![allow(clippy::expect_used, clippy::panic)]

use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

use crate::support::folder::Folder;
use crate::support::operator::hookgate;

const SECRET: &str = "whsec_c2VjcmV0LXRlc3Qta2V5";

/// A Stripe source, whose secret is text; another whose signature covers the URL.
fn manifests() -> Folder {
    let folder = Folder::new("manifests");
    folder.write(
        "source.yaml",
        &format!(
            "
apiVersion: v1
kind: Secret
metadata: {{name: stripe, namespace: shop}}
stringData: {{secret: {SECRET}, square: square-key, verify: verify-me}}
---
apiVersion: hookgate.dev/v1alpha1
kind: WebhookSource
metadata: {{name: payments, namespace: shop}}
spec: {{provider: stripe, verification: {{secretRefs: [{{name: stripe, key: secret}}]}}}}
---
apiVersion: hookgate.dev/v1alpha1
kind: WebhookSource
metadata: {{name: terminal, namespace: shop}}
spec: {{provider: square, verification: {{secretRefs: [{{name: stripe, key: square}}], externalURL: \"https://hooks.example.com/square\"}}}}
---
apiVersion: hookgate.dev/v1alpha1
kind: WebhookSource
metadata: {{name: keyless, namespace: shop}}
spec: {{provider: stripe, verification: {{secretRefs: [{{name: elsewhere, key: secret}}]}}}}
---
apiVersion: hookgate.dev/v1alpha1
kind: WebhookSource
metadata: {{name: pages, namespace: shop}}
spec: {{provider: meta, verification: {{secretRefs: [{{name: stripe, key: square}}, {{name: stripe, key: verify, purpose: verify-token}}]}}}}
---
apiVersion: hookgate.dev/v1alpha1
kind: WebhookSource
metadata: {{name: channel, namespace: shop}}
spec: {{provider: slack, verification: {{secretRefs: [{{name: stripe, key: square}}]}}}}
"
        ),
    );
    folder
}

fn mac(key: &[u8], content: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length");
    mac.update(content.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// A capture signed at 2026-01-01T00:00:00Z.
fn stripe(key: &[u8], signed: &str, sent: &str, line_end: &str) -> String {
    let stamp = 1_767_225_600;
    let signature = hex::encode(mac(key, &format!("{stamp}.{signed}")));
    let head = [
        "POST /shop/payments HTTP/1.1",
        "Host: hooks.example.com",
        "Content-Type: application/json",
        &format!("Stripe-Signature: t={stamp},v1={signature}"),
    ];
    format!("{}{line_end}{line_end}{sent}", head.join(line_end))
}

/// Exit code, JSON answer.
async fn verify(folder: &Folder, source: &str, capture: &str, at: &str) -> (i32, Value) {
    let request = folder.write("capture.http", capture).display().to_string();
    let files = folder.join("source.yaml").display().to_string();
    let source = format!("shop/{source}");
    let arguments = ["verify", "-f", &files, "--source", &source, "--request", &request, "--at", at, "-o", "json"];
    let output = hookgate(&arguments).await;
    let answer = serde_json::from_str(&output.stdout).unwrap_or(Value::Null);
    (output.status.code().expect("a code"), answer)
}

fn advice(answer: &Value) -> String {
    let steps = answer["steps"].as_array().expect("steps");
    let told: Vec<&str> =
        steps.iter().filter(|step| step["step"] == "advice").filter_map(|step| step["detail"].as_str()).collect();
    told.join("; ")
}

const THEN: &str = "2026-01-01T00:01:00Z";
const BODY: &str = r#"{"id": "evt_1", "type": "charge.succeeded"}"#;

#[tokio::test]
async fn a_right_capture_is_authentic_with_either_line_end() {
    let folder = manifests();
    for line_end in ["\n", "\r\n"] {
        let (code, answer) = verify(&folder, "payments", &stripe(SECRET.as_bytes(), BODY, BODY, line_end), THEN).await;
        assert_eq!((code, &answer["authentic"]), (0, &Value::Bool(true)), "{answer}");
        assert_eq!((answer["method"].as_str(), answer["covers"].as_str()), (Some("signature"), Some("Body")));
        assert!(answer["reason"].is_null() && !answer.to_string().contains(SECRET), "{answer}");
    }
}

#[tokio::test]
async fn a_chunked_capture_is_judged_without_its_framing() {
    let folder = manifests();
    let plain = stripe(SECRET.as_bytes(), BODY, BODY, "\r\n");
    let (head, body) = plain.split_once("\r\n\r\n").expect("a head");
    let (one, two) = body.split_at(7);
    let chunks = format!("{:x}\r\n{one}\r\n{:x}\r\n{two}\r\n0\r\n\r\n", one.len(), two.len());
    let chunked = format!("{head}\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
    let (code, answer) = verify(&folder, "payments", &chunked, THEN).await;
    assert_eq!((code, &answer["authentic"]), (0, &Value::Bool(true)), "{answer}");
}

#[tokio::test]
async fn a_broken_file_beside_concerns_nobody_and_the_own_one_is_named() {
    let folder = manifests();
    folder.write("unrelated.yaml", "{{{");
    folder.write("broken.yaml", "{apiVersion: hookgate.dev/v1alpha1, kind: WebhookSource, metadata: {name: broken, namespace: shop}, spec: {provider: stripe, x: 1}}");
    let request = folder.write("capture.http", &stripe(SECRET.as_bytes(), BODY, BODY, "\n")).display().to_string();
    let files = folder.path().display().to_string();
    let of = |source: &'static str| {
        let (files, request) = (files.clone(), request.clone());
        async move { hookgate(&["verify", "-f", &files, "--source", source, "--request", &request, "--at", THEN]).await }
    };
    of("shop/payments").await.ok();
    let told = of("shop/broken").await.err();
    assert!(told.contains("broken.yaml:1") && told.contains("spec.x") && !told.contains("unrelated"), "{told}");
}

#[tokio::test]
async fn a_wrong_capture_is_told_what_to_mend() {
    let folder = manifests();
    let compact = r#"{"id":"evt_1","type":"charge.succeeded"}"#;
    for (capture, at, reason, advised) in [
        (stripe(SECRET.as_bytes(), BODY, BODY, "\n"), "2026-01-01T00:10:00Z", "StaleTimestamp", "clocks"),
        (stripe(SECRET.as_bytes(), compact, BODY, "\n"), THEN, "BadSignature", "white space"),
        (stripe(SECRET.as_bytes(), BODY, &format!("{BODY}\n"), "\n"), THEN, "BadSignature", "line break"),
        (stripe(&SECRET.as_bytes()[6..], BODY, BODY, "\n"), THEN, "BadSignature", "without its prefix"),
        (stripe(b"another secret", BODY, BODY, "\n"), THEN, "BadSignature", ""),
        (
            stripe(SECRET.as_bytes(), BODY, BODY, "\n").replace("Stripe-Signature", "X-Other"),
            THEN,
            "MissingSignature",
            "",
        ),
        (stripe(SECRET.as_bytes(), BODY, BODY, "\n").replace(",v1=", ",v0="), THEN, "MalformedSignature", ""),
    ] {
        let (code, answer) = verify(&folder, "payments", &capture, at).await;
        assert_eq!((code, answer["reason"].as_str()), (1, Some(reason)), "{answer}");
        let told = advice(&answer);
        assert!(
            told.contains(advised) && (!advised.is_empty() || told.is_empty()),
            "{reason}: {told:?} wants {advised:?}"
        );
    }
}

#[tokio::test]
async fn a_url_that_differs_by_scheme_or_port_is_named() {
    use base64::Engine;
    let folder = manifests();
    let signature = mac(b"square-key", &format!("https://hooks.example.com:443/square{BODY}"));
    let signature = base64::engine::general_purpose::STANDARD.encode(signature);
    let capture =
        format!("POST /shop/terminal HTTP/1.1\nHost: x\nx-square-hmacsha256-signature: {signature}\n\n{BODY}");
    let (code, answer) = verify(&folder, "terminal", &capture, THEN).await;
    assert_eq!(code, 1);
    assert!(advice(&answer).contains("https://hooks.example.com:443/square"), "{answer}");
}

#[tokio::test]
async fn what_cannot_be_told_exits_2_and_says_why() {
    let folder = manifests();
    let right = stripe(SECRET.as_bytes(), BODY, BODY, "\n");
    let (code, answer) = verify(&folder, "keyless", &right, THEN).await;
    assert_eq!((code, &answer["authentic"]), (2, &Value::Null), "no Secret in the files: {answer}");
    assert!(answer["steps"].to_string().contains("the Secret does not exist"), "{answer}");
    assert_eq!(verify(&folder, "nobody", &right, THEN).await.0, 2, "no such source");
    assert_eq!(verify(&folder, "payments", "hello", THEN).await.0, 2, "no capture");
    assert_eq!(verify(&folder, "payments", &right, "yesterday").await.0, 2, "no time");
}

#[tokio::test]
async fn what_send_would_send_is_authentic() {
    let folder = manifests();
    let files = folder.join("source.yaml").display().to_string();
    let curl = hookgate(&["send", "-f", &files, "--source", "shop/payments", "--curl"]).await.ok();
    let mut lines = vec!["POST /shop/payments HTTP/1.1".to_owned()];
    let headers =
        curl.lines().filter_map(|line| line.trim().strip_prefix("-H '")?.split('\'').next().map(str::to_owned));
    lines.extend(headers);
    let body =
        curl.split("--data-binary '").nth(1).and_then(|rest| rest.trim_end().strip_suffix('\'')).expect("a body");
    let capture = format!("{}\n\n{body}", lines.join("\n"));
    let (code, answer) = verify(&folder, "payments", &capture, &jiff::Timestamp::now().to_string()).await;
    assert_eq!(code, 0, "{curl}\n{answer}");
}

#[tokio::test]
async fn a_handshake_is_told_with_its_answer_and_by_whose_word_it_is_given() {
    let folder = manifests();
    let meta = |token: &str| {
        format!("GET /shop/pages?hub.mode=subscribe&hub.challenge=77&hub.verify_token={token} HTTP/1.1\nHost: x\n\n")
    };
    let (code, answer) = verify(&folder, "pages", &meta("verify-me"), THEN).await;
    assert_eq!((code, &answer["authentic"], answer["answer"]["body"].as_str()), (0, &Value::Bool(true), Some("77")));
    let (code, answer) = verify(&folder, "pages", &meta("another"), THEN).await;
    assert_eq!((code, &answer["authentic"], &answer["answer"]), (1, &Value::Bool(false), &Value::Null), "{answer}");
    // Signed as deliveries are.
    let body = r#"{"type":"url_verification","challenge":"c-1"}"#;
    let slack = |key: &[u8]| {
        let signature = hex::encode(mac(key, &format!("v0:1767225600:{body}")));
        format!(
            "POST /shop/channel HTTP/1.1\nHost: x\nContent-Type: application/json\nX-Slack-Request-Timestamp: 1767225600\n\
             X-Slack-Signature: v0={signature}\n\n{body}"
        )
    };
    let (code, answer) = verify(&folder, "channel", &slack(b"square-key"), THEN).await;
    assert_eq!((code, answer["answer"]["body"].as_str(), answer["covers"].as_str()), (0, Some("c-1"), Some("Body")));
    let (code, answer) = verify(&folder, "channel", &slack(b"another"), THEN).await;
    assert_eq!((code, answer["reason"].as_str(), &answer["answer"]), (1, Some("BadSignature"), &Value::Null));
    // Nothing proves it: it is answered all the same.
    let capture =
        "POST /shop/channel HTTP/1.1\nHost: x\nContent-Type: application/x-www-form-urlencoded\n\ntoken=t&ssl_check=1";
    let (code, answer) = verify(&folder, "channel", capture, THEN).await;
    assert_eq!(
        (code, &answer["authentic"], answer["answer"]["status"].as_u64()),
        (2, &Value::Null, Some(200)),
        "{answer}"
    );
}

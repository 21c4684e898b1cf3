//! A document in a signed form field: events are its JSON, the customer's own signature counts, and no challenge signs one.
#![allow(clippy::expect_used, clippy::panic)]

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha1::{Digest, Sha1};

use crate::support::folder::Folder;
use crate::support::framed::query;
use crate::support::nats::Nats;
use crate::support::operator::{Operator, hookgate};

// Of the vendor's own tests.
const PUBLIC: &str = "integration_public_key";
const PRIVATE: &str = "integration_private_key";
const CHALLENGE: &str = "20f9f8ed05f77439fe955c977e4c8a53";
const ANSWER: &str = "integration_public_key|d9b899556c966b3f06945ec21311865d35df3ce4";
const MANIFESTS: &str = "
apiVersion: v1
kind: Secret
metadata: {name: keys, namespace: shop}
stringData: {private: integration_private_key}
---
apiVersion: hookgate.dev/v1alpha1
kind: WebhookSource
metadata: {name: payments, namespace: shop}
spec:
  provider: braintree
  verification: {secretRefs: [{name: keys, key: private}], parameters: {publicKey: integration_public_key}}
";

const XML: &str = "
    <notification>
        <timestamp type=\"datetime\">2026-01-31T23:59:58Z</timestamp>
        <kind>partner_merchant_connected</kind>
        <subject>
            <partner-merchant>
                <merchant-public-id>public_id</merchant-public-id>
                <public-key>public_key</public-key>
                <private-key>private_key</private-key>
            </partner-merchant>
            <transaction><id>t-1</id><tags type=\"array\"><item>a</item><item>b</item></tags></transaction>
        </subject>
    </notification>
";

fn manifests() -> Folder {
    let folder = Folder::new("forms");
    folder.write("all.yaml", MANIFESTS);
    folder
}

fn tag(private: &str, payload: &str) -> String {
    let mac = Hmac::<Sha1>::new_from_slice(&Sha1::digest(private)).expect("any length");
    hex::encode(mac.chain_update(payload).finalize().into_bytes())
}

/// A payload as the vendor encodes it, in lines.
fn payload(xml: &str) -> String {
    let text = STANDARD.encode(xml);
    let lines: Vec<&str> = text.as_bytes().chunks(60).map(|line| std::str::from_utf8(line).expect("letters")).collect();
    lines.join("\n") + "\n"
}

async fn sends(operator: &Operator, signature: &str, payload: &str) -> u16 {
    let form = query(&[("bt_signature", signature), ("bt_payload", payload)]);
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    operator.post("/shop/payments", &headers, form).await.expect("an answer").status.as_u16()
}

async fn asks(operator: &Operator, challenge: &str) -> (u16, String) {
    let path = format!("/shop/payments?{}", query(&[("bt_challenge", challenge)]));
    let answer = operator.ask(&path).await.expect("an answer");
    (answer.status.as_u16(), String::from_utf8_lossy(&answer.body).into_owned())
}

#[tokio::test]
async fn a_signed_field_is_published_as_the_json_of_its_document() {
    let (nats, folder) = (Nats::start().await, manifests());
    let operator = Operator::in_folder(&folder, &nats.url(), &[]).await;
    let payload = payload(XML);
    let ours = format!("{PUBLIC}|{}", tag(PRIVATE, &payload));
    let beside = format!("other_key|{}&{ours}", tag("other", &payload));
    assert_eq!(sends(&operator, &beside, &payload).await, 200);
    assert_eq!(sends(&operator, &ours, payload.trim_end()).await, 200, "its last line break lost on the way");
    let stored = nats.collect("webhooks.>", 1, Duration::from_secs(30)).await.remove(0);
    let header = |name: &str| stored.headers.get(name).map(|value| value.as_str().to_owned()).unwrap_or_default();
    let expected = json!({
        "timestamp": {"@type": "datetime", "#text": "2026-01-31T23:59:58Z"},
        "kind": "partner_merchant_connected",
        "subject": {
            "partner-merchant": {"merchant-public-id": "public_id", "public-key": "public_key"},
            "transaction": {"id": "t-1", "tags": {"@type": "array", "item": ["a", "b"]}},
        },
    });
    assert_eq!(serde_json::from_slice::<Value>(&stored.payload).expect("JSON"), expected, "and no private key");
    assert_eq!([header("ce-type"), header("ce-subject")], ["braintree.partner_merchant_connected", "t-1"]);
    assert_eq!([header("ce-time"), header("ce-covers")], ["2026-01-31T23:59:58Z", "fields"]);
    assert_eq!(header("ce-unsigned"), "", "all of the event stands in the field");
    assert_eq!(nats.count("WEBHOOKS").await, 1, "the same notification is one event");
}

#[tokio::test]
async fn only_the_signature_beside_the_customers_key_counts() {
    let (nats, folder) = (Nats::start().await, manifests());
    let operator = Operator::in_folder(&folder, &nats.url(), &[]).await;
    let payload = payload(XML);
    let right = tag(PRIVATE, &payload);
    for (what, signature, payload) in [
        ("no key", right.clone(), &payload),
        ("another key", format!("other|{right}"), &payload),
        ("an end of it", format!("x{PUBLIC}|{right}"), &payload),
        ("another private key", format!("{PUBLIC}|{}", tag("other", &payload)), &payload),
        (
            "the private key as it is",
            format!("{PUBLIC}|{}", {
                let mac = Hmac::<Sha1>::new_from_slice(PRIVATE.as_bytes()).expect("any length");
                hex::encode(mac.chain_update(&payload).finalize().into_bytes())
            }),
            &payload,
        ),
        ("another payload", format!("{PUBLIC}|{right}"), &payload.replacen('P', "Q", 1)),
    ] {
        assert_eq!(sends(&operator, &signature, payload).await, 401, "{what}");
    }
    let nothing = format!("{PUBLIC}|{}", tag(PRIVATE, ""));
    assert_eq!(sends(&operator, &nothing, "").await, 400, "proven, and no document");
    let twice = query(&[("bt_signature", &format!("{PUBLIC}|{right}")), ("bt_payload", &payload), ("bt_payload", "x")]);
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let answer = operator.post("/shop/payments", &headers, twice).await.expect("an answer");
    assert_eq!(answer.status.as_u16(), 401, "two readers could take two");
}

#[tokio::test]
async fn a_challenge_is_answered_and_signs_no_payload() {
    let (nats, folder) = (Nats::start().await, manifests());
    let operator = Operator::in_folder(&folder, &nats.url(), &[]).await;
    assert_eq!(asks(&operator, CHALLENGE).await, (200, ANSWER.to_owned()));
    let forged = STANDARD.encode("<n><kind>forged</kind></n>");
    assert!(forged.len() < 256 && forged.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte)));
    for wrong in [&forged, "bad challenge", "20F9F8ED05F77439FE955C977E4C8A53", "20f9", &CHALLENGE.repeat(2), ""] {
        let (status, body) = asks(&operator, wrong).await;
        assert_eq!((status, body.contains(PUBLIC)), (401, false), "{wrong:?}: {body}");
    }
}

#[tokio::test]
async fn send_makes_what_is_accepted_and_verify_says_what_a_challenge_is_answered() {
    let (nats, folder) = (Nats::start().await, manifests());
    let operator = Operator::in_folder(&folder, &nats.url(), &[]).await;
    let (files, to) = (folder.join("all.yaml").display().to_string(), operator.url());
    let sent = ["send", "-f", &files, "--to", &to, "--nats-url", &nats.url(), "--event", "dispute_opened"];
    let told = hookgate(&sent).await.ok();
    assert!(told.contains("braintree.dispute_opened"), "{told}");
    let capture = format!("GET /shop/payments?bt_challenge={CHALLENGE} HTTP/1.1\r\nHost: a.example\r\n\r\n");
    let capture = folder.write("capture.http", &capture).display().to_string();
    let output = hookgate(&["verify", "-f", &files, "--request", &capture, "-o", "json"]).await;
    let answer: Value = serde_json::from_str(&output.stdout).expect("JSON");
    assert_eq!((output.status.code(), &answer["authentic"]), (Some(2), &Value::Null), "nothing proves it: {answer}");
    assert_eq!(answer["answer"], json!({"status": 200, "contentType": "text/plain", "body": ANSWER}), "{answer}");
    let output = hookgate(&["verify", "-f", &files, "--request", &capture]).await;
    assert!(output.stdout.contains("before any proof") && output.stdout.contains(ANSWER), "{}", output.stdout);
}

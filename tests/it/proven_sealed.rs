//! A body that arrives encrypted is opened after its proof, published as what it holds, and never answers a stranger.
#![allow(clippy::expect_used, clippy::panic)]

use std::time::Duration;

use aws_lc_rs::cipher::{AES_256, EncryptionContext, PaddedBlockEncryptingKey, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::support::folder::Folder;
use crate::support::nats::Nats;
use crate::support::operator::Operator;

const KEY: &str = "the-encrypt-key";
const MANIFESTS: &str = "
apiVersion: v1
kind: Secret
metadata: {name: keys, namespace: team}
stringData: {encrypt: the-encrypt-key, token: the-token}
---
apiVersion: hookgate.dev/v1alpha1
kind: WebhookSource
metadata: {name: chat, namespace: team}
spec:
  provider: lark
  verification: {method: signature, secretRefs: [{name: keys, key: encrypt}, {name: keys, key: token, purpose: verification-token}]}
";

/// As the vendor encrypts, by the library's own padding.
fn sealed(key: &str, text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let unbound = UnboundCipherKey::new(&AES_256, &Sha256::digest(key)).expect("a key");
    let cipher = PaddedBlockEncryptingKey::cbc_pkcs7(unbound).expect("a cipher");
    let first = [7; 16];
    cipher.less_safe_encrypt(&mut bytes, EncryptionContext::Iv128(FixedLength::from(first))).expect("encrypted");
    format!("{{\"encrypt\":\"{}\"}}", STANDARD.encode([&first[..], &bytes].concat()))
}

/// The status and body of a delivery, signed with a key or not at all.
async fn sends(operator: &Operator, body: String, key: Option<&str>) -> (u16, String) {
    let signature = key.map(|key| hex::encode(Sha256::digest(format!("1700000000n-1{key}{body}"))));
    let mut headers = vec![("content-type", "application/json")];
    if let Some(signature) = &signature {
        headers.extend([("x-lark-request-timestamp", "1700000000"), ("x-lark-request-nonce", "n-1")]);
        headers.push(("x-lark-signature", signature));
    }
    let answer = operator.post("/team/chat", &headers, body).await.expect("an answer");
    (answer.status.as_u16(), String::from_utf8_lossy(&answer.body).into_owned())
}

fn altered(body: &str) -> String {
    let at = body.len() - 8;
    let other = if body.as_bytes()[at] == b'A' { 'B' } else { 'A' };
    format!("{}{other}{}", &body[..at], &body[at + 1..])
}

#[tokio::test]
async fn what_is_encrypted_is_published_as_what_it_holds() {
    let nats = Nats::start().await;
    let folder = Folder::new("sealed");
    folder.write("all.yaml", MANIFESTS);
    let operator = Operator::in_folder(&folder, &nats.url(), &[]).await;
    let event = r#"{"schema":"2.0","header":{"event_id":"e-1","event_type":"im.message.receive_v1","create_time":"1700000000000"},"event":{"message":{"message_id":"m-1"}}}"#;
    let body = sealed(KEY, event);
    assert_eq!(sends(&operator, body.clone(), Some(KEY)).await.0, 200);
    let stored = nats.collect("webhooks.>", 1, Duration::from_secs(30)).await.remove(0);
    assert_eq!(std::str::from_utf8(&stored.payload).expect("text"), event, "byte for byte as it was encrypted");
    let header = |name: &str| stored.headers.get(name).map(|value| value.as_str().to_owned());
    assert_eq!(header("ce-id").as_deref(), Some("e-1"));
    assert_eq!(header("ce-covers").as_deref(), Some("body"));
    for (what, body, key) in [
        ("another key", body.clone(), Some("another")),
        ("no signature", body.clone(), None),
        ("an altered body", altered(&body), None),
        ("signed, and encrypted with another key", sealed("another", event), Some(KEY)),
        ("signed, and altered before that", altered(&body), Some(KEY)),
        ("signed, and no base64", r#"{"encrypt":"*"}"#.to_owned(), Some(KEY)),
    ] {
        assert_eq!(sends(&operator, body, key).await, (401, "unauthorized\n".to_owned()), "{what}");
    }
    assert_eq!(nats.count("WEBHOOKS").await, 1);
}

#[tokio::test]
async fn the_challenge_inside_is_answered_to_whoever_knows_the_token_or_the_key() {
    let nats = Nats::start().await;
    let folder = Folder::new("sealed");
    folder.write("all.yaml", MANIFESTS);
    let operator = Operator::in_folder(&folder, &nats.url(), &[]).await;
    let challenge = |token: &str| format!(r#"{{"challenge":"c-1","token":"{token}","type":"url_verification"}}"#);
    let told = (200, r#"{"challenge":"c-1"}"#.to_owned());
    assert_eq!(sends(&operator, sealed(KEY, &challenge("the-token")), Some(KEY)).await, told, "signed");
    assert_eq!(sends(&operator, sealed(KEY, &challenge("the-token")), None).await, told, "not signed");
    let unauthorized = (401, "unauthorized\n".to_owned());
    for (what, body, key) in [
        ("another token", sealed(KEY, &challenge("mine")), None),
        ("another token, and signed with another key", sealed(KEY, &challenge("the-token")), Some("another")),
        ("another key", sealed("another", &challenge("the-token")), None),
        ("a broken padding", altered(&sealed(KEY, &challenge("the-token"))), None),
        ("no challenge", sealed(KEY, r#"{"token":"the-token","type":"url_verification"}"#), None),
        ("an event", sealed(KEY, r#"{"token":"the-token","header":{"event_id":"1"}}"#), None),
    ] {
        assert_eq!(sends(&operator, body, key).await, unauthorized, "{what}");
    }
}

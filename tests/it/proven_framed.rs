//! Messages that arrive encrypted for whom they are for: opened after their proof, published as JSON, and nothing for strangers.
#![allow(clippy::expect_used, clippy::panic)]

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::folder::Folder;
use crate::support::framed::{body, query, sealed, signature};
use crate::support::nats::Nats;
use crate::support::operator::{Operator, hookgate};

const TOKEN: &str = "the-token";
const KEY: &str = "kWxPEV2UEDyxWpmPdKC3F4dgPDmOvfKX1HGnEUDS1aR";
const OTHER_KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";
const MANIFESTS: &str = "
apiVersion: v1
kind: Secret
metadata: {name: keys, namespace: team}
stringData: {token: the-token, aes: kWxPEV2UEDyxWpmPdKC3F4dgPDmOvfKX1HGnEUDS1aR}
---
apiVersion: hookgate.dev/v1alpha1
kind: WebhookSource
metadata: {name: work, namespace: team}
spec:
  provider: wecom
  verification: {secretRefs: [{name: keys, key: token}, {name: keys, key: aes, purpose: encoding-aes-key}], parameters: {receiveId: ww1}}
---
apiVersion: hookgate.dev/v1alpha1
kind: WebhookSource
metadata: {name: account, namespace: team}
spec:
  provider: wechat
  verification: {secretRefs: [{name: keys, key: token}, {name: keys, key: aes, purpose: encoding-aes-key}], parameters: {appId: wx1}}
---
apiVersion: hookgate.dev/v1alpha1
kind: WebhookSource
metadata: {name: plain, namespace: team}
spec: {provider: wechat, verification: {method: plain, secretRefs: [{name: keys, key: token}]}}
";

fn manifests() -> Folder {
    let folder = Folder::new("framed");
    folder.write("all.yaml", MANIFESTS);
    folder
}

fn at(offset: i64) -> String {
    (Timestamp::now().as_second() + offset).to_string()
}

/// The status and body of a delivery, whose signature covers what is encrypted.
async fn sends(operator: &Operator, source: &str, parts: [&str; 3], encrypted: &str, body: String) -> (u16, String) {
    let [token, time, nonce] = parts;
    let signed = signature(&[token, time, nonce, encrypted]);
    let query = query(&[("msg_signature", &signed), ("timestamp", time), ("nonce", nonce)]);
    let path = format!("/team/{source}?{query}");
    let answer = operator.post(&path, &[("content-type", "text/xml")], body).await.expect("an answer");
    (answer.status.as_u16(), String::from_utf8_lossy(&answer.body).into_owned())
}

async fn asks(operator: &Operator, source: &str, pairs: &[(&str, &str)]) -> (u16, String) {
    let answer = operator.ask(&format!("/team/{source}?{}", query(pairs))).await.expect("an answer");
    (answer.status.as_u16(), String::from_utf8_lossy(&answer.body).into_owned())
}

fn unauthorized() -> (u16, String) {
    (401, "unauthorized\n".to_owned())
}

const MESSAGE: &str = "<xml><ToUserName><![CDATA[ww1]]></ToUserName>\n<FromUserName><![CDATA[mycreate]]></FromUserName>\n\
    <CreateTime>1409659813</CreateTime>\n<MsgType><![CDATA[text]]></MsgType>\n<Content><![CDATA[<hi> & \"you\"]]></Content>\n\
    <MsgId>4561255354251345929</MsgId>\n<AgentID>218</AgentID>\n</xml>";

#[tokio::test]
async fn a_message_is_published_as_the_json_of_what_was_encrypted() {
    let (nats, folder) = (Nats::start().await, manifests());
    let operator = Operator::in_folder(&folder, &nats.url(), &[]).await;
    let (now, encrypted) = (at(0), sealed(KEY, "ww1", MESSAGE));
    let parts = [TOKEN, &now, "1372623149"];
    for _ in 0..2 {
        assert_eq!(sends(&operator, "work", parts, &encrypted, body(&encrypted)).await, (200, String::new()));
    }
    let stored = nats.collect("webhooks.>", 1, Duration::from_secs(30)).await.remove(0);
    let header = |name: &str| stored.headers.get(name).map(|value| value.as_str().to_owned()).unwrap_or_default();
    let expected = json!({
        "ToUserName": "ww1", "FromUserName": "mycreate", "CreateTime": "1409659813", "MsgType": "text",
        "Content": "<hi> & \"you\"", "MsgId": "4561255354251345929", "AgentID": "218",
    });
    assert_eq!(serde_json::from_slice::<Value>(&stored.payload).expect("JSON"), expected);
    assert_eq!(stored.subject.as_str(), "webhooks.team.work.text");
    assert_eq!([header("ce-type"), header("ce-id")], ["wecom.text", "4561255354251345929"]);
    assert_eq!([header("ce-subject"), header("ce-time")], ["mycreate", "2014-09-02T12:10:13Z"]);
    assert_eq!([header("ce-covers"), header("ce-unsigned")], ["body", ""]);
    assert_eq!([header("ce-datacontenttype"), header("ce-verifiedby")], ["application/json", "encrypted"]);
    assert_eq!(nats.count("WEBHOOKS").await, 1, "sent twice it is one event");
}

#[tokio::test]
async fn what_is_not_signed_now_or_not_encrypted_for_us_is_refused() {
    let (nats, folder) = (Nats::start().await, manifests());
    let operator = Operator::in_folder(&folder, &nats.url(), &[]).await;
    let (now, encrypted) = (at(0), sealed(KEY, "ww1", MESSAGE));
    let (foreign, other) = (sealed(KEY, "ww2", MESSAGE), sealed(OTHER_KEY, "ww1", MESSAGE));
    let longer = format!("{MESSAGE}ww1");
    let (past, future) = (at(-330), at(330));
    let doubled = format!("<xml><Encrypt>{encrypted}</Encrypt><Encrypt>{encrypted}</Encrypt></xml>");
    let entity = format!("<!DOCTYPE x [<!ENTITY e \"{encrypted}\">]><xml><Encrypt>&e;</Encrypt></xml>");
    let deep = format!("{}<Encrypt>{encrypted}</Encrypt>{}", "<a>".repeat(40), "</a>".repeat(40));
    let right = [TOKEN, &now, "n"];
    for (what, parts, signed, sent) in [
        ("another token", ["another", &now, "n"], &encrypted, body(&encrypted)),
        ("too long ago", [TOKEN, &past, "n"], &encrypted, body(&encrypted)),
        ("in the future", [TOKEN, &future, "n"], &encrypted, body(&encrypted)),
        ("no time", [TOKEN, "", "n"], &encrypted, body(&encrypted)),
        ("for another", right, &foreign, body(&foreign)),
        ("for another, ours behind it", right, &foreign, body(&sealed(KEY, "ww2", &longer))),
        ("under another key", right, &other, body(&other)),
        ("another ciphertext", right, &encrypted, body(&foreign)),
        ("nothing encrypted", right, &String::new(), MESSAGE.to_owned()),
        ("an empty ciphertext", right, &String::new(), body("")),
        ("two of them", right, &encrypted, doubled),
        ("an entity", right, &encrypted, entity),
        ("too deep", right, &encrypted, deep),
        ("no XML", right, &encrypted, format!("{{\"Encrypt\":\"{encrypted}\"}}")),
    ] {
        assert_eq!(sends(&operator, "work", parts, signed, sent).await, unauthorized(), "{what}");
    }
    // Proven and for us, but no document: it comes only once, so that what it says is kept aside.
    let text = sealed(KEY, "ww1", "no XML");
    assert_eq!(sends(&operator, "work", right, &text, body(&text)).await.0, 200);
    assert_eq!(sends(&operator, "work", right, &encrypted, body(&encrypted)).await.0, 200);
    assert_eq!(nats.collect("webhooks.team.>", 1, Duration::from_secs(30)).await.len(), 1);
    assert_eq!(nats.count("WEBHOOKS").await, 2, "the event and the rejected item");
}

#[tokio::test]
async fn the_challenge_is_decrypted_for_whoever_signs_it_and_no_message_ever_is() {
    let (nats, folder) = (Nats::start().await, manifests());
    let operator = Operator::in_folder(&folder, &nats.url(), &[]).await;
    let (now, past) = (at(0), at(-330));
    let ask = async |token: &str, time: &str, encrypted: &str| {
        let signed = signature(&[token, time, "n", encrypted]);
        asks(
            &operator,
            "work",
            &[("msg_signature", &signed), ("timestamp", time), ("nonce", "n"), ("echostr", encrypted)],
        )
        .await
    };
    let echo = sealed(KEY, "ww1", "6374627462362786464");
    assert_eq!(ask(TOKEN, &now, &echo).await, (200, "6374627462362786464".to_owned()));
    for (what, token, time, echo) in [
        ("another token", "another", &now, &echo),
        ("too long ago", TOKEN, &past, &echo),
        ("for another", TOKEN, &now, &sealed(KEY, "ww2", "6374627462362786464")),
        ("under another key", TOKEN, &now, &sealed(OTHER_KEY, "ww1", "6374627462362786464")),
        // A delivery's signature is one of a challenge as well.
        ("a message", TOKEN, &now, &sealed(KEY, "ww1", MESSAGE)),
        ("nothing", TOKEN, &now, &String::new()),
    ] {
        assert_eq!(ask(token, time, echo).await, unauthorized(), "{what}");
    }
    let unsigned = [("timestamp", now.as_str()), ("nonce", "n"), ("echostr", echo.as_str())];
    assert_eq!(asks(&operator, "work", &unsigned).await, unauthorized());
}

#[tokio::test]
async fn a_signature_without_the_message_proves_no_message() {
    let (nats, folder) = (Nats::start().await, manifests());
    let operator = Operator::in_folder(&folder, &nats.url(), &[]).await;
    let now = at(0);
    let signed = signature(&[TOKEN, &now, "n"]);
    let pairs = [("signature", signed.as_str()), ("timestamp", now.as_str()), ("nonce", "n"), ("echostr", "e-1")];
    for source in ["account", "plain"] {
        assert_eq!(asks(&operator, source, &pairs).await, (200, "e-1".to_owned()), "{source}");
        let wrong = [("signature", "00"), ("timestamp", now.as_str()), ("nonce", "n"), ("echostr", "e-1")];
        assert_eq!(asks(&operator, source, &wrong).await, unauthorized(), "{source}");
    }
    // Whoever saw the handshake has what proves it: nothing of a body.
    let forged = MESSAGE.replace("mycreate", "forged");
    let text = [("content-type", "text/xml")];
    let answer = operator.post(&format!("/team/account?{}", query(&pairs)), &text, forged).await.expect("an answer");
    assert_eq!(answer.status.as_u16(), 401);
    // In plaintext mode that is all there is, and the event says so.
    let path = format!("/team/plain?{}", query(&pairs[..3]));
    let answer = operator.post(&path, &text, MESSAGE).await.expect("an answer");
    assert_eq!(answer.status.as_u16(), 200);
    let encrypted = sealed(KEY, "wx1", MESSAGE);
    assert_eq!(sends(&operator, "account", [TOKEN, &now, "n"], &encrypted, body(&encrypted)).await.0, 200);
    // Where the account is set to JSON, so is what was encrypted.
    let message = r#"{"FromUserName":"o-1","CreateTime":1409659813,"MsgType":"event","Event":"user_enter"}"#;
    let encrypted = sealed(KEY, "wx1", message);
    let signed = signature(&[TOKEN, &now, "n", &encrypted]);
    let path = format!("/team/account?{}", query(&[("msg_signature", &signed), ("timestamp", &now), ("nonce", "n")]));
    let sent = json!({"ToUserName": "gh_1", "Encrypt": encrypted}).to_string();
    let answer = operator.post(&path, &[("content-type", "application/json")], sent).await.expect("an answer");
    assert_eq!(answer.status.as_u16(), 200);
    let mut stored = nats.collect("webhooks.team.>", 3, Duration::from_secs(30)).await;
    stored.sort_by_key(|message| message.subject.to_string());
    let covers = stored.iter().map(|message| message.headers.get("ce-covers").expect("covers").as_str().to_owned());
    assert_eq!(covers.collect::<Vec<_>>(), ["body", "body", "none"]);
    assert_eq!(stored[0].subject.as_str(), "webhooks.team.account.event.user_enter");
    assert_eq!(std::str::from_utf8(&stored[0].payload), Ok(message));
}

#[tokio::test]
async fn send_makes_what_is_accepted_and_verify_explains_it() {
    let (nats, folder) = (Nats::start().await, manifests());
    let operator = Operator::in_folder(&folder, &nats.url(), &[]).await;
    let (files, to) = (folder.join("all.yaml").display().to_string(), operator.url());
    for source in ["team/work", "team/account", "team/plain"] {
        let sent = [
            "send",
            "-f",
            &files,
            "--source",
            source,
            "--to",
            &to,
            "--nats-url",
            &nats.url(),
            "--event",
            "event.subscribe",
        ];
        let told = hookgate(&sent).await.ok();
        assert!(told.contains("event.subscribe"), "{source}: {told}");
    }
    let (encrypted, echo) = (sealed(KEY, "ww1", MESSAGE), sealed(KEY, "ww1", "637"));
    let explained = async |target: &str, body: &str, verb: &str| {
        let head = format!("{verb} {target} HTTP/1.1\r\nHost: a.example\r\nContent-Type: text/xml\r\n\r\n{body}");
        let capture = folder.write("capture.http", &head).display().to_string();
        let at = "2026-01-01T00:00:00Z";
        let verify = ["verify", "-f", &files, "--source", "team/work", "--request", &capture, "--at", at, "-o", "json"];
        let output = hookgate(&verify).await;
        let answer: Value = serde_json::from_str(&output.stdout).unwrap_or_default();
        (output.status.code(), answer)
    };
    let time = "1767225600";
    let signed = signature(&[TOKEN, time, "n", &encrypted]);
    let target = format!("/team/work?{}", query(&[("msg_signature", &signed), ("timestamp", time), ("nonce", "n")]));
    let (code, answer) = explained(&target, &body(&encrypted), "POST").await;
    assert_eq!((code, &answer["authentic"], &answer["covers"]), (Some(0), &json!(true), &json!("Body")), "{answer}");
    let said = answer["steps"].to_string();
    assert!(said.contains("bytes inside") && !said.contains(TOKEN) && !said.contains(KEY), "{answer}");
    let (code, answer) = explained(&target, &body(&sealed(KEY, "ww1", "x")), "POST").await;
    assert_eq!((code, &answer["reason"]), (Some(1), &json!("BadSignature")), "{answer}");
    let signed = signature(&[TOKEN, time, "n", &echo]);
    let pairs = [("msg_signature", signed.as_str()), ("timestamp", time), ("nonce", "n"), ("echostr", &echo)];
    let (code, answer) = explained(&format!("/team/work?{}", query(&pairs)), "", "GET").await;
    assert_eq!((code, &answer["authentic"]), (Some(0), &json!(true)), "{answer}");
    assert_eq!(answer["answer"], json!({"status": 200, "contentType": "text/plain", "body": "637"}), "{answer}");
    let (code, answer) = explained(&format!("/team/work?{}", query(&pairs[1..])), "", "GET").await;
    assert_eq!((code, &answer["authentic"], &answer["reason"]), (Some(1), &json!(false), &json!("MissingSignature")));
}

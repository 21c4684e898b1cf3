//! Deliveries by GET: proven over their URL, read from their query, and events like any other.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails loudly")]

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use hookgate::api::provider::DeliveryMethod;
use hookgate::metrics::Outcome;
use hookgate::provider::catalogue::built_ins;
use jiff::Timestamp;
use serde_json::Value;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::receive_line::{send, status};
use crate::receive_port::{Port, SECRET, quick, source};
use crate::receive_wire::{SOON, post};
use crate::support::nats::Nats;

fn sha1(content: &str) -> Vec<u8> {
    let mac = Hmac::<Sha1>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.chain_update(content).finalize().into_bytes().to_vec()
}

fn sha256(content: impl AsRef<[u8]>) -> Vec<u8> {
    let mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.chain_update(content).finalize().into_bytes().to_vec()
}

/// A callback as its vendor signs it, here by hand.
struct Callback {
    vendor: &'static str,
    method: &'static str,
    /// In the order of its names, so that no vendor need sort it.
    query: String,
    headers: String,
    /// The event's type.
    event: &'static str,
}

fn callbacks() -> Vec<Callback> {
    let now = Timestamp::now().as_second().to_string();
    let url = |vendor: &str, query: &str| format!("https://hooks.example.com/sales/{vendor}?{query}");
    let usual = |vendor, method, query: &str, event, headers: String| Callback {
        vendor,
        method,
        query: query.to_owned(),
        headers,
        event,
    };
    let card = "name=J%C3%BCrgen+M&portalId=7&subscriptionType=card.opened";
    let hash = hex::encode(Sha256::digest(format!("{SECRET}GET{}", url("hubspot", card))));
    let hubspot = format!("X-HubSpot-Signature-Version: v2\r\nX-HubSpot-Signature: {hash}\r\n");
    let call = "CallSid=CA1&CallStatus=completed&From=%2B15550100";
    let twilio = format!("X-Twilio-Signature: {}\r\n", STANDARD.encode(sha1(&url("twilio", call))));
    let signalwire = format!("X-SignalWire-Signature: {}\r\n", hex::encode(sha1(&url("signalwire", call))));
    let ring = "CallStatus=ringing&CallUUID=u-1&From=15550100";
    let tag = STANDARD.encode(sha256(format!("{}.n-1", url("plivo", ring))));
    let plivo = format!("X-Plivo-Signature-V3: {tag}\r\nX-Plivo-Signature-V3-Nonce: n-1\r\n");
    let state = "id=m-1&status=delivered&type=sms";
    let content = [format!("{now}\n{state}\n").as_bytes(), &Sha256::digest(b"")].concat();
    let messagebird = format!(
        "MessageBird-Signature: {}\r\nMessageBird-Request-Timestamp: {now}\r\n",
        STANDARD.encode(sha256(content))
    );
    let receipt = format!("messageId=m-1&status=delivered&timestamp={now}");
    let sig = hex::encode(sha256(format!("&{receipt}")));
    let vonage = Callback {
        query: format!("{receipt}&sig={sig}"),
        ..usual("vonage-sms", "sha256", "", "delivered", String::new())
    };
    vec![
        usual("hubspot", "v2", card, "card.opened", hubspot),
        usual("twilio", "signature", call, "call.completed", twilio),
        usual("signalwire", "signature", call, "call.completed", signalwire),
        usual("plivo", "v3", ring, "call.ringing", plivo),
        usual("messagebird", "signature", state, "sms", messagebird),
        vonage,
    ]
}

fn called(callback: &Callback) -> String {
    let Callback { vendor, method, .. } = callback;
    let url = format!("    externalURL: https://hooks.example.com/sales/{vendor}\n");
    format!(
        "apiVersion: hookgate.dev/v1alpha1\nkind: WebhookSource\n\
         metadata: {{namespace: sales, name: {vendor}, uid: uid-{vendor}}}\n\
         spec:\n  provider: {vendor}\n  verification:\n    method: {method}\n    secretRefs: [{{name: k, key: k}}]\n{}",
        if *vendor == "messagebird" || *vendor == "vonage-sms" { "" } else { &url }
    )
}

fn get(target: &str, headers: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: hooks.example.com\r\n{headers}\r\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_by_get_of_every_vendor_that_offers_it_is_an_event_of_its_query() {
    let nats = Nats::start().await;
    let callbacks = callbacks();
    let by_get = built_ins().filter(|one| one.spec().unwrap().http_methods.contains(&DeliveryMethod::GET));
    let known: BTreeSet<&str> = callbacks.iter().map(|callback| callback.vendor).collect();
    assert_eq!(by_get.map(|one| one.id).collect::<BTreeSet<_>>(), known, "a vendor without a callback here");
    let sources: Vec<String> = callbacks.iter().map(called).collect();
    let port = Port::with_nats(&nats, &sources.iter().map(String::as_str).collect::<Vec<_>>(), quick()).await;
    for Callback { vendor, query, headers, event, .. } in &callbacks {
        let target = format!("/sales/{vendor}?{query}");
        assert!((200..300).contains(&status(&port, &get(&target, headers)).await), "{vendor}");
        let other = target.replacen('=', "=9", 1);
        assert_eq!(status(&port, &get(&other, headers)).await, 401, "{vendor}: another query is not proven");
        let stored = nats.collect(&format!("webhooks.sales.{vendor}.>"), 1, SOON).await.remove(0);
        assert_eq!(stored.subject.as_str(), format!("webhooks.sales.{vendor}.{event}"));
        let header = |name: &str| stored.headers.get(name).map(|value| value.as_str());
        assert_eq!(header("ce-unsigned"), None, "{vendor}: all that it says is signed");
        if header("ce-dataschema").is_none() {
            assert_eq!(header("content-type"), Some("application/x-www-form-urlencoded"), "{vendor}");
            assert_eq!(String::from_utf8_lossy(&stored.payload), *query, "{vendor}");
        } else {
            // Mapped: the query stands under `original`, as an object of its parameters.
            let data: Value = serde_json::from_slice(&stored.payload).unwrap();
            let parameters = form_urlencoded::parse(query.as_bytes()).map(|(name, value)| (name, Value::from(&*value)));
            let parameters: serde_json::Map<String, Value> =
                parameters.map(|(name, value)| (name.into_owned(), value)).collect();
            assert_eq!(data["original"], Value::Object(parameters), "{vendor}");
        }
        let metrics = port.metrics.source("sales", vendor, vendor);
        assert_eq!(
            [Outcome::Accepted, Outcome::BadSignature].map(|outcome| metrics.requests(outcome)),
            [1, 1],
            "{vendor}"
        );
    }
    assert_eq!(nats.count("WEBHOOKS").await, callbacks.len() as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vendor_that_never_calls_by_get_is_not_heard_by_get() {
    let port = Port::without_nats(&[&source("calls", "")], quick()).await;
    let proof = format!("X-Token: {SECRET}\r\n");
    let answer = send(&port, &get("/sales/calls?id=1", &proof)).await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
    let other = post("/sales/calls", &proof, "{}").replacen("POST", "PUT", 1);
    assert_eq!(status(&port, &other).await, 405);
}

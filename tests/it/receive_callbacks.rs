//! Deliveries by GET: proven over their URL, read from their query, and events like any other.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails loudly")]

use sha2::{Digest, Sha256};

use crate::receive_line::{send, status};
use crate::receive_port::{Port, SECRET, quick, source};
use crate::receive_wire::{SOON, post};
use crate::support::nats::Nats;

/// A source of a vendor that signs the URL `https://hooks.example.com/sales/{vendor}`.
fn called(vendor: &str, method: &str) -> String {
    format!(
        "apiVersion: hookgate.dev/v1alpha1\nkind: WebhookSource\n\
         metadata: {{namespace: sales, name: {vendor}, uid: uid-{vendor}}}\n\
         spec:\n  provider: {vendor}\n  verification:\n    method: {method}\n    secretRefs: [{{name: k, key: k}}]\n    \
         externalURL: https://hooks.example.com/sales/{vendor}\n"
    )
}

fn get(target: &str, headers: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: hooks.example.com\r\n{headers}\r\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_by_get_is_an_event_of_its_query() {
    let nats = Nats::start().await;
    let port = Port::with_nats(&nats, &[&called("hubspot", "v2")], quick()).await;
    let target = "/sales/hubspot?portalId=7&subscriptionType=card.opened&name=J%C3%BCrgen+M";
    let url = format!("https://hooks.example.com{target}");
    let signature = hex::encode(Sha256::digest(format!("{SECRET}GET{url}")));
    let headers = format!("X-HubSpot-Signature-Version: v2\r\nX-HubSpot-Signature: {signature}\r\n");
    assert_eq!(status(&port, &get(target, &headers)).await, 200);
    assert_eq!(status(&port, &get(&target.replace("=7", "=8"), &headers)).await, 401, "another query is not proven");
    let event = nats.collect("webhooks.>", 1, SOON).await.remove(0);
    assert_eq!(event.subject.as_str(), "webhooks.sales.hubspot.card.opened");
    let header = |name: &str| event.headers.get(name).map(|value| value.as_str());
    assert_eq!(header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!((header("ce-covers"), header("ce-unsigned")), (Some("body"), None), "all of it is signed");
    assert_eq!(&event.payload[..], b"portalId=7&subscriptionType=card.opened&name=J%C3%BCrgen+M");
    assert_eq!(nats.count("WEBHOOKS").await, 1);
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

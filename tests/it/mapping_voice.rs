//! Requests that create a voice or meeting vendor's webhook.
#![allow(clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use hookgate::provider::catalogue::built_in;
use hookgate::provider::handshake::{Reply, Shake};
use hookgate::provider::request::{Head, RequestView};
use hookgate::provider::verify::keys::KeyRef;
use hookgate::provider::verify::{Given, Verifier};
use hookgate::secret::SecretBytes;
use http::{HeaderName, HeaderValue, Method};
use jiff::Timestamp;

const NOW: &str = "2026-02-25T06:20:00Z";

/// A secret that is text and base64, so that it fits every key of these vendors.
fn key(purpose: Option<&str>) -> KeyRef {
    KeyRef {
        secret: "vendor".to_owned(),
        key: purpose.unwrap_or("secret").to_owned(),
        purpose: purpose.map(str::to_owned),
        not_after: None,
        value: Some(SecretBytes::new(b"dGhlLXZlbmRvcnMtc2VjcmV0LWtleQ==".to_vec())),
    }
}

#[test]
fn requests_that_create_a_voice_vendors_webhook_are_answered_before_any_proof() {
    // Nylas asks for its challenge as text.
    let answered = shake("nylas", &Method::GET, Some("challenge=abc"), &[], "").expect("a handshake");
    assert_eq!(answered.body, "abc");
    assert_eq!(answered.headers[http::header::CONTENT_TYPE], "text/plain");
    assert!(shake("nylas", &Method::POST, Some("challenge=abc"), &[], "{}").is_none());
    // RingCentral wants its header back, and sends the same header with events of one kind of subscription.
    let token = [("validation-token", "tok-1")];
    let answered = shake("ringcentral", &Method::POST, None, &token, "").expect("a handshake");
    assert_eq!(answered.headers.get("validation-token").map(HeaderValue::as_bytes), Some(b"tok-1".as_ref()));
    assert!(shake("ringcentral", &Method::POST, None, &token, r#"{"event":"/restapi/v1.0/account/1"}"#).is_none());
    // Daily tests an endpoint before it tells the secret.
    assert!(shake("daily", &Method::POST, None, &[], r#"{"test":"test"}"#).is_some());
    assert!(shake("daily", &Method::POST, None, &[], r#"{"test":"x","type":"meeting.started"}"#).is_none());
}

/// The answer to an unsigned handshake.
fn shake(id: &str, http: &Method, query: Option<&str>, headers: &[(&'static str, &str)], body: &str) -> Option<Reply> {
    let provider = built_in(id).and_then(|b| b.provider().ok()).unwrap_or_else(|| panic!("no provider {id}"));
    let method = provider.method(None).unwrap_or_else(|| panic!("{id} has no method"));
    let parameters = BTreeMap::new();
    let given =
        Given { keys: &[key(None)], other_purposes: &[], parameters: &parameters, tolerance: None, external_url: None };
    let (verifier, _) = Verifier::new(method, &given).unwrap_or_else(|e| panic!("{id}: {e}"));
    let headers = headers.iter().map(|(n, v)| (HeaderName::from_static(n), v.parse().expect("a value"))).collect();
    let now: Timestamp = NOW.parse().expect("a time");
    let head = Head { method: http, path: "/voice/calls", query, headers: &headers, received: now };
    let request = RequestView { head, body: body.as_bytes() };
    let handshake = provider.handshake(&request).filter(|handshake| handshake.unsigned)?;
    match handshake.answer(&request, &verifier, now) {
        Shake::Answer(reply, _) => Some(*reply),
        Shake::Refused(refusal) => panic!("{id}: {refusal:?}"),
    }
}

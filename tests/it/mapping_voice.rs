//! Every voice and meeting vendor's documented payload, signed as the vendor signs, becomes the conversation it describes.
#![allow(clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use bytes::Bytes;
use hookgate::provider::catalogue::built_in;
use hookgate::provider::handshake::{Reply, Shake};
use hookgate::provider::request::{Head, RequestView};
use hookgate::provider::verify::fetched::NothingFetched;
use hookgate::provider::verify::keys::KeyRef;
use hookgate::provider::verify::sign::Draft;
use hookgate::provider::verify::{Given, Verifier};
use hookgate::secret::SecretBytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

const NOW: &str = "2026-02-25T06:20:00Z";

/// One delivery and what must become of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// The published type.
    event: String,
    /// Default: the definition's first method.
    method: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    query: Option<String>,
    /// A JSON body, as it stands here.
    body: Option<Box<RawValue>>,
    /// A form body.
    form: Option<String>,
    /// The published id; without it, the vendor sends none.
    id: Option<String>,
    conversation: Value,
}

#[test]
fn documented_payloads_of_voice_vendors_become_conversations() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/payloads");
    let mut vendors = 0;
    for entry in fs::read_dir(folder).expect("tests/payloads") {
        let path = entry.expect("an entry").path();
        let id = path.file_stem().and_then(|stem| stem.to_str()).expect("a name").to_owned();
        let cases: Vec<Case> =
            serde_json::from_str(&fs::read_to_string(&path).expect("a file")).unwrap_or_else(|e| panic!("{id}: {e}"));
        for case in cases {
            let what = format!("{id} {}", case.event);
            let event = event(&id, &case, &what);
            assert_eq!(event.event_type, case.event, "{what}");
            match &case.id {
                Some(id) => assert_eq!(&event.id, id, "{what}"),
                None => {
                    assert!(["sha256-", "once-"].iter().any(|ours| event.id.starts_with(ours)), "{what}: {}", event.id)
                }
            }
            let mapped = event.data.mapped.unwrap_or_else(|| panic!("{what} is not mapped"));
            let mapped: Value = serde_json::from_slice(&mapped).expect("mapped data is JSON");
            assert_eq!(mapped, case.conversation, "{what}\nmapped: {mapped:#}");
        }
        vendors += 1;
    }
    assert!(vendors >= 30, "{vendors}");
}

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

/// The event of a delivery that is signed, verified and read.
fn event(id: &str, case: &Case, what: &str) -> hookgate::provider::event::Event {
    let provider = built_in(id).and_then(|b| b.provider().ok()).unwrap_or_else(|| panic!("no provider {id}"));
    let method = provider.method(Some(case.method.as_deref().unwrap_or(&provider.methods[0].name))).expect("a method");
    let keys = match method.name.as_ref() {
        "basic" => vec![key(Some("username")), key(Some("password"))],
        _ => vec![key(None)],
    };
    let parameters = BTreeMap::new();
    let given = Given {
        keys: &keys,
        other_purposes: &[],
        parameters: &parameters,
        tolerance: None,
        external_url: method.needs_url().then_some("https://hooks.example.com/voice/calls"),
    };
    let (content_type, body) = match (&case.body, &case.form) {
        (Some(body), None) => ("application/json", body.get()),
        (None, Some(form)) => ("application/x-www-form-urlencoded", form.as_str()),
        _ => panic!("{what}: write body or form"),
    };
    let mut headers = HeaderMap::new();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    for (name, value) in &case.headers {
        headers.insert(HeaderName::try_from(name).expect("a header name"), value.parse().expect("a header value"));
    }
    let now: Timestamp = NOW.parse().expect("a time");
    let mut draft = Draft {
        method: Method::POST,
        path: "/voice/calls".to_owned(),
        query: case.query.clone(),
        headers,
        body: Bytes::copy_from_slice(body.as_bytes()),
    };
    method.sign(&mut draft, &given, None, now).unwrap_or_else(|e| panic!("{what}: {e}"));
    let (verifier, _) = Verifier::new(method, &given).unwrap_or_else(|e| panic!("{what}: {e}"));
    let head = Head {
        method: &draft.method,
        path: &draft.path,
        query: draft.query.as_deref(),
        headers: &draft.headers,
        received: now,
    };
    let verified = verifier.prove(head, &draft.body, now, &NothingFetched).unwrap_or_else(|e| panic!("{what}: {e:?}"));
    let batch = provider.extraction.read(&verified, &head, None).unwrap_or_else(|e| panic!("{what}: {e}"));
    let mut items = batch.items.into_iter();
    match (items.next(), items.next()) {
        (Some(Ok(event)), None) => event,
        other => panic!("{what}: one event, not {other:?}"),
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

//! Verifiers built as a source of `generic` builds them, for tests that bring signatures of others.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::collections::BTreeMap;

use hookgate::api::source::WebhookSourceSpec;
use hookgate::provider::Provider;
use hookgate::provider::catalogue::built_in;
use hookgate::provider::request::{Head, RequestView};
use hookgate::provider::verify::fetched::NothingFetched;
use hookgate::provider::verify::keys::KeyRef;
use hookgate::provider::verify::observe::Step;
use hookgate::provider::verify::{Given, Method, Refusal, Verifier};
use hookgate::secret::SecretBytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use serde_json::{Value, json};

/// One secretRef.
pub fn key(purpose: Option<&str>, value: &[u8]) -> KeyRef {
    KeyRef {
        secret: "a-secret".to_owned(),
        key: purpose.unwrap_or("signing").to_owned(),
        purpose: purpose.map(str::to_owned),
        not_after: None,
        value: Some(SecretBytes::new(value.to_vec())),
    }
}

/// A verifier for an inline scheme; `Err` where the key does not fit it.
pub fn inline(verification: &Value, secret: &[u8], parameters: &[(&str, &str)]) -> Result<Verifier, String> {
    let spec: WebhookSourceSpec =
        serde_json::from_value(json!({"provider": "generic", "verification": verification})).expect("a source");
    let provider = Provider::generic(&spec).map_err(|errors| format!("{errors:?}"))?;
    of_method(&provider.methods[0], &[key(None, secret)], parameters, None)
}

/// A verifier for a method of a built-in provider.
pub fn of_provider(provider: &str, method: &str, keys: &[KeyRef], url: Option<&str>) -> Verifier {
    let provider = built_in(provider).expect("a built-in").provider().expect("compiles");
    of_method(provider.method(Some(method)).expect("a method"), keys, &[], url).expect("the keys fit")
}

/// A verifier for one scheme of a definition.
pub fn of_scheme(scheme: &Value, secret: &[u8], url: Option<&str>) -> Verifier {
    let spec = json!({"displayName": "Acme", "methods": [{"name": "signature", "anyOf": [{"allOf": [scheme]}]}]});
    let spec = serde_json::from_value(spec).expect("a definition");
    let provider = Provider::compile("acme", &spec).expect("compiles");
    of_method(&provider.methods[0], &[key(None, secret)], &[], url).expect("the key fits")
}

/// What is wrong with these secretRefs for one alternative of a definition.
pub fn refused_keys(schemes: &Value, keys: &[KeyRef]) -> Option<String> {
    let spec = json!({"displayName": "Acme", "methods": [{"name": "signature", "anyOf": [{"allOf": schemes}]}]});
    let provider = Provider::compile("acme", &serde_json::from_value(spec).expect("a definition")).expect("compiles");
    of_method(&provider.methods[0], keys, &[], None).err()
}

fn of_method(
    method: &Method,
    keys: &[KeyRef],
    parameters: &[(&str, &str)],
    url: Option<&str>,
) -> Result<Verifier, String> {
    let parameters: BTreeMap<String, String> =
        parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let given = Given { keys, other_purposes: &[], parameters: &parameters, tolerance: None, external_url: url };
    let (verifier, unfit) = Verifier::new(method, &given).map_err(|problem| problem.to_string())?;
    unfit.first().map_or(Ok(verifier), |unfit| Err(unfit.reason.clone()))
}

/// Headers of a request.
pub fn headers<'h>(pairs: impl IntoIterator<Item = (&'h str, &'h str)>) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        let value = HeaderValue::from_bytes(value.as_bytes()).expect("a header value");
        map.append(HeaderName::try_from(name).expect("a header name"), value);
    }
    map
}

/// The verdict, and whether any key matched whatever else was wrong.
pub fn judge(
    verifier: &Verifier,
    headers: &HeaderMap,
    query: Option<&str>,
    body: &[u8],
    now: Timestamp,
) -> (Result<(), Refusal>, bool) {
    let head = Head { method: &http::Method::POST, path: "/in", query, headers, received: now };
    let mut steps: Vec<Step> = Vec::new();
    let verdict = verifier.explain(&RequestView { head, body }, now, &NothingFetched, &mut steps);
    let matched = steps.iter().any(|step| step.step == "secret" && step.ok == Some(true));
    (verdict.map(drop), matched)
}

//! Every published verification vector is judged as its publisher says, by the built-in definitions.
#![allow(clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use base64::Engine;
use hookgate::api::source::WebhookSourceSpec;
use hookgate::provider::Provider;
use hookgate::provider::catalogue::{Catalogue, built_in};
use hookgate::provider::request::{Head, RequestView};
use hookgate::provider::verify::fetched::NothingFetched;
use hookgate::provider::verify::keys::KeyRef;
use hookgate::provider::verify::observe::Step;
use hookgate::provider::verify::{Given, Verifier};
use hookgate::secret::SecretBytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

#[derive(Deserialize)]
struct Vector {
    variant: String,
    source: String,
    note: String,
    secret: Option<Value>,
    /// Further secrets by their purposes.
    #[serde(default)]
    purposes: BTreeMap<String, String>,
    #[serde(default)]
    parameters: BTreeMap<String, String>,
    public_key: Option<String>,
    webhook_id: Option<String>,
    method: Option<String>,
    url: Option<String>,
    headers: BTreeMap<String, String>,
    body: Option<String>,
    body_base64: Option<String>,
    now: Option<f64>,
    expect: String,
}

fn vectors() -> Vec<Vector> {
    serde_json::from_str(include_str!("../vectors/published.json")).expect("published.json")
}

/// Which source each variant stands for.
fn sources() -> BTreeMap<String, Value> {
    serde_json::from_str(include_str!("../vectors/sources.json")).expect("sources.json")
}

fn provider(source: &Value) -> Option<(Arc<Provider>, String)> {
    let name = source["provider"].as_str()?;
    let method = source["method"].as_str()?.to_owned();
    if name != "generic" {
        built_in(name)?;
        return Some((Catalogue::default().get(name)?, method));
    }
    let spec = serde_json::json!({"provider": "generic", "verification": {"method": method, "hmac": source["hmac"]}});
    let spec: WebhookSourceSpec = serde_json::from_value(spec).expect("sources.json holds sources");
    Some((Arc::new(Provider::generic(&spec).expect("the inline scheme compiles")), method))
}

/// The verdict, and the steps that led to it.
fn judge(vector: &Vector, source: &Value) -> Option<(bool, Vec<Step>)> {
    let (provider, method) = provider(source)?;
    let method = provider.method(Some(&method))?;
    let texts: Vec<String> = match (&vector.secret, &vector.public_key) {
        (Some(Value::String(one)), _) => vec![one.clone()],
        (Some(Value::Array(many)), _) => many.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect(),
        (_, Some(key)) => vec![key.clone()],
        _ => Vec::new(),
    };
    let others = vector.purposes.iter().map(|(purpose, text)| (Some(purpose.clone()), text.clone()));
    let keys: Vec<KeyRef> = texts
        .into_iter()
        .map(|text| (None, text))
        .chain(others)
        .enumerate()
        .map(|(index, (purpose, text))| KeyRef {
            secret: format!("secret-{index}"),
            key: "key".to_owned(),
            purpose,
            not_after: None,
            value: Some(SecretBytes::new(text.into_bytes())),
        })
        .collect();
    let mut parameters = vector.parameters.clone();
    parameters.extend(vector.webhook_id.iter().map(|id| ("webhookId".to_owned(), id.clone())));
    if method.parameters().contains("topicArn") {
        let body: Value = serde_json::from_str(vector.body.as_deref().unwrap_or_default()).expect("a message");
        parameters.insert("topicArn".to_owned(), body["TopicArn"].as_str().expect("a topic").to_owned());
    }
    if method.parameters().contains("path") {
        parameters.insert("path".to_owned(), "/tl-webhook".to_owned());
    }
    let (base, query) = match vector.url.as_deref() {
        Some(url) => url.split_once('?').map_or((Some(url), None), |(base, query)| (Some(base), Some(query))),
        None => (None, None),
    };
    let given = Given {
        keys: &keys,
        other_purposes: &[],
        parameters: &parameters,
        tolerance: None,
        external_url: base.filter(|_| method.takes_url()),
    };
    let (verifier, _) = match Verifier::new(method, &given) {
        Ok(made) => made,
        Err(problem) => panic!("{}: {problem}", vector.variant),
    };
    let mut headers = HeaderMap::new();
    for (name, value) in &vector.headers {
        headers.append(
            HeaderName::try_from(name).expect("a header name"),
            HeaderValue::from_bytes(value.as_bytes()).expect("a header value"),
        );
    }
    let body = match (&vector.body, &vector.body_base64) {
        (_, Some(encoded)) => base64::engine::general_purpose::STANDARD.decode(encoded).expect("base64"),
        (Some(body), None) => body.clone().into_bytes(),
        (None, None) => Vec::new(),
    };
    let http_method = vector.method.as_deref().unwrap_or("POST").parse::<Method>().expect("a method");
    let path = base
        .and_then(|b| b.split_once("://"))
        .and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..]))
        .unwrap_or("/");
    #[allow(clippy::cast_possible_truncation)]
    let now = vector
        .now
        .map_or(Ok(Timestamp::now()), |now| Timestamp::from_millisecond((now * 1000.0) as i64))
        .expect("a time");
    let head = Head { method: &http_method, path, query, headers: &headers, received: now };
    let mut steps = Vec::new();
    let verdict = verifier.explain(&RequestView { head, body: &body }, now, &NothingFetched, &mut steps);
    Some((verdict.is_ok(), steps))
}

#[test]
fn every_published_vector_is_judged_as_published() {
    let sources = sources();
    let mut wrong = Vec::new();
    let (mut judged, mut unknown) = (0, Vec::new());
    for (index, vector) in vectors().iter().enumerate() {
        let source = sources.get(&vector.variant).expect("sources.json knows every variant");
        match judge(vector, source) {
            None => unknown.push(vector.variant.clone()),
            Some((authentic, steps)) => {
                judged += 1;
                if authentic != (vector.expect == "accept") {
                    let steps: Vec<_> = steps.iter().map(|s| format!("{} {:?}: {}", s.step, s.ok, s.detail)).collect();
                    wrong.push(format!(
                        "#{index} {} ({}; {}) must {}:\n    {}",
                        vector.variant,
                        vector.source,
                        vector.note,
                        vector.expect,
                        steps.join("\n    ")
                    ));
                }
            }
        }
    }
    unknown.sort();
    unknown.dedup();
    assert!(wrong.is_empty(), "{} of {judged} vectors are judged wrongly:\n{}", wrong.len(), wrong.join("\n"));
    assert!(unknown.is_empty(), "no definition for: {unknown:?}");
    assert_eq!(judged, 236);
}

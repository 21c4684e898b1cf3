//! What the readers are built from: every built-in definition with its verifiers, definitions of one format each, and requests.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use hookgate::api::provider::{AllOf, BodyFormat, Method as WrittenMethod, WebhookProviderSpec};
use hookgate::api::scheme::{Scheme, Unproven};
use hookgate::json::validate;
use hookgate::provider::Provider;
use hookgate::provider::catalogue::{BuiltIn, built_ins};
use hookgate::provider::request::{Head, RequestView};
use hookgate::provider::verify::fetched::NothingFetched;
use hookgate::provider::verify::keys::KeyRef;
use hookgate::provider::verify::{Given, Verifier};
use hookgate::secret::SecretBytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use jiff::Timestamp;
use serde_json::{Value, json};

const NOW: i64 = 1_780_000_000;
const URL: &str = "https://hooks.example.com/in";
/// A key of every length and encoding that ciphers ask for.
const CIPHER_KEY: &[u8] = b"kWxPEV2UEDyxWpmPdKC3F4dgPDmOvfKX1HGnEUDS1aR";

pub(super) fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap_or_default()
}

/// A built-in: its verifiers, and the same definition with nothing to prove, whose proofs open extraction.
pub(super) struct Vendor {
    pub(super) provider: Arc<Provider>,
    pub(super) verifiers: Vec<Verifier>,
    open: Verifier,
    /// Headers that the definition reads.
    headers: Vec<HeaderName>,
    media: &'static str,
}

fn secret(scheme: &Scheme) -> Vec<u8> {
    match (&scheme.public_key, &scheme.hmac) {
        (Some(_), _) => b"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n".to_vec(),
        (_, Some(hmac)) => match serde_json::to_value(hmac.key_encoding) {
            Ok(Value::String(name)) if name == "Hex" => b"00ff00ff".to_vec(),
            Ok(Value::String(name)) if name == "Base64" => b"AAECAwQFBgc=".to_vec(),
            _ => b"a-secret".to_vec(),
        },
        _ => b"a-secret".to_vec(),
    }
}

fn verifiers(spec: &WebhookProviderSpec, provider: &Provider) -> Vec<Verifier> {
    let mut made = Vec::new();
    for (written, method) in spec.methods.iter().zip(&provider.methods) {
        let keys: BTreeMap<Option<String>, Vec<u8>> = method
            .purposes()
            .into_iter()
            .map(|purpose| {
                let schemes = written.any_of.iter().flat_map(|all| &all.all_of);
                let value = schemes.filter(|s| s.purpose.as_deref() == purpose).map(secret).next();
                (purpose.map(str::to_owned), value.unwrap_or_else(|| CIPHER_KEY.to_vec()))
            })
            .collect();
        let keys: Vec<KeyRef> = keys
            .into_iter()
            .map(|(purpose, value)| KeyRef {
                secret: "a".to_owned(),
                key: "b".to_owned(),
                purpose,
                not_after: None,
                value: Some(SecretBytes::new(value)),
            })
            .collect();
        let parameters: BTreeMap<String, String> = method
            .parameters()
            .into_iter()
            .filter(|name| !["issuer", "audience", "maxLifetime"].contains(name))
            .map(|name| (name.to_owned(), "p".to_owned()))
            .collect();
        let verifier = |parameters: &BTreeMap<String, String>| {
            let external_url = method.needs_url().then_some(URL);
            let given = Given { keys: &keys, other_purposes: &[], parameters, tolerance: None, external_url };
            Verifier::new(method, &given).ok().map(|(verifier, _)| verifier)
        };
        // What only a fetch reads means nothing beside the key.
        let without = |name: &String| {
            let others = parameters.iter().filter(|(other, _)| *other != name);
            others.map(|(name, value)| (name.clone(), value.clone())).collect()
        };
        made.extend(verifier(&parameters).or_else(|| parameters.keys().find_map(|name| verifier(&without(name)))));
    }
    made
}

/// Every `header` or `header:NAME` that a definition mentions.
fn header_names(value: &Value, found: &mut Vec<HeaderName>) {
    match value {
        Value::Object(object) => object.iter().for_each(|(name, value)| match (name.as_str(), value) {
            ("header", Value::String(text)) => found.extend(HeaderName::try_from(text)),
            ("otherHeaders", Value::Array(names)) => {
                found.extend(names.iter().filter_map(|name| HeaderName::try_from(name.as_str()?).ok()));
            }
            _ => header_names(value, found),
        }),
        Value::Array(list) => list.iter().for_each(|value| header_names(value, found)),
        Value::String(text) => {
            let named = text.split("{header:").skip(1).filter_map(|rest| rest.split_once('}'));
            found.extend(named.filter_map(|(name, _)| HeaderName::try_from(name).ok()));
        }
        _ => {}
    }
}

fn vendor(name: &str, spec: &WebhookProviderSpec, media: &'static str) -> Option<Vendor> {
    let provider = Provider::compile(name, spec).ok()?;
    let none = Scheme { none: Some(Unproven {}), ..Scheme::default() };
    let method = WrittenMethod { name: "none".to_owned(), any_of: vec![AllOf { all_of: vec![none] }] };
    let method = hookgate::provider::verify::Method::compile(&method, "").ok()?;
    let given =
        Given { keys: &[], other_purposes: &[], parameters: &BTreeMap::new(), tolerance: None, external_url: None };
    let (open, _) = Verifier::new(&method, &given).ok()?;
    let mut headers = Vec::new();
    header_names(&serde_json::to_value(spec).ok()?, &mut headers);
    headers.sort_by_key(ToString::to_string);
    headers.dedup();
    Some(Vendor { verifiers: verifiers(spec, &provider), provider: Arc::new(provider), open, headers, media })
}

pub(super) static VENDORS: LazyLock<Vec<Vendor>> = LazyLock::new(|| {
    let media = |spec: &WebhookProviderSpec| {
        let xml = spec.decode.as_ref().is_some_and(|decode| decode.formats.first() == Some(&BodyFormat::XML));
        if xml { "text/xml" } else { "application/json" }
    };
    let made = |built_in: &BuiltIn| {
        let spec = built_in.spec().ok()?;
        vendor(built_in.id, spec, media(spec))
    };
    built_ins().filter_map(made).collect()
});

/// A vendor that reads one format.
fn decoding(decode: &Value, media: &'static str) -> Option<Vendor> {
    let spec = json!({
        "displayName": "Fuzzed",
        "methods": [{"name": "none", "anyOf": [{"allOf": [{"none": {}}]}]}],
        "decode": decode,
        "split": [{"pointer": "/list", "optional": true}],
        "redact": ["/secret", "/data/token"],
        "extract": {
            "type": [{"pointer": "/type"}, {"pointer": "/event/event_type"}],
            "id": [{"pointer": "/id"}],
            "time": [{"pointer": "/t"}, {"pointer": "/timestamp", "unit": "RFC3339"}],
            "subject": [{"pointer": "/data/object/id"}]
        }
    });
    vendor("fuzzed", &serde_json::from_value(spec).ok()?, media)
}

pub(super) static FORMATS: LazyLock<Vec<Vendor>> = LazyLock::new(|| {
    let made = [
        (json!({"formats": ["JSON"]}), "application/json"),
        (json!({"formats": ["Form"]}), "application/x-www-form-urlencoded"),
        (json!({"formats": ["Form"], "field": "payload"}), "application/x-www-form-urlencoded"),
        (json!({"formats": ["Form"], "field": "payload", "fieldBase64": true, "fieldFormat": "XML"}), FORM),
        (json!({"formats": ["XML"]}), "application/xml"),
        (json!({"formats": ["JSONLines"]}), "application/x-ndjson"),
        (json!({"formats": ["JWT"], "anyMediaType": true}), "application/jwt"),
        (json!({"formats": ["Text"]}), "text/plain"),
        (json!({"formats": ["JSON"], "base64At": "/data"}), "application/json; charset=utf-8"),
    ];
    made.iter().filter_map(|(decode, media)| decoding(decode, media)).collect()
});
pub(super) static MULTIPART: LazyLock<Vec<Vendor>> = LazyLock::new(|| {
    let made = [
        (json!({"formats": ["Multipart"], "field": "json"}), "multipart/form-data; boundary=b"),
        (json!({"formats": ["Multipart"]}), "multipart/form-data; boundary=\"b\""),
    ];
    made.iter().filter_map(|(decode, media)| decoding(decode, media)).collect()
});
pub(super) static GZIP: LazyLock<Vec<Vendor>> = LazyLock::new(|| {
    decoding(&json!({"formats": ["JSON"], "compressed": "Gzip"}), "application/json").into_iter().collect()
});
pub(super) static CLOUD_EVENTS: LazyLock<Vec<Vendor>> = LazyLock::new(|| {
    let media = ["application/cloudevents+json", "application/cloudevents-batch+json", "application/json"];
    media.iter().filter_map(|media| decoding(&json!({"formats": ["CloudEvents"]}), media)).collect()
});

/// Splits the data into lines of headers and a body: `VALUE\nVALUE\n\nBODY`.
pub(super) fn parts(data: &[u8]) -> (Vec<&[u8]>, &[u8]) {
    match data.windows(2).position(|pair| pair == b"\n\n") {
        Some(at) => (data[..at].split(|byte| *byte == b'\n').collect(), &data[at + 2..]),
        None => (data.split(|byte| *byte == b'\n').collect(), data),
    }
}

pub(super) const FORM: &str = "application/x-www-form-urlencoded";

pub(super) fn request<T>(
    vendor: &Vendor,
    values: &[&[u8]],
    query: Option<&str>,
    body: &[u8],
    judge: impl FnOnce(RequestView<'_>) -> T,
) -> T {
    request_as(vendor.media, vendor, values, query, body, judge)
}

pub(super) fn request_as<T>(
    media: &'static str,
    vendor: &Vendor,
    values: &[&[u8]],
    query: Option<&str>,
    body: &[u8],
    judge: impl FnOnce(RequestView<'_>) -> T,
) -> T {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static(media));
    for (position, name) in vendor.headers.iter().enumerate() {
        let value = values.get(position % values.len().max(1)).copied().unwrap_or_default();
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(name, value);
        }
    }
    let head = Head { method: &Method::POST, path: "/in", query, headers: &headers, received: now() };
    judge(RequestView { head, body })
}

pub(super) fn verify_all(vendor: &Vendor, values: &[&[u8]], query: Option<&str>, body: &[u8]) {
    for verifier in &vendor.verifiers {
        request(vendor, values, query, body, |request| {
            let mut steps: Vec<hookgate::provider::verify::observe::Step> = Vec::new();
            let explained = verifier.explain(&request, now(), &NothingFetched, &mut steps).is_ok();
            assert_eq!(explained, verifier.verify(&request, now()).is_ok(), "an observer changes the verdict");
        });
    }
}

pub(super) fn read(vendor: &Vendor, values: &[&[u8]], body: &[u8]) {
    request(vendor, values, None, body, |request| {
        let body = Bytes::copy_from_slice(body);
        let Ok(verified) = vendor.open.prove(request.head, &body, now(), &NothingFetched) else { return };
        match vendor.provider.extraction.read(&verified, &request.head, None) {
            Ok(batch) => {
                assert!(batch.received <= 1000, "a delivery of {} items", batch.received);
                for event in batch.items.iter().flatten() {
                    assert!(!event.id.is_empty() && event.id.len() <= 512, "an id of {} bytes", event.id.len());
                    assert!(!event.event_type.is_empty() && event.event_type.len() <= 512, "a type out of bounds");
                    if let Some(mapped) = &event.data.mapped {
                        assert!(validate(mapped).is_ok(), "mapped data that is no JSON");
                    }
                }
            }
            Err(_) => drop(vendor.provider.extraction.refused(&verified, &request.head, None)),
        }
    });
}

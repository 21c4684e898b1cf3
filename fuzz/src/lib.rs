//! Everything that reads bytes of strangers, one function a reader: none of them may panic, hang or eat memory.
//!
//! `cargo fuzz run NAME` runs one for as long as you like; the tests run each of them for a second, from the same
//! seeds and without any tool.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use hookgate::api::provider::{AllOf, Method as WrittenMethod, WebhookProviderSpec};
use hookgate::api::scheme::{Scheme, TimeUnit, Unproven};
use hookgate::cli::Capture;
use hookgate::json::{Cuts, Pointers, as_text, compact_chunks, elements, id_text, members, validate};
use hookgate::manifest;
use hookgate::provider::Provider;
use hookgate::provider::catalogue::built_ins;
use hookgate::provider::request::{Head, RequestView};
use hookgate::provider::time;
use hookgate::provider::verify::fetched::NothingFetched;
use hookgate::provider::verify::jwt::{JwtKey, key_set};
use hookgate::provider::verify::keys::KeyRef;
use hookgate::provider::verify::{Given, Verifier};
use hookgate::receive::trace::Trace;
use hookgate::secret::SecretBytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use jiff::Timestamp;
use serde_json::{Value, json};

/// A reader under test.
pub type Target = fn(&[u8]);

/// All of them, by name.
pub const TARGETS: &[(&str, Target)] = &[
    ("signatures", signatures),
    ("requests", requests),
    ("forms", forms),
    ("tokens", tokens),
    ("key_sets", key_sets),
    ("pointers", pointers),
    ("cuts", cuts),
    ("compact", compact),
    ("bodies", bodies),
    ("multipart", multipart),
    ("compressed", compressed),
    ("cloud_events", cloud_events),
    ("extraction", extraction),
    ("handshakes", handshakes),
    ("captures", captures),
    ("traces", traces),
    ("times", times),
    ("manifests", manifests),
];

/// Inputs that reach deep; mutations start from them.
pub const SEEDS: &[&[u8]] = &[
    b"",
    b"{\"id\":\"evt_1\",\"type\":\"a.b\",\"data\":{\"object\":{\"id\":1}},\"list\":[{\"a\":1},{\"a\":2}],\"t\":1.5e3}",
    b"[{\"id\":\"1\",\"event\":\"x\",\"timestamp\":1780000000},{\"id\":\"2\"}]",
    b"{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\",\"data_base64\":\"e30=\"}",
    b"payload=%7B%22id%22%3A1%7D&a=1&a=2&b=%ff+x&sig=00",
    b"t=1780000000,v1=00ff,v1=5257a869e7ecebeda32affa62cdca3fa51cad7e77a0e56ff536d0ce8e108d8bd",
    b"v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4= v1a,AA== v2,x",
    b"sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
    b"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJleHAiOjE3ODAwMDAzMDAsImlhdCI6MTc4MDAwMDAwMH0.c2ln",
    b"{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"a\",\"n\":\"0vx7agoebGcQSuuPiLJXZpt\",\"e\":\"AQAB\"},{\"kty\":\"EC\",\"crv\":\"P-256\"}]}",
    b"--b\r\nContent-Disposition: form-data; name=\"json\"\r\n\r\n{\"event\":{\"event_type\":\"x\"}}\r\n--b--\r\n",
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\xae\x05\x00\x43\xbf\xa6\xa3\x02\x00\x00\x00",
    b"POST /in?a=1 HTTP/1.1\r\nContent-Type: application/json\r\nX-Hub-Signature-256: sha256=00\r\nContent-Length: 2\r\n\r\n{}",
    b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    b"Tue, 14 Nov 2023 22:13:20 GMT",
    b"2023-11-14T22:13:20.123456789+01:00",
    b"apiVersion: hookgate.dev/v1alpha1\nkind: WebhookSource\nmetadata: {name: a}\nspec:\n  provider: github\n  path: /a\n---\na: &x [*x]\n",
    b"{\"challenge\":\"abc\",\"type\":\"url_verification\",\"token\":\"t\",\"event\":\"endpoint.url_validation\",\"payload\":{\"plainToken\":\"p\"}}",
    b"-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----\n",
];

const NOW: i64 = 1_780_000_000;
const URL: &str = "https://hooks.example.com/in";

fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap_or_default()
}

/// A built-in: its verifiers, and the same definition with nothing to prove, whose proofs open extraction.
struct Vendor {
    provider: Arc<Provider>,
    verifiers: Vec<Verifier>,
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
                (purpose.map(str::to_owned), value.unwrap_or_else(|| b"a-secret".to_vec()))
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
        let parameters = method
            .parameters()
            .into_iter()
            .filter(|name| !["issuer", "audience", "maxLifetime"].contains(name))
            .map(|name| (name.to_owned(), "p".to_owned()))
            .collect();
        let given = Given {
            keys: &keys,
            other_purposes: &[],
            parameters: &parameters,
            tolerance: None,
            external_url: method.needs_url().then_some(URL),
        };
        made.extend(Verifier::new(method, &given).ok().map(|(verifier, _)| verifier));
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

static VENDORS: LazyLock<Vec<Vendor>> = LazyLock::new(|| {
    built_ins().filter_map(|built_in| vendor(built_in.id, built_in.spec().ok()?, "application/json")).collect()
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

static FORMATS: LazyLock<Vec<Vendor>> = LazyLock::new(|| {
    let made = [
        (json!({"formats": ["JSON"]}), "application/json"),
        (json!({"formats": ["Form"]}), "application/x-www-form-urlencoded"),
        (json!({"formats": ["Form"], "field": "payload"}), "application/x-www-form-urlencoded"),
        (json!({"formats": ["JSONLines"]}), "application/x-ndjson"),
        (json!({"formats": ["JWT"], "anyMediaType": true}), "application/jwt"),
        (json!({"formats": ["Text"]}), "text/plain"),
        (json!({"formats": ["JSON"], "base64At": "/data"}), "application/json; charset=utf-8"),
    ];
    made.iter().filter_map(|(decode, media)| decoding(decode, media)).collect()
});
static MULTIPART: LazyLock<Vec<Vendor>> = LazyLock::new(|| {
    let made = [
        (json!({"formats": ["Multipart"], "field": "json"}), "multipart/form-data; boundary=b"),
        (json!({"formats": ["Multipart"]}), "multipart/form-data; boundary=\"b\""),
    ];
    made.iter().filter_map(|(decode, media)| decoding(decode, media)).collect()
});
static GZIP: LazyLock<Vec<Vendor>> = LazyLock::new(|| {
    decoding(&json!({"formats": ["JSON"], "compressed": "Gzip"}), "application/json").into_iter().collect()
});
static CLOUD_EVENTS: LazyLock<Vec<Vendor>> = LazyLock::new(|| {
    let media = ["application/cloudevents+json", "application/cloudevents-batch+json", "application/json"];
    media.iter().filter_map(|media| decoding(&json!({"formats": ["CloudEvents"]}), media)).collect()
});

/// Splits the data into lines of headers and a body: `VALUE\nVALUE\n\nBODY`.
fn parts(data: &[u8]) -> (Vec<&[u8]>, &[u8]) {
    match data.windows(2).position(|pair| pair == b"\n\n") {
        Some(at) => (data[..at].split(|byte| *byte == b'\n').collect(), &data[at + 2..]),
        None => (data.split(|byte| *byte == b'\n').collect(), data),
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

fn request<T>(
    vendor: &Vendor,
    values: &[&[u8]],
    query: Option<&str>,
    body: &[u8],
    judge: impl FnOnce(RequestView<'_>) -> T,
) -> T {
    request_as(vendor.media, vendor, values, query, body, judge)
}

fn request_as<T>(
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

fn verify_all(vendor: &Vendor, values: &[&[u8]], query: Option<&str>, body: &[u8]) {
    for verifier in &vendor.verifiers {
        request(vendor, values, query, body, |request| {
            let mut steps: Vec<hookgate::provider::verify::observe::Step> = Vec::new();
            let explained = verifier.explain(&request, now(), &NothingFetched, &mut steps).is_ok();
            assert_eq!(explained, verifier.verify(&request, now()).is_ok(), "an observer changes the verdict");
        });
    }
}

fn read(vendor: &Vendor, values: &[&[u8]], body: &[u8]) {
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

/// Signature headers of every vendor, over a body that is always the same.
pub fn signatures(data: &[u8]) {
    VENDORS.iter().for_each(|vendor| verify_all(vendor, &[data], None, b"{\"id\":1}"));
}

/// Headers and body of one vendor, chosen by the first byte.
pub fn requests(data: &[u8]) {
    let Some((first, data)) = data.split_first() else { return };
    let Some(vendor) = VENDORS.get(usize::from(*first) % VENDORS.len().max(1)) else { return };
    let (values, body) = parts(data);
    verify_all(vendor, &values, std::str::from_utf8(data).ok(), body);
}

/// Forms and queries, of every vendor that signs the URL or a form.
pub fn forms(data: &[u8]) {
    let text = std::str::from_utf8(data).ok();
    for vendor in VENDORS.iter() {
        for verifier in &vendor.verifiers {
            request_as(FORM, vendor, &[b"AA=="], text, data, |request| drop(verifier.verify(&request, now())));
        }
    }
}

/// JSON Web Tokens, in headers and as bodies.
pub fn tokens(data: &[u8]) {
    let bearer = [b"Bearer ", data].concat();
    for vendor in VENDORS
        .iter()
        .filter(|vendor| vendor.provider.methods.iter().any(|method| method.parameters().contains("maxLifetime")))
    {
        verify_all(vendor, &[data], None, data);
        verify_all(vendor, &[&bearer], None, data);
    }
}

/// Key sets and keys, as vendors publish them and users store them.
pub fn key_sets(data: &[u8]) {
    let _ = key_set(data);
    let _ = JwtKey::read(data, &[]);
    let _ =
        hookgate::provider::verify::key_text::decode(data, hookgate::api::scheme::KeyEncoding::Base64, Some("whsec_"));
}

/// JSON pointers, beside a reader that builds a tree.
pub fn pointers(data: &[u8]) {
    static POINTERS: LazyLock<Option<Pointers>> =
        LazyLock::new(|| Pointers::compile(["/id", "/data/object/id", "/list/1/a", "", "/data", "/a~1b"]).ok());
    let Some(pointers) = POINTERS.as_ref() else { return };
    let tree: Result<Value, _> = serde_json::from_slice(data);
    if let Ok(captured) = pointers.capture_unique(data) {
        assert!(tree.is_ok(), "captured what is no JSON");
        let tree = tree.unwrap_or_default();
        for (index, pointer) in ["/id", "/data/object/id", "/list/1/a", "", "/data", "/a~1b"].iter().enumerate() {
            let found = captured.get(index);
            assert_eq!(found.is_some(), tree.pointer(pointer).is_some(), "{pointer}");
            if let Some(value) = found {
                assert_eq!(serde_json::from_str::<Value>(value.get()).ok().as_ref(), tree.pointer(pointer));
                let _ =
                    (as_text(value), id_text(value), elements(value.get(), 10).is_ok(), members(value.get()).is_ok());
            }
        }
    }
    let _ = (pointers.capture(data).is_ok(), pointers.fits(data));
}

/// Cutting members: what is left is JSON without them.
pub fn cuts(data: &[u8]) {
    static CUTS: LazyLock<Option<Cuts>> = LazyLock::new(|| Cuts::compile(["/id", "/data/object", "/list/0"]).ok());
    let Some(cuts) = CUTS.as_ref() else { return };
    if let Ok(left) = cuts.apply(&Bytes::copy_from_slice(data)) {
        if let Ok(tree) = serde_json::from_slice::<Value>(&left) {
            assert!(tree.pointer("/id").is_none() && tree.pointer("/data/object").is_none(), "a member is left");
        } else {
            assert!(serde_json::from_slice::<Value>(data).is_err(), "cutting broke a document");
        }
    }
}

/// White space taken out: the same document.
pub fn compact(data: &[u8]) {
    let compact: Vec<u8> = compact_chunks(data).flatten().copied().collect();
    if let Ok(tree) = serde_json::from_slice::<Value>(data) {
        assert_eq!(serde_json::from_slice::<Value>(&compact).ok(), Some(tree));
    }
}

/// Bodies in the formats without a container.
pub fn bodies(data: &[u8]) {
    FORMATS.iter().for_each(|vendor| read(vendor, &[b"x"], data));
}

/// Multipart bodies.
pub fn multipart(data: &[u8]) {
    MULTIPART.iter().for_each(|vendor| read(vendor, &[b"x"], data));
}

/// Compressed bodies: as they are, and as the content of a right member.
pub fn compressed(data: &[u8]) {
    GZIP.iter().for_each(|vendor| read(vendor, &[b"x"], data));
}

/// CloudEvents, structured and batched, and binary with the headers in front.
pub fn cloud_events(data: &[u8]) {
    let (values, body) = parts(data);
    CLOUD_EVENTS.iter().for_each(|vendor| {
        read(vendor, &values, data);
        read(vendor, &values, body);
    });
}

/// Every definition reads the same bytes.
pub fn extraction(data: &[u8]) {
    let (values, body) = parts(data);
    VENDORS.iter().for_each(|vendor| read(vendor, &values, body));
}

/// Handshakes of every vendor.
pub fn handshakes(data: &[u8]) {
    let (values, body) = parts(data);
    let query = std::str::from_utf8(data).ok();
    for vendor in VENDORS.iter() {
        for (handshake, verifier) in
            vendor.provider.handshakes.iter().flat_map(|h| vendor.verifiers.iter().map(move |v| (h, v)))
        {
            request(vendor, &values, query, body, |request| drop(handshake.answer(&request, verifier, now())));
        }
    }
}

/// Captured requests of `hookgate verify`.
pub fn captures(data: &[u8]) {
    let _ = Capture::parse(data);
}

/// `traceparent` and `tracestate`.
pub fn traces(data: &[u8]) {
    let (values, _) = parts(data);
    let mut headers = HeaderMap::new();
    for (name, value) in ["traceparent", "tracestate", "tracestate"].into_iter().zip(values.iter().cycle()) {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(name, value);
        }
    }
    let _ = (Trace::read(&headers, true), Trace::read(&headers, false));
}

/// Times in every unit: what is read is written so that it is read again.
pub fn times(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for unit in [
        TimeUnit::Seconds,
        TimeUnit::Milliseconds,
        TimeUnit::Microseconds,
        TimeUnit::Nanoseconds,
        TimeUnit::RFC3339,
        TimeUnit::ISO8601,
        TimeUnit::DateTime,
        TimeUnit::HTTPDate,
    ] {
        if let Some(at) = time::read(text, unit) {
            let _ = time::write(at, unit);
            let _ = time::within(at, now(), std::time::Duration::from_secs(300));
        }
    }
}

/// Manifests in files.
pub fn manifests(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = manifest::read_documents("fuzzed.yaml", text);
    }
}

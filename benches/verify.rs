//! What a verification costs beside the bare HMAC over the same bytes, both measured in turns in one run, and what it
//! costs to compile the catalogue. Run with `cargo bench --bench verify`.
#![allow(clippy::expect_used, clippy::print_stdout, missing_docs)]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use hookgate::api::provider::WebhookProvider;
use hookgate::provider::Provider;
use hookgate::provider::catalogue::{built_in, built_ins};
use hookgate::provider::verify::keys::KeyRef;
use hookgate::provider::verify::observe::Step;
use hookgate::provider::verify::sign::{Draft, RequestParts};
use hookgate::provider::verify::{Given, Verifier};
use hookgate::secret::SecretBytes;
use http::{HeaderMap, Method};
use jiff::Timestamp;
use sha1::Sha1;
use sha2::Sha256;

/// The dearest that a verification may be, in bare HMACs.
const TARGET: f64 = 1.3;
const ROUNDS: usize = 400;
const TURNS: u32 = 100;
const URL: &str = "https://hooks.example.com/in";
const SECRET: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

struct Case {
    name: &'static str,
    verifier: Verifier,
    draft: Draft,
    /// The bytes that are signed, as they are hashed.
    signed: Vec<u8>,
    sha1: bool,
}

fn case(name: &'static str, method: &'static str, form: bool, now: Timestamp) -> Option<Case> {
    let provider = built_in(name)?.provider().ok()?;
    let method = provider.method(Some(method))?;
    let url = method.needs_url().then_some(URL);
    let keys = [KeyRef {
        secret: "a".to_owned(),
        key: "b".to_owned(),
        purpose: None,
        not_after: None,
        value: Some(SecretBytes::new(SECRET.as_bytes().to_vec())),
    }];
    let parameters = BTreeMap::new();
    let given = Given { keys: &keys, other_purposes: &[], parameters: &parameters, tolerance: None, external_url: url };
    let mut headers = HeaderMap::new();
    // As much as senders send.
    for (header, value) in [
        ("host", "hooks.example.com"),
        ("user-agent", "Sender/1.0 (+https://sender.example/webhooks)"),
        ("accept", "*/*"),
        ("accept-encoding", "gzip"),
        ("content-length", "1024"),
        ("x-forwarded-for", "192.0.2.1"),
        ("x-forwarded-proto", "https"),
        ("x-request-id", "01890a5d-ac96-774b-bcce-b302099a8057"),
    ] {
        headers.insert(header, value.parse().expect("a value"));
    }
    let media = if form { "application/x-www-form-urlencoded" } else { "application/json" };
    headers.insert("content-type", media.parse().expect("a value"));
    let body = if form {
        let pairs: Vec<String> =
            (0..24).map(|n| format!("Parameter{n:02}=value+of+parameter+{n:02}%2C+more")).collect();
        let mut body = pairs.join("&");
        body.truncate(1024);
        body
    } else {
        format!("{{\"id\":\"evt_1\",\"text\":\"{}\"}}", "x".repeat(1024 - 24))
    };
    let mut draft = Draft { method: Method::POST, path: "/in".to_owned(), query: None, headers, body: body.into() };
    method.sign(&mut draft, &given, None, now).expect("signs");
    let (verifier, _) = Verifier::new(method, &given).expect("keys fit");
    let signed = signed(&draft, form, url, now);
    Some(Case { name, verifier, draft, signed, sha1: form })
}

/// As many bytes as the scheme hashes; which they are does not matter to a hash.
fn signed(draft: &Draft, form: bool, url: Option<&str>, now: Timestamp) -> Vec<u8> {
    let mut signed = url.unwrap_or_default().as_bytes().to_vec();
    if form {
        for (name, value) in form_urlencoded::parse(&draft.body) {
            signed.extend_from_slice(name.as_bytes());
            signed.extend_from_slice(value.as_bytes());
        }
        return signed;
    }
    if draft.headers.keys().any(|name| name.as_str().contains("timestamp") || name.as_str().starts_with("stripe")) {
        signed.extend_from_slice(format!("{}.", now.as_second()).as_bytes());
    }
    signed.extend_from_slice(&draft.body);
    signed
}

/// The cheapest of many rounds: what others do to the machine makes rounds dearer, never cheaper.
fn fastest(run: &mut dyn FnMut()) -> f64 {
    let begun = Instant::now();
    (0..TURNS).for_each(|_| run());
    begun.elapsed().as_secs_f64() * 1e9 / f64::from(TURNS)
}

/// The least that a signer over a sorted form must be checked with: decoded, sorted and hashed in straight lines.
fn straight_form(body: &[u8], url: &str, mac: &Hmac<Sha1>) -> Hmac<Sha1> {
    let mut pairs: Vec<_> = form_urlencoded::parse(body).collect();
    pairs.sort_unstable();
    pairs.dedup();
    let mut mac = mac.clone().chain_update(url);
    for (name, value) in &pairs {
        mac.update(name.as_bytes());
        mac.update(value.as_bytes());
    }
    mac
}

fn measure(case: &Case, straight: bool, now: Timestamp) -> (f64, f64) {
    let sha256 = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any length");
    let sha1 = Hmac::<Sha1>::new_from_slice(SECRET.as_bytes()).expect("any length");
    let expected = sha256.clone().chain_update(&case.signed).finalize().into_bytes();
    let expected1 = if straight {
        straight_form(&case.draft.body, URL, &sha1).finalize().into_bytes()
    } else {
        sha1.clone().chain_update(&case.signed).finalize().into_bytes()
    };
    let mut bare = || {
        let signed = black_box(&case.signed);
        let matched = if straight {
            straight_form(&case.draft.body, URL, &sha1).verify(&expected1).is_ok()
        } else if case.sha1 {
            sha1.clone().chain_update(signed).verify(&expected1).is_ok()
        } else {
            sha256.clone().chain_update(signed).verify(&expected).is_ok()
        };
        assert!(black_box(matched));
    };
    let parts = RequestParts::of(&case.draft, now);
    let mut ours = || {
        let request = black_box(parts.request());
        assert!(black_box(case.verifier.verify(&request, now)).is_ok());
    };
    let (mut cheapest_bare, mut cheapest) = (f64::MAX, f64::MAX);
    for _ in 0..ROUNDS {
        cheapest_bare = cheapest_bare.min(fastest(&mut bare));
        cheapest = cheapest.min(fastest(&mut ours));
    }
    (cheapest_bare, cheapest)
}

fn main() {
    let begun = Instant::now();
    let definitions = built_ins().filter(|built_in| built_in.provider().is_ok()).count();
    let first = begun.elapsed();
    let (mut reading, mut compiling) = (Duration::MAX, Duration::MAX);
    for _ in 0..5 {
        let begun = Instant::now();
        let read: Vec<WebhookProvider> =
            built_ins().map(|built_in| serde_saphyr::from_str(built_in.manifest).expect("reads")).collect();
        reading = reading.min(begun.elapsed());
        let begun = Instant::now();
        read.iter().for_each(|manifest| drop(black_box(Provider::compile("x", &manifest.spec))));
        compiling = compiling.min(begun.elapsed());
    }
    println!(
        "{definitions} definitions at start: {first:.1?} (of their YAML, which is read when the program is built: {reading:.1?}; of compiling {compiling:.1?})"
    );
    let now = Timestamp::from_second(1_780_000_000).expect("a time");
    println!("{:<26} {:>10} {:>10} {:>7}", "1 KB body", "bare HMAC", "verified", "ratio");
    for (name, method, form) in [
        ("github", "signature-256", false),
        ("stripe", "signature", false),
        ("slack", "signature", false),
        ("standard-webhooks", "signature", false),
        ("twilio", "signature", true),
    ] {
        let Some(case) = case(name, method, form, now) else {
            println!("{name:<20} is not in the catalogue");
            continue;
        };
        let mut steps: Vec<Step> = Vec::new();
        let nothing = hookgate::provider::verify::fetched::NothingFetched;
        let parts = RequestParts::of(&case.draft, now);
        case.verifier.explain(&parts.request(), now, &nothing, &mut steps).expect("verifies");
        for straight in if form { vec![false, true] } else { vec![false] } {
            let (bare, ours) = measure(&case, straight, now);
            let beside = if straight { "beside decode, sort, HMAC" } else { case.name };
            let verdict = if ours / bare <= TARGET { "" } else { "  over the target" };
            println!("{beside:<26} {bare:>7.0} ns {ours:>7.0} ns {:>6.2}x{verdict}", ours / bare);
        }
    }
}

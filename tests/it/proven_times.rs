//! A signed time bounds how long a delivery can be replayed, wherever it stands; what bounds nothing is refused.
#![allow(clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use hookgate::api::scheme::Scheme;
use hookgate::provider::Provider;
use hookgate::provider::catalogue::{built_in, built_ins};
use hookgate::provider::verify::keys::KeyRef;
use hookgate::provider::verify::{Given, Method, Refusal, Verifier};
use http::HeaderMap;
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};
use sha2::{Sha256, Sha512};

use super::provider_generic::{headers, judge, key};

const SECRET: &[u8] = b"a-secret-that-is-long-enough-for-a-token";
const FIVE_MINUTES: Duration = Duration::from_secs(300);

fn now() -> Timestamp {
    Timestamp::from_second(1_780_000_000).expect("a time")
}

fn tag(content: &str) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(SECRET).expect("any length");
    hex::encode(mac.chain_update(content).finalize().into_bytes())
}

fn verifier(method: &Method, tolerance: Option<Duration>) -> Verifier {
    let keys: [KeyRef; 1] = [key(None, SECRET)];
    let given = Given { keys: &keys, other_purposes: &[], parameters: &BTreeMap::new(), tolerance, external_url: None };
    Verifier::new(method, &given).expect("the source means something").0
}

fn of(provider: &str, method: &str, tolerance: Option<Duration>) -> Verifier {
    let provider = built_in(provider).expect("a built-in").provider().expect("compiles");
    verifier(provider.method(Some(method)).expect("a method"), tolerance)
}

fn verdict(
    verifier: &Verifier,
    map: &HeaderMap,
    query: Option<&str>,
    body: &str,
    at: Timestamp,
) -> Result<(), Refusal> {
    judge(verifier, map, query, body.as_bytes(), at).0
}

#[test]
fn a_time_in_signed_pairs_is_judged_where_the_source_sets_a_tolerance() {
    let pairs = format!("&messageId=1&timestamp={}", now().as_second());
    let signature = hex::encode(
        Hmac::<Sha512>::new_from_slice(SECRET).expect("any length").chain_update(&pairs).finalize().into_bytes(),
    );
    let encoded = format!("{}&sig={signature}", &pairs[1..]);
    let form = headers([("Content-Type", "application/x-www-form-urlencoded")]);
    for (query, body) in [(None, encoded.as_str()), (Some(encoded.as_str()), "")] {
        let old = now() + 87_600.hours();
        let unbounded = of("vonage-sms", "sha512", None);
        assert_eq!(verdict(&unbounded, &form, query, body, old), Ok(()), "the vendor leaves it to the user");
        let bounded = of("vonage-sms", "sha512", Some(FIVE_MINUTES));
        assert_eq!(verdict(&bounded, &form, query, body, now()), Ok(()));
        assert_eq!(verdict(&bounded, &form, query, body, old), Err(Refusal::Stale));
        assert_eq!(verdict(&bounded, &form, query, body, now() - 301.seconds()), Err(Refusal::Stale));
    }
}

#[test]
fn a_time_that_stands_in_a_signed_body_or_header_has_the_window_of_its_vendor() {
    let body = format!("{{\"time_ms\":{},\"events\":[]}}", now().as_millisecond());
    let signed = tag(&body);
    let map = headers([("X-Pusher-Signature", signed.as_str())]);
    let pusher = of("pusher", "signature", None);
    assert_eq!(verdict(&pusher, &map, None, &body, now() + 300.seconds()), Ok(()));
    assert_eq!(verdict(&pusher, &map, None, &body, now() + 301.seconds()), Err(Refusal::Stale));
    let signed = tag("{}");
    let map = headers([("X-Pusher-Signature", signed.as_str())]);
    assert_eq!(verdict(&pusher, &map, None, "{}", now()), Err(Refusal::Missing), "no time at all");
}

#[test]
fn a_header_that_holds_the_time_must_be_among_those_that_are_signed() {
    let contentful = of("contentful", "signature", None);
    let at = now().as_millisecond().to_string();
    let judged = |list: &str, lines: &str, at: &str, moment: Timestamp| {
        let signed = tag(&format!("POST\n/in\n{lines}\n{{}}"));
        let map = headers([
            ("x-contentful-signature", signed.as_str()),
            ("x-contentful-signed-headers", list),
            ("x-contentful-timestamp", at),
        ]);
        verdict(&contentful, &map, None, "{}", moment)
    };
    let list = "x-contentful-signed-headers,x-contentful-timestamp";
    let lines = format!("x-contentful-signed-headers:{list};x-contentful-timestamp:{at}");
    assert_eq!(judged(list, &lines, &at, now() + 30.seconds()), Ok(()));
    assert_eq!(judged(list, &lines, &at, now() + 31.seconds()), Err(Refusal::Stale));
    // The hash is right, but anybody could write another time.
    let list = "x-contentful-signed-headers";
    let lines = format!("x-contentful-signed-headers:{list}");
    assert_eq!(judged(list, &lines, &at, now()), Err(Refusal::BadSignature));
}

#[test]
fn a_unit_that_no_vendor_document_names_is_told_by_how_the_time_is_written() {
    for at in [now().as_second().to_string(), now().as_millisecond().to_string(), now().to_string()] {
        let signed = tag(&format!("{at}.{{}}"));
        let map = headers([("x-signature", signed.as_str()), ("x-timestamp", at.as_str())]);
        let bounded = of("vapi", "hmac-sha256", Some(FIVE_MINUTES));
        assert_eq!(verdict(&bounded, &map, None, "{}", now()), Ok(()), "{at}");
        assert_eq!(verdict(&bounded, &map, None, "{}", now() + 301.seconds()), Err(Refusal::Stale), "{at}");
    }
}

#[test]
fn a_time_that_is_not_signed_is_refused_wherever_it_stands() {
    let compiled = |content: &str, timestamp: Value| {
        let scheme = json!({"hmac": {
            "algorithm": "SHA256", "signature": {"header": "X-Signature"}, "content": content, "timestamp": timestamp,
        }});
        let spec = json!({"displayName": "Acme", "methods": [{"name": "signature", "anyOf": [{"allOf": [scheme]}]}]});
        Provider::compile("acme", &serde_json::from_value(spec).expect("a definition"))
    };
    for (content, timestamp, signed) in [
        ("{timestamp}.{body}", json!({"header": "X-At"}), true),
        ("{header-lines:X-Signed}\n{body}", json!({"header": "X-At"}), true),
        ("{body}", json!({"header": "X-At"}), false),
        ("{header:X-Other}{body}", json!({"header": "X-At"}), false),
        ("{body}", json!({"pointer": "/at"}), true),
        ("{pointer:/at}{pointer:/id}", json!({"pointer": "/at"}), true),
        ("{lines:at,id}", json!({"pointer": "/at"}), true),
        ("{pointer:/id}", json!({"pointer": "/at"}), false),
        ("{body-crc32}", json!({"pointer": "/at"}), false),
        ("{url}", json!({"pointer": "/at"}), false),
        ("{url}", json!({"query": "at"}), true),
        ("{sorted-query}", json!({"query": "at"}), true),
        ("{pairs-sorted-except:sig}", json!({"query": "at"}), true),
        ("{pairs-sorted-except:at}", json!({"query": "at"}), false),
        ("{url-without-query}{body}", json!({"query": "at"}), false),
        ("{form-sorted}", json!({"form": "at"}), true),
        ("{form:at}", json!({"form": "at"}), true),
        ("{form:id}", json!({"form": "at"}), false),
        ("{url}", json!({"form": "at"}), false),
    ] {
        let errors = compiled(content, timestamp.clone()).map(drop).err().unwrap_or_default();
        assert_eq!(errors.is_empty(), signed, "{content} with {timestamp}: {errors:?}");
        if let Some(error) = errors.first() {
            assert!(error.path.ends_with("hmac.content") && error.reason.contains("{timestamp}"), "{error:?}");
        }
    }
}

#[test]
fn no_definition_signs_a_time_that_no_tolerance_reaches() {
    for built_in in built_ins() {
        let spec = built_in.spec().expect("compiles");
        let schemes = spec.methods.iter().flat_map(|method| &method.any_of).flat_map(|all| &all.all_of);
        for scheme in schemes {
            let Scheme { hmac, digest, public_key, .. } = scheme;
            let (content, timestamp) = match (hmac, digest, public_key) {
                (Some(s), ..) => (&s.content, &s.timestamp),
                (_, Some(s), _) => (&s.content, &s.timestamp),
                (_, _, Some(s)) => (&s.content, &s.timestamp),
                _ => continue,
            };
            let names_a_time = content.to_ascii_lowercase().replace("{timestamp}", "").contains("timestamp");
            assert!(timestamp.is_some() || !names_a_time, "{}: {content} signs a time: write timestamp", built_in.id);
        }
    }
}

fn token(claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&json!({"alg": "HS256"})), part(claims));
    let mac = Hmac::<Sha256>::new_from_slice(SECRET).expect("any length").chain_update(&signed);
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

#[test]
fn a_tolerance_never_lengthens_the_life_of_a_token() {
    let spec = json!({"provider": "generic", "verification": {"method": "jwt", "jwt": {"algorithms": ["HS256"]}}});
    let provider = Provider::generic(&serde_json::from_value(spec).expect("a source")).expect("compiles");
    let (begin, hour) = (now().as_second(), 3600);
    for (tolerance, leeway) in [(None, 60), (Some(Duration::from_secs(1)), 1), (Some(Duration::from_secs(86_400)), 300)]
    {
        let verifier = verifier(&provider.methods[0], tolerance);
        let judged = |claims: Value, at: Timestamp| {
            let bearer = format!("Bearer {}", token(&claims));
            verdict(&verifier, &headers([("Authorization", bearer.as_str())]), None, "{}", at)
        };
        let whole = json!({"iat": begin, "exp": begin + hour});
        assert_eq!(judged(whole.clone(), now() + (hour + leeway).seconds()), Ok(()), "{tolerance:?}");
        assert_eq!(judged(whole.clone(), now() + (hour + leeway + 1).seconds()), Err(Refusal::Stale), "{tolerance:?}");
        assert_eq!(
            judged(whole, now() + (24 * hour).seconds()),
            Err(Refusal::Stale),
            "{tolerance:?}: 23 hours after its end"
        );
        let longer = json!({"iat": begin, "exp": begin + hour + 1});
        assert_eq!(judged(longer, now()), Err(Refusal::Claims("exp")), "{tolerance:?}: a second over an hour");
        assert_eq!(judged(json!({"iat": begin}), now()), Err(Refusal::Claims("exp")), "{tolerance:?}: no end");
        let future = json!({"iat": begin + leeway + 1, "exp": begin + hour});
        assert_eq!(judged(future, now()), Err(Refusal::Stale), "{tolerance:?}: from the future");
    }
}

#[test]
fn a_longer_life_of_tokens_is_taken_where_the_source_says_so_and_no_longer_one() {
    let spec = json!({"provider": "generic", "verification": {"method": "jwt", "jwt": {"algorithms": ["HS256"]}}});
    let provider = Provider::generic(&serde_json::from_value(spec).expect("a source")).expect("compiles");
    let keys: [KeyRef; 1] = [key(None, SECRET)];
    let parameters = BTreeMap::from([("maxLifetime".to_owned(), "2h".to_owned())]);
    let given =
        Given { keys: &keys, other_purposes: &[], parameters: &parameters, tolerance: None, external_url: None };
    let verifier = Verifier::new(&provider.methods[0], &given).expect("the source means something").0;
    let judged = |life: i64| {
        let begin = now().as_second();
        let bearer = format!("Bearer {}", token(&json!({"iat": begin, "exp": begin + life})));
        verdict(&verifier, &headers([("Authorization", bearer.as_str())]), None, "{}", now())
    };
    assert_eq!((judged(7200), judged(7201)), (Ok(()), Err(Refusal::Claims("exp"))));
}

#[test]
fn a_tolerance_is_refused_where_a_token_says_no_time_that_it_could_bound() {
    for (provider, method, bounded) in
        [("dialpad", "jwt", false), ("netlify", "signature", false), ("vonage", "jwt", true), ("livekit", "jwt", true)]
    {
        let provider = built_in(provider).expect("a built-in").provider().expect("compiles");
        assert_eq!(provider.method(Some(method)).expect("a method").has_time(), bounded, "{}", provider.name);
    }
}

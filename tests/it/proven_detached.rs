//! A detached JSON Web Signature chooses its key among those that the definition allows, and says nothing else of its proof.
#![allow(clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hookgate::provider::catalogue::built_in;
use hookgate::provider::request::{Head, RequestView};
use hookgate::provider::verify::fetched::{FetchedKeys, Wanted};
use hookgate::provider::verify::observe::Silent;
use hookgate::provider::verify::{Given, Refusal, Verifier};
use http::HeaderMap;
use jiff::Timestamp;

use super::provider_generic::headers;

/// TrueLayer/truelayer-signing, test-resources: webhook-signature.txt, jwks.json.
const HEADER: &str = r#"{"alg":"ES512","kid":"45fc75cf-5649-4134-84b3-192c2c78e990","tl_version":"2","tl_headers":"X-Tl-Webhook-Timestamp,Content-Type","jku":"https://webhooks.truelayer.com/.well-known/jwks"}"#;
const SIGNATURE: &str = "AB9S1dzZTmw0tofUjJNGO7Kt_jZsahPyIrBTdhfxBWOI3KoLALkMy6ka1MjpZQx06_hQUJnanu9K_LS6V9lNaNGiAX5Cos5RWQfbeBCZWqAvIpXO3FvIzyJKRaTYK8FBG4lfJYPi76_pIkCLGKWeq8__7ElpMVRcLTM5IBKWL8isVZn_";
const KEYS: &str = r#"{"keys":[{"kty":"EC","alg":"ES512","kid":"another","crv":"P-521","x":"AX1cjkGMiltikPrkX49qwuJDdcETaTsj","y":"AX1c"},{"kty":"RSA","alg":"RS512","kid":"db2e0bb4","n":"piC9","e":"AQAB"},{"kty":"EC","alg":"ES512","kid":"45fc75cf-5649-4134-84b3-192c2c78e990","crv":"P-521","x":"oLuW4nFqoUuR8d7FVsUoI62libYdQlWGtLStnqdudLY92bQ0ra5eZAbkunrGTR9-w9mr4o2Etyb6pC7YB2-23WM","y":"AX1cjkGMiltikPrkX49qwuJDdcETaTsj-kyFP8jsF9W5XAB3Z4tBiQtc72DQnJYeKyAV_T6qZTtFKFr-Tp4iu-j7"}]}"#;
const BODY: &[u8] = br#"{"event_type":"example","event_id":"18b2842b-a57b-4887-a0a6-d3c7c36f1020"}"#;

/// What every key server answers.
struct Answers(&'static str);

impl FetchedKeys for Answers {
    fn get(&self, _: &Wanted) -> Option<Arc<[u8]>> {
        Some(self.0.as_bytes().into())
    }
}

fn verifier(method: &str) -> Verifier {
    let provider = built_in("truelayer").expect("a built-in").provider().expect("compiles");
    let parameters = BTreeMap::from([("path".to_owned(), "/tl-webhook".to_owned())]);
    let given = Given { keys: &[], other_purposes: &[], parameters: &parameters, tolerance: None, external_url: None };
    Verifier::new(provider.method(Some(method)).expect("a method"), &given).expect("a source").0
}

fn signed(signature: &str) -> HeaderMap {
    let stamp = ("X-Tl-Webhook-Timestamp", "2021-11-29T11:42:55Z");
    headers([("Tl-Signature", signature), stamp, ("Content-Type", "application/json")])
}

fn view(headers: &HeaderMap) -> RequestView<'_> {
    let received = Timestamp::UNIX_EPOCH;
    let head = Head { method: &http::Method::POST, path: "/tl-webhook", query: None, headers, received };
    RequestView { head, body: BODY }
}

/// The verdict, and the address that was wanted.
fn judged(method: &str, signature: &str, keys: &'static str) -> (Option<Refusal>, Option<String>) {
    struct Nothing;
    impl FetchedKeys for Nothing {
        fn get(&self, _: &Wanted) -> Option<Arc<[u8]>> {
            None
        }
    }
    let (verifier, headers, now) = (verifier(method), signed(signature), Timestamp::UNIX_EPOCH);
    let wanted = verifier.wanted(&view(&headers), now, &Nothing).map(|wanted| wanted.url);
    (verifier.explain(&view(&headers), now, &Answers(keys), &mut Silent).err(), wanted)
}

fn with_header(header: &str) -> String {
    format!("{}..{SIGNATURE}", URL_SAFE_NO_PAD.encode(header))
}

#[test]
fn the_key_is_the_one_of_its_id_at_an_address_that_the_definition_lists() {
    let (refusal, wanted) = judged("signature", &with_header(HEADER), KEYS);
    assert_eq!((refusal, wanted.as_deref()), (None, Some("https://webhooks.truelayer.com/.well-known/jwks")));
    let (refusal, wanted) = judged("sandbox", &with_header(HEADER), KEYS);
    assert_eq!((refusal, wanted), (Some(Refusal::Malformed), None), "the keys of the sandbox are others");
    for jku in ["https://evil.example/jwks", "http://webhooks.truelayer.com/.well-known/jwks", ""] {
        let header = HEADER.replace("https://webhooks.truelayer.com/.well-known/jwks", jku);
        let (refusal, wanted) = judged("signature", &with_header(&header), KEYS);
        assert_eq!((refusal, wanted), (Some(Refusal::Malformed), None), "{jku}");
    }
    let header = HEADER.replace("45fc75cf-5649-4134-84b3-192c2c78e990", "db2e0bb4");
    assert!(judged("signature", &with_header(&header), KEYS).0.is_some(), "a key of another id");
    assert_eq!(judged("signature", &with_header(HEADER), "<html>").0, Some(Refusal::NotFetched));
}

#[test]
fn a_header_that_brings_keys_or_asks_for_more_than_is_understood_is_refused() {
    for (what, header) in [
        ("another algorithm", HEADER.replace("ES512", "none")),
        ("another version", HEADER.replace(r#""tl_version":"2""#, r#""tl_version":"1""#)),
        ("a critical member", HEADER.replace('{', r#"{"crit":["b64"],"#)),
        ("a key", HEADER.replace('{', r#"{"jwk":{},"#)),
        ("an algorithm twice", HEADER.replace('{', r#"{"alg":"ES512","#)),
        ("no list", HEADER.replace("tl_headers", "headers")),
        ("a header less", HEADER.replace(",Content-Type", "")),
    ] {
        assert!(judged("signature", &with_header(&header), KEYS).0.is_some(), "{what}");
    }
    let encoded = URL_SAFE_NO_PAD.encode(HEADER);
    for written in [
        format!("{encoded}.{}.{SIGNATURE}", URL_SAFE_NO_PAD.encode(BODY)),
        format!("{encoded}..{SIGNATURE}.{SIGNATURE}"),
        format!("{encoded}.{SIGNATURE}"),
        format!("{encoded}.."),
    ] {
        assert!(judged("signature", &written, KEYS).0.is_some(), "{written}");
    }
}

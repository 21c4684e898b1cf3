//! Handshakes that have a proof of their own are answered to their vendor alone, and no handshake signs what could be a delivery.
//!
//! Cases are made from the definitions: a handshake with such a proof is judged here by being there.
#![allow(clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use hookgate::api::provider::{AllOf, Handshake as Written, Method as WrittenMethod, WebhookProviderSpec};
use hookgate::provider::Provider;
use hookgate::provider::catalogue::{built_in, built_ins};
use hookgate::provider::handshake::Shake;
use hookgate::provider::verify::keys::KeyRef;
use hookgate::provider::verify::observe::Silent;
use hookgate::provider::verify::sign::{Draft, RequestParts};
use hookgate::provider::verify::{Given, Method, Verifier};
use hookgate::secret::SecretBytes;
use http::HeaderMap;
use jiff::{Timestamp, ToSpan};

use super::provider_cases::{Case, URL, cases};
use super::support::framed;

/// Names and values of a query.
type Pairs = Vec<(String, String)>;

fn pairs(query: Option<&str>) -> Pairs {
    form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect()
}

fn written(pairs: &Pairs) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// The value of the challenge: encrypted where it is answered decrypted.
fn challenge(handshake: &Written, case: &Case) -> String {
    let answer = handshake.respond.as_ref().and_then(|respond| respond.body.clone()).unwrap_or_default();
    if !answer.contains("{decrypted:") {
        return "1234567890".to_owned();
    }
    let decrypt = case.spec.decode.as_ref().and_then(|decode| decode.decrypt.as_ref()).expect("what decrypts");
    let key = std::str::from_utf8(case.keys.secret(decrypt.purpose.as_deref())).expect("text");
    let receiver = &case.parameters[&decrypt.frame.as_ref().expect("a frame").parameter];
    framed::sealed(key, receiver, "1234567890")
}

/// The request of a handshake, as its vendor signs it.
fn request(handshake: &Written, case: &Case) -> Draft {
    let scheme = handshake.proof.clone().expect("a proof");
    let method = WrittenMethod { name: "proof".to_owned(), any_of: vec![AllOf { all_of: vec![scheme] }] };
    let proof = Method::compile(&method, "").expect("compiles");
    let asked: Pairs = handshake
        .when
        .iter()
        .filter_map(|when| {
            Some((when.query.clone()?, when.equals.clone().unwrap_or_else(|| challenge(handshake, case))))
        })
        .collect();
    let mut draft = Draft {
        method: http::Method::GET,
        path: "/in/proof".to_owned(),
        query: Some(written(&asked)),
        headers: HeaderMap::new(),
        body: bytes::Bytes::new(),
    };
    proof.sign(&mut draft, &case.given(&case.keys.refs, URL), None, case.now).expect("it can be signed");
    draft
}

/// What is answered; `None` where it is refused or no handshake.
fn answered(provider: &Provider, verifier: &Verifier, draft: &Draft, now: Timestamp) -> Option<String> {
    let parts = RequestParts::of(draft, now);
    let request = parts.request();
    let handshake = provider.handshake(&request)?;
    assert!(!handshake.unsigned);
    handshake.proven(&request, verifier, now, &mut Silent).expect("a proof of its own").ok()?;
    match handshake.answer(&request, verifier, now) {
        Shake::Answer(reply, _) => Some(String::from_utf8(reply.body.to_vec()).expect("text")),
        Shake::Refused(_) => None,
    }
}

#[test]
fn a_handshake_with_a_proof_of_its_own_is_answered_to_its_vendor_alone() {
    let mut judged = 0;
    for case in built_ins().flat_map(cases) {
        for handshake in case.spec.handshakes.iter().filter(|handshake| handshake.proof.is_some()) {
            judged += 1;
            let (verifier, draft) = (case.verifier(&case.keys.refs), request(handshake, &case));
            let answer = |verifier: &Verifier, draft: &Draft, now| answered(&case.provider, verifier, draft, now);
            assert_eq!(answer(&verifier, &draft, case.now).as_deref(), Some("1234567890"), "{}", case.name);
            for (what, now) in [("late", case.now + 301.seconds()), ("early", case.now - 301.seconds())] {
                assert_eq!(answer(&verifier, &draft, now), None, "{}: {what}", case.name);
            }
            for (what, refs) in [("wrong", case.wrong.refs.clone()), ("ended", case.keys.ending(case.now))] {
                assert_eq!(answer(&case.verifier(&refs), &draft, case.now), None, "{}: {what} secrets", case.name);
            }
            let sent = pairs(draft.query.as_deref());
            let signed = serde_json::to_string(&handshake.proof).expect("serializes");
            for at in 0..sent.len() {
                let (name, value) = &sent[at];
                let without: Pairs = sent.iter().filter(|(other, _)| other != name).cloned().collect();
                let doubled: Pairs = sent.iter().chain([&sent[at]]).cloned().collect();
                let mut altered = sent.clone();
                altered[at].1 = format!("7{}", &value[1..]);
                // A challenge that is echoed as it is need not be signed.
                let covered =
                    signed.contains(&format!("\"query\":\"{name}\"")) || signed.contains(&format!("{{query:{name}}}"));
                for (what, query) in [("without", &without), ("twice", &doubled), ("another", &altered)] {
                    if what == "another" && !covered {
                        continue;
                    }
                    let draft = Draft { query: Some(written(query)), ..draft.clone() };
                    assert_eq!(answer(&verifier, &draft, case.now), None, "{}: {what} {name}", case.name);
                }
            }
            // The same by another method is a delivery, whose proof is another.
            let delivery = Draft { method: http::Method::POST, ..draft.clone() };
            assert_eq!(answer(&verifier, &delivery, case.now), None, "{}", case.name);
        }
    }
    assert!(judged >= 3, "only {judged} handshakes: what made the cases has gone");
}

/// Token, EncodingAESKey, receiver, query and answer of what the vendor and an SDK publish.
const PUBLISHED: [[&str; 5]; 2] = [
    // developer.work.weixin.qq.com document/path/90968
    [
        "QDG6eK",
        "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C",
        "wx5823bf96d3bd56c7",
        "msg_signature=5c45ff5e21c57e6ad56bac8758b79b1d9ac89fd3&timestamp=1409659589&nonce=263014780&echostr=P9nAzCzyDtyTWESHep1vC5X9xho%2FqYX3Zpb4yKa9SKld1DsH3Iyt3tP3zNdtp%2B4RPcs8TgAE7OaBO%2BFZXvnaqQ%3D%3D",
        "1616140317555161061",
    ],
    // wechatpy/wechatpy tests/test_crypto.py
    [
        "123456",
        "kWxPEV2UEDyxWpmPdKC3F4dgPDmOvfKX1HGnEUDS1aR",
        "wx49f0ab532d5d035a",
        "msg_signature=dd6b9c95b495b3f7e2901bfbc76c664930ffdb96&timestamp=1411443780&nonce=437374425&echostr=4ByGGj%2BsVCYcvGeQYhaKIk1o0pQRNbRjxybjTGblXrBaXlTXeOo1%2BbXFXDQQb1o6co6Yh9Bv41n7hOchLF6p%2BQ%3D%3D",
        "5927782489442352469",
    ],
];

#[test]
fn published_challenges_are_answered_as_published() {
    for [token, key, receiver, query, expected] in PUBLISHED {
        let provider = built_in("wecom").expect("a built-in").provider().expect("compiles");
        let reference = |purpose: Option<&str>, value: &str| KeyRef {
            secret: "s".to_owned(),
            key: "k".to_owned(),
            purpose: purpose.map(str::to_owned),
            not_after: None,
            value: Some(SecretBytes::new(value.as_bytes().to_vec())),
        };
        let keys = [reference(None, token), reference(Some("encoding-aes-key"), key)];
        let parameters = BTreeMap::from([("receiveId".to_owned(), receiver.to_owned())]);
        let given =
            Given { keys: &keys, other_purposes: &[], parameters: &parameters, tolerance: None, external_url: None };
        let (verifier, _) = Verifier::new(&provider.methods[0], &given).expect("a source");
        let draft = Draft {
            method: http::Method::GET,
            path: "/in".to_owned(),
            query: Some(query.to_owned()),
            headers: HeaderMap::new(),
            body: bytes::Bytes::new(),
        };
        let sent = pairs(Some(query));
        let time = sent.iter().find(|(name, _)| name == "timestamp").expect("a time").1.parse().expect("seconds");
        let now = Timestamp::from_second(time).expect("a time");
        assert_eq!(answered(provider, &verifier, &draft, now).as_deref(), Some(expected));
    }
}

fn wrong(yaml: &str) -> Vec<String> {
    let spec: WebhookProviderSpec = serde_saphyr::from_str(yaml).unwrap_or_else(|error| panic!("{error}: {yaml}"));
    match Provider::compile("acme", &spec) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.iter().map(|error| error.path.clone()).collect(),
    }
}

#[test]
fn a_challenge_that_could_be_a_delivery_is_bounded_or_refused() {
    let definition = |content: &str, formats: &str, algorithm: &str, challenge: &str| {
        format!(
            "displayName: Acme
methods: [{{name: m, anyOf: [{{allOf: [{{hmac: {{algorithm: {algorithm}, signature: {{header: X-S}}, content: '{content}'}}}}]}}]}}]
decode: {{formats: [{formats}]}}
handshakes: [{{method: GET, unsigned: true, when: [{{query: c}}], {challenge} respond: {{body: '{{hmac-sha256-hex:query:c}}'}}}}]"
        )
    };
    let at = vec!["spec.handshakes[0].challenge".to_owned()];
    for (content, formats, algorithm, challenge, expected) in [
        ("{body}", "JSON", "SHA256", "", Vec::new()),
        ("{body}", "XML, Multipart", "SHA256", "", Vec::new()),
        ("{body}", "JSON, Form", "SHA256", "", at.clone()),
        ("{body}", "Text", "SHA256", "", at.clone()),
        ("{body}", "Text", "SHA512", "", Vec::new()),
        ("{body}", "Text", "SHA256", "challenge: '[a-f0-9]{20}',", Vec::new()),
        ("{header:X-Id}", "JSON", "SHA256", "", at.clone()),
        ("{header:X-Id}.{pointer:/id}", "JSON", "SHA256", "", at.clone()),
        ("v0:{header:X-Id}", "JSON", "SHA256", "", Vec::new()),
        ("{form:payload}", "Form", "SHA256", "", at),
    ] {
        let yaml = definition(content, formats, algorithm, challenge);
        assert_eq!(wrong(&yaml), expected, "{yaml}");
    }
}

#[test]
fn what_means_nothing_in_a_handshake_is_refused() {
    let definition = |handshake: &str| {
        let digest = "{digest: {algorithm: SHA1, signature: {query: s}, content: '{secret}{query:n}', sorted: true}}";
        let handshake = handshake.replace("DIGEST", &digest[1..digest.len() - 1]);
        format!(
            "displayName: Acme
methods: [{{name: m, anyOf: [{{allOf: [{digest}]}}]}}]
handshakes: [{{method: GET, {handshake}}}]"
        )
    };
    for (handshake, expected) in [
        ("proof: {DIGEST}", None),
        ("unsigned: true, proof: {DIGEST}", Some("proof")),
        ("capture: {header: X-S}, proof: {DIGEST}", Some("proof")),
        ("proof: {optional: true, purpose: p, DIGEST}", Some("proof.optional")),
        ("proof: {none: {}}", Some("proof.none")),
        (
            "proof: {digest: {algorithm: SHA1, signature: {query: s}, content: '{secret}.{query:n}', sorted: true}}",
            Some("proof.digest.content"),
        ),
        ("unsigned: true, respond: {body: '{decrypted:query:e}'}", Some("respond")),
        ("respond: {body: '{decrypted:query:e}'}", Some("respond")),
        ("challenge: '[0-9]+'", Some("challenge")),
        ("challenge: '(', respond: {body: '{hmac-sha1-hex:query:c}'}", Some("challenge")),
    ] {
        let expected: Vec<String> = expected.iter().map(|at| format!("spec.handshakes[0].{at}")).collect();
        assert_eq!(wrong(&definition(handshake)), expected, "{handshake}");
    }
}

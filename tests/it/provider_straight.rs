//! The interpreter agrees with ten schemes written out by hand, whatever is done to header, body and clock.
//!
//! The ten below are what receivers write for these vendors: straight lines, one hash, no data, no shared code.
#![allow(clippy::expect_used, clippy::panic)]

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use hookgate::provider::verify::Verifier;
use jiff::Timestamp;
use proptest::prelude::*;
use sha1::Sha1;
use sha2::Sha256;
use std::sync::LazyLock;

use super::provider_generic::{headers, judge, key, of_provider};

const NOW: i64 = 1_780_000_000;
const SECRET: &str = "a-secret-of-ten";
const URL: &str = "https://hooks.example.com/in";

static ED25519_PAIR: LazyLock<Ed25519KeyPair> = LazyLock::new(|| Ed25519KeyPair::generate().expect("a pair"));

/// A request of one scheme: its headers, in the order in which they are altered, and its body.
type Request = (Vec<(&'static str, String)>, Vec<u8>);

/// The one value of a header.
type Header<'h> = &'h dyn Fn(&str) -> Option<String>;

struct Scheme {
    provider: &'static str,
    method: &'static str,
    sign: fn(i64, &[u8]) -> Request,
    verify: fn(Header<'_>, &[u8]) -> bool,
}

fn sha256(parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

fn hex_of(text: &str) -> Option<Vec<u8>> {
    hex::decode(text).ok().filter(|bytes| !bytes.is_empty())
}

fn fresh(text: &str, seconds: i64) -> bool {
    text.parse::<i64>().is_ok_and(|at| !text.starts_with('+') && (at - NOW).abs() <= seconds)
}

/// `a=1,b=2`: the first of a name, and all of it.
fn all<'t>(text: &'t str, separator: &str, name: &str) -> Vec<&'t str> {
    let prefix = format!("{name}=");
    let parts = text.split(separator).map(str::trim).filter(|part| part.starts_with(&prefix));
    parts.map(|part| &part[prefix.len()..]).collect()
}

const TEN: [Scheme; 10] = [
    Scheme {
        provider: "github",
        method: "signature-256",
        sign: |_, body| {
            (vec![("x-hub-signature-256", format!("sha256={}", hex::encode(sha256(&[body]))))], body.to_vec())
        },
        verify: |header, body| {
            let text = header("x-hub-signature-256").unwrap_or_default();
            text.strip_prefix("sha256=").and_then(hex_of).is_some_and(|tag| tag == sha256(&[body]))
        },
    },
    Scheme {
        provider: "stripe",
        method: "signature",
        sign: |at, body| {
            let tag = hex::encode(sha256(&[at.to_string().as_bytes(), b".", body]));
            (vec![("stripe-signature", format!("t={at},v1={tag}"))], body.to_vec())
        },
        verify: |header, body| {
            let text = header("stripe-signature").unwrap_or_default();
            let Some(at) = all(&text, ",", "t").first().copied() else { return false };
            let tag = sha256(&[at.as_bytes(), b".", body]);
            fresh(at, 300) && all(&text, ",", "v1").into_iter().filter_map(hex_of).any(|found| found == tag)
        },
    },
    Scheme {
        provider: "slack",
        method: "signature",
        sign: |at, body| {
            let tag = hex::encode(sha256(&[b"v0:", at.to_string().as_bytes(), b":", body]));
            let stamp = ("x-slack-request-timestamp", at.to_string());
            (vec![("x-slack-signature", format!("v0={tag}")), stamp], body.to_vec())
        },
        verify: |header, body| {
            let at = header("x-slack-request-timestamp").unwrap_or_default();
            let tag = sha256(&[b"v0:", at.as_bytes(), b":", body]);
            let text = header("x-slack-signature").unwrap_or_default();
            fresh(&at, 300) && text.strip_prefix("v0=").and_then(hex_of).is_some_and(|found| found == tag)
        },
    },
    Scheme {
        provider: "standard-webhooks",
        method: "signature",
        sign: |at, body| {
            let tag = STANDARD.encode(sha256(&[b"msg_1.", at.to_string().as_bytes(), b".", body]));
            let id = ("webhook-id", "msg_1".to_owned());
            (vec![("webhook-signature", format!("v1,{tag}")), ("webhook-timestamp", at.to_string()), id], body.to_vec())
        },
        verify: |header, body| {
            let (Some(id), Some(at)) = (header("webhook-id"), header("webhook-timestamp")) else { return false };
            let tag = sha256(&[id.as_bytes(), b".", at.as_bytes(), b".", body]);
            let text = header("webhook-signature").unwrap_or_default();
            let mut found = text.split(' ').filter_map(|part| STANDARD.decode(part.trim().strip_prefix("v1,")?).ok());
            fresh(&at, 300) && found.any(|found| found == tag)
        },
    },
    Scheme {
        provider: "twilio",
        method: "signature",
        sign: |_, body| {
            let form: Vec<(String, String)> =
                vec![("Body".into(), String::from_utf8_lossy(body).into_owned()), ("A".into(), "1".into())];
            let encoded = form_urlencoded::Serializer::new(String::new()).extend_pairs(&form).finish();
            let media = ("content-type", "application/x-www-form-urlencoded".to_owned());
            (
                vec![("x-twilio-signature", STANDARD.encode(twilio(encoded.as_bytes(), URL))), media],
                encoded.into_bytes(),
            )
        },
        verify: |header, body| {
            let media = header("content-type").unwrap_or_default();
            let essence = media.split(';').next().unwrap_or_default().trim();
            let text = header("x-twilio-signature").unwrap_or_default();
            let found = STANDARD.decode(text).unwrap_or_default();
            let urls = [URL, "https://hooks.example.com:443/in"];
            essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
                && urls.into_iter().any(|url| twilio(body, url) == found)
        },
    },
    Scheme {
        provider: "shopify",
        method: "signature",
        sign: |_, body| (vec![("x-shopify-hmac-sha256", STANDARD.encode(sha256(&[body])))], body.to_vec()),
        verify: |header, body| {
            STANDARD
                .decode(header("x-shopify-hmac-sha256").unwrap_or_default())
                .is_ok_and(|found| found == sha256(&[body]))
        },
    },
    Scheme {
        provider: "pagerduty",
        method: "signature",
        sign: |_, body| {
            (vec![("x-pagerduty-signature", format!("v1={}", hex::encode(sha256(&[body]))))], body.to_vec())
        },
        verify: |header, body| {
            let text = header("x-pagerduty-signature").unwrap_or_default();
            all(&text, ",", "v1").into_iter().filter_map(hex_of).any(|found| found == sha256(&[body]))
        },
    },
    Scheme {
        provider: "paddle",
        method: "signature",
        sign: |at, body| {
            let tag = hex::encode(sha256(&[at.to_string().as_bytes(), b":", body]));
            (vec![("paddle-signature", format!("ts={at};h1={tag}"))], body.to_vec())
        },
        verify: |header, body| {
            let text = header("paddle-signature").unwrap_or_default();
            let Some(at) = all(&text, ";", "ts").first().copied() else { return false };
            let tag = sha256(&[at.as_bytes(), b":", body]);
            fresh(at, 5) && all(&text, ";", "h1").into_iter().filter_map(hex_of).any(|found| found == tag)
        },
    },
    Scheme {
        provider: "gitlab",
        method: "token",
        sign: |_, body| (vec![("x-gitlab-token", SECRET.to_owned())], body.to_vec()),
        verify: |header, _| header("x-gitlab-token").as_deref() == Some(SECRET),
    },
    Scheme {
        provider: "discord",
        method: "signature",
        sign: |at, body| {
            let signed = [at.to_string().as_bytes(), body].concat();
            let signature = hex::encode(ED25519_PAIR.sign(&signed));
            (vec![("x-signature-ed25519", signature), ("x-signature-timestamp", at.to_string())], body.to_vec())
        },
        verify: |header, body| {
            let (Some(at), Some(text)) = (header("x-signature-timestamp"), header("x-signature-ed25519")) else {
                return false;
            };
            let signed = [at.as_bytes(), body].concat();
            let public = UnparsedPublicKey::new(&ED25519, ED25519_PAIR.public_key().as_ref().to_vec());
            hex_of(&text).is_some_and(|found| public.verify(&signed, &found).is_ok())
        },
    },
];

fn twilio(form: &[u8], url: &str) -> Vec<u8> {
    let mut pairs: Vec<(String, String)> = form_urlencoded::parse(form).into_owned().collect();
    pairs.sort();
    pairs.dedup();
    let mut mac = Hmac::<Sha1>::new_from_slice(SECRET.as_bytes()).expect("any length");
    mac.update(url.as_bytes());
    for (name, value) in pairs {
        mac.update(name.as_bytes());
        mac.update(value.as_bytes());
    }
    mac.finalize().into_bytes().to_vec()
}

fn verifier(scheme: &Scheme) -> Verifier {
    let secret = match scheme.provider {
        "standard-webhooks" => STANDARD.encode(SECRET),
        "discord" => hex::encode(ED25519_PAIR.public_key().as_ref()),
        _ => SECRET.to_owned(),
    };
    let url = (scheme.provider == "twilio").then_some(URL);
    of_provider(scheme.provider, scheme.method, &[key(None, secret.as_bytes())], url)
}

/// What happens to a header on its way.
#[derive(Clone, Debug)]
enum Change {
    Nothing,
    Remove,
    Double,
    Replace(usize, char),
    Insert(usize, char),
    Delete(usize),
    Truncate(usize),
    Upper,
    Before(String),
    After(String),
}

fn changes() -> impl Strategy<Value = Change> {
    let letter = prop_oneof![
        prop::char::range('0', '9'),
        prop::char::range('a', 'g'),
        Just(','),
        Just('='),
        Just(' '),
        Just(';'),
        Just('\t'),
        Just('A')
    ];
    let part = prop_oneof![
        Just("v1=00,".to_owned()),
        Just("v0=".to_owned()),
        Just("t=1,".to_owned()),
        Just("ts=1;".to_owned()),
        Just("v1,AAAA ".to_owned()),
        Just(" ".to_owned()),
        Just(",".to_owned()),
        Just(";h1=00".to_owned()),
        Just(",v1=zz".to_owned()),
        Just(" v1a,AAAA".to_owned()),
        "[a-z0-9=,; ]{0,12}",
    ];
    prop_oneof![
        4 => Just(Change::Nothing),
        1 => Just(Change::Remove),
        1 => Just(Change::Double),
        3 => (any::<usize>(), letter.clone()).prop_map(|(at, c)| Change::Replace(at, c)),
        3 => (any::<usize>(), letter).prop_map(|(at, c)| Change::Insert(at, c)),
        2 => any::<usize>().prop_map(Change::Delete),
        1 => any::<usize>().prop_map(Change::Truncate),
        1 => Just(Change::Upper),
        2 => part.clone().prop_map(Change::Before),
        2 => part.prop_map(Change::After),
    ]
}

fn apply(change: &Change, value: &str) -> Vec<String> {
    let mut text: Vec<char> = value.chars().collect();
    let length = text.len().max(1);
    match change {
        Change::Nothing => {}
        Change::Remove => return Vec::new(),
        Change::Double => return vec![value.to_owned(), value.to_owned()],
        Change::Replace(at, c) => text[at % length] = *c,
        Change::Insert(at, c) => text.insert(at % length, *c),
        Change::Delete(at) => drop(text.remove(at % length)),
        Change::Truncate(at) => text.truncate(at % length),
        Change::Upper => text.iter_mut().for_each(|c| *c = c.to_ascii_uppercase()),
        Change::Before(part) => return vec![format!("{part}{value}")],
        Change::After(part) => return vec![format!("{value}{part}")],
    }
    vec![text.into_iter().collect()]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn the_interpreter_agrees_with_ten_schemes_written_by_hand(
        which in 0..TEN.len(),
        body in prop_oneof![prop::collection::vec(any::<u8>(), 0..200), "\\{\"a\":\"[a-z]{0,20}\"\\}".prop_map(String::into_bytes)],
        offset in prop_oneof![Just(0_i64), -310..310_i64, Just(300), Just(-300), Just(301), Just(-301), Just(5), Just(6)],
        change in changes(),
        target in 0..2_usize,
        body_change in prop::option::weighted(0.1, any::<usize>()),
    ) {
        let scheme = &TEN[which];
        let (signed, mut body) = (scheme.sign)(NOW + offset, &body);
        let mut sent: Vec<(&str, String)> = Vec::new();
        for (position, (name, value)) in signed.iter().enumerate() {
            let values = if position == target.min(signed.len() - 1) { apply(&change, value) } else { vec![value.clone()] };
            sent.extend(values.into_iter().map(|value| (*name, value)));
        }
        if let (Some(at), false) = (body_change, body.is_empty()) {
            let at = at % body.len();
            body[at] ^= 1;
        }
        let map = headers(sent.iter().map(|(name, value)| (*name, value.as_str())));
        // As HTTP servers hand it over: a header that must stand once is none when it stands twice, except in lists.
        let list = ["stripe", "pagerduty", "paddle", "standard-webhooks"].contains(&scheme.provider);
        let header = |name: &str| {
            let values: Vec<&String> = sent.iter().filter(|(n, _)| *n == name).map(|(_, value)| value).collect();
            match values[..] {
                [one] => Some(one.clone()),
                [one, _] if list && name.ends_with("signature") && !["stripe", "paddle"].contains(&scheme.provider) => Some(one.clone()),
                _ => None,
            }
        };
        let now = Timestamp::from_second(NOW).expect("a time");
        let (verdict, _) = judge(&verifier(scheme), &map, None, &body, now);
        prop_assert_eq!(verdict.is_ok(), (scheme.verify)(&header, &body), "{}: {:?} {:?}", scheme.provider, sent, verdict);
    }
}

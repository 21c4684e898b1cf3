//! Ways around a proof that schemes as data could leave open, each closed: what is signed must be what is read.
#![allow(clippy::expect_used, clippy::panic)]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use hookgate::provider::verify::Verifier;
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::provider_generic::{headers, judge, key, of_scheme, refused_keys};

const SECRET: &[u8] = b"a-secret";
const URL: &str = "https://hooks.example.com/in";

fn tag(content: &str) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(SECRET).expect("any length");
    hex::encode(mac.chain_update(content).finalize().into_bytes())
}

fn hmac(content: &str) -> Value {
    json!({"algorithm": "SHA256", "signature": {"header": "X-Signature", "encoding": "Hex"}, "content": content})
}

fn accepts(verifier: &Verifier, pairs: &[(&str, &str)], query: Option<&str>, body: &str) -> bool {
    judge(verifier, &headers(pairs.iter().copied()), query, body.as_bytes(), Timestamp::UNIX_EPOCH).0.is_ok()
}

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");
const JSON: (&str, &str) = ("Content-Type", "application/json");

#[test]
fn pairs_of_a_form_never_stand_for_a_body_that_is_none() {
    let verifier = of_scheme(&json!({"hmac": hmac("{pairs-sorted-except:sig}")}), SECRET, None);
    let signed = tag("&a=1&b=2");
    let signature = ("X-Signature", signed.as_str());
    assert!(accepts(&verifier, &[FORM, signature], Some("b=2"), "a=1"));
    assert!(accepts(&verifier, &[signature], Some("a=1&b=2"), ""), "pairs of the query alone");
    assert!(!accepts(&verifier, &[JSON, signature], Some("a=1&b=2"), "{}"), "a body that nothing covers");
    assert!(!accepts(&verifier, &[signature], Some("a=1&b=2"), "x=1"), "a form that does not say so");
    let verifier = of_scheme(&json!({"hmac": hmac("{url-with-form}")}), SECRET, Some(URL));
    let signed = tag(&format!("{URL}?a=1"));
    let signature = ("X-Signature", signed.as_str());
    assert!(accepts(&verifier, &[signature], Some("a=1"), ""));
    assert!(!accepts(&verifier, &[JSON, signature], Some("a=1"), "{}"), "a body that nothing covers");
}

#[test]
fn more_parameters_than_are_read_are_no_parameters_at_all() {
    let many = "a=1&".repeat(1001);
    for content in ["{sorted-query}.{body}", "{pairs-sorted-except:sig}.{body}"] {
        let verifier = of_scheme(&json!({"hmac": hmac(content)}), SECRET, None);
        let signed = tag(".");
        assert!(accepts(&verifier, &[("X-Signature", &signed)], None, ""), "{content}");
        assert!(!accepts(&verifier, &[("X-Signature", &signed)], Some(&many), ""), "{content}");
    }
}

#[test]
fn what_must_be_absent_is_not_absent_when_it_is_there_twice() {
    let absent = |place: &str, name: &str| {
        let scheme = json!({"require": [{place: name, "absent": true}], "hmac": hmac("{body}")});
        of_scheme(&scheme, SECRET, None)
    };
    let of = |body: &str| tag(body);
    let verifier = absent("header", "X-Version");
    let signed = of("{}");
    assert!(accepts(&verifier, &[("X-Signature", &signed)], None, "{}"));
    assert!(!accepts(&verifier, &[("X-Signature", &signed), ("X-Version", "1")], None, "{}"));
    assert!(!accepts(&verifier, &[("X-Signature", &signed), ("X-Version", "1"), ("X-Version", "1")], None, "{}"));
    let verifier = absent("query", "v");
    assert!(accepts(&verifier, &[("X-Signature", &signed)], Some("w=1"), "{}"));
    assert!(!accepts(&verifier, &[("X-Signature", &signed)], Some("v=1&v=2"), "{}"));
    let verifier = absent("form", "v");
    assert!(!accepts(&verifier, &[FORM, ("X-Signature", &of("v=1&v=2"))], None, "v=1&v=2"));
    let verifier = absent("pointer", "/v");
    assert!(accepts(&verifier, &[("X-Signature", &of("{\"v\":null}"))], None, "{\"v\":null}"));
    for there in ["{\"v\":{}}", "{\"v\":[]}", "{\"v\":\"\"}"] {
        assert!(!accepts(&verifier, &[("X-Signature", &of(there))], None, there), "{there}");
    }
}

#[test]
fn a_bound_hash_in_base64_has_letter_case() {
    let mut scheme = hmac("{url}");
    scheme["bindQuery"] = json!({"name": "hash", "encoding": "Base64"});
    let verifier = of_scheme(&json!({"hmac": scheme}), SECRET, Some(URL));
    let body = "a body";
    let right = STANDARD.encode(Sha256::digest(body));
    let query = |hash: &str| form_urlencoded::Serializer::new(String::new()).append_pair("hash", hash).finish();
    let judged = |hash: &str| {
        let query = query(hash);
        let signed = tag(&format!("{URL}?{query}"));
        accepts(&verifier, &[("X-Signature", &signed)], Some(&query), body)
    };
    assert!(judged(&right));
    assert_ne!(right, right.to_ascii_lowercase());
    assert!(!judged(&right.to_ascii_lowercase()));
}

#[test]
fn half_of_basic_is_a_mistake_and_not_no_basic() {
    let schemes = json!([{"hmac": hmac("{body}")}, {"optional": true, "basic": {}}]);
    let (signing, user, password) = (key(None, SECRET), key(Some("username"), b"u"), key(Some("password"), b"p"));
    assert_eq!(refused_keys(&schemes, std::slice::from_ref(&signing)), None);
    assert_eq!(refused_keys(&schemes, &[signing.clone(), user.clone(), password.clone()]), None);
    for (half, other) in [(user, "password"), (password, "username")] {
        let problem = refused_keys(&schemes, &[signing.clone(), half]).expect("a problem");
        assert!(problem.contains(other), "{problem}");
    }
}

#[test]
fn a_signed_member_that_is_there_twice_is_no_signed_member() {
    let verifier = of_scheme(&json!({"hmac": hmac("{pointer:/a}")}), SECRET, None);
    let signed = tag("1");
    assert!(accepts(&verifier, &[("X-Signature", &signed)], None, r#"{"a":1}"#));
    for doubled in [r#"{"a":1,"a":2}"#, r#"{"a":2,"a":1}"#, r#"{"a":1,"\u0061":2}"#] {
        assert!(!accepts(&verifier, &[("X-Signature", &signed)], None, doubled), "{doubled}");
    }
}

#[test]
fn what_is_signed_in_lines_cannot_be_split_otherwise() {
    let verifier = of_scheme(&json!({"hmac": hmac("{lines:Message,Id,Topic}")}), SECRET, None);
    let signed = tag("Message\nhi\nId\nfake\nTopic\nvictim\nId\nreal\nTopic\nattacker\n");
    let body = |message: &str, id: &str, topic: &str| json!({"Message": message, "Id": id, "Topic": topic}).to_string();
    let whole = body("hi\nId\nfake\nTopic\nvictim", "real", "attacker");
    assert!(accepts(&verifier, &[("X-Signature", &signed)], None, &whole), "as its vendor signed it");
    for split in [
        body("hi", "fake", "victim\nId\nreal\nTopic\nattacker"),
        body("hi", "fake\nTopic\nvictim\nId\nreal", "attacker"),
    ] {
        assert!(!accepts(&verifier, &[("X-Signature", &signed)], None, &split), "{split}");
    }
}

#[test]
fn a_secret_that_its_vendor_normalises_signs_in_any_form() {
    let mut scheme = hmac("{body}");
    scheme["keyEncoding"] = json!("NFKD");
    let signed = {
        let mac = Hmac::<Sha256>::new_from_slice("secre\u{301}t-fi".as_bytes()).expect("any length");
        hex::encode(mac.chain_update("{}").finalize().into_bytes())
    };
    for written in ["s\u{65}cr\u{e9}t-\u{fb01}", "secre\u{301}t-fi", "secr\u{e9}t-fi"] {
        let verifier = of_scheme(&json!({"hmac": scheme}), written.as_bytes(), None);
        assert!(accepts(&verifier, &[("X-Signature", &signed)], None, "{}"), "{written}");
    }
}

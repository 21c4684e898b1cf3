//! Tokens that attackers have made before, each against every family of keys: none of them passes.
//!
//! RFC 8725 and the advisories that its rules come from: CVE-2015-9235 (RSA key as HMAC secret), CVE-2022-21449 (empty
//! ECDSA), CVE-2026-25537 (claims of a wrong type).
#![allow(clippy::expect_used, clippy::panic)]

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use hookgate::provider::verify::{Refusal, Verifier};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::Sha256;

use super::provider_generic::{headers, inline, judge};
use super::provider_keys::{Family, Pair};

const NOW: i64 = 1_780_000_000;
const SECRET: &[u8] = b"a-secret-of-the-proof-that-is-long-enough";

fn now() -> Timestamp {
    Timestamp::from_second(NOW).expect("a time")
}

fn hs(secret: &[u8], signed: &str) -> Vec<u8> {
    let mac = Hmac::<Sha256>::new_from_slice(secret).expect("any length");
    mac.chain_update(signed).finalize().into_bytes().to_vec()
}

/// Who signs: the family, its right key, and the scheme that trusts it.
struct Signer {
    family: Family,
    pair: Option<Pair>,
    verifier: Verifier,
}

impl Signer {
    fn new(family: Family) -> Self {
        let pair = family.pair(0);
        let secret = pair.as_ref().map_or(SECRET.to_vec(), |pair| pair.public_pem().into_bytes());
        // Every algorithm is allowed: the key alone decides.
        let scheme = json!({"method": "jwt", "jwt": {
            "algorithms": ["HS256", "RS256", "ES256"], "issuer": "https://issuer.example", "audiences": ["us"]
        }});
        Self { family, pair, verifier: inline(&scheme, &secret, &[]).expect("a key") }
    }

    fn algorithm(&self) -> &'static str {
        match self.family {
            Family::Secret => "HS256",
            Family::Rsa => "RS256",
            Family::Ec => "ES256",
        }
    }

    fn signature(&self, signed: &str) -> Vec<u8> {
        let random = SystemRandom::new();
        let private = self.pair.as_ref().map(|pair| pair.private.as_slice()).unwrap_or_default();
        match self.family {
            Family::Secret => hs(SECRET, signed),
            Family::Rsa => {
                let pair = RsaKeyPair::from_pkcs8(private).expect("a key");
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut signature).expect("signs");
                signature
            }
            Family::Ec => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, private).expect("a key");
                pair.sign(&random, signed.as_bytes()).expect("signs").as_ref().to_vec()
            }
        }
    }

    /// A token whose header and payload are these texts, signed rightly.
    fn token(&self, header: &str, payload: &str) -> String {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(self.signature(&signed)))
    }

    fn header(&self) -> Value {
        json!({"alg": self.algorithm(), "typ": "JWT"})
    }

    fn with_header(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut header = self.header();
        change(&mut header);
        self.token(&header.to_string(), &claims().to_string())
    }

    fn with_claims(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut claims = claims();
        change(&mut claims);
        self.token(&self.header().to_string(), &claims.to_string())
    }

    fn judge(&self, token: &str) -> Result<(), Refusal> {
        judge(&self.verifier, &headers([("Authorization", &*format!("Bearer {token}"))]), None, b"{}", now()).0
    }
}

fn claims() -> Value {
    json!({"iss": "https://issuer.example", "aud": "us", "iat": NOW, "nbf": NOW, "exp": NOW + 300})
}

/// Tokens that must not pass, whatever the family.
fn attacks(signer: &Signer) -> Vec<(String, String)> {
    let mut attacks: Vec<(String, String)> = Vec::new();
    let mut add = |what: &str, token: String| attacks.push((what.to_owned(), token));
    let good = signer.with_claims(|_| ());
    let parts: Vec<&str> = good.split('.').collect();
    let [header, payload, signature] = parts[..] else { panic!("three parts") };
    let alg = |alg: Value| {
        let mut header = signer.header();
        header["alg"] = alg;
        URL_SAFE_NO_PAD.encode(header.to_string())
    };
    for none in ["none", "None", "nOnE", "NONE", "", "none "] {
        add(&format!("alg {none:?}"), format!("{}.{payload}.", alg(json!(none))));
        add(&format!("alg {none:?}, signed"), format!("{}.{payload}.{signature}", alg(json!(none))));
    }
    for wrong in [
        json!(null),
        json!(["HS256"]),
        json!(1),
        json!("HS512"),
        json!("EdDSA"),
        json!(signer.algorithm().to_lowercase()),
    ] {
        add(&format!("alg {wrong}"), format!("{}.{payload}.{signature}", alg(wrong)));
    }
    add("no alg", signer.with_header(|header| drop(header.as_object_mut().expect("an object").remove("alg"))));
    // The public key as an HMAC secret, in every form that an attacker has.
    let known: Vec<(&str, Vec<u8>)> = match &signer.pair {
        None => vec![("an empty key", Vec::new()), ("a zero byte", vec![0])],
        Some(pair) => {
            let pem = pair.public_pem();
            let der = STANDARD.decode(pem.lines().filter(|line| !line.starts_with('-')).collect::<String>());
            vec![
                ("the PEM", pem.clone().into_bytes()),
                ("the PEM without its last line break", pem.trim_end().as_bytes().to_vec()),
                ("the DER", der.expect("base64")),
                ("an empty key", Vec::new()),
            ]
        }
    };
    for (what, key) in known {
        let signed = format!("{}.{payload}", alg(json!("HS256")));
        add(&format!("HS256 with {what}"), format!("{signed}.{}", URL_SAFE_NO_PAD.encode(hs(&key, &signed))));
    }
    for other in ["HS256", "RS256", "ES256"].into_iter().filter(|other| *other != signer.algorithm()) {
        add(&format!("named {other}, signed with ours"), signer.with_header(|header| header["alg"] = json!(other)));
    }
    // Signatures.
    for (what, bytes) in [
        ("of zeros", vec![0; 64]),
        ("of 32 zeros", vec![0; 32]),
        ("of one byte", vec![1]),
        ("in DER", hex::decode("3006020100020100").expect("hex")),
        ("of another message", signer.signature("other")),
        ("doubled", [signer.signature(&format!("{header}.{payload}")), vec![0]].concat()),
    ] {
        add(&format!("a signature {what}"), format!("{header}.{payload}.{}", URL_SAFE_NO_PAD.encode(bytes)));
    }
    add("a shortened signature", format!("{header}.{payload}.{}", &signature[..signature.len() - 4]));
    let raw = URL_SAFE_NO_PAD.decode(signature).expect("base64");
    add("a padded signature", format!("{header}.{payload}.{}=", URL_SAFE.encode(&raw).trim_end_matches('=')));
    add("white space in it", format!("{header}.{payload}.{} {}", &signature[..4], &signature[4..]));
    // Parts.
    add("no signature", format!("{header}.{payload}."));
    add("two parts", format!("{header}.{payload}"));
    add("four parts", format!("{good}.{signature}"));
    add("five parts", format!("{header}.{payload}.{signature}.{signature}.{signature}"));
    add("padding in the header", format!("{header}=.{payload}.{signature}"));
    add("a JSON serialisation", json!({"payload": payload, "protected": header, "signature": signature}).to_string());
    add("a token of 32 KiB", signer.with_claims(|claims| claims["much"] = json!("x".repeat(32 << 10))));
    add("an empty payload", signer.token(&signer.header().to_string(), ""));
    add("a payload that is a list", signer.token(&signer.header().to_string(), "[]"));
    add("a payload that is a text", signer.token(&signer.header().to_string(), "\"x\""));
    add(
        "a header with a byte order mark",
        signer.token(&format!("\u{feff}{}", signer.header()), &claims().to_string()),
    );
    // Headers that bring or point to keys, or change the reading.
    for (name, value) in [
        ("jku", json!("https://evil.example/keys")),
        ("x5u", json!("https://evil.example/cert")),
        ("x5c", json!(["MIIB"])),
        ("jwk", json!({"kty": "oct", "k": "AA"})),
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
        ("enc", json!("A128GCM")),
        ("kid", json!("k".repeat(10_000))),
        ("kid", json!(["a"])),
        ("kid", json!(7)),
    ] {
        add(
            &format!("header {name} {}", value.to_string().chars().take(40).collect::<String>()),
            signer.with_header(|header| header[name] = value),
        );
    }
    let doubled = format!("{{\"alg\":\"none\",\"alg\":\"{}\"}}", signer.algorithm());
    add("alg twice in the header", signer.token(&doubled, &claims().to_string()));
    let text = claims().to_string();
    let doubled = format!("{{\"exp\":{},{}", NOW + 300, &text[1..]);
    add("exp twice", signer.token(&signer.header().to_string(), &doubled));
    let escaped = format!("{{\"\\u0065xp\":{},{}", NOW + 300, &text[1..]);
    add("exp twice, once escaped", signer.token(&signer.header().to_string(), &escaped));
    // Claims.
    for wrong in [
        json!("9999999999"),
        json!(null),
        json!(true),
        json!(-1),
        json!([NOW + 300]),
        json!({}),
        json!(NOW - 61),
        json!(0),
        json!(NOW + 90_000),
        json!(1e300),
    ] {
        add(&format!("exp {wrong}"), signer.with_claims(|claims| claims["exp"] = wrong));
    }
    let huge = text.replace(&format!("\"exp\":{}", NOW + 300), "\"exp\":1e400");
    assert_ne!(huge, text);
    add("exp 1e400", signer.token(&signer.header().to_string(), &huge));
    add("no exp", signer.with_claims(|claims| drop(claims.as_object_mut().expect("an object").remove("exp"))));
    for name in ["nbf", "iat"] {
        for wrong in [json!("0"), json!(null), json!(false), json!([]), json!(NOW + 61), json!(1e300), json!(-5)] {
            add(&format!("{name} {wrong}"), signer.with_claims(|claims| claims[name] = wrong));
        }
    }
    for wrong in [
        json!("them"),
        json!(["them"]),
        json!([]),
        json!(1),
        json!(null),
        json!({"us": true}),
        json!("US"),
        json!("us "),
        json!(["us", "them"].join(" ")),
    ] {
        add(&format!("aud {wrong}"), signer.with_claims(|claims| claims["aud"] = wrong));
    }
    add("no aud", signer.with_claims(|claims| drop(claims.as_object_mut().expect("an object").remove("aud"))));
    for wrong in [
        json!("https://issuer.example/"),
        json!("https://Issuer.example"),
        json!("https://\u{456}ssuer.example"),
        json!(["https://issuer.example"]),
        json!(null),
    ] {
        add(&format!("iss {wrong}"), signer.with_claims(|claims| claims["iss"] = wrong));
    }
    attacks
}

#[test]
fn no_token_of_the_known_attacks_passes() {
    let mut tokens = 0;
    for family in [Family::Secret, Family::Rsa, Family::Ec] {
        let signer = Signer::new(family);
        assert_eq!(signer.judge(&signer.with_claims(|_| ())), Ok(()), "{family:?}: a good token");
        assert_eq!(signer.judge(&signer.with_header(|header| header["kid"] = json!("any"))), Ok(()), "{family:?}: kid");
        let listed = signer.with_claims(|claims| claims["aud"] = json!(["them", "us"]));
        assert_eq!(signer.judge(&listed), Ok(()), "{family:?}: an audience among others");
        for (what, token) in attacks(&signer) {
            // A header cannot carry line breaks or text that is no ASCII; what can is judged.
            let verdict = signer.judge(&token);
            assert!(verdict.is_err(), "{family:?}: {what} passes");
            tokens += 1;
        }
    }
    assert!(tokens >= 200, "only {tokens} tokens");
}

#[test]
fn a_token_is_held_to_its_place_and_to_one_header() {
    let signer = Signer::new(Family::Secret);
    let token = signer.with_claims(|_| ());
    let at = |pairs: &[(&str, &str)], query: Option<&str>, body: &str| {
        judge(&signer.verifier, &headers(pairs.iter().copied()), query, body.as_bytes(), now()).0
    };
    let bearer = format!("Bearer {token}");
    assert_eq!(at(&[("Authorization", &bearer)], None, "{}"), Ok(()));
    assert_eq!(at(&[("Authorization", &format!("bearer {token}"))], None, "{}"), Ok(()), "schemes have no case");
    for (what, pairs) in [
        ("twice", vec![("Authorization", bearer.as_str()), ("Authorization", bearer.as_str())]),
        ("bare", vec![("Authorization", token.as_str())]),
        ("in another header", vec![("X-Authorization", bearer.as_str())]),
        ("in a cookie", vec![("Cookie", token.as_str())]),
        ("not at all", vec![]),
    ] {
        assert!(at(&pairs, None, "{}").is_err(), "a token {what}");
    }
    assert!(at(&[], Some(&format!("access_token={token}")), &token).is_err(), "a token in query and body");
}

#[test]
fn a_public_key_never_becomes_a_shared_secret_by_the_way_it_is_stored() {
    let pair = Family::Rsa.pair(0).expect("a pair");
    let scheme = json!({"method": "jwt", "jwt": {"algorithms": ["HS256", "RS256"]}});
    for stored in [
        pair.public_pem(),
        format!("\n{}", pair.public_pem()),
        format!("  \r\n{}", pair.public_pem()),
        format!("\u{feff}{}", pair.public_pem()),
        format!("# the key of our vendor\n{}", pair.public_pem()),
        pair.public_pem().lines().filter(|line| !line.starts_with('-')).collect::<Vec<_>>().join("\n"),
        "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQ vendor".to_owned(),
    ] {
        let Ok(verifier) = inline(&scheme, stored.as_bytes(), &[]) else { continue };
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#),
            URL_SAFE_NO_PAD.encode(json!({"exp": NOW + 60}).to_string())
        );
        let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(hs(stored.as_bytes(), &signed)));
        let map = headers([("Authorization", &*format!("Bearer {token}"))]);
        let (verdict, matched) = judge(&verifier, &map, None, b"{}", now());
        assert!(verdict.is_err() && !matched, "{stored:?} served as an HMAC secret");
    }
}

#[test]
fn a_token_that_comes_again_is_judged_again_in_all_but_its_signature() {
    for family in [Family::Secret, Family::Rsa, Family::Ec] {
        let signer = Signer::new(family);
        let token = signer.token(&signer.header().to_string(), &claims().to_string());
        let at = |verifier: &Verifier, token: &str, seconds: i64| {
            let now = Timestamp::from_second(NOW + seconds).expect("a time");
            judge(verifier, &headers([("Authorization", &*format!("Bearer {token}"))]), None, b"{}", now).0
        };
        for _ in 0..3 {
            assert_eq!(at(&signer.verifier, &token, 0), Ok(()));
        }
        assert_eq!(at(&signer.verifier, &token, 300 + 61), Err(Refusal::Stale), "its end has come");
        assert_eq!(at(&signer.verifier, &token, -120), Err(Refusal::Stale), "and it had not begun");
        let (signed, signature) = token.rsplit_once('.').expect("a token");
        let mut bytes = URL_SAFE_NO_PAD.decode(signature).expect("Base64");
        bytes[5] ^= 1;
        let altered = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(bytes));
        assert_eq!(at(&signer.verifier, &altered, 0), Err(Refusal::BadSignature));
        let other = Signer::new(family);
        if let Some(pair) = family.pair(1) {
            let scheme = json!({"method": "jwt", "jwt": {"algorithms": ["RS256", "ES256"]}});
            let verifier = inline(&scheme, pair.public_pem().as_bytes(), &[]).expect("a key");
            assert_eq!(at(&verifier, &token, 0), Err(Refusal::BadSignature), "another key knows nothing of it");
        }
        // Many others later it is still itself.
        for n in 0..40 {
            let next = other.with_claims(|claims| claims["jti"] = json!(n));
            assert_eq!(at(&other.verifier, &next, 0), Ok(()));
        }
        assert_eq!(at(&other.verifier, &token, 0), Ok(()));
    }
}

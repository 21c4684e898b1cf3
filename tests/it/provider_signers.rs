//! Signers written by hand, for methods that `send` cannot run backwards: the proof stands inside the body, or the
//! hash is too weak to be offered. They share no code with the interpreter.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use hookgate::api::provider::{BodyFormat, WebhookProviderSpec};
use hookgate::api::scheme::{
    Encoding, HashAlgorithm, Hmac as Written, KeyEncoding, PublicKey, PublicKeyAlgorithm, Scheme, Signature, Timestamp,
};
use hookgate::provider::verify::sign::Draft;
use num_bigint::BigUint;
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use super::provider_keys::Keys;

/// The methods that need a signer of this file. A method that neither `send` nor this list can sign fails the matrix.
pub const BY_HAND: &[(&str, &str)] = &[
    ("adyen", "item-hmac"),
    ("aws-sns", "signature"),
    ("coinbase-cdp", "signature"),
    ("contentful", "signature"),
    ("dropbox-sign", "signature"),
    ("hygraph", "signature"),
    ("lark", "token"),
    ("mailgun", "parent-signature"),
    ("mailgun", "signature"),
    ("microsoft-graph", "client-state"),
    ("travis-ci", "signature"),
    ("vonage-sms", "sha1"),
    ("vonage-sms", "sha256"),
    ("vonage-sms", "sha512"),
];

/// Methods whose header says which parts were signed: written as their vendors write them.
pub fn sign_header(provider: &str, draft: &mut Draft, keys: &Keys, now: jiff::Timestamp) -> Option<()> {
    let secret = keys.secret(None);
    let mac = |parts: &[&[u8]]| {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("any length");
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes()
    };
    let (name, value) = match provider {
        "coinbase-cdp" => {
            draft.headers.insert("x-event-id", "event-1".parse().ok()?);
            draft.headers.insert("x-event-type", "wallet.activity".parse().ok()?);
            let at = now.as_second();
            let signed = format!("{at}.x-event-id x-event-type.event-1.wallet.activity.");
            let tag = hex::encode(mac(&[signed.as_bytes(), &draft.body]));
            ("x-hook0-signature", format!("t={at},h=x-event-id x-event-type,v1={tag}"))
        }
        "contentful" => {
            let at = now.as_millisecond().to_string();
            let list = "x-contentful-signed-headers,x-contentful-timestamp";
            draft.headers.insert("x-contentful-timestamp", at.parse().ok()?);
            draft.headers.insert("x-contentful-signed-headers", list.parse().ok()?);
            let lines = format!("x-contentful-signed-headers:{list};x-contentful-timestamp:{at}");
            let signed = format!("{}\n{}\n{lines}\n", draft.method, draft.path);
            ("x-contentful-signature", hex::encode(mac(&[signed.as_bytes(), &draft.body])))
        }
        "hygraph" => {
            let (at, body) = (now.as_millisecond(), std::str::from_utf8(&draft.body).ok()?);
            let signed = format!("{{\"Body\":{},\"EnvironmentName\":\"master\",\"TimeStamp\":{at}}}", json!(body));
            let tag = STANDARD.encode(mac(&[signed.as_bytes()]));
            ("gcms-signature", format!("sign={tag}, env=master, t={at}"))
        }
        _ => return None,
    };
    draft.headers.insert(name, value.parse().ok()?);
    Some(())
}

/// Signs a draft with one scheme; `None` where this scheme cannot be signed here either.
pub fn sign(scheme: &Scheme, spec: &WebhookProviderSpec, draft: &mut Draft, keys: &Keys) -> Option<()> {
    let mut carrier = Carrier::of(spec, draft)?;
    if let Some(each) = &scheme.each {
        let Carrier::Json { document, .. } = &mut carrier else { return None };
        let items = document.pointer_mut(&each.pointer)?.as_array_mut()?;
        for item in items {
            let inner = match &each.item {
                Some(pointer) => item.pointer_mut(pointer)?,
                None => item,
            };
            one(scheme, inner, &[], keys)?.store_json(inner);
        }
    } else {
        let mut none = json!({});
        let mut no_pairs = Vec::new();
        let (document, pairs) = match &mut carrier {
            Carrier::Json { document, .. } => (document, &mut no_pairs),
            Carrier::Pairs(pairs) => (&mut none, pairs),
        };
        let query = draft.query.clone().unwrap_or_default();
        let both: Vec<_> = pairs.iter().cloned().chain(form_urlencoded::parse(query.as_bytes()).into_owned()).collect();
        let proof = one(scheme, document, &both, keys)?;
        match proof.place {
            Place::Pointer(_) => proof.store_json(document),
            Place::Form(name) => pairs.push((name, proof.value)),
            Place::Query(name) => {
                let pair = form_urlencoded::Serializer::new(String::new()).append_pair(&name, &proof.value).finish();
                draft.query = Some(draft.query.take().map_or(pair.clone(), |query| format!("{query}&{pair}")));
            }
            Place::Header(name) => {
                draft.headers.insert(http::HeaderName::try_from(name).ok()?, proof.value.parse().ok()?);
            }
        }
    }
    carrier.store(draft);
    Some(())
}

/// Where the parts stand that are signed.
enum Carrier {
    Json { document: Value, around: Option<(Vec<u8>, Vec<u8>)>, field: Option<(String, Vec<(String, String)>)> },
    Pairs(Vec<(String, String)>),
}

impl Carrier {
    fn of(spec: &WebhookProviderSpec, draft: &Draft) -> Option<Self> {
        let decode = spec.decode.clone().unwrap_or_default();
        let media = draft.headers.get("content-type").and_then(|v| v.to_str().ok()).unwrap_or_default();
        if media.starts_with("application/x-www-form-urlencoded") {
            let mut pairs: Vec<(String, String)> = form_urlencoded::parse(&draft.body).into_owned().collect();
            return Some(match decode.field {
                Some(field) if !travis(spec) => {
                    let at = pairs.iter().position(|(name, _)| *name == field)?;
                    let document = serde_json::from_str(&pairs.remove(at).1).ok()?;
                    Self::Json { document, around: None, field: Some((field, pairs)) }
                }
                _ => Self::Pairs(pairs),
            });
        }
        if decode.formats.first() == Some(&BodyFormat::Multipart) {
            let text = std::str::from_utf8(&draft.body).ok()?;
            let start = text.find("\r\n\r\n")? + 4;
            let end = start + text[start..].find("\r\n--")?;
            let document = serde_json::from_str(&text[start..end]).ok()?;
            let around = (text.as_bytes()[..start].to_vec(), text.as_bytes()[end..].to_vec());
            return Some(Self::Json { document, around: Some(around), field: None });
        }
        let document = serde_json::from_slice(&draft.body).ok()?;
        Some(Self::Json { document, around: None, field: None })
    }

    fn store(self, draft: &mut Draft) {
        let form = |pairs: &[(String, String)]| {
            Bytes::from(form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish())
        };
        draft.body = match self {
            Self::Pairs(pairs) => form(&pairs),
            Self::Json { document, field: Some((name, mut pairs)), .. } => {
                pairs.push((name, document.to_string()));
                form(&pairs)
            }
            Self::Json { document, around: Some((before, after)), .. } => {
                [before, document.to_string().into_bytes(), after].concat().into()
            }
            Self::Json { document, .. } => document.to_string().into(),
        };
    }
}

/// The form field itself is what is signed.
fn travis(spec: &WebhookProviderSpec) -> bool {
    let schemes = spec.methods.iter().flat_map(|method| &method.any_of).flat_map(|all| &all.all_of);
    schemes.filter_map(|scheme| scheme.public_key.as_ref()).any(|public| public.content.contains("{form:"))
}

enum Place {
    Header(String),
    Query(String),
    Pointer(String),
    Form(String),
}

struct Proof {
    place: Place,
    value: String,
}

impl Proof {
    fn store_json(&self, document: &mut Value) {
        let Place::Pointer(pointer) = &self.place else { return };
        let mut at = document;
        let names: Vec<&str> = pointer[1..].split('/').collect();
        for name in &names {
            if !at.is_object() {
                *at = json!({});
            }
            at = at.as_object_mut().expect("an object").entry((*name).to_owned()).or_insert_with(|| json!({}));
        }
        *at = json!(self.value);
    }
}

fn place(header: Option<&String>, query: Option<&String>, pointer: Option<&String>, form: Option<&String>) -> Place {
    match (header, query, pointer, form) {
        (Some(name), ..) => Place::Header(name.clone()),
        (_, Some(name), ..) => Place::Query(name.clone()),
        (_, _, Some(pointer), _) => Place::Pointer(pointer.clone()),
        (_, _, _, Some(name)) => Place::Form(name.clone()),
        _ => unreachable!("a proof stands somewhere"),
    }
}

fn one(scheme: &Scheme, document: &Value, pairs: &[(String, String)], keys: &Keys) -> Option<Proof> {
    let secret = keys.secret(scheme.purpose.as_deref());
    if let Some(token) = &scheme.token {
        let prefix = token.prefix.as_deref().unwrap_or_default();
        let value = format!("{prefix}{}", std::str::from_utf8(secret).ok()?);
        let place = place(token.header.as_ref(), token.query.as_ref(), token.pointer.as_ref(), token.form.as_ref());
        return Some(Proof { place, value });
    }
    let (signature, content, timestamp) = match (&scheme.hmac, &scheme.public_key) {
        (Some(Written { signature, content, timestamp, .. }), _) => (signature, content, timestamp),
        (_, Some(PublicKey { signature, content, timestamp, .. })) => (signature, content, timestamp),
        _ => return None,
    };
    let content = fill(content, timestamp.as_ref(), document, pairs)?;
    let bytes = match (&scheme.hmac, &scheme.public_key) {
        (Some(hmac), _) => tag(hmac, secret, &content)?,
        (_, Some(public)) => rsa(public.algorithm, &keys.pair.as_ref()?.private, &content)?,
        _ => return None,
    };
    Some(Proof { place: signature_place(signature), value: encode(signature, &bytes) })
}

fn signature_place(signature: &Signature) -> Place {
    place(signature.header.as_ref(), signature.query.as_ref(), signature.pointer.as_ref(), signature.form.as_ref())
}

fn encode(signature: &Signature, bytes: &[u8]) -> String {
    let text = match signature.encoding {
        Encoding::Hex => hex::encode(bytes),
        Encoding::Base64 => STANDARD.encode(bytes),
        Encoding::Base64URL => base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes),
    };
    format!("{}{text}", signature.prefix.as_deref().unwrap_or_default())
}

/// What is signed, of the variables that stand for fields.
fn fill(
    template: &str,
    timestamp: Option<&Timestamp>,
    document: &Value,
    pairs: &[(String, String)],
) -> Option<Vec<u8>> {
    let field = |name: &str| pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
    let text = |pointer: &str| match document.pointer(pointer) {
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Null | Value::Object(_) | Value::Array(_)) | None => None,
        Some(other) => Some(other.to_string()),
    };
    let mut out = String::new();
    let mut rest = template;
    while let Some((literal, after)) = rest.split_once('{') {
        out.push_str(literal);
        let (variable, after) = after.split_once('}')?;
        rest = after;
        match variable.split_once(':').unwrap_or((variable, "")) {
            ("timestamp", _) => {
                let at = timestamp?;
                out.push_str(&at.pointer.as_deref().and_then(text).or_else(|| field(at.form.as_deref()?))?);
            }
            ("pointer", pointer) => out.push_str(&text(pointer)?),
            ("pointer-optional", pointer) => out.push_str(&text(pointer).unwrap_or_default()),
            ("lines", names) => {
                for name in names.split(',') {
                    out.push_str(&format!("{name}\n{}\n", text(&format!("/{name}"))?));
                }
            }
            ("form", name) => out.push_str(&field(name)?),
            ("pairs-sorted-except", _) => {
                let mut sorted = pairs.to_vec();
                sorted.sort();
                for (name, value) in sorted {
                    out.push_str(&format!("&{name}={}", value.replace(['&', '='], "_")));
                }
            }
            _ => return None,
        }
    }
    out.push_str(rest);
    Some(out.into_bytes())
}

fn tag(hmac: &Written, secret: &[u8], content: &[u8]) -> Option<Vec<u8>> {
    let key = match hmac.key_encoding.unwrap_or_default() {
        KeyEncoding::UTF8 => secret.to_vec(),
        KeyEncoding::NFKD | KeyEncoding::SHA1 => return None,
        KeyEncoding::Hex => hex::decode(secret).ok()?,
        KeyEncoding::Base64 => STANDARD.decode(secret).ok()?,
    };
    Some(match hmac.algorithm {
        HashAlgorithm::SHA1 => {
            Hmac::<Sha1>::new_from_slice(&key).ok()?.chain_update(content).finalize().into_bytes().to_vec()
        }
        HashAlgorithm::SHA256 => {
            Hmac::<Sha256>::new_from_slice(&key).ok()?.chain_update(content).finalize().into_bytes().to_vec()
        }
        HashAlgorithm::SHA512 => {
            Hmac::<Sha512>::new_from_slice(&key).ok()?.chain_update(content).finalize().into_bytes().to_vec()
        }
    })
}

/// RSASSA-PKCS1-v1_5 (RFC 8017, section 8.2.1) by hand: the library makes no signatures with SHA-1.
pub fn rsa(algorithm: PublicKeyAlgorithm, pkcs8: &[u8], content: &[u8]) -> Option<Vec<u8>> {
    let info = match algorithm {
        PublicKeyAlgorithm::RsaSha1 => {
            [&hex::decode("3021300906052b0e03021a05000414").ok()?[..], &Sha1::digest(content)].concat()
        }
        PublicKeyAlgorithm::RsaSha256 => {
            [&hex::decode("3031300d060960864801650304020105000420").ok()?[..], &Sha256::digest(content)].concat()
        }
        _ => return None,
    };
    // PrivateKeyInfo { version, algorithm, OCTET STRING { RSAPrivateKey { version, n, e, d, … } } }
    let key: Vec<&[u8]> = elements(elements(elements(pkcs8)?.first()?)?.get(2)?)?;
    let numbers = elements(key.first()?)?;
    let (n, d) = (BigUint::from_bytes_be(numbers.get(1)?), BigUint::from_bytes_be(numbers.get(3)?));
    let size = usize::try_from(n.bits().div_ceil(8)).ok()?;
    let mut message = vec![0xff; size];
    (message[0], message[1]) = (0, 1);
    message[size - info.len() - 1] = 0;
    message[size - info.len()..].copy_from_slice(&info);
    let signature = BigUint::from_bytes_be(&message).modpow(&d, &n).to_bytes_be();
    Some([vec![0; size - signature.len()], signature].concat())
}

/// The contents of the DER elements that stand in a row (X.690).
fn elements(mut der: &[u8]) -> Option<Vec<&[u8]>> {
    let mut found = Vec::new();
    while !der.is_empty() {
        let length = usize::from(*der.get(1)?);
        let (length, start) = match length {
            0..=0x7f => (length, 2),
            _ => {
                let many = length & 0x7f;
                (der.get(2..2 + many)?.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), 2 + many)
            }
        };
        found.push(der.get(start..start + length)?);
        der = &der[start + length..];
    }
    Some(found)
}

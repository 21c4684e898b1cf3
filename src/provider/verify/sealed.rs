//! Bodies that arrive encrypted (AES-256-CBC, PKCS #7): opened after the proof, and before anything of them is read.
//!
//! Whatever is wrong with one is one refusal: which byte of a padding does not fit is nobody's business.

use std::sync::Arc;

use aws_lc_rs::cipher::{
    AES_256, DecryptingKey, DecryptionContext, EncryptingKey, EncryptionContext, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::bind::{Given, UnfitKey};
use super::keys::{Key, Material};
use super::refusal::Refusal;
use crate::api::provider::Decrypt;
use crate::json::{self, Pointers, parse_pointer};
use crate::provider::Coverage;
use crate::secret::SecretBytes;

/// The length of a block, and of what stands before the first one.
const BLOCK: usize = 16;

/// A key.
pub(crate) type CipherKey = Arc<Zeroizing<[u8; 32]>>;

/// A compiled `decrypt` block.
#[derive(Debug)]
pub struct Sealed {
    /// Which secretRefs hold its keys.
    pub purpose: Option<String>,
    pointer: String,
    /// The name of the member, which stands at the top.
    member: String,
    at: Pointers,
}

/// It, with a source's keys.
#[derive(Debug)]
pub(super) struct Opener {
    sealed: Arc<Sealed>,
    keys: Vec<Key>,
}

/// The key that a secret stands for.
fn key(secret: &SecretBytes) -> CipherKey {
    Arc::new(Zeroizing::new(Sha256::digest(secret.expose()).into()))
}

impl Sealed {
    /// Compiles the block.
    ///
    /// # Errors
    /// A sentence that names what is wrong.
    pub fn compile(written: &Decrypt) -> Result<Self, String> {
        let at = Pointers::compile([&written.pointer]).map_err(|error| error.to_string())?;
        let names = parse_pointer(&written.pointer).map_err(|error| error.to_string())?;
        let [member] = names.as_slice() else {
            return Err(format!("{:?} must lead to a member of the body itself", written.pointer));
        };
        Ok(Self { purpose: written.purpose.clone(), pointer: written.pointer.clone(), member: member.clone(), at })
    }

    /// Encrypts a body as its vendor does. `None` where there is no randomness to be had.
    pub fn seal(&self, secret: &SecretBytes, body: &[u8]) -> Option<Vec<u8>> {
        let padding = BLOCK - body.len() % BLOCK;
        let mut text = [body, &vec![u8::try_from(padding).ok()?; padding]].concat();
        let mut first = [0; BLOCK];
        rand::fill(&mut first).ok()?;
        let unbound = UnboundCipherKey::new(&AES_256, key(secret).as_slice()).ok()?;
        let context = EncryptionContext::Iv128(FixedLength::from(first));
        EncryptingKey::cbc(unbound).ok()?.less_safe_encrypt(&mut text, context).ok()?;
        let member = Value::String(STANDARD.encode([&first[..], &text].concat()));
        Some(Value::Object(Map::from_iter([(self.member.clone(), member)])).to_string().into_bytes())
    }
}

/// What the body holds, under that key.
fn opened(key: &CipherKey, sealed: &[u8]) -> Option<Bytes> {
    let (first, text) = sealed.split_first_chunk::<BLOCK>()?;
    if text.is_empty() || text.len() % BLOCK != 0 {
        return None;
    }
    let mut text = text.to_vec();
    let unbound = UnboundCipherKey::new(&AES_256, key.as_slice()).ok()?;
    let context = DecryptionContext::Iv128(FixedLength::from(*first));
    DecryptingKey::cbc(unbound).ok()?.decrypt(&mut text, context).ok()?;
    let length = unpadded(&text)?;
    text.truncate(length);
    Some(text.into())
}

/// How long a text is without its padding; `None` where it has none. Looks at all bytes of the last block.
fn unpadded(text: &[u8]) -> Option<usize> {
    let last = text.last_chunk::<BLOCK>()?;
    let padding = last[BLOCK - 1];
    let mut wrong = u8::from(padding == 0) | u8::from(usize::from(padding) > BLOCK);
    for (behind, byte) in last.iter().rev().enumerate() {
        wrong |= u8::from(behind < usize::from(padding)) & u8::from(*byte != padding);
    }
    (wrong == 0).then(|| text.len() - usize::from(padding))
}

impl Opener {
    /// Joins the block with a source's keys; those that do not fit are told.
    pub(super) fn new(sealed: &Arc<Sealed>, given: &Given<'_>, unfit: &mut Vec<UnfitKey>) -> Self {
        let mut keys = Vec::new();
        for reference in given.keys.iter().filter(|key| key.purpose == sealed.purpose) {
            match &reference.value {
                Some(value) if value.is_empty() => {
                    unfit.push(UnfitKey { label: reference.label(), reason: "is empty".to_owned() });
                }
                Some(value) => keys.push(Key {
                    label: reference.label(),
                    not_after: reference.not_after,
                    material: Material::Cipher(key(value)),
                }),
                None => {}
            }
        }
        Self { sealed: sealed.clone(), keys }
    }

    /// Whether some key counts at that instant.
    pub(super) fn live(&self, now: Timestamp) -> bool {
        self.keys.iter().any(|key| key.live(now))
    }

    /// The body that the body holds; `None` where it is not encrypted at all.
    ///
    /// # Errors
    /// `Sealed` where no live key opens it, whatever the cause.
    pub(super) fn open(&self, body: &[u8], now: Timestamp) -> Result<Option<Bytes>, Refusal> {
        let captured = self.sealed.at.capture_unique(body).map_err(|_| Refusal::Sealed)?;
        let Some(member) = captured.get(0) else { return Ok(None) };
        let text = json::string_text(member).ok_or(Refusal::Sealed)?;
        let bytes = STANDARD.decode(text.as_bytes()).map_err(|_| Refusal::Sealed)?;
        let live = self.keys.iter().filter(|key| key.live(now));
        let mut opened = live.filter_map(|key| match &key.material {
            // What does not begin as JSON was padded by chance: another key may fit.
            Material::Cipher(key) => opened(key, &bytes).filter(|text| json::validate(text).is_ok()),
            _ => None,
        });
        opened.next().map(Some).ok_or(Refusal::Sealed)
    }

    /// What the proof covers of the body that was opened: what covers the ciphertext covers all of it.
    pub(super) fn coverage(&self, coverage: &Arc<Coverage>) -> Arc<Coverage> {
        if coverage.body || !coverage.pointers.contains(&self.sealed.pointer) {
            return coverage.clone();
        }
        Arc::new(Coverage { body: true, ..(**coverage).clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::verify::keys::KeyRef;

    fn opener(secrets: &[&str]) -> Opener {
        let written = Decrypt { pointer: "/encrypt".into(), ..Decrypt::default() };
        let keys: Vec<KeyRef> = secrets
            .iter()
            .map(|secret| KeyRef {
                secret: "s".into(),
                key: "k".into(),
                purpose: None,
                not_after: None,
                value: Some(SecretBytes::new(secret.as_bytes().to_vec())),
            })
            .collect();
        let none = std::collections::BTreeMap::new();
        let given = Given { keys: &keys, other_purposes: &[], parameters: &none, tolerance: None, external_url: None };
        Opener::new(&Arc::new(Sealed::compile(&written).unwrap()), &given, &mut Vec::new())
    }

    #[test]
    fn the_published_example_is_opened() {
        // Encrypt Key configuration example of the vendor's documentation.
        let bytes = STANDARD.decode("P37w+VZImNgPEO1RBhJ6RtKl7n6zymIbEG1pReEzghk=").unwrap();
        let key = key(&SecretBytes::new(b"test key".to_vec()));
        assert_eq!(opened(&key, &bytes).unwrap(), "hello world");
    }

    #[test]
    fn what_is_sealed_is_opened_by_its_key_and_no_other_and_every_change_is_one_refusal() {
        let secret = SecretBytes::new(b"ours".to_vec());
        let both = opener(&["theirs", "ours"]);
        for length in 0..40 {
            let body = format!("\"{}\"", "a".repeat(length));
            let sealed = both.sealed.seal(&secret, body.as_bytes()).unwrap();
            assert_eq!(both.open(&sealed, Timestamp::UNIX_EPOCH).unwrap().unwrap(), body);
            assert_eq!(opener(&["theirs"]).open(&sealed, Timestamp::UNIX_EPOCH), Err(Refusal::Sealed));
        }
        let bytes = |text: &[u8]| format!("{{\"encrypt\":\"{}\"}}", STANDARD.encode(text));
        for wrong in [
            bytes(b""),
            bytes(&[0; 16]),
            bytes(&[0; 31]),
            bytes(&[0; 48]),
            "{\"encrypt\":\"*\"}".into(),
            "{\"encrypt\":1}".into(),
            "{".into(),
        ] {
            assert_eq!(both.open(wrong.as_bytes(), Timestamp::UNIX_EPOCH), Err(Refusal::Sealed), "{wrong}");
        }
        assert_eq!(both.open(b"{}", Timestamp::UNIX_EPOCH), Ok(None), "what is not encrypted stays");
    }

    #[test]
    fn a_padding_is_whole_or_none() {
        let padded = |last: &[u8]| unpadded(&[&[7; 16], &vec![b'a'; 16 - last.len()][..], last].concat());
        assert_eq!((padded(&[1]), padded(&[2, 2]), padded(&[16; 16])), (Some(31), Some(30), Some(16)));
        for wrong in [&[0][..], &[17], &[1, 2], &[3, 2, 3], &[255]] {
            assert_eq!(padded(wrong), None, "{wrong:?}");
        }
    }
}

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
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::bind::{Given, UnfitKey};
use super::key_text;
use super::keys::{Key, Material};
use super::refusal::Refusal;
use crate::api::provider::{CipherKeyForm, Decrypt, Frame};
use crate::api::scheme::KeyEncoding;
use crate::json::{self, Pointers, parse_pointer};
use crate::provider::Coverage;
use crate::provider::decode::Carrier;
use crate::provider::request::RequestView;
use crate::secret::SecretBytes;

/// The length of a block, and of what begins the chain.
const BLOCK: usize = 16;
/// The length of a key, and of what framed texts are padded to.
const KEY: usize = 32;
/// How many random bytes stand before a framed message.
const RANDOM: usize = 16;
/// How many bytes say how long it is.
const LENGTH: usize = 4;

/// A key.
pub(crate) type CipherKey = Arc<Zeroizing<[u8; KEY]>>;

/// A compiled `decrypt` block.
#[derive(Debug)]
pub(crate) struct Sealed {
    /// Which secretRefs hold its keys.
    pub purpose: Option<String>,
    pointer: String,
    /// The name of the member, which stands at the top.
    member: String,
    at: Pointers,
    key: CipherKeyForm,
    frame: Option<Frame>,
}

/// It, with a source's keys.
#[derive(Debug)]
pub(super) struct Opener {
    sealed: Arc<Sealed>,
    keys: Vec<Key>,
    /// Whom framed messages must be for.
    addressee: Option<String>,
}

impl Sealed {
    /// Compiles the block.
    ///
    /// # Errors
    /// A sentence that names what is wrong.
    pub(crate) fn compile(written: &Decrypt) -> Result<Self, String> {
        let at = Pointers::compile([&written.pointer]).map_err(|error| error.to_string())?;
        let names = parse_pointer(&written.pointer).map_err(|error| error.to_string())?;
        let [member] = names.as_slice() else {
            return Err(format!("{:?} must lead to a member of the body itself", written.pointer));
        };
        Ok(Self {
            purpose: written.purpose.clone(),
            pointer: written.pointer.clone(),
            member: member.clone(),
            at,
            key: written.key.unwrap_or_default(),
            frame: written.frame.clone(),
        })
    }

    /// The parameter that says whom messages must be for.
    pub(super) fn parameter(&self) -> Option<&str> {
        self.frame.as_ref().map(|frame| frame.parameter.as_str())
    }

    /// The key that a secret stands for.
    fn key(&self, secret: &SecretBytes) -> Result<CipherKey, String> {
        let bytes = match self.key {
            CipherKeyForm::SHA256 => Sha256::digest(secret.expose()).into(),
            CipherKeyForm::Base64 => {
                let decoded = Zeroizing::new(key_text::decode(secret.expose(), KeyEncoding::Base64, None)?);
                let length = || format!("holds {} bytes in base64, and such a key has {KEY}", decoded.len());
                <[u8; KEY]>::try_from(decoded.as_slice()).map_err(|_| length())?
            }
        };
        Ok(Arc::new(Zeroizing::new(bytes)))
    }

    /// Encrypts a body as its vendor does, for the addressee where it is framed. `None` where the secret is no key, or there is
    /// no randomness to be had.
    pub(super) fn seal(&self, secret: &SecretBytes, addressee: Option<&str>, body: &[u8]) -> Option<String> {
        let key = self.key(secret).ok()?;
        let mut random = [0; RANDOM];
        rand::fill(&mut random).ok()?;
        let (first, before, mut text) = match addressee {
            None => (random, &random[..], body.to_vec()),
            Some(addressee) => {
                let length = u32::try_from(body.len()).ok()?.to_be_bytes();
                (*key.first_chunk()?, &[][..], [&random[..], &length, body, addressee.as_bytes()].concat())
            }
        };
        let block = if self.frame.is_some() { KEY } else { BLOCK };
        let padding = block - text.len() % block;
        text.resize(text.len() + padding, u8::try_from(padding).ok()?);
        let unbound = UnboundCipherKey::new(&AES_256, key.as_slice()).ok()?;
        let context = EncryptionContext::Iv128(FixedLength::from(first));
        EncryptingKey::cbc(unbound).ok()?.less_safe_encrypt(&mut text, context).ok()?;
        Some(STANDARD.encode([before, &text].concat()))
    }

    /// What a proof covers of a body that was opened: what covers the ciphertext covers all of it.
    pub(super) fn coverage(&self, coverage: Coverage) -> Coverage {
        Coverage { body: coverage.body || coverage.pointers.contains(&self.pointer), ..coverage }
    }

    /// The name of the member that holds the body.
    pub(super) fn member(&self) -> &str {
        &self.member
    }
}

/// The text under that key and what began its chain, less its padding to a whole block of that length.
fn opened(key: &CipherKey, first: [u8; BLOCK], text: &[u8], block: usize) -> Option<Vec<u8>> {
    if text.is_empty() || !text.len().is_multiple_of(BLOCK) {
        return None;
    }
    let mut text = text.to_vec();
    let unbound = UnboundCipherKey::new(&AES_256, key.as_slice()).ok()?;
    let context = DecryptionContext::Iv128(FixedLength::from(first));
    DecryptingKey::cbc(unbound).ok()?.decrypt(&mut text, context).ok()?;
    let length = unpadded(&text, block)?;
    text.truncate(length);
    Some(text)
}

/// The message of a framed text, which must be for that addressee and hold nothing else.
fn framed(text: &[u8], addressee: &str) -> Option<Bytes> {
    let (length, rest) = text.get(RANDOM..)?.split_first_chunk::<LENGTH>()?;
    let (message, behind) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    (behind == addressee.as_bytes()).then(|| Bytes::copy_from_slice(message))
}

/// How long a text is without its padding; `None` where it has none. Looks at all bytes of the last block of that length.
fn unpadded(text: &[u8], block: usize) -> Option<usize> {
    let last = &text[text.len().checked_sub(block)?..];
    let padding = *last.last()?;
    let mut wrong = u8::from(padding == 0) | u8::from(usize::from(padding) > block);
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
            let Some(value) = &reference.value else { continue };
            let key = if value.is_empty() { Err("is empty".to_owned()) } else { sealed.key(value) };
            match key {
                Ok(key) => keys.push(Key {
                    label: reference.label(),
                    not_after: reference.not_after,
                    material: Material::Cipher(key),
                }),
                Err(reason) => unfit.push(UnfitKey { label: reference.label(), reason }),
            }
        }
        let addressee = sealed.parameter().and_then(|name| given.parameters.get(name)).cloned();
        Self { sealed: sealed.clone(), keys, addressee }
    }

    /// Whether some key counts at that instant.
    pub(super) fn live(&self, now: Timestamp) -> bool {
        self.keys.iter().any(|key| key.live(now))
    }

    /// Its keys.
    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.keys.iter()
    }

    /// The body that the body holds; `None` where it is not encrypted at all.
    ///
    /// # Errors
    /// `Sealed` where no live key opens it, whatever the cause.
    pub(super) fn open(
        &self,
        carrier: &Carrier,
        request: &RequestView<'_>,
        now: Timestamp,
    ) -> Result<Option<Bytes>, Refusal> {
        let document = carrier.document(request, &|name| name == self.sealed.member);
        let captured = self.sealed.at.capture_unique(&document).map_err(|_| Refusal::Sealed)?;
        let Some(member) = captured.get(0) else { return Ok(None) };
        let text = json::string_text(member).ok_or(Refusal::Sealed)?;
        self.decrypt(text.as_bytes(), now).map(Some).ok_or(Refusal::Sealed)
    }

    /// What a text holds that is encrypted as bodies are, under the first live key that opens it.
    pub(super) fn decrypt(&self, text: &[u8], now: Timestamp) -> Option<Bytes> {
        let bytes = STANDARD.decode(text).ok()?;
        let mut live = self.keys.iter().filter(|key| key.live(now));
        live.find_map(|key| {
            let Material::Cipher(key) = &key.material else { return None };
            match (&self.sealed.frame, &self.addressee) {
                (Some(_), addressee) => {
                    let first = key.first_chunk::<BLOCK>()?;
                    framed(&opened(key, *first, &bytes, KEY)?, addressee.as_ref()?)
                }
                (None, _) => {
                    let (first, text) = bytes.split_first_chunk::<BLOCK>()?;
                    // What begins as no document was padded by chance: another key may fit.
                    let document = |text: &Vec<u8>| json::validate(text).is_ok() || text.starts_with(b"<");
                    opened(key, *first, text, BLOCK).filter(document).map(Bytes::from)
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use http::{HeaderMap, Method};

    use super::*;
    use crate::provider::request::Head;
    use crate::provider::verify::keys::KeyRef;

    fn opener(written: &Decrypt, secrets: &[&str], parameters: &[(&str, &str)]) -> (Opener, usize) {
        let reference = |secret: &&str| KeyRef {
            secret: "s".into(),
            key: "k".into(),
            purpose: None,
            not_after: None,
            value: Some(SecretBytes::new(secret.as_bytes().to_vec())),
        };
        let keys: Vec<KeyRef> = secrets.iter().map(reference).collect();
        let parameters: BTreeMap<String, String> =
            parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let given =
            Given { keys: &keys, other_purposes: &[], parameters: &parameters, tolerance: None, external_url: None };
        let mut unfit = Vec::new();
        (Opener::new(&Arc::new(Sealed::compile(written).unwrap()), &given, &mut unfit), unfit.len())
    }

    fn plain(secrets: &[&str]) -> Opener {
        opener(&Decrypt { pointer: "/encrypt".into(), ..Decrypt::default() }, secrets, &[]).0
    }

    fn open(opener: &Opener, body: &str) -> Result<Option<Bytes>, Refusal> {
        let (method, headers) = (Method::POST, HeaderMap::new());
        let head = Head { method: &method, path: "/", query: None, headers: &headers, received: Timestamp::UNIX_EPOCH };
        opener.open(&Carrier::default(), &RequestView { head, body: body.as_bytes() }, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn the_published_example_is_opened() {
        // Encrypt Key configuration example of the vendor's documentation.
        let bytes = STANDARD.decode("P37w+VZImNgPEO1RBhJ6RtKl7n6zymIbEG1pReEzghk=").unwrap();
        let key = plain(&[]).sealed.key(&SecretBytes::new(b"test key".to_vec())).unwrap();
        let (first, text) = bytes.split_first_chunk().unwrap();
        assert_eq!(opened(&key, *first, text, BLOCK).unwrap(), b"hello world");
    }

    #[test]
    fn what_is_sealed_is_opened_by_its_key_and_no_other_and_every_change_is_one_refusal() {
        let secret = SecretBytes::new(b"ours".to_vec());
        let both = plain(&["theirs", "ours"]);
        for length in 0..40 {
            let body = format!("\"{}\"", "a".repeat(length));
            let sealed = format!("{{\"encrypt\":\"{}\"}}", both.sealed.seal(&secret, None, body.as_bytes()).unwrap());
            assert_eq!(open(&both, &sealed).unwrap().unwrap(), body);
            assert_eq!(open(&plain(&["theirs"]), &sealed), Err(Refusal::Sealed));
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
            assert_eq!(open(&both, &wrong), Err(Refusal::Sealed), "{wrong}");
        }
        assert_eq!(open(&both, "{}"), Ok(None), "what is not encrypted stays");
    }

    const KEY_TEXT: &str = "kWxPEV2UEDyxWpmPdKC3F4dgPDmOvfKX1HGnEUDS1aR";

    fn framed_opener(addressee: &str) -> Opener {
        let frame = Some(Frame { parameter: "id".into() });
        let written = Decrypt { pointer: "/e".into(), key: Some(CipherKeyForm::Base64), frame, ..Decrypt::default() };
        opener(&written, &[KEY_TEXT], &[("id", addressee)]).0
    }

    #[test]
    fn a_frame_is_for_its_addressee_and_holds_nothing_else() {
        let opener = framed_opener("wx49f0ab532d5d035a");
        let now = Timestamp::UNIX_EPOCH;
        // Of the tests of wechatpy.
        let published = b"4ByGGj+sVCYcvGeQYhaKIk1o0pQRNbRjxybjTGblXrBaXlTXeOo1+bXFXDQQb1o6co6Yh9Bv41n7hOchLF6p+Q==";
        let echo = opener.decrypt(published, now).unwrap();
        assert!(echo.iter().all(u8::is_ascii_digit), "{echo:?}");
        assert_eq!(framed_opener("wx49f0ab532d5d035b").decrypt(published, now), None, "for another");
        assert_eq!(framed_opener("x49f0ab532d5d035a").decrypt(published, now), None, "for an end of it");
        let secret = SecretBytes::new(KEY_TEXT.as_bytes().to_vec());
        for length in 0..80 {
            let body = "a".repeat(length);
            let sealed = opener.sealed.seal(&secret, opener.addressee.as_deref(), body.as_bytes()).unwrap();
            assert_eq!(opener.decrypt(sealed.as_bytes(), now).unwrap(), body);
            // Blocks taken away, doubled or added are never a message: its addressee stands at the end.
            let bytes = STANDARD.decode(&sealed).unwrap();
            for blocks in 0..bytes.len() / BLOCK {
                let cut = STANDARD.encode(&bytes[..blocks * BLOCK]);
                assert_eq!(opener.decrypt(cut.as_bytes(), now), None, "{length} {blocks}");
            }
            let longer = STANDARD.encode([&bytes[..], &bytes[bytes.len() - BLOCK..]].concat());
            assert_eq!(opener.decrypt(longer.as_bytes(), now), None, "{length}");
        }
    }

    #[test]
    fn a_key_in_base64_has_its_length() {
        let written = Decrypt { pointer: "/e".into(), key: Some(CipherKeyForm::Base64), ..Decrypt::default() };
        for wrong in ["kWxPEV2UEDyxWpmPdKC3F4dgPDmOvfKX1HGnEUDS1", "not base64!", "AAAA"] {
            assert_eq!(opener(&written, &[wrong], &[]).1, 1, "{wrong}");
        }
        assert_eq!(opener(&written, &[KEY_TEXT], &[]).1, 0);
    }

    #[test]
    fn a_padding_is_whole_or_none() {
        let padded = |last: &[u8]| unpadded(&[&[7; 16], &vec![b'a'; 16 - last.len()][..], last].concat(), BLOCK);
        assert_eq!((padded(&[1]), padded(&[2, 2]), padded(&[16; 16])), (Some(31), Some(30), Some(16)));
        for wrong in [&[0][..], &[17], &[1, 2], &[3, 2, 3], &[255]] {
            assert_eq!(padded(wrong), None, "{wrong:?}");
        }
        let wide = |last: &[u8]| unpadded(&[&vec![b'a'; 64 - last.len()][..], last].concat(), KEY);
        assert_eq!((wide(&[17; 17]), wide(&[32; 32]), wide(&[33; 33])), (Some(47), Some(32), None));
        assert_eq!(unpadded(&[1; 16], KEY), None, "shorter than its block");
    }
}

//! Messages as WeChat and WeCom make them, by other libraries' calls than the program's.
#![allow(clippy::expect_used, reason = "a test fails loudly")]

use aws_lc_rs::cipher::{AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use base64::Engine;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use sha1::{Digest, Sha1};

/// The signature over parts.
pub fn signature(parts: &[&str]) -> String {
    let mut sorted = parts.to_vec();
    sorted.sort_unstable();
    hex::encode(Sha1::digest(sorted.concat()))
}

/// A message under an EncodingAESKey, for its receiver.
pub fn sealed(aes_key: &str, receiver: &str, message: &str) -> String {
    let lenient = GeneralPurpose::new(&ALPHABET, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));
    let key = lenient.decode(format!("{aes_key}=")).expect("43 letters");
    let length = u32::try_from(message.len()).expect("short");
    let mut text = [b"0123456789abcdef", &length.to_be_bytes()[..], message.as_bytes(), receiver.as_bytes()].concat();
    let padding = 32 - text.len() % 32;
    text.resize(text.len() + padding, u8::try_from(padding).expect("at most 32"));
    let cipher = EncryptingKey::cbc(UnboundCipherKey::new(&AES_256, &key).expect("32 bytes")).expect("a cipher");
    let first: [u8; 16] = key[..16].try_into().expect("16 bytes");
    cipher.less_safe_encrypt(&mut text, EncryptionContext::Iv128(FixedLength::from(first))).expect("whole blocks");
    STANDARD.encode(text)
}

/// The body of a delivery.
pub fn body(encrypted: &str) -> String {
    format!("<xml><ToUserName><![CDATA[gh_1]]></ToUserName><Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>")
}

/// A query of these parameters.
pub fn query(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

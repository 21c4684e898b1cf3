//! Public-key signatures with keys that the user holds or the vendor publishes.

use std::cell::Cell;
use std::sync::Arc;

use aws_lc_rs::digest;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, ParsedPublicKey, RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
    RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, VerificationAlgorithm,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::keys;
use crate::api::scheme::{KeyEncoding, KeyFormat, PublicKeyAlgorithm};

/// A key, parsed once.
pub type VerifyingKey = Arc<ParsedPublicKey>;

/// The primitive behind an algorithm. Vendors' RSA keys of 1024 bits are in use, so they are read.
fn primitive(algorithm: PublicKeyAlgorithm) -> &'static dyn VerificationAlgorithm {
    match algorithm {
        PublicKeyAlgorithm::Ed25519 => &ED25519,
        PublicKeyAlgorithm::EcdsaP256Sha256 => &ECDSA_P256_SHA256_ASN1,
        PublicKeyAlgorithm::RsaSha1 => &RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
        PublicKeyAlgorithm::RsaSha256 => &RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
    }
}

/// Reads a key.
///
/// # Errors
/// A sentence that says what the key is not; never the key.
pub fn read(
    text: &[u8],
    algorithm: PublicKeyAlgorithm,
    format: KeyFormat,
    encoding: KeyEncoding,
    prefix: Option<&str>,
) -> Result<VerifyingKey, String> {
    let bytes = match format {
        KeyFormat::PEM => spki_of_pem(text)?,
        KeyFormat::SPKI | KeyFormat::Raw => keys::decode(text, encoding, prefix)?,
    };
    ParsedPublicKey::new(primitive(algorithm), bytes)
        .map(Arc::new)
        .map_err(|_| format!("is no public key of this scheme ({algorithm:?}, {format:?})"))
}

/// The bytes that one request may make Ed25519 hash, beyond one pass: it hashes the content anew for every signature.
const MAX_HASHED: usize = 32 << 20;

/// A signed content, hashed once where the algorithm signs a hash.
pub(super) struct Hashed {
    content: Vec<u8>,
    digest: Option<digest::Digest>,
    /// How often the content may still be hashed.
    left: Cell<usize>,
}

impl Hashed {
    pub(super) fn new(content: Vec<u8>, algorithm: PublicKeyAlgorithm) -> Self {
        let digest = match algorithm {
            PublicKeyAlgorithm::Ed25519 => None,
            PublicKeyAlgorithm::EcdsaP256Sha256 | PublicKeyAlgorithm::RsaSha256 => {
                Some(digest::digest(&digest::SHA256, &content))
            }
            PublicKeyAlgorithm::RsaSha1 => Some(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &content)),
        };
        let left = Cell::new(1 + MAX_HASHED / content.len().max(1));
        Self { content, digest, left }
    }

    /// Whether a key made the signature.
    pub(super) fn holds(&self, key: &VerifyingKey, signature: &[u8]) -> bool {
        if let Some(digest) = &self.digest {
            return key.verify_digest_sig(digest, signature).is_ok();
        }
        let Some(left) = self.left.get().checked_sub(1) else { return false };
        self.left.set(left);
        key.verify_sig(&self.content, signature).is_ok()
    }
}

/// Whether a text is a public key that lost its armour: DER, base64 of DER, or a line of OpenSSH.
pub fn is_bare(text: &[u8]) -> bool {
    let lines: Vec<u8> = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let decoded = STANDARD.decode(lines).unwrap_or_default();
    let algorithms = [PublicKeyAlgorithm::RsaSha256, PublicKeyAlgorithm::EcdsaP256Sha256];
    let is_der = |der: &[u8]| {
        der.first() == Some(&0x30)
            && algorithms.into_iter().any(|one| ParsedPublicKey::new(primitive(one), der).is_ok())
    };
    text.starts_with(b"ssh-") || text.starts_with(b"ecdsa-sha2-") || is_der(text) || is_der(&decoded)
}

/// The SubjectPublicKeyInfo of a public key or certificate in PEM (RFC 7468).
pub fn spki_of_pem(text: &[u8]) -> Result<Vec<u8>, String> {
    let wrong = || "is no public key or certificate in PEM: it begins with -----BEGIN PUBLIC KEY-----".to_owned();
    let text = std::str::from_utf8(text).map_err(|_| wrong())?;
    let (_, rest) = text.split_once("-----BEGIN ").ok_or_else(wrong)?;
    let (label, rest) = rest.split_once("-----").ok_or_else(wrong)?;
    let (body, _) = rest.split_once("-----END ").ok_or_else(wrong)?;
    let compact: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let der = STANDARD.decode(compact).map_err(|_| wrong())?;
    match label {
        "PUBLIC KEY" => Ok(der),
        "CERTIFICATE" => spki_of_certificate(&der).map(<[u8]>::to_vec).ok_or_else(wrong),
        _ => Err(wrong()),
    }
}

/// The SubjectPublicKeyInfo inside a certificate (RFC 5280, section 4.1), its own header included.
fn spki_of_certificate(der: &[u8]) -> Option<&[u8]> {
    let (certificate, _) = element(der, 0x30)?;
    let (mut fields, _) = element(certificate, 0x30)?;
    if let Some((_, after)) = element(fields, 0xa0) {
        fields = after;
    }
    // serialNumber, signature, issuer, validity, subject
    for tag in [0x02, 0x30, 0x30, 0x30, 0x30] {
        fields = element(fields, tag)?.1;
    }
    let (_, after) = element(fields, 0x30)?;
    Some(&fields[..fields.len() - after.len()])
}

/// The content of a DER element of that tag (X.690), and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = der.split_first()?;
    let (&length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(length), rest),
        0x81..=0x83 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(length & 0x0f))?;
            (bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    (first == tag).then(|| rest.split_at_checked(length))?
}

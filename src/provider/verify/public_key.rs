//! Public-key signatures with keys that the user holds or the vendor publishes.

use std::cell::Cell;
use std::sync::Arc;

use aws_lc_rs::digest;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P521_SHA512_FIXED, ED25519, ParsedPublicKey,
    RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
    VerificationAlgorithm,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::key_text;
use crate::api::scheme::{KeyEncoding, KeyFormat, PublicKeyAlgorithm};

/// Most keys of one set that are read.
const MAX_KEYS: usize = 16;

/// Parsed keys: one of a Secret or a certificate, or a published set.
#[derive(Clone)]
pub struct PublicKeys(Arc<[PublicKey]>);

/// One key, and its id in a set.
struct PublicKey {
    kid: Option<String>,
    key: ParsedPublicKey,
}

impl PublicKeys {
    fn one(key: ParsedPublicKey) -> Self {
        Self(Arc::new([PublicKey { kid: None, key }]))
    }

    /// Those that may have signed: a key without an id may always.
    fn named<'k>(&'k self, kid: Option<&'k str>) -> impl Iterator<Item = &'k ParsedPublicKey> {
        let fits = move |key: &&PublicKey| key.kid.is_none() || kid.is_none() || key.kid.as_deref() == kid;
        self.0.iter().filter(fits).map(|key| &key.key)
    }
}

/// The primitive behind an algorithm. Vendors' RSA keys of 1024 bits are in use, so they are read.
fn primitive(algorithm: PublicKeyAlgorithm) -> &'static dyn VerificationAlgorithm {
    match algorithm {
        PublicKeyAlgorithm::Ed25519 => &ED25519,
        PublicKeyAlgorithm::EcdsaP256Sha256 => &ECDSA_P256_SHA256_ASN1,
        PublicKeyAlgorithm::EcdsaP521Sha512 => &ECDSA_P521_SHA512_FIXED,
        PublicKeyAlgorithm::RsaSha1 => &RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
        PublicKeyAlgorithm::RsaSha256 => &RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
    }
}

/// Reads a key.
///
/// # Errors
/// A sentence that says what the key is not; never the key.
pub(super) fn read(
    text: &[u8],
    algorithm: PublicKeyAlgorithm,
    format: KeyFormat,
    encoding: KeyEncoding,
    prefix: Option<&str>,
) -> Result<PublicKeys, String> {
    let bytes = match format {
        KeyFormat::PEM => key_text::spki_of_pem(text)?,
        KeyFormat::SPKI | KeyFormat::Raw => key_text::decode(text, encoding, prefix)?,
    };
    ParsedPublicKey::new(primitive(algorithm), bytes)
        .map(PublicKeys::one)
        .map_err(|_| format!("is no public key of this scheme ({algorithm:?}, {format:?})"))
}

/// A set of keys, or one (RFC 7517).
#[derive(Deserialize)]
struct Published {
    #[serde(default)]
    keys: Vec<Jwk>,
    #[serde(flatten)]
    own: Jwk,
}

/// A point on a curve (RFC 7518, section 6.2; RFC 8037). Keys of other kinds have none.
#[derive(Deserialize)]
struct Jwk {
    kid: Option<String>,
    #[serde(rename = "use")]
    used: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// Reads the keys of an algorithm out of a set or a single key; others are left out. `None` without any.
pub(super) fn read_set(text: &[u8], algorithm: PublicKeyAlgorithm) -> Option<PublicKeys> {
    let Published { keys, own } = serde_json::from_slice(text).ok()?;
    let keys: Vec<PublicKey> =
        keys.into_iter().chain([own]).filter_map(|jwk| of_jwk(jwk, algorithm)).take(MAX_KEYS).collect();
    (!keys.is_empty()).then(|| PublicKeys(keys.into()))
}

fn of_jwk(jwk: Jwk, algorithm: PublicKeyAlgorithm) -> Option<PublicKey> {
    let (curve, length): (_, usize) = match algorithm {
        PublicKeyAlgorithm::Ed25519 => ("Ed25519", 32),
        PublicKeyAlgorithm::EcdsaP256Sha256 => ("P-256", 32),
        PublicKeyAlgorithm::EcdsaP521Sha512 => ("P-521", 66),
        PublicKeyAlgorithm::RsaSha1 | PublicKeyAlgorithm::RsaSha256 => return None,
    };
    if jwk.crv.as_deref() != Some(curve) || jwk.used.is_some_and(|used| used != "sig") {
        return None;
    }
    let coordinate = |text: Option<String>| {
        let bytes = URL_SAFE_NO_PAD.decode(text?).ok()?;
        // Some writers leave out leading zeros.
        let missing = length.checked_sub(bytes.len())?;
        Some([vec![0; missing], bytes].concat())
    };
    let first = coordinate(jwk.x)?;
    let bytes = if curve == "Ed25519" { first } else { [vec![4], first, coordinate(jwk.y)?].concat() };
    Some(PublicKey { kid: jwk.kid, key: ParsedPublicKey::new(primitive(algorithm), bytes).ok()? })
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
            PublicKeyAlgorithm::EcdsaP521Sha512 => Some(digest::digest(&digest::SHA512, &content)),
            PublicKeyAlgorithm::RsaSha1 => Some(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &content)),
        };
        let left = Cell::new(1 + MAX_HASHED / content.len().max(1));
        Self { content, digest, left }
    }

    /// Whether one of the keys of that id made the signature.
    pub(super) fn holds(&self, keys: &PublicKeys, kid: Option<&str>, signature: &[u8]) -> bool {
        keys.named(kid).any(|key| self.made_by(key, signature))
    }

    fn made_by(&self, key: &ParsedPublicKey, signature: &[u8]) -> bool {
        if let Some(digest) = &self.digest {
            return key.verify_digest_sig(digest, signature).is_ok();
        }
        let Some(left) = self.left.get().checked_sub(1) else { return false };
        self.left.set(left);
        key.verify_sig(&self.content, signature).is_ok()
    }
}

//! Keys as schemes use them: decoded once when a route compiles, never printed, each with the instant it ends.

use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac as _};
use jiff::Timestamp;
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha512};
use subtle::ConstantTimeEq;

use crate::api::scheme::HashAlgorithm;
use crate::secret::{SecretBytes, has_ended};

/// A secretRef as written, and what stands behind it now.
#[derive(Clone, Debug)]
pub struct KeyRef {
    /// The Secret's name.
    pub secret: String,
    /// The key inside it.
    pub key: String,
    /// What it is for.
    pub purpose: Option<String>,
    /// When it ends.
    pub not_after: Option<Timestamp>,
    /// The value; `None` where Secret or key are missing or not allowed.
    pub value: Option<SecretBytes>,
}

impl KeyRef {
    /// Its name in explanations: never its value.
    pub fn label(&self) -> Arc<str> {
        format!("{}/{}", self.secret, self.key).into()
    }
}

/// A key that is ready to be tried.
#[derive(Clone)]
pub struct Key {
    /// `secret/key`.
    pub label: Arc<str>,
    /// When it ends.
    pub not_after: Option<Timestamp>,
    /// The key itself.
    pub material: Material,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key").field("label", &self.label).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Material {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Material(..)")
    }
}

impl Key {
    /// Whether it counts at that instant.
    pub fn live(&self, now: Timestamp) -> bool {
        !has_ended(self.not_after, now)
    }
}

/// The key in the form that its scheme computes with.
#[derive(Clone)]
pub enum Material {
    /// For `hmac`: the hash state with the key absorbed, and the secret where the content holds it as well.
    Mac(Box<Mac>, Option<SecretBytes>),
    /// For `digest`: the secret itself.
    Secret(SecretBytes),
    /// For `token` and `basic`: the SHA-256 of what must be sent, so that comparing tells nothing of its length.
    Sent([u8; 32]),
    /// For `publicKey`.
    Public(super::public_key::PublicKeys),
    /// For bodies that arrive encrypted.
    Cipher(super::sealed::CipherKey),
    /// For `jwt`.
    Jwt(super::jwt::JwtKey),
}

impl Material {
    /// Whether two keys are one; in constant time, and of shared secrets alone.
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Mac(mine, _), Self::Mac(theirs, _)) => {
                let (mine, theirs) = (mine.as_ref().clone().finish(), theirs.as_ref().clone().finish());
                mine.matches(theirs.as_slice())
            }
            (Self::Secret(mine), Self::Secret(theirs)) => sent(mine.expose()).ct_eq(&sent(theirs.expose())).into(),
            (Self::Sent(mine), Self::Sent(theirs)) => mine.ct_eq(theirs).into(),
            _ => false,
        }
    }
}

/// HMAC states.
#[derive(Clone)]
pub enum Mac {
    /// HMAC-SHA-1.
    Sha1(Hmac<Sha1>),
    /// HMAC-SHA-256.
    Sha256(Hmac<Sha256>),
    /// HMAC-SHA-512.
    Sha512(Hmac<Sha512>),
}

impl Mac {
    /// Absorbs a key of any length.
    pub fn new(algorithm: HashAlgorithm, key: &[u8]) -> Option<Self> {
        Some(match algorithm {
            HashAlgorithm::SHA1 => Self::Sha1(Hmac::new_from_slice(key).ok()?),
            HashAlgorithm::SHA256 => Self::Sha256(Hmac::new_from_slice(key).ok()?),
            HashAlgorithm::SHA512 => Self::Sha512(Hmac::new_from_slice(key).ok()?),
        })
    }

    /// Its hash function.
    pub(super) fn algorithm(&self) -> HashAlgorithm {
        match self {
            Self::Sha1(_) => HashAlgorithm::SHA1,
            Self::Sha256(_) => HashAlgorithm::SHA256,
            Self::Sha512(_) => HashAlgorithm::SHA512,
        }
    }

    /// Absorbs content.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha1(mac) => mac.update(bytes),
            Self::Sha256(mac) => mac.update(bytes),
            Self::Sha512(mac) => mac.update(bytes),
        }
    }

    /// The tag.
    pub fn finish(self) -> Tag {
        match self {
            Self::Sha1(mac) => Tag::of(&mac.finalize().into_bytes()),
            Self::Sha256(mac) => Tag::of(&mac.finalize().into_bytes()),
            Self::Sha512(mac) => Tag::of(&mac.finalize().into_bytes()),
        }
    }
}

/// A hash or MAC on the stack.
#[derive(Clone, Copy)]
pub struct Tag {
    bytes: [u8; 64],
    length: usize,
}

impl Tag {
    fn of(bytes: &[u8]) -> Self {
        let mut tag = Self { bytes: [0; 64], length: bytes.len() };
        tag.bytes[..bytes.len()].copy_from_slice(bytes);
        tag
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// Compares in constant time; a wrong length is no secret.
    pub fn matches(&self, other: &[u8]) -> bool {
        self.as_slice().ct_eq(other).into()
    }
}

/// An unkeyed hash that is fed piece by piece.
pub enum Hash {
    /// SHA-1.
    Sha1(Sha1),
    /// SHA-256.
    Sha256(Sha256),
    /// SHA-512.
    Sha512(Sha512),
}

impl Hash {
    /// An empty state.
    pub fn new(algorithm: HashAlgorithm) -> Self {
        match algorithm {
            HashAlgorithm::SHA1 => Self::Sha1(Sha1::new()),
            HashAlgorithm::SHA256 => Self::Sha256(Sha256::new()),
            HashAlgorithm::SHA512 => Self::Sha512(Sha512::new()),
        }
    }

    /// Absorbs content.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha1(hash) => hash.update(bytes),
            Self::Sha256(hash) => hash.update(bytes),
            Self::Sha512(hash) => hash.update(bytes),
        }
    }

    /// The hash.
    pub fn finish(self) -> Tag {
        match self {
            Self::Sha1(hash) => Tag::of(&hash.finalize()),
            Self::Sha256(hash) => Tag::of(&hash.finalize()),
            Self::Sha512(hash) => Tag::of(&hash.finalize()),
        }
    }
}

/// The SHA-256 of a token.
pub fn sent(token: &[u8]) -> [u8; 32] {
    Sha256::digest(token).into()
}

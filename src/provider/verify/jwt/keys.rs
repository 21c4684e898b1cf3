//! The keys of a token: which algorithms go with which, and which tokens they signed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::jwk::{AlgorithmParameters, JwkSet};
use jsonwebtoken::{DecodingKey, crypto};
use sha2::{Digest as _, Sha256};

use super::super::key_text;
use super::{Token, primitive};
use crate::api::scheme::JwtAlgorithm;

/// Tokens whose signature is remembered, for each set of keys.
const REMEMBERED: usize = 16;

/// The keys of one secretRef.
#[derive(Clone)]
pub enum JwtKey {
    /// A raw secret: HS* alone.
    Secret(Arc<DecodingKey>),
    /// Public keys: RS* and ES* alone.
    Public(Arc<PublicKeys>),
}

/// Public keys, and the tokens that they signed, as last seen.
pub struct PublicKeys {
    keys: Vec<PublicJwk>,
    verified: Mutex<[[u8; 32]; REMEMBERED]>,
}

/// A public key, its family and its name.
pub struct PublicJwk {
    kid: Option<String>,
    rsa: bool,
    key: DecodingKey,
}

impl From<Vec<PublicJwk>> for PublicKeys {
    fn from(keys: Vec<PublicJwk>) -> Self {
        Self { keys, verified: Mutex::new([[0; 32]; REMEMBERED]) }
    }
}

impl JwtKey {
    /// Reads a secret: PEM, a JSON Web Key Set, or else the raw secret of HS*.
    ///
    /// # Errors
    /// A sentence that says what the secret is not; never the secret.
    pub fn read(secret: &[u8], algorithms: &[JwtAlgorithm]) -> Result<Self, String> {
        // What holds a public key anywhere must never be taken for a raw secret: everybody knows it.
        let text = secret.strip_prefix(b"\xef\xbb\xbf").unwrap_or(secret).trim_ascii_start();
        let key = if memchr::memmem::find(text, b"-----BEGIN ").is_some() {
            Self::Public(Arc::new(vec![pem(text)?].into()))
        } else if text.starts_with(b"{") {
            Self::Public(Arc::new(key_set(text)?.into()))
        } else if key_text::is_bare(secret) {
            // Taken as a raw secret, a key that everybody knows would sign for the vendor.
            return Err(
                "is a public key without its armour: write it in PEM, from -----BEGIN PUBLIC KEY-----".to_owned()
            );
        } else {
            Self::Secret(Arc::new(DecodingKey::from_secret(secret)))
        };
        if algorithms.is_empty() || algorithms.iter().any(|algorithm| key.family(*algorithm)) {
            Ok(key)
        } else {
            Err("is a key of another family than the method's algorithms: HS* take a raw secret, RS* and ES* a public key in PEM".to_owned())
        }
    }

    /// Whether an algorithm goes with this kind of key.
    fn family(&self, algorithm: JwtAlgorithm) -> bool {
        use JwtAlgorithm::{ES256, HS256, HS384, HS512, RS256, RS384, RS512};
        match self {
            Self::Secret(_) => matches!(algorithm, HS256 | HS384 | HS512),
            Self::Public(public) => match algorithm {
                RS256 | RS384 | RS512 => public.keys.iter().any(|key| key.rsa),
                ES256 => public.keys.iter().any(|key| !key.rsa),
                HS256 | HS384 | HS512 => false,
            },
        }
    }

    /// Whether one of the keys signed the token. A vendor sends one token with many requests until it ends: the last few
    /// are remembered as long as their keys are the same, for a signature holds or not at any time. What they say is
    /// judged each time.
    pub(super) fn verifies(&self, token: &Token<'_>, comes_again: bool) -> bool {
        match self {
            _ if !self.family(token.algorithm) => false,
            Self::Secret(key) => verify(token, key),
            Self::Public(public) if comes_again => {
                let hash = Sha256::new().chain_update(token.signed).chain_update(".").chain_update(token.signature);
                let hash: [u8; 32] = hash.finalize().into();
                let place = usize::from(hash[0]) % REMEMBERED;
                let known = public.remembered()[place] == hash;
                if known {
                    return true;
                }
                let verified = public.verify(token);
                if verified {
                    public.remembered()[place] = hash;
                }
                verified
            }
            Self::Public(public) => public.verify(token),
        }
    }
}

impl PublicKeys {
    fn remembered(&self) -> MutexGuard<'_, [[u8; 32]; REMEMBERED]> {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn verify(&self, token: &Token<'_>) -> bool {
        let keys = &self.keys;
        keys.iter()
            .filter(|key| key.rsa == (token.algorithm != JwtAlgorithm::ES256))
            .filter(|key| keys.len() == 1 || token.kid.is_none() || key.kid == token.kid)
            .take(8)
            .any(|key| verify(token, &key.key))
    }
}

fn verify(token: &Token<'_>, key: &DecodingKey) -> bool {
    crypto::verify(token.signature, token.signed.as_bytes(), key, primitive(token.algorithm)).unwrap_or(false)
}

fn pem(text: &[u8]) -> Result<PublicJwk, String> {
    // A certificate carries its key inside; both readers below want the key alone.
    let public = match key_text::spki_of_pem(text) {
        Ok(der) => {
            format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der)).into_bytes()
        }
        Err(_) => text.to_vec(),
    };
    DecodingKey::from_rsa_pem(&public)
        .map(|key| PublicJwk { kid: None, rsa: true, key })
        .or_else(|_| DecodingKey::from_ec_pem(&public).map(|key| PublicJwk { kid: None, rsa: false, key }))
        .map_err(|_| "is no RSA or EC public key in PEM".to_owned())
}

/// Reads a JSON Web Key Set; symmetric keys in it are left out.
pub fn key_set(text: &[u8]) -> Result<Vec<PublicJwk>, String> {
    let set: JwkSet = serde_json::from_slice(text).map_err(|_| "is no JSON Web Key Set".to_owned())?;
    let keys: Vec<PublicJwk> = set
        .keys
        .iter()
        .filter_map(|jwk| {
            let rsa = match jwk.algorithm {
                AlgorithmParameters::RSA(_) => true,
                AlgorithmParameters::EllipticCurve(_) => false,
                _ => return None,
            };
            Some(PublicJwk { kid: jwk.common.key_id.clone(), rsa, key: DecodingKey::from_jwk(jwk).ok()? })
        })
        .collect();
    if keys.is_empty() { Err("holds no RSA or EC public key".to_owned()) } else { Ok(keys) }
}

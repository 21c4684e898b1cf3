//! Detached JSON Web Signatures (RFC 7515, appendix F): `HEADER..SIGNATURE` in a header, the payload built from the request.
//!
//! The definition decides the algorithm and the addresses of keys; the signature's own header may only agree.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::fetched::Named;
use super::jwt::object;
use super::refusal::Refusal;
use super::signature::Signature;
use super::view::View;
use crate::api::scheme::PublicKeyAlgorithm;

/// The longest header that is read, in bytes of base64.
const MAX_HEADER: usize = 4096;

/// A compiled `jws` block: members that the header must have, as text.
#[derive(Clone, Debug)]
pub(crate) struct Jws {
    /// Their names and values.
    pub members: Vec<(String, String)>,
}

/// The header of one signature. Nothing of it is trusted before the signature holds.
pub(super) struct Protected {
    encoded: String,
    members: Map<String, Value>,
}

/// As the header names an algorithm (RFC 7518, section 3.1); `None` for those that it does not know.
pub(super) fn algorithm_name(algorithm: PublicKeyAlgorithm) -> Option<&'static str> {
    match algorithm {
        PublicKeyAlgorithm::Ed25519 => Some("EdDSA"),
        PublicKeyAlgorithm::EcdsaP521Sha512 => Some("ES512"),
        PublicKeyAlgorithm::RsaSha256 => Some("RS256"),
        // ES256 is not written in DER.
        PublicKeyAlgorithm::EcdsaP256Sha256 | PublicKeyAlgorithm::RsaSha1 => None,
    }
}

impl Protected {
    /// Finds the signature and reads its header.
    ///
    /// # Errors
    /// `Missing` or `Malformed`; the latter as well where the payload is not detached, or the header asks for what is
    /// not understood or brings a key.
    pub(super) fn find(view: &View<'_>, signature: &Signature) -> Result<Self, Refusal> {
        let place = signature.places.first().ok_or(Refusal::Missing)?;
        let value = view.value(place).ok_or(Refusal::Missing)?;
        let text = std::str::from_utf8(&value).map_err(|_| Refusal::Malformed)?;
        let mut parts = text.split('.');
        let (Some(encoded), Some(""), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err(Refusal::Malformed);
        };
        if encoded.len() > MAX_HEADER {
            return Err(Refusal::Malformed);
        }
        let members = object(&URL_SAFE_NO_PAD.decode(encoded).map_err(|_| Refusal::Malformed)?)?;
        if ["crit", "b64", "x5u", "x5c", "jwk", "zip", "enc"].iter().any(|name| members.contains_key(*name)) {
            return Err(Refusal::Malformed);
        }
        Ok(Self { encoded: encoded.to_owned(), members })
    }

    /// A member that is a text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.members.get(name).and_then(Value::as_str)
    }

    /// What it says of its key.
    pub(super) fn named(&self) -> Named<'_> {
        Named { kid: self.text("kid"), jku: self.text("jku") }
    }

    /// Whether it says what the definition wants.
    pub(super) fn fits(&self, jws: &Jws, algorithm: PublicKeyAlgorithm) -> bool {
        algorithm_name(algorithm).is_some_and(|name| self.text("alg") == Some(name))
            && jws.members.iter().all(|(name, wanted)| self.text(name) == Some(wanted))
    }

    /// What is signed where the payload is this (RFC 7515, section 5.1).
    pub(super) fn signing_input(&self, payload: &[u8]) -> Vec<u8> {
        let mut input = Vec::with_capacity(self.encoded.len() + 1 + payload.len().div_ceil(3) * 4);
        input.extend_from_slice(self.encoded.as_bytes());
        input.push(b'.');
        input.extend_from_slice(URL_SAFE_NO_PAD.encode(payload).as_bytes());
        input
    }
}

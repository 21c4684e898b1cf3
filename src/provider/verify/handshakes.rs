//! What handshakes ask of a verifier: secrets compared, challenges signed and decrypted, proofs of their own judged.
//!
//! None of it makes a [`super::Proof`]: what is answered here is never published.

use bytes::Bytes;
use jiff::Timestamp;
use subtle::ConstantTimeEq;

use super::fetched::NothingFetched;
use super::keys::{self, Material};
use super::observe::{Observer, Silent};
use super::{Alternative, Ready, Refusal, Verifier, bind, judge};
use crate::api::scheme::HashAlgorithm;
use crate::provider::request::RequestView;
use crate::secret::SecretBytes;

impl Verifier {
    /// Compares a value with the secretRefs of a purpose that a handshake checks.
    ///
    /// # Errors
    /// Why it is not authentic.
    pub fn check(&self, purpose: &str, value: Option<&[u8]>, now: Timestamp) -> Result<(), Refusal> {
        let hash = keys::sent(value.ok_or(Refusal::Missing)?);
        let keys = self.others.iter().filter(|(known, key)| known == purpose && key.live(now));
        let (mut tried, mut matched) = (false, false);
        for (_, key) in keys {
            if let Material::Sent(expected) = &key.material {
                matched |= bool::from(expected.ct_eq(&hash));
                tried = true;
            }
        }
        match (matched, tried) {
            (true, _) => Ok(()),
            (false, true) => Err(Refusal::BadSignature),
            (false, false) => Err(Refusal::NoKey),
        }
    }

    /// What an encrypted body holds, before any proof: nothing of it may be answered but to whoever knows a secret inside it.
    pub(in crate::provider) fn opened(&self, request: &RequestView<'_>, now: Timestamp) -> Option<Bytes> {
        self.opener.as_ref()?.open(&self.common.carrier, request, now).ok()?
    }

    /// What a text holds that is encrypted as bodies are, of a request whose proof holds.
    pub(in crate::provider) fn decrypted(&self, text: &[u8], now: Timestamp) -> Option<Bytes> {
        self.opener.as_ref()?.decrypt(text, now)
    }

    /// What the source says of a parameter.
    pub(in crate::provider) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }

    /// Judges a handshake by the proof of its own that has this number.
    ///
    /// # Errors
    /// Why it is not authentic.
    pub(in crate::provider) fn verify_handshake<O: Observer>(
        &self,
        number: usize,
        request: &RequestView<'_>,
        now: Timestamp,
        observer: &mut O,
    ) -> Result<(), Refusal> {
        let proof = self.proofs.get(number).ok_or(Refusal::NotApplicable)?;
        judge::all(self, proof, request, now, &NothingFetched, observer)
    }

    /// Judges a request with a secret that it delivers itself, instead of the signing secrets.
    ///
    /// # Errors
    /// As [`Verifier::verify`].
    pub(in crate::provider) fn verify_under(
        &self,
        secret: &SecretBytes,
        request: &RequestView<'_>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let under = |ready: &Ready| {
            let own = ready.scheme.purpose.is_none() && ready.scheme.needs_key();
            Some(Ready {
                scheme: ready.scheme.clone(),
                keys: if own { vec![bind::delivered(&ready.scheme, secret)?] } else { ready.keys.clone() },
                signed: ready.signed.clone(),
                jwt: ready.jwt.clone(),
                addressee: ready.addressee.clone(),
                fetching: None,
            })
        };
        let mut farthest = Refusal::NoKey;
        for alternative in &self.alternatives {
            let Some(schemes) = alternative.schemes.iter().map(under).collect() else { continue };
            let alternative = Alternative::new(schemes, (*alternative.coverage).clone(), None);
            match judge::all(self, &alternative, request, now, &NothingFetched, &mut Silent) {
                Ok(()) => return Ok(()),
                Err(refusal) => farthest = farthest.max(refusal),
            }
        }
        Err(farthest)
    }

    /// Whether a secret is one of the live signing secrets.
    pub(in crate::provider) fn holds(&self, secret: &SecretBytes, now: Timestamp) -> bool {
        let all = self.alternatives.iter().flat_map(|alternative| &alternative.schemes);
        all.filter(|ready| ready.scheme.purpose.is_none()).any(|ready| {
            let Some(delivered) = bind::delivered(&ready.scheme, secret) else { return false };
            let live = ready.keys.iter().filter(|key| key.live(now));
            live.fold(false, |any, key| any | key.material.same(&delivered.material))
        })
    }

    /// The MAC of a challenge under the first live key of that hash function.
    pub(in crate::provider) fn tag(
        &self,
        algorithm: HashAlgorithm,
        challenge: &[u8],
        now: Timestamp,
    ) -> Option<Vec<u8>> {
        let keys = self.alternatives.iter().flat_map(|alternative| &alternative.schemes).flat_map(|ready| &ready.keys);
        let mut mac = keys.filter(|key| key.live(now)).find_map(|key| match &key.material {
            Material::Mac(state, _) if state.algorithm() == algorithm => Some(state.clone()),
            _ => None,
        })?;
        mac.update(challenge);
        Some(mac.finish().as_slice().to_vec())
    }
}

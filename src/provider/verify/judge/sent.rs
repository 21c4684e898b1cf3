//! Secrets that are sent as they are: tokens and HTTP Basic, compared by their hashes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use subtle::ConstantTimeEq;

use super::Judge;
use crate::provider::place::Place;
use crate::provider::verify::keys::{Material, sent};
use crate::provider::verify::observe::{Observer, tell};
use crate::provider::verify::refusal::Refusal;
use crate::provider::verify::view::View;

impl Judge<'_> {
    pub(super) fn token<O: Observer>(
        &self,
        view: &View<'_>,
        place: &Place,
        prefix: Option<&str>,
        observer: &mut O,
    ) -> Result<(), Refusal> {
        let found = view.value(place);
        tell(observer, "token", Some(found.is_some()), || place.shown(&self.ready.scheme.pointer_texts));
        let value = found.ok_or(Refusal::Missing)?;
        let token = match prefix {
            None => &value[..],
            Some(prefix) => strip(&value, prefix).ok_or(Refusal::Malformed)?,
        };
        self.compare(token, observer)
    }

    pub(super) fn basic<O: Observer>(&self, view: &View<'_>, observer: &mut O) -> Result<(), Refusal> {
        let value = view.header(&AUTHORIZATION);
        tell(observer, "credentials", Some(value.is_some()), || "Authorization: Basic".to_owned());
        let encoded = strip(value.ok_or(Refusal::Missing)?, "Basic ").ok_or(Refusal::Malformed)?;
        let pair = STANDARD.decode(encoded.trim_ascii()).map_err(|_| Refusal::Malformed)?;
        self.compare(&pair, observer)
    }

    /// Compares hashes, so that neither content nor length of a secret shows in time.
    fn compare<O: Observer>(&self, token: &[u8], observer: &mut O) -> Result<(), Refusal> {
        let hash = sent(token);
        let (mut tried, mut matched) = (false, false);
        for key in self.live() {
            let Material::Sent(expected) = &key.material else { continue };
            let this = bool::from(expected.ct_eq(&hash));
            tell(observer, "secret", Some(this), || {
                format!("{} {}", key.label, if this { "matches" } else { "does not match" })
            });
            matched |= this;
            tried = true;
        }
        match (matched, tried) {
            (true, _) => Ok(()),
            (false, true) => Err(Refusal::BadSignature),
            (false, false) => Err(Refusal::NoKey),
        }
    }
}

/// Strips a prefix; one that ends in a space is an HTTP authentication scheme and has no case (RFC 9110, section 11.1).
fn strip<'v>(value: &'v [u8], prefix: &str) -> Option<&'v [u8]> {
    let (front, rest) = value.split_at_checked(prefix.len())?;
    let same =
        if prefix.ends_with(' ') { front.eq_ignore_ascii_case(prefix.as_bytes()) } else { front == prefix.as_bytes() };
    same.then_some(rest)
}

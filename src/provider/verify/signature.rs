//! Signatures as senders write them: located, split, reduced to a key's pairs, stripped, decoded.
//!
//! Decoding is canonical: a lenient decoder would accept altered text. One bad entry never spoils a list.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};

use super::view::{Place, View};
use crate::api::scheme::Encoding;

/// Most signatures that one request may bring to one scheme.
pub const MAX_SIGNATURES: usize = 16;
/// The longest signature: RSA with 4096 bits.
const MAX_LENGTH: usize = 512;

/// Where signatures stand and how they are written.
#[derive(Clone, Debug)]
pub struct Signature {
    /// The places, of which any may carry one.
    pub places: Vec<Place>,
    /// How they are written.
    pub encoding: Encoding,
    /// Text that must stand before each.
    pub prefix: Option<String>,
    /// What separates several.
    pub separator: Option<String>,
    /// The name before `=` of those that count.
    pub key: Option<String>,
    /// The position of the one that counts.
    pub index: Option<usize>,
}

/// Decoded signatures of one request.
#[derive(Debug, Default)]
pub struct Found {
    /// The signatures; empty where none could be decoded.
    pub signatures: Vec<Vec<u8>>,
    /// Whether any of the places had a value at all.
    pub present: bool,
}

impl Signature {
    /// Every signature that the request carries, at most [`MAX_SIGNATURES`].
    pub fn find(&self, view: &View<'_>) -> Found {
        let mut found = Found::default();
        for place in &self.places {
            match place {
                Place::Header(name) if self.separator.is_some() => {
                    view.headers(name).for_each(|value| self.collect(value, &mut found));
                }
                _ => {
                    if let Some(value) = view.value(place) {
                        self.collect(&value, &mut found);
                    }
                }
            }
        }
        found
    }

    /// A part of the value that carries the signature: the first of `key`, or the one at `index`.
    pub fn part(&self, view: &View<'_>, key: Option<&str>, index: Option<usize>) -> Option<String> {
        let separator = self.separator.as_deref()?;
        for place in &self.places {
            let Some(value) = view.value(place) else { continue };
            let Ok(text) = std::str::from_utf8(&value) else { continue };
            let mut parts = text.split(separator).map(str::trim);
            let part = match (key, index) {
                (Some(key), _) => parts.find_map(|part| part.strip_prefix(key)?.strip_prefix('=')),
                (None, Some(index)) => parts.nth(index),
                (None, None) => None,
            };
            if let Some(part) = part {
                return Some(part.to_owned());
            }
        }
        None
    }

    fn collect(&self, value: &[u8], found: &mut Found) {
        found.present = true;
        let Ok(text) = std::str::from_utf8(value) else { return };
        let Some(separator) = &self.separator else {
            self.take(text, found);
            return;
        };
        for (position, part) in text.split(separator.as_str()).map(str::trim).enumerate() {
            if self.index.is_some_and(|index| index != position) {
                continue;
            }
            let part = match &self.key {
                Some(key) => match part.strip_prefix(key.as_str()).and_then(|rest| rest.strip_prefix('=')) {
                    Some(value) => value,
                    None => continue,
                },
                None => part,
            };
            self.take(part, found);
        }
    }

    fn take(&self, text: &str, found: &mut Found) {
        let text = match &self.prefix {
            Some(prefix) => match text.strip_prefix(prefix.as_str()) {
                Some(rest) => rest,
                None => return,
            },
            None => text,
        };
        if found.signatures.len() < MAX_SIGNATURES
            && let Some(bytes) = decode(text, self.encoding)
        {
            found.signatures.push(bytes);
        }
    }

    /// Writes a signature as `find` reads it; `parts` are further pairs of the same value, such as the timestamp.
    pub fn write(&self, signature: &[u8], parts: &[(Option<&str>, Option<usize>, &str)]) -> String {
        let encoded = format!("{}{}", self.prefix.as_deref().unwrap_or_default(), encode(signature, self.encoding));
        let named = match &self.key {
            Some(key) => format!("{key}={encoded}"),
            None => encoded,
        };
        let mut positioned: Vec<(usize, String)> = vec![(self.index.unwrap_or(usize::MAX), named)];
        for (key, index, value) in parts {
            let part = key.map_or_else(|| (*value).to_owned(), |key| format!("{key}={value}"));
            positioned.push((index.unwrap_or(0), part));
        }
        positioned.sort_by_key(|(position, _)| *position);
        if let Some(last) = self.index {
            // Positions that say nothing about the signature still have to be there.
            for position in 0..last {
                if !positioned.iter().any(|(p, _)| *p == position) {
                    positioned.push((position, "0".to_owned()));
                }
            }
            positioned.sort_by_key(|(position, _)| *position);
        }
        let separator = self.separator.as_deref().unwrap_or(",");
        positioned.into_iter().map(|(_, part)| part).collect::<Vec<_>>().join(separator)
    }
}

/// Decodes one signature; `None` where the text is not canonical or too long.
pub fn decode(text: &str, encoding: Encoding) -> Option<Vec<u8>> {
    if text.is_empty() || text.len() > MAX_LENGTH * 2 {
        return None;
    }
    match encoding {
        Encoding::Hex => hex::decode(text).ok(),
        Encoding::Base64 => STANDARD.decode(text).ok(),
        Encoding::Base64URL => URL_SAFE_NO_PAD.decode(text).or_else(|_| URL_SAFE.decode(text)).ok(),
    }
}

/// Writes one signature.
pub fn encode(bytes: &[u8], encoding: Encoding) -> String {
    match encoding {
        Encoding::Hex => hex::encode(bytes),
        Encoding::Base64 => STANDARD.encode(bytes),
        Encoding::Base64URL => URL_SAFE_NO_PAD.encode(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoding_is_canonical() {
        assert!(decode("aGk=", Encoding::Base64).is_some());
        assert!(decode("aGk", Encoding::Base64).is_none(), "padding is part of it");
        assert!(decode("aGl=", Encoding::Base64).is_none(), "trailing bits must be zero");
        assert!(decode("AbCd", Encoding::Hex).is_some(), "either case");
        assert!(decode("abc", Encoding::Hex).is_none(), "odd length");
        assert!(decode("", Encoding::Hex).is_none());
        assert!(decode("zz", Encoding::Hex).is_none());
    }
}

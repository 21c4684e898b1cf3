//! Signatures as senders write them: located, split, reduced to a key's pairs, stripped, decoded.
//!
//! Decoding is canonical: a lenient decoder would accept altered text. One bad entry never spoils a list.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};

use sha2::{Digest, Sha256};

use super::view::View;
use crate::api::scheme::{BindQuery, Encoding};
use crate::provider::place::Place;

/// Most signatures that one request may bring to one scheme.
pub(super) const MAX_SIGNATURES: usize = 16;
/// The longest signature: RSA with 4096 bits.
const MAX_LENGTH: usize = 512;

/// Where signatures stand and how they are written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Signature {
    /// The places, of which any may carry one.
    pub places: Vec<Place>,
    /// How they are written.
    pub encoding: Encoding,
    /// Text that must stand before each, the source's parameters filled in.
    pub prefix: Option<String>,
    /// What separates several.
    pub separator: Option<String>,
    /// The name before `=` of those that count.
    pub key: Option<String>,
    /// The position of the one that counts.
    pub index: Option<usize>,
}

/// Decoded signatures of one request, one behind the other: nearly every request has one, and one allocation.
#[derive(Debug, Default)]
pub(crate) struct Found {
    bytes: Vec<u8>,
    ends: [usize; MAX_SIGNATURES],
    count: usize,
    /// Whether any of the places had a value at all.
    pub present: bool,
}

impl Found {
    /// How many could be decoded.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Whether none could be decoded.
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The signatures in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends);
        starts.zip(self.ends).take(self.count).map(|(start, end)| &self.bytes[start..end])
    }

    /// Adds one where it can be decoded and is not one too many.
    fn add(&mut self, text: &str, encoding: Encoding) {
        let start = self.bytes.len();
        if self.count == MAX_SIGNATURES || decode_into(text, encoding, &mut self.bytes).is_none() {
            self.bytes.truncate(start);
            return;
        }
        self.ends[self.count] = self.bytes.len();
        self.count += 1;
    }
}

impl Signature {
    /// Every signature that the request carries, at most [`MAX_SIGNATURES`].
    pub(crate) fn find(&self, view: &View<'_>) -> Found {
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
    pub(crate) fn part(&self, view: &View<'_>, key: Option<&str>, index: Option<usize>) -> Option<String> {
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
        found.add(text, self.encoding);
    }

    /// Writes a signature as `find` reads it; `parts` are further pairs of the same value, such as the timestamp.
    pub(crate) fn write(&self, signature: &[u8], parts: &[(Option<&str>, Option<usize>, &str)]) -> String {
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

/// Decodes one signature behind what is there; `None` where the text is not canonical or too long.
fn decode_into(text: &str, encoding: Encoding, out: &mut Vec<u8>) -> Option<()> {
    if text.is_empty() || text.len() > MAX_LENGTH * 2 {
        return None;
    }
    let start = out.len();
    match encoding {
        Encoding::Hex => decode_hex(text.as_bytes(), out),
        Encoding::Base64 => STANDARD.decode_vec(text, out).ok(),
        Encoding::Base64URL => URL_SAFE_NO_PAD.decode_vec(text, out).ok().or_else(|| {
            out.truncate(start);
            URL_SAFE.decode_vec(text, out).ok()
        }),
    }
}

/// The value of each hexadecimal digit, of either case; 0xff for what is none.
const DIGITS: [u8; 256] = {
    let mut digits = [0xff; 256];
    let mut digit = 0;
    while digit < 16 {
        digits[b"0123456789abcdef"[digit] as usize] = digit as u8;
        digits[b"0123456789ABCDEF"[digit] as usize] = digit as u8;
        digit += 1;
    }
    digits
};

/// By table: on digits that nobody can foresee, branches cost more than the hash of a small body saves.
fn decode_hex(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let (pairs, []) = text.as_chunks::<2>() else { return None };
    let mut seen = 0;
    out.extend(pairs.iter().map(|[high, low]| {
        let (high, low) = (DIGITS[usize::from(*high)], DIGITS[usize::from(*low)]);
        seen |= high | low;
        high << 4 | low
    }));
    (seen & 0xf0 == 0).then_some(())
}

/// Writes one signature.
pub(super) fn encode(bytes: &[u8], encoding: Encoding) -> String {
    match encoding {
        Encoding::Hex => hex::encode(bytes),
        Encoding::Base64 => STANDARD.encode(bytes),
        Encoding::Base64URL => URL_SAFE_NO_PAD.encode(bytes),
    }
}

/// What a query parameter holds that binds the body: its SHA-256.
pub(super) fn bound_query(bind: &BindQuery, body: &[u8]) -> String {
    encode(&Sha256::digest(body), bind.encoding)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(text: &str, encoding: Encoding) -> Option<Vec<u8>> {
        let mut found = Found::default();
        found.add("6869", Encoding::Hex);
        found.add(text, encoding);
        assert_eq!(found.iter().next(), Some(&b"hi"[..]), "one never spoils another");
        found.iter().nth(1).map(<[u8]>::to_vec)
    }

    #[test]
    fn one_more_than_the_most_is_left_out() {
        let mut found = Found::default();
        (0..=MAX_SIGNATURES).for_each(|_| found.add("00ff", Encoding::Hex));
        assert_eq!((found.len(), found.iter().count()), (MAX_SIGNATURES, MAX_SIGNATURES));
        assert!(found.iter().all(|signature| signature == [0x00, 0xff]));
    }

    #[test]
    fn every_byte_in_hexadecimal_is_itself() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(decode(&hex::encode(&all), Encoding::Hex), Some(all.clone()));
        assert_eq!(decode(&hex::encode_upper(&all), Encoding::Hex), Some(all));
        for wrong in (0..=127_u8).map(char::from).filter(|c| !c.is_ascii_hexdigit()) {
            assert_eq!(decode(&format!("0{wrong}"), Encoding::Hex), None, "{wrong:?}");
            assert_eq!(decode(&format!("{wrong}0"), Encoding::Hex), None, "{wrong:?}");
        }
        assert_eq!(decode("é", Encoding::Hex), None);
    }

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

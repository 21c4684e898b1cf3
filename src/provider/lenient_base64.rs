//! Base64 whose letters prove nothing: keys that people paste, and documents whose proof holds already.
//!
//! Signatures are never read with it: they have one spelling.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// The bytes of a text in either alphabet (RFC 4648, sections 4 and 5), not in both; padding and trailing bits as they come.
pub(super) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let url_safe = text.iter().any(|letter| matches!(letter, b'-' | b'_'));
    if url_safe { URL_SAFE } else { STANDARD }.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_alphabet_is_read_with_padding_or_without() {
        for text in ["+/8=", "+/8", "-_8=", "-_8", "-_9"] {
            assert_eq!(decode(text.as_bytes()).as_deref(), Some(&[0xfb, 0xff][..]), "{text}");
        }
        for wrong in ["+_8", "a", "a b=", "=="] {
            assert_eq!(decode(wrong.as_bytes()), None, "{wrong}");
        }
    }
}

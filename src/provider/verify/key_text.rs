//! The text of a Secret as key bytes: encodings, armour, and what is a public key although nothing says so.
//!
//! A leaf: every kind of key reads its text here, and nothing here knows a scheme.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ParsedPublicKey, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, VerificationAlgorithm,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};
use unicode_normalization::UnicodeNormalization;

use crate::api::scheme::KeyEncoding;
use crate::provider::lenient_base64;

/// A text in Unicode's compatibility decomposition.
pub fn normalized(text: &str) -> String {
    text.nfkd().collect()
}

/// Key bytes of a secret's text.
///
/// # Errors
/// A sentence that says what the secret is not; never the secret.
pub fn decode(secret: &[u8], encoding: KeyEncoding, prefix: Option<&str>) -> Result<Vec<u8>, String> {
    let stripped = prefix.and_then(|prefix| secret.strip_prefix(prefix.as_bytes())).unwrap_or(secret);
    if stripped.is_empty() {
        return Err("is empty".to_owned());
    }
    let decoded = match encoding {
        KeyEncoding::UTF8 => Some(stripped.to_vec()),
        KeyEncoding::NFKD => {
            let text =
                std::str::from_utf8(stripped).map_err(|_| "is no text, as this provider's keys are".to_owned())?;
            Some(normalized(text).into_bytes())
        }
        KeyEncoding::SHA1 => Some(Sha1::digest(stripped).to_vec()),
        KeyEncoding::Hex => hex::decode(stripped).ok(),
        KeyEncoding::Base64 => lenient_base64::decode(stripped),
    };
    match decoded {
        Some(bytes) if !bytes.is_empty() => Ok(bytes),
        Some(_) => Err("is empty".to_owned()),
        None => Err(match encoding {
            KeyEncoding::Hex => "is not hexadecimal, as this provider's keys are".to_owned(),
            _ => "is not base64, as this provider's keys are".to_owned(),
        }),
    }
}

/// Whether a text is a public key that lost its armour: DER, base64 of DER, or a line of OpenSSH.
pub fn is_bare(text: &[u8]) -> bool {
    let lines: Vec<u8> = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let decoded = STANDARD.decode(lines).unwrap_or_default();
    let algorithms: [&'static dyn VerificationAlgorithm; 2] =
        [&RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, &ECDSA_P256_SHA256_ASN1];
    let is_der = |der: &[u8]| {
        der.first() == Some(&0x30) && algorithms.into_iter().any(|one| ParsedPublicKey::new(one, der).is_ok())
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

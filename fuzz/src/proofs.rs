//! Readers of what proves a request: signatures, forms, tokens, keys, handshakes.

use hookgate::provider::verify::jwt::{JwtKey, key_set};

use super::vendors::{FORM, VENDORS, now, parts, request, request_as, verify_all};

/// Signature headers of every vendor, over a body that is always the same.
pub fn signatures(data: &[u8]) {
    VENDORS.iter().for_each(|vendor| verify_all(vendor, &[data], None, b"{\"id\":1}"));
}

/// Headers and body of one vendor, chosen by the first byte.
pub fn requests(data: &[u8]) {
    let Some((first, data)) = data.split_first() else { return };
    let Some(vendor) = VENDORS.get(usize::from(*first) % VENDORS.len().max(1)) else { return };
    let (values, body) = parts(data);
    verify_all(vendor, &values, std::str::from_utf8(data).ok(), body);
}

/// Forms and queries, of every vendor that signs the URL or a form.
pub fn forms(data: &[u8]) {
    let text = std::str::from_utf8(data).ok();
    for vendor in VENDORS.iter() {
        for verifier in &vendor.verifiers {
            request_as(FORM, vendor, &[b"AA=="], text, data, |request| drop(verifier.verify(&request, now())));
        }
    }
}

/// JSON Web Tokens, in headers and as bodies.
pub fn tokens(data: &[u8]) {
    let bearer = [b"Bearer ", data].concat();
    for vendor in VENDORS
        .iter()
        .filter(|vendor| vendor.provider.methods.iter().any(|method| method.parameters().contains("maxLifetime")))
    {
        verify_all(vendor, &[data], None, data);
        verify_all(vendor, &[&bearer], None, data);
    }
}

/// Key sets and keys, as vendors publish them and users store them.
pub fn key_sets(data: &[u8]) {
    let _ = key_set(data);
    let _ = JwtKey::read(data, &[]);
    let _ =
        hookgate::provider::verify::key_text::decode(data, hookgate::api::scheme::KeyEncoding::Base64, Some("whsec_"));
}

/// Handshakes of every vendor.
pub fn handshakes(data: &[u8]) {
    let (values, body) = parts(data);
    let query = std::str::from_utf8(data).ok();
    for vendor in VENDORS.iter() {
        for (handshake, verifier) in
            vendor.provider.handshakes.iter().flat_map(|h| vendor.verifiers.iter().map(move |v| (h, v)))
        {
            request(vendor, &values, query, body, |request| drop(handshake.answer(&request, verifier, now())));
        }
    }
}

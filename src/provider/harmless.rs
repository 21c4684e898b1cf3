//! What a challenge may hold that is answered or signed: never what a body is made of.

/// Whether a challenge may hold the byte.
pub(crate) fn is_harmless(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._~+/=-".contains(&byte)
}

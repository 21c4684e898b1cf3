//! The id by which answers, log lines and whoever asks know one request.

use std::fmt;

use http::{HeaderName, HeaderValue};

/// Stands on every answer of a source.
pub(super) const HEADER: HeaderName = HeaderName::from_static("hookgate-delivery");

/// 32 hexadecimal digits, new for each request. No secret, and of no meaning to the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DeliveryId(u128);

impl DeliveryId {
    pub(super) fn new() -> Self {
        Self(fastrand::u128(..))
    }

    pub(super) fn header(self) -> HeaderValue {
        let mut digits = [0; 32];
        // Sixteen bytes are 32 digits, and digits are a header value.
        let _ = hex::encode_to_slice(self.0.to_be_bytes(), &mut digits);
        HeaderValue::from_bytes(&digits).unwrap_or_else(|_| HeaderValue::from_static(""))
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_and_a_line_spell_it_alike() {
        let id = DeliveryId::new();
        assert_eq!(id.header().to_str().unwrap(), id.to_string());
        assert_eq!(DeliveryId(1).to_string().len(), 32);
        assert_ne!(id, DeliveryId::new());
    }
}

//! Bodies that are signed compressed: unpacked after the proof, within bounds.

use std::io::Read;

use flate2::bufread::MultiGzDecoder;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

use crate::provider::event::DecodeError;

/// How many times its size a body may unpack to.
const MOST_TIMES: u64 = 20;
/// What a body may unpack to, in bytes.
const MOST_BYTES: u64 = 8 << 20;

/// Whether the body is gzip (RFC 9110, section 8.4.1.3).
pub(super) fn coded(headers: &HeaderMap) -> bool {
    let coding = headers.get(CONTENT_ENCODING).map(http::HeaderValue::as_bytes).unwrap_or_default().trim_ascii();
    coding.eq_ignore_ascii_case(b"gzip") || coding.eq_ignore_ascii_case(b"x-gzip")
}

/// Unpacks gzip (RFC 1952), every member of it.
pub(super) fn inflate(body: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let most = (body.len() as u64).saturating_mul(MOST_TIMES).min(MOST_BYTES);
    let mut out = Vec::new();
    let read = MultiGzDecoder::new(body).take(most + 1).read_to_end(&mut out);
    match read {
        Ok(_) if out.len() as u64 <= most => Ok(out),
        Ok(_) => Err(DecodeError::Malformed("gzip: it unpacks to more than 20 times its size, or 8Mi")),
        Err(_) => Err(DecodeError::Malformed("gzip")),
    }
}

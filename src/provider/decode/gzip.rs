//! Content codings: which one a body has, judged in one place; bodies that are signed compressed are unpacked after
//! the proof, within bounds.

use std::io::Read;

use flate2::bufread::MultiGzDecoder;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

use crate::provider::event::DecodeError;

/// How many times its size a body may unpack to.
const MOST_TIMES: u64 = 20;
/// What a body may unpack to, in bytes.
const MOST_BYTES: u64 = 8 << 20;

/// The content coding of a body (RFC 9110, section 8.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// None.
    Identity,
    /// gzip, which `x-gzip` names as well.
    Gzip,
}

/// The coding that the headers name; `None` for any other, and for more than one.
pub fn coding(headers: &HeaderMap) -> Option<Coding> {
    let mut found = Coding::Identity;
    for value in headers.get_all(CONTENT_ENCODING) {
        let value = value.as_bytes().trim_ascii();
        if value.eq_ignore_ascii_case(b"identity") {
            continue;
        }
        let gzip = value.eq_ignore_ascii_case(b"gzip") || value.eq_ignore_ascii_case(b"x-gzip");
        if !gzip || found == Coding::Gzip {
            return None;
        }
        found = Coding::Gzip;
    }
    Some(found)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_has_one_coding_or_one_that_nobody_knows() {
        let of = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CONTENT_ENCODING, value.parse().unwrap());
            }
            coding(&headers)
        };
        assert_eq!((of(&[]), of(&["Identity"])), (Some(Coding::Identity), Some(Coding::Identity)));
        assert_eq!((of(&["gzip"]), of(&["X-GZIP"])), (Some(Coding::Gzip), Some(Coding::Gzip)));
        for none in [&["br"][..], &["identity", "br"], &["gzip, gzip"], &["gzip", "gzip"], &[""]] {
            assert_eq!(of(none), None, "{none:?}");
        }
    }
}

//! Content codings: which one a body has, judged in one place; bodies that are signed compressed are unpacked after
//! the proof, within bounds.

use std::io::Read;

use flate2::bufread::GzDecoder;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

use crate::provider::event::DecodeError;

/// How many times its size a body may unpack to.
const MOST_TIMES: u64 = 20;
/// What a body may unpack to, in bytes.
const MOST_BYTES: u64 = 8 << 20;

/// Members of a body: who streams flushes a few, nobody sends thousands.
const MOST_MEMBERS: usize = 64;

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

/// Unpacks gzip (RFC 1952), every member of it. A member costs the more the less it holds, so that their number is bounded.
pub(super) fn inflate(body: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let most = (body.len() as u64).saturating_mul(MOST_TIMES).min(MOST_BYTES);
    let (mut out, mut rest) = (Vec::new(), body);
    for _ in 0..MOST_MEMBERS {
        let mut member = GzDecoder::new(rest);
        let left = most + 1 - out.len() as u64;
        (&mut member).take(left).read_to_end(&mut out).map_err(|_| DecodeError::Malformed("gzip"))?;
        if out.len() as u64 > most {
            return Err(DecodeError::Malformed("gzip: it unpacks to more than 20 times its size, or 8Mi"));
        }
        rest = member.into_inner();
        if rest.is_empty() {
            return Ok(out);
        }
    }
    Err(DecodeError::Malformed("gzip: it has more than 64 members"))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn members_are_joined_and_not_without_number() {
        let member = |text: &str| {
            let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            out.write_all(text.as_bytes()).unwrap();
            out.finish().unwrap()
        };
        assert_eq!(inflate(&[member("{"), member("}")].concat()).unwrap(), b"{}");
        assert_eq!(inflate(&member("{}").repeat(MOST_MEMBERS)).unwrap().len(), 2 * MOST_MEMBERS);
        assert!(inflate(&member("").repeat(MOST_MEMBERS + 1)).is_err());
        assert!(inflate(&[member("{}"), b"more".to_vec()].concat()).is_err());
    }

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

//! What hyper lets through although RFC 9110, 9112 or 9113 forbids it: 400, and the connection ends.
//!
//! Yields the host and path that routes are found by. Nothing is decoded, and no forwarded header is read.

mod frames;
mod scan;
pub(super) mod wire;

use std::borrow::Cow;

use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, HeaderName, Method, Version, header};

/// Which rule a request breaks; for logs, never for the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Offence {
    /// RFC 9112, section 3.2: a client sends exactly one Host.
    #[error("Host does not occur exactly once")]
    HostCount,
    /// RFC 3986, section 3.2: host, then optionally a colon and a port; RFC 9110, section 4.2.4: no user information.
    #[error("the host is not a host")]
    Host,
    /// RFC 9112, section 3.2.2 and RFC 9113, section 8.3.1.
    #[error("the target names another host than Host does")]
    OtherHost,
    /// RFC 9112, section 3.2: origin-form and absolute-form are all that an origin server answers.
    #[error("the target is of a form that origin servers do not answer")]
    Target,
    /// RFC 9112, section 3.2 (no fragment), sections 6.1 and 6.3 (one framing).
    #[error("the head holds a fragment, or more than one of Content-Length and Transfer-Encoding")]
    Head,
    /// RFC 9112, section 6.1: we know no coding but chunked.
    #[error("a transfer coding other than chunked")]
    TransferCoding,
    /// RFC 9112, section 6.3.
    #[error("Content-Length occurs more than once")]
    ContentLength,
    /// RFC 9110, section 10.1.1: 100-continue is the only expectation there is.
    #[error("an expectation other than 100-continue")]
    Expectation,
    /// RFC 9112, section 7.1.
    #[error("the body is not framed as announced")]
    Body,
}

/// Where a request goes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target<'a> {
    /// In lower case, without port.
    pub(super) host: Cow<'a, str>,
    /// As received.
    pub(super) path: &'a str,
}

/// Judges what hyper read.
pub(super) fn judge(head: &Parts) -> Result<Target<'_>, Offence> {
    if let Some(coding) = single(&head.headers, &header::TRANSFER_ENCODING, Offence::TransferCoding)?
        && !coding.eq_ignore_ascii_case(b"chunked")
    {
        return Err(Offence::TransferCoding);
    }
    // On HTTP/1.1 `scan` has seen to it; on HTTP/2 they come as they were sent.
    single(&head.headers, &header::CONTENT_LENGTH, Offence::ContentLength)?;
    if let Some(expectation) = single(&head.headers, &header::EXPECT, Offence::Expectation)?
        && !expectation.eq_ignore_ascii_case(b"100-continue")
    {
        return Err(Offence::Expectation);
    }
    Ok(Target { host: host(head)?, path: path(head)? })
}

/// The value of a header that may occur once.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName, twice: Offence) -> Result<Option<&'a [u8]>, Offence> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    match values.next() {
        Some(_) => Err(twice),
        None => Ok(first.map(|value| value.as_bytes())),
    }
}

fn path(head: &Parts) -> Result<&str, Offence> {
    let absolute = head.uri.scheme().is_some();
    if head.uri.authority().is_some() != absolute || head.method == Method::CONNECT {
        return Err(Offence::Target);
    }
    if head.uri.scheme_str().is_some_and(|scheme| scheme != "http" && scheme != "https") {
        return Err(Offence::Target);
    }
    match head.uri.path() {
        path if path.starts_with('/') => Ok(path),
        // `OPTIONS *` is a proper request; no source claims that path.
        "*" if head.method == Method::OPTIONS => Ok("*"),
        _ => Err(Offence::Target),
    }
}

/// The host that is asked: of `Host`, or of `:authority`, which HTTP/2 has instead.
fn host(head: &Parts) -> Result<Cow<'_, str>, Offence> {
    let header = single(&head.headers, &header::HOST, Offence::HostCount)?;
    let named = match header {
        Some(value) => Some(authority(std::str::from_utf8(value).map_err(|_| Offence::Host)?)?),
        None => None,
    };
    let target = head.uri.authority().map(Authority::as_str).map(authority).transpose()?;
    match (named, target) {
        (Some(named), None) => Ok(named.0),
        (None, Some(target)) if head.version == Version::HTTP_2 => Ok(target.0),
        (Some(named), Some(target)) => {
            let usual = if head.uri.scheme_str() == Some("https") { 443 } else { 80 };
            let same = named.0 == target.0 && named.1.unwrap_or(usual) == target.1.unwrap_or(usual);
            if same { Ok(named.0) } else { Err(Offence::OtherHost) }
        }
        (None, _) => Err(Offence::HostCount),
    }
}

/// Host, in lower case, and port.
fn authority(text: &str) -> Result<(Cow<'_, str>, Option<u16>), Offence> {
    let split = match text.rfind(']') {
        Some(end) => text.get(end + 1..).map(|rest| (&text[..=end], rest)),
        None => text.find(':').map_or(Some((text, "")), |colon| Some((&text[..colon], &text[colon..]))),
    };
    let (host, port) = split.ok_or(Offence::Host)?;
    let valid = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host.len() <= 253
                && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'))
        }
    };
    let port = match port.strip_prefix(':') {
        // RFC 3986, section 3.2.3: the port may be empty.
        Some("") => None,
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => Some(digits.parse().map_err(|_| Offence::Host)?),
        None if port.is_empty() => None,
        _ => return Err(Offence::Host),
    };
    if !valid {
        return Err(Offence::Host);
    }
    let lower = if host.bytes().any(|b| b.is_ascii_uppercase()) {
        Cow::Owned(host.to_ascii_lowercase())
    } else {
        Cow::Borrowed(host)
    };
    Ok((lower, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read_without_port_and_case() {
        let read = |text| authority(text).map(|(host, port)| (host.into_owned(), port));
        let ok = |host: &str, port| Ok((host.to_owned(), port));
        assert_eq!(read("Hooks.Example.com"), ok("hooks.example.com", None));
        assert_eq!(read("hooks.example.com:8443"), ok("hooks.example.com", Some(8443)));
        assert_eq!(read("h:"), ok("h", None));
        assert_eq!(read("[2001:DB8::1]:80"), ok("[2001:db8::1]", Some(80)));
        for wrong in [
            "", ":80", "a b", "a,b", "u@h", "u:p@h", "h:80:80", "h:+80", "h:65536", "[::1", "::1]", "[::g]", "h/",
            "h#f", "h?", "[::1]x",
        ] {
            assert_eq!(read(wrong), Err(Offence::Host), "{wrong}");
        }
    }
}

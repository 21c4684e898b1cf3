//! A captured request: a raw HTTP/1.1 message in a file, the body byte for byte.

use anyhow::{Context, bail};
use bytes::Bytes;
use http::header::TRANSFER_ENCODING;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

/// Most header lines of a capture.
const MAX_HEADERS: usize = 128;

/// A captured request.
#[derive(Clone, Debug)]
pub struct CapturedRequest {
    /// The HTTP method.
    pub method: Method,
    /// The path.
    pub path: String,
    /// The query, without `?`.
    pub query: Option<String>,
    /// The headers in order.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl CapturedRequest {
    /// Reads a message whose lines end in LF or CRLF.
    ///
    /// # Errors
    /// What is wrong with the message, and where.
    pub fn parse(message: &[u8]) -> anyhow::Result<Self> {
        let mut lines = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut request = httparse::Request::new(&mut lines);
        let read = request
            .parse(message)
            .context("no HTTP/1.1 request: it begins with a line such as `POST /path HTTP/1.1`")?;
        let httparse::Status::Complete(head) = read else {
            bail!("the request ends inside its headers: an empty line must follow them, then the body");
        };
        let target = request.path.unwrap_or("/");
        let target = match target.split_once("://") {
            Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
            None => target,
        };
        let (path, query) =
            target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query.to_owned())));
        let mut headers = HeaderMap::new();
        for line in request.headers.iter() {
            headers.append(HeaderName::try_from(line.name)?, HeaderValue::from_bytes(line.value)?);
        }
        let body = &message[head..];
        let unchunked;
        let body = if headers.remove(TRANSFER_ENCODING).is_some_and(|coding| is_chunked(&coding)) {
            unchunked = dechunk(body)?;
            unchunked.as_slice()
        } else {
            body
        };
        if let Some(length) =
            headers.get(http::header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok())
            && length != body.len()
        {
            bail!(
                "Content-Length says {length} and the body in the file has {} bytes: save it byte for byte, without a line break at the end",
                body.len()
            );
        }
        Ok(Self {
            method: request.method.unwrap_or("POST").parse()?,
            path: path.to_owned(),
            query,
            headers,
            body: Bytes::copy_from_slice(body),
        })
    }
}

fn is_chunked(coding: &HeaderValue) -> bool {
    coding.to_str().is_ok_and(|coding| coding.trim().eq_ignore_ascii_case("chunked"))
}

/// The body without its framing (RFC 9112, section 7.1), whose lines end in LF or CRLF. A capture that shows the header without the framing
/// is taken as it is.
fn dechunk(framed: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut body = Vec::with_capacity(framed.len());
    let mut rest = framed;
    loop {
        let line = rest.iter().position(|byte| *byte == b'\n').map_or(rest, |end| &rest[..end]);
        let size = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        let digits = !size.is_empty() && size.len() <= 8 && size.iter().all(u8::is_ascii_hexdigit);
        let size =
            std::str::from_utf8(size).ok().filter(|_| digits).and_then(|size| usize::from_str_radix(size, 16).ok());
        let Some(size) = size else {
            if body.is_empty() && rest.len() == framed.len() {
                return Ok(framed.to_vec());
            }
            bail!(
                "Transfer-Encoding says chunked, and after {} bytes of the body no size of a chunk follows",
                body.len()
            );
        };
        rest = rest.get(line.len() + 1..).unwrap_or_default();
        if size == 0 {
            return Ok(body);
        }
        let Some(chunk) = rest.get(..size) else {
            bail!("a chunk of {size} bytes ends too early: save the request byte for byte");
        };
        body.extend_from_slice(chunk);
        rest = &rest[size..];
        rest = rest.strip_prefix(b"\r").unwrap_or(rest);
        rest = rest.strip_prefix(b"\n").unwrap_or(rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_with_either_line_end_and_its_body_as_it_is() {
        for message in [
            "POST /a?b=1 HTTP/1.1\nHost: x\nX-A: 1\n\nbo\r\ndy\n",
            "POST /a?b=1 HTTP/1.1\r\nHost: x\r\nX-A: 1\r\n\r\nbo\r\ndy\n",
        ] {
            let capture = CapturedRequest::parse(message.as_bytes()).unwrap();
            assert_eq!((capture.path.as_str(), capture.query.as_deref()), ("/a", Some("b=1")));
            assert_eq!(capture.headers["x-a"], "1");
            assert_eq!(capture.body, "bo\r\ndy\n");
        }
    }

    #[test]
    fn chunks_are_joined_and_their_framing_is_no_body() {
        let head = "POST / HTTP/1.1\nTransfer-Encoding: chunked\n\n";
        for (framed, body) in [
            ("3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", "abcde"),
            ("3\nabc\n0\n\n", "abc"),
            ("0\r\n\r\n", ""),
            ("{\"already\": \"joined\"}", "{\"already\": \"joined\"}"),
        ] {
            assert_eq!(CapturedRequest::parse(format!("{head}{framed}").as_bytes()).unwrap().body, body, "{framed:?}");
        }
        for (cut, said) in [("9\r\nabc", "ends too early"), ("3\r\nabc\r\nzz\r\n", "no size of a chunk")] {
            let error = CapturedRequest::parse(format!("{head}{cut}").as_bytes()).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn a_truncated_message_is_told_so() {
        for (message, said) in [
            ("", "inside its headers"),
            ("POST / HTTP/1.1\nContent-Length: 9\n\nabc", "Content-Length"),
            ("hello world and nothing else\n\n", "HTTP/1.1"),
        ] {
            let error = format!("{:#}", CapturedRequest::parse(message.as_bytes()).unwrap_err());
            assert!(error.contains(said), "{message:?}: {error}");
        }
    }
}

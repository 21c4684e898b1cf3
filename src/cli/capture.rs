//! A captured request: a raw HTTP/1.1 message in a file, the body byte for byte.

use anyhow::{Context, bail};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

/// Most header lines of a capture.
const MAX_HEADERS: usize = 128;

/// A captured request.
#[derive(Clone, Debug)]
pub struct Capture {
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

impl Capture {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_with_either_line_end_and_its_body_as_it_is() {
        for message in [
            "POST /a?b=1 HTTP/1.1\nHost: x\nX-A: 1\n\nbo\r\ndy\n",
            "POST /a?b=1 HTTP/1.1\r\nHost: x\r\nX-A: 1\r\n\r\nbo\r\ndy\n",
        ] {
            let capture = Capture::parse(message.as_bytes()).unwrap();
            assert_eq!((capture.path.as_str(), capture.query.as_deref()), ("/a", Some("b=1")));
            assert_eq!(capture.headers["x-a"], "1");
            assert_eq!(capture.body, "bo\r\ndy\n");
        }
    }

    #[test]
    fn a_truncated_message_is_told_so() {
        for (message, said) in [
            ("", "inside its headers"),
            ("POST / HTTP/1.1\nContent-Length: 9\n\nabc", "Content-Length"),
            ("hello world and nothing else\n\n", "HTTP/1.1"),
        ] {
            let error = format!("{:#}", Capture::parse(message.as_bytes()).unwrap_err());
            assert!(error.contains(said), "{message:?}: {error}");
        }
    }
}

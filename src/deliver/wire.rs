//! A message at the end of its way: judged by its size, and put into the words of the client.
//!
//! The only place that does either. Never looks into a payload.

use async_nats::header::{HeaderMap, HeaderName, HeaderValue};

use super::Unavailable;
use crate::event::limits::{MAX_HEADERS, MAX_SUBJECT};
use crate::event::{Message, header, lines};

/// The empty line that ends a header block.
const END: &str = "\r\n";

/// The one place where sizes are judged: headers and payload as the server counts them, with what publishing adds.
pub(super) fn fits(message: &Message, stream: Option<&str>, max_payload: usize) -> Result<(), Unavailable> {
    let added = stream.map_or(0, |stream| header::EXPECTED_STREAM.name.len() + ": ".len() + stream.len() + END.len());
    let headers = message.headers.len() + added + END.len();
    if message.subject.len() > MAX_SUBJECT {
        return Err(invalid("subject"));
    }
    if headers > MAX_HEADERS || headers + message.payload.len() > max_payload {
        return Err(Unavailable::TooLarge);
    }
    Ok(())
}

/// The one place where the bytes of a header block become what the client takes: it publishes no block as it is, and
/// writes these lines again. A lane of our own would send the block.
pub(super) fn convert(block: &[u8], stream: Option<&str>) -> Result<HeaderMap, Unavailable> {
    let mut headers = HeaderMap::new();
    let own = stream.map(|stream| (header::EXPECTED_STREAM.name.as_bytes(), stream.as_bytes()));
    for (name, value) in lines(block).chain(own) {
        let name = header::known(name).ok_or_else(|| invalid("header"))?;
        // Parsed: the client's `From` panics on CR and LF.
        let value = std::str::from_utf8(value).ok().and_then(|value| value.parse::<HeaderValue>().ok());
        headers.insert(HeaderName::from_static(name), value.ok_or_else(|| invalid("header"))?);
    }
    Ok(headers)
}

/// The client could not take it.
pub(super) fn invalid(what: &str) -> Unavailable {
    Unavailable::Refused { code: 0, description: format!("the message has an invalid {what}") }
}

//! Whether the server takes a message: the one place where its size is judged. Never looks into a payload.

use crate::deliver::Unavailable;
use crate::event::limits::{MAX_HEADERS, MAX_SUBJECT};
use crate::event::{Message, header};

/// The empty line that ends a header block.
const END: &str = "\r\n";

/// The one place where sizes are judged: headers and payload as the server counts them, with what publishing adds.
pub(in crate::deliver) fn fits(message: &Message, stream: Option<&str>, max_payload: usize) -> Result<(), Unavailable> {
    let added = stream.map_or(0, |stream| header::EXPECTED_STREAM.name.len() + ": ".len() + stream.len() + END.len());
    let headers = message.headers.len() + added + END.len();
    // Rendered subjects are clean; those of a spool were written by whoever can write there.
    let subject = message.subject.as_bytes();
    if subject.is_empty() || subject.len() > MAX_SUBJECT || subject.iter().any(|byte| *byte <= b' ') {
        return Err(invalid("subject"));
    }
    let block = &message.headers;
    if !(block.starts_with(b"NATS/1.0\r\n") && block.ends_with(END.as_bytes())) {
        return Err(invalid("header"));
    }
    if headers > MAX_HEADERS || headers + message.payload.len() > max_payload {
        return Err(Unavailable::TooLarge);
    }
    Ok(())
}

/// It would break the protocol.
fn invalid(what: &str) -> Unavailable {
    Unavailable::Refused { code: 0, description: format!("the message has an invalid {what}") }
}

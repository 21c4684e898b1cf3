//! A message as it goes over the wire, into a spool and into what is remembered of it: bytes.

use bytes::Bytes;

use super::block::lines;
use super::header::{self, Header};

/// An event as NATS takes it. Publishing adds what belongs to the connection, and the empty line.
#[derive(Clone, Debug)]
pub struct Message {
    /// The subject, escaped.
    pub subject: String,
    /// The header block from its version line on, without the empty line that ends it; `Nats-Msg-Id` is its last header.
    pub headers: Bytes,
    /// The payload.
    pub payload: Bytes,
    /// `Nats-Msg-Id`: what JetStream keeps one copy of. A part of `headers`.
    pub msg_id: Bytes,
}

impl Message {
    /// Names and values of its headers, in order.
    pub fn lines(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        lines(&self.headers)
    }

    /// The value of a header, percent-encoded as it is.
    pub fn header(&self, header: Header) -> Option<&str> {
        let (_, value) = self.lines().find(|(name, _)| *name == header.name.as_bytes())?;
        std::str::from_utf8(value).ok()
    }

    /// It has only headers that events have: one that was read from a disk could hold others, such as those by which
    /// JetStream deletes what is stored.
    pub fn has_only_known_headers(&self) -> bool {
        self.lines().all(|(name, _)| header::is_known(name))
    }
}

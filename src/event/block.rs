//! The header block of a message as bytes: the version line and one line a header, as they go over the wire.
//!
//! Values are clean by construction: no CR, LF, space or anything else that the contract percent-encodes.

use std::fmt::{self, Display, Write as _};

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::header::{self, Header, encoded};
use super::limits::MAX_MSG_ID;

const VERSION: &[u8] = b"NATS/1.0\r\n";
/// Room for the lines of an event beside those that its source knows ahead.
const OWN_LINES: usize = 640;

/// A header block that is being written.
#[derive(Clone, Debug)]
pub struct Block(Vec<u8>);

impl Default for Block {
    fn default() -> Self {
        Self(VERSION.to_vec())
    }
}

impl Block {
    /// Begins with the lines of another block.
    pub fn after(begin: &Block) -> Self {
        let mut bytes = Vec::with_capacity(begin.0.len() + OWN_LINES);
        bytes.extend_from_slice(&begin.0);
        Self(bytes)
    }

    /// Adds a header whose value is these parts together, percent-encoded.
    pub fn push(&mut self, header: Header, parts: &[&str]) {
        self.name(header);
        for part in parts {
            self.encode(part);
        }
        self.0.extend_from_slice(b"\r\n");
    }

    /// Adds a header whose value needs no encoding, such as a time. What would, becomes `_` all the same.
    pub fn push_clean(&mut self, header: Header, value: impl Display) {
        self.name(header);
        // Writing to memory cannot fail.
        let _ = write!(Clean(&mut self.0), "{value}");
        self.0.extend_from_slice(b"\r\n");
    }

    /// Ends the block with the message's id, `{uid}:{id}`, or its SHA-256 where that is too long; `uid` is encoded
    /// already. Returns the block and the id, which lies in it.
    pub fn finish(mut self, uid: &str, id: &str) -> (Bytes, Bytes) {
        self.name(header::MSG_ID);
        let start = self.0.len();
        self.0.extend_from_slice(uid.as_bytes());
        self.0.push(b':');
        self.encode(id);
        if self.0.len() - start > MAX_MSG_ID {
            let hash = hex::encode(Sha256::digest(&self.0[start..]));
            self.0.truncate(start);
            self.0.extend_from_slice(hash.as_bytes());
        }
        let end = self.0.len();
        self.0.extend_from_slice(b"\r\n");
        let block = Bytes::from(self.0);
        let msg_id = block.slice(start..end);
        (block, msg_id)
    }

    fn name(&mut self, header: Header) {
        self.0.extend_from_slice(header.name.as_bytes());
        self.0.extend_from_slice(b": ");
    }

    fn encode(&mut self, value: &str) {
        for piece in encoded(value) {
            self.0.extend_from_slice(piece.as_bytes());
        }
    }
}

/// Names and values of a block, in order; a line that is none ends it.
pub fn lines(block: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = block.strip_prefix(VERSION).unwrap_or_default();
    std::iter::from_fn(move || {
        let end = memchr::memchr(b'\r', rest)?;
        let (line, after) = (&rest[..end], rest.get(end + 2..).unwrap_or_default());
        rest = after;
        let colon = memchr::memchr(b':', line)?;
        Some((&line[..colon], line.get(colon + 2..)?))
    })
}

struct Clean<'a>(&'a mut Vec<u8>);

impl fmt::Write for Clean<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend(text.bytes().map(|byte| if byte.is_ascii_graphic() { byte } else { b'_' }));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(block: Block) -> String {
        String::from_utf8(block.finish("u", "1").0.to_vec()).unwrap()
    }

    #[test]
    fn values_are_percent_encoded_once_in_upper_case() {
        let mut block = Block::default();
        block.push(header::SUBJECT, &["a b\"%", "ü\r\n~!{}\u{7f}"]);
        let expected = "NATS/1.0\r\nce-subject: a%20b%22%25%C3%BC%0D%0A~!{}%7F\r\nNats-Msg-Id: u:1\r\n";
        assert_eq!(text(block), expected);
    }

    #[test]
    fn what_is_said_to_be_clean_cannot_break_the_line() {
        let mut block = Block::default();
        block.push_clean(header::TIME, "a\r\nNats-Rollup: all");
        assert!(text(block).contains("\r\nce-time: a__Nats-Rollup:_all\r\n"));
    }

    #[test]
    fn the_lines_read_back_are_those_written() {
        let mut block = Block::default();
        block.push(header::ID, &["x y"]);
        let (block, msg_id) = Block::after(&block).finish("u", "a:b");
        let read: Vec<_> = lines(&block).collect();
        assert_eq!(read, [(&b"ce-id"[..], &b"x%20y"[..]), (b"Nats-Msg-Id", b"u:a:b")]);
        assert_eq!(msg_id, "u:a:b");
    }

    #[test]
    fn an_id_that_is_too_long_becomes_its_hash() {
        let id = |id: &str| Block::default().finish("0b51-uid", id).1;
        let fits = "x".repeat(MAX_MSG_ID - "0b51-uid:".len());
        assert_eq!(id(&fits), format!("0b51-uid:{fits}"));
        let over = format!("{fits}x");
        assert_eq!(id(&over), hex::encode(Sha256::digest(format!("0b51-uid:{over}"))));
    }
}

//! The client protocol of NATS as bytes: what we send is written straight into a buffer, what comes is read off one.
//!
//! Source: the protocol reference of NATS (docs.nats.io, "Client Protocol") and ADR-4 for header blocks. Only what a
//! publisher needs: it subscribes to the subject of its acknowledgements and to nothing else.

use std::io::Write as _;

use bytes::{Buf, Bytes, BytesMut};
use serde::Deserialize;

use crate::event::{Message, header};

/// The longest line in bytes: an `INFO` of a large cluster stays far below.
const MAX_LINE: usize = 256 << 10;
/// The largest answer that is kept, in bytes. Others who may publish on our inbox must not fill memory.
const MAX_ANSWER: usize = 64 << 10;
/// Payloads up to this size are copied beside their headers; larger ones are sent from where they lie.
pub(super) const COPIED: usize = 16 << 10;
/// The most bytes that a batch adds to the headers of a message.
pub(in crate::deliver) const BATCH_LINES: usize = 192;
/// Digits of a `usize`.
const DIGITS: usize = 20;

/// What a server says of itself, when the connection comes and when it changes.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Info {
    #[serde(default)]
    pub(super) server_name: String,
    #[serde(default)]
    pub(super) version: String,
    #[serde(default)]
    pub(super) max_payload: usize,
    #[serde(default)]
    pub(super) tls_required: bool,
    #[serde(default)]
    pub(super) nonce: String,
    /// Other servers of the cluster, `host:port` each.
    #[serde(default)]
    pub(super) connect_urls: Vec<String>,
    /// It is about to stop.
    #[serde(default, rename = "ldm")]
    pub(super) lame_duck: bool,
}

/// What a server sends.
#[derive(Debug)]
pub(super) enum Op {
    /// Something on our inbox.
    Answer(Answer),
    Ping,
    Pong,
    Info(Box<Info>),
    /// `-ERR`, without its quotes.
    Error(String),
}

/// A message on the inbox.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// The number at the end of its subject.
    pub(super) number: u64,
    /// The status line of its headers, where it has one.
    pub(super) status: Option<u16>,
    /// Its payload.
    pub(super) payload: Bytes,
}

/// What came is not the protocol.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server sent {0}")]
pub(in crate::deliver) struct Malformed(&'static str);

/// Where a message stands in a batch (ADR-50).
#[derive(Clone, Copy, Debug)]
pub(super) struct Part<'a> {
    /// The batch's id: these two, with a hyphen between them.
    pub(super) id: (&'a str, u64),
    /// From 1.
    pub(super) sequence: usize,
    /// It is the last one.
    pub(super) commits: bool,
}

/// What a frame says beside its message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Envelope<'a> {
    /// The stream that must take it.
    pub(super) stream: Option<&'a str>,
    /// Where the answer goes to: an inbox, and a number. `None`: nobody waits for one.
    pub(super) reply: Option<(&'a str, u64)>,
    pub(super) part: Option<Part<'a>>,
}

/// Writes the frame of a message up to its payload, and the payload where it is small. True: it is not, and follows.
pub(super) fn publish(out: &mut BytesMut, message: &Message, envelope: Envelope<'_>) -> bool {
    let Envelope { stream, reply, part } = envelope;
    let expected = stream.map_or(0, |stream| header::EXPECTED_STREAM.name.len() + ": \r\n".len() + stream.len());
    let lines = part.map(Part::lines);
    let lines = lines.as_deref().unwrap_or_default().as_bytes();
    let headers = message.headers.len() + expected + lines.len() + "\r\n".len();
    let copied = message.payload.len() <= COPIED;
    let payload = if copied { message.payload.len() } else { 0 };
    let inbox = reply.map_or(0, |(inbox, _)| inbox.len());
    out.reserve(message.subject.len() + inbox + 3 * DIGITS + 16 + headers + payload);
    out.extend_from_slice(b"HPUB ");
    out.extend_from_slice(message.subject.as_bytes());
    out.extend_from_slice(b" ");
    if let Some((inbox, number)) = reply {
        out.extend_from_slice(inbox.as_bytes());
        decimal(out, number);
        out.extend_from_slice(b" ");
    }
    decimal(out, headers as u64);
    out.extend_from_slice(b" ");
    decimal(out, (headers + message.payload.len()) as u64);
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(&message.headers);
    if let Some(stream) = stream {
        out.extend_from_slice(header::EXPECTED_STREAM.name.as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(stream.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(lines);
    out.extend_from_slice(b"\r\n");
    if copied {
        out.extend_from_slice(&message.payload);
        out.extend_from_slice(b"\r\n");
    }
    !copied
}

impl Part<'_> {
    fn lines(self) -> String {
        let (name, number) = self.id;
        let commit = if self.commits { "Nats-Batch-Commit: 1\r\n" } else { "" };
        format!("Nats-Batch-Id: {name}-{number}\r\nNats-Batch-Sequence: {}\r\n{commit}", self.sequence)
    }
}

fn decimal(out: &mut BytesMut, number: u64) {
    let mut digits = [0; DIGITS];
    let mut rest = &mut digits[..];
    // A `u64` has at most twenty digits.
    let _ = write!(rest, "{number}");
    let left = rest.len();
    out.extend_from_slice(&digits[..DIGITS - left]);
}

/// Reads what a server sends, however it is cut into packets.
#[derive(Debug)]
pub(super) struct Reader {
    /// Bytes of the subject before the number.
    prefix: usize,
    /// The front of the buffer that holds no end of a line.
    searched: usize,
    /// A message whose line was read: bytes of its headers, of all of it, and its number.
    body: Option<Body>,
    /// Bytes of an answer too large to be ours that are still to come.
    skip: usize,
}

#[derive(Clone, Copy, Debug)]
struct Body {
    number: Option<u64>,
    headers: usize,
    total: usize,
}

impl Reader {
    /// For subjects that end in a number after so many bytes.
    pub(super) fn new(prefix: usize) -> Self {
        Self { prefix, searched: 0, body: None, skip: 0 }
    }

    /// The next thing in the buffer; `None`: more must come first.
    ///
    /// # Errors
    /// The connection is of no more use.
    pub(super) fn next(&mut self, input: &mut BytesMut) -> Result<Option<Op>, Malformed> {
        loop {
            if self.skip > 0 {
                let skipped = self.skip.min(input.len());
                input.advance(skipped);
                self.skip -= skipped;
                if self.skip > 0 {
                    return Ok(None);
                }
            }
            if let Some(body) = self.body {
                let whole = body.total + "\r\n".len();
                if input.len() < whole {
                    input.reserve(whole - input.len());
                    return Ok(None);
                }
                self.body = None;
                let mut all = input.split_to(whole).freeze();
                let Some(number) = body.number else { continue };
                let status = status(&all[..body.headers]);
                all.truncate(body.total);
                return Ok(Some(Op::Answer(Answer { number, status, payload: all.slice(body.headers..) })));
            }
            let Some(end) = memchr::memchr(b'\n', &input[self.searched..]).map(|at| self.searched + at) else {
                if input.len() > MAX_LINE {
                    return Err(Malformed("a line without an end"));
                }
                self.searched = input.len();
                return Ok(None);
            };
            self.searched = 0;
            let line = input.split_to(end + 1);
            if let Some(op) = self.line(line.trim_ascii_end())? {
                return Ok(Some(op));
            }
        }
    }

    fn line(&mut self, line: &[u8]) -> Result<Option<Op>, Malformed> {
        let (verb, rest) = line.split_at(line.iter().position(|&byte| byte == b' ').unwrap_or(line.len()));
        Ok(match verb {
            b"MSG" => {
                self.body(rest, false)?;
                None
            }
            b"HMSG" => {
                self.body(rest, true)?;
                None
            }
            b"PING" => Some(Op::Ping),
            b"PONG" => Some(Op::Pong),
            b"+OK" | b"" => None,
            b"-ERR" => {
                let text = String::from_utf8_lossy(rest.trim_ascii());
                Some(Op::Error(text.trim_matches('\'').to_owned()))
            }
            b"INFO" => {
                let info = serde_json::from_slice(rest).map_err(|_| Malformed("an INFO that cannot be read"))?;
                Some(Op::Info(Box::new(info)))
            }
            _ => return Err(Malformed("what is not its protocol")),
        })
    }

    /// Subject, subscription, an optional reply subject, then the sizes.
    fn body(&mut self, line: &[u8], with_headers: bool) -> Result<(), Malformed> {
        let wrong = Malformed("a message without its sizes");
        let words = || line.split(|&byte| byte == b' ').filter(|word| !word.is_empty());
        let mut last = words().rev();
        let mut size = || std::str::from_utf8(last.next()?).ok()?.parse::<usize>().ok();
        let total = size();
        let headers = if with_headers { size() } else { Some(0) };
        let (Some(total), Some(headers), Some(subject)) = (total, headers, words().next()) else { return Err(wrong) };
        if headers > total {
            return Err(wrong);
        }
        if total > MAX_ANSWER {
            self.skip = total + "\r\n".len();
            return Ok(());
        }
        let number = subject.get(self.prefix..).and_then(|number| std::str::from_utf8(number).ok()?.parse().ok());
        self.body = Some(Body { number, headers, total });
        Ok(())
    }
}

/// The code of a header block whose first line has one: `NATS/1.0 503`.
fn status(headers: &[u8]) -> Option<u16> {
    let line = headers.strip_prefix(b"NATS/1.0 ")?;
    std::str::from_utf8(line.get(..3)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STREAM: &[u8] = b"INFO {\"server_name\":\"one\",\"version\":\"2.12.0\",\"max_payload\":1048576,\"ldm\":true}\r\nPING\r\n\
        MSG _INBOX.a.7 1 27\r\n{\"stream\":\"WEBHOOKS\",\"seq\":1}\r\nHMSG _INBOX.a.8 1 16 16\r\nNATS/1.0 503\r\n\r\n\r\n\
        +OK\r\nMSG _INBOX.a.other 1 reply 2\r\nhi\r\n-ERR 'Permissions Violation for Publish to \"a\"'\r\nPONG\r\n";

    fn read(pieces: impl IntoIterator<Item = Vec<u8>>) -> Vec<String> {
        let (mut reader, mut input, mut read) = (Reader::new("_INBOX.a.".len()), BytesMut::new(), Vec::new());
        for piece in pieces {
            input.extend_from_slice(&piece);
            while let Some(op) = reader.next(&mut input).unwrap() {
                read.push(match op {
                    Op::Info(info) => format!("info {} {} {}", info.server_name, info.max_payload, info.lame_duck),
                    other => format!("{other:?}"),
                });
            }
        }
        assert!(input.is_empty());
        read
    }

    proptest! {
        #[test]
        fn what_comes_is_read_however_it_is_cut(cuts in prop::collection::vec(1..40_usize, 1..60)) {
            let mut rest = STREAM;
            let mut pieces = Vec::new();
            for cut in cuts {
                let (piece, after) = rest.split_at(cut.min(rest.len()));
                pieces.push(piece.to_vec());
                rest = after;
            }
            pieces.push(rest.to_vec());
            prop_assert_eq!(read(pieces), read([STREAM.to_vec()]));
        }

        #[test]
        fn rubbish_ends_the_connection_and_nothing_else(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let (mut reader, mut input) = (Reader::new(3), BytesMut::from(&bytes[..]));
            while let Ok(Some(_)) = reader.next(&mut input) {}
        }
    }

    #[test]
    fn each_thing_is_read_for_what_it_is() {
        let read = read([STREAM.to_vec()]);
        assert_eq!(read[0], "info one 1048576 true");
        assert_eq!(read[1], "Ping");
        assert!(read[2].starts_with("Answer(Answer { number: 7, status: None, payload: b\"{"), "{}", read[2]);
        assert_eq!(read[3], "Answer(Answer { number: 8, status: Some(503), payload: b\"\" })");
        assert_eq!(read[4], "Error(\"Permissions Violation for Publish to \\\"a\\\"\")");
        assert_eq!(read[5], "Pong");
        assert_eq!(read.len(), 6, "an answer without a number is nobody's");
    }

    #[test]
    fn an_answer_too_large_to_be_one_is_passed_over_without_being_kept() {
        let (mut reader, mut input) = (Reader::new(2), BytesMut::new());
        input.extend_from_slice(format!("MSG a.1 1 {}\r\n", 1 << 30).as_bytes());
        assert!(reader.next(&mut input).unwrap().is_none());
        for _ in 0..(1 << 10) {
            input.extend_from_slice(&[b'x'; 1 << 16]);
            if input.len() > 4 << 20 {
                assert!(reader.next(&mut input).unwrap().is_none());
                assert!(input.is_empty());
            }
            if reader.skip < 8 << 20 {
                break;
            }
        }
        assert!(reader.next(&mut input).unwrap().is_none());
    }

    #[test]
    fn a_frame_says_how_long_its_parts_are() {
        let (headers, msg_id) = crate::event::Block::default().finish("u", "1");
        let message = Message { subject: "webhooks.a".into(), headers, payload: "{}".into(), msg_id };
        let mut out = BytesMut::new();
        let alone = Envelope { stream: None, reply: Some(("_INBOX.a.", 18)), part: None };
        assert!(!publish(&mut out, &message, Envelope { stream: Some("W"), ..alone }));
        assert_eq!(
            out,
            "HPUB webhooks.a _INBOX.a.18 55 57\r\nNATS/1.0\r\nNats-Msg-Id: u:1\r\nNats-Expected-Stream: W\r\n\r\n{}\r\n"
        );
        out.clear();
        let part = Some(Part { id: ("b", 18), sequence: 1, commits: false });
        assert!(!publish(&mut out, &message, Envelope { stream: None, reply: None, part }));
        assert_eq!(
            out,
            "HPUB webhooks.a 75 77\r\nNATS/1.0\r\nNats-Msg-Id: u:1\r\nNats-Batch-Id: b-18\r\nNats-Batch-Sequence: 1\r\n\r\n{}\r\n"
        );
        let large = Message { payload: vec![b'x'; COPIED + 1].into(), ..message };
        out.clear();
        assert!(publish(&mut out, &large, alone));
        assert!(out.ends_with(b"\r\n\r\n") && out.starts_with(b"HPUB webhooks.a _INBOX.a.18 30 16415\r\n"));
    }
}

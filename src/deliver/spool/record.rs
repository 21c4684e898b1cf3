//! One message as it lies on disk: the bytes that go over the wire, in a frame that damage cannot hide behind.
//!
//! The frame holds whatever is a `Body`: what waits is a `Record`, and what is remembered another. A frame begins with a marker that is random for each segment, so that the next record is found after damage and no
//! sender can write one that is taken for a record. Never looks into a message.

use std::ops::Range;
use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use crc32fast::Hasher;

use super::super::Owner;
use crate::event::Message;

/// Marker, number, length, the body's check sum, the frame's check sum.
pub(in super::super) const FRAME: usize = 8 + 8 + 4 + 4 + 4;
/// The longest body of a record in bytes: far above what any limit lets in, so that a length can be judged.
pub(super) const MAX_BODY: usize = 256 << 20;

/// What makes a segment's frames its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Salt(pub u64);

impl Salt {
    /// What every frame of the segment begins with.
    pub(super) fn marker(self) -> [u8; 8] {
        self.0.to_le_bytes()
    }

    /// A check sum that holds in this segment alone.
    pub(super) fn sum(self, parts: &[&[u8]]) -> u32 {
        let mut hasher = Hasher::new();
        hasher.update(&self.marker());
        parts.iter().for_each(|part| hasher.update(part));
        hasher.finalize()
    }
}

/// A message that was accepted and is not in its stream yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The source's uid: whose share of the space it takes.
    pub source: Arc<str>,
    /// Its namespace: which login publishes it.
    pub namespace: Arc<str>,
    /// When it was accepted, in milliseconds since 1970.
    pub accepted: i64,
    /// The subject.
    pub subject: String,
    /// `Nats-Msg-Id`.
    pub msg_id: String,
    /// The stream that must take it, where its source names one.
    pub stream: Option<String>,
    /// Why it was refused for good; empty while it waits.
    pub refused: String,
    /// The header block as it goes over the wire, without what belongs to a connection.
    pub headers: Bytes,
    /// The payload.
    pub payload: Bytes,
}

impl Record {
    /// A message of a source that is accepted now.
    pub fn of(message: &Message, owner: Owner<'_>, stream: Option<&str>) -> Self {
        Self {
            source: owner.uid.into(),
            namespace: owner.namespace.into(),
            accepted: jiff::Timestamp::now().as_millisecond(),
            subject: message.subject.clone(),
            msg_id: String::from_utf8_lossy(&message.msg_id).into_owned(),
            stream: stream.map(str::to_owned),
            refused: String::new(),
            headers: message.headers.clone(),
            payload: message.payload.clone(),
        }
    }

    /// The message as it was accepted.
    pub fn message(&self) -> Message {
        Message {
            subject: self.subject.clone(),
            headers: self.headers.clone(),
            payload: self.payload.clone(),
            msg_id: Bytes::copy_from_slice(self.msg_id.as_bytes()),
        }
    }

    /// Its bytes on disk.
    pub(super) fn disk_len(&self) -> usize {
        FRAME + self.body_len()
    }
}

/// What a frame holds.
pub(in super::super) trait Body {
    /// Its length in bytes.
    fn body_len(&self) -> usize;

    /// Writes it. False where a part is longer than the format holds.
    fn put(&self, to: &mut BytesMut) -> bool;
}

/// What is read from a frame.
pub(in super::super) trait FromBody: Sized {
    /// Reads one that its frame proved.
    fn read(body: Bytes) -> Option<Self>;
}

/// Writes a body in its frame. False, and nothing written, where a part of it is longer than the format holds.
pub(super) fn write(body: &impl Body, number: u64, salt: Salt, to: &mut BytesMut) -> bool {
    let start = to.len();
    let written = put(body, to);
    if written {
        seal(&mut to[start..], number, salt);
    }
    written
}

/// Writes a body behind an empty frame, which `seal` fills. False, and nothing written, where a part of it is longer than the
/// format holds.
pub(in super::super) fn put(body: &impl Body, to: &mut BytesMut) -> bool {
    let body_len = body.body_len();
    if body_len > MAX_BODY {
        return false;
    }
    let start = to.len();
    to.reserve(FRAME + body_len);
    to.put_bytes(0, FRAME);
    let whole = body.put(to);
    if !whole {
        to.truncate(start);
    }
    whole
}

/// Fills the frame of a body that was put behind it and ends with these bytes.
pub(in super::super) fn seal(bytes: &mut [u8], number: u64, salt: Salt) {
    let Some((mut frame, body)) = bytes.split_at_mut_checked(FRAME) else { return };
    let sum = salt.sum(&[&number.to_le_bytes(), body]);
    frame.put_slice(&salt.marker());
    frame.put_u64_le(number);
    // No longer than `MAX_BODY`.
    frame.put_u32_le(body.len() as u32);
    frame.put_u32_le(sum);
    let head = salt.sum(&[&bytes[..FRAME - 4]]);
    (&mut bytes[FRAME - 4..FRAME]).put_u32_le(head);
}

/// Writes a text with its length before it. False where it is longer than that can say.
pub(in super::super) fn put_text(text: &str, to: &mut BytesMut) -> bool {
    let Ok(length) = u16::try_from(text.len()) else { return false };
    to.put_u16_le(length);
    to.put_slice(text.as_bytes());
    true
}

/// Takes off a text that was written so.
pub(in super::super) fn take_text(body: &mut Bytes) -> Option<String> {
    let length = usize::from(body.try_get_u16_le().ok()?);
    let bytes = (body.len() >= length).then(|| body.split_to(length))?;
    String::from_utf8(bytes.to_vec()).ok()
}

/// Writes headers and payload.
pub(in super::super) fn put_message(headers: &[u8], payload: &[u8], to: &mut BytesMut) -> bool {
    let Ok(length) = u32::try_from(headers.len()) else { return false };
    to.put_u32_le(length);
    to.put_slice(headers);
    to.put_slice(payload);
    true
}

/// Takes off headers and payload, which are all that is left.
pub(in super::super) fn take_message(mut body: Bytes) -> Option<(Bytes, Bytes)> {
    let length = usize::try_from(body.try_get_u32_le().ok()?).ok()?;
    let headers = (body.len() >= length).then(|| body.split_to(length))?;
    Some((headers, body))
}

impl Body for Record {
    fn body_len(&self) -> usize {
        let texts = [
            self.source.len(),
            self.namespace.len(),
            self.subject.len(),
            self.msg_id.len(),
            self.stream.as_ref().map_or(0, String::len),
            self.refused.len(),
        ];
        8 + 1 + texts.iter().map(|len| 2 + len).sum::<usize>() + 4 + self.headers.len() + self.payload.len()
    }

    fn put(&self, to: &mut BytesMut) -> bool {
        let stream = self.stream.as_deref().unwrap_or_default();
        let texts: [&str; 6] = [&self.source, &self.namespace, &self.subject, &self.msg_id, stream, &self.refused];
        to.put_i64_le(self.accepted);
        to.put_u8(u8::from(self.stream.is_some()));
        texts.into_iter().all(|text| put_text(text, to)) && put_message(&self.headers, &self.payload, to)
    }
}

impl FromBody for Record {
    fn read(mut body: Bytes) -> Option<Self> {
        let accepted = body.try_get_i64_le().ok()?;
        let named = body.try_get_u8().ok()? != 0;
        let mut text = || take_text(&mut body);
        let (source, namespace, subject, msg_id, stream, refused) =
            (text()?, text()?, text()?, text()?, text()?, text()?);
        let (headers, payload) = take_message(body)?;
        Some(Self {
            source: source.into(),
            namespace: namespace.into(),
            accepted,
            subject,
            msg_id,
            stream: named.then_some(stream),
            refused,
            headers,
            payload,
        })
    }
}

/// A frame that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) number: u64,
    pub(super) body: usize,
    sum: u32,
}

impl Frame {
    /// Reads a frame at the beginning of these bytes; `None` where they are none of this segment.
    pub(super) fn read(bytes: &[u8], salt: Salt) -> Option<Self> {
        let mut frame = bytes.get(..FRAME)?;
        let head = salt.sum(&[&frame[..FRAME - 4]]);
        if frame[..8] != salt.marker() {
            return None;
        }
        frame.advance(8);
        let (number, length, sum) = (frame.get_u64_le(), frame.get_u32_le(), frame.get_u32_le());
        let body = usize::try_from(length).ok().filter(|length| *length <= MAX_BODY)?;
        (frame.get_u32_le() == head).then_some(Self { number, body, sum })
    }

    /// Whether these bytes are the body that was written with it.
    pub(super) fn proves(&self, body: &[u8], salt: Salt) -> bool {
        body.len() == self.body && salt.sum(&[&self.number.to_le_bytes(), body]) == self.sum
    }
}

/// A part of a segment that holds no record although something was written there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The segment's file name.
    pub file: String,
    /// From the first byte that is no record to the next record, or to the end.
    pub bytes: Range<u64>,
    /// The beginning of something whose rest was never written, as a process leaves it that is killed: it goes with its
    /// file. Anything else is kept, for somebody to look at.
    pub torn: bool,
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn record(source: &str, id: u64, payload: usize) -> Record {
        Record {
            source: source.into(),
            namespace: "sales".into(),
            accepted: 1_764_000_000_000,
            subject: "webhooks.sales.calls.created".to_owned(),
            msg_id: format!("{source}:{id}"),
            stream: id.is_multiple_of(2).then(|| "WEBHOOKS".to_owned()),
            refused: String::new(),
            headers: Bytes::from_static(b"ce-specversion: 1.0\r\n"),
            payload: vec![b'x'; payload].into(),
        }
    }

    #[test]
    fn a_record_reads_back_as_it_was_written() {
        let salt = Salt(0x1122_3344_5566_7788);
        let mut bytes = BytesMut::new();
        for (id, size) in [0, 1, 700].into_iter().enumerate() {
            let written = record("uid", id as u64, size);
            bytes.clear();
            assert!(write(&written, 7, salt, &mut bytes));
            assert_eq!(bytes.len(), written.disk_len());
            let frame = Frame::read(&bytes, salt).unwrap();
            assert_eq!((frame.number, frame.body), (7, bytes.len() - FRAME));
            assert!(frame.proves(&bytes[FRAME..], salt));
            assert_eq!(Record::read(bytes.clone().freeze().slice(FRAME..)), Some(written));
        }
    }

    #[test]
    fn no_bit_of_a_record_can_flip_unseen() {
        let salt = Salt(0x0102_0304_0506_0708);
        let mut bytes = BytesMut::new();
        write(&record("uid", 1, 40), 3, salt, &mut bytes);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let holds = Frame::read(&flipped, salt).is_some_and(|frame| frame.proves(&flipped[FRAME..], salt));
            assert!(!holds, "bit {bit}");
        }
        assert_eq!(Frame::read(&bytes, Salt(9)), None, "a record of another segment is none of this one");
    }
}

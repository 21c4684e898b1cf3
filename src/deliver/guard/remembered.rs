//! A message that was acknowledged, as it is kept: the bytes that go over the wire, and where the stream said it put them.

use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::super::spool::record::{Body, FromBody, put_message, put_text, take_message, take_text};
use crate::event::{Message, header};

/// One that is put down.
#[derive(Clone, Copy, Debug)]
pub(super) struct Acknowledged<'a> {
    /// The stream that acknowledged it.
    pub(super) stream: &'a str,
    pub(super) sequence: u64,
    /// No other stream may take it.
    pub(super) bound: bool,
    /// The namespace in whose bucket its data lies, which is kept here as well; empty where it was no claim.
    pub(super) claimed: &'a str,
    pub(super) message: &'a Message,
}

impl Body for Acknowledged<'_> {
    fn body_len(&self) -> usize {
        let Self { stream, claimed, message, .. } = self;
        let texts = [stream.len(), claimed.len(), message.subject.len()];
        8 + 1 + texts.iter().map(|len| 2 + len).sum::<usize>() + 4 + message.headers.len() + message.payload.len()
    }

    fn put(&self, to: &mut BytesMut) -> bool {
        to.put_u64_le(self.sequence);
        to.put_u8(u8::from(self.bound));
        put_text(self.stream, to)
            && put_text(self.claimed, to)
            && put_text(&self.message.subject, to)
            && put_message(&self.message.headers, &self.message.payload, to)
    }
}

/// One that was read again.
#[derive(Clone, Debug)]
pub(super) struct Remembered {
    /// See `Acknowledged`.
    pub(super) stream: Arc<str>,
    pub(super) sequence: u64,
    pub(super) bound: bool,
    pub(super) claimed: Box<str>,
    pub(super) message: Message,
}

impl Remembered {
    /// The stream that must take it.
    pub(super) fn only(&self) -> Option<&str> {
        self.bound.then_some(&*self.stream)
    }

    /// About what it takes while it is published again, in bytes.
    pub(super) fn size(&self) -> usize {
        self.message.headers.len() + self.message.payload.len() + self.message.subject.len()
    }
}

impl FromBody for Remembered {
    fn read(mut body: Bytes) -> Option<Self> {
        let sequence = body.try_get_u64_le().ok()?;
        let bound = body.try_get_u8().ok()? != 0;
        let stream = take_text(&mut body)?.into();
        let claimed = take_text(&mut body)?.into();
        let subject = take_text(&mut body)?;
        let (headers, payload) = take_message(body)?;
        let mut message = Message { subject, headers, payload, msg_id: Bytes::new() };
        message.msg_id = Bytes::copy_from_slice(message.header(header::MSG_ID)?.as_bytes());
        Some(Self { stream, sequence, bound, claimed, message })
    }
}

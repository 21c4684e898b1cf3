//! A message that was acknowledged, as it is kept: the bytes that go over the wire, and where the stream said it put them.

use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::super::spool::record::{Body, put_message, put_text, take_message, take_text};
use crate::event::{Message, header};

/// One of them.
#[derive(Clone, Debug)]
pub(super) struct Remembered {
    /// The stream that acknowledged it.
    pub(super) stream: Arc<str>,
    pub(super) sequence: u64,
    /// No other stream may take it.
    pub(super) bound: bool,
    /// The stream had it already.
    pub(super) duplicate: bool,
    /// The namespace in whose bucket its data lies, which is kept here as well; empty where it was no claim.
    pub(super) claimed: Box<str>,
    pub(super) message: Message,
}

impl Remembered {
    /// The stream that must take it.
    pub(super) fn only(&self) -> Option<&str> {
        self.bound.then_some(&*self.stream)
    }

    /// About what it takes while it waits, in bytes.
    pub(super) fn size(&self) -> usize {
        self.message.headers.len() + self.message.payload.len() + self.message.subject.len()
    }
}

impl Body for Remembered {
    fn body_len(&self) -> usize {
        let Self { stream, claimed, message, .. } = self;
        8 + 1
            + 2
            + stream.len()
            + 2
            + claimed.len()
            + 2
            + message.subject.len()
            + 4
            + message.headers.len()
            + message.payload.len()
    }

    fn put(&self, to: &mut BytesMut) -> bool {
        to.put_u64_le(self.sequence);
        to.put_u8(u8::from(self.bound));
        put_text(&self.stream, to)
            && put_text(&self.claimed, to)
            && put_text(&self.message.subject, to)
            && put_message(&self.message.headers, &self.message.payload, to)
    }

    fn read(mut body: Bytes) -> Option<Self> {
        let sequence = body.try_get_u64_le().ok()?;
        let bound = body.try_get_u8().ok()? != 0;
        let stream = take_text(&mut body)?.into();
        let claimed = take_text(&mut body)?.into();
        let subject = take_text(&mut body)?;
        let (headers, payload) = take_message(body)?;
        let mut message = Message { subject, headers, payload, msg_id: Bytes::new() };
        message.msg_id = Bytes::copy_from_slice(message.header(header::MSG_ID)?.as_bytes());
        Some(Self { stream, sequence, bound, duplicate: true, claimed, message })
    }
}

//! Where events become durable: JetStream acknowledged them, or nothing is answered 2xx.
//!
//! `connection` keeps the one connection, `streams` knows who owns which subject, `publish` waits for acknowledgements.
//! Knows routes only through `Message`; never parses a body.

mod ack;
mod circuit;
pub mod connection;
mod credentials;
pub mod headers;
mod link;
pub mod message;
pub mod publish;
mod shutdown;
pub mod streams;
mod waiting;

use std::sync::Arc;

use bytes::Bytes;

pub use connection::{Link, NatsOptions, OptionsError};
pub use headers::Headers;
pub use publish::{Delivery, Options, Stored};
pub use streams::StreamOptions;

/// An event as NATS takes it.
#[derive(Clone, Debug)]
pub struct Message {
    /// The subject, escaped and within the server's limits.
    pub subject: String,
    /// All headers but those that the two last fields make.
    pub headers: Headers,
    /// The payload.
    pub payload: Bytes,
    /// `Nats-Msg-Id`: what JetStream keeps one copy of.
    pub msg_id: String,
    /// `Nats-Expected-Stream`: the stream that must take it, where the source names one.
    pub expected_stream: Option<Arc<str>>,
}

impl Message {
    /// Its bytes as the server's `max_payload` counts them: headers and payload.
    pub fn wire_len(&self) -> usize {
        self.headers_len() + self.payload.len()
    }

    /// The bytes of all headers on the wire.
    pub fn headers_len(&self) -> usize {
        let expected = self.expected_stream.as_ref();
        const AROUND: usize = "NATS/1.0\r\n\r\n".len();
        AROUND
            + self.headers.wire_len()
            + headers::line_len(headers::name::MSG_ID, self.msg_id.len())
            + expected.map_or(0, |stream| headers::line_len(headers::name::EXPECTED_STREAM, stream.len()))
    }
}

/// How a message became durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// JetStream stored it.
    Stored,
    /// JetStream had it already.
    Duplicate,
}

/// Why a message is not durable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// NATS is away: nothing was published.
    #[error("NATS is not connected")]
    Disconnected,
    /// JetStream has stopped acknowledging for a while: nothing was published.
    #[error("JetStream does not acknowledge at present")]
    Unresponsive,
    /// Published, and no acknowledgement before the deadline or before the connection was lost: the outcome is unknown.
    #[error("JetStream did not acknowledge in time")]
    TimedOut,
    /// No stream owns the subject.
    #[error("no stream owns the subject")]
    NoStream,
    /// The stream that owns it keeps messages in memory, or acknowledges nothing.
    #[error("the stream that owns the subject is not durable")]
    NotDurable,
    /// The server takes no message of this size.
    #[error("the message is larger than the server's max_payload")]
    TooLarge,
    /// Too many messages wait for acknowledgement: nothing was published.
    #[error("too many messages wait for an acknowledgement")]
    Overloaded,
    /// JetStream refused it.
    #[error("JetStream refused the message: {description} (error {code})")]
    Refused {
        /// JetStream's error code, 0 where it gave none.
        code: u64,
        /// Its text.
        description: String,
    },
}

impl Unavailable {
    /// JetStream may have stored it all the same.
    pub fn outcome_is_unknown(&self) -> bool {
        matches!(self, Self::TimedOut)
    }
}

//! Where events become durable: JetStream acknowledged them, or nothing is answered 2xx.
//!
//! Knows routes only through `Message`; never parses a body.

use bytes::Bytes;

/// An event as NATS takes it.
#[derive(Clone, Debug)]
pub struct Message {
    /// The subject, escaped and within the server's limits.
    pub subject: String,
    /// Names are static; values hold no CR and no LF.
    pub headers: Vec<(&'static str, String)>,
    /// The payload.
    pub payload: Bytes,
    /// `Nats-Msg-Id`.
    pub msg_id: String,
    /// The stream that must take it, where the source names one.
    pub expected_stream: Option<std::sync::Arc<str>>,
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
    /// NATS is away.
    #[error("NATS is not connected")]
    Disconnected,
    /// No acknowledgement within the deadline: the outcome is unknown.
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
    /// Too many messages wait for acknowledgement.
    #[error("too many messages wait for an acknowledgement")]
    Overloaded,
    /// JetStream refused it.
    #[error("JetStream refused the message: {description} (error {code})")]
    Refused {
        /// JetStream's error code.
        code: u64,
        /// Its text.
        description: String,
    },
}

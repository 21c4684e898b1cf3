//! Where events become durable: JetStream acknowledged them, or nothing is answered 2xx.
//!
//! `accept` is the one door. `connection` keeps the one connection, `streams` knows who owns which subject, `publish`
//! waits for acknowledgements; beside it, `exchange` carries what replicas tell each other. Knows events only as envelopes and messages; never parses a body.

mod accept;
mod ack;
mod circuit;
pub mod connection;
mod credentials;
mod exchange;
mod link;
pub mod publish;
mod shutdown;
pub mod streams;
mod waiting;
mod wire;

use std::sync::Arc;

pub use accept::{Delivered, Policy};
pub use connection::{Link, NatsOptions, OptionsError};
pub use exchange::Exchange;
pub use publish::{Delivery, Options};
pub use streams::StreamOptions;

/// How a message became durable, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// JetStream stored it.
    Stored {
        /// The stream that has it.
        stream: Arc<str>,
        /// Its sequence there.
        sequence: u64,
    },
    /// JetStream had it already.
    Duplicate {
        /// The stream that has it.
        stream: Arc<str>,
        /// The sequence of the first copy.
        sequence: u64,
    },
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
    /// The stream is there, and nobody answered for it until the time was up: a leader is being elected, or the server
    /// restarts. Nothing was stored.
    #[error("JetStream has nobody who answers for the stream at present")]
    NoResponders,
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

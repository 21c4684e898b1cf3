//! Where events become durable: JetStream acknowledged them, or nothing is answered 2xx.
//!
//! `accept` is the one door. `connection` keeps the one connection of a login (`deliveries` has all logins), `streams` knows who owns which subject, `publish`
//! waits for acknowledgements; `claim` leaves data in an object store that is too large for a message; beside it, `exchange` carries what replicas tell each other. Knows events only as envelopes and messages; never parses a body.

mod accept;
mod ack;
mod again;
mod attempt;
mod bucket;
mod bundle;
mod circuit;
mod claim;
pub(crate) mod connection;
mod course;
mod credentials;
mod deliveries;
mod divert;
mod drain;
mod event_log;
mod exchange;
mod group;
mod guard;
mod keeper;
mod lanes;
mod listing;
mod objects;
mod options;
pub(crate) mod publish;
mod shutdown;
#[cfg(test)]
mod simulation;
pub(crate) mod spool;
mod stall;
pub(crate) mod streams;
mod trial;
mod waiting;
mod wire;

use std::sync::Arc;

pub use accept::{Delivered, Owner, Policy};
pub use connection::{Link, NatsOptions, OptionsError};
pub use deliveries::Deliveries;
pub use drain::{Drained, once as drain_once};
pub use exchange::Exchange;
pub use guard::{GuardOptions, GuardStatus};
pub(crate) use guard::{Room, beside_spool};
pub use options::Options;
pub use publish::Delivery;
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
    /// It lies on disk, and is published as soon as NATS takes it.
    Spooled,
}

/// JetStream's codes after which the same message is refused again: larger than the stream takes, headers larger than it
/// takes, another stream than the expected one (nats-server's `errors.json`).
const REFUSED_FOR_GOOD: [u64; 3] = [10054, 10097, 10060];

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
    /// Too large for a message, and its data cannot be stored beside it now: nothing was published.
    #[error(
        "the event is too large for a message, and the object store {bucket:?} does not take its data: {problem}. Has \
         JetStream room, and may this user publish on $O.{bucket}.> and ask for stream OBJ_{bucket}?"
    )]
    Claim {
        /// The bucket.
        bucket: String,
        /// Why not.
        problem: Box<Unavailable>,
    },
    /// Too large for a message, and other data was stored under the same id before.
    #[error("other data was stored under the same id")]
    SameId,
    /// Too many messages wait for acknowledgement: nothing was published.
    #[error("too many messages wait for an acknowledgement")]
    Overloaded,
    /// NATS does not take it now, and the spool does not either.
    #[error("NATS does not take the message now, and {0}")]
    Spool(spool::AppendError),
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
    /// A later try may succeed although nobody changes anything.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Disconnected | Self::Unresponsive | Self::TimedOut | Self::NoResponders | Self::Overloaded => true,
            Self::Claim { .. } => true,
            Self::Refused { code, .. } => *code != 0 && !REFUSED_FOR_GOOD.contains(code),
            Self::NoStream | Self::NotDurable | Self::TooLarge | Self::SameId | Self::Spool(_) => false,
        }
    }

    /// JetStream may have stored it all the same.
    pub fn outcome_is_unknown(&self) -> bool {
        matches!(self, Self::TimedOut)
    }
}

//! An event on its way out: the envelope that a route fills and the message that NATS, and a spool, take.
//!
//! Owns the names of all headers, what their values may be, and the identity of a message. Below `route` and `deliver`,
//! which do not know each other; never judges a request and never talks to NATS.

mod block;
mod claim;
mod document;
mod envelope;
pub mod header;
pub(crate) mod limits;
mod message;
mod origin;

pub use block::{Block, lines};
pub use claim::Claimed;
pub use envelope::{Attributes, Content, Envelope, Payload, Receipt, Rejected};
pub(crate) use header::EXPECTED_SEQUENCE;
pub use header::encode;
pub use message::Message;
pub use origin::Origin;

/// `ce-dataschema` of mapped data.
pub const CONVERSATION: &str = crate::provider::conversation::SCHEMA_ID;
/// `ce-type` of an item that cannot be published as an event.
pub const REJECTED: &str = "hookgate.rejected";
/// `ce-omitted` of an event that was too large with the vendor's item under `original`.
pub const ORIGINAL: &str = "original";

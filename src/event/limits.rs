//! How long the parts of a message may be, in bytes. What is longer is hashed, left out or refused, never cut.

/// A `Nats-Msg-Id` that is not a hash.
pub(crate) const MAX_MSG_ID: usize = 256;
/// A media type; what is longer is none that anybody reads.
pub(crate) const MAX_MEDIA_TYPE: usize = 256;
/// A `tracestate`: what W3C Trace Context asks everybody to pass on at least.
pub(crate) const MAX_TRACESTATE: usize = 512;
/// All headers of a message on the wire.
pub(crate) const MAX_HEADERS: usize = 16 * 1024;
/// A NATS subject: with the reply subject it stays well below the server's 4,096 for a control line.
pub(crate) const MAX_SUBJECT: usize = 1024;

//! Which streams own which subjects, as last read from NATS.

/// A stream as far as durability is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Its name.
    pub name: String,
    /// The subjects it owns, wildcards included.
    pub subjects: Vec<String>,
    /// It keeps messages in files.
    pub file_storage: bool,
    /// It acknowledges nothing.
    pub no_ack: bool,
}

/// Every stream of the account, as last read; shared by the control and the request line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Streams {
    /// In no order.
    pub streams: Vec<Stream>,
}

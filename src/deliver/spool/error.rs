//! Why a spool is not opened, and why a record in it is not durable.

use std::io;
use std::sync::Arc;

use super::segment::VERSION;

/// Why a spool is not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder or a file cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Another process has it.
    #[error("another hookgate uses it: every replica needs a folder of its own")]
    InUse,
    /// Written by a newer program.
    #[error(
        "{file} has format version {version}, this program reads {VERSION}: drain it with the version that wrote it"
    )]
    Format {
        /// The file.
        file: String,
        /// Its version.
        version: u32,
    },
}

/// Why a record is not durable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Its source holds its share, or there is no room at all.
    #[error("the spool has no room for this source")]
    Full,
    /// More records wait for the disk than it keeps up with.
    #[error("the spool's disk does not keep up")]
    Busy,
    /// It is longer than the format holds.
    #[error("the message is larger than a record of the spool")]
    TooLarge,
    /// The disk refused it.
    #[error("the spool's disk failed: {0}")]
    Disk(Arc<str>),
}

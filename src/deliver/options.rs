//! What delivery needs to know, and what it counts.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use super::connection::NatsOptions;
use super::streams::StreamOptions;

/// What delivery needs to know.
#[derive(Clone, Debug)]
pub struct Options {
    /// How to reach NATS.
    pub nats: NatsOptions,
    /// The stream to make sure of.
    pub stream: StreamOptions,
    /// The most messages that wait for an acknowledgement at a time, over all sources.
    pub max_in_flight: usize,
    /// `--claim-check`: what is too large for a message is stored in an object store, and the event refers to it.
    pub claim_check: bool,
    /// How long after its acknowledgement an event may be published again: its object lasts so much longer, and an hour.
    pub guard_window: Duration,
}

impl Options {
    /// The defaults for these URLs.
    pub fn new(nats: NatsOptions) -> Self {
        let (stream, guard_window) = (StreamOptions::default(), Duration::from_secs(180));
        Self { nats, stream, max_in_flight: 12_000, claim_check: true, guard_window }
    }
}

/// Counts since the start.
#[derive(Debug, Default)]
pub struct Counters {
    /// Messages stored.
    pub stored: AtomicU64,
    /// Messages that a stream had already.
    pub duplicates: AtomicU64,
    /// Messages published of which nobody knows whether they are stored.
    pub unknown: AtomicU64,
    /// Acknowledgements for which nobody waited any more.
    pub late: AtomicU64,
}

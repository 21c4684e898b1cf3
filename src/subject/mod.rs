//! NATS subjects: tokens, patterns, and which streams own what.
//!
//! A leaf: routes render subjects, delivery publishes on them, the control line judges whether streams cover them, and
//! all three read them by the rules of this room. Knows no route and never asks NATS.

pub(crate) mod coverage;
pub(crate) mod pattern;
pub(crate) mod token;

pub use coverage::{Cover, Readings, Stream, Streams};

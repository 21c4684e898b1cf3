//! Which messages go around a stream: one that did not acknowledge in time is not waited for a second time.
//!
//! Only where a spool takes what goes around; its messages are what tells when the stream is back.

use std::sync::Arc;

use super::{Delivery, objects};

impl Delivery {
    /// Whether messages on this subject go to the spool without a try.
    pub(super) fn is_diverted(&self, subject: &str) -> bool {
        let known = self.inner.known.load();
        known.as_ref().and_then(|known| known.owner(subject)).is_some_and(|owner| owner.circuit.is_diverted())
            // While nothing lies there, nothing tells when the stream is back.
            && self.spool().is_some_and(|spool| !spool.is_empty())
    }

    /// Messages on this subject go to the spool, until one of the spool is acknowledged in time.
    pub(super) fn divert(&self, subject: &str) {
        let known = self.inner.known.load();
        if let Some(owner) = known.as_ref().and_then(|known| known.owner(subject)) {
            owner.circuit.divert();
        }
    }

    /// The name of the stream that owns this subject, and whether it did not answer in time. Where none does, that of the
    /// bucket, or an empty one.
    pub(super) fn lane(&self, subject: &str) -> (Arc<str>, bool) {
        let known = self.inner.known.load();
        match known.as_ref().and_then(|known| known.owner(subject)) {
            Some(owner) => (Arc::clone(owner.name), owner.circuit.is_diverted()),
            None => (Arc::from(objects::bucket_of(subject).unwrap_or_default()), false),
        }
    }
}

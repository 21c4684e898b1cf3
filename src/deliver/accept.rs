//! The one door into NATS: an envelope is fitted to what the server takes, and sent.
//!
//! A message is made here and judged where it is published; no caller does either. What is to happen to a message that
//! is too large, or to one that NATS does not take in time, is decided in `deliver` below, and nowhere else.

use futures::future::join_all;

use super::{Delivery, Outcome, Unavailable};
use crate::deadline::Deadline;
use crate::event::{Content, Envelope};

/// How a source wants its events delivered.
#[derive(Clone, Copy, Debug, Default)]
pub struct Policy<'a> {
    /// The stream that must take its events, where the source names one. Rejected items may go to any.
    pub stream: Option<&'a str>,
    /// An event that is too large goes out without the vendor's item rather than not at all.
    pub omit_original: bool,
}

/// What became of an envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// Durable, or why not.
    pub outcome: Result<Outcome, Unavailable>,
    /// It went out without the vendor's item.
    pub omitted: bool,
}

impl Delivery {
    /// Makes envelopes durable, all at one time; one that cannot be holds up no other. The outcomes stand in their order.
    pub async fn accept(&self, envelopes: &[Envelope<'_>], policy: &Policy<'_>, deadline: Deadline) -> Vec<Delivered> {
        match envelopes {
            [one] => vec![self.deliver(one, policy, deadline).await],
            all => join_all(all.iter().map(|envelope| self.deliver(envelope, policy, deadline))).await,
        }
    }

    async fn deliver(&self, envelope: &Envelope<'_>, policy: &Policy<'_>, deadline: Deadline) -> Delivered {
        let stream = policy.stream.filter(|_| !envelope.is_rejected());
        let by = deadline.acknowledged();
        let whole = self.publish(&envelope.message(Content::Whole), stream, by).await;
        let may_omit = policy.omit_original && envelope.payload.without_original.is_some();
        if whole != Err(Unavailable::TooLarge) || !may_omit {
            return Delivered { outcome: whole, omitted: false };
        }
        let outcome = self.publish(&envelope.message(Content::WithoutOriginal), stream, by).await;
        Delivered { outcome, omitted: true }
    }
}

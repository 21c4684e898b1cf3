//! The one door into NATS: an envelope is fitted to what the server takes, and sent.
//!
//! A message is made here and judged where it is published; no caller does either. What is to happen to a message that
//! is too large, or to one that NATS does not take in time, is decided here, and nowhere else.

use futures::future::join_all;

use super::spool::{AppendError, Record};
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
    /// Whose share of the spool its events take while NATS does not; `None`: they wait nowhere.
    pub spool: Option<Owner<'a>>,
}

/// A source, as the spool knows it.
#[derive(Clone, Copy, Debug)]
pub struct Owner<'a> {
    /// Its uid.
    pub uid: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
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
        let whole = self.send(envelope, Content::Whole, policy, deadline).await;
        let may_omit = policy.omit_original && envelope.payload.without_original.is_some();
        if whole != Err(Unavailable::TooLarge) || !may_omit {
            return Delivered { outcome: whole, omitted: false };
        }
        let outcome = self.send(envelope, Content::WithoutOriginal, policy, deadline).await;
        Delivered { outcome, omitted: true }
    }

    /// Publishes, or spools where NATS is away, or does not acknowledge in its share of the time.
    async fn send(
        &self,
        envelope: &Envelope<'_>,
        content: Content,
        policy: &Policy<'_>,
        deadline: Deadline,
    ) -> Result<Outcome, Unavailable> {
        let stream = policy.stream.filter(|_| !envelope.is_rejected());
        let message = envelope.message(content);
        let Some((owner, spool)) = policy.spool.zip(self.spool()) else {
            return self.publish(&message, stream, deadline.acknowledged()).await;
        };
        let diverted = self.is_diverted(&message.subject);
        if !diverted {
            match self.publish(&message, stream, deadline.spooled()).await {
                Err(Unavailable::TimedOut | Unavailable::NoResponders) => self.divert(&message.subject),
                Err(error) if error.may_pass() => {}
                ended => return ended,
            }
        }
        // Publishing judges it too, but not while NATS is away: once it is accepted it can be made smaller no more.
        self.fits(&message, stream)?;
        let record = Record::of(&message, owner, stream);
        let appended = deadline.bound(spool.append(record)).await.map_err(|_| Unavailable::Spool(AppendError::Busy))?;
        let Err(error) = appended else { return Ok(Outcome::Spooled) };
        if diverted {
            // Nobody has asked its stream: it may be back, and with no record of it in the spool nothing else tells.
            match self.publish(&message, stream, deadline.acknowledged()).await {
                Err(unavailable) if unavailable.may_pass() => {}
                ended => return ended,
            }
        }
        Err(Unavailable::Spool(error))
    }
}

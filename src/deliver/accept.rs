//! The one door into NATS: an envelope is fitted to what the server takes, and sent.
//!
//! A message is made here and judged where it is published; no caller does either. What is to happen to one that is too large
//! is decided here; to one that NATS does not take in time, in `course`, whose steps are taken here and nowhere else.

use std::borrow::Cow;
use std::time::Instant;

use futures::future::join_all;

use super::bundle::{Bundle, Seat};
use super::course::{Course, Late, Next, Sent};
use super::publish::TELLING;
use super::spool::{AppendError, Record};
use super::{Delivery, Outcome, Unavailable};
use crate::deadline::Deadline;
use crate::event::{Content, Envelope};

/// How a source wants its events delivered.
#[derive(Clone, Copy, Debug)]
pub struct Policy<'a> {
    /// The stream that must take its events, where the source names one. Rejected items may go to any.
    pub stream: Option<&'a str>,
    /// Its namespace has its share of what waits for acknowledgements: it goes to the spool without a try.
    pub crowded: bool,
    /// An event that is too large goes out without the vendor's item rather than not at all.
    pub omit_original: bool,
    /// Whose events they are.
    pub owner: Owner<'a>,
    /// While NATS does not take its events they take its share of the spool; else they wait nowhere.
    pub spool: bool,
    /// The subject of its rejected items.
    pub rejected: &'a str,
}

/// A source, as the spool and the object store know it.
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
    /// Its data lies in the object store.
    pub claimed: bool,
    /// It went to the subject of rejected items: other data was stored under its id.
    pub rejected: bool,
}

impl Delivery {
    /// Makes envelopes durable, all at one time; one that cannot be holds up no other. The outcomes stand in their order.
    pub async fn accept(&self, envelopes: &[Envelope<'_>], policy: &Policy<'_>, deadline: Deadline) -> Vec<Delivered> {
        match envelopes {
            [one] => vec![self.deliver(one, policy, deadline, None).await],
            all => {
                let bundle = Bundle::of(all, &self.inner.wire, &self.inner.waiting);
                let seat = || bundle.as_ref().map(Bundle::seat);
                join_all(all.iter().map(|envelope| self.deliver(envelope, policy, deadline, seat()))).await
            }
        }
    }

    async fn deliver(
        &self,
        envelope: &Envelope<'_>,
        policy: &Policy<'_>,
        deadline: Deadline,
        seat: Option<Seat<'_>>,
    ) -> Delivered {
        let (outcome, claimed) = self.send(envelope, Content::Whole, policy, deadline, seat).await;
        let whole = Delivered { outcome, omitted: false, claimed, rejected: false };
        match whole.outcome {
            Err(Unavailable::TooLarge)
                if policy.omit_original && !self.claims() && envelope.payload.without_original.is_some() =>
            {
                let (outcome, _) = self.send(envelope, Content::WithoutOriginal, policy, deadline, None).await;
                Delivered { outcome, omitted: true, ..whole }
            }
            Err(Unavailable::SameId) => {
                let item = envelope.same_id(policy.rejected.to_owned());
                let (outcome, claimed) = self.send(&item, Content::Whole, policy, deadline, None).await;
                Delivered { outcome, claimed, rejected: true, ..whole }
            }
            _ => whole,
        }
    }

    /// Publishes, or spools where NATS is away, or does not acknowledge in its share of the time.
    async fn send(
        &self,
        envelope: &Envelope<'_>,
        content: Content,
        policy: &Policy<'_>,
        deadline: Deadline,
        mut seat: Option<Seat<'_>>,
    ) -> Sent {
        let stream = policy.stream.filter(|_| !envelope.is_rejected());
        let (message, namespace) = (envelope.message(content), policy.owner.namespace);
        let spool = self.spool().filter(|_| policy.spool);
        let way =
            if spool.is_some() { self.way(&message, namespace, stream) } else { Cow::Borrowed(&*message.subject) };
        let diverted = spool.is_some()
            && (policy.crowded
                || self.is_diverted(&message.subject)
                || matches!(way, Cow::Owned(_)) && self.is_diverted(&way));
        let begun = Instant::now();
        let mut course = Course::new(deadline.begun(begun), spool.is_some(), diverted);
        loop {
            match course.next() {
                Next::Publish(by) => {
                    match course.published(self.hand_over(&message, namespace, stream, by, seat.take()).await) {
                        // Where others had used up the time, that it did not answer in the rest tells nothing of it.
                        Some(_) if by.saturating_duration_since(begun) < TELLING.min(deadline.share()) => {}
                        Some(Late::Stream) => self.divert(&message.subject),
                        Some(Late::Way) => self.divert(&way),
                        None => {}
                    }
                }
                Next::Spool => {
                    drop(seat.take());
                    // Publishing judges it too, but not while NATS is away: once it is accepted it can be made smaller no more.
                    if let Err(error) = self.can_be_sent(&message, namespace, stream).await {
                        course.unfit(error);
                    } else if let Some(spool) = spool {
                        let appended = deadline.bound(spool.append(Record::of(&message, policy.owner, stream))).await;
                        course.spooled(appended.unwrap_or(Err(AppendError::Busy)));
                    }
                }
                Next::End(sent) => return sent,
            }
        }
    }
}

//! The claim check: an event that is too large for a message leaves its data in an object store, and says where.
//!
//! The one place that decides it, for requests and for the drain: first the object, then the event, both acknowledged.
//! Never claims what fits.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use super::bundle::Seat;
use super::objects::{Object, digest};
use super::{Delivery, Outcome, Unavailable};
use crate::event::Message;

/// How long a MiB of data may take on its way where nobody waits for an answer.
const MIB: Duration = Duration::from_secs(1);

impl Delivery {
    /// Whether what is too large for a message is claimed.
    pub(super) fn claims(&self) -> bool {
        self.inner.buckets.is_some()
    }

    /// Publishes a message, or, where it is too large, its data and a reference to it; the second says whether so.
    ///
    /// # Errors
    /// As `publish`; `TooLarge` where headers alone are; `SameId` where other data was claimed under its id.
    pub(super) async fn hand_over(
        &self,
        message: &Message,
        namespace: &str,
        stream: Option<&str>,
        by: Instant,
        seat: Option<Seat<'_>>,
    ) -> (Result<Outcome, Unavailable>, bool) {
        match self.publish_beside(message, stream, by, seat).await {
            Err(Unavailable::TooLarge) if self.claims() => (self.claim(message, namespace, stream, by).await, true),
            ended => (ended, false),
        }
    }

    async fn claim(
        &self,
        message: &Message,
        namespace: &str,
        stream: Option<&str>,
        by: Instant,
    ) -> Result<Outcome, Unavailable> {
        let inner = &self.inner;
        let buckets = inner.buckets.as_ref().ok_or(Unavailable::TooLarge)?;
        // Whose event nobody takes needs no object.
        if !inner.knows_owner(&message.subject) {
            self.refresh_streams();
            return Err(Unavailable::NoStream);
        }
        let place = buckets.place(by).await?;
        let object = Object::of(namespace, &message.msg_id);
        let (whole, reference) = (message.clone(), object.reference());
        // Data of some MiB: not on a thread that serves requests.
        let prepared = tokio::task::spawn_blocking(move || {
            let claimed = whole.claim(&reference)?;
            let digest = digest(&claimed.data);
            Some((claimed, digest))
        });
        let (claimed, digest) = prepared.await.ok().flatten().ok_or(Unavailable::TooLarge)?;
        inner.fits(&claimed.message, stream)?;
        let kept = inner.keep(buckets, &object, (&claimed.data, &digest), &message.subject, by).await;
        drop(place);
        kept.map_err(|problem| match problem {
            // Said where it is noticed, and no word about the object store.
            Unavailable::SameId | Unavailable::Disconnected | Unavailable::Overloaded => problem,
            problem => Unavailable::Claim { bucket: object.bucket().to_owned(), problem: Box::new(problem) },
        })?;
        let outcome = self.attest(&claimed.message, stream, by, None).await?;
        // With its data: a server that forgets the event may have forgotten the object, too.
        self.remember(message, namespace, stream, &outcome);
        Ok(outcome)
    }

    /// Whether a message can be sent at all, as far as is known: as it is, or claimed. Before the first connection NATS's
    /// default counts.
    pub(super) async fn can_be_sent(
        &self,
        message: &Message,
        namespace: &str,
        stream: Option<&str>,
    ) -> Result<(), Unavailable> {
        match self.inner.fits(message, stream) {
            Err(Unavailable::TooLarge) if self.claims() => {
                let (whole, reference) = (message.clone(), Object::of(namespace, &message.msg_id).reference());
                let claimed = tokio::task::spawn_blocking(move || whole.claim(&reference));
                let claimed = claimed.await.ok().flatten().ok_or(Unavailable::TooLarge)?;
                self.inner.fits(&claimed.message, stream)
            }
            judged => judged,
        }
    }

    /// On which subject it depends whether a message is taken: its own, or, where it must be claimed, that of its object.
    pub(super) fn way<'m>(&self, message: &'m Message, namespace: &str, stream: Option<&str>) -> Cow<'m, str> {
        match self.inner.fits(message, stream) {
            Err(Unavailable::TooLarge) if self.claims() => Object::of(namespace, &message.msg_id).subject().into(),
            _ => Cow::Borrowed(&message.subject),
        }
    }

    /// How much longer than others a message may take that is not waited for: what its data needs where it is claimed.
    pub(super) fn longer(&self, message: &Message, stream: Option<&str>) -> Duration {
        match self.inner.fits(message, stream) {
            Err(Unavailable::TooLarge) if self.claims() => {
                MIB * u32::try_from(message.payload.len() >> 20).unwrap_or(u32::MAX).saturating_add(1)
            }
            _ => Duration::ZERO,
        }
    }
}

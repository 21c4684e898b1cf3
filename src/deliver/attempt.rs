//! One try: a message on its way to the server, alone or with others, and what its acknowledgement says.
//!
//! Publishes nothing while NATS is away or silent, and calls nothing stored but what a durable stream says it has.

use std::sync::Arc;
use std::time::Instant;

use super::bundle::Seat;
use super::group::{self, Member};
use super::publish::{Inner, TELLING};
use super::waiting::End;
use super::wire::{BATCH_LINES, fits};
use super::{Outcome, Unavailable, ack};
use crate::deadline::SHARE;
use crate::event::Message;

/// With whom a message may be sent.
enum Company<'a> {
    /// With those of its delivery, where it has a seat among them, else with whoever waits for the same stream.
    Of(Option<Seat<'a>>),
    /// With nobody: a batch of which it was a part was refused.
    None,
}

impl Inner {
    /// One try.
    pub(super) async fn attempt(
        &self,
        message: &Message,
        stream: Option<&str>,
        by: Instant,
        seat: Option<Seat<'_>>,
    ) -> Result<Outcome, Unavailable> {
        if let Some(outcome) = self.send(message, stream, by, Company::Of(seat)).await? {
            return Ok(outcome);
        }
        let alone = self.send(message, stream, by, Company::None).await?;
        alone.ok_or_else(|| Unavailable::Refused { code: 0, description: "it belongs to no batch".to_owned() })
    }

    /// Sends it once, and together with others where there are many: `None` where those were refused as a whole, for the
    /// sake of any of them.
    async fn send(
        &self,
        message: &Message,
        stream: Option<&str>,
        by: Instant,
        company: Company<'_>,
    ) -> Result<Option<Outcome>, Unavailable> {
        // Before the state: a connection that is lost in between makes the number an old one, and the wait ends.
        let connection = self.wire.connection().ok_or(Unavailable::Disconnected)?;
        if !self.is_reachable() {
            return Err(if self.pulse.is_stalled() { Unavailable::Unresponsive } else { Unavailable::Disconnected });
        }
        // A count of its own, not a guard: guards are few, and this is held over the wait.
        let known = self.known.load_full().ok_or(Unavailable::Disconnected)?;
        let owner = known.owner(&message.subject);
        if let Some(owner) = &owner
            && !owner.stream.is_durable(self.allow_memory)
        {
            self.refresh.notify_one();
            return Err(Unavailable::NotDurable);
        }
        let most = self.most(owner.map(|owner| owner.stream));
        fits(message, stream, most)?;
        let began = Instant::now();
        if owner.is_some_and(|owner| !owner.circuit.lets_through(self.millis(began))) {
            return Err(Unavailable::Unresponsive);
        }
        let Some(waiter) = self.waiting.take(began, by, connection) else {
            return Err(Unavailable::Overloaded);
        };
        self.pulse.waits();
        let number = waiter.number();
        let member = Member { message, number, stream };
        // Where it fits with what a batch adds.
        let batches = owner.filter(|owner| {
            let named = stream.is_none_or(|expected| expected == owner.stream.name);
            owner.stream.atomic && named && fits(message, stream, most.saturating_sub(BATCH_LINES)).is_ok()
        });
        let place = match (company, batches) {
            (Company::Of(Some(seat)), Some(owner)) => {
                seat.take(owner.name, connection, member);
                None
            }
            (Company::Of(None), Some(owner)) => {
                let line = group::Line { wire: &self.wire, waiting: &self.waiting, stream: &owner.stream.name };
                Some(owner.group.send(line, connection, member, by, self.millis(began)).await?)
            }
            (company, _) => {
                drop(company);
                self.wire.send(connection, message, stream, number, by).await?;
                None
            }
        };
        let end = waiter.await;
        let ack = match &end {
            End::Answered(answer) => {
                if let Some(place) = place {
                    let now = Instant::now();
                    place.answered(self.millis(now), now - began);
                }
                ack::parse(answer.status, &answer.payload)
            }
            End::Expired | End::Lost => Err(Unavailable::TimedOut),
        };
        let batch = match &end {
            End::Answered(answer) => answer.batch,
            End::Expired | End::Lost => None,
        };
        if let (Some(batch), Some(owner)) = (batch, &owner)
            && !ack.as_ref().is_ok_and(|ack| ack.count == batch.count)
        {
            owner.group.rest(self.millis(Instant::now()));
            return Ok(None);
        }
        if let Some(owner) = &owner {
            match (&end, &ack) {
                // That nobody is there to answer says nothing of when somebody is.
                (End::Answered(_), Err(Unavailable::NoStream)) => {}
                (End::Answered(_), ack) => {
                    let stored = ack.as_ref().is_ok_and(|ack| !ack.duplicate) && owner.is_read();
                    owner.circuit.answered(stored && began.elapsed() <= SHARE);
                }
                // Where nothing comes back at all, that says nothing of this stream.
                (End::Expired, _) if by - began >= TELLING && !self.pulse.is_stalled() => {
                    owner.circuit.missed(self.millis(Instant::now()));
                }
                (End::Expired | End::Lost, _) => {}
            }
        }
        let ack = ack.inspect_err(|error| {
            if *error == Unavailable::NoStream {
                self.refresh.notify_one();
            }
        })?;
        // A batch lies in the stream in its order, and its last message is the one that is acknowledged.
        let sequence = ack.sequence - batch.map_or(0, |batch| batch.after);
        let stream = match owner.filter(|owner| **owner.name == *ack.stream) {
            Some(owner) => Arc::clone(owner.name),
            None => self.judge(stream, &ack.stream, by).await?,
        };
        let duplicate = ack.duplicate;
        Ok(Some(if duplicate { Outcome::Duplicate { stream, sequence } } else { Outcome::Stored { stream, sequence } }))
    }

    /// A stream acknowledged that was not known to own the subject: it counts when it turns out to be durable.
    #[cold]
    async fn judge(&self, expected: Option<&str>, stream: &str, by: Instant) -> Result<Arc<str>, Unavailable> {
        if expected.is_some_and(|expected| expected != stream) {
            return Err(Unavailable::Refused { code: 0, description: format!("stream {stream:?} took it instead") });
        }
        let mut snapshot = self.snapshot.clone();
        loop {
            let read = self.known.load_full();
            if let Some(owner) = read.as_ref().and_then(|known| known.named(stream)) {
                if owner.stream.is_durable(self.allow_memory) {
                    return Ok(Arc::clone(owner.name));
                }
                return Err(Unavailable::NotDurable);
            }
            self.refresh.notify_one();
            match tokio::time::timeout_at(by.into(), snapshot.changed()).await {
                Ok(Ok(())) => {}
                // It is stored, but where is not known.
                Ok(Err(_)) | Err(_) => return Err(Unavailable::TimedOut),
            }
        }
    }
}

//! A proven delivery on its way to NATS: read, select, publish. All of it durable, or none of it acknowledged.
//!
//! Items of a batch are published at one time under one deadline. What cannot be an event goes to the subject of rejected
//! items, and counts as done only when it is stored there.

use std::time::{Duration, Instant};

use futures::future::join_all;
use prometheus_client::metrics::histogram::Histogram;

use super::heavy::beside_workers;
use super::reject::Reject;
use super::trace::Trace;
use crate::api::provider::Retries;
use crate::deliver::message::{Payload, Receipt};
use crate::deliver::{Delivery, Message, Outcome, Unavailable};
use crate::metrics::EventResult;
use crate::provider::conversation;
use crate::provider::event::{BadItem, BadItemReason, Batch, DecodeError, Event};
use crate::provider::request::{Head, Verified};
use crate::route::Route;
use crate::route::filter::{Data, Variables};
use crate::route::selection::{Selected, select, steps};
use crate::route::subject::{SubjectTemplate, SubjectVars};

/// JetStream acknowledges within milliseconds or is in trouble: no longer than this, nor a third of the deadline.
const ACKNOWLEDGEMENT: Duration = Duration::from_secs(1);

/// Steps of filters that are done by those who read requests: some 50 microseconds.
const LIGHT: u64 = 5_000;

/// Makes every event of a delivery durable. Returns how many items arrived.
pub(super) async fn publish(
    route: &Route,
    verified: &Verified,
    head: &Head<'_>,
    trust_trace: bool,
    delivery: &Delivery,
    duration: &Histogram,
) -> Result<usize, Reject> {
    let batch = read(route, verified, head)?;
    let trace = Trace::read(head.headers, trust_trace);
    let receipt = Receipt {
        method: verified.proof().method(),
        covers: verified.proof().coverage().covers(),
        received: head.received,
        traceparent: trace.parent.as_deref(),
        tracestate: trace.state.as_deref(),
    };
    let alone = batch.received <= 1;
    let largest = delivery.max_payload();
    let deadline = Instant::now() + route.deadline;
    let received = batch.received;
    let mut items = batch.items.into_iter();
    let mut fates = Fates { route, receipt: &receipt, largest, alone, deadline, messages: Vec::new(), filtered: 0 };
    if let Some(item) = fates.take(&mut items, LIGHT)? {
        let rest = || fates.take(&mut [item].into_iter().chain(items), u64::MAX);
        beside_workers(deadline, rest).await.ok_or(Reject::Unavailable(Unavailable::TimedOut))??;
    }
    let Fates { messages, filtered, .. } = fates;
    route.claim.metrics.count_events(EventResult::Filtered, filtered);
    let begun = Instant::now();
    let sent = send(route, &messages, delivery).await;
    if !messages.is_empty() {
        duration.observe(begun.elapsed().as_secs_f64());
    }
    sent?;
    Ok(received)
}

/// Reads the body. Where the vendor never sends again, what cannot be read is kept instead of refused.
fn read(route: &Route, verified: &Verified, head: &Head<'_>) -> Result<Batch, Reject> {
    let extraction = &route.provider.extraction;
    match extraction.read(verified, head, route.deduplicate) {
        Ok(batch) => Ok(batch),
        Err(error @ DecodeError::MediaType(_)) => Err(Reject::Undecodable(error)),
        Err(error) if route.retries == Retries::Never => {
            tracing::warn!(%error, namespace = &*route.claim.namespace, source = &*route.claim.name, "kept as rejected");
            Ok(Batch { items: vec![Err(extraction.refused(verified, head))], received: 1, dropped: 0 })
        }
        Err(error) => Err(Reject::Undecodable(error)),
    }
}

/// Items on their way to become messages.
struct Fates<'a> {
    route: &'a Route,
    receipt: &'a Receipt<'a>,
    largest: usize,
    alone: bool,
    deadline: Instant,
    /// And whether each is of a rejected item.
    messages: Vec<(Message, bool)>,
    filtered: u64,
}

impl Fates<'_> {
    /// Takes items as long as judging them takes no more than so many steps; the first beyond them comes back.
    fn take(
        &mut self,
        items: &mut impl Iterator<Item = Result<Event, BadItem>>,
        mut steps: u64,
    ) -> Result<Option<Result<Event, BadItem>>, Reject> {
        for item in items {
            match item {
                Err(bad) => self.reject(bad),
                Ok(event) => match judge(self.route, &event, self.deadline, &mut steps) {
                    None => return Ok(Some(Ok(event))),
                    Some(Selected::Published(template, _)) => self.publish(event, template)?,
                    Some(Selected::LeftOut) => self.filtered += 1,
                    Some(Selected::Failed(_)) => self.reject(event.rejected(BadItemReason::FilterError)),
                    Some(Selected::Late) => return Err(Reject::Unavailable(Unavailable::TimedOut)),
                },
            }
        }
        Ok(None)
    }

    fn reject(&mut self, bad: BadItem) {
        self.messages.push((rejected(self.route, bad, self.receipt, self.largest), true));
    }

    fn publish(&mut self, event: Event, template: &SubjectTemplate) -> Result<(), Reject> {
        let route = self.route;
        let subject = template.render(&SubjectVars {
            namespace: &route.claim.namespace,
            source: &route.claim.name,
            provider: &route.claim.provider,
            event_type: &event.event_type,
            subject: event.subject.as_deref(),
        });
        // Where both do not fit, the normalized data without the vendor's item may.
        for include_original in [route.include_original, false] {
            let payload = conversation::payload(&event.data, route.shape, include_original);
            let mapped = payload.mapped;
            let payload = Payload { bytes: payload.bytes, media_type: &payload.media_type, mapped };
            let message = route.origin.event(&event, payload, self.receipt, subject.clone());
            if message.wire_len() <= self.largest {
                self.messages.push((message, false));
                return Ok(());
            }
            if !mapped || !include_original {
                break;
            }
        }
        if self.alone {
            return Err(Reject::TooLarge);
        }
        self.reject(event.rejected(BadItemReason::TooLarge));
        Ok(())
    }
}

/// Whether an event is let through, and on which subject. `None`, unjudged, where that may take more steps than are left.
fn judge<'r>(route: &'r Route, event: &Event, deadline: Instant, left: &mut u64) -> Option<Selected<'r>> {
    let data = conversation::filtered(&event.data).map_or(&b"null"[..], |data| data);
    let variables = Variables {
        event_type: &event.event_type,
        id: &event.id,
        subject: event.subject.as_deref().unwrap_or_default(),
        time: event.time,
        source: &route.claim.name,
        namespace: &route.claim.namespace,
        provider: &route.claim.provider,
        deadline: Some(deadline),
        ..Variables::new(Data::new(&route.places, data))
    };
    if *left < u64::MAX {
        *left = left.checked_sub(steps(&route.selection, &route.routing, &variables))?;
    }
    Some(select(&route.selection, &route.routing, &variables))
}

/// The message of a rejected item; an item that does not fit even there is told without its bytes.
fn rejected(route: &Route, mut bad: BadItem, receipt: &Receipt<'_>, largest: usize) -> Message {
    let message = route.origin.rejected(&bad, receipt);
    if message.wire_len() <= largest {
        return message;
    }
    bad.item = bytes::Bytes::new();
    // The same id as the whole item has: it is still that item.
    Message { msg_id: message.msg_id, ..route.origin.rejected(&bad, receipt) }
}

/// Publishes all, and waits for all: what is stored already is a duplicate when the vendor sends the rest again.
async fn send(route: &Route, messages: &[(Message, bool)], delivery: &Delivery) -> Result<(), Reject> {
    let deadline = Instant::now() + ACKNOWLEDGEMENT.min(route.deadline / 3);
    let outcomes = match messages {
        [] => return Ok(()),
        [(message, _)] => vec![delivery.send(message, deadline).await],
        _ => join_all(messages.iter().map(|(message, _)| delivery.send(message, deadline))).await,
    };
    let mut failure = None;
    for (outcome, (_, rejected)) in outcomes.into_iter().zip(messages) {
        match outcome {
            Ok(_) if *rejected => route.claim.metrics.count_events(EventResult::Rejected, 1),
            Ok(outcome) => route.claim.metrics.count_events(result(outcome), 1),
            Err(unavailable) => failure = Some(worse(failure, unavailable)),
        }
    }
    failure.map_or(Ok(()), |unavailable| Err(Reject::Unavailable(unavailable)))
}

fn result(outcome: Outcome) -> EventResult {
    match outcome {
        Outcome::Stored => EventResult::Stored,
        Outcome::Duplicate => EventResult::Duplicate,
    }
}

/// Which of two failures a batch is answered with: one that the owner must see beats one that passes by itself.
fn worse(first: Option<Unavailable>, second: Unavailable) -> Unavailable {
    match first {
        Some(first @ (Unavailable::NoStream | Unavailable::NotDurable)) => first,
        Some(_) | None => second,
    }
}

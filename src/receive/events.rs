//! A proven delivery on its way to NATS: read, select, deliver. All of it durable, or none of it acknowledged.
//!
//! Items of a batch are delivered at one time under one deadline. What cannot be an event goes to the subject of rejected
//! items, and counts as done only when it is stored there.

use std::time::Instant;

use tokio::sync::SemaphorePermit;

use super::delivery_id::DeliveryId;
use super::heavy::{beside_workers, on_body};
use super::reject::Reject;
use super::trace::Trace;
use crate::api::provider::Retries;
use crate::api::source::OnOutage;
use crate::deadline::Deadline;
use crate::deliver::{Delivered, Delivery, Outcome, Owner, Policy, Unavailable};
use crate::event::{Envelope, Payload, Receipt};
use crate::metrics::{EventResult, Metrics};
use crate::provider::conversation;
use crate::provider::event::{BadItem, BadItemReason, Batch, DecodeError, Event};
use crate::provider::request::Head;
use crate::provider::verify::Verified;
use crate::route::Route;
use crate::route::bounds;
use crate::route::filter::{Data, Variables};
use crate::route::selection::{Selected, select, steps};
use crate::route::subject::{SubjectTemplate, SubjectVars};
use crate::route::tenant::Tenant;

/// Steps of filters that are done by those who read requests: some 50 microseconds.
const LIGHT: u64 = 5_000;

/// What delivering takes beside the delivery itself.
pub(super) struct With<'a> {
    pub(super) id: DeliveryId,
    pub(super) delivery: &'a Delivery,
    pub(super) deadline: Deadline,
    /// A sender may ask for its trace to be sampled.
    pub(super) trust_trace: bool,
}

/// Makes every event of a delivery durable. Returns how many items arrived.
pub(super) async fn deliver(
    route: &Route,
    verified: &Verified,
    head: &Head<'_>,
    with: &With<'_>,
    metrics: &Metrics,
) -> Result<usize, Reject> {
    let With { id, delivery, deadline, trust_trace } = *with;
    // What is compressed says nothing of its size.
    let bytes = if route.provider.compressed { usize::MAX } else { verified.body().len() };
    let tenant = &route.claim.state.tenant;
    let batch = on_body(tenant, bytes, deadline, || read(id, route, verified, head)).await.ok_or(Reject::TooLate)??;
    let received = batch.received;
    let trace = Trace::read(head.headers, trust_trace);
    let receipt = Receipt {
        method: verified.proof().method(),
        covers: verified.proof().coverage().covers(),
        received: head.received,
        traceparent: trace.parent.as_deref(),
        tracestate: trace.state.as_deref(),
    };
    let mut items = batch.items.into_iter();
    let mut fates = Fates {
        route,
        receipt: &receipt,
        deadline,
        envelopes: Vec::with_capacity(items.len()),
        filtered: batch.dropped as u64,
        unjudged: 0,
    };
    let mut next = fates.take(&mut items, LIGHT)?;
    while let Some(item) = next {
        // One after the other: between two slices others have their turn.
        let slice = || {
            fates.take(&mut std::iter::once(item), u64::MAX)?;
            fates.take(&mut items, bounds::SLICE)
        };
        next = beside_workers(tenant, deadline, slice).await.ok_or(Reject::TooLate)??;
    }
    let Fates { envelopes, filtered, unjudged, .. } = fates;
    let counters = &route.claim.state.metrics;
    if envelopes.is_empty() {
        counters.count_events(EventResult::Filtered, filtered);
        return Ok(received);
    }
    let owner = Owner { uid: &route.claim.uid, namespace: &route.claim.namespace };
    let spool = route.on_outage == OnOutage::Spool;
    let (crowded, _publishes) = publishes(tenant, envelopes.len(), spool, deadline).await?;
    let policy = Policy {
        stream: route.stream.as_deref(),
        crowded,
        omit_original: route.retries == Retries::Never,
        owner,
        spool,
        rejected: &route.rejected,
    };
    let begun = Instant::now();
    let delivered = delivery.accept(&envelopes, &policy, deadline).await;
    metrics.publish_duration().observe(begun.elapsed());
    count(id, route, &envelopes, delivered)?;
    // What is left out of a delivery that comes again is left out then.
    counters.count_events(EventResult::Filtered, filtered);
    counters.count_unjudged(unjudged);
    Ok(received)
}

/// Its namespace's share of what may wait for acknowledgements. Whoever may spool waits for it no longer than for an
/// acknowledgement, and is `crowded` then; others wait until their deadline.
async fn publishes(
    tenant: &Tenant,
    events: usize,
    spool: bool,
    deadline: Deadline,
) -> Result<(bool, Option<SemaphorePermit<'_>>), Reject> {
    let wanted = u32::try_from(events).unwrap_or(u32::MAX);
    if let Ok(permit) = tenant.publishes.try_acquire_many(wanted) {
        return Ok((false, Some(permit)));
    }
    let until = if spool { deadline.first() } else { deadline.acknowledged() };
    match tokio::time::timeout_at(until.into(), tenant.publishes.acquire_many(wanted)).await {
        Ok(permit) => Ok((false, permit.ok())),
        Err(_) if spool => Ok((true, None)),
        Err(_) => Err(Reject::TooLate),
    }
}

/// Reads the body. Where the vendor never sends again, what cannot be read is kept instead of refused.
fn read(id: DeliveryId, route: &Route, verified: &Verified, head: &Head<'_>) -> Result<Batch, Reject> {
    let extraction = &route.provider.extraction;
    match extraction.read(verified, head, route.deduplicate) {
        Ok(batch) => Ok(batch),
        Err(error @ DecodeError::MediaType(_)) => Err(Reject::Undecodable(error)),
        Err(error) if route.retries == Retries::Never => {
            let (namespace, source) = (&*route.claim.namespace, &*route.claim.name);
            tracing::warn!(%error, namespace, source, delivery = %id, "kept as rejected");
            let refused = extraction.refused(verified, head, route.deduplicate);
            Ok(Batch { items: vec![Err(refused)], received: 1, dropped: 0 })
        }
        Err(error) => Err(Reject::Undecodable(error)),
    }
}

/// Items on their way to become messages.
struct Fates<'a> {
    route: &'a Route,
    receipt: &'a Receipt<'a>,
    deadline: Deadline,
    envelopes: Vec<Envelope<'a>>,
    filtered: u64,
    /// Of how many a filter could not be judged.
    unjudged: u64,
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
                    Some(Selected::Published(template, failed)) => self.publish(event, template, failed),
                    Some(Selected::LeftOut) => self.filtered += 1,
                    Some(Selected::Failed) => {
                        self.route.claim.state.metrics.count_filter_errors(1);
                        self.unjudged += 1;
                        self.reject(event.rejected(BadItemReason::FilterError));
                    }
                    Some(Selected::Late) => return Err(Reject::TooLate),
                },
            }
        }
        Ok(None)
    }

    fn reject(&mut self, bad: BadItem) {
        let route = self.route;
        self.envelopes.push(Envelope::rejected(&route.origin, self.receipt, route.rejected.clone(), bad));
    }

    /// `failed` filters of rules could not be judged on the way to the template.
    fn publish(&mut self, event: Event, template: &SubjectTemplate, failed: u64) {
        let route = self.route;
        route.claim.state.metrics.count_filter_errors(failed);
        self.unjudged += u64::from(failed > 0);
        let subject = template.render(&SubjectVars {
            namespace: &route.claim.namespace,
            source: &route.claim.name,
            provider: &route.claim.provider,
            event_type: &event.event_type,
            subject: event.subject.as_deref(),
        });
        let payload = payload(route, &event);
        self.envelopes.push(Envelope::event(&route.origin, self.receipt, subject, event, payload));
    }
}

/// Whether an event is let through, and on which subject. `None`, unjudged, where that may take more steps than are left.
fn judge<'r>(route: &'r Route, event: &Event, deadline: Deadline, left: &mut u64) -> Option<Selected<'r>> {
    let data = conversation::filtered(&event.data).map_or(&b"null"[..], |data| data);
    let variables = Variables {
        event_type: &event.event_type,
        id: &event.id,
        subject: event.subject.as_deref().unwrap_or_default(),
        time: event.time,
        source: &route.claim.name,
        namespace: &route.claim.namespace,
        provider: &route.claim.provider,
        deadline: Some(deadline.due()),
        ..Variables::new(Data::new(&route.places, data))
    };
    if *left < u64::MAX {
        *left = left.checked_sub(steps(&route.selection, &route.routing, &variables))?;
    }
    Some(select(&route.selection, &route.routing, &variables))
}

fn payload(route: &Route, event: &Event) -> Payload {
    let whole = conversation::payload(&event.data, route.shape, route.include_original);
    let without_original = event.data.mapped.clone().filter(|_| whole.mapped && route.include_original);
    let item = whole.mapped.then(|| (event.data.original.clone(), event.data.media_type.clone()));
    Payload { bytes: whole.bytes, media_type: whole.media_type, mapped: whole.mapped, without_original, item }
}

/// Counts what became of each, and says why the delivery as a whole is not acknowledged: what is stored already is a
/// duplicate when the vendor sends it again.
fn count(id: DeliveryId, route: &Route, envelopes: &[Envelope<'_>], delivered: Vec<Delivered>) -> Result<(), Reject> {
    let metrics = &route.claim.state.metrics;
    let mut failure: Option<Unavailable> = None;
    for (envelope, Delivered { outcome, omitted, claimed, rejected }) in envelopes.iter().zip(delivered) {
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(unavailable) => {
                failure = Some(worse(failure, unavailable));
                continue;
            }
        };
        let (result, stream, sequence) = match &outcome {
            Outcome::Stored { stream, sequence } => (EventResult::Stored, &**stream, *sequence),
            Outcome::Duplicate { stream, sequence } => (EventResult::Duplicate, &**stream, *sequence),
            Outcome::Spooled => (EventResult::Spooled, "", 0),
        };
        tracing::debug!(delivery = %id, stream, sequence, result = result.as_str(), "event");
        let result = if rejected || envelope.is_rejected() { EventResult::Rejected } else { result };
        metrics.count_events(result, 1);
        if omitted {
            metrics.count_omitted();
        }
        if claimed {
            metrics.count_claimed();
        }
    }
    failure.map_or(Ok(()), |unavailable| Err(Reject::Unavailable(unavailable)))
}

/// Which of two failures a batch is answered with: one that the owner must see beats one that passes by itself, and one
/// after which the vendor sends again beats one that is final.
fn worse(first: Option<Unavailable>, second: Unavailable) -> Unavailable {
    let rank = |failure: &Unavailable| match failure {
        Unavailable::NoStream | Unavailable::NotDurable => 2,
        Unavailable::TooLarge => 0,
        _ => 1,
    };
    match first {
        Some(first) if rank(&first) >= rank(&second) => first,
        _ => second,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn one_namespace_leaves_acknowledgements_to_another() {
        let (loud, quiet) = (Tenant::default(), Tenant::default());
        let soon = Deadline::after(Duration::from_millis(200));
        let all = loud.publishes.available_permits();
        let (crowded, held) = publishes(&loud, all, false, soon).await.unwrap();
        assert!(!crowded && held.is_some());
        assert!(matches!(publishes(&loud, 1, false, soon).await, Err(Reject::TooLate)));
        assert!(publishes(&loud, 1, true, soon).await.unwrap().0, "the spool takes it");
        assert!(!publishes(&quiet, 1000, true, soon).await.unwrap().0);
        drop(held);
        assert!(!publishes(&loud, 1, true, soon).await.unwrap().0);
    }
}

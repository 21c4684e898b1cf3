//! The request line: from a head to an answer, top to bottom.
//!
//! Framing, path and host, method, address, open, in-flight, coding, size, body, proof, rate, events, answer. Nothing is
//! stored, counted for a sender or answered from a body before its proof holds.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use jiff::Timestamp;
use tokio::time::Instant;

use super::admit::{Admitted, admit};
use super::bodies::{Bodies, Hold};
use super::body::Reading;
use super::client::{Client, TrustedProxies};
use super::connection::Arrival;
use super::delivery_id::{self, DeliveryId};
use super::events;
use super::failures::Failures;
use super::framing::{self, Offence};
use super::large::Large;
use super::prove::Asking;
use super::reject::{Reject, Wait};
use super::request_log::RequestLog;
use super::respond::{self, Accepted};
use super::routes::Routes;
use crate::deadline::Deadline;
use crate::deliver::Deliveries;
use crate::fetch::KeyStore;
use crate::metrics::{Metrics, Outcome};
use crate::provider::request::{Head, RequestView};
use crate::provider::verify::observe::Silent;
use crate::provider::verify::{Refusal, Verified};
use crate::route::bounds;
use crate::route::capture::Captures;
use crate::route::share::Standing;
use crate::route::state::Class;
use crate::route::{Entry, Route};

/// How the receiver treats all sources together.
#[derive(Clone, Debug)]
pub struct Options {
    /// `--trusted-proxies`.
    pub proxies: TrustedProxies,
    /// `--trust-trace`: a sender may ask for its trace to be sampled.
    pub trust_trace: bool,
    /// Bytes of bodies in work. At least one body of the largest size fits into half of it.
    pub body_bytes: u64,
    /// From the head to the last byte of the body.
    pub body_time: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            proxies: TrustedProxies::default(),
            trust_trace: false,
            body_bytes: 64 << 20,
            body_time: Duration::from_secs(15),
        }
    }
}

/// Everything that requests need.
pub struct Receiver {
    routes: Arc<Routes>,
    proxies: TrustedProxies,
    failures: Failures,
    bodies: Bodies,
    large: Large,
    body_time: Duration,
    trust_trace: bool,
    /// Said that a peer which is not trusted forwards.
    forwarded: AtomicBool,
    deliveries: Deliveries,
    pub(super) keys: Arc<KeyStore>,
    pub(super) captures: Captures,
    pub(super) log: RequestLog,
}

/// How far a request came.
struct Seen {
    arrival: Arrival,
    /// Its body was read to the end.
    whole: bool,
    /// Its proof held.
    proven: bool,
}

impl Seen {
    fn prove(&mut self) {
        self.proven = true;
        self.arrival.prove();
    }
}

impl Receiver {
    /// A receiver of those routes.
    pub fn new(
        routes: Arc<Routes>,
        deliveries: Deliveries,
        keys: Arc<KeyStore>,
        captures: Captures,
        options: Options,
        metrics: Metrics,
    ) -> Arc<Self> {
        Arc::new(Self {
            routes,
            proxies: options.proxies,
            failures: Failures::default(),
            bodies: Bodies::new(options.body_bytes),
            large: Large::default(),
            body_time: options.body_time,
            trust_trace: options.trust_trace,
            forwarded: AtomicBool::new(false),
            deliveries,
            keys,
            captures,
            log: RequestLog::new(metrics),
        })
    }

    /// Answers one request. Counts it and writes its log line.
    pub async fn handle(self: Arc<Self>, request: Request<Incoming>, arrival: Arrival) -> Response<Full<Bytes>> {
        let begun = Instant::now();
        let id = DeliveryId::new();
        let (head, mut body) = request.into_parts();
        let found = self.find(&head, &arrival);
        let client = self.proxies.client(arrival.peer, &head.headers);
        if client.forwarded {
            self.say_forwarded(arrival.peer);
        }
        let mut seen = Seen { arrival, whole: body.is_end_stream(), proven: false };
        let answered = match &found {
            Ok(Entry::Served(route)) => self.serve(id, route, &head, &mut body, &client, &mut seen).await,
            Ok(Entry::NotServed(_)) => Err(Reject::NotServed),
            Err(reject) => Err(reject.clone()),
        };
        let claim = found.as_ref().ok().map(Entry::claim);
        let stranger = (!seen.proven).then_some(client.holder.key);
        self.log.answered(id, claim, stranger, &answered, begun);
        let mut response = match answered {
            Ok(accepted) => respond::accepted(accepted),
            Err(reject) => respond::rejected(&reject, seen.whole),
        };
        if claim.is_some() {
            response.headers_mut().insert(delivery_id::HEADER, id.header());
        }
        response
    }

    /// Said once: whoever sends can cause it, and what is written in the header is hearsay.
    fn say_forwarded(&self, peer: SocketAddr) {
        if !self.forwarded.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                peer = %peer.ip(),
                "X-Forwarded-For from a peer that is not trusted: if it is a proxy of yours, set --trusted-proxies, or all \
                 who come through it share the budgets of one address"
            );
        }
    }

    fn find(&self, head: &Parts, arrival: &Arrival) -> Result<Entry, Reject> {
        if arrival.offence {
            return Err(Reject::BadRequest(Offence::Head));
        }
        self.routes.find(&framing::judge(head).map_err(Reject::BadRequest)?)
    }

    /// Reads the body: whoever sends slowly gives its places to others meanwhile.
    async fn read(
        &self,
        body: &mut Incoming,
        admitted: &mut Admitted<'_>,
        hold: &mut Hold<'_>,
        arrival: &Arrival,
    ) -> Result<Bytes, Reject> {
        let mut reading = Reading::begin(body, admitted.max_body())?;
        match reading.here(hold)? {
            Some(body) => Ok(body),
            None => {
                admitted.step_aside();
                let _awaited = arrival.await_body();
                reading.rest(self.body_time, hold).await
            }
        }
    }

    async fn serve(
        &self,
        id: DeliveryId,
        route: &Arc<Route>,
        head: &Parts,
        body: &mut Incoming,
        client: &Client,
        seen: &mut Seen,
    ) -> Result<Accepted, Reject> {
        let now = Timestamp::now();
        let mut admitted = admit(route, head, client, &self.failures, now).await?;
        let (class, holder) = (admitted.class, admitted.holder);
        let uid = &route.claim.uid;
        let charge = |proofs| self.failures.charge(uid, client, proofs, Instant::now());
        let state = &route.claim.state;
        let mut hold = self.bodies.hold((state, &route.limits), class, holder);
        let body = self.read(body, &mut admitted, &mut hold, &seen.arrival).await.inspect_err(|reject| {
            if matches!(reject, Reject::TooSlow) {
                charge(1);
            }
        })?;
        seen.whole = true;
        let deadline = Deadline::after(route.deadline);
        // Before it waits for a place: this is when the whole of it was here.
        let now = Timestamp::now();
        admitted.step_in(deadline).await?;
        let head = Head {
            method: &head.method,
            path: head.uri.path(),
            query: head.uri.query(),
            headers: &head.headers,
            received: now,
        };
        let view = RequestView { head, body: &body };
        let turn = deadline.bound(self.failures.turn(uid, client, Instant::now())).await;
        let turn = turn
            .map_err(|_| Reject::TooLate)?
            .map_err(|time| Reject::TooManyFailures(Wait { time, retries: route.retries }))?;
        let unproven = |refusal: Refusal| {
            // A key that is missing on our side is no stranger's failure.
            if !matches!(refusal, Refusal::NoKey | Refusal::NotFetched) {
                charge(1);
            }
            Reject::Unproven(refusal)
        };
        let shake = route.provider.handshake(&view);
        // What nobody signed is a stranger's until it does what it asks for.
        let unsigned = |answered: Result<Accepted, Reject>| match answered {
            Err(Reject::Unproven(refusal)) => Err(unproven(refusal)),
            // It proves nothing, and whoever knows the form of it may send it as often as anything else.
            answered => {
                charge(1);
                answered
            }
        };
        // Only where the definition says that its vendor cannot sign it: it needs no secret of ours, live or not.
        if let Some(shake) = shake.filter(|shake| shake.unsigned) {
            return unsigned(self.shake(route, shake.answer(&view, &route.verifier, now), now, deadline).await);
        }
        // Some vendors sign with the secret that they deliver: it can be judged before it is live.
        let delivers = shake.filter(|shake| shake.delivers() && route.captures(now).is_some());
        if !route.verifier.open(now) && delivers.is_none() {
            return Err(Reject::NoLiveSecret);
        }
        // What the vendor proves otherwise than its deliveries is a handshake and never one of them.
        let own = shake.and_then(|shake| shake.proven(&view, &route.verifier, now, &mut Silent));
        let known = class == Class::Known;
        let failing = holder.standing == Standing::Failing;
        let asking = Asking { known, failing, key: holder.key, charge: &|| charge(bounds::FETCH) };
        let proven = match own {
            Some(judged) => judged.map(|()| None),
            None => self.prove((id, route), head, &body, now, deadline, turn, &asking).await?.map(Some),
        };
        let verified = match proven {
            Ok(verified) => verified,
            Err(refusal) => {
                // Of what its vendor encrypts and does not sign, a secret inside it is the proof.
                if refusal == Refusal::Missing
                    && let Some(answered) = route.provider.sealed_handshake(&route.verifier, &view, now)
                {
                    return unsigned(self.shake(route, answered, now, deadline).await);
                }
                let Some(shake) = delivers else { return Err(unproven(refusal)) };
                let judged = shake.delivered(&view, &route.verifier, now);
                return unsigned(self.shake(route, judged, now, deadline).await);
            }
        };
        seen.prove();
        admitted.proven();
        hold.proven();
        state.known.add(holder.key, std::time::Instant::now());
        if client.forwarded {
            state.metrics.count_forwarded();
        }
        if let Some(quota) = route.limits.rate {
            let over = |time| Reject::OverRate(Wait { time, retries: route.retries });
            state.rate.take(quota, std::time::Instant::now()).map_err(over)?;
        }
        let opened = verified.as_ref().map(Verified::body).filter(|opened| opened.as_ptr() != body.as_ptr());
        let view = RequestView { head, body: opened.unwrap_or(&body) };
        let shake = if opened.is_none() { shake } else { route.provider.handshake_inside(&view) };
        if let Some(shake) = shake {
            return self.shake(route, shake.answer(&view, &route.verifier, now), now, deadline).await;
        }
        let Some(verified) = &verified else { return Err(unproven(Refusal::NotApplicable)) };
        if !route.provider.deliveries.contains(head.method) {
            return Err(Reject::Method(route.methods.allow().clone()));
        }
        let _room = self.large.enter(&state.tenant, view.body.len(), deadline).await?;
        let delivery = self.deliveries.of(route.account);
        let with = events::With { id, delivery, deadline, trust_trace: self.trust_trace };
        let items = events::deliver(route, verified, &head, &with, self.log.metrics()).await?;
        let reply = route.answer.accepted(&view, items, &(&route.verifier, now));
        Ok(Accepted { reply, outcome: Outcome::Accepted, items })
    }
}

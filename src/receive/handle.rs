//! The request line: from a head to an answer, top to bottom.
//!
//! Framing, path and host, method, address, open, in-flight, coding, size, body, proof, rate, events, answer. Nothing is
//! stored, counted for a sender or answered from a body before its proof holds.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, Response};
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use jiff::Timestamp;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::Level;

use super::admit::{Admitted, admit};
use super::body::{self, Hold};
use super::client::TrustedProxies;
use super::connection::Arrival;
use super::events;
use super::failures::Failures;
use super::framing::{self, Offence};
use super::reject::{Reject, Wait};
use super::respond;
use super::routes::Routes;
use crate::deliver::Delivery;
use crate::fetch::KeyStore;
use crate::metrics::{Metrics, Outcome};
use crate::provider::Proof;
use crate::provider::handshake::{Effect, Reply, Shake};
use crate::provider::request::{Head, RequestView, Verified};
use crate::provider::verify::Refusal;
use crate::route::budget::Budget;
use crate::route::capture::{Capture, CaptureError, Captures};
use crate::route::{Claim, Entry, Route};

/// How the receiver treats all sources together.
#[derive(Clone, Debug)]
pub struct Options {
    /// `--trusted-proxies`.
    pub proxies: TrustedProxies,
    /// `--trust-trace`: a sender may ask for its trace to be sampled.
    pub trust_trace: bool,
    /// Bytes of bodies in work. At least one body of the largest size fits.
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
    bodies: Budget,
    body_time: Duration,
    trust_trace: bool,
    delivery: Delivery,
    keys: Arc<KeyStore>,
    captures: Captures,
    metrics: Metrics,
}

/// A request that was not rejected.
struct Accepted {
    response: Response<Full<Bytes>>,
    outcome: Outcome,
    /// How many items arrived.
    items: usize,
}

impl Accepted {
    fn handshake(reply: Reply) -> Self {
        Self { response: respond::handshake(reply), outcome: Outcome::Handshake, items: 0 }
    }
}

impl Receiver {
    /// A receiver of those routes.
    pub fn new(
        routes: Arc<Routes>,
        delivery: Delivery,
        keys: Arc<KeyStore>,
        captures: Captures,
        options: Options,
        metrics: Metrics,
    ) -> Arc<Self> {
        Arc::new(Self {
            routes,
            proxies: options.proxies,
            failures: Failures::default(),
            bodies: Budget::new(options.body_bytes),
            body_time: options.body_time,
            trust_trace: options.trust_trace,
            delivery,
            keys,
            captures,
            metrics,
        })
    }

    /// Answers one request. Counts it and writes its log line.
    pub async fn handle(self: Arc<Self>, request: Request<Incoming>, arrival: Arrival) -> Response<Full<Bytes>> {
        let begun = Instant::now();
        let (head, mut body) = request.into_parts();
        let found = self.find(&head, arrival);
        let mut whole = body.is_end_stream();
        let answered = match &found {
            Ok(Entry::Served(route)) => self.serve(route, &head, &mut body, &mut whole, arrival).await,
            Ok(Entry::NotServed(_)) => Err(Reject::NotServed),
            Err(reject) => Err(reject.clone()),
        };
        self.record(found.as_ref().ok().map(Entry::claim), &answered, begun);
        match answered {
            Ok(accepted) => accepted.response,
            Err(reject) => respond::rejected(&reject, whole),
        }
    }

    fn find(&self, head: &Parts, arrival: Arrival) -> Result<Entry, Reject> {
        if arrival.offence {
            return Err(Reject::BadRequest(Offence::Head));
        }
        self.routes.find(&framing::judge(head).map_err(Reject::BadRequest)?)
    }

    async fn serve(
        &self,
        route: &Arc<Route>,
        head: &Parts,
        body: &mut Incoming,
        whole: &mut bool,
        arrival: Arrival,
    ) -> Result<Accepted, Reject> {
        let client = self.proxies.client(arrival.peer, &head.headers);
        let Admitted { place: _place, stranger } = admit(route, head, client, &self.failures, Timestamp::now()).await?;
        let mut hold = Hold::new(&route.limits.bytes, &self.bodies)?;
        let body = body::read(body, route.limits.max_body, self.body_time, &mut hold).await?;
        *whole = true;

        let now = Timestamp::now();
        let head = Head {
            method: &head.method,
            path: head.uri.path(),
            query: head.uri.query(),
            headers: &head.headers,
            received: now,
        };
        let view = RequestView { head, body: &body };
        let unproven = |refusal: Refusal| {
            // A key that is missing on our side is no stranger's failure.
            if !matches!(refusal, Refusal::NoKey | Refusal::NotFetched) {
                self.failures.charge(&route.claim.uid, client, Instant::now());
            }
            Reject::Unproven(refusal)
        };
        // Only where the definition says that its vendor cannot sign them.
        if let Some((reply, effect)) = handshake(route, &view, true, now).map_err(unproven)? {
            self.effect(route, effect, now).await?;
            return Ok(Accepted::handshake(reply));
        }
        let proof = self.prove(route, &view, now).await.map_err(unproven)?;
        drop(stranger);
        route.limits.take().map_err(|time| Reject::OverRate(Wait { time, retries: route.retries }))?;
        if let Some((reply, effect)) = handshake(route, &view, false, now).map_err(unproven)? {
            self.effect(route, effect, now).await?;
            return Ok(Accepted::handshake(reply));
        }
        if *head.method != Method::POST {
            return Err(Reject::Method(route.methods.allow().clone()));
        }
        let verified = Verified::new(body.clone(), proof);
        let items =
            events::publish(route, &verified, &head, self.trust_trace, &self.delivery, self.metrics.publish_duration())
                .await?;
        Ok(Accepted { response: respond::accepted(&route.answer, items), outcome: Outcome::Accepted, items })
    }

    /// Does what a handshake asks for before it is answered.
    async fn effect(&self, route: &Route, effect: Option<Effect>, now: Timestamp) -> Result<(), Reject> {
        match effect {
            None => Ok(()),
            Some(Effect::Confirm(url)) => self.keys.confirm(&url).await.map_err(Reject::Confirm),
            Some(Effect::Capture(value)) => {
                let target = route.captures(now).ok_or(Reject::Capture(CaptureError::NotWanted))?.clone();
                let captures = self.captures.as_ref().ok_or(Reject::Capture(CaptureError::NoCluster))?;
                let (done, heard) = oneshot::channel();
                let capture = Capture { namespace: route.claim.namespace.to_string(), target, value, done };
                captures.try_send(capture).map_err(|_| Reject::Overloaded)?;
                heard.await.map_err(|_| Reject::Overloaded)?.map_err(Reject::Capture)
            }
        }
    }

    /// Judges the request; where that takes a key that the vendor publishes, fetches it once and judges again.
    async fn prove(&self, route: &Route, view: &RequestView<'_>, now: Timestamp) -> Result<Proof, Refusal> {
        match route.verifier.verify_with(view, now, &*self.keys) {
            Err(Refusal::NotFetched) => {}
            judged => return judged,
        }
        if let Some(wanted) = route.verifier.wanted(view, now, &*self.keys)
            && let Err(error) = self.keys.fetch(&wanted).await
        {
            let (namespace, source) = (&*route.claim.namespace, &*route.claim.name);
            tracing::warn!(namespace, source, %error, "the vendor's public key is not to be had");
            return Err(Refusal::NotFetched);
        }
        route.verifier.verify_with(view, now, &*self.keys)
    }

    /// One line and one count for each request; levels and words are those of `Reject`.
    fn record(&self, claim: Option<&Claim>, answered: &Result<Accepted, Reject>, begun: Instant) {
        let took = begun.elapsed();
        self.metrics.request_duration().observe(took.as_secs_f64());
        let metrics = claim.map_or(self.metrics.unrouted(), |claim| &claim.metrics);
        let (namespace, source) = claim.map_or(("", ""), |claim| (&*claim.namespace, &*claim.name));
        let reject = match answered {
            Ok(Accepted { outcome, items, .. }) => {
                metrics.count(*outcome);
                if *outcome == Outcome::Accepted {
                    metrics.accepted(Timestamp::now());
                }
                tracing::debug!(namespace, source, outcome = outcome.as_str(), items, ?took, "request");
                return;
            }
            Err(reject) => reject,
        };
        let row = reject.row();
        metrics.count(row.outcome);
        metrics.rejected(Timestamp::now(), row.outcome);
        let outcome = row.outcome.as_str();
        // The level of an event is a constant of its place.
        match row.level {
            Level::WARN => tracing::warn!(namespace, source, outcome, reason = %reject, ?took, "request"),
            Level::INFO => tracing::info!(namespace, source, outcome, reason = %reject, ?took, "request"),
            _ => tracing::debug!(namespace, source, outcome, reason = %reject, ?took, "request"),
        }
    }
}

/// Answers a handshake of the route that is, or is not, signed.
fn handshake(
    route: &Route,
    view: &RequestView<'_>,
    unsigned: bool,
    now: Timestamp,
) -> Result<Option<(Reply, Option<Effect>)>, Refusal> {
    for handshake in route.provider.handshakes.iter().filter(|handshake| handshake.unsigned == unsigned) {
        match handshake.answer(view, &route.verifier, now) {
            Shake::No => {}
            Shake::Answer(reply, effect) => return Ok(Some((*reply, effect))),
            Shake::Refused(refusal) => return Err(refusal),
        }
    }
    Ok(None)
}

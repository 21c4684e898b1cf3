//! Who gets in before any byte of a body is read: method, address, an open route, a place, a coding we take.
//!
//! In the order of the contract. Sheds load at once where a bound is reached; only a stranger waits, for a moment, since
//! heads and bodies of a burst of honest requests often come in packets of their own.

use std::net::IpAddr;
use std::time::Duration;

use http::request::Parts;
use jiff::Timestamp;
use tokio::time::Instant;

use super::failures::Failures;
use super::reject::{Reject, Wait};
use crate::provider::{Coding, coding};
use crate::route::Route;
use crate::route::budget::Held;

/// How long a stranger waits for one of the places of strangers.
const PATIENCE: Duration = Duration::from_millis(500);

/// A request that got in, and the place it takes.
#[derive(Debug)]
pub(super) struct Admitted<'a> {
    /// Held until the answer.
    pub(super) place: Held<'a>,
    /// Held until the proof holds.
    pub(super) stranger: Held<'a>,
}

/// Lets a request in, or says why not.
pub(super) async fn admit<'a>(
    route: &'a Route,
    head: &Parts,
    client: IpAddr,
    failures: &Failures,
    now: Timestamp,
) -> Result<Admitted<'a>, Reject> {
    if !route.methods.contains(&head.method) {
        return Err(Reject::Method(route.methods.allow().clone()));
    }
    if !route.limits.allows(client) {
        return Err(Reject::Address);
    }
    if route.suspended {
        return Err(Reject::Suspended);
    }
    // Without a live secret nothing but a handshake that the vendor cannot sign is heard out: vendors try an address, or
    // deliver the secret, before anybody could write it.
    let heard = route.provider.hears_strangers(&head.method) || route.captures(now).is_some();
    if !route.verifier.open(now) && !heard {
        return Err(Reject::NoLiveSecret);
    }
    let (state, limits) = (&route.claim.state, &route.limits);
    let place = state.in_flight.take(1, limits.in_flight).ok_or(Reject::Overloaded)?;
    let stranger = state.strangers.wait(1, limits.strangers(), PATIENCE).await.ok_or(Reject::Overloaded)?;
    if let Some(time) = failures.exceeded(&route.claim.uid, client, Instant::now()) {
        return Err(Reject::TooManyFailures(Wait { time, retries: route.retries }));
    }
    // Gzip only where the definition says that the vendor signs the compressed bytes.
    match coding(&head.headers) {
        Some(Coding::Identity) => {}
        Some(Coding::Gzip) if route.provider.compressed => {}
        _ => return Err(Reject::ContentEncoding),
    }
    if !route.provider.accepts(&head.method, &head.headers) {
        return Err(Reject::MediaType);
    }
    Ok(Admitted { place, stranger })
}

//! Who gets in before any byte of a body is read: method, address, an open route, a place, a coding we take.
//!
//! In the order of the contract. Sheds load at once where a bound is reached; only for a place without proof a request
//! waits, for a moment. An address of which a proof held lately has places that strangers cannot take. Places are for work:
//! a request that waits for its sender holds none.

use http::request::Parts;
use jiff::Timestamp;
use tokio::time::Instant;

use super::client::Client;
use super::failures::Failures;
use super::reject::Reject;
use crate::deadline::Deadline;
use crate::provider::{Coding, coding};
use crate::route::Route;
use crate::route::bounds::{PATIENCE, WAITING};
use crate::route::budget::Held;
use crate::route::share::{Full, Holder, Share, Standing};
use crate::route::state::Class;

/// A request that got in, and the places that it holds while it is worked on.
#[derive(Debug)]
pub(super) struct Admitted<'a> {
    route: &'a Route,
    places: Option<Places<'a>>,
    /// Of which its place without proof is.
    pub(super) class: Class,
    /// Who holds it.
    pub(super) holder: Holder,
}

#[derive(Debug)]
struct Places<'a> {
    /// Held until the answer.
    _work: Work<'a>,
    /// Held until the proof holds.
    unproven: Option<Share<'a>>,
}

/// Lets a request in, or says why not.
pub(super) async fn admit<'a>(
    route: &'a Route,
    head: &Parts,
    client: &Client,
    failures: &Failures,
    now: Timestamp,
) -> Result<Admitted<'a>, Reject> {
    if !route.methods.contains(&head.method) {
        return Err(Reject::Method(route.methods.allow().clone()));
    }
    if !route.limits.allows(client.address) {
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
    let work = work(route)?;
    // Judged before anything is waited for: these answers need no place.
    judge(route, head)?;
    let mut holder = client.holder;
    if holder.standing == Standing::One && failures.exceeds(&route.claim.uid, client, Instant::now()) {
        holder.standing = Standing::Failing;
    }
    let (class, unproven) = unproven(route, holder).await?;
    Ok(Admitted { route, places: Some(Places { _work: work, unproven: Some(unproven) }), class, holder })
}

impl Admitted<'_> {
    /// The largest body that it may have, in bytes.
    pub(super) fn max_body(&self) -> u64 {
        self.route.limits.max_body
    }

    /// Gives its places to others while it waits for its sender: whoever sends slowly, or nothing, keeps nobody out.
    pub(super) fn step_aside(&mut self) {
        self.places = None;
    }

    /// Takes places anew where it gave them away, now that there is something to do.
    pub(super) async fn step_in(&mut self, deadline: Deadline) -> Result<(), Reject> {
        if self.places.is_some() {
            return Ok(());
        }
        let work = work(self.route)?;
        let (_, unproven) =
            deadline.bound(unproven(self.route, self.holder)).await.map_err(|_| Reject::StrangersFull)??;
        self.places = Some(Places { _work: work, unproven: Some(unproven) });
        Ok(())
    }

    /// Its proof holds: it is no stranger any more.
    pub(super) fn proven(&mut self) {
        if let Some(places) = &mut self.places {
            places.unproven = None;
        }
    }
}

/// A place of the source, and one of its namespace, where that has a bound.
type Work<'a> = (Held<'a>, Option<Held<'a>>);

fn work(route: &Route) -> Result<Work<'_>, Reject> {
    let (state, limits) = (&route.claim.state, &route.limits);
    let own = state.in_flight.take(1, limits.in_flight).ok_or(Reject::Overloaded)?;
    let of_tenant = |most| state.tenant.requests.take(1, most).ok_or(Reject::NamespaceOverloaded);
    Ok((own, limits.in_flight_of_tenant.map(of_tenant).transpose()?))
}

/// A place without proof, and of which class it is.
async fn unproven(route: &Route, holder: Holder) -> Result<(Class, Share<'_>), Reject> {
    let (state, limits) = (&route.claim.state, &route.limits);
    let take = |class| state.unproven(class).places.take(holder, 1, limits.places(class));
    if state.known.contains(holder.key, Instant::now().into_std())
        && let Ok(unproven) = take(Class::Known)
    {
        return Ok((Class::Known, unproven));
    }
    let class = Class::Stranger;
    let places = &state.unproven(class).places;
    let unproven = places.wait(holder, 1, limits.places(class), PATIENCE, WAITING).await;
    unproven.map(|unproven| (class, unproven)).map_err(|full| match full {
        Full::Sum => Reject::StrangersFull,
        Full::Share => Reject::AddressShare,
    })
}

fn judge(route: &Route, head: &Parts) -> Result<(), Reject> {
    // Gzip only where the definition says that the vendor signs the compressed bytes.
    match coding(&head.headers) {
        Some(Coding::Identity) => {}
        Some(Coding::Gzip) if route.provider.compressed => {}
        _ => return Err(Reject::ContentEncoding),
    }
    if !route.provider.accepts(&head.method, &head.headers) {
        return Err(Reject::MediaType);
    }
    Ok(())
}

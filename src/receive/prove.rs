//! The proof of one request, and the key for it, where the vendor publishes that.

use bytes::Bytes;
use jiff::Timestamp;
use tokio::time::Instant;

use super::delivery_id::DeliveryId;
use super::failures::Turn;
use super::handle::Receiver;
use super::heavy::on_body;
use super::reject::Reject;
use crate::deadline::Deadline;
use crate::fetch::Fetched;
use crate::provider::request::{Head, RequestView};
use crate::provider::verify::{Refusal, Verified};
use crate::route::Route;

/// Whether a request may make us ask for a key, and what that costs its address.
pub(super) struct Asking<'a> {
    pub(super) known: bool,
    pub(super) failing: bool,
    pub(super) key: u64,
    pub(super) charge: &'a (dyn Fn() + Sync),
}

impl Receiver {
    /// Judges the request; where that takes a key that the vendor publishes, fetches it once and judges again.
    #[expect(clippy::too_many_arguments, reason = "all that a proof is made of")]
    pub(super) async fn prove(
        &self,
        (id, route): (DeliveryId, &Route),
        head: Head<'_>,
        body: &Bytes,
        now: Timestamp,
        deadline: Deadline,
        turn: Turn,
        asking: &Asking<'_>,
    ) -> Result<Result<Verified, Refusal>, Reject> {
        let judge = || route.verifier.prove(head, body, now, &*self.keys);
        match on_body(&route.claim.state.tenant, body.len(), deadline, judge).await.ok_or(Reject::TooLate)? {
            Err(Refusal::NotFetched) => {}
            judged => return Ok(judged),
        }
        // While others are asked, the next one is judged.
        drop(turn);
        if let Some(wanted) = route.verifier.wanted(&RequestView { head, body }, now, &*self.keys) {
            if asking.failing && !asking.known {
                return Ok(Err(Refusal::NotFetched));
            }
            let fetched = deadline.bound(self.keys.fetch(&route.claim.uid, &wanted, asking.known)).await;
            let (asked, error) = match fetched {
                Ok(Fetched { asked, outcome }) => (asked, outcome.err().map(|error| error.to_string())),
                Err(passed) => (true, Some(passed.to_string())),
            };
            if asked && !asking.known {
                (asking.charge)();
            }
            match error {
                None => {}
                Some(_) if !asked => return Ok(Err(Refusal::NotFetched)),
                Some(error) => {
                    // Once for each request to the key server, which are bounded, and not for each delivery.
                    let (namespace, source) = (&*route.claim.namespace, &*route.claim.name);
                    if let Some(left_out) = self.log.may_say(asking.key, Instant::now()) {
                        tracing::warn!(namespace, source, delivery = %id, %error, left_out, "the vendor's public key is not to be had");
                    }
                    return Ok(Err(Refusal::FetchFailed));
                }
            }
        }
        on_body(&route.claim.state.tenant, body.len(), deadline, judge).await.ok_or(Reject::TooLate)
    }
}

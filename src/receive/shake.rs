//! A handshake: what it asks for is done, and it is answered; no event comes of it.

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::handle::Receiver;
use super::reject::Reject;
use super::respond::Accepted;
use crate::deadline::Deadline;
use crate::provider::handshake::{Effect, Shake};
use crate::route::Route;
use crate::route::capture::{Capture, CaptureError};

impl Receiver {
    /// Answers a handshake.
    pub(super) async fn shake(
        &self,
        route: &Route,
        judged: Shake,
        now: Timestamp,
        deadline: Deadline,
    ) -> Result<Accepted, Reject> {
        match judged {
            Shake::Refused(refusal) => Err(Reject::Unproven(refusal)),
            Shake::Answer(reply, effect) => {
                self.effect(route, effect, now, deadline).await?;
                Ok(Accepted::handshake(*reply))
            }
        }
    }

    /// Does what a handshake asks for before it is answered.
    async fn effect(
        &self,
        route: &Route,
        effect: Option<Effect>,
        now: Timestamp,
        deadline: Deadline,
    ) -> Result<(), Reject> {
        match effect {
            None => Ok(()),
            Some(Effect::Confirm(url)) => {
                let confirmed = deadline.bound(self.keys.confirm(&url)).await;
                confirmed.map_err(|_| Reject::TooLate)?.map_err(Reject::Confirm)
            }
            Some(Effect::Capture(value)) => {
                let target = route.captures(now).ok_or(Reject::Capture(CaptureError::NotWanted))?.clone();
                let captures = self.captures.as_ref().ok_or(Reject::Capture(CaptureError::NoCluster))?;
                let (done, heard) = oneshot::channel();
                let capture = Capture { namespace: route.claim.namespace.to_string(), target, value, done };
                captures.try_send(capture).map_err(|_| Reject::Overloaded)?;
                let heard = deadline.bound(heard).await.map_err(|_| Reject::TooLate)?;
                heard.map_err(|_| Reject::Overloaded)?.map_err(Reject::Capture)
            }
        }
    }
}

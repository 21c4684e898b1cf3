//! Reads a body into one buffer: bounded in size, in time, and in what the process holds of all bodies together.
//!
//! A body that came in one piece is taken as it is. Never decodes a content coding: proofs cover the bytes as sent.

use std::io::ErrorKind;
use std::pin::pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Body;
use tokio::time::timeout;

use super::framing::Offence;
use super::reject::Reject;
use crate::route::budget::{Budget, Held};

/// The bytes of one body that are held, of its source's share and of what the process has.
pub(super) struct Hold<'a> {
    source: Held<'a>,
    process: Held<'a>,
}

impl<'a> Hold<'a> {
    /// Holds nothing yet of two budgets, each with its limit.
    pub(super) fn new(source: (&'a Budget, u64), process: (&'a Budget, u64)) -> Result<Self, Reject> {
        let none = |(budget, limit): (&'a Budget, u64)| budget.take(0, limit).ok_or(Reject::Overloaded);
        Ok(Self { source: none(source)?, process: none(process)? })
    }

    fn grow(&mut self, bytes: u64) -> Result<(), Reject> {
        // What has arrived counts, not what was announced: announcing costs a stranger nothing.
        if self.source.grow(bytes) && self.process.grow(bytes) { Ok(()) } else { Err(Reject::Overloaded) }
    }
}

/// Reads a body of at most `max` bytes within `time`.
pub(super) async fn read<B>(body: &mut B, max: u64, time: Duration, hold: &mut Hold<'_>) -> Result<Bytes, Reject>
where
    B: Body<Data = Bytes, Error = hyper::Error> + Unpin,
{
    if body.size_hint().lower() > max {
        return Err(Reject::TooLarge);
    }
    let mut reading = pin!(collect(body, max, hold));
    // Most bodies are here already: no timer for them.
    match futures::poll!(reading.as_mut()) {
        std::task::Poll::Ready(read) => read,
        std::task::Poll::Pending => timeout(time, reading).await.unwrap_or(Err(Reject::TooSlow)),
    }
}

async fn collect<B>(body: &mut B, max: u64, hold: &mut Hold<'_>) -> Result<Bytes, Reject>
where
    B: Body<Data = Bytes, Error = hyper::Error> + Unpin,
{
    let announced = body.size_hint().exact();
    let mut only = Bytes::new();
    let mut joined = BytesMut::new();
    let mut total = 0_u64;
    while let Some(frame) = body.frame().await {
        // Trailers are no part of the body, and nothing reads them.
        let Ok(data) = frame.map_err(|error| broken(&error))?.into_data() else { continue };
        total = total.saturating_add(data.len() as u64);
        if total > max {
            return Err(Reject::TooLarge);
        }
        hold.grow(total)?;
        if only.is_empty() && joined.is_empty() {
            only = data;
            continue;
        }
        if joined.is_empty() {
            joined.reserve(usize::try_from(announced.unwrap_or(total * 2).min(max)).unwrap_or(0));
            joined.extend_from_slice(&std::mem::take(&mut only));
        }
        joined.extend_from_slice(&data);
    }
    Ok(if joined.is_empty() { only } else { joined.freeze() })
}

/// A body that ends too early is the network's doing; one that is framed wrongly is the client's.
fn broken(error: &hyper::Error) -> Reject {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<std::io::Error>());
    match cause.map(std::io::Error::kind) {
        Some(ErrorKind::InvalidInput | ErrorKind::InvalidData) => Reject::BadRequest(Offence::Body),
        _ => Reject::Aborted,
    }
}

//! Reads a body into one buffer: bounded in size, in time, in pace, and in what is held of all bodies together.
//!
//! A body that came in one piece is taken as it is. Never decodes a content coding: proofs cover the bytes as sent.

use std::io::ErrorKind;
use std::pin::pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::FutureExt;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame};
use tokio::time::{Instant, sleep_until};

use super::framing::Offence;
use super::reject::Reject;
use super::unproven::Hold;
use crate::route::bounds::{BODY_LOOK, BODY_RATE};

/// Reads a body of at most `max` bytes within `time`.
pub(super) async fn read<B>(body: &mut B, max: u64, time: Duration, hold: &mut Hold<'_>) -> Result<Bytes, Reject>
where
    B: Body<Data = Bytes, Error = hyper::Error> + Unpin,
{
    if body.size_hint().lower() > max {
        return Err(Reject::TooLarge);
    }
    let mut parts = Parts { announced: body.size_hint().exact(), max, ..Parts::default() };
    // Most bodies are here already: no timer for them.
    while let Some(frame) = body.frame().now_or_never() {
        let Some(frame) = frame else { return parts.joined(hold) };
        parts.push(frame, hold)?;
    }
    let end = Instant::now() + time;
    let mut look = pin!(sleep_until(end.min(Instant::now() + BODY_LOOK)));
    let mut enough = 0;
    loop {
        tokio::select! {
            biased;
            () = hold.gave_way() => return Err(Reject::GaveWay),
            frame = body.frame() => match frame {
                None => return parts.joined(hold),
                Some(frame) => parts.push(frame, hold)?,
            },
            () = look.as_mut() => {
                enough += BODY_RATE * BODY_LOOK.as_secs();
                if Instant::now() >= end || parts.total < enough {
                    return Err(Reject::TooSlow);
                }
                enough = parts.total;
                hold.enter();
                look.as_mut().reset(end.min(Instant::now() + BODY_LOOK));
            }
        }
    }
}

/// What has arrived.
#[derive(Default)]
struct Parts {
    announced: Option<u64>,
    max: u64,
    total: u64,
    only: Bytes,
    joined: BytesMut,
}

impl Parts {
    fn push(&mut self, frame: Result<Frame<Bytes>, hyper::Error>, hold: &mut Hold<'_>) -> Result<(), Reject> {
        // Trailers are no part of the body, and nothing reads them.
        let Ok(data) = frame.map_err(|error| broken(&error))?.into_data() else { return Ok(()) };
        self.total = self.total.saturating_add(data.len() as u64);
        if self.total > self.max {
            return Err(Reject::TooLarge);
        }
        hold.grow(self.total)?;
        if self.only.is_empty() && self.joined.is_empty() {
            self.only = data;
            return Ok(());
        }
        if self.joined.is_empty() {
            // What is announced is believed no further than what has come.
            let size = self.announced.unwrap_or(self.max).min(self.total.saturating_mul(8)).min(self.max);
            self.joined.reserve(usize::try_from(size).unwrap_or(0));
            self.joined.extend_from_slice(&std::mem::take(&mut self.only));
        }
        self.joined.extend_from_slice(&data);
        Ok(())
    }

    fn joined(self, hold: &mut Hold<'_>) -> Result<Bytes, Reject> {
        hold.whole()?;
        Ok(if self.joined.is_empty() { self.only } else { self.joined.freeze() })
    }
}

/// A body that ends too early is the network's doing; one that is framed wrongly is the client's.
fn broken(error: &hyper::Error) -> Reject {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<std::io::Error>());
    match cause.map(std::io::Error::kind) {
        Some(ErrorKind::InvalidInput | ErrorKind::InvalidData) => Reject::BadRequest(Offence::Body),
        _ => Reject::Aborted,
    }
}

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

use super::bodies::Hold;
use super::framing::Offence;
use super::reject::Reject;
use crate::route::bounds::{BODY_LOOK, BODY_RATE};

/// A body that is being read.
pub(super) struct Reading<'a, B> {
    body: &'a mut B,
    parts: Parts,
}

impl<'a, B> Reading<'a, B>
where
    B: Body<Data = Bytes, Error = hyper::Error> + Unpin,
{
    /// Begins with a body of at most `max` bytes.
    pub(super) fn begin(body: &'a mut B, max: u64) -> Result<Self, Reject> {
        if body.size_hint().lower() > max {
            return Err(Reject::TooLarge);
        }
        let parts = Parts { announced: body.size_hint().exact(), max, ..Parts::default() };
        Ok(Self { body, parts })
    }

    /// The whole body, where it is here already, as most are: no timer for them.
    pub(super) fn here(&mut self, hold: &mut Hold<'_>) -> Result<Option<Bytes>, Reject> {
        while let Some(frame) = self.body.frame().now_or_never() {
            match frame {
                Some(frame) => self.parts.push(frame, hold)?,
                None => return self.parts.joined(hold).map(Some),
            }
        }
        Ok(None)
    }

    /// The whole body, when it is here within `time`.
    pub(super) async fn rest(mut self, time: Duration, hold: &mut Hold<'_>) -> Result<Bytes, Reject> {
        let end = Instant::now() + time;
        let mut look = pin!(sleep_until(end.min(Instant::now() + BODY_LOOK)));
        let mut enough = 0;
        loop {
            tokio::select! {
                biased;
                () = hold.gave_way() => return Err(Reject::GaveWay),
                frame = self.body.frame() => match frame {
                    None => return self.parts.joined(hold),
                    Some(frame) => self.parts.push(frame, hold)?,
                },
                () = look.as_mut() => {
                    enough += BODY_RATE * BODY_LOOK.as_secs();
                    if Instant::now() >= end || self.parts.total < enough {
                        return Err(Reject::TooSlow);
                    }
                    enough = self.parts.total;
                    hold.enter();
                    look.as_mut().reset(end.min(Instant::now() + BODY_LOOK));
                }
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

    fn joined(&mut self, hold: &mut Hold<'_>) -> Result<Bytes, Reject> {
        hold.whole()?;
        let (only, joined) = (std::mem::take(&mut self.only), std::mem::take(&mut self.joined));
        Ok(if joined.is_empty() { only } else { joined.freeze() })
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

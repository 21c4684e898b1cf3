//! What the tests of delivery share: a delivery to one server, and plain messages.
#![allow(clippy::expect_used, reason = "a test without its delivery fails loudly")]

use std::time::{Duration, Instant};

use bytes::Bytes;
use hookgate::deliver::{Delivery, NatsOptions, Options, Outcome, StreamOptions, Unavailable};
use hookgate::event::{Block, Message};

use crate::support::nats::Nats;
use crate::support::wait::eventually;

pub const SOON: Duration = Duration::from_secs(10);

pub fn options(url: impl Into<String>) -> Options {
    Options::new(NatsOptions { urls: vec![url.into().into()], ..NatsOptions::default() })
}

/// Makes no stream of its own.
pub fn without_stream(url: impl Into<String>) -> Options {
    let mut options = options(url);
    options.stream = StreamOptions { name: None, ..options.stream };
    options
}

pub async fn start(options: &Options) -> Delivery {
    let delivery = Delivery::start(options).await.expect("usable options");
    eventually("NATS is connected and its streams are known", SOON, async || delivery.is_available()).await;
    delivery
}

/// Connected, with the default stream `WEBHOOKS` over `webhooks.*.>`.
pub async fn delivery(nats: &Nats) -> Delivery {
    start(&options(nats.url())).await
}

pub fn message(subject: &str, id: &str, payload: impl Into<Bytes>) -> Message {
    let (headers, msg_id) = Block::default().finish("uid", id);
    Message { subject: subject.to_owned(), headers, payload: payload.into(), msg_id }
}

/// Where a message went, without the stream and sequence.
#[derive(Debug, PartialEq, Eq)]
pub enum Sent {
    Stored,
    Duplicate,
}

/// Publishes to whichever stream owns the subject.
pub async fn send(delivery: &Delivery, message: &Message, by: Instant) -> Result<Sent, Unavailable> {
    Ok(match delivery.publish(message, None, by).await? {
        Outcome::Stored { .. } => Sent::Stored,
        Outcome::Duplicate { .. } => Sent::Duplicate,
        Outcome::Spooled => unreachable!("publishing spools nothing"),
    })
}

/// A deadline that no test awaits: who answers within `SOON` did not wait for it.
pub fn late() -> Instant {
    Instant::now() + 6 * SOON
}

/// The deadline of a request that begins now.
pub fn second() -> Instant {
    Instant::now() + Duration::from_secs(1)
}

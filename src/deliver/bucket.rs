//! The buckets that objects lie in: one for each namespace, made when it is needed, and kept for longer than its events.
//!
//! Alters no bucket that somebody else made. Asks JetStream's API; writes no object.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{Context, RequestErrorKind};
use async_nats::jetstream::response::Response;
use async_nats::jetstream::stream::{Config, DiscardPolicy, StorageType};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::Unavailable;
use super::objects::{Info, Object};
use super::streams::{Known, StreamOptions};
use crate::subject::pattern::overlaps;

/// Objects that are stored at a time.
const PLACES: usize = 16;
/// How much longer than an event that is published now its object must last, where it is used again.
const SLACK: Duration = Duration::from_secs(30 * 60);
/// Between tries to lengthen the life of what a bucket holds.
const QUIET: Duration = Duration::from_secs(60);
/// How much longer than its event an object lasts, beside the guard's window.
const HOUR: Duration = Duration::from_secs(3600);
const DESCRIPTION: &str = "Data of webhook events that are too large for a message. Made by hookgate.";

/// What reaching them takes.
pub(super) struct Buckets {
    context: Context,
    replicas: usize,
    /// How much longer than the longest life of an event an object lasts.
    outlive: Duration,
    /// What events are published on: the streams that own any of it count.
    subjects: String,
    places: Semaphore,
    /// When a bucket was last asked to keep what it holds for longer.
    asked: Mutex<HashMap<String, Instant>>,
}

impl Buckets {
    pub(super) fn new(context: Context, options: &StreamOptions, guard_window: Duration) -> Self {
        Self {
            context,
            replicas: options.replicas,
            outlive: guard_window.saturating_add(HOUR),
            subjects: options.subjects.clone(),
            places: Semaphore::new(PLACES),
            asked: Mutex::default(),
        }
    }

    /// How long a bucket keeps what it holds, for events on this subject; zero: for ever.
    pub(super) fn age(&self, known: &Known, subject: &str) -> Duration {
        let holds = |subjects: &[String]| subjects.iter().any(|owned| overlaps(owned, &self.subjects));
        let ages = known.all().filter(|stream| stream.owns(subject) || holds(&stream.subjects));
        let longest = ages.map(|stream| stream.max_age).reduce(longer).unwrap_or_default();
        if longest.is_zero() { longest } else { longest.saturating_add(self.outlive) }
    }

    pub(super) fn outlive(&self) -> Duration {
        self.outlive
    }

    pub(super) fn context(&self) -> Context {
        self.context.clone()
    }

    /// Whether a bucket may be asked to keep what it holds for longer: not every time where that is refused.
    pub(super) fn may_ask(&self, bucket: &str) -> bool {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.get(bucket).is_some_and(|at| at.elapsed() < QUIET) {
            return false;
        }
        asked.insert(bucket.to_owned(), Instant::now());
        true
    }

    /// One request of JetStream's API. The outer error: no answer; the inner one: a refusal.
    async fn ask<T: DeserializeOwned>(
        &self,
        what: &str,
        payload: &Value,
        by: Instant,
    ) -> Result<Result<T, (ErrorCode, Unavailable)>, Unavailable> {
        let asked = self.context.request(what.to_owned(), payload);
        let answer = tokio::time::timeout_at(by.into(), asked).await.map_err(|_| Unavailable::TimedOut)?;
        match answer {
            Ok(Response::Ok(answer)) => Ok(Ok(answer)),
            Ok(Response::Err { error }) => {
                let description = format!("{what}: {error}");
                let refused = Unavailable::Refused { code: error.error_code().0, description };
                Ok(Err((error.error_code(), refused)))
            }
            Err(error) => Err(match error.kind() {
                RequestErrorKind::NoResponders => Unavailable::NoStream,
                RequestErrorKind::TimedOut => Unavailable::TimedOut,
                _ => Unavailable::Refused { code: 0, description: format!("{what}: {error}") },
            }),
        }
    }
}

/// Zero is for ever.
fn longer(one: Duration, other: Duration) -> Duration {
    if one.is_zero() || other.is_zero() { Duration::ZERO } else { one.max(other) }
}

impl Buckets {
    /// A place among those that store objects.
    pub(super) async fn place(&self, by: Instant) -> Result<tokio::sync::SemaphorePermit<'_>, Unavailable> {
        let place = tokio::time::timeout_at(by.into(), self.places.acquire()).await;
        place.ok().and_then(Result::ok).ok_or(Unavailable::Overloaded)
    }

    /// Makes the bucket, or finds it made.
    pub(super) async fn make(&self, object: &Object, age: Duration, by: Instant) -> Result<(), Unavailable> {
        let bucket = object.bucket();
        let config = Config {
            name: object.stream.clone(),
            subjects: vec![format!("$O.{bucket}.C.>"), format!("$O.{bucket}.M.>")],
            description: Some(DESCRIPTION.to_owned()),
            storage: StorageType::File,
            num_replicas: self.replicas,
            max_age: age,
            discard: DiscardPolicy::New,
            allow_rollup: true,
            allow_direct: true,
            ..Config::default()
        };
        let config = serde_json::to_value(config).unwrap_or_default();
        match self.ask::<Value>(&format!("STREAM.CREATE.{}", object.stream), &config, by).await? {
            Ok(_) => tracing::info!(bucket, max_age = ?age, "made the bucket for data that is too large for a message"),
            // Somebody else made it.
            Err((ErrorCode::STREAM_NAME_EXIST, _)) => {}
            Err((_, refused)) => return Err(refused),
        }
        Ok(())
    }

    pub(super) async fn lengthen(&self, object: &Object, age: Duration, by: Instant) -> Result<(), Unavailable> {
        let refused = |(_, refused)| refused;
        let mut info: Value =
            self.ask(&format!("STREAM.INFO.{}", object.stream), &json!({}), by).await?.map_err(refused)?;
        // Whatever a newer server has in it stays.
        let mut config = info["config"].take();
        if config["description"] != DESCRIPTION {
            let description = "the bucket was not made by hookgate, which leaves it as it is".to_owned();
            return Err(Unavailable::Refused { code: 0, description });
        }
        config["max_age"] = u64::try_from(age.as_nanos()).unwrap_or(u64::MAX).into();
        let updated = self.ask::<Value>(&format!("STREAM.UPDATE.{}", object.stream), &config, by).await?;
        updated.map(|_| ()).map_err(refused)
    }

    /// What lies under the name of an object, as the stream's leader knows it: a direct get may be stale.
    pub(super) async fn find(&self, object: &Object, by: Instant) -> Result<Option<Present>, Unavailable> {
        let wanted = json!({ "last_by_subj": object.subject() });
        let got = match self.ask::<Got>(&format!("STREAM.MSG.GET.{}", object.stream), &wanted, by).await? {
            Ok(got) => got.message,
            Err((ErrorCode::NO_MESSAGE_FOUND, _)) => return Ok(None),
            Err((ErrorCode::STREAM_NOT_FOUND, _)) => return Err(Unavailable::NoStream),
            Err((_, refused)) => return Err(refused),
        };
        let info = STANDARD.decode(&got.data).ok().and_then(|data| serde_json::from_slice::<Info>(&data).ok());
        // What is no description is nobody's object: its name is taken all the same.
        let Info { digest, deleted, .. } = info.unwrap_or_default();
        Ok(Some(Present { sequence: got.seq, digest, deleted, stored: got.time }))
    }
}

impl Present {
    /// It is there for as long as an event that is published now. `is`: how long the bucket keeps it, `wanted`: how long it
    /// should keep what is stored now, which is `outlive` longer than events last. Zero: for ever.
    pub(super) fn lasts(&self, is: Duration, wanted: Duration, outlive: Duration) -> bool {
        let old = Duration::try_from(Timestamp::now().duration_since(self.stored)).unwrap_or_default();
        // Where the bucket could not be made to keep it long enough, stored again it would last hardly longer.
        is.is_zero() || wanted.is_zero() || old <= SLACK || old + wanted + SLACK <= is + outlive
    }
}

/// An object that is there.
pub(super) struct Present {
    pub(super) sequence: u64,
    pub(super) digest: String,
    pub(super) deleted: bool,
    stored: Timestamp,
}

#[derive(Deserialize)]
struct Got {
    message: Raw,
}

#[derive(Deserialize)]
struct Raw {
    seq: u64,
    time: Timestamp,
    #[serde(default)]
    data: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_used_again_only_where_it_lasts_as_long_as_its_next_event() {
        const HOUR: Duration = Duration::from_secs(3600);
        let stored = |old: Duration| Present {
            sequence: 1,
            digest: String::new(),
            deleted: false,
            stored: Timestamp::now().checked_sub(jiff::SignedDuration::try_from(old).unwrap()).unwrap(),
        };
        let outlive = HOUR;
        assert!(stored(HOUR / 4).lasts(25 * HOUR, 25 * HOUR, outlive));
        assert!(!stored(3 * HOUR / 4).lasts(25 * HOUR, 25 * HOUR, outlive), "its event would outlive it");
        assert!(stored(9 * HOUR).lasts(35 * HOUR, 25 * HOUR, outlive), "a bucket that keeps for longer");
        assert!(stored(900 * HOUR).lasts(Duration::ZERO, 25 * HOUR, outlive), "for ever");
        assert!(
            stored(HOUR / 4).lasts(20 * HOUR, 25 * HOUR, outlive),
            "one that keeps too short: no better a moment later"
        );
    }

    #[test]
    fn zero_is_longer_than_any_age() {
        let second = Duration::from_secs(1);
        assert_eq!(longer(second, Duration::ZERO), Duration::ZERO);
        assert_eq!(longer(Duration::ZERO, second), Duration::ZERO);
        assert_eq!(longer(second, 2 * second), 2 * second);
    }
}

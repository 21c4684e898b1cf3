//! Object stores: data that is too large for a message, in pieces, once under its name (ADR-20 of NATS).
//!
//! Never overwrites: the client's `put` would, and two replicas that store one object would leave the pieces of both. Here
//! the description is written last, and only where there is none. Holds no copy of the data: pieces are slices of it.

use std::time::{Duration, Instant};

use async_nats::jetstream::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::again::Pause;
use super::bucket::Buckets;
use super::publish::Inner;
use super::{Outcome, Unavailable};
use crate::event::{EXPECTED_SEQUENCE, Message};

/// The size of pieces, which NATS's own clients use as well.
const PIECE: usize = 128 << 10;
/// What a piece leaves of a message for headers.
const HEADERS: usize = 512;
/// Pieces of one object on their way at a time; times `bucket::PLACES` they are 16 MiB.
const WINDOW: usize = 8;
/// The object is there: JetStream's codes for a message that was to be the first (nats-server's `errors.json`).
const NOT_FIRST: [u64; 2] = [10071, 10164];

/// Where an object lies.
#[derive(Debug)]
pub(super) struct Object {
    bucket: String,
    /// The stream behind the bucket.
    pub(super) stream: String,
    name: String,
}

impl Object {
    /// The object of a message, by its `Nats-Msg-Id`: the same whenever, and by whichever replica, it is sent.
    pub(super) fn of(namespace: &str, msg_id: &[u8]) -> Self {
        let bucket = format!("hookgate-{namespace}");
        Self { stream: format!("OBJ_{bucket}"), name: hex::encode(Sha256::digest(msg_id)), bucket }
    }

    /// As an event refers to it.
    pub(super) fn reference(&self) -> String {
        format!("nats-object://{}/{}", self.bucket, self.name)
    }

    /// The name of the bucket.
    pub(super) fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The subject of its description, the last message of an object.
    pub(super) fn subject(&self) -> String {
        format!("$O.{}.M.{}", self.bucket, URL_SAFE.encode(&self.name))
    }

    fn pieces(&self, id: &str) -> String {
        format!("$O.{}.C.{id}", self.bucket)
    }
}

/// The bucket of a subject that belongs to one.
pub(super) fn bucket_of(subject: &str) -> Option<&str> {
    subject.strip_prefix("$O.")?.split('.').next()
}

/// The description of an object, as NATS's clients write and read it.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Info {
    name: String,
    bucket: String,
    nuid: String,
    size: usize,
    mtime: String,
    chunks: usize,
    pub(super) digest: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) deleted: bool,
    options: Value,
}

/// The digest of data as a description holds it. Takes some milliseconds for each MiB.
pub(super) fn digest(data: &[u8]) -> String {
    format!("SHA-256={}", URL_SAFE.encode(Sha256::digest(data)))
}

impl Inner {
    /// Makes sure that an object is there and lasts as long as an event that is published now on `subject`.
    ///
    /// # Errors
    /// `SameId` where other data has its name; anything else: it is not known to be there.
    pub(super) async fn keep(
        &self,
        buckets: &Buckets,
        object: &Object,
        (data, digest): (&Bytes, &str),
        subject: &str,
        by: Instant,
    ) -> Result<(), Unavailable> {
        let mut pause = Pause::default();
        loop {
            match self.store(buckets, object, (data, digest), subject, by).await {
                // Another replica was first: what it stored is looked at.
                Err(Unavailable::Refused { code, .. }) if NOT_FIRST.contains(&code) && Instant::now() < by => {}
                // As of any stream, nobody may answer for a while; or the bucket is gone, which the next reading tells.
                Err(Unavailable::NoStream) => {
                    self.refresh.notify_one();
                    if !pause.wait(by).await {
                        return Err(Unavailable::NoResponders);
                    }
                }
                ended => return ended,
            }
        }
    }

    /// One try.
    async fn store(
        &self,
        buckets: &Buckets,
        object: &Object,
        (data, digest): (&Bytes, &str),
        subject: &str,
        by: Instant,
    ) -> Result<(), Unavailable> {
        if !self.is_reachable() {
            return Err(Unavailable::Disconnected);
        }
        let known = self.known.load_full().ok_or(Unavailable::Disconnected)?;
        let age = buckets.age(&known, subject);
        let bucket = known.named(&object.stream).map(|bucket| bucket.stream.max_age);
        match bucket {
            Some(is) => self.lengthen(buckets, object, is, age, by).await,
            None => {
                buckets.make(object, age, by).await?;
                self.refresh.notify_one();
            }
        }
        let last = match buckets.find(object, by).await? {
            Some(present) if present.deleted => present.sequence,
            Some(present) if present.digest != digest => return Err(Unavailable::SameId),
            Some(present) if present.lasts(bucket.unwrap_or(age), age, buckets.outlive()) => return Ok(()),
            Some(present) => present.sequence,
            None => 0,
        };
        self.write(buckets, object, (data, digest), last, by).await
    }

    /// Where events last longer than what the bucket holds. That it cannot be done is said, and holds up no event.
    async fn lengthen(&self, buckets: &Buckets, object: &Object, is: Duration, wanted: Duration, by: Instant) {
        if is.is_zero() || (!wanted.is_zero() && wanted <= is) {
            return;
        }
        if !buckets.may_ask(object.bucket()) {
            return;
        }
        match buckets.lengthen(object, wanted, by).await {
            Ok(()) => {
                tracing::info!(bucket = object.bucket, max_age = ?wanted, "what the bucket holds lasts longer");
                self.refresh.notify_one();
            }
            Err(problem) => tracing::error!(
                bucket = object.bucket,
                "events outlive their data: raise max_age of stream {} to {} s, 0 for ever ({problem})",
                object.stream,
                wanted.as_secs()
            ),
        }
    }

    /// Writes the pieces, and then, where the last message of its subject is `last`, the description.
    async fn write(
        &self,
        buckets: &Buckets,
        object: &Object,
        (data, digest): (&Bytes, &str),
        last: u64,
        by: Instant,
    ) -> Result<(), Unavailable> {
        let known = self.known.load_full().ok_or(Unavailable::Disconnected)?;
        let most = self.most(known.named(&object.stream).map(|bucket| bucket.stream));
        let size = PIECE.min(most.saturating_sub(HEADERS)).max(1);
        // Nobody else uses it: what two replicas write never mixes.
        let id = unique();
        let pieces = object.pieces(&id);
        let expected = Some(object.stream.as_str());
        let sent = stream::iter((0..data.len()).step_by(size))
            .map(|at| {
                let payload = data.slice(at..data.len().min(at + size));
                let piece = message(pieces.clone(), Bytes::from_static(b"NATS/1.0\r\n"), payload);
                // One try: a second one could come behind the next piece.
                async move { self.attempt(&piece, expected, by, None).await.map(|outcome| sequence(&outcome)) }
            })
            .buffered(WINDOW)
            .try_fold(0, async |before, sequence| match sequence > before {
                true => Ok(sequence),
                false => Err(Unavailable::Refused { code: 0, description: "pieces out of order".to_owned() }),
            })
            .await;
        if let Err(error) = sent {
            self.discard(buckets, object, &pieces);
            return Err(error);
        }
        let info = Info {
            name: object.name.clone(),
            bucket: object.bucket.clone(),
            nuid: id,
            size: data.len(),
            // Readers take the time of the message.
            mtime: "0001-01-01T00:00:00Z".to_owned(),
            chunks: data.len().div_ceil(size),
            digest: digest.to_owned(),
            deleted: false,
            options: json!({ "max_chunk_size": size }),
        };
        let headers = format!("NATS/1.0\r\n{EXPECTED_SEQUENCE}: {last}\r\n");
        let info = serde_json::to_vec(&info).unwrap_or_default();
        let ended = self.attempt(&message(object.subject(), headers.into(), info.into()), expected, by, None).await;
        if let Err(Unavailable::Refused { .. }) = &ended {
            // Not where the outcome is unknown: the description may be there, and needs its pieces.
            self.discard(buckets, object, &pieces);
        }
        ended.map(|_| ())
    }

    /// Removes pieces that no description names, as far as that is possible; the rest goes with its age.
    fn discard(&self, buckets: &Buckets, object: &Object, pieces: &str) {
        if !self.is_reachable() {
            return;
        }
        let (context, what) = (buckets.context(), format!("STREAM.PURGE.{}", object.stream));
        let filter = json!({ "filter": pieces });
        self.tasks.spawn(self.stop.clone().run_until_cancelled_owned(async move {
            let purged: Result<Response<Value>, _> = context.request(what, &filter).await;
            tracing::debug!(purged = purged.is_ok(), "pieces of an object that was not stored");
        }));
    }
}

fn message(subject: String, headers: Bytes, payload: Bytes) -> Message {
    Message { subject, headers, payload, msg_id: Bytes::new() }
}

fn sequence(outcome: &Outcome) -> u64 {
    match outcome {
        Outcome::Stored { sequence, .. } | Outcome::Duplicate { sequence, .. } => *sequence,
        Outcome::Spooled => 0,
    }
}

/// A subject token that nobody else makes.
fn unique() -> String {
    let mut bytes = [0; 16];
    if aws_lc_rs::rand::fill(&mut bytes).is_err() {
        fastrand::fill(&mut bytes);
    }
    hex::encode(bytes)
}

//! Keeps the reading of all streams fresh: when the connection comes, every few seconds, and when a publish found none.
//!
//! Creates the default stream where it is missing and alters nothing that is there. While NATS is away the last reading stays.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::Context;
use async_nats::jetstream::stream::{Config, StorageType};
use tokio::sync::{Notify, watch};

use super::connection::{Link, jittered};
use super::listing::{ReadError, State, list};
use super::streams::{Known, StreamOptions};
use crate::subject::pattern::overlaps;
use crate::subject::{Stream, Streams};

/// Between readings.
const EVERY: Duration = Duration::from_secs(10);
/// After a reading that failed.
const AGAIN: Duration = Duration::from_secs(1);
/// Between readings that publishes ask for; doubled up to `MOST` while they find nothing new, up to `AGAIN` while one is missing.
const LEAST: Duration = Duration::from_millis(200);
const MOST: Duration = Duration::from_secs(5);

/// Why the streams could not be read or the default one made.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeepError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(
        "stream {name:?} cannot be made: stream {others} owns part of {subjects:?} already. Publishing goes on with the \
             streams that are there; name one of them with --stream, or leave all to yourself with --stream \"\""
    )]
    Overlap { name: String, subjects: String, others: String },
    #[error(
        "stream {name:?} is missing and cannot be made: {problem}. Publishing goes on with the streams that are there; \
             make it yourself, or correct --stream-replicas, --duplicate-window or --stream-max-age"
    )]
    Make { name: String, problem: String },
}

/// The task that keeps the reading fresh.
pub(super) struct Keeper {
    pub(super) context: Context,
    pub(super) options: StreamOptions,
    pub(super) known: Arc<ArcSwapOption<Known>>,
    pub(super) snapshot: watch::Sender<Option<Arc<Streams>>>,
    /// Where the streams are, with every reading.
    pub(super) states: watch::Sender<HashMap<String, State>>,
    pub(super) refresh: Arc<Notify>,
    pub(super) link: watch::Receiver<Link>,
}

impl Keeper {
    pub(super) async fn run(mut self) {
        let context = self.context.clone();
        let mut said: Option<String> = None;
        let mut gap = LEAST;
        loop {
            let Ok(number) = self.link.wait_for(|link| link.connected).await.map(|link| link.number) else { return };
            let result = self.read(&context).await;
            let failed = matches!(result, Err(KeepError::Read(_)));
            match result {
                Ok(true) => gap = LEAST,
                Ok(false) => gap = (gap * 2).min(if self.is_whole() { MOST } else { AGAIN }),
                Err(_) => {}
            }
            let problem = result.err().map(|error| error.to_string());
            if let Some(problem) = problem.as_ref().filter(|&problem| Some(problem) != said.as_ref()) {
                tracing::error!("{problem}");
            }
            said = problem;
            let read = Instant::now();
            let mut due = read + jittered(if failed { AGAIN } else { EVERY });
            loop {
                tokio::select! {
                    () = tokio::time::sleep_until(due.into()) => break,
                    () = self.refresh.notified() => due = due.min(read + gap),
                    reconnected = self.link.wait_for(|link| link.connected && link.number != number) => {
                        if reconnected.is_err() {
                            return;
                        }
                        gap = LEAST;
                        break;
                    }
                }
            }
        }
    }

    /// Every stream that is there was read once.
    fn is_whole(&self) -> bool {
        self.snapshot.borrow().as_ref().is_none_or(|streams| streams.unread.is_empty())
    }

    /// Reads all streams and makes the default one where it is missing. True: something changed.
    async fn read(&self, context: &Context) -> Result<bool, KeepError> {
        let mut listing = list(context).await?;
        let missing = self.options.name.as_deref().filter(|name| !listing.has(name));
        let made = match missing {
            Some(name) => self.make(context, name, &listing.streams).await,
            None => Ok(()),
        };
        if missing.is_some() && made.is_ok() {
            listing = list(context).await?;
        }
        self.states.send_replace(std::mem::take(&mut listing.states));
        let streams = listing.known(self.snapshot.borrow().as_deref());
        let changed = self.publish(streams);
        made.map(|()| changed)
    }

    async fn make(&self, context: &Context, name: &str, streams: &[Stream]) -> Result<(), KeepError> {
        let subjects = self.options.subjects.as_str();
        let config = Config {
            name: name.to_owned(),
            subjects: vec![subjects.to_owned()],
            description: Some("Webhook events. Made by hookgate, which never alters it.".to_owned()),
            storage: StorageType::File,
            num_replicas: self.options.replicas,
            duplicate_window: self.options.duplicate_window,
            max_age: self.options.max_age,
            // For its readers and publishers: a replica may answer, and a batch may be stored as a whole.
            allow_direct: true,
            allow_atomic_publish: context.client().is_server_compatible(2, 12, 0),
            ..Config::default()
        };
        let Err(error) = context.create_stream(config).await else {
            tracing::info!(stream = name, subjects, "made the stream");
            return Ok(());
        };
        let code = match error.kind() {
            async_nats::jetstream::context::CreateStreamErrorKind::JetStream(ref error) => Some(error.error_code()),
            _ => None,
        };
        match code {
            // Somebody else made it at the same moment.
            Some(ErrorCode::STREAM_NAME_EXIST) => Ok(()),
            Some(ErrorCode::STREAM_SUBJECT_OVERLAP) => {
                let owns_part = |stream: &&Stream| stream.subjects.iter().any(|owned| overlaps(owned, subjects));
                let others: Vec<&str> = streams.iter().filter(owns_part).map(|stream| stream.name.as_str()).collect();
                let others = if others.is_empty() { "of another kind".to_owned() } else { others.join(", ") };
                Err(KeepError::Overlap { name: name.to_owned(), subjects: subjects.to_owned(), others })
            }
            _ => Err(KeepError::Make { name: name.to_owned(), problem: error.to_string() }),
        }
    }

    /// Hands a reading to all who follow it. True: it differs from the one before.
    fn publish(&self, mut streams: Streams) -> bool {
        streams.streams.sort_by(|one, other| one.name.cmp(&other.name));
        streams.unread.sort();
        if self.snapshot.borrow().as_ref().is_some_and(|before| **before == streams) {
            return false;
        }
        let streams = Arc::new(streams);
        // The request line first: who follows the changes may act at once.
        self.known.store(Some(Arc::new(Known::new(Arc::clone(&streams), self.known.load().as_deref()))));
        self.snapshot.send_replace(Some(streams));
        true
    }
}

//! Which streams there are: read when the connection comes, every few seconds, and when a publish found none.
//!
//! Creates the default stream where it is missing and alters nothing that is there. While NATS is away the last reading stays.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use async_nats::jetstream::context::Context;
use async_nats::jetstream::stream::{Config, StorageType};
use async_nats::jetstream::{ErrorCode, response::Response};
use serde::Deserialize;
use tokio::sync::{Notify, watch};

use super::circuit::Circuit;
use super::connection::{Link, jittered};
use crate::subject::pattern::overlaps;
use crate::subject::{Stream, Streams};

/// Between readings.
const EVERY: Duration = Duration::from_secs(10);
/// After a reading that failed.
const AGAIN: Duration = Duration::from_secs(1);
/// Between readings that publishes ask for; doubled up to `MOST` while they find nothing new, up to `AGAIN` while one is missing.
const LEAST: Duration = Duration::from_millis(200);
const MOST: Duration = Duration::from_secs(5);

/// The stream that the operator makes sure of, and what counts as durable.
#[derive(Clone, Debug)]
pub struct StreamOptions {
    /// Its name; `None` leaves all streams to the user.
    pub name: Option<String>,
    /// What it owns where it is made: the subjects that follow from `--subject-policy`.
    pub subjects: String,
    /// `--stream-replicas`.
    pub replicas: usize,
    /// `--duplicate-window`.
    pub duplicate_window: Duration,
    /// `--stream-max-age`.
    pub max_age: Duration,
    /// `--allow-memory-streams`.
    pub allow_memory: bool,
}

impl Default for StreamOptions {
    fn default() -> Self {
        Self {
            name: Some("WEBHOOKS".to_owned()),
            subjects: "webhooks.*.>".to_owned(),
            replicas: 1,
            duplicate_window: Duration::from_secs(3600),
            max_age: Duration::from_secs(7 * 24 * 3600),
            allow_memory: false,
        }
    }
}

/// The streams for the request line, each with its circuit.
#[derive(Debug, Default)]
pub(super) struct Known {
    streams: Arc<Streams>,
    /// In the order of `streams`.
    beside: Box<[(Arc<str>, Arc<Circuit>)]>,
    /// Stands for the streams that are there and were never read, of which one may own what no other does. It has no name:
    /// what such a stream acknowledges is judged when it was read.
    unread: Option<(Stream, Arc<str>, Arc<Circuit>)>,
}

/// A stream as the request line sees it.
#[derive(Clone, Copy)]
pub(super) struct Owner<'a> {
    pub(super) stream: &'a Stream,
    pub(super) name: &'a Arc<str>,
    pub(super) circuit: &'a Circuit,
}

impl Owner<'_> {
    /// It is known which stream it is: what it acknowledges counts at once.
    pub(super) fn is_read(&self) -> bool {
        !self.name.is_empty()
    }
}

impl Known {
    /// Circuits of streams that were known before go on.
    fn new(streams: Arc<Streams>, before: Option<&Known>) -> Self {
        let beside = streams.streams.iter().map(|stream| {
            let before = before.and_then(|known| known.beside.iter().find(|(name, _)| **name == *stream.name));
            before.cloned().unwrap_or_else(|| (stream.name.as_str().into(), Arc::default()))
        });
        let unread = (!streams.unread.is_empty()).then(|| {
            let any =
                Stream { name: String::new(), subjects: vec![">".to_owned()], file_storage: true, ..Stream::default() };
            before.and_then(|known| known.unread.clone()).unwrap_or_else(|| (any, Arc::from(""), Arc::default()))
        });
        Self { beside: beside.collect(), unread, streams }
    }

    pub(super) fn owner(&self, subject: &str) -> Option<Owner<'_>> {
        let unread = || self.unread.as_ref().map(|(stream, name, circuit)| Owner { stream, name, circuit });
        self.find(|stream| stream.owns(subject)).or_else(unread)
    }

    pub(super) fn named(&self, name: &str) -> Option<Owner<'_>> {
        self.find(|stream| stream.name == name)
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = &Stream> {
        self.streams.streams.iter()
    }

    fn find(&self, wanted: impl Fn(&Stream) -> bool) -> Option<Owner<'_>> {
        let mut all = self.streams.streams.iter().zip(&self.beside);
        let (stream, (name, circuit)) = all.find(|(stream, _)| wanted(stream))?;
        Some(Owner { stream, name, circuit })
    }
}

/// A page of `$JS.API.STREAM.LIST`: only what we judge by, so that a newer server's fields cannot break the reading.
#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    total: usize,
    streams: Option<Vec<Listed>>,
    /// Streams of a cluster that are there and did not answer in time: no leader, or a server that is away.
    missing: Option<Vec<String>>,
    /// Streams that its servers cannot serve at present, and why.
    offline: Option<HashMap<String, serde::de::IgnoredAny>>,
}

#[derive(Deserialize)]
struct Listed {
    config: ListedConfig,
    #[serde(default)]
    created: String,
    #[serde(default)]
    state: ListedState,
}

#[derive(Default, Deserialize)]
struct ListedState {
    #[serde(default)]
    first_seq: u64,
    #[serde(default)]
    last_seq: u64,
}

#[derive(Deserialize)]
struct ListedConfig {
    name: String,
    subjects: Option<Vec<String>>,
    #[serde(default)]
    storage: String,
    #[serde(default)]
    no_ack: bool,
    #[serde(default)]
    persist_mode: String,
    /// -1: none.
    #[serde(default)]
    max_msg_size: i64,
    /// In nanoseconds; 0: none.
    #[serde(default)]
    max_age: u64,
    #[serde(default)]
    retention: String,
    /// In nanoseconds.
    #[serde(default)]
    duplicate_window: u64,
}

/// Where a stream is, which says whether it still has what it acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    /// When it was made, in the server's words.
    pub(super) created: String,
    /// Its first sequence; one beyond the last where it is empty.
    pub(super) first: u64,
    /// The last sequence that it gave.
    pub(super) last: u64,
    /// Its messages go when they are consumed.
    pub(super) queue: bool,
}

impl From<&Listed> for State {
    fn from(listed: &Listed) -> Self {
        Self {
            created: listed.created.clone(),
            first: listed.state.first_seq,
            last: listed.state.last_seq,
            queue: matches!(listed.config.retention.as_str(), "workqueue" | "interest"),
        }
    }
}

impl From<ListedConfig> for Stream {
    fn from(config: ListedConfig) -> Self {
        Self {
            name: config.name,
            subjects: config.subjects.unwrap_or_default(),
            // `persist_mode: async` acknowledges before the file has it.
            file_storage: config.storage == "file" && config.persist_mode != "async",
            no_ack: config.no_ack,
            max_message: usize::try_from(config.max_msg_size).unwrap_or_default(),
            max_age: Duration::from_nanos(config.max_age),
            duplicate_window: Duration::from_nanos(config.duplicate_window),
        }
    }
}

/// Why the streams could not be read or the default one made.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeepError {
    #[error(
        "the streams cannot be read ({0}); without that nothing is published. Is JetStream enabled for this account, and \
             may this user request $JS.API.STREAM.LIST?"
    )]
    Read(String),
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

/// What the server says of all streams.
#[derive(Debug, Default)]
pub(super) struct Listing {
    streams: Vec<Stream>,
    /// Where each of them is.
    pub(super) states: HashMap<String, State>,
    /// Names of those that are there and of which it could learn no more.
    silent: Vec<String>,
}

impl Listing {
    pub(super) fn has(&self, name: &str) -> bool {
        self.streams.iter().any(|stream| stream.name == name) || self.silent.iter().any(|silent| silent == name)
    }

    /// A stream is known until the server says that it does not exist: one that is silent stays as it was.
    fn known(self, before: Option<&Streams>) -> Streams {
        let (mut streams, mut unread) = (self.streams, Vec::new());
        for name in self.silent {
            match before.and_then(|before| before.named(&name)) {
                Some(stream) => streams.push(stream.clone()),
                None => unread.push(name),
            }
        }
        Streams { streams, unread }
    }
}

/// All streams of the account, page by page.
pub(super) async fn list(context: &Context) -> Result<Listing, KeepError> {
    let mut listing = Listing::default();
    loop {
        let read = listing.streams.len() + listing.silent.len();
        let page: Page = match context.request("STREAM.LIST", &serde_json::json!({ "offset": read })).await {
            Ok(Response::Ok(page)) => page,
            Ok(Response::Err { error }) => return Err(KeepError::Read(error.to_string())),
            Err(error) => return Err(KeepError::Read(error.to_string())),
        };
        for listed in page.streams.unwrap_or_default() {
            listing.states.insert(listed.config.name.clone(), State::from(&listed));
            listing.streams.push(listed.config.into());
        }
        listing.silent.extend(page.missing.unwrap_or_default());
        listing.silent.extend(page.offline.unwrap_or_default().into_keys());
        let now = listing.streams.len() + listing.silent.len();
        if now == read || now >= page.total {
            return Ok(listing);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_is_silent_stays_known_and_one_that_is_gone_does_not() {
        let page = r#"{"total":3,"streams":[{"config":{"name":"A","subjects":["a.>"],"storage":"file"}}],
            "missing":["B"],"offline":{"C":"unsupported"},"newer":[1]}"#;
        let page: Page = serde_json::from_str(page).unwrap();
        let streams: Vec<Stream> =
            page.streams.unwrap().into_iter().map(|listed| Stream::from(listed.config)).collect();
        let stream = |name: &str| Stream { name: name.to_owned(), ..streams[0].clone() };
        let before = Streams { streams: ["A", "B", "C", "D"].map(stream).to_vec(), ..Streams::default() };
        let silent = page.missing.unwrap().into_iter().chain(page.offline.unwrap().into_keys()).collect();
        let listing = Listing { streams: streams.clone(), silent, ..Listing::default() };
        assert!(listing.has("A") && listing.has("B") && !listing.has("D"));
        let known = listing.known(Some(&before));
        assert!(known.unread.is_empty());
        let names: Vec<String> = known.streams.into_iter().map(|stream| stream.name).collect();
        assert_eq!(names, ["A", "B", "C"]);
        let first = Listing { streams, silent: vec!["B".to_owned()], ..Listing::default() };
        let first = first.known(None);
        assert_eq!(
            (first.streams.len(), &*first.unread),
            (1, &["B".to_owned()][..]),
            "it is there, and was never read"
        );
        let known = Known::new(Arc::new(first), None);
        assert_eq!(known.owner("a.x").map(|owner| &**owner.name), Some("A"));
        let unread = known.owner("b.x").expect("it may own that");
        assert!(unread.name.is_empty() && known.named("").is_none(), "nothing counts that it acknowledges unread");
    }
}

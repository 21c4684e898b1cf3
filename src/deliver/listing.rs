//! What the server says of all streams: their configurations and states, page by page.

use std::collections::HashMap;
use std::time::Duration;

use async_nats::jetstream::context::Context;
use async_nats::jetstream::response::Response;
use serde::Deserialize;

use crate::subject::{Stream, Streams};

/// The streams could not be read.
#[derive(Debug, thiserror::Error)]
#[error(
    "the streams cannot be read ({0}); without that nothing is published. Is JetStream enabled for this account, and may this \
     user request $JS.API.STREAM.LIST?"
)]
pub(super) struct ReadError(String);

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
    /// Servers older than 2.12 know no such thing.
    #[serde(default)]
    allow_atomic: bool,
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
            atomic: config.allow_atomic,
        }
    }
}

/// What the server says of all streams.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) streams: Vec<Stream>,
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
    pub(super) fn known(self, before: Option<&Streams>) -> Streams {
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
pub(super) async fn list(context: &Context) -> Result<Listing, ReadError> {
    let mut listing = Listing::default();
    loop {
        let read = listing.streams.len() + listing.silent.len();
        let page: Page = match context.request("STREAM.LIST", &serde_json::json!({ "offset": read })).await {
            Ok(Response::Ok(page)) => page,
            Ok(Response::Err { error }) => return Err(ReadError(error.to_string())),
            Err(error) => return Err(ReadError(error.to_string())),
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
    use std::sync::Arc;

    use super::super::streams::Known;
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

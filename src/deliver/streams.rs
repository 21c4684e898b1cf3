//! The streams as they are known: which one owns a subject, and how it goes. `keeper` reads them, `listing` says what was read.

use std::sync::Arc;
use std::time::Duration;

use super::circuit::Circuit;
use super::group::Group;
use crate::subject::{Stream, Streams};

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
    beside: Box<[Beside]>,
    /// Stands for the streams that are there and were never read, of which one may own what no other does. It has no name:
    /// what such a stream acknowledges is judged when it was read.
    unread: Option<(Stream, Beside)>,
}

/// What stands beside a stream for as long as it is known.
#[derive(Clone, Debug)]
struct Beside {
    name: Arc<str>,
    circuit: Arc<Circuit>,
    group: Arc<Group>,
}

impl Beside {
    fn new(name: &str) -> Self {
        Self { name: name.into(), circuit: Arc::default(), group: Arc::default() }
    }
}

/// A stream as the request line sees it.
#[derive(Clone, Copy)]
pub(super) struct Owner<'a> {
    pub(super) stream: &'a Stream,
    pub(super) name: &'a Arc<str>,
    pub(super) circuit: &'a Circuit,
    pub(super) group: &'a Group,
}

impl<'a> Owner<'a> {
    fn new(stream: &'a Stream, Beside { name, circuit, group }: &'a Beside) -> Self {
        Self { stream, name, circuit, group }
    }
}

impl Owner<'_> {
    /// It is known which stream it is: what it acknowledges counts at once.
    pub(super) fn is_read(&self) -> bool {
        !self.name.is_empty()
    }
}

impl Known {
    /// Circuits of streams that were known before go on.
    pub(super) fn new(streams: Arc<Streams>, before: Option<&Known>) -> Self {
        let beside = streams.streams.iter().map(|stream| {
            let before = before.and_then(|known| known.beside.iter().find(|beside| *beside.name == *stream.name));
            before.cloned().unwrap_or_else(|| Beside::new(&stream.name))
        });
        let unread = (!streams.unread.is_empty()).then(|| {
            let any =
                Stream { name: String::new(), subjects: vec![">".to_owned()], file_storage: true, ..Stream::default() };
            before.and_then(|known| known.unread.clone()).unwrap_or_else(|| (any, Beside::new("")))
        });
        Self { beside: beside.collect(), unread, streams }
    }

    pub(super) fn owner(&self, subject: &str) -> Option<Owner<'_>> {
        let unread = || self.unread.as_ref().map(|(stream, beside)| Owner::new(stream, beside));
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
        all.find(|(stream, _)| wanted(stream)).map(|(stream, beside)| Owner::new(stream, beside))
    }
}

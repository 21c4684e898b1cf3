//! What the control task is told, by whoever observes, reads or writes for it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::index::Change;
use super::object::{Key, Object};
use super::status::activity::Fact;
use super::status::{NotWritten, Target};
use super::vault::{Reading, Sighting};
use crate::api::provider::WebhookProvider;
use crate::api::source::WebhookSource;
use crate::secret::SecretData;

/// How many events may wait. Whoever observes waits when it is full: the API server keeps what is not read yet.
pub const QUEUE: usize = 1024;

/// One thing that happened.
#[derive(Debug)]
pub enum Event {
    /// Sources were observed.
    Sources(Change<Object<WebhookSource>>),
    /// Providers were observed.
    Providers(Change<Object<WebhookProvider>>),
    /// Providers cannot be observed: there are only the built-ins, until they can.
    NoProviders,
    /// Secrets' metadata was observed.
    Secrets(Change<Sighting>),
    /// A Secret was read.
    Read(Key, Reading),
    /// A folder was read: everything there is.
    Folder(Box<Folder>),
    /// Another replica told what it saw of requests.
    Heard(Vec<Fact>),
    /// A status was written, or not.
    Written(Target, Result<Option<Value>, NotWritten>),
}

/// Everything that a folder holds.
#[derive(Debug, Default)]
pub struct Folder {
    /// The sources.
    pub sources: Vec<Object<WebhookSource>>,
    /// The providers.
    pub providers: Vec<Object<WebhookProvider>>,
    /// The Secrets.
    pub secrets: BTreeMap<Key, SecretData>,
}

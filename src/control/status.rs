//! What status says of sources and providers, and what stands: the one owner of both.
//!
//! `conditions` judges each condition from `facts`; `coverage` and `refs` judge streams and secretRefs for it; `activity` is what is told
//! of requests, `refusals` whether all of them are refused, and `troubles` what is noted of events, by all replicas; `record` keeps that, `statuses` compares what stands with what should and says what to write; `writer` writes, while this
//! replica holds the Lease, and `notes` tells of it in Events. All but these two is pure.

pub(crate) mod activity;
pub(crate) mod conditions;
pub(crate) mod coverage;
pub(crate) mod facts;
pub(crate) mod notes;
mod record;
pub(crate) mod refs;
pub(crate) mod refusals;
pub(crate) mod statuses;
pub(crate) mod troubles;
pub(crate) mod url;
pub(crate) mod writer;

use serde_json::Value;

use super::object::Key;

/// Whose status it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// A WebhookSource.
    Source(Key),
    /// A WebhookProvider.
    Provider(Key),
}

impl Target {
    /// Namespace and name.
    pub fn key(&self) -> &Key {
        match self {
            Self::Source(key) | Self::Provider(key) => key,
        }
    }
}

/// A status to be written.
#[derive(Debug)]
pub struct Write {
    /// Whose.
    pub target: Target,
    /// Of exactly this object: another one of its name keeps its own.
    pub uid: String,
    /// The status.
    pub status: Value,
    /// What changed for those who read Events.
    pub transitions: Vec<Transition>,
}

/// A change of the condition `Ready` or `Healthy`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// Which of them.
    pub type_: &'static str,
    /// Whether it holds now.
    pub holds: bool,
    /// The reason of the condition.
    pub reason: String,
    /// Its message.
    pub message: String,
}

/// Why a status was not written. It is tried again at the next evaluation.
#[derive(Debug, thiserror::Error)]
pub enum NotWritten {
    /// Another replica holds the Lease.
    #[error("this replica does not hold the Lease")]
    NotLeader,
    /// The object is gone, or is another one of that name.
    #[error("the object is gone")]
    Gone,
    /// The API server did not answer in time.
    #[error("no answer within {0:?}")]
    TimedOut(std::time::Duration),
    /// The API server refused.
    #[error(transparent)]
    Refused(Box<kube::Error>),
}

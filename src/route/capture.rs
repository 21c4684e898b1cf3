//! A secret that a vendor delivers in a handshake: written once, to the Secret that the source names, and nowhere else.

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use crate::secret::SecretBytes;

/// How many captures may wait. They are as rare as subscriptions.
pub(crate) const QUEUE: usize = 16;

/// Where a source lets a delivered secret be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaptureTarget {
    /// The Secret, in the namespace of the source.
    pub name: String,
    /// Its key, which must be absent.
    pub key: String,
    /// The instant from which nothing is captured any more.
    pub until: Timestamp,
}

/// A secret to be written. Told afterwards whether it was.
#[derive(Debug)]
pub struct Capture {
    /// The namespace of the source.
    pub namespace: String,
    /// Where.
    pub target: CaptureTarget,
    /// What.
    pub value: SecretBytes,
    /// Hears how it went.
    pub done: oneshot::Sender<Result<(), CaptureError>>,
}

/// Whom captures are told; `None` where nothing can be written, as in a folder.
pub(crate) type Captures = Option<mpsc::Sender<Capture>>;

/// Why a delivered secret was not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CaptureError {
    /// No cluster.
    #[error("secrets are captured only in a cluster: write it into the Secret's manifest")]
    NoCluster,
    /// `captureSecretRef` is absent, or its time is over.
    #[error(
        "verification.captureSecretRef is absent or its `until` has passed: write it, and let the vendor send again"
    )]
    NotWanted,
    /// The Secret does not invite it.
    #[error("Secret {0} has no label hookgate.dev/capture: allowed")]
    NotLabelled(String),
    /// The key is there.
    #[error("Secret {0} has the key already: a secret is captured once")]
    Present(String),
    /// The API server refused.
    #[error("Secret {0} could not be written: {1}")]
    Refused(String, String),
}

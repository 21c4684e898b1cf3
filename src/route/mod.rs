//! What the receiver serves: immutable routes and the table that finds them.
//!
//! Knows neither Kubernetes clients nor axum nor NATS.

pub(crate) mod bounds;
pub(crate) mod budget;
pub(crate) mod capture;
pub(crate) mod claim;
pub mod filter;
pub(crate) mod known;
pub(crate) mod limits;
pub(crate) mod rate;
pub(crate) mod repeats;
pub(crate) mod selection;
pub mod share;
pub mod state;
pub(crate) mod subject;
pub(crate) mod table;
pub(crate) mod tenant;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

pub use claim::{Claim, Host, claim_path};
pub use limits::{Limits, Methods};
pub use rate::RateLimit;
pub use state::{SourceState, Sources};
pub use table::{Conflict, Entry, RouteTable};

use self::capture::CaptureTarget;
use self::filter::Places;
use self::selection::{Routing, Selection};
use crate::api::provider::Retries;
use crate::api::source::{DataShape, Deduplicate, OnOutage};
use crate::event::Origin;
use crate::provider::Provider;
use crate::provider::answer::Answer;
use crate::provider::verify::Verifier;

/// A source, compiled: everything that its requests need, and nothing that changes.
#[derive(Debug)]
pub struct Route {
    /// The source and what it claims.
    pub claim: Claim,
    /// The generation of the spec that this is.
    pub generation: i64,
    /// `spec.suspend`: 503, nothing is published.
    pub suspended: bool,
    /// The vendor, shared by its routes.
    pub provider: Arc<Provider>,
    /// The vendor's method with the source's keys.
    pub verifier: Verifier,
    /// The methods that are not answered 405.
    pub methods: Methods,
    /// What one replica takes.
    pub limits: Limits,
    /// From the complete request to the answer.
    pub deadline: Duration,
    /// What counts as the same event, where the source says so.
    pub deduplicate: Option<Deduplicate>,
    /// With which login to NATS its events are published, by its number; 0: the default one.
    pub account: usize,
    /// What happens while NATS is away.
    pub on_outage: OnOutage,
    /// What the vendor sends again: decides between 429 and 503, and whether what cannot be decoded is kept.
    pub retries: Retries,
    /// What an accepted delivery is answered.
    pub answer: Arc<Answer>,
    /// Which events are published.
    pub selection: Selection,
    /// On which subject.
    pub routing: Routing,
    /// What the filters of both read of an event's data.
    pub places: Places,
    /// The subject of items that cannot be events.
    pub rejected: String,
    /// The stream that must take them, where the source names one.
    pub stream: Option<String>,
    /// What the payload is.
    pub shape: DataShape,
    /// Normalized data keeps the vendor's item under `original`.
    pub include_original: bool,
    /// What all messages have in common.
    pub origin: Origin,
    /// Where a secret that the vendor delivers is written.
    pub capture: Option<CaptureTarget>,
}

impl Route {
    /// Whether a secret that the vendor delivers may be written at that instant.
    pub fn captures(&self, now: Timestamp) -> Option<&CaptureTarget> {
        self.capture.as_ref().filter(|target| now < target.until)
    }
}

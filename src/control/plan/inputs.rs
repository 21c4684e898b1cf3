//! All that decides what a source compiles to: while it is the same, nothing is compiled anew.

use std::sync::Arc;

use crate::api::condition::Problem;
use crate::api::source::WebhookSource;
use crate::control::object::{Broken, Object};
use crate::provider::Provider;
use crate::provider::catalogue::Catalogue;

/// All that decides what a source compiles to.
#[derive(Clone, Debug)]
pub(super) struct Inputs {
    pub(super) uid: String,
    generation: i64,
    broken: Option<Broken>,
    /// Somebody served it, here or elsewhere.
    pub(super) was_served: bool,
    provider: Option<Arc<Provider>>,
    /// Whether its provider is refused: that is said.
    refused: bool,
    /// Why it is beyond the quota of its namespace.
    pub(super) refused_by_quota: Option<Problem>,
    pub(super) refs: Refs,
    pub(super) former: Option<(i64, Refs)>,
    /// Which reading of the streams, where that decides whether the current generation is held back.
    pub(super) streams: Option<u64>,
}

/// What refs refer to at an instant: a number that changes with it, and whether it is past.
pub(super) type Refs = Vec<(u64, bool)>;

impl PartialEq for Inputs {
    fn eq(&self, other: &Self) -> bool {
        let same_provider = match (&self.provider, &other.provider) {
            (Some(one), Some(two)) => Arc::ptr_eq(one, two),
            (one, two) => one.is_none() && two.is_none(),
        };
        same_provider
            && (&self.uid, self.generation, &self.broken) == (&other.uid, other.generation, &other.broken)
            && (self.was_served, self.refused, self.streams) == (other.was_served, other.refused, other.streams)
            && (&self.refs, &self.former, &self.refused_by_quota)
                == (&other.refs, &other.former, &other.refused_by_quota)
    }
}

impl Inputs {
    /// What the object says and which provider it finds; refs, former and streams are still to be filled in.
    pub(super) fn of(object: &Object<WebhookSource>, catalogue: &Catalogue, refused: bool) -> Self {
        let provider = match &object.value {
            Ok(source) => Some(source.spec.provider.as_str()),
            Err(broken) => broken.provider.as_deref(),
        };
        Self {
            uid: object.uid.clone(),
            generation: object.generation,
            broken: object.value.as_ref().err().cloned(),
            was_served: object.was_served,
            provider: provider.and_then(|name| catalogue.get(name)),
            refused,
            refused_by_quota: None,
            refs: Refs::new(),
            former: None,
            streams: None,
        }
    }
}

//! All that decides what a source compiles to: while it is the same, nothing is compiled anew.

use std::sync::Arc;

use jiff::Timestamp;

use crate::api::source::WebhookSource;
use crate::control::object::Object;
use crate::control::resolve::fingerprint;
use crate::control::vault::Vault;
use crate::provider::Provider;
use crate::provider::catalogue::Catalogue;

/// All that decides what a source compiles to.
#[derive(Clone, Debug)]
pub(super) struct Inputs {
    pub(super) uid: String,
    generation: i64,
    readable: bool,
    provider: Option<Arc<Provider>>,
    refs: Vec<(u64, bool)>,
    good_refs: Vec<(u64, bool)>,
}

impl PartialEq for Inputs {
    fn eq(&self, other: &Self) -> bool {
        let same_provider = match (&self.provider, &other.provider) {
            (Some(one), Some(two)) => Arc::ptr_eq(one, two),
            (one, two) => one.is_none() && two.is_none(),
        };
        same_provider
            && (&self.uid, self.generation, self.readable) == (&other.uid, other.generation, other.readable)
            && (&self.refs, &self.good_refs) == (&other.refs, &other.good_refs)
    }
}

impl Inputs {
    /// As they are at an instant; `former` is the last spec that compiled.
    pub(super) fn of(
        object: &Object<WebhookSource>,
        former: Option<&WebhookSource>,
        vault: &Vault,
        catalogue: &Catalogue,
        now: Timestamp,
    ) -> Self {
        let (provider, refs) = match &object.value {
            Ok(source) => (Some(source.spec.provider.as_str()), fingerprint(source, vault, now)),
            Err(broken) => (broken.provider.as_deref(), Vec::new()),
        };
        let former = former.filter(|former| former.metadata.generation != Some(object.generation));
        Self {
            uid: object.uid.clone(),
            generation: object.generation,
            readable: object.value.is_ok(),
            provider: provider.and_then(|name| catalogue.get(name)),
            refs,
            good_refs: former.map(|former| fingerprint(former, vault, now)).unwrap_or_default(),
        }
    }
}

//! The last good spec of a source, under what holds today.
//!
//! Pure. What takes effect whatever else is wrong is laid over it: suspension, ends of refs, and refs that are gone.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::api::source::{SecretRef, WebhookSource};
use crate::control::object::{Broken, Object};
use crate::control::resolve::secret_refs;
use crate::provider::catalogue::Catalogue;

/// A spec that could be served, here or by another replica.
#[derive(Clone, Debug)]
pub(super) struct Good {
    pub(super) source: Arc<WebhookSource>,
    pub(super) catalogue: Arc<Catalogue>,
    /// The object's status tells of it: whoever wrote that found the current generation wanting.
    pub(super) told: bool,
}

impl Good {
    /// What is known of the past: what served here, or what the status tells if that is newer.
    pub(super) fn known(before: Option<&Self>, object: &Object<WebhookSource>, now: &Arc<Catalogue>) -> Option<Self> {
        let told = object.last_good.as_ref().filter(|told| told.generation < object.generation);
        match (before, told) {
            (before, None) => before.cloned(),
            (Some(before), Some(told)) if before.generation() >= told.generation => Some(before.clone()),
            (_, Some(told)) => Some(Self { source: told.value.clone(), catalogue: now.clone(), told: true }),
        }
    }

    /// Which generation it is.
    pub(super) fn generation(&self) -> i64 {
        self.source.metadata.generation.unwrap_or_default()
    }

    /// The spec with what the object says now and takes effect at once. `unread`: Secrets that the object refers to were not read yet, and
    /// what they replace serves until then.
    pub(super) fn revise(&self, object: &Object<WebhookSource>, unread: bool) -> WebhookSource {
        let mut former = WebhookSource::clone(&self.source);
        let (suspend, refs, same_method) = match &object.value {
            Ok(current) => (current.spec.suspend, Some(secret_refs(current)), same_method(&former, current)),
            Err(Broken { suspend, refs, .. }) => (*suspend, refs.as_deref(), false),
        };
        former.spec.suspend = suspend;
        if let Some(refs) = refs
            && let Some(verification) = former.spec.verification.as_mut()
        {
            verification.secret_refs = match unread {
                true => replaced(&verification.secret_refs, refs),
                false => revised(&verification.secret_refs, refs, same_method),
            };
        }
        former
    }
}

/// Purposes mean the same to both.
fn same_method(former: &WebhookSource, current: &WebhookSource) -> bool {
    let method = |source: &WebhookSource| source.spec.verification.as_ref().and_then(|v| v.method.clone());
    former.spec.provider == current.spec.provider && method(former) == method(current)
}

/// The refs that count for the former spec: those that the current one still holds, with its ends, and where the method is the same
/// those that it adds to their purposes. A purpose that none is left for stays required: it keeps a ref that is dead.
fn revised(former: &[SecretRef], current: &[SecretRef], same_method: bool) -> Vec<SecretRef> {
    let identity = |one: &SecretRef, other: &SecretRef| (&one.name, &one.key) == (&other.name, &other.key);
    let mut refs = Vec::new();
    for known in former {
        if let Some(now) = current.iter().find(|now| identity(known, now)) {
            // The owner's end counts; but refs of another method revive nothing.
            let ends = [known.not_after.as_ref(), now.not_after.as_ref()];
            let not_after = match same_method {
                true => now.not_after.clone(),
                false => ends.into_iter().flatten().min_by_key(|end| end.0).cloned(),
            };
            refs.push(SecretRef { not_after, ..known.clone() });
        }
    }
    if same_method {
        let added = current.iter().filter(|now| !former.iter().any(|known| identity(known, now)));
        refs.extend(added.filter(|now| former.iter().any(|known| known.purpose == now.purpose)).cloned());
    }
    for gone in former.iter().filter(|known| !current.iter().any(|now| identity(known, now))) {
        if !refs.iter().any(|left| left.purpose == gone.purpose) {
            refs.push(SecretRef { not_after: Some(Time(Timestamp::UNIX_EPOCH)), ..gone.clone() });
        }
    }
    refs
}

/// The refs that count until what the current spec adds was read: those that it still holds, and those of purposes that none is left for.
fn replaced(former: &[SecretRef], current: &[SecretRef]) -> Vec<SecretRef> {
    let mut refs = revised(former, current, false);
    for left in refs.iter_mut().filter(|left| is_dead(left)) {
        if let Some(known) = former.iter().find(|known| (&known.name, &known.key) == (&left.name, &left.key)) {
            left.clone_from(known);
        }
    }
    refs
}

fn is_dead(secret: &SecretRef) -> bool {
    secret.not_after.as_ref().is_some_and(|end| end.0 == Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refs(written: &[(&str, Option<&str>, Option<&str>)]) -> Vec<SecretRef> {
        let end = |at: &str| Time(at.parse().unwrap());
        written
            .iter()
            .map(|(name, purpose, at)| SecretRef {
                name: (*name).to_owned(),
                key: "k".to_owned(),
                purpose: purpose.map(str::to_owned),
                not_after: at.map(end),
            })
            .collect()
    }

    fn said(refs: &[SecretRef]) -> Vec<String> {
        let end = |r: &SecretRef| r.not_after.as_ref().map_or(String::new(), |end| format!(" until {}", end.0));
        refs.iter().map(|r| format!("{}{}", r.name, end(r))).collect()
    }

    const DEAD: &str = "a until 1970-01-01T00:00:00Z";

    #[test]
    fn a_ref_that_is_gone_counts_no_more_and_never_lowers_what_must_hold() {
        let former = refs(&[("a", None, None), ("b", Some("bearer"), None)]);
        assert_eq!(said(&revised(&former, &refs(&[("b", Some("bearer"), None)]), true)), ["b", DEAD]);
        assert_eq!(said(&revised(&former, &refs(&[]), false)).len(), 2);
        // Where another of the purpose is left, what is gone is gone.
        let two = refs(&[("a", None, None), ("c", None, None)]);
        assert_eq!(said(&revised(&two, &refs(&[("c", None, None)]), false)), ["c"]);
    }

    #[test]
    fn a_rotation_counts_although_the_rest_does_not_compile() {
        let former = refs(&[("a", None, None)]);
        let current = refs(&[("a", None, Some("2026-01-01T00:00:00Z")), ("n", None, None), ("x", Some("other"), None)]);
        assert_eq!(said(&revised(&former, &current, true)), ["a until 2026-01-01T00:00:00Z", "n"]);
        assert_eq!(said(&revised(&former, &current, false)), ["a until 2026-01-01T00:00:00Z"]);
        assert_eq!(said(&revised(&former, &refs(&[("n", None, None)]), true)), ["n"]);
    }

    #[test]
    fn what_is_replaced_serves_until_its_successor_was_read() {
        let (former, current) = (refs(&[("a", None, None)]), refs(&[("n", None, None)]));
        assert_eq!(said(&replaced(&former, &current)), ["a"]);
        let both = refs(&[("a", None, None), ("b", None, None)]);
        assert_eq!(said(&replaced(&both, &refs(&[("b", None, None), ("n", None, None)]))), ["b"]);
    }

    #[test]
    fn an_end_moves_only_forward_where_the_method_is_another() {
        let (early, late) = ("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z");
        let (former, current) = (refs(&[("a", None, Some(early))]), refs(&[("a", None, Some(late))]));
        assert_eq!(said(&revised(&former, &current, true)), [format!("a until {late}")]);
        assert_eq!(said(&revised(&former, &current, false)), [format!("a until {early}")]);
    }
}

//! What the secretRefs of a source refer to at a given instant.
//!
//! Pure. No message says more of a Secret than the source's own text: neither its other keys nor lengths nor values.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::object::Key;
use super::vault::{Known, Vault};
use crate::api::condition::{Problem, Reason};
use crate::api::source::{SecretRef, WebhookSource};
use crate::provider::verify::keys::KeyRef;
use crate::secret::{SecretBytes, has_ended};

/// The secretRefs of a source, in the order of the spec, each with its value or with what is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolved {
    /// As written, live or not: which purposes are required follows from these.
    pub refs: Vec<ResolvedRef>,
}

/// One secretRef.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedRef {
    /// The Secret.
    pub name: String,
    /// Its key.
    pub key: String,
    /// What it is for.
    pub purpose: Option<String>,
    /// The instant from which it counts no more. It may still lie ahead.
    pub not_after: Option<Timestamp>,
    /// The value, never empty; or why there is none (`SecretNotFound`, `SecretForbidden`, `KeyNotFound`, `SecretInvalid`, `SecretExpired`).
    pub value: Result<SecretBytes, Problem>,
}

impl Resolved {
    /// What is wrong with refs, in the order of the spec.
    pub fn problems(&self) -> impl Iterator<Item = &Problem> {
        self.refs.iter().filter_map(|resolved| resolved.value.as_ref().err())
    }

    /// The refs as a verifier takes them.
    pub fn keys(&self) -> Vec<KeyRef> {
        let key = |resolved: &ResolvedRef| KeyRef {
            secret: resolved.name.clone(),
            key: resolved.key.clone(),
            purpose: resolved.purpose.clone(),
            not_after: resolved.not_after,
            value: resolved.value.as_ref().ok().cloned(),
        };
        self.refs.iter().map(key).collect()
    }

    /// From when on a purpose has, or had, no live secret because its refs end. `None` where each purpose has one without end, or
    /// where something else is wrong.
    pub fn end(&self) -> Option<Timestamp> {
        let mut purposes = BTreeMap::<Option<&str>, Option<Timestamp>>::new();
        for resolved in &self.refs {
            let counts = match &resolved.value {
                Ok(_) => true,
                Err(problem) => problem.reason == Reason::SecretExpired,
            };
            if counts {
                let end = resolved.not_after;
                let of = purposes.entry(resolved.purpose.as_deref()).or_insert(end);
                // Without end is later than any.
                *of = of.zip(end).map(|(one, two)| one.max(two));
            }
        }
        purposes.into_values().flatten().min()
    }

    /// The next instant at which a ref expires, live or not: something else is said of it then.
    pub fn next_expiry(&self) -> Option<Timestamp> {
        let past = |resolved: &&ResolvedRef| {
            resolved.value.as_ref().is_err_and(|problem| problem.reason == Reason::SecretExpired)
        };
        self.refs.iter().filter(|resolved| !past(resolved)).filter_map(|resolved| resolved.not_after).min()
    }
}

/// The secretRefs of a source as they are written.
pub fn secret_refs(source: &WebhookSource) -> &[SecretRef] {
    source.spec.verification.as_ref().map_or(&[], |verification| &verification.secret_refs)
}

/// The field of a secretRef, by its place in the list.
pub fn field(position: usize) -> String {
    format!("spec.verification.secretRefs[{position}]")
}

/// Adds what a source refers to: keys by Secret.
pub fn collect_wanted(source: &WebhookSource, wanted: &mut BTreeMap<Key, BTreeSet<String>>) {
    let namespace = source.metadata.namespace.as_deref().unwrap_or_default();
    for secret in secret_refs(source) {
        wanted.entry(Key::new(namespace, &*secret.name)).or_default().insert(secret.key.clone());
    }
}

/// Resolves the secretRefs of a source. `None` while a Secret was not read yet.
pub fn resolve(source: &WebhookSource, vault: &Vault, now: Timestamp) -> Option<Resolved> {
    let namespace = source.metadata.namespace.as_deref().unwrap_or_default();
    let mut refs = Vec::new();
    for (position, secret) in secret_refs(source).iter().enumerate() {
        let not_after = secret.not_after.as_ref().map(|time| time.0);
        // What is past need not be read.
        let value = match not_after {
            Some(at) if has_ended(not_after, now) => {
                Err((Reason::SecretExpired, format!("expired at {at}: remove it, or move notAfter")))
            }
            _ => value(secret, namespace, vault)?,
        };
        let value = value.map_err(|(reason, said)| {
            let Key { namespace, name } = Key::new(namespace, &*secret.name);
            Problem::new(reason, field(position), format!("key {} of Secret {namespace}/{name} {said}", secret.key))
        });
        let (name, key, purpose) = (secret.name.clone(), secret.key.clone(), secret.purpose.clone());
        refs.push(ResolvedRef { name, key, purpose, not_after, value });
    }
    Some(Resolved { refs })
}

type Found = Result<SecretBytes, (Reason, String)>;

fn value(secret: &SecretRef, namespace: &str, vault: &Vault) -> Option<Found> {
    let (known, _) = vault.known(&Key::new(namespace, &*secret.name), &secret.key);
    let wrong = |reason, said: &str| Some(Err((reason, said.to_owned())));
    match known {
        Known::Pending => None,
        Known::Missing => {
            wrong(Reason::SecretNotFound, "cannot be had: the Secret does not exist; create it, or name another")
        }
        Known::Forbidden => wrong(
            Reason::SecretForbidden,
            "cannot be had: the operator may not read the Secret; give its service account get, list and watch on it, and name it in --secret-name where names are given (rbac.secretNames in the chart)",
        ),
        Known::Refused(kind) => Some(Err((
            Reason::SecretInvalid,
            format!(
                "cannot be used: a Secret of type {kind} never proves webhooks; copy the key into one of type Opaque"
            ),
        ))),
        Known::Values(values) => match values.get(&secret.key) {
            None => wrong(Reason::KeyNotFound, "is not there: add it to the Secret, or name another key"),
            Some(value) if value.is_empty() => {
                wrong(Reason::SecretInvalid, "is empty: write the vendor's secret into it")
            }
            Some(value) => Some(Ok(value.clone())),
        },
    }
}

/// A number for what the secretRefs of a source refer to at an instant: changes when that changes.
pub fn fingerprint(source: &WebhookSource, vault: &Vault, now: Timestamp) -> Vec<(u64, bool)> {
    let namespace = source.metadata.namespace.as_deref().unwrap_or_default();
    secret_refs(source)
        .iter()
        .map(|secret| {
            let (known, revision) = vault.known(&Key::new(namespace, &*secret.name), &secret.key);
            let expired = has_ended(secret.not_after.as_ref().map(|time| time.0), now);
            (if matches!(known, Known::Pending) { 0 } else { revision }, expired)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::vault::Reading;
    use crate::secret::SecretData;

    const NOW: &str = "2026-11-25T12:00:00Z";

    type Data<'a> = &'a [(&'a str, &'a str)];

    fn source(refs: &serde_json::Value) -> WebhookSource {
        serde_json::from_value(serde_json::json!({
            "metadata": {"name": "calls", "namespace": "sales"},
            "spec": {"provider": "xosum", "verification": {"secretRefs": refs}},
        }))
        .unwrap()
    }

    fn vault(source: &WebhookSource, secrets: &[(&str, &str, Data<'_>)]) -> Vault {
        let mut vault = Vault::default();
        let mut wanted = BTreeMap::new();
        collect_wanted(source, &mut wanted);
        for (key, keys) in wanted {
            vault.want(&key, keys);
            let reading = match secrets.iter().find(|(name, ..)| *name == key.name) {
                None => Reading::NotFound,
                Some((_, kind, data)) => {
                    let data =
                        data.iter().map(|(k, v)| ((*k).to_owned(), SecretBytes::new(v.as_bytes().to_vec()))).collect();
                    Reading::Found(
                        "1".to_owned(),
                        SecretData { kind: (*kind).to_owned(), labels: BTreeMap::new(), data },
                    )
                }
            };
            vault.take(&key, reading, NOW.parse().unwrap());
        }
        vault
    }

    #[test]
    fn each_ref_has_its_value_or_the_reason_why_not() {
        let source = source(&serde_json::json!([
            {"name": "good", "key": "k"}, {"name": "gone", "key": "k"}, {"name": "good", "key": "other"},
            {"name": "good", "key": "empty"}, {"name": "release", "key": "k"},
            {"name": "good", "key": "k", "notAfter": "2026-11-25T12:00:00Z"},
        ]));
        let vault = vault(
            &source,
            &[("good", "Opaque", &[("k", "v"), ("empty", "")]), ("release", "helm.sh/release.v1", &[("k", "v")])],
        );
        let resolved = resolve(&source, &vault, NOW.parse().unwrap()).unwrap();
        let reasons: Vec<_> =
            resolved.refs.iter().map(|r| r.value.as_ref().map(|_| ()).map_err(|p| p.reason)).collect();
        assert_eq!(
            reasons,
            [
                Ok(()),
                Err(Reason::SecretNotFound),
                Err(Reason::KeyNotFound),
                Err(Reason::SecretInvalid),
                Err(Reason::SecretInvalid),
                Err(Reason::SecretExpired),
            ]
        );
        let message = resolved.refs[2].value.as_ref().unwrap_err().to_string();
        let said = "spec.verification.secretRefs[2]: key other of Secret sales/good is not there";
        assert!(message.starts_with(said), "{message}");
        assert!(!message.contains("empty"), "a message lists the keys of a Secret: {message}");
    }

    #[test]
    fn a_ref_counts_until_its_instant_and_not_at_it() {
        let source = source(&serde_json::json!([
            {"name": "a", "key": "k", "notAfter": "2026-11-25T12:00:01Z"}, {"name": "a", "key": "l", "notAfter": "2026-11-26T00:00:00Z"},
        ]));
        let vault = vault(&source, &[("a", "Opaque", &[("k", "v"), ("l", "w")])]);
        let now = NOW.parse().unwrap();
        let resolved = resolve(&source, &vault, now).unwrap();
        assert_eq!(resolved.problems().count(), 0);
        let next = resolved.next_expiry().unwrap();
        assert_eq!(next.to_string(), "2026-11-25T12:00:01Z");
        let later = resolve(&source, &vault, next).unwrap();
        assert_eq!(later.problems().map(|p| p.reason).collect::<Vec<_>>(), [Reason::SecretExpired]);
        assert_eq!(later.next_expiry().unwrap().to_string(), "2026-11-26T00:00:00Z");
        assert_ne!(fingerprint(&source, &vault, now), fingerprint(&source, &vault, next));
    }

    #[test]
    fn secrets_end_where_a_purpose_has_none_left_and_not_where_a_rotation_ends() {
        let ends = |refs: serde_json::Value| {
            let source = source(&refs);
            let vault = vault(&source, &[("a", "Opaque", &[("k", "v"), ("l", "w")])]);
            resolve(&source, &vault, NOW.parse().unwrap()).unwrap().end().map(|end| end.to_string())
        };
        let (past, soon, late) = ("2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z");
        let one = |key: &str, end: &str| serde_json::json!({"name": "a", "key": key, "notAfter": end});
        let for_ever = serde_json::json!({"name": "a", "key": "l"});
        let bearer = serde_json::json!({"name": "a", "key": "l", "purpose": "bearer", "notAfter": late});
        assert_eq!(ends(serde_json::json!([for_ever])), None);
        assert_eq!(ends(serde_json::json!([one("k", soon), for_ever])), None, "a rotation");
        assert_eq!(ends(serde_json::json!([one("k", soon), one("l", late)])).as_deref(), Some(late));
        assert_eq!(ends(serde_json::json!([one("k", soon), bearer])).as_deref(), Some(soon));
        assert_eq!(ends(serde_json::json!([one("k", past)])).as_deref(), Some(past));
        let gone = serde_json::json!({"name": "gone", "key": "k"});
        assert_eq!(
            ends(serde_json::json!([one("k", soon), gone])).as_deref(),
            Some(soon),
            "what is not there lasts for nobody"
        );
    }

    #[test]
    fn nothing_is_judged_before_every_secret_was_read() {
        let source = source(&serde_json::json!([{"name": "a", "key": "k"}]));
        assert_eq!(resolve(&source, &Vault::default(), NOW.parse().unwrap()), None);
    }
}

//! One object as it was observed, from the cluster or from a folder: who it is, what it says, or why it cannot be read.
//!
//! Keeps no more of an object than is judged here: managed fields, annotations and labels are dropped.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::core::DynamicObject;
use kube::core::object::HasStatus;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::api::condition::{Problem, Problems, Reason};
use crate::api::last_good::LastGood;
use crate::api::provider::WebhookProviderStatus;
use crate::api::source::{SecretRef, WebhookSourceStatus};

/// Namespace and name. The namespace of a cluster-scoped object is empty.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl Key {
    /// The key of an object.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    /// The key that metadata tells.
    pub fn of(metadata: &ObjectMeta) -> Self {
        Self::new(metadata.namespace.clone().unwrap_or_default(), metadata.name.clone().unwrap_or_default())
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() { f.write_str(&self.name) } else { write!(f, "{}/{}", self.namespace, self.name) }
    }
}

/// What a status tells a replica that starts later.
pub trait Memory {
    /// The last good spec, where the current generation is not.
    fn last_good(&self) -> Option<&LastGood>;

    /// Whether some replica served the object.
    fn was_served(&self) -> bool;
}

impl Memory for WebhookSourceStatus {
    fn last_good(&self) -> Option<&LastGood> {
        self.last_good.as_ref()
    }

    fn was_served(&self) -> bool {
        self.served_generation.is_some()
    }
}

impl Memory for WebhookProviderStatus {
    fn last_good(&self) -> Option<&LastGood> {
        self.last_good.as_ref()
    }

    fn was_served(&self) -> bool {
        false
    }
}

/// A kind of object that is watched: one of ours, with a status.
pub trait Watched:
    HasStatus<Status: Memory + Clone + fmt::Debug + DeserializeOwned + Send + Sync>
    + DeserializeOwned
    + Clone
    + fmt::Debug
    + Send
    + Sync
    + 'static
{
}

impl<K> Watched for K where
    K: HasStatus<Status: Memory + Clone + fmt::Debug + DeserializeOwned + Send + Sync>
        + DeserializeOwned
        + Clone
        + fmt::Debug
        + Send
        + Sync
        + 'static
{
}

/// An object as it was last observed.
#[derive(Clone, Debug)]
pub struct Object<K: Watched> {
    /// Namespace and name.
    pub key: Key,
    /// Which object of that name it is.
    pub uid: String,
    /// Counts changes of the spec.
    pub generation: i64,
    /// When it was created; the end of time where nobody says, as in a folder.
    pub created: Timestamp,
    /// What it says.
    pub value: Result<Arc<K>, Broken>,
    /// What its status keeps of an earlier generation, which the object's generation tells.
    pub last_good: Option<Arc<Former<K>>>,
    /// Some replica served it.
    pub was_served: bool,
    /// The status that it carries, until whoever keeps statuses takes it.
    pub status: Option<K::Status>,
}

/// A spec that was good.
#[derive(Clone, Debug, PartialEq)]
pub struct Former<K> {
    /// Its generation.
    pub generation: i64,
    /// The object with that spec.
    pub value: Arc<K>,
}

/// What can be told of an object that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Why.
    pub problem: Problems,
    /// `spec.provider`, where it is text.
    pub provider: Option<String>,
    /// `spec.path`, where it is text.
    pub path: Option<String>,
    /// `spec.hostnames`, as far as they are text.
    pub hostnames: Vec<String>,
    /// `spec.suspend` is true.
    pub suspend: bool,
    /// `spec.verification.secretRefs`, as far as they can be read. `None`: nobody can tell what they are.
    pub refs: Option<Vec<SecretRef>>,
}

impl<K: Watched> Object<K> {
    /// Reads an object as the API server sent it. A field that this version does not know makes it broken, so that nothing is silently ignored.
    pub fn read(object: DynamicObject) -> Self {
        let DynamicObject { types: _, metadata, mut data } = object;
        let status = data.get_mut("status").map(Value::take).and_then(|status| serde_json::from_value(status).ok());
        let spec = data.get_mut("spec").map(Value::take).unwrap_or_default();
        let created = metadata.creation_timestamp.as_ref().map_or(Timestamp::MAX, |time| time.0);
        let kept = ObjectMeta {
            name: metadata.name.clone(),
            namespace: metadata.namespace.clone(),
            uid: metadata.uid.clone(),
            generation: metadata.generation,
            creation_timestamp: Some(Time(created)),
            ..ObjectMeta::default()
        };
        let status: Option<K::Status> = status;
        let last_good = status.as_ref().and_then(Memory::last_good).and_then(|good| former(&kept, good));
        let was_served = status.as_ref().is_some_and(Memory::was_served);
        let broken = Broken::around(&spec);
        let value = serde_json::json!({ "metadata": kept, "spec": spec });
        let value = serde_path_to_error::deserialize(value)
            .map(Arc::new)
            .map_err(|error| Broken { problem: unreadable(&error).into(), ..broken });
        Self {
            key: Key::of(&kept),
            uid: metadata.uid.unwrap_or_default(),
            generation: metadata.generation.unwrap_or_default(),
            created,
            value,
            last_good,
            was_served,
            status,
        }
    }

    /// Whether both say the same, status aside.
    pub fn same_spec(&self, other: &Self) -> bool {
        self.uid == other.uid
            && self.generation == other.generation
            && match (&self.value, &other.value) {
                (Ok(_), Ok(_)) => true,
                (Err(one), Err(two)) => one == two,
                _ => false,
            }
    }

    /// What the status tells of the past.
    pub fn past(&self) -> (Option<i64>, bool) {
        (self.last_good.as_ref().map(|good| good.generation), self.was_served)
    }
}

/// A spec that this version cannot read is no help.
fn former<K: Watched>(metadata: &ObjectMeta, good: &LastGood) -> Option<Arc<Former<K>>> {
    let metadata = ObjectMeta { generation: Some(good.generation), ..metadata.clone() };
    let value = serde_json::json!({ "metadata": metadata, "spec": good.spec });
    let value = serde_json::from_value(value).ok()?;
    Some(Arc::new(Former { generation: good.generation, value: Arc::new(value) }))
}

impl Broken {
    /// What a spec tells although it cannot be read as a whole; the problem is still to be said.
    pub fn around(spec: &Value) -> Self {
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        let hostnames = spec.get("hostnames").and_then(Value::as_array);
        Self {
            problem: Problem::invalid("", "").into(),
            provider: text(spec.get("provider")),
            path: text(spec.get("path")),
            hostnames: hostnames.into_iter().flatten().filter_map(|host| text(Some(host))).collect(),
            suspend: spec.get("suspend") == Some(&Value::Bool(true)),
            refs: secret_refs(spec),
        }
    }
}

fn secret_refs(spec: &Value) -> Option<Vec<SecretRef>> {
    let refs = match spec.as_object()?.get("verification") {
        None => return Some(Vec::new()),
        Some(verification) => match verification.as_object()?.get("secretRefs") {
            None => return Some(Vec::new()),
            Some(refs) => refs.as_array()?,
        },
    };
    let text = |value: &Value, field: &str| value.get(field).and_then(Value::as_str).map(str::to_owned);
    let read = |value: &Value| {
        let not_after = text(value, "notAfter").and_then(|at| at.parse().ok()).map(Time);
        Some(SecretRef {
            name: text(value, "name")?,
            key: text(value, "key")?,
            purpose: text(value, "purpose"),
            not_after,
        })
    };
    Some(refs.iter().filter_map(read).collect())
}

/// The sentence for a spec that serde refuses.
fn unreadable(error: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let path = error.path().to_string();
    let said = error.inner().to_string();
    match said.strip_prefix("unknown field ") {
        Some(rest) => {
            let (field, wanted) = rest.split_once(", ").unwrap_or((rest, "expected another"));
            let field = field.trim_matches('`');
            let place = path.strip_suffix(field).map_or(path.as_str(), |place| place.trim_end_matches('.'));
            let message = format!(
                "is not known to the running version of Hookgate ({wanted}): remove it, or update the operator"
            );
            Problem::new(Reason::Unsupported, format!("{place}.{field}"), message)
        }
        None => Problem::invalid(if path == "." { "spec" } else { &path }, said),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::source::WebhookSource;

    fn read(spec: &Value) -> Object<WebhookSource> {
        let object = serde_json::json!({
            "apiVersion": "hookgate.dev/v1alpha1", "kind": "WebhookSource",
            "metadata": {
                "name": "calls", "namespace": "sales", "uid": "u-1", "generation": 3, "creationTimestamp": "2026-01-02T03:04:05Z",
                "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"}, "managedFields": [{"manager": "kubectl"}],
            },
            "spec": spec,
            "status": {"observedGeneration": 2},
        });
        Object::read(serde_json::from_value(object).unwrap())
    }

    #[test]
    fn an_object_is_read_without_what_nobody_judges() {
        let object = read(&serde_json::json!({"provider": "xosum"}));
        assert_eq!(
            (object.key.to_string().as_str(), object.uid.as_str(), object.generation),
            ("sales/calls", "u-1", 3)
        );
        assert_eq!(object.created.to_string(), "2026-01-02T03:04:05Z");
        assert_eq!(object.status.as_ref().and_then(|status| status.observed_generation), Some(2));
        let source = object.value.unwrap();
        assert_eq!(source.spec.provider, "xosum");
        assert!(source.metadata.annotations.is_none() && source.metadata.managed_fields.is_none());
    }

    #[test]
    fn a_field_of_a_newer_version_is_named_and_not_ignored() {
        let object = read(
            &serde_json::json!({"provider": "xosum", "verification": {"quantum": true}, "suspend": true, "path": "/sales/x"}),
        );
        let broken = object.value.unwrap_err();
        assert_eq!(broken.problem.reason(), Reason::Unsupported);
        assert!(
            broken.problem.to_string().starts_with("spec.verification.quantum: is not known"),
            "{}",
            broken.problem
        );
        assert!(broken.suspend);
        assert_eq!(broken.refs, Some(Vec::new()));
        assert_eq!(broken.path.as_deref(), Some("/sales/x"));
        let top = read(&serde_json::json!({"provider": "xosum", "later": 1})).value.unwrap_err();
        assert!(top.problem.to_string().starts_with("spec.later: is not known"), "{}", top.problem);
    }

    #[test]
    fn a_spec_of_the_wrong_shape_is_invalid_with_the_field() {
        let broken = read(&serde_json::json!({"provider": 7})).value.unwrap_err();
        assert_eq!(broken.problem.reason(), Reason::Invalid);
        assert!(broken.problem.to_string().starts_with("spec.provider: "), "{}", broken.problem);
        let empty = read(&Value::Null).value.unwrap_err();
        assert_eq!((empty.problem.reason(), &empty.refs), (Reason::Invalid, &None));
        let refs = serde_json::json!([{"name": "s", "key": "k", "notAfter": "2026-01-01T00:00:00Z"}, {"name": 7}]);
        let broken = read(&serde_json::json!({"provider": 7, "verification": {"secretRefs": refs}})).value.unwrap_err();
        assert_eq!(
            broken.refs.unwrap().iter().map(|r| (&*r.name, r.not_after.is_some())).collect::<Vec<_>>(),
            [("s", true)]
        );
    }

    #[test]
    fn a_status_tells_of_the_last_good_spec() {
        let good = |spec: Value| {
            let object = serde_json::json!({
                "metadata": {"name": "calls", "namespace": "sales", "uid": "u-1", "generation": 3},
                "spec": {"provider": "later"}, "status": {"servedGeneration": 2, "lastGood": {"generation": 2, "spec": spec}},
            });
            Object::<WebhookSource>::read(serde_json::from_value(object).unwrap())
        };
        let object = good(serde_json::json!({"provider": "xosum"}));
        assert_eq!(object.past(), (Some(2), true));
        let former = object.last_good.unwrap();
        assert_eq!((former.value.spec.provider.as_str(), former.value.metadata.generation), ("xosum", Some(2)));
        assert_eq!(good(serde_json::json!({"provider": "xosum", "later": 1})).past(), (None, true));
    }
}

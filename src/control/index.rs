//! The desired state as last observed: sources and providers, by key.
//!
//! Pure. Fed by the cluster and by the folder with the same calls: `apply`, `delete`, `reset`. Only a deletion or a list that was read to its
//! end removes anything; a watch that is down removes nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::object::{Key, Object, Watched};
use crate::api::provider::WebhookProvider;
use crate::api::source::WebhookSource;

/// What a list covers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Every namespace.
    All,
    /// One namespace.
    Namespace(String),
    /// What of a scope has this name.
    Named(Box<Scope>, String),
}

impl Scope {
    /// The namespace, where it is one.
    pub fn namespace(&self) -> Option<&str> {
        match self {
            Self::All => None,
            Self::Namespace(namespace) => Some(namespace),
            Self::Named(scope, _) => scope.namespace(),
        }
    }

    /// Whether an object belongs to the list.
    pub fn holds(&self, key: &Key) -> bool {
        match self {
            Self::All => true,
            Self::Namespace(namespace) => *namespace == key.namespace,
            Self::Named(scope, name) => *name == key.name && scope.holds(key),
        }
    }
}

/// One observation.
#[derive(Clone, Debug)]
pub enum Change<T> {
    /// An object is there, new or changed.
    Apply(T),
    /// An object is gone.
    Delete(Key),
    /// These are all objects of the scope.
    Reset(Scope, Vec<T>),
}

/// The objects of one kind.
#[derive(Debug)]
pub struct Objects<K: Watched> {
    objects: BTreeMap<Key, Object<K>>,
    synced: BTreeSet<Scope>,
}

/// Sources and providers as last observed.
#[derive(Debug, Default)]
pub struct Index {
    /// By namespace and name.
    pub sources: Objects<WebhookSource>,
    /// By name.
    pub providers: Objects<WebhookProvider>,
}

impl<K: Watched> Default for Objects<K> {
    fn default() -> Self {
        Self { objects: BTreeMap::new(), synced: BTreeSet::new() }
    }
}

impl<K: Watched> Objects<K> {
    /// Takes an observation in and returns the keys whose object came, went or says something else. A new status alone is no change, but
    /// for what it tells of the past.
    pub fn observe(&mut self, change: Change<Object<K>>) -> BTreeSet<Key> {
        let mut changed = BTreeSet::new();
        match change {
            Change::Apply(object) => self.apply(object, &mut changed),
            Change::Delete(key) => self.delete(key, &mut changed),
            Change::Reset(scope, all) => {
                let listed: BTreeSet<&Key> = all.iter().map(|object| &object.key).collect();
                let gone = self.objects.keys().filter(|key| scope.holds(key) && !listed.contains(key));
                for key in gone.cloned().collect::<Vec<_>>() {
                    self.delete(key, &mut changed);
                }
                for object in all {
                    self.apply(object, &mut changed);
                }
                self.synced.insert(scope);
            }
        }
        changed
    }

    fn apply(&mut self, object: Object<K>, changed: &mut BTreeSet<Key>) {
        match self.objects.get_mut(&object.key) {
            Some(known) if known.same_spec(&object) && known.past() == object.past() => {}
            _ => {
                changed.insert(object.key.clone());
                self.objects.insert(object.key.clone(), object);
            }
        }
    }

    fn delete(&mut self, key: Key, changed: &mut BTreeSet<Key>) {
        if self.objects.remove(&key).is_some() {
            changed.insert(key);
        }
    }

    /// One object.
    pub fn get(&self, key: &Key) -> Option<&Object<K>> {
        self.objects.get(key)
    }

    /// All objects in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = &Object<K>> {
        self.objects.values()
    }

    /// Whether the list of this scope was read to its end at least once.
    pub fn is_synced(&self, scope: &Scope) -> bool {
        self.synced.contains(scope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(namespace: &str, name: &str, uid: &str, generation: i64) -> Object<WebhookSource> {
        let object = serde_json::json!({
            "metadata": {"name": name, "namespace": namespace, "uid": uid, "generation": generation},
            "spec": {"provider": "xosum"},
        });
        Object::read(serde_json::from_value(object).unwrap())
    }

    fn keys(set: &BTreeSet<Key>) -> Vec<String> {
        set.iter().map(Key::to_string).collect()
    }

    #[test]
    fn a_resync_removes_explicitly_what_is_listed_no_more_and_only_in_its_scope() {
        let mut sources = Objects::default();
        for (namespace, name) in [("a", "one"), ("a", "two"), ("b", "one")] {
            sources.observe(Change::Apply(source(namespace, name, "u", 1)));
        }
        let scope = Scope::Namespace("a".to_owned());
        assert!(!sources.is_synced(&scope));
        let changed = sources
            .observe(Change::Reset(scope.clone(), vec![source("a", "two", "u", 1), source("a", "three", "u", 1)]));
        assert_eq!(keys(&changed), ["a/one", "a/three"]);
        assert!(sources.is_synced(&scope) && !sources.is_synced(&Scope::All));
        assert!(sources.get(&Key::new("b", "one")).is_some());
        assert_eq!(keys(&sources.observe(Change::Reset(Scope::All, vec![]))), ["a/three", "a/two", "b/one"]);
    }

    #[test]
    fn a_status_alone_changes_nothing_and_a_recreated_object_does() {
        let mut sources = Objects::default();
        assert_eq!(sources.observe(Change::Apply(source("a", "one", "u1", 1))).len(), 1);
        let mut with_status = source("a", "one", "u1", 1);
        with_status.status =
            Some(crate::api::source::WebhookSourceStatus { served_generation: Some(1), ..Default::default() });
        assert!(sources.observe(Change::Apply(with_status)).is_empty());
        let mut served = source("a", "one", "u1", 1);
        served.was_served = true;
        assert_eq!(sources.observe(Change::Apply(served.clone())).len(), 1, "the past");
        assert!(sources.observe(Change::Apply(served)).is_empty());
        assert_eq!(sources.observe(Change::Apply(source("a", "one", "u2", 1))).len(), 1);
        assert_eq!(sources.observe(Change::Apply(source("a", "one", "u2", 2))).len(), 1);
        assert_eq!(sources.observe(Change::Delete(Key::new("a", "one"))).len(), 1);
        assert!(sources.observe(Change::Delete(Key::new("a", "one"))).is_empty());
    }
}

//! What each namespace may have, and which of its sources are beyond it.
//!
//! Pure. What serves comes first, then what serves an earlier generation, then what never served; within each the older. So adding never takes
//! a served source away. Judged from what is written alone: no Secret and no provider decides who has room.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;

use super::good::Good;
use crate::api::condition::Problem;
use crate::api::source::WebhookSource;
use crate::control::object::{Key, Object};
use crate::control::quota::{Quota, Weight};

/// The sources of all namespaces by what they weigh. Empty where there is no quota.
#[derive(Debug, Default)]
pub(super) struct Quotas {
    quota: Quota,
    namespaces: HashMap<String, Namespace>,
}

#[derive(Debug, Default)]
struct Namespace {
    sources: BTreeMap<Key, Written>,
    /// What all of them weigh, each with its heaviest spec.
    most: Weight,
    refused: BTreeMap<Key, Problem>,
}

/// A source as far as it decides who has room.
#[derive(Clone, Debug)]
struct Written {
    uid: String,
    generation: i64,
    created: Timestamp,
    /// What the current spec weighs.
    current: Weight,
    /// What serves weighs, where something does.
    served: Option<Weight>,
}

impl Written {
    fn most(&self) -> Weight {
        self.served.map_or(self.current, |served| served.most(self.current))
    }
}

impl Quotas {
    pub(super) fn new(quota: Quota) -> Self {
        Self { quota, namespaces: HashMap::new() }
    }

    /// Why a source is beyond the quota of its namespace.
    pub(super) fn refused(&self, key: &Key) -> Option<&Problem> {
        self.namespaces.get(&key.namespace)?.refused.get(key)
    }

    /// Takes in what was touched. Returns the sources that are judged otherwise than before.
    pub(super) fn update<'a>(
        &mut self,
        touched: impl Iterator<Item = (&'a Key, Option<(&'a Object<WebhookSource>, Option<Good>)>)>,
    ) -> BTreeSet<Key> {
        if self.quota.is_unlimited() {
            return BTreeSet::new();
        }
        let mut changed = BTreeSet::<&str>::new();
        for (key, source) in touched {
            let namespace = self.namespaces.entry(key.namespace.clone()).or_default();
            let known = namespace.sources.get(key);
            let after = source.map(|(object, good)| Written::new(object, good.as_ref(), known));
            if namespace.replace(key, after.as_ref()) {
                changed.insert(&key.namespace);
            }
        }
        let mut judged = BTreeSet::new();
        for name in changed {
            let Some(namespace) = self.namespaces.get_mut(name) else { continue };
            judged.extend(namespace.judge(&self.quota, name));
            if namespace.sources.is_empty() {
                self.namespaces.remove(name);
            }
        }
        judged
    }
}

impl Written {
    fn new(object: &Object<WebhookSource>, good: Option<&Good>, known: Option<&Self>) -> Self {
        let known = known.filter(|known| known.uid == object.uid && known.generation == object.generation);
        let current = known.map_or_else(|| Weight::of(object.value.as_deref().ok()), |known| known.current);
        let served = match good {
            Some(good) if good.generation() == object.generation => Some(current),
            Some(good) => Some(Weight::of(Some(&good.source))),
            None => object.was_served.then_some(current),
        };
        Self { uid: object.uid.clone(), generation: object.generation, created: object.created, current, served }
    }

    fn decides_as(&self, other: &Self) -> bool {
        (&self.uid, self.created, self.current, self.served) == (&other.uid, other.created, other.current, other.served)
    }
}

impl Namespace {
    /// Returns whether that may decide something.
    fn replace(&mut self, key: &Key, after: Option<&Written>) -> bool {
        let before = match after {
            Some(after) => self.sources.insert(key.clone(), after.clone()),
            None => self.sources.remove(key),
        };
        if let Some(before) = &before {
            self.most = self.most.less(before.most());
        }
        if let Some(after) = after {
            self.most = self.most.and(after.most());
        }
        match (&before, after) {
            (Some(before), Some(after)) => !before.decides_as(after),
            (before, after) => before.is_some() || after.is_some(),
        }
    }

    /// Shares the quota out. Returns the sources that are judged otherwise than before.
    fn judge(&mut self, quota: &Quota, name: &str) -> BTreeSet<Key> {
        let mut refused = BTreeMap::new();
        // Where there is room for all, nobody need be asked.
        if quota.exceeded_by(self.most).is_none() {
            let before = std::mem::replace(&mut self.refused, refused);
            return before.into_keys().collect();
        }
        let mut sources: Vec<(&Key, &Written)> = self.sources.iter().collect();
        sources.sort_by_key(|(key, source)| (source.created, *key));
        let mut used = Weight::default();
        let mut take = |key: &Key, now: Weight, wanted: Weight| {
            let after = used.less(now).and(wanted);
            match quota.exceeded_by(after) {
                None => used = after,
                // Less than before is taken whatever the quota says.
                Some(_) if wanted.is_within(now) => used = after,
                Some(what) => drop(refused.insert(key.clone(), what.problem(name, wanted))),
            }
        };
        for (key, source) in &sources {
            if let Some(served) = source.served {
                take(key, Weight::default(), served);
            }
        }
        // Whoever gives something back does so before others ask for it.
        for gives in [true, false] {
            for (key, source) in &sources {
                match source.served {
                    Some(served) if served != source.current && source.current.is_within(served) == gives => {
                        take(key, served, source.current);
                    }
                    _ => {}
                }
            }
        }
        for (key, source) in &sources {
            if source.served.is_none() {
                take(key, Weight::default(), source.current);
            }
        }
        let before = std::mem::replace(&mut self.refused, refused);
        let differs = |key: &&Key| before.get(*key) != self.refused.get(*key);
        let keys: BTreeSet<&Key> = before.keys().chain(self.refused.keys()).collect();
        keys.into_iter().filter(differs).cloned().collect()
    }
}

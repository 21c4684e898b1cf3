//! Who refers to what: sources by the Secrets and by the provider that they name, so that a change finds those that it touches.
//!
//! Pure bookkeeping: judges nothing.

use std::collections::{BTreeMap, BTreeSet};

use crate::control::object::Key;

/// What one source refers to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reference {
    /// The provider, where it can be read.
    pub(super) provider: Option<String>,
    /// Keys by Secret.
    pub(super) secrets: BTreeMap<Key, BTreeSet<String>>,
}

/// What all sources refer to, and the other way round.
#[derive(Debug, Default)]
pub(super) struct References {
    sources: BTreeMap<Key, Reference>,
    secrets: BTreeMap<Key, Referred>,
    providers: BTreeMap<String, BTreeSet<Key>>,
}

#[derive(Debug, Default)]
struct Referred {
    sources: BTreeSet<Key>,
    /// How many sources refer to each key.
    keys: BTreeMap<String, usize>,
}

impl References {
    /// Notes what a source refers to now; nothing: it is gone. Returns the Secrets and the providers of which others than before are
    /// referred to.
    pub(super) fn set(&mut self, source: &Key, now: Reference) -> (BTreeSet<Key>, BTreeSet<String>) {
        let before = self.sources.remove(source).unwrap_or_default();
        let (mut secrets, mut providers) = (BTreeSet::new(), BTreeSet::new());
        if before.provider != now.provider {
            providers.extend(before.provider.clone());
            providers.extend(now.provider.clone());
        }
        for (key, names) in now.secrets.iter().filter(|(key, names)| before.secrets.get(*key) != Some(*names)) {
            let referred = self.secrets.entry(key.clone()).or_default();
            referred.sources.insert(source.clone());
            names.iter().for_each(|name| *referred.keys.entry(name.clone()).or_default() += 1);
            secrets.insert(key.clone());
        }
        for (key, names) in before.secrets.iter().filter(|(key, names)| now.secrets.get(*key) != Some(*names)) {
            self.forget(source, key, names, now.secrets.contains_key(key));
            secrets.insert(key.clone());
        }
        if before.provider != now.provider {
            if let Some(name) = &before.provider
                && let Some(users) = self.providers.get_mut(name)
            {
                users.remove(source);
                if users.is_empty() {
                    self.providers.remove(name);
                }
            }
            if let Some(name) = &now.provider {
                self.providers.entry(name.clone()).or_default().insert(source.clone());
            }
        }
        if now != Reference::default() {
            self.sources.insert(source.clone(), now);
        }
        (secrets, providers)
    }

    fn forget(&mut self, source: &Key, secret: &Key, names: &BTreeSet<String>, still: bool) {
        let Some(referred) = self.secrets.get_mut(secret) else { return };
        if !still {
            referred.sources.remove(source);
        }
        for name in names {
            if let Some(count) = referred.keys.get_mut(name) {
                *count -= 1;
                if *count == 0 {
                    referred.keys.remove(name);
                }
            }
        }
        if referred.sources.is_empty() {
            self.secrets.remove(secret);
        }
    }

    /// The keys of a Secret that are referred to.
    pub(super) fn wanted(&self, secret: &Key) -> BTreeSet<String> {
        self.secrets.get(secret).map(|referred| referred.keys.keys().cloned().collect()).unwrap_or_default()
    }

    /// The sources that refer to a Secret.
    pub(super) fn of_secret(&self, secret: &Key) -> impl Iterator<Item = &Key> {
        self.secrets.get(secret).into_iter().flat_map(|referred| &referred.sources)
    }

    /// The sources that name a provider.
    pub(super) fn of_provider(&self, name: &str) -> impl Iterator<Item = &Key> {
        self.providers.get(name).into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(provider: &str, secrets: &[(&str, &[&str])]) -> Reference {
        let keys = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Reference {
            provider: Some(provider.to_owned()),
            secrets: secrets.iter().map(|(secret, names)| (Key::new("a", *secret), keys(names))).collect(),
        }
    }

    #[test]
    fn what_several_refer_to_is_wanted_until_none_does() {
        let (one, two, secret) = (Key::new("a", "one"), Key::new("a", "two"), Key::new("a", "s"));
        let mut references = References::default();
        references.set(&one, reference("x", &[("s", &["k", "l"])]));
        let (secrets, providers) = references.set(&two, reference("x", &[("s", &["k"])]));
        assert_eq!((secrets.len(), providers.len()), (1, 1));
        assert_eq!(references.set(&two, reference("x", &[("s", &["k"])])), Default::default());
        assert_eq!((references.wanted(&secret).len(), references.of_secret(&secret).count()), (2, 2));
        references.set(&one, reference("y", &[("s", &["k"])]));
        assert_eq!((references.wanted(&secret).len(), references.of_secret(&secret).count()), (1, 2));
        assert_eq!((references.of_provider("x").count(), references.of_provider("y").count()), (1, 1));
        for source in [&one, &two] {
            references.set(source, Reference::default());
        }
        assert!(references.sources.is_empty() && references.secrets.is_empty() && references.providers.is_empty());
    }
}

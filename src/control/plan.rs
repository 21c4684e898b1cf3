//! What is served: each source compiled, its last good spec where the current one cannot be served, and the table of all.
//!
//! Pure. Suspension, deletion, removed Secrets, and refs that are gone or past take effect whatever else is wrong; nothing else removes a
//! route. A change costs what it touches: who refers to what is kept both ways, and only touched sources and paths are looked at.

mod good;
mod inputs;
mod places;
mod planned;
mod quotas;
mod references;
mod serve;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use self::good::Good;
use self::inputs::Inputs;
use self::places::Places;
pub(crate) use self::planned::Planned;
use self::quotas::Quotas;
use self::references::{Reference, References};
use super::definitions::Definitions;
use super::index::{Change, Index};
use super::object::{Key, Object};
use super::resolve::{Resolved, collect_wanted, fingerprint, resolve, secret_refs};
use super::settings::Settings;
use super::vault::{Reading, Sighting, Vault};
use crate::api::provider::WebhookProvider;
use crate::api::source::{SecretRef, WebhookSource};
use crate::route::{Conflict, RouteTable};
use crate::secret::SecretData;
use crate::subject::{Readings, Streams};

/// The desired state and what became of it on this replica.
#[derive(Debug)]
pub(crate) struct Plan {
    settings: Arc<Settings>,
    index: Index,
    vault: Vault,
    definitions: Definitions,
    sources: BTreeMap<Key, Planned>,
    references: References,
    places: Places,
    quotas: Quotas,
    /// Sources of which something may have changed.
    touched: BTreeSet<Key>,
    /// When sources change by themselves.
    wakes: BTreeSet<(Timestamp, Key)>,
    /// Sources whose current generation is not what serves.
    behind: BTreeSet<Key>,
    /// How many sources wait for a Secret to be read for the first time.
    pending: usize,
    /// Providers that others than before use.
    used: BTreeSet<String>,
    /// The streams of each login as last read, and which reading that was.
    streams: (Readings, u64),
}

/// What a settling brought.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    /// The table, where it changed.
    pub table: Option<RouteTable>,
    /// Secrets to read.
    pub to_read: Vec<Key>,
    /// Sources of which something else is to be said.
    pub changed: BTreeSet<Key>,
    /// Providers that others than before use.
    pub providers: BTreeSet<String>,
}

impl Plan {
    /// Nothing observed yet.
    pub(crate) fn new(settings: Arc<Settings>) -> Self {
        Self {
            quotas: Quotas::new(settings.namespace_quota),
            vault: Vault::new(settings.secret_names.clone()),
            settings,
            index: Index::default(),
            definitions: Definitions::default(),
            sources: BTreeMap::new(),
            references: References::default(),
            places: Places::default(),
            touched: BTreeSet::new(),
            wakes: BTreeSet::new(),
            behind: BTreeSet::new(),
            pending: 0,
            used: BTreeSet::new(),
            streams: Default::default(),
        }
    }

    /// What was observed.
    pub(crate) fn index(&self) -> &Index {
        &self.index
    }

    /// The providers.
    pub(crate) fn definitions(&self) -> &Definitions {
        &self.definitions
    }

    /// The sources as they are served.
    pub(crate) fn sources(&self) -> &BTreeMap<Key, Planned> {
        &self.sources
    }

    /// How many sources name a provider.
    pub(crate) fn uses(&self, provider: &str) -> usize {
        self.references.of_provider(provider).count()
    }

    /// The streams that are there for a namespace, as last read. `None` while its NATS was never seen.
    pub(crate) fn streams(&self, namespace: &str) -> Option<&Streams> {
        self.streams.0.get(self.settings.accounts.of(namespace))?.as_deref()
    }

    /// The streams of each login as last read.
    pub(crate) fn readings(&self) -> &Readings {
        &self.streams.0
    }

    /// What the secretRefs of a source refer to at an instant. `None` while a Secret was not read yet.
    pub(crate) fn resolved(&self, source: &WebhookSource, now: Timestamp) -> Option<Resolved> {
        resolve(source, &self.vault, now)
    }

    /// Takes in an observation of sources.
    pub(crate) fn observe_sources(&mut self, change: Change<Object<WebhookSource>>) {
        self.touched.extend(self.index.sources.observe(change));
    }

    /// Takes in an observation of providers. Returns those that changed.
    pub(crate) fn observe_providers(&mut self, change: Change<Object<WebhookProvider>>) -> BTreeSet<Key> {
        let changed = self.index.providers.observe(change);
        self.definitions.update(changed.iter().map(|key| (&*key.name, self.index.providers.get(key))));
        for key in &changed {
            self.touched.extend(self.references.of_provider(&key.name).cloned());
        }
        changed
    }

    /// Takes in an observation of Secrets' metadata. Returns the Secrets to read.
    pub(crate) fn observe_secrets(&mut self, change: Change<Sighting>) -> Vec<Key> {
        let (to_read, changed) = self.vault.observe(change);
        changed.iter().for_each(|secret| self.touch_users(secret));
        to_read
    }

    /// Takes in a reading of a Secret. Returns whether it must be read once more.
    pub(crate) fn take_reading(&mut self, key: &Key, reading: Reading, now: Timestamp) -> bool {
        let (again, changed) = self.vault.take(key, reading, now);
        if changed {
            self.touch_users(key);
        }
        again
    }

    /// Takes in every Secret of a folder.
    pub(crate) fn supply_secrets(&mut self, secrets: &BTreeMap<Key, SecretData>, now: Timestamp) {
        // What was just observed refers to Secrets that nobody asked for yet; nobody reads them one by one here.
        for key in self.touched.clone() {
            if let Some(object) = self.index.sources.get(&key).cloned() {
                let former = self.former(&object, self.good(&object).as_ref(), now);
                self.refer(&key, reference(&object, former.as_ref()));
            }
        }
        self.vault.supply(secrets).iter().for_each(|secret| self.touch_users(secret));
    }

    /// Takes in a reading of the streams: what was held back is judged again.
    pub(crate) fn learn_streams(&mut self, streams: Readings) {
        self.streams = (streams, self.streams.1 + 1);
        self.touched.extend(self.behind.iter().cloned());
    }

    /// Whether no source waits for a Secret to be read for the first time.
    pub(crate) fn is_settled(&self) -> bool {
        self.touched.is_empty() && self.pending == 0
    }

    /// The next instant at which something changes by itself.
    pub(crate) fn next_wake(&self) -> Option<Timestamp> {
        self.wakes.first().map(|(at, _)| *at).into_iter().chain(self.vault.next_due()).min()
    }

    /// Brings everything up to date for this instant. Costs what was touched.
    pub(crate) fn settle(&mut self, now: Timestamp) -> Settled {
        let mut settled = Settled { to_read: self.vault.due(now), ..Settled::default() };
        while self.wakes.first().is_some_and(|(at, _)| *at <= now)
            && let Some((_, key)) = self.wakes.pop_first()
        {
            self.touched.insert(key);
        }
        let mut touched = std::mem::take(&mut self.touched);
        touched.extend(self.weigh(&touched));
        while !touched.is_empty() {
            for key in &touched {
                self.settle_source(key.clone(), now, &mut settled);
            }
            // What serves now comes first from now on.
            touched = self.weigh(&touched);
        }
        self.share_out(&mut settled);
        settled.providers = std::mem::take(&mut self.used);
        settled
    }

    /// Shares out the quotas of namespaces. Returns the sources that are judged otherwise than before.
    fn weigh(&mut self, touched: &BTreeSet<Key>) -> BTreeSet<Key> {
        if self.settings.namespace_quota.is_unlimited() {
            return BTreeSet::new();
        }
        let mut quotas = std::mem::take(&mut self.quotas);
        let sources = touched.iter().map(|key| {
            let object = self.index.sources.get(key);
            (key, object.map(|object| (object, self.good(object))))
        });
        let judged = quotas.update(sources);
        self.quotas = quotas;
        judged
    }

    fn settle_source(&mut self, key: Key, now: Timestamp, settled: &mut Settled) {
        let Some(object) = self.index.sources.get(&key).cloned() else {
            self.refer(&key, Reference::default());
            if let Some(before) = self.sources.remove(&key) {
                self.replace(&key, Some(&before), None);
            }
            settled.changed.insert(key);
            return;
        };
        let good = self.good(&object);
        let last = self.former(&object, good.as_ref(), now);
        settled.to_read.extend(self.refer(&key, reference(&object, last.as_ref())));
        let mut inputs = self.inputs(&object, last.as_ref(), now);
        // That others served it decides nothing where it is served here.
        inputs.was_served |= good.is_some();
        let before = self.sources.remove(&key);
        let held = match before {
            Some(before) if before.inputs == inputs => {
                self.wakes.extend(before.expiry.filter(|at| *at > now).map(|at| (at, key.clone())));
                self.sources.insert(key, before);
                return;
            }
            Some(before) => {
                let held = before.held.clone().filter(|_| before.generation == object.generation);
                (held, Some(before))
            }
            None => (None, None),
        };
        let (held, before) = held;
        let mut planned = self.compile(&object, good, held, inputs, now);
        // What a new spec no longer refers to is forgotten, now that it compiled.
        let last = self.former(&object, planned.good.as_ref(), now);
        settled.to_read.extend(self.refer(&key, reference(&object, last.as_ref())));
        planned.inputs = self.inputs(&object, last.as_ref(), now);
        planned.inputs.was_served |= planned.good.is_some();
        self.replace(&key, before.as_ref(), Some(&planned));
        self.sources.insert(key.clone(), planned);
        settled.changed.insert(key);
    }

    /// What is known of a source's past.
    fn good(&self, object: &Object<WebhookSource>) -> Option<Good> {
        let past = self.sources.get(&object.key).filter(|planned| planned.inputs.uid == object.uid);
        Good::known(past.and_then(|planned| planned.good.as_ref()), object, self.definitions.catalogue())
    }

    /// The last good spec under what holds today, where it is not the current one.
    fn former(&self, object: &Object<WebhookSource>, good: Option<&Good>, now: Timestamp) -> Option<WebhookSource> {
        let behind = |good: &&Good| object.value.is_err() || good.generation() != object.generation;
        good.filter(behind).map(|good| good.revise(object, self.is_unread(object, now)))
    }

    /// Whether a Secret that the current spec refers to was not read yet, and is about to be: what it replaces is not kept alive by an
    /// API server that does not hand it out.
    fn is_unread(&self, object: &Object<WebhookSource>, now: Timestamp) -> bool {
        object.value.as_ref().is_ok_and(|source| {
            let failing = |one: &SecretRef| {
                let key = Key { namespace: object.key.namespace.clone(), name: one.name.clone() };
                self.vault.is_failing(&key, &one.key)
            };
            resolve(source, &self.vault, now).is_none() && !secret_refs(source).iter().any(failing)
        })
    }

    fn inputs(&self, object: &Object<WebhookSource>, last: Option<&WebhookSource>, now: Timestamp) -> Inputs {
        let refused = provider_of(object).is_some_and(|name| self.definitions.accepted(name).is_err());
        let mut inputs = Inputs::of(object, self.definitions.catalogue(), refused);
        if let Ok(source) = &object.value {
            inputs.refs = fingerprint(source, &self.vault, now);
        }
        inputs.former =
            last.map(|last| (last.metadata.generation.unwrap_or_default(), fingerprint(last, &self.vault, now)));
        inputs.refused_by_quota = self.quotas.refused(&object.key).cloned();
        inputs.streams = last.map(|_| self.streams.1);
        inputs
    }

    /// Notes what a source refers to. Returns the Secrets to read.
    fn refer(&mut self, key: &Key, reference: Reference) -> Vec<Key> {
        let (secrets, providers) = self.references.set(key, reference);
        self.used.extend(providers);
        secrets.into_iter().filter(|secret| self.vault.want(secret, self.references.wanted(secret))).collect()
    }

    fn touch_users(&mut self, secret: &Key) {
        self.touched.extend(self.references.of_secret(secret).cloned());
    }

    /// Keeps what is derived from the planned sources with them.
    fn replace(&mut self, key: &Key, before: Option<&Planned>, after: Option<&Planned>) {
        if let Some(at) = before.and_then(|planned| planned.expiry) {
            self.wakes.remove(&(at, key.clone()));
        }
        self.wakes.extend(after.and_then(|planned| planned.expiry).map(|at| (at, key.clone())));
        self.pending -= usize::from(before.is_some_and(Planned::waits));
        self.pending += usize::from(after.is_some_and(Planned::waits));
        match after.is_some_and(Planned::is_behind) {
            true => self.behind.insert(key.clone()),
            false => self.behind.remove(key),
        };
        let entry = |planned: Option<&Planned>| planned.and_then(|planned| planned.entry.clone());
        self.places.change(key, entry(before).as_ref(), entry(after).as_ref());
    }

    /// Shares out the paths that were touched, and notes whose conflicts are others now.
    fn share_out(&mut self, settled: &mut Settled) {
        let entry = |key: &Key| self.sources.get(key).and_then(|planned| planned.entry.clone());
        let shared = self.places.share_out(entry);
        if shared.is_empty() {
            return;
        }
        settled.table = Some(self.places.table());
        for (claimants, conflicts) in shared {
            let mut lost = BTreeMap::<Key, Vec<Conflict>>::new();
            for conflict in conflicts {
                lost.entry(Key::new(&*conflict.loser.0, &*conflict.loser.1)).or_default().push(conflict);
            }
            for key in claimants {
                let conflicts = lost.remove(&key).unwrap_or_default();
                if let Some(planned) = self.sources.get_mut(&key)
                    && planned.conflicts != conflicts
                {
                    planned.conflicts = conflicts;
                    settled.changed.insert(key);
                }
            }
        }
    }
}

/// The provider that a source names, where it can be read.
pub(crate) fn provider_of(source: &Object<WebhookSource>) -> Option<&String> {
    match &source.value {
        Ok(source) => Some(&source.spec.provider),
        Err(broken) => broken.provider.as_ref(),
    }
}

fn reference(object: &Object<WebhookSource>, former: Option<&WebhookSource>) -> Reference {
    let mut reference = Reference { provider: provider_of(object).cloned(), ..Reference::default() };
    for source in object.value.as_ref().ok().map(|source| &**source).into_iter().chain(former) {
        collect_wanted(source, &mut reference.secrets);
    }
    reference
}

#[cfg(test)]
mod tests;

//! What is served: each source compiled, its last good spec where the current one does not compile, and the table of all.
//!
//! Pure. Suspension, deletion, removed Secrets and expired refs take effect whatever else is wrong; nothing else removes a route. Only
//! sources whose inputs changed are compiled again.

mod inputs;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use self::inputs::Inputs;
use super::compile::{Compiled, claim, compile};
use super::definitions::Definitions;
use super::index::{Change, Index};
use super::object::{Broken, Key, Object};
use super::resolve::{Resolved, collect_wanted, resolve};
use super::settings::Settings;
use super::vault::{Reading, Sighting, Vault};
use crate::api::condition::{Problem, Problems};
use crate::api::provider::WebhookProvider;
use crate::api::source::WebhookSource;
use crate::provider::catalogue::Catalogue;
use crate::route::{Claim, Conflict, Entry, Host, Route, RouteTable};
use crate::secret::SecretData;

/// The desired state and what became of it on this replica.
#[derive(Debug)]
pub struct Plan {
    settings: Arc<Settings>,
    index: Index,
    vault: Vault,
    definitions: Definitions,
    sources: BTreeMap<Key, Planned>,
    dirty: bool,
}

/// One source as it is served.
#[derive(Debug)]
pub struct Planned {
    /// The generation that was judged last.
    pub generation: i64,
    /// Whether it compiled and is allowed.
    pub accepted: Result<(), Problems>,
    /// What is wrong with its secretRefs; `None` where the spec cannot be read.
    pub refs: Option<Vec<Problem>>,
    /// What its owner should know although it is served.
    pub notices: Vec<String>,
    /// Whether Secrets it refers to were not read yet, so that nothing can be said of it.
    pub pending: bool,
    /// What stands in the table for it.
    pub entry: Option<Entry>,
    /// Hosts that older sources keep.
    pub conflicts: Vec<Conflict>,
    good: Option<Good>,
    inputs: Inputs,
    expiry: Option<Timestamp>,
}

/// A spec that compiled here.
#[derive(Clone, Debug)]
struct Good {
    source: Arc<WebhookSource>,
    catalogue: Arc<Catalogue>,
}

/// What a settling brought.
#[derive(Debug, Default)]
pub struct Settled {
    /// The table, where it changed.
    pub table: Option<RouteTable>,
    /// Secrets to read.
    pub to_read: Vec<Key>,
    /// Sources of which something else is to be said.
    pub changed: BTreeSet<Key>,
}

impl Plan {
    /// Nothing observed yet.
    pub fn new(settings: Arc<Settings>) -> Self {
        Self {
            settings,
            index: Index::default(),
            vault: Vault::default(),
            definitions: Definitions::default(),
            sources: BTreeMap::new(),
            dirty: false,
        }
    }

    /// What was observed.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// What was observed, to note statuses that were written.
    pub fn index_mut(&mut self) -> &mut Index {
        &mut self.index
    }

    /// The providers.
    pub fn definitions(&self) -> &Definitions {
        &self.definitions
    }

    /// What the secretRefs of a source refer to at an instant. `None` while a Secret was not read yet.
    pub fn resolved(&self, source: &WebhookSource, now: Timestamp) -> Option<Resolved> {
        resolve(source, &self.vault, now)
    }

    /// The sources as they are served.
    pub fn sources(&self) -> &BTreeMap<Key, Planned> {
        &self.sources
    }

    /// Takes in an observation of sources.
    pub fn observe_sources(&mut self, change: Change<Object<WebhookSource>>) {
        self.dirty |= !self.index.sources.observe(change).is_empty();
    }

    /// Takes in an observation of providers. Returns those that changed.
    pub fn observe_providers(&mut self, change: Change<Object<WebhookProvider>>) -> BTreeSet<Key> {
        let changed = self.index.providers.observe(change);
        for key in &changed {
            self.definitions.update(&key.name, self.index.providers.get(key));
        }
        self.dirty |= !changed.is_empty();
        changed
    }

    /// Takes in an observation of Secrets' metadata. Returns the Secrets to read.
    pub fn observe_secrets(&mut self, change: Change<Sighting>) -> Vec<Key> {
        let (to_read, changed) = self.vault.observe(change);
        self.dirty |= !changed.is_empty();
        to_read
    }

    /// Takes in a reading of a Secret. Returns whether it must be read once more.
    pub fn take_reading(&mut self, key: &Key, reading: Reading, now: Timestamp) -> bool {
        let (again, changed) = self.vault.take(key, reading, now);
        self.dirty |= changed;
        again
    }

    /// Takes in the whole of a folder.
    pub fn supply_secrets(&mut self, secrets: &BTreeMap<Key, SecretData>) {
        self.refer();
        self.dirty |= !self.vault.supply(secrets).is_empty();
    }

    /// Whether no source waits for a Secret to be read for the first time.
    pub fn is_settled(&self) -> bool {
        self.sources.values().all(|planned| !planned.pending)
    }

    /// The next instant at which something changes by itself.
    pub fn next_wake(&self) -> Option<Timestamp> {
        let expiries = self.sources.values().filter_map(|planned| planned.expiry);
        expiries.chain(self.vault.next_due()).min()
    }

    /// Brings everything up to date for this instant.
    pub fn settle(&mut self, now: Timestamp) -> Settled {
        let expired = self.sources.values().any(|planned| planned.expiry.is_some_and(|at| at <= now));
        let mut settled = Settled { to_read: self.vault.due(now), ..Settled::default() };
        if !self.dirty && !expired {
            return settled;
        }
        self.dirty = false;
        settled.to_read.extend(self.refer());
        let gone: Vec<Key> = self.sources.keys().filter(|key| self.index.sources.get(key).is_none()).cloned().collect();
        let mut rebuilt = !gone.is_empty();
        for key in gone {
            self.sources.remove(&key);
            settled.changed.insert(key);
        }
        for object in self.index.sources.iter() {
            let before = self.sources.get(&object.key).filter(|planned| planned.inputs.uid == object.uid);
            let former = before.and_then(|planned| planned.good.as_ref()).map(|good| &*good.source);
            let inputs = Inputs::of(object, former, &self.vault, self.definitions.catalogue(), now);
            if before.is_some_and(|planned| planned.inputs == inputs) {
                continue;
            }
            let good = before.and_then(|planned| planned.good.clone());
            let planned = self.compile(object, good, inputs, now);
            self.sources.insert(object.key.clone(), planned);
            settled.changed.insert(object.key.clone());
            rebuilt = true;
        }
        // What a new spec no longer refers to is forgotten, now that it compiled.
        settled.to_read.extend(self.refer());
        if rebuilt {
            settled.table = Some(self.build(&mut settled.changed));
        }
        settled
    }

    /// Tells the vault what is referred to, by current specs and by those that still serve.
    fn refer(&mut self) -> Vec<Key> {
        let mut wanted = BTreeMap::new();
        for object in self.index.sources.iter() {
            if let Ok(source) = &object.value {
                collect_wanted(source, &mut wanted);
            }
        }
        for good in self.sources.values().filter_map(|planned| planned.good.as_ref()) {
            collect_wanted(&good.source, &mut wanted);
        }
        self.vault.want(wanted)
    }

    fn compile(&self, object: &Object<WebhookSource>, good: Option<Good>, inputs: Inputs, now: Timestamp) -> Planned {
        let mut planned = Planned {
            generation: object.generation,
            accepted: Ok(()),
            refs: None,
            notices: Vec::new(),
            pending: false,
            entry: None,
            conflicts: Vec::new(),
            good,
            inputs,
            expiry: None,
        };
        let catalogue = self.definitions.catalogue();
        match &object.value {
            Err(broken) => planned.accepted = Err(broken.problem.clone()),
            Ok(source) => match resolve(source, &self.vault, now) {
                None => planned.pending = true,
                Some(resolved) => {
                    planned.refs = Some(resolved.problems().cloned().collect());
                    match compile(source, catalogue, &resolved, &self.settings) {
                        Ok(compiled) => {
                            planned.refs.get_or_insert_default().extend(compiled.unfit.iter().cloned());
                            planned.notices.clone_from(&compiled.notices);
                            planned.good = Some(Good { source: source.clone(), catalogue: catalogue.clone() });
                            planned.serve(compiled, &resolved);
                            return planned;
                        }
                        Err(problem) => planned.accepted = Err(problem),
                    }
                }
            },
        }
        if let Some((compiled, resolved)) =
            planned.good.as_ref().and_then(|good| self.compile_former(object, good, now))
        {
            planned.serve(compiled, &resolved);
        } else {
            planned.entry = self.claim(object, planned.good.as_ref()).map(|claim| Entry::NotServed(Arc::new(claim)));
        }
        // The refs of a spec that does not compile expire all the same: status tells.
        if let Ok(source) = &object.value
            && let Some(resolved) = resolve(source, &self.vault, now)
        {
            planned.expiry = [planned.expiry, resolved.next_expiry()].into_iter().flatten().min();
        }
        planned
    }

    /// The last good spec, with what takes effect whatever else is wrong.
    fn compile_former(
        &self,
        object: &Object<WebhookSource>,
        good: &Good,
        now: Timestamp,
    ) -> Option<(Compiled, Resolved)> {
        let mut former = WebhookSource::clone(&good.source);
        match &object.value {
            Ok(current) => {
                former.spec.suspend = current.spec.suspend;
                shorten(&mut former, current);
            }
            Err(Broken { suspend, .. }) => former.spec.suspend = *suspend,
        }
        let resolved = resolve(&former, &self.vault, now)?;
        let compiled = compile(&former, self.definitions.catalogue(), &resolved, &self.settings)
            .or_else(|_| compile(&former, &good.catalogue, &resolved, &self.settings))
            .ok()?;
        Some((compiled, resolved))
    }

    /// What a source claims although nothing of it can be served: 503, not 404. Never more than its namespace may claim.
    fn claim(&self, object: &Object<WebhookSource>, good: Option<&Good>) -> Option<Claim> {
        let claim = match (good.map(|good| &good.source), &object.value) {
            (Some(source), _) | (None, Ok(source)) => claim(source, &self.settings),
            (None, Err(broken)) => {
                let Key { namespace, name } = &object.key;
                let provider = broken.provider.as_deref().unwrap_or_default();
                Claim {
                    namespace: namespace.as_str().into(),
                    name: name.as_str().into(),
                    uid: object.uid.as_str().into(),
                    provider: provider.into(),
                    hosts: Host::parse_all(&broken.hostnames),
                    path: broken.path.clone().unwrap_or_else(|| format!("/{namespace}/{name}")),
                    created: object.created,
                    state: self.settings.sources.state(&object.uid, namespace, name, provider),
                }
            }
        };
        self.settings.allows_path(&claim.namespace, &claim.path).then_some(claim)
    }

    /// Builds the table, and notes whose conflicts are others now.
    fn build(&mut self, changed: &mut BTreeSet<Key>) -> RouteTable {
        let entries = self.sources.values().filter_map(|planned| planned.entry.clone()).collect();
        let (table, conflicts) = RouteTable::build(entries);
        let mut by_loser = BTreeMap::<Key, Vec<Conflict>>::new();
        for conflict in conflicts {
            by_loser.entry(Key::new(&*conflict.loser.0, &*conflict.loser.1)).or_default().push(conflict);
        }
        for (key, planned) in &mut self.sources {
            let conflicts = by_loser.remove(key).unwrap_or_default();
            if planned.conflicts != conflicts {
                planned.conflicts = conflicts;
                changed.insert(key.clone());
            }
        }
        table
    }
}

impl Planned {
    fn serve(&mut self, compiled: Compiled, resolved: &Resolved) {
        self.expiry = resolved.next_expiry();
        self.entry = Some(Entry::Served(Arc::new(compiled.route)));
    }

    /// The route that serves, unless older sources keep all of its hosts.
    pub fn route(&self) -> Option<&Arc<Route>> {
        match &self.entry {
            Some(Entry::Served(route)) if !self.is_displaced() => Some(route),
            _ => None,
        }
    }

    /// Whether older sources keep all of its hosts.
    pub fn is_displaced(&self) -> bool {
        self.conflicts.iter().any(|conflict| conflict.none_left)
    }
}

/// An end that the current spec sets for a ref holds for the former spec too.
fn shorten(former: &mut WebhookSource, current: &WebhookSource) {
    let Some(verification) = former.spec.verification.as_mut() else { return };
    for secret in &mut verification.secret_refs {
        let now =
            super::resolve::secret_refs(current).iter().find(|r| (&r.name, &r.key) == (&secret.name, &secret.key));
        if let Some(end) = now.and_then(|now| now.not_after.clone())
            && secret.not_after.as_ref().is_none_or(|known| end.0 < known.0)
        {
            secret.not_after = Some(end);
        }
    }
}

#[cfg(test)]
mod tests;

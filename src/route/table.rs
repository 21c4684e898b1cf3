//! Which route answers a host and path. Read without a lock or an allocation.
//!
//! A table in force never changes: a change makes a copy that shares all paths but those that it touches. A path matches byte for byte:
//! nothing is decoded, folded or cut here.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rpds::HashTrieMapSync;

use super::Route;
use super::claim::{Claim, Host};

/// What stands behind a claim.
#[derive(Clone, Debug)]
pub enum Entry {
    /// A compiled route.
    Served(Arc<Route>),
    /// A source of which nothing compiled yet on this replica: it is answered 503, not 404.
    NotServed(Arc<Claim>),
}

impl Entry {
    /// The source and what it claims.
    pub fn claim(&self) -> &Claim {
        match self {
            Self::Served(route) => &route.claim,
            Self::NotServed(claim) => claim,
        }
    }
}

impl From<Arc<Route>> for Entry {
    fn from(route: Arc<Route>) -> Self {
        Self::Served(route)
    }
}

/// A host that a source claims and one that is before it keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Namespace and name of the source that loses the host.
    pub loser: (Arc<str>, Arc<str>),
    /// Namespace and name of the source that keeps it.
    pub keeper: (Arc<str>, Arc<str>),
    /// The host.
    pub host: Host,
    /// The loser has no host left: `PathConflict`.
    pub none_left: bool,
}

/// Every route by path and host. A copy costs nothing and shares all paths that neither changes.
#[derive(Clone, Debug, Default)]
pub struct RouteTable {
    paths: HashTrieMapSync<Box<str>, Arc<Hosts>>,
}

/// Who claims one path, and who has which host of it.
#[derive(Debug, Default)]
struct Hosts {
    /// The first in line first.
    claims: Vec<Entry>,
    // Positions in `claims`.
    exact: HashMap<Box<str>, usize>,
    wildcard: HashMap<Box<str>, usize>,
    any: Option<usize>,
}

impl RouteTable {
    /// Gives every host of every path to the first in line of the sources that claim it. The order of `entries` does not matter.
    pub fn build(entries: Vec<Entry>) -> (Self, Vec<Conflict>) {
        let mut paths = BTreeMap::<String, Vec<Entry>>::new();
        for entry in entries {
            paths.entry(entry.claim().path.clone()).or_default().push(entry);
        }
        let mut table = Self::default();
        let conflicts = paths.into_iter().flat_map(|(path, claims)| table.assign(&path, claims)).collect();
        (table, conflicts)
    }

    /// Gives every host of one path to the first in line of `claims`, which are all that there are. Tables that were copied
    /// from this one before stay as they are.
    pub fn assign(&mut self, path: &str, claims: Vec<Entry>) -> Vec<Conflict> {
        if claims.is_empty() {
            self.paths.remove_mut(path);
            return Vec::new();
        }
        let (hosts, conflicts) = Hosts::share_out(claims);
        self.paths.insert_mut(path.into(), Arc::new(hosts));
        conflicts
    }

    /// What answers `path` on `host`, which is in lower case and without a port. An exact host beats a wildcard, which
    /// beats any.
    pub fn find(&self, host: &str, path: &str) -> Option<&Entry> {
        self.paths.get(path)?.find(host)
    }

    /// Every source, the first in line first.
    pub fn entries(&self) -> Vec<&Entry> {
        let mut all: Vec<&Entry> = self.paths.values().flat_map(|hosts| &hosts.claims).collect();
        all.sort_by(|a, b| a.claim().seniority().cmp(&b.claim().seniority()));
        all
    }
}

impl Hosts {
    fn share_out(mut claims: Vec<Entry>) -> (Self, Vec<Conflict>) {
        claims.sort_by(|a, b| a.claim().seniority().cmp(&b.claim().seniority()));
        let mut hosts = Self::default();
        let mut conflicts = Vec::new();
        for (position, entry) in claims.iter().enumerate() {
            let claim = entry.claim();
            let first = conflicts.len();
            let mut kept = false;
            for host in &claim.hosts {
                match hosts.take(host, position) {
                    None => kept = true,
                    // A host written twice is no conflict with itself.
                    Some(keeper) if keeper == position => {}
                    Some(keeper) => conflicts.push(Conflict {
                        loser: (claim.namespace.clone(), claim.name.clone()),
                        keeper: (claims[keeper].claim().namespace.clone(), claims[keeper].claim().name.clone()),
                        host: host.clone(),
                        none_left: false,
                    }),
                }
            }
            for conflict in &mut conflicts[first..] {
                conflict.none_left = !kept;
            }
        }
        hosts.claims = claims;
        (hosts, conflicts)
    }

    /// Takes a host, or says who has it.
    fn take(&mut self, host: &Host, position: usize) -> Option<usize> {
        let (names, name) = match host {
            Host::Any => {
                let keeper = self.any;
                self.any.get_or_insert(position);
                return keeper;
            }
            Host::Exact(name) => (&mut self.exact, name),
            Host::Wildcard(parent) => (&mut self.wildcard, parent),
        };
        let keeper = names.get(name).copied();
        if keeper.is_none() {
            names.insert(name.clone(), position);
        }
        keeper
    }

    fn find(&self, host: &str) -> Option<&Entry> {
        self.claims.get(self.position(host)?)
    }

    fn position(&self, host: &str) -> Option<usize> {
        // Most paths are claimed on any host alone: no hashing then.
        if !self.exact.is_empty()
            && let Some(position) = self.exact.get(host)
        {
            return Some(*position);
        }
        if !self.wildcard.is_empty()
            && let Some((label, parent)) = host.split_once('.')
            && !label.is_empty()
            && let Some(position) = self.wildcard.get(parent)
        {
            return Some(*position);
        }
        self.any
    }
}

#[cfg(test)]
mod tests;

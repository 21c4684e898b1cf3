//! Which route answers a host and path. Built whole, never changed, read without a lock or an allocation.
//!
//! A path matches byte for byte: nothing is decoded, folded or cut here.

use std::collections::HashMap;
use std::sync::Arc;

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

/// A host that a source claims and an older one keeps.
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

/// Every route by path and host.
#[derive(Debug, Default)]
pub struct RouteTable {
    paths: HashMap<Box<str>, Hosts>,
    entries: Vec<Entry>,
}

/// Positions in `entries`.
#[derive(Debug, Default)]
struct Hosts {
    exact: HashMap<Box<str>, usize>,
    wildcard: HashMap<Box<str>, usize>,
    any: Option<usize>,
}

impl RouteTable {
    /// Gives every host of every path to the oldest source that claims it. The order of `entries` does not matter.
    pub fn build(mut entries: Vec<Entry>) -> (Self, Vec<Conflict>) {
        entries.sort_by(|a, b| a.claim().seniority().cmp(&b.claim().seniority()));
        let mut paths: HashMap<Box<str>, Hosts> = HashMap::with_capacity(entries.len());
        let mut conflicts = Vec::new();
        for (position, entry) in entries.iter().enumerate() {
            let claim = entry.claim();
            if !paths.contains_key(claim.path.as_str()) {
                paths.insert(claim.path.as_str().into(), Hosts::default());
            }
            let Some(hosts) = paths.get_mut(claim.path.as_str()) else { continue };
            let first = conflicts.len();
            let mut kept = false;
            for host in &claim.hosts {
                match hosts.claim(host, position) {
                    None => kept = true,
                    // A host written twice is no conflict with itself.
                    Some(keeper) if keeper == position => {}
                    Some(keeper) => conflicts.push(Conflict {
                        loser: (claim.namespace.clone(), claim.name.clone()),
                        keeper: (entries[keeper].claim().namespace.clone(), entries[keeper].claim().name.clone()),
                        host: host.clone(),
                        none_left: false,
                    }),
                }
            }
            for conflict in &mut conflicts[first..] {
                conflict.none_left = !kept;
            }
        }
        (Self { paths, entries }, conflicts)
    }

    /// What answers `path` on `host`, which is in lower case and without a port. An exact host beats a wildcard, which
    /// beats any.
    pub fn find(&self, host: &str, path: &str) -> Option<&Entry> {
        let hosts = self.paths.get(path)?;
        let position = hosts.find(host)?;
        self.entries.get(position)
    }

    /// Every source, the oldest first.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }
}

impl Hosts {
    /// Takes a host, or says who has it.
    fn claim(&mut self, host: &Host, position: usize) -> Option<usize> {
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

    fn find(&self, host: &str) -> Option<usize> {
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

//! Who claims which path, and the table of all. A path is shared out anew when one of its claims changes, and no other is.

use std::collections::{BTreeSet, HashMap};

use crate::control::object::Key;
use crate::route::{Conflict, Entry, RouteTable};

#[derive(Debug, Default)]
pub(super) struct Places {
    claims: HashMap<String, BTreeSet<Key>>,
    touched: BTreeSet<String>,
    table: RouteTable,
}

impl Places {
    /// A source claims something else than before, or the same with another route.
    pub(super) fn change(&mut self, key: &Key, before: Option<&Entry>, after: Option<&Entry>) {
        let (before, after) = (before.map(|entry| &*entry.claim().path), after.map(|entry| &*entry.claim().path));
        if before != after
            && let Some(path) = before
            && let Some(claims) = self.claims.get_mut(path)
        {
            claims.remove(key);
            self.touched.insert(path.to_owned());
        }
        if let Some(path) = after {
            self.claims.entry(path.to_owned()).or_default().insert(key.clone());
            self.touched.insert(path.to_owned());
        }
    }

    /// Shares out the paths that were touched: who claims each of them, and the conflicts. `entry`: what a source claims with.
    pub(super) fn share_out(&mut self, entry: impl Fn(&Key) -> Option<Entry>) -> Vec<(BTreeSet<Key>, Vec<Conflict>)> {
        let mut shared = Vec::with_capacity(self.touched.len());
        for path in std::mem::take(&mut self.touched) {
            let claimants = self.claims.get(&path).cloned().unwrap_or_default();
            if claimants.is_empty() {
                self.claims.remove(&path);
            }
            let conflicts = self.table.assign(&path, claimants.iter().filter_map(&entry).collect());
            shared.push((claimants, conflicts));
        }
        shared
    }

    /// The table as it stands.
    pub(super) fn table(&self) -> RouteTable {
        self.table.clone()
    }
}

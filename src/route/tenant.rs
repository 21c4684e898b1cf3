//! What the sources of one namespace hold together, so that one tenant leaves something to the others.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use tokio::sync::Semaphore;

use super::bounds::{PUBLISHES, ROOM_OF_TENANT};
use super::budget::Budget;

/// What the sources of a namespace hold.
#[derive(Debug)]
pub struct Tenant {
    /// Requests in work.
    pub requests: Budget,
    /// Bytes of bodies in work.
    pub bytes: Budget,
    /// Room for what becomes of large bodies, in KiB.
    pub room: Semaphore,
    /// Turns of work that takes longer than a request may hold its worker.
    pub turns: Semaphore,
    /// Events that wait for their acknowledgement.
    pub publishes: Semaphore,
}

impl Default for Tenant {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            requests: Budget::default(),
            bytes: Budget::default(),
            room: Semaphore::new(ROOM_OF_TENANT as usize),
            turns: Semaphore::new((cores / 2).max(1)),
            publishes: Semaphore::new(PUBLISHES / 2),
        }
    }
}

/// The tenants of all sources that somebody serves, by namespace.
#[derive(Debug, Default)]
pub(super) struct Tenants {
    known: HashMap<Box<str>, Weak<Tenant>>,
    /// How many there were after the ended ones had last been taken out.
    left: usize,
}

impl Tenants {
    /// The tenant of a namespace: the same for as long as any of its sources is served.
    pub(super) fn of(&mut self, namespace: &str) -> Arc<Tenant> {
        if let Some(tenant) = self.known.get(namespace).and_then(Weak::upgrade) {
            return tenant;
        }
        if self.known.len() > 2 * self.left + 16 {
            self.known.retain(|_, tenant| tenant.strong_count() > 0);
            self.left = self.known.len();
        }
        let tenant = Arc::<Tenant>::default();
        self.known.insert(namespace.into(), Arc::downgrade(&tenant));
        tenant
    }
}

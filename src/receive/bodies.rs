//! Bytes of bodies: bounded in sum, by namespace and by source; those without proof by address as well, and more tightly. Where
//! they are used up, the address that holds most loses its slowest body, so that whoever withholds bytes pays for it and nobody
//! else does.
//!
//! A body that is here at once, while less than half is held, only counts; nothing is locked for it.

mod give_way;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use self::give_way::{Body, Slow};
use super::reject::Reject;
use crate::route::Limits;
use crate::route::bounds::{TENANT_QUARTERS, UNPROVEN_BYTES};
use crate::route::budget::Budget;
use crate::route::share::{Bound, Full, Holder, Shares};
use crate::route::state::{Class, SourceState};

/// What the process has for bodies.
#[derive(Debug, Default)]
pub(super) struct Bodies {
    limit: u64,
    /// All of them, proven or not.
    all: Budget,
    pools: [Pool; 2],
}

/// Those of one class that are without proof.
#[derive(Debug, Default)]
struct Pool {
    bytes: Shares,
    slow: Mutex<Slow>,
}

/// What one body holds, until it is dropped.
#[derive(Debug)]
pub(super) struct Hold<'a> {
    bodies: &'a Bodies,
    class: Class,
    holder: Holder,
    state: &'a Arc<SourceState>,
    limits: &'a Limits,
    begun: Instant,
    bytes: u64,
    proven: bool,
    slow: Option<(u64, Arc<Notify>)>,
}

impl Bodies {
    pub(super) fn new(limit: u64) -> Self {
        Self { limit, ..Self::default() }
    }

    /// Holds nothing yet.
    pub(super) fn hold<'a>(
        &'a self,
        (state, limits): (&'a Arc<SourceState>, &'a Limits),
        class: Class,
        holder: Holder,
    ) -> Hold<'a> {
        let begun = Instant::now();
        Hold { bodies: self, class, holder, state, limits, begun, bytes: 0, proven: false, slow: None }
    }

    fn pool(&self, class: Class) -> MutexGuard<'_, Slow> {
        self.pools[class as usize].slow.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives back what a body without proof held.
    fn give_back(&self, class: Class, holder: Holder, source: &SourceState, bytes: u64) {
        self.pools[class as usize].bytes.give_back(holder, bytes);
        source.unproven(class).bytes.give_back(bytes);
        self.give_back_proven(source, bytes);
    }

    /// Gives back what a proven body held.
    fn give_back_proven(&self, source: &SourceState, bytes: u64) {
        source.bytes.give_back(bytes);
        source.tenant.bytes.give_back(bytes);
        self.all.give_back(bytes);
    }

    /// Of those without proof. One address may always have one whole body.
    fn bound(&self, limits: &Limits) -> Bound {
        let sum = self.limit / UNPROVEN_BYTES;
        Bound { sum, share: (sum / 2).max(limits.max_body) }
    }

    /// How many bytes are held without proof.
    #[cfg(test)]
    fn unproven(&self, class: Class) -> u64 {
        self.pools[class as usize].bytes.held()
    }
}

/// What is used up, and how much of it is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Used {
    /// What bodies without proof have.
    Sum(u64),
    /// What those of one address have.
    Share(u64),
    /// What those of one source have.
    Source(u64),
    /// What the source has, with and without proof.
    AllOfSource(u64),
    /// What the namespace has, with and without proof.
    AllOfTenant(u64),
    /// What the process has.
    All(u64),
}

impl Hold<'_> {
    /// Holds so many bytes altogether. What has arrived counts, not what was announced: announcing costs nothing.
    pub(super) fn grow(&mut self, bytes: u64) -> Result<(), Reject> {
        let more = bytes.saturating_sub(self.bytes);
        if self.slow.is_none() {
            if self.add(more).is_ok() {
                self.bytes += more;
                if self.pool().bytes.held() > self.bodies.bound(self.limits).sum / 2 {
                    self.enter();
                }
                return Ok(());
            }
            self.enter();
        }
        let Some((id, _)) = self.slow else { return Err(Reject::UnprovenBytes) };
        let mut slow = self.bodies.pool(self.class);
        loop {
            if !slow.holds(id) {
                return Err(Reject::GaveWay);
            }
            let Err(used) = self.add(more) else { break };
            if self.make_room(&mut slow, used) == 0 {
                return Err(match used {
                    Used::All(_) | Used::AllOfSource(_) | Used::AllOfTenant(_) => Reject::Overloaded,
                    Used::Sum(_) | Used::Share(_) | Used::Source(_) => Reject::UnprovenBytes,
                });
            }
        }
        slow.grow(id, more);
        drop(slow);
        self.bytes += more;
        Ok(())
    }

    fn make_room(&self, slow: &mut Slow, used: Used) -> u64 {
        let of_source = |body: &Body| Arc::ptr_eq(&body.source, self.state);
        let of_tenant = |body: &Body| Arc::ptr_eq(&body.source.tenant, &self.state.tenant);
        // What proved something lately never waits for strangers.
        let mut strangers = (self.class == Class::Known).then(|| self.bodies.pool(Class::Stranger));
        let first = |slow, strangers| -> &mut Slow { Option::unwrap_or(strangers, slow) };
        match used {
            Used::Sum(need) => slow.give_way(self.bodies, need, |_| true),
            Used::Share(need) => slow.give_way(self.bodies, need, |body| body.holder.key == self.holder.key),
            Used::Source(need) => slow.give_way(self.bodies, need, of_source),
            Used::AllOfSource(need) => first(slow, strangers.as_deref_mut()).give_way(self.bodies, need, of_source),
            Used::AllOfTenant(need) => first(slow, strangers.as_deref_mut()).give_way(self.bodies, need, of_tenant),
            Used::All(need) => first(slow, strangers.as_deref_mut()).give_way(self.bodies, need, |_| true),
        }
    }

    /// It takes its time: from now on it may give way to others.
    pub(super) fn enter(&mut self) {
        if self.slow.is_some() {
            return;
        }
        let end = Arc::new(Notify::new());
        let (holder, class, source) = (self.holder, self.class, self.state.clone());
        let body = Body { holder, class, source, bytes: self.bytes, begun: self.begun, end: end.clone() };
        let id = self.bodies.pool(self.class).enter(body);
        self.slow = Some((id, end));
    }

    /// Ends when it gave way; never, where it cannot.
    pub(super) async fn gave_way(&self) {
        match &self.slow {
            Some((_, end)) => end.notified().await,
            None => std::future::pending().await,
        }
    }

    /// It is whole, and gives way no more.
    pub(super) fn whole(&mut self) -> Result<(), Reject> {
        let Some((id, _)) = self.slow.take() else { return Ok(()) };
        if self.bodies.pool(self.class).leave(id) {
            return Ok(());
        }
        // Whoever it gave way to gave it back.
        self.bytes = 0;
        Err(Reject::GaveWay)
    }

    /// Its proof holds: what it holds is no stranger's any more.
    pub(super) fn proven(&mut self) {
        if !std::mem::replace(&mut self.proven, true) {
            self.pool().bytes.give_back(self.holder, self.bytes);
            self.state.unproven(self.class).bytes.give_back(self.bytes);
        }
    }

    fn add(&self, more: u64) -> Result<(), Used> {
        let own = &self.state.unproven(self.class).bytes;
        let missing = |budget: &Budget, limit: u64| (budget.held() + more).saturating_sub(limit).max(1);
        let (of_source, of_all) = (self.limits.bytes(), self.bodies.limit);
        if !self.bodies.all.add(more, of_all) {
            return Err(Used::All(missing(&self.bodies.all, of_all)));
        }
        let (tenant, of_tenant) = (&self.state.tenant.bytes, of_all / 4 * TENANT_QUARTERS);
        if !tenant.add(more, of_tenant) {
            self.bodies.all.give_back(more);
            return Err(Used::AllOfTenant(missing(tenant, of_tenant)));
        }
        if !self.state.bytes.add(more, of_source) {
            tenant.give_back(more);
            self.bodies.all.give_back(more);
            return Err(Used::AllOfSource(missing(&self.state.bytes, of_source)));
        }
        let unproven = match own.add(more, self.limits.unproven_bytes()) {
            false => Err(Used::Source(missing(own, self.limits.unproven_bytes()))),
            true => self.pool().bytes.add(self.holder, more, self.bodies.bound(self.limits)).map_err(|full| {
                own.give_back(more);
                match full {
                    Full::Sum => Used::Sum(
                        (self.pool().bytes.held() + more).saturating_sub(self.bodies.bound(self.limits).sum).max(1),
                    ),
                    Full::Share => Used::Share(more),
                }
            }),
        };
        unproven.inspect_err(|_| self.bodies.give_back_proven(self.state, more))
    }

    fn bytes_back(&mut self) {
        if self.proven {
            self.bodies.give_back_proven(self.state, self.bytes);
        } else {
            self.bodies.give_back(self.class, self.holder, self.state, self.bytes);
        }
        self.bytes = 0;
    }

    fn pool(&self) -> &Pool {
        &self.bodies.pools[self.class as usize]
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        if self.whole().is_ok() {
            self.bytes_back();
        }
    }
}

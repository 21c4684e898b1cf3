//! Bytes of bodies whose proof is not known yet: bounded in sum, by source and by address. Where they are used up, the
//! address that holds most loses its slowest body, so that whoever withholds bytes pays for it and nobody else does.
//!
//! A body that is here at once, while less than half is held, only counts; nothing is locked for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::reject::Reject;
use crate::route::Limits;
use crate::route::bounds::{TENANT_BYTES, UNPROVEN_BYTES};
use crate::route::budget::Budget;
use crate::route::share::{Bound, Full, Holder, Shares, Standing};
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

/// Bodies that may give way.
#[derive(Debug, Default)]
struct Slow {
    next: u64,
    bodies: HashMap<u64, Body>,
}

#[derive(Debug)]
struct Body {
    holder: Holder,
    class: Class,
    source: Arc<SourceState>,
    bytes: u64,
    begun: Instant,
    end: Arc<Notify>,
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

    fn bound(&self) -> Bound {
        let sum = self.limit / UNPROVEN_BYTES;
        Bound { sum, share: sum / 2 }
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
                if self.pool().bytes.held() > self.bodies.bound().sum / 2 {
                    self.enter();
                }
                return Ok(());
            }
            self.enter();
        }
        let Some((id, _)) = self.slow else { return Err(Reject::UnprovenBytes) };
        let mut slow = self.bodies.pool(self.class);
        loop {
            if !slow.bodies.contains_key(&id) {
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
        if let Some(body) = slow.bodies.get_mut(&id) {
            body.bytes += more;
        }
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
        let mut slow = self.bodies.pool(self.class);
        let id = slow.next;
        slow.next += 1;
        slow.bodies.insert(id, body);
        drop(slow);
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
        if self.bodies.pool(self.class).bodies.remove(&id).is_some() {
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
        let (tenant, of_tenant) = (&self.state.tenant.bytes, of_all / 4 * TENANT_BYTES);
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
            true => self.pool().bytes.add(self.holder, more, self.bodies.bound()).map_err(|full| {
                own.give_back(more);
                match full {
                    Full::Sum => {
                        Used::Sum((self.pool().bytes.held() + more).saturating_sub(self.bodies.bound().sum).max(1))
                    }
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

impl Slow {
    /// Frees what is needed: of those addresses the one that holds most loses its slowest body, again and again. Trusted
    /// proxies, who stand for many, come last. Says what was freed.
    fn give_way(&mut self, bodies: &Bodies, need: u64, among: impl Fn(&Body) -> bool) -> u64 {
        let mut held: HashMap<u64, (bool, u64)> = HashMap::new();
        for body in self.bodies.values().filter(|body| among(body)) {
            let of = held.entry(body.holder.key).or_insert((body.holder.standing != Standing::Many, 0));
            of.1 += body.bytes;
        }
        let mut freed = 0;
        while freed < need
            && let Some((key, _)) = held.iter().filter(|(_, (_, bytes))| *bytes > 0).max_by_key(|(_, weight)| **weight)
        {
            let key = *key;
            let of = self.bodies.iter().filter(|(_, body)| body.holder.key == key && body.bytes > 0 && among(body));
            let Some(id) = of.min_by(|(_, one), (_, other)| one.pace().total_cmp(&other.pace())).map(|(id, _)| *id)
            else {
                break;
            };
            let Some(body) = self.bodies.remove(&id) else { break };
            if let Some((_, bytes)) = held.get_mut(&key) {
                *bytes -= body.bytes;
            }
            freed += body.bytes;
            bodies.give_back(body.class, body.holder, &body.source, body.bytes);
            body.end.notify_one();
        }
        freed
    }
}

impl Body {
    /// Bytes a second.
    fn pace(&self) -> f64 {
        // Sizes of bodies are far below what a float holds exactly.
        self.bytes as f64 / self.begun.elapsed().as_secs_f64().max(0.001)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::metrics::Metrics;
    use crate::route::Sources;

    const MIB: u64 = 1 << 20;

    fn limits() -> Limits {
        Limits { max_body: 8 * MIB, allowed: Vec::new(), in_flight: 256, rate: None }
    }

    fn one(address: u64) -> Holder {
        Holder { key: (address + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15), standing: Standing::One }
    }

    fn sources(count: usize) -> Vec<Arc<SourceState>> {
        let sources = Sources::new(Metrics::new());
        (0..count).map(|n| sources.state(&format!("uid-{n}"), "sales", &format!("calls-{n}"), "xosum")).collect()
    }

    #[test]
    fn bodies_that_are_withheld_give_way_to_one_that_comes() {
        let (bodies, states, limits) = (Bodies::new(64 * MIB), sources(9), limits());
        let hold = |source: usize, address| bodies.hold((&states[source], &limits), Class::Stranger, one(address));
        // One address fills what it may, another one the rest.
        let mut withheld = Vec::new();
        for n in 0..64 {
            let mut body = hold(n % 8, u64::from(n >= 16));
            if body.grow(MIB).is_ok() {
                withheld.push(body);
            }
        }
        assert!(bodies.unproven(Class::Stranger) <= 32 * MIB);
        for source in 0..9 {
            for size in [1, 100_000, 4 * MIB] {
                let mut honest = hold(source, 7);
                assert!(honest.grow(size).is_ok() && honest.whole().is_ok(), "{source} {size}");
            }
        }
        drop(withheld);
        assert_eq!(bodies.unproven(Class::Stranger), 0);
        assert!(states.iter().all(|state| state.unproven(Class::Stranger).bytes.held() == 0));
        assert_eq!(bodies.all.held(), 0);
    }

    #[test]
    fn strangers_leave_half_of_the_bytes_to_whoever_has_proven_itself() {
        let (bodies, states, limits) = (Bodies::new(64 * MIB), sources(16), limits());
        let mut withheld = Vec::new();
        for n in 0..160 {
            let state = &states[usize::try_from(n % 16).unwrap_or(0)];
            let mut body = bodies.hold((state, &limits), Class::Stranger, one(n));
            body.grow(MIB).unwrap();
            withheld.push(body);
        }
        let mut known = bodies.hold((&states[0], &limits), Class::Known, one(1));
        assert!(known.grow(8 * MIB).is_ok() && known.whole().is_ok());
        known.proven();
        assert_eq!(bodies.unproven(Class::Known), 0);
        assert_eq!(states[0].unproven(Class::Known).bytes.held(), 0);
        assert!(states[0].bytes.held() >= 8 * MIB, "held until the answer");
    }

    #[tokio::test]
    async fn who_gave_way_hears_of_it() {
        let (bodies, states, limits) = (Bodies::new(4 * MIB), sources(1), limits());
        let mut slow = bodies.hold((&states[0], &limits), Class::Stranger, one(1));
        slow.grow(MIB - 1).unwrap();
        slow.enter();
        let mut more = bodies.hold((&states[0], &limits), Class::Stranger, one(2));
        more.grow(MIB / 2).unwrap();
        let mut last = bodies.hold((&states[0], &limits), Class::Stranger, one(3));
        last.grow(MIB).unwrap();
        slow.gave_way().await;
        assert!(matches!(slow.grow(MIB), Err(Reject::GaveWay)));
        assert!(matches!(slow.whole(), Err(Reject::GaveWay)));
        assert!(more.whole().is_ok() && last.whole().is_ok());
    }

    proptest! {
        #[test]
        fn everything_is_given_back_whatever_gives_way(
            steps in proptest::collection::vec((0_u64..4, 0_usize..3, 1_u64..3_000_000, 0_u8..4), 1..120)
        ) {
            let (bodies, states, limits) = (Bodies::new(16 * MIB), sources(3), limits());
            let (mut held, mut proven): (Vec<(Hold<'_>, u64)>, Vec<Hold<'_>>) = Default::default();
            for (address, source, bytes, what) in steps {
                match what {
                    0 if !held.is_empty() => drop(held.swap_remove(source % held.len())),
                    1 if !held.is_empty() => {
                        let at = source % held.len();
                        let (hold, size) = &mut held[at];
                        if hold.grow(*size + bytes).is_ok() {
                            *size += bytes;
                        } else {
                            held.swap_remove(at);
                        }
                    }
                    2 if !held.is_empty() => {
                        let at = source % held.len();
                        let (mut hold, _) = held.swap_remove(at);
                        if hold.whole().is_ok() {
                            hold.proven();
                            proven.push(hold);
                        }
                    }
                    _ => {
                        let mut hold = bodies.hold((&states[source], &limits), Class::Stranger, one(address));
                        if hold.grow(bytes).is_ok() {
                            held.push((hold, bytes));
                        }
                    }
                }
                prop_assert!(bodies.unproven(Class::Stranger) <= 8 * MIB);
            }
            held.clear();
            prop_assert_eq!(bodies.unproven(Class::Stranger), 0);
            proven.clear();
            prop_assert_eq!(bodies.unproven(Class::Stranger), 0);
            prop_assert_eq!(bodies.all.held(), 0);
            prop_assert!(bodies.pool(Class::Stranger).bodies.is_empty());
            for state in &states {
                prop_assert_eq!(state.unproven(Class::Stranger).bytes.held() + state.bytes.held(), 0);
            }
        }
    }
}
